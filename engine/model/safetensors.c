/* safetensors.c: see safetensors.h. */
#include "model/safetensors.h"

#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

enum { LENGTH_BYTES = 8, FILE_MAX_MIB = 4096 };

struct safetensors {
    struct strbuf bytes;
    cJSON *header; /* owns the names */
    struct safetensor *tensors;
    size_t n;
};

/* Names of element types, and the ids GGUF gives the same ones. */
static const struct {
    const char *name;
    uint32_t gguf_id;
} types[] = {{"F32", 0}, {"F16", 1}, {"BF16", 30}};

static const struct quant_type *find_type(const char *name)
{
    for (size_t i = 0; name && i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0)
            return quant_type_find(types[i].gguf_id);
    return NULL;
}

/* Element i of an array of whole numbers; 0 when there is none. */
static int array_u64(const cJSON *array, int i, uint64_t *out)
{
    const cJSON *e = cJSON_GetArrayItem(array, i);
    double v = cJSON_IsNumber(e) ? e->valuedouble : -1;

    if (!(v >= 0 && v <= 0x1p53))
        return 0;
    *out = (uint64_t)v;
    return (double)*out == v;
}

static enum cai_status read_tensor(struct safetensor *t, const cJSON *entry,
                                   const char *data, size_t len, const char *path,
                                   char *err, size_t errlen)
{
    const cJSON *shape = json_get(entry, "shape"),
                *offsets = json_get(entry, "data_offsets");
    const char *type = json_str(entry, "dtype");
    int n_dims = cJSON_IsArray(shape) ? cJSON_GetArraySize(shape) : 0;
    uint64_t begin = 0, end = 0, rows = 1, cols = 0;
    size_t n;

    t->name = entry->string;
    t->type = find_type(type);
    if (!t->type)
        return err_set(CAI_UNSUPPORTED, err, errlen,
                       "%s: tensor %s has elements of type %s; supported: F32, F16, BF16",
                       path, t->name, type ? type : "(none)");
    if (n_dims < 1 || n_dims > 2 || (n_dims == 2 && !array_u64(shape, 0, &rows)) ||
        !array_u64(shape, n_dims - 1, &cols))
        return err_set(CAI_UNSUPPORTED, err, errlen,
                       "%s: tensor %s has not one or two dimensions", path, t->name);
    if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 ||
        !array_u64(offsets, 0, &begin) || !array_u64(offsets, 1, &end) || begin > end ||
        end > len)
        return err_set(CAI_CORRUPT, err, errlen,
                       "%s: tensor %s lies outside the file; it is truncated or damaged",
                       path, t->name);
    if (rows == 0 || cols == 0 || !mem_mul(&n, (size_t)rows, (size_t)cols) ||
        quant_row_bytes(t->type, n) != end - begin)
        return err_set(CAI_CORRUPT, err, errlen,
                       "%s: tensor %s: its shape does not match its bytes", path,
                       t->name);
    t->rows = (size_t)rows;
    t->cols = (size_t)cols;
    t->data = data + begin;
    return CAI_OK;
}

enum cai_status safetensors_open(struct safetensors **dst, const char *path, char *err,
                                 size_t errlen)
{
    struct safetensors *f = mem_alloc(1, sizeof *f);
    const cJSON *entry;
    uint64_t header = 0;
    enum cai_status st;

    *dst = NULL;
    if (!f)
        return err_nomem(err, errlen, path);
    f->bytes.max_bytes = (size_t)FILE_MAX_MIB << 20;
    st = file_read(&f->bytes, path, err, errlen);
    if (st != CAI_OK)
        goto out;
    if (f->bytes.len >= LENGTH_BYTES)
        memcpy(&header, f->bytes.data, sizeof header);
    if (f->bytes.len < LENGTH_BYTES || header > f->bytes.len - LENGTH_BYTES) {
        st = err_set(CAI_CORRUPT, err, errlen,
                     "%s: not a safetensors file, or a truncated one", path);
        goto out;
    }
    st =
        json_parse(&f->header, f->bytes.data + LENGTH_BYTES, (size_t)header, err, errlen);
    if (st != CAI_OK) {
        err_prefix(err, errlen, path);
        goto out;
    }
    if (!cJSON_IsObject(f->header)) {
        st = err_set(CAI_CORRUPT, err, errlen, "%s: its header is not an object", path);
        goto out;
    }
    f->tensors = mem_alloc((size_t)cJSON_GetArraySize(f->header) + 1, sizeof *f->tensors);
    if (!f->tensors) {
        st = err_nomem(err, errlen, path);
        goto out;
    }
    cJSON_ArrayForEach(entry, f->header)
    {
        if (strcmp(entry->string, "__metadata__") == 0)
            continue;
        st =
            read_tensor(f->tensors + f->n++, entry, f->bytes.data + LENGTH_BYTES + header,
                        f->bytes.len - LENGTH_BYTES - (size_t)header, path, err, errlen);
        if (st != CAI_OK)
            goto out;
    }
    *dst = f;
    f = NULL;
out:
    safetensors_close(f);
    return st;
}

void safetensors_close(struct safetensors *f)
{
    if (!f)
        return;
    cJSON_Delete(f->header);
    strbuf_free(&f->bytes);
    mem_free(f->tensors);
    mem_free(f);
}

size_t safetensors_count(const struct safetensors *f)
{
    return f->n;
}

const struct safetensor *safetensors_at(const struct safetensors *f, size_t i)
{
    return f->tensors + i;
}

/*
 * fewshots.c: reads a few-shot set and checks that every item is whole.
 *
 * Refuses rendering (render.c). Immutable once loaded; any thread.
 */
#include "pipeline/fewshots.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "pipeline/constitution.h"

enum { FEWSHOTS_MAX_BYTES = 4 << 20 };

struct fewshots {
    cJSON *doc;
    size_t n;
    struct fewshot *items; /* (n), strings borrowed from doc */
    char hash[HASH_HEX_LEN + 1];
};

static const struct {
    const char *key;
    size_t offset;
} texts[] = {
    {"prompt", offsetof(struct fewshot, prompt)},
    {"response", offsetof(struct fewshot, response)},
    {"critique_request", offsetof(struct fewshot, critique_request)},
    {"critique", offsetof(struct fewshot, critique)},
    {"revision_request", offsetof(struct fewshot, revision_request)},
    {"revision", offsetof(struct fewshot, revision)},
};

static enum cai_status read_items(struct fewshots *f, char *err, size_t errlen)
{
    const cJSON *items = json_get(f->doc, "items"), *item;
    const char *kind = json_str(f->doc, "kind");

    if (!(fabs(json_num(f->doc, "version", 0) - 1) < 1e-9))
        return err_set(CAI_UNSUPPORTED, err, errlen,
                       "\"version\" is not 1; this program reads version 1");
    if (!kind || strcmp(kind, "critique-revision") != 0)
        return err_set(CAI_UNSUPPORTED, err, errlen,
                       "\"kind\" is not \"critique-revision\", the one this program has");
    if (!cJSON_IsArray(items))
        return err_set(CAI_PARSE, err, errlen, "no \"items\"; add a list of examples");
    cJSON_ArrayForEach(item, items) f->n++;
    f->items = mem_alloc(f->n, sizeof *f->items);
    if (!f->items)
        return err_nomem(err, errlen, "few-shots");
    f->n = 0;
    cJSON_ArrayForEach(item, items)
    {
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
            const char *s = json_str(item, texts[k].key);
            if (!s || !*s)
                return err_set(CAI_PARSE, err, errlen, "item %zu: no %s; add \"%s\"",
                               f->n + 1, texts[k].key, texts[k].key);
            *(const char **)(void *)((char *)&f->items[f->n] + texts[k].offset) = s;
        }
        f->n++;
    }
    return CAI_OK;
}

enum cai_status fewshots_parse(struct fewshots **dst, const char *text, size_t len,
                               char *err, size_t errlen)
{
    struct strbuf canonical = STRBUF_INIT(8 * (size_t)FEWSHOTS_MAX_BYTES);
    struct fewshots *f = mem_alloc(1, sizeof *f);
    enum cai_status st;

    *dst = NULL;
    if (!f)
        return err_nomem(err, errlen, "few-shots");
    st = json_parse(&f->doc, text, len, err, errlen);
    if (st == CAI_OK)
        st = read_items(f, err, errlen);
    if (st == CAI_OK && json_write_canonical(&canonical, f->doc) != CAI_OK)
        st = err_nomem(err, errlen, "few-shots");
    if (st == CAI_OK) {
        hash_hex(f->hash, strbuf_str(&canonical), canonical.len);
        *dst = f;
        f = NULL;
    }
    fewshots_free(f);
    strbuf_free(&canonical);
    return st;
}

enum cai_status fewshots_load(struct fewshots **dst, const char *dir, const char *id,
                              char *err, size_t errlen)
{
    struct strbuf path = STRBUF_INIT(8192), text = STRBUF_INIT(FEWSHOTS_MAX_BYTES);
    enum cai_status st;

    *dst = NULL;
    if (!constitution_id_is_valid(id))
        return err_set(CAI_INVALID, err, errlen,
                       "few-shots \"%.63s\": not a valid id; letters, digits, '.', '_' "
                       "and '-' are",
                       id);
    st = strbuf_addf(&path, "%s/%s.json", dir ? dir : ".", id);
    if (st != CAI_OK)
        st = err_set(st, err, errlen, "few-shots \"%s\": the folder's name is too long",
                     id);
    if (st == CAI_OK)
        st = file_read(&text, path.data, err, errlen);
    if (st == CAI_OK) {
        st = fewshots_parse(dst, strbuf_str(&text), text.len, err, errlen);
        if (st != CAI_OK)
            err_prefix(err, errlen, path.data);
    }
    strbuf_free(&path);
    strbuf_free(&text);
    return st;
}

void fewshots_free(struct fewshots *f)
{
    if (!f)
        return;
    cJSON_Delete(f->doc);
    mem_free(f->items);
    mem_free(f);
}

size_t fewshots_count(const struct fewshots *f)
{
    return f ? f->n : 0;
}

const struct fewshot *fewshots_get(const struct fewshots *f, size_t i)
{
    return f && i < f->n ? &f->items[i] : NULL;
}

const char *fewshots_hash(const struct fewshots *f)
{
    return f ? f->hash : "";
}

/*
 * gguf.c: maps a GGUF file and checks it from front to back; see gguf.h.
 *
 * The parser is one cursor over the map. Counts are bounded by the bytes that remain over
 * the smallest possible entry before anything is allocated, so memory stays O(file).
 *
 * Thread: an open file is immutable; any.
 */
#include "model/gguf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

enum {
    MAGIC_BYTES = 4,
    DEFAULT_ALIGNMENT = 32,
    MAX_DIMS = 4,
    MAX_NAME = 63,                /* bytes of a tensor name */
    MIN_KV_BYTES = 8 + 1 + 4 + 1, /* key length, a 1-byte key, type, a 1-byte value */
    MIN_TENSOR_BYTES = 8 + 1 + 4 + 8 + 4 + 8,
};

struct kv {
    struct gguf_str key;
    enum gguf_value_type type;
    const void *value;       /* of a fixed-size type, inside the map, unaligned */
    struct gguf_str str;     /* GGUF_STRING */
    struct gguf_array array; /* GGUF_ARRAY */
    size_t at;               /* offset of the key in the file */
};

struct gguf {
    char *path;
    const unsigned char *map;
    size_t bytes;
    size_t n_kv, n_tensors;
    struct kv *kv;               /* sorted by key */
    struct gguf_tensor *tensors; /* in file order */
    size_t *by_name;             /* (n_tensors) indices sorted by name */
    size_t data_start;           /* offset of the first tensor */
};

/* Where the parser is. After the first failure every read fails. */
struct cursor {
    const struct gguf *g;
    size_t at;
    char *err;
    size_t errlen;
};

static const size_t value_bytes[] = {
    [GGUF_U8] = 1,  [GGUF_I8] = 1,     [GGUF_U16] = 2,   [GGUF_I16] = 2, [GGUF_U32] = 4,
    [GGUF_I32] = 4, [GGUF_F32] = 4,    [GGUF_BOOL] = 1,  [GGUF_U64] = 8, [GGUF_I64] = 8,
    [GGUF_F64] = 8, [GGUF_STRING] = 0, [GGUF_ARRAY] = 0,
};
enum { N_VALUE_TYPES = sizeof value_bytes / sizeof *value_bytes };

/* "model.gguf: byte 24: ..." */
static enum cai_status bad(struct cursor *c, size_t at, enum cai_status st,
                           const char *what)
{
    return err_set(st, c->err, c->errlen, "%s: byte %zu: %s", c->g->path, at, what);
}

static size_t left(const struct cursor *c)
{
    return c->g->bytes - c->at;
}

static enum cai_status take(struct cursor *c, void *dst, size_t n, const char *what)
{
    if (left(c) < n)
        return err_set(
            CAI_PARSE, c->err, c->errlen,
            "%s: byte %zu: file ends inside %s; it is truncated, fetch it again",
            c->g->path, c->at, what);
    memcpy(dst, c->g->map + c->at, n);
    c->at += n;
    return CAI_OK;
}

static enum cai_status take_str(struct cursor *c, struct gguf_str *s, const char *what)
{
    size_t start = c->at;
    uint64_t len = 0;
    enum cai_status st = take(c, &len, sizeof len, what);

    if (st != CAI_OK)
        return st;
    if (len > left(c))
        return err_set(CAI_PARSE, c->err, c->errlen,
                       "%s: byte %zu: %s claims %llu bytes, the file has %zu left",
                       c->g->path, start, what, (unsigned long long)len, left(c));
    s->data = (const char *)c->g->map + c->at;
    s->len = (size_t)len;
    c->at += s->len;
    return CAI_OK;
}

static enum cai_status take_array(struct cursor *c, struct gguf_array *a)
{
    size_t start = c->at, bytes;
    uint32_t type = 0;
    uint64_t n = 0;
    enum cai_status st = take(c, &type, sizeof type, "an array header");
    struct gguf_str *strings;

    if (st == CAI_OK)
        st = take(c, &n, sizeof n, "an array header");
    if (st != CAI_OK)
        return st;
    if (type == GGUF_ARRAY)
        return bad(c, start, CAI_UNSUPPORTED, "an array of arrays is not supported");
    if (type >= N_VALUE_TYPES)
        return bad(c, start, CAI_PARSE, "array of an unknown element type");
    a->type = (enum gguf_value_type)type;
    a->data = c->g->map + c->at;
    if (type != GGUF_STRING) {
        if (n > left(c) / value_bytes[type])
            return bad(c, start, CAI_PARSE, "array is longer than the file");
        a->n = (size_t)n;
        c->at += a->n * value_bytes[type];
        return CAI_OK;
    }
    if (n > left(c) / sizeof(uint64_t))
        return bad(c, start, CAI_PARSE, "array is longer than the file");
    if (!mem_mul(&bytes, (size_t)n, sizeof *strings))
        return bad(c, start, CAI_LIMIT, "array is too large");
    strings = mem_alloc((size_t)n, sizeof *strings);
    if (!strings)
        return err_nomem(c->err, c->errlen, c->g->path);
    a->strings = strings;
    for (a->n = 0; a->n < n; a->n++) {
        st = take_str(c, strings + a->n, "an array string");
        if (st != CAI_OK)
            return st;
    }
    return CAI_OK;
}

static enum cai_status take_value(struct cursor *c, struct kv *kv)
{
    unsigned char value[8];
    size_t start = c->at;
    uint32_t type = 0;
    enum cai_status st = take(c, &type, sizeof type, "a value type");

    if (st != CAI_OK)
        return st;
    if (type >= N_VALUE_TYPES)
        return bad(c, start, CAI_PARSE, "unknown value type");
    kv->type = (enum gguf_value_type)type;
    if (type == GGUF_STRING)
        return take_str(c, &kv->str, "a string value");
    if (type == GGUF_ARRAY)
        return take_array(c, &kv->array);
    kv->value = c->g->map + c->at;
    st = take(c, value, value_bytes[type], "a value");
    if (st == CAI_OK && type == GGUF_BOOL && value[0] > 1)
        return bad(c, c->at - 1, CAI_PARSE, "a boolean is neither 0 nor 1");
    return st;
}

static int cmp_str(const struct gguf_str *a, const struct gguf_str *b)
{
    size_t n = a->len < b->len ? a->len : b->len;
    int order = n ? memcmp(a->data, b->data, n) : 0;
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

static int cmp_kv(const void *a, const void *b)
{
    const struct kv *x = a, *y = b;
    return cmp_str(&x->key, &y->key);
}

static enum cai_status parse_kvs(struct cursor *c, struct gguf *g, uint64_t n)
{
    enum cai_status st;

    if (n > left(c) / MIN_KV_BYTES)
        return bad(c, c->at - 8, CAI_PARSE,
                   "more metadata entries than the file can hold");
    g->kv = mem_alloc((size_t)n, sizeof *g->kv);
    if (!g->kv)
        return err_nomem(c->err, c->errlen, g->path);
    while (g->n_kv < n) {
        struct kv *kv =
            g->kv + g->n_kv++; /* counted first, so that it is freed on error */
        kv->at = c->at;
        st = take_str(c, &kv->key, "a metadata key");
        if (st == CAI_OK && kv->key.len == 0)
            st = bad(c, kv->at, CAI_PARSE, "empty metadata key");
        if (st == CAI_OK)
            st = take_value(c, kv);
        if (st != CAI_OK)
            return st;
    }
    qsort(g->kv, g->n_kv, sizeof *g->kv, cmp_kv);
    for (size_t i = 1; i < g->n_kv; i++)
        if (cmp_kv(g->kv + i - 1, g->kv + i) == 0) {
            size_t a = g->kv[i - 1].at, b = g->kv[i].at;
            return bad(c, a > b ? a : b, CAI_PARSE, "metadata key appears twice");
        }
    return CAI_OK;
}

/* Reads one row of the tensor table; t->data is still the relative offset. */
static enum cai_status take_tensor(struct cursor *c, struct gguf_tensor *t,
                                   uint64_t *offset)
{
    size_t start = c->at, n_weights = 1;
    uint32_t n_dims = 0, type = 0;
    enum cai_status st = take_str(c, &t->name, "a tensor name");

    if (st == CAI_OK && (t->name.len == 0 || t->name.len > MAX_NAME))
        return bad(c, start, CAI_PARSE, "tensor name is empty or longer than 63 bytes");
    if (st == CAI_OK)
        st = take(c, &n_dims, sizeof n_dims, "a tensor");
    if (st == CAI_OK && (n_dims == 0 || n_dims > MAX_DIMS))
        return bad(c, start, CAI_PARSE, "tensor has not 1 to 4 dimensions");
    for (uint32_t i = 0; i < MAX_DIMS && st == CAI_OK; i++) {
        t->ne[i] = 1;
        if (i < n_dims)
            st = take(c, t->ne + i, sizeof t->ne[i], "a tensor");
        if (st == CAI_OK && t->ne[i] == 0)
            return bad(c, start, CAI_PARSE, "tensor has a dimension of zero");
        if (st == CAI_OK &&
            (t->ne[i] > SIZE_MAX || !mem_mul(&n_weights, n_weights, t->ne[i])))
            return bad(c, start, CAI_PARSE, "tensor dimensions overflow");
    }
    if (st == CAI_OK)
        st = take(c, &type, sizeof type, "a tensor");
    if (st == CAI_OK)
        st = take(c, offset, sizeof *offset, "a tensor");
    if (st != CAI_OK)
        return st;
    t->n_dims = (int)n_dims;
    t->type = quant_type_find(type);
    if (!t->type)
        return err_set(CAI_UNSUPPORTED, c->err, c->errlen,
                       "%s: byte %zu: tensor %.*s has type %u; supported: %s", c->g->path,
                       start, (int)t->name.len, t->name.data, type,
                       quant_types_supported());
    if (t->ne[0] % t->type->block_len)
        return bad(c, start, CAI_PARSE, "tensor row is not a whole number of blocks");
    t->bytes = quant_row_bytes(t->type, n_weights);
    if (t->bytes == 0)
        return bad(c, start, CAI_PARSE, "tensor size overflows");
    return CAI_OK;
}

static size_t round_up(size_t n, size_t align)
{
    return (n + align - 1) / align * align;
}

/* gcc's qsort has no context argument in C11; an insertion into a sorted index would be
 * quadratic, so the tensors are sorted through pointers to their names. */
static int cmp_name_ptr(const void *a, const void *b)
{
    const struct gguf_tensor *const *x = a, *const *y = b;
    return cmp_str(&(*x)->name, &(*y)->name);
}

static enum cai_status index_names(struct cursor *c, struct gguf *g)
{
    const struct gguf_tensor **sorted = mem_alloc(g->n_tensors, sizeof(*sorted));
    enum cai_status st = CAI_OK;

    g->by_name = mem_alloc(g->n_tensors, sizeof *g->by_name);
    if (!sorted || !g->by_name) {
        st = err_nomem(c->err, c->errlen, g->path);
        goto out;
    }
    for (size_t i = 0; i < g->n_tensors; i++)
        sorted[i] = g->tensors + i;
    qsort(sorted, g->n_tensors, sizeof(*sorted), cmp_name_ptr);
    for (size_t i = 0; i < g->n_tensors; i++) {
        g->by_name[i] = (size_t)(sorted[i] - g->tensors);
        if (i && cmp_name_ptr(sorted + i - 1, sorted + i) == 0) {
            st = bad(c, (size_t)((const unsigned char *)sorted[i]->name.data - g->map),
                     CAI_PARSE, "tensor name appears twice");
            break;
        }
    }
out:
    mem_free((void *)sorted);
    return st;
}

static enum cai_status parse_tensors(struct cursor *c, struct gguf *g, uint64_t n)
{
    uint64_t align = DEFAULT_ALIGNMENT;
    size_t expected = 0; /* offset the next tensor must have */
    uint64_t *offsets = NULL;
    size_t room;
    enum cai_status st = CAI_OK;

    if (gguf_has(g, "general.alignment") && !gguf_get_u64(g, "general.alignment", &align))
        align = 0;
    if (align == 0 || (align & (align - 1)) || align > (1u << 20))
        return bad(c, 0, CAI_PARSE, "general.alignment is not a power of two up to 2^20");
    if (n > left(c) / MIN_TENSOR_BYTES)
        return bad(c, 8, CAI_PARSE, "more tensors than the file can hold");
    g->tensors = mem_alloc((size_t)n, sizeof *g->tensors);
    offsets = mem_alloc((size_t)n, sizeof *offsets);
    if (!g->tensors || !offsets) {
        st = err_nomem(c->err, c->errlen, g->path);
        goto out;
    }
    for (; g->n_tensors < n && st == CAI_OK; g->n_tensors++)
        st = take_tensor(c, g->tensors + g->n_tensors, offsets + g->n_tensors);
    if (st != CAI_OK)
        goto out;
    g->data_start = round_up(c->at, (size_t)align);
    if (g->n_tensors && g->data_start > g->bytes) {
        st = bad(c, c->at, CAI_PARSE, "file ends before its tensor data; fetch it again");
        goto out;
    }
    room = g->bytes - (g->n_tensors ? g->data_start : 0);
    for (size_t i = 0; i < g->n_tensors; i++) {
        struct gguf_tensor *t = g->tensors + i;
        if (offsets[i] != expected || expected > room || t->bytes > room - expected) {
            const char *why = offsets[i] != expected
                                  ? "does not start where the one before it ends"
                                  : "reaches past the end of the file; it is truncated, "
                                    "fetch it again";
            st = err_set(CAI_PARSE, c->err, c->errlen,
                         "%s: byte %zu: data of tensor %.*s %s", g->path,
                         g->data_start + expected, (int)t->name.len, t->name.data, why);
            goto out;
        }
        t->data = g->map + g->data_start + expected;
        expected = round_up(expected + t->bytes, (size_t)align);
    }
    st = index_names(c, g);
out:
    mem_free(offsets);
    return st;
}

static enum cai_status parse(struct gguf *g, char *err, size_t errlen)
{
    struct cursor c = {g, 0, err, errlen};
    char magic[MAGIC_BYTES];
    uint32_t version = 0;
    uint64_t n_tensors = 0, n_kv = 0, split = 0;
    enum cai_status st = take(&c, magic, sizeof magic, "the magic");

    if (st == CAI_OK && memcmp(magic, "GGUF", sizeof magic) != 0)
        return bad(&c, 0, CAI_PARSE, "not a GGUF file (it does not start with \"GGUF\")");
    if (st == CAI_OK)
        st = take(&c, &version, sizeof version, "the version");
    if (st == CAI_OK && (version & 0xFFFFu) == 0)
        return bad(&c, 4, CAI_UNSUPPORTED,
                   "byte-swapped (big-endian) file; convert it to little-endian");
    if (st == CAI_OK && version != 2 && version != 3)
        return err_set(CAI_UNSUPPORTED, err, errlen,
                       "%s: byte 4: GGUF version %u; supported: 2 and 3", g->path,
                       version);
    if (st == CAI_OK)
        st = take(&c, &n_tensors, sizeof n_tensors, "the header");
    if (st == CAI_OK)
        st = take(&c, &n_kv, sizeof n_kv, "the header");
    if (st == CAI_OK)
        st = parse_kvs(&c, g, n_kv);
    if (st == CAI_OK && gguf_get_u64(g, "split.count", &split) && split > 1)
        return bad(&c, 0, CAI_UNSUPPORTED,
                   "one part of a split model; merge the parts first");
    if (st == CAI_OK)
        st = parse_tensors(&c, g, n_tensors);
    return st;
}

enum cai_status gguf_open(struct gguf **dst, const char *path, char *err, size_t errlen)
{
    struct gguf *g = mem_alloc(1, sizeof *g);
    enum cai_status st;
    struct stat info;
    void *map;
    int fd = -1;

    *dst = NULL;
    if (!g || !(g->path = mem_strdup(path))) {
        st = err_nomem(err, errlen, path);
        goto out;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* no wait on a FIFO */
    if (fd < 0 || fstat(fd, &info) != 0) {
        st = err_set(CAI_IO, err, errlen, "%s: %s", path, strerror(errno));
        goto out;
    }
    if (!S_ISREG(info.st_mode)) {
        st = err_set(CAI_INVALID, err, errlen, "%s: not a regular file", path);
        goto out;
    }
    if (info.st_size == 0) {
        st = err_set(CAI_PARSE, err, errlen, "%s: the file is empty; fetch it again",
                     path);
        goto out;
    }
    map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        st = err_set(CAI_IO, err, errlen, "%s: cannot map: %s", path, strerror(errno));
        goto out;
    }
    g->map = map;
    g->bytes = (size_t)info.st_size;
    st = parse(g, err, errlen);
    if (st != CAI_OK)
        goto out;
    *dst = g;
    g = NULL;
out:
    if (fd >= 0)
        close(fd);
    gguf_close(g);
    return st;
}

void gguf_close(struct gguf *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->n_kv; i++)
        mem_free((void *)g->kv[i].array.strings);
    mem_free(g->kv);
    mem_free(g->tensors);
    mem_free(g->by_name);
    if (g->map)
        munmap((void *)g->map, g->bytes);
    mem_free(g->path);
    mem_free(g);
}

const char *gguf_path(const struct gguf *g)
{
    return g->path;
}

size_t gguf_file_bytes(const struct gguf *g)
{
    return g->bytes;
}

const void *gguf_map(const struct gguf *g)
{
    return g->map;
}

void gguf_drop_tensor_pages(const struct gguf *g)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), start = round_up(g->data_start, page);
    if (start < g->bytes)
        madvise((void *)(g->map + start), g->bytes - start, MADV_DONTNEED);
}

static const struct kv *find(const struct gguf *g, const char *key)
{
    struct kv probe = {.key = {key, strlen(key)}};
    return g->n_kv ? bsearch(&probe, g->kv, g->n_kv, sizeof *g->kv, cmp_kv) : NULL;
}

int gguf_has(const struct gguf *g, const char *key)
{
    return find(g, key) != NULL;
}

/* A number of any type; is_int says whether i holds it, else d does. */
struct number {
    int is_int, negative;
    uint64_t i;
    double d;
};

static int read_number(struct number *out, enum gguf_value_type type, const void *p)
{
    union {
        uint8_t u8;
        int8_t i8;
        uint16_t u16;
        int16_t i16;
        uint32_t u32;
        int32_t i32;
        float f32;
        uint64_t u64;
        int64_t i64;
        double f64;
    } v;
    int64_t s = 0;

    memset(out, 0, sizeof *out);
    out->is_int = 1;
    if (value_bytes[type] == 0)
        return 0;
    memcpy(&v, p, value_bytes[type]);
    switch (type) {
    case GGUF_BOOL:
    case GGUF_U8: out->i = v.u8; return 1;
    case GGUF_U16: out->i = v.u16; return 1;
    case GGUF_U32: out->i = v.u32; return 1;
    case GGUF_U64: out->i = v.u64; return 1;
    case GGUF_I8: s = v.i8; break;
    case GGUF_I16: s = v.i16; break;
    case GGUF_I32: s = v.i32; break;
    case GGUF_I64: s = v.i64; break;
    case GGUF_F32:
        out->is_int = 0;
        out->d = v.f32;
        return 1;
    case GGUF_F64:
        out->is_int = 0;
        out->d = v.f64;
        return 1;
    case GGUF_STRING:
    case GGUF_ARRAY: return 0;
    }
    out->negative = s < 0;
    out->i = s < 0 ? 0 - (uint64_t)s : (uint64_t)s;
    return 1;
}

int gguf_get_u64(const struct gguf *g, const char *key, uint64_t *out)
{
    const struct kv *kv = find(g, key);
    struct number v;

    if (!kv || kv->type == GGUF_BOOL || !read_number(&v, kv->type, kv->value) ||
        !v.is_int || v.negative)
        return 0;
    *out = v.i;
    return 1;
}

int gguf_get_f64(const struct gguf *g, const char *key, double *out)
{
    const struct kv *kv = find(g, key);
    struct number v;

    if (!kv || !read_number(&v, kv->type, kv->value) || v.is_int)
        return 0;
    *out = v.d;
    return 1;
}

int gguf_get_bool(const struct gguf *g, const char *key, int *out)
{
    const struct kv *kv = find(g, key);
    if (!kv || kv->type != GGUF_BOOL)
        return 0;
    *out = *(const unsigned char *)kv->value;
    return 1;
}

int gguf_get_str(const struct gguf *g, const char *key, struct gguf_str *out)
{
    const struct kv *kv = find(g, key);
    if (!kv || kv->type != GGUF_STRING)
        return 0;
    *out = kv->str;
    return 1;
}

int gguf_get_array(const struct gguf *g, const char *key, struct gguf_array *out)
{
    const struct kv *kv = find(g, key);
    if (!kv || kv->type != GGUF_ARRAY)
        return 0;
    *out = kv->array;
    return 1;
}

double gguf_array_num(const struct gguf_array *a, size_t i)
{
    struct number v;
    const unsigned char *p = a->data;

    if (i >= a->n || !read_number(&v, a->type, p + i * value_bytes[a->type]))
        return 0;
    if (!v.is_int)
        return v.d;
    return v.negative ? -(double)v.i : (double)v.i;
}

size_t gguf_n_tensors(const struct gguf *g)
{
    return g->n_tensors;
}

const struct gguf_tensor *gguf_tensor_at(const struct gguf *g, size_t i)
{
    return g->tensors + i;
}

const struct gguf_tensor *gguf_tensor_find(const struct gguf *g, const char *name)
{
    struct gguf_str want = {name, strlen(name)};
    size_t lo = 0, hi = g->n_tensors;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct gguf_tensor *t = g->tensors + g->by_name[mid];
        int order = cmp_str(&want, &t->name);
        if (order == 0)
            return t;
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

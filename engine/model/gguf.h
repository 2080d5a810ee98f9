/*
 * gguf.h: a GGUF file (v2, v3, little-endian), mapped read-only and checked.
 *
 * Every size is computed with overflow checks and compared with the file before it is
 * used; memory is O(file). After gguf_open() succeeds every key, string, array and tensor
 * lies inside the file. Refuses v1, big-endian files, split files and nested arrays by
 * name. Errors carry the byte offset.
 *
 * Spec: the GGUF document of ggml. Test: tests/unit_gguf.c.
 */
#ifndef MODEL_GGUF_H
#define MODEL_GGUF_H

#include <stddef.h>
#include <stdint.h>

#include "cai.h"
#include "model/quant.h"

enum gguf_value_type {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
};

struct gguf_str {
    const char *data; /* inside the map; not NUL-terminated, not surely UTF-8 */
    size_t len;
};

struct gguf_array {
    enum gguf_value_type type; /* of the elements; never GGUF_ARRAY */
    size_t n;
    const void *data;               /* fixed-size elements: inside the map, unaligned */
    const struct gguf_str *strings; /* element strings when type is GGUF_STRING */
};

struct gguf_tensor {
    struct gguf_str name;
    const struct quant_type *type;
    int n_dims;
    uint64_t ne[4];   /* ne[0] fastest; 1 beyond n_dims */
    const void *data; /* inside the map */
    size_t bytes;
};

struct gguf;

enum cai_status gguf_open(struct gguf **dst, const char *path, char *err, size_t errlen);
void gguf_close(struct gguf *g);

const char *gguf_path(const struct gguf *g);
size_t gguf_file_bytes(const struct gguf *g);
const void *gguf_map(const struct gguf *g);
/* Tells the kernel that the pages of tensor data are not needed any more. */
void gguf_drop_tensor_pages(const struct gguf *g);

/* Each returns 0 when the key is absent or of another type. Whole-number getters take any
 * integer type whose value fits. */
int gguf_get_u64(const struct gguf *g, const char *key, uint64_t *out);
int gguf_get_f64(const struct gguf *g, const char *key, double *out); /* F32 or F64 */
int gguf_get_bool(const struct gguf *g, const char *key, int *out);
int gguf_get_str(const struct gguf *g, const char *key, struct gguf_str *out);
int gguf_get_array(const struct gguf *g, const char *key, struct gguf_array *out);
int gguf_has(const struct gguf *g, const char *key);
/* Element i of a numeric array as a double. */
double gguf_array_num(const struct gguf_array *a, size_t i);

size_t gguf_n_tensors(const struct gguf *g);
const struct gguf_tensor *gguf_tensor_at(const struct gguf *g, size_t i);
const struct gguf_tensor *gguf_tensor_find(const struct gguf *g, const char *name);

#endif

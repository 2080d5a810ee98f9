/*
 * f32_twin.h: writes the F32 twin of a GGUF file: the same metadata and names, every
 * weight de-quantised. On it the engine must agree with an fp32 reference to 0.001 nat.
 */
#ifndef TESTS_F32_TWIN_H
#define TESTS_F32_TWIN_H

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "model/gguf.h"

enum { TWIN_ALIGN = 32 }; /* general.alignment's default, which the twin keeps */

static inline size_t twin_padded(size_t n)
{
    return (n + TWIN_ALIGN - 1) / TWIN_ALIGN * TWIN_ALIGN;
}

static inline size_t twin_weights(const struct gguf_tensor *t)
{
    return (size_t)(t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3]);
}

static inline int twin_put(FILE *f, const void *data, size_t len)
{
    return fwrite(data, 1, len, f) == len;
}

/* Fills the file up to a multiple of the alignment; at: bytes so far. */
static inline int twin_pad(FILE *f, size_t at)
{
    static const char zeros[TWIN_ALIGN];
    return twin_put(f, zeros, twin_padded(at) - at);
}

static inline int twin_write_table(FILE *f, const struct gguf *g)
{
    uint64_t offset = 0;
    size_t at;
    /* Everything before the tensor table is copied; a row starts with its name's length.
     */
    const char *map = gguf_map(g), *table = gguf_tensor_at(g, 0)->name.data - 8;
    int ok = twin_put(f, map, (size_t)(table - map));

    at = (size_t)(table - map);
    for (size_t i = 0; i < gguf_n_tensors(g) && ok; i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        uint64_t len = t->name.len;
        uint32_t n_dims = (uint32_t)t->n_dims, type = 0; /* F32 */
        ok = twin_put(f, &len, 8) && twin_put(f, t->name.data, t->name.len) &&
             twin_put(f, &n_dims, 4) && twin_put(f, t->ne, 8 * (size_t)n_dims) &&
             twin_put(f, &type, 4) && twin_put(f, &offset, 8);
        at += 8 + t->name.len + 4 + 8 * (size_t)n_dims + 4 + 8;
        offset += twin_padded(twin_weights(t) * sizeof(float));
    }
    return ok && twin_pad(f, at);
}

static inline enum cai_status f32_twin_write(const char *from, const char *to, char *why,
                                             size_t len)
{
    struct gguf *g = NULL;
    FILE *f = NULL;
    float *row = NULL;
    int ok;
    enum cai_status st = gguf_open(&g, from, why, len);

    if (st != CAI_OK)
        return st;
    f = fopen(to, "wb");
    ok = f && gguf_n_tensors(g) && twin_write_table(f, g);
    for (size_t i = 0; i < gguf_n_tensors(g) && ok; i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        size_t n_rows = twin_weights(t) / (size_t)t->ne[0], k = (size_t)t->ne[0],
               bytes = t->bytes / n_rows;
        row = mem_resize(row, k, sizeof *row);
        ok = row != NULL;
        for (size_t r = 0; r < n_rows && ok; r++) {
            quant_dequantize(t->type, row, (const char *)t->data + r * bytes, k);
            ok = twin_put(f, row, k * sizeof *row);
        }
        ok = ok && twin_pad(f, twin_weights(t) * sizeof(float));
    }
    if (f && fclose(f) != 0)
        ok = 0;
    mem_free(row);
    gguf_close(g);
    return ok ? CAI_OK : err_set(CAI_IO, why, len, "%s: cannot write the F32 twin", to);
}

#endif

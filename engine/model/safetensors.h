/*
 * safetensors.h: a safetensors file, read whole and checked: an 8-byte header length, a
 * JSON header, raw tensors.
 *
 * Refuses element types other than F32, F16 and BF16, more than two dimensions, and any
 * range that does not lie inside the file or does not match its shape.
 * Test: tests/unit_adapter.c.
 */
#ifndef MODEL_SAFETENSORS_H
#define MODEL_SAFETENSORS_H

#include <stddef.h>

#include "cai.h"
#include "model/quant.h"

struct safetensor {
    const char *name; /* borrowed from the file */
    const struct quant_type *type;
    size_t rows, cols; /* (rows, cols), row-major; rows 1 for a vector */
    const void *data;  /* unaligned */
};

struct safetensors;

enum cai_status safetensors_open(struct safetensors **dst, const char *path, char *err,
                                 size_t errlen);
void safetensors_close(struct safetensors *f);
size_t safetensors_count(const struct safetensors *f);
const struct safetensor *safetensors_at(const struct safetensors *f, size_t i);

#endif

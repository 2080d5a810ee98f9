/*
 * quant.h: the types a GGUF tensor can have, as rows of a table.
 *
 * A quantised type is codes with a scale and perhaps a minimum per group of 32 or 16
 * weights: w = scale * (q - offset) + min. One unpack function per type yields these;
 * both de-quantising and repacking (kernel.h) are generic over them.
 *
 * Source: block layouts of ggml; test: tests/unit_quant.c against the `gguf` package.
 */
#ifndef MODEL_QUANT_H
#define MODEL_QUANT_H

#include <stddef.h>
#include <stdint.h>

enum { QUANT_BLOCK_MAX = 256 };

/* One block of any type, unpacked. */
struct quant_codes {
    uint8_t q[QUANT_BLOCK_MAX];        /* (block_len) 0 .. 2^bits - 1 */
    float scale[QUANT_BLOCK_MAX / 16]; /* (block_len / group) */
    float min[QUANT_BLOCK_MAX / 16];   /* (block_len / group), 0 without has_min */
};

struct quant_type {
    uint32_t id;        /* as in the file */
    const char *name;   /* "Q4_1" */
    uint16_t block_len; /* weights; 1 for F32, F16, BF16 */
    uint16_t block_bytes;
    uint8_t bits;   /* of a code; 0 for the float types */
    uint8_t group;  /* weights per scale: 32 or 16 */
    uint8_t offset; /* subtracted from every code */
    uint8_t has_min;
    uint8_t scale_f16; /* scale and min are exact in half precision */
    void (*unpack)(struct quant_codes *dst, const void *block); /* NULL for float types */
    void (*to_f32)(float *dst, const void *src, size_t n); /* NULL for quantised ones */
};

/* NULL when the type is not supported. */
const struct quant_type *quant_type_find(uint32_t id);
/* "Q4_0, Q4_1, ...": for the message of a refusal. */
const char *quant_types_supported(void);
/* Bytes of n weights; 0 when n is not a whole number of blocks or the product overflows.
 */
size_t quant_row_bytes(const struct quant_type *t, size_t n);
/* dst (n) = the weights of a row; n is a multiple of block_len. */
void quant_dequantize(const struct quant_type *t, float *dst, const void *src, size_t n);

float quant_f16_to_f32(uint16_t h);
uint16_t quant_f32_to_f16(float f); /* round to nearest even */

#endif

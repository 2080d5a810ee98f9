/*
 * kernel.h: the arithmetic of inference, once per instruction set, with equal bits.
 *
 * Every implementation performs the same operations in the same order: block dots are
 * exact int32; fp32 sums go over K blocks in file order with one accumulator per output
 * element and explicit fma; reductions over a vector use 16 fixed lanes (lane = index %
 * 16) and one tree (8, 4, 2, 1); exp, log, sin and cos are our own. So a result depends
 * neither on the instruction set, nor on how rows are batched, nor on which thread owns
 * which output.
 *
 * A weight matrix is W (N, K), y = x W^T. It is packed into groups of 16 output rows
 * ("row group") so that lane n of a register is output row n.
 *
 * Legend: M rows of a batch, K inputs, N outputs; all fp32 unless said, row-major.
 * Reference: kernel_scalar.c. Tests: tests/unit_kernel.c (NMSE against fp64, bit equality
 * over instruction sets, splits and threads).
 */
#ifndef MODEL_KERNEL_H
#define MODEL_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "cai.h"
#include "model/quant.h"

enum { KERNEL_LANES = 16, KERNEL_BLOCK = 32 };

/* The three packed layouts of quantised weights, and plain floats. */
enum matrix_layout {
    MATRIX_Q4,    /* 4-bit codes, groups of 32 */
    MATRIX_Q8,    /* 8-bit codes, groups of 32 */
    MATRIX_Q8X16, /* 8-bit codes, groups of 16 */
    MATRIX_F32,
};

struct matrix {
    enum matrix_layout layout;
    size_t n, k;  /* outputs, inputs; rows n..n_pad-1 are zero */
    size_t n_pad; /* n rounded up to 16 */
    int offset;   /* subtracted from every code, in the exact integer part */
    int has_min;
    int scale_f16; /* scales and minima stored as half, else fp32 */
    void *data;    /* in an arena; row group g starts at g * group_bytes */
    size_t group_bytes, bytes;
};

/* One huge-page backed mapping that holds all matrices of a model back to back, so that
 * small matrices share pages. Freed as a whole. */
struct matrix_arena {
    char *base;
    size_t bytes, used;
};
enum cai_status matrix_arena_init(struct matrix_arena *a, size_t bytes, char *err,
                                  size_t errlen);
void matrix_arena_free(struct matrix_arena *a);

/* Bytes of an (n, k) tensor of type t in an arena; 0 when k does not fit the type's block
 * or the product overflows. */
size_t matrix_bytes(const struct quant_type *t, size_t n, size_t k);
/* Repacks the tensor rows (n, k) of type t into the arena. CAI_UNSUPPORTED when k does
 * not fit the type's block, CAI_LIMIT when the arena is full. The matrix lives as long as
 * the arena. */
enum cai_status matrix_pack(struct matrix *dst, struct matrix_arena *arena,
                            const struct quant_type *t, const void *rows, size_t n,
                            size_t k, char *err, size_t errlen);
/* Row groups: the unit in which a matmul is shared out. */
size_t matrix_n_groups(const struct matrix *w);
/* dst (k) = row `row` as fp32: the embedding look-up. Equal to quant_dequantize(). */
void matrix_row(float *dst, const struct matrix *w, size_t row);

/* Rows of activations. The caller sets m and k (within the maxima), fills x and calls
 * quantize(); q, scale and the sums are the kernels' own. K is a multiple of 32 for
 * quantised weights. */
struct acts {
    size_t m_max, k_max;
    size_t m, k;
    float *x;       /* (m, k) */
    int8_t *q;      /* (m, k) codes */
    float *scale;   /* (m, k / 32): x ~ scale * q */
    int32_t *sum16; /* (m, k / 16): sums of codes, for offsets */
    float *fsum;    /* (m, k / 32): scale * sum of codes, for minima */
};
enum cai_status acts_init(struct acts *a, size_t m_max, size_t k_max, char *err,
                          size_t errlen);
void acts_free(struct acts *a);

struct kernel {
    const char *name; /* "scalar", "avx2", "avx512" */

    /* Fills q, scale, sum16 of rows [m0, m1) and columns [k0, k1) (multiples of 32) from
     * x. Round to nearest even; a block of zeros has scale 0. NaN or Inf in x: defined
     * (codes 0, scale NaN poisons the row). */
    void (*quantize)(struct acts *a, size_t m0, size_t m1, size_t k0, size_t k1);

    /* The outputs n of row groups [g0, g1), n < w->n, for all m in [0, a->m):
     * y[m * ldy + n - 16 * g0], so y points at the first of them. Overwrites.
     * MATRIX_F32 reads a->x, the others a->q. */
    void (*matmul)(const struct matrix *w, const struct acts *a, float *y, size_t ldy,
                   size_t g0, size_t g1);

    /* dst = x / sqrt(mean(x^2) + eps) * weight, length k; dst may be x. */
    void (*rms_norm)(float *dst, const float *x, const float *weight, size_t k,
                     float eps);

    /* dst[i] += src[i] */
    void (*add)(float *dst, const float *src, size_t n);

    /* dst[i] = silu(gate[i]) * up[i] */
    void (*silu_mul)(float *dst, const float *gate, const float *up, size_t n);

    /* Attention scores of n_q query rows against n_tiles tiles of 16 keys, each
     * (head_dim, 16): s[i * lds + 16 t + j] = scale * sum_d q[i * ldq + d] *
     * k_tiles[t][d * 16 + j], d in order. */
    void (*attn_scores)(float *s, size_t lds, const float *q, size_t ldq, size_t n_q,
                        const float *const *k_tiles, size_t n_tiles, size_t head_dim,
                        float scale);
    /* Softmax over s[0..n) in place: max, exp, 16-lane sum, times 1 / sum. n >= 1. All
     * -inf gives zeros. */
    void (*softmax)(float *s, size_t n);
    /* out[i * ldo + d] += sum_j p[i * ldp + j] * v_tiles[j / 16][j % 16 * head_dim + d]
     * over j = 0..n-1 in order (the caller zeroes out). head_dim is a multiple of 16. */
    void (*attn_mix)(float *out, size_t ldo, const float *p, size_t ldp, size_t n_q,
                     const float *const *v_tiles, size_t n, size_t head_dim);

    /* log sum exp of x (n), nats; -inf for all -inf; NaN stays NaN. */
    float (*log_sum_exp)(const float *x, size_t n);
    /* Index of the largest x[i], the lowest index on ties; NaN never wins. */
    size_t (*argmax)(const float *x, size_t n);
    /* y (r) = A (r, k) x (k): LoRA's A, plain fp32; and y (n) += scale * B (n, r) x (r).
     */
    void (*lora_a)(float *y, const float *A, const float *x, size_t r, size_t k);
    void (*lora_b)(float *y, const float *B, const float *x, size_t n, size_t r,
                   float scale);
};

/* By name, or the best one this CPU has when name is NULL. CAI_UNSUPPORTED: the CPU lacks
 * it; CAI_INVALID: no such kernel (err lists the names). */
enum cai_status kernel_find(const struct kernel **dst, const char *name, char *err,
                            size_t errlen);

/* Own elementary functions, correctly rounded to within 2 ulp on the ranges inference
 * uses; the vector kernels evaluate the same polynomials in the same order. */
float kernel_expf(float x);
float kernel_logf(float x);
void kernel_sincosf(float *s, float *c, double angle); /* for the RoPE table, once */

#endif

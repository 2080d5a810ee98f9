/*
 * kernel_avx512.c: the arithmetic of kernel_scalar.c with AVX-512 and VNNI; one register
 * is one set of 16 lanes. Only kernel.c's CPU check may lead here.
 *
 * A matmul takes one row group and a tile of 1 to 16 batch rows at a time: a block of
 * weights is unpacked into eight registers once and meets every row of the tile there,
 * each row's sum staying in a register over the whole of K. With one row that is a GEMV
 * that reads the weights as one stream.
 *
 * Legend: M rows of a tile, b a block of 32 inputs, nb of them. Thread: any.
 */
#include <immintrin.h>
#include <math.h>

#include "model/kernel_set.h"

#define INLINE static inline __attribute__((always_inline))

enum { L = KERNEL_LANES };

/* ------------------------------------------------------------------ small things */

/* The first n of 16 lanes; all when n >= 16. */
INLINE __mmask16 first(size_t n)
{
    return (__mmask16)(0xFFFFu >> (n < L ? L - n : 0));
}

INLINE float tree_sum(__m512 v)
{
    __m256 a = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));

    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

INLINE float dot(const float *a, const float *b, size_t n)
{
    __m512 sum = _mm512_setzero_ps();
    size_t i = 0;

    for (; i + L <= n; i += L)
        sum = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), sum);
    if (i < n)
        sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(first(n - i), a + i),
                              _mm512_maskz_loadu_ps(first(n - i), b + i), sum);
    return tree_sum(sum);
}

/* kernel_expf() on 16 numbers. */
INLINE __m512 exp16(__m512 x)
{
    const __m512 round = _mm512_set1_ps(EXP_ROUND);
    __m512 t = _mm512_fmadd_ps(x, _mm512_set1_ps(EXP_LOG2E), round);
    __m512i n = _mm512_sub_epi32(_mm512_castps_si512(t), _mm512_castps_si512(round));
    __m512i half = _mm512_srai_epi32(n, 1), bias = _mm512_set1_epi32(127);
    __m512 nf = _mm512_sub_ps(t, round), r, p;

    r = _mm512_fmadd_ps(nf, _mm512_set1_ps(-EXP_LN2_HI), x);
    r = _mm512_fmadd_ps(nf, _mm512_set1_ps(-EXP_LN2_LO), r);
    p = _mm512_fmadd_ps(_mm512_set1_ps(EXP_C7), r, _mm512_set1_ps(EXP_C6));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C5));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C4));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C2));
    p = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), r);
    p = _mm512_add_ps(p, _mm512_set1_ps(1.0f));
    p = _mm512_mul_ps(p, _mm512_castsi512_ps(
                             _mm512_slli_epi32(_mm512_add_epi32(half, bias), 23)));
    p = _mm512_mul_ps(p, _mm512_castsi512_ps(_mm512_slli_epi32(
                             _mm512_add_epi32(_mm512_sub_epi32(n, half), bias), 23)));
    p = _mm512_mask_mov_ps(p, _mm512_cmp_ps_mask(x, _mm512_set1_ps(EXP_MAX), _CMP_GT_OQ),
                           _mm512_set1_ps(INFINITY));
    p = _mm512_mask_mov_ps(p, _mm512_cmp_ps_mask(x, _mm512_set1_ps(EXP_MIN), _CMP_LT_OQ),
                           _mm512_setzero_ps());
    return _mm512_mask_mov_ps(p, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), x);
}

/* ------------------------------------------------------------------ quantising */

static void quantize_block(struct acts *a, size_t m, size_t b)
{
    const __m512i no_sign = _mm512_set1_epi32(0x7FFFFFFF);
    const float *x = a->x + m * a->k + b * KERNEL_BLOCK;
    int8_t *q = a->q + m * a->k + b * KERNEL_BLOCK;
    size_t at = m * (a->k / KERNEL_BLOCK) + b;
    int32_t *sum = a->sum16 + 2 * at;
    __m512 x0 = _mm512_loadu_ps(x), x1 = _mm512_loadu_ps(x + L);
    __m512i largest =
        _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(x0), no_sign),
                         _mm512_and_si512(_mm512_castps_si512(x1), no_sign));
    float amax = _mm_cvtss_f32(
        _mm_castsi128_ps(_mm_cvtsi32_si128((int)_mm512_reduce_max_epu32(largest))));
    __m512i q0, q1;
    __m512 inverse;

    if (!(amax >= ACTS_TINY && amax < INFINITY)) {
        _mm256_storeu_si256((__m256i *)q, _mm256_setzero_si256());
        sum[0] = sum[1] = 0;
        a->scale[at] = a->fsum[at] = amax < ACTS_TINY ? 0.0f : NAN;
        return;
    }
    inverse = _mm512_set1_ps(127.0f / amax);
    q0 = _mm512_cvtps_epi32(_mm512_mul_ps(x0, inverse));
    q1 = _mm512_cvtps_epi32(_mm512_mul_ps(x1, inverse));
    _mm_storeu_si128((__m128i *)q, _mm512_cvtepi32_epi8(q0));
    _mm_storeu_si128((__m128i *)q + 1, _mm512_cvtepi32_epi8(q1));
    sum[0] = _mm512_reduce_add_epi32(q0);
    sum[1] = _mm512_reduce_add_epi32(q1);
    a->scale[at] = amax / 127.0f;
    a->fsum[at] = a->scale[at] * (float)(sum[0] + sum[1]);
}

static void quantize(struct acts *a, size_t m0, size_t m1, size_t k0, size_t k1)
{
    for (size_t m = m0; m < m1; m++)
        for (size_t b = k0 / KERNEL_BLOCK; b < k1 / KERNEL_BLOCK; b++)
            quantize_block(a, m, b);
}

/* ------------------------------------------------------------------ quantised matmul */

/* What a weight type is to the tile code; constants wherever it is used. */
struct kind {
    enum matrix_layout layout;
    int scale_f16, has_min, has_offset;
};

INLINE __m512 load_scales(const uint8_t *p, int scale_f16)
{
    if (scale_f16)
        return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_loadu_ps(p);
}

INLINE void load_codes(__m512i w[8], const uint8_t *codes, enum matrix_layout layout)
{
    const __m512i low = _mm512_set1_epi8(15);

    if (layout == MATRIX_Q4) {
        for (int j = 0; j < 4; j++) {
            __m512i v = _mm512_loadu_si512(codes + 64 * j);
            w[j] = _mm512_and_si512(v, low);
            w[j + 4] = _mm512_and_si512(_mm512_srli_epi16(v, 4), low);
        }
    } else {
        for (int j = 0; j < 8; j++)
            w[j] = _mm512_loadu_si512(codes + 64 * j);
    }
}

/* sum += codes j0..j0+3 of every lane times 16 activation codes. */
INLINE __m512i dot16(__m512i sum, const __m512i w[8], int j0, const int8_t *x)
{
    int32_t four;

    for (int j = j0; j < j0 + 4; j++) {
        __builtin_memcpy(&four, x + 4 * j, sizeof four);
        sum = _mm512_dpbusd_epi32(sum, w[j], _mm512_set1_epi32(four));
    }
    return sum;
}

/* Rows m .. m+M-1 of one row group; y points at row m. */
INLINE void tile(struct kind kind, const int M, const struct matrix *w,
                 const struct acts *a, const uint8_t *group, size_t m, float *y,
                 size_t ldy, __mmask16 lanes)
{
    const int per_block = kind.layout == MATRIX_Q8X16 ? 2 : 1;
    const size_t code_bytes = kind.layout == MATRIX_Q4 ? 256 : 512;
    const size_t stride = (size_t)(per_block * L) * (kind.scale_f16 ? 2 : 4);
    const size_t nb = w->k / KERNEL_BLOCK;
    const uint8_t *codes = group, *scales = group + nb * code_bytes;
    const uint8_t *mins = scales + nb * stride;
    __m512 acc[16];

    for (int i = 0; i < M; i++)
        acc[i] = _mm512_setzero_ps();
    for (size_t b = 0; b < nb; b++) {
        const int8_t *x = a->q + m * w->k + b * KERNEL_BLOCK;
        size_t at = m * nb + b;
        __m512i c[8];
        __m512 scale0 = load_scales(scales + b * stride, kind.scale_f16), scale1 = scale0;
        __m512 min = scale0;

        if (M <= 2) { /* a stream from memory: fetch the same part of the next group */
            size_t block = code_bytes + stride + (kind.has_min ? stride : 0);
            const uint8_t *ahead = group + w->group_bytes + b * block;
            for (size_t i = 0; i < block; i += 64)
                _mm_prefetch((const char *)ahead + i, _MM_HINT_T0);
        }
        load_codes(c, codes + b * code_bytes, kind.layout);
        if (per_block == 2)
            scale1 = load_scales(scales + b * stride + stride / 2, kind.scale_f16);
        if (kind.has_min)
            min = load_scales(mins + b * stride, kind.scale_f16);
#pragma GCC unroll 16
        for (int i = 0; i < M; i++, x += w->k, at += nb) {
            __m512 xs = _mm512_set1_ps(a->scale[at]);
            const int32_t *sum = a->sum16 + 2 * at;
            int base0 = 0, base1 = 0;
            __m512i d;

            if (kind.has_offset) {
                base0 = -w->offset * sum[0];
                base1 = -w->offset * sum[1];
            }
            if (per_block == 1) {
                d = kind.has_offset ? _mm512_set1_epi32(base0 + base1)
                                    : _mm512_setzero_si512();
                /* two chains of four instead of one of eight: latency */
                d = _mm512_add_epi32(dot16(d, c, 0, x),
                                     dot16(_mm512_setzero_si512(), c, 4, x));
                acc[i] = _mm512_fmadd_ps(_mm512_mul_ps(scale0, xs), _mm512_cvtepi32_ps(d),
                                         acc[i]);
            } else {
                d = dot16(_mm512_set1_epi32(base0), c, 0, x);
                acc[i] = _mm512_fmadd_ps(_mm512_mul_ps(scale0, xs), _mm512_cvtepi32_ps(d),
                                         acc[i]);
                d = dot16(_mm512_set1_epi32(base1), c, 4, x);
                acc[i] = _mm512_fmadd_ps(_mm512_mul_ps(scale1, xs), _mm512_cvtepi32_ps(d),
                                         acc[i]);
            }
            if (kind.has_min)
                acc[i] = _mm512_fmadd_ps(min, _mm512_set1_ps(a->fsum[at]), acc[i]);
        }
    }
    for (int i = 0; i < M; i++)
        _mm512_mask_storeu_ps(y + (size_t)i * ldy, lanes, acc[i]);
}

/* Every row of the batch against one row group. */
INLINE void all_rows(struct kind kind, const struct matrix *w, const struct acts *a,
                     const uint8_t *group, float *y, size_t ldy, __mmask16 lanes)
{
    size_t m = 0;

    for (; a->m - m >= 16; m += 16)
        tile(kind, 16, w, a, group, m, y + m * ldy, ldy, lanes);
    if (a->m - m >= 8) {
        tile(kind, 8, w, a, group, m, y + m * ldy, ldy, lanes);
        m += 8;
    }
    if (a->m - m >= 4) {
        tile(kind, 4, w, a, group, m, y + m * ldy, ldy, lanes);
        m += 4;
    }
    if (a->m - m >= 2) {
        tile(kind, 2, w, a, group, m, y + m * ldy, ldy, lanes);
        m += 2;
    }
    if (a->m - m >= 1)
        tile(kind, 1, w, a, group, m, y + m * ldy, ldy, lanes);
}

/* One function per kind of weights. */
#define ROWS_FN(name, ...)                                                               \
    static void name(const struct matrix *w, const struct acts *a, const uint8_t *group, \
                     float *y, size_t ldy, __mmask16 lanes)                              \
    {                                                                                    \
        all_rows((struct kind){__VA_ARGS__}, w, a, group, y, ldy, lanes);                \
    }
/*       layout, half scales, minimum, offset */
ROWS_FN(rows_q4_0, MATRIX_Q4, 1, 0, 1)
ROWS_FN(rows_q4_1, MATRIX_Q4, 1, 1, 0)
ROWS_FN(rows_q4_k, MATRIX_Q4, 0, 1, 0)
ROWS_FN(rows_q8_0, MATRIX_Q8, 1, 0, 1) /* and Q5_0 */
ROWS_FN(rows_q5_1, MATRIX_Q8, 1, 1, 0)
ROWS_FN(rows_q5_k, MATRIX_Q8, 0, 1, 0)
ROWS_FN(rows_q6_k, MATRIX_Q8X16, 0, 0, 1)

typedef void rows_fn(const struct matrix *, const struct acts *, const uint8_t *, float *,
                     size_t, __mmask16);

static rows_fn *rows_for(const struct matrix *w)
{
    if (w->layout == MATRIX_Q8X16)
        return rows_q6_k;
    if (w->layout == MATRIX_Q4)
        return !w->has_min ? rows_q4_0 : w->scale_f16 ? rows_q4_1 : rows_q4_k;
    return !w->has_min ? rows_q8_0 : w->scale_f16 ? rows_q5_1 : rows_q5_k;
}

/* ------------------------------------------------------------------ fp32 matmul */

/* M rows by G row groups; the sums are independent, which hides the latency of fma. */
INLINE void tile_f32(const int M, const int G, const struct matrix *w,
                     const struct acts *a, size_t g, size_t m, float *y, size_t ldy,
                     __mmask16 last_lanes)
{
    const float *group = (const float *)((const char *)w->data + g * w->group_bytes);
    const float *x = a->x + m * w->k;
    __m512 acc[4][4];

    for (int i = 0; i < M; i++)
        for (int h = 0; h < G; h++)
            acc[i][h] = _mm512_setzero_ps();
    for (size_t c = 0; c < w->k; c++) {
        __m512 v[4];
        for (int h = 0; h < G; h++)
            v[h] = _mm512_loadu_ps(group + ((size_t)h * w->k + c) * L);
        for (int i = 0; i < M; i++) {
            __m512 xi = _mm512_set1_ps(x[(size_t)i * w->k + c]);
            for (int h = 0; h < G; h++)
                acc[i][h] = _mm512_fmadd_ps(v[h], xi, acc[i][h]);
        }
    }
    for (int i = 0; i < M; i++)
        for (int h = 0; h < G; h++)
            _mm512_mask_storeu_ps(y + (size_t)i * ldy + (size_t)h * L,
                                  h == G - 1 ? last_lanes : (__mmask16)0xFFFF, acc[i][h]);
}

INLINE void all_rows_f32(const int G, const struct matrix *w, const struct acts *a,
                         size_t g, float *y, size_t ldy)
{
    __mmask16 lanes = first(w->n - (g + (size_t)G - 1) * L);
    size_t m = 0;

    for (; a->m - m >= 4; m += 4)
        tile_f32(4, G, w, a, g, m, y + m * ldy, ldy, lanes);
    if (a->m - m >= 2) {
        tile_f32(2, G, w, a, g, m, y + m * ldy, ldy, lanes);
        m += 2;
    }
    if (a->m - m >= 1)
        tile_f32(1, G, w, a, g, m, y + m * ldy, ldy, lanes);
}

static void matmul(const struct matrix *w, const struct acts *a, float *y, size_t ldy,
                   size_t g0, size_t g1)
{
    size_t g = g0;

    if (w->layout == MATRIX_F32) {
        for (; g + 4 <= g1; g += 4, y += (size_t)4 * L)
            all_rows_f32(4, w, a, g, y, ldy);
        for (; g < g1; g++, y += L)
            all_rows_f32(1, w, a, g, y, ldy);
        return;
    }
    for (rows_fn *rows = rows_for(w); g < g1; g++, y += L)
        rows(w, a, (const uint8_t *)w->data + g * w->group_bytes, y, ldy,
             first(w->n - g * L));
}

/* ------------------------------------------------------------------ vectors */

static void rms_norm(float *dst, const float *x, const float *weight, size_t k, float eps)
{
    __m512 scale = _mm512_set1_ps(1.0f / sqrtf(dot(x, x, k) / (float)k + eps));

    for (size_t i = 0; i < k; i += L) {
        __mmask16 in = first(k - i);
        __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(in, x + i), scale);
        v = _mm512_mul_ps(v, _mm512_maskz_loadu_ps(in, weight + i));
        _mm512_mask_storeu_ps(dst + i, in, v);
    }
}

static void add(float *dst, const float *src, size_t n)
{
    for (size_t i = 0; i < n; i += L) {
        __mmask16 in = first(n - i);
        __m512 v = _mm512_maskz_loadu_ps(in, dst + i);
        v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(in, src + i));
        _mm512_mask_storeu_ps(dst + i, in, v);
    }
}

static void silu_mul(float *dst, const float *gate, const float *up, size_t n)
{
    const __m512 sign = _mm512_set1_ps(-0.0f);

    for (size_t i = 0; i < n; i += L) {
        __mmask16 in = first(n - i);
        __m512 g = _mm512_maskz_loadu_ps(in, gate + i);
        __m512 v = _mm512_add_ps(_mm512_set1_ps(1.0f), exp16(_mm512_xor_ps(g, sign)));
        v = _mm512_div_ps(g, v);
        v = _mm512_mul_ps(v, _mm512_maskz_loadu_ps(in, up + i));
        _mm512_mask_storeu_ps(dst + i, in, v);
    }
}

static float largest_of(const float *x, size_t n)
{
    const __m512 none = _mm512_set1_ps(-INFINITY);
    __m512 best = none;

    for (size_t i = 0; i < n; i += L) /* the second operand wins over a NaN */
        best = _mm512_max_ps(_mm512_mask_loadu_ps(none, first(n - i), x + i), best);
    return _mm512_reduce_max_ps(best);
}

static void softmax(float *s, size_t n)
{
    __m512 shift = _mm512_set1_ps(kernel_shift(largest_of(s, n))), inverse;
    __m512 lanes = _mm512_setzero_ps();
    float sum;

    for (size_t i = 0; i < n; i += L) {
        __mmask16 in = first(n - i);
        __m512 e = exp16(_mm512_sub_ps(_mm512_maskz_loadu_ps(in, s + i), shift));
        _mm512_mask_storeu_ps(s + i, in, e);
        lanes = _mm512_mask_add_ps(lanes, in, lanes, e);
    }
    sum = tree_sum(lanes);
    inverse = _mm512_set1_ps(sum == 0 ? 0.0f : 1.0f / sum);
    for (size_t i = 0; i < n; i += L) {
        __mmask16 in = first(n - i);
        _mm512_mask_storeu_ps(s + i, in,
                              _mm512_mul_ps(_mm512_maskz_loadu_ps(in, s + i), inverse));
    }
}

static float log_sum_exp(const float *x, size_t n)
{
    float shift = kernel_shift(largest_of(x, n));
    __m512 lanes = _mm512_setzero_ps();

    for (size_t i = 0; i < n; i += L) {
        __mmask16 in = first(n - i);
        __m512 v = _mm512_maskz_loadu_ps(in, x + i);
        lanes = _mm512_mask_add_ps(lanes, in, lanes,
                                   exp16(_mm512_sub_ps(v, _mm512_set1_ps(shift))));
    }
    return kernel_lse_finish(shift, tree_sum(lanes));
}

static size_t argmax(const float *x, size_t n)
{
    __m512 best = _mm512_set1_ps(largest_of(x, n));

    for (size_t i = 0; i < n; i += L) {
        __mmask16 in = first(n - i);
        __mmask16 hit = _mm512_mask_cmp_ps_mask(in, _mm512_maskz_loadu_ps(in, x + i),
                                                best, _CMP_EQ_OQ);
        if (hit)
            return i + (size_t)__builtin_ctz(hit);
    }
    return 0;
}

/* ------------------------------------------------------------------ attention */

/* Few queries wait for memory, and tiles lie apart, so that the CPU does not foresee the
 * next ones: FEW of them or less fetch tiles ahead. */
enum { FEW = 3, MIX_AHEAD = 2 };

/* R queries by T tiles of 16 keys; next: the tiles after them. */
INLINE void scores(const int R, const int T, float *s, size_t lds, const float *q,
                   size_t ldq, const float *const *k_tiles, const float *const *next,
                   size_t head_dim, float scale)
{
    __m512 acc[8][4];

    for (int i = 0; i < R; i++)
        for (int t = 0; t < T; t++)
            acc[i][t] = _mm512_setzero_ps();
    for (size_t d = 0; d < head_dim; d++) {
        __m512 k[4];
        for (int t = 0; t < T; t++) {
            k[t] = _mm512_loadu_ps(k_tiles[t] + d * L);
            if (R <= FEW)
                _mm_prefetch((const char *)(next[t] + d * L), _MM_HINT_T0);
        }
        for (int i = 0; i < R; i++) {
            __m512 qi = _mm512_set1_ps(q[(size_t)i * ldq + d]);
            for (int t = 0; t < T; t++)
                acc[i][t] = _mm512_fmadd_ps(qi, k[t], acc[i][t]);
        }
    }
    for (int i = 0; i < R; i++)
        for (int t = 0; t < T; t++)
            _mm512_storeu_ps(s + (size_t)i * lds + (size_t)t * L,
                             _mm512_mul_ps(acc[i][t], _mm512_set1_ps(scale)));
}

INLINE void scores_rows(const int R, const int T, float *s, size_t lds, const float *q,
                        size_t ldq, const float *const *k_tiles, size_t n_tiles,
                        size_t head_dim, float scale)
{
    const size_t step = (size_t)T;
    size_t t = 0;

    for (; t + step <= n_tiles; t += step)
        scores(R, T, s + t * L, lds, q, ldq, k_tiles + t,
               k_tiles + (t + 2 * step <= n_tiles ? t + step : t), head_dim, scale);
    for (; t < n_tiles; t++)
        scores(R, 1, s + t * L, lds, q, ldq, k_tiles + t, k_tiles + t, head_dim, scale);
}

static void attn_scores(float *s, size_t lds, const float *q, size_t ldq, size_t n_q,
                        const float *const *k_tiles, size_t n_tiles, size_t head_dim,
                        float scale)
{
    for (; n_q >= 8; n_q -= 8, s += 8 * lds, q += 8 * ldq)
        scores_rows(8, 2, s, lds, q, ldq, k_tiles, n_tiles, head_dim, scale);
    for (; n_q >= 3; n_q -= 3, s += 3 * lds, q += 3 * ldq)
        scores_rows(3, 4, s, lds, q, ldq, k_tiles, n_tiles, head_dim, scale);
    for (; n_q >= 2; n_q -= 2, s += 2 * lds, q += 2 * ldq)
        scores_rows(2, 4, s, lds, q, ldq, k_tiles, n_tiles, head_dim, scale);
    for (; n_q >= 1; n_q--, s += lds, q += ldq)
        scores_rows(1, 4, s, lds, q, ldq, k_tiles, n_tiles, head_dim, scale);
}

/* R queries by D registers of head dimensions from d0 on. */
INLINE void mix(const int R, const int D, float *out, size_t ldo, const float *p,
                size_t ldp, const float *const *v_tiles, size_t n, size_t head_dim,
                size_t d0)
{
    const size_t n_tiles = (n + L - 1) / L;
    __m512 acc[6][4];

    for (int i = 0; i < R; i++)
        for (int d = 0; d < D; d++)
            acc[i][d] = _mm512_loadu_ps(out + (size_t)i * ldo + d0 + (size_t)d * L);
    for (size_t t = 0; t < n_tiles; t++) {
        const float *v = v_tiles[t] + d0;
        const float *next = v_tiles[t + MIX_AHEAD < n_tiles ? t + MIX_AHEAD : t] + d0;
        size_t j1 = t + 1 < n_tiles ? (t + 1) * L : n;
        for (size_t j = t * L; j < j1; j++, v += head_dim, next += head_dim) {
            __m512 vj[4];
            for (int d = 0; d < D; d++) {
                vj[d] = _mm512_loadu_ps(v + (size_t)d * L);
                if (R <= FEW)
                    _mm_prefetch((const char *)(next + (size_t)d * L), _MM_HINT_T0);
            }
            for (int i = 0; i < R; i++) {
                __m512 pi = _mm512_set1_ps(p[(size_t)i * ldp + j]);
                for (int d = 0; d < D; d++)
                    acc[i][d] = _mm512_fmadd_ps(pi, vj[d], acc[i][d]);
            }
        }
    }
    for (int i = 0; i < R; i++)
        for (int d = 0; d < D; d++)
            _mm512_storeu_ps(out + (size_t)i * ldo + d0 + (size_t)d * L, acc[i][d]);
}

INLINE void mix_rows(const int R, float *out, size_t ldo, const float *p, size_t ldp,
                     const float *const *v_tiles, size_t n, size_t head_dim)
{
    size_t d = 0;

    for (; d + 4 * L <= head_dim; d += 4 * L)
        mix(R, 4, out, ldo, p, ldp, v_tiles, n, head_dim, d);
    for (; d < head_dim; d += L)
        mix(R, 1, out, ldo, p, ldp, v_tiles, n, head_dim, d);
}

static void attn_mix(float *out, size_t ldo, const float *p, size_t ldp, size_t n_q,
                     const float *const *v_tiles, size_t n, size_t head_dim)
{
    for (; n_q >= 6; n_q -= 6, out += 6 * ldo, p += 6 * ldp)
        mix_rows(6, out, ldo, p, ldp, v_tiles, n, head_dim);
    for (; n_q >= 3; n_q -= 3, out += 3 * ldo, p += 3 * ldp)
        mix_rows(3, out, ldo, p, ldp, v_tiles, n, head_dim);
    for (; n_q >= 2; n_q -= 2, out += 2 * ldo, p += 2 * ldp)
        mix_rows(2, out, ldo, p, ldp, v_tiles, n, head_dim);
    for (; n_q >= 1; n_q--, out += ldo, p += ldp)
        mix_rows(1, out, ldo, p, ldp, v_tiles, n, head_dim);
}

/* ------------------------------------------------------------------ adapters */

static void lora_a(float *y, const float *A, const float *x, size_t r, size_t k)
{
    for (size_t i = 0; i < r; i++)
        y[i] = dot(A + i * k, x, k);
}

static void lora_b(float *y, const float *B, const float *x, size_t n, size_t r,
                   float scale)
{
    for (size_t i = 0; i < n; i++)
        y[i] = fmaf(scale, dot(B + i * r, x, r), y[i]);
}

const struct kernel kernel_avx512 = {
    .name = "avx512",
    .quantize = quantize,
    .matmul = matmul,
    .rms_norm = rms_norm,
    .add = add,
    .silu_mul = silu_mul,
    .attn_scores = attn_scores,
    .softmax = softmax,
    .attn_mix = attn_mix,
    .log_sum_exp = log_sum_exp,
    .argmax = argmax,
    .lora_a = lora_a,
    .lora_b = lora_b,
};

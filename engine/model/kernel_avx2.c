/*
 * kernel_avx2.c: the arithmetic of kernel_scalar.c with AVX2 and FMA; two registers are
 * one set of 16 lanes. Only kernel.c's CPU check may lead here.
 *
 * A matmul takes eight outputs (half a row group) and a tile of 1 to 4 batch rows at a
 * time. 8-bit products are summed in 16 bits only where they cannot overflow: see
 * dot16().
 *
 * Legend: M rows of a tile, b a block of 32 inputs, nb of them. Thread: any.
 */
#include <immintrin.h>
#include <math.h>

#include "model/kernel_set.h"

#define INLINE static inline __attribute__((always_inline))

enum { L = KERNEL_LANES, H = KERNEL_LANES / 2 };

/* ------------------------------------------------------------------ small things */

/* Lanes i .. i+7 are in when below n. */
INLINE __m256i first(size_t n)
{
    static const int32_t edge[2 * H] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i *)(edge + H - (n < H ? n : H)));
}

/* x[0..n), n <= 8 counted; zeros behind. */
INLINE __m256 load(const float *x, size_t n)
{
    return n >= H ? _mm256_loadu_ps(x) : _mm256_maskload_ps(x, first(n));
}

INLINE void store(float *x, size_t n, __m256 v)
{
    if (n >= H)
        _mm256_storeu_ps(x, v);
    else
        _mm256_maskstore_ps(x, first(n), v);
}

INLINE float tree_sum(__m256 lo, __m256 hi)
{
    __m256 a = _mm256_add_ps(lo, hi);
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));

    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

INLINE float dot_f32(const float *a, const float *b, size_t n)
{
    __m256 sum[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};

    for (size_t i = 0, h = 0; i < n; i += H, h ^= 1)
        sum[h] = _mm256_fmadd_ps(load(a + i, n - i), load(b + i, n - i), sum[h]);
    return tree_sum(sum[0], sum[1]);
}

INLINE __m256 power_of_two(__m256i n)
{
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}

/* kernel_expf() on 8 numbers. */
INLINE __m256 exp8(__m256 x)
{
    const __m256 round = _mm256_set1_ps(EXP_ROUND);
    __m256 t = _mm256_fmadd_ps(x, _mm256_set1_ps(EXP_LOG2E), round);
    __m256i n = _mm256_sub_epi32(_mm256_castps_si256(t), _mm256_castps_si256(round));
    __m256i half = _mm256_srai_epi32(n, 1);
    __m256 nf = _mm256_sub_ps(t, round), r, p;

    r = _mm256_fmadd_ps(nf, _mm256_set1_ps(-EXP_LN2_HI), x);
    r = _mm256_fmadd_ps(nf, _mm256_set1_ps(-EXP_LN2_LO), r);
    p = _mm256_fmadd_ps(_mm256_set1_ps(EXP_C7), r, _mm256_set1_ps(EXP_C6));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C5));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C4));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C3));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C2));
    p = _mm256_fmadd_ps(p, _mm256_mul_ps(r, r), r);
    p = _mm256_add_ps(p, _mm256_set1_ps(1.0f));
    p = _mm256_mul_ps(p, power_of_two(half));
    p = _mm256_mul_ps(p, power_of_two(_mm256_sub_epi32(n, half)));
    p = _mm256_blendv_ps(p, _mm256_set1_ps(INFINITY),
                         _mm256_cmp_ps(x, _mm256_set1_ps(EXP_MAX), _CMP_GT_OQ));
    p = _mm256_blendv_ps(p, _mm256_setzero_ps(),
                         _mm256_cmp_ps(x, _mm256_set1_ps(EXP_MIN), _CMP_LT_OQ));
    return _mm256_blendv_ps(p, x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

/* ------------------------------------------------------------------ quantising */

INLINE uint32_t reduce_max(__m256i v)
{
    __m128i a = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

    a = _mm_max_epu32(a, _mm_shuffle_epi32(a, 0x4E));
    a = _mm_max_epu32(a, _mm_shuffle_epi32(a, 0xB1));
    return (uint32_t)_mm_cvtsi128_si32(a);
}

INLINE int32_t reduce_add(__m256i v)
{
    __m128i a = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

    a = _mm_add_epi32(a, _mm_shuffle_epi32(a, 0x4E));
    a = _mm_add_epi32(a, _mm_shuffle_epi32(a, 0xB1));
    return _mm_cvtsi128_si32(a);
}

static void quantize_block(struct acts *a, size_t m, size_t b)
{
    const __m256 no_sign = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF));
    const float *x = a->x + m * a->k + b * KERNEL_BLOCK;
    int8_t *q = a->q + m * a->k + b * KERNEL_BLOCK;
    size_t at = m * (a->k / KERNEL_BLOCK) + b;
    int32_t *sum = a->sum16 + 2 * at;
    __m256i largest = _mm256_setzero_si256(), v[4];
    __m256 inverse;
    float amax;

    for (int i = 0; i < 4; i++)
        largest =
            _mm256_max_epu32(largest,
                             _mm256_castps_si256(
                                 _mm256_and_ps(_mm256_loadu_ps(x + i * H), no_sign)));
    amax = _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128((int)reduce_max(largest))));
    if (!(amax >= ACTS_TINY && amax < INFINITY)) {
        _mm256_storeu_si256((__m256i *)q, _mm256_setzero_si256());
        sum[0] = sum[1] = 0;
        a->scale[at] = a->fsum[at] = amax < ACTS_TINY ? 0.0f : NAN;
        return;
    }
    inverse = _mm256_set1_ps(127.0f / amax);
    for (int i = 0; i < 4; i++)
        v[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i * H), inverse));
    sum[0] = reduce_add(_mm256_add_epi32(v[0], v[1]));
    sum[1] = reduce_add(_mm256_add_epi32(v[2], v[3]));
    /* The packs work within 128-bit halves; the permutation puts that right. */
    v[0] = _mm256_packs_epi16(_mm256_packs_epi32(v[0], v[1]),
                              _mm256_packs_epi32(v[2], v[3]));
    v[0] = _mm256_permutevar8x32_epi32(v[0], _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((__m256i *)q, v[0]);
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

/* What a weight type is to the tile code; constants wherever it is used. bits = 8 means
 * an offset of 128: such codes are taken as signed. */
struct kind {
    enum matrix_layout layout;
    int scale_f16, has_min, has_offset, bits;
};

INLINE __m256 load_scales(const uint8_t *p, int scale_f16)
{
    if (scale_f16)
        return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
    return _mm256_loadu_ps((const float *)p);
}

INLINE void load_codes(__m256i w[8], const uint8_t *codes, struct kind kind)
{
    const __m256i low = _mm256_set1_epi8(15), top = _mm256_set1_epi8((char)0x80);

    for (int j = 0; j < (kind.layout == MATRIX_Q4 ? 4 : 8); j++) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(codes + 64 * j));
        if (kind.layout == MATRIX_Q4) {
            w[j] = _mm256_and_si256(v, low);
            w[j + 4] = _mm256_and_si256(_mm256_srli_epi16(v, 4), low);
        } else {
            w[j] = kind.bits == 8 ? _mm256_xor_si256(v, top) : v;
        }
    }
}

/* Pairs of products of the four codes of every lane with x, as 16-bit sums. */
INLINE __m256i pairs(__m256i w, const int8_t *x, struct kind kind)
{
    int32_t four;
    __m256i v;

    __builtin_memcpy(&four, x, sizeof four);
    v = _mm256_set1_epi32(four);
    if (kind.bits == 8) /* |w| <= 128, |x| <= 127: a pair is at most 32512 */
        return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(v, w));
    return _mm256_maddubs_epi16(w, v);
}

/* sum += codes j0..j0+3 of every lane times 16 activation codes, exactly. A pair is at
 * most 2 * 15 * 127 = 3810 with 4 bits (four of them fit in 16 bits), 2 * 63 * 127 =
 * 16002 with 5 or 6 (two fit). */
INLINE __m256i dot16(__m256i sum, const __m256i w[8], int j0, const int8_t *x,
                     struct kind kind)
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i p[4];

    for (int j = 0; j < 4; j++)
        p[j] = pairs(w[j0 + j], x + 4 * (j0 + j), kind);
    if (kind.bits == 8) {
        for (int j = 0; j < 4; j++)
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(p[j], ones));
        return sum;
    }
    p[0] = _mm256_add_epi16(p[0], p[1]);
    p[2] = _mm256_add_epi16(p[2], p[3]);
    if (kind.bits == 4)
        return _mm256_add_epi32(sum,
                                _mm256_madd_epi16(_mm256_add_epi16(p[0], p[2]), ones));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(p[0], ones));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(p[2], ones));
}

/* Rows m .. m+M-1 and lanes 8 half .. 8 half + 7 of one row group; y points at the first
 * of these outputs in row m, n_out of which exist. */
INLINE void tile(struct kind kind, const int M, const struct matrix *w,
                 const struct acts *a, const uint8_t *group, size_t half, size_t m,
                 float *y, size_t ldy, size_t n_out)
{
    const int per_block = kind.layout == MATRIX_Q8X16 ? 2 : 1;
    const size_t code_bytes = kind.layout == MATRIX_Q4 ? 256 : 512;
    const size_t scale_bytes = kind.scale_f16 ? 2 : 4;
    const size_t stride = (size_t)(per_block * L) * scale_bytes;
    const size_t nb = w->k / KERNEL_BLOCK;
    const uint8_t *codes = group + half * 32;
    const uint8_t *scales = group + nb * code_bytes + half * H * scale_bytes;
    const uint8_t *mins = scales + nb * stride;
    const int subtract = kind.has_offset && kind.bits != 8;
    __m256 acc[4];

    for (int i = 0; i < M; i++)
        acc[i] = _mm256_setzero_ps();
    for (size_t b = 0; b < nb; b++) {
        const int8_t *x = a->q + m * w->k + b * KERNEL_BLOCK;
        size_t at = m * nb + b;
        __m256i c[8];
        __m256 scale0 = load_scales(scales + b * stride, kind.scale_f16), scale1 = scale0;
        __m256 min = scale0;

        if (M == 1 && half == 0) { /* a stream: fetch this part of the next group */
            size_t block = code_bytes + stride + (kind.has_min ? stride : 0);
            const uint8_t *ahead = group + w->group_bytes + b * block;
            for (size_t i = 0; i < block; i += 64)
                _mm_prefetch((const char *)ahead + i, _MM_HINT_T0);
        }
        load_codes(c, codes + b * code_bytes, kind);
        if (per_block == 2)
            scale1 = load_scales(scales + b * stride + stride / 2, kind.scale_f16);
        if (kind.has_min)
            min = load_scales(mins + b * stride, kind.scale_f16);
#pragma GCC unroll 4
        for (int i = 0; i < M; i++, x += w->k, at += nb) {
            __m256 xs = _mm256_set1_ps(a->scale[at]);
            const int32_t *sum = a->sum16 + 2 * at;
            int base0 = subtract ? -w->offset * sum[0] : 0;
            int base1 = subtract ? -w->offset * sum[1] : 0;
            __m256i d;

            if (per_block == 1) {
                d = _mm256_set1_epi32(base0 + base1);
                d = dot16(dot16(d, c, 0, x, kind), c, 4, x, kind);
                acc[i] = _mm256_fmadd_ps(_mm256_mul_ps(scale0, xs), _mm256_cvtepi32_ps(d),
                                         acc[i]);
            } else {
                d = dot16(_mm256_set1_epi32(base0), c, 0, x, kind);
                acc[i] = _mm256_fmadd_ps(_mm256_mul_ps(scale0, xs), _mm256_cvtepi32_ps(d),
                                         acc[i]);
                d = dot16(_mm256_set1_epi32(base1), c, 4, x, kind);
                acc[i] = _mm256_fmadd_ps(_mm256_mul_ps(scale1, xs), _mm256_cvtepi32_ps(d),
                                         acc[i]);
            }
            if (kind.has_min)
                acc[i] = _mm256_fmadd_ps(min, _mm256_set1_ps(a->fsum[at]), acc[i]);
        }
    }
    for (int i = 0; i < M; i++)
        store(y + (size_t)i * ldy, n_out, acc[i]);
}

/* Every row of the batch against one row group, n_out of whose outputs exist. */
INLINE void all_rows(struct kind kind, const struct matrix *w, const struct acts *a,
                     const uint8_t *group, float *y, size_t ldy, size_t n_out)
{
    for (size_t half = 0; half < 2 && half * H < n_out; half++) {
        float *dst = y + half * H;
        size_t m = 0, n = n_out - half * H;

        for (; a->m - m >= 4; m += 4)
            tile(kind, 4, w, a, group, half, m, dst + m * ldy, ldy, n);
        if (a->m - m >= 2) {
            tile(kind, 2, w, a, group, half, m, dst + m * ldy, ldy, n);
            m += 2;
        }
        if (a->m - m >= 1)
            tile(kind, 1, w, a, group, half, m, dst + m * ldy, ldy, n);
    }
}

/* One function per kind of weights. */
#define ROWS_FN(name, ...)                                                               \
    static void name(const struct matrix *w, const struct acts *a, const uint8_t *group, \
                     float *y, size_t ldy, size_t n_out)                                 \
    {                                                                                    \
        all_rows((struct kind){__VA_ARGS__}, w, a, group, y, ldy, n_out);                \
    }
/*       layout, half scales, minimum, offset, bits */
ROWS_FN(rows_q4_0, MATRIX_Q4, 1, 0, 1, 4)
ROWS_FN(rows_q4_1, MATRIX_Q4, 1, 1, 0, 4)
ROWS_FN(rows_q4_k, MATRIX_Q4, 0, 1, 0, 4)
ROWS_FN(rows_q5_0, MATRIX_Q8, 1, 0, 1, 5)
ROWS_FN(rows_q5_1, MATRIX_Q8, 1, 1, 0, 5)
ROWS_FN(rows_q5_k, MATRIX_Q8, 0, 1, 0, 5)
ROWS_FN(rows_q8_0, MATRIX_Q8, 1, 0, 1, 8)
ROWS_FN(rows_q6_k, MATRIX_Q8X16, 0, 0, 1, 6)

typedef void rows_fn(const struct matrix *, const struct acts *, const uint8_t *, float *,
                     size_t, size_t);

static rows_fn *rows_for(const struct matrix *w)
{
    if (w->layout == MATRIX_Q8X16)
        return rows_q6_k;
    if (w->layout == MATRIX_Q4)
        return !w->has_min ? rows_q4_0 : w->scale_f16 ? rows_q4_1 : rows_q4_k;
    if (w->has_min)
        return w->scale_f16 ? rows_q5_1 : rows_q5_k;
    return w->offset == 128 ? rows_q8_0 : rows_q5_0;
}

/* ------------------------------------------------------------------ fp32 matmul */

/* M rows by G half row groups; the sums are independent, which hides fma's latency. */
INLINE void tile_f32(const int M, const int G, const struct matrix *w,
                     const struct acts *a, size_t g, size_t m, float *y, size_t ldy)
{
    const float *group = (const float *)((const char *)w->data + g * w->group_bytes);
    const float *x = a->x + m * w->k;
    __m256 acc[2][4];

    for (int i = 0; i < M; i++)
        for (int h = 0; h < G; h++)
            acc[i][h] = _mm256_setzero_ps();
    for (size_t c = 0; c < w->k; c++) {
        __m256 v[4];
        for (int h = 0; h < G; h++)
            v[h] = _mm256_loadu_ps(group + ((size_t)h / 2 * w->k + c) * L +
                                   (size_t)h % 2 * H);
        for (int i = 0; i < M; i++) {
            __m256 xi = _mm256_set1_ps(x[(size_t)i * w->k + c]);
            for (int h = 0; h < G; h++)
                acc[i][h] = _mm256_fmadd_ps(v[h], xi, acc[i][h]);
        }
    }
    for (int i = 0; i < M; i++)
        for (int h = 0; h < G; h++) {
            size_t at = (size_t)h * H, n = w->n - g * L;
            if (at < n)
                store(y + (size_t)i * ldy + at, n - at, acc[i][h]);
        }
}

INLINE void all_rows_f32(const int G, const struct matrix *w, const struct acts *a,
                         size_t g, float *y, size_t ldy)
{
    size_t m = 0;

    for (; a->m - m >= 2; m += 2)
        tile_f32(2, G, w, a, g, m, y + m * ldy, ldy);
    if (a->m - m >= 1)
        tile_f32(1, G, w, a, g, m, y + m * ldy, ldy);
}

static void matmul(const struct matrix *w, const struct acts *a, float *y, size_t ldy,
                   size_t g0, size_t g1)
{
    size_t g = g0;

    if (w->layout == MATRIX_F32) {
        for (; g + 2 <= g1; g += 2, y += (size_t)2 * L)
            all_rows_f32(4, w, a, g, y, ldy);
        if (g < g1)
            all_rows_f32(2, w, a, g, y, ldy);
        return;
    }
    for (rows_fn *rows = rows_for(w); g < g1; g++, y += L)
        rows(w, a, (const uint8_t *)w->data + g * w->group_bytes, y, ldy, w->n - g * L);
}

/* ------------------------------------------------------------------ vectors */

static void rms_norm(float *dst, const float *x, const float *weight, size_t k, float eps)
{
    __m256 scale = _mm256_set1_ps(1.0f / sqrtf(dot_f32(x, x, k) / (float)k + eps));

    for (size_t i = 0; i < k; i += H) {
        __m256 v = _mm256_mul_ps(load(x + i, k - i), scale);
        store(dst + i, k - i, _mm256_mul_ps(v, load(weight + i, k - i)));
    }
}

static void add(float *dst, const float *src, size_t n)
{
    for (size_t i = 0; i < n; i += H)
        store(dst + i, n - i, _mm256_add_ps(load(dst + i, n - i), load(src + i, n - i)));
}

static void silu_mul(float *dst, const float *gate, const float *up, size_t n)
{
    const __m256 sign = _mm256_set1_ps(-0.0f), one = _mm256_set1_ps(1.0f);

    for (size_t i = 0; i < n; i += H) {
        __m256 g = load(gate + i, n - i);
        __m256 v = _mm256_div_ps(g, _mm256_add_ps(one, exp8(_mm256_xor_ps(g, sign))));
        store(dst + i, n - i, _mm256_mul_ps(v, load(up + i, n - i)));
    }
}

static float largest_of(const float *x, size_t n)
{
    const __m256 none = _mm256_set1_ps(-INFINITY);
    __m256 best = none;
    float lane[H], all = -INFINITY;

    for (size_t i = 0; i < n; i += H) { /* the second operand wins over a NaN */
        __m256 v =
            _mm256_blendv_ps(none, load(x + i, n - i), _mm256_castsi256_ps(first(n - i)));
        best = _mm256_max_ps(v, best);
    }
    _mm256_storeu_ps(lane, best);
    for (int i = 0; i < H; i++)
        all = lane[i] > all ? lane[i] : all;
    return all;
}

/* exp(x[i] - shift) of i .. i+7 below n; zeros behind. */
INLINE __m256 exp_at(const float *x, size_t n, float shift)
{
    __m256 e = exp8(_mm256_sub_ps(load(x, n), _mm256_set1_ps(shift)));
    return _mm256_and_ps(e, _mm256_castsi256_ps(first(n)));
}

static void softmax(float *s, size_t n)
{
    __m256 lanes[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()}, inverse;
    float shift = kernel_shift(largest_of(s, n)), sum;

    for (size_t i = 0, h = 0; i < n; i += H, h ^= 1) {
        __m256 e = exp_at(s + i, n - i, shift);
        store(s + i, n - i, e);
        lanes[h] = _mm256_add_ps(lanes[h], e);
    }
    sum = tree_sum(lanes[0], lanes[1]);
    inverse = _mm256_set1_ps(sum == 0 ? 0.0f : 1.0f / sum);
    for (size_t i = 0; i < n; i += H)
        store(s + i, n - i, _mm256_mul_ps(load(s + i, n - i), inverse));
}

static float log_sum_exp(const float *x, size_t n)
{
    __m256 lanes[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    float shift = kernel_shift(largest_of(x, n));

    for (size_t i = 0, h = 0; i < n; i += H, h ^= 1)
        lanes[h] = _mm256_add_ps(lanes[h], exp_at(x + i, n - i, shift));
    return kernel_lse_finish(shift, tree_sum(lanes[0], lanes[1]));
}

static size_t argmax(const float *x, size_t n)
{
    __m256 best = _mm256_set1_ps(largest_of(x, n));

    for (size_t i = 0; i < n; i += H) {
        __m256 same = _mm256_cmp_ps(load(x + i, n - i), best, _CMP_EQ_OQ);
        int hit =
            _mm256_movemask_ps(_mm256_and_ps(same, _mm256_castsi256_ps(first(n - i))));
        if (hit)
            return i + (size_t)__builtin_ctz((unsigned)hit);
    }
    return 0;
}

/* ------------------------------------------------------------------ attention */

/* R queries by one tile of 16 keys; asks for tile next on the way, as tiles lie apart and
 * the CPU does not foresee them. */
INLINE void scores(const int R, float *s, size_t lds, const float *q, size_t ldq,
                   const float *tile_k, const float *next, size_t head_dim, float scale)
{
    __m256 acc[4][2];

    for (int i = 0; i < R; i++)
        acc[i][0] = acc[i][1] = _mm256_setzero_ps();
    for (size_t d = 0; d < head_dim; d++) {
        __m256 lo = _mm256_loadu_ps(tile_k + d * L);
        __m256 hi = _mm256_loadu_ps(tile_k + d * L + H);
        _mm_prefetch((const char *)(next + d * L), _MM_HINT_T0);
        for (int i = 0; i < R; i++) {
            __m256 qi = _mm256_set1_ps(q[(size_t)i * ldq + d]);
            acc[i][0] = _mm256_fmadd_ps(qi, lo, acc[i][0]);
            acc[i][1] = _mm256_fmadd_ps(qi, hi, acc[i][1]);
        }
    }
    for (int i = 0; i < R; i++)
        for (int h = 0; h < 2; h++)
            _mm256_storeu_ps(s + (size_t)i * lds + (size_t)h * H,
                             _mm256_mul_ps(acc[i][h], _mm256_set1_ps(scale)));
}

enum { AHEAD = 2 };

static void attn_scores(float *s, size_t lds, const float *q, size_t ldq, size_t n_q,
                        const float *const *k_tiles, size_t n_tiles, size_t head_dim,
                        float scale)
{
    for (size_t t = 0; t < n_tiles; t++, s += L) {
        const float *k = k_tiles[t], *next = k_tiles[t + AHEAD < n_tiles ? t + AHEAD : t];
        size_t i = 0;
        for (; n_q - i >= 4; i += 4)
            scores(4, s + i * lds, lds, q + i * ldq, ldq, k, next, head_dim, scale);
        for (; n_q - i >= 2; i += 2)
            scores(2, s + i * lds, lds, q + i * ldq, ldq, k, next, head_dim, scale);
        for (; n_q - i >= 1; i++)
            scores(1, s + i * lds, lds, q + i * ldq, ldq, k, next, head_dim, scale);
    }
}

/* R queries by D registers of head dimensions from d0 on. */
INLINE void mix(const int R, const int D, float *out, size_t ldo, const float *p,
                size_t ldp, const float *const *v_tiles, size_t n, size_t head_dim,
                size_t d0)
{
    const size_t n_tiles = (n + L - 1) / L;
    __m256 acc[3][4];

    for (int i = 0; i < R; i++)
        for (int d = 0; d < D; d++)
            acc[i][d] = _mm256_loadu_ps(out + (size_t)i * ldo + d0 + (size_t)d * H);
    for (size_t t = 0; t < n_tiles; t++) {
        const float *v = v_tiles[t] + d0;
        const float *next = v_tiles[t + AHEAD < n_tiles ? t + AHEAD : t] + d0;
        size_t j1 = t + 1 < n_tiles ? (t + 1) * L : n;
        for (size_t j = t * L; j < j1; j++, v += head_dim, next += head_dim) {
            for (int d = 0; d < D; d += 2)
                _mm_prefetch((const char *)(next + (size_t)d * H), _MM_HINT_T0);
            for (int i = 0; i < R; i++) {
                __m256 pi = _mm256_set1_ps(p[(size_t)i * ldp + j]);
                for (int d = 0; d < D; d++)
                    acc[i][d] = _mm256_fmadd_ps(pi, _mm256_loadu_ps(v + (size_t)d * H),
                                                acc[i][d]);
            }
        }
    }
    for (int i = 0; i < R; i++)
        for (int d = 0; d < D; d++)
            _mm256_storeu_ps(out + (size_t)i * ldo + d0 + (size_t)d * H, acc[i][d]);
}

INLINE void mix_rows(const int R, float *out, size_t ldo, const float *p, size_t ldp,
                     const float *const *v_tiles, size_t n, size_t head_dim)
{
    size_t d = 0;

    for (; d + 4 * H <= head_dim; d += 4 * H)
        mix(R, 4, out, ldo, p, ldp, v_tiles, n, head_dim, d);
    for (; d < head_dim; d += 2 * H)
        mix(R, 2, out, ldo, p, ldp, v_tiles, n, head_dim, d);
}

static void attn_mix(float *out, size_t ldo, const float *p, size_t ldp, size_t n_q,
                     const float *const *v_tiles, size_t n, size_t head_dim)
{
    for (; n_q >= 3; n_q -= 3, out += 3 * ldo, p += 3 * ldp)
        mix_rows(3, out, ldo, p, ldp, v_tiles, n, head_dim);
    for (; n_q >= 1; n_q--, out += ldo, p += ldp)
        mix_rows(1, out, ldo, p, ldp, v_tiles, n, head_dim);
}

/* ------------------------------------------------------------------ adapters */

static void lora_a(float *y, const float *A, const float *x, size_t r, size_t k)
{
    for (size_t i = 0; i < r; i++)
        y[i] = dot_f32(A + i * k, x, k);
}

static void lora_b(float *y, const float *B, const float *x, size_t n, size_t r,
                   float scale)
{
    for (size_t i = 0; i < n; i++)
        y[i] = fmaf(scale, dot_f32(B + i * r, x, r), y[i]);
}

const struct kernel kernel_avx2 = {
    .name = "avx2",
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

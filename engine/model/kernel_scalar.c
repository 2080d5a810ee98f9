/*
 * kernel_scalar.c: the reference arithmetic, in plain loops that state the order every
 * other kernel file must reproduce bit for bit. Runs on any CPU.
 *
 * Legend: lane = one of 16; g a row group; b a block of 32 inputs. Thread: any.
 */
#include <math.h>
#include <string.h>

#include "model/kernel_set.h"

enum { L = KERNEL_LANES };

static uint32_t abs_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits & 0x7FFFFFFFu;
}

static float from_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* The one reduction: 16 lanes, then 8, 4, 2, 1. */
static float tree_sum(float lane[L])
{
    for (int half = L / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return lane[0];
}

static float dot(const float *a, const float *b, size_t n)
{
    float lane[L] = {0};

    for (size_t i = 0; i < n; i++)
        lane[i % L] = fmaf(a[i], b[i], lane[i % L]);
    return tree_sum(lane);
}

static void quantize_block(struct acts *a, size_t m, size_t b)
{
    const float *x = a->x + m * a->k + b * KERNEL_BLOCK;
    int8_t *q = a->q + m * a->k + b * KERNEL_BLOCK;
    size_t at = m * (a->k / KERNEL_BLOCK) + b;
    int32_t *sum = a->sum16 + 2 * at;
    uint32_t largest = 0; /* bits of |x| order as the numbers do, NaN above all */
    float amax, inverse;

    for (size_t i = 0; i < KERNEL_BLOCK; i++)
        if (abs_bits(x[i]) > largest)
            largest = abs_bits(x[i]);
    amax = from_bits(largest);
    sum[0] = sum[1] = 0;
    if (!(amax >= ACTS_TINY && amax < INFINITY)) {
        memset(q, 0, KERNEL_BLOCK);
        a->scale[at] = a->fsum[at] = amax < ACTS_TINY ? 0.0f : NAN;
        return;
    }
    inverse = 127.0f / amax;
    for (size_t i = 0; i < KERNEL_BLOCK; i++) {
        q[i] = (int8_t)rintf(x[i] * inverse);
        sum[i / 16] += q[i];
    }
    a->scale[at] = amax / 127.0f;
    a->fsum[at] = a->scale[at] * (float)(sum[0] + sum[1]);
}

static void quantize(struct acts *a, size_t m0, size_t m1, size_t k0, size_t k1)
{
    for (size_t m = m0; m < m1; m++)
        for (size_t b = k0 / KERNEL_BLOCK; b < k1 / KERNEL_BLOCK; b++)
            quantize_block(a, m, b);
}

static float scale_at(const struct matrix *w, const uint8_t *p, size_t i)
{
    uint16_t half;
    float f;

    if (w->scale_f16) {
        memcpy(&half, p + 2 * i, sizeof half);
        return quant_f16_to_f32(half);
    }
    memcpy(&f, p + 4 * i, sizeof f);
    return f;
}

/* Dot of 16 columns (half a block) of one lane: exact. */
static int32_t dot16(const struct matrix *w, const uint8_t *codes, size_t lane,
                     const int8_t *x, size_t half)
{
    int32_t sum = 0;

    for (size_t i = 16 * half; i < 16 * half + 16; i++) {
        size_t j = i / 4;
        int code;
        if (w->layout == MATRIX_Q4)
            code = codes[j % 4 * 64 + lane * 4 + i % 4] >> (j < 4 ? 0 : 4) & 15;
        else
            code = codes[j * 64 + lane * 4 + i % 4];
        sum += code * x[i];
    }
    return sum;
}

/* One output. Block b adds, in this order: scale * x_scale * (dot - offset * sum), once
 * per group, then min * fsum. */
static float output_quantised(const struct matrix *w, const struct acts *a, size_t m,
                              const uint8_t *group, size_t lane)
{
    size_t nb = w->k / KERNEL_BLOCK, per_block = w->layout == MATRIX_Q8X16 ? 2 : 1;
    size_t code_bytes = w->layout == MATRIX_Q4 ? 256 : 512;
    const uint8_t *scales = group + nb * code_bytes;
    const uint8_t *mins = scales + nb * per_block * L * (w->scale_f16 ? 2 : 4);
    float acc = 0;

    for (size_t b = 0; b < nb; b++) {
        const uint8_t *codes = group + b * code_bytes;
        const int8_t *x = a->q + m * w->k + b * KERNEL_BLOCK;
        size_t at = m * nb + b;
        const int32_t *sum = a->sum16 + 2 * at;
        int32_t d[2];

        for (size_t h = 0; h < 2; h++)
            d[h] = dot16(w, codes, lane, x, h) - w->offset * sum[h];
        if (per_block == 1)
            d[0] += d[1];
        for (size_t h = 0; h < per_block; h++)
            acc = fmaf(scale_at(w, scales, (b * per_block + h) * L + lane) * a->scale[at],
                       (float)d[h], acc);
        if (w->has_min)
            acc = fmaf(scale_at(w, mins, b * L + lane), a->fsum[at], acc);
    }
    return acc;
}

static float output_f32(const struct matrix *w, const struct acts *a, size_t m,
                        const float *group, size_t lane)
{
    float acc = 0;

    for (size_t i = 0; i < w->k; i++)
        acc = fmaf(group[i * L + lane], a->x[m * w->k + i], acc);
    return acc;
}

static void matmul(const struct matrix *w, const struct acts *a, float *y, size_t ldy,
                   size_t g0, size_t g1)
{
    for (size_t n = g0 * L; n < g1 * L && n < w->n; n++) {
        const uint8_t *group = (const uint8_t *)w->data + n / L * w->group_bytes;
        for (size_t m = 0; m < a->m; m++) {
            float *dst = y + m * ldy + (n - g0 * L);
            if (w->layout == MATRIX_F32)
                *dst = output_f32(w, a, m, (const float *)group, n % L);
            else
                *dst = output_quantised(w, a, m, group, n % L);
        }
    }
}

static void rms_norm(float *dst, const float *x, const float *weight, size_t k, float eps)
{
    float scale = 1.0f / sqrtf(dot(x, x, k) / (float)k + eps);

    for (size_t i = 0; i < k; i++)
        dst[i] = x[i] * scale * weight[i];
}

static void add(float *dst, const float *src, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] += src[i];
}

static void silu_mul(float *dst, const float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = gate[i] / (1.0f + kernel_expf(-gate[i])) * up[i];
}

static void attn_scores(float *s, size_t lds, const float *q, size_t ldq, size_t n_q,
                        const float *const *k_tiles, size_t n_tiles, size_t head_dim,
                        float scale)
{
    for (size_t i = 0; i < n_q; i++)
        for (size_t j = 0; j < n_tiles * L; j++) {
            const float *tile = k_tiles[j / L];
            float acc = 0;
            for (size_t d = 0; d < head_dim; d++)
                acc = fmaf(q[i * ldq + d], tile[d * L + j % L], acc);
            s[i * lds + j] = acc * scale;
        }
}

static float largest_of(const float *x, size_t n)
{
    float best = -INFINITY;

    for (size_t i = 0; i < n; i++)
        if (x[i] > best)
            best = x[i];
    return best;
}

static void softmax(float *s, size_t n)
{
    float lane[L] = {0};
    float shift = kernel_shift(largest_of(s, n)), sum, inverse;

    for (size_t i = 0; i < n; i++) {
        s[i] = kernel_expf(s[i] - shift);
        lane[i % L] += s[i];
    }
    sum = tree_sum(lane);
    inverse = sum == 0 ? 0.0f : 1.0f / sum;
    for (size_t i = 0; i < n; i++)
        s[i] *= inverse;
}

static void attn_mix(float *out, size_t ldo, const float *p, size_t ldp, size_t n_q,
                     const float *const *v_tiles, size_t n, size_t head_dim)
{
    for (size_t i = 0; i < n_q; i++)
        for (size_t d = 0; d < head_dim; d++) {
            float acc = out[i * ldo + d];
            for (size_t j = 0; j < n; j++)
                acc = fmaf(p[i * ldp + j], v_tiles[j / L][j % L * head_dim + d], acc);
            out[i * ldo + d] = acc;
        }
}

static float log_sum_exp(const float *x, size_t n)
{
    float lane[L] = {0};
    float shift = kernel_shift(largest_of(x, n));

    for (size_t i = 0; i < n; i++)
        lane[i % L] += kernel_expf(x[i] - shift);
    return kernel_lse_finish(shift, tree_sum(lane));
}

static size_t argmax(const float *x, size_t n)
{
    float best = largest_of(x, n);

    for (size_t i = 0; i < n; i++)
        if (x[i] == best)
            return i;
    return 0;
}

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

const struct kernel kernel_scalar = {
    .name = "scalar",
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

/*
 * quant.c: the table of tensor types; see quant.h. Pure functions, little-endian host.
 *
 * Block layouts (bytes, in file order; d, m, dm are half precision):
 *   Q4_0  d, 16 nibble bytes           Q4_1  d, m, 16 nibble bytes
 *   Q5_0  d, 4 high-bit bytes, 16      Q5_1  d, m, 4 high-bit bytes, 16
 *   Q8_0  d, 32 int8
 *   Q4_K  d, dm, 12 packed 6-bit scales and minima, 128 nibble bytes
 *   Q5_K  d, dm, 12 packed scales, 32 high-bit bytes, 128 nibble bytes
 *   Q6_K  128 low nibbles, 64 high 2-bit, 16 int8 scales, d
 */
#include "model/quant.h"

#include <string.h>

float quant_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t exp = h >> 10 & 0x1Fu, frac = h & 0x3FFu, bits;
    float f;

    if (exp == 0x1F) {
        bits = sign | 0x7F800000u | frac << 13;
    } else if (exp != 0) {
        bits = sign | (exp + 112) << 23 | frac << 13;
    } else {
        f = (float)frac * 0x1p-24f; /* zero or denormal: exact in fp32 */
        memcpy(&bits, &f, sizeof bits);
        bits |= sign;
    }
    memcpy(&f, &bits, sizeof f);
    return f;
}

uint16_t quant_f32_to_f16(float f)
{
    uint32_t bits, sign, mant, half;
    int exp;

    memcpy(&bits, &f, sizeof bits);
    sign = bits >> 16 & 0x8000u;
    exp = (int)(bits >> 23 & 0xFF);
    mant = bits & 0x7FFFFFu;
    if (exp == 0xFF) /* a NaN stays one, whatever its payload */
        return (uint16_t)(sign | 0x7C00u | (mant ? 0x200u | mant >> 13 : 0));
    if (exp < 102)
        return (uint16_t)sign; /* below half of the least denormal */
    mant |= 0x800000u;
    if (exp < 113) { /* denormal: shift in units of 2^-24 */
        int shift = 126 - exp;
        uint32_t rest = mant & ((1u << shift) - 1), mid = 1u << (shift - 1);
        half = mant >> shift;
        half += rest > mid || (rest == mid && (half & 1));
        return (uint16_t)(sign | half);
    }
    half = (uint32_t)(exp - 112) << 10 | (mant >> 13 & 0x3FFu);
    half += (mant & 0x1FFFu) > 0x1000u || ((mant & 0x1FFFu) == 0x1000u && (half & 1));
    return (uint16_t)(sign | (half > 0x7C00u || exp > 142 ? 0x7C00u : half));
}

static float half_at(const uint8_t *p)
{
    return quant_f16_to_f32((uint16_t)(p[0] | p[1] << 8));
}

/* 16 bytes of nibbles: the low ones are codes 0..15, the high ones 16..31. */
static void split_nibbles(uint8_t *q, const uint8_t *p)
{
    for (int i = 0; i < 16; i++) {
        q[i] = p[i] & 15;
        q[i + 16] = p[i] >> 4;
    }
}

static void add_fifth_bits(uint8_t *q, const uint8_t *p)
{
    for (int i = 0; i < 32; i++)
        q[i] = (uint8_t)(q[i] | (p[i / 8] >> (i % 8) & 1) << 4);
}

static void unpack_q4_0(struct quant_codes *dst, const void *block)
{
    const uint8_t *p = block;
    dst->scale[0] = half_at(p);
    dst->min[0] = 0;
    split_nibbles(dst->q, p + 2);
}

static void unpack_q4_1(struct quant_codes *dst, const void *block)
{
    const uint8_t *p = block;
    dst->scale[0] = half_at(p);
    dst->min[0] = half_at(p + 2);
    split_nibbles(dst->q, p + 4);
}

static void unpack_q5_0(struct quant_codes *dst, const void *block)
{
    const uint8_t *p = block;
    dst->scale[0] = half_at(p);
    dst->min[0] = 0;
    split_nibbles(dst->q, p + 6);
    add_fifth_bits(dst->q, p + 2);
}

static void unpack_q5_1(struct quant_codes *dst, const void *block)
{
    const uint8_t *p = block;
    dst->scale[0] = half_at(p);
    dst->min[0] = half_at(p + 2);
    split_nibbles(dst->q, p + 8);
    add_fifth_bits(dst->q, p + 4);
}

static void unpack_q8_0(struct quant_codes *dst, const void *block)
{
    const uint8_t *p = block;
    dst->scale[0] = half_at(p);
    dst->min[0] = 0;
    for (int i = 0; i < 32; i++)
        dst->q[i] = (uint8_t)(p[2 + i] ^ 0x80); /* int8 + 128 */
}

/* Eight 6-bit scales and minima in 12 bytes: the first four whole in bytes 0-3 and 4-7,
 * the others with their low nibbles in 8-11 and their top two bits above the first four.
 */
static void k_scale_min(const uint8_t *p, int j, uint8_t *scale, uint8_t *min)
{
    if (j < 4) {
        *scale = p[j] & 63;
        *min = p[j + 4] & 63;
    } else {
        *scale = (uint8_t)((p[j + 4] & 15) | p[j - 4] >> 6 << 4);
        *min = (uint8_t)(p[j + 4] >> 4 | p[j] >> 6 << 4);
    }
}

static void k_scales(struct quant_codes *dst, const uint8_t *p)
{
    float d = half_at(p), dm = half_at(p + 2);

    for (int j = 0; j < 8; j++) {
        uint8_t scale, min;
        k_scale_min(p + 4, j, &scale, &min);
        dst->scale[j] = d * (float)scale;
        dst->min[j] = -(dm * (float)min);
    }
}

/* 64 codes from 32 bytes: low nibbles first, then high ones. */
static void k_nibbles(uint8_t *q, const uint8_t *p)
{
    for (int c = 0; c < 4; c++)
        for (int i = 0; i < 32; i++) {
            q[64 * c + i] = p[32 * c + i] & 15;
            q[64 * c + 32 + i] = p[32 * c + i] >> 4;
        }
}

static void unpack_q4_k(struct quant_codes *dst, const void *block)
{
    const uint8_t *p = block;
    k_scales(dst, p);
    k_nibbles(dst->q, p + 16);
}

static void unpack_q5_k(struct quant_codes *dst, const void *block)
{
    const uint8_t *p = block, *high = p + 16;
    k_scales(dst, p);
    k_nibbles(dst->q, p + 48);
    for (int j = 0; j < 8; j++) /* bit j of high[i] belongs to code i of group j */
        for (int i = 0; i < 32; i++)
            dst->q[32 * j + i] = (uint8_t)(dst->q[32 * j + i] | (high[i] >> j & 1) << 4);
}

static void unpack_q6_k(struct quant_codes *dst, const void *block)
{
    const uint8_t *low = block, *high = low + 128;
    const int8_t *scale = (const int8_t *)(low + 192);
    float d = half_at(low + 208);

    for (int h = 0; h < 2; h++, low += 64, high += 32) {
        uint8_t *q = dst->q + 128 * h;
        for (int i = 0; i < 32; i++) {
            q[i] = (uint8_t)((low[i] & 15) | (high[i] & 3) << 4);
            q[i + 32] = (uint8_t)((low[i + 32] & 15) | (high[i] >> 2 & 3) << 4);
            q[i + 64] = (uint8_t)(low[i] >> 4 | (high[i] >> 4 & 3) << 4);
            q[i + 96] = (uint8_t)(low[i + 32] >> 4 | (high[i] >> 6) << 4);
        }
    }
    for (int j = 0; j < 16; j++) {
        dst->scale[j] = d * (float)scale[j];
        dst->min[j] = 0;
    }
}

static void f32_to_f32(float *dst, const void *src, size_t n)
{
    memcpy(dst, src, n * sizeof *dst);
}

static void f16_to_f32(float *dst, const void *src, size_t n)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i++)
        dst[i] = half_at(p + 2 * i);
}

static void bf16_to_f32(float *dst, const void *src, size_t n)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)p[2 * i] << 16 | (uint32_t)p[2 * i + 1] << 24;
        memcpy(dst + i, &bits, sizeof bits);
    }
}

static const struct quant_type types[] = {
    /* id name len bytes bits group offset min f16 unpack to_f32 */
    {0, "F32", 1, 4, 0, 0, 0, 0, 0, NULL, f32_to_f32},
    {1, "F16", 1, 2, 0, 0, 0, 0, 0, NULL, f16_to_f32},
    {30, "BF16", 1, 2, 0, 0, 0, 0, 0, NULL, bf16_to_f32},
    {2, "Q4_0", 32, 18, 4, 32, 8, 0, 1, unpack_q4_0, NULL},
    {3, "Q4_1", 32, 20, 4, 32, 0, 1, 1, unpack_q4_1, NULL},
    {6, "Q5_0", 32, 22, 5, 32, 16, 0, 1, unpack_q5_0, NULL},
    {7, "Q5_1", 32, 24, 5, 32, 0, 1, 1, unpack_q5_1, NULL},
    {8, "Q8_0", 32, 34, 8, 32, 128, 0, 1, unpack_q8_0, NULL},
    {12, "Q4_K", 256, 144, 4, 32, 0, 1, 0, unpack_q4_k, NULL},
    {13, "Q5_K", 256, 176, 5, 32, 0, 1, 0, unpack_q5_k, NULL},
    {14, "Q6_K", 256, 210, 6, 16, 32, 0, 0, unpack_q6_k, NULL},
};

const struct quant_type *quant_type_find(uint32_t id)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].id == id)
            return &types[i];
    return NULL;
}

const char *quant_types_supported(void)
{
    return "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K";
}

size_t quant_row_bytes(const struct quant_type *t, size_t n)
{
    size_t bytes;
    if (n % t->block_len ||
        __builtin_mul_overflow(n / t->block_len, t->block_bytes, &bytes))
        return 0;
    return bytes;
}

void quant_dequantize(const struct quant_type *t, float *dst, const void *src, size_t n)
{
    const uint8_t *p = src;
    struct quant_codes c;

    if (t->to_f32) {
        t->to_f32(dst, src, n);
        return;
    }
    for (size_t i = 0; i < n; i += t->block_len, p += t->block_bytes) {
        t->unpack(&c, p);
        for (size_t j = 0; j < t->block_len; j++) {
            size_t g = j / t->group;
            dst[i + j] = c.scale[g] * (float)(c.q[j] - t->offset) + c.min[g];
        }
    }
}

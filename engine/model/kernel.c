/*
 * kernel.c: which kernel set this CPU runs, and the elementary functions on one number.
 * Pure; any thread.
 */
#include "model/kernel.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "model/kernel_set.h"

static int has_scalar(void)
{
    return 1;
}

#if defined(__x86_64__)
/* Every CPU with AVX2 converts half precision too (F16C is the older of the two). */
static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static int has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
}
#endif

/* Best first. */
static const struct {
    const struct kernel *kernel;
    int (*cpu_has)(void);
} sets[] = {
#if defined(__x86_64__)
    {&kernel_avx512, has_avx512},
    {&kernel_avx2, has_avx2},
#endif
    {&kernel_scalar, has_scalar},
};

enum cai_status kernel_find(const struct kernel **dst, const char *name, char *err,
                            size_t errlen)
{
    *dst = NULL;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        if (name && strcmp(name, sets[i].kernel->name) != 0)
            continue;
        if (sets[i].cpu_has()) {
            *dst = sets[i].kernel;
            return CAI_OK;
        }
        if (name)
            return err_set(CAI_UNSUPPORTED, err, errlen,
                           "kernel %s: this CPU lacks its instructions; leave the choice "
                           "to the program, or take scalar",
                           name);
    }
    return err_set(CAI_INVALID, err, errlen,
                   "no kernel is called \"%s\"; choose scalar, avx2 or avx512",
                   name ? name : "");
}

static float float_of(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static uint32_t bits_of(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

float kernel_expf(float x)
{
    float t, nf, r, p;
    uint32_t n, half;

    if (x > EXP_MAX)
        return INFINITY;
    if (x < EXP_MIN)
        return 0;
    if (isnan(x))
        return x;
    t = fmaf(x, EXP_LOG2E, EXP_ROUND);
    n = bits_of(t) - bits_of(EXP_ROUND); /* two's complement */
    nf = t - EXP_ROUND;
    r = fmaf(nf, -EXP_LN2_HI, x);
    r = fmaf(nf, -EXP_LN2_LO, r);
    p = fmaf(EXP_C7, r, EXP_C6);
    p = fmaf(p, r, EXP_C5);
    p = fmaf(p, r, EXP_C4);
    p = fmaf(p, r, EXP_C3);
    p = fmaf(p, r, EXP_C2);
    p = fmaf(p, r * r, r) + 1.0f;
    /* 2^n in two factors: n reaches 128. */
    half = (uint32_t)((int32_t)n >> 1);
    p *= float_of((half + 127) << 23);
    return p * float_of((n - half + 127) << 23);
}

/* log(2^n m), sqrt(1/2) <= m < sqrt(2): 2 atanh(s) + n ln 2 with s = (m - 1) / (m + 1);
 * |s| < 0.172, so the series stops at s^9. */
float kernel_logf(float x)
{
    uint32_t bits;
    int n = 0;
    float m, f, s, z, p, nf;

    if (x == 0)
        return -INFINITY;
    if (x < 0)
        return NAN;
    if (!(x < INFINITY))
        return x; /* +inf, NaN */
    if (x < 0x1p-126f) {
        x *= 0x1p24f;
        n = -24;
    }
    bits = bits_of(x);
    n += (int)(bits >> 23) - 127;
    m = float_of((bits & 0x7FFFFFu) | 0x3F800000u);
    if (m > 0x1.6a09e6p+0f) {
        m *= 0.5f;
        n++;
    }
    f = m - 1.0f; /* exact */
    s = f / (2.0f + f);
    z = s * s;
    p = fmaf(2.0f / 9.0f, z, 2.0f / 7.0f);
    p = fmaf(p, z, 2.0f / 5.0f);
    p = fmaf(p, z, 2.0f / 3.0f);
    /* log(m) = f - s (f - z p): f carries the leading bits exactly. */
    p = fmaf(-s, fmaf(-z, p, f), f);
    nf = (float)n;
    return fmaf(nf, EXP_LN2_HI, fmaf(nf, EXP_LN2_LO, p));
}

/* Taylor series in double on [-pi/4, pi/4]; errors below 1e-13. */
static double sin_poly(double r)
{
    double z = r * r;
    return r + r * z *
                   (-1.0 / 6 +
                    z * (1.0 / 120 +
                         z * (-1.0 / 5040 +
                              z * (1.0 / 362880 +
                                   z * (-1.0 / 39916800 + z * (1.0 / 6227020800.0))))));
}

static double cos_poly(double r)
{
    double z = r * r;
    return 1.0 +
           z * (-1.0 / 2 +
                z * (1.0 / 24 +
                     z * (-1.0 / 720 +
                          z * (1.0 / 40320 +
                               z * (-1.0 / 3628800 + z * (1.0 / 479001600.0 -
                                                          z * (1.0 / 87178291200.0)))))));
}

void kernel_sincosf(float *s, float *c, double angle)
{
    /* pi / 2 in two parts; the first has 33 bits, so its multiples by whole numbers below
     * 2^20 (an angle of 1.6 million) are exact. */
    static const double TWO_OVER_PI = 0x1.45f306dc9c883p-1;
    static const double HI = 0x1.921fb544p+0, LO = 0x1.0b4611a626331p-34;
    double n = (double)(int64_t)(angle * TWO_OVER_PI + (angle < 0 ? -0.5 : 0.5));
    double r = (angle - n * HI) - n * LO;
    double sine = sin_poly(r), cosine = cos_poly(r);

    switch ((int64_t)n & 3) {
    case 0:
        *s = (float)sine;
        *c = (float)cosine;
        break;
    case 1:
        *s = (float)cosine;
        *c = (float)-sine;
        break;
    case 2:
        *s = (float)-sine;
        *c = (float)-cosine;
        break;
    case 3:
        *s = (float)-cosine;
        *c = (float)sine;
        break;
    }
}

float kernel_shift(float largest)
{
    return isinf(largest) ? 0.0f : largest;
}

float kernel_lse_finish(float shift, float sum)
{
    return shift + kernel_logf(sum);
}

const char *cai_kernel_name(const char *wanted)
{
    const struct kernel *k;
    return kernel_find(&k, wanted, NULL, 0) == CAI_OK ? k->name : NULL;
}

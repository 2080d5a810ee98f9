/* kernel_set.h: what the kernel files share among themselves: the sets, the constants of
 * exp, and small tails that are the same for all. Not for anybody else.
 *
 * lora_a() and lora_b() stand in each kernel file although they read alike: each must
 * inline its own dot. Called through a pointer, lora_b() took 1.79 us instead of 0.73 for
 * 576 x 8 with AVX-512. */
#ifndef MODEL_KERNEL_SET_H
#define MODEL_KERNEL_SET_H

#include "model/kernel.h"

extern const struct kernel kernel_scalar;
#if defined(__x86_64__)
extern const struct kernel kernel_avx2;
extern const struct kernel kernel_avx512;
#endif

/* exp(x) = 2^n * e^r with n = round(x / ln 2), |r| <= ln 2 / 2, e^r by its Taylor series
 * to r^7 (the next term is below 6e-9). ln 2 is cut in two so that n * HI is exact. */
#define EXP_LOG2E  0x1.715476p+0f
#define EXP_ROUND  0x1.8p+23f /* adding it rounds to a whole number */
#define EXP_LN2_HI 0x1.62e400p-1f
#define EXP_LN2_LO 0x1.7f7d1cp-20f
#define EXP_C2     0.5f
#define EXP_C3     0x1.555556p-3f
#define EXP_C4     0x1.555556p-5f
#define EXP_C5     0x1.111112p-7f
#define EXP_C6     0x1.6c16c2p-10f
#define EXP_C7     0x1.a01a02p-13f
#define EXP_MAX    0x1.62e42ep+6f  /* above: +inf */
#define EXP_MIN    -0x1.5d58a0p+6f /* below: 0; no denormal results */

/* Blocks whose largest |x| is below this have scale 0: 127 / amax must stay finite. */
#define ACTS_TINY 0x1p-100f

/* log of the sum, given the largest and the sum of exp(x - shift). */
float kernel_lse_finish(float shift, float sum);
/* What exp arguments are taken relative to: 0 when the largest is infinite, so that
 * infinities and NaN come out as they should. */
float kernel_shift(float largest);

#endif

/*
 * exactmath.h: log and exp of doubles made of +, -, * and / alone, so that they have the
 * same bits under every C library and instruction set. For places where a handful of
 * values is needed; the kernels have fast ones. Relative error below 1e-13.
 * Test: tests/unit_sampler.c.
 */
#ifndef BASE_EXACTMATH_H
#define BASE_EXACTMATH_H

double exact_log(double x); /* 0 < x < inf */
double exact_exp(double x); /* -700 < x < 700 */

#endif

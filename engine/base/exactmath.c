/* exactmath.c: see exactmath.h. Pure functions. */
#include "base/exactmath.h"

#include <math.h>

#define LN_2 0.69314718055994530942

/* log x = e log 2 + 2 artanh((m - 1) / (m + 1)), m in [sqrt(1/2), sqrt(2)). */
double exact_log(double x)
{
    int exponent;
    double m = frexp(x, &exponent), r, r2, sum = 0;

    if (m < 0.70710678118654752440) {
        m *= 2;
        exponent--;
    }
    r = (m - 1) / (m + 1);
    r2 = r * r; /* at most 0.0295: eleven terms leave 1e-18 */
    for (int i = 21; i >= 1; i -= 2)
        sum = sum * r2 + 1.0 / i;
    return 2 * r * sum + exponent * LN_2;
}

double exact_exp(double x)
{
    double n = floor(x / LN_2 + 0.5), y = x - n * LN_2, sum = 1;

    for (int i = 20; i >= 1; i--) /* |y| at most 0.35 */
        sum = 1 + sum * y / i;
    return ldexp(sum, (int)n);
}

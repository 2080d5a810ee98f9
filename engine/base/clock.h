/* clock.h: time as an injectable function, so that tests need no sleeps. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_mono_us(void); /* never goes back; for rates and timeouts */
int64_t clock_wall_ms(void); /* since 1970, UTC; for records */

/* Test hook: both clocks read *fixed_us from now on (wall = that / 1000); NULL: real. */
void clock_test_set(const int64_t *fixed_us);

#endif

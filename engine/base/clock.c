/* clock.c: see clock.h. Any thread. */
#include "base/clock.h"

#include <stddef.h>
#include <time.h>

static const int64_t *fixed;

void clock_test_set(const int64_t *fixed_us)
{
    fixed = fixed_us;
}

static int64_t read_us(clockid_t id)
{
    struct timespec ts;
    if (fixed)
        return *fixed;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

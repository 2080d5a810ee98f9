/*
 * pool.h: the one thread pool. Slices of a matrix, nothing else.
 *
 * A job is a list of steps; a step is a number of items that do not depend on each other.
 * Steps run one after the other, the items of a step in any order on any threads, the
 * caller's included; whoever finishes the last item of a step opens the next. Nobody
 * waits for a thread that has not begun an item, so a job is never slower than one thread
 * when other programs hold the cores.
 *
 * Threads spin while they wait and shortly after a job, then park on a futex, so idle
 * costs nothing. One pool_run() at a time.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

#include "cai.h"

enum { POOL_MAX_ITEMS = 1 << 19, POOL_MAX_STEPS = 1 << 24 };

struct pool;

struct pool_job {
    size_t n_steps;
    /* Items of a step, at most POOL_MAX_ITEMS; 0: the step is left out. Asked when the
     * step before it is done, on any thread. */
    size_t (*n_items)(const void *arg, size_t step);
    void (*run)(void *arg, size_t step, size_t item, size_t i_thread);
    void *arg;
};

enum cai_status pool_new(struct pool **dst, int n_threads, char *err, size_t errlen);
void pool_free(struct pool *p);
int pool_n_threads(const struct pool *p);
/* Returns when every item of every step is done. */
void pool_run(struct pool *p, const struct pool_job *job);

#endif

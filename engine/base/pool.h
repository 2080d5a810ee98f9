/*
 * pool.h: the one thread pool. Slices of a matrix, nothing else.
 *
 * pool_run() calls fn(arg, i, n) on n threads at once, the caller being i = 0, and
 * returns when all are done. Inside fn, pool_barrier() makes every thread wait for the
 * others. Threads spin inside a run and shortly after it, then park on a futex, so idle
 * costs nothing. One pool_run() at a time.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "cai.h"

struct pool;
typedef void pool_fn(void *arg, int i_thread, int n_threads);

enum cai_status pool_new(struct pool **dst, int n_threads, char *err, size_t errlen);
void pool_free(struct pool *p);
int pool_n_threads(const struct pool *p);
void pool_run(struct pool *p, pool_fn *fn, void *arg);
void pool_barrier(struct pool *p);

#endif

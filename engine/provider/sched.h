/*
 * sched.h: packs the requests of all jobs into each pass of a provider.
 *
 * Interactive requests pass before background ones: while one is waiting or under way the
 * others rest. A cancelled request ends at the next pass with the text it has. Nothing
 * here waits: sched_step() says when there is more to do.
 *
 * Thread: the worker's. Test: tests/unit_sched.c.
 */
#ifndef PROVIDER_SCHED_H
#define PROVIDER_SCHED_H

#include "provider/provider.h"

enum { SCHED_MAX_ACTIVE = 16 }; /* generations in one pass */

struct sched;

/* The provider must outlive it. NULL: out of memory. */
struct sched *sched_new(struct provider *p);
/* Every request must have ended. */
void sched_free(struct sched *s);

/* Queues a request. May be called from on_done(). CAI_NOMEM: on_done is not called and
 * the request was freed. */
enum cai_status sched_submit(struct sched *s, struct provider_request *take_r);

/* One pass. waited: the wait the last step asked for is over. 0: there is nothing to do
 * until something is submitted; else 1, and *wait_us is how long nothing will move by
 * itself (0: step again at once). A cancel or a new request is reason enough to step
 * earlier. */
int sched_step(struct sched *s, int waited, int64_t *wait_us);

#endif

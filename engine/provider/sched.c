/*
 * sched.c: see sched.h. Owns the requests under way and their order; refuses to know what
 * a request is for.
 */
#include "provider/sched.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

struct item {
    struct item *next;
    struct gen gen;
    int begun;
};

struct sched {
    struct provider *provider;
    struct item *first; /* in the order of submission */
    size_t n_begun;
    int64_t now_us;  /* the clock, or later when a wait ended that the clock slept through
                        (a clock held still by a test) */
    int64_t wake_us; /* what the last pass waits for; 0: nothing */
};

struct sched *sched_new(struct provider *p)
{
    struct sched *s = mem_alloc(1, sizeof *s);
    if (s)
        s->provider = p;
    return s;
}

static void item_free(struct item *it)
{
    provider_request_free(it->gen.req);
    provider_result_clear(&it->gen.result);
    strbuf_free(&it->gen.bytes);
    mem_free(it);
}

void sched_free(struct sched *s)
{
    mem_free(s);
}

enum cai_status sched_submit(struct sched *s, struct provider_request *take_r)
{
    struct item *it = mem_alloc(1, sizeof *it), **at = &s->first;

    if (!it) {
        provider_request_free(take_r);
        return CAI_NOMEM;
    }
    it->gen.req = take_r;
    it->gen.bytes.max_bytes = (size_t)1 << 26;
    while (*at)
        at = &(*at)->next;
    *at = it;
    return CAI_OK;
}

static int is_cancelled(const struct item *it)
{
    return it->gen.req->cancel && atomic_load(it->gen.req->cancel);
}

/* Hands over the results of what is done. The list is walked anew after each, because
 * on_done() may submit. */
static void complete(struct sched *s)
{
    struct item **at = &s->first, *it;

    while ((it = *at)) {
        if (!it->gen.done) {
            at = &it->next;
            continue;
        }
        *at = it->next;
        if (it->begun) {
            s->provider->ops->end(s->provider, &it->gen);
            s->n_begun--;
        }
        it->gen.req->on_done(it->gen.req->arg, &it->gen.result);
        item_free(it);
        at = &s->first;
    }
}

static int any_interactive(const struct sched *s)
{
    for (const struct item *it = s->first; it; it = it->next)
        if (!it->gen.req->background)
            return 1;
    return 0;
}

/* Begins what may run now, in order. One that finds no room waits for another to end,
 * and so do those behind it. */
static void admit(struct sched *s, int background)
{
    char err[ERR_MAX] = "";

    for (struct item *it = s->first; it && s->n_begun < SCHED_MAX_ACTIVE; it = it->next) {
        enum cai_status st;
        if (it->begun || it->gen.done || !!it->gen.req->background != background)
            continue;
        it->gen.begun_us = s->now_us;
        st = s->provider->ops->begin(s->provider, &it->gen, s->now_us, err, sizeof err);
        if (st == CAI_BUSY && s->n_begun)
            return;
        if (st != CAI_OK) {
            gen_fail(&it->gen, st == CAI_BUSY ? CAI_LIMIT : st, err);
            continue;
        }
        it->begun = 1;
        s->n_begun++;
    }
}

/* Those of one kind that can move. */
static size_t collect(const struct sched *s, int background, struct gen **gens)
{
    size_t n = 0;

    for (struct item *it = s->first; it && n < SCHED_MAX_ACTIVE; it = it->next)
        if (it->begun && !it->gen.done && !!it->gen.req->background == background)
            gens[n++] = &it->gen;
    return n;
}

int sched_step(struct sched *s, int waited, int64_t *wait_us)
{
    struct gen *gens[SCHED_MAX_ACTIVE];
    int64_t clock_us = clock_mono_us(), next_us = 0;
    char err[ERR_MAX] = "";
    enum cai_status st = CAI_OK;
    size_t n;
    int background;

    *wait_us = 0;
    if (waited && s->wake_us > s->now_us)
        s->now_us = s->wake_us;
    if (clock_us > s->now_us)
        s->now_us = clock_us;
    for (struct item *it = s->first; it; it = it->next)
        if (is_cancelled(it))
            gen_finish(&it->gen, CAI_FINISH_CANCELLED);
    complete(s);

    background = !any_interactive(s);
    admit(s, background);
    n = collect(s, background, gens);
    /* An interactive one may be waiting for the room a background one holds. */
    if (n == 0 && !background)
        n = collect(s, 1, gens);
    if (n)
        st = s->provider->ops->step(s->provider, gens, n, s->now_us, &next_us, err,
                                    sizeof err);
    for (size_t i = 0; i < n && st != CAI_OK; i++)
        if (!gens[i]->done)
            gen_fail(gens[i], st, err);
    complete(s);
    s->wake_us = next_us;
    if (next_us > s->now_us)
        *wait_us = next_us - s->now_us;
    return s->first != NULL;
}

/*
 * pool.c: see pool.h. One word says which item of which step is next; an item is taken by
 * adding one to it. Because the word also holds the number of items, a thread that wakes
 * late, even in another job, knows from that one addition whether it has an item.
 *
 * Threads without an item wait for the phase word to change: first spinning, then on a
 * futex, so a step costs some 0.1 us while everybody runs, and nothing burns a core for
 * longer than SPIN_MOST. How long to spin is learnt: a wait that ends in sleep halves it,
 * one that did not doubles it. When other programs hold the cores, spinning only keeps
 * our own next thread from running.
 *
 * Refuses queues, priorities and nesting. Thread: pool_run() from one thread at a time.
 */
#include "base/pool.h"

#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/thread.h"

enum {
    POOL_MAX_THREADS = 256,
    /* Pauses of 24 ns (Zen 5) to 60 ns: from 3 us and 400 us on. */
    SPIN_LEAST = 128,
    SPIN_MOST = 16384,
    CACHE_LINE = 64,
};

/* A word that threads wait on until it changes. Alone on its cache line. */
struct wait_word {
    _Alignas(CACHE_LINE) atomic_uint value;
    atomic_int sleepers;
    atomic_int spin_rounds; /* before sleeping; a hint, so races on it do not matter */
};

struct worker {
    struct pool *pool;
    pthread_t thread;
    int index;
};

/* The next item: step << 40 | number of items << 20 | item. */
enum { ITEM_BITS = 20 };
#define ITEM_MASK (((uint64_t)1 << ITEM_BITS) - 1)

struct pool {
    struct wait_word phase; /* +1 per step */
    _Alignas(CACHE_LINE) atomic_uint_fast64_t next;
    _Alignas(CACHE_LINE) atomic_size_t left; /* unfinished items of this step */
    atomic_int finished, stop;
    int n_threads, n_started; /* n_started: workers to join */
    const struct pool_job *job;
    struct worker *workers; /* (n_threads - 1) */
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static void wait_until_not(struct wait_word *w, unsigned old)
{
    int rounds = atomic_load_explicit(&w->spin_rounds, memory_order_relaxed);

    for (int i = 0; i < rounds; i++) {
        if (atomic_load_explicit(&w->value, memory_order_acquire) != old) {
            if (rounds < SPIN_MOST)
                atomic_store_explicit(&w->spin_rounds, 2 * rounds, memory_order_relaxed);
            return;
        }
        relax();
    }
    if (rounds > SPIN_LEAST)
        atomic_store_explicit(&w->spin_rounds, rounds / 2, memory_order_relaxed);
    while (atomic_load(&w->value) == old) {
        atomic_fetch_add(&w->sleepers, 1);
        if (atomic_load(&w->value) == old)
            syscall(SYS_futex, &w->value, FUTEX_WAIT_PRIVATE, old, NULL, NULL, 0);
    }
}

/* The sleeper counts itself before it looks, we change before we count: one of the two
 * sees the other. Taking the count to zero spares the next call a system call while they
 * are on their way. */
static void advance(struct wait_word *w)
{
    atomic_fetch_add(&w->value, 1);
    if (atomic_exchange(&w->sleepers, 0) > 0)
        syscall(SYS_futex, &w->value, FUTEX_WAKE_PRIVATE, POOL_MAX_THREADS, NULL, NULL,
                0);
}

/* Opens the first step from `step` on that has items, or ends the job. */
static void open_step(struct pool *p, size_t step)
{
    const struct pool_job *job = p->job;
    size_t n = 0;

    while (step < job->n_steps && (n = job->n_items(job->arg, step)) == 0)
        step++;
    assert(n <= POOL_MAX_ITEMS && step <= POOL_MAX_STEPS);
    if (step == job->n_steps) {
        atomic_store(&p->next, 0); /* no items: nobody touches the job any more */
        atomic_store(&p->finished, 1);
    } else {
        atomic_store(&p->left, n);
        atomic_store(&p->next,
                     (uint64_t)step << 2 * ITEM_BITS | (uint64_t)n << ITEM_BITS);
    }
    advance(&p->phase);
}

/* Takes and runs one item; 0 when there is none now. An attempt in vain adds one as well:
 * at most two per thread and step, which the item's bits have room for. */
static int run_one(struct pool *p, size_t i_thread)
{
    uint64_t taken = atomic_fetch_add(&p->next, 1);
    size_t item = taken & ITEM_MASK, n = taken >> ITEM_BITS & ITEM_MASK,
           step = taken >> 2 * ITEM_BITS;

    if (item >= n)
        return 0;
    p->job->run(p->job->arg, step, item, i_thread);
    if (atomic_fetch_sub(&p->left, 1) == 1)
        open_step(p, step + 1);
    return 1;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct pool *p = w->pool;

    for (;;) {
        unsigned phase = atomic_load(&p->phase.value);
        if (atomic_load(&p->stop))
            return NULL;
        if (!run_one(p, (size_t)w->index))
            wait_until_not(&p->phase, phase);
    }
}

void pool_run(struct pool *p, const struct pool_job *job)
{
    p->job = job;
    atomic_store(&p->finished, 0);
    open_step(p, 0);
    for (;;) {
        unsigned phase = atomic_load(&p->phase.value);
        if (atomic_load(&p->finished))
            return;
        if (!run_one(p, 0))
            wait_until_not(&p->phase, phase);
    }
}

/* Spinning helps only when everybody has a core. */
static int spin_rounds_for(int n_threads)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) < n_threads)
        return 0;
    return SPIN_MOST;
}

enum cai_status pool_new(struct pool **dst, int n_threads, char *err, size_t errlen)
{
    enum cai_status st = CAI_OK;
    struct pool *p = NULL;
    int rc;

    *dst = NULL;
    if (n_threads < 1 || n_threads > POOL_MAX_THREADS)
        return err_set(CAI_INVALID, err, errlen,
                       "%d threads; choose a number from 1 to %d", n_threads,
                       POOL_MAX_THREADS);
    p = mem_aligned(CACHE_LINE, sizeof *p);
    if (!p)
        return err_nomem(err, errlen, "the thread pool");
    p->n_threads = n_threads;
    atomic_init(&p->phase.spin_rounds, spin_rounds_for(n_threads));
    p->workers = mem_alloc((size_t)n_threads, sizeof *p->workers);
    if (!p->workers) {
        st = err_nomem(err, errlen, "the thread pool");
        goto out;
    }
    for (int i = 1; i < n_threads && st == CAI_OK; i++) {
        struct worker *w = &p->workers[i - 1];
        w->pool = p;
        w->index = i;
        rc = thread_start(&w->thread, worker_main, w);
        if (rc)
            st = err_set(CAI_IO, err, errlen, "cannot start thread %d of %d: %s", i + 1,
                         n_threads, strerror(rc));
        else
            p->n_started++;
    }
    if (st != CAI_OK)
        goto out;
    *dst = p;
    p = NULL;
out:
    pool_free(p);
    return st;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    atomic_store(&p->stop, 1);
    advance(&p->phase);
    for (int i = 0; i < p->n_started; i++)
        pthread_join(p->workers[i].thread, NULL);
    mem_free(p->workers);
    mem_free(p);
}

int pool_n_threads(const struct pool *p)
{
    return p->n_threads;
}

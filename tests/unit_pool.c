/* unit_pool.c: every item runs once, steps hold, an idle pool costs nothing. */
#include "testing.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/pool.h"

enum { STEPS = 200 };

struct job {
    size_t n_threads;
    atomic_size_t done[STEPS]; /* items finished per step */
    atomic_int too_soon;       /* items that began before the step before was done */
    atomic_int strangers;      /* items on a thread that does not exist */
};

/* 0, 1, 2, ... 10, 0, 1, ...: also fewer items than threads, and none. */
static size_t n_items(const void *arg, size_t step)
{
    (void)arg;
    return step % 11;
}

static void count_item(void *arg, size_t step, size_t item, size_t i_thread)
{
    struct job *j = arg;

    (void)item;
    if (step && atomic_load(&j->done[step - 1]) != n_items(j, step - 1))
        atomic_fetch_add(&j->too_soon, 1);
    if (i_thread >= j->n_threads)
        atomic_fetch_add(&j->strangers, 1);
    atomic_fetch_add(&j->done[step], 1);
}

static void run(struct pool *p, struct job *j)
{
    for (size_t i = 0; i < STEPS; i++)
        atomic_store(&j->done[i], 0);
    pool_run(p, &(struct pool_job){STEPS, n_items, count_item, j});
    for (size_t i = 0; i < STEPS; i++)
        assert_int_equal(atomic_load(&j->done[i]), n_items(j, i));
}

static void every_item_runs_once_and_steps_hold(void **state)
{
    struct pool *p = NULL;
    char err[256];

    (void)state;
    for (int n = 1; n <= 9; n += 2) { /* also more threads than cores */
        struct job j = {.n_threads = (size_t)n};
        assert_int_equal(pool_new(&p, n, err, sizeof err), CAI_OK);
        assert_int_equal(pool_n_threads(p), n);
        for (int i = 0; i < 50; i++)
            run(p, &j);
        assert_int_equal(atomic_load(&j.too_soon), 0);
        assert_int_equal(atomic_load(&j.strangers), 0);
        pool_run(p, &(struct pool_job){0, n_items, count_item, &j}); /* no steps */
        pool_run(p, &(struct pool_job){1, n_items, count_item, &j}); /* no items */
        pool_free(p);
    }
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void an_idle_pool_uses_no_cpu(void **state)
{
    struct timespec settle = {0, 100 * 1000 * 1000}, idle = {0, 300 * 1000 * 1000};
    struct job j = {.n_threads = 4};
    struct pool *p = NULL;
    double before;
    char err[256];

    (void)state;
    assert_int_equal(pool_new(&p, 4, err, sizeof err), CAI_OK);
    run(p, &j);
    nanosleep(&settle, NULL); /* the spinning after a job is over by then */
    before = cpu_seconds();
    nanosleep(&idle, NULL);
    assert_true(cpu_seconds() - before < 0.003);
    run(p, &j); /* and it wakes again */
    pool_free(p);
}

static void refusals_and_lack_of_memory(void **state)
{
    struct pool *p = NULL;
    char err[256];

    (void)state;
    assert_int_equal(pool_new(&p, 0, err, sizeof err), CAI_INVALID);
    assert_int_equal(pool_new(&p, 1000, err, sizeof err), CAI_INVALID);
    for (unsigned long k = 1; k <= 2; k++) {
        mem_test_fail(k, 0);
        assert_int_equal(pool_new(&p, 2, err, sizeof err), CAI_NOMEM);
        mem_test_fail(0, 0);
        assert_null(p);
    }
    pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_runs_once_and_steps_hold),
        cmocka_unit_test(an_idle_pool_uses_no_cpu),
        cmocka_unit_test(refusals_and_lack_of_memory),
    };
    cai_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

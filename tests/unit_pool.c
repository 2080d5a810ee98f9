/* unit_pool.c: every slice runs, barriers hold, an idle pool costs nothing. */
#include "testing.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/pool.h"

enum { ROUNDS = 200 };

struct job {
    struct pool *pool;
    atomic_int turn;     /* threads that reached this round */
    atomic_int too_soon; /* barriers that let somebody pass early */
    int seen[16];        /* calls per slice */
};

static void count_slices(void *arg, int i, int n)
{
    struct job *j = arg;
    assert_true(i < n && n <= 16);
    j->seen[i]++;
}

static void many_barriers(void *arg, int i, int n)
{
    struct job *j = arg;

    (void)i;
    for (int round = 1; round <= ROUNDS; round++) {
        atomic_fetch_add(&j->turn, 1);
        pool_barrier(j->pool);
        if (atomic_load(&j->turn) != round * n)
            atomic_fetch_add(&j->too_soon, 1);
        pool_barrier(j->pool);
    }
}

static void every_slice_runs_once_per_run(void **state)
{
    char err[256];

    (void)state;
    for (int n = 1; n <= 9; n += 2) { /* also more threads than cores */
        struct job j = {0};
        assert_int_equal(pool_new(&j.pool, n, err, sizeof err), CAI_OK);
        assert_int_equal(pool_n_threads(j.pool), n);
        for (int run = 0; run < 50; run++)
            pool_run(j.pool, count_slices, &j);
        for (int i = 0; i < 16; i++)
            assert_int_equal(j.seen[i], i < n ? 50 : 0);
        pool_free(j.pool);
    }
}

static void nobody_passes_a_barrier_early(void **state)
{
    char err[256];

    (void)state;
    for (int n = 1; n <= 8; n *= 2) {
        struct job j = {0};
        assert_int_equal(pool_new(&j.pool, n, err, sizeof err), CAI_OK);
        for (int run = 0; run < 3; run++) {
            atomic_store(&j.turn, 0);
            pool_run(j.pool, many_barriers, &j);
        }
        assert_int_equal(atomic_load(&j.too_soon), 0);
        pool_free(j.pool);
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
    struct job j = {0};
    double before;
    char err[256];

    (void)state;
    assert_int_equal(pool_new(&j.pool, 4, err, sizeof err), CAI_OK);
    pool_run(j.pool, count_slices, &j);
    nanosleep(&settle, NULL); /* the spinning after a run is over by then */
    before = cpu_seconds();
    nanosleep(&idle, NULL);
    assert_true(cpu_seconds() - before < 0.003);
    pool_run(j.pool, count_slices, &j); /* and it wakes again */
    assert_int_equal(j.seen[3], 2);
    pool_free(j.pool);
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
        cmocka_unit_test(every_slice_runs_once_per_run),
        cmocka_unit_test(nobody_passes_a_barrier_early),
        cmocka_unit_test(an_idle_pool_uses_no_cpu),
        cmocka_unit_test(refusals_and_lack_of_memory),
    };
    cai_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

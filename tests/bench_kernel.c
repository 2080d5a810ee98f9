/*
 * bench_kernel.c: speed of the matmuls of the default model's shape on random weights.
 *
 *   decode   the 121 matmul steps of one token (QKV and gate + up as one step each), with
 *            a barrier after each: ms, GB/s of packed weights, tokens/s they alone allow
 *   M=64,512 the seven matrices of one layer: GOPS (2 per multiply-add), tokens/s of 30
 *
 * Usage: bench_kernel [kernel ...]. Medians of 9 runs, threads interleaved.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pool.h"
#include "model/kernel.h"

enum { LAYERS = 30, PER_LAYER = 7, RUNS = 9, HIDDEN = 576, FFN = 1536, VOCAB = 49152 };

enum { ITEMS_PER_THREAD = 4 }; /* as the forward pass does */

/* Outputs, inputs, and whether a step ends here. */
static const struct {
    size_t n, k;
    int last_of_step;
} shapes[PER_LAYER] = {
    {576, HIDDEN, 0},  {192, HIDDEN, 0},  {192, HIDDEN, 1}, {576, HIDDEN, 1},
    {1536, HIDDEN, 0}, {1536, HIDDEN, 1}, {576, FFN, 1},
};

struct bench {
    const struct kernel *set;
    struct pool *pool;
    struct matrix w[LAYERS * PER_LAYER + 1]; /* the last is the head */
    struct acts narrow, wide;                /* K = 576, K = 1536 */
    float *y;
    size_t first, last; /* matrices to run */
};

static void die(const char *msg)
{
    fprintf(stderr, "bench_kernel: %s\n", msg);
    exit(1);
}

/* Matrices of a step: up to the next one that ends a step, or the head alone. */
static size_t step_end(const struct bench *b, size_t at)
{
    while (at + 1 < b->last && at != LAYERS * PER_LAYER &&
           !shapes[at % PER_LAYER].last_of_step)
        at++;
    return at + 1;
}

/* An item is a share of the outputs of every matrix of its step. */
static size_t n_items(const void *arg, size_t step)
{
    const struct bench *b = arg;
    (void)step;
    return (size_t)pool_n_threads(b->pool) * ITEMS_PER_THREAD;
}

static void run(void *arg, size_t step, size_t i, size_t i_thread)
{
    struct bench *b = arg;
    size_t n = n_items(b, step), at = b->first, end;

    (void)i_thread;
    for (size_t s = 0; s < step; s++)
        at = step_end(b, at);
    end = step_end(b, at);
    for (; at < end; at++) {
        const struct matrix *w = &b->w[at];
        size_t groups = matrix_n_groups(w), g0 = groups * i / n,
               g1 = groups * (i + 1) / n;
        b->set->matmul(w, w->k == FFN ? &b->wide : &b->narrow, b->y + g0 * 16, w->n, g0,
                       g1);
    }
}

static size_t n_steps(const struct bench *b)
{
    size_t n = 0;
    for (size_t at = b->first; at < b->last; n++)
        at = step_end(b, at);
    return n;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median, least and largest milliseconds with each of two pools, taken in turns. */
static void measure(struct bench *b, struct pool *pools[2], int runs, double ms[2][3])
{
    double t[2][RUNS];

    for (int r = -1; r < runs; r++) /* one to warm up */
        for (int p = 0; p < 2; p++) {
            int64_t start = clock_mono_us();
            b->pool = pools[p];
            pool_run(pools[p], &(struct pool_job){n_steps(b), n_items, run, b});
            if (r >= 0)
                t[p][r] = (double)(clock_mono_us() - start) / 1e3;
        }
    for (int p = 0; p < 2; p++) {
        qsort(t[p], (size_t)runs, sizeof t[p][0], by_value);
        ms[p][0] = t[p][runs / 2];
        ms[p][1] = t[p][0];
        ms[p][2] = t[p][runs - 1];
    }
}

static void pack_random(struct matrix *w, struct matrix_arena *arena, uint32_t type,
                        size_t n, size_t k)
{
    const struct quant_type *t = quant_type_find(type);
    size_t bytes = quant_row_bytes(t, k) * n;
    uint8_t *rows = malloc(bytes);
    char err[256];

    if (!rows)
        die("out of memory");
    for (size_t i = 0; i < bytes; i++)
        rows[i] = (uint8_t)((i * 2654435761u) >> 13);
    for (size_t i = 0; i < bytes; i += t->block_bytes) /* scale and minimum: 0.01 */
        for (size_t j = 0; j < (t->has_min ? 4u : 2u); j++)
            rows[i + j] = j % 2 ? 0x21 : 0x1F;
    if (matrix_pack(w, arena, t, rows, n, k, err, sizeof err) != CAI_OK)
        die(err);
    free(rows);
}

static void fill(struct acts *a, size_t m, size_t k)
{
    char err[256];

    if (acts_init(a, m, k, err, sizeof err) != CAI_OK)
        die(err);
    a->m = m;
    a->k = k;
    for (size_t i = 0; i < m * k; i++)
        a->x[i] = (float)((i * 2654435761u >> 8) % 2001) / 1000 - 1;
}

static void bench_set(struct bench *b, struct pool *pools[2])
{
    int slow = strcmp(b->set->name, "scalar") == 0;
    double ms[2][3], weights = 0, macs = 0;

    b->narrow.m = b->wide.m = 1;
    b->set->quantize(&b->narrow, 0, 1, 0, HIDDEN);
    b->set->quantize(&b->wide, 0, 1, 0, FFN);
    b->first = 0;
    b->last = LAYERS * PER_LAYER + 1;
    for (size_t i = 0; i < b->last; i++)
        weights += (double)b->w[i].bytes;
    measure(b, pools, slow ? 1 : RUNS, ms);
    for (int p = 0; p < 2; p++)
        printf("%-7s %dT decode  %8.2f ms [%.2f-%.2f]  %6.1f GB/s  %7.1f tok/s\n",
               b->set->name, p + 1, ms[p][0], ms[p][1], ms[p][2],
               weights / ms[p][0] / 1e6, 1e3 / ms[p][0]);
    b->last = PER_LAYER;
    for (size_t i = 0; i < b->last; i++)
        macs += (double)b->w[i].n * (double)b->w[i].k;
    for (size_t m = 64; m <= 512; m *= 8) {
        if (slow && m > 64)
            continue;
        b->narrow.m = b->wide.m = m;
        b->set->quantize(&b->narrow, 0, m, 0, HIDDEN);
        b->set->quantize(&b->wide, 0, m, 0, FFN);
        measure(b, pools, slow ? 1 : RUNS, ms);
        for (int p = 0; p < 2; p++)
            printf("%-7s %dT M=%-4zu  %8.2f ms [%.2f-%.2f]  %6.0f GOPS  %7.1f tok/s\n",
                   b->set->name, p + 1, m, ms[p][0], ms[p][1], ms[p][2],
                   2 * macs * (double)m / ms[p][0] / 1e6,
                   (double)m * 1e3 / ms[p][0] / LAYERS);
    }
}

int main(int argc, char **argv)
{
    static const char *const all[] = {"avx512", "avx2", "scalar"};
    static struct bench b;
    struct matrix_arena arena;
    struct pool *pools[2];
    char err[256];

    cai_init();
    if (matrix_arena_init(&arena, (size_t)128 << 20, err, sizeof err) != CAI_OK ||
        pool_new(&pools[0], 1, err, sizeof err) != CAI_OK ||
        pool_new(&pools[1], 2, err, sizeof err) != CAI_OK)
        die(err);
    for (size_t i = 0; i < LAYERS * PER_LAYER; i++)
        pack_random(&b.w[i], &arena, 3, shapes[i % PER_LAYER].n, shapes[i % PER_LAYER].k);
    pack_random(&b.w[LAYERS * PER_LAYER], &arena, 8, VOCAB, HIDDEN);
    fill(&b.narrow, 512, HIDDEN);
    fill(&b.wide, 512, FFN);
    b.y = calloc((size_t)512 * FFN, sizeof *b.y);
    if (!b.y)
        die("out of memory");
    for (int i = 0; i < (argc > 1 ? argc - 1 : 3); i++) {
        if (kernel_find(&b.set, argc > 1 ? argv[i + 1] : all[i], err, sizeof err) !=
            CAI_OK) {
            printf("skipped: %s\n", err);
            continue;
        }
        bench_set(&b, pools);
    }
    pool_free(pools[0]);
    pool_free(pools[1]);
    acts_free(&b.narrow);
    acts_free(&b.wide);
    matrix_arena_free(&arena);
    free(b.y);
    return 0;
}

/*
 * unit_kernel.c: every kernel set against arithmetic in double (K1, K6), against each
 * other and itself over batch splits, row-group splits and threads (K2, bit for bit), and
 * on numbers that are none (K3).
 */
#include "testing.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "model/kernel.h"

enum { M_MAX = 40 };

static const char *const set_names[] = {"scalar", "avx2", "avx512"};
static const uint32_t type_ids[] = {0, 1, 30, 2, 3, 6, 7, 8, 12, 13, 14};

static uint32_t rng_counter;

static uint32_t random_u32(void)
{
    struct rng_stream s = rng_stream_make(1, RNG_TEST, 0, 0);
    rng_counter++;
    return rng_u32(&s, rng_counter >> 16, rng_counter & 0xFFFF);
}

static float random_float(void)
{
    return (float)((double)random_u32() / 0x1p31 - 1.0);
}

/* NULL when this CPU lacks the set; the reason is printed. */
static const struct kernel *set_or_null(const char *name)
{
    const struct kernel *k;
    char err[256];

    if (kernel_find(&k, name, err, sizeof err) == CAI_OK)
        return k;
    printf("reason: %s\n", err);
    return NULL;
}

/* Two numbers are the same when their bits are, or when both are NaN. */
static void assert_same_floats(const float *a, const float *b, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(a + i, b + i, sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            fail_msg("%s: element %zu is %a, not %a", what, i, (double)b[i],
                     (double)a[i]);
}

/* A tensor of random codes with sane scales, its fp32 twin and its packed form. */
struct tensor {
    const struct quant_type *type;
    size_t n, k;
    uint8_t *rows;
    float *plain;
    struct matrix_arena arena;
    struct matrix w;
};

static void put_half(uint8_t *p, float f)
{
    uint16_t h = quant_f32_to_f16(f);
    memcpy(p, &h, sizeof h);
}

static void fill_rows(struct tensor *t, size_t bytes)
{
    const struct quant_type *q = t->type;
    size_t d_at = q->bits == 6 ? 208 : 0;

    for (size_t i = 0; i < bytes; i++)
        t->rows[i] = (uint8_t)(random_u32() >> 7);
    for (size_t i = 0; i < bytes; i += q->block_bytes) {
        uint8_t *p = t->rows + i;
        float f = random_float();
        if (q->block_bytes == 4) {
            memcpy(p, &f, sizeof f);
        } else if (q->block_len == 1) { /* F16; the same bits are a sane BF16 */
            put_half(p, f);
        } else {
            put_half(p + d_at, f * 0.1f);
            if (q->has_min)
                put_half(p + 2, random_float());
        }
    }
}

static void tensor_make(struct tensor *t, uint32_t type_id, size_t n, size_t k)
{
    char err[256] = "";
    size_t row_bytes;

    memset(t, 0, sizeof *t);
    t->type = quant_type_find(type_id);
    t->n = n;
    t->k = k;
    row_bytes = quant_row_bytes(t->type, k);
    t->rows = malloc(n * row_bytes);
    t->plain = malloc(n * k * sizeof *t->plain);
    fill_rows(t, n * row_bytes);
    for (size_t i = 0; i < n; i++)
        quant_dequantize(t->type, t->plain + i * k, t->rows + i * row_bytes, k);
    assert_int_equal(matrix_arena_init(&t->arena, matrix_bytes(t->type, n, k), err,
                                       sizeof err),
                     CAI_OK);
    assert_int_equal(matrix_pack(&t->w, &t->arena, t->type, t->rows, n, k, err,
                                 sizeof err),
                     CAI_OK);
}

static void tensor_free(struct tensor *t)
{
    free(t->rows);
    free(t->plain);
    matrix_arena_free(&t->arena);
}

static void acts_make(struct acts *a, size_t m, size_t k)
{
    char err[256];

    assert_int_equal(acts_init(a, m, k, err, sizeof err), CAI_OK);
    a->m = m;
    a->k = k;
    for (size_t i = 0; i < m * k; i++)
        a->x[i] = random_float() * 3;
}

/* (m, n) in double; also sum of squares of each row of the result. */
static void reference(double *y, const struct tensor *t, const struct acts *a)
{
    for (size_t m = 0; m < a->m; m++)
        for (size_t n = 0; n < t->n; n++) {
            const float *w = t->plain + n * t->k, *x = a->x + m * t->k;
            double s0 = 0, s1 = 0;
            for (size_t i = 0; i + 1 < t->k; i += 2) {
                s0 += (double)w[i] * (double)x[i];
                s1 += (double)w[i + 1] * (double)x[i + 1];
            }
            if (t->k % 2)
                s0 += (double)w[t->k - 1] * (double)x[t->k - 1];
            y[m * t->n + n] = s0 + s1;
        }
}

static double nmse(const double *want, const float *got, size_t n)
{
    double err = 0, norm = 0;

    for (size_t i = 0; i < n; i++) {
        err += (want[i] - (double)got[i]) * (want[i] - (double)got[i]);
        norm += want[i] * want[i];
    }
    return err / norm;
}

/* ------------------------------------------------------------------ K1, K2, K6 */

/* All sets at 40 rows equal in bits and near the truth; every smaller batch gives the
 * bits of the large one. */
static void check_shape(uint32_t type_id, size_t n, size_t k, size_t m_all)
{
    struct tensor t;
    struct acts a;
    double *want = malloc(m_all * n * sizeof *want);
    float *first = malloc(m_all * n * sizeof *first), *y = calloc(m_all * n, sizeof *y);
    size_t n_groups;
    int have_first = 0;
    char what[128];

    tensor_make(&t, type_id, n, k);
    acts_make(&a, m_all, k);
    n_groups = matrix_n_groups(&t.w);
    reference(want, &t, &a);
    for (size_t s = 0; s < sizeof set_names / sizeof *set_names; s++) {
        const struct kernel *set;
        char err[256];
        double limit = t.type->bits ? 5e-4 : 1e-6;

        if (kernel_find(&set, set_names[s], err, sizeof err) != CAI_OK)
            continue; /* every_set_is_here says so */
        a.m = m_all;
        if (t.type->bits)
            set->quantize(&a, 0, m_all, 0, k);
        set->matmul(&t.w, &a, y, n, 0, n_groups);
        if (!have_first) {
            memcpy(first, y, m_all * n * sizeof *y);
            for (size_t m = 1; m <= m_all; m++) {
                double e = nmse(want, y, m * n);
                if (!(e <= limit))
                    fail_msg("%s %zux%zu, %zu rows: NMSE %g", t.type->name, n, k, m, e);
            }
        }
        snprintf(what, sizeof what, "%s %s %zux%zu, %zu rows", set_names[s], t.type->name,
                 n, k, m_all);
        assert_same_floats(first, y, m_all * n, what);
        /* scalar is slow: every split on the small shapes, which have every tail */
        for (size_t m = 1; m < m_all; m += have_first || n * k <= 17 * 576 ? 1 : 13) {
            snprintf(what, sizeof what, "%s %s %zux%zu, %zu of %zu rows", set_names[s],
                     t.type->name, n, k, m, m_all);
            memset(y, 0xFF, m * n * sizeof *y);
            a.m = m;
            set->matmul(&t.w, &a, y, n, 0, n_groups);
            assert_same_floats(first, y, m * n, what);
        }
        have_first = 1;
    }
    acts_free(&a);
    tensor_free(&t);
    free(want);
    free(first);
    free(y);
}

static void every_set_is_here(void **state)
{
    const struct kernel *best;
    int missing = 0;
    char err[256];

    (void)state;
    for (size_t s = 0; s < sizeof set_names / sizeof *set_names; s++)
        missing += !set_or_null(set_names[s]);
    assert_int_equal(kernel_find(&best, NULL, err, sizeof err), CAI_OK);
    assert_int_equal(kernel_find(&best, "neon", err, sizeof err), CAI_INVALID);
    assert_non_null(strstr(err, "scalar, avx2 or avx512"));
    if (missing)
        skip();
}

static void matmul_of_every_type_and_shape(void **state)
{
    static const size_t ks[] = {32, 64, 96, 576, 1536, 2048};
    static const size_t ns[] = {16, 17, 192, 576};

    (void)state;
    for (size_t t = 0; t < sizeof type_ids / sizeof *type_ids; t++)
        for (size_t i = 0; i < sizeof ks / sizeof *ks; i++)
            for (size_t j = 0; j < sizeof ns / sizeof *ns; j++)
                if (ks[i] % quant_type_find(type_ids[t])->block_len == 0)
                    check_shape(type_ids[t], ns[j], ks[i], M_MAX);
    check_shape(0, 50, 77, 5); /* plain floats need no blocks */
}

static void matmul_of_the_output_head(void **state)
{
    (void)state;
    check_shape(8, 49152, 576, 3);
}

/* The largest code, now and then the least one where the offset is in the middle. */
static uint8_t extreme_code(const struct tensor *t, size_t i)
{
    if (t->w.layout == MATRIX_Q4)
        return 0xFF;
    if (t->type->bits == 8 && i % 4 == 1)
        return 0;
    return (uint8_t)((1u << t->type->bits) - 1);
}

/* Extreme codes and activations: the integer sums are exact at their limits. */
static void integers_do_not_saturate(void **state)
{
    (void)state;
    for (size_t type = 3; type < sizeof type_ids / sizeof *type_ids; type++) {
        struct tensor t;
        struct acts a;
        float want[2 * 16], y[2 * 16];

        tensor_make(&t, type_ids[type], 16, 256);
        for (size_t i = 0; i < t.w.group_bytes; i++) /* only codes: scales come behind */
            if (i < 256 / 32 * (t.w.layout == MATRIX_Q4 ? 256u : 512u))
                ((uint8_t *)t.w.data)[i] = extreme_code(&t, i);
        acts_make(&a, 2, 256);
        for (size_t i = 0; i < 256; i++) {
            a.x[i] = 1;
            a.x[256 + i] = i % 4 == 1 ? 1 : -1;
        }
        for (size_t s = 0; s < 3; s++) {
            const struct kernel *set;
            char err[256];
            if (kernel_find(&set, set_names[s], err, sizeof err) != CAI_OK)
                continue;
            set->quantize(&a, 0, 2, 0, 256);
            assert_int_equal(a.q[0], 127);
            set->matmul(&t.w, &a, s ? y : want, 16, 0, 1);
            if (s)
                assert_same_floats(want, y, 32, set_names[s]);
        }
        acts_free(&a);
        tensor_free(&t);
    }
}

struct slices {
    const struct kernel *set;
    const struct matrix *w;
    struct acts *a;
    float *y;
    struct pool *pool;
};

/* As many items as threads, in two steps: quantise, multiply. */
static size_t n_slices(const void *arg, size_t step)
{
    const struct slices *s = arg;
    (void)step;
    return (size_t)pool_n_threads(s->pool);
}

static void run_slice(void *arg, size_t step, size_t i, size_t i_thread)
{
    struct slices *s = arg;
    size_t groups = matrix_n_groups(s->w), n = n_slices(s, step);
    size_t blocks = s->a->k / 32, g0 = groups * i / n, g1 = groups * (i + 1) / n;

    (void)i_thread;
    if (step == 0)
        s->set->quantize(s->a, 0, s->a->m, blocks * i / n * 32,
                         blocks * (i + 1) / n * 32);
    else
        s->set->matmul(s->w, s->a, s->y + g0 * 16, s->w->n, g0, g1);
}

static void threads_and_slices_change_no_bit(void **state)
{
    (void)state;
    for (size_t type = 0; type < sizeof type_ids / sizeof *type_ids; type++) {
        struct tensor t;
        struct acts a;
        float *want = malloc(7 * 177 * sizeof *want), *y = malloc(7 * 177 * sizeof *y);

        tensor_make(&t, type_ids[type], 177, 768);
        acts_make(&a, 7, 768);
        for (size_t s = 0; s < 3; s++) {
            struct slices job = {NULL, &t.w, &a, y, NULL};
            char err[256];
            if (kernel_find(&job.set, set_names[s], err, sizeof err) != CAI_OK)
                continue;
            for (int n = 1; n <= 5; n++) {
                assert_int_equal(pool_new(&job.pool, n, err, sizeof err), CAI_OK);
                memset(y, 0xFF, 7 * 177 * sizeof *y);
                pool_run(job.pool, &(struct pool_job){2, n_slices, run_slice, &job});
                pool_free(job.pool);
                if (s == 0 && n == 1)
                    memcpy(want, y, 7 * 177 * sizeof *y);
                assert_same_floats(want, y, 7 * 177, set_names[s]);
            }
        }
        acts_free(&a);
        tensor_free(&t);
        free(want);
        free(y);
    }
}

/* ------------------------------------------------------------------ K3 */

static void odd_activations_are_defined(void **state)
{
    static const float odd[] = {NAN,    INFINITY, -INFINITY, 0,
                                1e-40f, 1e-31f,   1e30f,     -0.0f};

    (void)state;
    for (size_t type = 0; type < sizeof type_ids / sizeof *type_ids; type++)
        for (size_t o = 0; o < sizeof odd / sizeof *odd; o++) {
            struct tensor t;
            struct acts a;
            float want[3 * 20], y[3 * 20];
            int8_t q[3 * 256];

            tensor_make(&t, type_ids[type], 20, 256);
            acts_make(&a, 3, 256);
            for (size_t i = 0; i < 32; i++) /* row 1, second block; row 2, one number */
                a.x[256 + 32 + i] = odd[o];
            a.x[2 * 256 + 77] = odd[o];
            for (size_t s = 0; s < 3; s++) {
                const struct kernel *set;
                char err[256];
                if (kernel_find(&set, set_names[s], err, sizeof err) != CAI_OK)
                    continue;
                set->quantize(&a, 0, 3, 0, 256);
                set->matmul(&t.w, &a, s ? y : want, 20, 0, 2);
                if (s) {
                    assert_same_floats(want, y, 60, set_names[s]);
                    assert_memory_equal(q, a.q, sizeof q);
                }
                memcpy(q, a.q, sizeof q);
            }
            for (size_t i = 0; i < 60; i++) {
                int poisoned = i >= 20 && !(fabsf(odd[o]) < INFINITY);
                /* an infinite activation poisons its row */
                if (poisoned != !isfinite(want[i]))
                    fail_msg("%s, %g: output %zu is %g", t.type->name, (double)odd[o], i,
                             (double)want[i]);
            }
            acts_free(&a);
            tensor_free(&t);
        }
}

static void zero_scales_give_zero(void **state)
{
    struct tensor t;
    struct acts a;
    float y[16];

    (void)state;
    tensor_make(&t, 2, 16, 64);
    memset((char *)t.w.data + 2 * 256, 0, 2 * 32);
    acts_make(&a, 1, 64);
    for (size_t s = 0; s < 3; s++) {
        const struct kernel *set;
        char err[256];
        if (kernel_find(&set, set_names[s], err, sizeof err) != CAI_OK)
            continue;
        set->quantize(&a, 0, 1, 0, 64);
        set->matmul(&t.w, &a, y, 16, 0, 1);
        for (int i = 0; i < 16; i++)
            assert_true(y[i] == 0);
    }
    acts_free(&a);
    tensor_free(&t);
}

/* One of everything on vectors of length n, into out. Returns how many floats. */
static size_t run_vectors(const struct kernel *set, float *out, const float *x,
                          const float *z, size_t n)
{
    float *p = out;

    set->rms_norm(p, x, z, n, 1e-5f);
    p += n;
    memcpy(p, x, n * sizeof *p);
    set->add(p, z, n);
    p += n;
    set->silu_mul(p, x, z, n);
    p += n;
    memcpy(p, x, n * sizeof *p);
    set->softmax(p, n);
    p += n;
    *p++ = set->log_sum_exp(x, n);
    *p++ = (float)set->argmax(x, n);
    set->lora_a(p, z, x, 2, n / 2);
    p += 2;
    memcpy(p, x, 2 * sizeof *p);
    set->lora_b(p, z, x, 2, n / 2, 0.7f);
    return (size_t)(p + 2 - out);
}

static void vectors_are_equal_in_every_set(void **state)
{
    static const float odd[] = {1,    NAN, INFINITY, -INFINITY, 1e-40f,
                                -104, 89,  -88,      3e38f};
    float x[160], z[160], want[1024], got[1024];

    (void)state;
    for (size_t o = 0; o < sizeof odd / sizeof *odd; o++)
        for (size_t n = 2; n <= 140; n++) {
            for (size_t i = 0; i < n; i++) {
                x[i] = random_float() * 9;
                z[i] = random_float();
            }
            if (o)
                x[n * 7 / 9] = odd[o];
            for (size_t s = 0; s < 3; s++) {
                const struct kernel *set;
                char err[256];
                size_t len;
                if (kernel_find(&set, set_names[s], err, sizeof err) != CAI_OK)
                    continue;
                memset(s ? got : want, 0, sizeof want);
                len = run_vectors(set, s ? got : want, x, z, n);
                if (s)
                    assert_same_floats(want, got, len + 8, set_names[s]);
            }
        }
}

/* Queries 1..20 by 1..5 tiles; mixing of the same. */
static void attention_is_equal_in_every_set_and_split(void **state)
{
    enum { Q = 20, T = 5, D = 80 };
    static float q[Q * D], k[T * 16 * D], v[T * 16 * D], s[3][Q * T * 16], out[3][Q * D];
    static float one[T * 16], one_out[D];
    const float *ks[T], *vs[T];

    (void)state;
    for (size_t i = 0; i < Q * D; i++)
        q[i] = random_float();
    for (size_t i = 0; i < T * 16 * D; i++) {
        k[i] = random_float();
        v[i] = random_float();
    }
    for (size_t t = 0; t < T; t++) {
        ks[t] = k + t * 16 * D;
        vs[t] = v + t * 16 * D;
    }
    for (size_t set_i = 0; set_i < 3; set_i++) {
        const struct kernel *set;
        char err[256];
        if (kernel_find(&set, set_names[set_i], err, sizeof err) != CAI_OK)
            continue;
        set->attn_scores(s[set_i], T * 16, q, D, Q, ks, T, D, 0.125f);
        memset(out[set_i], 0, sizeof out[set_i]);
        set->attn_mix(out[set_i], D, s[set_i], T * 16, Q, vs, T * 16 - 3, D);
        assert_same_floats(s[0], s[set_i], Q * T * 16, set_names[set_i]);
        assert_same_floats(out[0], out[set_i], Q * D, set_names[set_i]);
        for (size_t i = 0; i < Q; i++) { /* each alone, in two parts */
            set->attn_scores(one, T * 16, q + i * D, D, 1, ks, 3, D, 0.125f);
            set->attn_scores(one + 48, T * 16, q + i * D, D, 1, ks + 3, 2, D, 0.125f);
            assert_same_floats(s[0] + i * T * 16, one, T * 16, "scores alone");
            memset(one_out, 0, sizeof one_out);
            set->attn_mix(one_out, D, one, T * 16, 1, vs, 32, D);
            set->attn_mix(one_out, D, one + 32, T * 16, 1, vs + 2, T * 16 - 35, D);
            assert_same_floats(out[0] + i * D, one_out, D, "mix alone");
        }
        for (size_t i = 0; i < Q; i++) {
            double score = 0, mixed = 0;
            for (size_t d = 0; d < D; d++)
                score += (double)q[i * D + d] * (double)k[(16 + d / D) * D + d * 16 + 5];
            assert_true(fabs(score * 0.125 - (double)s[0][i * T * 16 + 21]) < 1e-5);
            for (size_t j = 0; j < T * 16 - 3; j++)
                mixed += (double)s[0][i * T * 16 + j] * (double)v[j * D + 7];
            assert_true(fabs(mixed - (double)out[0][i * D + 7]) < 1e-4);
        }
    }
}

static void edges_of_softmax_argmax_and_log_sum(void **state)
{
    (void)state;
    for (size_t set_i = 0; set_i < 3; set_i++) {
        const struct kernel *set;
        char err[256];
        float x[100];
        if (kernel_find(&set, set_names[set_i], err, sizeof err) != CAI_OK)
            continue;
        for (size_t i = 0; i < 100; i++)
            x[i] = 7.5f;
        assert_int_equal(set->argmax(x, 100), 0); /* ties: the lowest */
        assert_true(fabsf(set->log_sum_exp(x, 100) - (7.5f + logf(100))) < 1e-5f);
        set->softmax(x, 100);
        for (size_t i = 0; i < 100; i++)
            assert_true(x[i] == x[0] && fabsf(x[i] - 0.01f) < 1e-8f);
        x[0] = 123;
        set->softmax(x, 1);
        assert_true(x[0] == 1); /* one token left */
        for (size_t i = 0; i < 100; i++)
            x[i] = -INFINITY;
        assert_true(set->log_sum_exp(x, 100) == -INFINITY);
        assert_int_equal(set->argmax(x, 100), 0);
        x[41] = NAN;
        assert_true(isnan(set->log_sum_exp(x, 100)));
        x[77] = x[78] = -3;
        assert_int_equal(set->argmax(x, 100), 77); /* NaN never wins */
        x[41] = -INFINITY;
        set->softmax(x, 100);
        assert_true(x[77] == 0.5f && x[78] == 0.5f && x[0] == 0);
        for (size_t i = 0; i < 100; i++)
            x[i] = -INFINITY;
        set->softmax(x, 100);
        assert_true(x[0] == 0 && x[99] == 0);
    }
}

/* ------------------------------------------------------------------ elementary */

static double ulps(float got, double want)
{
    return fabs((double)got - want) / ldexp(1, ilogb(want) - 23);
}

static void exp_log_sin_cos_are_near_the_truth(void **state)
{
    double worst_exp = 0, worst_log = 0, worst_trig = 0;

    (void)state;
    for (float x = -87.3f; x < 88.7f; x += 0.0013f)
        worst_exp = fmax(worst_exp, ulps(kernel_expf(x), exp((double)x)));
    for (double x = 1e-44; x < 3e38; x *= 1.00021)
        worst_log = fmax(worst_log, ulps(kernel_logf((float)x), log((double)(float)x)));
    for (double x = -200000; x < 200000; x += 1.7) {
        float s, c;
        kernel_sincosf(&s, &c, x);
        worst_trig = fmax(worst_trig, fabs((double)s - sin(x)));
        worst_trig = fmax(worst_trig, fabs((double)c - cos(x)));
    }
    assert_true(worst_exp <= 2);
    assert_true(worst_log <= 2);
    assert_true(worst_trig <= 1e-7);
    assert_true(kernel_expf(INFINITY) == INFINITY && kernel_expf(89) == INFINITY);
    assert_true(kernel_expf(-INFINITY) == 0 && kernel_expf(0) == 1);
    assert_true(isnan(kernel_expf(NAN)) && isnan(kernel_logf(NAN)));
    assert_true(kernel_logf(0) == -INFINITY && kernel_logf(INFINITY) == INFINITY);
    assert_true(kernel_logf(1) == 0 && isnan(kernel_logf(-1)));
}

/* ------------------------------------------------------------------ matrices */

static void rows_come_back_from_the_packed_form(void **state)
{
    (void)state;
    for (size_t type = 0; type < sizeof type_ids / sizeof *type_ids; type++) {
        struct tensor t;
        float row[512];
        tensor_make(&t, type_ids[type], 35, 512);
        for (size_t i = 0; i < 35; i++) {
            matrix_row(row, &t.w, i);
            assert_memory_equal(row, t.plain + i * 512, sizeof row);
        }
        tensor_free(&t);
    }
}

static void shapes_that_do_not_fit_are_refused(void **state)
{
    const struct quant_type *q8 = quant_type_find(8);
    struct matrix_arena arena;
    struct matrix w;
    struct acts a;
    uint8_t rows[34 * 2 * 16] = {0};
    char err[256];

    (void)state;
    assert_int_equal(matrix_bytes(q8, 16, 33), 0);
    assert_int_equal(matrix_bytes(quant_type_find(12), 16, 576), 0);
    assert_int_equal(matrix_bytes(q8, SIZE_MAX - 3, 32), 0);
    assert_int_equal(matrix_bytes(q8, SIZE_MAX / 64, 1 << 20), 0);
    assert_int_equal(matrix_arena_init(&arena, 1000, err, sizeof err), CAI_OK);
    assert_int_equal(matrix_pack(&w, &arena, q8, rows, 16, 33, err, sizeof err),
                     CAI_UNSUPPORTED);
    assert_non_null(strstr(err, "Q8_0"));
    arena.used = arena.bytes - 64;
    assert_int_equal(matrix_pack(&w, &arena, q8, rows, 16, 64, err, sizeof err),
                     CAI_LIMIT);
    arena.used = 0;
    assert_int_equal(matrix_pack(&w, &arena, q8, rows, 16, 64, err, sizeof err), CAI_OK);
    matrix_arena_free(&arena);
    matrix_arena_free(&arena);
    assert_int_equal(acts_init(&a, SIZE_MAX / 8, 64, err, sizeof err), CAI_NOMEM);
    for (unsigned long k = 1; k <= 5; k++) {
        mem_test_fail(k, 0);
        assert_int_equal(acts_init(&a, 4, 64, err, sizeof err), CAI_NOMEM);
        mem_test_fail(0, 0);
    }
    acts_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_set_is_here),
        cmocka_unit_test(matmul_of_every_type_and_shape),
        cmocka_unit_test(matmul_of_the_output_head),
        cmocka_unit_test(integers_do_not_saturate),
        cmocka_unit_test(threads_and_slices_change_no_bit),
        cmocka_unit_test(odd_activations_are_defined),
        cmocka_unit_test(zero_scales_give_zero),
        cmocka_unit_test(vectors_are_equal_in_every_set),
        cmocka_unit_test(attention_is_equal_in_every_set_and_split),
        cmocka_unit_test(edges_of_softmax_argmax_and_log_sum),
        cmocka_unit_test(exp_log_sin_cos_are_near_the_truth),
        cmocka_unit_test(rows_come_back_from_the_packed_form),
        cmocka_unit_test(shapes_that_do_not_fit_are_refused),
    };
    cai_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * unit_sampler.c: distributions (chi-square), filters, guidance, coupling, and what comes
 * of odd logits (K3 of the reliability guide).
 */
#include "model_test.h"

#include "base/exactmath.h"
#include "model/sampler.h"

enum { MAX_VOCAB = 512 };

/* A model only lends its vocabulary size and kernel here. */
static struct cai_model *m;
static struct sampler *s;
static size_t n_vocab;
static const struct cai_sampling plain = {.temperature = 1, .top_p = 1};

static int setup(void **state)
{
    (void)state;
    m = open_model(TEST_DATA "tiny/llama-f32.gguf", NULL, 1);
    n_vocab = m->shape.n_vocab;
    assert_true(n_vocab <= MAX_VOCAB && n_vocab % 4 == 0);
    must(sampler_new(&s, m, err, sizeof err));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sampler_free(s);
    cai_model_close(m);
    return 0;
}

static void fill(float *logits, float value)
{
    for (size_t i = 0; i < n_vocab; i++)
        logits[i] = value;
}

/* Spread-out logits that differ from seed to seed. */
static void fill_random(float *logits, uint64_t seed)
{
    struct rng_stream r = rng_stream_make(seed, RNG_TEST, 0, 0);
    for (size_t i = 0; i < n_vocab; i++)
        logits[i] = (float)(12 * rng_unit(&r, 0, (uint32_t)i) - 6);
}

static struct sampled draw(const struct cai_sampling *how, double g, const float *a,
                           const float *b, uint64_t seed, uint32_t position)
{
    struct rng_stream r = rng_stream_make(seed, RNG_TEST, 1, 0);
    struct sampled out = {-1, NAN, NAN, NAN};

    must(sampler_draw(s, &out, how, g, a, b, &r, position, err, sizeof err));
    assert_in_range(out.token, 0, n_vocab - 1);
    assert_false(isnan(out.logprob) || isnan(out.logprob_a) || isnan(out.logprob_b));
    return out;
}

/* Pearson's statistic of n draws against p (k tokens); fails when a draw is none of them.
 * Also checks that the log-prob of each draw is log p. */
static double chi_square(const struct cai_sampling *how, double g, const float *a,
                         const float *b, const int32_t *tokens, const double *p, size_t k,
                         size_t n)
{
    size_t count[16] = {0};
    double chi = 0;

    for (uint32_t i = 0; i < n; i++) {
        struct sampled d = draw(how, g, a, b, 99, i);
        size_t at = 0;
        while (at < k && tokens[at] != d.token)
            at++;
        if (at == k)
            fail_msg("token %d was drawn", d.token);
        count[at]++;
        assert_true(fabs((double)d.logprob - log(p[at])) < 1e-5);
    }
    for (size_t i = 0; i < k; i++) {
        double expected = p[i] * (double)n, diff = (double)count[i] - expected;
        chi += diff * diff / expected;
    }
    return chi;
}

static const int32_t five[] = {3, 64, 65, 130, 299};
static const double five_p[] = {0.4, 0.3, 0.15, 0.1, 0.05};
/* 99.9 % points of chi-square with 1 .. 4 degrees of freedom. */
static const double chi_limit[] = {0, 10.83, 13.82, 16.27, 18.47};

static void fill_five(float *logits)
{
    fill(logits, -INFINITY);
    for (int i = 0; i < 5; i++)
        logits[five[i]] = (float)log(five_p[i]) + 3;
}

static void draws_follow_the_distribution(void **state)
{
    struct cai_sampling how = plain;
    float a[MAX_VOCAB];
    double p[5], sum = 0;
    (void)state;

    fill_five(a);
    assert_true(chi_square(&how, 0, a, NULL, five, five_p, 5, 20000) < chi_limit[4]);
    how.temperature = 0.5; /* squares the probabilities */
    for (int i = 0; i < 5; i++)
        sum += five_p[i] * five_p[i];
    for (int i = 0; i < 5; i++)
        p[i] = five_p[i] * five_p[i] / sum;
    assert_true(chi_square(&how, 0, a, NULL, five, p, 5, 20000) < chi_limit[4]);
}

static void filters_keep_the_likeliest(void **state)
{
    static const struct {
        int top_k;
        double top_p, min_p;
        size_t kept;
    } cases[] = {
        {2, 1, 0, 2},    {5, 1, 0, 5},      {400, 1, 0, 5},  {0, 0.69, 0, 2},
        {0, 0.71, 0, 3}, {0, 0.96, 0, 5},   {0, 1e-6, 0, 1}, {0, 1, 0.2, 4},
        {0, 1, 0.3, 3},  {0, 1, 1, 1},      {3, 0.80, 0, 2}, /* 0.7 / 0.85 = 0.82 */
        {3, 0.83, 0, 3}, {0, 0.96, 0.3, 3}, {1, 1, 0, 1},
    };
    float a[MAX_VOCAB];
    (void)state;

    fill_five(a);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct cai_sampling how = {.temperature = 1,
                                   .top_k = cases[c].top_k,
                                   .top_p = cases[c].top_p,
                                   .min_p = cases[c].min_p};
        size_t k = cases[c].kept;
        double p[5], sum = 0;
        for (size_t i = 0; i < k; i++)
            sum += five_p[i];
        for (size_t i = 0; i < k; i++)
            p[i] = five_p[i] / sum;
        if (!(chi_square(&how, 0, a, NULL, five, p, k, 3000) <=
              chi_limit[k - 1] + (k == 1)))
            fail_msg("case %zu", c);
    }
}

/* The list of a filter that leaves everything gives the tokens of the plain path, and
 * both give the argmax of all noisy logits, computed here with the C library. */
static void paths_agree_with_brute_force(void **state)
{
    struct cai_sampling how = plain, listed = plain;
    float a[MAX_VOCAB];
    (void)state;

    listed.min_p = 1e-30;
    how.temperature = listed.temperature = 0.8;
    for (uint32_t i = 0; i < 500; i++) {
        struct rng_stream r = rng_stream_make(7, RNG_TEST, 1, 0);
        struct sampled x, y;
        double best = -INFINITY;
        int32_t want = -1;
        fill_random(a, i);
        x = draw(&how, 0, a, NULL, 7, i);
        y = draw(&listed, 0, a, NULL, 7, i);
        for (size_t t = 0; t < n_vocab; t++) {
            double u = (rng_u32(&r, i, (uint32_t)t) + 0.5) / 4294967296.0;
            double v = (double)a[t] / 0.8 - log(-log(u));
            if (v > best) {
                best = v;
                want = (int32_t)t;
            }
        }
        assert_int_equal(x.token, want);
        assert_int_equal(y.token, want);
        assert_true(fabs((double)(x.logprob - y.logprob)) < 1e-4);
        assert_true(fabs((double)(x.logprob_a - (a[want] - logits_lse(m, a)))) < 1e-6);
    }
}

static void greedy_takes_the_largest(void **state)
{
    struct cai_sampling how = {.temperature = 0, .top_p = 1};
    float a[MAX_VOCAB];
    struct sampled d;
    (void)state;

    fill_random(a, 1);
    a[77] = a[201] = 50;
    d = draw(&how, 0, a, NULL, 1, 0);
    assert_int_equal(d.token, 77); /* lowest id on ties */
    assert_true(d.logprob == 0);
    assert_true(fabs((double)d.logprob_a - log(0.5)) < 1e-5);
}

/* ------------------------------------------------------------------ coupling */

static void equal_distribution_equal_token(void **state)
{
    float a[MAX_VOCAB], shifted[MAX_VOCAB];
    int n_seeds_differ = 0;
    (void)state;

    for (uint32_t i = 0; i < 300; i++) {
        fill_random(a, i);
        for (size_t t = 0; t < n_vocab; t++) {
            a[t] = roundf(a[t] * 64) / 64; /* so that the shift is exact */
            shifted[t] = a[t] + 8;
        }
        assert_int_equal(draw(&plain, 0, a, NULL, 5, i).token,
                         draw(&plain, 0, shifted, NULL, 5, i).token);
        n_seeds_differ +=
            draw(&plain, 0, a, NULL, 5, i).token != draw(&plain, 0, a, NULL, 6, i).token;
    }
    assert_true(n_seeds_differ > 200); /* the noise is not a constant */
}

static void small_change_seldom_changes_the_token(void **state)
{
    float a[MAX_VOCAB], b[MAX_VOCAB];
    int changed = 0, n = 2000;
    double total_variation = 0;
    (void)state;

    for (uint32_t i = 0; i < (uint32_t)n; i++) {
        float lse_a, lse_b;
        fill_random(a, i);
        memcpy(b, a, sizeof a);
        b[i % (uint32_t)n_vocab] += 0.3f;
        lse_a = logits_lse(m, a);
        lse_b = logits_lse(m, b);
        for (size_t t = 0; t < n_vocab; t++)
            total_variation +=
                0.5 * fabs(exp((double)(a[t] - lse_a)) - exp((double)(b[t] - lse_b)));
        changed +=
            draw(&plain, 0, a, NULL, 5, i).token != draw(&plain, 0, b, NULL, 5, i).token;
    }
    /* The best coupling changes total_variation tokens; independent draws nearly n. */
    assert_true(changed <= 3 * total_variation + 10);
}

/* ------------------------------------------------------------------ guidance */

static void guidance_follows_its_formula(void **state)
{
    static const double p_b[] = {0.1, 0.3, 0.2, 0.35, 0.05};
    const double g = 1.5;
    float a[MAX_VOCAB], b[MAX_VOCAB];
    double p[5], sum = 0;
    struct sampled d;
    (void)state;

    fill_five(a);
    fill(b, 1);
    for (int i = 0; i < 5; i++) {
        b[five[i]] = (float)log(p_b[i]) - 2;
        sum += p[i] = five_p[i] * pow(five_p[i] / p_b[i], g);
    }
    for (int i = 0; i < 5; i++)
        p[i] /= sum;
    assert_true(chi_square(&plain, g, a, b, five, p, 5, 20000) < chi_limit[4]);
    /* below a twentieth of the best one under a: out, whatever b says */
    a[five[4]] = (float)log(0.0199) + 3;
    b[five[4]] = -500;
    sum -= five_p[4] * pow(five_p[4] / p_b[4], g);
    for (int i = 0; i < 4; i++)
        p[i] = five_p[i] * pow(five_p[i] / p_b[i], g) / sum;
    assert_true(chi_square(&plain, g, a, b, five, p, 4, 20000) < chi_limit[3]);
    d = draw(&plain, g, a, b, 1, 0);
    assert_true(fabs((double)(d.logprob_b - (b[d.token] - logits_lse(m, b)))) < 1e-5);
}

static void no_guidance_is_context_a_alone(void **state)
{
    float a[MAX_VOCAB], b[MAX_VOCAB];
    (void)state;

    for (uint32_t i = 0; i < 200; i++) {
        struct sampled x, y;
        fill_random(a, i);
        fill_random(b, i + 1000);
        x = draw(&plain, 0, a, NULL, 3, i);
        y = draw(&plain, 0, a, b, 3, i);
        assert_int_equal(x.token, y.token);
        assert_same_bits(&x.logprob, &y.logprob, 1, "g = 0");
        assert_same_bits(&x.logprob_a, &y.logprob_a, 1, "g = 0");
    }
}

/* ------------------------------------------------------------------ odd numbers */

static const struct cai_sampling every[] = {
    {.temperature = 1, .top_p = 1},
    {.temperature = 0, .top_p = 1},
    {.temperature = 1, .top_p = 0.9},
    {.temperature = 0.01, .top_p = 1, .top_k = 3},
    {.temperature = 100, .top_p = 0.5, .min_p = 0.1},
};
enum { N_EVERY = sizeof every / sizeof *every };

static void odd_logits_have_defined_results(void **state)
{
    float a[MAX_VOCAB], b[MAX_VOCAB];
    (void)state;

    for (size_t k = 0; k < N_EVERY; k++)
        for (int guided = 0; guided < 2; guided++) {
            const struct cai_sampling *how = every + k;
            double g = guided ? 2 : 0;
            const float *other = guided ? b : NULL;
            struct sampled d;

            fill(b, 0);
            fill(a, 4.25f); /* all equal */
            d = draw(how, g, a, other, 1, 0);
            assert_true(fabs((double)d.logprob_a + log((double)n_vocab)) < 1e-5);
            fill(a, -INFINITY); /* a vocabulary of one */
            a[9] = -3;
            d = draw(how, g, a, other, 1, 0);
            assert_int_equal(d.token, 9);
            assert_true(d.logprob == 0 && d.logprob_a == 0);
            fill_random(a, 3); /* NaN is never drawn */
            a[5] = a[0] = a[n_vocab - 1] = NAN;
            for (uint32_t i = 0; i < 50; i++) {
                d = draw(how, g, a, other, 1, i);
                assert_true(a[d.token] <= 6);
            }
            a[17] = INFINITY; /* +inf takes all, between two of them by lot */
            assert_int_equal(draw(how, g, a, other, 1, 0).token, 17);
            a[18] = INFINITY;
            d = draw(how, g, a, other, 1, 0);
            assert_in_range(d.token, 17, 18);
            fill(a, 1e38f); /* differences overflow */
            a[4] = -3e38f;
            a[6] = 3e38f;
            assert_int_equal(draw(how, g, a, other, 1, 0).token, 6);
            fill(a, 1e-42f); /* denormal */
            draw(how, g, a, other, 1, 0);
            fill_random(a, 4); /* an odd second context */
            fill(b, -INFINITY);
            b[3] = NAN;
            b[4] = 1;
            draw(how, g, a, other, 1, 0);
        }
}

static void nothing_left_is_an_error(void **state)
{
    struct rng_stream r = rng_stream_make(1, RNG_TEST, 0, 0);
    float a[MAX_VOCAB], b[MAX_VOCAB];
    struct sampled d;
    (void)state;

    for (size_t k = 0; k < N_EVERY; k++) {
        fill(a, NAN);
        assert_int_equal(sampler_draw(s, &d, every + k, 0, a, NULL, &r, 0, err,
                                      sizeof err),
                         CAI_CORRUPT);
        fill(a, -INFINITY);
        assert_int_equal(sampler_draw(s, &d, every + k, 0, a, NULL, &r, 0, err,
                                      sizeof err),
                         CAI_CORRUPT);
        fill(b, 0);
        assert_int_equal(sampler_draw(s, &d, every + k, 1, a, b, &r, 0, err, sizeof err),
                         CAI_CORRUPT);
        fill(a, 0);
        fill(b, NAN);
        assert_int_equal(sampler_draw(s, &d, every + k, 1, a, b, &r, 0, err, sizeof err),
                         CAI_CORRUPT);
    }
}

static void settings_out_of_range_are_named(void **state)
{
    static const struct {
        struct cai_sampling how;
        const char *name;
    } bad[] = {
        {{.temperature = -1, .top_p = 1}, "temperature"},
        {{.temperature = 1e-9, .top_p = 1}, "temperature"},
        {{.temperature = NAN, .top_p = 1}, "temperature"},
        {{.temperature = 1, .top_p = 0}, "top-p"},
        {{.temperature = 1, .top_p = 1.5}, "top-p"},
        {{.temperature = 1, .top_p = 1, .top_k = -1}, "top-k"},
        {{.temperature = 1, .top_p = 1, .min_p = NAN}, "min-p"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(sampling_check(&bad[i].how, err, sizeof err), CAI_INVALID);
        assert_non_null(strstr(err, bad[i].name));
    }
}

static void plain_functions_match_the_library(void **state)
{
    (void)state;

    for (double x = 1e-12; x < 1e12; x *= 1.0371)
        assert_true(fabs(exact_log(x) - log(x)) <= 1e-13 * (1 + fabs(log(x))));
    for (double x = -600; x < 600; x += 0.731)
        assert_true(fabs(exact_exp(x) / exp(x) - 1) <= 1e-13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_follow_the_distribution),
        cmocka_unit_test(filters_keep_the_likeliest),
        cmocka_unit_test(paths_agree_with_brute_force),
        cmocka_unit_test(greedy_takes_the_largest),
        cmocka_unit_test(equal_distribution_equal_token),
        cmocka_unit_test(small_change_seldom_changes_the_token),
        cmocka_unit_test(guidance_follows_its_formula),
        cmocka_unit_test(no_guidance_is_context_a_alone),
        cmocka_unit_test(odd_logits_have_defined_results),
        cmocka_unit_test(nothing_left_is_an_error),
        cmocka_unit_test(settings_out_of_range_are_named),
        cmocka_unit_test(plain_functions_match_the_library),
    };
    cai_init();
    return cmocka_run_group_tests(tests, setup, teardown);
}

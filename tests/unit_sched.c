/* unit_sched.c: order, cancel, waiting and failure of requests, on a provider that counts
 * passes; stop strings and whole characters across token borders. */
#include "testing.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "provider/sched.h"

/* ---- a provider that says pieces[] of its request, one per pass */

struct plan {
    const char *const *pieces; /* NULL-terminated; the end: eos */
    int at;
    char name;
};

struct fake {
    struct provider base;
    char log[256]; /* names of the requests that moved, pass by pass, '|' between */
    size_t room;   /* requests at a time */
    size_t n_begun;
    int fail;
};

static struct plan *plan_of(const struct gen *g);

static size_t fake_stops(struct provider *p, const char *const **stops)
{
    (void)p;
    *stops = NULL;
    return 0;
}

static enum cai_status fake_begin(struct provider *p, struct gen *g, int64_t now_us,
                                  char *err, size_t errlen)
{
    struct fake *f = (struct fake *)(void *)p;
    (void)now_us;
    if (f->n_begun == f->room)
        return err_set(CAI_BUSY, err, errlen, "no room");
    f->n_begun++;
    return gen_fit(g, 1, 100, err, errlen);
}

static enum cai_status fake_step(struct provider *p, struct gen *const *gens, size_t n,
                                 int64_t now_us, int64_t *next_us, char *err,
                                 size_t errlen)
{
    struct fake *f = (struct fake *)(void *)p;
    (void)next_us;
    if (f->fail)
        return err_set(CAI_CORRUPT, err, errlen, "weights went bad");
    for (size_t i = 0; i < n; i++) {
        struct plan *pl = plan_of(gens[i]);
        struct gen_token t = {.id = pl->at, .piece = pl->pieces[pl->at]};
        size_t len = strlen(f->log);
        f->log[len] = pl->name;
        if (t.piece)
            t.piece_len = strlen(t.piece);
        pl->at++;
        gen_add(gens[i], &t, now_us);
    }
    f->log[strlen(f->log)] = '|';
    return CAI_OK;
}

static void fake_end(struct provider *p, struct gen *g)
{
    (void)g;
    ((struct fake *)(void *)p)->n_begun--;
}

static const struct provider_ops fake_ops = {
    .template_stops = fake_stops,
    .begin = fake_begin,
    .step = fake_step,
    .end = fake_end,
};

/* ---- requests that remember what became of them */

struct asked {
    struct plan plan;
    atomic_int cancel;
    char streamed[256];
    int n_deltas;
    struct provider_result result;
    int n_done;
};

static struct plan *plan_of(const struct gen *g)
{
    return &((struct asked *)g->req->arg)->plan;
}

static void on_text(void *arg, const char *text, size_t len, int n_tokens,
                    double tok_per_s)
{
    struct asked *a = arg;
    (void)n_tokens;
    (void)tok_per_s;
    assert_true(strlen(a->streamed) + len < sizeof a->streamed);
    memcpy(a->streamed + strlen(a->streamed), text, len);
    a->n_deltas++;
}

static void on_done(void *arg, struct provider_result *r)
{
    struct asked *a = arg;
    a->result = *r;
    memset(r, 0, sizeof *r);
    a->n_done++;
}

static void submit(struct sched *s, struct asked *a, char name, const char *const *pieces,
                   int background)
{
    static const char *const stops[] = {"\n\nHuman:", "STOP"};
    struct provider_request *r = mem_alloc(1, sizeof *r);

    memset(a, 0, sizeof *a);
    a->plan = (struct plan){pieces, 0, name};
    r->sampling.max_tokens = 8;
    r->stops = stops;
    r->n_stops = 2;
    r->background = background;
    r->cancel = &a->cancel;
    r->on_text = on_text;
    r->on_done = on_done;
    r->arg = a;
    assert_int_equal(sched_submit(s, r), CAI_OK);
}

static void run_out(struct sched *s)
{
    int64_t wait_us;
    for (int i = 0; sched_step(s, 1, &wait_us); i++)
        assert_true(i < 1000);
}

static const char *const abc[] = {"a", "b", "c", NULL};

static void test_requests_share_a_pass_and_interactive_ones_go_first(void **state)
{
    struct fake f = {{&fake_ops}, "", 99, 0, 0};
    struct sched *s = sched_new(&f.base);
    struct asked a, b, x;
    int64_t wait_us;
    (void)state;

    submit(s, &a, 'a', abc, 1);
    assert_true(sched_step(s, 0, &wait_us));
    submit(s, &x, 'x', abc, 0);
    submit(s, &b, 'b', abc, 0);
    run_out(s);
    assert_string_equal(f.log, "a|xb|xb|xb|xb|a|a|a|");
    assert_string_equal(a.result.raw, "abc");
    assert_string_equal(a.streamed, "abc");
    assert_int_equal(a.n_done, 1);
    assert_int_equal(a.result.finish, CAI_FINISH_EOS);
    assert_int_equal(a.result.n_tokens, 4); /* the end is a token */
    assert_int_equal(f.n_begun, 0);
    provider_result_clear(&a.result);
    provider_result_clear(&b.result);
    provider_result_clear(&x.result);
    sched_free(s);
}

static void test_one_without_room_waits_for_another_to_end(void **state)
{
    struct fake f = {{&fake_ops}, "", 1, 0, 0};
    struct sched *s = sched_new(&f.base);
    struct asked a, b;
    int64_t wait_us;
    (void)state;

    submit(s, &a, 'a', abc, 0);
    submit(s, &b, 'b', abc, 0);
    run_out(s);
    assert_string_equal(f.log, "a|a|a|a|b|b|b|b|");
    provider_result_clear(&a.result);
    provider_result_clear(&b.result);
    memset(f.log, 0, sizeof f.log);
    submit(s, &a, 'a', abc, 1);
    sched_step(s, 0, &wait_us);
    submit(s, &b, 'b', abc, 0);
    run_out(s);
    assert_string_equal(f.log, "a|a|a|a|b|b|b|b|");
    f.room = 0;
    provider_result_clear(&a.result);
    submit(s, &a, 'a', abc, 0);
    run_out(s);
    assert_int_equal(a.result.status, CAI_LIMIT); /* nobody it could wait for */
    provider_result_clear(&a.result);
    provider_result_clear(&b.result);
    sched_free(s);
}

static void test_cancel_ends_one_request_with_its_text(void **state)
{
    struct fake f = {{&fake_ops}, "", 99, 0, 0};
    struct sched *s = sched_new(&f.base);
    struct asked a, b;
    int64_t wait_us;
    (void)state;

    submit(s, &a, 'a', abc, 0);
    submit(s, &b, 'b', abc, 0);
    sched_step(s, 0, &wait_us);
    atomic_store(&a.cancel, 1);
    sched_step(s, 0, &wait_us);
    assert_int_equal(a.n_done, 1);
    assert_int_equal(a.result.status, CAI_OK);
    assert_int_equal(a.result.finish, CAI_FINISH_CANCELLED);
    assert_string_equal(a.result.raw, "a");
    assert_int_equal(b.n_done, 0);
    run_out(s);
    assert_string_equal(b.result.raw, "abc");
    provider_result_clear(&a.result);
    provider_result_clear(&b.result);
    submit(s, &a, 'a', abc, 0);
    atomic_store(&a.cancel, 1);
    run_out(s);
    assert_string_equal(a.result.raw, ""); /* never begun */
    provider_result_clear(&a.result);
    sched_free(s);
}

static void test_a_failing_pass_fails_those_in_it(void **state)
{
    struct fake f = {{&fake_ops}, "", 99, 0, 1};
    struct sched *s = sched_new(&f.base);
    struct asked a;
    (void)state;
    submit(s, &a, 'a', abc, 0);
    run_out(s);
    assert_int_equal(a.result.status, CAI_CORRUPT);
    assert_string_equal(a.result.message, "weights went bad");
    provider_result_clear(&a.result);
    sched_free(s);
}

static void expect_text(const char *const *pieces, const char *raw,
                        enum cai_finish finish)
{
    struct fake f = {{&fake_ops}, "", 99, 0, 0};
    struct sched *s = sched_new(&f.base);
    struct asked a;

    submit(s, &a, 'a', pieces, 0);
    run_out(s);
    assert_string_equal(a.result.raw, raw);
    assert_string_equal(a.streamed, raw); /* nothing shown is taken back */
    assert_int_equal(a.result.finish, finish);
    provider_result_clear(&a.result);
    sched_free(s);
}

static void test_stop_strings_across_token_borders(void **state)
{
    (void)state;
    expect_text((const char *const[]){"one\n", "\nHu", "man: two", NULL}, "one",
                CAI_FINISH_STOP);
    expect_text((const char *const[]){"one\n", "\nHu", "mble", NULL}, "one\n\nHumble",
                CAI_FINISH_EOS);
    expect_text((const char *const[]){"S", "T", "O", NULL}, "STO", CAI_FINISH_EOS);
    expect_text((const char *const[]){"SST", "OPper", NULL}, "S", CAI_FINISH_STOP);
    expect_text((const char *const[]){"\n\n", "\nHuman:", NULL}, "\n", CAI_FINISH_STOP);
    expect_text((const char *const[]){"xSTOP\n\nHuman:", NULL}, "x", CAI_FINISH_STOP);
}

static void test_characters_arrive_whole(void **state)
{
    (void)state;
    expect_text((const char *const[]){"\xF0\x9F", "\x98", "\x80!", NULL},
                "\xF0\x9F\x98\x80!", CAI_FINISH_EOS);
    /* what is no character becomes U+FFFD, one per byte, cut ones too */
    expect_text((const char *const[]){"a\xC3", "(", "\xE2\x82", NULL},
                "a\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD", CAI_FINISH_EOS);
}

static void test_the_length_limit(void **state)
{
    (void)state;
    expect_text((const char *const[]){"1", "2", "3", "4", "5", "6", "7", "8", "9", NULL},
                "12345678", CAI_FINISH_LENGTH);
}

static void test_out_of_memory_is_one_failed_request(void **state)
{
    (void)state;
    for (unsigned long k = 1; k < 40; k++) {
        struct fake f = {{&fake_ops}, "", 99, 0, 0};
        struct sched *s = sched_new(&f.base);
        struct asked a;
        submit(s, &a, 'a', abc, 0);
        mem_test_fail(k, 0);
        run_out(s);
        mem_test_fail(0, 0);
        assert_int_equal(a.n_done, 1);
        if (a.result.status == CAI_OK)
            assert_string_equal(a.result.raw, "abc");
        else
            assert_int_equal(a.result.status, CAI_NOMEM);
        provider_result_clear(&a.result);
        sched_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_share_a_pass_and_interactive_ones_go_first),
        cmocka_unit_test(test_one_without_room_waits_for_another_to_end),
        cmocka_unit_test(test_cancel_ends_one_request_with_its_text),
        cmocka_unit_test(test_a_failing_pass_fails_those_in_it),
        cmocka_unit_test(test_stop_strings_across_token_borders),
        cmocka_unit_test(test_characters_arrive_whole),
        cmocka_unit_test(test_the_length_limit),
        cmocka_unit_test(test_out_of_memory_is_one_failed_request),
    };
    cai_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

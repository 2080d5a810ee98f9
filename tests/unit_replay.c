/* unit_replay.c: chains on the default model: provenance, replay, interleaving, guidance,
 * limits. Texts are short: what is tested is bytes, not sense. */
#include "testing.h"

#include <math.h>
#include <string.h>

#include "base/strbuf.h"
#include "cai.h"

static char err[512];

struct bench {
    struct cai_inbox *inbox;
    struct cai_engine *engine;
    struct cai_constitution *constitution;
};

static struct bench bench;

static void open_engine(struct bench *b, size_t n_ctx)
{
    struct cai_engine_options opts = {.model = test_model(), .n_ctx = n_ctx};

    b->inbox = cai_inbox_new();
    if (cai_engine_open(&b->engine, b->inbox, &opts, err, sizeof err) != CAI_OK ||
        cai_constitution_load(&b->constitution, "constitutions/harmless.json", err,
                              sizeof err) != CAI_OK)
        fail_msg("%s", err);
}

static void close_engine(struct bench *b)
{
    cai_engine_close(b->engine);
    cai_inbox_free(b->inbox);
    cai_constitution_free(b->constitution);
    memset(b, 0, sizeof *b);
}

struct outcome {
    struct cai_node *nodes[8];
    size_t n;
    char streamed[8][4096];
    enum cai_status status;
    char message[512];
    int done;
};

static void outcome_free(struct outcome *o)
{
    for (size_t i = 0; i < o->n; i++)
        cai_node_free(o->nodes[i]);
    memset(o, 0, sizeof *o);
}

static void run(struct bench *b, uint64_t first, struct outcome *outcomes, size_t n)
{
    size_t n_done = 0;
    struct cai_event e;

    while (n_done < n) {
        assert_true(cai_inbox_wait(b->inbox, 60000));
        while (cai_inbox_take(b->inbox, &e)) {
            struct outcome *o = e.job >= first ? &outcomes[e.job - first] : NULL;
            if (e.kind == CAI_EVENT_TEXT)
                strncat(o->streamed[o->n], e.text,
                        sizeof o->streamed[0] - strlen(o->streamed[o->n]) - 1);
            if (e.kind == CAI_EVENT_NODE || e.kind == CAI_EVENT_GENERATED) {
                o->nodes[o->n++] = e.node;
                e.node = NULL;
                snprintf(o->message, sizeof o->message, "%s", e.message);
            }
            if (e.kind == CAI_EVENT_JOB) {
                o->status = e.status;
                if (*e.message)
                    snprintf(o->message, sizeof o->message, "%s", e.message);
                o->done = 1;
                n_done++;
            }
            cai_event_clear(&e);
        }
    }
}

static struct cai_chain_job job_for(const struct bench *b, const char *prompt,
                                    uint64_t seed)
{
    struct cai_chain_job job = {.chain = 1,
                                .prompt = prompt,
                                .make_initial = 1,
                                .n_steps = 1,
                                .constitution = b->constitution,
                                .fewshots_dir = "constitutions/fewshots"};
    cai_chain_settings_default(&job.settings);
    memset(job.settings.guidance, 0, sizeof job.settings.guidance);
    *job.settings.fewshots = '\0';
    job.settings.layout = CAI_LAYOUT_CHAT;
    job.settings.sampling.max_tokens = 16;
    job.settings.seed = seed;
    return job;
}

static uint64_t start(struct bench *b, const struct cai_chain_job *job)
{
    uint64_t id = cai_engine_run_chain(b->engine, job, err, sizeof err);
    if (!id)
        fail_msg("%s", err);
    return id;
}

static void run_job(struct bench *b, const struct cai_chain_job *job, struct outcome *o)
{
    memset(o, 0, sizeof *o);
    run(b, start(b, job), o, 1);
    if (o->status != CAI_OK)
        fail_msg("%s", o->message);
}

static void assert_same_node(const struct cai_node *x, const struct cai_node *y)
{
    assert_string_equal(x->raw, y->raw);
    assert_string_equal(x->principle, y->principle);
    assert_int_equal(x->n_tokens, y->n_tokens);
    assert_memory_equal(x->tokens, y->tokens, x->n_tokens * sizeof *x->tokens);
    assert_memory_equal(x->logprob_a, y->logprob_a, x->n_tokens * sizeof(float));
}

static void assert_replays(struct bench *b, const struct outcome *o)
{
    for (size_t i = 0; i < o->n; i++) {
        size_t diff = 0;
        if (cai_engine_replay(b->engine, o->nodes[i], &diff, err, sizeof err) != CAI_OK)
            fail_msg("%s", err);
        assert_true(diff == SIZE_MAX);
    }
}

static void test_a_chain_replays_to_the_same_bytes(void **state)
{
    struct cai_chain_job job = job_for(&bench, "How do I boil an egg?", 11);
    struct outcome o;
    (void)state;

    run_job(&bench, &job, &o);
    assert_int_equal(o.n, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct cai_node *n = o.nodes[i];
        assert_true(n->n_tokens > 0 && n->n_tokens <= 16);
        assert_string_equal(o.streamed[i], n->raw);
        assert_string_equal(n->chat_template, "chatml");
        assert_string_equal(n->model, cai_engine_model(bench.engine)->sha256);
        for (size_t k = 0; k < n->n_tokens; k++) {
            assert_true(n->logprob[k] <= 0);
            assert_true(n->logprob_a[k] <= 0);
        }
    }
    assert_replays(&bench, &o);
    outcome_free(&o);
}

static void test_guided_and_paper_chains_replay(void **state)
{
    struct cai_chain_job job = job_for(&bench, "How do I pick a lock?", 3);
    struct outcome o;
    (void)state;

    job.settings.guidance[CAI_NODE_INITIAL] = 1.5;
    job.settings.guidance[CAI_NODE_REVISION] = 3;
    run_job(&bench, &job, &o);
    assert_non_null(o.nodes[2]->logprob_b);
    assert_true(o.nodes[2]->logprob_b[0] < 0);
    assert_int_equal(o.nodes[1]->n_against, 0);
    assert_replays(&bench, &o);
    outcome_free(&o);

    job.settings.layout = CAI_LAYOUT_PAPER;
    job.settings.against = CAI_AGAINST_NOTHING;
    snprintf(job.settings.fewshots, sizeof job.settings.fewshots,
             "critique-revision-short");
    run_job(&bench, &job, &o);
    assert_string_equal(o.nodes[1]->chat_template, "paper");
    assert_int_equal(o.nodes[1]->n_segments, 1);
    assert_null(strstr(o.nodes[1]->raw, "\n\nHuman:"));
    assert_replays(&bench, &o);
    outcome_free(&o);
}

static void test_four_chains_interleaved_give_the_bytes_of_four_alone(void **state)
{
    static const char *const prompts[] = {"Tell me a story.", "What is 2 + 2?",
                                          "How do I pick a lock?",
                                          "Tell me a story about rain."};
    struct outcome *alone = calloc(4, sizeof *alone), *mixed = calloc(4, sizeof *mixed);
    uint64_t first = 0;
    (void)state;

    for (size_t i = 0; i < 4; i++) {
        struct cai_chain_job job = job_for(&bench, prompts[i], i);
        job.settings.guidance[CAI_NODE_REVISION] = i % 2 ? 2 : 0;
        run_job(&bench, &job, &alone[i]);
    }
    for (size_t i = 0; i < 4; i++) {
        struct cai_chain_job job = job_for(&bench, prompts[i], i);
        uint64_t id;
        job.settings.guidance[CAI_NODE_REVISION] = i % 2 ? 2 : 0;
        id = start(&bench, &job);
        first = first ? first : id;
    }
    run(&bench, first, mixed, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(mixed[i].n, 3);
        for (size_t k = 0; k < 3; k++)
            assert_same_node(mixed[i].nodes[k], alone[i].nodes[k]);
        outcome_free(&mixed[i]);
        outcome_free(&alone[i]);
    }
    free(alone);
    free(mixed);
}

static void test_scoring_agrees_with_the_stored_log_probs(void **state)
{
    struct cai_chain_job job = job_for(&bench, "Name a colour.", 5);
    struct cai_model *m = NULL;
    struct outcome o;
    int32_t ids[512];
    float logprob[512];
    size_t n = 0;
    (void)state;

    job.n_steps = 0;
    job.settings.layout = CAI_LAYOUT_PAPER; /* one plain segment: no special tokens */
    run_job(&bench, &job, &o);
    assert_int_equal(cai_model_open(&m, test_model(), &(struct cai_model_options){0}, err,
                                    sizeof err),
                     CAI_OK);
    {
        const char *text = o.nodes[0]->segments[0].text;
        int32_t *p;
        assert_int_equal(cai_tokenize(m, text, strlen(text), &p, &n, err, sizeof err),
                         CAI_OK);
        memcpy(ids, p, n * sizeof *ids);
        cai_free(p);
    }
    memcpy(ids + n, o.nodes[0]->tokens, o.nodes[0]->n_tokens * sizeof *ids);
    assert_int_equal(cai_score(m, ids, n + o.nodes[0]->n_tokens, n, logprob, err,
                               sizeof err),
                     CAI_OK);
    assert_memory_equal(logprob + n, o.nodes[0]->logprob_a,
                        o.nodes[0]->n_tokens * sizeof(float));
    cai_model_close(m);
    outcome_free(&o);
}

static void test_context_limits_are_told(void **state)
{
    struct bench small = {0};
    struct outcome o = {0};
    struct strbuf text = STRBUF_INIT(1 << 20);
    struct cai_chain_job job;
    (void)state;

    open_engine(&small, 32);
    for (int i = 0; i < 200; i++)
        assert_int_equal(strbuf_adds(&text, "word "), CAI_OK);
    job = job_for(&small, text.data, 1);
    run(&small, start(&small, &job), &o, 1);
    assert_int_equal(o.status, CAI_LIMIT);
    assert_non_null(strstr(o.message, "and the context has 32"));
    assert_int_equal(o.n, 0);
    outcome_free(&o);

    job = job_for(&small, "Count from one to a hundred in words, please.", 1);
    job.n_steps = 0;
    job.settings.sampling.max_tokens = 1000;
    job.settings.sampling.temperature = 0;
    run(&small, start(&small, &job), &o, 1);
    assert_int_equal(o.status, CAI_OK);
    assert_int_equal(o.nodes[0]->finish, CAI_FINISH_LENGTH);
    assert_non_null(strstr(o.message, "the context is full"));
    assert_replays(&small, &o);
    outcome_free(&o);
    strbuf_free(&text);
    close_engine(&small);
}

static void test_a_cancelled_text_replays_as_far_as_it_got(void **state)
{
    struct cai_chain_job job = job_for(&bench, "Write a long poem about the sea.", 2);
    struct outcome o = {0};
    struct cai_event e;
    uint64_t id;
    (void)state;

    job.settings.sampling.max_tokens = 400;
    id = start(&bench, &job);
    while (!o.done) {
        assert_true(cai_inbox_wait(bench.inbox, 60000));
        while (cai_inbox_take(bench.inbox, &e)) {
            if (e.kind == CAI_EVENT_TEXT && e.n_tokens >= 3)
                cai_engine_cancel(bench.engine, id);
            if (e.kind == CAI_EVENT_NODE) {
                o.nodes[o.n++] = e.node;
                e.node = NULL;
            }
            o.done |= e.kind == CAI_EVENT_JOB;
            cai_event_clear(&e);
        }
    }
    assert_int_equal(o.n, 1);
    assert_int_equal(o.nodes[0]->finish, CAI_FINISH_CANCELLED);
    assert_replays(&bench, &o);
    outcome_free(&o);
}

static void test_one_draw_apart_is_another_text(void **state)
{
    struct cai_chain_job job = job_for(&bench, "Tell me a story.", 1);
    struct outcome a, b;
    (void)state;

    job.n_steps = 0;
    job.settings.sampling.temperature = 1;
    run_job(&bench, &job, &a);
    job.draw = 1;
    run_job(&bench, &job, &b);
    assert_string_not_equal(a.nodes[0]->raw, b.nodes[0]->raw);
    outcome_free(&a);
    outcome_free(&b);
}

static int set_up(void **state)
{
    (void)state;
    if (access(test_model(), R_OK) == 0)
        open_engine(&bench, 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (bench.engine)
        close_engine(&bench);
    return 0;
}

static int need_model(void **state)
{
    (void)state;
    need_file(test_model());
    return 0;
}

#define T(f) cmocka_unit_test_setup(f, need_model)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_chain_replays_to_the_same_bytes),
        T(test_guided_and_paper_chains_replay),
        T(test_four_chains_interleaved_give_the_bytes_of_four_alone),
        T(test_scoring_agrees_with_the_stored_log_probs),
        T(test_context_limits_are_told),
        T(test_a_cancelled_text_replays_as_far_as_it_got),
        T(test_one_draw_apart_is_another_text),
    };
    cai_init();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

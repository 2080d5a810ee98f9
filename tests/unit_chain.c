/* unit_chain.c: the critique and revision method on the scripted provider: prompts as
 * sent, order of links, events, cancel, errors, interleaving. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "cai.h"

static char err[512];

static const char constitution_text[] =
    "{\"principles\": ["
    "{\"id\":\"kind\",\"statement\":\"Be kind.\",\"opposite\":\"Be unkind.\","
    " \"critique_request\":\"Say what is unkind.\","
    " \"revision_request\":\"Write it kindly.\"},"
    "{\"id\":\"brief\",\"statement\":\"Be brief.\",\"opposite\":\"Be long.\","
    " \"critique_request\":\"Say what is too long.\","
    " \"revision_request\":\"Write it briefly.\"}]}";

static const char script_text[] =
    "{\"name\": \"canned\", \"n_ctx\": 500, \"answers\": ["
    "{\"match\": \"Write it\", \"text\": \" A kind answer. \"},"
    "{\"match\": \"Say what\", \"text\": \" It was unkind.\\n\\nCritiqueRequest: x\"},"
    "{\"match\": \"slow\", \"text\": \"one two three four five\","
    " \"delay_ms_per_token\": 20},"
    "{\"match\": \"broken\", \"text\": \"half\", \"error\": \"the line went dead\"},"
    "{\"match\": \"many\", \"texts\": [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\"]},"
    "{\"text\": \"You fool, go away.\"}]}";

struct bench {
    struct cai_inbox *inbox;
    struct cai_engine *engine;
    struct cai_constitution *constitution;
    char dir[64];
};

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[128];
    FILE *f;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    struct cai_engine_options opts = {0};
    char model[128];

    snprintf(b->dir, sizeof b->dir, "/tmp/cai-chain-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    write_file(b->dir, "script.json", script_text);
    write_file(
        b->dir, "shots.json",
        "{\"version\":1,\"id\":\"shots\",\"kind\":\"critique-revision\",\"items\":["
        "{\"prompt\":\"P\",\"response\":\"R\",\"critique_request\":\"CR\","
        "\"critique\":\"C\",\"revision_request\":\"RR\",\"revision\":\"V\"}]}");
    snprintf(model, sizeof model, "scripted:%s/script.json", b->dir);
    opts.model = model;
    b->inbox = cai_inbox_new();
    assert_int_equal(cai_engine_open(&b->engine, b->inbox, &opts, err, sizeof err),
                     CAI_OK);
    assert_int_equal(cai_constitution_parse(&b->constitution, constitution_text,
                                            strlen(constitution_text), err, sizeof err),
                     CAI_OK);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    char path[128];
    cai_engine_close(b->engine);
    cai_inbox_free(b->inbox);
    cai_constitution_free(b->constitution);
    snprintf(path, sizeof path, "%s/script.json", b->dir);
    remove(path);
    snprintf(path, sizeof path, "%s/shots.json", b->dir);
    remove(path);
    rmdir(b->dir);
    free(b);
    return 0;
}

/* What came of a job. */
struct outcome {
    struct cai_node *nodes[16];
    size_t n, n_started, n_text;
    char streamed[16][256]; /* text of each link, as streamed */
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

static void apply(struct outcome *o, struct cai_event *e)
{
    switch (e->kind) {
    case CAI_EVENT_STARTED:
        assert_int_equal(o->n_started, o->n);
        assert_string_equal(e->node->text, "");
        assert_true(e->node->n_segments > 0);
        o->n_started++;
        break;
    case CAI_EVENT_TEXT:
        assert_true(o->n < 16);
        strncat(o->streamed[o->n], e->text,
                sizeof o->streamed[0] - strlen(o->streamed[o->n]) - 1);
        o->n_text++;
        break;
    case CAI_EVENT_NODE:
    case CAI_EVENT_GENERATED:
        o->nodes[o->n++] = e->node;
        e->node = NULL;
        snprintf(o->message, sizeof o->message, "%s", e->message);
        break;
    case CAI_EVENT_JOB:
        o->status = e->status;
        if (*e->message)
            snprintf(o->message, sizeof o->message, "%s", e->message);
        o->done = 1;
        break;
    case CAI_EVENT_MODEL:
    case CAI_EVENT_STORED:
    case CAI_EVENT_UNSAVED:
    case CAI_EVENT_STORE_FAILED: break;
    }
    cai_event_clear(e);
}

/* Until all n jobs, numbered from first, are done. */
static void run(struct bench *b, uint64_t first, struct outcome *outcomes, size_t n)
{
    size_t n_done = 0;
    struct cai_event e;

    while (n_done < n) {
        assert_true(cai_inbox_wait(b->inbox, 10000));
        while (cai_inbox_take(b->inbox, &e)) {
            struct outcome *o = e.job >= first ? &outcomes[e.job - first] : NULL;
            if (!o) {
                cai_event_clear(&e);
                continue;
            }
            assert_true(e.job - first < n);
            apply(o, &e);
            n_done += o->done != 0;
        }
    }
}

static struct cai_chain_job job_for(const struct bench *b, const char *prompt, int steps)
{
    struct cai_chain_job job = {.chain = 7,
                                .prompt = prompt,
                                .make_initial = 1,
                                .n_steps = steps,
                                .constitution = b->constitution,
                                .fewshots_dir = b->dir};
    cai_chain_settings_default(&job.settings);
    memset(job.settings.guidance, 0, sizeof job.settings.guidance);
    job.settings.seed = 5;
    snprintf(job.settings.principle, sizeof job.settings.principle, "kind");
    return job;
}

static void run_job(struct bench *b, const struct cai_chain_job *job, struct outcome *o)
{
    uint64_t id = cai_engine_run_chain(b->engine, job, err, sizeof err);
    if (!id)
        fail_msg("%s", err);
    memset(o, 0, sizeof *o);
    run(b, id, o, 1);
}

static char *joined(const struct cai_segment *s, size_t n)
{
    static struct strbuf b = STRBUF_INIT(1 << 20);
    strbuf_reset(&b);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(strbuf_adds(&b, s[i].text), CAI_OK);
    return b.data;
}

static void test_chat_layout_says_what_the_method_says(void **state)
{
    struct bench *b = *state;
    struct cai_chain_job job = job_for(b, "Hello", 2);
    struct outcome o;

    run_job(b, &job, &o);
    assert_int_equal(o.status, CAI_OK);
    assert_int_equal(o.n, 5);
    assert_string_equal(joined(o.nodes[0]->segments, o.nodes[0]->n_segments),
                        "user:\nHello\n\nassistant:\n");
    assert_string_equal(o.nodes[0]->text, "You fool, go away.");
    assert_string_equal(o.nodes[0]->principle, "");
    assert_string_equal(o.nodes[0]->constitution, "");
    assert_string_equal(
        joined(o.nodes[1]->segments, o.nodes[1]->n_segments),
        "user:\nHello\n\nassistant:\nYou fool, go away.\n\nuser:\nSay what is "
        "unkind.\n\nassistant:\n");
    assert_string_equal(o.nodes[1]->principle, "kind");
    assert_string_equal(o.nodes[1]->constitution, cai_constitution_hash(b->constitution));
    assert_string_equal(joined(o.nodes[2]->segments, o.nodes[2]->n_segments),
                        "user:\nHello\n\nassistant:\nYou fool, go away.\n\nuser:\nSay "
                        "what is unkind.\n\nassistant:\nIt was unkind.\n\n"
                        "CritiqueRequest: x\n\nuser:\nWrite it kindly.\n\n"
                        "The question again: Hello\n\nassistant:\n");
    /* The next step starts from the revision; critique and requests are gone. */
    assert_string_equal(
        joined(o.nodes[3]->segments, o.nodes[3]->n_segments),
        "user:\nHello\n\nassistant:\nA kind answer.\n\nuser:\nSay what is "
        "unkind.\n\nassistant:\n");
    assert_int_equal(o.nodes[4]->kind, CAI_NODE_REVISION);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(o.nodes[i]->step, i);
        assert_int_equal(o.nodes[i]->draw, 0);
        assert_int_equal(o.nodes[i]->n_against, 0);
        assert_null(o.nodes[i]->logprob_b);
        assert_int_equal(o.nodes[i]->finish, CAI_FINISH_EOS);
        assert_string_equal(o.nodes[i]->chat_template, "scripted");
        assert_string_equal(o.nodes[i]->model, cai_engine_model(b->engine)->sha256);
        assert_string_equal(o.streamed[i], o.nodes[i]->raw);
        assert_true(o.nodes[i]->time_ms > 0);
    }
    outcome_free(&o);
}

static void test_raw_text_is_kept_beside_the_trimmed(void **state)
{
    struct bench *b = *state;
    struct cai_chain_job job = job_for(b, "Write it", 0);
    const struct cai_node *n;
    struct outcome o;

    run_job(b, &job, &o);
    n = o.nodes[0];
    assert_string_equal(n->raw, " A kind answer. ");
    assert_string_equal(n->text, "A kind answer.");
    assert_int_equal(n->trim_begin, 1);
    assert_int_equal(n->trim_len, strlen(n->text));
    outcome_free(&o);
}

static void test_paper_layout_is_the_transcript_with_its_stop_rule(void **state)
{
    struct bench *b = *state;
    struct cai_chain_job job = job_for(b, "Hello", 1);
    struct outcome o;

    job.settings.layout = CAI_LAYOUT_PAPER;
    snprintf(job.settings.fewshots, sizeof job.settings.fewshots, "shots");
    run_job(b, &job, &o);
    assert_int_equal(o.n, 3);
    assert_string_equal(joined(o.nodes[0]->segments, o.nodes[0]->n_segments),
                        "\n\nHuman: Hello\n\nAssistant:");
    assert_string_equal(o.nodes[0]->fewshots, "");
    assert_string_equal(
        joined(o.nodes[2]->segments, o.nodes[2]->n_segments),
        "\n\nHuman: P\n\nAssistant: R\n\nCritiqueRequest: CR\n\nCritique: "
        "C\n\nRevisionRequest: RR\n\nRevision: V"
        "\n\nHuman: Hello\n\nAssistant: You fool, go away."
        "\n\nCritiqueRequest: Say what is unkind.\n\nCritique: It was "
        "unkind.\n\nRevisionRequest: Write it kindly.\n\nRevision:");
    assert_int_equal(strlen(o.nodes[2]->fewshots), 64);
    assert_int_equal(o.nodes[1]->finish, CAI_FINISH_STOP);
    assert_string_equal(o.nodes[1]->raw, " It was unkind.");
    assert_string_equal(o.streamed[1], " It was unkind.");
    assert_string_equal(o.nodes[1]->chat_template, "paper");
    outcome_free(&o);
}

static void test_guidance_has_two_explicit_contexts(void **state)
{
    struct bench *b = *state;
    struct cai_chain_job job = job_for(b, "Hello", 1);
    struct outcome o;

    job.settings.guidance[CAI_NODE_INITIAL] = 2;
    job.settings.guidance[CAI_NODE_REVISION] = 3;
    run_job(b, &job, &o);
    assert_string_equal(joined(o.nodes[0]->segments, o.nodes[0]->n_segments),
                        "system:\nBe kind.\n\nuser:\nHello\n\nassistant:\n");
    assert_string_equal(joined(o.nodes[0]->against, o.nodes[0]->n_against),
                        "system:\nBe unkind.\n\nuser:\nHello\n\nassistant:\n");
    assert_string_equal(o.nodes[0]->principle, "kind");
    assert_non_null(o.nodes[0]->logprob_b);
    assert_int_equal(o.nodes[1]->n_against, 0);
    assert_memory_equal(joined(o.nodes[2]->against, o.nodes[2]->n_against),
                        "system:\nBe unkind.\n\nuser:\nHello", 31);
    outcome_free(&o);

    job.settings.against = CAI_AGAINST_NOTHING;
    run_job(b, &job, &o);
    assert_string_equal(joined(o.nodes[0]->against, o.nodes[0]->n_against),
                        "user:\nHello\n\nassistant:\n");
    assert_string_equal(joined(o.nodes[2]->against, o.nodes[2]->n_against),
                        "user:\nHello\n\nassistant:\nYou fool, go away.\n\nuser:\nWrite "
                        "it kindly.\n\nThe question again: Hello\n\nassistant:\n");
    assert_memory_equal(joined(o.nodes[2]->segments, o.nodes[2]->n_segments),
                        "system:\nBe kind.\n\nuser:\nHello", 29);
    outcome_free(&o);
}

static void test_principles_are_drawn_per_step_by_seed_and_draw(void **state)
{
    struct bench *b = *state;
    struct cai_chain_job job = job_for(b, "Hello", 6);
    struct outcome o, again;
    int differ = 0;

    *job.settings.principle = '\0';
    run_job(b, &job, &o);
    run_job(b, &job, &again);
    for (size_t i = 0; i < o.n; i++) {
        assert_string_equal(o.nodes[i]->principle, again.nodes[i]->principle);
        if (i > 0 && i % 2 == 0) /* a revision has its critique's */
            assert_string_equal(o.nodes[i]->principle, o.nodes[i - 1]->principle);
        differ |= i > 1 && strcmp(o.nodes[1]->principle, o.nodes[i]->principle) != 0;
    }
    assert_true(differ);
    outcome_free(&o);
    outcome_free(&again);
}

static void test_seed_and_draw_choose_another_answer(void **state)
{
    struct bench *b = *state;
    struct cai_chain_job job = job_for(b, "many", 0);
    char seen[32] = "";
    struct outcome o;

    for (uint32_t k = 0; k < 12; k++) {
        job.draw = k;
        run_job(b, &job, &o);
        assert_int_equal(o.nodes[0]->draw, k);
        if (!strchr(seen, o.nodes[0]->text[0]))
            strncat(seen, o.nodes[0]->text, 1);
        outcome_free(&o);
    }
    assert_true(strlen(seen) >= 3);
}

static void test_one_link_at_a_time(void **state)
{
    struct bench *b = *state;
    struct cai_chain_job job = job_for(b, "Hello", 1);
    const struct cai_node *path[2];
    struct outcome a, c, r;

    job.max_links = 1;
    run_job(b, &job, &a);
    assert_int_equal(a.n, 1);
    a.nodes[0]->id = 1;
    path[0] = a.nodes[0];
    job.path = path;
    job.n_path = 1;
    job.make_initial = 0;
    run_job(b, &job, &c);
    assert_int_equal(c.n, 1);
    assert_int_equal(c.nodes[0]->kind, CAI_NODE_CRITIQUE);
    assert_int_equal(c.nodes[0]->parent, 1);
    assert_int_equal(c.nodes[0]->step, 1);
    path[1] = c.nodes[0];
    job.n_path = 2;
    job.n_steps = 0;
    job.only_revision = 1;
    *job.settings.principle = '\0';
    run_job(b, &job, &r);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.nodes[0]->kind, CAI_NODE_REVISION);
    assert_string_equal(r.nodes[0]->principle, "kind");
    assert_int_equal(r.nodes[0]->step, 2);
    outcome_free(&a);
    outcome_free(&c);
    outcome_free(&r);
}

static void test_interleaved_chains_give_the_bytes_of_each_alone(void **state)
{
    struct bench *b = *state;
    static const char *const prompts[] = {"many slow", "many Hello", "Hello", "many 2"};
    struct outcome alone[4], mixed[4];
    struct cai_chain_job job;
    uint64_t first = 0;

    for (size_t i = 0; i < 4; i++) {
        job = job_for(b, prompts[i], 2);
        *job.settings.principle = '\0';
        job.settings.seed = i;
        run_job(b, &job, &alone[i]);
    }
    memset(mixed, 0, sizeof mixed);
    for (size_t i = 0; i < 4; i++) {
        uint64_t id;
        job = job_for(b, prompts[i], 2);
        *job.settings.principle = '\0';
        job.settings.seed = i;
        id = cai_engine_run_chain(b->engine, &job, err, sizeof err);
        assert_true(id > 0);
        first = first ? first : id;
    }
    run(b, first, mixed, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(mixed[i].n, 5);
        for (size_t k = 0; k < 5; k++) {
            assert_string_equal(mixed[i].nodes[k]->raw, alone[i].nodes[k]->raw);
            assert_string_equal(mixed[i].nodes[k]->principle,
                                alone[i].nodes[k]->principle);
        }
        outcome_free(&mixed[i]);
        outcome_free(&alone[i]);
    }
}

static void test_cancel_keeps_the_partial_text(void **state)
{
    struct bench *b = *state;
    struct cai_chain_job job = job_for(b, "slow", 2);
    struct outcome o = {0};
    struct cai_event e;
    uint64_t id = cai_engine_run_chain(b->engine, &job, err, sizeof err);

    assert_true(id > 0);
    while (!o.done) {
        assert_true(cai_inbox_wait(b->inbox, 10000));
        while (cai_inbox_take(b->inbox, &e)) {
            int is_text = e.kind == CAI_EVENT_TEXT;
            apply(&o, &e);
            if (is_text && o.n_text == 2)
                cai_engine_cancel(b->engine, id);
        }
    }
    assert_int_equal(o.status, CAI_CANCELLED);
    assert_int_equal(o.n, 1);
    assert_int_equal(o.nodes[0]->finish, CAI_FINISH_CANCELLED);
    assert_memory_equal(o.nodes[0]->text, "one two", 7);
    assert_null(strstr(o.nodes[0]->text, "five"));
    outcome_free(&o);
}

static void test_failures_are_told(void **state)
{
    struct bench *b = *state;
    struct cai_chain_job job = job_for(b, "broken", 0);
    struct outcome o;
    struct strbuf big = STRBUF_INIT(1 << 20);

    run_job(b, &job, &o);
    assert_int_equal(o.status, CAI_REMOTE);
    assert_string_equal(o.message, "the line went dead");
    assert_int_equal(o.n, 0);
    outcome_free(&o);

    for (int i = 0; i < 600; i++)
        assert_int_equal(strbuf_adds(&big, "word "), CAI_OK);
    job = job_for(b, big.data, 0);
    run_job(b, &job, &o);
    assert_int_equal(o.status, CAI_LIMIT);
    assert_non_null(strstr(o.message, "needs 605 tokens and the context has 500"));
    assert_int_equal(o.n, 0);
    outcome_free(&o);

    big.data[5 * 492] = '\0'; /* 497 tokens with the markup: room for 3 more */
    job = job_for(b, big.data, 0);
    run_job(b, &job, &o);
    assert_int_equal(o.status, CAI_OK);
    assert_int_equal(o.nodes[0]->finish, CAI_FINISH_LENGTH);
    assert_string_equal(o.nodes[0]->text, "You fool, go");
    assert_non_null(strstr(o.message, "the context is full"));
    outcome_free(&o);
    strbuf_free(&big);
}

static void assert_job_refused(struct bench *b, const struct cai_chain_job *job,
                               const char *part)
{
    assert_int_equal(cai_engine_run_chain(b->engine, job, err, sizeof err), 0);
    if (!strstr(err, part))
        fail_msg("\"%s\" does not contain \"%s\"", err, part);
}

static void test_senseless_jobs_are_refused_at_once(void **state)
{
    struct bench *b = *state;
    struct cai_chain_job job = job_for(b, "Hello", 1);
    struct cai_node critique = {.kind = CAI_NODE_CRITIQUE,
                                .text = (char *)"c",
                                .principle = (char *)"kind"};
    const struct cai_node *path[1] = {&critique};

    job.constitution = NULL;
    assert_job_refused(b, &job, "no constitution");
    job = job_for(b, "Hello", 1);
    snprintf(job.settings.principle, sizeof job.settings.principle, "nobody");
    assert_job_refused(b, &job, "no principle \"nobody\"");
    job = job_for(b, "Hello", 1);
    job.settings.sampling.temperature = -1;
    assert_job_refused(b, &job, "temperature");
    job = job_for(b, "Hello", 1);
    job.settings.guidance[1] = 1e9;
    assert_job_refused(b, &job, "guidance");
    job = job_for(b, "Hello", 1);
    snprintf(job.settings.fewshots, sizeof job.settings.fewshots, "nothing");
    assert_job_refused(b, &job, "nothing.json");
    snprintf(job.settings.fewshots, sizeof job.settings.fewshots, "../x");
    assert_job_refused(b, &job, "not a valid id");
    job = job_for(b, "Hello", 1);
    job.make_initial = 0;
    assert_job_refused(b, &job, "no response yet");
    job.path = path;
    job.n_path = 1;
    assert_job_refused(b, &job, "has no revision yet");
    job = job_for(b, "Hello", 0);
    job.make_initial = 0;
    job.only_revision = 1;
    assert_job_refused(b, &job, "no response yet");
    cai_constitution_set(b->constitution, 1, CAI_FIELD_CRITIQUE_REQUEST, "", err,
                         sizeof err);
    job = job_for(b, "Hello", 1);
    *job.settings.principle = '\0';
    assert_job_refused(b, &job, "principle \"brief\" has no critique_request");
}

static void test_generate_and_replay(void **state)
{
    struct bench *b = *state;
    struct cai_generate_job g = {.system = "Be old.",
                                 .prompt = "many",
                                 .sampling = {1, 0, 1, 0, 20},
                                 .seed = 3,
                                 .stream = 1};
    struct cai_chain_job job = job_for(b, "many", 1);
    struct outcome o = {0};
    size_t diff = 0;
    uint64_t id = cai_engine_generate(b->engine, &g, err, sizeof err);

    assert_true(id > 0);
    run(b, id, &o, 1);
    assert_int_equal(o.n, 1);
    assert_int_equal(o.n_started, 0);
    assert_string_equal(joined(o.nodes[0]->segments, o.nodes[0]->n_segments),
                        "system:\nBe old.\n\nuser:\nmany\n\nassistant:\n");
    outcome_free(&o);

    run_job(b, &job, &o);
    for (size_t i = 0; i < o.n; i++) {
        assert_int_equal(cai_engine_replay(b->engine, o.nodes[i], &diff, err, sizeof err),
                         CAI_OK);
        assert_true(diff == SIZE_MAX);
    }
    o.nodes[1]->raw[4] = '!';
    assert_int_equal(cai_engine_replay(b->engine, o.nodes[1], &diff, err, sizeof err),
                     CAI_OK);
    assert_int_equal(diff, 4);
    o.nodes[1]->model[0] = 'x';
    assert_int_equal(cai_engine_replay(b->engine, o.nodes[1], &diff, err, sizeof err),
                     CAI_INVALID);
    assert_non_null(strstr(err, "made with the model x"));
    o.nodes[0]->finish = CAI_FINISH_HUMAN;
    assert_int_equal(cai_engine_replay(b->engine, o.nodes[0], &diff, err, sizeof err),
                     CAI_INVALID);
    outcome_free(&o);
}

static void test_a_model_that_does_not_load_fails_its_jobs(void **state)
{
    struct bench *b = *state;
    struct cai_engine_options opts = {.model = "scripted:/nonexistent.json"};
    struct cai_inbox *inbox = cai_inbox_new();
    struct cai_engine *e;
    struct cai_chain_job job = job_for(b, "Hello", 0);
    struct cai_event ev;
    int n_model = 0, n_job = 0;

    assert_int_equal(cai_engine_open(&e, inbox, &opts, err, sizeof err), CAI_OK);
    assert_true(cai_engine_run_chain(e, &job, err, sizeof err) > 0);
    while (!n_job) {
        assert_true(cai_inbox_wait(inbox, 10000));
        while (cai_inbox_take(inbox, &ev)) {
            assert_int_equal(ev.status, CAI_IO);
            assert_non_null(strstr(ev.message, "/nonexistent.json"));
            n_model += ev.kind == CAI_EVENT_MODEL;
            n_job += ev.kind == CAI_EVENT_JOB;
            cai_event_clear(&ev);
        }
    }
    assert_int_equal(n_model, 1);
    assert_null(cai_engine_model(e));
    cai_engine_close(e);
    cai_inbox_free(inbox);
}

static void test_close_while_generating(void **state)
{
    struct bench *b = *state;
    struct cai_engine_options opts = {0};
    struct cai_inbox *inbox = cai_inbox_new();
    struct cai_engine *e;
    struct cai_chain_job job = job_for(b, "slow", 3);
    struct cai_event ev;
    char model[128];
    int n_job = 0;

    snprintf(model, sizeof model, "scripted:%s/script.json", b->dir);
    opts.model = model;
    assert_int_equal(cai_engine_open(&e, inbox, &opts, err, sizeof err), CAI_OK);
    for (int i = 0; i < 20; i++)
        assert_true(cai_engine_run_chain(e, &job, err, sizeof err) > 0);
    cai_engine_close(e);
    while (cai_inbox_take(inbox, &ev)) {
        if (ev.kind == CAI_EVENT_JOB) {
            assert_int_equal(ev.status, CAI_CANCELLED);
            n_job++;
        }
        cai_event_clear(&ev);
    }
    assert_int_equal(n_job, 20);
    cai_inbox_free(inbox);
}

/* Whatever allocation fails, a job is refused or ends, and the engine goes on. */
static void test_out_of_memory_never_loses_a_job(void **state)
{
    struct bench *b = *state;
    struct cai_chain_job job = job_for(b, "Hello", 1);
    struct outcome o;
    int n_failed = 0;

    job.settings.guidance[CAI_NODE_REVISION] = 2;
    run_job(b, &job, &o);
    outcome_free(&o);
    for (unsigned long k = 1; k < 400; k += 3) {
        uint64_t id;
        mem_test_fail(k, 0);
        id = cai_engine_run_chain(b->engine, &job, err, sizeof err);
        if (id)
            run(b, id, &o, 1);
        mem_test_fail(0, 0);
        if (!id)
            assert_non_null(strstr(err, "out of memory"));
        n_failed += !id || o.status == CAI_NOMEM;
        outcome_free(&o);
    }
    assert_true(n_failed > 50);
    run_job(b, &job, &o);
    assert_int_equal(o.n, 3);
    outcome_free(&o);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_chat_layout_says_what_the_method_says),
        T(test_raw_text_is_kept_beside_the_trimmed),
        T(test_paper_layout_is_the_transcript_with_its_stop_rule),
        T(test_guidance_has_two_explicit_contexts),
        T(test_principles_are_drawn_per_step_by_seed_and_draw),
        T(test_seed_and_draw_choose_another_answer),
        T(test_one_link_at_a_time),
        T(test_interleaved_chains_give_the_bytes_of_each_alone),
        T(test_cancel_keeps_the_partial_text),
        T(test_failures_are_told),
        T(test_senseless_jobs_are_refused_at_once),
        T(test_generate_and_replay),
        T(test_a_model_that_does_not_load_fails_its_jobs),
        T(test_close_while_generating),
        T(test_out_of_memory_never_loses_a_job),
    };
    cai_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

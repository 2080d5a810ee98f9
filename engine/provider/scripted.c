/*
 * scripted.c: canned answers from a file, for tests and for trying the workbench without
 * a model. Deterministic: the same prompt gives the same words.
 *
 * The file is JSON: a list of answers, or an object
 *
 *     {"name": "demo", "n_ctx": 2048, "load_error": "...", "answers": [...]}
 *
 * (all but "answers" optional; "load_error" makes opening fail with this text). Answers
 * are tried in order and the first that fits is given:
 *
 *     "match"     substring of the whole prompt, or "*" (default) for any
 *     "last"      substring of the prompt's last turn; both must fit when both are there
 *     "text"      the answer, or
 *     "texts"     several: the request's random stream chooses one, so that another seed,
 *                 step or draw may give another (without it the seed changes nothing)
 *     "finish"    "eos" (default) or "length": how it ends
 *     "error"     the request fails with this text, after the words of "text"
 *     "delay_ms"  before the first token
 *     "delay_ms_per_token"
 *
 * A token is a word with the white space before it. A turn is rendered as "user:\n" +
 * text, turns are separated by an empty line. Token ids count from 0, log-probs are 0 (-1
 * under context b), guidance does nothing. Thread: the worker's.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "provider/provider.h"

enum { SCRIPT_MAX_BYTES = 16 << 20, SCRIPT_N_CTX = 8192 };

struct scripted {
    struct provider base;
    cJSON *doc;
    const cJSON *answers;
    size_t n_ctx;
    struct cai_model_info info;
    char *path; /* as given, with "scripted:" */
    char hash[HASH_HEX_LEN + 1];
};

/* Where a generation stands in its answer. */
struct telling {
    const char *rest, *error; /* borrowed from the script */
    enum cai_finish finish;
    int64_t ready_us, delay_us;
};

static struct scripted *self(struct provider *p)
{
    return (struct scripted *)(void *)p;
}

static enum cai_status add_segment(struct cai_segment *dst, int special, const char *a,
                                   const char *b, const char *c)
{
    struct strbuf text = STRBUF_INIT(SCRIPT_MAX_BYTES);
    enum cai_status st = strbuf_addf(&text, "%s%s%s", a, b, c);

    dst->special = special;
    dst->text = st == CAI_OK ? strbuf_take(&text, NULL) : NULL;
    strbuf_free(&text);
    return dst->text ? CAI_OK : CAI_NOMEM;
}

static enum cai_status scripted_render(struct provider *p,
                                       const struct provider_message *messages, size_t n,
                                       struct cai_segment **segments, size_t *n_segments,
                                       char *err, size_t errlen)
{
    static const char *const roles[] = {"system", "user", "assistant"};
    struct cai_segment *list = mem_alloc(2 * n + 1, sizeof *list);
    enum cai_status st = list ? CAI_OK : CAI_NOMEM;
    const char *before = "";

    (void)p;
    for (size_t i = 0; i < n && st == CAI_OK; i++, before = "\n\n") {
        st = add_segment(&list[2 * i], 1, before, roles[messages[i].role], ":\n");
        if (st == CAI_OK)
            st = add_segment(&list[2 * i + 1], 0, messages[i].text, "", "");
    }
    if (st == CAI_OK)
        st = add_segment(&list[2 * n], 1, before, "assistant", ":\n");
    if (st != CAI_OK) {
        for (size_t i = 0; list && i < 2 * n + 1; i++)
            mem_free(list[i].text);
        mem_free(list);
        return err_nomem(err, errlen, "prompt");
    }
    *segments = list;
    *n_segments = 2 * n + 1;
    return CAI_OK;
}

static size_t scripted_stops(struct provider *p, const char *const **stops)
{
    (void)p;
    *stops = NULL;
    return 0;
}

/* Length of the next token: white space, then a word. */
static size_t word_len(const char *s)
{
    size_t n = 0;
    while (s[n] && isspace((unsigned char)s[n]))
        n++;
    while (s[n] && !isspace((unsigned char)s[n]))
        n++;
    return n;
}

static size_t count_words(const char *s)
{
    size_t n = 0, len;
    for (; (len = word_len(s)); s += len)
        n++;
    return n;
}

static int fits(const cJSON *answer, const char *prompt, const char *last)
{
    const char *match = json_str(answer, "match"), *in_last = json_str(answer, "last");
    return (!match || strcmp(match, "*") == 0 || strstr(prompt, match)) &&
           (!in_last || strstr(last, in_last));
}

static const char *choose_text(const cJSON *answer, const struct rng_stream *stream)
{
    const cJSON *texts = json_get(answer, "texts"), *t;
    int n = cJSON_GetArraySize(texts);

    if (n == 0)
        return json_str(answer, "text");
    t = cJSON_GetArrayItem(texts, (int)(rng_u32(stream, 0, 0) % (uint32_t)n));
    return cJSON_IsString(t) ? t->valuestring : NULL;
}

static enum cai_status find_answer(const struct scripted *s,
                                   const struct provider_request *r, const cJSON **answer,
                                   size_t *n_prompt, char *err, size_t errlen)
{
    struct strbuf prompt = STRBUF_INIT(8 * (size_t)SCRIPT_MAX_BYTES);
    enum cai_status st = CAI_OK;
    const char *last = "";
    const cJSON *a;

    *answer = NULL;
    *n_prompt = 0;
    for (size_t i = 0; i < r->n_segments && st == CAI_OK; i++) {
        st = strbuf_adds(&prompt, r->segments[i].text);
        if (!r->segments[i].special)
            last = r->segments[i].text;
        *n_prompt += count_words(r->segments[i].text);
    }
    if (st == CAI_OK)
        cJSON_ArrayForEach(a, s->answers) if (fits(a, strbuf_str(&prompt), last))
        {
            *answer = a;
            break;
        }
    strbuf_free(&prompt);
    if (st != CAI_OK)
        return err_nomem(err, errlen, "prompt");
    if (!*answer)
        return err_set(CAI_INVALID, err, errlen,
                       "%s: no answer fits the prompt; add one with \"match\": \"*\"",
                       s->path);
    return CAI_OK;
}

static enum cai_status scripted_begin(struct provider *p, struct gen *g, int64_t now_us,
                                      char *err, size_t errlen)
{
    struct scripted *s = self(p);
    const cJSON *answer;
    struct telling *t;
    size_t n_prompt;
    enum cai_status st = find_answer(s, g->req, &answer, &n_prompt, err, errlen);
    const char *text, *finish;

    if (st == CAI_OK)
        st = gen_fit(g, n_prompt, s->n_ctx, err, errlen);
    if (st != CAI_OK)
        return st;
    t = mem_alloc(1, sizeof *t);
    if (!t)
        return err_nomem(err, errlen, "answer");
    text = choose_text(answer, &g->req->stream);
    finish = json_str(answer, "finish");
    t->rest = text ? text : "";
    t->error = json_str(answer, "error");
    t->finish =
        finish && strcmp(finish, "length") == 0 ? CAI_FINISH_LENGTH : CAI_FINISH_EOS;
    t->delay_us = (int64_t)(1000 * json_num(answer, "delay_ms_per_token", 0));
    t->ready_us = now_us + (int64_t)(1000 * json_num(answer, "delay_ms", 0));
    g->own = t;
    return CAI_OK;
}

/* One word, or the end. */
static void tell(struct gen *g, int64_t now_us)
{
    struct telling *t = g->own;
    struct gen_token token = {.id = (int32_t)g->result.n_tokens, .logprob_b = -1};

    token.piece_len = word_len(t->rest);
    if (token.piece_len) {
        token.piece = t->rest;
        t->rest += token.piece_len;
        t->ready_us = now_us + t->delay_us;
    }
    if (token.piece || (!t->error && t->finish == CAI_FINISH_EOS))
        gen_add(g, &token, now_us);
    else if (t->error)
        gen_fail(g, CAI_REMOTE, t->error);
    else
        gen_finish(g, t->finish);
}

static enum cai_status scripted_step(struct provider *p, struct gen *const *gens,
                                     size_t n, int64_t now_us, int64_t *next_us,
                                     char *err, size_t errlen)
{
    int64_t soonest = INT64_MAX;
    int moved = 0;

    (void)p;
    (void)err;
    (void)errlen;
    for (size_t i = 0; i < n; i++) {
        const struct telling *t = gens[i]->own;
        if (t->ready_us <= now_us) {
            tell(gens[i], now_us);
            moved = 1;
        } else if (t->ready_us < soonest) {
            soonest = t->ready_us;
        }
    }
    if (!moved)
        *next_us = soonest;
    return CAI_OK;
}

static void scripted_end(struct provider *p, struct gen *g)
{
    (void)p;
    mem_free(g->own);
    g->own = NULL;
}

static const struct cai_model_info *scripted_info(const struct provider *p)
{
    return &((const struct scripted *)(const void *)p)->info;
}

static void scripted_close(struct provider *p)
{
    struct scripted *s = self(p);
    cJSON_Delete(s->doc);
    mem_free(s->path);
    mem_free(s);
}

static const struct provider_ops scripted_ops = {
    scripted_render, scripted_stops, scripted_begin, scripted_step,
    scripted_end,    scripted_info,  scripted_close,
};

/* Wrong types would only show as an odd screen later: refuse them here. */
static enum cai_status check_answers(const struct scripted *s, char *err, size_t errlen)
{
    static const char *const texts[] = {"match", "last", "text", "finish", "error"};
    static const char *const numbers[] = {"delay_ms", "delay_ms_per_token"};
    const cJSON *a, *v;
    int n = 0;

    if (!cJSON_IsArray(s->answers))
        return err_set(CAI_PARSE, err, errlen, "no list of \"answers\"");
    cJSON_ArrayForEach(a, s->answers)
    {
        n++;
        if (!cJSON_IsObject(a))
            return err_set(CAI_PARSE, err, errlen, "answer %d is not an object", n);
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            if ((v = json_get(a, texts[i])) && !cJSON_IsString(v))
                return err_set(CAI_PARSE, err, errlen, "answer %d: \"%s\" is not a text",
                               n, texts[i]);
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
            double x = json_num(a, numbers[i], json_get(a, numbers[i]) ? -1 : 0);
            if (!(x >= 0 && x <= 3600e3))
                return err_set(CAI_PARSE, err, errlen,
                               "answer %d: \"%s\" is not a number of milliseconds", n,
                               numbers[i]);
        }
        if (!json_str(a, "text") && !json_str(a, "error") &&
            cJSON_GetArraySize(json_get(a, "texts")) == 0)
            return err_set(CAI_PARSE, err, errlen,
                           "answer %d has neither \"text\", \"texts\" nor \"error\"", n);
    }
    return CAI_OK;
}

static enum cai_status load(struct scripted *s, const char *path, char *err,
                            size_t errlen)
{
    struct strbuf text = STRBUF_INIT(SCRIPT_MAX_BYTES);
    struct strbuf name = STRBUF_INIT(SCRIPT_MAX_BYTES);
    enum cai_status st = file_read(&text, path, err, errlen);
    const char *said;
    double n_ctx;

    if (st != CAI_OK)
        goto out;
    hash_hex(s->hash, strbuf_str(&text), text.len);
    st = json_parse(&s->doc, strbuf_str(&text), text.len, err, errlen);
    if (st != CAI_OK) {
        err_prefix(err, errlen, path);
        goto out;
    }
    s->answers = cJSON_IsArray(s->doc) ? s->doc : json_get(s->doc, "answers");
    said = json_str(s->doc, "load_error");
    if (said)
        st = err_set(CAI_INVALID, err, errlen, "%s", said);
    else
        st = check_answers(s, err, errlen);
    if (st != CAI_OK) {
        err_prefix(err, errlen, path);
        goto out;
    }
    n_ctx = json_num(s->doc, "n_ctx", SCRIPT_N_CTX);
    s->n_ctx = n_ctx >= 1 && n_ctx < 1e9 ? (size_t)n_ctx : SCRIPT_N_CTX;
    st = strbuf_addf(&name, "scripted:%s", path);
    s->path = st == CAI_OK ? strbuf_take(&name, NULL) : NULL;
    if (!s->path) {
        st = err_nomem(err, errlen, path);
        goto out;
    }
    said = json_str(s->doc, "name");
    s->info = (struct cai_model_info){
        .path = s->path,
        .sha256 = s->hash,
        .arch = "scripted",
        .name = said ? said : "scripted",
        .kernel = "none",
        .chat_template = "scripted",
        .tokenizer = "words",
        .n_ctx_train = (int)s->n_ctx,
        .file_bytes = text.len,
        .n_threads = 1,
    };
out:
    strbuf_free(&text);
    strbuf_free(&name);
    return st;
}

enum cai_status scripted_open(struct provider **dst, const char *path, char *err,
                              size_t errlen)
{
    struct scripted *s = mem_alloc(1, sizeof *s);
    enum cai_status st;

    *dst = NULL;
    if (!s)
        return err_nomem(err, errlen, path);
    s->base.ops = &scripted_ops;
    st = load(s, path, err, errlen);
    if (st == CAI_OK)
        *dst = &s->base;
    else
        scripted_close(&s->base);
    return st;
}

/*
 * local.c: a model that runs in this process, as a provider. The only file above model/
 * that knows it.
 *
 * Owns the context, the sequences of requests under way and a few finished ones, whose
 * keys and values a later prompt with the same beginning shares (consecutive links of a
 * chain mostly do). A guided request has two sequences in lockstep. One pass decodes a
 * token of every request and spends the rest of its rows on prompts. What a request
 * yields depends on nothing but itself: forward.h promises equal bits for any batch.
 *
 * Thread: the worker's. Test: tests/unit_replay.c.
 */
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "model/chat_template.h"
#include "model/forward.h"
#include "model/model.h"
#include "model/sampler.h"
#include "model/tokenizer.h"
#include "provider/provider.h"
#include "provider/sched.h"

enum {
    DEFAULT_N_CTX = 8192,
    MAX_ROWS = 128, /* of a step: what an interactive request may have to wait for */
    KEPT_SEQS = 8,
    KEPT_TOKENS = 4096,
    PAGE_SLACK = 32, /* tokens: a sequence may begin and end inside a page */
};

/* One context of a request. */
struct side {
    struct seq *seq;
    int32_t *prompt; /* (n_prompt) */
    size_t n_prompt;
    float *logits; /* (n_vocab) of the last token evaluated */
    int ready;     /* logits are those the next token is drawn from */
};

struct local_gen {
    struct local_gen *next;
    struct gen *g;
    struct side side[2]; /* a, b */
    int n_sides;
    int32_t last; /* token drawn, not yet evaluated */
    int has_last;
};

struct local {
    struct provider base;
    struct cai_model *model;
    const char *stop[1]; /* of the chat template; NULL: none */
    struct ctx *ctx;
    struct sampler *sampler;
    struct local_gen *gens;      /* under way */
    struct seq *kept[KEPT_SEQS]; /* of finished requests, last used first; NULL: free */
    struct entry rows[MAX_ROWS];
};

static struct local *self(struct provider *p)
{
    return (struct local *)(void *)p;
}

/* ---------------------------------------------------------------- prompts */

static enum cai_status local_render(struct provider *p,
                                    const struct provider_message *messages, size_t n,
                                    struct cai_segment **segments, size_t *n_segments,
                                    char *err, size_t errlen)
{
    static const enum chat_role roles[] = {
        [PROVIDER_SYSTEM] = CHAT_SYSTEM,
        [PROVIDER_USER] = CHAT_USER,
        [PROVIDER_ASSISTANT] = CHAT_ASSISTANT,
    };
    struct local *l = self(p);
    struct chat_message *list = mem_alloc(n, sizeof *list);
    enum cai_status st;

    if (!list)
        return err_nomem(err, errlen, "prompt");
    for (size_t i = 0; i < n; i++)
        list[i] = (struct chat_message){roles[messages[i].role], messages[i].text};
    st = chat_template_render(segments, n_segments, l->model->chat_template,
                              model_tokenizer(l->model), list, n, "", err, errlen);
    mem_free(list);
    return st;
}

static size_t local_stops(struct provider *p, const char *const **stops)
{
    struct local *l = self(p);
    *stops = l->stop;
    return l->stop[0] != NULL;
}

/* A transcript has no segment of its own for the token a text begins with. */
static enum cai_status encode(const struct local *l, const struct cai_segment *segments,
                              size_t n, struct side *s, char *err, size_t errlen)
{
    const struct tokenizer *tok = model_tokenizer(l->model);
    int bos = tokenizer_adds_bos(tok) && !(n && segments[0].special);
    enum cai_status st;
    int32_t *ids, *longer;
    size_t n_ids;

    st = chat_segments_encode(tok, segments, n, &ids, &n_ids, err, errlen);
    if (st != CAI_OK)
        return st;
    if (bos) {
        longer = mem_resize(ids, n_ids + 1, sizeof *ids);
        if (!longer) {
            mem_free(ids);
            return err_nomem(err, errlen, "prompt");
        }
        ids = longer;
        memmove(ids + 1, ids, n_ids * sizeof *ids);
        ids[0] = tokenizer_bos(tok);
        n_ids++;
    }
    s->prompt = ids;
    s->n_prompt = n_ids;
    return n_ids ? CAI_OK : err_set(CAI_INVALID, err, errlen, "the prompt is empty");
}

/* ---------------------------------------------------------------- sequences */

static size_t common_prefix(const struct seq *seq, const struct side *s)
{
    const int32_t *tokens = seq_tokens(seq);
    size_t n = seq_len(seq), i = 0;

    while (i < n && i < s->n_prompt && tokens[i] == s->prompt[i])
        i++;
    return i;
}

/* The sequence of s, with as much of its prompt evaluated as any other already has. The
 * last token stays to be evaluated: its logits are wanted. */
static int start_seq(struct local *l, struct side *s)
{
    const struct seq *best = NULL;
    size_t shared = 0, n;

    for (size_t i = 0; i < KEPT_SEQS && l->kept[i]; i++)
        if ((n = common_prefix(l->kept[i], s)) > shared)
            best = l->kept[i], shared = n;
    for (const struct local_gen *o = l->gens; o; o = o->next)
        for (int k = 0; k < o->n_sides; k++)
            if ((n = common_prefix(o->side[k].seq, s)) > shared)
                best = o->side[k].seq, shared = n;
    if (shared == s->n_prompt)
        shared--;
    s->seq = best && shared ? seq_fork(best, shared) : seq_new(l->ctx);
    return s->seq != NULL;
}

static void drop_last_kept(struct local *l)
{
    for (size_t i = KEPT_SEQS; i-- > 0;)
        if (l->kept[i]) {
            seq_free(l->kept[i]);
            l->kept[i] = NULL;
            return;
        }
}

/* Keeps a sequence for those to come, within bounds. */
static void keep(struct local *l, struct seq *take_seq)
{
    size_t total = 0;

    seq_free(l->kept[KEPT_SEQS - 1]);
    memmove(l->kept + 1, l->kept, (KEPT_SEQS - 1) * sizeof *l->kept);
    l->kept[0] = take_seq;
    for (size_t i = 0; i < KEPT_SEQS && l->kept[i]; i++)
        total += seq_len(l->kept[i]);
    while (total > KEPT_TOKENS && l->kept[1]) {
        size_t i = 1;
        while (i + 1 < KEPT_SEQS && l->kept[i + 1])
            i++;
        total -= seq_len(l->kept[i]);
        drop_last_kept(l);
    }
}

/* Tokens that requests under way may still evaluate. */
static size_t promised(const struct local_gen *list)
{
    size_t n = 0;

    for (const struct local_gen *o = list; o; o = o->next)
        for (int k = 0; k < o->n_sides; k++)
            n += o->side[k].n_prompt + (size_t)o->g->max_tokens -
                 seq_len(o->side[k].seq) + PAGE_SLACK;
    return n;
}

static void free_gen(struct local *l, struct local_gen *o, int keep_seqs)
{
    for (int k = 0; k < 2; k++) {
        struct side *s = &o->side[k];
        mem_free(s->prompt);
        mem_free(s->logits);
        if (s->seq && keep_seqs && seq_len(s->seq))
            keep(l, s->seq);
        else
            seq_free(s->seq);
    }
    mem_free(o);
}

static enum cai_status prepare(struct local *l, struct local_gen *o, char *err,
                               size_t errlen)
{
    struct gen *g = o->g;
    const struct provider_request *r = g->req;
    size_t longest = 0, need;
    enum cai_status st = sampling_check(&r->sampling, err, errlen);

    o->n_sides = r->n_against ? 2 : 1;
    g->result.n_shared = 0; /* it may be the second try */
    for (int k = 0; k < o->n_sides && st == CAI_OK; k++) {
        st = k == 0 ? encode(l, r->segments, r->n_segments, &o->side[k], err, errlen)
                    : encode(l, r->against, r->n_against, &o->side[k], err, errlen);
        if (o->side[k].n_prompt > longest)
            longest = o->side[k].n_prompt;
    }
    if (st == CAI_OK)
        st = gen_fit(g, longest, ctx_n_ctx(l->ctx), err, errlen);
    if (st != CAI_OK)
        return st;
    for (int k = 0; k < o->n_sides; k++) {
        o->side[k].logits = mem_alloc(l->model->shape.n_vocab, sizeof(float));
        if (!o->side[k].logits || !start_seq(l, &o->side[k]))
            return err_nomem(err, errlen, "request");
        g->result.n_shared += seq_len(o->side[k].seq);
    }
    need = promised(o) + promised(l->gens);
    while (ctx_free_tokens(l->ctx) < need && l->kept[0])
        drop_last_kept(l);
    if (ctx_free_tokens(l->ctx) < need)
        return err_set(CAI_BUSY, err, errlen,
                       "no room for %zu tokens beside those under way", need);
    return CAI_OK;
}

static enum cai_status local_begin(struct provider *p, struct gen *g, int64_t now_us,
                                   char *err, size_t errlen)
{
    struct local *l = self(p);
    struct local_gen *o = mem_alloc(1, sizeof *o);
    enum cai_status st;

    (void)now_us;
    if (!o)
        return err_nomem(err, errlen, "request");
    o->g = g;
    st = prepare(l, o, err, errlen);
    if (st != CAI_OK) {
        free_gen(l, o, 0);
        return st;
    }
    o->next = l->gens;
    l->gens = o;
    g->own = o;
    return CAI_OK;
}

static void local_end(struct provider *p, struct gen *g)
{
    struct local *l = self(p);
    struct local_gen *o = g->own, **at = &l->gens;

    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    g->own = NULL;
    free_gen(l, o, 1);
}

/* ---------------------------------------------------------------- a pass */

static void add_row(struct local *l, size_t *n, struct side *s, int32_t token, int last)
{
    l->rows[(*n)++] = (struct entry){
        .seq = s->seq,
        .token = token,
        .want = last ? ENTRY_LOGITS : ENTRY_NOTHING,
        .logits = s->logits,
    };
    s->ready = last;
}

/* The token drawn last goes through every context of the request. */
static void add_decode(struct local *l, size_t *n, struct local_gen *o)
{
    if (!o->has_last)
        return;
    for (int k = 0; k < o->n_sides; k++)
        add_row(l, n, &o->side[k], o->last, 1);
    o->has_last = 0;
}

/* As much of the prompts as there are rows left. */
static void add_prompt(struct local *l, size_t *n, struct local_gen *o)
{
    for (int k = 0; k < o->n_sides; k++) {
        struct side *s = &o->side[k];
        for (size_t i = seq_len(s->seq); i < s->n_prompt && *n < MAX_ROWS; i++)
            add_row(l, n, s, s->prompt[i], i + 1 == s->n_prompt);
    }
}

/* A logit that is no number spoils this request alone. */
static void draw(struct local *l, struct local_gen *o)
{
    const struct tokenizer *tok = model_tokenizer(l->model);
    const struct provider_request *r = o->g->req;
    char err[ERR_MAX] = "";
    struct gen_token t = {0};
    struct sampled drawn;
    enum cai_status st;

    for (int k = 0; k < o->n_sides; k++)
        if (!o->side[k].ready)
            return;
    st = sampler_draw(l->sampler, &drawn, &r->sampling, r->guidance, o->side[0].logits,
                      o->n_sides > 1 ? o->side[1].logits : NULL, &r->stream,
                      (uint32_t)o->g->result.n_tokens, err, sizeof err);
    if (st != CAI_OK) {
        gen_fail(o->g, st, err);
        return;
    }
    t.id = drawn.token;
    t.logprob = drawn.logprob;
    t.logprob_a = drawn.logprob_a;
    t.logprob_b = drawn.logprob_b;
    if (tokenizer_is_eog(tok, drawn.token))
        t.piece = NULL; /* the end */
    else if (tokenizer_is_control(tok, drawn.token))
        t.piece = ""; /* its name is not text */
    else
        t.piece = tokenizer_piece(tok, drawn.token, &t.piece_len);
    for (int k = 0; k < o->n_sides; k++)
        o->side[k].ready = 0;
    o->last = drawn.token;
    o->has_last = 1;
    gen_add(o->g, &t, clock_mono_us());
}

static enum cai_status local_step(struct provider *p, struct gen *const *gens, size_t n,
                                  int64_t now_us, int64_t *next_us, char *err,
                                  size_t errlen)
{
    struct local *l = self(p);
    size_t n_rows = 0;
    enum cai_status st;

    (void)now_us;
    (void)next_us;
    for (size_t i = 0; i < n; i++)
        add_decode(l, &n_rows, gens[i]->own);
    for (size_t i = 0; i < n; i++)
        add_prompt(l, &n_rows, gens[i]->own);
    st = ctx_eval(l->ctx, l->rows, n_rows, err, errlen);
    for (size_t i = 0; i < n && st == CAI_OK; i++)
        draw(l, gens[i]->own);
    return st;
}

/* ---------------------------------------------------------------- */

static const struct cai_model_info *local_info(const struct provider *p)
{
    return cai_model_info(((const struct local *)(const void *)p)->model);
}

static void local_close(struct provider *p)
{
    struct local *l = self(p);

    for (size_t i = 0; i < KEPT_SEQS; i++)
        seq_free(l->kept[i]);
    sampler_free(l->sampler);
    ctx_free(l->ctx);
    cai_model_close(l->model);
    mem_free(l);
}

static const struct provider_ops local_ops = {
    local_render, local_stops, local_begin, local_step,
    local_end,    local_info,  local_close,
};

enum cai_status local_open(struct provider **dst, const char *path,
                           const struct cai_model_options *opts, size_t n_ctx, char *err,
                           size_t errlen)
{
    struct local *l = mem_alloc(1, sizeof *l);
    enum cai_status st;

    *dst = NULL;
    if (!l)
        return err_nomem(err, errlen, path);
    l->base.ops = &local_ops;
    st = cai_model_open(&l->model, path, opts, err, errlen);
    if (st != CAI_OK)
        goto out;
    if (l->model->chat_template)
        l->stop[0] =
            chat_template_stop(l->model->chat_template, model_tokenizer(l->model));
    if (n_ctx == 0)
        n_ctx = l->model->shape.n_ctx_train < DEFAULT_N_CTX ? l->model->shape.n_ctx_train
                                                            : DEFAULT_N_CTX;
    /* Room for one guided request of full length; memory is taken as it is needed. */
    st = ctx_new(&l->ctx, l->model, n_ctx, 2 * (n_ctx + PAGE_SLACK), err, errlen);
    if (st == CAI_OK)
        st = sampler_new(&l->sampler, l->model, err, errlen);
    if (st == CAI_OK) {
        *dst = &l->base;
        l = NULL;
    }
out:
    if (l)
        local_close(&l->base);
    return st;
}

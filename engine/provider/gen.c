/*
 * gen.c: a text that grows token by token, the same for every kind of provider.
 *
 * Owns stop strings across token borders, deltas of whole characters, the token limit and
 * the result. Refuses knowledge of where tokens come from. Thread: the worker's.
 */
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "provider/provider.h"

void provider_result_clear(struct provider_result *r)
{
    mem_free(r->raw);
    mem_free(r->tokens);
    mem_free(r->logprob);
    mem_free(r->logprob_a);
    mem_free(r->logprob_b);
    memset(r, 0, sizeof *r);
}

static void free_segments(struct cai_segment *s, size_t n)
{
    for (size_t i = 0; s && i < n; i++)
        mem_free(s[i].text);
    mem_free(s);
}

void provider_request_free(struct provider_request *r)
{
    if (!r)
        return;
    free_segments(r->segments, r->n_segments);
    free_segments(r->against, r->n_against);
    mem_free(r);
}

enum cai_status gen_repair(struct strbuf *dst, const char *s, size_t len)
{
    enum cai_status st = CAI_OK;
    size_t run = 0, i = 0;
    uint32_t cp;

    while (i < len && st == CAI_OK) {
        size_t n = s[i] ? utf8_decode(&cp, s + i, len - i) : 0;
        if (n) {
            i += n;
            continue;
        }
        st = strbuf_add(dst, s + run, i - run);
        if (st == CAI_OK)
            st = strbuf_adds(dst, "\xEF\xBF\xBD");
        run = ++i;
    }
    return st == CAI_OK ? strbuf_add(dst, s + run, len - run) : st;
}

enum cai_status gen_fit(struct gen *g, size_t n_prompt, size_t n_ctx, char *err,
                        size_t errlen)
{
    size_t room;

    if (n_prompt >= n_ctx)
        return err_set(CAI_LIMIT, err, errlen,
                       "the prompt needs %zu tokens and the context has %zu, one of them "
                       "for the answer; shorten the prompt",
                       n_prompt, n_ctx);
    room = n_ctx - n_prompt;
    g->result.n_prompt = n_prompt;
    g->max_tokens = g->req->sampling.max_tokens;
    if ((size_t)g->max_tokens > room) {
        g->max_tokens = (int)room;
        g->clipped = 1;
    }
    return CAI_OK;
}

static int grow_floats(float **p, size_t cap)
{
    float *bigger = mem_resize(*p, cap, sizeof **p);
    if (bigger)
        *p = bigger;
    return bigger != NULL;
}

static int reserve_token(struct gen *g)
{
    struct provider_result *r = &g->result;
    size_t cap = g->cap ? g->cap * 2 : 64;
    int32_t *tokens;

    if (r->n_tokens < g->cap)
        return 1;
    tokens = mem_resize(r->tokens, cap, sizeof *tokens);
    if (!tokens)
        return 0;
    r->tokens = tokens;
    if (!grow_floats(&r->logprob, cap) || !grow_floats(&r->logprob_a, cap) ||
        (g->req->n_against && !grow_floats(&r->logprob_b, cap)))
        return 0;
    g->cap = cap;
    return 1;
}

/* Where the earliest stop string begins that ends behind byte `from`; len when none. */
static size_t find_stop(const struct gen *g, size_t from)
{
    size_t best = g->bytes.len;

    for (size_t i = 0; i < g->req->n_stops; i++) {
        const char *stop = g->req->stops[i];
        size_t n = strlen(stop), at = from >= n ? from - n + 1 : 0;
        const char *hit = at < g->bytes.len
                              ? memmem(g->bytes.data + at, g->bytes.len - at, stop, n)
                              : NULL;
        if (hit && (size_t)(hit - g->bytes.data) < best)
            best = (size_t)(hit - g->bytes.data);
    }
    return best;
}

/* Bytes that cannot become part of a stop string any more. */
static size_t safe_len(const struct gen *g)
{
    size_t len = g->bytes.len, held = 0;

    for (size_t i = 0; i < g->req->n_stops; i++) {
        const char *stop = g->req->stops[i];
        size_t n = strlen(stop) - 1;
        for (n = n < len ? n : len; n > held; n--)
            if (memcmp(g->bytes.data + len - n, stop, n) == 0)
                held = n;
    }
    return len - held;
}

/* Hands on what can be shown: whole characters, no beginning of a stop string. Out of
 * memory it comes later, with more, or with the result. */
static void show(struct gen *g, size_t upto)
{
    struct strbuf text = STRBUF_INIT((size_t)1 << 28);

    if (upto > g->shown && g->req->on_text &&
        gen_repair(&text, g->bytes.data + g->shown, upto - g->shown) == CAI_OK) {
        g->req->on_text(g->req->arg, strbuf_str(&text), text.len, (int)g->result.n_tokens,
                        g->result.tok_per_s);
        g->shown = upto;
    }
    strbuf_free(&text);
}

void gen_finish(struct gen *g, enum cai_finish finish)
{
    struct strbuf raw = STRBUF_INIT((size_t)1 << 28);

    show(g, g->bytes.len);
    g->done = 1;
    g->result.finish = finish;
    if (gen_repair(&raw, strbuf_str(&g->bytes), g->bytes.len) == CAI_OK)
        g->result.raw = strbuf_take(&raw, NULL);
    if (!g->result.raw)
        g->result.status = err_nomem(g->result.message, ERR_MAX, "generated text");
    if (g->result.status == CAI_OK && finish == CAI_FINISH_LENGTH && g->clipped)
        err_set(CAI_OK, g->result.message, ERR_MAX,
                "the context is full: the text ended after %zu of %d tokens",
                g->result.n_tokens, g->req->sampling.max_tokens);
    strbuf_free(&raw);
}

void gen_fail(struct gen *g, enum cai_status st, const char *message)
{
    g->result.status = err_set(st, g->result.message, ERR_MAX, "%s", message);
    gen_finish(g, CAI_FINISH_CANCELLED);
}

void gen_add(struct gen *g, const struct gen_token *t, int64_t now_us)
{
    struct provider_result *r = &g->result;
    size_t before = g->bytes.len, stop, shown;

    if (!reserve_token(g) ||
        (t->piece && strbuf_add(&g->bytes, t->piece, t->piece_len) != CAI_OK)) {
        gen_fail(g, CAI_NOMEM, "generated text: out of memory");
        return;
    }
    r->tokens[r->n_tokens] = t->id;
    r->logprob[r->n_tokens] = t->logprob;
    r->logprob_a[r->n_tokens] = t->logprob_a;
    if (r->logprob_b)
        r->logprob_b[r->n_tokens] = t->logprob_b;
    r->n_tokens++;
    if (!g->first_us)
        g->first_us = now_us;
    /* The first token carries the prompt's time and is left out of the rate. */
    if (now_us > g->first_us)
        r->tok_per_s = (double)(r->n_tokens - 1) * 1e6 / (double)(now_us - g->first_us);
    if (!t->piece) {
        gen_finish(g, CAI_FINISH_EOS);
        return;
    }
    stop = find_stop(g, before);
    if (stop < g->bytes.len) {
        g->bytes.len = stop;
        g->bytes.data[stop] = '\0';
        gen_finish(g, CAI_FINISH_STOP);
    } else if (r->n_tokens >= (size_t)g->max_tokens) {
        gen_finish(g, CAI_FINISH_LENGTH);
    } else {
        shown = safe_len(g);
        show(g, utf8_whole(strbuf_str(&g->bytes), shown));
    }
}

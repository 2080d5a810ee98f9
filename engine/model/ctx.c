/*
 * ctx.c: contexts and sequences: who holds which keys and values, and how a batch of
 * entries becomes passes of at most PASS_ROWS rows. The arithmetic is in forward.c.
 *
 * All pages a batch needs are taken before its first pass, so an error changes nothing.
 *
 * Thread: see forward.h.
 */
#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "model/forward_impl.h"

static size_t pages_for(size_t n_tokens)
{
    return (n_tokens + KV_PAGE_TOKENS - 1) / KV_PAGE_TOKENS;
}

static float *floats(size_t a, size_t b)
{
    size_t n;
    return mem_mul(&n, a, b) && mem_mul(&n, n, sizeof(float)) && n ? mem_aligned(64, n)
                                                                   : NULL;
}

static enum cai_status alloc_buffers(struct ctx *c, char *err, size_t errlen)
{
    const struct model_shape *s = &c->m->shape;
    size_t n_threads = (size_t)pool_n_threads(c->m->pool), M = PASS_ROWS;
    size_t n_queries = pass_block_rows(s) * pass_group(s);
    static const enum linear with_output[] = {LINEAR_Q, LINEAR_K, LINEAR_V, LINEAR_GATE,
                                              LINEAR_UP};
    enum cai_status st;

    c->x = floats(M, s->n_embd);
    c->tmp = floats(M, s->n_embd);
    c->cosine = floats(M, s->rope_dim / 2);
    c->sine = floats(M, s->rope_dim / 2);
    c->queries = floats(M, s->n_heads * s->k_dim);
    c->lse_parts = floats(M, pass_vocab_slices(s));
    c->threads = mem_alloc(n_threads, sizeof *c->threads);
    if (!c->x || !c->tmp || !c->cosine || !c->sine || !c->queries || !c->lse_parts ||
        !c->threads)
        return err_nomem(err, errlen, "buffers of a context");
    for (size_t i = 0; i < sizeof with_output / sizeof *with_output; i++) {
        enum linear l = with_output[i];
        c->y[l] = floats(M, model_linear_n(s, l));
        if (!c->y[l])
            return err_nomem(err, errlen, "buffers of a context");
    }
    for (size_t i = 0; i < n_threads; i++) {
        struct pass_thread *t = c->threads + i;
        t->scores = floats(n_queries, pages_for(c->n_ctx) * KV_PAGE_TOKENS);
        t->key_tiles = mem_alloc(pages_for(c->n_ctx), sizeof(*t->key_tiles));
        t->value_tiles = mem_alloc(pages_for(c->n_ctx), sizeof(*t->value_tiles));
        t->mixed = floats(n_queries, s->v_dim);
        t->logits = floats(M, pass_vocab_slice(s));
        t->key = floats(1, s->k_dim);
        if (!t->scores || !t->key_tiles || !t->value_tiles || !t->mixed || !t->logits ||
            !t->key)
            return err_nomem(err, errlen, "buffers of a context");
    }
    st = acts_init(&c->norm_in, M, s->n_embd, err, errlen);
    if (st == CAI_OK)
        st = acts_init(&c->attn_in, M, s->n_heads * s->v_dim, err, errlen);
    if (st == CAI_OK)
        st = acts_init(&c->ffn_in, M, s->n_ff, err, errlen);
    if (st == CAI_OK)
        st = acts_init(&c->head_in, M, s->n_embd, err, errlen);
    return st;
}

enum cai_status ctx_new(struct ctx **dst, const struct cai_model *m, size_t n_ctx,
                        size_t kv_tokens, char *err, size_t errlen)
{
    struct ctx *c = NULL;
    enum cai_status st = CAI_OK;

    *dst = NULL;
    if (!m->pool)
        return err_set(CAI_INVALID, err, errlen,
                       "%s was opened without its weights; open it anew",
                       gguf_path(m->gguf));
    if (n_ctx == 0)
        n_ctx = m->shape.n_ctx_train;
    if (n_ctx > m->shape.n_ctx_train)
        return err_set(CAI_LIMIT, err, errlen,
                       "a context of %zu tokens was asked for; %s was trained for %zu",
                       n_ctx, gguf_path(m->gguf), m->shape.n_ctx_train);
    c = mem_alloc(1, sizeof *c);
    if (!c)
        return err_nomem(err, errlen, "a context");
    /* The weights are never written; the pool is, under its lock. */
    c->m = (struct cai_model *)m;
    c->n_ctx = n_ctx;
    c->kv = (struct kv_pool){.n_layers = m->shape.n_layers,
                             .n_heads = m->shape.n_kv_heads,
                             .k_dim = m->shape.k_dim,
                             .v_dim = m->shape.v_dim,
                             .max_pages = pages_for(kv_tokens ? kv_tokens : n_ctx)};
    st = alloc_buffers(c, err, errlen);
    if (st == CAI_OK) {
        *dst = c;
        c = NULL;
    }
    ctx_free(c);
    return st;
}

void ctx_free(struct ctx *c)
{
    if (!c)
        return;
    assert(c->n_seqs == 0);
    kv_clear(&c->kv);
    for (int i = 0; c->threads && i < pool_n_threads(c->m->pool); i++) {
        mem_free(c->threads[i].scores);
        mem_free(c->threads[i].key_tiles);
        mem_free(c->threads[i].value_tiles);
        mem_free(c->threads[i].mixed);
        mem_free(c->threads[i].logits);
        mem_free(c->threads[i].key);
    }
    mem_free(c->threads);
    for (enum linear l = 0; l < LINEAR_COUNT; l++) {
        mem_free(c->y[l]);
        mem_free(c->lora_z[l]);
    }
    acts_free(&c->norm_in);
    acts_free(&c->attn_in);
    acts_free(&c->ffn_in);
    acts_free(&c->head_in);
    mem_free(c->x);
    mem_free(c->tmp);
    mem_free(c->cosine);
    mem_free(c->sine);
    mem_free(c->queries);
    mem_free(c->lse_parts);
    mem_free(c);
}

const struct cai_model *ctx_model(const struct ctx *c)
{
    return c->m;
}

size_t ctx_n_ctx(const struct ctx *c)
{
    return c->n_ctx;
}

size_t ctx_free_tokens(const struct ctx *c)
{
    return kv_room(&c->kv) * KV_PAGE_TOKENS;
}

uint64_t ctx_n_evaluated(const struct ctx *c)
{
    return c->n_evaluated;
}

/* ------------------------------------------------------------------ sequences */

struct seq *seq_new(struct ctx *c)
{
    struct seq *s = mem_alloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->ctx = c;
    s->scale = 1;
    c->n_seqs++;
    return s;
}

/* Room for n tokens in the lists (not in the cache). */
static int seq_reserve(struct seq *s, size_t n_tokens)
{
    size_t n_pages = pages_for(n_tokens), cap;

    if (n_tokens > s->cap_tokens) {
        cap = n_tokens + n_tokens / 2 + 64;
        int32_t *tokens = mem_resize(s->tokens, cap, sizeof *tokens);
        if (!tokens)
            return 0;
        s->tokens = tokens;
        s->cap_tokens = cap;
    }
    if (n_pages > s->cap_pages) {
        cap = n_pages + n_pages / 2 + 4;
        struct kv_page **pages = mem_resize(s->pages, cap, sizeof(*pages));
        if (!pages)
            return 0;
        s->pages = pages;
        s->cap_pages = cap;
    }
    return 1;
}

struct seq *seq_fork(const struct seq *src, size_t n_tokens)
{
    struct seq *s = seq_new(src->ctx);

    if (!s)
        return NULL;
    if (n_tokens > src->n_tokens)
        n_tokens = src->n_tokens;
    if (!seq_reserve(s, n_tokens)) {
        seq_free(s);
        return NULL;
    }
    s->adapter = src->adapter;
    s->scale = src->scale;
    s->n_tokens = n_tokens;
    s->n_pages = pages_for(n_tokens);
    if (n_tokens)
        memcpy(s->tokens, src->tokens, n_tokens * sizeof *s->tokens);
    for (size_t i = 0; i < s->n_pages; i++) {
        s->pages[i] = src->pages[i];
        kv_ref(s->pages[i]);
    }
    return s;
}

void seq_truncate(struct seq *s, size_t n_tokens)
{
    if (n_tokens < s->n_tokens)
        s->n_tokens = n_tokens;
    while (s->n_pages > pages_for(s->n_tokens))
        kv_drop(&s->ctx->kv, s->pages[--s->n_pages]);
}

void seq_free(struct seq *s)
{
    if (!s)
        return;
    seq_truncate(s, 0);
    s->ctx->n_seqs--;
    mem_free(s->tokens);
    mem_free(s->pages);
    mem_free(s);
}

size_t seq_len(const struct seq *s)
{
    return s->n_tokens;
}

const int32_t *seq_tokens(const struct seq *s)
{
    return s->tokens;
}

enum cai_status seq_set_adapter(struct seq *s, const struct adapter *a, float scale,
                                char *err, size_t errlen)
{
    if (s->n_tokens)
        return err_set(
            CAI_INVALID, err, errlen,
            "an adapter can only be changed on an empty sequence; this one has "
            "%zu tokens",
            s->n_tokens);
    if (a && adapter_model(a) != s->ctx->m)
        return err_set(CAI_INVALID, err, errlen,
                       "the adapter was loaded for another model");
    s->adapter = a;
    s->scale = scale;
    return CAI_OK;
}

/* ------------------------------------------------------------------ batches */

static enum cai_status check_entry(const struct ctx *c, const struct entry *e, char *err,
                                   size_t errlen)
{
    int n_vocab = (int)c->m->shape.n_vocab, n_layers = (int)c->m->shape.n_layers;

    if (e->token < 0 || e->token >= n_vocab)
        return err_set(CAI_INVALID, err, errlen,
                       "token %d is outside the vocabulary of %d", e->token, n_vocab);
    if ((e->want & ENTRY_LOGPROB) && (e->target < 0 || e->target >= n_vocab))
        return err_set(CAI_INVALID, err, errlen,
                       "target %d is outside the vocabulary of %d", e->target, n_vocab);
    if ((e->want & ENTRY_HIDDEN) &&
        (e->hidden_layer < 0 || e->hidden_layer > n_layers || e->n_hidden < 1 ||
         e->n_hidden > n_layers + 1 - e->hidden_layer))
        return err_set(CAI_INVALID, err, errlen,
                       "%d hidden states from layer %d on; the model has 0 to %d",
                       e->n_hidden, e->hidden_layer, n_layers);
    return CAI_OK;
}

/* Takes the pages s needs for n_new more tokens, and an own copy of its last page when
 * that is shared and will be written. */
static enum cai_status take_pages(struct seq *s, char *err, size_t errlen)
{
    struct kv_pool *kv = &s->ctx->kv;
    size_t n_tokens = s->n_tokens + s->n_new, n_pages = pages_for(n_tokens);
    struct kv_page *page, **last;

    if (!seq_reserve(s, n_tokens))
        return err_nomem(err, errlen, "a sequence");
    last = s->n_pages ? s->pages + s->n_pages - 1 : NULL;
    if (last && s->n_tokens % KV_PAGE_TOKENS && (*last)->refs > 1) {
        page = kv_copy(kv, *last);
        if (!page)
            goto full;
        kv_drop(kv, *last);
        *last = page;
    }
    while (s->n_pages < n_pages) {
        page = kv_take(kv);
        if (!page)
            goto full;
        s->pages[s->n_pages++] = page;
    }
    return CAI_OK;
full:
    if (kv_room(kv))
        return err_nomem(err, errlen, "keys and values");
    return err_set(
        CAI_LIMIT, err, errlen,
        "room for keys and values is used up: a sequence of %zu tokens does not "
        "fit beside the others; %zu tokens fit in all",
        n_tokens, kv->max_pages * KV_PAGE_TOKENS);
}

/* Sorts the entries by sequence, in order of first appearance, into order[]. */
static void group_by_seq(struct entry *entries, size_t n, struct entry **order)
{
    size_t n_before = 0;

    for (size_t i = 0; i < n; i++)
        entries[i].seq->order = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        struct seq *s = entries[i].seq;
        if (s->order == SIZE_MAX) {
            s->order = n_before;
            n_before += s->n_new;
        }
        order[s->order++] = entries + i;
    }
}

/* Rows of one pass from the next entries; returns how many. */
static size_t fill_rows(struct ctx *c, struct entry **order, size_t n)
{
    size_t max_block = pass_block_rows(&c->m->shape);

    c->n_rows = n < PASS_ROWS ? n : PASS_ROWS;
    c->n_head_rows = c->n_blocks = 0;
    c->any_adapter = 0;
    for (size_t i = 0; i < c->n_rows; i++) {
        struct entry *e = order[i];
        struct row *row = c->rows + i;
        struct row_block *block = c->n_blocks ? c->blocks + c->n_blocks - 1 : NULL;
        row->entry = e;
        row->seq = e->seq;
        row->pos = e->seq->n_tokens;
        row->head_row = SIZE_MAX;
        if (e->want & (ENTRY_LOGITS | ENTRY_LOGPROB))
            row->head_row = c->n_head_rows++;
        e->seq->tokens[e->seq->n_tokens++] = e->token;
        if (e->seq->adapter)
            c->any_adapter = 1;
        if (block && block->n_rows < max_block && c->rows[block->row].seq == e->seq)
            block->n_rows++;
        else
            c->blocks[c->n_blocks++] = (struct row_block){i, 1};
    }
    return c->n_rows;
}

/* Grows the scratch for A x to the largest rank in the batch. */
static enum cai_status reserve_rank(struct ctx *c, const struct entry *entries, size_t n,
                                    char *err, size_t errlen)
{
    size_t rank = c->max_rank;

    for (size_t i = 0; i < n; i++)
        if (entries[i].seq->adapter && adapter_max_rank(entries[i].seq->adapter) > rank)
            rank = adapter_max_rank(entries[i].seq->adapter);
    if (rank == c->max_rank)
        return CAI_OK;
    c->max_rank = 0;
    for (enum linear l = 0; l < LINEAR_COUNT; l++) {
        mem_free(c->lora_z[l]);
        c->lora_z[l] = floats(PASS_ROWS, rank);
        if (!c->lora_z[l])
            return err_nomem(err, errlen, "buffers of an adapter");
    }
    c->max_rank = rank;
    return CAI_OK;
}

enum cai_status ctx_eval(struct ctx *c, struct entry *entries, size_t n, char *err,
                         size_t errlen)
{
    struct entry **order = NULL;
    enum cai_status st = CAI_OK;

    for (size_t i = 0; i < n; i++) {
        assert(entries[i].seq->ctx == c);
        entries[i].seq->n_new = 0;
    }
    for (size_t i = 0; i < n; i++) {
        struct seq *s = entries[i].seq;
        st = check_entry(c, entries + i, err, errlen);
        if (st != CAI_OK)
            return st;
        s->n_new++;
    }
    for (size_t i = 0; i < n; i++) {
        struct seq *s = entries[i].seq;
        if (s->n_tokens + s->n_new > c->n_ctx)
            return err_set(CAI_LIMIT, err, errlen,
                           "a text of %zu tokens is longer than the context of %zu; "
                           "shorten the text",
                           s->n_tokens + s->n_new, c->n_ctx);
    }
    st = reserve_rank(c, entries, n, err, errlen);
    if (st != CAI_OK)
        return st;
    order = mem_alloc(n ? n : 1, sizeof(*order));
    if (!order)
        return err_nomem(err, errlen, "a batch");
    for (size_t i = 0; i < n && st == CAI_OK; i++)
        st = take_pages(entries[i].seq, err, errlen);
    if (st != CAI_OK) {
        for (size_t i = 0; i < n; i++) /* gives back what was taken ahead */
            seq_truncate(entries[i].seq, entries[i].seq->n_tokens);
        goto out;
    }
    group_by_seq(entries, n, order);
    for (size_t i = 0; i < n;) {
        size_t n_rows = fill_rows(c, order + i, n - i);
        pass_run(c);
        c->n_evaluated += n_rows;
        i += n_rows;
    }
out:
    mem_free((void *)order);
    return st;
}

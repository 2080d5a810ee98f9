/*
 * forward_impl.h: what ctx.c (contexts, sequences) and forward.c (the pass) share.
 *
 * Legend: M rows of a pass (tokens of any sequences), grouped by sequence and in text
 * order within one; everything row-major fp32.
 */
#ifndef MODEL_FORWARD_IMPL_H
#define MODEL_FORWARD_IMPL_H

#include "model/forward.h"
#include "model/kv.h"
#include "model/model.h"

enum {
    PASS_ROWS = 128,        /* most rows of one pass */
    PASS_QUERIES = 24,      /* queries (rows x heads of a KV head) that share a K tile */
    PASS_VOCAB_UNIT = 512,  /* tokens whose log-sum-exp is taken together: a multiple */
    PASS_VOCAB_PARTS = 512, /* most such slices of a vocabulary */
};

struct seq {
    struct ctx *ctx;
    const struct adapter *adapter;
    float scale; /* of the adapter */
    int32_t *tokens;
    size_t n_tokens, cap_tokens;
    struct kv_page **pages;
    size_t n_pages, cap_pages;
    size_t n_new, order; /* scratch of ctx_eval(): entries of this batch, its place */
};

/* One row of a pass. */
struct row {
    struct seq *seq;
    struct entry *entry;
    size_t pos;
    size_t head_row; /* row of the head's input, SIZE_MAX: no head wanted */
    float target_logit, logprob;
};

/* Rows of one sequence with consecutive positions that attend together. */
struct row_block {
    size_t row, n_rows;
};

/* Scratch of one thread. */
struct pass_thread {
    float *scores; /* (queries of a block, n_ctx rounded up to a page) */
    const float **key_tiles, **value_tiles; /* (pages of n_ctx) of a layer and head */
    float *mixed;                           /* (queries of a block, v_dim) */
    float *logits;                          /* (PASS_ROWS, vocabulary slice) */
    float *key;                             /* (k_dim) */
};

struct ctx {
    struct cai_model *m; /* weights are read only; its pool is shared under pool_lock */
    size_t n_ctx;
    struct kv_pool kv;
    size_t n_seqs;
    uint64_t n_evaluated;

    size_t n_rows, n_head_rows, n_blocks;
    struct row rows[PASS_ROWS];
    struct row_block blocks[PASS_ROWS];
    int any_adapter; /* a row of this pass has one */
    size_t max_rank;

    float *x;                    /* (M, n_embd) residual stream */
    float *tmp;                  /* (M, n_embd) */
    float *cosine, *sine;        /* (M, rope_dim / 2) */
    float *y[LINEAR_COUNT];      /* (M, N) outputs of Q K V gate up */
    float *queries;              /* (n_kv_heads, M, group, k_dim) rotated */
    float *lora_z[LINEAR_COUNT]; /* (M, max_rank) A x */
    struct acts norm_in, attn_in, ffn_in, head_in; /* inputs of the linears */
    float *lse_parts;                              /* (M, vocabulary slices) */
    struct pass_thread *threads;
};

/* Queries of a row that share a key-value head. */
size_t pass_group(const struct model_shape *s);
size_t pass_block_rows(const struct model_shape *s);
/* The log-sum-exp of the vocabulary is taken over slices of so many tokens, then over the
 * slices; both depend on the vocabulary alone. */
size_t pass_vocab_slice(const struct model_shape *s);
size_t pass_vocab_slices(const struct model_shape *s);

/* Runs c->rows[0 .. n_rows) through the model; pages are in place already. Results go to
 * the entries. Takes the model's pool for its duration. */
void pass_run(struct ctx *c);

#endif

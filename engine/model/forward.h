/*
 * forward.h: sequences and the one pass that evaluates tokens of any mix of them.
 *
 * A context is a model with room for keys and values. A sequence is a list of tokens
 * whose keys and values are held; it may have an adapter. ctx_eval() runs entries of any
 * sequences through the model together; the result of an entry depends on its sequence's
 * tokens and adapter alone: not on what shares the batch, how a prompt was split, the
 * number of threads, or whether a prefix was forked (bit-equal, tests/unit_forward.c).
 *
 * Thread: a context, its sequences and their use belong to one thread at a time. Contexts
 * of one model may be used on different threads: passes take turns.
 */
#ifndef MODEL_FORWARD_H
#define MODEL_FORWARD_H

#include <stddef.h>
#include <stdint.h>

#include "cai.h"
#include "model/adapter.h"

struct ctx;
struct seq;

/* n_ctx      longest sequence, tokens; 0: what the model was trained for
 * kv_tokens  room for keys and values over all sequences, in tokens; shared prefixes
 *            count once; 0: n_ctx. Memory is taken as it is needed.
 * The model must outlive the context. CAI_LIMIT: n_ctx exceeds the model's. */
enum cai_status ctx_new(struct ctx **dst, const struct cai_model *m, size_t n_ctx,
                        size_t kv_tokens, char *err, size_t errlen);
/* Every sequence must have been freed. */
void ctx_free(struct ctx *c);
const struct cai_model *ctx_model(const struct ctx *c);
size_t ctx_n_ctx(const struct ctx *c);
/* Room left, in tokens (whole pages). */
size_t ctx_free_tokens(const struct ctx *c);
/* Tokens run through the model so far: what prefix sharing saves can be counted. */
uint64_t ctx_n_evaluated(const struct ctx *c);

/* An empty sequence without adapter. NULL: out of memory. */
struct seq *seq_new(struct ctx *c);
/* Shares the first n_tokens (at most seq_len) of src with its adapter: no evaluation, no
 * copy but of a partly filled last page, when one of them writes to it. NULL: out of
 * memory. */
struct seq *seq_fork(const struct seq *src, size_t n_tokens);
void seq_free(struct seq *s);
size_t seq_len(const struct seq *s);
/* (seq_len) token ids so far; borrowed until the next ctx_eval(). */
const int32_t *seq_tokens(const struct seq *s);
/* Forgets everything from token n_tokens on; no effect when it is not longer. */
void seq_truncate(struct seq *s, size_t n_tokens);
/* Adapter (NULL: none) and its scale factor (1: as trained). Only for an empty sequence,
 * CAI_INVALID else: keys and values depend on it. The adapter must outlive it. */
enum cai_status seq_set_adapter(struct seq *s, const struct adapter *a, float scale,
                                char *err, size_t errlen);

enum entry_want { /* may be combined */
                  ENTRY_NOTHING = 0,
                  ENTRY_LOGITS = 1,
                  ENTRY_LOGPROB = 2,
                  ENTRY_HIDDEN = 4,
};

/* One token of a batch. Its position is the next free one of its sequence, so entries of
 * one sequence stand in the batch in text order; sequences may be interleaved. */
struct entry {
    struct seq *seq;
    int32_t token;
    unsigned want;    /* enum entry_want */
    float *logits;    /* (n_vocab) out */
    int32_t target;   /* token whose log-prob at the next position is wanted */
    float logprob;    /* out, nats */
    float *hidden;    /* (n_hidden, n_embd) out: the residual stream after layers */
    int hidden_layer; /* hidden_layer .. hidden_layer + n_hidden - 1; layer 0 is the */
    int n_hidden;     /* embedding, n_layers the input of the output norm */
};

/* Evaluates all entries and appends their tokens. On an error no sequence has changed.
 *
 * CAI_INVALID: a token, target or layer out of range (err names it).
 * CAI_LIMIT:   a sequence would exceed n_ctx, or the room for keys and values is used up
 *              (err has both numbers). */
enum cai_status ctx_eval(struct ctx *c, struct entry *entries, size_t n, char *err,
                         size_t errlen);

/* log sum exp of logits (n_vocab), nats, by the arithmetic of ENTRY_LOGPROB: logits[t] -
 * logits_lse() has the same bits as the log-prob of target t. */
float logits_lse(const struct cai_model *m, const float *logits);

#endif

/*
 * model.h: an open model as the model room sees it: packed weights and the numbers of its
 * shape, all checked against each other at opening.
 *
 * Thread: immutable once open; any. The pool serves one pass at a time: pool_lock.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/pool.h"
#include "cai.h"
#include "model/adapter.h"
#include "model/arch.h"
#include "model/chat_template.h"
#include "model/gguf.h"
#include "model/kernel.h"
#include "model/tokenizer.h"

/* The sizes every tensor is checked against. */
struct model_shape {
    size_t n_layers, n_embd, n_ff, n_heads, n_kv_heads;
    size_t k_dim, v_dim; /* of one head: queries and keys, values */
    size_t rope_dim;     /* leading dimensions of a head that are rotated */
    size_t n_vocab, n_ctx_train;
    float rms_eps;
    double rope_base;
};

struct model_layer {
    float *attn_norm, *ffn_norm;        /* (n_embd) */
    struct matrix linear[LINEAR_COUNT]; /* (N, K) */
    float *bias[LINEAR_COUNT];          /* (N) or NULL */
};

struct cai_model {
    struct gguf *gguf;
    struct tokenizer *tokenizer;
    const struct chat_template *chat_template; /* NULL: unknown */
    const struct arch *arch;
    const struct kernel *kernel;
    struct pool *pool;
    pthread_mutex_t pool_lock;
    struct model_shape shape;
    struct matrix_arena arena; /* all matrices */
    struct matrix embedding;   /* (n_vocab, n_embd) */
    struct matrix output;      /* (n_vocab, n_embd); data NULL when tied */
    float *output_norm;        /* (n_embd) */
    double *rope_freq;         /* (rope_dim / 2) radians per position */
    struct model_layer *layers;
    struct cai_model_info info;
    char sha256[HASH_HEX_LEN + 1];
    char *name;
};

/* The matrix the logits come from. */
const struct matrix *model_head(const struct cai_model *m);
const struct tokenizer *model_tokenizer(const struct cai_model *m);
/* Inputs and outputs of a linear. */
size_t model_linear_k(const struct model_shape *s, enum linear l);
size_t model_linear_n(const struct model_shape *s, enum linear l);

#endif

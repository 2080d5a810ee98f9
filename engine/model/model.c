/*
 * model.c: opens a model file: metadata into a shape, tensors into packed matrices.
 *
 * Every tensor is looked up by the name its architecture gives it and its dimensions are
 * compared with the shape before a weight is read; a tensor nobody asked for is refused,
 * since leaving it out would give wrong numbers without a word. Packing is spread over
 * the pool, one tensor at a time.
 *
 * Thread: see model.h.
 */
#include "model/model.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/exactmath.h"
#include "base/mem.h"
#include "model/chat_template.h"
#include "model/tokenizer.h"

enum {
    MAX_DIM = 1 << 24, /* of any size in the metadata; keeps products far from overflow */
    MAX_THREADS = 256,
    MAX_LAYERS = 10000,  /* so that layers fit the pool's items and steps */
    NAME_MAX_BYTES = 80, /* of a tensor or metadata key */
};

/* One matrix to pack. */
struct pack_job {
    struct matrix *dst;
    const struct gguf_tensor *t;
    struct matrix_arena part; /* its own piece of the model's arena */
};

/* What opening needs besides the model. */
struct loader {
    struct cai_model *m;
    unsigned char *used; /* (n_tensors) the architecture knows this tensor */
    struct pack_job *jobs;
    size_t n_jobs;
    char *err;
    size_t errlen;
};

const struct matrix *model_head(const struct cai_model *m)
{
    return m->output.data ? &m->output : &m->embedding;
}

const struct tokenizer *model_tokenizer(const struct cai_model *m)
{
    return m->tokenizer;
}

size_t model_linear_k(const struct model_shape *s, enum linear l)
{
    switch (l) {
    case LINEAR_O: return s->n_heads * s->v_dim;
    case LINEAR_DOWN: return s->n_ff;
    case LINEAR_Q:
    case LINEAR_K:
    case LINEAR_V:
    case LINEAR_GATE:
    case LINEAR_UP:
    case LINEAR_COUNT: break;
    }
    return s->n_embd;
}

size_t model_linear_n(const struct model_shape *s, enum linear l)
{
    switch (l) {
    case LINEAR_Q: return s->n_heads * s->k_dim;
    case LINEAR_K: return s->n_kv_heads * s->k_dim;
    case LINEAR_V: return s->n_kv_heads * s->v_dim;
    case LINEAR_GATE:
    case LINEAR_UP: return s->n_ff;
    case LINEAR_O:
    case LINEAR_DOWN:
    case LINEAR_COUNT: break;
    }
    return s->n_embd;
}

/* ------------------------------------------------------------------ metadata */

static const char *path_of(const struct loader *ld)
{
    return gguf_path(ld->m->gguf);
}

/* The metadata key "<arch>.<suffix>". */
static const char *key_of(const struct loader *ld, char buf[NAME_MAX_BYTES],
                          const char *suffix)
{
    snprintf(buf, NAME_MAX_BYTES, "%s.%s", ld->m->arch->name, suffix);
    return buf;
}

/* A size from the metadata: 1 .. MAX_DIM. otherwise 0: the key must be there. */
static enum cai_status get_dim(struct loader *ld, const char *suffix, size_t otherwise,
                               size_t *out)
{
    char key[NAME_MAX_BYTES];
    uint64_t v = otherwise;

    key_of(ld, key, suffix);
    if (!gguf_has(ld->m->gguf, key)) {
        if (otherwise == 0)
            return err_set(CAI_PARSE, ld->err, ld->errlen, "%s: metadata lacks %s",
                           path_of(ld), key);
    } else if (!gguf_get_u64(ld->m->gguf, key, &v)) {
        return err_set(CAI_UNSUPPORTED, ld->err, ld->errlen,
                       "%s: %s is not one whole number", path_of(ld), key);
    }
    if (v < 1 || v > MAX_DIM)
        return err_set(CAI_PARSE, ld->err, ld->errlen,
                       "%s: %s is %llu; a number from 1 to %d is expected", path_of(ld),
                       key, (unsigned long long)v, MAX_DIM);
    *out = (size_t)v;
    return CAI_OK;
}

static enum cai_status get_float(struct loader *ld, const char *suffix, double otherwise,
                                 double *out)
{
    char key[NAME_MAX_BYTES];
    double v = otherwise;

    key_of(ld, key, suffix);
    if (gguf_has(ld->m->gguf, key) && !gguf_get_f64(ld->m->gguf, key, &v))
        return err_set(CAI_PARSE, ld->err, ld->errlen, "%s: %s is not a number",
                       path_of(ld), key);
    if (!(v > 0 && v < 1e30))
        return err_set(CAI_PARSE, ld->err, ld->errlen,
                       "%s: %s is %g; a positive number is expected", path_of(ld), key,
                       v);
    *out = v;
    return CAI_OK;
}

static enum cai_status find_arch(struct loader *ld)
{
    struct gguf_str name;

    if (!gguf_get_str(ld->m->gguf, "general.architecture", &name))
        return err_set(CAI_PARSE, ld->err, ld->errlen,
                       "%s: metadata lacks general.architecture", path_of(ld));
    ld->m->arch = arch_find(name.data, name.len);
    if (!ld->m->arch)
        return err_set(CAI_UNSUPPORTED, ld->err, ld->errlen,
                       "%s: architecture \"%.*s\" is not supported; supported: %s",
                       path_of(ld), (int)(name.len < 40 ? name.len : 40), name.data,
                       arch_names());
    return CAI_OK;
}

/* What changes the numbers in a way this engine does not compute. */
static enum cai_status refuse_variants(struct loader *ld)
{
    const struct gguf *g = ld->m->gguf;
    char key[NAME_MAX_BYTES];
    struct gguf_str kind;
    uint64_t n_experts = 0;
    double factor = 1;

    if (gguf_get_u64(g, key_of(ld, key, "expert_count"), &n_experts) && n_experts > 0)
        return err_set(CAI_UNSUPPORTED, ld->err, ld->errlen,
                       "%s has experts, which cai does not run; choose a dense model",
                       path_of(ld));
    if (gguf_get_str(g, key_of(ld, key, "rope.scaling.type"), &kind) &&
        !(kind.len == 4 && memcmp(kind.data, "none", 4) == 0))
        return err_set(CAI_UNSUPPORTED, ld->err, ld->errlen,
                       "%s has RoPE scaling \"%.*s\", which cai does not do; choose a "
                       "model without it",
                       path_of(ld), (int)(kind.len < 40 ? kind.len : 40), kind.data);
    if (gguf_get_f64(g, key_of(ld, key, "rope.scale_linear"), &factor) && factor != 1.0)
        return err_set(
            CAI_UNSUPPORTED, ld->err, ld->errlen,
            "%s has linear RoPE scaling, which cai does not do; choose a model "
            "without it",
            path_of(ld));
    return CAI_OK;
}

static enum cai_status read_shape(struct loader *ld)
{
    struct model_shape *s = &ld->m->shape;
    const struct gguf_tensor *embedding;
    struct gguf_array tokens;
    double eps = 0;
    enum cai_status st;

#define DIM(suffix, otherwise, field)                                                    \
    if ((st = get_dim(ld, suffix, otherwise, &s->field)) != CAI_OK)                      \
        return st;
    DIM("block_count", 0, n_layers)
    DIM("embedding_length", 0, n_embd)
    DIM("feed_forward_length", 0, n_ff)
    DIM("context_length", 0, n_ctx_train)
    DIM("attention.head_count", 0, n_heads)
    DIM("attention.head_count_kv", s->n_heads, n_kv_heads)
    DIM("attention.key_length", s->n_embd / s->n_heads, k_dim)
    DIM("attention.value_length", s->n_embd / s->n_heads, v_dim)
    DIM("rope.dimension_count", s->k_dim, rope_dim)
#undef DIM
    st = get_float(ld, "attention.layer_norm_rms_epsilon", 1e-5, &eps);
    if (st == CAI_OK)
        st = get_float(ld, "rope.freq_base", 10000, &s->rope_base);
    if (st != CAI_OK)
        return st;
    s->rms_eps = (float)eps;
    if (s->n_heads % s->n_kv_heads || s->rope_dim > s->k_dim || s->rope_dim % 2)
        return err_set(CAI_PARSE, ld->err, ld->errlen,
                       "%s: %zu heads, %zu key-value heads, %zu of %zu dimensions "
                       "rotated: these do not fit together",
                       path_of(ld), s->n_heads, s->n_kv_heads, s->rope_dim, s->k_dim);
    if (s->v_dim % KERNEL_LANES)
        return err_set(CAI_UNSUPPORTED, ld->err, ld->errlen,
                       "%s: heads of %zu dimensions; cai needs a multiple of %d",
                       path_of(ld), s->v_dim, KERNEL_LANES);
    embedding = gguf_tensor_find(ld->m->gguf, "token_embd.weight");
    if (embedding)
        s->n_vocab = embedding->ne[1] <= MAX_DIM ? (size_t)embedding->ne[1] : 0;
    else if (gguf_get_array(ld->m->gguf, "tokenizer.ggml.tokens", &tokens))
        s->n_vocab = tokens.n <= MAX_DIM ? tokens.n : 0;
    if (s->n_vocab == 0)
        return err_set(CAI_PARSE, ld->err, ld->errlen,
                       "%s: the size of the vocabulary is missing or absurd",
                       path_of(ld));
    return CAI_OK;
}

/* ------------------------------------------------------------------ tensors */

/* Finds a tensor of exactly (n, k) weights, k fastest (n = 1 for vectors). *out stays
 * NULL when it is absent and may be. */
static enum cai_status want_tensor(struct loader *ld, const char *name,
                                   enum arch_presence presence, size_t k, size_t n,
                                   const struct gguf_tensor **out)
{
    const struct gguf_tensor *t = gguf_tensor_find(ld->m->gguf, name);

    *out = NULL;
    if (!t) {
        if (presence == ARCH_MUST)
            return err_set(CAI_PARSE, ld->err, ld->errlen,
                           "%s: tensor %s is missing; the file is not a whole %s model",
                           path_of(ld), name, ld->m->arch->name);
        return CAI_OK;
    }
    if (presence == ARCH_NEVER)
        return CAI_OK; /* stays unused, and is refused as such */
    if (t->ne[0] != k || t->ne[1] != n || t->ne[2] != 1 || t->ne[3] != 1)
        return err_set(CAI_PARSE, ld->err, ld->errlen,
                       "%s: tensor %s is %llu x %llu x %llu x %llu; its metadata say "
                       "%zu x %zu",
                       path_of(ld), name, (unsigned long long)t->ne[0],
                       (unsigned long long)t->ne[1], (unsigned long long)t->ne[2],
                       (unsigned long long)t->ne[3], k, n);
    ld->used[t - gguf_tensor_at(ld->m->gguf, 0)] = 1;
    *out = t;
    return CAI_OK;
}

static enum cai_status want_vector(struct loader *ld, const char *name,
                                   enum arch_presence presence, size_t n, float **out)
{
    const struct gguf_tensor *t;
    enum cai_status st = want_tensor(ld, name, presence, n, 1, &t);

    if (st != CAI_OK || !t)
        return st;
    *out = mem_aligned(64, n * sizeof(float));
    if (!*out)
        return err_nomem(ld->err, ld->errlen, path_of(ld));
    quant_dequantize(t->type, *out, t->data, n);
    return CAI_OK;
}

static enum cai_status want_matrix(struct loader *ld, const char *name,
                                   enum arch_presence presence, size_t k, size_t n,
                                   struct matrix *dst)
{
    const struct gguf_tensor *t;
    enum cai_status st = want_tensor(ld, name, presence, k, n, &t);
    size_t bytes;

    if (st != CAI_OK || !t)
        return st;
    bytes = matrix_bytes(t->type, n, k);
    if (bytes == 0)
        return err_set(CAI_UNSUPPORTED, ld->err, ld->errlen,
                       "%s: tensor %s has rows of %zu weights, which %s cannot hold",
                       path_of(ld), name, k, t->type->name);
    ld->jobs[ld->n_jobs++] = (struct pack_job){dst, t, {NULL, bytes, 0}};
    ld->m->info.packed_bytes += bytes;
    return CAI_OK;
}

static enum cai_status want_layer(struct loader *ld, size_t i)
{
    const struct model_shape *s = &ld->m->shape;
    struct model_layer *layer = ld->m->layers + i;
    char name[NAME_MAX_BYTES];
    enum cai_status st;

    snprintf(name, sizeof name, "blk.%zu.ffn_gate_inp.weight", i);
    if (gguf_tensor_find(ld->m->gguf, name))
        return err_set(CAI_UNSUPPORTED, ld->err, ld->errlen,
                       "%s has experts, which cai does not run; choose a dense model",
                       path_of(ld));
    snprintf(name, sizeof name, "blk.%zu.attn_norm.weight", i);
    st = want_vector(ld, name, ARCH_MUST, s->n_embd, &layer->attn_norm);
    snprintf(name, sizeof name, "blk.%zu.ffn_norm.weight", i);
    if (st == CAI_OK)
        st = want_vector(ld, name, ARCH_MUST, s->n_embd, &layer->ffn_norm);
    for (enum linear l = 0; l < LINEAR_COUNT && st == CAI_OK; l++) {
        snprintf(name, sizeof name, "blk.%zu.%s.weight", i, arch_linear_name[l]);
        st = want_matrix(ld, name, ARCH_MUST, model_linear_k(s, l), model_linear_n(s, l),
                         layer->linear + l);
        snprintf(name, sizeof name, "blk.%zu.%s.bias", i, arch_linear_name[l]);
        if (st == CAI_OK)
            st = want_vector(ld, name, ld->m->arch->bias[l], model_linear_n(s, l),
                             layer->bias + l);
    }
    return st;
}

/* Radians per position of each rotated pair: base^(-2j/d), divided by the file's factors
 * when it has them (Llama 3.1 and later). */
static enum cai_status make_rope(struct loader *ld)
{
    const struct model_shape *s = &ld->m->shape;
    size_t half = s->rope_dim / 2;
    double log_base = exact_log(s->rope_base);
    float *factors = NULL;
    enum cai_status st = want_vector(ld, "rope_freqs.weight", ARCH_MAY, half, &factors);

    if (st != CAI_OK)
        return st;
    ld->m->rope_freq = mem_alloc(half, sizeof *ld->m->rope_freq);
    if (!ld->m->rope_freq) {
        mem_free(factors);
        return err_nomem(ld->err, ld->errlen, path_of(ld));
    }
    for (size_t j = 0; j < half; j++)
        ld->m->rope_freq[j] =
            exact_exp(-2.0 * (double)j / (double)s->rope_dim * log_base) /
            (factors ? (double)factors[j] : 1.0);
    mem_free(factors);
    return CAI_OK;
}

static size_t n_pack_items(const void *arg, size_t step)
{
    const struct loader *ld = arg;
    (void)step;
    return ld->n_jobs + 1;
}

static void pack_item(void *arg, size_t step, size_t item, size_t i_thread)
{
    struct loader *ld = arg;
    struct cai_model *m = ld->m;
    struct pack_job *job = ld->jobs + item - 1;
    (void)step;
    (void)i_thread;

    if (item == 0) /* first, because it takes longest */
        hash_hex(m->sha256, gguf_map(m->gguf), gguf_file_bytes(m->gguf));
    else /* its size is known to fit, so it cannot fail */
        matrix_pack(job->dst, &job->part, job->t->type, job->t->data,
                    (size_t)job->t->ne[1], (size_t)job->t->ne[0], NULL, 0);
}

static enum cai_status load_weights(struct loader *ld)
{
    struct cai_model *m = ld->m;
    const struct model_shape *s = &m->shape;
    size_t n_tensors = gguf_n_tensors(m->gguf);
    enum cai_status st;

    /* A layer has nine tensors or more, so this bounds memory by the file. */
    if (s->n_layers > n_tensors || s->n_layers > MAX_LAYERS)
        return err_set(
            CAI_PARSE, ld->err, ld->errlen,
            "%s: %zu layers announced; the file has %zu tensors, and cai runs at "
            "most %d layers",
            path_of(ld), s->n_layers, n_tensors, MAX_LAYERS);
    m->layers = mem_alloc(s->n_layers, sizeof *m->layers);
    ld->used = mem_alloc(n_tensors, 1);
    ld->jobs = mem_alloc(s->n_layers * LINEAR_COUNT + 2, sizeof *ld->jobs);
    if (!m->layers || !ld->used || !ld->jobs)
        return err_nomem(ld->err, ld->errlen, path_of(ld));
    st = want_matrix(ld, "token_embd.weight", ARCH_MUST, s->n_embd, s->n_vocab,
                     &m->embedding);
    if (st == CAI_OK)
        st =
            want_matrix(ld, "output.weight", ARCH_MAY, s->n_embd, s->n_vocab, &m->output);
    if (st == CAI_OK)
        st = want_vector(ld, "output_norm.weight", ARCH_MUST, s->n_embd, &m->output_norm);
    if (st == CAI_OK)
        st = make_rope(ld);
    for (size_t i = 0; i < s->n_layers && st == CAI_OK; i++)
        st = want_layer(ld, i);
    for (size_t i = 0; i < n_tensors && st == CAI_OK; i++)
        if (!ld->used[i]) {
            const struct gguf_str *name = &gguf_tensor_at(m->gguf, i)->name;
            st = err_set(CAI_UNSUPPORTED, ld->err, ld->errlen,
                         "%s: tensor %.*s is not part of a %s model cai knows",
                         path_of(ld), (int)name->len, name->data, m->arch->name);
        }
    if (st != CAI_OK)
        return st;
    st = matrix_arena_init(&m->arena, (size_t)m->info.packed_bytes, ld->err, ld->errlen);
    if (st != CAI_OK)
        return st;
    for (size_t i = 0; i < ld->n_jobs; i++) {
        ld->jobs[i].part.base = m->arena.base + m->arena.used;
        m->arena.used += ld->jobs[i].part.bytes;
    }
    pool_run(m->pool, &(struct pool_job){1, n_pack_items, pack_item, ld});
    gguf_drop_tensor_pages(m->gguf);
    return st;
}

/* ------------------------------------------------------------------ opening */

static int cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    return CPU_COUNT(&set);
}

static enum cai_status fill_info(struct loader *ld)
{
    struct cai_model *m = ld->m;
    struct cai_model_info *info = &m->info;
    struct gguf_str name = {"", 0};

    gguf_get_str(m->gguf, "general.name", &name);
    m->name = mem_strndup(name.data, name.len);
    if (!m->name)
        return err_nomem(ld->err, ld->errlen, path_of(ld));
    info->path = path_of(ld);
    info->sha256 = m->sha256;
    info->arch = m->arch->name;
    info->name = m->name;
    info->tokenizer = tokenizer_name(m->tokenizer);
    info->chat_template = chat_template_name(m->chat_template);
    info->kernel = m->kernel ? m->kernel->name : "none";
    info->n_layers = (int)m->shape.n_layers;
    info->n_embd = (int)m->shape.n_embd;
    info->n_heads = (int)m->shape.n_heads;
    info->n_kv_heads = (int)m->shape.n_kv_heads;
    info->n_vocab = (int)m->shape.n_vocab;
    info->n_ctx_train = (int)m->shape.n_ctx_train;
    info->file_bytes = gguf_file_bytes(m->gguf);
    info->n_threads = m->pool ? pool_n_threads(m->pool) : 1;
    for (size_t i = 0; i < gguf_n_tensors(m->gguf); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(m->gguf, i);
        info->n_params += t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3];
    }
    return CAI_OK;
}

enum cai_status cai_model_open(struct cai_model **dst, const char *path,
                               const struct cai_model_options *opts, char *err,
                               size_t errlen)
{
    static const struct cai_model_options defaults;
    struct loader ld = {.err = err, .errlen = errlen};
    struct cai_model *m = mem_alloc(1, sizeof *m);
    int n_threads;
    enum cai_status st;

    *dst = NULL;
    if (!m)
        return err_nomem(err, errlen, path);
    pthread_mutex_init(&m->pool_lock, NULL);
    ld.m = m;
    if (!opts)
        opts = &defaults;
    n_threads = opts->n_threads ? opts->n_threads : cores();
    if (n_threads < 1 || n_threads > MAX_THREADS) {
        st = err_set(CAI_INVALID, err, errlen, "%d threads; choose 1 to %d",
                     opts->n_threads, MAX_THREADS);
        goto out;
    }
    st = gguf_open(&m->gguf, path, err, errlen);
    if (st == CAI_OK)
        st = find_arch(&ld);
    if (st == CAI_OK)
        st = refuse_variants(&ld);
    if (st == CAI_OK)
        st = read_shape(&ld);
    if (st == CAI_OK)
        st = tokenizer_new(&m->tokenizer, m->gguf, err, errlen);
    if (st == CAI_OK)
        st = chat_template_choose(&m->chat_template, m->gguf, opts->chat_template, err,
                                  errlen);
    if (st == CAI_OK && tokenizer_n_vocab(m->tokenizer) != m->shape.n_vocab)
        st = err_set(CAI_PARSE, err, errlen,
                     "%s: the tokenizer has %zu tokens, token_embd.weight has %zu", path,
                     tokenizer_n_vocab(m->tokenizer), m->shape.n_vocab);
    if (st == CAI_OK && !opts->vocab_only) {
        st = kernel_find(&m->kernel, opts->kernel, err, errlen);
        if (st == CAI_OK)
            st = pool_new(&m->pool, n_threads, err, errlen);
        if (st == CAI_OK)
            st = load_weights(&ld);
    } else if (st == CAI_OK) {
        hash_hex(m->sha256, gguf_map(m->gguf), gguf_file_bytes(m->gguf));
    }
    if (st == CAI_OK)
        st = fill_info(&ld);
    if (st != CAI_OK)
        goto out;
    *dst = m;
    m = NULL;
out:
    mem_free(ld.used);
    mem_free(ld.jobs);
    cai_model_close(m);
    return st;
}

void cai_model_close(struct cai_model *m)
{
    if (!m)
        return;
    for (size_t i = 0; m->layers && i < m->shape.n_layers; i++) {
        struct model_layer *layer = m->layers + i;
        mem_free(layer->attn_norm);
        mem_free(layer->ffn_norm);
        for (enum linear l = 0; l < LINEAR_COUNT; l++)
            mem_free(layer->bias[l]);
    }
    mem_free(m->layers);
    matrix_arena_free(&m->arena);
    mem_free(m->output_norm);
    mem_free(m->rope_freq);
    mem_free(m->name);
    pool_free(m->pool);
    tokenizer_free(m->tokenizer);
    gguf_close(m->gguf);
    pthread_mutex_destroy(&m->pool_lock);
    mem_free(m);
}

const struct cai_model_info *cai_model_info(const struct cai_model *m)
{
    return &m->info;
}

/*
 * forward.c: one pass of up to PASS_ROWS tokens through the model, on all threads of the
 * pool, in one run with barriers between phases.
 *
 * Work is divided by rows, by outputs of a matrix or by heads, never along a sum, and
 * every sum has one order fixed by the model: so no result depends on the division.
 * Attention goes over pages of 16 positions in order; the log-sum-exp of the vocabulary
 * is taken over fixed slices and then over the slices.
 *
 * Thread: pass_run() on the context's thread; run_phases() on every pool thread.
 */
#include <math.h>
#include <string.h>

#include "model/forward_impl.h"

enum { GROUPS_PER_BLOCK = KERNEL_BLOCK / KERNEL_LANES };

/* What one thread knows of a pass. */
struct worker {
    struct ctx *c;
    const struct cai_model *m;
    const struct model_shape *s;
    const struct kernel *kernel;
    struct pass_thread *own;
    size_t i, n; /* this thread, threads */
};

/* Part of n items that is this thread's. */
struct range {
    size_t begin, end;
};

static struct range share(const struct worker *w, size_t n)
{
    return (struct range){n * w->i / w->n, n * (w->i + 1) / w->n};
}

static struct range clamp(struct range r, size_t begin, size_t n)
{
    size_t a = r.begin > begin ? r.begin - begin : 0,
           b = r.end > begin ? r.end - begin : 0;
    return (struct range){a < n ? a : n, b < n ? b : n};
}

static void barrier(const struct worker *w)
{
    pool_barrier(w->m->pool);
}

size_t pass_group(const struct model_shape *s)
{
    return s->n_heads / s->n_kv_heads;
}

size_t pass_block_rows(const struct model_shape *s)
{
    size_t n = PASS_QUERIES / pass_group(s);
    return n ? n : 1;
}

size_t pass_vocab_slice(const struct model_shape *s)
{
    size_t most = (size_t)PASS_VOCAB_PARTS * PASS_VOCAB_UNIT;
    return PASS_VOCAB_UNIT * ((s->n_vocab + most - 1) / most);
}

size_t pass_vocab_slices(const struct model_shape *s)
{
    size_t slice = pass_vocab_slice(s);
    return (s->n_vocab + slice - 1) / slice;
}

/* Quantises the rows [begin, end) of a for the matrices that read codes; inputs that are
 * not whole blocks occur with float matrices only. */
static void quantize_rows(const struct worker *w, struct acts *a, struct range r)
{
    if (a->k % KERNEL_BLOCK == 0 && r.begin < r.end)
        w->kernel->quantize(a, r.begin, r.end, 0, a->k);
}

/* ------------------------------------------------------------------ linears */

/* z = A x for the rows that have an adapter on this linear. */
static void lora_down(const struct worker *w, size_t layer, enum linear l,
                      const struct acts *in, struct range rows)
{
    struct ctx *c = w->c;

    for (size_t r = rows.begin; c->any_adapter && r < rows.end; r++) {
        const struct adapter *a = c->rows[r].seq->adapter;
        const struct lora *lora = a ? adapter_lora(a, layer, l) : NULL;
        if (lora && lora->r)
            w->kernel->lora_a(c->lora_z[l] + r * c->max_rank, lora->A, in->x + r * in->k,
                              lora->r, lora->k);
    }
}

/* Outputs of the row groups of one linear for all rows of the pass: W x, bias, adapters.
 * y (M, ldy) is the whole output. */
static void linear_groups(const struct worker *w, size_t layer, enum linear l,
                          const struct acts *in, float *y, size_t ldy, struct range g)
{
    struct ctx *c = w->c;
    const struct model_layer *weights = w->m->layers + layer;
    size_t n0 = g.begin * KERNEL_LANES, n1 = g.end * KERNEL_LANES,
           n = weights->linear[l].n;

    if (n1 > n)
        n1 = n;
    if (n0 >= n1)
        return;
    w->kernel->matmul(weights->linear + l, in, y + n0, ldy, g.begin, g.end);
    for (size_t r = 0; weights->bias[l] && r < c->n_rows; r++)
        w->kernel->add(y + r * ldy + n0, weights->bias[l] + n0, n1 - n0);
    for (size_t r = 0; c->any_adapter && r < c->n_rows; r++) {
        const struct seq *seq = c->rows[r].seq;
        const struct lora *lora =
            seq->adapter ? adapter_lora(seq->adapter, layer, l) : NULL;
        if (lora && lora->r)
            w->kernel->lora_b(y + r * ldy + n0, lora->B + n0 * lora->r,
                              c->lora_z[l] + r * c->max_rank, n1 - n0, lora->r,
                              lora->scale * seq->scale);
    }
}

static size_t n_groups(const struct worker *w, enum linear l)
{
    return matrix_n_groups(w->m->layers[0].linear + l);
}

/* Adds the outputs of a linear to the residual stream, own columns only. */
static void linear_residual(const struct worker *w, size_t layer, enum linear l,
                            const struct acts *in)
{
    struct ctx *c = w->c;
    size_t n = w->s->n_embd;
    struct range g = share(w, n_groups(w, l));
    size_t n0 = g.begin * KERNEL_LANES, n1 = g.end * KERNEL_LANES;

    linear_groups(w, layer, l, in, c->tmp, n, g);
    if (n1 > n)
        n1 = n;
    for (size_t r = 0; n0 < n1 && r < c->n_rows; r++)
        w->kernel->add(c->x + r * n + n0, c->tmp + r * n + n0, n1 - n0);
}

/* ------------------------------------------------------------------ phases */

static void embed(const struct worker *w)
{
    struct ctx *c = w->c;
    struct range rows = share(w, c->n_rows);
    size_t half = w->s->rope_dim / 2;

    for (size_t r = rows.begin; r < rows.end; r++) {
        matrix_row(c->x + r * w->s->n_embd, &w->m->embedding,
                   (size_t)c->rows[r].entry->token);
        for (size_t j = 0; j < half; j++)
            kernel_sincosf(c->sine + r * half + j, c->cosine + r * half + j,
                           (double)c->rows[r].pos * w->m->rope_freq[j]);
    }
}

/* The residual stream after `layer` layers, for the rows that want it. */
static void copy_hidden(const struct worker *w, size_t layer, struct range rows)
{
    size_t n = w->s->n_embd;

    for (size_t r = rows.begin; r < rows.end; r++) {
        const struct entry *e = w->c->rows[r].entry;
        int at = (int)layer - e->hidden_layer;
        if ((e->want & ENTRY_HIDDEN) && at >= 0 && at < e->n_hidden)
            memcpy(e->hidden + (size_t)at * n, w->c->x + r * n, n * sizeof(float));
    }
}

static void norm(const struct worker *w, const float *weight, struct range rows)
{
    struct ctx *c = w->c;
    size_t n = w->s->n_embd;

    for (size_t r = rows.begin; r < rows.end; r++)
        w->kernel->rms_norm(c->norm_in.x + r * n, c->x + r * n, weight, n, w->s->rms_eps);
    quantize_rows(w, &c->norm_in, rows);
}

/* Q, K and V as one list of row groups, so that threads share it evenly. */
static void project_qkv(const struct worker *w, size_t layer)
{
    static const enum linear qkv[] = {LINEAR_Q, LINEAR_K, LINEAR_V};
    size_t begin = 0, total = 0;
    struct range own;

    for (size_t i = 0; i < 3; i++)
        total += n_groups(w, qkv[i]);
    own = share(w, total);
    for (size_t i = 0; i < 3; i++) {
        enum linear l = qkv[i];
        linear_groups(w, layer, l, &w->c->norm_in, w->c->y[l], model_linear_n(w->s, l),
                      clamp(own, begin, n_groups(w, l)));
        begin += n_groups(w, l);
    }
}

/* Turns the first rope_dim dimensions of a head by its position, out of place. */
static void rotate(const struct worker *w, float *dst, const float *src, size_t row)
{
    size_t half = w->s->rope_dim / 2;
    const float *cosine = w->c->cosine + row * half, *sine = w->c->sine + row * half;
    size_t step = w->m->arch->rope == ARCH_ROPE_PAIRS ? 2 : 1,
           mate = w->m->arch->rope == ARCH_ROPE_PAIRS ? 1 : half;

    for (size_t j = 0; j < half; j++) {
        float a = src[j * step], b = src[j * step + mate];
        dst[j * step] = a * cosine[j] - b * sine[j];
        dst[j * step + mate] = a * sine[j] + b * cosine[j];
    }
    for (size_t j = w->s->rope_dim; j < w->s->k_dim; j++)
        dst[j] = src[j];
}

/* Rotates queries into a layout where the queries of a block are equally spaced, and puts
 * keys and values into their page. head: key-value head. */
static void place(const struct worker *w, size_t layer, size_t row, size_t head)
{
    struct ctx *c = w->c;
    const struct model_shape *s = w->s;
    size_t group = pass_group(s), kd = s->k_dim, vd = s->v_dim;
    const struct row *at = c->rows + row;
    const struct kv_page *page = at->seq->pages[at->pos / KV_PAGE_TOKENS];
    size_t slot = at->pos % KV_PAGE_TOKENS;
    float *keys = kv_keys(&c->kv, page, layer, head) + slot;
    float *queries = c->queries + (head * c->n_rows + row) * group * kd;
    float *rotated = w->own->key;

    for (size_t i = 0; i < group; i++)
        rotate(w, queries + i * kd,
               c->y[LINEAR_Q] + (row * s->n_heads + head * group + i) * kd, row);
    rotate(w, rotated, c->y[LINEAR_K] + (row * s->n_kv_heads + head) * kd, row);
    for (size_t d = 0; d < kd; d++)
        keys[d * KV_PAGE_TOKENS] = rotated[d];
    memcpy(kv_values(&c->kv, page, layer, head) + slot * vd,
           c->y[LINEAR_V] + (row * s->n_kv_heads + head) * vd, vd * sizeof(float));
}

static void place_all(const struct worker *w, size_t layer)
{
    struct range r = share(w, w->c->n_rows * w->s->n_kv_heads);

    for (size_t i = r.begin; i < r.end; i++)
        place(w, layer, i / w->s->n_kv_heads, i % w->s->n_kv_heads);
}

/* Attention of the rows of a block, for query heads [g0, g1) of a key-value head. With
 * more than one row the heads are all of them, so that the queries stand in one run. */
static void attend(const struct worker *w, size_t layer, const struct row_block *block,
                   size_t head, size_t g0, size_t g1)
{
    struct ctx *c = w->c;
    const struct model_shape *s = w->s;
    const struct seq *seq = c->rows[block->row].seq;
    size_t group = pass_group(s), kd = s->k_dim, vd = s->v_dim, per_row = g1 - g0;
    size_t first = c->rows[block->row].pos, last = first + block->n_rows - 1;
    size_t n_pages = last / KV_PAGE_TOKENS + 1, n_queries = block->n_rows * per_row;
    size_t lds = n_pages * KV_PAGE_TOKENS, whole = (first + 1) / KV_PAGE_TOKENS;
    const float *queries =
        c->queries + ((head * c->n_rows + block->row) * group + g0) * kd;
    float *scores = w->own->scores, *mixed = w->own->mixed;
    float scale = 1.0f / sqrtf((float)kd);

    for (size_t p = 0; p < n_pages; p++)
        w->kernel->attn_scores(scores + p * KV_PAGE_TOKENS, lds, queries, kd, n_queries,
                               kv_keys(&c->kv, seq->pages[p], layer, head), 1, kd, scale);
    for (size_t q = 0; q < n_queries; q++)
        w->kernel->softmax(scores + q * lds, first + q / per_row + 1);
    memset(mixed, 0, n_queries * vd * sizeof(float));
    for (size_t p = 0; p < whole; p++) /* pages every row sees to their end */
        w->kernel->attn_mix(mixed, vd, scores + p * KV_PAGE_TOKENS, lds, n_queries,
                            kv_values(&c->kv, seq->pages[p], layer, head), vd,
                            KV_PAGE_TOKENS, vd);
    for (size_t r = 0; r < block->n_rows; r++)
        for (size_t p = whole; p * KV_PAGE_TOKENS <= first + r; p++) {
            size_t n = first + r + 1 - p * KV_PAGE_TOKENS;
            w->kernel->attn_mix(mixed + r * per_row * vd, vd,
                                scores + r * per_row * lds + p * KV_PAGE_TOKENS, lds,
                                per_row, kv_values(&c->kv, seq->pages[p], layer, head),
                                vd, n < KV_PAGE_TOKENS ? n : KV_PAGE_TOKENS, vd);
        }
    for (size_t r = 0; r < block->n_rows; r++)
        memcpy(c->attn_in.x + (block->row + r) * c->attn_in.k + (head * group + g0) * vd,
               mixed + r * per_row * vd, per_row * vd * sizeof(float));
}

static void attend_all(const struct worker *w, size_t layer)
{
    struct ctx *c = w->c;
    size_t n_heads = w->s->n_kv_heads, group = pass_group(w->s);
    size_t n_items = c->n_blocks * n_heads;
    struct range own;

    if (n_items >= 4 * w->n || c->n_rows > c->n_blocks) {
        /* Late blocks see most positions: handed out first. */
        for (;;) {
            size_t i = atomic_fetch_add(&c->next_item, 1) - layer * (n_items + w->n);
            if (i >= n_items)
                return;
            attend(w, layer, c->blocks + c->n_blocks - 1 - i / n_heads, i % n_heads, 0,
                   group);
        }
    }
    /* Few rows: the query heads of a key-value head may fall to two threads. */
    own = share(w, n_items * group);
    while (own.begin < own.end) {
        size_t item = own.begin / group, g0 = own.begin % group,
               g1 = g0 + (own.end - own.begin);
        if (g1 > group)
            g1 = group;
        attend(w, layer, c->blocks + item / n_heads, item % n_heads, g0, g1);
        own.begin += g1 - g0;
    }
}

/* Quantises the input of the output projection: by rows, or by columns when rows are few.
 */
static void prepare_attn_out(const struct worker *w, size_t layer)
{
    struct ctx *c = w->c;
    struct acts *a = &c->attn_in;
    struct range rows = share(w, c->n_rows), blocks;

    lora_down(w, layer, LINEAR_O, a, rows);
    if (c->n_rows >= w->n || a->k % KERNEL_BLOCK) {
        quantize_rows(w, a, rows);
        return;
    }
    blocks = share(w, a->k / KERNEL_BLOCK);
    if (blocks.begin < blocks.end)
        w->kernel->quantize(a, 0, c->n_rows, blocks.begin * KERNEL_BLOCK,
                            blocks.end * KERNEL_BLOCK);
}

/* gate, up, silu(gate) * up and its codes, all on this thread's columns. */
static void gate_and_up(const struct worker *w, size_t layer)
{
    struct ctx *c = w->c;
    size_t n = w->s->n_ff, groups = n_groups(w, LINEAR_GATE);
    struct range r = share(w, (groups + GROUPS_PER_BLOCK - 1) / GROUPS_PER_BLOCK);
    size_t n0 = r.begin * KERNEL_BLOCK, n1 = r.end * KERNEL_BLOCK;

    r.begin *= GROUPS_PER_BLOCK;
    r.end *= GROUPS_PER_BLOCK;
    if (r.end > groups)
        r.end = groups;
    if (n1 > n)
        n1 = n;
    if (n0 >= n1)
        return;
    linear_groups(w, layer, LINEAR_GATE, &c->norm_in, c->y[LINEAR_GATE], n, r);
    linear_groups(w, layer, LINEAR_UP, &c->norm_in, c->y[LINEAR_UP], n, r);
    for (size_t i = 0; i < c->n_rows; i++)
        w->kernel->silu_mul(c->ffn_in.x + i * n + n0, c->y[LINEAR_GATE] + i * n + n0,
                            c->y[LINEAR_UP] + i * n + n0, n1 - n0);
    if (n % KERNEL_BLOCK == 0)
        w->kernel->quantize(&c->ffn_in, 0, c->n_rows, n0, n1);
}

/* The output norm and its codes, for the rows whose logits are needed. */
static void head_norm(const struct worker *w)
{
    struct ctx *c = w->c;
    size_t n = w->s->n_embd;
    struct range rows = share(w, c->n_rows);

    for (size_t r = rows.begin; r < rows.end; r++) {
        size_t h = c->rows[r].head_row;
        if (h == SIZE_MAX)
            continue;
        w->kernel->rms_norm(c->head_in.x + h * n, c->x + r * n, w->m->output_norm, n,
                            w->s->rms_eps);
        quantize_rows(w, &c->head_in, (struct range){h, h + 1});
    }
}

/* Logits slice by slice: copied out, or reduced to their log-sum-exp at once. */
static void head_slices(const struct worker *w)
{
    struct ctx *c = w->c;
    size_t n_slices = pass_vocab_slices(w->s), slice = pass_vocab_slice(w->s),
           n_vocab = w->s->n_vocab;
    struct range own = share(w, n_slices);

    for (size_t i = own.begin; i < own.end; i++) {
        size_t v0 = i * slice, v1 = v0 + slice, n;
        if (v1 > n_vocab)
            v1 = n_vocab;
        n = v1 - v0;
        w->kernel->matmul(model_head(w->m), &c->head_in, w->own->logits, n,
                          v0 / KERNEL_LANES, (v1 + KERNEL_LANES - 1) / KERNEL_LANES);
        for (size_t r = 0; r < c->n_rows; r++) {
            struct row *row = c->rows + r;
            const float *logits = w->own->logits + row->head_row * n;
            if (row->head_row == SIZE_MAX)
                continue;
            if (row->entry->want & ENTRY_LOGITS)
                memcpy(row->entry->logits + v0, logits, n * sizeof(float));
            if (row->entry->want & ENTRY_LOGPROB) {
                size_t target = (size_t)row->entry->target;
                c->lse_parts[row->head_row * n_slices + i] =
                    w->kernel->log_sum_exp(logits, n);
                if (target >= v0 && target < v1)
                    row->target_logit = logits[target - v0];
            }
        }
    }
}

static void run_phases(void *arg, int i_thread, int n_threads)
{
    struct ctx *c = arg;
    const struct worker worker = {.c = c,
                                  .m = c->m,
                                  .s = &c->m->shape,
                                  .kernel = c->m->kernel,
                                  .own = c->threads + i_thread,
                                  .i = (size_t)i_thread,
                                  .n = (size_t)n_threads};
    const struct worker *w = &worker;
    struct range rows = share(w, c->n_rows);

    embed(w);
    for (size_t layer = 0; layer < w->s->n_layers; layer++) {
        const struct model_layer *weights = w->m->layers + layer;
        if (layer)
            barrier(w);
        copy_hidden(w, layer, rows);
        norm(w, weights->attn_norm, rows);
        lora_down(w, layer, LINEAR_Q, &c->norm_in, rows);
        lora_down(w, layer, LINEAR_K, &c->norm_in, rows);
        lora_down(w, layer, LINEAR_V, &c->norm_in, rows);
        barrier(w);
        project_qkv(w, layer);
        barrier(w);
        place_all(w, layer);
        barrier(w);
        attend_all(w, layer);
        barrier(w);
        prepare_attn_out(w, layer);
        barrier(w);
        linear_residual(w, layer, LINEAR_O, &c->attn_in);
        barrier(w);
        norm(w, weights->ffn_norm, rows);
        lora_down(w, layer, LINEAR_GATE, &c->norm_in, rows);
        lora_down(w, layer, LINEAR_UP, &c->norm_in, rows);
        barrier(w);
        gate_and_up(w, layer);
        barrier(w);
        if (c->any_adapter) {
            lora_down(w, layer, LINEAR_DOWN, &c->ffn_in, rows);
            barrier(w);
        }
        linear_residual(w, layer, LINEAR_DOWN, &c->ffn_in);
    }
    barrier(w);
    copy_hidden(w, w->s->n_layers, rows);
    if (c->n_head_rows == 0)
        return;
    head_norm(w);
    barrier(w);
    head_slices(w);
}

void pass_run(struct ctx *c)
{
    const struct model_shape *s = &c->m->shape;
    size_t n_slices = pass_vocab_slices(s);

    c->norm_in.m = c->attn_in.m = c->ffn_in.m = c->n_rows;
    c->head_in.m = c->n_head_rows;
    c->norm_in.k = c->head_in.k = s->n_embd;
    c->attn_in.k = s->n_heads * s->v_dim;
    c->ffn_in.k = s->n_ff;
    atomic_store(&c->next_item, 0);
    pthread_mutex_lock(&c->m->pool_lock);
    pool_run(c->m->pool, run_phases, c);
    pthread_mutex_unlock(&c->m->pool_lock);
    for (size_t r = 0; r < c->n_rows; r++) {
        struct row *row = c->rows + r;
        if (row->entry->want & ENTRY_LOGPROB)
            row->entry->logprob =
                row->target_logit -
                c->m->kernel->log_sum_exp(c->lse_parts + row->head_row * n_slices,
                                          n_slices);
    }
}

float logits_lse(const struct cai_model *m, const float *logits)
{
    float parts[PASS_VOCAB_PARTS];
    size_t n_vocab = m->shape.n_vocab, slice = pass_vocab_slice(&m->shape),
           n_slices = pass_vocab_slices(&m->shape);

    for (size_t i = 0; i < n_slices; i++) {
        size_t left = n_vocab - i * slice;
        parts[i] =
            m->kernel->log_sum_exp(logits + i * slice, left < slice ? left : slice);
    }
    return m->kernel->log_sum_exp(parts, n_slices);
}

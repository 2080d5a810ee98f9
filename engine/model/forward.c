/*
 * forward.c: one pass of up to PASS_ROWS tokens through the model, as one job of the
 * pool: a table of steps per layer, then those of the head.
 *
 * Steps are divided into items by rows, by outputs of a matrix or by heads, never along a
 * sum, and every sum has one order fixed by the model: so no result depends on the
 * division. Attention goes over pages of 16 positions in order; the log-sum-exp of the
 * vocabulary is taken over fixed slices and then over the slices.
 *
 * Thread: pass_run() on the context's thread; items on every pool thread.
 */
#include <math.h>
#include <string.h>

#include "model/forward_impl.h"

enum {
    GROUPS_PER_BLOCK = KERNEL_BLOCK / KERNEL_LANES,
    ITEMS_PER_THREAD = 4, /* even shares although cores are disturbed, at little cost */
    FEW_ROWS = 8,         /* then weights are a stream from memory, best read in one go */
    ROWS_PER_ITEM = 4,    /* of the steps that go row by row */
};

/* What an item knows of its pass. */
struct worker {
    struct ctx *c;
    const struct cai_model *m;
    const struct model_shape *s;
    const struct kernel *kernel;
    struct pass_thread *own; /* scratch of the thread it runs on */
    size_t layer, item, n_items;
};

struct range {
    size_t begin, end;
};

/* The part of n units that is this item's. */
static struct range share(const struct worker *w, size_t n)
{
    return (struct range){n * w->item / w->n_items, n * (w->item + 1) / w->n_items};
}

static struct range clamp(struct range r, size_t begin, size_t n)
{
    size_t a = r.begin > begin ? r.begin - begin : 0,
           b = r.end > begin ? r.end - begin : 0;
    return (struct range){a < n ? a : n, b < n ? b : n};
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
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
static void lora_down(const struct worker *w, enum linear l, const struct acts *in,
                      struct range rows)
{
    struct ctx *c = w->c;

    for (size_t r = rows.begin; c->any_adapter && r < rows.end; r++) {
        const struct adapter *a = c->rows[r].seq->adapter;
        const struct lora *lora = a ? adapter_lora(a, w->layer, l) : NULL;
        if (lora && lora->r)
            w->kernel->lora_a(c->lora_z[l] + r * c->max_rank, lora->A, in->x + r * in->k,
                              lora->r, lora->k);
    }
}

/* Outputs of the row groups of one linear for all rows of the pass: W x, bias, adapters.
 * y (M, ldy) is the whole output. */
static void linear_groups(const struct worker *w, enum linear l, const struct acts *in,
                          float *y, size_t ldy, struct range g)
{
    struct ctx *c = w->c;
    const struct model_layer *weights = w->m->layers + w->layer;
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
            seq->adapter ? adapter_lora(seq->adapter, w->layer, l) : NULL;
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
static void linear_residual(const struct worker *w, enum linear l, const struct acts *in)
{
    struct ctx *c = w->c;
    size_t n = w->s->n_embd;
    struct range g = share(w, n_groups(w, l));
    size_t n0 = g.begin * KERNEL_LANES, n1 = g.end * KERNEL_LANES;

    linear_groups(w, l, in, c->tmp, n, g);
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
static void copy_hidden(const struct worker *w, struct range rows)
{
    size_t n = w->s->n_embd;

    for (size_t r = rows.begin; r < rows.end; r++) {
        const struct entry *e = w->c->rows[r].entry;
        int at = (int)w->layer - e->hidden_layer;
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

static void attn_norm(const struct worker *w)
{
    struct ctx *c = w->c;
    struct range rows = share(w, c->n_rows);

    copy_hidden(w, rows);
    norm(w, w->m->layers[w->layer].attn_norm, rows);
    lora_down(w, LINEAR_Q, &c->norm_in, rows);
    lora_down(w, LINEAR_K, &c->norm_in, rows);
    lora_down(w, LINEAR_V, &c->norm_in, rows);
}

static void ffn_norm(const struct worker *w)
{
    struct ctx *c = w->c;
    struct range rows = share(w, c->n_rows);

    norm(w, w->m->layers[w->layer].ffn_norm, rows);
    lora_down(w, LINEAR_GATE, &c->norm_in, rows);
    lora_down(w, LINEAR_UP, &c->norm_in, rows);
}

/* Q, K and V as one list of row groups, so that it can be shared evenly. */
static void project_qkv(const struct worker *w)
{
    static const enum linear qkv[] = {LINEAR_Q, LINEAR_K, LINEAR_V};
    size_t begin = 0, total = 0;
    struct range own;

    for (size_t i = 0; i < 3; i++)
        total += n_groups(w, qkv[i]);
    own = share(w, total);
    for (size_t i = 0; i < 3; i++) {
        enum linear l = qkv[i];
        linear_groups(w, l, &w->c->norm_in, w->c->y[l], model_linear_n(w->s, l),
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
static void place_head(const struct worker *w, size_t row, size_t head)
{
    struct ctx *c = w->c;
    const struct model_shape *s = w->s;
    size_t group = pass_group(s), kd = s->k_dim, vd = s->v_dim;
    const struct row *at = c->rows + row;
    const struct kv_page *page = at->seq->pages[at->pos / KV_PAGE_TOKENS];
    size_t slot = at->pos % KV_PAGE_TOKENS;
    float *keys = kv_keys(&c->kv, page, w->layer, head) + slot;
    float *queries = c->queries + (head * c->n_rows + row) * group * kd;
    float *rotated = w->own->key;

    for (size_t i = 0; i < group; i++)
        rotate(w, queries + i * kd,
               c->y[LINEAR_Q] + (row * s->n_heads + head * group + i) * kd, row);
    rotate(w, rotated, c->y[LINEAR_K] + (row * s->n_kv_heads + head) * kd, row);
    for (size_t d = 0; d < kd; d++)
        keys[d * KV_PAGE_TOKENS] = rotated[d];
    memcpy(kv_values(&c->kv, page, w->layer, head) + slot * vd,
           c->y[LINEAR_V] + (row * s->n_kv_heads + head) * vd, vd * sizeof(float));
}

static void place(const struct worker *w)
{
    struct range rows = share(w, w->c->n_rows);

    for (size_t r = rows.begin; r < rows.end; r++)
        for (size_t head = 0; head < w->s->n_kv_heads; head++)
            place_head(w, r, head);
}

/* Heads are whole blocks of codes, so that each can be quantised by itself. */
static int quantized_by_head(const struct model_shape *s)
{
    return s->v_dim % KERNEL_BLOCK == 0;
}

/* Attention of the rows of a block, for query heads [g0, g1) of a key-value head. With
 * more than one row the heads are all of them, so that the queries stand in one run. */
static void attend_block(const struct worker *w, const struct row_block *block,
                         size_t head, size_t g0, size_t g1)
{
    struct ctx *c = w->c;
    const struct model_shape *s = w->s;
    const struct seq *seq = c->rows[block->row].seq;
    size_t group = pass_group(s), kd = s->k_dim, vd = s->v_dim, per_row = g1 - g0;
    size_t first = c->rows[block->row].pos, last = first + block->n_rows - 1;
    size_t n_pages = last / KV_PAGE_TOKENS + 1, n_queries = block->n_rows * per_row;
    size_t lds = n_pages * KV_PAGE_TOKENS;
    /* positions in pages that every row sees to their end */
    size_t whole = (first + 1) / KV_PAGE_TOKENS * KV_PAGE_TOKENS;
    const float *queries =
        c->queries + ((head * c->n_rows + block->row) * group + g0) * kd;
    float *scores = w->own->scores, *mixed = w->own->mixed;
    const float **keys = w->own->key_tiles, **values = w->own->value_tiles;
    float scale = 1.0f / sqrtf((float)kd);

    for (size_t p = 0; p < n_pages; p++) {
        keys[p] = kv_keys(&c->kv, seq->pages[p], w->layer, head);
        values[p] = kv_values(&c->kv, seq->pages[p], w->layer, head);
    }
    w->kernel->attn_scores(scores, lds, queries, kd, n_queries, keys, n_pages, kd, scale);
    for (size_t q = 0; q < n_queries; q++)
        w->kernel->softmax(scores + q * lds, first + q / per_row + 1);
    memset(mixed, 0, n_queries * vd * sizeof(float));
    w->kernel->attn_mix(mixed, vd, scores, lds, n_queries, values, whole, vd);
    for (size_t r = 0; r < block->n_rows; r++)
        w->kernel->attn_mix(mixed + r * per_row * vd, vd,
                            scores + r * per_row * lds + whole, lds, per_row,
                            values + whole / KV_PAGE_TOKENS, first + r + 1 - whole, vd);
    for (size_t r = 0; r < block->n_rows; r++) {
        size_t row = block->row + r, d0 = (head * group + g0) * vd;
        memcpy(c->attn_in.x + row * c->attn_in.k + d0, mixed + r * per_row * vd,
               per_row * vd * sizeof(float));
        if (quantized_by_head(s))
            w->kernel->quantize(&c->attn_in, row, row + 1, d0, d0 + per_row * vd);
    }
}

/* Few rows: an item is a share of all query heads instead of one key-value head. */
static int split_groups(const struct ctx *c)
{
    return c->n_blocks == c->n_rows &&
           c->n_blocks * c->m->shape.n_kv_heads < 2 * (size_t)pool_n_threads(c->m->pool);
}

static size_t n_shares(const struct ctx *c)
{
    return least(c->m->shape.n_heads, (size_t)pool_n_threads(c->m->pool));
}

static void attend(const struct worker *w)
{
    const struct ctx *c = w->c;
    size_t n_kv_heads = w->s->n_kv_heads, group = pass_group(w->s);
    size_t part, h, end, g;

    if (!split_groups(c)) { /* late blocks see most positions: first */
        attend_block(w, c->blocks + c->n_blocks - 1 - w->item / n_kv_heads,
                     w->item % n_kv_heads, 0, group);
        return;
    }
    part = w->item % n_shares(c);
    h = w->s->n_heads * part / n_shares(c);
    end = w->s->n_heads * (part + 1) / n_shares(c);
    for (; h < end; h += g) { /* heads of one key-value head together */
        g = least(group - h % group, end - h);
        attend_block(w, c->blocks + w->item / n_shares(c), h / group, h % group,
                     h % group + g);
    }
}

/* What the output projection needs of whole rows, when it could not be done by head. */
static void finish_attention(const struct worker *w)
{
    struct range rows = share(w, w->c->n_rows);

    lora_down(w, LINEAR_O, &w->c->attn_in, rows);
    if (!quantized_by_head(w->s))
        quantize_rows(w, &w->c->attn_in, rows);
}

static void attn_output(const struct worker *w)
{
    linear_residual(w, LINEAR_O, &w->c->attn_in);
}

/* gate, up, silu(gate) * up and its codes, all on this item's columns. */
static void gate_and_up(const struct worker *w)
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
    linear_groups(w, LINEAR_GATE, &c->norm_in, c->y[LINEAR_GATE], n, r);
    linear_groups(w, LINEAR_UP, &c->norm_in, c->y[LINEAR_UP], n, r);
    for (size_t i = 0; i < c->n_rows; i++)
        w->kernel->silu_mul(c->ffn_in.x + i * n + n0, c->y[LINEAR_GATE] + i * n + n0,
                            c->y[LINEAR_UP] + i * n + n0, n1 - n0);
    if (n % KERNEL_BLOCK == 0)
        w->kernel->quantize(&c->ffn_in, 0, c->n_rows, n0, n1);
}

/* What the down projection needs of whole rows. */
static void ffn_lora(const struct worker *w)
{
    lora_down(w, LINEAR_DOWN, &w->c->ffn_in, share(w, w->c->n_rows));
}

static void ffn_output(const struct worker *w)
{
    linear_residual(w, LINEAR_DOWN, &w->c->ffn_in);
}

/* The output norm and its codes, for the rows whose logits are needed. */
static void head_norm(const struct worker *w)
{
    struct ctx *c = w->c;
    size_t n = w->s->n_embd;
    struct range rows = share(w, c->n_rows);

    copy_hidden(w, rows);
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

/* ------------------------------------------------------------------ steps */

enum unit { ROWS, QKV_GROUPS, HEADS, OUTPUT_GROUPS, FFN_BLOCKS, SLICES };
enum when { ALWAYS, ADAPTER, ROW_STEP, HEAD };

struct step {
    void (*run)(const struct worker *w);
    enum unit unit; /* what it is divided into */
    enum when when;
};

static const struct step first_step = {embed, ROWS, ALWAYS};

static const struct step layer_steps[] = {
    {attn_norm, ROWS, ALWAYS},
    {project_qkv, QKV_GROUPS, ALWAYS},
    {place, ROWS, ALWAYS},
    {attend, HEADS, ALWAYS},
    {finish_attention, ROWS, ROW_STEP},
    {attn_output, OUTPUT_GROUPS, ALWAYS},
    {ffn_norm, ROWS, ALWAYS},
    {gate_and_up, FFN_BLOCKS, ALWAYS},
    {ffn_lora, ROWS, ADAPTER},
    {ffn_output, OUTPUT_GROUPS, ALWAYS},
};

static const struct step last_steps[] = {
    {head_norm, ROWS, ALWAYS},
    {head_slices, SLICES, HEAD},
};

enum {
    N_LAYER_STEPS = sizeof layer_steps / sizeof *layer_steps,
    N_LAST_STEPS = sizeof last_steps / sizeof *last_steps,
};

static const struct step *find_step(const struct ctx *c, size_t at, size_t *layer)
{
    *layer = 0;
    if (at == 0)
        return &first_step;
    *layer = (at - 1) / N_LAYER_STEPS;
    if (*layer < c->m->shape.n_layers)
        return layer_steps + (at - 1) % N_LAYER_STEPS;
    *layer = c->m->shape.n_layers;
    return last_steps + (at - 1 - c->m->shape.n_layers * N_LAYER_STEPS);
}

static size_t n_step_items(const void *arg, size_t at)
{
    const struct ctx *c = arg;
    const struct model_shape *s = &c->m->shape;
    const struct worker w = {.m = c->m};
    size_t layer, most = (size_t)pool_n_threads(c->m->pool) *
                         (c->n_rows <= FEW_ROWS ? 1 : ITEMS_PER_THREAD);
    const struct step *step = find_step(c, at, &layer);

    switch (step->when) {
    case ALWAYS: break;
    case ADAPTER:
        if (!c->any_adapter)
            return 0;
        break;
    case ROW_STEP:
        if (!c->any_adapter && quantized_by_head(s))
            return 0;
        break;
    case HEAD:
        if (c->n_head_rows == 0)
            return 0;
        break;
    }
    switch (step->unit) {
    case ROWS: return (c->n_rows + ROWS_PER_ITEM - 1) / ROWS_PER_ITEM;
    case QKV_GROUPS: return least(n_groups(&w, LINEAR_Q), most);
    case HEADS: return c->n_blocks * (split_groups(c) ? n_shares(c) : s->n_kv_heads);
    case OUTPUT_GROUPS: return least(n_groups(&w, LINEAR_O), most);
    case FFN_BLOCKS: return least(n_groups(&w, LINEAR_GATE), most);
    case SLICES: break;
    }
    return pass_vocab_slices(s);
}

static void run_item(void *arg, size_t at, size_t item, size_t i_thread)
{
    struct ctx *c = arg;
    struct worker w = {.c = c,
                       .m = c->m,
                       .s = &c->m->shape,
                       .kernel = c->m->kernel,
                       .own = c->threads + i_thread,
                       .item = item,
                       .n_items = n_step_items(c, at)};

    find_step(c, at, &w.layer)->run(&w);
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
    pthread_mutex_lock(&c->m->pool_lock);
    pool_run(c->m->pool,
             &(struct pool_job){1 + s->n_layers * N_LAYER_STEPS + N_LAST_STEPS,
                                n_step_items, run_item, c});
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

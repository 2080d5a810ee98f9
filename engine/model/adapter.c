/*
 * adapter.c: see adapter.h.
 *
 * PEFT keeps the rows of q and k in Hugging Face order; a GGUF file of an architecture
 * that rotates pairs has them permuted: its row 2j + s of a head is row s * d/2 + j there
 * (j < d/2, s = 0 or 1). So the rows of B for q and k are permuted on reading.
 */
#include "model/adapter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/model.h"
#include "model/safetensors.h"

enum { CONFIG_MAX_BYTES = 1 << 20, MAX_RANK = 4096 };

struct adapter {
    const struct cai_model *m;
    size_t n_layers, max_rank;
    struct lora (*layers)[LINEAR_COUNT];
};

/* What adapter_config.json says. */
struct config {
    size_t r;
    float scale;
};

static enum cai_status adapter_make(struct adapter **dst, const struct cai_model *m,
                                    char *err, size_t errlen)
{
    struct adapter *a = mem_alloc(1, sizeof *a);

    *dst = NULL;
    if (a) {
        a->m = m;
        a->n_layers = m->shape.n_layers;
        a->layers = mem_alloc(a->n_layers, sizeof *a->layers);
    }
    if (!a || !a->layers) {
        adapter_free(a);
        return err_nomem(err, errlen, "an adapter");
    }
    *dst = a;
    return CAI_OK;
}

/* Zero-filled A and B of a linear, unless it has them. */
static enum cai_status lora_make(struct adapter *a, size_t layer, enum linear l, size_t r,
                                 float scale, char *err, size_t errlen)
{
    struct lora *lora = &a->layers[layer][l];

    if (lora->r)
        return CAI_OK;
    lora->k = model_linear_k(&a->m->shape, l);
    lora->n = model_linear_n(&a->m->shape, l);
    lora->scale = scale;
    lora->A = mem_aligned(64, r * lora->k * sizeof(float));
    lora->B = mem_aligned(64, r * lora->n * sizeof(float));
    if (!lora->A || !lora->B)
        return err_nomem(err, errlen, "an adapter");
    lora->r = r;
    if (r > a->max_rank)
        a->max_rank = r;
    return CAI_OK;
}

enum cai_status adapter_new(struct adapter **dst, const struct cai_model *m, size_t r,
                            float alpha, char *err, size_t errlen)
{
    struct adapter *a = NULL;
    enum cai_status st;

    *dst = NULL;
    if (r < 1 || r > MAX_RANK)
        return err_set(CAI_INVALID, err, errlen, "an adapter of rank %zu; choose 1 to %d",
                       r, MAX_RANK);
    st = adapter_make(&a, m, err, errlen);
    for (size_t i = 0; st == CAI_OK && i < a->n_layers; i++)
        for (enum linear l = 0; l < LINEAR_COUNT && st == CAI_OK; l++)
            st = lora_make(a, i, l, r, alpha / (float)r, err, errlen);
    if (st == CAI_OK) {
        *dst = a;
        a = NULL;
    }
    adapter_free(a);
    return st;
}

static int is_empty(const cJSON *v)
{
    return !v || cJSON_IsNull(v) || cJSON_IsFalse(v) || (!v->child && !cJSON_IsTrue(v));
}

static enum cai_status read_config(struct config *out, const char *dir, char *err,
                                   size_t errlen)
{
    /* Variants of LoRA that would change the numbers when on. */
    static const char *const must_be_off[] = {"use_dora",         "fan_in_fan_out",
                                              "lora_bias",        "rank_pattern",
                                              "alpha_pattern",    "modules_to_save",
                                              "layer_replication"};
    struct strbuf text = STRBUF_INIT(CONFIG_MAX_BYTES), path = STRBUF_INIT(8192);
    cJSON *doc = NULL;
    const char *kind, *bias;
    uint64_t r = 0;
    double alpha;
    enum cai_status st = strbuf_addf(&path, "%s/adapter_config.json", dir);

    if (st == CAI_OK)
        st = file_read(&text, strbuf_str(&path), err, errlen);
    if (st != CAI_OK)
        goto out;
    st = json_parse(&doc, text.data, text.len, err, errlen);
    if (st != CAI_OK) {
        err_prefix(err, errlen, strbuf_str(&path));
        goto out;
    }
    kind = json_str(doc, "peft_type");
    bias = json_str(doc, "bias");
    alpha = json_num(doc, "lora_alpha", 0);
    if (!kind || strcmp(kind, "LORA") != 0) {
        st = err_set(CAI_UNSUPPORTED, err, errlen, "%s: peft_type is %s; supported: LORA",
                     strbuf_str(&path), kind ? kind : "missing");
        goto out;
    }
    if (bias && strcmp(bias, "none") != 0) {
        st = err_set(CAI_UNSUPPORTED, err, errlen,
                     "%s: bias is \"%s\"; adapters with biases are not supported",
                     strbuf_str(&path), bias);
        goto out;
    }
    for (size_t i = 0; i < sizeof must_be_off / sizeof *must_be_off; i++)
        if (!is_empty(json_get(doc, must_be_off[i]))) {
            st = err_set(CAI_UNSUPPORTED, err, errlen, "%s: %s is set; not supported",
                         strbuf_str(&path), must_be_off[i]);
            goto out;
        }
    if (!json_u64(doc, "r", &r) || r < 1 || r > MAX_RANK || !(fabs(alpha) < 1e6)) {
        st = err_set(CAI_INVALID, err, errlen,
                     "%s: r or lora_alpha is missing or out of range", strbuf_str(&path));
        goto out;
    }
    out->r = (size_t)r;
    out->scale = json_bool(doc, "use_rslora", 0) ? (float)(alpha / sqrt((double)r))
                                                 : (float)(alpha / (double)r);
out:
    cJSON_Delete(doc);
    strbuf_free(&text);
    strbuf_free(&path);
    return st;
}

/* Which matrix "base_model.model.model.layers.3.mlp.up_proj.lora_A.weight" is. */
static int parse_name(const struct adapter *a, const char *name, size_t *layer,
                      enum linear *linear, int *is_b)
{
    int used = 0;
    const char *rest;

    if (sscanf(name, "base_model.model.model.layers.%8zu.%n", layer, &used) != 1 ||
        used == 0 || *layer >= a->n_layers)
        return 0;
    for (*linear = 0; *linear < LINEAR_COUNT; ++*linear) {
        size_t len = strlen(arch_linear_peft[*linear]);
        if (strncmp(name + used, arch_linear_peft[*linear], len) != 0)
            continue;
        rest = name + used + len;
        *is_b = strcmp(rest, ".lora_B.weight") == 0;
        return *is_b || strcmp(rest, ".lora_A.weight") == 0;
    }
    return 0;
}

/* Row of Hugging Face's matrix that belongs into row n of the file's. */
static size_t peft_row(const struct cai_model *m, enum linear l, size_t n)
{
    size_t d = m->shape.k_dim, at = n % d;

    if (m->arch->rope != ARCH_ROPE_PAIRS || (l != LINEAR_Q && l != LINEAR_K))
        return n;
    return n - at + (at % 2) * (d / 2) + at / 2;
}

static void copy_row(float *dst, const struct safetensor *t, size_t row)
{
    quant_dequantize(t->type, dst,
                     (const char *)t->data + row * quant_row_bytes(t->type, t->cols),
                     t->cols);
}

static enum cai_status take_tensor(struct adapter *a, const struct config *config,
                                   const struct safetensor *t, unsigned char *seen,
                                   const char *path, char *err, size_t errlen)
{
    size_t layer = 0, rows, cols;
    enum linear l = 0;
    int is_b = 0;
    struct lora *lora;
    enum cai_status st;

    if (!parse_name(a, t->name, &layer, &l, &is_b))
        return err_set(
            CAI_UNSUPPORTED, err, errlen,
            "%s: tensor %s does not belong to one of the seven linears of this "
            "model's %zu layers",
            path, t->name, a->n_layers);
    st = lora_make(a, layer, l, config->r, config->scale, err, errlen);
    if (st != CAI_OK)
        return st;
    lora = &a->layers[layer][l];
    rows = is_b ? lora->n : lora->r;
    cols = is_b ? lora->r : lora->k;
    if (t->rows != rows || t->cols != cols)
        return err_set(CAI_INVALID, err, errlen,
                       "%s: tensor %s is %zu x %zu; this model needs %zu x %zu", path,
                       t->name, t->rows, t->cols, rows, cols);
    for (size_t i = 0; i < rows; i++) {
        float *dst = (is_b ? lora->B : lora->A) + i * cols;
        copy_row(dst, t, is_b ? peft_row(a->m, l, i) : i);
        for (size_t j = 0; j < cols; j++)
            if (!isfinite(dst[j]))
                return err_set(CAI_CORRUPT, err, errlen,
                               "%s: tensor %s has a weight that is not finite", path,
                               t->name);
    }
    seen[(layer * LINEAR_COUNT + l) * 2 + (size_t)is_b] = 1;
    return CAI_OK;
}

enum cai_status adapter_load(struct adapter **dst, const struct cai_model *m,
                             const char *dir, char *err, size_t errlen)
{
    struct strbuf path = STRBUF_INIT(8192);
    struct safetensors *file = NULL;
    struct adapter *a = NULL;
    struct config config = {0, 0};
    unsigned char *seen = NULL; /* (n_layers, LINEAR_COUNT, A or B) */
    enum cai_status st;

    *dst = NULL;
    st = read_config(&config, dir, err, errlen);
    if (st == CAI_OK)
        st = strbuf_addf(&path, "%s/adapter_model.safetensors", dir);
    if (st == CAI_OK)
        st = safetensors_open(&file, strbuf_str(&path), err, errlen);
    if (st == CAI_OK)
        st = adapter_make(&a, m, err, errlen);
    if (st != CAI_OK)
        goto out;
    seen = mem_alloc(a->n_layers * LINEAR_COUNT, 2);
    if (!seen) {
        st = err_nomem(err, errlen, strbuf_str(&path));
        goto out;
    }
    for (size_t i = 0; i < safetensors_count(file) && st == CAI_OK; i++)
        st = take_tensor(a, &config, safetensors_at(file, i), seen, strbuf_str(&path),
                         err, errlen);
    for (size_t i = 0; i < a->n_layers * LINEAR_COUNT && st == CAI_OK; i++)
        if (seen[2 * i] != seen[2 * i + 1])
            st = err_set(CAI_CORRUPT, err, errlen,
                         "%s: layer %zu: %s has only one of lora_A and lora_B",
                         strbuf_str(&path), i / LINEAR_COUNT,
                         arch_linear_peft[i % LINEAR_COUNT]);
    if (st == CAI_OK && a->max_rank == 0)
        st = err_set(CAI_CORRUPT, err, errlen, "%s: no tensors", strbuf_str(&path));
    if (st == CAI_OK) {
        *dst = a;
        a = NULL;
    }
out:
    mem_free(seen);
    safetensors_close(file);
    strbuf_free(&path);
    adapter_free(a);
    return st;
}

void adapter_free(struct adapter *a)
{
    if (!a)
        return;
    for (size_t i = 0; a->layers && i < a->n_layers; i++)
        for (enum linear l = 0; l < LINEAR_COUNT; l++) {
            mem_free(a->layers[i][l].A);
            mem_free(a->layers[i][l].B);
        }
    mem_free(a->layers);
    mem_free(a);
}

const struct lora *adapter_lora(const struct adapter *a, size_t layer, enum linear l)
{
    return &a->layers[layer][l];
}

struct lora *adapter_lora_mut(struct adapter *a, size_t layer, enum linear l)
{
    return &a->layers[layer][l];
}

size_t adapter_max_rank(const struct adapter *a)
{
    return a->max_rank;
}

const struct cai_model *adapter_model(const struct adapter *a)
{
    return a->m;
}

/*
 * adapter.h: a low-rank change of a model's linears, y += (alpha / r) B (A x).
 *
 * Owned apart from the model and attached to sequences (forward.h). Read from PEFT's
 * folder (adapter_config.json, adapter_model.safetensors), every shape checked against
 * the model and every size against the file. Refuses anything but plain LoRA on the seven
 * linears, by name.
 *
 * Legend: r rank, K inputs, N outputs of a linear; fp32, row-major.
 * Thread: immutable once loaded; any. Test: tests/unit_adapter.c.
 */
#ifndef MODEL_ADAPTER_H
#define MODEL_ADAPTER_H

#include <stddef.h>

#include "cai.h"

enum linear { /* the linears of a layer */
              LINEAR_Q,
              LINEAR_K,
              LINEAR_V,
              LINEAR_O,
              LINEAR_GATE,
              LINEAR_UP,
              LINEAR_DOWN,
              LINEAR_COUNT
};

struct lora {
    size_t r, k, n; /* r = 0: this linear is not adapted */
    float *A;       /* (r, k) */
    float *B;       /* (n, r); rows in the order the model file has them */
    float scale;    /* alpha / r */
};

struct adapter;

/* Zero-filled matrices of rank r for all linears of all layers (B = 0: no effect). */
enum cai_status adapter_new(struct adapter **dst, const struct cai_model *m, size_t r,
                            float alpha, char *err, size_t errlen);
/* dir holds adapter_config.json and adapter_model.safetensors. */
enum cai_status adapter_load(struct adapter **dst, const struct cai_model *m,
                             const char *dir, char *err, size_t errlen);
void adapter_free(struct adapter *a);

/* Never NULL for a layer of the model it was made for. */
const struct lora *adapter_lora(const struct adapter *a, size_t layer, enum linear l);
struct lora *adapter_lora_mut(struct adapter *a, size_t layer, enum linear l);
size_t adapter_max_rank(const struct adapter *a);
const struct cai_model *adapter_model(const struct adapter *a);

#endif

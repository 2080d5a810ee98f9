/*
 * arch.h: an architecture as a row of a table: what its tensors are called, which of them
 * must or may exist, and how positions turn queries and keys.
 *
 * Read by opening, forward and backward alike. What differs between files of one
 * architecture (head sizes, tied output, rope factors) comes from the file.
 */
#ifndef MODEL_ARCH_H
#define MODEL_ARCH_H

#include "model/adapter.h"

enum arch_rope {
    ARCH_ROPE_PAIRS,  /* dimensions (2j, 2j + 1) turn together */
    ARCH_ROPE_HALVES, /* dimensions (j, j + d/2) turn together */
};

enum arch_presence { ARCH_NEVER, ARCH_MAY, ARCH_MUST };

struct arch {
    const char *name; /* general.architecture, and prefix of its metadata keys */
    enum arch_rope rope;
    enum arch_presence bias[LINEAR_COUNT];
};

/* Part of a tensor's name: "blk.%d.<this>.weight", ".bias". */
extern const char *const arch_linear_name[LINEAR_COUNT];
/* PEFT's name of a linear: "self_attn.q_proj". */
extern const char *const arch_linear_peft[LINEAR_COUNT];

/* NULL when the architecture is not in the table. name is not NUL-terminated. */
const struct arch *arch_find(const char *name, size_t len);
/* "llama, qwen2": for the message of a refusal. */
const char *arch_names(void);

#endif

/* arch.c: the table of architectures; see arch.h. Pure data. */
#include "model/arch.h"

#include <string.h>

static const struct arch table[] = {
    {"llama",
     ARCH_ROPE_PAIRS,
     {[LINEAR_Q] = ARCH_MAY,
      [LINEAR_K] = ARCH_MAY,
      [LINEAR_V] = ARCH_MAY,
      [LINEAR_O] = ARCH_MAY,
      [LINEAR_GATE] = ARCH_MAY,
      [LINEAR_UP] = ARCH_MAY,
      [LINEAR_DOWN] = ARCH_MAY}},
    {"qwen2",
     ARCH_ROPE_HALVES,
     {[LINEAR_Q] = ARCH_MUST, [LINEAR_K] = ARCH_MUST, [LINEAR_V] = ARCH_MUST}},
};

const char *const arch_linear_name[LINEAR_COUNT] = {
    [LINEAR_Q] = "attn_q",      [LINEAR_K] = "attn_k",      [LINEAR_V] = "attn_v",
    [LINEAR_O] = "attn_output", [LINEAR_GATE] = "ffn_gate", [LINEAR_UP] = "ffn_up",
    [LINEAR_DOWN] = "ffn_down",
};

const char *const arch_linear_peft[LINEAR_COUNT] = {
    [LINEAR_Q] = "self_attn.q_proj", [LINEAR_K] = "self_attn.k_proj",
    [LINEAR_V] = "self_attn.v_proj", [LINEAR_O] = "self_attn.o_proj",
    [LINEAR_GATE] = "mlp.gate_proj", [LINEAR_UP] = "mlp.up_proj",
    [LINEAR_DOWN] = "mlp.down_proj",
};

const struct arch *arch_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0)
            return table + i;
    return NULL;
}

const char *arch_names(void)
{
    return "llama, qwen2";
}

"""The same weights in the `transformers` implementation, as a second opinion.

A `llama` file keeps the query and key rows of each head interleaved: row 2j+s of the
file is row s*D/2+j of transformers. This file undoes and redoes that order.
"""

import numpy as np
import torch

from llama_ref import Config, dequantize, field

NAMES = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
}


def to_file_order(rows, n_head):
    """Rows of a q or k matrix, bias or adapter B: transformers order -> file order."""
    d = rows.shape[0] // n_head
    return (rows.reshape(n_head, 2, d // 2, *rows.shape[1:])
            .swapaxes(1, 2).reshape(rows.shape))


def from_file_order(rows, n_head):
    """The inverse of to_file_order."""
    d = rows.shape[0] // n_head
    return (rows.reshape(n_head, d // 2, 2, *rows.shape[1:])
            .swapaxes(1, 2).reshape(rows.shape))


def state_dict(reader):
    """transformers' names and row order for every tensor of a llama or qwen2 file."""
    cfg, out = Config(reader), {}
    for t in reader.tensors:
        x = dequantize(t)
        if t.name == "rope_freqs.weight":
            continue
        if not t.name.startswith("blk."):
            name = {"token_embd.weight": "model.embed_tokens.weight",
                    "output_norm.weight": "model.norm.weight",
                    "output.weight": "lm_head.weight"}[t.name]
        else:
            _, il, kind, suffix = t.name.split(".")
            name = f"model.layers.{il}.{NAMES[kind]}.{suffix}"
            if cfg.arch == "llama" and kind in ("attn_q", "attn_k"):
                n = cfg.n_head if kind == "attn_q" else cfg.n_head_kv
                x = from_file_order(x, n)
        out[name] = torch.from_numpy(np.ascontiguousarray(x))
    out.setdefault("lm_head.weight", out["model.embed_tokens.weight"])
    return out


def load(reader, rope_scaling=None, dtype=torch.float32):
    """A transformers model with the weights of an open GGUF."""
    import transformers
    cfg = Config(reader)
    n_vocab = len(field(reader, "tokenizer.ggml.tokens"))
    common = dict(
        vocab_size=n_vocab, hidden_size=cfg.n_embd, intermediate_size=cfg.n_ff,
        num_hidden_layers=cfg.n_layer, num_attention_heads=cfg.n_head,
        num_key_value_heads=cfg.n_head_kv, rms_norm_eps=cfg.eps,
        rope_theta=cfg.rope_base, max_position_embeddings=cfg.n_ctx,
        hidden_act="silu", attn_implementation="eager", use_cache=False)
    sd = state_dict(reader)
    if cfg.arch == "qwen2":
        config = transformers.Qwen2Config(**common)
        make = transformers.Qwen2ForCausalLM
    else:
        config = transformers.LlamaConfig(
            head_dim=cfg.d_k, rope_scaling=rope_scaling,
            attention_bias="model.layers.0.self_attn.q_proj.bias" in sd, **common)
        make = transformers.LlamaForCausalLM
    config.tie_word_embeddings = False
    model = make(config)
    missing, unexpected = model.load_state_dict(sd, strict=False)
    if missing or unexpected:
        raise RuntimeError(f"weights do not fit: {missing} {unexpected}")
    return model.to(dtype).eval()


@torch.no_grad()
def logits(model, ids):
    return model(torch.tensor([ids])).logits[0]


@torch.no_grad()
def logprobs(model, ids):
    x = logits(model, ids)[:-1].double()
    got = x.gather(1, torch.tensor(ids[1:])[:, None])[:, 0] - x.logsumexp(dim=-1)
    return [None] + got.tolist()

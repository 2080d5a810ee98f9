"""Reference decoder in plain PyTorch, written from the definition of the Llama family.

Reads a GGUF with the `gguf` package, de-quantises every tensor to fp32 with it, and
computes logits with no cache, no fusion and no quantised activation. Knows the `llama`
and `qwen2` architectures: RMS norm, grouped-query attention, rotary positions on
interleaved pairs (llama) or halves (qwen2), optional biases, rotary frequency factors,
untied output, head sizes of their own, and low-rank adapters.

Shapes: T tokens, C hidden, H heads, K key/value heads, D head size, F feed-forward size,
V vocabulary; all row-major, weights (out, in).
"""

import gguf
import numpy as np
import torch

torch.set_num_threads(2)


def field(reader, key, default=None):
    """A metadata value as a plain Python value."""
    f = reader.get_field(key)
    return default if f is None else f.contents()


def dequantize(tensor):
    """(out, in) fp32 array of one tensor of the file."""
    out = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
    return out.reshape(tuple(int(n) for n in reversed(tensor.shape)))


class Config:
    def __init__(self, reader):
        a = self.arch = field(reader, "general.architecture")
        self.n_layer = field(reader, f"{a}.block_count")
        self.n_embd = field(reader, f"{a}.embedding_length")
        self.n_ff = field(reader, f"{a}.feed_forward_length")
        self.n_head = field(reader, f"{a}.attention.head_count")
        self.n_head_kv = field(reader, f"{a}.attention.head_count_kv", self.n_head)
        self.d_k = field(reader, f"{a}.attention.key_length",
                         self.n_embd // self.n_head)
        self.d_v = field(reader, f"{a}.attention.value_length",
                         self.n_embd // self.n_head)
        self.n_rot = field(reader, f"{a}.rope.dimension_count", self.d_k)
        self.rope_base = field(reader, f"{a}.rope.freq_base", 10000.0)
        self.eps = field(reader, f"{a}.attention.layer_norm_rms_epsilon")
        self.n_ctx = field(reader, f"{a}.context_length")


class Model:
    """Weights as torch tensors under their GGUF names, and the forward pass."""

    def __init__(self, path, dtype=torch.float32):
        reader = gguf.GGUFReader(path)
        self.cfg = Config(reader)
        if self.cfg.arch not in ("llama", "qwen2"):
            raise ValueError(f"{path}: architecture {self.cfg.arch} is not known here")
        self.dtype = dtype
        self.w = {t.name: torch.from_numpy(dequantize(t)).to(dtype)
                  for t in reader.tensors}
        self.adapter = {}

    def linear(self, x, name):
        """x (T, in) -> (T, out), with bias and adapter where there is one."""
        y = x @ self.w[name + ".weight"].T
        if name + ".bias" in self.w:
            y = y + self.w[name + ".bias"]
        if name in self.adapter:
            a, b, scale = self.adapter[name]
            y = y + ((x @ a.T) @ b.T) * scale
        return y

    def norm(self, x, name):
        mean = (x * x).mean(dim=-1, keepdim=True)
        return x * torch.rsqrt(mean + self.cfg.eps) * self.w[name + ".weight"]

    def rotation(self, n):
        """cos and sin (T, 1, n_rot/2); angles in fp64, then rounded."""
        half = self.cfg.n_rot // 2
        j = torch.arange(half, dtype=torch.float64)
        freq = self.cfg.rope_base ** (-2.0 * j / self.cfg.n_rot)
        if "rope_freqs.weight" in self.w:
            freq = freq / self.w["rope_freqs.weight"].double()
        angle = torch.arange(n, dtype=torch.float64)[:, None] * freq[None, :]
        return (angle.cos().to(self.dtype)[:, None, :],
                angle.sin().to(self.dtype)[:, None, :])

    def rotate(self, x, cos, sin):
        """Rotary positions on x (T, H, D)."""
        n_rot = self.cfg.n_rot
        rot, rest = x[..., :n_rot], x[..., n_rot:]
        if self.cfg.arch == "llama":
            a, b = rot[..., 0::2], rot[..., 1::2]
        else:
            a, b = rot[..., :n_rot // 2], rot[..., n_rot // 2:]
        ra, rb = a * cos - b * sin, a * sin + b * cos
        if self.cfg.arch == "llama":
            rot = torch.stack((ra, rb), dim=-1).flatten(-2)
        else:
            rot = torch.cat((ra, rb), dim=-1)
        return torch.cat((rot, rest), dim=-1)

    def attention(self, x, il, cos, sin):
        c, p, n = self.cfg, f"blk.{il}.", x.shape[0]
        q = self.linear(x, p + "attn_q").view(n, c.n_head, c.d_k)
        k = self.linear(x, p + "attn_k").view(n, c.n_head_kv, c.d_k)
        v = self.linear(x, p + "attn_v").view(n, c.n_head_kv, c.d_v)
        q, k = self.rotate(q, cos, sin), self.rotate(k, cos, sin)
        group = c.n_head // c.n_head_kv
        future = torch.ones(n, n, dtype=torch.bool).triu(1)
        out = torch.empty(n, c.n_head, c.d_v, dtype=self.dtype)
        for h in range(c.n_head):
            s = (q[:, h] @ k[:, h // group].T) * (c.d_k ** -0.5)
            s = s.masked_fill(future, float("-inf")).softmax(dim=-1)
            out[:, h] = s @ v[:, h // group]
        return self.linear(out.reshape(n, -1), p + "attn_output")

    @torch.no_grad()
    def hidden(self, ids):
        """Normed state (T, C) before the head."""
        h = self.w["token_embd.weight"][torch.tensor(ids)]
        cos, sin = self.rotation(len(ids))
        for il in range(self.cfg.n_layer):
            p = f"blk.{il}."
            h = h + self.attention(self.norm(h, p + "attn_norm"), il, cos, sin)
            x = self.norm(h, p + "ffn_norm")
            gate = torch.nn.functional.silu(self.linear(x, p + "ffn_gate"))
            h = h + self.linear(gate * self.linear(x, p + "ffn_up"), p + "ffn_down")
        return self.norm(h, "output_norm")

    @torch.no_grad()
    def logits(self, ids):
        """(T, V) logits after each position."""
        head = self.w.get("output.weight", self.w["token_embd.weight"])
        return self.hidden(ids) @ head.T

    @torch.no_grad()
    def logprobs(self, ids):
        """log p(ids[i] | ids[:i]) in nats; None for the first; log-sum-exp in fp64."""
        x = self.logits(ids)[:-1].double()
        got = x.gather(1, torch.tensor(ids[1:])[:, None])[:, 0] - x.logsumexp(dim=-1)
        return [None] + got.tolist()

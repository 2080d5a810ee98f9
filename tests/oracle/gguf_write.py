"""Writes the small random models the C tests read, and big twins of the default file.

    gguf_write.py tiny [--check]   tests/data/tiny/ and tests/data/tiny.json (committed)
    gguf_write.py twin             build/oracle/: F32 twin, adapter, merged F32 (not)

Weights come from PCG64 streams seeded by the file's name, so adding a file changes no
other. Reference numbers are llama_ref.py's in fp64, rounded to six digits. Adapters are
in the PEFT layout, whose q_proj and k_proj rows stand in transformers order: they need
hf.to_file_order() before they meet the rows of a `llama` file.
"""

import json
import sys
import zlib

import gguf
import numpy as np
import safetensors.numpy
import torch

import bpe
import hf
import llama_ref
from common import BUILD, DATA, Checks, model_path, read_json, rounded, write_json

TINY = DATA / "tiny"
QT = gguf.GGMLQuantizationType
LINEAR = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MERGES = """Ġ t|h e|i n|Ġt he|r e|o n|Ġ a|e r|a n|Ġ s|Ġ w|o u|a t|e s|n d|i s|Ġa nd|in g
e n|Ġ c|o r|i t|Ġ b|Ġ f|Ġ p|e d|Ġ o|Ġo f|l l|Ġ h|Ġt o|l e|Ġ y|Ġy ou|a r|Ġ in|a s|i c|Ċ Ċ
Ġ Ġ|ĠĠ ĠĠ""".replace("\n", "|").split("|")


def rng_for(name):
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))


def byte_alphabet():
    """The printable stand-in of every byte in a byte-level vocabulary."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    extra = iter(range(256, 512))
    return [chr(b) if b in keep else chr(next(extra)) for b in range(256)]


def vocabulary():
    """300 tokens: three control tokens, the bytes, and what the merges make."""
    tokens = [*SPECIAL, *byte_alphabet(), *(m.replace(" ", "") for m in MERGES)]
    assert len(set(tokens)) == len(tokens) == 300
    return tokens


TEMPLATE = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + "
            "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")


class Shape:
    """Sizes of one tiny model; every field can be overridden."""

    arch = "llama"
    n_layer, n_embd, n_ff, n_head, n_head_kv, d_head = 2, 64, 96, 4, 2, 16
    n_ctx, rope_base, eps = 256, 10000.0, 1e-5
    weight_type = QT.F32
    untied = rope_freqs = bias_qkv = bias_o = experts = False

    def __init__(self, **fields):
        for k, v in fields.items():
            assert hasattr(self, k)
            setattr(self, k, v)


def k_quant(kind):
    return Shape(n_layer=1, n_embd=256, n_ff=256, n_head=4, n_head_kv=1, d_head=64,
                 weight_type=kind)


FILES = {
    "llama-f32": Shape(),
    "llama-untied-ropefreqs": Shape(untied=True, rope_freqs=True, weight_type=QT.F16),
    "llama-bias-headsize": Shape(bias_qkv=True, bias_o=True, d_head=32,
                                 weight_type=QT.F16),
    "qwen2": Shape(arch="qwen2", bias_qkv=True, eps=1e-6, rope_base=1e6,
                   weight_type=QT.F16),
    **{f"llama-{t.name.lower()}": Shape(weight_type=t)
       for t in (QT.F16, QT.BF16, QT.Q4_0, QT.Q4_1, QT.Q5_0, QT.Q5_1, QT.Q8_0)},
    **{f"llama-{t.name.lower()}": k_quant(t) for t in (QT.Q4_K, QT.Q5_K, QT.Q6_K)},
    "llama-experts": Shape(n_layer=1, experts=True, weight_type=QT.F16),
}


def random_k_blocks(rng, kind, n_rows, n_cols):
    """Valid random blocks of a K-quant whose weights have a spread near n_cols ** -0.5.

    The gguf package cannot quantise to these types; unpacking and arithmetic do not
    mind where the bits came from.
    """
    block, size = gguf.GGML_QUANT_SIZES[kind]
    n = n_rows * n_cols // block
    data = rng.integers(0, 256, (n, size), np.uint8)
    jitter = 1 + 0.2 * rng.standard_normal(n)
    want = n_cols ** -0.5
    if kind == QT.Q6_K:  # w = d * scale(-128..127) * q(-32..31)
        d = (jitter * want / (74 * 18.5)).astype(np.float16)
        data[:, 208:210] = d.view(np.uint8).reshape(n, 2)
    else:  # w = d * scale(0..63) * q(0..15 or 0..31) - dmin * min(0..63)
        top = 15 if kind == QT.Q4_K else 31
        d = (jitter * want / (31.5 * 0.36 * top)).astype(np.float16)
        dmin = (d.astype(np.float32) * top / 2).astype(np.float16)
        data[:, 0:2] = d.view(np.uint8).reshape(n, 2)
        data[:, 2:4] = dmin.view(np.uint8).reshape(n, 2)
    return data.reshape(n_rows, -1)


def add_matrix(w, name, rng, shape, kind, spread):
    """A random matrix in its tensor type; the package quantises where it can."""
    if kind in (QT.Q4_K, QT.Q5_K, QT.Q6_K):
        w.add_tensor(name, random_k_blocks(rng, kind, *shape), raw_dtype=kind)
        return
    x = (rng.standard_normal(shape) * spread).astype(np.float32)
    if kind == QT.F32:
        w.add_tensor(name, x)
    elif kind == QT.F16:
        w.add_tensor(name, x.astype(np.float16))
    else:
        w.add_tensor(name, gguf.quantize(x, kind), raw_dtype=kind)


def llama3_factors(d_head, base, factor=8.0, low=1.0, high=4.0, n_orig=64):
    """Frequency divisors of the Llama 3.1 rule, for a model trained at n_orig."""
    wave = 2 * np.pi * base ** (2.0 * np.arange(d_head // 2) / d_head)
    smooth = np.clip((n_orig / wave - low) / (high - low), 0, 1)
    return (1.0 / ((1 - smooth) / factor + smooth)).astype(np.float32)


ROPE_SCALING = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                "high_freq_factor": 4.0, "original_max_position_embeddings": 64}


def write_tiny(path, name, s):
    rng, w = rng_for(name), gguf.GGUFWriter(path, s.arch)
    w.add_name(f"tiny {name}")
    w.add_context_length(s.n_ctx)
    w.add_embedding_length(s.n_embd)
    w.add_block_count(s.n_layer)
    w.add_feed_forward_length(s.n_ff)
    w.add_head_count(s.n_head)
    w.add_head_count_kv(s.n_head_kv)
    w.add_layer_norm_rms_eps(s.eps)
    w.add_rope_freq_base(s.rope_base)
    w.add_rope_dimension_count(s.d_head)
    if s.d_head * s.n_head != s.n_embd:
        w.add_key_length(s.d_head)
        w.add_value_length(s.d_head)
    if s.experts:
        w.add_expert_count(4)
        w.add_expert_used_count(2)
    tokens = vocabulary()
    w.add_vocab_size(len(tokens))
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2" if s.arch == "qwen2" else "smollm")
    w.add_token_list(tokens)
    w.add_token_types([3 if t in SPECIAL else 1 for t in tokens])
    w.add_token_merges(MERGES)
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_pad_token_id(2)
    w.add_add_bos_token(False)
    w.add_chat_template(TEMPLATE)

    kind, q_dim, kv_dim = s.weight_type, s.n_head * s.d_head, s.n_head_kv * s.d_head

    def matrix(tensor, shape, gain=1.0):
        add_matrix(w, tensor, rng, shape, kind, gain * shape[-1] ** -0.5)

    def vector(tensor, n, mean, spread):
        x = mean + spread * rng.standard_normal(n)
        w.add_tensor(tensor, x.astype(np.float32))

    matrix("token_embd.weight", (len(tokens), s.n_embd), 2.0)
    vector("output_norm.weight", s.n_embd, 1.0, 0.1)
    if s.untied:
        matrix("output.weight", (len(tokens), s.n_embd), 2.0)
    if s.rope_freqs:
        w.add_tensor("rope_freqs.weight", llama3_factors(s.d_head, s.rope_base))
    for il in range(s.n_layer):
        p = f"blk.{il}."
        vector(p + "attn_norm.weight", s.n_embd, 1.0, 0.1)
        vector(p + "ffn_norm.weight", s.n_embd, 1.0, 0.1)
        matrix(p + "attn_q.weight", (q_dim, s.n_embd), 1.5)
        matrix(p + "attn_k.weight", (kv_dim, s.n_embd), 1.5)
        matrix(p + "attn_v.weight", (kv_dim, s.n_embd))
        matrix(p + "attn_output.weight", (s.n_embd, q_dim))
        if s.bias_qkv:
            vector(p + "attn_q.bias", q_dim, 0.0, 0.5)
            vector(p + "attn_k.bias", kv_dim, 0.0, 0.5)
            vector(p + "attn_v.bias", kv_dim, 0.0, 0.5)
        if s.bias_o:
            vector(p + "attn_output.bias", s.n_embd, 0.0, 0.5)
        if s.experts:
            matrix(p + "ffn_gate_inp.weight", (4, s.n_embd))
            matrix(p + "ffn_gate_exps.weight", (4, 32, s.n_embd))
            matrix(p + "ffn_up_exps.weight", (4, 32, s.n_embd))
            matrix(p + "ffn_down_exps.weight", (4, s.n_embd, 32))
        else:
            matrix(p + "ffn_gate.weight", (s.n_ff, s.n_embd), 1.5)
            matrix(p + "ffn_up.weight", (s.n_ff, s.n_embd), 1.5)
            matrix(p + "ffn_down.weight", (s.n_embd, s.n_ff))
    finish(w)


def finish(w):
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def write_adapter(folder, name, reader, rank, alpha, targets, spread):
    """A random adapter in the PEFT layout for an open llama file."""
    rng, cfg, tensors = rng_for(name), llama_ref.Config(reader), {}
    shapes = {t.name: tuple(int(n) for n in reversed(t.shape)) for t in reader.tensors}
    for il in range(cfg.n_layer):
        for kind in targets:
            n_out, n_in = shapes[f"blk.{il}.{kind}.weight"]
            p = f"base_model.model.model.layers.{il}.{hf.NAMES[kind]}."
            a = rng.standard_normal((rank, n_in)) * n_in ** -0.5
            b = rng.standard_normal((n_out, rank)) * spread * rank ** -0.5
            tensors[p + "lora_A.weight"] = a.astype(np.float32)
            tensors[p + "lora_B.weight"] = b.astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.numpy.save_file(tensors, str(folder / "adapter_model.safetensors"),
                                metadata={"format": "pt"})
    config = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": "",
        "r": rank, "lora_alpha": alpha, "lora_dropout": 0.0, "bias": "none",
        "fan_in_fan_out": False, "use_rslora": False, "inference_mode": True,
        "target_modules": sorted(hf.NAMES[k].split(".")[1] for k in targets),
    }
    write_json(folder / "adapter_config.json", config, compact=False)


def read_adapter(folder, cfg):
    """{GGUF matrix: (A, B, scale)} with the rows of B in file order."""
    config = read_json(folder / "adapter_config.json")
    scale = config["lora_alpha"] / config["r"]
    tensors = safetensors.numpy.load_file(str(folder / "adapter_model.safetensors"))
    out = {}
    for il in range(cfg.n_layer):
        for kind, theirs in hf.NAMES.items():
            p = f"base_model.model.model.layers.{il}.{theirs}."
            if p + "lora_A.weight" not in tensors:
                continue
            a, b = tensors[p + "lora_A.weight"], tensors[p + "lora_B.weight"]
            if cfg.arch == "llama" and kind in ("attn_q", "attn_k"):
                b = hf.to_file_order(b, cfg.n_head if kind == "attn_q"
                                     else cfg.n_head_kv)
            out[f"blk.{il}.{kind}"] = (a, np.ascontiguousarray(b), scale)
    return out


def copy_as_f32(src, dst, adapter=None):
    """All metadata of src and its tensors as F32, with an adapter merged in (fp64)."""
    reader = gguf.GGUFReader(src)
    w = gguf.GGUFWriter(dst, llama_ref.field(reader, "general.architecture"))
    for name, f in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        value = 0 if name == "general.file_type" else f.contents()
        sub = f.types[-1] if f.types[0] == gguf.GGUFValueType.ARRAY else None
        w.add_key_value(name, value, f.types[0], sub)
    for t in reader.tensors:
        x = llama_ref.dequantize(t)
        key = t.name.removesuffix(".weight")
        if adapter and key in adapter:
            a, b, scale = adapter[key]
            x = (x + scale * (b.astype(np.float64) @ a)).astype(np.float32)
        w.add_tensor(t.name, x)
    finish(w)


def set_adapter(model, adapter):
    model.adapter = {k: (torch.from_numpy(a).to(model.dtype),
                         torch.from_numpy(b).to(model.dtype), scale)
                     for k, (a, b, scale) in adapter.items()}


def reference(file, model, ids, **extra):
    """One entry of tiny.json."""
    return {"file": file, "tokens": ids, "logprobs": rounded(model.logprobs(ids)),
            "logits": rounded(model.logits(ids)[-1]), **extra}


ADAPTERS = {
    "lora-a": (8, 16, LINEAR, 0.5),
    "lora-b": (4, 4, ("attn_q", "attn_v"), 1.0),
}


def generate_tiny(out):
    """All tiny models and adapters below out; returns the contents of tiny.json."""
    out.mkdir(parents=True, exist_ok=True)
    ids = rng_for("token ids").integers(3, 300, 40).tolist()
    entries = []
    for name, shape in FILES.items():
        path = out / f"{name}.gguf"
        write_tiny(path, name, shape)
        if not shape.experts:
            model = llama_ref.Model(path, torch.float64)
            entries.append(reference(f"tiny/{name}.gguf", model, ids))
    base = out / "llama-f32.gguf"
    reader = gguf.GGUFReader(base)
    for name, (rank, alpha, targets, spread) in ADAPTERS.items():
        write_adapter(out / name, name, reader, rank, alpha, targets, spread)
        model = llama_ref.Model(base, torch.float64)
        adapter = read_adapter(out / name, model.cfg)
        set_adapter(model, adapter)
        entries.append(reference("tiny/llama-f32.gguf", model, ids,
                                 adapter=f"tiny/{name}"))
        if name == "lora-a":
            copy_as_f32(base, out / "llama-f32-merged.gguf", adapter)
            model = llama_ref.Model(out / "llama-f32-merged.gguf", torch.float64)
            entries.append(reference("tiny/llama-f32-merged.gguf", model, ids))
    tok = bpe.build(base)
    text = "The mill, in the rain: you and the others  ate bread.\n\nIt's 42!"
    return {"version": 1, "models": entries, "refused": ["tiny/llama-experts.gguf"],
            "text": {"file": "tiny/llama-f32.gguf", "text": text,
                     "tokens": bpe.encode(tok, text)}}


def worst(a, b):
    return max(abs(x - y) for x, y in zip(a, b) if x is not None)


def hf_logprobs(folder, entry):
    """The entry's log-probs by transformers; an adapter is merged in its own order."""
    path = folder / entry["file"].removeprefix("tiny/")
    scaling = ROPE_SCALING if "ropefreqs" in path.name else None
    model = hf.load(gguf.GGUFReader(path), scaling, torch.float64)
    if "adapter" in entry:
        where = folder / entry["adapter"].removeprefix("tiny/")
        config = read_json(where / "adapter_config.json")
        t = safetensors.numpy.load_file(str(where / "adapter_model.safetensors"))
        with torch.no_grad():
            for key in t:
                if not key.endswith("lora_A.weight"):
                    continue
                target = key.removeprefix("base_model.model.").removesuffix(
                    ".lora_A.weight")
                b = torch.from_numpy(t[key.replace("lora_A", "lora_B")]).double()
                delta = b @ torch.from_numpy(t[key]).double()
                weight = model.get_parameter(target + ".weight")
                weight += delta * (config["lora_alpha"] / config["r"])
    return hf.logprobs(model, entry["tokens"])


def check_tiny():
    import llamacpp
    checks, again = Checks("tiny"), BUILD / "tiny"
    new, old = generate_tiny(again), read_json(DATA / "tiny.json")
    for path in sorted(p for p in again.rglob("*") if p.is_file()):
        name = path.relative_to(again)
        same = (TINY / name).is_file() and (TINY / name).read_bytes() == \
            path.read_bytes()
        checks.check(f"{name} as generated", same)
    for mine, theirs in zip(new["models"], old["models"], strict=True):
        name = theirs["file"] + (" + " + theirs["adapter"] if "adapter" in theirs else "")
        diff = max(worst(mine["logprobs"], theirs["logprobs"]),
                   worst(mine["logits"], theirs["logits"]))
        checks.check(f"{name} as committed", mine["tokens"] == theirs["tokens"]
                     and diff < 1e-5, max_abs=diff)
        diff = worst(hf_logprobs(TINY, theirs), theirs["logprobs"])
        checks.check(f"{name} as transformers", diff < 1e-4, max_abs=diff)
        if "adapter" not in theirs:
            model = llamacpp.Llama(DATA / theirs["file"], n_ctx=256)
            diff = np.abs(np.array(model.logprobs(theirs["tokens"])[1:])
                          - np.array(theirs["logprobs"][1:]))
            checks.check(f"{name} near llama.cpp", diff.mean() < 0.1,
                         mean_abs=round(float(diff.mean()), 5),
                         max_abs=round(float(diff.max()), 5))
            model.close()
    checks.check("text", new["text"] == old["text"])
    return 0 if checks.write() else 1


def make_twin():
    """F32 twin of the default file, a rank-8 adapter and the merged F32 file."""
    base, folder = model_path(), BUILD / "twin-lora"
    twin, merged = BUILD / "twin-f32.gguf", BUILD / "twin-merged-f32.gguf"
    stamp = BUILD / "twin.json"
    if twin.is_file() and merged.is_file() and stamp.is_file():
        return twin, folder, merged
    BUILD.mkdir(parents=True, exist_ok=True)
    copy_as_f32(base, twin)
    write_adapter(folder, "twin", gguf.GGUFReader(base), 8, 16, LINEAR, 0.05)
    model = llama_ref.Model(twin)
    adapter = read_adapter(folder, model.cfg)
    copy_as_f32(base, merged, adapter)
    set_adapter(model, adapter)
    texts = [t for t in read_json(DATA / "logprobs.json")["texts"]
             if t["file"] in ("logprobs/prose.txt", "logprobs/transcript.txt")]
    write_json(stamp, {"texts": [{**t, "logprobs": rounded(model.logprobs(t["tokens"]))}
                                 for t in texts]})
    return twin, folder, merged


def main():
    if sys.argv[1:] == ["tiny", "--check"]:
        return check_tiny()
    if sys.argv[1:] == ["tiny"]:
        write_json(DATA / "tiny.json", generate_tiny(TINY))
        return 0
    if sys.argv[1:] == ["twin"]:
        print(json.dumps([str(p.relative_to(BUILD)) for p in make_twin()]))
        return 0
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main())

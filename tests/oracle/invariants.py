"""Compares our log-probs with the references, on real and on tiny models.

`cai score` on the default file against the fp32 numbers on its de-quantised weights (the
difference is the price of 8-bit activations), and on its F32 twin, where hardly any is
left. Through the test tool tool_score_ids, which takes ids and an adapter: a rank-8
adapter on the twin against the file it was merged into, and every tiny model.
"""

import json
import os
import struct
import subprocess
import sys

import numpy as np

from common import BUILD_ROOT, CAI, DATA, Checks, model_path, read_json, run_cai


def score(text, model, *more):
    """Token ids and log-probs (NaN for the first) as `cai score` gives them."""
    out = json.loads(run_cai(["score", DATA / text, "--json", "--model", model, *more]))
    lp = [t["logprob"] for t in out["tokens"]]
    if lp[0] is not None or out["n"] != len(lp) - 1:
        raise RuntimeError(f"{text}: the first token must have no log-prob")
    if abs(out["sum"] - sum(lp[1:])) > 1e-3:
        raise RuntimeError(f"{text}: sum {out['sum']} is not the sum of the tokens")
    return [t["id"] for t in out["tokens"]], np.array([np.nan, *lp[1:]])


def differences(texts, model, *more):
    """Signed differences to the reference for each text, without first positions."""
    out = {}
    for t in texts:
        ids, lp = score(t["file"], model, *more)
        if ids != t["tokens"]:
            raise RuntimeError(f"{t['file']}: other token ids than the reference")
        out[t["file"]] = lp[1:] - np.array(t["logprobs"][1:], float)
    return out


def score_ids(model, sequences, adapter=None):
    """Log-probs of id sequences by our engine, without first positions."""
    tool = BUILD_ROOT / "tests" / "tool_score_ids"
    data = b"".join(struct.pack(f"<I{len(s)}I", len(s), *s) for s in sequences)
    done = subprocess.run([tool, model, *([adapter] if adapter else [])], input=data,
                          capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode("utf-8", "replace").strip())
    flat, out = np.frombuffer(done.stdout, "<f4").astype(float), []
    for s in sequences:
        out.append(flat[1:len(s)])
        flat = flat[len(s):]
    return out


def figures(diff):
    return {"n": int(diff.size), "mean_abs": round(float(np.abs(diff).mean()), 6),
            "mean_signed": round(float(diff.mean()), 6),
            "max_abs": round(float(np.abs(diff).max()), 6)}


def main():
    checks, model = Checks("invariants"), model_path()
    texts = read_json(DATA / "logprobs.json")["texts"]

    def default_file():
        diff = differences(texts, model)
        for file, d in diff.items():
            checks.check(f"{file}: mean absolute difference at most 0.09",
                         np.abs(d).mean() <= 0.09, **figures(d))
        every = np.concatenate(list(diff.values()))
        return (np.abs(every).mean() <= 0.09 and abs(every.mean()) <= 0.02,
                figures(every))

    def same_bits():
        """One log-prob whatever the thread count and the instruction set."""
        args = [str(CAI), "score", str(DATA / "logprobs/transcript.txt"), "--json",
                "--model", str(model)]
        kinds = {}
        for threads in ("1", "2"):
            for kernel in ("", "scalar", "avx2", "avx512"):
                env = {k: v for k, v in os.environ.items() if k != "CAI_KERNEL"}
                if kernel:
                    env["CAI_KERNEL"] = kernel
                done = subprocess.run([*args, "--threads", threads], env=env,
                                      capture_output=True, check=True)
                tokens = json.dumps(json.loads(done.stdout)["tokens"])
                kinds.setdefault(tokens, []).append(f"{kernel or 'default'}/{threads}")
        return len(kinds) == 1, {"groups": list(kinds.values())}

    checks.attempt("default file: mean abs at most 0.09, mean signed at most 0.02",
                   default_file)
    checks.attempt("default file: threads 1, 2 and every instruction set", same_bits)

    from gguf_write import BUILD, make_twin
    twin, adapter, merged = make_twin()

    def f32_twin():
        every = np.concatenate(list(differences(texts, twin).values()))
        return np.abs(every).mean() <= 0.001, figures(every)

    adapted = read_json(BUILD / "twin.json")["texts"]

    def adapter_reference():
        got = score_ids(twin, [t["tokens"] for t in adapted], adapter)
        every = np.concatenate([lp - np.array(t["logprobs"][1:])
                                for lp, t in zip(got, adapted)])
        return np.abs(every).mean() <= 0.001, figures(every)

    def adapter_merged():
        ids = [t["tokens"] for t in adapted]
        every = np.concatenate(score_ids(twin, ids, adapter)) - np.concatenate(
            score_ids(merged, ids))
        return np.abs(every).max() <= 1e-3, figures(every)

    def tiny(entry):
        plain = not any(q in entry["file"] for q in ("q4_", "q5_", "q6_", "q8_"))
        adapter = DATA / entry["adapter"] if "adapter" in entry else None
        got, = score_ids(DATA / entry["file"], [entry["tokens"]], adapter)
        diff = got - np.array(entry["logprobs"][1:])
        bar = 1e-4 if plain else 0.09
        return np.abs(diff).mean() <= bar, {**figures(diff), "bar": bar}

    checks.attempt("F32 twin: mean absolute difference at most 0.001", f32_twin)
    checks.attempt("rank-8 adapter on the F32 twin: as PyTorch, mean at most 0.001",
                   adapter_reference)
    checks.attempt("rank-8 adapter equals the merged F32 file within 0.001",
                   adapter_merged)
    for entry in read_json(DATA / "tiny.json")["models"]:
        name = entry["file"] + (" + " + entry["adapter"] if "adapter" in entry else "")
        checks.attempt(f"{name}: as PyTorch", lambda e=entry: tiny(e))
    return 0 if checks.write() else 1


if __name__ == "__main__":
    sys.exit(main())

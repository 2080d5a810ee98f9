"""Writes tests/data/logprobs.json: fp32 log-probs of the texts in tests/data/logprobs/.

The weights are the default file's, de-quantised; the decoder is llama_ref.py. With
--check nothing is written: the committed numbers are compared with new ones, with
transformers on the same weights, and with llama.cpp on the quantised file.
"""

import sys

import gguf
import numpy as np

import bpe
import hf
import llama_ref
import llamacpp
from common import (DATA, MODEL_SHA256, Checks, model_path, read_json, rounded,
                    sha256_file, write_json)

OUT = DATA / "logprobs.json"


def compute(path):
    tok, model = bpe.build(path), llama_ref.Model(path)
    texts = []
    for file in sorted((DATA / "logprobs").glob("*.txt")):
        ids = bpe.encode(tok, file.read_bytes().decode())
        texts.append({"file": f"logprobs/{file.name}", "tokens": ids,
                      "logprobs": rounded(model.logprobs(ids))})
    return {"version": 1, "model_sha256": sha256_file(path), "texts": texts}


def difference(a, b):
    """Absolute differences of two log-prob lists, without the first position."""
    return np.abs(np.array(a[1:], float) - np.array(b[1:], float))


def check(path, new):
    checks = Checks("logprobs")
    old = {t["file"]: t for t in read_json(OUT)["texts"]}
    checks.check("model file", new["model_sha256"] == MODEL_SHA256)
    other = hf.load(gguf.GGUFReader(path))
    llama = llamacpp.Llama(path)
    every = []
    for t in new["texts"]:
        ids, ours = t["tokens"], t["logprobs"]
        same = old.get(t["file"], {}).get("tokens") == ids
        worst = difference(old[t["file"]]["logprobs"], ours).max() if same else None
        checks.check(f"{t['file']} as committed", same and worst < 1e-4, max_abs=worst)
        # transformers rounds rotary angles to fp32, which shows near position 1,900
        diff = difference(hf.logprobs(other, ids), ours)
        checks.check(f"{t['file']} as transformers",
                     diff.max() < (1e-4 if len(ids) < 1024 else 2e-4),
                     max_abs=float(diff.max()), mean_abs=float(diff.mean()))
        signed = np.array(llama.logprobs(ids)[1:]) - np.array(ours[1:])
        every.append(signed)
        checks.check(f"{t['file']} near llama.cpp", np.abs(signed).mean() < 0.12,
                     mean_abs=round(float(np.abs(signed).mean()), 4),
                     mean_signed=round(float(signed.mean()), 4))
    every = np.concatenate(every)
    checks.figures = {"llama_cpp_mean_abs": round(float(np.abs(every).mean()), 4),
                      "llama_cpp_mean_signed": round(float(every.mean()), 4)}
    return 0 if checks.write() else 1


def main():
    path = model_path()
    new = compute(path)
    if "--check" in sys.argv:
        return check(path, new)
    write_json(OUT, new)
    return 0


if __name__ == "__main__":
    sys.exit(main())

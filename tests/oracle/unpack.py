"""Writes tests/data/unpack/: random blocks of every tensor type and their fp32 values.

For each type TYPE.bin holds the blocks as they stand in a GGUF, TYPE.f32 the values the
`gguf` package de-quantises them to (little-endian), index.json the counts. Seed 20250801.
With --check nothing is written: the committed files are compared with new ones.
"""

import sys

import gguf
import numpy as np

from common import DATA, Checks, read_json, write_json

OUT = DATA / "unpack"
N_BLOCKS = 12

# (offset of each f16 field in a block); all other bytes of a block are free
HALF_FIELDS = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}


def halves(rng, n):
    """f16 scales of sane size and both signs; the first three are 0, -0 and subnormal."""
    x = (rng.standard_normal(n) * 0.02).astype(np.float16)
    bits = x.view(np.uint16).copy()
    special = np.array([0x0000, 0x8000, 0x0003], np.uint16)
    bits[:min(n, 3)] = special[:n]
    return bits


def plain(rng, name):
    """256 floats of one plain type: random, then the corners of the format."""
    x = rng.standard_normal(240).astype(np.float32)
    if name == "F32":
        corner = np.array([0, 0x80000000, 1, 0x007fffff, 0x00800000, 0x7f7fffff,
                           0xff7fffff, 0x3f800001] * 2, np.uint32)
        return np.concatenate([x.view(np.uint32), corner]).view(np.uint8)
    if name == "F16":
        corner = np.array([0, 0x8000, 1, 0x8001, 0x03ff, 0x0400, 0x7bff, 0xfbff,
                           0x3c01, 0x83ff, 0x0200, 0x0010, 0x5555, 0xaaaa, 0x1234,
                           0x3555], np.uint16)
        return np.concatenate([x.astype(np.float16).view(np.uint16), corner]).view(np.uint8)
    corner = np.array([0, 0x8000, 1, 0x8001, 0x007f, 0x0080, 0x7f7f, 0xff7f, 0x3f81,
                       0x807f, 0x0040, 0x0010, 0x5555, 0xaaaa, 0x1234, 0x3555], np.uint16)
    top = (x.view(np.uint32) >> 16).astype(np.uint16)
    return np.concatenate([top, corner]).view(np.uint8)


def generate():
    """{file name: bytes} and the index."""
    rng = np.random.Generator(np.random.PCG64(20250801))
    files, index = {}, []
    for name in ("F32", "F16", "BF16", *HALF_FIELDS):
        kind = gguf.GGMLQuantizationType[name]
        block, size = gguf.GGML_QUANT_SIZES[kind]
        if name in HALF_FIELDS:
            data = rng.integers(0, 256, (N_BLOCKS, size), np.uint8)
            for at in HALF_FIELDS[name]:
                bits = halves(rng, N_BLOCKS)
                data[:, at:at + 2] = bits.view(np.uint8).reshape(N_BLOCKS, 2)
            data = data.reshape(-1)
        else:
            data = plain(rng, name)
        n = data.size // size * block
        # tensor data reaches the package in the element type of the file
        stored = {"F32": np.float32, "F16": np.float16}.get(name, np.uint8)
        values = gguf.dequantize(data.view(stored).reshape(1, -1), kind)
        values = values.astype("<f4").reshape(-1)
        assert values.size == n and np.isfinite(values).all()
        files[f"{name}.bin"] = data.tobytes()
        files[f"{name}.f32"] = values.tobytes()
        index.append({"type": name, "ggml_type": int(kind), "block_values": block,
                      "block_bytes": size, "n_blocks": data.size // size,
                      "n_values": int(n), "blocks": f"{name}.bin",
                      "values": f"{name}.f32"})
    return files, {"version": 1, "types": index}


def main():
    files, index = generate()
    if "--check" in sys.argv:
        checks = Checks("unpack")
        for name, data in sorted(files.items()):
            same = (OUT / name).is_file() and (OUT / name).read_bytes() == data
            if name.endswith(".bin"):
                checks.check(f"{name} as generated", same)
            else:
                checks.check(f"{name} as the gguf package unpacks it", same)
        checks.check("index", read_json(OUT / "index.json") == index)
        return 0 if checks.write() else 1
    OUT.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (OUT / name).write_bytes(data)
    write_json(OUT / "index.json", index, compact=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Compares our tokenizer with the `tokenizers` package on over 100,000 random texts.

The package is set up from the default file's vocabulary and merges (bpe.py). Our side is
the test tool tokenize_many MODEL, which reads u32 length + text, again and again, and
writes u32 count + u32 ids for each, all little-endian. Texts are drawn from seed 20250802;
only code points assigned in Unicode 14 are used, so that the table versions of the
programs compared do not matter. `cai tokenize` is compared on the texts of logprobs.json.

The default vocabulary has no token for 21 byte values (0x04 0x06 0x13 0x14 0x16 0x1d, and
lead bytes of planes 4 and up). The package drops such a byte before it merges, llama.cpp
after; ours must refuse such a text, since a prompt that lost bytes is not what was written.
"""

import json
import random
import struct
import subprocess
import sys
import unicodedata

import bpe
from common import BUILD, BUILD_ROOT, DATA, Checks, model_path, read_json, run_cai

SEED, N_TEXTS = 20250802, 101_000
REFUSED = 0xffffffff

WORDS = """the of and to in is was for on that with as it be by are from at his her this
water morning principle response harmless honest Assistant Human critique revision
antidisestablishmentarianism naïve café Straße über ångström façade jalapeño""".split()
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'T", "'RE", "'LL",
                "’s", "’t", "'x", "''", "'", "s'", "I'm", "don't", "we'll've", "O'Neil"]
SPACES = [" ", " ", " ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", "\r", "\v", "\f",
          "\u0085", "\u00a0", "\u1680", "\u2003", "\u2009", "\u2028", "\u2029", "\u202f",
          "\u205f", "\u3000", "\u200b", "\u2060", "\ufeff", "\u180e", "\x1c", "\x1f"]
SPECIAL = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|im_start|>system\n",
           "<|im_end|>\n", "<repo_name>", "<file_sep>", "<jupyter_code>", "<|im_start",
           "im_end|>", "<|IM_END|>", "<s>", "</s>", "[INST]", "<|eot_id|>"]
CODE = ["int main(void)\n{\n\treturn 0;\n}\n", "for (i = 0; i < n; i++)", "x->y[3]",
        "def f(x):\n    return x**2\n", "#include <stdio.h>\n", "a != b && !c", "/* */",
        "=>", "::", "{{ x }}", "\\n\\t\\x00", "$HOME/.local", "0x7fff_ffff", "1e-05",
        "SELECT * FROM t;", "<div class=\"a\">", "&nbsp;", "    ", "//////", "```c\n"]
EMOJI = ["🙂", "👩‍🌾", "👍🏽", "🇩🇪", "☀️", "✈", "🏳️‍🌈", "❤️‍🔥", "1️⃣", "\u200d", "\ufe0f", "🫠"]
BLOCKS = {  # inclusive ranges of code points
    "latin": [(0x20, 0x7e)], "latin1": [(0xa0, 0xff)], "extended": [(0x100, 0x24f)],
    "modifier": [(0x2b0, 0x2ff)], "marks": [(0x300, 0x36f), (0x20d0, 0x20f0)],
    "greek": [(0x370, 0x3ff)], "cyrillic": [(0x400, 0x52f)], "hebrew": [(0x591, 0x5f4)],
    "arabic": [(0x600, 0x6ff)], "devanagari": [(0x900, 0x97f)],
    "bengali": [(0x980, 0x9ff)], "tamil": [(0xb80, 0xbff)], "thai": [(0xe00, 0xe5b)],
    "tibetan": [(0xf00, 0xfda)], "georgian": [(0x10a0, 0x10ff)],
    "ethiopic": [(0x1200, 0x139f)], "khmer": [(0x1780, 0x17f9)],
    "general": [(0x2000, 0x206f)], "scripts": [(0x2070, 0x209c)],
    "letterlike": [(0x2100, 0x218b)], "arrows": [(0x2190, 0x23ff)],
    "enclosed": [(0x2460, 0x24ff)], "shapes": [(0x2500, 0x27bf)],
    "kana": [(0x3040, 0x30ff)], "cjk": [(0x4e00, 0x9fff)],
    "cjkpunct": [(0x3000, 0x303f), (0xff00, 0xffee)], "hangul": [(0xac00, 0xd7a3)],
    "private": [(0xe000, 0xe0ff), (0xf0000, 0xf00ff)], "math": [(0x1d400, 0x1d7ff)],
    "emoji": [(0x1f300, 0x1f6ff), (0x1f900, 0x1f9ff)], "historic": [(0x10000, 0x10fff)],
    "cjkext": [(0x20000, 0x2a6d6)], "control": [(0, 0x1f), (0x7f, 0x9f)],
    "tags": [(0xe0020, 0xe007f)], "specials": [(0xfff9, 0xfffd)],
}


def letters():
    """The assigned code points of every block, and all numbers (Nd, Nl, No)."""
    sets = {}
    for name, ranges in BLOCKS.items():
        sets[name] = [chr(c) for a, b in ranges for c in range(a, b + 1)
                      if unicodedata.category(chr(c)) not in ("Cn", "Cs")]
    every = [chr(c) for c in range(0x110000) if not 0xd800 <= c <= 0xdfff]
    sets["numbers"] = [c for c in every if unicodedata.category(c)[0] == "N"]
    sets["any"] = [c for c in every if unicodedata.category(c) not in ("Cn", "Co")]
    return sets


def texts(seed=SEED, n=N_TEXTS):
    rng, sets = random.Random(seed), letters()
    names = sorted(sets)

    def fragment():
        kind = rng.randrange(13)
        if kind == 0:
            return rng.choice(WORDS)
        if kind == 1:
            return " " + rng.choice(WORDS)
        if kind == 2:
            return rng.choice(CONTRACTIONS)
        if kind == 3:
            return "".join(rng.choice(SPACES) for _ in range(rng.randint(1, 5)))
        if kind == 4:
            return str(rng.randrange(10 ** rng.randint(1, 9)))
        if kind == 5:
            return rng.choice(SPECIAL)
        if kind == 6:
            return rng.choice(CODE)
        if kind == 7:
            return rng.choice(EMOJI)
        if kind == 8:
            return rng.choice(".,;:!?-_()[]{}\"'`*#@%^&+=~|/\\<>$") * rng.randint(1, 4)
        if kind == 9:
            word = rng.choice(WORDS)
            return rng.choice((word.upper(), word.title(), word + word, word[::-1]))
        if kind == 10:
            base = rng.choice("aeiounAEIOU \n1.")
            return base + "".join(rng.choice(sets["marks"])
                                  for _ in range(rng.randint(1, 3)))
        pool = sets[rng.choice(names)]
        run = "".join(rng.choice(pool) for _ in range(rng.randint(1, 8)))
        return rng.choice(("", " ", "")) + run

    for _ in range(n):
        yield "".join(fragment() for _ in range(rng.randint(1, 10)))


def tool():
    """The C test tool, under either of the names the build may give it."""
    for name in ("tool_tokenize_many", "tokenize_many"):
        path = BUILD_ROOT / "tests" / name
        if path.is_file():
            return path
    raise FileNotFoundError(f"{BUILD_ROOT}/tests/tool_tokenize_many is not built")


def tokenize_many(model, data):
    """Ids of each of many UTF-8 byte strings, by our tokenizer in one process; None for
    a text it refuses because the vocabulary has no token for one of its bytes."""
    BUILD.mkdir(parents=True, exist_ok=True)
    source = BUILD / "texts.bin"
    with open(source, "wb") as f:
        for d in data:
            f.write(struct.pack("<I", len(d)) + d)
    with open(source, "rb") as f:
        done = subprocess.run([str(tool()), str(model)], stdin=f, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode("utf-8", "replace").strip())
    out, at, raw = [], 0, done.stdout
    while at < len(raw):
        n, = struct.unpack_from("<I", raw, at)
        if n == REFUSED:
            out.append(None)
            at += 4
            continue
        out.append(list(struct.unpack_from(f"<{n}I", raw, at + 4)))
        at += 4 + 4 * n
    if len(out) != len(data):
        raise RuntimeError(f"{len(out)} answers to {len(data)} texts")
    return out


def main():
    checks, model = Checks("tokenizer"), model_path()
    tok = bpe.build(model)
    source = list(texts())
    data = [t.encode() for t in source]
    want = [e.ids for e in tok.encode_batch(source, add_special_tokens=False)]
    checks.figures["texts"] = len(source)
    checks.figures["bytes"] = sum(map(len, data))
    checks.figures["tokens"] = sum(map(len, want))

    def random_texts():
        got = tokenize_many(model, data)
        # refused: exactly the texts the package loses bytes of
        lost = [tok.decode(ids, skip_special_tokens=False) != text
                for ids, text in zip(want, source)]
        bad = [i for i in range(len(want))
               if got[i] != (None if lost[i] else want[i])]
        figures = {"agree": len(want) - sum(lost) - len(bad), "refused": sum(lost),
                   "different": len(bad)}
        if bad:
            i = min(bad, key=lambda k: len(data[k]))
            figures["shortest"] = {"text": source[i], "want": want[i], "got": got[i]}
        return not bad, figures

    def injection():
        """No text may produce a control token."""
        got = tokenize_many(model, [s.encode() for s in SPECIAL])
        return all(min(ids) > 16 for ids in got), {"strings": len(SPECIAL)}

    def command():
        for t in read_json(DATA / "logprobs.json")["texts"]:
            shown = json.loads(run_cai(["tokenize", DATA / t["file"], "--json",
                                        "--model", model]))
            if [x["id"] for x in shown["tokens"]] != t["tokens"]:
                return False, {"file": t["file"]}
        return True, {}

    def llama_cpp():
        """For the record only: its tables of Unicode classes are of another version."""
        import llamacpp
        llama = llamacpp.Llama(model, n_ctx=64)
        some = range(0, len(data), 5)
        bad = [i for i in some if b"\0" not in data[i]
               and llama.tokenize(data[i]) != want[i]]
        figures = {"texts": len(some), "different": len(bad)}
        if bad:
            figures["shortest"] = source[min(bad, key=lambda k: len(data[k]))]
        return True, figures

    checks.attempt("over 100,000 random texts as the tokenizers package", random_texts)
    checks.attempt("special strings are ordinary text", injection)
    checks.attempt("cai tokenize on the reference texts", command)
    checks.attempt("llama.cpp on every fifth text (not judged)", llama_cpp)
    return 0 if checks.write() else 1


if __name__ == "__main__":
    sys.exit(main())

"""The `tokenizers` package set up from the vocabulary and merges of a GGUF.

Special tokens are never added to it, so their strings in a text are ordinary text.
"""

import gguf
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

from llama_ref import field

GPT2 = (r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")


def build(path):
    """A byte-level BPE tokenizer for the file's own pre-tokenizer name."""
    reader = gguf.GGUFReader(path)
    tokens = field(reader, "tokenizer.ggml.tokens")
    merges = field(reader, "tokenizer.ggml.merges")
    pre = field(reader, "tokenizer.ggml.pre")
    model = models.BPE(vocab={t: i for i, t in enumerate(tokens)},
                       merges=[tuple(m.split(" ")) for m in merges])
    tok = Tokenizer(model)
    split = pre_tokenizers.Split(Regex(GPT2), behavior="isolated")
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    if pre in ("smollm", "starcoder", "refact"):
        digits = pre_tokenizers.Digits(individual_digits=True)
        tok.pre_tokenizer = pre_tokenizers.Sequence([digits, split, to_bytes])
    elif pre in ("gpt-2", "default"):
        tok.pre_tokenizer = pre_tokenizers.Sequence([split, to_bytes])
    else:
        raise ValueError(f"{path}: pre-tokenizer {pre} is not known here")
    tok.decoder = decoders.ByteLevel()
    return tok


def encode(tok, text):
    return tok.encode(text, add_special_tokens=False).ids

"""llama.cpp at its C interface, through the bindings of llama-cpp-python.

Loads a model once and gives three things the oracles compare with: log-probs of a
given token sequence, decode speed from an empty context, prefill speed.
"""

import ctypes
import time

import llama_cpp as lib
import numpy as np

_quiet = lib.llama_log_callback(lambda level, text, user: None)
lib.llama_log_set(_quiet, ctypes.c_void_p(0))
lib.llama_backend_init()


def version():
    """What is compared with, for results.json."""
    return {
        "llama_cpp_python": lib.__version__,
        "llama": lib.llama_version().decode(),
        "system_info": lib.llama_print_system_info().decode().strip(" |"),
    }


class Llama:
    """One model and one context of n_ctx positions on n_threads threads."""

    def __init__(self, path, n_ctx=4096, n_threads=2):
        mp = lib.llama_model_default_params()
        mp.n_gpu_layers = 0
        self.model = lib.llama_model_load_from_file(str(path).encode(), mp)
        if not self.model:
            raise RuntimeError(f"{path}: llama.cpp cannot load it")
        cp = lib.llama_context_default_params()
        cp.n_ctx = n_ctx
        cp.n_batch = n_ctx
        cp.n_ubatch = min(512, n_ctx)
        cp.n_threads = cp.n_threads_batch = n_threads
        cp.n_outputs_max = n_ctx
        self.ctx = lib.llama_init_from_model(self.model, cp)
        if not self.ctx:
            raise RuntimeError(f"{path}: llama.cpp cannot make a context")
        self.n_ctx = n_ctx
        vocab = lib.llama_model_get_vocab(self.model)
        self.n_vocab = lib.llama_vocab_n_tokens(vocab)
        self.vocab = vocab

    def close(self):
        lib.llama_free(self.ctx)
        lib.llama_model_free(self.model)

    def clear(self):
        lib.llama_memory_clear(lib.llama_get_memory(self.ctx), True)

    def logits(self, ids):
        """Logits (len(ids), n_vocab) after each position, from an empty context."""
        n = len(ids)
        self.clear()
        batch = lib.llama_batch_init(n, 0, 1)
        batch.n_tokens = n
        for i, t in enumerate(ids):
            batch.token[i] = t
            batch.pos[i] = i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = 1
        rc = lib.llama_decode(self.ctx, batch)
        if rc != 0:
            raise RuntimeError(f"llama_decode: {rc}")
        out = np.empty((n, self.n_vocab), np.float32)
        for i in range(n):
            p = lib.llama_get_logits_ith(self.ctx, i)
            out[i] = np.ctypeslib.as_array(p, (self.n_vocab,))
        lib.llama_batch_free(batch)
        return out

    def logprobs(self, ids):
        """log p(ids[i] | ids[:i]) for i >= 1; the first is None."""
        out = [None]
        x = self.logits(ids)[:-1].astype(np.float64)
        top = x.max(axis=1)
        lse = top + np.log(np.exp(x - top[:, None]).sum(axis=1))
        got = x[np.arange(len(ids) - 1), ids[1:]] - lse
        return out + got.tolist()

    def tokenize(self, data, parse_special=False):
        """Ids of UTF-8 bytes, without any begin-of-text token."""
        cap = len(data) + 8
        buf = (lib.llama_token * cap)()
        n = lib.llama_tokenize(self.vocab, data, len(data), buf, cap, False,
                               parse_special)
        return list(buf[:n])

    def tg(self, n):
        """Tokens per second of decoding n tokens one by one from an empty context."""
        self.clear()
        tok = (lib.llama_token * 1)(1)
        begin = time.perf_counter()
        for i in range(n):
            tok[0] = (i * 7919 + 1) % self.n_vocab
            if lib.llama_decode(self.ctx, lib.llama_batch_get_one(tok, 1)) != 0:
                raise RuntimeError("llama_decode failed")
            lib.llama_synchronize(self.ctx)
        return n / (time.perf_counter() - begin)

    def pp(self, n):
        """Tokens per second of one prefill of n tokens (logits of the last only)."""
        self.clear()
        tok = (lib.llama_token * n)(*[(i * 7919 + 1) % self.n_vocab for i in range(n)])
        begin = time.perf_counter()
        if lib.llama_decode(self.ctx, lib.llama_batch_get_one(tok, n)) != 0:
            raise RuntimeError("llama_decode failed")
        lib.llama_synchronize(self.ctx)
        return n / (time.perf_counter() - begin)

/*
 * vocab_file.h: builds vocabulary-only GGUF files in memory, for tests of the tokenizer.
 *
 * Keys are appended in call order; vocab_open() writes the file into a memfd and opens it
 * through its /proc path. Failures of the helper itself abort the test program.
 */
#ifndef TESTS_VOCAB_FILE_H
#define TESTS_VOCAB_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "model/gguf.h"

struct vocab_file {
    struct strbuf kv;
    uint64_t n_kv;
};

static inline void vocab_put(struct vocab_file *v, const void *data, size_t len)
{
    v->kv.max_bytes = 64u << 20;
    if (strbuf_add(&v->kv, data, len) != CAI_OK)
        abort();
}

static inline void vocab_put_u32(struct vocab_file *v, uint32_t x)
{
    vocab_put(v, &x, sizeof x);
}

static inline void vocab_put_bytes(struct vocab_file *v, const char *s, size_t len)
{
    uint64_t n = len;
    vocab_put(v, &n, sizeof n);
    vocab_put(v, s, len);
}

static inline void vocab_key(struct vocab_file *v, const char *key, uint32_t type)
{
    vocab_put_bytes(v, key, strlen(key));
    vocab_put_u32(v, type);
    v->n_kv++;
}

static inline void vocab_str(struct vocab_file *v, const char *key, const char *s)
{
    vocab_key(v, key, GGUF_STRING);
    vocab_put_bytes(v, s, strlen(s));
}

static inline void vocab_u32(struct vocab_file *v, const char *key, uint32_t x)
{
    vocab_key(v, key, GGUF_U32);
    vocab_put_u32(v, x);
}

static inline void vocab_bool(struct vocab_file *v, const char *key, int x)
{
    char c = x != 0;
    vocab_key(v, key, GGUF_BOOL);
    vocab_put(v, &c, 1);
}

/* The elements are put by the caller, one after the other. */
static inline void vocab_array(struct vocab_file *v, const char *key, uint32_t type,
                               uint64_t n)
{
    vocab_key(v, key, GGUF_ARRAY);
    vocab_put_u32(v, type);
    vocab_put(v, &n, sizeof n);
}

/* n strings, the first 256 of which are the byte-level alphabet when `bytes` is set. */
static inline void vocab_strings(struct vocab_file *v, const char *key, int bytes,
                                 const char *const *s, size_t n)
{
    unsigned next = 0x100;

    vocab_array(v, key, GGUF_STRING, n + (bytes ? 256 : 0));
    for (unsigned b = 0; bytes && b < 256; b++) {
        int printable = (b > 0x20 && b < 0x7F) || (b > 0xA0 && b != 0xAD);
        unsigned cp = printable ? b : next++;
        char utf8[2] = {(char)(0xC0 | cp >> 6), (char)(0x80 | (cp & 0x3F))};
        char ascii = (char)cp;
        vocab_put_bytes(v, cp < 0x80 ? &ascii : utf8, cp < 0x80 ? 1 : 2);
    }
    for (size_t i = 0; i < n; i++)
        vocab_put_bytes(v, s[i], strlen(s[i]));
}

/* Opens what was built and empties v; the file may be closed with gguf_close() alone. */
static inline enum cai_status vocab_open(struct gguf **dst, struct vocab_file *v,
                                         char *err, size_t errlen)
{
    char path[64];
    uint32_t version = 3;
    uint64_t none = 0;
    enum cai_status st;
    int fd = memfd_create("vocab", 0);

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fd < 0 || write(fd, "GGUF", 4) != 4 || write(fd, &version, 4) != 4 ||
        write(fd, &none, 8) != 8 || write(fd, &v->n_kv, 8) != 8 ||
        write(fd, strbuf_str(&v->kv), v->kv.len) != (ssize_t)v->kv.len)
        abort();
    st = gguf_open(dst, path, err, errlen);
    close(fd);
    strbuf_free(&v->kv);
    memset(v, 0, sizeof *v);
    return st;
}

#endif

/*
 * tool_tokenize_many.c: MODEL < in > out, for the oracle.
 *
 * in: per text a u32 length and its bytes; out: per text a u32 count and so many u32 ids.
 * A text with a byte that has no token in the vocabulary is answered with the count
 * 0xffffffff alone. All numbers little-endian. Only the vocabulary is read.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "model/gguf.h"
#include "model/tokenizer.h"

static int put_u32(uint32_t x)
{
    unsigned char b[4] = {(unsigned char)x, (unsigned char)(x >> 8),
                          (unsigned char)(x >> 16), (unsigned char)(x >> 24)};
    return fwrite(b, 1, 4, stdout) == 4;
}

/* One text; 0 at the end of the input, -1 on failure. */
static int one(const struct tokenizer *t, char **text, size_t *cap, char *err)
{
    unsigned char b[4];
    uint32_t len;
    int32_t *ids = NULL;
    size_t n = 0, got = fread(b, 1, 4, stdin);
    enum cai_status st;
    int ok;

    if (got == 0)
        return 0;
    len = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
          (uint32_t)b[3] << 24;
    if (got != 4 || len > TOKENIZER_TEXT_MAX) {
        snprintf(err, ERR_MAX, "bad length in the input");
        return -1;
    }
    if (len >= *cap) {
        char *p = mem_resize(*text, (size_t)len + 1, 1);
        if (!p)
            return -1;
        *text = p;
        *cap = (size_t)len + 1;
    }
    if (fread(*text, 1, len, stdin) != len) {
        snprintf(err, ERR_MAX, "the input ends inside a text");
        return -1;
    }
    st = tokenizer_encode(t, *text, len, &ids, &n, err, ERR_MAX);
    if (st == CAI_UNSUPPORTED)
        return put_u32(UINT32_MAX) ? 1 : -1;
    ok = st == CAI_OK && put_u32((uint32_t)n);
    for (size_t i = 0; ok && i < n; i++)
        ok = put_u32((uint32_t)ids[i]);
    mem_free(ids);
    return ok ? 1 : -1;
}

int main(int argc, char **argv)
{
    struct gguf *g = NULL;
    struct tokenizer *t = NULL;
    char err[ERR_MAX] = "", *text = NULL;
    size_t cap = 0;
    int more = -1;

    if (argc != 2) {
        fprintf(stderr, "usage: tool_tokenize_many MODEL < texts > ids\n");
        return 2;
    }
    if (gguf_open(&g, argv[1], err, sizeof err) == CAI_OK &&
        tokenizer_new(&t, g, err, sizeof err) == CAI_OK)
        do
            more = one(t, &text, &cap, err);
        while (more > 0);
    if (more < 0)
        fprintf(stderr, "%s\n", err);
    mem_free(text);
    tokenizer_free(t);
    gguf_close(g);
    return more < 0 || fflush(stdout) != 0;
}

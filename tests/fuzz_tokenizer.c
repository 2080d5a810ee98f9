/*
 * fuzz_tokenizer.c: any text through every pre-tokenizer and SPM, and any vocabulary.
 *
 * The first byte chooses: even, the rest is text for one of eight good vocabularies; odd,
 * the rest describes a vocabulary and then a text. Whatever is accepted must come back
 * byte for byte, without a control token.
 */
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "model/tokenizer.h"
#include "vocab_file.h"

#define K(name) "tokenizer.ggml." name

static const char *const pres[] = {"smollm",    "starcoder", "refact", "gpt-2",
                                   "llama-bpe", "qwen2",     "default"};
enum { N_PRES = sizeof pres / sizeof *pres };

static void must(int ok)
{
    if (!ok)
        abort();
}

static void check(const struct tokenizer *t, const char *text, size_t len)
{
    int32_t *ids = NULL;
    size_t n = 0, at = 0;
    char err[ERR_MAX] = "";
    enum cai_status st = tokenizer_encode(t, text, len, &ids, &n, err, sizeof err);

    must(st == CAI_OK || (st == CAI_UNSUPPORTED && !ids && err[0]));
    for (size_t i = 0; i < n; i++) {
        size_t m;
        const char *p = tokenizer_piece(t, ids[i], &m);
        must(p && !tokenizer_is_control(t, ids[i]));
        if (i == 0 && tokenizer_adds_space(t)) {
            must(m > 0 && *p == ' ');
            p++;
            m--;
        }
        must(m <= len - at && memcmp(text + at, p, m) == 0);
        at += m;
    }
    must(st != CAI_OK || at == len);
    mem_free(ids);
}

static struct tokenizer *build(struct vocab_file *v)
{
    struct gguf *g = NULL;
    struct tokenizer *t = NULL;
    char err[ERR_MAX] = "";

    if (vocab_open(&g, v, err, sizeof err) == CAI_OK)
        must(tokenizer_new(&t, g, err, sizeof err) == CAI_OK || (!t && err[0]));
    gguf_close(g);
    return t;
}

/* Good vocabularies: N_PRES byte-level ones, then SPM. */
static struct tokenizer *good(size_t which)
{
    static const char *const tokens[] = {"aa", "aaaa", "th", "the", "\xC4\xA0the", "<s>"};
    static const char *const merges[] = {"a a", "aa aa", "t h", "th e", "\xC4\xA0 the"};
    static const char *const pieces[] = {"\xE2\x96\x81",  "a", "aa", "t", "th",
                                         "\xE2\x96\x81t", "<", "s",  ">", "<s>"};
    static struct tokenizer *made[N_PRES + 1];
    struct vocab_file v = {0};

    if (made[which])
        return made[which];
    if (which < N_PRES) {
        vocab_str(&v, K("model"), "gpt2");
        vocab_str(&v, K("pre"), pres[which]);
        vocab_strings(&v, K("tokens"), 1, tokens, 6);
        vocab_strings(&v, K("merges"), 0, merges, 5);
        vocab_array(&v, K("token_type"), GGUF_I32, 262);
        for (int i = 0; i < 262; i++)
            vocab_put_u32(&v, i == 261 ? 3 : 1);
    } else {
        vocab_str(&v, K("model"), "llama");
        vocab_array(&v, K("tokens"), GGUF_STRING, 266);
        for (int i = 0; i < 266; i++) {
            char name[8];
            snprintf(name, sizeof name, "<0x%02X>", i & 255);
            vocab_put_bytes(&v, i < 256 ? name : pieces[i - 256],
                            strlen(i < 256 ? name : pieces[i - 256]));
        }
        vocab_array(&v, K("token_type"), GGUF_I32, 266);
        for (int i = 0; i < 266; i++)
            vocab_put_u32(&v, i < 256 ? 6 : i == 265 ? 3 : 1);
        vocab_array(&v, K("scores"), GGUF_F32, 266);
        for (int i = 0; i < 266; i++) {
            float score = (float)((i * 7) % 11);
            vocab_put(&v, &score, sizeof score);
        }
    }
    made[which] = build(&v);
    must(made[which] != NULL);
    return made[which];
}

struct cursor {
    const uint8_t *p, *end;
};

static uint8_t take(struct cursor *c)
{
    return c->p < c->end ? *c->p++ : 0;
}

/* n strings of a length byte and bytes. */
static void take_strings(struct cursor *c, struct vocab_file *v, const char *key,
                         size_t n)
{
    vocab_array(v, key, GGUF_STRING, n);
    for (size_t i = 0; i < n; i++) {
        size_t len = take(c) % 24, left = (size_t)(c->end - c->p);
        len = len < left ? len : left;
        vocab_put_bytes(v, (const char *)c->p, len);
        c->p += len;
    }
}

/* flags, number of tokens, of merges, of types and scores, ids; then the lists. */
static void any_vocabulary(struct cursor c)
{
    struct vocab_file v = {0};
    struct tokenizer *t;
    uint8_t flags = take(&c);
    size_t n_tokens = take(&c), n_merges = take(&c), n_types = take(&c);

    vocab_str(&v, K("model"), flags & 1 ? "llama" : "gpt2");
    vocab_str(&v, K("pre"), pres[(flags >> 1) % N_PRES]);
    vocab_u32(&v, K("bos_token_id"), take(&c));
    vocab_u32(&v, K("eos_token_id"), take(&c));
    if (flags & 32)
        n_types = n_tokens;
    take_strings(&c, &v, K("tokens"), n_tokens);
    take_strings(&c, &v, K("merges"), n_merges);
    if (flags & 16) {
        vocab_array(&v, K("token_type"), GGUF_I32, n_types);
        for (size_t i = 0; i < n_types; i++)
            vocab_put_u32(&v, flags & 64 ? take(&c) : take(&c) % 7);
    }
    vocab_array(&v, K("scores"), GGUF_F32, n_types);
    for (size_t i = 0; i < n_types; i++) {
        uint32_t bits = (uint32_t)take(&c) << 24 | (uint32_t)take(&c) << 16;
        vocab_put(&v, &bits, sizeof bits);
    }
    t = build(&v);
    if (t) {
        check(t, (const char *)c.p, (size_t)(c.end - c.p));
        for (int32_t id = -1; id <= (int32_t)n_tokens; id++) {
            size_t len;
            const char *p = tokenizer_piece(t, id, &len);
            must((p != NULL) == (id >= 0 && (size_t)id < tokenizer_n_vocab(t)));
            if (p && tokenizer_control(t, p, len) >= 0)
                must(tokenizer_is_control(t, id) || !tokenizer_is_eog(t, id) ||
                     id == tokenizer_eos(t));
        }
    }
    tokenizer_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    if (data[0] % 2)
        any_vocabulary((struct cursor){data + 1, data + len});
    else
        check(good(data[0] / 2 % (N_PRES + 1)), (const char *)data + 1, len - 1);
    return 0;
}

#ifndef FUZZ_LIBFUZZER
#include "fuzz_main.h"

static size_t fuzz_example(uint8_t *buf, size_t max, uint32_t i)
{
    static const char text[] = " The aaaa'LL don't 1234 na\xC3\xAFve \xE4\xBD\xA0\xF0\x9F"
                               "\x99\x82 <s>\r\n\n  --> $5\t\xE2\x96\x81 '\xC5\xBF x";
    static const char *const tokens[] = {"a",
                                         "b",
                                         "ab",
                                         " ",
                                         "  ",
                                         "<s>",
                                         "\xC4\xA0",
                                         "<0x41>",
                                         "\xE2\x96\x81",
                                         "\xE2\x96\x81"
                                         "a"};
    static const char types[] = {1, 1, 1, 1, 4, 3, 1, 6, 1, 1};
    size_t n = 0;

    (void)max;
    buf[n++] = (uint8_t)i;
    if (i % 2) {
        static const uint8_t flags[] = {48, 49, 32, 33, 56, 112};
        buf[n++] = flags[i / 2 % 6];
        buf[n++] = 10; /* tokens */
        buf[n++] = 1;  /* merges */
        buf[n++] = 10; /* types, scores */
        buf[n++] = 5;
        buf[n++] = 5;
        for (int k = 0; k < 11; k++) {
            const char *s = k < 10 ? tokens[k] : "a b";
            buf[n++] = (uint8_t)strlen(s);
            memcpy(buf + n, s, strlen(s));
            n += strlen(s);
        }
        if (buf[1] & 16) {
            memcpy(buf + n, types, sizeof types);
            n += sizeof types;
        }
        for (int k = 0; k < 20; k++)
            buf[n++] = (uint8_t)(k * 13 % 64);
        memcpy(buf + n, "abba a  b<s>", 12);
        return n + 12;
    }
    memcpy(buf + n, text, sizeof text - 1);
    return n + sizeof text - 1;
}
#endif

/*
 * tokenizer.c: the vocabulary of a file as tables, and encoding by them; tokenizer.h.
 *
 * Every array of the file is untrusted: element types, lengths and ids are checked before
 * anything is built. Merging lives in tokenizer_merge.c, cutting in tokenizer_pre.c.
 */
#include "model/tokenizer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "model/tokenizer_impl.h"

/* A crafted vocabulary could make every look-up walk the whole table. */
#define PROBES_MAX 4096
/* Bytes of a user-defined run of whitespace; published ones have at most 31 characters.
 */
#define LITERAL_MAX 64

#define KEY(name) "tokenizer.ggml." name

/* Tokens that end a turn or a text, whatever type a converter gave them. The first that
 * a vocabulary has is its end of turn when the file names none. */
static const char *const eog_names[] = {
    "<|eot_id|>",    "<|im_end|>", "<end_of_turn>",   "<|end|>", "<|end_of_turn|>",
    "<|endoftext|>", "<|eom_id|>", "<|end_of_text|>", "<EOT>",
};
enum { N_EOG_NAMES = sizeof eog_names / sizeof *eog_names, N_TURN_NAMES = 5 };

static uint64_t hash_bytes(const char *s, size_t len)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)s[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

static uint64_t hash_pair(uint64_t x)
{
    x *= 0x9E3779B97F4A7C15u; /* 2^64 / golden ratio */
    return x ^ x >> 32;
}

static const char *piece(const struct tokenizer *t, int32_t id, size_t *len)
{
    *len = t->at[id + 1] - t->at[id];
    return t->bytes + t->at[id];
}

/* A power of two of at least twice n slots. */
static int table_slots(size_t *out, size_t n)
{
    size_t slots = 16;

    if (n > SIZE_MAX / 8)
        return 0;
    while (slots < 2 * n)
        slots *= 2;
    *out = slots;
    return 1;
}

static int token_map_init(struct token_map *m, size_t n)
{
    size_t slots;

    if (!table_slots(&slots, n))
        return 0;
    m->slot = mem_alloc(slots, sizeof *m->slot);
    m->mask = slots - 1;
    return m->slot != NULL;
}

/* The lowest id keeps a text that occurs twice. 0: too many collisions. */
static int token_map_add(const struct tokenizer *t, struct token_map *m, int32_t id)
{
    size_t len, old_len, i;
    const char *s = piece(t, id, &len);

    i = hash_bytes(s, len) & m->mask;
    for (int probes = 0; probes < PROBES_MAX; probes++, i = (i + 1) & m->mask) {
        const char *old;
        if (m->slot[i] == 0) {
            m->slot[i] = (uint32_t)id + 1;
            if (len > m->max_len)
                m->max_len = len;
            return 1;
        }
        old = piece(t, (int32_t)(m->slot[i] - 1), &old_len);
        if (old_len == len && memcmp(old, s, len) == 0)
            return 1;
    }
    return 0;
}

int32_t token_map_find(const struct tokenizer *t, const struct token_map *m,
                       const char *s, size_t len)
{
    if (len == 0 || len > m->max_len)
        return -1;
    for (size_t i = hash_bytes(s, len) & m->mask; m->slot[i]; i = (i + 1) & m->mask) {
        int32_t id = (int32_t)(m->slot[i] - 1);
        size_t old_len;
        const char *old = piece(t, id, &old_len);
        if (old_len == len && memcmp(old, s, len) == 0)
            return id;
    }
    return -1;
}

const struct merge_rule *merge_rule_find(const struct tokenizer *t, int32_t left,
                                         int32_t right)
{
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t i = hash_pair(pair) & t->rules_mask;

    for (; t->rules[i].pair != UINT64_MAX; i = (i + 1) & t->rules_mask)
        if (t->rules[i].pair == pair)
            return &t->rules[i];
    return NULL;
}

/* ------------------------------------------------------------------ reading the file */

/* The alphabet of byte-level BPE: printable Latin-1 stands for itself, the other bytes
 * for U+0100 and up in order. byte_of[cp] = byte, -1 for what is not in it. */
enum { ALPHABET_END = 0x144 };
static void byte_alphabet(int16_t byte_of[ALPHABET_END])
{
    int next = 0x100;

    for (int cp = 0; cp < ALPHABET_END; cp++)
        byte_of[cp] = -1;
    for (int b = 0; b < 256; b++) {
        int printable = (b > 0x20 && b < 0x7F) || (b > 0xA0 && b != 0xAD);
        byte_of[printable ? b : next++] = (int16_t)b;
    }
}

/* Number of bytes that a byte-level text stands for; 0 when it has a character outside of
 * the alphabet. out has room for len bytes. */
static size_t byte_level_decode(char *out, const int16_t *byte_of, const char *s,
                                size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len;) {
        uint32_t cp;
        size_t used = utf8_decode(&cp, s + i, len - i);
        if (used == 0 || cp >= ALPHABET_END || byte_of[cp] < 0)
            return 0;
        out[n++] = (char)byte_of[cp];
        i += used;
    }
    return n;
}

/* U+2581 is how a vocabulary of scores writes a space. */
static size_t spm_decode(char *out, const char *s, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len;) {
        if (len - i >= 3 && memcmp(s + i, "\xE2\x96\x81", 3) == 0) {
            out[n++] = ' ';
            i += 3;
        } else {
            out[n++] = s[i++];
        }
    }
    return n;
}

/* <0xNN> -> the byte, -1 for another text. */
static int byte_token(struct gguf_str s)
{
    int value = 0;

    if (s.len != 6 || memcmp(s.data, "<0x", 3) != 0 || s.data[5] != '>')
        return -1;
    for (int i = 3; i < 5; i++) {
        char c = s.data[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static int is_blank_run(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (s[i] != ' ' && s[i] != '\t' && s[i] != '\n' && s[i] != '\r')
            return 0;
    return len > 0 && len <= LITERAL_MAX;
}

static enum cai_status read_types(struct tokenizer *t, const struct gguf *g, char *err,
                                  size_t errlen)
{
    struct gguf_array a;

    if (!gguf_has(g, KEY("token_type"))) {
        memset(t->type, TOKEN_NORMAL, t->n_vocab);
        return CAI_OK;
    }
    if (!gguf_get_array(g, KEY("token_type"), &a) ||
        (a.type != GGUF_I32 && a.type != GGUF_U32))
        return err_set(CAI_CORRUPT, err, errlen,
                       KEY("token_type") " is not an array of 32-bit integers");
    if (a.n != t->n_vocab)
        return err_set(CAI_CORRUPT, err, errlen,
                       KEY("token_type") " has %zu elements, the vocabulary %zu", a.n,
                       t->n_vocab);
    for (size_t i = 0; i < a.n; i++) {
        double x = gguf_array_num(&a, i);
        if (!(x >= 0 && x <= TOKEN_BYTE))
            return err_set(CAI_CORRUPT, err, errlen,
                           "token %zu has the unknown type %.0f", i, x);
        /* 0 is "undefined" in the format; converters mean an ordinary token. */
        t->type[i] = x > 0 ? (uint8_t)x : TOKEN_NORMAL;
    }
    return CAI_OK;
}

/* -1 in *dst when the file does not name it. */
static enum cai_status read_id(int32_t *dst, const struct tokenizer *t,
                               const struct gguf *g, const char *key, char *err,
                               size_t errlen)
{
    uint64_t x;

    *dst = -1;
    if (!gguf_get_u64(g, key, &x) || x == UINT32_MAX)
        return CAI_OK;
    if (x >= t->n_vocab)
        return err_set(CAI_CORRUPT, err, errlen, "%s is %llu, the vocabulary has %zu",
                       key, (unsigned long long)x, t->n_vocab);
    *dst = (int32_t)x;
    return CAI_OK;
}

static enum cai_status read_special(struct tokenizer *t, const struct gguf *g, char *err,
                                    size_t errlen)
{
    const struct {
        const char *key;
        int32_t *id;
    } ids[] = {
        {KEY("bos_token_id"), &t->bos},
        {KEY("eos_token_id"), &t->eos},
        {KEY("eot_token_id"), &t->eot},
    };
    int typed = gguf_has(g, KEY("token_type"));
    int32_t turn[N_TURN_NAMES];

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        enum cai_status st = read_id(ids[i].id, t, g, ids[i].key, err, errlen);
        if (st != CAI_OK)
            return st;
        if (*ids[i].id >= 0 && !typed)
            t->type[*ids[i].id] = TOKEN_CONTROL;
    }
    for (int k = 0; k < N_TURN_NAMES; k++)
        turn[k] = -1;
    for (size_t i = 0; i < t->n_vocab; i++) {
        size_t len;
        const char *s = piece(t, (int32_t)i, &len);
        for (int k = 0; k < N_EOG_NAMES; k++) {
            if (strlen(eog_names[k]) != len || memcmp(eog_names[k], s, len) != 0)
                continue;
            t->type[i] = TOKEN_CONTROL;
            t->eog[i] = 1;
            if (k < N_TURN_NAMES && turn[k] < 0)
                turn[k] = (int32_t)i;
        }
    }
    for (int k = 0; k < N_TURN_NAMES && t->eot < 0; k++)
        t->eot = turn[k];
    if (t->eot < 0)
        t->eot = t->eos;
    if (t->eos >= 0)
        t->eog[t->eos] = 1;
    if (t->eot >= 0)
        t->eog[t->eot] = 1;
    return CAI_OK;
}

/* Pieces, and which of them text can become. */
static enum cai_status build_pieces(struct tokenizer *t, const struct gguf_array *tokens,
                                    char *err, size_t errlen)
{
    size_t total = 0;
    uint32_t used = 0;
    int16_t byte_of[ALPHABET_END];

    for (size_t i = 0; i < tokens->n; i++)
        if (__builtin_add_overflow(total, tokens->strings[i].len, &total))
            total = SIZE_MAX;
    if (total >= INT32_MAX)
        return err_set(CAI_LIMIT, err, errlen, "the texts of the tokens exceed 2 GiB");
    t->bytes = mem_alloc(total + 1, 1);
    t->at = mem_alloc(t->n_vocab + 1, sizeof *t->at);
    if (!t->bytes || !t->at)
        return err_nomem(err, errlen, "vocabulary");
    byte_alphabet(byte_of);
    for (size_t i = 0; i < t->n_vocab; i++) {
        struct gguf_str s = tokens->strings[i];
        char *dst = t->bytes + used;
        size_t n = 0;
        int b;

        t->at[i] = used;
        if (t->spm && t->type[i] == TOKEN_BYTE && (b = byte_token(s)) >= 0) {
            *dst = (char)b;
            n = 1;
            if (t->byte_id[b] < 0)
                t->byte_id[b] = (int32_t)i;
        } else if (t->type[i] == TOKEN_NORMAL || t->type[i] == TOKEN_USER_DEFINED) {
            n = t->spm ? spm_decode(dst, s.data, s.len)
                       : byte_level_decode(dst, byte_of, s.data, s.len);
            /* User-defined texts are literal, but for the spaces of SPM. */
            if (!t->spm && (n == 0 || t->type[i] == TOKEN_USER_DEFINED)) {
                if (t->type[i] == TOKEN_NORMAL)
                    t->type[i] = TOKEN_UNUSED; /* outside of the alphabet */
                n = 0;
            }
        }
        if (n == 0 && s.len) {
            memcpy(dst, s.data, s.len);
            n = s.len;
        }
        used += (uint32_t)n;
    }
    t->at[t->n_vocab] = used;
    return CAI_OK;
}

static enum cai_status build_maps(struct tokenizer *t, char *err, size_t errlen)
{
    size_t n_literals = 0, n_named = 0;

    for (size_t i = 0; i < t->n_vocab; i++) {
        n_literals += t->type[i] == TOKEN_USER_DEFINED;
        n_named += t->type[i] == TOKEN_USER_DEFINED || t->type[i] == TOKEN_CONTROL;
    }
    t->named = mem_alloc(n_named, sizeof *t->named);
    if (!t->named || !token_map_init(&t->text, t->n_vocab) ||
        !token_map_init(&t->literal, n_literals))
        return err_nomem(err, errlen, "vocabulary");
    for (size_t i = 0; i < t->n_vocab; i++) {
        size_t len;
        const char *s = piece(t, (int32_t)i, &len);
        struct token_map *m = NULL;

        if (t->type[i] == TOKEN_USER_DEFINED || t->type[i] == TOKEN_CONTROL)
            t->named[t->n_named++] = (int32_t)i;
        if (t->type[i] == TOKEN_NORMAL)
            m = &t->text;
        else if (t->type[i] == TOKEN_USER_DEFINED && is_blank_run(s, len))
            m = &t->literal;
        if (!m || len == 0)
            continue;
        if (!token_map_add(t, m, (int32_t)i))
            return err_set(CAI_CORRUPT, err, errlen,
                           "the vocabulary collides with itself at token %zu", i);
        if (!t->spm && m == &t->text && len == 1 && t->byte_id[(unsigned char)*s] < 0)
            t->byte_id[(unsigned char)*s] = (int32_t)i;
    }
    return CAI_OK;
}

static enum cai_status add_rule(struct tokenizer *t, struct merge_rule rule)
{
    size_t i = hash_pair(rule.pair) & t->rules_mask;

    for (int probes = 0; probes < PROBES_MAX; probes++, i = (i + 1) & t->rules_mask) {
        if (t->rules[i].pair == rule.pair)
            return CAI_OK; /* the earlier one is the stronger one */
        if (t->rules[i].pair == UINT64_MAX) {
            t->rules[i] = rule;
            return CAI_OK;
        }
    }
    return CAI_CORRUPT;
}

/* "left right" in the byte-level alphabet. A rule that names anything but ordinary tokens
 * is refused: text must not be able to merge into a control token. */
static enum cai_status build_rules(struct tokenizer *t, const struct gguf *g, char *err,
                                   size_t errlen)
{
    enum cai_status st = CAI_OK;
    struct gguf_array a;
    int16_t byte_of[ALPHABET_END];
    size_t slots, longest = 0;
    char *text = NULL;

    if (!gguf_get_array(g, KEY("merges"), &a) || a.type != GGUF_STRING)
        return err_set(CAI_CORRUPT, err, errlen,
                       KEY("merges") " is missing or not an array of strings");
    if (a.n >= UINT32_MAX || !table_slots(&slots, a.n))
        return err_set(CAI_LIMIT, err, errlen, KEY("merges") " has %zu elements", a.n);
    for (size_t i = 0; i < a.n; i++)
        if (a.strings[i].len > longest)
            longest = a.strings[i].len;
    t->rules = mem_alloc(slots, sizeof *t->rules);
    text = mem_alloc(longest + 1, 1);
    if (!t->rules || !text) {
        st = err_nomem(err, errlen, "merges");
        goto out;
    }
    t->rules_mask = slots - 1;
    for (size_t i = 0; i < slots; i++)
        t->rules[i].pair = UINT64_MAX;
    byte_alphabet(byte_of);
    for (size_t i = 0; i < a.n; i++) {
        struct gguf_str s = a.strings[i];
        const char *gap = s.len > 1 ? memchr(s.data + 1, ' ', s.len - 1) : NULL;
        size_t n_left = 0, n_right = 0;
        int32_t left, right, both;

        if (gap) {
            size_t at = (size_t)(gap - s.data);
            n_left = byte_level_decode(text, byte_of, s.data, at);
            n_right = byte_level_decode(text + n_left, byte_of, gap + 1, s.len - at - 1);
        }
        if (n_left == 0 || n_right == 0) {
            st = err_set(CAI_CORRUPT, err, errlen,
                         "merge %zu is not two byte-level texts", i);
            goto out;
        }
        left = token_map_find(t, &t->text, text, n_left);
        right = token_map_find(t, &t->text, text + n_left, n_right);
        both = token_map_find(t, &t->text, text, n_left + n_right);
        if (left < 0 || right < 0 || both < 0) {
            st = err_set(CAI_CORRUPT, err, errlen,
                         "merge %zu names a text that is not an ordinary token", i);
            goto out;
        }
        st = add_rule(t, (struct merge_rule){(uint64_t)(uint32_t)left << 32 |
                                                 (uint32_t)right,
                                             (uint32_t)i, both});
        if (st != CAI_OK) {
            err_set(st, err, errlen, "the merges collide with each other at %zu", i);
            goto out;
        }
    }
out:
    mem_free(text);
    return st;
}

/* Scores as keys: the higher the score, the lower the key. */
static enum cai_status build_keys(struct tokenizer *t, const struct gguf *g, char *err,
                                  size_t errlen)
{
    struct gguf_array a;

    if (!gguf_get_array(g, KEY("scores"), &a) || a.type != GGUF_F32)
        return err_set(CAI_CORRUPT, err, errlen,
                       KEY("scores") " is missing or not an array of F32");
    if (a.n != t->n_vocab)
        return err_set(CAI_CORRUPT, err, errlen,
                       KEY("scores") " has %zu elements, the vocabulary %zu", a.n,
                       t->n_vocab);
    t->key = mem_alloc(t->n_vocab, sizeof *t->key);
    if (!t->key)
        return err_nomem(err, errlen, "scores");
    for (size_t i = 0; i < a.n; i++) {
        float score = (float)gguf_array_num(&a, i) + 0.0f; /* no negative zero */
        uint32_t bits;
        if (!isfinite(score))
            return err_set(CAI_CORRUPT, err, errlen, "the score of token %zu is %g", i,
                           (double)score);
        memcpy(&bits, &score, sizeof bits);
        t->key[i] = bits & 0x80000000u ? bits : ~(bits | 0x80000000u);
    }
    return CAI_OK;
}

static enum cai_status read_kind(struct tokenizer *t, const struct gguf *g, char *err,
                                 size_t errlen)
{
    struct gguf_str model, pre = {"default", 7};

    if (!gguf_get_str(g, KEY("model"), &model))
        return err_set(CAI_CORRUPT, err, errlen, KEY("model") " is missing");
    if (model.len == 5 && memcmp(model.data, "llama", 5) == 0) {
        t->spm = 1;
        t->adds_bos = t->adds_space = 1;
        snprintf(t->name, sizeof t->name, "llama");
    } else if (model.len == 4 && memcmp(model.data, "gpt2", 4) == 0) {
        gguf_get_str(g, KEY("pre"), &pre);
        t->pre = pre_tokenizer_find(pre.data, pre.len);
        if (!t->pre)
            return err_set(CAI_UNSUPPORTED, err, errlen,
                           "pre-tokenizer \"%.*s\" is not supported; supported are %s",
                           (int)(pre.len < 40 ? pre.len : 40), pre.data,
                           pre_tokenizer_names());
        t->adds_bos = t->pre->adds_bos;
        snprintf(t->name, sizeof t->name, "gpt2/%s", t->pre->name);
    } else {
        return err_set(CAI_UNSUPPORTED, err, errlen,
                       "tokenizer model \"%.*s\" is not supported; supported are gpt2 "
                       "(byte-level BPE) and llama (SPM)",
                       (int)(model.len < 40 ? model.len : 40), model.data);
    }
    gguf_get_bool(g, KEY("add_bos_token"), &t->adds_bos);
    if (t->spm)
        gguf_get_bool(g, KEY("add_space_prefix"), &t->adds_space);
    return CAI_OK;
}

enum cai_status tokenizer_new(struct tokenizer **dst, const struct gguf *g, char *err,
                              size_t errlen)
{
    enum cai_status st;
    struct gguf_array tokens;
    struct tokenizer *t = mem_alloc(1, sizeof *t);

    *dst = NULL;
    if (!t) {
        st = err_nomem(err, errlen, "tokenizer");
        goto out;
    }
    t->bos = t->eos = t->eot = -1;
    for (int b = 0; b < 256; b++)
        t->byte_id[b] = -1;
    st = read_kind(t, g, err, errlen);
    if (st != CAI_OK)
        goto out;
    if (!gguf_get_array(g, KEY("tokens"), &tokens) || tokens.type != GGUF_STRING ||
        tokens.n == 0) {
        st = err_set(CAI_CORRUPT, err, errlen,
                     KEY("tokens") " is missing, empty or not an array of strings");
        goto out;
    }
    if (tokens.n > INT32_MAX - 1) {
        st = err_set(CAI_LIMIT, err, errlen, KEY("tokens") " has %zu elements", tokens.n);
        goto out;
    }
    t->n_vocab = tokens.n;
    t->type = mem_alloc(t->n_vocab, 1);
    t->eog = mem_alloc(t->n_vocab, 1);
    if (!t->type || !t->eog) {
        st = err_nomem(err, errlen, "vocabulary");
        goto out;
    }
    st = read_types(t, g, err, errlen);
    if (st == CAI_OK)
        st = build_pieces(t, &tokens, err, errlen);
    if (st == CAI_OK)
        st = read_special(t, g, err, errlen);
    if (st == CAI_OK)
        st = build_maps(t, err, errlen);
    if (st == CAI_OK)
        st = t->spm ? build_keys(t, g, err, errlen) : build_rules(t, g, err, errlen);
    if (st != CAI_OK)
        goto out;
    *dst = t;
    t = NULL;
out:
    if (st != CAI_OK)
        err_prefix(err, errlen, gguf_path(g));
    tokenizer_free(t);
    return st;
}

void tokenizer_free(struct tokenizer *t)
{
    if (!t)
        return;
    mem_free(t->bytes);
    mem_free(t->at);
    mem_free(t->type);
    mem_free(t->eog);
    mem_free(t->text.slot);
    mem_free(t->literal.slot);
    mem_free(t->rules);
    mem_free(t->key);
    mem_free(t->named);
    mem_free(t);
}

/* ------------------------------------------------------------------ encoding */

/* The longest user-defined run of whitespace at s, -1 when there is none. */
static int32_t literal_at(const struct tokenizer *t, const char *s, size_t len, size_t *n)
{
    size_t run = 0;

    while (run < len && run < t->literal.max_len && is_blank_run(s + run, 1))
        run++;
    for (*n = run; *n > 0; --*n) {
        int32_t id = token_map_find(t, &t->literal, s, *n);
        if (id >= 0)
            return id;
    }
    return -1;
}

static enum cai_status encode_stretch(struct encoder *e, size_t begin, size_t end,
                                      size_t *bad_at)
{
    if (begin == end)
        return CAI_OK;
    return e->t->spm ? spm_encode(e, begin, end, bad_at)
                     : bpe_encode(e, begin, end, bad_at);
}

/* prefix: number of spaces put in front, 0 or 1. */
static enum cai_status encode(const struct tokenizer *t, const char *text, size_t len,
                              size_t prefix, int32_t **ids, size_t *n, char *err,
                              size_t errlen)
{
    enum cai_status st = CAI_OK;
    struct encoder e = {.t = t, .text = text};
    char *spaced = NULL;
    size_t begin = 0, bad_at = 0;
    int32_t *fit;

    *ids = NULL;
    *n = 0;
    if (len > TOKENIZER_TEXT_MAX)
        return err_set(CAI_LIMIT, err, errlen,
                       "a text of %zu bytes; at most %d can be tokenised", len,
                       TOKENIZER_TEXT_MAX);
    e.ids = mem_alloc(len + 1, sizeof *e.ids);
    if (prefix)
        spaced = mem_alloc(len + 1, 1);
    if (!e.ids || (prefix && !spaced)) {
        st = CAI_NOMEM;
        goto out;
    }
    if (prefix) {
        spaced[0] = ' ';
        memcpy(spaced + 1, text, len);
        e.text = spaced;
        len++;
    }
    for (size_t i = 0; t->literal.max_len && i < len;) {
        size_t used;
        int32_t id = literal_at(t, e.text + i, len - i, &used);
        if (id < 0) {
            i++;
            continue;
        }
        st = encode_stretch(&e, begin, i, &bad_at);
        if (st != CAI_OK)
            goto out;
        e.ids[e.n_ids++] = id;
        i += used;
        begin = i;
    }
    st = encode_stretch(&e, begin, len, &bad_at);
    if (st != CAI_OK)
        goto out;
    fit = mem_resize(e.ids, e.n_ids, sizeof *fit);
    *ids = fit ? fit : e.ids;
    *n = e.n_ids;
    e.ids = NULL;
out:
    if (st == CAI_NOMEM)
        err_nomem(err, errlen, "tokenizer");
    if (st == CAI_UNSUPPORTED)
        err_set(st, err, errlen,
                "byte 0x%02x at offset %zu has no token in this vocabulary; remove it",
                (unsigned char)e.text[bad_at], bad_at - prefix);
    mem_free(e.ids);
    mem_free(e.sym);
    mem_free(e.heap);
    mem_free(spaced);
    return st;
}

enum cai_status tokenizer_encode(const struct tokenizer *t, const char *text, size_t len,
                                 int32_t **ids, size_t *n, char *err, size_t errlen)
{
    return encode(t, text, len, t->adds_space && len > 0, ids, n, err, errlen);
}

enum cai_status tokenizer_encode_rest(const struct tokenizer *t, const char *text,
                                      size_t len, int32_t **ids, size_t *n, char *err,
                                      size_t errlen)
{
    return encode(t, text, len, 0, ids, n, err, errlen);
}

/* ------------------------------------------------------------------ questions */

const char *tokenizer_piece(const struct tokenizer *t, int32_t id, size_t *len)
{
    if (id < 0 || (size_t)id >= t->n_vocab) {
        *len = 0;
        return NULL;
    }
    return piece(t, id, len);
}

int32_t tokenizer_control(const struct tokenizer *t, const char *name, size_t len)
{
    for (size_t i = 0; i < t->n_named; i++) {
        size_t n;
        const char *s = piece(t, t->named[i], &n);
        if (n == len && memcmp(s, name, len) == 0)
            return t->named[i];
    }
    return -1;
}

const char *tokenizer_name(const struct tokenizer *t)
{
    return t->name;
}

size_t tokenizer_n_vocab(const struct tokenizer *t)
{
    return t->n_vocab;
}

int32_t tokenizer_bos(const struct tokenizer *t)
{
    return t->bos;
}

int32_t tokenizer_eos(const struct tokenizer *t)
{
    return t->eos;
}

int32_t tokenizer_eot(const struct tokenizer *t)
{
    return t->eot;
}

int tokenizer_adds_bos(const struct tokenizer *t)
{
    return t->adds_bos && t->bos >= 0;
}

int tokenizer_adds_space(const struct tokenizer *t)
{
    return t->adds_space;
}

int tokenizer_is_eog(const struct tokenizer *t, int32_t id)
{
    return id >= 0 && (size_t)id < t->n_vocab && t->eog[id];
}

int tokenizer_is_control(const struct tokenizer *t, int32_t id)
{
    return id >= 0 && (size_t)id < t->n_vocab &&
           (t->type[id] == TOKEN_CONTROL || t->type[id] == TOKEN_UNKNOWN);
}

/*
 * tokenizer_pre.h: cutting text into the pieces inside which BPE merges.
 *
 * Each published pre-tokenizer is a list of regular expressions, each applied inside the
 * pieces the one before left: its matches and the gaps between them become the new
 * pieces. The expressions are written out as scanners over code points, so every split is
 * linear in the text. An invalid byte counts as one character that is neither letter,
 * number, punctuation nor space.
 */
#ifndef MODEL_TOKENIZER_PRE_H
#define MODEL_TOKENIZER_PRE_H

#include <stddef.h>
#include <stdint.h>

enum { PRE_PASSES_MAX = 4 };

struct pre_char {
    uint32_t cp;    /* code point; UINT32_MAX for an invalid byte */
    uint32_t at;    /* byte offset */
    uint32_t class; /* PRE_LETTER, ... or 0 */
};

enum {
    PRE_LETTER = 1, /* \p{L} */
    PRE_NUMBER = 2, /* \p{N} */
    PRE_PUNCT = 4,  /* \p{P} */
    PRE_SPACE = 8,  /* \s: the White_Space property */
};

/* Length in characters of the match at c[i], looking no further than c[end]; 0: none. */
typedef size_t pre_scan(const struct pre_char *c, size_t i, size_t end);

struct pre_tokenizer {
    const char *name;                   /* tokenizer.ggml.pre */
    int ignore_merges;                  /* a piece that is a token needs no merging */
    int adds_bos;                       /* when the file does not say */
    pre_scan *pass[PRE_PASSES_MAX + 1]; /* NULL-terminated */
};

/* NULL when there is none of this name. */
const struct pre_tokenizer *pre_tokenizer_find(const char *name, size_t len);
const char *pre_tokenizer_names(void); /* "smollm, starcoder, ..." */

/* c (at least len) = the characters of text; returns their number. */
size_t pre_decode(struct pre_char *c, const char *text, size_t len);
/* ends (at least n) = end of each piece, in characters; returns the number of pieces. */
size_t pre_split(const struct pre_tokenizer *p, const struct pre_char *c, size_t n,
                 size_t *ends);

#endif

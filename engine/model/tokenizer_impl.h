/*
 * tokenizer_impl.h: what the files of the tokenizer share; nobody else includes it.
 *
 * Both kinds of vocabulary merge neighbours, always the pair of the lowest key, the
 * leftmost of equals: BPE's key is the rank of a merge, SPM's comes from the score of the
 * token a pair makes. A heap of candidate pairs over a linked list of symbols makes that
 * O(n log n); a candidate whose symbols changed since is recognised by its length.
 */
#ifndef MODEL_TOKENIZER_IMPL_H
#define MODEL_TOKENIZER_IMPL_H

#include <stddef.h>
#include <stdint.h>

#include "model/gguf.h"
#include "model/tokenizer.h"
#include "model/tokenizer_pre.h"

enum token_type { /* as in the file */
                  TOKEN_NORMAL = 1,
                  TOKEN_UNKNOWN = 2,
                  TOKEN_CONTROL = 3,
                  TOKEN_USER_DEFINED = 4,
                  TOKEN_UNUSED = 5,
                  TOKEN_BYTE = 6,
};

/* Bytes -> id, open addressing; holds ids, compares pieces. */
struct token_map {
    uint32_t *slot; /* id + 1, 0: free */
    size_t mask;    /* slots - 1 */
    size_t max_len; /* bytes of the longest entry */
};

struct merge_rule {
    uint64_t pair; /* left id << 32 | right id; UINT64_MAX: free */
    uint32_t rank;
    int32_t id; /* what the pair becomes */
};

struct tokenizer {
    int spm;
    const struct pre_tokenizer *pre; /* NULL for SPM */
    char name[64];
    size_t n_vocab;
    char *bytes;              /* pieces, one after the other */
    uint32_t *at;             /* (n_vocab + 1) piece i is bytes[at[i] .. at[i + 1]) */
    uint8_t *type;            /* (n_vocab) enum token_type */
    uint8_t *eog;             /* (n_vocab) */
    struct token_map text;    /* pieces that text can become */
    struct token_map literal; /* user-defined runs of whitespace, matched first */
    int32_t byte_id[256];     /* -1: the vocabulary cannot say this byte */
    struct merge_rule *rules; /* BPE */
    size_t rules_mask;
    uint32_t *key;  /* SPM: (n_vocab) lower is merged earlier */
    int32_t *named; /* (n_named) control and user-defined ids */
    size_t n_named;
    int32_t bos, eos, eot;
    int adds_bos, adds_space;
};

struct merge_symbol {
    uint32_t begin, len; /* bytes; len 0: swallowed by its left neighbour */
    uint32_t prev, next; /* UINT32_MAX: none */
    int32_t id;          /* -1: no token */
};

struct merge_pair {
    uint64_t order; /* key << 32 | index of the left symbol */
    uint32_t len;   /* bytes of both together */
    int32_t id;     /* what they become */
};

/* One encoding at work. */
struct encoder {
    const struct tokenizer *t;
    const char *text;
    int32_t *ids; /* room for a token per byte and one more */
    size_t n_ids;
    struct merge_symbol *sym;
    size_t n_sym, cap_sym;
    struct merge_pair *heap;
    size_t n_heap, cap_heap;
};

/* -1 when there is no such entry. */
int32_t token_map_find(const struct tokenizer *t, const struct token_map *m,
                       const char *s, size_t len);
/* NULL when left and right do not merge. */
const struct merge_rule *merge_rule_find(const struct tokenizer *t, int32_t left,
                                         int32_t right);

/* Starts a list of at most n symbols. 0: out of memory. */
int merge_begin(struct encoder *e, size_t n);
void merge_add(struct encoder *e, uint32_t begin, uint32_t len, int32_t id);
/* Merges until nothing is left to merge; symbol 0 stays the first. 0: out of memory. */
int merge_run(struct encoder *e);

/* Append the ids of text[begin, end). bad_at = offset of a byte without a token when the
 * answer is CAI_UNSUPPORTED. */
enum cai_status bpe_encode(struct encoder *e, size_t begin, size_t end, size_t *bad_at);
enum cai_status spm_encode(struct encoder *e, size_t begin, size_t end, size_t *bad_at);

#endif

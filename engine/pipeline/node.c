/*
 * node.c: the record of one generated or written text, and the words for its fields.
 *
 * Owns making, copying and freeing a cai_node. Refuses meaning: who makes nodes is
 * chain.c, who numbers and keeps them is the session. Any thread, one at a time per node.
 */
#include "pipeline/node.h"

#include <string.h>

#include "base/mem.h"

const char *cai_node_kind_name(enum cai_node_kind k)
{
    static const char *const names[CAI_NODE_KINDS] = {"initial", "critique", "revision"};
    return (size_t)k < CAI_NODE_KINDS ? names[k] : "unknown";
}

const char *cai_finish_name(enum cai_finish f)
{
    static const char *const names[] = {"eos", "stop", "length", "cancelled", "human"};
    return (size_t)f < sizeof names / sizeof *names ? names[f] : "unknown";
}

const char *cai_layout_name(enum cai_layout l)
{
    static const char *const names[] = {"chat", "paper"};
    return (size_t)l < sizeof names / sizeof *names ? names[l] : "unknown";
}

const char *cai_against_name(enum cai_against a)
{
    static const char *const names[] = {"opposite", "none"};
    return (size_t)a < sizeof names / sizeof *names ? names[a] : "unknown";
}

/* The owned strings of a node: one list for making, copying and freeing. */
static const size_t string_fields[] = {
    offsetof(struct cai_node, author),       offsetof(struct cai_node, text),
    offsetof(struct cai_node, raw),          offsetof(struct cai_node, principle),
    offsetof(struct cai_node, constitution), offsetof(struct cai_node, fewshots),
    offsetof(struct cai_node, model),        offsetof(struct cai_node, chat_template),
};
enum { N_STRINGS = sizeof string_fields / sizeof *string_fields };

static char **field_at(struct cai_node *n, size_t i)
{
    return (char **)(void *)((char *)n + string_fields[i]);
}

int node_set_string(char **field, const char *text)
{
    char *copy = mem_strdup(text);
    if (!copy)
        return 0;
    mem_free(*field);
    *field = copy;
    return 1;
}

struct cai_node *node_new(void)
{
    struct cai_node *n = mem_alloc(1, sizeof *n);
    if (!n)
        return NULL;
    for (size_t i = 0; i < N_STRINGS; i++) {
        char **field = field_at(n, i);
        *field = mem_strdup("");
        if (!*field) {
            cai_node_free(n);
            return NULL;
        }
    }
    return n;
}

void node_free_segments(struct cai_segment *segments, size_t n)
{
    for (size_t i = 0; segments && i < n; i++)
        mem_free(segments[i].text);
    mem_free(segments);
}

void cai_node_free(struct cai_node *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < N_STRINGS; i++)
        mem_free(*field_at(n, i));
    node_free_segments(n->segments, n->n_segments);
    node_free_segments(n->against, n->n_against);
    mem_free(n->tokens);
    mem_free(n->logprob);
    mem_free(n->logprob_a);
    mem_free(n->logprob_b);
    mem_free(n);
}

int node_dup_segments(struct cai_segment **dst, const struct cai_segment *src, size_t n)
{
    struct cai_segment *copy;

    *dst = NULL;
    if (n == 0)
        return 1;
    copy = mem_alloc(n, sizeof *copy);
    if (!copy)
        return 0;
    for (size_t i = 0; i < n; i++) {
        copy[i].special = src[i].special;
        copy[i].text = mem_strdup(src[i].text);
        if (!copy[i].text) {
            node_free_segments(copy, i);
            return 0;
        }
    }
    *dst = copy;
    return 1;
}

static int dup_floats(float **dst, const float *src, size_t n)
{
    *dst = src ? mem_dup(src, n * sizeof *src) : NULL;
    return !src || *dst;
}

struct cai_node *cai_node_dup(const struct cai_node *src)
{
    struct cai_node *n = mem_alloc(1, sizeof *n);
    int ok = 1;

    if (!n)
        return NULL;
    *n = *src;
    /* Nothing of the source may stay in the copy before any step can fail. */
    for (size_t i = 0; i < N_STRINGS; i++)
        *field_at(n, i) = NULL;
    n->segments = n->against = NULL;
    n->tokens = NULL;
    n->logprob = n->logprob_a = n->logprob_b = NULL;

    for (size_t i = 0; i < N_STRINGS; i++) {
        const char *s =
            *(char *const *)(const void *)((const char *)src + string_fields[i]);
        *field_at(n, i) = mem_strdup(s ? s : "");
        ok = ok && *field_at(n, i);
    }
    ok = ok && node_dup_segments(&n->segments, src->segments, src->n_segments);
    ok = ok && node_dup_segments(&n->against, src->against, src->n_against);
    if (ok && src->tokens) {
        n->tokens = mem_dup(src->tokens, src->n_tokens * sizeof *src->tokens);
        ok = n->tokens != NULL;
    }
    ok = ok && dup_floats(&n->logprob, src->logprob, src->n_tokens);
    ok = ok && dup_floats(&n->logprob_a, src->logprob_a, src->n_tokens);
    ok = ok && dup_floats(&n->logprob_b, src->logprob_b, src->n_tokens);
    if (ok)
        return n;
    cai_node_free(n);
    return NULL;
}

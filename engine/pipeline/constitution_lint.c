/*
 * constitution_lint.c: what a careful reader would point out about a constitution.
 *
 * A table of rules, each over one principle or over the whole list. Refuses repair: it
 * only says what, where and what to do. Any thread.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "pipeline/constitution.h"

/* Word trigrams of one statement, as sorted distinct hashes. */
struct trigrams {
    uint64_t *hash;
    size_t n;
};

struct lint {
    const struct cai_constitution *c;
    const char *rule; /* under way */
    struct cai_lint *problems;
    size_t n, cap;
    struct trigrams *statements; /* (count) */
    int nomem;
};

static void report(struct lint *l, size_t i, enum cai_field f, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* i = SIZE_MAX: about the file. */
static void report(struct lint *l, size_t i, enum cai_field f, const char *fmt, ...)
{
    struct cai_lint *p;
    va_list ap;

    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        p = mem_resize(l->problems, cap, sizeof *p);
        if (!p) {
            l->nomem = 1;
            return;
        }
        l->problems = p;
        l->cap = cap;
    }
    p = &l->problems[l->n++];
    memset(p, 0, sizeof *p);
    p->rule = l->rule;
    p->principle = i == SIZE_MAX ? "" : cai_constitution_get(l->c, i)->id;
    p->line = i == SIZE_MAX ? 0 : constitution_line(l->c, i, f);
    va_start(ap, fmt);
    vsnprintf(p->message, sizeof p->message, fmt, ap);
    va_end(ap);
}

static void rule_invalid_id(struct lint *l, size_t i)
{
    if (!constitution_id_is_valid(cai_constitution_get(l->c, i)->id))
        report(l, i, CAI_FIELD_ID,
               "the id must be 1 to %d letters, digits, '.', '_' or '-'",
               CONSTITUTION_ID_MAX);
}

static void rule_duplicate_id(struct lint *l, size_t i)
{
    const char *id = cai_constitution_get(l->c, i)->id;
    int first = cai_constitution_find(l->c, id);
    if (*id && first >= 0 && (size_t)first < i)
        report(l, i, CAI_FIELD_ID, "the id is also that of principle number %d",
               first + 1);
}

static void rule_missing_text(struct lint *l, size_t i)
{
    static const enum cai_field needed[] = {
        CAI_FIELD_TITLE,
        CAI_FIELD_STATEMENT,
        CAI_FIELD_OPPOSITE,
        CAI_FIELD_CRITIQUE_REQUEST,
        CAI_FIELD_REVISION_REQUEST,
        CAI_FIELD_PREFERENCE_QUESTION,
    };
    for (size_t k = 0; k < sizeof needed / sizeof *needed; k++) {
        const char *s = constitution_text(cai_constitution_get(l->c, i), needed[k]);
        if (s[strspn(s, " \t\r\n")] == '\0')
            report(l, i, needed[k], "no %s; add \"%s\"", cai_field_name(needed[k]),
                   cai_field_name(needed[k]));
    }
}

static void rule_same_opposite(struct lint *l, size_t i)
{
    const struct cai_principle *p = cai_constitution_get(l->c, i);
    if (*p->statement && strcmp(p->statement, p->opposite) == 0)
        report(l, i, CAI_FIELD_OPPOSITE, "the opposite equals the statement; reverse it");
}

static void rule_weight(struct lint *l, size_t i)
{
    const struct cai_principle *p = cai_constitution_get(l->c, i);
    if (p->enabled && !(p->weight > 0))
        report(l, i, CAI_FIELD_COUNT,
               "enabled with weight %g, so it is never drawn; give it a weight above 0 "
               "or disable it",
               p->weight);
}

/* Share of trigrams in both out of those in either. */
static double jaccard(const struct trigrams *a, const struct trigrams *b)
{
    size_t i = 0, j = 0, both = 0;
    while (i < a->n && j < b->n) {
        if (a->hash[i] == b->hash[j])
            both++, i++, j++;
        else if (a->hash[i] < b->hash[j])
            i++;
        else
            j++;
    }
    return a->n && b->n ? (double)both / (double)(a->n + b->n - both) : 0.0;
}

static void rule_near_duplicate(struct lint *l, size_t i)
{
    for (size_t j = 0; j < i; j++) {
        double share = jaccard(&l->statements[i], &l->statements[j]);
        if (share > 0.5)
            report(l, i, CAI_FIELD_STATEMENT,
                   "the statement shares %.0f %% of its word triples with \"%s\"; drop "
                   "one or word it differently",
                   100 * share, cai_constitution_get(l->c, j)->id);
    }
}

static void rule_none_enabled(struct lint *l, size_t i)
{
    size_t n = cai_constitution_count(l->c);
    for (size_t k = 0; k < n; k++)
        if (cai_constitution_get(l->c, k)->enabled)
            return;
    report(l, i, CAI_FIELD_COUNT, "no principle is enabled; enable at least one");
}

enum scope { SCOPE_PRINCIPLE, SCOPE_FILE };

static const struct {
    const char *name;
    enum scope scope;
    void (*check)(struct lint *l, size_t i); /* SIZE_MAX in SCOPE_FILE */
} rules[] = {
    {"invalid-id", SCOPE_PRINCIPLE, rule_invalid_id},
    {"duplicate-id", SCOPE_PRINCIPLE, rule_duplicate_id},
    {"missing-text", SCOPE_PRINCIPLE, rule_missing_text},
    {"opposite-equals-statement", SCOPE_PRINCIPLE, rule_same_opposite},
    {"weight", SCOPE_PRINCIPLE, rule_weight},
    {"near-duplicate", SCOPE_PRINCIPLE, rule_near_duplicate},
    {"none-enabled", SCOPE_FILE, rule_none_enabled},
};

static int cmp_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Words are runs of letters, digits and bytes above ASCII, in lower case. A statement of
 * fewer than three words is one "triple" of what it has. 0 when out of memory. */
static int make_trigrams(struct trigrams *t, const char *s)
{
    uint64_t word[3] = {0, 0, 0}, h = 0;
    size_t n_words = 0, cap = strlen(s) / 2 + 1, kept = 0;

    t->hash = mem_alloc(cap, sizeof *t->hash);
    if (!t->hash)
        return 0;
    for (const char *p = s;; p++) {
        unsigned char c = (unsigned char)*p;
        if (c >= 0x80 || isalnum(c)) {
            h = (h ^ (uint64_t)tolower(c)) * 0x100000001B3u + 0x9E3779B97F4A7C15u;
            continue;
        }
        if (h) {
            word[0] = word[1];
            word[1] = word[2];
            word[2] = h;
            h = 0;
            n_words++;
            if (n_words >= 3)
                t->hash[t->n++] = (word[0] * 31 + word[1]) * 31 + word[2];
        }
        if (c == '\0')
            break;
    }
    if (t->n == 0 && n_words)
        t->hash[t->n++] = (word[0] * 31 + word[1]) * 31 + word[2];
    qsort(t->hash, t->n, sizeof *t->hash, cmp_u64);
    for (size_t i = 0; i < t->n; i++)
        if (i == 0 || t->hash[i] != t->hash[i - 1])
            t->hash[kept++] = t->hash[i];
    t->n = kept;
    return 1;
}

enum cai_status cai_constitution_lint(const struct cai_constitution *c,
                                      struct cai_lint **problems, size_t *n, char *err,
                                      size_t errlen)
{
    size_t count = cai_constitution_count(c);
    struct lint l = {.c = c};

    *problems = NULL;
    *n = 0;
    l.statements = mem_alloc(count, sizeof *l.statements);
    l.nomem = !l.statements;
    for (size_t i = 0; i < count && !l.nomem; i++)
        l.nomem = !make_trigrams(&l.statements[i], cai_constitution_get(c, i)->statement);
    for (size_t i = 0; i < count && !l.nomem; i++)
        for (size_t r = 0; r < sizeof rules / sizeof *rules; r++)
            if (rules[r].scope == SCOPE_PRINCIPLE) {
                l.rule = rules[r].name;
                rules[r].check(&l, i);
            }
    for (size_t r = 0; r < sizeof rules / sizeof *rules && !l.nomem; r++)
        if (rules[r].scope == SCOPE_FILE) {
            l.rule = rules[r].name;
            rules[r].check(&l, SIZE_MAX);
        }
    for (size_t i = 0; l.statements && i < count; i++)
        mem_free(l.statements[i].hash);
    mem_free(l.statements);
    if (l.nomem) {
        mem_free(l.problems);
        return err_nomem(err, errlen, "lint");
    }
    *problems = l.problems;
    *n = l.n;
    return CAI_OK;
}

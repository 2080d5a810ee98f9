/*
 * bench.c: speed of decode, prefill and scoring in this process; see cai_bench(). Medians
 * of several repetitions, taken in turns, since machines are noisy.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "model/forward.h"
#include "model/model.h"

enum { REPETITIONS = 7, N_DECODE = 128, N_PREFILL = 512 };

struct bench {
    struct ctx *c;
    size_t n_vocab;
    float *logits;         /* (n_vocab) */
    struct entry *entries; /* (N_PREFILL) */
};

/* Each fills a sequence and returns how many tokens that was. */
static enum cai_status decode(struct bench *b, struct seq *s, size_t *n, char *err,
                              size_t errlen)
{
    enum cai_status st = CAI_OK;
    int32_t token = 0;

    for (*n = 0; *n < N_DECODE && st == CAI_OK; ++*n) {
        b->entries[0] = (struct entry){.seq = s,
                                       .token = token,
                                       .want = ENTRY_LOGITS,
                                       .logits = b->logits};
        st = ctx_eval(b->c, b->entries, 1, err, errlen);
        token = (int32_t)ctx_model(b->c)->kernel->argmax(b->logits, b->n_vocab);
    }
    return st;
}

/* Any tokens do: the work does not depend on them. */
static void fill_prefill(struct bench *b, struct seq *s, unsigned want)
{
    for (size_t i = 0; i < N_PREFILL; i++)
        b->entries[i] = (struct entry){.seq = s,
                                       .token = (int32_t)(i * 7919 % b->n_vocab),
                                       .want = want,
                                       .target = 0,
                                       .logits = b->logits};
}

static enum cai_status prefill(struct bench *b, struct seq *s, size_t *n, char *err,
                               size_t errlen)
{
    fill_prefill(b, s, ENTRY_NOTHING);
    b->entries[N_PREFILL - 1].want = ENTRY_LOGITS;
    *n = N_PREFILL;
    return ctx_eval(b->c, b->entries, N_PREFILL, err, errlen);
}

static enum cai_status score(struct bench *b, struct seq *s, size_t *n, char *err,
                             size_t errlen)
{
    fill_prefill(b, s, ENTRY_LOGPROB);
    *n = N_PREFILL;
    return ctx_eval(b->c, b->entries, N_PREFILL, err, errlen);
}

static const struct {
    const char *name;
    enum cai_status (*run)(struct bench *b, struct seq *s, size_t *n, char *err,
                           size_t errlen);
} measures[] = {{"tg128", decode}, {"pp512", prefill}, {"score512", score}};

enum { N_MEASURES = sizeof measures / sizeof *measures };

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static enum cai_status run_once(struct bench *b, size_t k, double *tok_per_s, char *err,
                                size_t errlen)
{
    struct seq *s = seq_new(b->c);
    int64_t start_us, spent_us;
    size_t n = 0;
    enum cai_status st;

    if (!s)
        return err_nomem(err, errlen, "a sequence");
    start_us = clock_mono_us();
    st = measures[k].run(b, s, &n, err, errlen);
    spent_us = clock_mono_us() - start_us;
    *tok_per_s = (double)n * 1e6 / (double)(spent_us > 0 ? spent_us : 1);
    seq_free(s);
    return st;
}

enum cai_status cai_bench(struct cai_model *m, const char *only,
                          struct cai_bench_result *out, char *err, size_t errlen)
{
    double rate[N_MEASURES][REPETITIONS], median[N_MEASURES] = {0};
    struct bench b = {.n_vocab = m->shape.n_vocab};
    int known = only == NULL;
    enum cai_status st;

    for (size_t k = 0; k < N_MEASURES; k++)
        known |= only && strcmp(only, measures[k].name) == 0;
    if (!known)
        return err_set(CAI_INVALID, err, errlen,
                       "no measurement \"%s\"; there are tg128, pp512, score512", only);
    st = ctx_new(&b.c, m, N_PREFILL, 0, err, errlen);
    if (st != CAI_OK)
        return st;
    b.logits = mem_alloc(b.n_vocab, sizeof *b.logits);
    b.entries = mem_alloc(N_PREFILL, sizeof *b.entries);
    if (!b.logits || !b.entries)
        st = err_nomem(err, errlen, "a measurement");
    for (int i = -1; i < REPETITIONS && st == CAI_OK; i++) /* one to warm up */
        for (size_t k = 0; k < N_MEASURES && st == CAI_OK; k++)
            if (!only || strcmp(only, measures[k].name) == 0)
                st = run_once(&b, k, &rate[k][i < 0 ? 0 : i], err, errlen);
    if (st != CAI_OK)
        goto out;
    for (size_t k = 0; k < N_MEASURES; k++)
        if (!only || strcmp(only, measures[k].name) == 0) {
            qsort(rate[k], REPETITIONS, sizeof(double), by_value);
            median[k] = rate[k][REPETITIONS / 2];
        }
    out->tg128_tok_per_s = median[0];
    out->pp512_tok_per_s = median[1];
    out->score512_tok_per_s = median[2];
out:
    mem_free(b.logits);
    mem_free(b.entries);
    ctx_free(b.c);
    return st;
}

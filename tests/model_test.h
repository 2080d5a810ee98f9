/*
 * model_test.h: what the tests of the model room share: opening models, the stored
 * reference numbers, running tokens through a sequence.
 */
#ifndef TESTS_MODEL_TEST_H
#define TESTS_MODEL_TEST_H

#include "testing.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/forward.h"
#include "model/model.h"

static char err[ERR_MAX];

#define must(call)                                                                       \
    do {                                                                                 \
        err[0] = 0;                                                                      \
        if ((call) != CAI_OK)                                                            \
            fail_msg("%s: %s", #call, err);                                              \
    } while (0)

static inline struct cai_model *open_model(const char *path, const char *kernel,
                                           int n_threads)
{
    struct cai_model_options o = {.n_threads = n_threads, .kernel = kernel};
    struct cai_model *m = NULL;

    must(cai_model_open(&m, path, &o, err, sizeof err));
    return m;
}

static inline cJSON *load_json(const char *path)
{
    struct strbuf text = STRBUF_INIT(64 << 20);
    cJSON *doc = NULL;

    need_file(path);
    must(file_read(&text, path, err, sizeof err));
    must(json_parse(&doc, text.data, text.len, err, sizeof err));
    strbuf_free(&text);
    return doc;
}

/* The whole numbers of an array; caller's (mem_free). */
static inline int32_t *json_ids(const cJSON *array, size_t *n)
{
    int32_t *ids;
    const cJSON *e;

    assert_true(cJSON_IsArray(array));
    ids = mem_alloc((size_t)cJSON_GetArraySize(array) + 1, sizeof *ids);
    *n = 0;
    cJSON_ArrayForEach(e, array) ids[(*n)++] = (int32_t)e->valuedouble;
    return ids;
}

/* How far given log-probs are from the stored ones; null ones are left out. */
struct difference {
    double mean_abs, mean, max;
};

static inline struct difference compare(const float *got, const cJSON *wanted)
{
    struct difference d = {0, 0, 0};
    size_t n = 0, i = 0;
    const cJSON *e;

    cJSON_ArrayForEach(e, wanted)
    {
        if (cJSON_IsNumber(e)) {
            double x = (double)got[i] - e->valuedouble;
            if (!(fabs(x) <= d.max)) /* NaN wins */
                d.max = fabs(x);
            d.mean_abs += fabs(x);
            d.mean += x;
            n++;
        }
        i++;
    }
    assert_true(n > 0);
    d.mean_abs /= (double)n;
    d.mean /= (double)n;
    return d;
}

/* Appends ids to s, `split` at a time, log-probs of the following ids to logprob (n - 1)
 * and the last logits, when not NULL. */
static inline void feed(struct ctx *c, struct seq *s, const int32_t *ids, size_t n,
                        size_t split, float *logprob, float *logits)
{
    struct entry entries[512];

    assert_true(split <= 512);
    for (size_t i = 0; i < n;) {
        size_t k = 0;
        for (; k < split && i + k < n; k++) {
            size_t at = i + k;
            entries[k] = (struct entry){.seq = s, .token = ids[at]};
            if (logprob && at + 1 < n) {
                entries[k].want = ENTRY_LOGPROB;
                entries[k].target = ids[at + 1];
            }
            if (logits && at + 1 == n) {
                entries[k].want |= ENTRY_LOGITS;
                entries[k].logits = logits;
            }
        }
        must(ctx_eval(c, entries, k, err, sizeof err));
        for (size_t j = 0; j < k && logprob; j++)
            if (entries[j].want & ENTRY_LOGPROB)
                logprob[i + j] = entries[j].logprob;
        i += k;
    }
}

static inline struct seq *new_seq(struct ctx *c)
{
    struct seq *s = seq_new(c);
    assert_non_null(s);
    return s;
}

static inline void assert_same_bits(const float *a, const float *b, size_t n,
                                    const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(a + i, b + i, sizeof *a) != 0)
            fail_msg("%s: number %zu is %.9g, not %.9g", what, i, (double)a[i],
                     (double)b[i]);
}

#endif

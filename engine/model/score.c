/* score.c: log-probs of given text; see cai_score() in cai.h. */
#include <math.h>

#include "base/err.h"
#include "base/mem.h"
#include "model/forward.h"
#include "model/model.h"

enum { SCORE_BATCH = 512 }; /* entries at a time, which bounds their memory */

enum cai_status cai_score(struct cai_model *m, const int32_t *ids, size_t n,
                          size_t n_prefix, float *logprob, char *err, size_t errlen)
{
    struct entry entries[SCORE_BATCH];
    struct ctx *c = NULL;
    struct seq *s = NULL;
    size_t first = n_prefix ? n_prefix : 1, n_ctx = m->shape.n_ctx_train;
    enum cai_status st = CAI_OK;

    if (n > n_ctx)
        return err_set(CAI_LIMIT, err, errlen,
                       "a text of %zu tokens is longer than the context of %zu; shorten "
                       "the text",
                       n, n_ctx);
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= m->shape.n_vocab)
            return err_set(CAI_INVALID, err, errlen,
                           "token %d is outside the vocabulary of %zu", ids[i],
                           m->shape.n_vocab);
    for (size_t i = 0; i < n && i < first; i++)
        logprob[i] = NAN;
    if (n <= first)
        return CAI_OK;
    st = ctx_new(&c, m, n, n, err, errlen);
    if (st != CAI_OK)
        return st;
    s = seq_new(c);
    if (!s)
        st = err_nomem(err, errlen, "a sequence");
    for (size_t i = 0; i + 1 < n && st == CAI_OK;) {
        size_t k = 0;
        for (; k < SCORE_BATCH && i + k + 1 < n; k++) {
            int wanted = i + k + 1 >= first;
            entries[k] = (struct entry){.seq = s,
                                        .token = ids[i + k],
                                        .want = wanted ? ENTRY_LOGPROB : ENTRY_NOTHING,
                                        .target = ids[i + k + 1]};
        }
        st = ctx_eval(c, entries, k, err, errlen);
        for (size_t j = 0; j < k && st == CAI_OK; j++)
            if (entries[j].want)
                logprob[i + j + 1] = entries[j].logprob;
        i += k;
    }
    seq_free(s);
    ctx_free(c);
    return st;
}

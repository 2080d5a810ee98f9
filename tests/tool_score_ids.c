/*
 * tool_score_ids.c: MODEL [ADAPTER] < in > out, for the oracle.
 *
 * in: per sequence a u32 count and so many u32 ids; out: per sequence as many fp32
 * log-probs in nats, log P(id[i] | id[0..i-1]), NaN for the first. Little-endian. ADAPTER
 * is a PEFT folder, attached to every sequence.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "model/adapter.h"
#include "model/forward.h"

enum { COUNT_MAX = 1 << 16, BATCH = 64 };

/* The ids of one sequence: 1, 0 at the end of the input, -1 on failure. */
static int read_ids(int32_t **ids, uint32_t *n, char *err)
{
    size_t got = fread(n, 1, sizeof *n, stdin);

    *ids = NULL;
    if (got == 0)
        return 0;
    if (got == sizeof *n && *n > 0 && *n <= COUNT_MAX) {
        *ids = mem_resize(NULL, *n, sizeof **ids);
        if (*ids && fread(*ids, sizeof **ids, *n, stdin) == *n)
            return 1;
    }
    snprintf(err, ERR_MAX, "bad count, or the input ends inside a sequence");
    return -1;
}

/* logprob (n) of ids (n) on a sequence of their own. */
static enum cai_status score(struct ctx *c, const struct adapter *a, const int32_t *ids,
                             size_t n, float *logprob, char *err)
{
    struct seq *s = seq_new(c);
    enum cai_status st = CAI_OK;

    if (!s)
        return err_set(CAI_NOMEM, err, ERR_MAX, "out of memory");
    if (a)
        st = seq_set_adapter(s, a, 1.0F, err, ERR_MAX);
    logprob[0] = NAN;
    for (size_t at = 0; st == CAI_OK && at + 1 < n; at += BATCH) {
        struct entry e[BATCH];
        size_t k = 0;

        memset(e, 0, sizeof e);
        for (; k < BATCH && at + k + 1 < n; k++) {
            e[k].seq = s;
            e[k].token = ids[at + k];
            e[k].want = ENTRY_LOGPROB;
            e[k].target = ids[at + k + 1];
        }
        st = ctx_eval(c, e, k, err, ERR_MAX);
        for (size_t i = 0; st == CAI_OK && i < k; i++)
            logprob[at + i + 1] = e[i].logprob;
    }
    seq_free(s);
    return st;
}

int main(int argc, char **argv)
{
    struct cai_model_options opts = {0};
    struct cai_model *m = NULL;
    struct adapter *a = NULL;
    struct ctx *c = NULL;
    char err[ERR_MAX] = "";
    int more = -1;

    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: tool_score_ids MODEL [ADAPTER] < ids > logprobs\n");
        return 2;
    }
    if (cai_model_open(&m, argv[1], &opts, err, sizeof err) == CAI_OK &&
        (argc == 2 || adapter_load(&a, m, argv[2], err, sizeof err) == CAI_OK) &&
        ctx_new(&c, m, 0, 0, err, sizeof err) == CAI_OK)
        do {
            int32_t *ids;
            float *logprob = NULL;
            uint32_t n;

            more = read_ids(&ids, &n, err);
            if (more > 0) {
                logprob = mem_resize(NULL, n, sizeof *logprob);
                if (!logprob || score(c, a, ids, n, logprob, err) != CAI_OK ||
                    fwrite(logprob, sizeof *logprob, n, stdout) != n)
                    more = -1;
            }
            mem_free(ids);
            mem_free(logprob);
        } while (more > 0);
    if (more < 0)
        fprintf(stderr, "%s\n", err);
    ctx_free(c);
    adapter_free(a);
    cai_model_close(m);
    return more < 0 || fflush(stdout) != 0;
}

/*
 * sampler.c: see sampler.h.
 *
 * Two paths that give the same token: the whole vocabulary (no filter), and a short list
 * (guidance or filters). The list is found by scanning against falling thresholds, so
 * that only what can matter is ever sorted. Of the Gumbel values only those that could
 * win are computed: log is skipped where an upper bound from the leading bits of the
 * uniform is too small.
 */
#include "model/sampler.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/exactmath.h"
#include "base/mem.h"
#include "model/forward.h"
#include "model/model.h"

#define LN_2          0.69314718055994530942
#define LARGEST_NOISE (33 * LN_2)           /* of a 32-bit uniform, see gumbel() */
#define LOG_TWENTY    2.9957322735539909934 /* guidance looks at p >= p_max / 20 */
#define GATHER_STEP   0.125f                /* thresholds fall by this */

struct candidate {
    float p, z; /* probability, tempered logit; both over the list they came from */
    int32_t id;
};

struct sampler {
    const struct cai_model *m;
    size_t n_vocab;
    float *z;               /* (n_vocab) logits, then (logit - largest) / temperature */
    float *p;               /* (n_vocab) softmax of z */
    int32_t *ids;           /* (n_vocab) which tokens z and p are of, when guided */
    struct candidate *list; /* (n_vocab) */
};

enum cai_status sampler_new(struct sampler **dst, const struct cai_model *m, char *err,
                            size_t errlen)
{
    struct sampler *s = mem_alloc(1, sizeof *s);

    *dst = NULL;
    if (s) {
        s->m = m;
        s->n_vocab = m->shape.n_vocab;
        s->z = mem_aligned(64, s->n_vocab * sizeof *s->z);
        s->p = mem_aligned(64, s->n_vocab * sizeof *s->p);
        s->ids = mem_alloc(s->n_vocab, sizeof *s->ids);
        s->list = mem_alloc(s->n_vocab, sizeof *s->list);
    }
    if (!s || !s->z || !s->p || !s->ids || !s->list) {
        sampler_free(s);
        return err_nomem(err, errlen, "a sampler");
    }
    *dst = s;
    return CAI_OK;
}

void sampler_free(struct sampler *s)
{
    if (!s)
        return;
    mem_free(s->z);
    mem_free(s->p);
    mem_free(s->ids);
    mem_free(s->list);
    mem_free(s);
}

enum cai_status sampling_check(const struct cai_sampling *how, char *err, size_t errlen)
{
    if (!(how->temperature == 0 || (how->temperature >= 0.01 && how->temperature <= 100)))
        return err_set(CAI_INVALID, err, errlen,
                       "temperature %g; choose 0 (greedy) or 0.01 to 100",
                       how->temperature);
    if (how->top_k < 0)
        return err_set(CAI_INVALID, err, errlen,
                       "top-k %d; choose 0 (off) or a positive number", how->top_k);
    if (!(how->top_p > 0 && how->top_p <= 1))
        return err_set(CAI_INVALID, err, errlen, "top-p %g; choose above 0 up to 1 (off)",
                       how->top_p);
    if (!(how->min_p >= 0 && how->min_p <= 1))
        return err_set(CAI_INVALID, err, errlen, "min-p %g; choose 0 (off) to 1",
                       how->min_p);
    return CAI_OK;
}

/* ------------------------------------------------------------------ noise */

/* -log(-log u), u = (word + 1/2) / 2^32: a standard Gumbel variable. */
static double gumbel(uint32_t word)
{
    return -exact_log(-exact_log(((double)word + 0.5) * 0x1p-32));
}

/* Not less than gumbel(word): with k leading ones, 1 - u >= 2^-(k+1), and -log u >= 1 -
 * u.
 */
static double gumbel_bound(uint32_t word)
{
    return ((~word ? __builtin_clz(~word) : 32) + 1) * LN_2;
}

struct best {
    double value;
    int32_t id;
    size_t at; /* index into the list */
};

static void consider(struct best *best, float z, uint32_t word, int32_t id, size_t at)
{
    double value;

    if (!((double)z + gumbel_bound(word) >= best->value))
        return;
    value = (double)z + gumbel(word);
    if (value > best->value || (value == best->value && id < best->id))
        *best = (struct best){value, id, at};
}

/* Winner among all tokens; z is indexed by token id. */
static int32_t draw_from_all(const struct sampler *s, const struct rng_stream *stream,
                             uint32_t position, size_t largest)
{
    struct best best = {-INFINITY, INT32_MAX, 0};
    size_t n = s->n_vocab;

    /* The likeliest token first: it sets the mark the others must reach. */
    consider(&best, s->z[largest], rng_u32(stream, position, (uint32_t)largest),
             (int32_t)largest, 0);
    for (size_t i = 0; i < n; i += 4) {
        size_t end = i + 4 < n ? i + 4 : n;
        float low = (float)(best.value - LARGEST_NOISE - 1), top = s->z[i];
        uint32_t words[4];
        for (size_t j = i + 1; j < end; j++)
            top = s->z[j] > top ? s->z[j] : top;
        if (top < low)
            continue;
        rng_block(words, stream, position, (uint32_t)(i / 4));
        for (size_t j = i; j < end; j++)
            consider(&best, s->z[j], words[j - i], (int32_t)j, 0);
    }
    return best.id;
}

static size_t draw_from_list(const struct sampler *s, size_t n,
                             const struct rng_stream *stream, uint32_t position)
{
    struct best best = {-INFINITY, INT32_MAX, 0};

    for (size_t i = 0; i < n; i++)
        consider(&best, s->list[i].z, rng_u32(stream, position, (uint32_t)s->list[i].id),
                 s->list[i].id, i);
    return best.at;
}

/* ------------------------------------------------------------------ filters */

static int by_probability(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->p != y->p)
        return x->p < y->p ? 1 : -1;
    return (x->id > y->id) - (x->id < y->id);
}

/* Puts the tokens with p >= threshold (and p > 0) into the list; returns how many. */
static size_t gather(struct sampler *s, size_t n, const int32_t *ids, float threshold,
                     double *mass)
{
    size_t k = 0;

    if (!(threshold > 0))
        threshold = FLT_TRUE_MIN;
    *mass = 0;
    for (size_t i = 0; i < n; i++)
        if (s->p[i] >= threshold) {
            s->list[k++] =
                (struct candidate){s->p[i], s->z[i], ids ? ids[i] : (int32_t)i};
            *mass += (double)s->p[i];
        }
    return k;
}

/* Fills the list with what top-k, top-p and min-p leave of n tokens; returns how many, at
 * least one. p_max: the largest probability. */
static size_t filter(struct sampler *s, const struct cai_sampling *how, size_t n,
                     const int32_t *ids, float p_max)
{
    size_t top_k = how->top_k ? (size_t)how->top_k : SIZE_MAX, k, kept;
    float threshold = p_max * GATHER_STEP, floor_p = (float)(how->min_p * (double)p_max);
    double mass = 0, goal;

    if (how->top_k == 0 && how->top_p >= 1)
        return gather(s, n, ids, floor_p, &mass);
    k = gather(s, n, ids, threshold, &mass);
    while (k < top_k && mass < how->top_p && k < n && threshold > 0) {
        threshold *= GATHER_STEP;
        k = gather(s, n, ids, threshold, &mass);
    }
    qsort(s->list, k, sizeof *s->list, by_probability);
    if (k > top_k)
        k = top_k;
    goal = how->top_p;
    if (how->top_k) { /* top-p is a share of what top-k leaves */
        mass = 0;
        for (size_t i = 0; i < k; i++)
            mass += (double)s->list[i].p;
        goal *= mass;
    }
    mass = 0;
    for (kept = 0; kept < k; kept++) {
        if (kept && ((how->top_p < 1 && mass >= goal) || s->list[kept].p < floor_p))
            break;
        mass += (double)s->list[kept].p;
    }
    return kept;
}

/* ------------------------------------------------------------------ drawing */

/* Log-prob of a token under raw logits; never NaN. */
static float raw_logprob(struct sampler *s, const float *logits, int32_t id)
{
    float lse = logits_lse(s->m, logits), x = logits[id];
    int infinite = 0;

    if (isfinite(lse) && !isnan(x))
        return x - lse;
    for (size_t i = 0; i < s->n_vocab; i++) /* odd numbers: +inf takes all, NaN nothing */
        infinite |= logits[i] == INFINITY;
    for (size_t i = 0; i < s->n_vocab; i++)
        s->p[i] = isnan(logits[i]) || (infinite && logits[i] < INFINITY) ? -INFINITY
                  : infinite                                             ? 0.0f
                                                                         : logits[i];
    lse = logits_lse(s->m, s->p);
    return isfinite(lse) ? s->p[id] - lse : -INFINITY;
}

/* Copies what context a allows into z and ids, with guidance; returns how many. */
static size_t guide(struct sampler *s, double guidance, const float *a, const float *b,
                    float a_max)
{
    float low = (float)((double)a_max - LOG_TWENTY), g = (float)guidance;
    size_t n = 0;

    for (size_t i = 0; i < s->n_vocab; i++)
        if (a[i] >= low) {
            s->ids[n] = (int32_t)i;
            s->z[n++] = a[i] == INFINITY ? a[i] : a[i] + g * (a[i] - b[i]);
        }
    return n;
}

/* z = (z - largest) / temperature for finite largest; when it is +inf those that are
 * +inf share everything. NaN becomes impossible. */
static void temper(float *dst, const float *z, size_t n, float largest,
                   double temperature)
{
    float factor = (float)(1 / temperature);

    if (largest == INFINITY) {
        for (size_t i = 0; i < n; i++)
            dst[i] = z[i] == INFINITY ? 0.0f : -INFINITY;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        float x = (z[i] - largest) * factor;
        dst[i] = x <= 0 ? x : -INFINITY; /* NaN fails the comparison */
    }
}

enum cai_status sampler_draw(struct sampler *s, struct sampled *out,
                             const struct cai_sampling *how, double guidance,
                             const float *a, const float *b,
                             const struct rng_stream *stream, uint32_t position,
                             char *err, size_t errlen)
{
    const struct kernel *kernel = s->m->kernel;
    int guided = b && guidance != 0, usable;
    const int32_t *ids = guided ? s->ids : NULL;
    const float *logits = guided ? s->z : a;
    size_t n = s->n_vocab, largest = kernel->argmax(a, n), k;
    float lse;
    enum cai_status st = sampling_check(how, err, errlen);

    if (st != CAI_OK)
        return st;
    if (!isfinite(guidance))
        return err_set(CAI_INVALID, err, errlen, "guidance is not a number");
    usable = a[largest] > -INFINITY; /* NaN is not */
    if (usable && guided) {
        n = guide(s, guidance, a, b, a[largest]);
        largest = kernel->argmax(s->z, n);
        usable = s->z[largest] > -INFINITY;
    }
    if (!usable)
        return err_set(CAI_CORRUPT, err, errlen,
                       "the model gave no usable logits (all NaN or -inf); its file may "
                       "be damaged");
    if (how->temperature == 0) {
        out->token = ids ? ids[largest] : (int32_t)largest;
        out->logprob = 0;
    } else {
        temper(s->z, logits, n, logits[largest], how->temperature);
        if (!guided && how->top_k == 0 && how->top_p >= 1 && how->min_p <= 0) {
            out->token = draw_from_all(s, stream, position, largest);
            out->logprob = s->z[out->token] - kernel->log_sum_exp(s->z, n);
        } else {
            memcpy(s->p, s->z, n * sizeof *s->p);
            kernel->softmax(s->p, n);
            k = filter(s, how, n, ids, s->p[largest]);
            for (size_t i = 0; i < k; i++)
                s->p[i] = s->list[i].z;
            lse = kernel->log_sum_exp(s->p, k);
            k = draw_from_list(s, k, stream, position);
            out->token = s->list[k].id;
            out->logprob = s->list[k].z - lse;
        }
    }
    out->logprob_a = raw_logprob(s, a, out->token);
    out->logprob_b = b ? raw_logprob(s, b, out->token) : 0;
    return CAI_OK;
}

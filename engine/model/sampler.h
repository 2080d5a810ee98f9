/*
 * sampler.h: from logits to a token, the same one for the same distribution and address.
 *
 * Guidance, temperature, then the filters top-k, top-p, min-p in this order, then argmax
 * of l/T + Gumbel noise keyed by token id: an edit that does not change the distribution
 * does not change the token, and a small change seldom does (architecture: counterfactual
 * coupling). Temperature 0 is the largest logit, lowest id on ties.
 *
 * Guided: l = l_a + g (l_a - l_b) among the tokens whose probability under a is at least
 * a twentieth of the best one's; g = 0 with a second context samples from a alone.
 *
 * Thread: an object belongs to one thread at a time. Test: tests/unit_sampler.c.
 */
#ifndef MODEL_SAMPLER_H
#define MODEL_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "cai.h"

struct sampler;

/* Scratch memory for the vocabulary of m, which must outlive it. */
enum cai_status sampler_new(struct sampler **dst, const struct cai_model *m, char *err,
                            size_t errlen);
void sampler_free(struct sampler *s);

struct sampled {
    int32_t token;
    float logprob;   /* nats, under the distribution it was drawn from; 0 when greedy */
    float logprob_a; /* nats, under context a alone: as cai_score() would say */
    float logprob_b; /* the same for b; 0 without b */
};

/* Draws one token.
 *
 * a, b      (n_vocab) logits of the two contexts; b NULL: not guided
 * stream    where the noise comes from; position = number of the token in its text
 *
 * -inf logits are impossible tokens, +inf ones take all; NaN ones are never drawn.
 * CAI_INVALID: a setting out of range (err names it). CAI_CORRUPT: no token is left (all
 * logits NaN or -inf). */
enum cai_status sampler_draw(struct sampler *s, struct sampled *out,
                             const struct cai_sampling *how, double guidance,
                             const float *a, const float *b,
                             const struct rng_stream *stream, uint32_t position,
                             char *err, size_t errlen);

/* Checks the settings: CAI_INVALID names the one out of range. */
enum cai_status sampling_check(const struct cai_sampling *how, char *err, size_t errlen);

#endif

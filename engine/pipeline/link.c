/*
 * link.c: see link.h. Refuses to know how links follow each other (chain.c). Thread: the
 * worker's; link_check_sampling() any.
 */
#include "pipeline/link.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "pipeline/node.h"
#include "pipeline/render.h"

enum rng_purpose link_purpose(enum cai_node_kind kind)
{
    switch (kind) {
    case CAI_NODE_INITIAL: return RNG_INITIAL;
    case CAI_NODE_CRITIQUE: return RNG_CRITIQUE;
    case CAI_NODE_REVISION: return RNG_REVISION;
    }
    return RNG_GENERATE;
}

enum cai_status link_check_sampling(const struct cai_sampling *s, char *err,
                                    size_t errlen)
{
    if (!(s->temperature == 0 || (s->temperature >= 0.01 && s->temperature <= 100)))
        return err_set(CAI_INVALID, err, errlen,
                       "temperature %g: 0 (greedy) or 0.01 to 100", s->temperature);
    if (s->top_k < 0)
        return err_set(CAI_INVALID, err, errlen, "top_k %d: 0 (off) or more", s->top_k);
    if (!(s->top_p > 0 && s->top_p <= 1))
        return err_set(CAI_INVALID, err, errlen, "top_p %g: above 0, at most 1 (off)",
                       s->top_p);
    if (!(s->min_p >= 0 && s->min_p <= 1))
        return err_set(CAI_INVALID, err, errlen, "min_p %g: from 0 (off) to 1", s->min_p);
    if (s->max_tokens < 1)
        return err_set(CAI_INVALID, err, errlen, "max_tokens %d: 1 or more",
                       s->max_tokens);
    return CAI_OK;
}

enum cai_status link_request(struct provider_request **dst, struct provider *p,
                             const struct cai_node *n, enum rng_purpose purpose,
                             char *err, size_t errlen)
{
    struct provider_request *r = mem_alloc(1, sizeof *r);

    *dst = NULL;
    if (!r)
        return err_nomem(err, errlen, "request");
    r->sampling = n->settings.sampling;
    r->stream = rng_stream_make(n->settings.seed, purpose, n->step, n->draw);
    if (n->n_against)
        r->guidance = n->settings.guidance[n->kind];
    if (strcmp(n->chat_template, LINK_PAPER) == 0)
        r->n_stops = render_paper_stops(&r->stops);
    else
        r->n_stops = p->ops->template_stops(p, &r->stops);
    if (node_dup_segments(&r->segments, n->segments, n->n_segments))
        r->n_segments = n->n_segments;
    if (node_dup_segments(&r->against, n->against, n->n_against))
        r->n_against = n->n_against;
    if (r->n_segments != n->n_segments || r->n_against != n->n_against) {
        provider_request_free(r);
        return err_nomem(err, errlen, "request");
    }
    *dst = r;
    return CAI_OK;
}

static int is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

enum cai_status link_take_result(struct cai_node *n, struct provider_result *r, char *err,
                                 size_t errlen)
{
    size_t begin = 0, end = strlen(r->raw);
    char *text;

    while (begin < end && is_space(r->raw[begin]))
        begin++;
    while (end > begin && is_space(r->raw[end - 1]))
        end--;
    text = mem_strndup(r->raw + begin, end - begin);
    if (!text)
        return err_nomem(err, errlen, "generated text");
    mem_free(n->text);
    mem_free(n->raw);
    n->text = text;
    n->raw = r->raw;
    n->trim_begin = begin;
    n->trim_len = end - begin;
    n->finish = r->finish;
    n->n_tokens = r->n_tokens;
    n->tokens = r->tokens;
    n->logprob = r->logprob;
    n->logprob_a = r->logprob_a;
    n->logprob_b = r->logprob_b;
    n->tok_per_s = r->tok_per_s;
    r->raw = NULL;
    r->tokens = NULL;
    r->logprob = r->logprob_a = r->logprob_b = NULL;
    return CAI_OK;
}

/*
 * job.c: the kinds of jobs: a chain, one text for one prompt, a replay of a stored node.
 *
 * Refuses threads and queues (engine.c). Thread: the worker's; making a job: any.
 */
#include "pipeline/job.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/chain.h"
#include "pipeline/link.h"
#include "pipeline/node.h"
#include "pipeline/render.h"

struct job *job_new(const struct job_ops *ops)
{
    struct job *j = mem_alloc(1, sizeof *j);
    if (j)
        j->ops = ops;
    return j;
}

void job_free(struct job *j)
{
    if (!j)
        return;
    chain_free(j->chain);
    cai_node_free(j->node);
    mem_free(j->prompt);
    mem_free(j->system_a);
    mem_free(j->system_b);
    mem_free(j);
}

/* ---------------------------------------------------------------- chain */

static enum cai_status chain_job_next(struct job *j, struct provider *p,
                                      struct cai_node **node,
                                      struct provider_request **request, char *err,
                                      size_t errlen)
{
    return chain_next(j->chain, p, node, request, err, errlen);
}

static enum cai_status chain_job_take(struct job *j, struct cai_node *node,
                                      struct provider_result *result, char *err,
                                      size_t errlen)
{
    return chain_take(j->chain, node, result, err, errlen);
}

const struct job_ops job_chain = {
    .next = chain_job_next,
    .take = chain_job_take,
    .event = CAI_EVENT_NODE,
    .says_started = 1,
};

/* ---------------------------------------------------------------- generate */

static int copy_or_null(char **dst, const char *src)
{
    *dst = src ? mem_strdup(src) : NULL;
    return !src || *dst;
}

enum cai_status job_set_generate(struct job *j, const struct cai_generate_job *g,
                                 char *err, size_t errlen)
{
    int guided = fabs(g->guidance) > 0;
    enum cai_status st = link_check_sampling(&g->sampling, err, errlen);

    if (st != CAI_OK)
        return st;
    if (!(fabs(g->guidance) <= 100))
        return err_set(CAI_INVALID, err, errlen, "guidance %g: -100 to 100", g->guidance);
    if (guided && !g->with && !g->without)
        return err_set(CAI_INVALID, err, errlen,
                       "guidance needs two contexts; say what they are with or without");
    cai_chain_settings_default(&j->settings);
    j->settings.sampling = g->sampling;
    j->settings.seed = g->seed;
    j->settings.guidance[CAI_NODE_INITIAL] = g->guidance;
    j->stream = g->stream;
    if (!copy_or_null(&j->prompt, g->prompt) ||
        !copy_or_null(&j->system_a, guided && g->with ? g->with : g->system) ||
        !copy_or_null(&j->system_b, guided && g->without ? g->without : g->system))
        return err_nomem(err, errlen, "prompt");
    return CAI_OK;
}

static enum cai_status generate_next(struct job *j, struct provider *p,
                                     struct cai_node **node,
                                     struct provider_request **request, char *err,
                                     size_t errlen)
{
    const struct cai_model_info *info = p->ops->info(p);
    struct cai_node *n;
    enum cai_status st;

    *node = NULL;
    *request = NULL;
    if (j->n_made)
        return CAI_OK;
    n = node_new();
    if (!n)
        return err_nomem(err, errlen, "text");
    n->settings = j->settings;
    n->time_ms = clock_wall_ms();
    st = node_set_string(&n->model, info->sha256) &&
                 node_set_string(&n->chat_template, info->chat_template)
             ? CAI_OK
             : err_nomem(err, errlen, "text");
    if (st == CAI_OK)
        st = render_turn(&n->segments, &n->n_segments, p, j->system_a, j->prompt, err,
                         errlen);
    if (st == CAI_OK && fabs(j->settings.guidance[CAI_NODE_INITIAL]) > 0)
        st = render_turn(&n->against, &n->n_against, p, j->system_b, j->prompt, err,
                         errlen);
    if (st == CAI_OK)
        st = link_request(request, p, n, RNG_GENERATE, err, errlen);
    if (st == CAI_OK)
        *node = n;
    else
        cai_node_free(n);
    return st;
}

static enum cai_status generate_take(struct job *j, struct cai_node *node,
                                     struct provider_result *result, char *err,
                                     size_t errlen)
{
    (void)j;
    return link_take_result(node, result, err, errlen);
}

const struct job_ops job_generate = {
    .next = generate_next,
    .take = generate_take,
    .event = CAI_EVENT_GENERATED,
};

/* ---------------------------------------------------------------- replay */

static enum cai_status replay_next(struct job *j, struct provider *p,
                                   struct cai_node **node,
                                   struct provider_request **request, char *err,
                                   size_t errlen)
{
    const struct cai_node *n = j->replay->node;
    const char *here = p->ops->info(p)->sha256;
    enum cai_status st;

    *node = NULL;
    *request = NULL;
    if (j->n_made)
        return CAI_OK;
    if (strcmp(n->model, here) != 0)
        return err_set(
            CAI_INVALID, err, errlen,
            "made with the model %.12s..., this one is %.12s...; open that one", n->model,
            here);
    *node = cai_node_dup(n);
    if (!*node)
        return err_nomem(err, errlen, "replay");
    st = link_request(request, p, n, link_purpose(n->kind), err, errlen);
    /* An interrupted text is compared as far as it got. */
    if (st == CAI_OK && n->finish == CAI_FINISH_CANCELLED)
        (*request)->sampling.max_tokens = (int)n->n_tokens;
    if (st != CAI_OK) {
        cai_node_free(*node);
        *node = NULL;
    }
    return st;
}

/* Index of the first byte that differs, SIZE_MAX when there is none. */
static size_t first_difference(const char *a, const char *b)
{
    size_t i = 0;
    while (a[i] && a[i] == b[i])
        i++;
    return a[i] == b[i] ? SIZE_MAX : i;
}

static enum cai_status replay_take(struct job *j, struct cai_node *node,
                                   struct provider_result *result, char *err,
                                   size_t errlen)
{
    (void)node;
    (void)err;
    (void)errlen;
    j->replay->first_diff = first_difference(j->replay->node->raw, result->raw);
    return CAI_OK;
}

const struct job_ops job_replay = {
    .next = replay_next,
    .take = replay_take,
    .event = CAI_EVENT_JOB, /* none: the caller waits */
};

/*
 * chain.c: the critique and revision method as a step machine.
 *
 * Owns the order of links, the principle of each and what they are made from: the prompt,
 * the last response and its critique (earlier critiques and requests are dropped, as in
 * the paper). Refuses storage, transport and any idea of a screen.
 *
 * Source: Bai et al. 2022, section 3.1. Thread: see chain.h. Test: tests/unit_chain.c.
 */
#include "pipeline/chain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/constitution.h"
#include "pipeline/fewshots.h"
#include "pipeline/link.h"
#include "pipeline/node.h"
#include "pipeline/render.h"

struct chain {
    char *prompt;
    struct cai_constitution *constitution; /* own copy; NULL when no link needs one */
    struct fewshots *fewshots;             /* NULL: none */
    struct cai_chain_settings settings;
    uint32_t parent; /* of the first link */
    uint32_t draw;   /* of the next link */
    uint32_t step;   /* of the next link: its depth on the path, from 0 */
    int n_left;      /* links still to be made */
    enum cai_node_kind next;
    char *response, *critique;               /* last ones on the path; NULL: none yet */
    char principle[CONSTITUTION_ID_MAX + 1]; /* of the critique to be answered */
};

/* Measured on the default model: sessions/README.md. */
void cai_chain_settings_default(struct cai_chain_settings *s)
{
    memset(s, 0, sizeof *s);
    s->layout = CAI_LAYOUT_CHAT;
    s->sampling.temperature = 0.7;
    s->sampling.top_p = 0.9;
    s->sampling.max_tokens = 96;
    s->guidance[CAI_NODE_REVISION] = 2;
    s->against = CAI_AGAINST_OPPOSITE;
}

void chain_free(struct chain *c)
{
    if (!c)
        return;
    cai_constitution_free(c->constitution);
    fewshots_free(c->fewshots);
    mem_free(c->prompt);
    mem_free(c->response);
    mem_free(c->critique);
    mem_free(c);
}

/* How many links a job asks for, or why it makes no sense. */
static enum cai_status count_links(const struct cai_chain_job *job, int *n_links,
                                   char *err, size_t errlen)
{
    const struct cai_node *last = job->n_path ? job->path[job->n_path - 1] : NULL;
    int after_critique = last && last->kind == CAI_NODE_CRITIQUE;

    if (job->make_initial && last)
        return err_set(CAI_INVALID, err, errlen,
                       "an initial response follows the prompt, not another link");
    if (!job->make_initial && !last)
        return err_set(CAI_INVALID, err, errlen,
                       "there is no response yet; make an initial one first");
    if (job->only_revision && !after_critique)
        return err_set(CAI_INVALID, err, errlen,
                       "a revision follows a critique; select one first");
    if (!job->only_revision && after_critique && job->n_steps > 0)
        return err_set(CAI_INVALID, err, errlen,
                       "the critique has no revision yet; make it first");
    if (job->n_steps < 0 || job->n_steps > 1000 || job->max_links < 0)
        return err_set(CAI_INVALID, err, errlen, "%d steps: 0 to 1000", job->n_steps);
    *n_links = !!job->make_initial + !!job->only_revision + 2 * job->n_steps;
    if (job->max_links && *n_links > job->max_links)
        *n_links = job->max_links;
    if (*n_links == 0)
        return err_set(CAI_INVALID, err, errlen, "nothing to make: 0 steps");
    return CAI_OK;
}

static enum cai_status check_guidance(const struct cai_chain_settings *s, char *err,
                                      size_t errlen)
{
    for (int k = 0; k < CAI_NODE_KINDS; k++)
        if (!(fabs(s->guidance[k]) <= 100))
            return err_set(CAI_INVALID, err, errlen, "guidance %g of the %s: -100 to 100",
                           s->guidance[k], cai_node_kind_name((enum cai_node_kind)k));
    return CAI_OK;
}

static int is_guided(const struct chain *c, enum cai_node_kind kind)
{
    return fabs(c->settings.guidance[kind]) > 0;
}

static enum cai_status copy_path(struct chain *c, const struct cai_chain_job *job,
                                 char *err, size_t errlen)
{
    for (size_t i = 0; i < job->n_path; i++) {
        const struct cai_node *n = job->path[i];
        char **field = n->kind == CAI_NODE_CRITIQUE ? &c->critique : &c->response;
        if (!node_set_string(field, n->text))
            return err_nomem(err, errlen, "chain");
        if (n->kind == CAI_NODE_CRITIQUE)
            snprintf(c->principle, sizeof c->principle, "%s", n->principle);
    }
    if (job->n_path)
        c->parent = job->path[job->n_path - 1]->id;
    c->step = (uint32_t)job->n_path;
    return CAI_OK;
}

/* What can go wrong with a constitution is said before anything is generated. */
static enum cai_status check_principles(const struct chain *c, int needed, char *err,
                                        size_t errlen)
{
    const struct cai_constitution *con = c->constitution;
    size_t i;
    enum cai_status st;

    if (!needed)
        return CAI_OK;
    if (!con)
        return err_set(CAI_INVALID, err, errlen,
                       "no constitution is active; choose one first");
    st = constitution_draw(&i, con, c->settings.principle, 0, err, errlen);
    for (i = 0;
         st == CAI_OK && !*c->settings.principle && i < cai_constitution_count(con);
         i++) {
        const struct cai_principle *p = cai_constitution_get(con, i);
        size_t same;
        if (p->enabled && p->weight > 0 && *p->id)
            st = constitution_draw(&same, con, p->id, 0, err, errlen);
    }
    return st;
}

enum cai_status chain_new(struct chain **dst, const struct cai_chain_job *job, char *err,
                          size_t errlen)
{
    struct chain *c = mem_alloc(1, sizeof *c);
    enum cai_status st;

    *dst = NULL;
    if (!c)
        return err_nomem(err, errlen, "chain");
    c->settings = job->settings;
    c->draw = job->draw;
    c->next = job->make_initial    ? CAI_NODE_INITIAL
              : job->only_revision ? CAI_NODE_REVISION
                                   : CAI_NODE_CRITIQUE;
    st = count_links(job, &c->n_left, err, errlen);
    if (st == CAI_OK)
        st = link_check_sampling(&c->settings.sampling, err, errlen);
    if (st == CAI_OK)
        st = check_guidance(&c->settings, err, errlen);
    if (st == CAI_OK && job->constitution) {
        c->constitution = cai_constitution_dup(job->constitution);
        if (!c->constitution)
            st = err_nomem(err, errlen, "constitution");
    }
    if (st == CAI_OK)
        st = check_principles(c,
                              c->n_left > 1 || c->next != CAI_NODE_INITIAL ||
                                  is_guided(c, CAI_NODE_INITIAL),
                              err, errlen);
    if (st == CAI_OK && *c->settings.fewshots)
        st = fewshots_load(&c->fewshots, job->fewshots_dir, c->settings.fewshots, err,
                           errlen);
    if (st == CAI_OK) {
        c->prompt = mem_strdup(job->prompt);
        if (!c->prompt)
            st = err_nomem(err, errlen, "chain");
    }
    if (st == CAI_OK)
        st = copy_path(c, job, err, errlen);
    if (st == CAI_OK)
        *dst = c;
    else
        chain_free(c);
    return st;
}

/* The principle of the next link; NULL for an initial response that is not guided. A
 * revision has that of its critique, unless a person wrote the critique without one. */
static enum cai_status choose_principle(struct chain *c,
                                        const struct cai_principle **principle, char *err,
                                        size_t errlen)
{
    struct rng_stream stream =
        rng_stream_make(c->settings.seed, RNG_PRINCIPLE, c->step, c->draw);
    const char *id = c->settings.principle;
    enum cai_status st;
    size_t i;

    *principle = NULL;
    if (c->next == CAI_NODE_INITIAL && !is_guided(c, CAI_NODE_INITIAL))
        return CAI_OK;
    if (c->next == CAI_NODE_REVISION && *c->principle)
        id = c->principle;
    st = constitution_draw(&i, c->constitution, id, rng_unit(&stream, 0, 0), err, errlen);
    if (st != CAI_OK)
        return st;
    *principle = cai_constitution_get(c->constitution, i);
    if (is_guided(c, c->next) && !*(*principle)->statement)
        return err_set(CAI_INVALID, err, errlen,
                       "principle \"%s\" has no statement, which guidance needs",
                       (*principle)->id);
    if (is_guided(c, c->next) && c->settings.against == CAI_AGAINST_OPPOSITE &&
        !*(*principle)->opposite)
        return err_set(CAI_INVALID, err, errlen,
                       "principle \"%s\" has no opposite, which guidance needs; write "
                       "one or guide against nothing",
                       (*principle)->id);
    return CAI_OK;
}

/* Everything of the node that is known before its text. */
static enum cai_status describe(struct chain *c, struct cai_node *n, struct provider *p,
                                const struct cai_principle *principle, char *err,
                                size_t errlen)
{
    const struct cai_model_info *info = p->ops->info(p);
    const char *family =
        c->settings.layout == CAI_LAYOUT_PAPER ? LINK_PAPER : info->chat_template;
    int shots = c->next != CAI_NODE_INITIAL;

    n->parent = c->parent;
    n->kind = c->next;
    n->settings = c->settings;
    n->step = c->step;
    n->draw = c->draw;
    n->time_ms = clock_wall_ms();
    if (!node_set_string(&n->model, info->sha256) ||
        !node_set_string(&n->chat_template, family) ||
        !node_set_string(&n->fewshots, shots ? fewshots_hash(c->fewshots) : "") ||
        !node_set_string(&n->principle, principle ? principle->id : "") ||
        !node_set_string(&n->constitution,
                         principle ? cai_constitution_hash(c->constitution) : ""))
        return err_nomem(err, errlen, "chain");
    return CAI_OK;
}

enum cai_status chain_next(struct chain *c, struct provider *p, struct cai_node **node,
                           struct provider_request **request, char *err, size_t errlen)
{
    const struct cai_principle *principle;
    struct rendered r = {0};
    struct cai_node *n;
    enum cai_status st;

    *node = NULL;
    *request = NULL;
    if (c->n_left == 0)
        return CAI_OK;
    n = node_new();
    if (!n)
        return err_nomem(err, errlen, "chain");
    st = choose_principle(c, &principle, err, errlen);
    if (st == CAI_OK)
        st = describe(c, n, p, principle, err, errlen);
    if (st == CAI_OK) {
        struct render_link link = {
            .layout = c->settings.layout,
            .kind = c->next,
            .prompt = c->prompt,
            .response = c->response,
            .critique = c->critique,
            .principle = principle,
            .fewshots = c->fewshots,
            .guided = is_guided(c, c->next),
            .against = c->settings.against,
        };
        st = render_link(&r, p, &link, err, errlen);
    }
    if (st == CAI_OK) {
        n->segments = r.segments;
        n->n_segments = r.n_segments;
        n->against = r.against;
        n->n_against = r.n_against;
        st = link_request(request, p, n, link_purpose(n->kind), err, errlen);
    }
    if (st == CAI_OK)
        *node = n;
    else
        cai_node_free(n);
    return st;
}

enum cai_status chain_take(struct chain *c, struct cai_node *node,
                           struct provider_result *result, char *err, size_t errlen)
{
    enum cai_status st = link_take_result(node, result, err, errlen);
    char **field = node->kind == CAI_NODE_CRITIQUE ? &c->critique : &c->response;

    if (st != CAI_OK)
        return st;
    if (!node_set_string(field, node->text))
        return err_nomem(err, errlen, "chain");
    if (node->kind == CAI_NODE_CRITIQUE)
        snprintf(c->principle, sizeof c->principle, "%s", node->principle);
    c->next = node->kind == CAI_NODE_CRITIQUE ? CAI_NODE_REVISION : CAI_NODE_CRITIQUE;
    c->n_left = node->finish == CAI_FINISH_CANCELLED ? 0 : c->n_left - 1;
    c->parent = 0; /* the link before it in the job: the session numbers it */
    c->draw = 0;
    c->step++;
    return CAI_OK;
}

/*
 * jobs.c: what the engine is asked to make, and what comes back.
 *
 * One job per chain. A finished link goes into the session the moment its event is taken,
 * so quitting at any time loses nothing that was acknowledged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ui.h"

enum { PATH_MAX_LINKS = 1024 };

static struct live *live_of_job(struct app *app, uint64_t job)
{
    for (int i = 0; i < APP_LIVE_MAX && job; i++)
        if (app->live[i].job == job)
            return &app->live[i];
    return NULL;
}

const struct live *job_of(const struct app *app, uint32_t chain)
{
    for (int i = 0; i < APP_LIVE_MAX; i++)
        if (app->live[i].job && app->live[i].chain == chain)
            return &app->live[i];
    return NULL;
}

int jobs_running(const struct app *app)
{
    int n = 0;

    for (int i = 0; i < APP_LIVE_MAX; i++)
        n += app->live[i].job != 0;
    return n;
}

static void live_clear(struct live *l)
{
    free(l->principle);
    buf_free(&l->text);
    memset(l, 0, sizeof *l);
}

void jobs_free(struct app *app)
{
    for (int i = 0; i < APP_LIVE_MAX; i++)
        live_clear(&app->live[i]);
}

/* The same link of the same parent again gets the next draw, so that it differs. */
static uint32_t next_draw(const struct cai_chain *c, uint32_t parent,
                          enum cai_node_kind kind)
{
    uint32_t draw = 0;

    for (size_t i = 0; i < c->n_nodes; i++) {
        const struct cai_node *n = c->nodes[i];
        if (n->parent == parent && n->kind == kind && !n->edited && n->draw >= draw)
            draw = n->draw + 1;
    }
    return draw;
}

struct plan { /* from which link, and what */
    uint32_t parent;
    int make_initial, only_revision, n_steps;
    enum cai_node_kind first;
};

static unsigned start_job(struct app *app, const struct cai_chain *c,
                          const struct plan *p)
{
    static const struct cai_node *path[PATH_MAX_LINKS];
    char dir[CONFIG_PATH_MAX + 32], err[CLI_ERR_MAX] = "";
    struct cai_chain_job job = {0};
    struct live *l = NULL;

    for (int i = 0; i < APP_LIVE_MAX && !l; i++)
        if (!app->live[i].job)
            l = &app->live[i];
    if (!l)
        return app_say(app, ROLE_WARN, "%d chains are being made; stop one first",
                       APP_LIVE_MAX);
    snprintf(dir, sizeof dir, "%s/constitutions/fewshots", app->cli->dirs->share);
    job.chain = c->id;
    job.prompt = c->prompt;
    job.n_path = p->parent ? cai_chain_path(c, p->parent, path, PATH_MAX_LINKS) : 0;
    job.path = path;
    job.make_initial = p->make_initial;
    job.n_steps = p->n_steps;
    job.only_revision = p->only_revision;
    job.draw = next_draw(c, p->parent, p->first);
    job.constitution = cai_session_constitution(app->session);
    job.fewshots_dir = dir;
    job.settings = *cai_session_settings(app->session);
    live_clear(l);
    l->chain = c->id;
    l->parent = p->parent;
    l->kind = p->first;
    l->n_wanted = (size_t)(p->make_initial + p->only_revision) + 2 * (size_t)p->n_steps;
    l->job = cai_engine_run_chain(app->engine, &job, err, sizeof err);
    if (!l->job)
        return app_error(app, err);
    app->gen++;
    chain_refresh(app);
    chain_select(app, c->id, 0, 1);
    app->chain.mode = app->chain.mode == MODE_DIFF ? MODE_DIFF : MODE_TEXT;
    app->last_spin_ms = app_now_ms(app);
    return FX_PAINT | FX_DATA;
}

/* The end of the newest line of links. */
static uint32_t newest_leaf(const struct cai_chain *c)
{
    return c->n_nodes ? c->nodes[c->n_nodes - 1]->id : 0;
}

unsigned job_step(struct app *app, int n_steps)
{
    const struct cai_chain *c = chain_current(app);
    const struct cai_node *n = chain_node(app);
    struct plan p = {0};

    if (!n && c->n_nodes)
        n = cai_chain_find(c, newest_leaf(c));
    p.parent = n ? n->id : 0;
    if (!n) {
        p.make_initial = 1;
        p.first = CAI_NODE_INITIAL;
        p.n_steps = n_steps > 1 ? n_steps : 0;
    } else if (n->kind == CAI_NODE_CRITIQUE) {
        p.only_revision = 1;
        p.first = CAI_NODE_REVISION;
        p.n_steps = n_steps - 1;
    } else {
        p.first = CAI_NODE_CRITIQUE;
        p.n_steps = n_steps;
    }
    return start_job(app, c, &p);
}

unsigned job_resample(struct app *app)
{
    const struct cai_chain *c = chain_current(app);
    const struct cai_node *n = chain_node(app);
    struct plan p = {0};

    p.parent = n->parent;
    p.first = n->kind;
    p.make_initial = n->kind == CAI_NODE_INITIAL;
    p.only_revision = n->kind == CAI_NODE_REVISION;
    p.n_steps = n->kind == CAI_NODE_CRITIQUE;
    return start_job(app, c, &p);
}

unsigned job_stop(struct app *app, uint32_t chain)
{
    int n = 0;

    for (int i = 0; i < APP_LIVE_MAX; i++) {
        struct live *l = &app->live[i];
        if (!l->job || (chain && l->chain != chain))
            continue;
        l->cancelling = 1;
        cai_engine_cancel(app->engine, l->job);
        n++;
    }
    return n ? FX_PAINT : FX_NONE;
}

static unsigned on_started(struct app *app, struct live *l, const struct cai_event *e)
{
    struct chain_view *v = &app->chain;
    int watching =
        v->chain == l->chain && !v->live && l->n_done > 0 && v->node == l->parent;

    l->started = 1;
    l->n_tokens = 0;
    buf_reset(&l->text);
    if (e->node) {
        l->kind = e->node->kind;
        free(l->principle);
        l->principle = xstrdup(e->node->principle ? e->node->principle : "");
    }
    if (watching) {
        app->gen++;
        chain_refresh(app);
        chain_select(app, l->chain, 0, 1);
    }
    return FX_PAINT | FX_DATA;
}

static unsigned on_node(struct app *app, struct live *l, struct cai_event *e)
{
    struct chain_view *v = &app->chain;
    struct cai_node *node = e->node;
    int watching = v->chain == l->chain && v->live;
    char err[CLI_ERR_MAX] = "";
    uint32_t id = 0;

    e->node = NULL;
    if (!node)
        return FX_NONE;
    node->parent = l->parent;
    if (cai_session_add_node(app->session, l->chain, node, &id, err, sizeof err) !=
        CAI_OK) {
        if (app->engine)
            cai_engine_cancel(app->engine, l->job);
        return app_error(app, err);
    }
    l->parent = id;
    l->n_done++;
    l->started = 0;
    buf_reset(&l->text);
    if (watching) {
        app->gen++;
        chain_refresh(app);
        chain_select(app, l->chain, id, 0);
    }
    return FX_PAINT | FX_DATA;
}

static unsigned on_end(struct app *app, struct live *l, const struct cai_event *e)
{
    uint32_t chain = l->chain;
    int was_live = app->chain.chain == chain && app->chain.live;
    uint32_t parent = l->parent;

    live_clear(l);
    if (was_live)
        chain_select(app, chain, parent, 0);
    if (e->status == CAI_CANCELLED)
        app_say(app, ROLE_WARN, "c%u stopped; the text so far is kept", chain);
    else if (e->status != CAI_OK)
        app_error(app, e->message);
    return FX_PAINT | FX_DATA;
}

unsigned job_event(struct app *app, struct cai_event *e)
{
    struct live *l = live_of_job(app, e->job);

    if (!l)
        return FX_NONE;
    if (e->kind == CAI_EVENT_STARTED)
        return on_started(app, l, e);
    if (e->kind == CAI_EVENT_NODE)
        return on_node(app, l, e);
    if (e->kind == CAI_EVENT_JOB)
        return on_end(app, l, e);
    if (e->text)
        buf_add(&l->text, e->text, e->text_len);
    l->n_tokens = e->n_tokens;
    l->tok_per_s = e->tok_per_s;
    app->gen++;
    return FX_PAINT;
}

/*
 * render.c: see render.h. Owns what is said to a model in which order; refuses the markup
 * of chat templates (the provider's). Thread: the worker's.
 */
#include "pipeline/render.h"

#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "pipeline/node.h"

enum { PROMPT_MAX_BYTES = 64 << 20 };

void rendered_free(struct rendered *r)
{
    node_free_segments(r->segments, r->n_segments);
    node_free_segments(r->against, r->n_against);
    memset(r, 0, sizeof *r);
}

size_t render_paper_stops(const char *const **stops)
{
    static const char *const list[] = {
        "\n\nHuman:",    "\n\nAssistant:",       "\n\nCritiqueRequest:",
        "\n\nCritique:", "\n\nRevisionRequest:", "\n\nRevision:",
    };
    *stops = list;
    return sizeof list / sizeof *list;
}

/* One of the two contexts of a link. */
struct view {
    const char *system; /* NULL: none */
    int with_critique;  /* a revision's context has critique request and critique */
};

static struct view view_a(const struct render_link *l)
{
    return (struct view){l->guided && l->principle ? l->principle->statement : NULL, 1};
}

static struct view view_b(const struct render_link *l)
{
    if (l->against == CAI_AGAINST_OPPOSITE)
        return (struct view){l->principle->opposite, 1};
    return (struct view){NULL, 0};
}

/* ---------------------------------------------------------------- chat */

struct talk {
    struct provider_message *m; /* texts are borrowed, from the link or from `owned` */
    size_t n;
    char **owned;
    size_t n_owned;
    int nomem;
};

static void say(struct talk *t, enum provider_role role, const char *text)
{
    t->m[t->n++] = (struct provider_message){role, text};
}

/* The request for a revision ends with the question it is to answer again: three turns
 * after it, a small model has forgotten it and writes about the request instead
 * (sessions/README.md has the figures). */
static void say_revision_request(struct talk *t, const char *request, const char *prompt)
{
    char *text = NULL;
    struct strbuf b = STRBUF_INIT(PROMPT_MAX_BYTES);

    if (strbuf_addf(&b, "%s\n\nThe question again: %s", request, prompt) == CAI_OK)
        text = strbuf_take(&b, NULL);
    strbuf_free(&b);
    t->owned[t->n_owned++] = text;
    t->nomem |= !text;
    say(t, PROVIDER_USER, text ? text : "");
}

static void say_fewshots(struct talk *t, const struct render_link *l)
{
    for (size_t i = 0; i < fewshots_count(l->fewshots); i++) {
        const struct fewshot *f = fewshots_get(l->fewshots, i);
        say(t, PROVIDER_USER, f->prompt);
        say(t, PROVIDER_ASSISTANT, f->response);
        say(t, PROVIDER_USER, f->critique_request);
        say(t, PROVIDER_ASSISTANT, f->critique);
        say_revision_request(t, f->revision_request, f->prompt);
        say(t, PROVIDER_ASSISTANT, f->revision);
    }
}

static enum cai_status chat(struct cai_segment **segments, size_t *n, struct provider *p,
                            const struct render_link *l, struct view v, char *err,
                            size_t errlen)
{
    size_t n_fewshots = fewshots_count(l->fewshots);
    struct talk t = {.m = mem_alloc(6 * n_fewshots + 7, sizeof *t.m),
                     .owned = mem_alloc(n_fewshots + 1, sizeof *t.owned)};
    enum cai_status st;

    if (!t.m || !t.owned) {
        st = err_nomem(err, errlen, "prompt");
        goto out;
    }
    if (v.system)
        say(&t, PROVIDER_SYSTEM, v.system);
    if (l->kind != CAI_NODE_INITIAL)
        say_fewshots(&t, l);
    say(&t, PROVIDER_USER, l->prompt);
    if (l->kind != CAI_NODE_INITIAL)
        say(&t, PROVIDER_ASSISTANT, l->response);
    if (l->kind == CAI_NODE_CRITIQUE || (l->kind == CAI_NODE_REVISION && v.with_critique))
        say(&t, PROVIDER_USER, l->principle->critique_request);
    if (l->kind == CAI_NODE_REVISION) {
        if (v.with_critique)
            say(&t, PROVIDER_ASSISTANT, l->critique);
        say_revision_request(&t, l->principle->revision_request, l->prompt);
    }
    st = t.nomem ? err_nomem(err, errlen, "prompt")
                 : p->ops->render(p, t.m, t.n, segments, n, err, errlen);
out:
    for (size_t i = 0; i < t.n_owned; i++)
        mem_free(t.owned[i]);
    mem_free(t.owned);
    mem_free(t.m);
    return st;
}

/* ---------------------------------------------------------------- transcript */

/* A turn; every text is preceded by one space, as in the paper's samples. */
static enum cai_status turn(struct strbuf *b, const char *label, const char *text)
{
    return strbuf_addf(b, "\n\n%s:%s%s", label, *text ? " " : "", text);
}

static enum cai_status transcript(struct strbuf *b, const struct render_link *l,
                                  struct view v)
{
    const struct cai_principle *pr = l->principle;
    struct {
        const char *label, *text;
    } turns[] = {
        {"Human", l->prompt},
        {"Assistant", l->kind == CAI_NODE_INITIAL ? "" : l->response},
        {"CritiqueRequest", l->kind == CAI_NODE_INITIAL ? NULL : pr->critique_request},
        {"Critique", l->kind == CAI_NODE_INITIAL    ? NULL
                     : l->kind == CAI_NODE_CRITIQUE ? ""
                                                    : l->critique},
        {"RevisionRequest", l->kind == CAI_NODE_REVISION ? pr->revision_request : NULL},
        {"Revision", l->kind == CAI_NODE_REVISION ? "" : NULL},
    };
    enum cai_status st = v.system ? strbuf_adds(b, v.system) : CAI_OK;

    for (size_t i = 0;
         l->kind != CAI_NODE_INITIAL && i < fewshots_count(l->fewshots) && st == CAI_OK;
         i++) {
        const struct fewshot *f = fewshots_get(l->fewshots, i);
        st = strbuf_addf(b,
                         "\n\nHuman: %s\n\nAssistant: %s\n\nCritiqueRequest: %s"
                         "\n\nCritique: %s\n\nRevisionRequest: %s\n\nRevision: %s",
                         f->prompt, f->response, f->critique_request, f->critique,
                         f->revision_request, f->revision);
    }
    if (l->kind == CAI_NODE_REVISION && !v.with_critique)
        turns[2].text = turns[3].text = NULL;
    for (size_t i = 0; i < sizeof turns / sizeof *turns && st == CAI_OK; i++)
        if (turns[i].text)
            st = turn(b, turns[i].label, turns[i].text);
    return st;
}

static enum cai_status paper(struct cai_segment **segments, size_t *n,
                             const struct render_link *l, struct view v, char *err,
                             size_t errlen)
{
    struct strbuf b = STRBUF_INIT(PROMPT_MAX_BYTES);
    enum cai_status st = transcript(&b, l, v);
    struct cai_segment *one = mem_alloc(1, sizeof *one);

    if (st == CAI_OK && one)
        one->text = strbuf_take(&b, NULL);
    strbuf_free(&b);
    if (!one || !one->text) {
        mem_free(one);
        return st == CAI_LIMIT ? err_set(st, err, errlen, "the prompt is over %d bytes",
                                         PROMPT_MAX_BYTES)
                               : err_nomem(err, errlen, "prompt");
    }
    *segments = one;
    *n = 1;
    return CAI_OK;
}

/* ---------------------------------------------------------------- */

static enum cai_status render_view(struct cai_segment **segments, size_t *n,
                                   struct provider *p, const struct render_link *l,
                                   struct view v, char *err, size_t errlen)
{
    switch (l->layout) {
    case CAI_LAYOUT_CHAT: return chat(segments, n, p, l, v, err, errlen);
    case CAI_LAYOUT_PAPER: return paper(segments, n, l, v, err, errlen);
    }
    return err_set(CAI_INVALID, err, errlen, "no such layout");
}

enum cai_status render_link(struct rendered *dst, struct provider *p,
                            const struct render_link *link, char *err, size_t errlen)
{
    struct rendered r = {0};
    enum cai_status st =
        render_view(&r.segments, &r.n_segments, p, link, view_a(link), err, errlen);

    if (st == CAI_OK && link->guided)
        st = render_view(&r.against, &r.n_against, p, link, view_b(link), err, errlen);
    if (st == CAI_OK)
        *dst = r;
    else
        rendered_free(&r);
    return st;
}

enum cai_status render_turn(struct cai_segment **segments, size_t *n, struct provider *p,
                            const char *system, const char *prompt, char *err,
                            size_t errlen)
{
    struct provider_message m[2] = {{PROVIDER_SYSTEM, system}, {PROVIDER_USER, prompt}};
    return p->ops->render(p, system ? m : m + 1, system ? 2 : 1, segments, n, err,
                          errlen);
}

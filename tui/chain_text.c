/*
 * chain_text.c: what the text pane of the chain screen says about a link: the text
 * itself, its difference from the response before, the prompt as sent, how it was made.
 *
 * A text is made again only when the data, the selection, the mode or the width changed.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "action.h"
#include "diff.h"
#include "ui.h"

const struct cai_node *chain_before(const struct cai_chain *c, const struct cai_node *n)
{
    const struct cai_node *at = n;

    if (!c || !n || n->kind != CAI_NODE_REVISION)
        return NULL;
    while (at && at->parent) {
        at = cai_chain_find(c, at->parent);
        if (at && at->kind != CAI_NODE_CRITIQUE)
            return at;
    }
    return NULL;
}

/* ---------------------------------------------------------------- text */

/* hash: the version the principle was drawn from. */
static void make_statement(const struct app *app, struct doc *d, const char *principle,
                           const char *hash)
{
    const struct cai_constitution *k = cai_session_constitution(app->session);
    int i = k && principle && principle[0] ? cai_constitution_find(k, principle) : -1;

    if (i < 0)
        return;
    doc_str(d, ROLE_DIM, cai_constitution_get(k, (size_t)i)->statement);
    if (hash && strcmp(cai_constitution_hash(k), hash) != 0)
        doc_str(d, ROLE_DIM, " (as it reads now)");
    doc_str(d, ROLE_DIM, "\n\n");
}

static void key_line(struct doc *d, const char *action, const char *says)
{
    char keys[64];

    action_keys((size_t)action_find(action), keys, sizeof keys);
    if (strcmp(action, "step") == 0 && strstr(keys, "Enter"))
        snprintf(keys, sizeof keys, "Enter");
    keys[strcspn(keys, " ")] = '\0';
    doc_str(d, ROLE_TEXT, "\n  ");
    doc_str(d, ROLE_KEY, keys);
    for (size_t i = strlen(keys); i < 7; i++)
        doc_str(d, ROLE_TEXT, " ");
    doc_str(d, ROLE_DIM, says);
}

static void make_text(const struct app *app, struct doc *d, const struct cai_chain *c,
                      const struct cai_node *n, const struct live *l)
{
    if (l) {
        if (l->kind == CAI_NODE_CRITIQUE)
            make_statement(app, d, l->principle, NULL);
        doc_str(d, ROLE_TEXT, buf_str(&l->text));
    } else if (n) {
        if (n->kind == CAI_NODE_CRITIQUE)
            make_statement(app, d, n->principle, n->constitution);
        doc_str(d, ROLE_TEXT, n->text);
        if (!n->text[0])
            doc_str(d, ROLE_DIM, "(empty)");
    } else {
        doc_str(d, ROLE_TEXT, c->prompt);
        if (c->n_nodes == 0 && !job_of(app, c->id)) {
            doc_str(d, ROLE_TEXT, "\n");
            key_line(d, "step", "get the model's first response");
            key_line(d, "edit", "change this prompt");
            key_line(d, "new-chain", "begin with another one");
        }
    }
}

/* ---------------------------------------------------------------- diff */

static void add_marked(struct doc *d, enum diff_kind kind, const char *s, size_t len)
{
    enum role role = kind == DIFF_ADDED ? ROLE_ADDED : ROLE_REMOVED;

    doc_str(d, role, kind == DIFF_ADDED ? "{+" : "[-");
    doc_add(d, role, 0, s, len);
    doc_str(d, role, kind == DIFF_ADDED ? "+}" : "-]");
}

static void make_stacked(struct doc *d, const struct diff *x, const char *a,
                         const char *b)
{
    for (size_t i = 0; i < x->n; i++) {
        const struct diff_run *r = &x->v[i];
        if (r->kind == DIFF_SAME) {
            doc_add(d, ROLE_TEXT, 0, a + r->at, r->len);
            continue;
        }
        if (i == 0 || x->v[i - 1].kind == DIFF_SAME)
            doc_stop(d);
        add_marked(d, r->kind, (r->kind == DIFF_REMOVED ? a : b) + r->at, r->len);
    }
}

static size_t lines_since(struct wrap *w, const struct doc *d, size_t from, int cols)
{
    wrap_build(w, buf_str(&d->text) + from, d->text.len - from, cols);
    return w->n;
}

/* Both sides get blank lines where they are shorter, so that a common line break stands
 * on one row. */
static void level(struct doc *old, struct doc *new, size_t *old_at, size_t *new_at,
                  int cols, struct wrap *w)
{
    size_t n_old = lines_since(w, old, *old_at, cols);
    size_t n_new = lines_since(w, new, *new_at, cols);

    for (; n_old < n_new; n_old++)
        doc_str(old, ROLE_TEXT, "\n");
    for (; n_new < n_old; n_new++)
        doc_str(new, ROLE_TEXT, "\n");
    doc_str(old, ROLE_TEXT, "\n");
    doc_str(new, ROLE_TEXT, "\n");
    *old_at = old->text.len;
    *new_at = new->text.len;
}

static void make_sides(struct doc *old, struct doc *new, const struct diff *x,
                       const char *a, const char *b, int cols)
{
    size_t old_at = 0, new_at = 0;
    struct wrap w = {0};

    for (size_t i = 0; i < x->n; i++) {
        const struct diff_run *r = &x->v[i];
        if (r->kind != DIFF_SAME) {
            if (i == 0 || x->v[i - 1].kind == DIFF_SAME) {
                doc_stop(old);
                doc_stop(new);
            }
            add_marked(r->kind == DIFF_ADDED ? new : old, r->kind,
                       (r->kind == DIFF_REMOVED ? a : b) + r->at, r->len);
            continue;
        }
        for (size_t at = r->at, end = r->at + r->len; at < end;) {
            const char *nl = memchr(a + at, '\n', end - at);
            size_t to = nl ? (size_t)(nl - a) : end;
            doc_add(old, ROLE_TEXT, 0, a + at, to - at);
            doc_add(new, ROLE_TEXT, 0, a + at, to - at);
            if (nl)
                level(old, new, &old_at, &new_at, cols, &w);
            at = to + (nl != NULL);
        }
    }
    wrap_free(&w);
}

static void make_diff(struct app *app, struct doc *d, struct doc *right,
                      const struct cai_chain *c, const struct cai_node *n, int cols,
                      int side)
{
    struct chain_view *v = &app->chain;
    const struct cai_node *before = chain_before(c, n);
    struct diff x = {0};

    if (!before) {
        snprintf(v->diff_note, sizeof v->diff_note, "nothing to compare");
        doc_str(d, ROLE_DIM,
                "A revision is compared with the response before it. Select one.");
        return;
    }
    diff_words(&x, before->text, strlen(before->text), n->text, strlen(n->text));
    if (side)
        make_sides(d, right, &x, before->text, n->text, cols);
    else
        make_stacked(d, &x, before->text, n->text);
    if (x.n_added + x.n_removed == 0 && d->n_stops == 0)
        snprintf(v->diff_note, sizeof v->diff_note, "the same words as c%u.%u", c->id,
                 before->id);
    else
        snprintf(v->diff_note, sizeof v->diff_note,
                 "c%u.%u to c%u.%u: %zu words out, %zu in, %zu change%s", c->id,
                 before->id, c->id, n->id, x.n_removed, x.n_added, d->n_stops,
                 d->n_stops == 1 ? "" : "s");
    diff_free(&x);
}

/* ---------------------------------------------------------------- prompt as sent */

static void make_segments(struct doc *d, const struct cai_segment *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        doc_add(d, s[i].special ? ROLE_SPECIAL : ROLE_TEXT, 0, s[i].text,
                strlen(s[i].text));
}

static void make_sent(struct doc *d, const struct cai_node *n)
{
    if (!n) {
        doc_str(d, ROLE_DIM, "The prompt of a link that is complete can be seen here.");
    } else if (n->n_segments == 0) {
        doc_str(d, ROLE_DIM, "Written by a person: no model was asked.");
    } else {
        make_segments(d, n->segments, n->n_segments);
        if (n->n_against) {
            doc_str(d, ROLE_ACCENT, "\n\nGuided away from this context:\n\n");
            make_segments(d, n->against, n->n_against);
        }
    }
}

/* ---------------------------------------------------------------- provenance */

static void info_line(struct doc *d, const char *name, const char *value)
{
    char label[20];

    if (!value || !value[0])
        return;
    snprintf(label, sizeof label, "%-13s", name);
    doc_str(d, ROLE_DIM, label);
    doc_str(d, ROLE_TEXT, value);
    doc_str(d, ROLE_TEXT, "\n");
}

static void __attribute__((format(printf, 3, 4)))
info_linef(struct doc *d, const char *name, const char *fmt, ...)
{
    char value[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(value, sizeof value, fmt, ap);
    va_end(ap);
    info_line(d, name, value);
}

/* Enough of a hash to tell files apart; the session keeps all of it. */
static void info_hash(struct doc *d, const char *name, const char *hash)
{
    info_linef(d, name, strlen(hash) == 64 ? "%.16s..." : "%s", hash);
}

static double mean(const float *v, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)v[i];
    return n ? sum / (double)n : NAN;
}

static void info_sampling(struct doc *d, const struct cai_node *n)
{
    const struct cai_chain_settings *s = &n->settings;
    double g = s->guidance[n->kind];

    info_line(d, "layout", cai_layout_name(s->layout));
    info_linef(d, "sampling", "temperature %.3g  top-k %d  top-p %.3g  min-p %.3g",
               s->sampling.temperature, s->sampling.top_k, s->sampling.top_p,
               s->sampling.min_p);
    info_linef(d, "max tokens", "%d", s->sampling.max_tokens);
    if (g != 0)
        info_linef(d, "guidance", "g %.3g against %s", g, cai_against_name(s->against));
    else
        info_line(d, "guidance", "none");
    info_linef(d, "random", "seed %llu  step %u  draw %u", (unsigned long long)s->seed,
               n->step, n->draw);
    if (n->n_tokens && n->logprob)
        info_linef(d, "log-prob", "%.3f nat per token as sampled",
                   mean(n->logprob, n->n_tokens));
    if (n->n_tokens && n->logprob_a)
        info_linef(d, "", "%.3f under its own prompt alone",
                   mean(n->logprob_a, n->n_tokens));
    if (n->n_tokens && n->logprob_b)
        info_linef(d, "", "%.3f under the context it was guided away from",
                   mean(n->logprob_b, n->n_tokens));
}

static void make_info(const struct app *app, struct doc *d, const struct cai_chain *c,
                      const struct cai_node *n)
{
    time_t seconds;
    struct tm tm;
    char when[64] = "";

    if (!n) {
        doc_str(d, ROLE_DIM, "How a link was made can be seen here once it is complete.");
        return;
    }
    info_linef(d, "link", "c%u.%u, %s", c->id, n->id, cai_node_kind_name(n->kind));
    if (n->parent)
        info_linef(d, "after", "c%u.%u", c->id, n->parent);
    if (n->principle[0])
        info_linef(d, "principle", "%s (%s)", n->principle,
                   chain_title_of(app, n->principle));
    if (n->edited) {
        info_linef(d, "author", "%s", n->author);
        info_linef(d, "replaces", "c%u.%u", c->id, n->replaces);
    } else {
        info_linef(d, "tokens", "%zu, ended by %s", n->n_tokens,
                   cai_finish_name(n->finish));
        info_sampling(d, n);
        info_hash(d, "model", n->model);
        info_line(d, "template", n->chat_template);
    }
    info_hash(d, "constitution", n->constitution);
    info_hash(d, "few-shots", n->fewshots);
    seconds = (time_t)(n->time_ms / 1000);
    if (app->tty && n->time_ms > 0 && localtime_r(&seconds, &tm))
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
    info_line(d, "time", when);
}

/* ---------------------------------------------------------------- */

void chain_text_make(struct app *app, int cols)
{
    static struct doc d, right;
    struct chain_view *v = &app->chain;
    const struct cai_chain *c = chain_current(app);
    const struct cai_node *n = chain_node(app);
    const struct live *l = v->live ? job_of(app, v->chain) : NULL;
    int side = chain_side_by_side(app);
    int same_mode = v->shown_mode == v->mode;
    /* the text of a link that was under way and is complete now is the same text */
    int same_link =
        v->shown_chain == v->chain &&
        (v->shown_live ? v->live || n != NULL : !v->live && v->shown_node == v->node);

    if (v->shown_gen == app->gen && same_mode && v->shown_chain == v->chain &&
        v->shown_node == v->node && v->shown_live == v->live && v->shown_cols == cols)
        return;
    doc_reset(&d);
    doc_reset(&right);
    if (c) {
        switch (v->mode) {
        case MODE_TEXT: make_text(app, &d, c, n, l); break;
        case MODE_DIFF: make_diff(app, &d, &right, c, n, cols, side); break;
        case MODE_SENT: make_sent(&d, n); break;
        case MODE_INFO: make_info(app, &d, c, n); break;
        case MODE_COUNT: break;
        }
    }
    pager_set(&v->text, &d, same_mode && same_link);
    pager_set(&v->right, &right, same_mode && same_link);
    if (v->live && !(same_mode && same_link))
        v->text.follow = 1;
    v->shown_gen = app->gen;
    v->shown_chain = v->chain;
    v->shown_node = v->node;
    v->shown_live = v->live;
    v->shown_mode = v->mode;
    v->shown_cols = cols;
}

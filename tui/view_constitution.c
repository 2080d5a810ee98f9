/*
 * view_constitution.c: the constitution screen: principles at the left, the texts of the
 * selected one at the right. Every finished edit is a new version in the session at once,
 * and the next step uses it.
 */
#include <stdio.h>
#include <string.h>

#include "actions.h"

enum { SPLIT_MIN_COLS = 64, HEAD_ROWS = 2 };

static const struct cai_constitution *current(const struct app *app)
{
    return cai_session_constitution(app->session);
}

static size_t count(const struct app *app)
{
    return current(app) ? cai_constitution_count(current(app)) : 0;
}

/* Rows and problems follow the data. */
static void refresh(struct app *app)
{
    struct constitution_view *v = &app->constitution;
    char err[CLI_ERR_MAX];

    list_place(&v->list, count(app), v->list.sel);
    if (v->lint_gen == app->gen)
        return;
    cai_free(v->lint);
    v->lint = NULL;
    v->n_lint = 0;
    if (current(app))
        cai_constitution_lint(current(app), &v->lint, &v->n_lint, err, sizeof err);
    v->lint_gen = app->gen;
}

static const struct cai_lint *problem_of(const struct app *app, const char *id)
{
    for (size_t i = 0; i < app->constitution.n_lint; i++)
        if (strcmp(app->constitution.lint[i].principle, id) == 0)
            return &app->constitution.lint[i];
    return NULL;
}

static const char *field_text(const struct cai_principle *p, enum cai_field f)
{
    switch (f) {
    case CAI_FIELD_ID: return p->id;
    case CAI_FIELD_TITLE: return p->title;
    case CAI_FIELD_STATEMENT: return p->statement;
    case CAI_FIELD_OPPOSITE: return p->opposite;
    case CAI_FIELD_CRITIQUE_REQUEST: return p->critique_request;
    case CAI_FIELD_REVISION_REQUEST: return p->revision_request;
    case CAI_FIELD_PREFERENCE_QUESTION: return p->preference_question;
    case CAI_FIELD_SECTION: return p->section;
    case CAI_FIELD_REASON: return p->reason;
    case CAI_FIELD_SOURCE: return p->source;
    case CAI_FIELD_COUNT: break;
    }
    return "";
}

/* The order a reader wants: what it says first, what it is filed under last. */
static const enum cai_field order[CAI_FIELD_COUNT] = {
    CAI_FIELD_STATEMENT,
    CAI_FIELD_OPPOSITE,
    CAI_FIELD_CRITIQUE_REQUEST,
    CAI_FIELD_REVISION_REQUEST,
    CAI_FIELD_PREFERENCE_QUESTION,
    CAI_FIELD_REASON,
    CAI_FIELD_TITLE,
    CAI_FIELD_ID,
    CAI_FIELD_SECTION,
    CAI_FIELD_SOURCE,
};

static const char *label(enum cai_field f, char out[40])
{
    snprintf(out, 40, "%s", cai_field_name(f));
    for (char *c = out; *c; c++)
        if (*c == '_')
            *c = ' ';
    return out;
}

static void make_texts(struct app *app, const struct cai_principle *p)
{
    static struct doc d;
    struct constitution_view *v = &app->constitution;
    char name[40];

    doc_reset(&d);
    for (int i = 0; i < CAI_FIELD_COUNT; i++) {
        const char *text = field_text(p, order[i]);
        int on = v->focus == PANE_RIGHT && i == v->field;
        v->field_at[i] = d.text.len;
        label(order[i], name);
        doc_add(&d, ROLE_ACCENT, on ? ATTR_REVERSE | ATTR_BOLD : 0, name, strlen(name));
        doc_str(&d, ROLE_TEXT, "\n");
        doc_str(&d, text[0] ? ROLE_TEXT : ROLE_DIM, text[0] ? text : "(none)");
        doc_str(&d, ROLE_TEXT, i + 1 < CAI_FIELD_COUNT ? "\n\n" : "\n");
    }
    for (size_t i = 0; i < v->n_lint; i++)
        if (strcmp(v->lint[i].principle, p->id) == 0) {
            doc_str(&d, ROLE_WARN, "\n! ");
            doc_str(&d, ROLE_WARN, v->lint[i].message);
        }
    pager_set(&v->text, &d, v->shown_index == v->list.sel);
}

/* ---------------------------------------------------------------- paint */

static void paint_list(struct app *app, struct rect r)
{
    struct constitution_view *v = &app->constitution;
    const struct cai_constitution *k = current(app);

    v->list_at = r;
    list_layout(&v->list, r.h);
    if (v->list.n == 0) {
        grid_str(&app->grid, r, 2, 1, ROLE_TEXT, 0, "No principle yet.");
        grid_str(&app->grid, r, 2, 3, ROLE_KEY, 0, "a");
        grid_str(&app->grid, r, 4, 3, ROLE_DIM, 0, "add one");
        grid_str(&app->grid, r, 2, 4, ROLE_KEY, 0, "o");
        grid_str(&app->grid, r, 4, 4, ROLE_DIM, 0, "open a constitution");
    }
    for (int y = 0; y < r.h && v->list.top + (size_t)y < v->list.n; y++) {
        size_t i = v->list.top + (size_t)y;
        const struct cai_principle *p = cai_constitution_get(k, i);
        struct rect line = {r.x, r.y + y, r.w, 1};
        const char *name = p->title[0] ? p->title : p->id;
        unsigned attrs = i != v->list.sel        ? 0
                         : v->focus == PANE_LEFT ? ATTR_REVERSE
                                                 : ATTR_BOLD;
        char weight[32] = "";
        int x = 2, w;
        if (attrs & ATTR_REVERSE)
            grid_fill(&app->grid, line, ROLE_TEXT, attrs);
        else if (attrs)
            grid_str(&app->grid, line, 0, 0, ROLE_ACCENT, 0, theme_glyph(GLYPH_MARK));
        if (p->weight != 1)
            snprintf(weight, sizeof weight, "x%.3g", p->weight);
        w = text_width(weight, strlen(weight));
        grid_str(&app->grid, line, line.w - 1 - w, 0, ROLE_DIM, attrs, weight);
        grid_str(&app->grid, line, x, 0, p->enabled ? ROLE_OK : ROLE_DIM, attrs,
                 p->enabled ? theme_glyph(GLYPH_CHECK) : theme_glyph(GLYPH_DOT));
        grid_str(&app->grid, line, x + 2, 0, ROLE_WARN, attrs,
                 problem_of(app, p->id) ? "!" : " ");
        grid_cut(&app->grid, line, x + 4, 0, p->enabled ? ROLE_TEXT : ROLE_DIM, attrs,
                 name, strlen(name), line.w - x - 6 - w);
    }
}

static void paint_texts(struct app *app, struct rect r)
{
    struct constitution_view *v = &app->constitution;
    const struct cai_principle *p;
    struct rect body = {r.x, r.y + HEAD_ROWS, r.w, r.h - HEAD_ROWS};
    char note[128];
    int x, moved;

    v->text_at = r;
    if (v->list.n == 0)
        return;
    p = cai_constitution_get(current(app), v->list.sel);
    moved = v->shown_field != v->field;
    if (v->shown_gen != app->gen || v->shown_index != v->list.sel || moved ||
        v->focus == PANE_RIGHT)
        make_texts(app, p);
    if (v->shown_index != v->list.sel)
        v->field = 0;
    v->shown_gen = app->gen;
    v->shown_index = v->list.sel;
    x = grid_cut(&app->grid, r, 0, 0, ROLE_STRONG, 0, p->title, strlen(p->title),
                 r.w - 24);
    snprintf(note, sizeof note, "%s  weight %.3g", p->enabled ? "on" : "off", p->weight);
    if (text_width(note, strlen(note)) < r.w - x - 2)
        grid_str(&app->grid, r, r.w - text_width(note, strlen(note)), 0,
                 p->enabled ? ROLE_OK : ROLE_DIM, 0, note);
    pager_layout(&v->text, body.w, body.h);
    if (moved) {
        pager_show(&v->text, v->field_at[v->field]);
        v->shown_field = v->field;
    }
    pager_paint(&v->text, &app->grid, body, app->query);
}

void constitution_paint(struct app *app, struct rect body)
{
    struct constitution_view *v = &app->constitution;
    const char *title = current(app) ? cai_constitution_title(current(app)) : "";
    int left = body.w * 2 / 5;
    struct rect rule = {body.x, body.y, body.w, 1};
    struct rect in = {body.x, body.y + 1, body.w, body.h - 1};
    int split = body.w >= SPLIT_MIN_COLS;

    refresh(app);
    if (left > 44)
        left = 44;
    grid_hline(&app->grid, rule, 0, ROLE_BORDER);
    if (split) {
        grid_str(&app->grid, rule, left, 0, ROLE_BORDER, 0, theme_glyph(GLYPH_TOP));
        grid_vline(&app->grid, (struct rect){in.x + left, in.y, 1, in.h}, 0,
                   v->focus == PANE_RIGHT ? ROLE_BORDER_FOCUS : ROLE_BORDER);
        paint_list(app, (struct rect){in.x, in.y, left, in.h});
        paint_texts(app, (struct rect){in.x + left + 2, in.y, in.w - left - 3, in.h});
    } else if (v->focus == PANE_LEFT) {
        paint_list(app, in);
    } else {
        paint_texts(app, (struct rect){in.x + 1, in.y, in.w - 2, in.h});
    }
    if (title[0] && !app_read_only(app)) {
        struct rect head = {2, rule.y, (split ? left : rule.w) - 3, 1};
        int x = grid_str(&app->grid, head, 0, 0, ROLE_TEXT, 0, " ");
        x += grid_cut(&app->grid, head, x, 0, ROLE_TITLE, 0, title, strlen(title),
                      head.w - 2);
        grid_str(&app->grid, head, x, 0, ROLE_TEXT, 0, " ");
    }
}

/* ---------------------------------------------------------------- movement */

unsigned constitution_move(struct app *app, enum move m)
{
    struct constitution_view *v = &app->constitution;

    if (v->focus == PANE_RIGHT)
        v->field =
            (int)move_apply(m, (size_t)v->field, CAI_FIELD_COUNT - 1, v->text.rows / 3);
    else
        list_move(&v->list, m);
    return FX_PAINT;
}

unsigned constitution_click(struct app *app, int x, int y)
{
    struct constitution_view *v = &app->constitution;
    size_t row = v->list.top + (size_t)(y - v->list_at.y);

    if (x >= v->text_at.x && v->text_at.w > 0) {
        v->focus = PANE_RIGHT;
    } else if (y >= v->list_at.y && row < v->list.n) {
        v->focus = PANE_LEFT;
        v->list.sel = row;
    }
    return FX_PAINT;
}

int constitution_find(struct app *app, int dir, int from_here, int *wrapped)
{
    struct constitution_view *v = &app->constitution;
    size_t n = v->list.n, at = v->list.sel;

    *wrapped = 0;
    for (size_t k = from_here ? 0 : 1; k <= n && n; k++) {
        size_t i = dir > 0 ? (at + k) % n : (at + 2 * n - k) % n;
        const struct cai_principle *p = cai_constitution_get(current(app), i);
        for (int f = 0; f < CAI_FIELD_COUNT; f++) {
            const char *s = field_text(p, order[f]);
            if (search_text(s, strlen(s), 0, app->query) == SIZE_MAX)
                continue;
            *wrapped = k > 0 && (dir > 0 ? i <= at : i >= at);
            v->list.sel = i;
            v->field = f;
            return 1;
        }
    }
    return 0;
}

void constitution_position(const struct app *app, char *out, size_t size)
{
    const struct constitution_view *v = &app->constitution;

    if (v->list.n)
        snprintf(out, size, "%zu/%zu", v->list.sel + 1, v->list.n);
}

/* ---------------------------------------------------------------- edits */

unsigned constitution_store(struct app *app, struct cai_constitution *take_c,
                            const char *said)
{
    char err[CLI_ERR_MAX] = "";
    enum cai_status st =
        cai_session_set_constitution(app->session, take_c, err, sizeof err);

    cai_constitution_free(take_c);
    if (st != CAI_OK)
        return app_error(app, err);
    return app_say(app, ROLE_OK, "%s", said) | FX_DATA;
}

const char *denied_constitution(const struct app *app)
{
    const char *reason = app_read_only(app);

    return reason         ? reason
           : current(app) ? NULL
                          : "there is no constitution; o opens one";
}

const char *denied_empty(const struct app *app)
{
    return count(app) == 0 ? "there is no principle; a adds one" : NULL;
}

const char *denied_principle_edit(const struct app *app)
{
    const char *reason = app_read_only(app);

    return reason ? reason : denied_empty(app);
}

const char *denied_lint(const struct app *app)
{
    return current(app) ? NULL : "there is no constitution; o opens one";
}

static unsigned picked_problem(struct app *app, const char *principle)
{
    int i = cai_constitution_find(current(app), principle);

    if (i >= 0)
        app->constitution.list.sel = (size_t)i;
    return FX_PAINT;
}

unsigned act_lint(struct app *app)
{
    const struct constitution_view *v = &app->constitution;

    if (v->n_lint == 0)
        return app_say(app, ROLE_OK, "nothing to point out");
    choice_begin(app, "What a careful reader would point out", picked_problem);
    for (size_t i = 0; i < v->n_lint; i++)
        choice_add(app, v->lint[i].principle[0] ? v->lint[i].principle : "the file",
                   v->lint[i].message, v->lint[i].principle);
    return choice_open(app, "");
}

static unsigned edit_field(struct app *app, int external)
{
    struct constitution_view *v = &app->constitution;
    struct edit_place place = {EDIT_FIELD, 0, 0, v->list.sel,
                               order[v->focus == PANE_RIGHT ? v->field : 0]};

    return edit_begin(app, &place, external);
}

unsigned act_principle_edit(struct app *app)
{
    return edit_field(app, 0);
}

unsigned act_principle_edit_external(struct app *app)
{
    return edit_field(app, 1);
}

unsigned act_principle_enter(struct app *app)
{
    const char *denied;

    if (app->constitution.focus == PANE_LEFT) {
        app->constitution.focus = PANE_RIGHT;
        app->constitution.shown_field = -1;
        return FX_PAINT;
    }
    denied = denied_principle_edit(app);
    return denied ? app_say(app, ROLE_WARN, "edit-text: %s", denied) : edit_field(app, 0);
}

unsigned act_principle_back(struct app *app)
{
    app->constitution.focus = PANE_LEFT;
    return FX_PAINT;
}

/* A copy to change, or NULL after saying why not. */
static struct cai_constitution *copy(struct app *app)
{
    struct cai_constitution *c = cai_constitution_dup(current(app));

    if (!c)
        app_error(app, "out of memory");
    return c;
}

unsigned act_principle_add(struct app *app)
{
    struct constitution_view *v = &app->constitution;
    struct cai_constitution *c = copy(app);
    char err[CLI_ERR_MAX] = "";
    size_t at = v->list.n ? v->list.sel + 1 : 0;
    unsigned fx;

    if (!c)
        return FX_PAINT;
    if (cai_constitution_insert(c, at, err, sizeof err) != CAI_OK) {
        cai_constitution_free(c);
        return app_error(app, err);
    }
    fx =
        constitution_store(app, c, "added and switched off: write its texts, then Space");
    list_place(&v->list, count(app), at);
    v->focus = PANE_RIGHT;
    v->field = 0;
    return fx;
}

unsigned act_principle_toggle(struct app *app)
{
    struct cai_constitution *c = copy(app);
    size_t i = app->constitution.list.sel;
    char err[CLI_ERR_MAX] = "";
    int on;

    if (!c)
        return FX_PAINT;
    on = !cai_constitution_get(c, i)->enabled;
    if (cai_constitution_set_enabled(c, i, on, err, sizeof err) != CAI_OK) {
        cai_constitution_free(c);
        return app_error(app, err);
    }
    return constitution_store(app, c,
                              on ? "switched on: it may be drawn"
                                 : "switched off: it is drawn no more");
}

static unsigned move_principle(struct app *app, int by)
{
    struct constitution_view *v = &app->constitution;
    size_t from = v->list.sel, to = by < 0 ? from - 1 : from + 1;
    struct cai_constitution *c;
    char err[CLI_ERR_MAX] = "";
    unsigned fx;

    if ((by < 0 && from == 0) || (by > 0 && from + 1 >= v->list.n))
        return FX_NONE;
    c = copy(app);
    if (!c)
        return FX_PAINT;
    if (cai_constitution_move(c, from, to, err, sizeof err) != CAI_OK) {
        cai_constitution_free(c);
        return app_error(app, err);
    }
    fx = constitution_store(app, c, "moved");
    v->list.sel = to;
    return fx;
}

unsigned act_principle_up(struct app *app)
{
    return move_principle(app, -1);
}

unsigned act_principle_down(struct app *app)
{
    return move_principle(app, 1);
}

unsigned act_principle_delete(struct app *app)
{
    struct cai_constitution *c = copy(app);
    size_t i = app->constitution.list.sel;
    char err[CLI_ERR_MAX] = "", said[128];

    if (!c)
        return FX_PAINT;
    snprintf(said, sizeof said, "deleted \"%.60s\" (u brings it back)",
             cai_constitution_get(c, i)->title);
    if (cai_constitution_remove(c, i, err, sizeof err) != CAI_OK) {
        cai_constitution_free(c);
        return app_error(app, err);
    }
    return constitution_store(app, c, said);
}

unsigned act_principle_weight(struct app *app)
{
    char now[32];

    snprintf(now, sizeof now, "%.6g",
             cai_constitution_get(current(app), app->constitution.list.sel)->weight);
    return ask(app, PROMPT_WEIGHT, "weight: ", now);
}

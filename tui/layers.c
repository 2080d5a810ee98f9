/*
 * layers.c: what lies over a screen: choice lists, the editor, questions. Esc takes away
 * exactly one.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ui.h"

unsigned layer_push(struct app *app, enum layer l)
{
    if (app->n_layers < LAYERS_MAX)
        app->layers[app->n_layers++] = l;
    app->filter[0] = '\0';
    return FX_PAINT;
}

unsigned layer_pop(struct app *app)
{
    if (app->n_layers > 0)
        app->n_layers--;
    app->filter[0] = '\0';
    return FX_PAINT;
}

unsigned app_context(const struct app *app)
{
    if (app->n_layers == 0)
        return app->screen == SCREEN_CHAIN ? CTX_CHAIN : CTX_CONSTITUTION;
    switch (app->layers[app->n_layers - 1]) {
    case LAYER_SETTINGS: return CTX_SETTINGS;
    case LAYER_HELP: return CTX_HELP;
    case LAYER_CHOICE: return CTX_CHOICE;
    case LAYER_EDIT: return CTX_EDIT;
    case LAYER_CONFIRM: return CTX_CONFIRM;
    }
    return CTX_NOWHERE;
}

/* ---------------------------------------------------------------- choice */

static void choice_clear(struct choice *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->items[i].label);
        free(c->items[i].detail);
        free(c->items[i].value);
    }
    c->n = 0;
    memset(&c->list, 0, sizeof c->list);
}

void choice_begin(struct app *app, const char *title,
                  unsigned (*picked)(struct app *app, const char *value))
{
    choice_clear(&app->choice);
    snprintf(app->choice.title, sizeof app->choice.title, "%s", title);
    app->choice.picked = picked;
}

void choice_add(struct app *app, const char *label, const char *detail, const char *value)
{
    struct choice *c = &app->choice;

    if (c->n == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 16;
        c->items = xresize(c->items, c->cap, sizeof *c->items);
        c->shown = xresize(c->shown, c->cap, sizeof *c->shown);
    }
    c->items[c->n++] =
        (struct choice_item){xstrdup(label), xstrdup(detail), xstrdup(value)};
}

static int passes(const char *s, const char *filter)
{
    return !filter[0] || search_text(s, strlen(s), 0, filter) != SIZE_MAX;
}

void choice_filter(struct app *app)
{
    struct choice *c = &app->choice;

    c->list.n = 0;
    for (size_t i = 0; i < c->n; i++)
        if (passes(c->items[i].label, app->filter) ||
            passes(c->items[i].detail, app->filter))
            c->shown[c->list.n++] = i;
    list_place(&c->list, c->list.n, c->list.sel);
}

unsigned choice_open(struct app *app, const char *current)
{
    struct choice *c = &app->choice;

    layer_push(app, LAYER_CHOICE);
    choice_filter(app);
    for (size_t i = 0; i < c->list.n; i++)
        if (strcmp(c->items[c->shown[i]].value, current) == 0)
            c->list.sel = i;
    return FX_PAINT;
}

unsigned choice_pick(struct app *app)
{
    struct choice *c = &app->choice;
    char *value;
    unsigned fx;

    if (c->list.n == 0)
        return FX_NONE;
    value = xstrdup(c->items[c->shown[c->list.sel]].value);
    layer_pop(app);
    fx = c->picked(app, value);
    free(value);
    return fx | FX_PAINT;
}

static void choice_paint(struct app *app, struct rect body)
{
    struct choice *c = &app->choice;
    int w = body.w < 76 ? body.w : 76, h = (int)c->n + 2, label_w = 12;
    struct rect box, in;

    for (size_t i = 0; i < c->n; i++) {
        int lw = text_width(c->items[i].label, strlen(c->items[i].label));
        label_w = lw > label_w ? lw : label_w;
    }
    if (label_w > w / 2)
        label_w = w / 2;
    h = h > body.h ? body.h : h < 5 ? 5 : h;
    box = (struct rect){body.x + (body.w - w) / 2, body.y + (body.h - h) / 2, w, h};
    in = grid_box(&app->grid, box, ROLE_BORDER_FOCUS, c->title);
    list_layout(&c->list, in.h);
    if (c->list.n == 0)
        grid_str(&app->grid, in, 0, 0, ROLE_DIM, 0,
                 "Nothing matches; Esc shows all again.");
    for (int y = 0; y < in.h && c->list.top + (size_t)y < c->list.n; y++) {
        size_t i = c->list.top + (size_t)y;
        const struct choice_item *item = &c->items[c->shown[i]];
        struct rect line = {in.x - 1, in.y + y, in.w + 2, 1};
        unsigned attrs = i == c->list.sel ? ATTR_REVERSE : 0;
        if (attrs)
            grid_fill(&app->grid, line, ROLE_TEXT, attrs);
        grid_cut(&app->grid, line, 1, 0, ROLE_TEXT, attrs, item->label,
                 strlen(item->label), label_w);
        grid_cut(&app->grid, line, label_w + 3, 0, ROLE_DIM, attrs, item->detail,
                 strlen(item->detail), line.w - label_w - 4);
    }
}

/* ---------------------------------------------------------------- question */

unsigned confirm_open(struct app *app, unsigned (*confirmed)(struct app *app),
                      const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(app->confirm, sizeof app->confirm, fmt, ap);
    va_end(ap);
    app->confirmed = confirmed;
    return layer_push(app, LAYER_CONFIRM);
}

static void confirm_paint(struct app *app, struct rect body)
{
    int w = text_width(app->confirm, strlen(app->confirm)) + 6;
    struct rect box, in;

    w = w < 34 ? 34 : w > body.w ? body.w : w;
    box = (struct rect){body.x + (body.w - w) / 2, body.y + body.h / 3, w, 5};
    in = grid_box(&app->grid, box, ROLE_WARN, "");
    grid_cut(&app->grid, in, 1, 0, ROLE_STRONG, 0, app->confirm, strlen(app->confirm),
             in.w - 1);
    grid_str(&app->grid, in, 1, 2, ROLE_KEY, 0, "Y");
    grid_str(&app->grid, in, 3, 2, ROLE_DIM, 0, "yes");
    grid_str(&app->grid, in, 9, 2, ROLE_KEY, 0, "any of n, Enter, Esc");
    grid_str(&app->grid, in, 30, 2, ROLE_DIM, 0, "no");
}

/* ---------------------------------------------------------------- editor */

static const char *place_text(const struct app *app, const struct edit_place *p)
{
    const struct cai_constitution *k = cai_session_constitution(app->session);
    const struct cai_chain *c = cai_session_find_chain(app->session, p->chain);
    const struct cai_node *n = c && p->node ? cai_chain_find(c, p->node) : NULL;
    const struct cai_principle *q;

    if (p->target == EDIT_NODE)
        return n ? n->text : NULL;
    if (p->target == EDIT_PROMPT)
        return c ? c->prompt : NULL;
    if (!k || p->principle >= cai_constitution_count(k))
        return NULL;
    q = cai_constitution_get(k, p->principle);
    {
        const char *const texts[CAI_FIELD_COUNT] = {
            [CAI_FIELD_ID] = q->id,
            [CAI_FIELD_TITLE] = q->title,
            [CAI_FIELD_STATEMENT] = q->statement,
            [CAI_FIELD_OPPOSITE] = q->opposite,
            [CAI_FIELD_CRITIQUE_REQUEST] = q->critique_request,
            [CAI_FIELD_REVISION_REQUEST] = q->revision_request,
            [CAI_FIELD_PREFERENCE_QUESTION] = q->preference_question,
            [CAI_FIELD_SECTION] = q->section,
            [CAI_FIELD_REASON] = q->reason,
            [CAI_FIELD_SOURCE] = q->source,
        };
        return texts[p->field];
    }
}

unsigned edit_begin(struct app *app, const struct edit_place *place, int external)
{
    const char *text = place_text(app, place);

    if (!text)
        return FX_NONE;
    app->edit_place = *place;
    edit_open(&app->edit, text);
    if (place->target == EDIT_FIELD)
        snprintf(app->edit_title, sizeof app->edit_title, "%s of %.60s",
                 cai_field_name(place->field),
                 cai_constitution_get(cai_session_constitution(app->session),
                                      place->principle)
                     ->id);
    else if (place->node)
        snprintf(app->edit_title, sizeof app->edit_title, "c%u.%u, edited", place->chain,
                 place->node);
    else
        snprintf(app->edit_title, sizeof app->edit_title, "prompt of c%u", place->chain);
    for (char *c = app->edit_title; *c; c++)
        if (*c == '_')
            *c = ' ';
    app->edit.one_line = place->target == EDIT_FIELD && place->field == CAI_FIELD_ID;
    return external ? FX_EDITOR : layer_push(app, LAYER_EDIT);
}

static unsigned save_node(struct app *app, const char *text)
{
    const struct edit_place *p = &app->edit_place;
    char err[CLI_ERR_MAX] = "";
    uint32_t id = 0;

    if (cai_session_edit_node(app->session, p->chain, p->node, text, app_author(app), &id,
                              err, sizeof err) != CAI_OK)
        return app_error(app, err);
    chain_refresh(app);
    chain_select(app, p->chain, id, 0);
    return app_say(app, ROLE_OK, "c%u.%u: your text; the next step goes on from it",
                   p->chain, id) |
           FX_DATA;
}

/* What was already answered is not rewritten: another prompt is another chain. */
static unsigned save_prompt(struct app *app, const char *text)
{
    const struct edit_place *p = &app->edit_place;
    const struct cai_chain *c = cai_session_find_chain(app->session, p->chain);
    char err[CLI_ERR_MAX] = "";
    uint32_t id = p->chain;
    enum cai_status st;

    if (c && c->n_nodes == 0 && !job_of(app, p->chain))
        st = cai_session_set_prompt(app->session, p->chain, text, err, sizeof err);
    else
        st = cai_session_add_chain(app->session, text, &id, err, sizeof err);
    if (st != CAI_OK)
        return app_error(app, err);
    chain_refresh(app);
    chain_select(app, id, 0, 0);
    if (id != p->chain)
        app_say(app, ROLE_OK, "c%u: c%u with another prompt", id, p->chain);
    return FX_DATA | FX_PAINT;
}

static unsigned save_field(struct app *app, const char *text)
{
    const struct edit_place *p = &app->edit_place;
    struct cai_constitution *c =
        cai_constitution_dup(cai_session_constitution(app->session));
    char err[CLI_ERR_MAX] = "", said[64];

    if (!c)
        return app_error(app, "out of memory");
    if (cai_constitution_set(c, p->principle, p->field, text, err, sizeof err) !=
        CAI_OK) {
        cai_constitution_free(c);
        return app_error(app, err);
    }
    snprintf(said, sizeof said, "%s changed; the next step uses it",
             cai_field_name(p->field));
    for (char *s = said; *s; s++)
        if (*s == '_')
            *s = ' ';
    return constitution_store(app, c, said);
}

unsigned edit_save(struct app *app)
{
    const char *text = buf_str(&app->edit.text);
    unsigned fx = FX_PAINT;

    if (!edit_changed(&app->edit))
        app_say(app, ROLE_DIM, "unchanged");
    else if (app->edit_place.target == EDIT_NODE)
        fx = save_node(app, text);
    else if (app->edit_place.target == EDIT_PROMPT)
        fx = save_prompt(app, text);
    else
        fx = save_field(app, text);
    if (app->sticky) /* refused: the text stays, in the editor here */
        return app_context(app) == CTX_EDIT ? fx : fx | layer_push(app, LAYER_EDIT);
    if (app_context(app) == CTX_EDIT)
        layer_pop(app);
    edit_close(&app->edit);
    return fx;
}

static unsigned discard(struct app *app)
{
    edit_close(&app->edit);
    return layer_pop(app); /* the editor below the question */
}

unsigned edit_leave(struct app *app)
{
    if (edit_changed(&app->edit))
        return confirm_open(app, discard, "Throw away your changes to %.60s?",
                            app->edit_title);
    return discard(app);
}

static void edit_layer_paint(struct app *app, struct rect body)
{
    int w = body.w < 100 ? body.w : 100;
    struct rect box = {body.x + (body.w - w) / 2, body.y, w, body.h}, in;

    if (body.h > 16) {
        box.y += 2;
        box.h -= 4;
    }
    in = grid_box(&app->grid, box, ROLE_BORDER_FOCUS, app->edit_title);
    edit_paint(&app->edit, &app->grid, in);
}

/* ---------------------------------------------------------------- */

void layers_paint(struct app *app, struct rect body)
{
    for (int i = 0; i < app->n_layers; i++) {
        app->grid.cursor_x = app->grid.cursor_y = -1;
        switch (app->layers[i]) {
        case LAYER_SETTINGS: settings_paint(app, body); break;
        case LAYER_HELP: help_paint(app, body); break;
        case LAYER_CHOICE: choice_paint(app, body); break;
        case LAYER_EDIT: edit_layer_paint(app, body); break;
        case LAYER_CONFIRM: confirm_paint(app, body); break;
        }
    }
}

void layers_free(struct app *app)
{
    choice_clear(&app->choice);
    free(app->choice.items);
    free(app->choice.shown);
    free(app->help_rows);
    edit_close(&app->edit);
}

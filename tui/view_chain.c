/*
 * view_chain.c: the chain screen: the tree of links at the left, their text at the right.
 *
 * The newest child of a link goes on at its own depth, older ones stand before it, set
 * in: a chain without branches is a straight column, however long. The selection is kept
 * by identity, whatever comes or goes around it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ui.h"

enum { SPLIT_MIN_COLS = 64, SIDES_MIN_COLS = 120, HEAD_ROWS = 3 };

const struct cai_chain *chain_current(const struct app *app)
{
    return app->chain.chain ? cai_session_find_chain(app->session, app->chain.chain)
                            : NULL;
}

const struct cai_node *chain_node(const struct app *app)
{
    const struct cai_chain *c = chain_current(app);

    return c && app->chain.node && !app->chain.live ? cai_chain_find(c, app->chain.node)
                                                    : NULL;
}

/* ---------------------------------------------------------------- rows */

static void add_row(struct chain_view *v, struct tree_row row)
{
    if (v->list.n == v->cap_rows) {
        v->cap_rows = v->cap_rows ? v->cap_rows * 2 : 64;
        v->rows = xresize(v->rows, v->cap_rows, sizeof *v->rows);
    }
    v->rows[v->list.n++] = row;
}

/* live: index of the job that makes the last child of `parent`, or -1. */
static int live_below(const struct app *app, uint32_t chain, uint32_t parent)
{
    for (int i = 0; i < APP_LIVE_MAX; i++)
        if (app->live[i].job && app->live[i].chain == chain &&
            app->live[i].parent == parent)
            return i;
    return -1;
}

/* An older child and all that hangs on it, set in. */
static void add_branch(struct app *app, const struct cai_chain *c,
                       const struct cai_node *n, int depth);

static void add_links(struct app *app, const struct cai_chain *c, uint32_t parent,
                      int depth)
{
    struct chain_view *v = &app->chain;

    for (;;) { /* down the newest line; older branches on the way */
        int live = live_below(app, c->id, parent);
        const struct cai_node *last = NULL;

        for (size_t i = 0; i < c->n_nodes; i++) {
            if (c->nodes[i]->parent != parent)
                continue;
            if (last)
                add_branch(app, c, last, depth + 1);
            last = c->nodes[i];
        }
        if (live >= 0) {
            if (last)
                add_branch(app, c, last, depth + 1);
            add_row(v, (struct tree_row){c->id, 0, live, depth, 0});
            return;
        }
        if (!last)
            return;
        add_row(v, (struct tree_row){c->id, last->id, -1, depth, 0});
        parent = last->id;
    }
}

static void add_branch(struct app *app, const struct cai_chain *c,
                       const struct cai_node *n, int depth)
{
    add_row(&app->chain, (struct tree_row){c->id, n->id, -1, depth, 1});
    add_links(app, c, n->id, depth);
}

static int is_selected(const struct chain_view *v, const struct tree_row *r)
{
    return r->chain == v->chain && (r->live >= 0) == (v->live != 0) &&
           (v->live || r->node == v->node);
}

static void take_selection(struct chain_view *v)
{
    const struct tree_row *r = v->list.n ? &v->rows[v->list.sel] : NULL;

    v->chain = r ? r->chain : 0;
    v->node = r ? r->node : 0;
    v->live = r && r->live >= 0;
}

void chain_refresh(struct app *app)
{
    struct chain_view *v = &app->chain;
    size_t n_chains = cai_session_info(app->session)->n_chains, old_n = v->list.n, n;

    v->list.n = 0;
    for (size_t i = 0; i < n_chains; i++) {
        const struct cai_chain *c = cai_session_chain(app->session, i);
        if (!c)
            continue;
        add_row(v, (struct tree_row){c->id, 0, -1, 0, 0});
        add_links(app, c, 0, 0);
    }
    n = v->list.n;
    v->list.n = old_n;
    for (size_t i = 0; i < n; i++)
        if (is_selected(v, &v->rows[i])) {
            list_place(&v->list, n, i);
            return;
        }
    /* what was selected is gone: the row now in its place, within the list */
    list_place(&v->list, n, v->list.sel > 0 && v->list.sel >= n ? n - 1 : v->list.sel);
    take_selection(v);
}

void chain_select(struct app *app, uint32_t chain, uint32_t node, int live)
{
    struct chain_view *v = &app->chain;

    v->chain = chain;
    v->node = node;
    v->live = live;
    for (size_t i = 0; i < v->list.n; i++)
        if (is_selected(v, &v->rows[i]))
            v->list.sel = i;
    if (live)
        v->text.follow = 1;
}

void chain_row_selected(struct app *app)
{
    take_selection(&app->chain);
}

unsigned chain_move(struct app *app, enum move m)
{
    struct chain_view *v = &app->chain;

    if (v->focus == PANE_RIGHT) {
        pager_move(&v->text, m);
        pager_move(&v->right, m);
        return FX_PAINT;
    }
    list_move(&v->list, m);
    take_selection(v);
    return FX_PAINT;
}

unsigned chain_click(struct app *app, int x, int y)
{
    struct chain_view *v = &app->chain;
    size_t row = v->list.top + (size_t)(y - v->tree_at.y);

    if (x >= v->text_at.x && v->text_at.w > 0) {
        v->focus = PANE_RIGHT;
    } else if (y >= v->tree_at.y && row < v->list.n) {
        v->focus = PANE_LEFT;
        v->list.sel = row;
        take_selection(v);
    }
    return FX_PAINT;
}

static const char *row_text(const struct app *app, const struct tree_row *r)
{
    const struct cai_chain *c = cai_session_find_chain(app->session, r->chain);
    const struct cai_node *n = c && r->node ? cai_chain_find(c, r->node) : NULL;

    if (r->live >= 0)
        return buf_str(&app->live[r->live].text);
    return n ? n->text : c ? c->prompt : "";
}

int chain_find(struct app *app, int dir, int from_here, int *wrapped)
{
    struct chain_view *v = &app->chain;
    size_t n = v->list.n, at = v->list.sel;

    if (v->focus == PANE_RIGHT)
        return pager_find(&v->text, app->query, dir, from_here, wrapped);
    *wrapped = 0;
    for (size_t k = from_here ? 0 : 1; k <= n && n; k++) {
        size_t i = dir > 0 ? (at + k) % n : (at + 2 * n - k) % n;
        const char *s = row_text(app, &v->rows[i]);
        if (search_text(s, strlen(s), 0, app->query) == SIZE_MAX)
            continue;
        *wrapped = k > 0 && (dir > 0 ? i <= at : i >= at);
        v->list.sel = i;
        take_selection(v);
        return 1;
    }
    return 0;
}

void chain_position(const struct app *app, char *out, size_t size)
{
    const struct chain_view *v = &app->chain;
    size_t below = pager_below(&v->text);

    if (v->focus == PANE_RIGHT && below > 0 && v->live)
        snprintf(out, size, "%zu new below", below);
    else if (v->focus == PANE_RIGHT)
        snprintf(out, size, "%d%%", pager_percent(&v->text));
    else if (v->list.n)
        snprintf(out, size, "%zu/%zu", v->list.sel + 1, v->list.n);
}

const char *chain_title_of(const struct app *app, const char *id)
{
    const struct cai_constitution *k = cai_session_constitution(app->session);
    int i = k && id ? cai_constitution_find(k, id) : -1;
    const char *title = i >= 0 ? cai_constitution_get(k, (size_t)i)->title : "";

    return title[0] ? title : id ? id : "";
}

/* ---------------------------------------------------------------- tree */

static const struct {
    enum role role;
    enum glyph glyph;
    const char *name;
} kinds[CAI_NODE_KINDS] = {
    [CAI_NODE_INITIAL] = {ROLE_INITIAL, GLYPH_INITIAL, "response"},
    [CAI_NODE_CRITIQUE] = {ROLE_CRITIQUE, GLYPH_CRITIQUE, "critique"},
    [CAI_NODE_REVISION] = {ROLE_REVISION, GLYPH_REVISION, "revision"},
};

const char *chain_kind_name(enum cai_node_kind k)
{
    return kinds[k].name;
}

static void paint_prompt_row(struct app *app, struct rect line, const struct tree_row *r,
                             unsigned attrs)
{
    const struct cai_chain *c = cai_session_find_chain(app->session, r->chain);
    char id[16];
    int x = 1;

    snprintf(id, sizeof id, "c%u", r->chain);
    x += grid_str(&app->grid, line, x, 0, ROLE_STRONG, attrs, id) + 1;
    grid_cut(&app->grid, line, x, 0, ROLE_TEXT, attrs, c->prompt, strlen(c->prompt),
             line.w - x - 1);
}

/* Marks that say at a glance what is unusual about a link. */
static const char *flag_of(const struct cai_node *n)
{
    if (n->edited)
        return theme_glyph(GLYPH_EDITED);
    if (n->finish == CAI_FINISH_CANCELLED)
        return theme_glyph(GLYPH_STOPPED);
    return n->finish == CAI_FINISH_LENGTH ? theme_glyph(GLYPH_CUT) : " ";
}

static void paint_link_row(struct app *app, struct rect line, const struct tree_row *r,
                           unsigned attrs)
{
    const struct cai_chain *c = cai_session_find_chain(app->session, r->chain);
    const struct live *l = r->live >= 0 ? &app->live[r->live] : NULL;
    const struct cai_node *n = l ? NULL : cai_chain_find(c, r->node);
    enum cai_node_kind k = l ? l->kind : n->kind;
    const char *principle = l ? (l->principle ? l->principle : "") : n->principle;
    const char *mark = l ? theme_spinner(app->spin) : theme_glyph(kinds[k].glyph);
    char right[32] = "";
    int x = 3 + 2 * (r->depth < 6 ? r->depth : 6), w;

    for (int at = 3; at < x; at += 2)
        grid_str(&app->grid, line, at, 0, ROLE_BORDER, attrs,
                 theme_glyph(r->first && at + 2 == x ? GLYPH_BRANCH : GLYPH_V));
    if (l)
        snprintf(right, sizeof right, "%d  ", l->n_tokens);
    else
        snprintf(right, sizeof right, "%zu %s", n->n_tokens, flag_of(n));
    w = text_width(right, strlen(right));
    grid_str(&app->grid, line, line.w - 1 - w, 0, ROLE_DIM, attrs, right);
    x += grid_str(&app->grid, line, x, 0, kinds[k].role, attrs, mark) + 1;
    x += grid_cut(&app->grid, line, x, 0, kinds[k].role, attrs, kinds[k].name,
                  strlen(kinds[k].name), line.w - 2 - w - x) +
         1;
    /* a revision stands under its critique, which names the principle */
    if (k == CAI_NODE_CRITIQUE) {
        const char *title = chain_title_of(app, principle);
        grid_cut(&app->grid, line, x, 0, ROLE_DIM, attrs, title, strlen(title),
                 line.w - 2 - w - x);
    }
}

static void paint_empty(struct app *app, struct rect r)
{
    grid_str(&app->grid, r, 2, 1, ROLE_TEXT, 0, "No chain yet.");
    grid_str(&app->grid, r, 2, 3, ROLE_KEY, 0, "c");
    grid_str(&app->grid, r, 4, 3, ROLE_DIM, 0, "type a prompt");
}

static void paint_tree(struct app *app, struct rect r)
{
    struct chain_view *v = &app->chain;

    v->tree_at = r;
    list_layout(&v->list, r.h);
    if (v->list.n == 0)
        paint_empty(app, r);
    for (int y = 0; y < r.h && v->list.top + (size_t)y < v->list.n; y++) {
        size_t i = v->list.top + (size_t)y;
        struct rect line = {r.x, r.y + y, r.w, 1};
        unsigned attrs = i != v->list.sel        ? 0
                         : v->focus == PANE_LEFT ? ATTR_REVERSE
                                                 : ATTR_BOLD;
        if (attrs & ATTR_REVERSE)
            grid_fill(&app->grid, line, ROLE_TEXT, attrs);
        else if (attrs)
            grid_str(&app->grid, line, 0, 0, ROLE_ACCENT, 0, theme_glyph(GLYPH_MARK));
        if (v->rows[i].node || v->rows[i].live >= 0)
            paint_link_row(app, line, &v->rows[i], attrs);
        else
            paint_prompt_row(app, line, &v->rows[i], attrs);
    }
}

/* ---------------------------------------------------------------- text pane */

static void paint_modes(struct app *app, struct rect head, int min_x)
{
    static const char *const names[MODE_COUNT] = {"text", "diff", "prompt", "info"};
    int w = 0, x;

    for (int i = 0; i < MODE_COUNT; i++)
        w += (int)strlen(names[i]) + 2;
    x = head.w - w + 1;
    for (int i = 0; i < MODE_COUNT && x > min_x; i++) {
        int on = (int)app->chain.mode == i;
        x += grid_str(&app->grid, head, x, 0, on ? ROLE_STRONG : ROLE_DIM,
                      on ? ATTR_UNDERLINE : 0, names[i]) +
             2;
    }
}

/* "◆ c1.3 revision", then how it came about. */
static void paint_head(struct app *app, struct rect r)
{
    const struct chain_view *v = &app->chain;
    const struct cai_node *n = chain_node(app);
    const struct live *l = v->live ? job_of(app, v->chain) : NULL;
    enum cai_node_kind k = l ? l->kind : n ? n->kind : CAI_NODE_INITIAL;
    char title[64], note[256] = "";
    int x = 0;

    if (!v->chain)
        return;
    if (!l && !n) {
        snprintf(title, sizeof title, "c%u prompt", v->chain);
        x = grid_str(&app->grid, r, 0, 0, ROLE_PROMPT, 0, title);
    } else {
        if (l)
            snprintf(title, sizeof title, "c%u %s", v->chain, kinds[k].name);
        else
            snprintf(title, sizeof title, "c%u.%u %s", v->chain, n->id, kinds[k].name);
        x = grid_str(&app->grid, r, 0, 0, kinds[k].role, 0, theme_glyph(kinds[k].glyph)) +
            1;
        x += grid_str(&app->grid, r, x, 0, kinds[k].role, ATTR_BOLD, title);
    }
    paint_modes(app, (struct rect){r.x, r.y, r.w, 1}, x + 1);
    if (v->mode == MODE_DIFF) {
        snprintf(note, sizeof note, "%s", v->diff_note);
    } else if (l) {
        snprintf(note, sizeof note, "%s",
                 l->started ? "being written" : "reading the prompt");
    } else if (n && n->edited) {
        snprintf(note, sizeof note, "written by %s, in place of c%u.%u", n->author,
                 v->chain, n->replaces);
    } else if (n) {
        double g = n->settings.guidance[n->kind];
        int at = snprintf(note, sizeof note, "%zu tokens", n->n_tokens);
        if (app->tty && n->tok_per_s > 0)
            at += snprintf(note + at, sizeof note - (size_t)at, "  %.0f tok/s",
                           n->tok_per_s);
        if (g != 0)
            at += snprintf(note + at, sizeof note - (size_t)at, "  g %.3g", g);
        if (n->finish == CAI_FINISH_LENGTH)
            at += snprintf(note + at, sizeof note - (size_t)at, "  cut");
        if (n->finish == CAI_FINISH_CANCELLED)
            at += snprintf(note + at, sizeof note - (size_t)at, "  stopped");
        if (n->principle[0])
            snprintf(note + at, sizeof note - (size_t)at, "  %s",
                     chain_title_of(app, n->principle));
    }
    grid_cut(&app->grid, r, 0, 1, ROLE_DIM, 0, note, strlen(note), r.w);
}

int chain_side_by_side(const struct app *app)
{
    const struct cai_node *n = chain_node(app);

    return app->chain.mode == MODE_DIFF && app->cols >= SIDES_MIN_COLS &&
           chain_before(chain_current(app), n) != NULL;
}

static void paint_text(struct app *app, struct rect r)
{
    struct chain_view *v = &app->chain;
    int side = chain_side_by_side(app), half = (r.w - 3) / 2;
    struct rect body = {r.x, r.y + HEAD_ROWS, r.w, r.h - HEAD_ROWS};
    struct rect left = {body.x, body.y, half, body.h};
    struct rect right = {body.x + half + 3, body.y, r.w - half - 3, body.h};

    v->text_at = r;
    chain_text_make(app, side ? half : body.w);
    paint_head(app, r);
    if (!side) {
        pager_layout(&v->text, body.w, body.h);
        pager_paint(&v->text, &app->grid, body, app->query);
        return;
    }
    pager_layout(&v->text, left.w, left.h);
    pager_layout(&v->right, right.w, right.h);
    v->right.top = v->text.top;
    pager_paint(&v->text, &app->grid, left, app->query);
    pager_paint(&v->right, &app->grid, right, app->query);
    grid_vline(&app->grid, (struct rect){left.x + half + 1, left.y, 1, left.h}, 0,
               ROLE_BORDER);
}

void chain_paint(struct app *app, struct rect body)
{
    struct chain_view *v = &app->chain;
    int left = body.w * 2 / 5;
    struct rect rule = {body.x, body.y, body.w, 1};
    struct rect in = {body.x, body.y + 1, body.w, body.h - 1};

    if (left > 44)
        left = 44;
    grid_hline(&app->grid, rule, 0, ROLE_BORDER);
    if (body.w < SPLIT_MIN_COLS || (v->zoom && v->focus == PANE_RIGHT)) {
        /* one pane at a time */
        if (v->focus == PANE_LEFT) {
            v->text_at.w = 0;
            paint_tree(app, in);
        } else {
            v->tree_at.h = 0;
            paint_text(app, (struct rect){in.x + 1, in.y, in.w - 2, in.h});
        }
        return;
    }
    grid_str(&app->grid, rule, left, 0, ROLE_BORDER, 0, theme_glyph(GLYPH_TOP));
    grid_vline(&app->grid, (struct rect){in.x + left, in.y, 1, in.h}, 0,
               v->focus == PANE_RIGHT ? ROLE_BORDER_FOCUS : ROLE_BORDER);
    paint_tree(app, (struct rect){in.x, in.y, left, in.h});
    paint_text(app, (struct rect){in.x + left + 2, in.y, in.w - left - 3, in.h});
}

/*
 * shell.c: what stands around every screen: top bar, hint bar, status bar, too small.
 */
#include <stdio.h>
#include <string.h>

#include "action.h"
#include "prompt.h"
#include "ui.h"

int app_too_small(const struct app *app)
{
    return app->cols < APP_MIN_COLS || app->rows < APP_MIN_ROWS;
}

static void paint_too_small(struct app *app)
{
    char s[64];
    int n = snprintf(s, sizeof s, "needs %dx%d, has %dx%d", APP_MIN_COLS, APP_MIN_ROWS,
                     app->cols, app->rows);
    struct rect all = grid_all(&app->grid);
    int x = n < app->cols ? (app->cols - n) / 2 : 0;

    grid_cut(&app->grid, all, x, app->rows / 2, ROLE_WARN, 0, s, strlen(s), app->cols);
}

/* Tabs at the left, session and model at the right. */
static void paint_top(struct app *app)
{
    static const char *const tabs[] = {"1 Chain", "2 Constitution"};
    struct rect row = {0, 0, app->cols, 1};
    const char *name = cai_session_info(app->session)->name;
    char right[256];
    int x = 1, w, room;

    x += grid_str(&app->grid, row, x, 0, ROLE_TITLE, 0, "cai") + 2;
    for (int i = 0; i < 2; i++) {
        int on = (int)app->screen == i;
        x += grid_str(&app->grid, row, x, 0, on ? ROLE_STRONG : ROLE_DIM,
                      on ? ATTR_UNDERLINE : 0, tabs[i]) +
             2;
    }
    if (app->model_failed)
        snprintf(right, sizeof right, "no model");
    else if (!app->model_name[0])
        snprintf(right, sizeof right, "loading the model");
    else
        snprintf(right, sizeof right, "%s", app->model_name);
    room = app->cols - x - 1;
    w = text_width(right, strlen(right));
    if (w > room)
        w = room;
    grid_cut(&app->grid, row, app->cols - 1 - w, 0,
             app->model_failed ? ROLE_ERROR : ROLE_DIM, 0, right, strlen(right), w);
    room -= w + 3;
    if (room > 8) {
        int used = text_width(name, strlen(name));
        if (used > room)
            used = room;
        x = app->cols - 1 - w - 3 - used;
        grid_cut(&app->grid, row, x, 0, ROLE_TEXT, 0, name, strlen(name), used);
        grid_str(&app->grid, row, x + used + 1, 0, ROLE_DIM, 0, theme_glyph(GLYPH_DOT));
    }
}

/* What the step key does next is what a newcomer has to see first. */
static const char *hint_of(const struct app *app, const struct action *a)
{
    const struct cai_node *n = chain_node(app);
    const struct cai_chain *c = chain_current(app);

    if (strcmp(a->name, "stop") == 0)
        return jobs_running(app) ? a->hint : NULL;
    if (strcmp(a->name, "step") != 0)
        return a->hint;
    if (c && c->n_nodes == 0)
        return "get the response";
    if (n && n->kind == CAI_NODE_CRITIQUE)
        return "revise";
    return "critique and revise";
}

static int paint_hint(struct app *app, struct rect row, int x, const char *key,
                      const char *label, int room)
{
    int need = text_width(key, strlen(key)) + 1 + text_width(label, strlen(label));

    if (need > room)
        return 0;
    x += grid_str(&app->grid, row, x, 0, ROLE_KEY, 0, key) + 1;
    grid_str(&app->grid, row, x, 0, ROLE_DIM, 0, label);
    return need;
}

static void paint_hints(struct app *app)
{
    struct rect row = {0, app->rows - 2, app->cols, 1};
    unsigned context = app_context(app);
    char keys[64];
    int x = 1, help = action_find("help"), limit = app->cols - 1;

    if (prompt_state() == PROMPT_OPEN) {
        x += paint_hint(app, row, x, "Enter", "accept", limit - x) + 3;
        x += paint_hint(app, row, x, "Esc", "cancel", limit - x) + 3;
        paint_hint(app, row, x, "Tab", "complete", limit - x);
        return;
    }
    if (action_at((size_t)help)->contexts & context) {
        action_keys((size_t)help, keys, sizeof keys);
        keys[strcspn(keys, " ")] = '\0';
        limit -= text_width(keys, strlen(keys)) + 5;
        paint_hint(app, row, limit, keys, "help", app->cols - limit);
        limit -= 2;
    }
    for (size_t i = 0; i < action_count(); i++) {
        const struct action *a = action_at(i);
        const char *hint = a->hint && (a->contexts & context) ? hint_of(app, a) : NULL;
        int used;
        if (!hint || action_denied(app, i))
            continue;
        action_keys(i, keys, sizeof keys);
        if (strcmp(a->name, "step") == 0 && strstr(keys, "Enter"))
            snprintf(keys, sizeof keys, "Enter");
        keys[strcspn(keys, " ")] = '\0';
        if (!keys[0])
            continue;
        used = paint_hint(app, row, x, keys, hint, limit - x);
        if (used == 0)
            break;
        x += used + 3;
    }
}

/* "next drawn  g 2.5  saved  3/12", as much of it as fits. Returns the columns used. */
static int paint_status_right(struct app *app, struct rect row)
{
    const struct cai_session_info *info = cai_session_info(app->session);
    const struct cai_chain_settings *s = cai_session_settings(app->session);
    char at[32] = "", setup[128] = "";
    const char *saved = info->read_only                ? "read-only"
                        : info->stored_seq < info->seq ? "saving"
                                                       : "saved";
    enum role role = info->read_only                ? ROLE_WARN
                     : info->stored_seq < info->seq ? ROLE_WARN
                                                    : ROLE_OK;
    int w, x = app->cols - 1;

    if (app->screen == SCREEN_CHAIN) {
        const char *title = s->principle[0] ? chain_title_of(app, s->principle) : "drawn";
        chain_position(app, at, sizeof at);
        snprintf(setup, sizeof setup, "next: %.40s  g %.3g", title,
                 s->guidance[CAI_NODE_REVISION]);
    } else {
        constitution_position(app, at, sizeof at);
    }
    w = text_width(at, strlen(at));
    grid_str(&app->grid, row, x - w, 0, ROLE_DIM, 0, at);
    x -= w + 2;
    w = text_width(saved, strlen(saved));
    grid_str(&app->grid, row, x - w, 0, role, 0, saved);
    x -= w + 2;
    w = text_width(setup, strlen(setup));
    if (w > 0 && w + 24 < x) {
        grid_str(&app->grid, row, x - w, 0, ROLE_DIM, 0, setup);
        x -= w + 2;
    }
    return app->cols - x;
}

static void paint_progress(struct app *app, struct rect row, const struct live *l)
{
    char s[160];
    const char *what = l->started ? chain_kind_name(l->kind) : "reading the prompt";
    int n;

    if (l->cancelling)
        n = snprintf(s, sizeof s, "c%u stopping", l->chain);
    else if (l->n_wanted > 1)
        n = snprintf(s, sizeof s, "c%u %s  link %zu of %zu  %d tokens", l->chain, what,
                     l->n_done + 1, l->n_wanted, l->n_tokens);
    else
        n = snprintf(s, sizeof s, "c%u %s  %d tokens", l->chain, what, l->n_tokens);
    if (app->tty && l->tok_per_s > 0)
        snprintf(s + n, sizeof s - (size_t)n, "  %.0f tok/s  Ctrl-C stops", l->tok_per_s);
    else
        snprintf(s + n, sizeof s - (size_t)n, "  Ctrl-C stops");
    grid_str(&app->grid, row, 1, 0, ROLE_ACCENT, 0, theme_spinner(app->spin));
    grid_cut(&app->grid, row, 3, 0, ROLE_TEXT, 0, s, strlen(s), row.w - 3);
}

static void paint_status(struct app *app)
{
    struct rect row = {0, app->rows - 1, app->cols, 1};
    const struct live *l = NULL;

    if (prompt_state() == PROMPT_OPEN)
        return;
    for (int i = 0; i < APP_LIVE_MAX && !l; i++)
        if (app->live[i].job)
            l = &app->live[i];
    if (app->message[0]) {
        int room = app->cols - paint_status_right(app, row);
        /* a sentence that does not fit beside the state has the row for itself */
        if (text_width(app->message, strlen(app->message)) + 1 > room) {
            grid_fill(&app->grid, row, ROLE_TEXT, 0);
            room = app->cols;
        }
        grid_cut(&app->grid, row, 1, 0, app->message_role, 0, app->message,
                 strlen(app->message), room - 1);
        return;
    }
    row.w -= paint_status_right(app, row);
    if (l)
        paint_progress(app, row, l);
}

void app_paint(struct app *app)
{
    struct rect body = {0, 1, app->cols, app->rows - 3};
    struct rect status = {0, app->rows - 1, app->cols, 1};
    const char *reason = app_read_only(app);

    grid_resize(&app->grid, app->cols, app->rows);
    if (app_too_small(app)) {
        paint_too_small(app);
        return;
    }
    paint_top(app);
    if (app->screen == SCREEN_CHAIN)
        chain_paint(app, body);
    else
        constitution_paint(app, body);
    if (reason) {
        struct rect rule = {2, 1, app->cols - 4, 1};
        int x = grid_str(&app->grid, rule, 0, 0, ROLE_WARN, 0, " read-only: ");
        x += grid_cut(&app->grid, rule, x, 0, ROLE_WARN, 0, reason, strlen(reason),
                      rule.w - x - 1);
        grid_str(&app->grid, rule, x, 0, ROLE_WARN, 0, " ");
    }
    layers_paint(app, body);
    paint_hints(app);
    paint_status(app);
    if (prompt_state() == PROMPT_OPEN)
        ask_paint(app, status, body);
}

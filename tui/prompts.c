/*
 * prompts.c: what is asked on the bottom row, and what is done with the answers. The line
 * itself is edited by prompt.c.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action.h"
#include "prompt.h"
#include "ui.h"

static enum prompt_kind kind;
static size_t start_sel, start_top; /* where a search began: Esc goes back */
static int start_field;

/* ---------------------------------------------------------------- palette */

/* Actions a palette line may name: those heard here that can be run by name. */
static int in_palette(const struct app *app, size_t i)
{
    return (action_at(i)->contexts & app_context(app)) != 0;
}

/* The n-th action whose name begins with text; those that contain it come after. */
static int candidate(const struct app *app, const char *text, size_t n)
{
    size_t len = strcspn(text, " ");

    for (int inside = 0; inside < 2; inside++)
        for (size_t i = 0; i < action_count(); i++) {
            const char *name = action_at(i)->name;
            int begins = strncmp(name, text, len) == 0;
            if (!in_palette(app, i) || (inside ? begins : !begins))
                continue;
            if (inside && search_text(name, strlen(name), 0, text) == SIZE_MAX)
                continue;
            if (n-- == 0)
                return (int)i;
        }
    return -1;
}

static const char *complete(void *arg, int k, const char *text, size_t n)
{
    const struct app *app = arg;

    if (k != PROMPT_PALETTE)
        return NULL;
    for (size_t i = 0; i < action_count(); i++) {
        const char *name = action_at(i)->name;
        if (in_palette(app, i) && strncmp(name, text, strlen(text)) == 0 && n-- == 0)
            return name;
    }
    return NULL;
}

static unsigned run_palette(struct app *app, const char *line)
{
    char name[64];
    const char *arg;
    int i;

    while (*line == ' ')
        line++;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(line, " "), line);
    if (!name[0])
        return FX_NONE;
    arg = line + strcspn(line, " ");
    while (*arg == ' ')
        arg++;
    i = action_find(name);
    if (i < 0 && candidate(app, name, 1) < 0) /* a beginning that can mean one only */
        i = candidate(app, name, 0);
    if (i < 0)
        return app_say(app, ROLE_ERROR, "no action is named \"%s\"; ? lists them", name);
    if (!in_palette(app, (size_t)i))
        return app_say(app, ROLE_WARN, "%s belongs to another screen",
                       action_at((size_t)i)->name);
    return action_run(app, (size_t)i, arg);
}

/* ---------------------------------------------------------------- search */

static int find(struct app *app, int dir, int from_here, int *wrapped)
{
    return app->screen == SCREEN_CHAIN ? chain_find(app, dir, from_here, wrapped)
                                       : constitution_find(app, dir, from_here, wrapped);
}

unsigned search_next(struct app *app, int dir)
{
    int wrapped = 0;

    if (!find(app, dir, 0, &wrapped))
        return app_say(app, ROLE_WARN, "\"%s\" is not here", app->query);
    if (wrapped)
        app_say(app, ROLE_DIM,
                dir > 0 ? "search went on from the top"
                        : "search went on from the bottom");
    return FX_PAINT;
}

static void search_origin(struct app *app, int restore)
{
    size_t *sel =
        app->screen == SCREEN_CHAIN ? &app->chain.list.sel : &app->constitution.list.sel;

    if (!restore) {
        start_sel = *sel;
        start_top = app->chain.text.top;
        start_field = app->constitution.field;
        return;
    }
    *sel = start_sel;
    app->chain.text.match = SIZE_MAX;
    app->constitution.field = start_field;
    if (app->chain.focus == PANE_RIGHT)
        app->chain.text.top = start_top;
    else if (app->screen == SCREEN_CHAIN)
        chain_row_selected(app);
}

static void search_changed(struct app *app, const char *text)
{
    int wrapped;

    snprintf(app->query, sizeof app->query, "%s", text);
    search_origin(app, 1);
    if (text[0])
        find(app, 1, 1, &wrapped);
}

/* ---------------------------------------------------------------- answers */

static unsigned new_chain(struct app *app, const char *text)
{
    char err[CLI_ERR_MAX] = "";
    uint32_t id;

    if (text[strspn(text, " \n\t")] == '\0')
        return app_say(app, ROLE_WARN, "an empty prompt begins no chain");
    if (cai_session_add_chain(app->session, text, &id, err, sizeof err) != CAI_OK)
        return app_error(app, err);
    chain_refresh(app);
    app->chain.focus = PANE_LEFT;
    app->chain.mode = MODE_TEXT;
    chain_select(app, id, 0, 0);
    return FX_DATA | FX_PAINT;
}

static unsigned auto_run(struct app *app, const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (end == text || *end || n < 1 || n > 100)
        return app_say(app, ROLE_ERROR,
                       "\"%.20s\" is not a number of steps from 1 to 100", text);
    return job_step(app, (int)n);
}

static unsigned set_weight(struct app *app, const char *text)
{
    struct cai_constitution *c;
    char err[CLI_ERR_MAX] = "", *end;
    double w = strtod(text, &end);

    if (end == text || *end || !isfinite(w) || w < 0)
        return app_say(app, ROLE_ERROR, "\"%.20s\" is not a weight: 0 or more", text);
    c = cai_constitution_dup(cai_session_constitution(app->session));
    if (!c)
        return app_error(app, "out of memory");
    if (cai_constitution_set_weight(c, app->constitution.list.sel, w, err, sizeof err) !=
        CAI_OK) {
        cai_constitution_free(c);
        return app_error(app, err);
    }
    return constitution_store(app, c, "weight changed; the next step uses it");
}

static void set_filter(struct app *app, const char *text)
{
    snprintf(app->filter, sizeof app->filter, "%s", text);
    if (app_context(app) == CTX_HELP)
        help_filter(app);
    else
        choice_filter(app);
}

static unsigned answered(struct app *app, const char *line)
{
    int wrapped;

    switch (kind) {
    case PROMPT_PALETTE: return run_palette(app, line);
    case PROMPT_SEARCH:
        if (line[0] && !find(app, 1, 1, &wrapped))
            return app_say(app, ROLE_WARN, "\"%s\" is not here", line);
        return FX_PAINT;
    case PROMPT_FILTER: return FX_PAINT;
    case PROMPT_NEW_CHAIN: return new_chain(app, line);
    case PROMPT_AUTO: return auto_run(app, line);
    case PROMPT_SETTING: return settings_set(app, line);
    case PROMPT_WEIGHT: return set_weight(app, line);
    case PROMPT_KINDS: break;
    }
    return FX_NONE;
}

/* ---------------------------------------------------------------- */

void ask_init(struct app *app)
{
    struct prompt_options o = {app->tty ? app->cli->dirs->state : NULL, complete, app};

    prompt_init(&o);
}

unsigned ask(struct app *app, enum prompt_kind k, const char *label, const char *text)
{
    static const char *const histories[PROMPT_KINDS] = {[PROMPT_PALETTE] = "palette",
                                                        [PROMPT_SEARCH] = "search",
                                                        [PROMPT_NEW_CHAIN] = "prompts"};

    kind = k;
    if (k == PROMPT_SEARCH)
        search_origin(app, 0);
    prompt_open(k, histories[k], label, text);
    return FX_PAINT;
}

unsigned ask_changed(struct app *app)
{
    struct prompt_view v;
    char *line;
    unsigned fx = FX_PAINT;
    enum prompt_state state = prompt_state();

    if (state == PROMPT_OPEN) {
        prompt_view(&v);
        if (kind == PROMPT_SEARCH)
            search_changed(app, v.text);
        else if (kind == PROMPT_FILTER)
            set_filter(app, v.text);
        return FX_PAINT;
    }
    app->message[0] = '\0';
    line = prompt_take();
    if (state == PROMPT_DONE && line) {
        fx |= answered(app, line);
    } else if (kind == PROMPT_SEARCH) {
        search_changed(app, "");
    } else if (kind == PROMPT_FILTER) {
        set_filter(app, "");
    }
    free(line);
    if (fx & FX_DATA) {
        app->gen++;
        chain_refresh(app);
    }
    return fx;
}

/* Candidates of the palette above the bottom row, the best one nearest to it. */
static void paint_candidates(struct app *app, struct rect body, const char *text)
{
    int max = body.h - 2 < 8 ? body.h - 2 : 8, n = 0, w = body.w < 90 ? body.w : 90;
    struct rect box, in;

    while (n < max && candidate(app, text, (size_t)n) >= 0)
        n++;
    if (n == 0)
        return;
    box = (struct rect){body.x, body.y + body.h - n - 2, w, n + 2};
    in = grid_box(&app->grid, box, ROLE_BORDER_FOCUS, "Actions");
    for (int i = 0; i < n; i++) {
        size_t id = (size_t)candidate(app, text, (size_t)i);
        const char *denied = action_denied(app, id), *help = action_at(id)->help;
        const char *says = denied ? denied : help;
        grid_cut(&app->grid, in, 0, i, denied ? ROLE_DIM : ROLE_KEY, 0,
                 action_at(id)->name, strlen(action_at(id)->name), 22);
        grid_cut(&app->grid, in, 23, i, ROLE_DIM, 0, says, strlen(says), in.w - 23);
    }
}

void ask_paint(struct app *app, struct rect row, struct rect body)
{
    struct prompt_view v;
    struct buf line = {0};
    size_t from = 0, label_len;
    int cursor, label_w, room;

    prompt_view(&v);
    if (kind == PROMPT_PALETTE)
        paint_candidates(app, body, v.text);
    grid_fill(&app->grid, row, ROLE_TEXT, 0);
    label_len = strlen(v.label);
    label_w = text_width(v.label, label_len);
    if (label_w > row.w / 2)
        label_w = row.w / 2;
    grid_text(&app->grid, (struct rect){row.x, row.y, label_w, 1}, 0, 0, ROLE_KEY, 0,
              v.label, label_len);
    row.x += label_w;
    row.w -= label_w;
    room = row.w - 1;
    /* newlines of a paste are shown, so that the line stays one line; only what can be
     * seen is looked at, however long the text is */
    if (v.cursor > 0) {
        int used = 0;
        from = v.cursor;
        while (from > 0) {
            size_t n = text_before(v.text, from);
            int w = text_width(v.text + from - n, n);
            if (v.text[from - n] == '\n')
                w = 1;
            if (used + w > room)
                break;
            used += w;
            from -= n;
        }
    }
    for (size_t i = from, shown = 0; v.text[i] && shown < (size_t)room * 8;
         i++, shown++) {
        if (v.text[i] == '\n')
            buf_adds(&line, theme_glyph(GLYPH_NEWLINE));
        else
            buf_add(&line, v.text + i, 1);
        if (i + 1 == v.cursor)
            shown = 0;
    }
    cursor = 0;
    for (size_t i = from; i < v.cursor;) {
        struct text_unit u;
        text_next(&u, v.text + i, v.cursor - i);
        cursor += u.newline ? 1 : u.cols;
        i += u.n_bytes;
    }
    grid_text(&app->grid, row, 0, 0, ROLE_TEXT, 0, buf_str(&line), line.len);
    buf_free(&line);
    app->grid.cursor_x = row.x + (cursor < row.w ? cursor : row.w - 1);
    app->grid.cursor_y = row.y;
}

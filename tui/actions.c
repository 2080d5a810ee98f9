/*
 * actions.c: what the rows of the action table do on the chain screen and everywhere, and
 * when they may not. Those of the constitution screen are in view_constitution.c.
 */
#include "actions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "term.h"

/* ---------------------------------------------------------------- when not */

const char *denied_write(const struct app *app)
{
    return app_read_only(app);
}

static const char *denied_generate(const struct app *app)
{
    const struct cai_chain *c = chain_current(app);

    if (app_read_only(app))
        return app_read_only(app);
    if (app->model_failed || !app->engine)
        return "no model is loaded; , chooses one";
    if (!c)
        return "there is no chain; c begins one";
    if (job_of(app, c->id))
        return "this chain is being made; Ctrl-C stops it";
    return NULL;
}

static int some_enabled(const struct app *app)
{
    const struct cai_constitution *k = cai_session_constitution(app->session);

    for (size_t i = 0; k && i < cai_constitution_count(k); i++)
        if (cai_constitution_get(k, i)->enabled)
            return 1;
    return 0;
}

const char *denied_step(const struct app *app)
{
    const char *reason = denied_generate(app);
    const struct cai_chain *c = chain_current(app);

    if (reason)
        return reason;
    if (c->n_nodes > 0 && !some_enabled(app))
        return "no principle is switched on; 2 shows them";
    return NULL;
}

const char *denied_resample(const struct app *app)
{
    const char *reason = denied_generate(app);

    return reason             ? reason
           : !chain_node(app) ? "select a response, a critique or a revision"
                              : NULL;
}

const char *denied_node(const struct app *app)
{
    return chain_node(app) ? NULL : "select a response, a critique or a revision";
}

const char *denied_edit_text(const struct app *app)
{
    if (app_read_only(app))
        return app_read_only(app);
    if (app->chain.live)
        return "it is still being written; Ctrl-C stops it";
    return chain_current(app) ? NULL : "there is no chain; c begins one";
}

const char *denied_principle(const struct app *app)
{
    if (app_read_only(app))
        return app_read_only(app);
    return some_enabled(app) ? NULL : "no principle is switched on; 2 shows them";
}

const char *denied_diff(const struct app *app)
{
    const struct cai_node *n = chain_node(app);

    if (app->chain.mode == MODE_DIFF)
        return NULL;
    if (!n || n->kind != CAI_NODE_REVISION)
        return "select a revision; it is compared with the response before it";
    return NULL;
}

const char *denied_hunk(const struct app *app)
{
    return app->chain.mode == MODE_DIFF ? NULL : "d shows the changes first";
}

const char *denied_delete(const struct app *app)
{
    const struct cai_chain *c = chain_current(app);

    if (app_read_only(app))
        return app_read_only(app);
    if (!c)
        return "there is nothing to delete";
    return job_of(app, c->id) ? "this chain is being made; Ctrl-C stops it" : NULL;
}

const char *denied_undo(const struct app *app)
{
    if (app_read_only(app))
        return app_read_only(app);
    if (jobs_running(app))
        return "still generating; Ctrl-C stops it";
    return cai_session_info(app->session)->can_undo ? NULL : "nothing to take back";
}

const char *denied_redo(const struct app *app)
{
    if (app_read_only(app))
        return app_read_only(app);
    if (jobs_running(app))
        return "still generating; Ctrl-C stops it";
    return cai_session_info(app->session)->can_redo ? NULL : "nothing was taken back";
}

const char *denied_copy(const struct app *app)
{
    return app->screen == SCREEN_CHAIN && !chain_current(app) ? "there is no text" : NULL;
}

const char *denied_register(const struct app *app)
{
    return app->reg.len ? NULL : "nothing was copied yet; y copies";
}

const char *denied_query(const struct app *app)
{
    return app->query[0] ? NULL : "nothing was searched yet; / searches";
}

const char *denied_pairs(const struct app *app)
{
    (void)app;
    return "comes with pairs and labels; chains are made now";
}

const char *denied_labels(const struct app *app)
{
    (void)app;
    return "comes with pairs and labels; there are none yet";
}

const char *denied_training(const struct app *app)
{
    (void)app;
    return "comes with training; nothing can be trained yet";
}

const char *denied_runs(const struct app *app)
{
    (void)app;
    return "comes with background stages; there are none yet";
}

const char *denied_evaluate(const struct app *app)
{
    (void)app;
    return "comes with snapshots; there is one model yet";
}

/* ---------------------------------------------------------------- chain */

unsigned act_step(struct app *app)
{
    return job_step(app, 1);
}

unsigned act_auto(struct app *app)
{
    return ask(app, PROMPT_AUTO,
               "critiques and revisions: ", app->arg[0] ? app->arg : "4");
}

/* Ctrl-C: stops what runs, this chain first; else says how to leave. */
unsigned act_stop(struct app *app)
{
    unsigned fx = FX_NONE;

    if (app->screen == SCREEN_CHAIN && job_of(app, app->chain.chain))
        fx = job_stop(app, app->chain.chain);
    if (!fx)
        fx = job_stop(app, 0);
    if (!fx && app->n_layers > 0)
        return layer_pop(app);
    return fx ? fx : app_say(app, ROLE_DIM, "nothing is being generated; q quits");
}

unsigned act_resample(struct app *app)
{
    return job_resample(app);
}

static unsigned edit_selected(struct app *app, int external)
{
    struct edit_place place = {app->chain.node ? EDIT_NODE : EDIT_PROMPT,
                               app->chain.chain, app->chain.node, 0, CAI_FIELD_ID};

    return edit_begin(app, &place, external);
}

unsigned act_edit(struct app *app)
{
    return edit_selected(app, 0);
}

unsigned act_edit_external(struct app *app)
{
    return edit_selected(app, 1);
}

unsigned act_choose_principle(struct app *app)
{
    return settings_choose_principle(app);
}

unsigned act_g_up(struct app *app)
{
    return settings_dial(app, 0.5);
}

unsigned act_g_down(struct app *app)
{
    return settings_dial(app, -0.5);
}

static unsigned toggle_mode(struct app *app, enum chain_mode mode)
{
    app->chain.mode = app->chain.mode == mode ? MODE_TEXT : mode;
    return FX_PAINT;
}

unsigned act_diff(struct app *app)
{
    return toggle_mode(app, MODE_DIFF);
}

unsigned act_sent(struct app *app)
{
    return toggle_mode(app, MODE_SENT);
}

unsigned act_info(struct app *app)
{
    return toggle_mode(app, MODE_INFO);
}

static unsigned step_hunk(struct app *app, int dir)
{
    struct pager *p = &app->chain.text;

    pager_step(&app->chain.right, dir);
    if (!pager_step(p, dir))
        return app_say(app, ROLE_DIM,
                       dir > 0 ? "no change after this one"
                               : "no change before this one");
    return app_say(app, ROLE_DIM, "change %zu of %zu", p->stop + 1, p->doc.n_stops);
}

unsigned act_hunk_next(struct app *app)
{
    return step_hunk(app, 1);
}

unsigned act_hunk_prev(struct app *app)
{
    return step_hunk(app, -1);
}

unsigned act_zoom(struct app *app)
{
    app->chain.zoom = !app->chain.zoom;
    app->chain.focus = app->chain.zoom ? PANE_RIGHT : PANE_LEFT;
    return FX_PAINT;
}

unsigned act_new_chain(struct app *app)
{
    return ask(app, PROMPT_NEW_CHAIN, "prompt: ", app->arg);
}

unsigned act_delete(struct app *app)
{
    struct chain_view *v = &app->chain;
    const struct cai_node *n = chain_node(app);
    uint32_t parent = n ? n->parent : 0, chain = v->chain, node = v->node;
    char err[CLI_ERR_MAX] = "";
    enum cai_status st;

    if (node) {
        st = cai_session_remove_node(app->session, chain, node, err, sizeof err);
        if (st == CAI_OK)
            v->node = parent;
    } else {
        st = cai_session_remove_chain(app->session, chain, err, sizeof err);
    }
    if (st != CAI_OK)
        return app_error(app, err);
    if (node)
        app_say(app, ROLE_OK, "c%u.%u deleted (u brings it back)", chain, node);
    else
        app_say(app, ROLE_OK, "c%u deleted (u brings it back)", chain);
    return FX_DATA | FX_PAINT;
}

unsigned act_scroll_down(struct app *app)
{
    pager_move(&app->chain.text, MOVE_DOWN);
    return FX_PAINT;
}

unsigned act_scroll_up(struct app *app)
{
    pager_move(&app->chain.text, MOVE_UP);
    return FX_PAINT;
}

unsigned act_pane_left(struct app *app)
{
    app->chain.focus = PANE_LEFT;
    return FX_PAINT;
}

unsigned act_pane_right(struct app *app)
{
    app->chain.focus = PANE_RIGHT;
    return FX_PAINT;
}

/* ---------------------------------------------------------------- everywhere */

static unsigned undo_redo(struct app *app, const char *verb,
                          enum cai_status (*fn)(struct cai_session *, const char **,
                                                char *, size_t))
{
    const char *what = "";
    char err[CLI_ERR_MAX] = "";

    if (fn(app->session, &what, err, sizeof err) != CAI_OK)
        return app_error(app, err);
    return app_say(app, ROLE_OK, "%s: %s", verb, what) | FX_DATA;
}

unsigned act_undo(struct app *app)
{
    return undo_redo(app, "taken back", cai_session_undo);
}

unsigned act_redo(struct app *app)
{
    return undo_redo(app, "done again", cai_session_redo);
}

/* The text of the selected row; of the constitution screen, the principle's statement. */
static const char *selected_text(const struct app *app)
{
    const struct cai_constitution *k = cai_session_constitution(app->session);
    const struct cai_chain *c = chain_current(app);
    const struct cai_node *n = chain_node(app);

    if (app->screen == SCREEN_CONSTITUTION)
        return k && app->constitution.list.sel < cai_constitution_count(k)
                   ? cai_constitution_get(k, app->constitution.list.sel)->statement
                   : "";
    if (app->chain.mode != MODE_TEXT)
        return buf_str(&app->chain.text.doc.text);
    return app->chain.live ? buf_str(&job_of(app, app->chain.chain)->text)
           : n             ? n->text
           : c             ? c->prompt
                           : "";
}

unsigned act_copy(struct app *app)
{
    const char *text = selected_text(app);

    buf_reset(&app->reg);
    buf_adds(&app->reg, text);
    if (app->reg.len > TERM_COPY_MAX)
        return app_say(app, ROLE_TEXT,
                       "%zu bytes in the register; too long for the terminal",
                       app->reg.len);
    if (app->tty)
        term_copy(app->reg.data, app->reg.len);
    return app_say(app, ROLE_TEXT, "%zu bytes in the register, sent to the terminal",
                   app->reg.len);
}

unsigned act_write_register(struct app *app)
{
    FILE *f;
    int good;

    if (!app->arg[0])
        return app_say(app, ROLE_WARN,
                       "write-register: name a file: :write-register FILE");
    f = fopen(app->arg, "wxe");
    if (!f)
        return app_say(app, ROLE_ERROR, "%s: %s", app->arg, strerror(errno));
    good = fwrite(app->reg.data, 1, app->reg.len, f) == app->reg.len;
    good = fclose(f) == 0 && good;
    if (!good)
        return app_say(app, ROLE_ERROR, "%s: %s", app->arg, strerror(errno));
    return app_say(app, ROLE_OK, "%zu bytes written to %s", app->reg.len, app->arg);
}

unsigned act_pane(struct app *app)
{
    enum pane *p =
        app->screen == SCREEN_CHAIN ? &app->chain.focus : &app->constitution.focus;

    *p = *p == PANE_LEFT ? PANE_RIGHT : PANE_LEFT;
    app->constitution.shown_field = -1;
    return FX_PAINT;
}

unsigned act_settings(struct app *app)
{
    return layer_push(app, LAYER_SETTINGS);
}

unsigned act_setting_less(struct app *app)
{
    return settings_adjust(app, -1);
}

unsigned act_setting_more(struct app *app)
{
    return settings_adjust(app, 1);
}

unsigned act_setting_enter(struct app *app)
{
    return settings_enter(app);
}

unsigned act_pick(struct app *app)
{
    return choice_pick(app);
}

unsigned act_help_run(struct app *app)
{
    return help_run(app);
}

unsigned act_edit_save(struct app *app)
{
    return edit_save(app);
}

unsigned act_edit_leave(struct app *app)
{
    return edit_leave(app);
}

unsigned act_confirm_yes(struct app *app)
{
    unsigned (*fn)(struct app *) = app->confirmed;

    layer_pop(app);
    return fn(app);
}

unsigned act_confirm_no(struct app *app)
{
    return layer_pop(app);
}

static unsigned go(struct app *app, enum move m)
{
    switch (app_context(app)) {
    case CTX_CHAIN: return chain_move(app, m);
    case CTX_CONSTITUTION: return constitution_move(app, m);
    case CTX_SETTINGS: list_move(&app->settings, m); break;
    case CTX_HELP: list_move(&app->help, m); break;
    case CTX_CHOICE: list_move(&app->choice.list, m); break;
    default: break;
    }
    return FX_PAINT;
}

unsigned act_up(struct app *app)
{
    return go(app, MOVE_UP);
}

unsigned act_down(struct app *app)
{
    return go(app, MOVE_DOWN);
}

unsigned act_page_up(struct app *app)
{
    return go(app, MOVE_PAGE_UP);
}

unsigned act_page_down(struct app *app)
{
    return go(app, MOVE_PAGE_DOWN);
}

unsigned act_half_up(struct app *app)
{
    return go(app, MOVE_HALF_UP);
}

unsigned act_half_down(struct app *app)
{
    return go(app, MOVE_HALF_DOWN);
}

unsigned act_home(struct app *app)
{
    return go(app, MOVE_HOME);
}

unsigned act_end(struct app *app)
{
    return go(app, MOVE_END);
}

unsigned act_search(struct app *app)
{
    unsigned context = app_context(app);

    return ask(app, context & CTX_SCREENS ? PROMPT_SEARCH : PROMPT_FILTER, "/", "");
}

unsigned act_search_next(struct app *app)
{
    return search_next(app, 1);
}

unsigned act_search_prev(struct app *app)
{
    return search_next(app, -1);
}

unsigned act_screen_chain(struct app *app)
{
    app->screen = SCREEN_CHAIN;
    return FX_PAINT;
}

unsigned act_screen_constitution(struct app *app)
{
    app->screen = SCREEN_CONSTITUTION;
    return FX_PAINT;
}

unsigned act_mouse(struct app *app)
{
    app->mouse = !app->mouse;
    if (app->tty)
        term_mouse(app->mouse);
    return app_say(app, ROLE_TEXT,
                   app->mouse ? "mouse on; Shift-drag marks text" : "mouse off");
}

unsigned act_palette(struct app *app)
{
    return ask(app, PROMPT_PALETTE, ":", "");
}

unsigned act_repaint(struct app *app)
{
    (void)app;
    return FX_PAINT | FX_REPAINT;
}

unsigned act_help(struct app *app)
{
    app->help_ctx = app_context(app);
    app->help.sel = app->help.top = 0;
    layer_push(app, LAYER_HELP);
    help_filter(app);
    return FX_PAINT;
}

/* Esc: a filter, a layer, a mode, a mark; one at a time, and never the program. */
unsigned act_back(struct app *app)
{
    if (app->filter[0]) {
        app->filter[0] = '\0';
        if (app_context(app) == CTX_CHOICE)
            choice_filter(app);
    } else if (app->n_layers > 0) {
        layer_pop(app);
    } else if (app->screen == SCREEN_CONSTITUTION &&
               app->constitution.focus == PANE_RIGHT) {
        app->constitution.focus = PANE_LEFT;
    } else if (app->query[0]) {
        app->query[0] = '\0';
    } else if (app->screen == SCREEN_CHAIN && app->chain.mode != MODE_TEXT) {
        app->chain.mode = MODE_TEXT;
    } else if (app->screen == SCREEN_CHAIN && app->chain.focus == PANE_RIGHT) {
        app->chain.focus = PANE_LEFT;
        app->chain.zoom = 0;
    } else {
        app_say(app, ROLE_DIM, "q closes, ? helps");
    }
    return FX_PAINT;
}

static unsigned quit(struct app *app)
{
    job_stop(app, 0);
    return FX_QUIT;
}

unsigned act_close(struct app *app)
{
    if (app->n_layers > 0)
        return layer_pop(app);
    if (app->screen != SCREEN_CHAIN) {
        app->screen = SCREEN_CHAIN;
        return FX_PAINT;
    }
    if (jobs_running(app))
        return confirm_open(app, quit, "Stop generating and quit? What there is stays.");
    return FX_QUIT;
}

unsigned act_suspend(struct app *app)
{
    (void)app;
    return FX_SUSPEND;
}

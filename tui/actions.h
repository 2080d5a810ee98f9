/* actions.h: what the rows of the action table run, and when they may not. */
#ifndef TUI_ACTIONS_H
#define TUI_ACTIONS_H

#include "action.h"

const char *denied_constitution(const struct app *app);
const char *denied_copy(const struct app *app);
const char *denied_delete(const struct app *app);
const char *denied_diff(const struct app *app);
const char *denied_edit_text(const struct app *app);
const char *denied_empty(const struct app *app);
const char *denied_evaluate(const struct app *app);
const char *denied_hunk(const struct app *app);
const char *denied_labels(const struct app *app);
const char *denied_node(const struct app *app);
const char *denied_pairs(const struct app *app);
const char *denied_principle(const struct app *app);
const char *denied_principle_edit(const struct app *app);
const char *denied_query(const struct app *app);
const char *denied_redo(const struct app *app);
const char *denied_register(const struct app *app);
const char *denied_resample(const struct app *app);
const char *denied_runs(const struct app *app);
const char *denied_step(const struct app *app);
const char *denied_training(const struct app *app);
const char *denied_undo(const struct app *app);
const char *denied_write(const struct app *app);

unsigned act_auto(struct app *app);
unsigned act_back(struct app *app);
unsigned act_choose_constitution(struct app *app);
unsigned act_choose_principle(struct app *app);
unsigned act_close(struct app *app);
unsigned act_confirm_no(struct app *app);
unsigned act_confirm_yes(struct app *app);
unsigned act_copy(struct app *app);
unsigned act_delete(struct app *app);
unsigned act_diff(struct app *app);
unsigned act_down(struct app *app);
unsigned act_edit(struct app *app);
unsigned act_edit_external(struct app *app);
unsigned act_edit_leave(struct app *app);
unsigned act_edit_save(struct app *app);
unsigned act_end(struct app *app);
unsigned act_g_down(struct app *app);
unsigned act_g_up(struct app *app);
unsigned act_half_down(struct app *app);
unsigned act_half_up(struct app *app);
unsigned act_help(struct app *app);
unsigned act_help_run(struct app *app);
unsigned act_home(struct app *app);
unsigned act_hunk_next(struct app *app);
unsigned act_hunk_prev(struct app *app);
unsigned act_info(struct app *app);
unsigned act_model(struct app *app);
unsigned act_mouse(struct app *app);
unsigned act_new_chain(struct app *app);
unsigned act_page_down(struct app *app);
unsigned act_page_up(struct app *app);
unsigned act_palette(struct app *app);
unsigned act_pane(struct app *app);
unsigned act_pane_left(struct app *app);
unsigned act_pane_right(struct app *app);
unsigned act_scroll_down(struct app *app);
unsigned act_scroll_up(struct app *app);
unsigned act_pick(struct app *app);
unsigned act_principle_add(struct app *app);
unsigned act_principle_back(struct app *app);
unsigned act_principle_delete(struct app *app);
unsigned act_principle_down(struct app *app);
unsigned act_principle_edit(struct app *app);
unsigned act_principle_edit_external(struct app *app);
unsigned act_principle_enter(struct app *app);
unsigned act_principle_toggle(struct app *app);
unsigned act_principle_up(struct app *app);
unsigned act_principle_weight(struct app *app);
unsigned act_redo(struct app *app);
unsigned act_repaint(struct app *app);
unsigned act_resample(struct app *app);
unsigned act_screen_chain(struct app *app);
unsigned act_screen_constitution(struct app *app);
unsigned act_search(struct app *app);
unsigned act_search_next(struct app *app);
unsigned act_search_prev(struct app *app);
unsigned act_sent(struct app *app);
unsigned act_setting_enter(struct app *app);
unsigned act_setting_less(struct app *app);
unsigned act_setting_more(struct app *app);
unsigned act_settings(struct app *app);
unsigned act_step(struct app *app);
unsigned act_stop(struct app *app);
unsigned act_suspend(struct app *app);
unsigned act_undo(struct app *app);
unsigned act_up(struct app *app);
unsigned act_write_register(struct app *app);
unsigned act_zoom(struct app *app);

#endif

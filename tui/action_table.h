/*
 * action_table.h: the rows. Order is the order of help and, within a context, of hints.
 */
#ifndef TUI_ACTION_TABLE_H
#define TUI_ACTION_TABLE_H

#include "actions.h"

/* X(id, name, keys, contexts, hint, help, denied, run) */
#define ACTIONS(X)                                                                       \
    X(CHAIN_STOP, "stop", "<C-c>", CTX_CHAIN, "stop",                                    \
      "Stop generating; the text so far is kept and marked", NULL, act_stop)             \
    X(CHAIN_STEP, "step", "s <Space> <Enter>", CTX_CHAIN, "step",                        \
      "Make the next link: a response, or a critique and its revision", denied_step,     \
      act_step)                                                                          \
    X(CHAIN_AUTO, "auto-run", "a", CTX_CHAIN, "auto-run",                                \
      "Make several critiques and revisions in a row", denied_step, act_auto)            \
    X(CHAIN_EDIT, "edit", "e", CTX_CHAIN, "edit", "Change the selected text in place",   \
      denied_edit_text, act_edit)                                                        \
    X(CHAIN_DIFF, "diff", "d", CTX_CHAIN, "diff",                                        \
      "Compare a revision with the response before it, by words", denied_diff, act_diff) \
    X(CHAIN_PRINCIPLE, "choose-principle", "p", CTX_CHAIN, "principle",                  \
      "Choose the principle of the next step, or draw it at random", denied_principle,   \
      act_choose_principle)                                                              \
    X(CHAIN_RESAMPLE, "re-sample", "r", CTX_CHAIN, "re-sample",                          \
      "Sample the selected link again, beside the old one", denied_resample,             \
      act_resample)                                                                      \
    X(CHAIN_HUNK_NEXT, "next-change", "]", CTX_CHAIN, NULL, "To the next change",        \
      denied_hunk, act_hunk_next)                                                        \
    X(CHAIN_HUNK_PREV, "previous-change", "[", CTX_CHAIN, NULL, "To the change before",  \
      denied_hunk, act_hunk_prev)                                                        \
    X(CHAIN_EDITOR, "edit-external", "E", CTX_CHAIN, NULL,                               \
      "Change the selected text in $EDITOR", denied_edit_text, act_edit_external)        \
    X(CHAIN_G_UP, "guidance-up", "+ =", CTX_CHAIN, NULL,                                 \
      "Turn up how much the critique and principle push revisions (g)", denied_write,    \
      act_g_up)                                                                          \
    X(CHAIN_G_DOWN, "guidance-down", "-", CTX_CHAIN, NULL,                               \
      "Turn it down; 0 is the sampling of the paper", denied_write, act_g_down)          \
    X(CHAIN_SENT, "prompt-as-sent", "v", CTX_CHAIN, "prompt",                            \
      "The exact prompt the model was given, control tokens marked", denied_node,        \
      act_sent)                                                                          \
    X(CHAIN_INFO, "provenance", "i", CTX_CHAIN, "info",                                  \
      "How the text was made: model, seed, settings, log-probs", denied_node, act_info)  \
    X(CHAIN_ZOOM, "zoom", "z", CTX_CHAIN, NULL, "Give the text the whole width", NULL,   \
      act_zoom)                                                                          \
    X(CHAIN_NEW, "new-chain", "c", CTX_CHAIN, "new chain",                               \
      "Begin a chain with a prompt of your own", denied_write, act_new_chain)            \
    X(CHAIN_DELETE, "delete", "x <Del>", CTX_CHAIN, NULL,                                \
      "Delete the selected link with what hangs on it, or the chain (u brings it back)", \
      denied_delete, act_delete)                                                         \
    X(CHAIN_RIGHT, "to-text", "l <Right>", CTX_CHAIN, NULL, "To the text", NULL,         \
      act_pane_right)                                                                    \
    X(CHAIN_LEFT, "to-links", "h <Left>", CTX_CHAIN, NULL, "To the links", NULL,         \
      act_pane_left)                                                                     \
    X(CHAIN_SCROLL_DOWN, "scroll-down", "J", CTX_CHAIN, NULL,                            \
      "Scroll the text from the links", NULL, act_scroll_down)                           \
    X(CHAIN_SCROLL_UP, "scroll-up", "K", CTX_CHAIN, NULL,                                \
      "Scroll the text from the links", NULL, act_scroll_up)                             \
    X(CONST_OPEN, "open-texts", "<Enter> l <Right>", CTX_CONSTITUTION, NULL,             \
      "Go to the texts of the principle; there: edit the selected one", denied_empty,    \
      act_principle_enter)                                                               \
    X(CONST_BACK, "back-to-list", "h <Left>", CTX_CONSTITUTION, NULL,                    \
      "Back to the list of principles", NULL, act_principle_back)                        \
    X(CONST_EDIT, "edit-text", "e", CTX_CONSTITUTION, "edit",                            \
      "Change the selected text of the principle in place", denied_principle_edit,       \
      act_principle_edit)                                                                \
    X(CONST_EDITOR, "edit-text-external", "E", CTX_CONSTITUTION, NULL,                   \
      "Change it in $EDITOR", denied_principle_edit, act_principle_edit_external)        \
    X(CONST_ADD, "add-principle", "a", CTX_CONSTITUTION, "add",                          \
      "Add a principle below the selected one", denied_constitution, act_principle_add)  \
    X(CONST_TOGGLE, "enable", "<Space>", CTX_CONSTITUTION, "on/off",                     \
      "Switch the principle on or off; only those that are on are drawn",                \
      denied_principle_edit, act_principle_toggle)                                       \
    X(CONST_UP, "move-up", "K", CTX_CONSTITUTION, NULL, "Move the principle up",         \
      denied_principle_edit, act_principle_up)                                           \
    X(CONST_DOWN, "move-down", "J", CTX_CONSTITUTION, "move", "Move the principle down", \
      denied_principle_edit, act_principle_down)                                         \
    X(CONST_WEIGHT, "weight", "w", CTX_CONSTITUTION, "weight",                           \
      "How often it is drawn, relative to the others", denied_principle_edit,            \
      act_principle_weight)                                                              \
    X(CONST_DELETE, "delete-principle", "x <Del>", CTX_CONSTITUTION, "delete",           \
      "Delete the principle (u brings it back)", denied_principle_edit,                  \
      act_principle_delete)                                                              \
    X(CONST_CHOOSE, "choose-constitution", "o", CTX_CONSTITUTION, "open",                \
      "Use another constitution in this session", denied_write, act_choose_constitution) \
    X(CONST_LINT, "lint", "L", CTX_CONSTITUTION, "lint",                                 \
      "What a careful reader would point out in this constitution", denied_lint,         \
      act_lint)                                                                          \
    X(UNDO, "undo", "u", CTX_SCREENS, "undo",                                            \
      "Take back the last change; works after a restart too", denied_undo, act_undo)     \
    X(REDO, "redo", "<C-r>", CTX_SCREENS, NULL, "Do again what was taken back",          \
      denied_redo, act_redo)                                                             \
    X(COPY, "copy", "y", CTX_SCREENS, NULL,                                              \
      "Copy the selected text to the register and the terminal", denied_copy, act_copy)  \
    X(WRITE_REGISTER, "write-register", "", CTX_SCREENS, NULL,                           \
      "Write the copied text to a file: :write-register FILE", denied_register,          \
      act_write_register)                                                                \
    X(PANE_NEXT, "next-pane", "<Tab>", CTX_SCREENS, NULL, "To the other pane", NULL,     \
      act_pane)                                                                          \
    X(PANE_PREV, "previous-pane", "<S-Tab>", CTX_SCREENS, NULL, "To the other pane",     \
      NULL, act_pane)                                                                    \
    X(SETTINGS, "settings", ",", CTX_SCREENS, "settings",                                \
      "Temperature, length, seed, layout, few-shots, guidance, model", NULL,             \
      act_settings)                                                                      \
    X(MODEL, "model", "", CTX_SCREENS, NULL, "Use another model: :model FILE", NULL,     \
      act_model)                                                                         \
    X(SET_LESS, "less", "- h <Left>", CTX_SETTINGS, "less", "A smaller value", NULL,     \
      act_setting_less)                                                                  \
    X(SET_MORE, "more", "+ = l <Right>", CTX_SETTINGS, "more", "A larger value", NULL,   \
      act_setting_more)                                                                  \
    X(SET_ENTER, "type-value", "<Enter> e <Space>", CTX_SETTINGS, "type",                \
      "Type or choose the value", NULL, act_setting_enter)                               \
    X(PICK, "pick", "<Enter> l <Right> <Space>", CTX_CHOICE, "choose",                   \
      "Choose the marked row", NULL, act_pick)                                           \
    X(RUN_ROW, "run-row", "<Enter>", CTX_HELP, "run", "Run the marked action", NULL,     \
      act_help_run)                                                                      \
    X(SAVE_TEXT, "save-text", "<C-s>", CTX_EDIT, "save", "Keep the changed text",        \
      denied_write, act_edit_save)                                                       \
    X(LEAVE_TEXT, "leave-text", "<Esc> <C-c>", CTX_EDIT, "leave",                        \
      "Leave the editor; asks when something was changed", NULL, act_edit_leave)         \
    X(CONFIRM_YES, "confirm-yes", "Y", CTX_CONFIRM, "yes", "Do it", NULL,                \
      act_confirm_yes)                                                                   \
    X(CONFIRM_NO, "confirm-no", "n N <Esc> <Enter> q <C-c>", CTX_CONFIRM, "no",          \
      "Leave everything as it is", NULL, act_confirm_no)                                 \
    X(UP, "up", "k <Up>", CTX_LISTS, NULL, "One row up", NULL, act_up)                   \
    X(DOWN, "down", "j <Down>", CTX_LISTS, NULL, "One row down", NULL, act_down)         \
    X(PAGE_UP, "page-up", "<PgUp> <C-b>", CTX_LISTS, NULL, "One page up", NULL,          \
      act_page_up)                                                                       \
    X(PAGE_DOWN, "page-down", "<PgDn> <C-f>", CTX_LISTS, NULL, "One page down", NULL,    \
      act_page_down)                                                                     \
    X(HALF_UP, "half-page-up", "<C-u>", CTX_LISTS, NULL, "Half a page up", NULL,         \
      act_half_up)                                                                       \
    X(HALF_DOWN, "half-page-down", "<C-d>", CTX_LISTS, NULL, "Half a page down", NULL,   \
      act_half_down)                                                                     \
    X(HOME, "first", "g <Home>", CTX_LISTS, NULL, "To the first row", NULL, act_home)    \
    X(END, "last", "G <End>", CTX_LISTS, NULL,                                           \
      "To the last row; a growing text is followed again", NULL, act_end)                \
    X(SEARCH, "search", "/", CTX_LISTS & ~(unsigned)CTX_SETTINGS, NULL,                  \
      "Search the texts, filter a list; small letters match capitals too", NULL,         \
      act_search)                                                                        \
    X(SEARCH_NEXT, "search-next", "n", CTX_SCREENS, NULL, "To the next match",           \
      denied_query, act_search_next)                                                     \
    X(SEARCH_PREV, "search-previous", "N", CTX_SCREENS, NULL, "To the match before",     \
      denied_query, act_search_prev)                                                     \
    X(SCREEN_1, "chain-screen", "1", CTX_SCREENS, NULL, "The chains of this session",    \
      NULL, act_screen_chain)                                                            \
    X(SCREEN_2, "constitution-screen", "2", CTX_SCREENS, NULL,                           \
      "The principles and their texts", NULL, act_screen_constitution)                   \
    X(SCREEN_3, "pairs-screen", "3", CTX_SCREENS, NULL,                                  \
      "Pairs of responses side by side, per-principle verdicts", denied_pairs, NULL)     \
    X(SCREEN_4, "labels-screen", "4", CTX_SCREENS, NULL,                                 \
      "AI labels in both orders, human audit", denied_labels, NULL)                      \
    X(SCREEN_5, "training-screen", "5", CTX_SCREENS, NULL,                               \
      "Curves of SL, preference model and RL", denied_training, NULL)                    \
    X(SCREEN_6, "runs-screen", "6", CTX_SCREENS, NULL,                                   \
      "Background stages and their folders", denied_runs, NULL)                          \
    X(SCREEN_7, "evaluate-screen", "7", CTX_SCREENS, NULL,                               \
      "Snapshots compared and rated", denied_evaluate, NULL)                             \
    X(MOUSE, "mouse", "m", CTX_LISTS, NULL,                                              \
      "Mouse on or off: wheel scrolls, click selects, Shift-drag marks", NULL,           \
      act_mouse)                                                                         \
    X(PALETTE, "palette", ":", CTX_LISTS, NULL, "Type the name of an action", NULL,      \
      act_palette)                                                                       \
    X(REPAINT, "repaint", "<C-l>", CTX_LISTS | CTX_EDIT | CTX_CONFIRM, NULL,             \
      "Draw everything again", NULL, act_repaint)                                        \
    X(HELP, "help", "? <F1>", CTX_SCREENS | CTX_SETTINGS | CTX_CHOICE, NULL,             \
      "All actions and their keys", NULL, act_help)                                      \
    X(BACK, "back", "<Esc>", CTX_LISTS, NULL, "One level out", NULL, act_back)           \
    X(CLOSE, "quit", "q", CTX_LISTS, NULL, "Close the view; from the last one quit",     \
      NULL, act_close)                                                                   \
    X(INTERRUPT, "interrupt", "<C-c>", CTX_LISTS & ~(unsigned)CTX_CHAIN, NULL,           \
      "Stop generating; else one level out", NULL, act_stop)                             \
    X(SUSPEND, "suspend", "<C-z>", CTX_LISTS | CTX_EDIT | CTX_CONFIRM, NULL,             \
      "Back to the shell; fg returns", NULL, act_suspend)

#endif

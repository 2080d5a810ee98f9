/*
 * ui.h: what the files of the workbench share: the one model of everything on screen.
 *
 * Handlers change struct app and return effect bits; they never draw. Painting reads the
 * model and fills the grid. Layout, content, paint, in this order, once per frame.
 *
 * Thread: all of it on the UI thread; workers reach it through the inbox only.
 */
#ifndef TUI_UI_H
#define TUI_UI_H

#include "app.h"
#include "cai.h"
#include "edit.h"
#include "grid.h"
#include "keys.h"
#include "list.h"
#include "pager.h"

enum { APP_MIN_COLS = 40, APP_MIN_ROWS = 10, APP_LIVE_MAX = 8, APP_FRAME_MS = 33 };

enum effect {
    FX_NONE = 0,
    FX_PAINT = 1, /* something on screen changed */
    FX_DATA = 2,  /* the session or what is under way changed: rows are made again */
    FX_QUIT = 4,
    FX_SUSPEND = 8, /* ^Z */
    FX_EDITOR = 16, /* app->editor has a request */
    FX_REPAINT = 32 /* every cell again */
};

enum context { /* bits: where an action's keys are heard */
               CTX_CHAIN = 1,
               CTX_CONSTITUTION = 2,
               CTX_SETTINGS = 4,
               CTX_HELP = 8,
               CTX_CHOICE = 16,
               CTX_EDIT = 32,
               CTX_CONFIRM = 64,
               CTX_SCREENS = CTX_CHAIN | CTX_CONSTITUTION,
               CTX_LISTS = CTX_SCREENS | CTX_SETTINGS | CTX_HELP | CTX_CHOICE,
               CTX_NOWHERE = 0
};

enum screen { SCREEN_CHAIN, SCREEN_CONSTITUTION };
enum pane { PANE_LEFT, PANE_RIGHT };
enum layer { LAYER_SETTINGS, LAYER_HELP, LAYER_CHOICE, LAYER_EDIT, LAYER_CONFIRM };
enum { LAYERS_MAX = 8 };

enum prompt_kind {
    PROMPT_PALETTE,
    PROMPT_SEARCH,
    PROMPT_FILTER,
    PROMPT_NEW_CHAIN,
    PROMPT_AUTO,
    PROMPT_SETTING,
    PROMPT_WEIGHT,
    PROMPT_KINDS
};

struct app;

/* ---- what is being generated */

struct live {
    uint64_t job; /* 0: free */
    uint32_t chain, parent;
    int started; /* the link under way has begun */
    int cancelling;
    enum cai_node_kind kind;
    char *principle; /* id, of the link under way */
    struct buf text;
    int n_tokens;
    double tok_per_s;
    size_t n_done, n_wanted; /* links */
};

/* ---- the chain screen */

struct tree_row {
    uint32_t chain, node; /* node 0: the prompt */
    int live;             /* index of what is under way, -1: a stored link */
    int depth;            /* of branches */
    int first;            /* begins a branch */
};

enum chain_mode { MODE_TEXT, MODE_DIFF, MODE_SENT, MODE_INFO, MODE_COUNT };

struct chain_view {
    struct tree_row *rows;
    size_t cap_rows;
    struct list list;
    uint32_t chain, node; /* what is selected, by identity */
    int live;             /* the link under way in `chain` is selected */
    enum pane focus;
    enum chain_mode mode;
    int zoom;                 /* the text alone */
    struct pager text, right; /* right: new text of a diff side by side */
    /* what the text was made from */
    uint64_t shown_gen;
    uint32_t shown_chain, shown_node;
    int shown_live, shown_cols;
    enum chain_mode shown_mode;
    struct rect tree_at, text_at; /* of the last frame, for the mouse */
    char diff_note[96];
};

/* ---- the constitution screen */

struct constitution_view {
    struct list list;
    enum pane focus;
    int field; /* selected text of the principle */
    struct pager text;
    uint64_t shown_gen;
    size_t shown_index;
    int shown_field;
    size_t field_at[CAI_FIELD_COUNT + 1];
    struct cai_lint *lint;
    size_t n_lint;
    uint64_t lint_gen;
    struct rect list_at, text_at;
};

/* ---- layers over a screen */

struct choice_item {
    char *label, *detail, *value;
};

struct choice {
    char title[64];
    struct choice_item *items;
    size_t n, cap;
    size_t *shown; /* indices that pass the filter */
    struct list list;
    unsigned (*picked)(struct app *app, const char *value);
};

enum edit_target { EDIT_NODE, EDIT_PROMPT, EDIT_FIELD };

struct edit_place { /* what a finished text belongs to */
    enum edit_target target;
    uint32_t chain, node;
    size_t principle;
    enum cai_field field;
};

struct app {
    const struct app_options *opts;
    struct cli *cli;
    int tty; /* 0: a key script on a plain grid */

    struct cai_inbox *inbox;
    struct cai_session *session;
    struct cai_engine *engine;
    char *model_path;
    char *model_name; /* "" while loading */
    int model_failed;
    struct live live[APP_LIVE_MAX];
    uint64_t gen; /* counts every change of data */

    int cols, rows;
    struct grid grid;
    enum screen screen;
    enum layer layers[LAYERS_MAX];
    int n_layers;
    struct chain_view chain;
    struct constitution_view constitution;
    struct choice choice;
    struct edit edit;
    struct edit_place edit_place;
    char edit_title[96];
    int edit_external; /* hand edit_place's text to $EDITOR */
    struct list settings;
    struct list help;
    size_t *help_rows; /* action numbers shown */
    unsigned help_ctx;
    char filter[128]; /* of help or choice */
    char confirm[160];
    unsigned (*confirmed)(struct app *app);

    char query[256]; /* of the last search */
    size_t search_from_sel;
    const char *arg; /* what followed the action's name in the palette; "" */
    char message[512];
    enum role message_role;
    int sticky;     /* an error stays until a key */
    struct buf reg; /* the copy register */
    int mouse;
    unsigned spin;

    struct keys keys;
    int64_t last_byte_ms, last_paint_ms, last_spin_ms;
    unsigned fx; /* collected since the last frame */
    int quitting;
};

/* ---- app.c */
unsigned app_say(struct app *app, enum role role, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
unsigned app_error(struct app *app, const char *message);
const char *app_read_only(const struct app *app); /* reason, NULL: may be changed */
unsigned app_open_engine(struct app *app, const char *path);
unsigned app_take_results(struct app *app);
unsigned app_feed(struct app *app, const struct keys_unit *u);
void app_paint(struct app *app);
int app_too_small(const struct app *app);
int app_busy(const struct app *app); /* generating, loading or saving */
int64_t app_now_ms(const struct app *app);
const char *app_author(const struct app *app);
void app_start(struct app *app, const struct app_options *opts);

/* ---- layers.c */
unsigned layer_push(struct app *app, enum layer l);
unsigned layer_pop(struct app *app);
unsigned app_context(const struct app *app); /* one bit */
void choice_begin(struct app *app, const char *title,
                  unsigned (*picked)(struct app *app, const char *value));
void choice_add(struct app *app, const char *label, const char *detail,
                const char *value);
unsigned choice_open(struct app *app, const char *current);
void choice_filter(struct app *app);
unsigned choice_pick(struct app *app);
unsigned confirm_open(struct app *app, unsigned (*confirmed)(struct app *app),
                      const char *fmt, ...) __attribute__((format(printf, 3, 4)));
unsigned edit_begin(struct app *app, const struct edit_place *place, int external);
unsigned edit_save(struct app *app);
unsigned edit_leave(struct app *app);
void layers_paint(struct app *app, struct rect body);
void layers_free(struct app *app);

/* ---- help.c */
void help_filter(struct app *app);
unsigned help_run(struct app *app);
void help_paint(struct app *app, struct rect body);

/* ---- prompts.c */
unsigned ask(struct app *app, enum prompt_kind kind, const char *label, const char *text);
unsigned ask_changed(struct app *app); /* after every unit fed */
void ask_paint(struct app *app, struct rect row, struct rect body);
void ask_init(struct app *app);
unsigned search_next(struct app *app, int dir);

/* ---- jobs.c */
unsigned job_step(struct app *app, int n_steps);
unsigned job_resample(struct app *app);
unsigned job_stop(struct app *app, uint32_t chain); /* 0: every one */
const struct live *job_of(const struct app *app, uint32_t chain);
int jobs_running(const struct app *app);
unsigned job_event(struct app *app, struct cai_event *e);
void jobs_free(struct app *app);

/* ---- view_chain.c, chain_text.c */
void chain_refresh(struct app *app); /* rows from the session, selection kept */
void chain_paint(struct app *app, struct rect body);
void chain_select(struct app *app, uint32_t chain, uint32_t node, int live);
void chain_row_selected(struct app *app); /* list.sel changed: identity follows */
unsigned chain_move(struct app *app, enum move m);
unsigned chain_click(struct app *app, int x, int y);
int chain_find(struct app *app, int dir, int from_here, int *wrapped);
const struct cai_node *chain_node(const struct app *app);     /* selected, or NULL */
const struct cai_chain *chain_current(const struct app *app); /* or NULL */
void chain_position(const struct app *app, char *out, size_t size);
int chain_side_by_side(const struct app *app);
void chain_text_make(struct app *app, int cols); /* fills the pagers for the selection */
/* The response a revision is compared with, NULL when there is none. */
const struct cai_node *chain_before(const struct cai_chain *c, const struct cai_node *n);
const char *chain_kind_name(enum cai_node_kind k); /* as the screen says it */
const char *chain_title_of(const struct app *app, const char *principle_id);

/* ---- view_constitution.c */
void constitution_paint(struct app *app, struct rect body);
unsigned constitution_move(struct app *app, enum move m);
unsigned constitution_click(struct app *app, int x, int y);
int constitution_find(struct app *app, int dir, int from_here, int *wrapped);
void constitution_position(const struct app *app, char *out, size_t size);
/* Stores a changed copy as the session's constitution; takes c. */
unsigned constitution_store(struct app *app, struct cai_constitution *take_c,
                            const char *said);

/* ---- view_settings.c */
void settings_paint(struct app *app, struct rect body);
unsigned settings_adjust(struct app *app, int dir);
unsigned settings_enter(struct app *app);
unsigned settings_set(struct app *app, const char *text);
unsigned settings_store(struct app *app, const struct cai_chain_settings *s);
unsigned settings_choose_principle(struct app *app);
unsigned settings_dial(struct app *app, double by);

/* ---- editor.c */
/* Leaves the screen, runs the editor on the text, comes back. NULL and err on failure. */
char *editor_run(const struct app *app, const char *text, char *err, size_t errlen);

/* ---- script.c */
int script_run(struct app *app, const char *path);

#endif

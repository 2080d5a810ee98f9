/*
 * prompt.h: the one-line prompt, edited by readline inside our screen.
 *
 * prompt.c alone includes readline. It never touches the terminal: it is fed with
 * complete units (keys.h) and gives back text, cursor column and candidates to draw. One
 * prompt at a time, UI thread only.
 */
#ifndef TUI_PROMPT_H
#define TUI_PROMPT_H

#include "keys.h"

enum prompt_state { PROMPT_CLOSED, PROMPT_OPEN, PROMPT_DONE, PROMPT_CANCELLED };

/* The n-th completion of text for a prompt of this kind, or NULL after the last; borrowed
 * until the next call. */
typedef const char *prompt_complete_fn(void *arg, int kind, const char *text, size_t n);

struct prompt_options {
    const char *state_dir; /* histories live there; NULL: none is kept */
    prompt_complete_fn *complete;
    void *arg;
};

struct prompt_view {
    const char *label, *text; /* as readline shows them; text may hold newlines */
    size_t cursor;            /* byte of text */
};

void prompt_init(const struct prompt_options *opts);
/* history names the file, NULL for none. */
void prompt_open(int kind, const char *history, const char *label, const char *text);
void prompt_feed(const struct keys_unit *u);
enum prompt_state prompt_state(void);
void prompt_view(struct prompt_view *v);
void prompt_cancel(void);
/* Ends DONE or CANCELLED: the line (caller frees), NULL when cancelled. */
char *prompt_take(void);

/* "readline 8.2". */
const char *prompt_library_version(void);

#endif

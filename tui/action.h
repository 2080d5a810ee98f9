/*
 * action.h: the one table of everything a person can do.
 *
 * A row is all an action needs: keys, help overlay, palette, hint bar, README list and
 * tests follow from it. Rows of screens to come are there too, denied with a reason.
 */
#ifndef TUI_ACTION_H
#define TUI_ACTION_H

#include "ui.h"

struct action {
    const char *name; /* in the palette and in config.json */
    const char *keys; /* "s <Space> <Enter>" */
    unsigned contexts;
    const char *hint; /* a word for the hint bar; NULL: not there */
    const char *help;
    const char *(*denied)(const struct app *app); /* NULL or a reason */
    unsigned (*run)(struct app *app);
};

size_t action_count(void);
const struct action *action_at(size_t i);
/* Keys as bound now, as people read them: "s Space Enter". */
void action_keys(size_t i, char *out, size_t size);
/* Action of a key in one context, -1 when there is none. */
int action_of_key(uint32_t key, unsigned context);
int action_find(const char *name);
const char *action_denied(const struct app *app, size_t i);
/* Runs it, or says why not. arg: what followed its name in the palette. */
unsigned action_run(struct app *app, size_t i, const char *arg);

/* Binds the default keys, then the user's ("ACTION": "KEY" or a list). Asserts one action
 * per key and context for the defaults; what is wrong in the user's is a warning. */
void action_bind(const cJSON *user_keys, const struct config_dirs *dirs, char *warning,
                 size_t size);

#endif

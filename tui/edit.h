/*
 * edit.h: a small multi-line editor for texts changed in place. Wrapped, with its own
 * undo; long texts go to $EDITOR instead.
 */
#ifndef TUI_EDIT_H
#define TUI_EDIT_H

#include "grid.h"
#include "keys.h"
#include "wrap.h"

enum { EDIT_UNDO_MAX = 100 };

struct edit {
    struct buf text;
    char *original;
    size_t cursor;  /* byte */
    size_t top;     /* first visible screen line */
    int rows, goal; /* goal: column that up and down aim at, -1: where the cursor is */
    struct wrap wrap;
    struct { /* texts before a change, oldest first */
        char *text;
        size_t cursor;
    } undo[EDIT_UNDO_MAX];
    size_t n_undo;
    uint32_t last_key; /* typing on in one go is one step of undo */
    int one_line;      /* a newline is refused */
};

void edit_open(struct edit *e, const char *text);
void edit_close(struct edit *e);
int edit_changed(const struct edit *e);
/* 0: not a key of the editor. */
int edit_key(struct edit *e, const struct keys_unit *u);
void edit_paint(struct edit *e, struct grid *g, struct rect r);

#endif

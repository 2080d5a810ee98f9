/*
 * grid.h: a screen of cells, drawn by the views, shown by term.c or printed by script.c.
 *
 * Every draw is clipped to a rectangle and every text passes the sanitizer, so no cell
 * can hold a control byte and nothing wraps to the next row by accident.
 */
#ifndef TUI_GRID_H
#define TUI_GRID_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "text.h"
#include "theme.h"

struct cell {
    uint32_t cps[TEXT_CPS_MAX];
    uint8_t n_cps; /* 0: the right half of a wide character */
    uint8_t cols;  /* 1 or 2; 0 for the right half */
    uint8_t role;  /* enum role */
    uint8_t attrs;
};

struct rect {
    int x, y, w, h;
};

struct grid {
    int cols, rows;
    struct cell *cells;
    int cursor_x, cursor_y; /* -1: hidden */
};

void grid_resize(struct grid *g, int cols, int rows);
void grid_free(struct grid *g);
void grid_clear(struct grid *g);
struct rect grid_all(const struct grid *g);

/* Blanks of that look. */
void grid_fill(struct grid *g, struct rect r, enum role role, unsigned attrs);
/* One line of text at (x, y) of the rectangle, cut at its right border. Returns the
 * columns used. Newlines are left out. */
int grid_text(struct grid *g, struct rect r, int x, int y, enum role role, unsigned attrs,
              const char *s, size_t len);
int grid_str(struct grid *g, struct rect r, int x, int y, enum role role, unsigned attrs,
             const char *s);
/* As grid_str, ending in an ellipsis when it has to be cut. */
int grid_cut(struct grid *g, struct rect r, int x, int y, enum role role, unsigned attrs,
             const char *s, size_t len, int max_cols);
void grid_hline(struct grid *g, struct rect r, int y, enum role role);
void grid_vline(struct grid *g, struct rect r, int x, enum role role);
/* Border inside r with a title; returns the rectangle within. */
struct rect grid_box(struct grid *g, struct rect r, enum role role, const char *title);

/* Plain text: rows without blanks at their end. */
void grid_print(struct buf *out, const struct grid *g);
/* Runs of cells that do not look plain, one row a line: "3: 0-11 fg6+bold". */
void grid_print_looks(struct buf *out, const struct grid *g, enum theme_depth depth);

#endif

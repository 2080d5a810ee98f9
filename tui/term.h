/*
 * term.h: the terminal. The only way to it; term.c alone includes curses.
 *
 * Shows a grid, one write burst a frame; owns the modes and puts them back on every way
 * out. Never reads: keys come from the descriptor itself (keys.h), so curses and readline
 * cannot take each other's bytes.
 *
 * Thread: UI thread only.
 */
#ifndef TUI_TERM_H
#define TUI_TERM_H

#include "grid.h"

struct term_options {
    int no_color, force_color;
    const char *log; /* stderr goes there while the screen is up; NULL: nowhere */
};

/* 0 and a sentence when the terminal is unknown or none. */
int term_open(const struct term_options *opts, char *err, size_t errlen);
void term_close(void);
/* Out of the screen (^Z, an editor) and in again. */
void term_leave(void);
void term_enter(void);
/* As the kernel knows it; 80x24 when it does not. */
void term_size(int *cols, int *rows);
void term_resize(int cols, int rows);
/* Every cell is sent again with the next frame. */
void term_repaint(void);
void term_present(const struct grid *g);
void term_mouse(int on);
/* Text to the terminal's clipboard (OSC 52); bytes of at most TERM_COPY_MAX. */
enum { TERM_COPY_MAX = 100000 };
void term_copy(const char *text, size_t len);

/* "ncurses 6.4.20221231". */
const char *term_library_version(void);

#endif

/*
 * text.h: how bytes become cells: the one sanitizer and the one width function.
 *
 * Where utf8proc and libc's wcwidth() disagree, wcwidth() wins, because curses places
 * cells by it. Control bytes show as ^[, bidi overrides and invisible tags as <202E>,
 * bytes that are no character as U+FFFD. Emoji clusters (joined by U+200D, with U+FE0F or
 * a skin tone) show their first character only: terminals disagree about the width of the
 * rest. Files keep every byte; only the display copy is changed.
 */
#ifndef TUI_TEXT_H
#define TUI_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum { TEXT_CPS_MAX = 5, TEXT_TAB_COLS = 4 };

/* What is shown for the next bytes of a text. */
struct text_unit {
    size_t n_bytes; /* consumed, at least 1 */
    int cols;       /* cells it takes; 0 for a newline and invisible marks */
    int newline;    /* "\n" */
    int n_cps;      /* one cell: base and combining marks; 0: see ascii */
    uint32_t cps[TEXT_CPS_MAX];
    char ascii[12]; /* one cell each when n_cps is 0 */
};

/* utf8 == 0: every character that is not ASCII shows as '?'. Called once at start. */
void text_init(int utf8);
int text_is_utf8(void);

/* len > 0. */
void text_next(struct text_unit *u, const char *s, size_t len);
/* Cells of the text on one line; a newline counts as none. */
int text_width(const char *s, size_t len);
/* Bytes of the longest prefix of at most max_cols cells; *cols (may be NULL) is its
 * width. */
size_t text_fit(const char *s, size_t len, int max_cols, int *cols);
/* Bytes of the character before position at (> 0): one grapheme back. */
size_t text_before(const char *s, size_t at);
/* Bytes 1..4 of a code point. */
size_t text_encode(char out[4], uint32_t cp);

#endif

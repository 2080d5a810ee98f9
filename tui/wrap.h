/*
 * wrap.h: the line index of a text: which bytes stand on which screen line.
 *
 * Breaks at spaces, inside a word only when it is longer than a line, never inside a
 * character. Grows with a streamed text by wrapping its last line again only.
 */
#ifndef TUI_WRAP_H
#define TUI_WRAP_H

#include <stddef.h>

struct wrap_line {
    size_t at, len; /* bytes; without the newline and the space it was broken at */
    int hard;       /* first screen line of a line of the text */
};

struct wrap {
    struct wrap_line *v;
    size_t n, cap;
    size_t n_bytes; /* of the text it stands for */
    int cols;
};

void wrap_build(struct wrap *w, const char *s, size_t len, int cols);
/* The text only grew since the last call. */
void wrap_extend(struct wrap *w, const char *s, size_t len);
/* Screen line that holds byte `at`; n > 0. */
size_t wrap_line_of(const struct wrap *w, size_t at);
void wrap_free(struct wrap *w);

#endif

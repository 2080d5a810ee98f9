/* wrap.c: see wrap.h. */
#include "wrap.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "text.h"

static void add_line(struct wrap *w, size_t at, size_t len, int hard)
{
    if (w->n == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 16;
        w->v = xresize(w->v, w->cap, sizeof *w->v);
    }
    w->v[w->n++] = (struct wrap_line){at, len, hard};
}

/* One line of the text, without its newline. */
static void wrap_hard_line(struct wrap *w, const char *s, size_t from, size_t to)
{
    size_t start = from, at = from, space_end = from, space = from;
    int cols = 0, hard = 1;
    struct text_unit u;

    while (at < to) {
        text_next(&u, s + at, to - at);
        if (cols + u.cols > w->cols && at > start) {
            if (s[at] == ' ') { /* the space that does not fit is the break */
                size_t end = at;
                while (at < to && s[at] == ' ')
                    at++;
                add_line(w, start, end - start, hard);
            } else if (space_end > start) {
                add_line(w, start, space - start, hard);
                at = space_end;
            } else {
                add_line(w, start, at - start, hard);
            }
            start = space = space_end = at;
            cols = hard = 0;
            continue;
        }
        cols += u.cols;
        at += u.n_bytes;
        if (s[at - 1] == ' ') {
            if (space_end != at - 1)
                space = at - 1;
            space_end = at;
        }
    }
    if (start < to || hard)
        add_line(w, start, to - start, hard);
}

static void wrap_from(struct wrap *w, const char *s, size_t from, size_t len)
{
    for (;;) {
        const char *nl = from < len ? memchr(s + from, '\n', len - from) : NULL;
        size_t to = nl ? (size_t)(nl - s) : len;

        wrap_hard_line(w, s, from, to);
        if (!nl)
            break;
        from = to + 1;
    }
    w->n_bytes = len;
}

void wrap_build(struct wrap *w, const char *s, size_t len, int cols)
{
    w->n = 0;
    w->cols = cols > 0 ? cols : 1;
    wrap_from(w, s, 0, len);
}

void wrap_extend(struct wrap *w, const char *s, size_t len)
{
    while (w->n > 0 && !w->v[w->n - 1].hard)
        w->n--;
    if (w->n > 0)
        w->n--;
    wrap_from(w, s, w->n < w->cap && w->v ? w->v[w->n].at : 0, len);
}

size_t wrap_line_of(const struct wrap *w, size_t at)
{
    size_t lo = 0, hi = w->n;

    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (w->v[mid].at <= at)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

void wrap_free(struct wrap *w)
{
    free(w->v);
    memset(w, 0, sizeof *w);
}

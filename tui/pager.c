/* pager.c: see pager.h. UI thread only. */
#include "pager.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void doc_reset(struct doc *d)
{
    buf_reset(&d->text);
    d->n_spans = d->n_stops = 0;
}

void doc_add(struct doc *d, enum role role, unsigned attrs, const char *s, size_t len)
{
    struct span *last = d->n_spans ? &d->spans[d->n_spans - 1] : NULL;
    size_t at = d->text.len;

    if (len == 0 || !buf_add(&d->text, s, len))
        return;
    if (last && last->role == role && last->attrs == attrs) {
        last->len += len;
        return;
    }
    if (d->n_spans == d->cap_spans) {
        d->cap_spans = d->cap_spans ? d->cap_spans * 2 : 16;
        d->spans = xresize(d->spans, d->cap_spans, sizeof *d->spans);
    }
    d->spans[d->n_spans++] = (struct span){at, len, role, attrs};
}

void doc_str(struct doc *d, enum role role, const char *s)
{
    doc_add(d, role, 0, s, strlen(s));
}

void doc_stop(struct doc *d)
{
    if (d->n_stops == d->cap_stops) {
        d->cap_stops = d->cap_stops ? d->cap_stops * 2 : 16;
        d->stops = xresize(d->stops, d->cap_stops, sizeof *d->stops);
    }
    d->stops[d->n_stops++] = d->text.len;
}

void doc_free(struct doc *d)
{
    buf_free(&d->text);
    free(d->spans);
    free(d->stops);
    memset(d, 0, sizeof *d);
}

static size_t last_top(const struct pager *p)
{
    size_t rows = p->rows > 0 ? (size_t)p->rows : 1;

    return p->wrap.n > rows ? p->wrap.n - rows : 0;
}

void pager_set(struct pager *p, struct doc *doc, int same)
{
    struct buf *old = &p->doc.text;
    int grown = same && p->wrap.n > 0 && doc->text.len >= old->len &&
                memcmp(buf_str(&doc->text), buf_str(old), old->len) == 0;
    struct doc was = p->doc;

    p->doc = *doc;
    *doc = was;
    doc_reset(doc);
    if (grown)
        wrap_extend(&p->wrap, buf_str(&p->doc.text), p->doc.text.len);
    else if (p->wrap.cols)
        wrap_build(&p->wrap, buf_str(&p->doc.text), p->doc.text.len, p->wrap.cols);
    if (!same) {
        p->top = 0;
        p->stop = SIZE_MAX;
        p->match = SIZE_MAX;
        p->follow = 0;
    }
    if (p->follow || p->top > last_top(p))
        p->top = last_top(p);
}

void pager_layout(struct pager *p, int cols, int rows)
{
    size_t anchor = p->wrap.n && p->top < p->wrap.n ? p->wrap.v[p->top].at : 0;

    p->rows = rows > 0 ? rows : 1;
    if (cols < 1)
        cols = 1;
    if (p->wrap.cols != cols || p->wrap.n == 0) {
        wrap_build(&p->wrap, buf_str(&p->doc.text), p->doc.text.len, cols);
        p->top = wrap_line_of(&p->wrap, anchor);
    }
    if (p->follow || p->top > last_top(p))
        p->top = last_top(p);
}

/* The span that holds byte `at`, searched from *hint on. */
static const struct span *span_at(const struct doc *d, size_t at, size_t *hint)
{
    while (*hint + 1 < d->n_spans && d->spans[*hint + 1].at <= at)
        (*hint)++;
    return *hint < d->n_spans ? &d->spans[*hint] : NULL;
}

static size_t first_span(const struct doc *d, size_t at)
{
    size_t lo = 0, hi = d->n_spans;

    while (hi - lo > 1 && hi > 0) {
        size_t mid = lo + (hi - lo) / 2;
        if (d->spans[mid].at <= at)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* The change one has stepped to stands out among the others. */
static unsigned stop_attrs(const struct pager *p, const struct span *span)
{
    const struct doc *d = &p->doc;

    if (!span || p->stop >= d->n_stops || span->at < d->stops[p->stop] ||
        (p->stop + 1 < d->n_stops && span->at >= d->stops[p->stop + 1]))
        return 0;
    return span->role == ROLE_ADDED || span->role == ROLE_REMOVED ? ATTR_REVERSE : 0;
}

void pager_paint(const struct pager *p, struct grid *g, struct rect r, const char *query)
{
    const char *s = buf_str(&p->doc.text);
    size_t q_len = query ? strlen(query) : 0;

    for (int row = 0; row < r.h && p->top + (size_t)row < p->wrap.n; row++) {
        const struct wrap_line *line = &p->wrap.v[p->top + (size_t)row];
        size_t at = line->at, end = line->at + line->len;
        size_t hint = first_span(&p->doc, at);
        int x = 0;

        while (at < end) {
            const struct span *span = span_at(&p->doc, at, &hint);
            size_t stop = span && span->at + span->len < end ? span->at + span->len : end;
            x += grid_text(g, r, x, row, span ? span->role : ROLE_TEXT,
                           (span ? span->attrs : 0) | stop_attrs(p, span), s + at,
                           stop - at);
            at = stop;
        }
        if (!q_len)
            continue;
        at = line->at > q_len ? line->at - q_len : 0; /* one that began a line above */
        while ((at = search_text(s, end, at, query)) < end) {
            size_t from = at > line->at ? at : line->at;
            size_t to = at + q_len < end ? at + q_len : end;
            if (to > from) {
                x = text_width(s + line->at, from - line->at);
                grid_text(g, r, x, row, ROLE_MATCH, at == p->match ? ATTR_BOLD : 0,
                          s + from, to - from);
            }
            at += q_len;
        }
    }
}

void pager_move(struct pager *p, enum move m)
{
    p->top = move_apply(m, p->top, last_top(p), p->rows);
    p->follow = p->follow && p->top == last_top(p);
    if (m == MOVE_END)
        p->follow = 1;
}

void pager_show(struct pager *p, size_t at)
{
    size_t line, rows = (size_t)p->rows;

    if (p->wrap.n == 0)
        return;
    line = wrap_line_of(&p->wrap, at);
    if (line < p->top || line >= p->top + rows)
        p->top = line > rows / 3 ? line - rows / 3 : 0;
    if (p->top > last_top(p))
        p->top = last_top(p);
    p->follow = 0;
}

int pager_step(struct pager *p, int dir)
{
    size_t next =
        p->stop == SIZE_MAX ? (dir > 0 ? 0 : p->doc.n_stops - 1) : p->stop + (size_t)dir;

    if (p->doc.n_stops == 0 || next >= p->doc.n_stops)
        return 0;
    p->stop = next;
    pager_show(p, p->doc.stops[next]);
    return 1;
}

int pager_find(struct pager *p, const char *query, int dir, int from_here, int *wrapped)
{
    const char *s = buf_str(&p->doc.text);
    size_t len = p->doc.text.len, at, found = SIZE_MAX, last = SIZE_MAX;
    size_t here = p->match != SIZE_MAX              ? p->match
                  : p->wrap.n && p->top < p->wrap.n ? p->wrap.v[p->top].at
                                                    : 0;

    if (wrapped)
        *wrapped = 0;
    if (dir > 0) {
        size_t from = here + (!from_here && p->match != SIZE_MAX);
        found = search_text(s, len, from, query);
        if (found == SIZE_MAX && from > 0) {
            found = search_text(s, len, 0, query);
            if (wrapped)
                *wrapped = found != SIZE_MAX;
        }
    } else {
        for (at = 0; (at = search_text(s, len, at, query)) != SIZE_MAX; at++) {
            if (at < here)
                found = at;
            last = at;
        }
        if (found == SIZE_MAX && last != SIZE_MAX) {
            found = last;
            if (wrapped)
                *wrapped = 1;
        }
    }
    p->match = found;
    if (found != SIZE_MAX)
        pager_show(p, found);
    return found != SIZE_MAX;
}

size_t pager_below(const struct pager *p)
{
    return last_top(p) - (p->top < last_top(p) ? p->top : last_top(p));
}

int pager_percent(const struct pager *p)
{
    size_t last = last_top(p);

    return last ? (int)(p->top * 100 / last) : 100;
}

void pager_free(struct pager *p)
{
    doc_free(&p->doc);
    wrap_free(&p->wrap);
}

size_t search_text(const char *s, size_t len, size_t from, const char *query)
{
    size_t q_len = strlen(query);
    int exact = 0;

    for (const char *c = query; *c; c++)
        exact |= isupper((unsigned char)*c) != 0;
    for (; q_len > 0 && from + q_len <= len; from++) {
        if (exact ? memcmp(s + from, query, q_len) == 0
                  : strncasecmp(s + from, query, q_len) == 0)
            return from;
    }
    return SIZE_MAX;
}

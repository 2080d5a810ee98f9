/* diff.c: see diff.h. */
#include "diff.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

struct word {
    const char *s;
    size_t len;
};

struct words {
    struct word *v;
    size_t n, cap;
};

static int class_of(unsigned char c)
{
    if (c == '\n')
        return 3;
    if (isspace(c))
        return 1;
    return isalnum(c) || c >= 0x80 || c == '\'' || c == '_' ? 0 : 2;
}

static void split(struct words *w, const char *s, size_t len)
{
    for (size_t at = 0; at < len;) {
        int k = class_of((unsigned char)s[at]);
        size_t end = at + 1;
        while (k < 2 && end < len && class_of((unsigned char)s[end]) == k)
            end++;
        if (w->n == w->cap) {
            w->cap = w->cap ? w->cap * 2 : 64;
            w->v = xresize(w->v, w->cap, sizeof *w->v);
        }
        w->v[w->n++] = (struct word){s + at, end - at};
        at = end;
    }
}

static int same(const struct word *a, const struct word *b)
{
    return a->len == b->len && memcmp(a->s, b->s, a->len) == 0;
}

static void add_run(struct diff *d, enum diff_kind kind, const struct word *w,
                    const char *base)
{
    size_t at = (size_t)(w->s - base);
    struct diff_run *last = d->n ? &d->v[d->n - 1] : NULL;

    if (class_of((unsigned char)*w->s) == 0) {
        d->n_added += kind == DIFF_ADDED;
        d->n_removed += kind == DIFF_REMOVED;
    }
    if (last && last->kind == kind && last->at + last->len == at) {
        last->len += w->len;
        return;
    }
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 32;
        d->v = xresize(d->v, d->cap, sizeof *d->v);
    }
    d->v[d->n++] = (struct diff_run){kind, at, w->len};
}

/* Marks the words of the middle part that are kept: keep_a[i] = keep_b[j] = 1. Returns 0
 * when more than DIFF_MAX_D edits are needed. */
static int myers(const struct word *a, int n, const struct word *b, int m, char *keep_a,
                 char *keep_b)
{
    int max = n + m < DIFF_MAX_D ? n + m : DIFF_MAX_D;
    int *v = xcalloc((size_t)(2 * max + 3), sizeof *v);
    int **trace = xcalloc((size_t)(max + 1), sizeof *trace);
    int d, found = 0, x = 0, y = 0;

    for (d = 0; d <= max && !found; d++) {
        for (int k = -d; k <= d; k += 2) {
            int *at = v + max + 1;
            x = k == -d || (k != d && at[k - 1] < at[k + 1]) ? at[k + 1] : at[k - 1] + 1;
            y = x - k;
            while (x < n && y < m && same(&a[x], &b[y])) {
                x++;
                y++;
            }
            at[k] = x;
            if (x >= n && y >= m) {
                found = 1;
                break;
            }
        }
        trace[d] = xcalloc((size_t)(2 * d + 3), sizeof **trace);
        memcpy(trace[d], v + max + 1 - d - 1, (size_t)(2 * d + 3) * sizeof *v);
    }
    for (d--; found && d >= 0; d--) { /* back from the end, one edit at a time */
        int k = x - y, px, py;
        if (d == 0) {
            px = py = 0;
        } else {
            const int *prev = trace[d - 1] + d; /* prev[k], k in -d .. d */
            int pk = k == -d || (k != d && prev[k - 1] < prev[k + 1]) ? k + 1 : k - 1;
            px = prev[pk];
            py = px - pk;
        }
        while (x > px && y > py) {
            x--;
            y--;
            keep_a[x] = keep_b[y] = 1;
        }
        x = px;
        y = py;
    }
    for (int i = 0; i <= max; i++)
        free(trace[i]);
    free(trace);
    free(v);
    return found;
}

void diff_words(struct diff *d, const char *a, size_t a_len, const char *b, size_t b_len)
{
    struct words wa = {0}, wb = {0};
    size_t head = 0, tail = 0, i, j;
    char *keep_a = NULL, *keep_b = NULL;

    d->n = d->n_added = d->n_removed = 0;
    split(&wa, a, a_len);
    split(&wb, b, b_len);
    keep_a = xcalloc(wa.n + 1, 1);
    keep_b = xcalloc(wb.n + 1, 1);
    while (head < wa.n && head < wb.n && same(&wa.v[head], &wb.v[head])) {
        keep_a[head] = keep_b[head] = 1;
        head++;
    }
    while (tail < wa.n - head && tail < wb.n - head &&
           same(&wa.v[wa.n - 1 - tail], &wb.v[wb.n - 1 - tail])) {
        keep_a[wa.n - 1 - tail] = keep_b[wb.n - 1 - tail] = 1;
        tail++;
    }
    if (wa.n < 1 << 24 && wb.n < 1 << 24 && !(head + tail == wa.n && wa.n == wb.n))
        myers(wa.v + head, (int)(wa.n - head - tail), wb.v + head,
              (int)(wb.n - head - tail), keep_a + head, keep_b + head);
    /* a blank kept between two changed words joins them into one hunk a reader can follow
     */
    for (i = 0, j = 0; i < wa.n || j < wb.n;) {
        if (i < wa.n && j < wb.n && keep_a[i] && keep_b[j]) {
            int blank = class_of((unsigned char)*wa.v[i].s) == 1;
            if (blank && i > 0 && j > 0 && i + 1 < wa.n && j + 1 < wb.n &&
                !keep_a[i - 1] && !keep_b[j - 1] && !keep_a[i + 1] && !keep_b[j + 1])
                keep_a[i] = keep_b[j] = 0;
            i++;
            j++;
            continue;
        }
        if (i < wa.n && !keep_a[i])
            i++;
        else
            j++;
    }
    for (i = 0, j = 0; i < wa.n || j < wb.n;) {
        if (i < wa.n && !keep_a[i])
            add_run(d, DIFF_REMOVED, &wa.v[i++], a);
        else if (j < wb.n && !keep_b[j])
            add_run(d, DIFF_ADDED, &wb.v[j++], b);
        else {
            add_run(d, DIFF_SAME, &wa.v[i++], a);
            j++;
        }
    }
    free(keep_a);
    free(keep_b);
    free(wa.v);
    free(wb.v);
}

void diff_free(struct diff *d)
{
    free(d->v);
    memset(d, 0, sizeof *d);
}

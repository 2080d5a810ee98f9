/*
 * pager.h: a long text with roles, wrapped, scrolled, searched.
 *
 * Follows a growing text only while it stands at its end: any move up lets go, MOVE_END
 * takes hold again. Rows outside the view cost nothing.
 */
#ifndef TUI_PAGER_H
#define TUI_PAGER_H

#include "grid.h"
#include "list.h"
#include "wrap.h"

struct span {
    size_t at, len; /* bytes */
    enum role role;
    unsigned attrs;
};

/* Text under construction: runs of one role each, and places to step through. */
struct doc {
    struct buf text;
    struct span *spans;
    size_t n_spans, cap_spans;
    size_t *stops; /* byte offsets: hunks of a diff, fields of a principle */
    size_t n_stops, cap_stops;
};

void doc_reset(struct doc *d);
void doc_add(struct doc *d, enum role role, unsigned attrs, const char *s, size_t len);
void doc_str(struct doc *d, enum role role, const char *s);
void doc_stop(struct doc *d); /* the next byte is a place to step to */
void doc_free(struct doc *d);

struct pager {
    struct doc doc;
    struct wrap wrap;
    size_t top;   /* first visible screen line */
    int rows;     /* visible */
    int follow;   /* sticks to the end of a growing text */
    size_t stop;  /* the place stepped to, SIZE_MAX: none yet */
    size_t match; /* byte of the current match, SIZE_MAX: none */
};

/* Takes over what doc holds and leaves it empty. same: it is the same text, perhaps
 * grown, so the place in it is kept. */
void pager_set(struct pager *p, struct doc *doc, int same);
void pager_layout(struct pager *p, int cols, int rows);
void pager_paint(const struct pager *p, struct grid *g, struct rect r, const char *query);
void pager_move(struct pager *p, enum move m);
/* To the next or previous stop; 0 when there is none that way. */
int pager_step(struct pager *p, int dir);
void pager_show(struct pager *p, size_t at);
/* Next match from the current one; from_here: the current place counts too. Returns 0
 * when there is none; *wrapped (may be NULL) when the search went round. */
int pager_find(struct pager *p, const char *query, int dir, int from_here, int *wrapped);
size_t pager_below(const struct pager *p); /* lines under the view */
int pager_percent(const struct pager *p);
void pager_free(struct pager *p);

/* Smart case: capitals in the query make it exact. Offset of the first match in s at or
 * after `from`, SIZE_MAX when there is none. */
size_t search_text(const char *s, size_t len, size_t from, const char *query);

#endif

/*
 * buf.h: heap and growing text of the front end.
 *
 * A screen that cannot get a few kilobytes cannot go on: x-functions restore the terminal
 * (through the hook) and end the process. Texts have a maximum and say when they reach
 * it.
 */
#ifndef TUI_BUF_H
#define TUI_BUF_H

#include <stddef.h>

enum { BUF_MAX_BYTES = 64 << 20 };

void *xcalloc(size_t count, size_t size);
void *xresize(void *p, size_t count, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t len);
/* Called before the process ends for want of memory. */
void xmem_on_death(void (*fn)(void));

/* data is NUL-terminated once anything was added. */
struct buf {
    char *data;
    size_t len, cap; /* bytes */
};

/* Each returns 0, adding nothing, when BUF_MAX_BYTES would be passed. */
int buf_add(struct buf *b, const char *s, size_t len);
int buf_adds(struct buf *b, const char *s);
int buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Replaces bytes [at, at + n_old) by s. */
int buf_splice(struct buf *b, size_t at, size_t n_old, const char *s, size_t len);
const char *buf_str(const struct buf *b); /* "" when empty */
void buf_reset(struct buf *b);            /* len = 0, memory kept */
void buf_free(struct buf *b);

#endif

/* buf.c: see buf.h. UI thread only. */
#include "buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void (*death_hook)(void);

void xmem_on_death(void (*fn)(void))
{
    death_hook = fn;
}

static void die_nomem(void)
{
    static const char message[] = "cai: out of memory; the session is kept\n";

    if (death_hook)
        death_hook();
    if (write(STDERR_FILENO, message, sizeof message - 1) < 0)
        _exit(1);
    _exit(1);
}

void *xcalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);

    if (!p)
        die_nomem();
    return p;
}

void *xresize(void *p, size_t count, size_t size)
{
    void *q = size && count > SIZE_MAX / size ? NULL : realloc(p, count * size + 1);

    if (!q)
        die_nomem();
    return q;
}

char *xstrndup(const char *s, size_t len)
{
    char *p = xcalloc(len + 1, 1);

    if (len)
        memcpy(p, s, len);
    return p;
}

char *xstrdup(const char *s)
{
    return xstrndup(s, strlen(s));
}

static int reserve(struct buf *b, size_t extra)
{
    size_t cap = b->cap ? b->cap : 64;

    if (extra > BUF_MAX_BYTES || b->len > BUF_MAX_BYTES - extra)
        return 0;
    while (cap < b->len + extra + 1)
        cap *= 2;
    if (cap != b->cap) {
        b->data = xresize(b->data, cap, 1);
        b->cap = cap;
    }
    return 1;
}

int buf_splice(struct buf *b, size_t at, size_t n_old, const char *s, size_t len)
{
    if (!reserve(b, len))
        return 0;
    memmove(b->data + at + len, b->data + at + n_old, b->len - at - n_old);
    if (len)
        memcpy(b->data + at, s, len);
    b->len = b->len - n_old + len;
    b->data[b->len] = '\0';
    return 1;
}

int buf_add(struct buf *b, const char *s, size_t len)
{
    return buf_splice(b, b->len, 0, s, len);
}

int buf_adds(struct buf *b, const char *s)
{
    return buf_add(b, s, strlen(s));
}

int buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !reserve(b, (size_t)n))
        return 0;
    va_start(ap, fmt);
    vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
    return 1;
}

const char *buf_str(const struct buf *b)
{
    return b->data ? b->data : "";
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

void buf_free(struct buf *b)
{
    free(b->data);
    memset(b, 0, sizeof *b);
}

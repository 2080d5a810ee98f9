/* strbuf.c: see strbuf.h. Any thread, one at a time per buffer. */
#include "base/strbuf.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum cai_status strbuf_reserve(struct strbuf *b, size_t extra)
{
    size_t want, cap;
    char *p;

    if (extra > b->max_bytes || b->len > b->max_bytes - extra)
        return CAI_LIMIT;
    want = b->len + extra + 1;
    if (want == 0)
        return CAI_NOMEM;
    if (want <= b->cap)
        return CAI_OK;
    /* Double, so that adding a byte at a time stays linear. */
    cap = b->cap < 32 ? 64 : b->cap * 2;
    if (cap < want)
        cap = want;
    p = mem_resize(b->data, cap, 1);
    if (!p)
        return CAI_NOMEM;
    b->data = p;
    b->cap = cap;
    return CAI_OK;
}

enum cai_status strbuf_add(struct strbuf *b, const void *data, size_t len)
{
    enum cai_status st = strbuf_reserve(b, len);
    if (st != CAI_OK)
        return st;
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return CAI_OK;
}

enum cai_status strbuf_adds(struct strbuf *b, const char *s)
{
    return strbuf_add(b, s, strlen(s));
}

enum cai_status strbuf_addc(struct strbuf *b, char c)
{
    return strbuf_add(b, &c, 1);
}

enum cai_status strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
    va_list ap;
    enum cai_status st;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return CAI_INVALID;
    st = strbuf_reserve(b, (size_t)n);
    if (st != CAI_OK)
        return st;
    va_start(ap, fmt);
    vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
    return CAI_OK;
}

void strbuf_reset(struct strbuf *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

const char *strbuf_str(const struct strbuf *b)
{
    return b->data ? b->data : "";
}

char *strbuf_take(struct strbuf *b, size_t *len_out)
{
    char *p = b->data ? b->data : mem_alloc(1, 1);
    if (len_out)
        *len_out = b->len;
    b->data = NULL;
    b->len = b->cap = 0;
    return p;
}

void strbuf_free(struct strbuf *b)
{
    mem_free(b->data);
    b->data = NULL;
    b->len = b->cap = 0;
}

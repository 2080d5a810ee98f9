/*
 * strbuf.h: the one growing buffer, with a mandatory maximum.
 *
 * data is always NUL-terminated once anything was added. When the maximum is reached a
 * call returns CAI_LIMIT and adds nothing; nothing is ever dropped silently.
 */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include <stdarg.h>
#include <stddef.h>

#include "cai.h"

struct strbuf {
    char *data;
    size_t len;
    size_t cap;       /* bytes allocated */
    size_t max_bytes; /* len never exceeds it */
};

#define STRBUF_INIT(max)                                                                 \
    {                                                                                    \
        NULL, 0, 0, (max)                                                                \
    }

enum cai_status strbuf_add(struct strbuf *b, const void *data, size_t len);
enum cai_status strbuf_adds(struct strbuf *b, const char *s);
enum cai_status strbuf_addc(struct strbuf *b, char c);
enum cai_status strbuf_addf(struct strbuf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
enum cai_status strbuf_reserve(struct strbuf *b, size_t extra);
void strbuf_reset(struct strbuf *b);                  /* len = 0, memory kept */
const char *strbuf_str(const struct strbuf *b);       /* "" when empty */
char *strbuf_take(struct strbuf *b, size_t *len_out); /* caller owns; b is empty after */
void strbuf_free(struct strbuf *b);

#endif

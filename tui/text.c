/* text.c: see text.h. Any thread after text_init(). */
#include "text.h"

#include <stdio.h>
#include <string.h>
#include <utf8proc.h>
#include <wchar.h>

static int is_utf8;

void text_init(int utf8)
{
    is_utf8 = utf8;
}

int text_is_utf8(void)
{
    return is_utf8;
}

/* 0 when the bytes are no character. */
static size_t decode(uint32_t *cp, const char *s, size_t len)
{
    utf8proc_int32_t c;
    utf8proc_ssize_t n;

    if (!((unsigned char)*s & 0x80)) {
        *cp = (unsigned char)*s;
        return 1;
    }
    n = utf8proc_iterate((const utf8proc_uint8_t *)s, len > 4 ? 4 : (utf8proc_ssize_t)len,
                         &c);
    if (n <= 0)
        return 0;
    *cp = (uint32_t)c;
    return (size_t)n;
}

static int is_bidi_or_tag(uint32_t c)
{
    return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0x2028 || c == 0x2029 ||
           (c >= 0xE0000 && c <= 0xE007F);
}

static int is_skin_tone(uint32_t c)
{
    return c >= 0x1F3FB && c <= 0x1F3FF;
}

static void set_ascii(struct text_unit *u, const char *shown)
{
    u->n_cps = 0;
    u->cols = (int)strlen(shown);
    memcpy(u->ascii, shown, (size_t)u->cols + 1);
}

static void set_cp(struct text_unit *u, uint32_t cp, int cols)
{
    u->n_cps = 1;
    u->cps[0] = cp;
    u->cols = cols;
}

/* The first character of a unit; 1 when marks may follow it in the same cell. */
static int set_base(struct text_unit *u, uint32_t cp)
{
    char shown[12];
    int width;

    if (cp == '\n') {
        u->newline = 1;
        return 0;
    }
    if (cp == '\t') {
        set_ascii(u, "    ");
        return 0;
    }
    if (cp < 0x20 || cp == 0x7f) {
        snprintf(shown, sizeof shown, "^%c", (int)(cp ^ 0x40));
        set_ascii(u, shown);
        return 0;
    }
    if (cp < 0x7f) {
        set_cp(u, cp, 1);
        return 1;
    }
    if (!is_utf8) {
        set_ascii(u, "?");
        return 0;
    }
    if (cp < 0xA0 || is_bidi_or_tag(cp)) {
        snprintf(shown, sizeof shown, "<%04X>", (unsigned)cp);
        set_ascii(u, shown);
        return 0;
    }
    if (cp == 0xFE0F || cp == 0x200D)
        return 0;
    width = wcwidth((wchar_t)cp);
    if (width < 0) {
        set_cp(u, 0xFFFD, 1);
        return 0;
    }
    if (width == 0) {
        /* a mark without a base stands on a space; other invisible characters are left
         * out */
        utf8proc_category_t cat = utf8proc_category((utf8proc_int32_t)cp);
        if (cat == UTF8PROC_CATEGORY_MN || cat == UTF8PROC_CATEGORY_ME) {
            set_cp(u, ' ', 1);
            u->cps[u->n_cps++] = cp;
        }
        return 0;
    }
    set_cp(u, cp, width);
    return 1;
}

void text_next(struct text_unit *u, const char *s, size_t len)
{
    uint32_t cp, next;
    size_t at, n = decode(&cp, s, len);
    int joined = 0;
    utf8proc_int32_t state = 0;

    memset(u, 0, sizeof *u);
    if (n == 0) {
        u->n_bytes = 1;
        if (is_utf8)
            set_cp(u, 0xFFFD, 1);
        else
            set_ascii(u, "?");
        return;
    }
    u->n_bytes = n;
    if (!set_base(u, cp))
        return;
    for (at = n; at < len && (unsigned char)s[at] >= 0x80; at += n) {
        n = decode(&next, s + at, len - at);
        if (n == 0 || !is_utf8 ||
            utf8proc_grapheme_break_stateful((utf8proc_int32_t)cp, (utf8proc_int32_t)next,
                                             &state))
            break;
        if (next == 0x200D) {
            joined = 1;
        } else if (next == 0xFE0F || is_skin_tone(next)) {
            /* left out of the display copy */
        } else if (joined) {
            joined = 0;
        } else if (is_bidi_or_tag(next) || wcwidth((wchar_t)next) != 0) {
            break;
        } else if (u->n_cps < TEXT_CPS_MAX && next != 0x200C) {
            u->cps[u->n_cps++] = next;
        }
        cp = next;
        u->n_bytes = at + n;
    }
}

int text_width(const char *s, size_t len)
{
    struct text_unit u;
    int cols = 0;

    for (size_t i = 0; i < len; i += u.n_bytes) {
        text_next(&u, s + i, len - i);
        cols += u.cols;
    }
    return cols;
}

size_t text_fit(const char *s, size_t len, int max_cols, int *cols)
{
    struct text_unit u;
    size_t i = 0;
    int used = 0;

    for (; i < len; i += u.n_bytes) {
        text_next(&u, s + i, len - i);
        if (used + u.cols > max_cols)
            break;
        used += u.cols;
    }
    if (cols)
        *cols = used;
    return i;
}

size_t text_before(const char *s, size_t at)
{
    struct text_unit u;
    size_t from = at > 64 ? at - 64 : 0, n = 1;

    while (from > 0 && ((unsigned char)s[from] & 0xC0) == 0x80)
        from--;
    for (; from < at; from += u.n_bytes) {
        text_next(&u, s + from, at - from);
        n = u.n_bytes;
    }
    return n;
}

size_t text_encode(char out[4], uint32_t cp)
{
    utf8proc_uint8_t b[4] = {0};
    utf8proc_ssize_t n = utf8proc_encode_char((utf8proc_int32_t)cp, b);

    memcpy(out, b, 4);
    return n > 0 ? (size_t)n : 0;
}

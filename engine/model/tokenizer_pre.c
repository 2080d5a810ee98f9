/*
 * tokenizer_pre.c: see tokenizer_pre.h. Pure functions, any thread.
 *
 * The comment above each scanner is the expression it stands for. Alternatives are tried
 * in order and the first that matches wins, as in the engines these come from.
 */
#include "model/tokenizer_pre.h"

#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"

static int is_space(uint32_t cp)
{
    return (cp >= 0x09 && cp <= 0x0D) || cp == 0x20 || cp == 0x85 || cp == 0xA0 ||
           cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 ||
           cp == 0x2029 || cp == 0x202F || cp == 0x205F || cp == 0x3000;
}

static uint32_t class_of(uint32_t cp)
{
    if (is_space(cp))
        return PRE_SPACE;
    switch (utf8proc_category((utf8proc_int32_t)cp)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: return PRE_LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return PRE_NUMBER;
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO: return PRE_PUNCT;
    default: return 0; /* marks, symbols, controls: only "not a letter" matters */
    }
}

size_t pre_decode(struct pre_char *c, const char *text, size_t len)
{
    size_t n = 0, i = 0;

    while (i < len) {
        size_t used = utf8_decode(&c[n].cp, text + i, len - i);
        c[n].at = (uint32_t)i;
        if (used) {
            c[n].class = class_of(c[n].cp);
        } else {
            c[n].cp = UINT32_MAX;
            c[n].class = 0;
            used = 1;
        }
        i += used;
        n++;
    }
    return n;
}

static int is_newline(const struct pre_char *c)
{
    return c->cp == '\r' || c->cp == '\n';
}

/* Not space, letter or number. */
static int is_other(const struct pre_char *c)
{
    return !(c->class & (PRE_SPACE | PRE_LETTER | PRE_NUMBER));
}

/* End of the run of characters of one of these classes that starts at i. */
static size_t run_end(const struct pre_char *c, size_t i, size_t end, uint32_t classes)
{
    while (i < end && c[i].class & classes)
        i++;
    return i;
}

static size_t other_end(const struct pre_char *c, size_t i, size_t end)
{
    while (i < end && is_other(&c[i]))
        i++;
    return i;
}

/* \s+(?!\S): the run, less its last character when something follows. */
static size_t trailing_space(const struct pre_char *c, size_t i, size_t end)
{
    size_t stop = run_end(c, i, end, PRE_SPACE);
    return stop == end || stop == i ? stop - i : stop - i - 1;
}

/* 's|'t|'re|'ve|'m|'ll|'d, in any case when fold is set. Case folding takes the long s
 * (U+017F) for an s. */
static size_t contraction(const struct pre_char *c, size_t i, size_t end, int fold)
{
    uint32_t a, b = 0;

    if (c[i].cp != '\'' || i + 1 >= end)
        return 0;
    a = c[i + 1].cp;
    if (i + 2 < end)
        b = c[i + 2].cp;
    if (fold) {
        a = a == 0x17F ? 's' : a >= 'A' && a <= 'Z' ? a + 32 : a;
        b = b >= 'A' && b <= 'Z' ? b + 32 : b;
    }
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l'))
        return 3;
    return 0;
}

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)
 * A closing |\s+ would match only what is a gap anyway: one space character before text.
 */
static size_t scan_gpt2(const struct pre_char *c, size_t i, size_t end)
{
    size_t first, n = contraction(c, i, end, 0);

    if (n)
        return n;
    first = i + (c[i].cp == ' ');
    if (first < end) {
        uint32_t class = c[first].class;
        if (class & (PRE_LETTER | PRE_NUMBER))
            return run_end(c, first, end, class) - i;
        if (is_other(&c[first]))
            return other_end(c, first, end) - i;
    }
    return trailing_space(c, i, end);
}

/* (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
 *  ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+       (digits: 3; qwen2: 1) */
static size_t scan_cased(const struct pre_char *c, size_t i, size_t end, size_t digits)
{
    size_t j, k, n = contraction(c, i, end, 1);

    if (n)
        return n;
    j = i + !(is_newline(&c[i]) || c[i].class & (PRE_LETTER | PRE_NUMBER));
    if (j < end && c[j].class & PRE_LETTER)
        return run_end(c, j, end, PRE_LETTER) - i;
    if (c[i].class & PRE_NUMBER)
        return run_end(c, i, end - i > digits ? i + digits : end, PRE_NUMBER) - i;
    j = i + (c[i].cp == ' ');
    if (j < end && is_other(&c[j])) {
        j = other_end(c, j, end);
        while (j < end && is_newline(&c[j]))
            j++;
        return j - i;
    }
    j = run_end(c, i, end, PRE_SPACE);
    for (k = j; k > i; k--)
        if (is_newline(&c[k - 1]))
            return k - i;
    n = trailing_space(c, i, end);
    return n ? n : j - i;
}

static size_t scan_llama3(const struct pre_char *c, size_t i, size_t end)
{
    return scan_cased(c, i, end, 3);
}

static size_t scan_qwen2(const struct pre_char *c, size_t i, size_t end)
{
    return scan_cased(c, i, end, 1);
}

/* \p{N} */
static size_t scan_digit(const struct pre_char *c, size_t i, size_t end)
{
    (void)end;
    return (c[i].class & PRE_NUMBER) != 0;
}

/* \p{N}+ */
static size_t scan_number(const struct pre_char *c, size_t i, size_t end)
{
    return run_end(c, i, end, PRE_NUMBER) - i;
}

/* [0-9][0-9][0-9] */
static size_t scan_ascii3(const struct pre_char *c, size_t i, size_t end)
{
    if (end - i < 3)
        return 0;
    for (size_t k = i; k < i + 3; k++)
        if (c[k].cp < '0' || c[k].cp > '9')
            return 0;
    return 3;
}

/* [\p{P}\$\+<=>\^~\|]+ */
static size_t scan_punct(const struct pre_char *c, size_t i, size_t end)
{
    size_t j = i;
    while (j < end && (c[j].class & PRE_PUNCT ||
                       (c[j].cp && c[j].cp < 0x80 && strchr("$+<=>^~|", (int)c[j].cp))))
        j++;
    return j - i;
}

static const struct pre_tokenizer table[] = {
    {"smollm", 0, 0, {scan_digit, scan_gpt2, NULL}},
    {"starcoder", 0, 0, {scan_digit, scan_gpt2, NULL}},
    {"refact", 0, 0, {scan_digit, scan_gpt2, NULL}},
    {"gpt-2", 0, 0, {scan_gpt2, NULL}},
    {"llama-bpe", 1, 1, {scan_llama3, NULL}},
    {"qwen2", 0, 0, {scan_qwen2, NULL}},
    {"default", 0, 0, {scan_punct, scan_gpt2, scan_number, scan_ascii3, NULL}},
};

const struct pre_tokenizer *pre_tokenizer_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0)
            return &table[i];
    return NULL;
}

const char *pre_tokenizer_names(void)
{
    return "smollm, starcoder, refact, gpt-2, llama-bpe, qwen2, default";
}

static void split(const struct pre_tokenizer *p, size_t pass, const struct pre_char *c,
                  size_t begin, size_t end, size_t *ends, size_t *n_ends)
{
    size_t gap = begin, i = begin;

    if (!p->pass[pass]) {
        ends[(*n_ends)++] = end;
        return;
    }
    while (i < end) {
        size_t n = p->pass[pass](c, i, end);
        if (n == 0) {
            i++;
            continue;
        }
        if (gap < i)
            split(p, pass + 1, c, gap, i, ends, n_ends);
        split(p, pass + 1, c, i, i + n, ends, n_ends);
        i += n;
        gap = i;
    }
    if (gap < end)
        split(p, pass + 1, c, gap, end, ends, n_ends);
}

size_t pre_split(const struct pre_tokenizer *p, const struct pre_char *c, size_t n,
                 size_t *ends)
{
    size_t n_ends = 0;
    split(p, 0, c, 0, n, ends, &n_ends);
    return n_ends;
}

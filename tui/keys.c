/* keys.c: see keys.h. UI thread only. */
#include "keys.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "text.h"

#define PASTE_BEGIN "\033[200~"
#define PASTE_END   "\033[201~"

static const struct {
    const char *name, *bytes; /* the first row of a key is what scripts send */
    uint32_t key;
} table[] = {
    {"Up", "\033[A", KEY_UP_ARROW},
    {"Up", "\033OA", KEY_UP_ARROW},
    {"Down", "\033[B", KEY_DOWN_ARROW},
    {"Down", "\033OB", KEY_DOWN_ARROW},
    {"Right", "\033[C", KEY_RIGHT_ARROW},
    {"Right", "\033OC", KEY_RIGHT_ARROW},
    {"Left", "\033[D", KEY_LEFT_ARROW},
    {"Left", "\033OD", KEY_LEFT_ARROW},
    {"PgUp", "\033[5~", KEY_PAGE_UP},
    {"PgDn", "\033[6~", KEY_PAGE_DOWN},
    {"Home", "\033[H", KEY_HOME_KEY},
    {"Home", "\033OH", KEY_HOME_KEY},
    {"Home", "\033[1~", KEY_HOME_KEY},
    {"Home", "\033[7~", KEY_HOME_KEY},
    {"End", "\033[F", KEY_END_KEY},
    {"End", "\033OF", KEY_END_KEY},
    {"End", "\033[4~", KEY_END_KEY},
    {"End", "\033[8~", KEY_END_KEY},
    {"Insert", "\033[2~", KEY_INSERT},
    {"Del", "\033[3~", KEY_DELETE},
    {"S-Tab", "\033[Z", KEY_BACK_TAB},
    {"F1", "\033OP", KEY_F1},
    {"F2", "\033OQ", KEY_F1 + 1},
    {"F3", "\033OR", KEY_F1 + 2},
    {"F4", "\033OS", KEY_F1 + 3},
    {"F1", "\033[11~", KEY_F1},
    {"F5", "\033[15~", KEY_F1 + 4},
    {"F6", "\033[17~", KEY_F1 + 5},
    {"F7", "\033[18~", KEY_F1 + 6},
    {"F8", "\033[19~", KEY_F1 + 7},
    {"F9", "\033[20~", KEY_F1 + 8},
    {"F10", "\033[21~", KEY_F1 + 9},
    {"F11", "\033[23~", KEY_F1 + 10},
    {"F12", "\033[24~", KEY_F12},
    {"Backspace", "\177", KEY_BACK},
    {"Backspace", "\b", KEY_BACK},
    {"Enter", "\r", KEY_RETURN},
    {"Enter", "\n", KEY_RETURN},
    {"Enter", "\033OM", KEY_RETURN},
    {"Tab", "\t", KEY_TAB},
    {"Esc", "\033", KEY_ESCAPE},
    {"Space", " ", KEY_SPACE},
    {"lt", "<", '<'},
    {"Nul", "", KEY_CTRL_BIT | ' '},
};
enum { N_TABLE = sizeof table / sizeof *table };

static struct {
    char bytes[16];
    uint32_t key;
} learnt[32];
static size_t n_learnt;

void keys_learn(const char *sequence, uint32_t key)
{
    if (n_learnt < sizeof learnt / sizeof *learnt && sequence[0] == '\033' &&
        sequence[1] && strlen(sequence) < sizeof learnt->bytes) {
        memcpy(learnt[n_learnt].bytes, sequence, strlen(sequence) + 1);
        learnt[n_learnt++].key = key;
    }
}

void keys_push(struct keys *k, const char *bytes, size_t len)
{
    if (k->at == k->in.len) {
        buf_reset(&k->in);
        k->at = k->paste_scanned = 0;
    }
    buf_add(&k->in, bytes, len);
}

void keys_free(struct keys *k)
{
    buf_free(&k->in);
}

/* Bytes of the escape sequence at s, 0 while it is not complete. */
static size_t sequence_len(const char *s, size_t len)
{
    if (len < 2)
        return 0;
    if (s[1] == '[') {
        for (size_t i = 2; i < len; i++) {
            if (s[i] >= 0x40 && s[i] <= 0x7e)
                return i + 1;
            if ((unsigned char)s[i] < 0x20 || i + 1 >= KEYS_SEQUENCE_MAX)
                return i; /* no sequence at all: drop what there is of it */
        }
        return 0;
    }
    if (s[1] == 'O')
        return len >= 3 ? 3 : 0;
    if (s[1] == '\033')
        return 1;  /* the first of two is a lone one */
    return 0xffff; /* Alt and a character */
}

static uint32_t char_key(const char *s, size_t len)
{
    unsigned char c = (unsigned char)*s;

    for (size_t i = 0; i < N_TABLE; i++)
        if (*s && len == 1 && table[i].bytes[0] == *s && table[i].bytes[1] == '\0')
            return table[i].key;
    if (c == 0)
        return KEY_CTRL_BIT | ' ';
    if (c < 27)
        return KEY_CTRL_BIT | (uint32_t)(c + 'a' - 1);
    if (c < 32)
        return KEY_CTRL_BIT | (uint32_t)(c + '@');
    if (c < 0x80)
        return c;
    return len == 2   ? (uint32_t)(c & 0x1f) << 6 | ((unsigned char)s[1] & 0x3f)
           : len == 3 ? (uint32_t)(c & 0x0f) << 12 |
                            (uint32_t)((unsigned char)s[1] & 0x3f) << 6 |
                            ((unsigned char)s[2] & 0x3f)
                      : (uint32_t)(c & 0x07) << 18 |
                            (uint32_t)((unsigned char)s[1] & 0x3f) << 12 |
                            (uint32_t)((unsigned char)s[2] & 0x3f) << 6 |
                            ((unsigned char)s[3] & 0x3f);
}

/* Bytes of the UTF-8 character at s; 0 when more are needed, -1 when the first is bad. */
static int char_len(const char *s, size_t len)
{
    unsigned char c = (unsigned char)*s;
    int want = c < 0x80                ? 1
               : c >= 0xC2 && c < 0xE0 ? 2
               : c < 0xC0              ? -1
               : c < 0xF0              ? 3
                                       : 4;

    if (c == 0xC0 || c == 0xC1 || c > 0xF4 || want < 0)
        return -1;
    for (int i = 1; i < want; i++) {
        unsigned char d;
        if ((size_t)i >= len)
            return 0;
        d = (unsigned char)s[i];
        if ((d & 0xC0) != 0x80 ||
            (i == 1 && ((c == 0xE0 && d < 0xA0) || (c == 0xED && d > 0x9F) ||
                        (c == 0xF0 && d < 0x90) || (c == 0xF4 && d > 0x8F))))
            return -1;
    }
    return want;
}

/* ESC [ < button ; x ; y M, or m for a release. */
static int parse_mouse(struct keys_mouse *m, const char *s, size_t len)
{
    char text[KEYS_SEQUENCE_MAX + 1];
    char end;

    if (len < 6 || len > KEYS_SEQUENCE_MAX || s[2] != '<')
        return 0;
    memcpy(text, s, len);
    text[len] = '\0';
    if (sscanf(text + 3, "%6d;%6d;%6d%c", &m->button, &m->x, &m->y, &end) != 4)
        return 0;
    m->x--;
    m->y--;
    m->release = end == 'm';
    return end == 'm' || end == 'M';
}

static uint32_t sequence_key(struct keys_unit *u, const char *s, size_t len)
{
    for (size_t i = 0; i < n_learnt; i++)
        if (strlen(learnt[i].bytes) == len && memcmp(learnt[i].bytes, s, len) == 0)
            return learnt[i].key;
    for (size_t i = 0; i < N_TABLE; i++)
        if (strlen(table[i].bytes) == len && memcmp(table[i].bytes, s, len) == 0)
            return table[i].key;
    if (parse_mouse(&u->mouse, s, len))
        return KEY_MOUSE_EVENT;
    return KEY_UNKNOWN;
}

static size_t find_paste_end(struct keys *k, const char *s, size_t len)
{
    size_t from = k->paste_scanned > 6 ? k->paste_scanned - 6 : 0;
    const char *end;

    if (from < 6)
        from = 6;
    end = len > from ? memmem(s + from, len - from, PASTE_END, 6) : NULL;
    k->paste_scanned = len;
    return end ? (size_t)(end - s) : 0;
}

static int take(struct keys *k, struct keys_unit *u, uint32_t key, size_t len)
{
    u->key = key;
    u->bytes = k->in.data + k->at;
    u->len = len;
    k->at += len;
    k->paste_scanned = 0;
    return 1;
}

int keys_next(struct keys *k, struct keys_unit *u, int silent_ms, int esc_ms)
{
    const char *s = k->in.data + k->at;
    size_t len = k->in.len - k->at, n;
    int c;

    memset(u, 0, sizeof *u);
    if (len == 0)
        return 0;
    if (len >= 6 && memcmp(s, PASTE_BEGIN, 6) == 0) {
        size_t end = find_paste_end(k, s, len);
        if (!end && len < KEYS_PASTE_MAX && silent_ms < KEYS_PASTE_MS)
            return 0;
        u->text = s + 6;
        u->text_len = end ? end - 6 : len - 6;
        return take(k, u, KEY_PASTE, end ? end + 6 : len);
    }
    if (*s == '\033') {
        n = sequence_len(s, len);
        if (n == 0) {
            if (len == 1 && silent_ms >= esc_ms)
                return take(k, u, KEY_ESCAPE, 1);
            if (len > 1 && silent_ms >= KEYS_TAIL_MS)
                return take(k, u, KEY_UNKNOWN, len);
            return 0;
        }
        if (n == 1)
            return take(k, u, KEY_ESCAPE, 1);
        if (n != 0xffff)
            return take(k, u, sequence_key(u, s, n), n);
        c = char_len(s + 1, len - 1);
        if (c == 0 && silent_ms < KEYS_TAIL_MS)
            return 0;
        if (c <= 0)
            return take(k, u, KEY_UNKNOWN, c == 0 ? len : 2);
        return take(k, u, KEY_ALT_BIT | char_key(s + 1, (size_t)c), (size_t)c + 1);
    }
    c = char_len(s, len);
    if (c == 0 && silent_ms < KEYS_TAIL_MS)
        return 0;
    if (c <= 0) { /* a byte that is no character becomes one that says so */
        memcpy(k->fffd, "\xEF\xBF\xBD", 4);
        take(k, u, 0xFFFD, c == 0 ? len : 1);
        u->bytes = k->fffd;
        u->len = 3;
        return 1;
    }
    return take(k, u, char_key(s, (size_t)c), (size_t)c);
}

int keys_wait_ms(const struct keys *k, int silent_ms, int esc_ms)
{
    const char *s = k->in.data + k->at;
    size_t len = k->in.len - k->at;
    int limit;

    if (len == 0)
        return -1;
    limit = len == 1 && *s == '\033' ? esc_ms : KEYS_TAIL_MS;
    if (len >= 6 && memcmp(s, PASTE_BEGIN, 6) == 0)
        limit = KEYS_PASTE_MS;
    return silent_ms >= limit ? 0 : limit - silent_ms;
}

uint32_t keys_parse(const char *s, size_t *len)
{
    const char *close = s[0] == '<' && s[1] ? strchr(s + 1, '>') : NULL;
    uint32_t key = KEY_NONE;
    int n;

    if (s[0] == '<' && s[1] && s[2] == '-' && s[3] == '>' && s[4] == '>')
        close = s + 4; /* Alt and the bracket itself */
    if (!close || close == s + 1) {
        n = *s ? char_len(s, strlen(s)) : 0;
        if (n <= 0 || (unsigned char)*s < 0x20)
            return KEY_NONE;
        if (len)
            *len = (size_t)n;
        return char_key(s, (size_t)n);
    }
    if (len)
        *len = (size_t)(close - s) + 1;
    for (size_t i = 0; i < N_TABLE; i++)
        if (strlen(table[i].name) == (size_t)(close - s - 1) &&
            strncasecmp(table[i].name, s + 1, (size_t)(close - s - 1)) == 0)
            return table[i].key;
    if (close - s >= 4 && s[2] == '-' && (s[1] == 'C' || s[1] == 'A')) {
        if (s[1] == 'C' && close - s == 4) {
            char c = s[3];
            if (c >= 'A' && c <= 'Z')
                c = (char)(c - 'A' + 'a');
            key = c >= 0x20 && c < 0x7f ? KEY_CTRL_BIT | (uint32_t)c : KEY_NONE;
            if (c == 'm')
                key = KEY_RETURN;
            if (c == 'i')
                key = KEY_TAB;
        } else if (s[1] == 'A') {
            n = char_len(s + 3, (size_t)(close - s - 3));
            if (n == close - s - 3)
                key = KEY_ALT_BIT | char_key(s + 3, (size_t)n);
        }
    }
    return key;
}

void keys_name(char name[16], uint32_t key)
{
    uint32_t base = key & ~(uint32_t)(KEY_CTRL_BIT | KEY_ALT_BIT);
    char bytes[5] = "";

    if (!(key & (KEY_CTRL_BIT | KEY_ALT_BIT)) && key != '<')
        for (size_t i = 0; i < N_TABLE; i++)
            if (table[i].key == key) {
                snprintf(name, 16, "%s", table[i].name);
                return;
            }
    text_encode(bytes, base);
    if (key & KEY_CTRL_BIT)
        snprintf(name, 16, "Ctrl-%c",
                 base >= 'a' && base <= 'z' ? bytes[0] - 32 : bytes[0]);
    else if (key & KEY_ALT_BIT)
        snprintf(name, 16, "Alt-%s", bytes);
    else
        snprintf(name, 16, "%s", bytes);
}

size_t keys_bytes(char out[16], uint32_t key)
{
    uint32_t base = key & ~(uint32_t)(KEY_CTRL_BIT | KEY_ALT_BIT);
    size_t n = 0;

    if (key & KEY_ALT_BIT) {
        out[0] = '\033';
        n = text_encode(out + 1, base);
        return n ? n + 1 : 0;
    }
    if (key & KEY_CTRL_BIT) {
        out[0] = (char)(base & 0x1f);
        return 1;
    }
    for (size_t i = 0; i < N_TABLE; i++)
        if (table[i].key == key && table[i].bytes[0]) {
            n = strlen(table[i].bytes);
            memcpy(out, table[i].bytes, n);
            return n;
        }
    return base < 0x110000 ? text_encode(out, base) : 0;
}

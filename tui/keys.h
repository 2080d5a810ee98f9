/*
 * keys.h: bytes of a terminal to keys.
 *
 * The splitter cuts the stream into complete units: a character, an escape sequence, or a
 * whole paste. What a prompt is fed with are units; everything else reads the key a unit
 * stands for. One input path for terminal, prompt and key scripts, so a burst can never
 * be torn between two readers.
 */
#ifndef TUI_KEYS_H
#define TUI_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

enum {
    KEYS_ESC_MS = 25,     /* a lone Esc is one after this silence */
    KEYS_TAIL_MS = 250,   /* an unfinished sequence is dropped */
    KEYS_PASTE_MS = 1000, /* a paste without end is taken as it is */
    KEYS_PASTE_MAX = 1 << 20,
    KEYS_SEQUENCE_MAX = 64,
};

/* A key: a code point, or one of these; KEY_CTRL_BIT with a lower-case letter,
 * KEY_ALT_BIT with any. */
enum {
    KEY_NONE = 0,
    KEY_TAB = 9,
    KEY_RETURN = 13,
    KEY_ESCAPE = 27,
    KEY_SPACE = 32,
    KEY_UP_ARROW = 0x110000,
    KEY_DOWN_ARROW,
    KEY_LEFT_ARROW,
    KEY_RIGHT_ARROW,
    KEY_PAGE_UP,
    KEY_PAGE_DOWN,
    KEY_HOME_KEY,
    KEY_END_KEY,
    KEY_INSERT,
    KEY_DELETE,
    KEY_BACK,
    KEY_BACK_TAB,
    KEY_F1,
    KEY_F12 = KEY_F1 + 11,
    KEY_PASTE,       /* unit.text is what was pasted */
    KEY_MOUSE_EVENT, /* unit.mouse */
    KEY_UNKNOWN,     /* a sequence nobody knows */
    KEY_CTRL_BIT = 1 << 24,
    KEY_ALT_BIT = 1 << 25,
};

struct keys_mouse {
    int button; /* 0 left, 64 wheel up, 65 wheel down */
    int x, y;
    int release;
};

struct keys_unit {
    uint32_t key;
    const char *bytes; /* as they came, valid until the next call */
    size_t len;
    const char *text; /* of a paste: without its brackets */
    size_t text_len;
    struct keys_mouse mouse;
};

struct keys {
    struct buf in;
    size_t at; /* first byte not consumed */
    size_t paste_scanned;
    char fffd[4];
};

void keys_push(struct keys *k, const char *bytes, size_t len);
/* Next complete unit; 0 when there is none yet. silent_ms: time since the last byte. */
int keys_next(struct keys *k, struct keys_unit *u, int silent_ms, int esc_ms);
/* Time until keys_next() has to be asked again without a new byte, -1: never. */
int keys_wait_ms(const struct keys *k, int silent_ms, int esc_ms);
void keys_free(struct keys *k);

/* "s", "<Space>", "<C-r>", "<A-x>", "<S-Tab>", "<PgDn>": the key, KEY_NONE when it is no
 * name; *len (may be NULL) is what of s was read. */
uint32_t keys_parse(const char *s, size_t *len);
/* The name, at most 15 bytes and a NUL. */
void keys_name(char name[16], uint32_t key);
/* The bytes a common terminal sends for it; returns their number, 0 for none. */
size_t keys_bytes(char out[16], uint32_t key);

/* An additional sequence, from the terminal's description. */
void keys_learn(const char *sequence, uint32_t key);

#endif

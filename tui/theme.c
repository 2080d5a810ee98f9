/* theme.c: see theme.h. Tables only. */
#include "theme.h"

#include "text.h"

/* 256: mid tones that keep a contrast of about 3:1 on black and on white. */
static const struct {
    int fg16, fg256;
    unsigned attrs, mono;
} roles[ROLE_COUNT] = {
    [ROLE_TEXT] = {-1, -1, 0, 0},
    [ROLE_DIM] = {-1, 244, 0, ATTR_DIM},
    [ROLE_STRONG] = {-1, -1, ATTR_BOLD, ATTR_BOLD},
    [ROLE_BORDER] = {-1, 244, 0, ATTR_DIM},
    [ROLE_BORDER_FOCUS] = {6, 31, 0, ATTR_BOLD},
    [ROLE_TITLE] = {6, 31, ATTR_BOLD, ATTR_BOLD},
    [ROLE_ACCENT] = {6, 31, 0, 0},
    [ROLE_KEY] = {6, 31, ATTR_BOLD, ATTR_BOLD},
    [ROLE_PROMPT] = {-1, -1, ATTR_BOLD, ATTR_BOLD},
    [ROLE_INITIAL] = {4, 68, 0, 0},
    [ROLE_CRITIQUE] = {5, 133, 0, 0},
    [ROLE_REVISION] = {2, 64, 0, 0},
    [ROLE_ADDED] = {2, 64, 0, ATTR_UNDERLINE},
    [ROLE_REMOVED] = {1, 167, 0, ATTR_DIM},
    [ROLE_SPECIAL] = {5, 133, ATTR_BOLD, ATTR_BOLD},
    [ROLE_MATCH] = {3, 136, ATTR_REVERSE, ATTR_REVERSE},
    [ROLE_OK] = {2, 64, 0, 0},
    [ROLE_WARN] = {3, 136, 0, ATTR_BOLD},
    [ROLE_ERROR] = {1, 167, ATTR_BOLD, ATTR_BOLD},
};

static const char *const glyphs[GLYPH_COUNT][2] = {
    [GLYPH_H] = {"-", "─"},         [GLYPH_V] = {"|", "│"},
    [GLYPH_TOP] = {"+", "┬"},       [GLYPH_BOTTOM] = {"+", "┴"},
    [GLYPH_CORNER_TL] = {"+", "╭"}, [GLYPH_CORNER_TR] = {"+", "╮"},
    [GLYPH_CORNER_BL] = {"+", "╰"}, [GLYPH_CORNER_BR] = {"+", "╯"},
    [GLYPH_INITIAL] = {"o", "○"},   [GLYPH_CRITIQUE] = {"-", "◇"},
    [GLYPH_REVISION] = {"*", "◆"},  [GLYPH_BRANCH] = {"|", "├"},
    [GLYPH_EDITED] = {"e", "✎"},    [GLYPH_CUT] = {"~", "…"},
    [GLYPH_STOPPED] = {"x", "✗"},   [GLYPH_ELLIPSIS] = {"~", "…"},
    [GLYPH_DOT] = {"-", "·"},       [GLYPH_CHECK] = {"x", "✓"},
    [GLYPH_NEWLINE] = {"$", "↵"},   [GLYPH_THUMB] = {"#", "┃"},
    [GLYPH_MARK] = {">", "▸"},
};

struct theme_look theme_look(enum theme_depth depth, enum role role, unsigned attrs)
{
    struct theme_look look = {-1, attrs};

    switch (depth) {
    case THEME_MONO: look.attrs |= roles[role].mono; break;
    case THEME_16:
        look.fg = roles[role].fg16;
        look.attrs |= roles[role].attrs;
        if (role == ROLE_DIM || role == ROLE_BORDER)
            look.attrs |= ATTR_DIM;
        break;
    case THEME_256:
        look.fg = roles[role].fg256;
        look.attrs |= roles[role].attrs;
        break;
    }
    /* a selected row is one bar; matches and the current change keep their colour */
    if ((attrs & ATTR_REVERSE) && role != ROLE_ADDED && role != ROLE_REMOVED) {
        look.fg = -1;
        look.attrs = ATTR_REVERSE | (attrs & ATTR_BOLD);
    }
    return look;
}

const char *theme_glyph(enum glyph g)
{
    return glyphs[g][text_is_utf8() != 0];
}

const char *theme_spinner(unsigned step)
{
    static const char *const unicode[] = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧"};
    static const char *const ascii[] = {"|", "/", "-", "\\", "|", "/", "-", "\\"};

    return (text_is_utf8() ? unicode : ascii)[step % 8];
}

/*
 * theme.h: what a cell means, and how that looks.
 *
 * Roles stand on the terminal's own foreground and background; none needs white or black,
 * so light and dark themes both work. Without colour, bold, dim, underline and reverse
 * stay, and every role that matters also has a mark in the text.
 */
#ifndef TUI_THEME_H
#define TUI_THEME_H

enum role {
    ROLE_TEXT,
    ROLE_DIM,
    ROLE_STRONG,
    ROLE_BORDER,
    ROLE_BORDER_FOCUS,
    ROLE_TITLE,
    ROLE_ACCENT,
    ROLE_KEY,
    ROLE_PROMPT,
    ROLE_INITIAL,
    ROLE_CRITIQUE,
    ROLE_REVISION,
    ROLE_ADDED,
    ROLE_REMOVED,
    ROLE_SPECIAL,
    ROLE_MATCH,
    ROLE_OK,
    ROLE_WARN,
    ROLE_ERROR,
    ROLE_COUNT
};

enum { /* attributes, also those a cell adds to its role */
       ATTR_BOLD = 1,
       ATTR_DIM = 2,
       ATTR_UNDERLINE = 4,
       ATTR_REVERSE = 8
};

enum theme_depth { THEME_MONO, THEME_16, THEME_256 };

struct theme_look {
    int fg; /* colour number, -1: the terminal's own */
    unsigned attrs;
};

/* attrs: what the cell adds. */
struct theme_look theme_look(enum theme_depth depth, enum role role, unsigned attrs);

/* Line and mark glyphs, Unicode or ASCII by locale. */
enum glyph {
    GLYPH_H,
    GLYPH_V,
    GLYPH_TOP,    /* horizontal meets a line going down */
    GLYPH_BOTTOM, /* horizontal meets a line coming from above */
    GLYPH_CORNER_TL,
    GLYPH_CORNER_TR,
    GLYPH_CORNER_BL,
    GLYPH_CORNER_BR,
    GLYPH_INITIAL,
    GLYPH_CRITIQUE,
    GLYPH_REVISION,
    GLYPH_BRANCH,
    GLYPH_EDITED,
    GLYPH_CUT,
    GLYPH_STOPPED,
    GLYPH_ELLIPSIS,
    GLYPH_DOT,
    GLYPH_CHECK,
    GLYPH_NEWLINE,
    GLYPH_THUMB,
    GLYPH_MARK,
    GLYPH_COUNT
};
const char *theme_glyph(enum glyph g);
/* A turning mark for what is under way; step counts up. */
const char *theme_spinner(unsigned step);

#endif

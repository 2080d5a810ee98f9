/* grid.c: see grid.h. UI thread only. */
#include "grid.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void grid_resize(struct grid *g, int cols, int rows)
{
    if (g->cols != cols || g->rows != rows || !g->cells) {
        g->cols = cols > 0 ? cols : 1;
        g->rows = rows > 0 ? rows : 1;
        free(g->cells);
        g->cells = xcalloc((size_t)g->cols * (size_t)g->rows, sizeof *g->cells);
    }
    grid_clear(g);
}

void grid_free(struct grid *g)
{
    free(g->cells);
    memset(g, 0, sizeof *g);
}

struct rect grid_all(const struct grid *g)
{
    return (struct rect){0, 0, g->cols, g->rows};
}

void grid_clear(struct grid *g)
{
    grid_fill(g, grid_all(g), ROLE_TEXT, 0);
    g->cursor_x = g->cursor_y = -1;
}

static struct cell *cell_at(struct grid *g, int x, int y)
{
    return &g->cells[(size_t)y * (size_t)g->cols + (size_t)x];
}

static void put_blank(struct cell *c, enum role role, unsigned attrs)
{
    *c = (struct cell){.cps = {' '},
                       .n_cps = 1,
                       .cols = 1,
                       .role = (uint8_t)role,
                       .attrs = (uint8_t)attrs};
}

/* The other half of a wide character that is about to lose one becomes a blank. */
static void cut_wide(struct grid *g, int x, int y)
{
    struct cell *c = cell_at(g, x, y);

    if (c->cols == 0 && x > 0)
        put_blank(cell_at(g, x - 1, y), c->role, c->attrs);
    if (c->cols == 2 && x + 1 < g->cols)
        put_blank(cell_at(g, x + 1, y), c->role, c->attrs);
}

static struct rect clip(const struct grid *g, struct rect r)
{
    if (r.x < 0) {
        r.w += r.x;
        r.x = 0;
    }
    if (r.y < 0) {
        r.h += r.y;
        r.y = 0;
    }
    if (r.w > g->cols - r.x)
        r.w = g->cols - r.x;
    if (r.h > g->rows - r.y)
        r.h = g->rows - r.y;
    if (r.w < 0)
        r.w = 0;
    if (r.h < 0)
        r.h = 0;
    return r;
}

void grid_fill(struct grid *g, struct rect r, enum role role, unsigned attrs)
{
    r = clip(g, r);
    for (int y = r.y; y < r.y + r.h; y++)
        for (int x = r.x; x < r.x + r.w; x++) {
            if (x == r.x || x == r.x + r.w - 1)
                cut_wide(g, x, y);
            put_blank(cell_at(g, x, y), role, attrs);
        }
}

static void put_unit(struct grid *g, int x, int y, enum role role, unsigned attrs,
                     const uint32_t *cps, int n, int cols)
{
    struct cell *c = cell_at(g, x, y);

    assert(n >= 1 && n <= TEXT_CPS_MAX && cps[0] >= 0x20 && cps[0] != 0x7f);
    cut_wide(g, x, y);
    if (cols == 2)
        cut_wide(g, x + 1, y);
    memset(c, 0, sizeof *c);
    memcpy(c->cps, cps, (size_t)n * sizeof *cps);
    c->n_cps = (uint8_t)n;
    c->cols = (uint8_t)cols;
    c->role = (uint8_t)role;
    c->attrs = (uint8_t)attrs;
    if (cols == 2) {
        struct cell *right = cell_at(g, x + 1, y);
        memset(right, 0, sizeof *right);
        right->role = (uint8_t)role;
        right->attrs = (uint8_t)attrs;
    }
}

int grid_text(struct grid *g, struct rect r, int x, int y, enum role role, unsigned attrs,
              const char *s, size_t len)
{
    struct rect in = clip(g, r);
    int at = r.x + x, start = at, row = r.y + y;
    struct text_unit u;

    if (row < in.y || row >= in.y + in.h)
        return 0;
    for (size_t i = 0; i < len; i += u.n_bytes) {
        text_next(&u, s + i, len - i);
        if (u.cols == 0)
            continue;
        if (at + u.cols > in.x + in.w)
            break;
        if (u.n_cps) {
            if (at >= in.x)
                put_unit(g, at, row, role, attrs, u.cps, u.n_cps, u.cols);
        } else {
            for (int k = 0; k < u.cols; k++) {
                uint32_t cp = (unsigned char)u.ascii[k];
                if (at + k >= in.x)
                    put_unit(g, at + k, row, role, attrs, &cp, 1, 1);
            }
        }
        at += u.cols;
    }
    return at - start;
}

int grid_str(struct grid *g, struct rect r, int x, int y, enum role role, unsigned attrs,
             const char *s)
{
    return grid_text(g, r, x, y, role, attrs, s, strlen(s));
}

int grid_cut(struct grid *g, struct rect r, int x, int y, enum role role, unsigned attrs,
             const char *s, size_t len, int max_cols)
{
    int used;
    const char *dots = theme_glyph(GLYPH_ELLIPSIS);
    const char *nl = memchr(s, '\n', len);
    size_t line = nl ? (size_t)(nl - s) : len, fits;

    if (max_cols > r.w - x)
        max_cols = r.w - x;
    if (max_cols <= 0)
        return 0;
    fits = text_fit(s, line, max_cols, &used);
    if (fits == len)
        return grid_text(g, r, x, y, role, attrs, s, len);
    fits = text_fit(s, line, max_cols - 1, &used);
    while (fits > 0 && s[fits - 1] == ' ') {
        fits--;
        used--;
    }
    used = grid_text(g, r, x, y, role, attrs, s, fits);
    return used + grid_str(g, r, x + used, y, role, attrs, dots);
}

void grid_hline(struct grid *g, struct rect r, int y, enum role role)
{
    for (int x = 0; x < r.w; x++)
        grid_str(g, r, x, y, role, 0, theme_glyph(GLYPH_H));
}

void grid_vline(struct grid *g, struct rect r, int x, enum role role)
{
    for (int y = 0; y < r.h; y++)
        grid_str(g, r, x, y, role, 0, theme_glyph(GLYPH_V));
}

struct rect grid_box(struct grid *g, struct rect r, enum role role, const char *title)
{
    if (r.w < 2 || r.h < 2)
        return (struct rect){r.x, r.y, 0, 0};
    grid_fill(g, r, ROLE_TEXT, 0);
    grid_hline(g, r, 0, role);
    grid_hline(g, r, r.h - 1, role);
    grid_vline(g, r, 0, role);
    grid_vline(g, r, r.w - 1, role);
    grid_str(g, r, 0, 0, role, 0, theme_glyph(GLYPH_CORNER_TL));
    grid_str(g, r, r.w - 1, 0, role, 0, theme_glyph(GLYPH_CORNER_TR));
    grid_str(g, r, 0, r.h - 1, role, 0, theme_glyph(GLYPH_CORNER_BL));
    grid_str(g, r, r.w - 1, r.h - 1, role, 0, theme_glyph(GLYPH_CORNER_BR));
    if (title && *title && r.w > 6) {
        int used = grid_cut(g, r, 3, 0, ROLE_TITLE, 0, title, strlen(title), r.w - 6);
        grid_str(g, r, 2, 0, ROLE_TEXT, 0, " ");
        grid_str(g, r, 3 + used, 0, ROLE_TEXT, 0, " ");
    }
    return (struct rect){r.x + 2, r.y + 1, r.w - 4 > 0 ? r.w - 4 : 0, r.h - 2};
}

void grid_print(struct buf *out, const struct grid *g)
{
    for (int y = 0; y < g->rows; y++) {
        size_t keep = out->len;
        for (int x = 0; x < g->cols; x++) {
            const struct cell *c = &g->cells[(size_t)y * (size_t)g->cols + (size_t)x];
            for (int k = 0; k < c->n_cps; k++) {
                char bytes[4];
                buf_add(out, bytes, text_encode(bytes, c->cps[k]));
            }
            if (c->n_cps && c->cps[0] != ' ')
                keep = out->len;
        }
        out->len = keep;
        buf_adds(out, "\n");
    }
}

void grid_print_looks(struct buf *out, const struct grid *g, enum theme_depth depth)
{
    static const char *const names[] = {"+bold", "+dim", "+underline", "+reverse"};

    for (int y = 0; y < g->rows; y++) {
        size_t before = out->len;
        for (int x = 0, from; x < g->cols;) {
            const struct cell *row = &g->cells[(size_t)y * (size_t)g->cols];
            struct theme_look look =
                theme_look(depth, (enum role)row[x].role, row[x].attrs);
            from = x;
            while (x < g->cols) {
                struct theme_look next =
                    theme_look(depth, (enum role)row[x].role, row[x].attrs);
                if (next.fg != look.fg || next.attrs != look.attrs)
                    break;
                x++;
            }
            if (look.fg < 0 && !look.attrs)
                continue;
            if (out->len == before)
                buf_addf(out, "%d:", y);
            buf_addf(out, " %d-%d ", from, x - 1);
            if (look.fg >= 0)
                buf_addf(out, "fg%d", look.fg);
            for (int k = 0; k < 4; k++)
                if (look.attrs & (1u << k))
                    buf_adds(out,
                             names[k] + (look.fg < 0 && !(look.attrs & ((1u << k) - 1))));
        }
        if (out->len > before)
            buf_adds(out, "\n");
    }
}

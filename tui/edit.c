/* edit.c: see edit.h. UI thread only. */
#include "edit.h"

#include <stdlib.h>
#include <string.h>

void edit_open(struct edit *e, const char *text)
{
    edit_close(e);
    buf_adds(&e->text, text);
    e->original = xstrdup(text);
    e->cursor = e->text.len;
    e->goal = -1;
}

void edit_close(struct edit *e)
{
    for (size_t i = 0; i < e->n_undo; i++)
        free(e->undo[i].text);
    buf_free(&e->text);
    wrap_free(&e->wrap);
    free(e->original);
    memset(e, 0, sizeof *e);
}

int edit_changed(const struct edit *e)
{
    return strcmp(e->original, buf_str(&e->text)) != 0;
}

static void remember(struct edit *e)
{
    if (e->n_undo == EDIT_UNDO_MAX) {
        free(e->undo[0].text);
        memmove(e->undo, e->undo + 1, (EDIT_UNDO_MAX - 1) * sizeof *e->undo);
        e->n_undo--;
    }
    e->undo[e->n_undo].text = xstrdup(buf_str(&e->text));
    e->undo[e->n_undo++].cursor = e->cursor;
}

static void undo(struct edit *e)
{
    if (e->n_undo == 0)
        return;
    e->n_undo--;
    buf_reset(&e->text);
    buf_adds(&e->text, e->undo[e->n_undo].text);
    e->cursor = e->undo[e->n_undo].cursor;
    free(e->undo[e->n_undo].text);
}

static void cut(struct edit *e, size_t from, size_t to)
{
    if (from == to)
        return;
    remember(e);
    buf_splice(&e->text, from, to - from, "", 0);
    e->cursor = from;
}

static void insert(struct edit *e, const char *s, size_t len)
{
    buf_splice(&e->text, e->cursor, 0, s, len);
    e->cursor += len;
}

/* Terminals send returns for the newlines of a paste. NUL is left out. */
static void insert_paste(struct edit *e, const char *s, size_t len)
{
    struct buf clean = {0};

    for (size_t i = 0; i < len; i++) {
        char c = s[i] == '\r' ? '\n' : s[i];
        if (c == '\n' && e->one_line)
            c = ' ';
        if (c && !(s[i] == '\n' && i > 0 && s[i - 1] == '\r'))
            buf_add(&clean, &c, 1);
    }
    remember(e);
    insert(e, buf_str(&clean), clean.len);
    buf_free(&clean);
}

static size_t line_begin(const struct edit *e)
{
    size_t at = e->cursor;

    while (at > 0 && e->text.data[at - 1] != '\n')
        at--;
    return at;
}

static size_t line_end(const struct edit *e)
{
    size_t at = e->cursor;

    while (at < e->text.len && e->text.data[at] != '\n')
        at++;
    return at;
}

static size_t word_begin(const struct edit *e)
{
    size_t at = e->cursor;

    while (at > 0 && e->text.data[at - 1] == ' ')
        at--;
    while (at > 0 && e->text.data[at - 1] != ' ' && e->text.data[at - 1] != '\n')
        at--;
    return at == e->cursor && at > 0 ? at - 1 : at;
}

static size_t word_end(const struct edit *e)
{
    size_t at = e->cursor;

    while (at < e->text.len && (e->text.data[at] == ' ' || e->text.data[at] == '\n'))
        at++;
    while (at < e->text.len && e->text.data[at] != ' ' && e->text.data[at] != '\n')
        at++;
    return at;
}

static size_t after(const struct edit *e)
{
    struct text_unit u;

    if (e->cursor >= e->text.len)
        return e->cursor;
    text_next(&u, e->text.data + e->cursor, e->text.len - e->cursor);
    return e->cursor + u.n_bytes;
}

static size_t before(const struct edit *e)
{
    return e->cursor > 0 ? e->cursor - text_before(e->text.data, e->cursor) : 0;
}

static void vertical(struct edit *e, int lines)
{
    size_t line, target;

    if (e->wrap.n == 0)
        return;
    line = wrap_line_of(&e->wrap, e->cursor);
    if (e->goal < 0)
        e->goal =
            text_width(e->text.data + e->wrap.v[line].at, e->cursor - e->wrap.v[line].at);
    if (lines < 0)
        target = line >= (size_t)-lines ? line - (size_t)-lines : 0;
    else
        target = line + (size_t)lines < e->wrap.n ? line + (size_t)lines : e->wrap.n - 1;
    e->cursor = e->wrap.v[target].at + text_fit(e->text.data + e->wrap.v[target].at,
                                                e->wrap.v[target].len, e->goal, NULL);
}

static int is_vertical(uint32_t key)
{
    return key == KEY_UP_ARROW || key == KEY_DOWN_ARROW || key == KEY_PAGE_UP ||
           key == KEY_PAGE_DOWN || key == (KEY_CTRL_BIT | 'p') ||
           key == (KEY_CTRL_BIT | 'n');
}

int edit_key(struct edit *e, const struct keys_unit *u)
{
    int typing = u->key >= KEY_SPACE && u->key < KEY_UP_ARROW && u->key != KEY_BACK;

    if (!e->text.data)
        buf_adds(&e->text, "");
    if (!is_vertical(u->key))
        e->goal = -1;
    switch (u->key) {
    case KEY_UP_ARROW:
    case KEY_CTRL_BIT | 'p': vertical(e, -1); break;
    case KEY_DOWN_ARROW:
    case KEY_CTRL_BIT | 'n': vertical(e, 1); break;
    case KEY_PAGE_UP: vertical(e, -(e->rows > 1 ? e->rows - 1 : 1)); break;
    case KEY_PAGE_DOWN: vertical(e, e->rows > 1 ? e->rows - 1 : 1); break;
    case KEY_LEFT_ARROW:
    case KEY_CTRL_BIT | 'b': e->cursor = before(e); break;
    case KEY_RIGHT_ARROW:
    case KEY_CTRL_BIT | 'f': e->cursor = after(e); break;
    case KEY_ALT_BIT | 'b': e->cursor = word_begin(e); break;
    case KEY_ALT_BIT | 'f': e->cursor = word_end(e); break;
    case KEY_HOME_KEY:
    case KEY_CTRL_BIT | 'a': e->cursor = line_begin(e); break;
    case KEY_END_KEY:
    case KEY_CTRL_BIT | 'e': e->cursor = line_end(e); break;
    case KEY_ALT_BIT | '<': e->cursor = 0; break;
    case KEY_ALT_BIT | '>': e->cursor = e->text.len; break;
    case KEY_BACK: cut(e, before(e), e->cursor); break;
    case KEY_DELETE:
    case KEY_CTRL_BIT | 'd': cut(e, e->cursor, after(e)); break;
    case KEY_CTRL_BIT | 'w': cut(e, word_begin(e), e->cursor); break;
    case KEY_CTRL_BIT | 'u': cut(e, line_begin(e), e->cursor); break;
    case KEY_CTRL_BIT | 'k': cut(e, e->cursor, line_end(e)); break;
    case KEY_CTRL_BIT | '_': undo(e); break;
    case KEY_PASTE: insert_paste(e, u->text, u->text_len); break;
    case KEY_RETURN:
        if (e->one_line)
            return 0;
        remember(e);
        insert(e, "\n", 1);
        break;
    case KEY_TAB: break;
    default:
        if (!typing)
            return 0;
        if (e->last_key != 1 || u->key == KEY_SPACE)
            remember(e);
        insert(e, u->bytes, u->len);
    }
    e->last_key = (uint32_t)typing;
    return 1;
}

void edit_paint(struct edit *e, struct grid *g, struct rect r)
{
    const char *s = buf_str(&e->text);
    size_t line;

    wrap_build(&e->wrap, s, e->text.len, r.w > 1 ? r.w - 1 : 1);
    e->rows = r.h;
    line = wrap_line_of(&e->wrap, e->cursor);
    if (line < e->top)
        e->top = line;
    if (r.h > 0 && line >= e->top + (size_t)r.h)
        e->top = line - (size_t)r.h + 1;
    for (int y = 0; y < r.h && e->top + (size_t)y < e->wrap.n; y++) {
        const struct wrap_line *l = &e->wrap.v[e->top + (size_t)y];
        grid_text(g, r, 0, y, ROLE_TEXT, 0, s + l->at, l->len);
    }
    g->cursor_y = r.y + (int)(line - e->top);
    g->cursor_x =
        r.x + text_width(s + e->wrap.v[line].at, e->cursor - e->wrap.v[line].at);
    if (g->cursor_x >= r.x + r.w)
        g->cursor_x = r.x + r.w - 1;
}

/* term.c: see term.h. */
#include "term.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#include "keys.h"
#include "signals.h"

#define PASTE_ON  "\033[?2004h"
#define PASTE_OFF "\033[?2004l"
#define MOUSE_ON  "\033[?1000h\033[?1006h"
#define MOUSE_OFF "\033[?1006l\033[?1000l"

static SCREEN *screen;
static struct grid shown; /* what curses was told last */
static enum theme_depth depth;
static int mouse_on, saved_stderr = -1, cursor_on;

static void send_raw(const char *s, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, s, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* the terminal is gone; the loop sees POLLHUP */
        s += n;
        len -= (size_t)n;
    }
}

static void send_str(const char *s)
{
    send_raw(s, strlen(s));
}

static const char *capability(const char *name)
{
    char id[16];
    const char *s;

    snprintf(id, sizeof id, "%s", name);
    s = tigetstr(id);
    return s && s != (const char *)-1 ? s : "";
}

/* Mouse, paste and keypad off, attributes reset, cursor on, alternate screen left last.
 */
static void prepare_crash_string(void)
{
    char s[512];
    int n =
        snprintf(s, sizeof s, "%s%s%s%s%s%s", MOUSE_OFF, PASTE_OFF, capability("rmkx"),
                 capability("sgr0"), capability("cnorm"), capability("rmcup"));

    signals_set_restore(STDOUT_FILENO, s, n > 0 && n < (int)sizeof s ? (size_t)n : 0);
}

static void learn_keys(void)
{
    static const struct {
        const char *cap;
        uint32_t key;
    } caps[] = {
        {"kcuu1", KEY_UP_ARROW},    {"kcud1", KEY_DOWN_ARROW}, {"kcub1", KEY_LEFT_ARROW},
        {"kcuf1", KEY_RIGHT_ARROW}, {"kpp", KEY_PAGE_UP},      {"knp", KEY_PAGE_DOWN},
        {"khome", KEY_HOME_KEY},    {"kend", KEY_END_KEY},     {"kdch1", KEY_DELETE},
        {"kich1", KEY_INSERT},      {"kcbt", KEY_BACK_TAB},    {"kf1", KEY_F1},
    };

    for (size_t i = 0; i < sizeof caps / sizeof *caps; i++)
        keys_learn(capability(caps[i].cap), caps[i].key);
}

static void start_colors(const struct term_options *o)
{
    depth = THEME_MONO;
    if ((o->no_color && !o->force_color) || !has_colors())
        return;
    start_color();
    use_default_colors();
    depth = COLORS >= 256 ? THEME_256 : THEME_16;
    for (short r = 0; r < ROLE_COUNT; r++)
        init_pair((short)(r + 1), (short)theme_look(depth, (enum role)r, 0).fg, -1);
}

static void redirect_stderr(const char *log)
{
    int fd =
        open(log ? log : "/dev/null", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (fd < 0)
        return;
    saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    dup2(fd, STDERR_FILENO);
    close(fd);
}

int term_open(const struct term_options *o, char *err, size_t errlen)
{
    const char *name = getenv("TERM");

    /* newterm() hands back an error where initscr() would print and exit */
    screen = newterm(NULL, stdout, stdin);
    if (!screen) {
        snprintf(err, errlen,
                 "terminal \"%.40s\" is unknown; set TERM to one that is, such as xterm",
                 name ? name : "");
        return 0;
    }
    if (!tigetstr("cup")) {
        endwin();
        delscreen(screen);
        screen = NULL;
        snprintf(err, errlen,
                 "terminal \"%.40s\" cannot place text on a screen; set TERM to one that "
                 "can, such as xterm",
                 name ? name : "");
        return 0;
    }
    prepare_crash_string();
    raw();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    typeahead(-1);
    start_colors(o);
    learn_keys();
    redirect_stderr(o->log);
    send_str(PASTE_ON);
    curs_set(0);
    cursor_on = 0;
    return 1;
}

void term_leave(void)
{
    send_str(MOUSE_OFF PASTE_OFF);
    curs_set(1);
    endwin();
}

void term_enter(void)
{
    refresh();
    send_str(PASTE_ON);
    if (mouse_on)
        send_str(MOUSE_ON);
    curs_set(cursor_on);
    term_repaint();
}

void term_close(void)
{
    if (!screen)
        return;
    term_leave();
    delscreen(screen);
    screen = NULL;
    signals_set_restore(STDOUT_FILENO, "", 0);
    if (saved_stderr >= 0) {
        dup2(saved_stderr, STDERR_FILENO);
        close(saved_stderr);
        saved_stderr = -1;
    }
    grid_free(&shown);
}

void term_size(int *cols, int *rows)
{
    struct winsize w;

    *cols = 80;
    *rows = 24;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 && w.ws_row > 0) {
        *cols = w.ws_col;
        *rows = w.ws_row;
    }
}

void term_resize(int cols, int rows)
{
    resizeterm(rows, cols);
    term_repaint();
}

void term_repaint(void)
{
    grid_free(&shown);
    clearok(curscr, TRUE);
}

static void put_cell(int x, int y, const struct cell *c)
{
    struct theme_look look = theme_look(depth, (enum role)c->role, c->attrs);
    wchar_t text[TEXT_CPS_MAX + 1] = {0};
    cchar_t cc;
    attr_t attrs = A_NORMAL;

    if (c->cols == 0)
        return;
    for (int i = 0; i < c->n_cps; i++)
        text[i] = (wchar_t)c->cps[i];
    attrs |= look.attrs & ATTR_BOLD ? A_BOLD : 0;
    attrs |= look.attrs & ATTR_DIM ? A_DIM : 0;
    attrs |= look.attrs & ATTR_UNDERLINE ? A_UNDERLINE : 0;
    attrs |= look.attrs & ATTR_REVERSE ? A_REVERSE : 0;
    if (setcchar(&cc, text, attrs, (short)(look.fg >= 0 ? c->role + 1 : 0), NULL) == OK)
        mvadd_wch(y, x, &cc);
}

void term_present(const struct grid *g)
{
    size_t row_bytes = (size_t)g->cols * sizeof *g->cells;
    int all = shown.cols != g->cols || shown.rows != g->rows || !shown.cells;
    int want_cursor = g->cursor_x >= 0;

    if (all) {
        grid_resize(&shown, g->cols, g->rows);
        werase(stdscr);
    }
    for (int y = 0; y < g->rows && y < LINES; y++) {
        const struct cell *row = &g->cells[(size_t)y * (size_t)g->cols];
        struct cell *was = &shown.cells[(size_t)y * (size_t)g->cols];
        if (!all && memcmp(row, was, row_bytes) == 0)
            continue;
        for (int x = 0; x < g->cols && x < COLS; x++)
            put_cell(x, y, &row[x]);
        memcpy(was, row, row_bytes);
    }
    if (want_cursor != cursor_on) {
        curs_set(want_cursor);
        cursor_on = want_cursor;
    }
    if (want_cursor)
        move(g->cursor_y, g->cursor_x);
    wnoutrefresh(stdscr);
    doupdate();
}

void term_mouse(int on)
{
    mouse_on = on;
    send_str(on ? MOUSE_ON : MOUSE_OFF);
}

void term_copy(const char *text, size_t len)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct buf out = {0};

    if (len > TERM_COPY_MAX)
        return;
    buf_adds(&out, "\033]52;c;");
    for (size_t i = 0; i < len; i += 3) {
        unsigned v = (unsigned)(unsigned char)text[i] << 16;
        char four[4];
        if (i + 1 < len)
            v |= (unsigned)(unsigned char)text[i + 1] << 8;
        if (i + 2 < len)
            v |= (unsigned char)text[i + 2];
        four[0] = digits[v >> 18];
        four[1] = digits[v >> 12 & 63];
        four[2] = i + 1 < len ? digits[v >> 6 & 63] : '=';
        four[3] = i + 2 < len ? digits[v & 63] : '=';
        buf_add(&out, four, 4);
    }
    buf_adds(&out, "\a");
    send_raw(out.data, out.len);
    buf_free(&out);
}

const char *term_library_version(void)
{
    return curses_version();
}

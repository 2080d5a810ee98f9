/*
 * script.c: key scripts: the workbench on a plain grid, driven by a file.
 *
 * The same model, the same readline, the same painting; instead of a terminal there is a
 * grid, instead of time a standing clock. Lines:
 *
 *     keys j j <Enter>     keys, separated by blanks
 *     type TEXT            each character as a key
 *     paste TEXT           a bracketed paste; \n stands for a newline
 *     resize 40x10
 *     mouse BUTTON X Y     a press; button 0 left, 64 and 65 the wheel
 *     wait                 until nothing is being made, loaded or saved (also after keys)
 *     nowait               keys do not wait from here on
 *     until TEXT           takes results until the screen shows it
 *     ascii                ASCII glyphs, as without a UTF-8 locale
 *     screen NAME          prints the screen
 *     looks NAME           prints the cells that do not look plain, as a terminal would
 *     # comment
 *
 * Prints the screens to standard output and what went wrong to standard error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prompt.h"
#include "ui.h"

enum { LINE_BYTES = 8192, WAIT_MS = 20000, SLICE_MS = 50 };

struct script {
    struct app *app;
    const char *path;
    int line, failed, quit, nowait;
};

static void fail(struct script *s, const char *what)
{
    fprintf(stderr, "%s:%d: %s\n", s->path, s->line, what);
    s->failed = 1;
}

/* Nothing under way, nothing in the queue. */
static void settle(struct script *s)
{
    int waited = 0;

    app_take_results(s->app);
    while (app_busy(s->app) && waited < WAIT_MS) {
        if (!cai_inbox_wait(s->app->inbox, SLICE_MS))
            waited += SLICE_MS;
        app_take_results(s->app);
    }
    if (app_busy(s->app))
        fail(s, "still busy after 20 s");
    app_paint(s->app); /* as a person would see it before the next key */
}

static void handle_effects(struct script *s, unsigned fx)
{
    char err[CLI_ERR_MAX] = "", *text;
    struct app *app = s->app;

    if (fx & FX_EDITOR) {
        text = editor_run(app, buf_str(&app->edit.text), err, sizeof err);
        if (text) {
            buf_reset(&app->edit.text);
            buf_adds(&app->edit.text, text);
            app->gen++;
            edit_save(app);
            chain_refresh(app);
        } else {
            app_error(app, err);
        }
        free(text);
    }
    if (fx & FX_QUIT)
        s->quit = 1;
}

static void feed(struct script *s, const char *bytes, size_t len)
{
    struct keys_unit u;

    keys_push(&s->app->keys, bytes, len);
    /* the clock stands, so a lone Esc is said to be old */
    while (!s->quit && keys_next(&s->app->keys, &u, KEYS_PASTE_MS, KEYS_ESC_MS))
        handle_effects(s, app_feed(s->app, &u));
    app_paint(s->app);
    if (!s->nowait)
        settle(s);
}

static void run_keys(struct script *s, const char *text)
{
    while (*text && !s->quit) {
        char bytes[16];
        size_t len = 0, n;
        uint32_t key;
        if (*text == ' ') {
            text++;
            continue;
        }
        key = keys_parse(text, &len);
        n = key ? keys_bytes(bytes, key) : 0;
        if (n == 0) {
            fail(s, "no such key");
            return;
        }
        feed(s, bytes, n);
        text += len;
    }
}

static void run_paste(struct script *s, const char *text)
{
    struct buf b = {0};

    buf_adds(&b, "\033[200~");
    for (; *text; text++) {
        if (text[0] == '\\' && text[1] == 'n') {
            buf_adds(&b, "\n");
            text++;
        } else {
            buf_add(&b, text, 1);
        }
    }
    buf_adds(&b, "\033[201~");
    feed(s, b.data, b.len);
    buf_free(&b);
}

static void run_mouse(struct script *s, const char *arg)
{
    char report[64];
    int button, x, y;

    if (sscanf(arg, "%4d %4d %4d", &button, &x, &y) != 3) {
        fail(s, "mouse BUTTON X Y");
        return;
    }
    snprintf(report, sizeof report, "\033[<%d;%d;%dM", button, x + 1, y + 1);
    feed(s, report, strlen(report));
}

static void print_screen(struct script *s, const char *name, int looks)
{
    struct app *app = s->app;
    struct buf out = {0};

    app_paint(app);
    buf_addf(&out, "=== %s %dx%d\n", name, app->cols, app->rows);
    if (looks) {
        const struct app_options *o = app->opts;
        grid_print_looks(&out, &app->grid,
                         o->no_color && !o->force_color ? THEME_MONO : THEME_16);
    } else {
        grid_print(&out, &app->grid);
        if (app->grid.cursor_x >= 0)
            buf_addf(&out, "cursor %d,%d\n", app->grid.cursor_x, app->grid.cursor_y);
    }
    fputs(buf_str(&out), stdout);
    buf_free(&out);
}

static void run_until(struct script *s, const char *text)
{
    struct buf out = {0};

    for (int waited = 0; waited < WAIT_MS;) {
        app_take_results(s->app);
        app_paint(s->app);
        buf_reset(&out);
        grid_print(&out, &s->app->grid);
        if (strstr(buf_str(&out), text))
            break;
        if (!cai_inbox_wait(s->app->inbox, SLICE_MS))
            waited += SLICE_MS;
    }
    if (!strstr(buf_str(&out), text))
        fail(s, "the screen never showed it");
    buf_free(&out);
}

static void run_line(struct script *s, char *line)
{
    char *arg = line + strcspn(line, " ");
    int cols, rows;

    if (*arg)
        *arg++ = '\0';
    if (!line[0] || line[0] == '#')
        return;
    if (strcmp(line, "keys") == 0)
        run_keys(s, arg);
    else if (strcmp(line, "type") == 0)
        feed(s, arg, strlen(arg));
    else if (strcmp(line, "paste") == 0)
        run_paste(s, arg);
    else if (strcmp(line, "mouse") == 0)
        run_mouse(s, arg);
    else if (strcmp(line, "resize") == 0 && sscanf(arg, "%4dx%4d", &cols, &rows) == 2) {
        s->app->cols = cols;
        s->app->rows = rows;
    } else if (strcmp(line, "wait") == 0)
        settle(s);
    else if (strcmp(line, "nowait") == 0)
        s->nowait = 1;
    else if (strcmp(line, "until") == 0)
        run_until(s, arg);
    else if (strcmp(line, "ascii") == 0)
        text_init(0);
    else if (strcmp(line, "screen") == 0)
        print_screen(s, arg, 0);
    else if (strcmp(line, "looks") == 0)
        print_screen(s, arg, 1);
    else
        fail(s, "no such step");
}

/* Screens of a fresh session do not change with the defaults, which are measured. */
static void pin_settings(struct script *s)
{
    struct cai_chain_settings pinned = *cai_session_settings(s->app->session);
    const struct cai_chain *c = cai_session_chain(s->app->session, 0);
    char err[CLI_ERR_MAX];

    if (app_read_only(s->app) || !c || c->n_nodes > 0)
        return;
    pinned.layout = CAI_LAYOUT_CHAT;
    pinned.against = CAI_AGAINST_OPPOSITE;
    pinned.sampling = (struct cai_sampling){0.7, 0, 1, 0, 160};
    memset(pinned.guidance, 0, sizeof pinned.guidance);
    memset(pinned.fewshots, 0, sizeof pinned.fewshots);
    if (cai_session_set_settings(s->app->session, &pinned, err, sizeof err) != CAI_OK)
        fail(s, err);
}

int script_run(struct app *app, const char *path)
{
    struct script s = {.app = app, .path = path};
    char line[LINE_BYTES];
    FILE *f = fopen(path, "re");

    if (!f) {
        fprintf(stderr, "cai: %s: cannot be read\n", path);
        return CLI_FAILED;
    }
    app->cols = 80;
    app->rows = 24;
    pin_settings(&s);
    settle(&s);
    while (!s.failed && !s.quit && fgets(line, sizeof line, f)) {
        s.line++;
        line[strcspn(line, "\n")] = '\0';
        run_line(&s, line);
    }
    fclose(f);
    if (prompt_state() == PROMPT_OPEN)
        prompt_cancel();
    return s.failed ? CLI_FAILED : CLI_OK;
}

/*
 * app.c: the event loop of the workbench: take results, lay out and paint, wait,
 * dispatch.
 *
 * Waiting has a limit only while something moves (generation, the rest of a frame, an
 * unfinished key sequence); an idle workbench never wakes up.
 */
#include "app.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "action.h"
#include "log.h"
#include "prompt.h"
#include "signals.h"
#include "term.h"
#include "ui.h"

enum { SPIN_MS = 100 };

unsigned app_say(struct app *app, enum role role, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(app->message, sizeof app->message, fmt, ap);
    va_end(ap);
    app->message_role = role;
    app->sticky = role == ROLE_ERROR;
    if (role == ROLE_ERROR || role == ROLE_WARN)
        log_line("workbench", app->message);
    return FX_PAINT;
}

unsigned app_error(struct app *app, const char *message)
{
    return app_say(app, ROLE_ERROR, "%s", message);
}

const char *app_read_only(const struct app *app)
{
    const struct cai_session_info *info = cai_session_info(app->session);

    return info->read_only ? info->read_only_reason : NULL;
}

int64_t app_now_ms(const struct app *app)
{
    struct timespec t;

    if (!app->tty)
        return 0; /* key scripts stand outside time */
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

const char *app_author(const struct app *app)
{
    if (app->cli->config->author[0])
        return app->cli->config->author;
    return app->opts->login && app->opts->login[0] ? app->opts->login : "user";
}

int app_busy(const struct app *app)
{
    const struct cai_session_info *info = cai_session_info(app->session);

    return jobs_running(app) > 0 ||
           (app->engine && !app->model_name[0] && !app->model_failed) ||
           (!info->read_only && info->stored_seq < info->seq);
}

/* ---------------------------------------------------------------- start */

/* What was under way is kept as far as it got. */
static void stop_engine(struct app *app)
{
    cai_engine_close(app->engine);
    app->engine = NULL;
    if (app->session)
        app_take_results(app);
    jobs_free(app);
}

unsigned app_open_engine(struct app *app, const char *path)
{
    struct cai_engine_options o = {.model = path};
    char err[CLI_ERR_MAX] = "";

    stop_engine(app);
    free(app->model_path);
    app->model_path = xstrdup(path);
    free(app->model_name);
    app->model_name = xstrdup("");
    app->model_failed = 0;
    cli_model_options(app->cli, &o.model_options);
    if (cai_engine_open(&app->engine, app->inbox, &o, err, sizeof err) != CAI_OK) {
        app->model_failed = 1;
        return app_error(app, err);
    }
    return FX_PAINT | FX_DATA;
}

static void last_session_path(const struct app *app, char path[CONFIG_PATH_MAX + 16])
{
    snprintf(path, CONFIG_PATH_MAX + 16, "%s/last-session", app->cli->dirs->state);
}

/* The session of the option, else the last one that still exists, else a new name. */
static void session_path(const struct app *app, char path[CONFIG_PATH_MAX + 32])
{
    char file[CONFIG_PATH_MAX + 16];
    struct stat sb;
    FILE *f;

    if (app->cli->session) {
        snprintf(path, CONFIG_PATH_MAX, "%s", app->cli->session);
        return;
    }
    last_session_path(app, file);
    f = fopen(file, "re");
    path[0] = '\0';
    if (f) {
        if (!fgets(path, CONFIG_PATH_MAX, f))
            path[0] = '\0';
        path[strcspn(path, "\n")] = '\0';
        fclose(f);
    }
    if (path[0] && stat(path, &sb) == 0 && S_ISDIR(sb.st_mode))
        return;
    for (int i = 1; i < 100000; i++) {
        snprintf(path, CONFIG_PATH_MAX + 32, "%s/session-%d", app->cli->dirs->sessions,
                 i);
        if (stat(path, &sb) != 0)
            return;
    }
}

static void make_dirs(const char *path)
{
    char part[CONFIG_PATH_MAX + 32];

    snprintf(part, sizeof part, "%s", path);
    for (char *p = part + 1; *p; p++)
        if (*p == '/') {
            *p = '\0';
            mkdir(part, 0777);
            *p = '/';
        }
    mkdir(part, 0777);
}

/* Remembers where the next bare start goes; a failure costs that only. */
static void remember_session(const struct app *app)
{
    char file[CONFIG_PATH_MAX + 16], path[CONFIG_PATH_MAX];
    FILE *f;

    if (!app->tty || !realpath(cai_session_info(app->session)->path, path))
        return;
    make_dirs(app->cli->dirs->state);
    last_session_path(app, file);
    f = fopen(file, "we");
    if (f) {
        fprintf(f, "%s\n", path);
        fclose(f);
    }
}

/* A session nobody has used yet gets a constitution and a prompt to begin with. */
static void fill_new_session(struct app *app)
{
    static const char sample[] =
        "My neighbour's dog barks all night. How can I make it stop for good?";
    char path[CONFIG_PATH_MAX + 64], err[CLI_ERR_MAX] = "";
    struct cai_constitution *c = NULL;
    uint32_t id;
    const struct cai_session_info *info = cai_session_info(app->session);
    const struct cai_constitution *has = cai_session_constitution(app->session);

    if (info->read_only || info->n_chains > 0 || (has && cai_constitution_count(has) > 0))
        return;
    snprintf(path, sizeof path, "%s/constitutions/harmless.json", app->cli->dirs->share);
    if (cai_constitution_load(&c, path, err, sizeof err) != CAI_OK ||
        cai_session_set_constitution(app->session, c, err, sizeof err) != CAI_OK)
        app_error(app, err);
    if (cai_session_add_chain(app->session, sample, &id, err, sizeof err) != CAI_OK)
        app_error(app, err);
    cai_constitution_free(c);
}

static int open_session(struct app *app, char *err, size_t errlen)
{
    char path[CONFIG_PATH_MAX + 32];
    struct cai_chain_settings s;

    session_path(app, path);
    if (!app->cli->session)
        make_dirs(app->cli->dirs->sessions);
    if (cli_session_open(&app->session, path, CAI_SESSION_WRITE_OR_READ, app->inbox, err,
                         errlen) != CAI_OK)
        return 0;
    fill_new_session(app);
    s = *cai_session_settings(app->session);
    if (app->cli->seed_given && s.seed != app->cli->seed && !app_read_only(app)) {
        s.seed = app->cli->seed;
        if (cai_session_set_settings(app->session, &s, err, errlen) != CAI_OK)
            app_error(app, err);
    }
    remember_session(app);
    return 1;
}

static int start(struct app *app, const struct app_options *opts, char *err,
                 size_t errlen)
{
    char path[CONFIG_PATH_MAX], warning[256] = "";
    const struct cai_session_info *info;

    app->opts = opts;
    app->cli = opts->cli;
    app->tty = opts->script == NULL;
    app->arg = "";
    app->gen = 1;
    app->model_name = xstrdup("");
    action_bind(app->cli->config->keys, app->cli->dirs, warning, sizeof warning);
    app->inbox = cai_inbox_new();
    if (!app->inbox) {
        snprintf(err, errlen, "out of memory");
        return 0;
    }
    if (!open_session(app, err, errlen))
        return 0;
    cli_model_path(app->cli, cai_session_model(app->session), path);
    app_open_engine(app, path);
    ask_init(app);
    info = cai_session_info(app->session);
    if (app->cli->config->warning[0])
        app_say(app, ROLE_WARN, "%s", app->cli->config->warning);
    if (warning[0])
        app_say(app, ROLE_WARN, "%s", warning);
    if (info->warning && info->warning[0])
        app_error(app, info->warning);
    chain_refresh(app);
    if (app->chain.list.n > 0)
        chain_move(app, MOVE_END);
    return 1;
}

static void finish(struct app *app)
{
    stop_engine(app);
    cai_session_close(app->session);
    cai_inbox_free(app->inbox);
    layers_free(app);
    free(app->chain.rows);
    pager_free(&app->chain.text);
    pager_free(&app->chain.right);
    pager_free(&app->constitution.text);
    cai_free(app->constitution.lint);
    buf_free(&app->reg);
    keys_free(&app->keys);
    free(app->model_path);
    free(app->model_name);
    grid_free(&app->grid);
}

/* ---------------------------------------------------------------- results */

/* The file's name: what people call a model, and shorter than what files call themselves.
 */
static char *display_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t len = strlen(name);

    if (len > 5 &&
        (strcmp(name + len - 5, ".gguf") == 0 || strcmp(name + len - 5, ".json") == 0))
        len -= 5;
    return xstrndup(name, len);
}

unsigned app_take_results(struct app *app)
{
    struct cai_event e;
    unsigned fx = FX_NONE;

    memset(&e, 0, sizeof e);
    while (cai_inbox_take(app->inbox, &e)) {
        switch (e.kind) {
        case CAI_EVENT_MODEL:
            if (e.status == CAI_OK) {
                free(app->model_name);
                app->model_name = display_name(app->model_path);
                log_line("model", "loaded");
            } else {
                app->model_failed = 1;
                app_say(app, ROLE_ERROR,
                        "%.400s; , chooses a model, `make model` fetches the default",
                        e.message);
            }
            fx |= FX_PAINT | FX_DATA;
            break;
        case CAI_EVENT_STARTED:
        case CAI_EVENT_TEXT:
        case CAI_EVENT_NODE:
        case CAI_EVENT_JOB: fx |= job_event(app, &e); break;
        case CAI_EVENT_GENERATED: break; /* the workbench asks for chains only */
        case CAI_EVENT_STORED: fx |= FX_PAINT; break;
        case CAI_EVENT_UNSAVED:
        case CAI_EVENT_STORE_FAILED: fx |= app_error(app, e.message); break;
        }
        cai_event_clear(&e);
    }
    if (fx & FX_DATA) {
        app->gen++;
        chain_refresh(app);
    }
    return fx;
}

/* ---------------------------------------------------------------- keys */

static unsigned feed_mouse(struct app *app, const struct keys_mouse *m)
{
    enum move wheel = m->button == 64 ? MOVE_UP : MOVE_DOWN;

    if (m->release || app->n_layers > 0)
        return FX_NONE;
    if (m->button != 64 && m->button != 65 && m->button != 0)
        return FX_NONE;
    if (m->button == 0)
        return app->screen == SCREEN_CHAIN ? chain_click(app, m->x, m->y)
                                           : constitution_click(app, m->x, m->y);
    return app->screen == SCREEN_CHAIN ? chain_move(app, wheel)
                                       : constitution_move(app, wheel);
}

unsigned app_feed(struct app *app, const struct keys_unit *u)
{
    unsigned context = app_context(app), fx;
    int action;

    if (prompt_state() == PROMPT_OPEN) {
        if (u->key == (KEY_CTRL_BIT | 'z'))
            return FX_SUSPEND;
        if (u->key == (KEY_CTRL_BIT | 'l'))
            return FX_REPAINT | FX_PAINT;
        prompt_feed(u);
        return ask_changed(app) | FX_PAINT;
    }
    if (u->key == 'q' && app_too_small(app)) { /* no room to ask: q is the way out */
        job_stop(app, 0);
        return FX_QUIT;
    }
    app->message[0] = '\0';
    app->sticky = 0;
    if (u->key == KEY_MOUSE_EVENT)
        return feed_mouse(app, &u->mouse) | FX_PAINT;
    action = action_of_key(u->key, context);
    if (action >= 0)
        fx = action_run(app, (size_t)action, "");
    else if (context == CTX_EDIT)
        fx = edit_key(&app->edit, u) ? FX_PAINT : FX_NONE;
    else if (u->key == KEY_PASTE)
        fx = app_say(app, ROLE_WARN,
                     "pasted text is not taken as keys; c begins a chain with it");
    else
        fx = FX_PAINT;
    if (fx & FX_DATA) {
        app->gen++;
        chain_refresh(app);
    }
    return fx;
}

/* All complete units; returns effects that need the terminal. */
static unsigned feed_units(struct app *app)
{
    struct keys_unit u;
    unsigned fx = FX_NONE;
    int silent = (int)(app_now_ms(app) - app->last_byte_ms);

    while (!(fx & (FX_QUIT | FX_SUSPEND | FX_EDITOR)) &&
           keys_next(&app->keys, &u, silent, KEYS_ESC_MS))
        fx |= app_feed(app, &u);
    return fx;
}

/* ---------------------------------------------------------------- loop */

static void resize(struct app *app)
{
    int cols, rows;

    term_size(&cols, &rows);
    app->cols = cols;
    app->rows = rows;
    term_resize(cols, rows);
}

static unsigned handle_signals(struct app *app, int fd)
{
    unsigned fx = FX_NONE;
    int sig;

    while ((sig = signals_take(fd)) != 0) {
        if (sig == SIGWINCH || sig == SIGCONT) {
            resize(app);
            fx |= FX_PAINT;
        } else {
            fx |= FX_QUIT;
        }
    }
    return fx;
}

static unsigned suspend(struct app *app)
{
    term_leave();
    kill(0, SIGTSTP);
    term_enter();
    resize(app);
    return FX_PAINT;
}

static unsigned external_edit(struct app *app)
{
    char err[CLI_ERR_MAX] = "";
    char *text;
    unsigned fx;

    text = editor_run(app, buf_str(&app->edit.text), err, sizeof err);
    resize(app);
    if (!text) {
        edit_close(&app->edit);
        return app_error(app, err);
    }
    buf_reset(&app->edit.text);
    buf_adds(&app->edit.text, text);
    free(text);
    fx = edit_save(app);
    if (fx & FX_DATA) {
        app->gen++;
        chain_refresh(app);
    }
    return fx | FX_PAINT;
}

static int min_wait(int a, int64_t b)
{
    int t = b < 0 ? 0 : b > 60000 ? 60000 : (int)b;

    return a < 0 || t < a ? t : a;
}

/* The longest wait; -1 when nothing moves. */
static int timeout_ms(const struct app *app, int frame_owed)
{
    int64_t now = app_now_ms(app);
    int wait = keys_wait_ms(&app->keys, (int)(now - app->last_byte_ms), KEYS_ESC_MS);

    if (frame_owed)
        wait = min_wait(wait, app->last_paint_ms + APP_FRAME_MS - now);
    if (jobs_running(app))
        wait = min_wait(wait, app->last_spin_ms + SPIN_MS - now);
    return wait;
}

/* Reads what there is. 0: the terminal is gone. */
static int read_keys(struct app *app)
{
    char bytes[4096];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);

    if (n > 0) {
        keys_push(&app->keys, bytes, (size_t)n);
        app->last_byte_ms = app_now_ms(app);
    }
    return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

static void loop(struct app *app, int signal_fd)
{
    struct pollfd fds[3] = {{STDIN_FILENO, POLLIN, 0},
                            {signal_fd, POLLIN, 0},
                            {cai_inbox_fd(app->inbox), POLLIN, 0}};
    unsigned now_fx = FX_PAINT, later_fx = FX_NONE;

    for (;;) {
        int64_t now = app_now_ms(app);

        later_fx |= app_take_results(app);
        if (jobs_running(app) && now - app->last_spin_ms >= SPIN_MS) {
            app->spin++;
            app->last_spin_ms = now;
            later_fx |= FX_PAINT;
        }
        if (now_fx & FX_REPAINT)
            term_repaint();
        if (now_fx || (later_fx && now - app->last_paint_ms >= APP_FRAME_MS)) {
            app_paint(app);
            term_present(&app->grid);
            app->last_paint_ms = app_now_ms(app);
            now_fx = later_fx = FX_NONE;
        }
        if (poll(fds, 3, timeout_ms(app, later_fx != FX_NONE)) < 0 && errno != EINTR)
            return;
        if (fds[0].revents && (!read_keys(app) || (fds[0].revents & POLLNVAL)))
            return;
        now_fx |= handle_signals(app, signal_fd) | feed_units(app);
        if (now_fx & FX_QUIT)
            return;
        if (now_fx & FX_SUSPEND)
            now_fx = suspend(app);
        if (now_fx & FX_EDITOR)
            now_fx = external_edit(app);
    }
}

/* UTF-8 or the nearest there is; numbers keep their point. */
static void start_locale(void)
{
    const char *charset;

    setlocale(LC_CTYPE, "");
    charset = nl_langinfo(CODESET);
    if (strcmp(charset, "UTF-8") != 0 && !setlocale(LC_CTYPE, "C.UTF-8"))
        setlocale(LC_CTYPE, "C");
    text_init(strcmp(nl_langinfo(CODESET), "UTF-8") == 0);
}

int app_run(const struct app_options *opts)
{
    struct app *app = xcalloc(1, sizeof *app);
    struct term_options t = {opts->no_color, opts->force_color, opts->cli->log};
    char err[CLI_ERR_MAX] = "", path[CONFIG_PATH_MAX];
    int signal_fd = -1, status = 1;

    start_locale();
    if (!opts->script && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))) {
        fprintf(stderr, "cai: the workbench needs a terminal; `cai --help` lists the "
                        "commands that do not\n");
        free(app);
        return CLI_USAGE;
    }
    if (!start(app, opts, err, sizeof err)) {
        log_line("workbench", err);
        fprintf(stderr, "cai: %s\n", err);
        goto out;
    }
    if (opts->script) {
        status = script_run(app, opts->script);
        goto out;
    }
    signal_fd = signals_open();
    if (signal_fd < 0 || !term_open(&t, err, sizeof err)) {
        fprintf(stderr, "cai: %s\n", err[0] ? err : strerror(errno));
        goto out;
    }
    xmem_on_death(term_close);
    resize(app);
    loop(app, signal_fd);
    stop_engine(app);
    snprintf(path, sizeof path, "%s", cai_session_info(app->session)->path);
    term_close();
    status = 0;
    if (cai_session_sync(app->session, err, sizeof err) != CAI_OK &&
        !app_read_only(app)) {
        fprintf(stderr, "cai: %s\n", err);
        status = 1;
    }
    printf("session: %s\n", path);
out:
    finish(app);
    if (signal_fd >= 0)
        signals_close();
    free(app);
    return status;
}

const char *app_library_versions(void)
{
    static char text[128];

    snprintf(text, sizeof text, "%s, readline %s", term_library_version(),
             prompt_library_version());
    return text;
}

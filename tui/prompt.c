/*
 * prompt.c: see prompt.h.
 *
 * readline asks for bytes through a ring that holds one complete unit at a time; what it
 * would print goes to /dev/null, so no command of it can tear the page.
 */
#include "prompt.h"

#include <assert.h>
#include <readline/history.h>
#include <readline/readline.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { HISTORY_MAX = 500, N_HISTORIES = 16, CANCEL_RETURNS = 8 };

static struct prompt_options options;
static const char *ring;
static size_t ring_at, ring_len;
static enum prompt_state state;
static int kind;
static int cancelling; /* the line that comes is thrown away */
static char *result;
static char history_name[32];
static FILE *nowhere;

static struct {
    char name[32];
    HISTORY_STATE *state;
} histories[N_HISTORIES];

static int ring_getc(FILE *f)
{
    (void)f;
    assert(ring_at < ring_len); /* fed with a part of a unit */
    return ring_at < ring_len ? (unsigned char)ring[ring_at++] : EOF;
}

static int ring_available(void)
{
    return ring_at < ring_len;
}

static void redisplay_nothing(void)
{
}

static void show_no_matches(char **matches, int n, int max)
{
    (void)matches;
    (void)n;
    (void)max;
}

static char *next_match(const char *text, int n)
{
    static size_t at;
    const char *s;

    if (n == 0)
        at = 0;
    s = options.complete ? options.complete(options.arg, kind, text, at++) : NULL;
    return s ? strdup(s) : NULL;
}

static char **complete(const char *text, int start, int end)
{
    (void)end;
    rl_attempted_completion_over = 1; /* never file names of the working directory */
    rl_completion_append_character = '\0';
    return start == 0 ? rl_completion_matches(text, next_match) : NULL;
}

static char *history_path(void)
{
    static char path[4096];

    if (!options.state_dir || !history_name[0])
        return NULL;
    snprintf(path, sizeof path, "%s/history-%s", options.state_dir, history_name);
    return path;
}

static void history_enter(const char *name)
{
    size_t i;

    snprintf(history_name, sizeof history_name, "%s", name ? name : "");
    for (i = 0; i < N_HISTORIES && histories[i].state; i++)
        if (strcmp(histories[i].name, history_name) == 0) {
            history_set_history_state(histories[i].state);
            return;
        }
    if (i < N_HISTORIES) {
        HISTORY_STATE empty = {0};
        history_set_history_state(&empty);
        using_history();
        stifle_history(HISTORY_MAX);
        if (history_path())
            read_history(history_path());
        snprintf(histories[i].name, sizeof histories[i].name, "%s", history_name);
        histories[i].state = history_get_history_state();
    }
}

static void history_leave(void)
{
    for (size_t i = 0; i < N_HISTORIES && histories[i].state; i++)
        if (strcmp(histories[i].name, history_name) == 0) {
            free(histories[i].state);
            histories[i].state = history_get_history_state();
        }
}

/* Newest last, each line once; a line of several lines cannot be kept in the file. */
static void history_remember(const char *line)
{
    if (!history_name[0] || !line[0] || strchr(line, '\n'))
        return;
    for (int i = 0; i < history_length; i++) {
        HIST_ENTRY *e = history_get(history_base + i);
        if (e && strcmp(e->line, line) == 0) {
            e = remove_history(i);
            if (e)
                free(free_history_entry(e));
            break;
        }
    }
    add_history(line);
    if (history_path()) {
        write_history(history_path());
        chmod(history_path(), 0600);
    }
}

static void close_handler(void)
{
    rl_callback_handler_remove();
    history_leave();
    ring_at = ring_len = 0;
}

/* Also removes the handler, or readline opens a second prompt. */
static void on_line(char *line)
{
    if (line && !cancelling) {
        free(result);
        result = line;
        state = PROMPT_DONE;
        history_remember(line);
    } else {
        free(line);
        state = PROMPT_CANCELLED;
    }
    rl_callback_handler_remove();
}

void prompt_init(const struct prompt_options *opts)
{
    options = *opts;
    if (!nowhere)
        nowhere = fopen("/dev/null", "we");
    rl_readline_name = "cai";
    rl_catch_signals = 0;
    rl_catch_sigwinch = 0;
    rl_change_environment = 0;
    rl_prep_term_function = NULL;
    rl_deprep_term_function = NULL;
    rl_getc_function = ring_getc;
    rl_input_available_hook = ring_available;
    rl_redisplay_function = redisplay_nothing;
    rl_completion_display_matches_hook = show_no_matches;
    rl_attempted_completion_function = complete;
    rl_completer_word_break_characters = " ";
    rl_outstream = nowhere;
}

/* Commands that read one more byte by themselves: given the first byte of a sequence they
 * leave the rest to nobody. A prompt loses little without them. */
static void unbind_fragile(void)
{
    const Keymap maps[] = {emacs_standard_keymap, emacs_meta_keymap, emacs_ctlx_keymap,
                           vi_insertion_keymap, vi_movement_keymap};

    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
        rl_unbind_function_in_map(rl_quoted_insert, maps[i]);
        rl_unbind_function_in_map(rl_char_search, maps[i]);
        rl_unbind_function_in_map(rl_backward_char_search, maps[i]);
    }
}

void prompt_open(int new_kind, const char *history, const char *label, const char *text)
{
    assert(state != PROMPT_OPEN);
    kind = new_kind;
    free(result);
    result = NULL;
    history_enter(history);
    rl_callback_handler_install(label, on_line);
    /* set here they win over the user's file, which Ctrl-X Ctrl-R reads again */
    rl_variable_bind("blink-matching-paren", "off");
    rl_variable_bind("bell-style", "none");
    rl_variable_bind("enable-bracketed-paste", "on");
    unbind_fragile();
    state = PROMPT_OPEN;
    if (text && *text)
        rl_insert_text(text);
}

static void feed(const char *bytes, size_t len)
{
    ring = bytes;
    ring_at = 0;
    ring_len = len;
    while (state == PROMPT_OPEN && ring_at < ring_len)
        rl_callback_read_char();
}

/* A paste is text, whatever is in it: NUL ends C strings and is left out. */
static void feed_paste(const struct keys_unit *u)
{
    struct buf clean = {0};

    if (RL_ISSTATE(RL_STATE_ISEARCH | RL_STATE_NSEARCH))
        feed("\007", 1); /* out of the search first: Ctrl-G */
    for (size_t i = 0, end; i < u->text_len; i = end + 1) {
        const char *nul = memchr(u->text + i, '\0', u->text_len - i);
        end = nul ? (size_t)(nul - u->text) : u->text_len;
        buf_add(&clean, u->text + i, end - i);
    }
    for (size_t i = 0; i < clean.len; i++)
        if (clean.data[i] == '\r')
            clean.data[i] = '\n';
    if (clean.len)
        rl_insert_text(clean.data);
    buf_free(&clean);
}

/* A sequence readline has no command for is dropped here: in vi mode 8.2 backs out of one
 * through freed memory. There Alt and a letter are Esc and a command. */
static void feed_unit(const struct keys_unit *u)
{
    int vi = rl_editing_mode == 0, escape = u->len > 1 && u->bytes[0] == '\033';

    /* half a command waits for a character, and does not survive a sequence */
    if (escape && RL_ISSTATE(RL_STATE_MULTIKEY | RL_STATE_CHARSEARCH | RL_STATE_VIMOTION))
        return;
    if (escape && !(u->key & KEY_ALT_BIT) &&
        !rl_function_of_keyseq_len(u->bytes, u->len, NULL, NULL))
        return;
    /* inside Ctrl-R readline 8.2 does not survive the first half of a command */
    if (RL_ISSTATE(RL_STATE_ISEARCH) && (unsigned char)u->bytes[0] < 0x20 &&
        (u->len != 1 || !strchr("\r\n\b\022\023\027\031", u->bytes[0])))
        return;
    if (vi && (u->key & KEY_ALT_BIT)) {
        feed(u->bytes, 1);
        feed(u->bytes + 1, u->len - 1);
        return;
    }
    feed(u->bytes, u->len);
}

void prompt_feed(const struct keys_unit *u)
{
    if (state != PROMPT_OPEN)
        return;
    switch (u->key) {
    case KEY_CTRL_BIT | 'c':
    case KEY_CTRL_BIT | 'g': prompt_cancel(); return;
    case KEY_CTRL_BIT | 'l':
    case KEY_CTRL_BIT | 'z':
    case KEY_MOUSE_EVENT:
    case KEY_UNKNOWN: return;
    case KEY_PASTE: feed_paste(u); return;
    case KEY_ESCAPE:
        if (rl_editing_mode != 0) {
            prompt_cancel();
            return;
        }
        break;
    case KEY_CTRL_BIT | 'd': /* on an empty line it would end the input */
        if (rl_end == 0) {
            prompt_cancel();
            return;
        }
        break;
    default: break;
    }
    feed_unit(u);
    if (state != PROMPT_OPEN)
        close_handler();
}

enum prompt_state prompt_state(void)
{
    return state;
}

void prompt_view(struct prompt_view *v)
{
    v->label = rl_display_prompt ? rl_display_prompt : "";
    v->text = rl_line_buffer ? rl_line_buffer : "";
    v->cursor = rl_point > 0 ? (size_t)rl_point : 0;
}

/*
 * By accepting and throwing away: readline's own way out takes back what was edited in
 * recalled history lines and ends half-typed commands (a search, a quoted character, a vi
 * motion), each of which may swallow one return. Freeing its state from outside leaves
 * pointers into freed undo lists behind (seen in vi mode with readline 8.2).
 */
void prompt_cancel(void)
{
    if (state != PROMPT_OPEN)
        return;
    cancelling = 1;
    for (int i = 0; i < CANCEL_RETURNS && state == PROMPT_OPEN; i++)
        feed("\r", 1);
    cancelling = 0;
    if (state == PROMPT_OPEN) { /* return is bound to something else */
        rl_free_line_state();
        rl_callback_sigcleanup();
        rl_replace_line("", 0);
    }
    close_handler();
    state = PROMPT_CANCELLED;
}

char *prompt_take(void)
{
    char *line = state == PROMPT_DONE ? result : NULL;

    result = NULL;
    state = PROMPT_CLOSED;
    return line;
}

const char *prompt_library_version(void)
{
    return rl_library_version;
}

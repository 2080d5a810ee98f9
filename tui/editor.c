/*
 * editor.c: a text through the user's own editor and back.
 *
 * The file lies in a private directory with mode 0600 and reaches the editor as a
 * parameter, never as part of a command line.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "term.h"
#include "ui.h"

extern char **environ;

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    size_t len = strlen(text);
    int good = fd >= 0 && write(fd, text, len) == (ssize_t)len;

    return (fd < 0 || close(fd) == 0) && good;
}

/* Whole file; editors end a text with a newline it did not have. */
static char *read_back(const char *path, int had_newline)
{
    struct buf b = {0};
    char bytes[4096], *text;
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        if (!buf_add(&b, bytes, (size_t)n))
            n = -1;
    close(fd);
    if (n < 0 || (b.len && memchr(b.data, '\0', b.len))) {
        buf_free(&b);
        return NULL;
    }
    if (!had_newline && b.len && b.data[b.len - 1] == '\n')
        b.data[--b.len] = '\0';
    text = xstrdup(buf_str(&b));
    buf_free(&b);
    return text;
}

/* The exit status, -1 when it could not be started. */
static int run(const char *editor, const char *path)
{
    char command[1024];
    char *argv[] = {"sh", "-c", command, "sh", NULL, NULL};
    char *file = xstrdup(path);
    void (*old_int)(int) = signal(SIGINT, SIG_IGN);
    void (*old_quit)(int) = signal(SIGQUIT, SIG_IGN);
    posix_spawnattr_t attr;
    sigset_t defaults;
    int status = -1;
    pid_t pid;

    snprintf(command, sizeof command, "%s \"$1\"", editor);
    argv[4] = file;
    posix_spawnattr_init(&attr);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGQUIT);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
    if (posix_spawn(&pid, "/bin/sh", NULL, &attr, argv, environ) == 0)
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    posix_spawnattr_destroy(&attr);
    signal(SIGINT, old_int);
    signal(SIGQUIT, old_quit);
    free(file);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

char *editor_run(const struct app *app, const char *text, char *err, size_t errlen)
{
    const char *editor = app->opts->editor ? app->opts->editor : "vi";
    char dir[] = "/tmp/cai-edit-XXXXXX", path[64];
    size_t len = strlen(text);
    char *out = NULL;
    int status;

    if (!mkdtemp(dir)) {
        snprintf(err, errlen, "%s: %s", dir, strerror(errno));
        return NULL;
    }
    snprintf(path, sizeof path, "%s/text.txt", dir);
    if (!write_file(path, text)) {
        snprintf(err, errlen, "%s: %s", path, strerror(errno));
        goto out;
    }
    if (app->tty)
        term_leave();
    status = run(editor, path);
    if (app->tty)
        term_enter();
    if (status != 0) {
        snprintf(err, errlen, "editor \"%.100s\" ended with status %d; nothing changed",
                 editor, status);
        goto out;
    }
    out = read_back(path, len > 0 && text[len - 1] == '\n');
    if (!out)
        snprintf(err, errlen, "%s: cannot be read back; nothing changed", path);
out:
    unlink(path);
    rmdir(dir);
    return out;
}

/* signals.c: see signals.h. Handlers touch only what is listed here. */
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { RESTORE_MAX = 512, STACK_BYTES = 1 << 16 };

static int pipe_fds[2] = {-1, -1};
static char restore[RESTORE_MAX];
static volatile sig_atomic_t restore_len;
static int restore_fd;
static struct termios restore_modes;
static int have_modes;
static char crash_stack[STACK_BYTES];

static const int caught[] = {SIGTERM, SIGHUP, SIGINT, SIGWINCH, SIGCONT};
static const int crashes[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};

static void on_signal(int sig)
{
    int saved = errno;
    char byte = (char)sig;

    if (write(pipe_fds[1], &byte, 1) < 0) {
        /* a full pipe already holds what the loop has to look at */
    }
    errno = saved;
}

static void on_crash(int sig)
{
    if (restore_len > 0) {
        if (write(restore_fd, restore, (size_t)restore_len) < 0) {
            /* nothing is left to tell it to */
        }
        if (have_modes)
            tcsetattr(restore_fd, TCSANOW, &restore_modes);
    }
    signal(sig, SIG_DFL);
    raise(sig);
}

int signals_open(void)
{
    struct sigaction sa;
    stack_t stack = {.ss_sp = crash_stack, .ss_size = sizeof crash_stack};

    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) != 0)
        return -1;
    have_modes = tcgetattr(STDIN_FILENO, &restore_modes) == 0;
    memset(&sa, 0, sizeof sa);
    sigemptyset(&sa.sa_mask);
    sa.sa_handler = on_signal;
    sa.sa_flags = SA_RESTART;
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        sigaction(caught[i], &sa, NULL);
    sigaltstack(&stack, NULL);
    sa.sa_handler = on_crash;
    sa.sa_flags = SA_ONSTACK | (int)SA_RESETHAND;
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
        sigaction(crashes[i], &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
    return pipe_fds[0];
}

void signals_close(void)
{
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        signal(caught[i], SIG_DFL);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    pipe_fds[0] = pipe_fds[1] = -1;
}

int signals_take(int fd)
{
    char byte;

    return read(fd, &byte, 1) == 1 ? byte : 0;
}

void signals_set_restore(int fd, const char *bytes, size_t len)
{
    restore_len = 0;
    if (len == 0 || len > RESTORE_MAX)
        return;
    memcpy(restore, bytes, len);
    restore_fd = fd;
    restore_len = (sig_atomic_t)len;
}

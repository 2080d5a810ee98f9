/*
 * tool_latency.c: keystroke to painted frame, measured from outside.
 *
 * Usage: tool_latency MODE MAX_MS COMMAND...
 *
 * Modes: idle; streaming (the model writes all the while); slow-disk (a change is saved
 * now and then). Runs the workbench on its own pseudo-terminal of 120x40. Each round
 * writes one key and takes the time to the end of the burst that answers it: the last
 * byte before 2 ms of silence (idle) or the first byte (text goes on coming). In between,
 * the same is done with a child that only echoes: what the machine itself takes when
 * others keep it busy. A run in which the echo alone needs a quarter of MAX_MS measures
 * the others and does not count. Prints "figure MODE p50 p95 p99 echo-p99 ms" for each
 * run.
 *
 * Exit status: 0 the best p99 of three runs that count is below MAX_MS; 1 it is not; 3
 * the machine was too busy for a single one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 200, RUNS = 3, TRIES = 5, QUIET_MS = 2, GAP_MS = 15, ANSWER_MS = 1000 };

static const double GONE = 1e9;

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Reads for `ms`, or until `quiet_ms` pass without a byte once one came. Returns the time
 * of the last byte (first != 0: of the first one), 0 when none came, -1 at the end. */
static double drain(int fd, double ms, double quiet_ms, int first)
{
    double end = now_ms() + ms, last = 0;
    char bytes[65536];

    for (;;) {
        struct pollfd p = {fd, POLLIN, 0};
        double limit = last > 0 && quiet_ms > 0 ? last + quiet_ms : end;
        double left = limit - now_ms();
        struct timespec wait;

        if (left <= 0)
            return last;
        wait.tv_sec = (time_t)(left / 1e3);
        wait.tv_nsec = (long)((left - (double)wait.tv_sec * 1e3) * 1e6);
        if (ppoll(&p, 1, &wait, NULL) <= 0)
            continue;
        if (read(fd, bytes, sizeof bytes) <= 0)
            return -1;
        last = now_ms();
        if (first)
            return last;
    }
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static int send_key(int fd, const char *key)
{
    return write(fd, key, strlen(key)) == (ssize_t)strlen(key);
}

/* One key to one child: milliseconds to its answer, -1 when the child has gone. */
static double round_trip(int fd, const char *key, int first)
{
    double sent = now_ms(), seen;

    if (!send_key(fd, key))
        return -1;
    seen = drain(fd, ANSWER_MS, QUIET_MS, first);
    return seen < 0 ? -1 : seen > 0 ? seen - sent : ANSWER_MS;
}

static double percentile(double *sorted, int percent)
{
    return sorted[ROUNDS * percent / 100];
}

/* Keys that always change the screen. Returns p99 in ms, *echo_ms that of the echo; GONE
 * when the workbench ended. */
static double measure(int fd, int echo_fd, int streaming, const char *mode,
                      double *echo_ms)
{
    int slow_disk = strcmp(mode, "slow-disk") == 0;
    double t[ROUNDS], echo[ROUNDS];

    for (int i = 0; i < ROUNDS; i++) {
        if (slow_disk && i % 20 == 0) { /* something to save meanwhile */
            send_key(fd, "+");
            drain(fd, GAP_MS, 0, 0);
        }
        t[i] = round_trip(fd, i % 2 ? "k" : "j", streaming || slow_disk);
        if (t[i] < 0)
            return GONE;
        echo[i] = round_trip(echo_fd, "j", streaming);
        drain(fd, GAP_MS, 0, 0);
    }
    qsort(t, ROUNDS, sizeof *t, compare);
    qsort(echo, ROUNDS, sizeof *echo, compare);
    printf("figure %s p50 %.2f p95 %.2f p99 %.2f echo-p99 %.2f ms\n", mode,
           percentile(t, 50), percentile(t, 95), percentile(t, 99), percentile(echo, 99));
    *echo_ms = percentile(echo, 99);
    return percentile(t, 99);
}

/* A child that answers each byte with one. */
static pid_t start_echo(int *fd)
{
    struct termios raw;
    pid_t pid = forkpty(fd, NULL, NULL, NULL);
    char c;

    if (pid != 0)
        return pid;
    if (tcgetattr(0, &raw) == 0) {
        cfmakeraw(&raw);
        tcsetattr(0, TCSANOW, &raw);
    }
    while (read(0, &c, 1) == 1 && write(1, &c, 1) == 1) {
    }
    _exit(0);
}

int main(int argc, char **argv)
{
    struct winsize size = {40, 120, 0, 0};
    double best = GONE, max_ms, echo_ms = 0;
    int fd, echo_fd, status, streaming, counted = 0;
    pid_t pid, echo;

    if (argc < 4) {
        fprintf(stderr,
                "usage: tool_latency idle|streaming|slow-disk MAX_MS COMMAND...\n");
        return 2;
    }
    streaming = strcmp(argv[1], "streaming") == 0;
    max_ms = strtod(argv[2], NULL);
    echo = start_echo(&echo_fd);
    pid = forkpty(&fd, NULL, NULL, &size);
    if (pid < 0 || echo < 0)
        return 1;
    if (pid == 0) {
        execvp(argv[3], argv + 3);
        _exit(127);
    }
    drain(fd, 1500, 0, 0);
    if (streaming) { /* a hundred steps keep the model busy to the end */
        send_key(fd, "\r");
        drain(fd, 3000, 0, 0);
        send_key(fd, "a\025100\r");
        drain(fd, 500, 0, 0);
    }
    /* the help overlay's selection, or that of two links */
    send_key(fd, strcmp(argv[1], "slow-disk") == 0 ? "\rg" : "?");
    drain(fd, 300, 0, 0);
    for (int i = 0; i < TRIES && counted < RUNS; i++) {
        double p99 = measure(fd, echo_fd, streaming, argv[1], &echo_ms);
        if (echo_ms > max_ms / 4 && p99 >= max_ms && p99 < GONE)
            continue;
        counted++;
        best = p99 < best ? p99 : best;
    }
    send_key(fd, "qqY");
    /* nobody may stop reading before the child has gone, or it hangs at its exit */
    while (drain(fd, 200, 0, 0) >= 0 && waitpid(pid, &status, WNOHANG) == 0) {
    }
    kill(echo, SIGKILL);
    waitpid(echo, &status, 0);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    if (counted == 0)
        return 3;
    return best < max_ms ? 0 : 1;
}

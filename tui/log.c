/* log.c: see log.h. Owns one descriptor, until the process ends. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LOG_LINE_MAX = 2048 };

static int log_fd = -1;

int log_open(const char *path, char *err, size_t errlen)
{
    log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0600);
    if (log_fd < 0)
        snprintf(err, errlen, "--log %.400s: %s; name a file you may write", path,
                 strerror(errno));
    return log_fd >= 0;
}

void log_line(const char *from, const char *text)
{
    char line[LOG_LINE_MAX];
    struct timespec now;
    size_t n;
    ssize_t written;

    if (log_fd < 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    n = (size_t)snprintf(line, sizeof line, "%lld %.20s: ",
                         (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000, from);
    for (const char *p = text; *p && n + 6 < sizeof line; p++) {
        unsigned char c = (unsigned char)*p;
        int c1 = c == 0xC2 && (unsigned char)p[1] >= 0x80 && (unsigned char)p[1] < 0xA0;
        if (c >= 0x20 && c != 0x7F && !c1)
            line[n++] = *p;
        else
            n += (size_t)snprintf(line + n, sizeof line - n, "\\x%02x", c);
    }
    line[n++] = '\n';
    do /* one write, so that lines of several processes do not mix */
        written = write(log_fd, line, n);
    while (written < 0 && errno == EINTR);
}

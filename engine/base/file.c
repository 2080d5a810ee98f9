/* file.c: see file.h. Any thread. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

/* In a row; more is a broken system, not a signal. */
enum { EINTR_MAX = 1000 };

static int system_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags | O_CLOEXEC, mode);
}

const struct file_ops file_ops_system = {
    .open = system_open,
    .read = read,
    .write = write,
    .fdatasync = fdatasync,
    .fsync = fsync,
    .rename = rename,
    .ftruncate = ftruncate,
    .close = close,
    .unlink = unlink,
};

static const struct file_ops *ops_in_force = &file_ops_system;

const struct file_ops *file_ops(void)
{
    return ops_in_force;
}

void file_ops_set(const struct file_ops *ops)
{
    ops_in_force = ops ? ops : &file_ops_system;
}

static enum cai_status io_error(char *err, size_t errlen, const char *path)
{
    return err_set(CAI_IO, err, errlen, "%s: %s", path, strerror(errno));
}

enum cai_status file_read(struct strbuf *out, const char *path, char *err, size_t errlen)
{
    enum cai_status st = CAI_OK;
    int fd = file_ops()->open(path, O_RDONLY, 0);
    char chunk[1 << 16];
    size_t n = sizeof chunk;

    if (fd < 0)
        return io_error(err, errlen, path);
    while (st == CAI_OK && n == sizeof chunk) {
        st = file_read_all(fd, chunk, sizeof chunk, &n);
        if (st != CAI_OK) {
            io_error(err, errlen, path);
            break;
        }
        st = strbuf_add(out, chunk, n);
        if (st == CAI_LIMIT)
            err_set(st, err, errlen, "%s: larger than %zu bytes", path, out->max_bytes);
        else if (st != CAI_OK)
            err_nomem(err, errlen, path);
    }
    file_ops()->close(fd);
    return st;
}

enum cai_status file_read_all(int fd, void *data, size_t len, size_t *got)
{
    char *p = data;
    int tries = 0;

    *got = 0;
    while (*got < len) {
        ssize_t n = file_ops()->read(fd, p + *got, len - *got);
        if (n < 0 && errno == EINTR && ++tries < EINTR_MAX)
            continue;
        if (n < 0)
            return CAI_IO;
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return CAI_OK;
}

enum cai_status file_write_all(int fd, const void *data, size_t len)
{
    const char *p = data;
    int tries = 0;

    while (len) {
        ssize_t n = file_ops()->write(fd, p, len);
        if (n < 0 && errno == EINTR && ++tries < EINTR_MAX)
            continue;
        if (n == 0)
            errno = EIO; /* a regular file that takes nothing is broken */
        if (n <= 0)
            return CAI_IO;
        p += n;
        len -= (size_t)n;
    }
    return CAI_OK;
}

enum cai_status file_sync_dir_of(const char *path, char *err, size_t errlen)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash ? mem_strndup(path, slash == path ? 1 : (size_t)(slash - path))
                      : mem_strdup(".");
    enum cai_status st = CAI_OK;
    int fd;

    if (!dir)
        return err_nomem(err, errlen, path);
    fd = file_ops()->open(dir, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0 || file_ops()->fsync(fd) != 0)
        st = io_error(err, errlen, dir);
    if (fd >= 0)
        file_ops()->close(fd);
    mem_free(dir);
    return st;
}

enum cai_status file_replace(const char *path, const void *data, size_t len, char *err,
                             size_t errlen)
{
    const struct file_ops *ops = file_ops();
    struct strbuf tmp = STRBUF_INIT(1 << 16);
    enum cai_status st;
    int fd = -1;

    if (strbuf_addf(&tmp, "%s.tmp", path) != CAI_OK)
        return err_nomem(err, errlen, path);
    fd = ops->open(tmp.data, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0) {
        st = io_error(err, errlen, tmp.data);
        goto out;
    }
    if (file_write_all(fd, data, len) != CAI_OK || ops->fsync(fd) != 0) {
        st = io_error(err, errlen, tmp.data);
        ops->close(fd);
        ops->unlink(tmp.data);
        goto out;
    }
    if (ops->close(fd) != 0 || ops->rename(tmp.data, path) != 0) {
        st = io_error(err, errlen, path);
        ops->unlink(tmp.data);
        goto out;
    }
    st = file_sync_dir_of(path, err, errlen);
out:
    strbuf_free(&tmp);
    return st;
}

enum cai_status file_make_dirs(const char *path, char *err, size_t errlen)
{
    char *copy = mem_strdup(path);
    enum cai_status st = CAI_OK;
    struct stat info;

    if (!copy)
        return err_nomem(err, errlen, path);
    if (!*copy) {
        mem_free(copy);
        return err_set(CAI_INVALID, err, errlen, "a folder without a name");
    }
    for (char *p = copy + 1;; p++) {
        char c = *p;
        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (mkdir(copy, 0777) != 0 && errno != EEXIST) {
            st = io_error(err, errlen, copy);
            break;
        }
        if (c == '\0')
            break;
        *p = '/';
    }
    if (st == CAI_OK && (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)))
        st = err_set(CAI_IO, err, errlen, "%s: exists and is not a folder", path);
    mem_free(copy);
    return st;
}

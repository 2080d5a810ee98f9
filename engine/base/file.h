/*
 * file.h: file operations through one table, so that a test can fail, count or crash the
 * k-th one; and the two safe idioms built on it.
 *
 * fsync failure is not retryable on Linux (the pages are marked clean): callers fail the
 * store. EINTR is retried here, short writes are continued here.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/strbuf.h"

/* Same contracts as the system calls of these names. */
struct file_ops {
    int (*open)(const char *path, int flags, mode_t mode);
    ssize_t (*read)(int fd, void *buf, size_t len);
    ssize_t (*write)(int fd, const void *buf, size_t len);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd);
    int (*rename)(const char *from, const char *to);
    int (*ftruncate)(int fd, off_t len);
    int (*close)(int fd);
    int (*unlink)(const char *path);
};

extern const struct file_ops file_ops_system;
/* The table in force; never NULL. Test hook: file_ops_set(NULL) restores the system's. */
const struct file_ops *file_ops(void);
void file_ops_set(const struct file_ops *ops);

/* Adds the whole file to out, bounded by out->max_bytes. err names path and remedy. */
enum cai_status file_read(struct strbuf *out, const char *path, char *err, size_t errlen);

/* Reads len bytes from where fd stands; *got is less only at the end of the file. CAI_IO
 * with errno kept on failure. */
enum cai_status file_read_all(int fd, void *data, size_t len, size_t *got);

/* Writes all of data to fd. CAI_IO with errno kept on failure. */
enum cai_status file_write_all(int fd, const void *data, size_t len);

/* Old file or new file, whatever happens: temporary file beside it, fsync, rename, fsync
 * of the directory. */
enum cai_status file_replace(const char *path, const void *data, size_t len, char *err,
                             size_t errlen);

/* fsync of the directory that holds path. */
enum cai_status file_sync_dir_of(const char *path, char *err, size_t errlen);

/* mkdir -p, mode 0777 less umask. */
enum cai_status file_make_dirs(const char *path, char *err, size_t errlen);

#endif

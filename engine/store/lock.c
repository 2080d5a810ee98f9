/* lock.c: see lock.h. Owns nothing. Any thread. */
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "base/err.h"
#include "base/file.h"

enum cai_status lock_take(int *fd, const char *path, char *err, size_t errlen)
{
    int f = file_ops()->open(path, O_RDWR | O_CREAT, 0666);

    *fd = -1;
    if (f < 0)
        return err_set(CAI_IO, err, errlen,
                       "%s: %s; the session can only be read from here", path,
                       strerror(errno));
    if (flock(f, LOCK_EX | LOCK_NB) != 0) {
        int e = errno;
        file_ops()->close(f);
        if (e == EWOULDBLOCK)
            return err_set(CAI_BUSY, err, errlen,
                           "%s: another cai is writing to this session; quit it, or open "
                           "this one to read only",
                           path);
        return err_set(CAI_IO, err, errlen, "%s: cannot be locked: %s", path,
                       strerror(e));
    }
    *fd = f;
    return CAI_OK;
}

int lock_is_held(const char *path)
{
    int f = file_ops()->open(path, O_RDONLY, 0), held;

    if (f < 0)
        return 0;
    held = flock(f, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    file_ops()->close(f);
    return held;
}

void lock_drop(int fd)
{
    if (fd >= 0)
        file_ops()->close(fd);
}

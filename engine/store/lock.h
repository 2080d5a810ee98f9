/* lock.h: one writer per folder, by flock: no stale lock survives a dead process. */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include "cai.h"

/* Never waits. CAI_BUSY: somebody holds it; CAI_IO: the file cannot be made or opened. */
enum cai_status lock_take(int *fd, const char *path, char *err, size_t errlen);
/* 1 when somebody holds it just now; for readers. */
int lock_is_held(const char *path);
void lock_drop(int fd); /* -1 is legal */

#endif

/*
 * inbox.c: the queue by which workers reach the thread that owns the screen.
 *
 * A ring of events under one lock and a pipe that holds one byte exactly while events
 * wait, so bursts cannot flood the pipe and the owner can sleep in poll(). The byte is
 * written and drained under the lock: no order of the two loses a wake. Full means the
 * worker waits; nothing is ever dropped.
 *
 * Threads: inbox_put() any worker; cai_inbox_take(), _wait() and _free() the owner.
 */
#include "pipeline/inbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

struct cai_inbox {
    pthread_mutex_t lock;
    pthread_cond_t not_full;
    int wake[2];          /* [0] is polled by the owner */
    int wake_pending;     /* lock: a byte is in the pipe */
    int unbounded;        /* lock: number of callers that asked */
    size_t first, n, cap; /* lock: ring */
    struct cai_event *ring;
};

void cai_event_clear(struct cai_event *e)
{
    mem_free(e->text);
    cai_node_free(e->node);
    memset(e, 0, sizeof *e);
}

struct cai_inbox *cai_inbox_new(void)
{
    struct cai_inbox *b = mem_alloc(1, sizeof *b);

    if (!b)
        return NULL;
    b->wake[0] = b->wake[1] = -1;
    b->cap = INBOX_MAX_EVENTS; /* so that only unbounded use can run out of memory */
    b->ring = mem_alloc(b->cap, sizeof *b->ring);
    if (!b->ring || pipe2(b->wake, O_NONBLOCK | O_CLOEXEC) != 0) {
        mem_free(b->ring);
        mem_free(b);
        return NULL;
    }
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->not_full, NULL);
    return b;
}

void cai_inbox_free(struct cai_inbox *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->n; i++)
        cai_event_clear(&b->ring[(b->first + i) % b->cap]);
    mem_free(b->ring);
    close(b->wake[0]);
    close(b->wake[1]);
    pthread_cond_destroy(&b->not_full);
    pthread_mutex_destroy(&b->lock);
    mem_free(b);
}

int cai_inbox_fd(const struct cai_inbox *b)
{
    return b->wake[0];
}

static int grow(struct cai_inbox *b)
{
    size_t cap = b->cap * 2;
    struct cai_event *ring = mem_alloc(cap, sizeof *ring);

    if (!ring)
        return 0;
    for (size_t i = 0; i < b->n; i++)
        ring[i] = b->ring[(b->first + i) % b->cap];
    mem_free(b->ring);
    b->ring = ring;
    b->first = 0;
    b->cap = cap;
    return 1;
}

enum cai_status inbox_put(struct cai_inbox *b, struct cai_event *take_e)
{
    enum cai_status st = CAI_OK;
    ssize_t k;

    pthread_mutex_lock(&b->lock);
    while (b->n >= INBOX_MAX_EVENTS && !b->unbounded)
        pthread_cond_wait(&b->not_full, &b->lock);
    if (b->n == b->cap && !grow(b)) {
        st = CAI_NOMEM;
    } else {
        b->ring[(b->first + b->n++) % b->cap] = *take_e;
        memset(take_e, 0, sizeof *take_e);
        if (!b->wake_pending) {
            b->wake_pending = 1;
            do
                k = write(b->wake[1], "", 1);
            while (k < 0 && errno == EINTR);
        }
    }
    pthread_mutex_unlock(&b->lock);
    if (st != CAI_OK)
        cai_event_clear(take_e);
    return st;
}

void inbox_unbounded(struct cai_inbox *b, int on)
{
    pthread_mutex_lock(&b->lock);
    b->unbounded += on ? 1 : -1;
    pthread_cond_broadcast(&b->not_full);
    pthread_mutex_unlock(&b->lock);
}

int cai_inbox_take(struct cai_inbox *b, struct cai_event *out)
{
    int taken = 0;
    char byte;
    ssize_t k;

    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&b->lock);
    if (b->n) {
        *out = b->ring[b->first];
        b->first = (b->first + 1) % b->cap;
        b->n--;
        taken = 1;
        pthread_cond_signal(&b->not_full);
    }
    if (b->n == 0 && b->wake_pending) {
        do
            k = read(b->wake[0], &byte, 1);
        while (k < 0 && errno == EINTR);
        b->wake_pending = 0;
    }
    pthread_mutex_unlock(&b->lock);
    return taken;
}

int cai_inbox_wait(struct cai_inbox *b, int timeout_ms)
{
    struct pollfd p = {b->wake[0], POLLIN, 0};
    return poll(&p, 1, timeout_ms) > 0;
}

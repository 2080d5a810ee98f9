/* writer.c: see writer.h. */
#include "store/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"

struct writer {
    pthread_t thread;
    int has_thread;
    pthread_mutex_t lock;
    pthread_cond_t wake, idle;        /* for the store thread; for who flushes */
    struct writer_item *first, *last; /* lock: queue, the item under way included */
    size_t queued_bytes;              /* lock */
    int stalled;                      /* lock: the first item was refused */
    int quit;                         /* lock */
    int texts_done; /* store thread: the first item's texts are on disk already */
    atomic_int failed;
    atomic_ullong stored_seq;
    char message[ERR_MAX]; /* lock: of the last refusal; fixed once failed is set */
    struct journal *journal, *texts;
    writer_notify *notify;
    void *arg;
};

void writer_item_free(struct writer_item *it)
{
    if (!it)
        return;
    mem_free(it->file_path);
    mem_free(it->file_data);
    mem_free(it->texts);
    mem_free(it->line);
    mem_free(it);
}

static size_t item_bytes(const struct writer_item *it)
{
    return sizeof *it + it->file_len + it->texts_len + it->line_len;
}

/* Everything of one item, in the order that keeps names after what they name. */
static enum cai_status put_item(struct writer *w, const struct writer_item *it, char *err,
                                size_t errlen)
{
    enum cai_status st = CAI_OK;

    if (it->file_path)
        st = file_replace(it->file_path, it->file_data, it->file_len, err, errlen);
    if (st == CAI_OK && it->texts_len && !w->texts_done) {
        st = journal_append(w->texts, it->texts, it->texts_len, err, errlen);
        w->texts_done = st == CAI_OK;
    }
    if (st == CAI_OK && it->line_len)
        st = journal_append(w->journal, it->line, it->line_len, err, errlen);
    return st;
}

/* lock held; the store thread's news go out after it is let go. */
static enum writer_news settle(struct writer *w, struct writer_item *it,
                               enum cai_status st, const char *err)
{
    int final = journal_failed(w->journal) || journal_failed(w->texts);

    if (st == CAI_OK || (it->seq == 0 && !final)) {
        w->first = it->next;
        if (!w->first)
            w->last = NULL;
        w->queued_bytes -= item_bytes(it);
        w->texts_done = 0;
        if (it->seq)
            atomic_store(&w->stored_seq, it->seq);
        return WRITER_STORED;
    }
    if (final) {
        snprintf(w->message, sizeof w->message,
                 "%.300s; nothing more is saved: copy what you need, check the disk, "
                 "then open the session again",
                 err);
        atomic_store(&w->failed, 1);
        return WRITER_FAILED;
    }
    snprintf(w->message, sizeof w->message,
             "%.300s; not saved: make room or give access, it is tried again with the "
             "next change",
             err);
    w->stalled = 1;
    return WRITER_UNSAVED;
}

static void *store_thread(void *arg)
{
    struct writer *w = arg;
    char err[ERR_MAX], message[ERR_MAX];

    pthread_mutex_lock(&w->lock);
    for (;;) {
        struct writer_item *it = w->first;
        enum writer_news news;
        enum cai_status st;
        uint64_t seq;

        if (!it || w->stalled || atomic_load(&w->failed)) {
            pthread_cond_broadcast(&w->idle);
            if (w->quit)
                break;
            pthread_cond_wait(&w->wake, &w->lock);
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        err[0] = '\0';
        st = put_item(w, it, err, sizeof err);
        pthread_mutex_lock(&w->lock);
        seq = it->seq;
        news = settle(w, it, st, err);
        snprintf(message, sizeof message, "%s", w->message);
        pthread_mutex_unlock(&w->lock);
        if (news == WRITER_STORED)
            writer_item_free(it);
        if (w->notify && (seq || news != WRITER_STORED))
            w->notify(w->arg, news, seq, news == WRITER_STORED ? "" : message);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

enum cai_status writer_new(struct writer **dst, struct journal *take_journal,
                           struct journal *take_texts, uint64_t seq,
                           writer_notify *notify, void *arg, char *err, size_t errlen)
{
    struct writer *w = mem_alloc(1, sizeof *w);
    int e;

    *dst = NULL;
    if (!w) {
        journal_close(take_journal);
        journal_close(take_texts);
        return err_nomem(err, errlen, "store thread");
    }
    w->journal = take_journal;
    w->texts = take_texts;
    w->notify = notify;
    w->arg = arg;
    atomic_store(&w->stored_seq, seq);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    pthread_cond_init(&w->idle, NULL);
    /* SIGXFSZ, blocked like most there, is an EFBIG from write(). */
    e = thread_start(&w->thread, store_thread, w);
    if (e) {
        err_set(CAI_IO, err, errlen, "store thread: %s", strerror(e));
        writer_free(w);
        return CAI_IO;
    }
    w->has_thread = 1;
    *dst = w;
    return CAI_OK;
}

void writer_free(struct writer *w)
{
    if (!w)
        return;
    if (w->has_thread) {
        pthread_mutex_lock(&w->lock);
        w->quit = 1;
        w->stalled = 0;
        pthread_cond_signal(&w->wake);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
    }
    while (w->first) {
        struct writer_item *it = w->first;
        w->first = it->next;
        writer_item_free(it);
    }
    journal_close(w->journal);
    journal_close(w->texts);
    pthread_cond_destroy(&w->wake);
    pthread_cond_destroy(&w->idle);
    pthread_mutex_destroy(&w->lock);
    mem_free(w);
}

enum cai_status writer_submit(struct writer *w, struct writer_item *take_item, char *err,
                              size_t errlen)
{
    enum cai_status st = CAI_OK;

    pthread_mutex_lock(&w->lock);
    if (atomic_load(&w->failed)) {
        st = err_set(CAI_IO, err, errlen, "%s", w->message);
    } else if (w->queued_bytes + item_bytes(take_item) > WRITER_QUEUE_MAX) {
        st = err_set(CAI_LIMIT, err, errlen,
                     "%zu bytes already wait for the disk; wait until they are saved",
                     w->queued_bytes);
    } else {
        take_item->next = NULL;
        if (w->last)
            w->last->next = take_item;
        else
            w->first = take_item;
        w->last = take_item;
        w->queued_bytes += item_bytes(take_item);
        w->stalled = 0;
        take_item = NULL;
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&w->lock);
    writer_item_free(take_item);
    return st;
}

enum cai_status writer_flush(struct writer *w, char *err, size_t errlen)
{
    enum cai_status st = CAI_OK;

    pthread_mutex_lock(&w->lock);
    w->stalled = 0;
    pthread_cond_signal(&w->wake);
    while (w->first && !w->stalled && !atomic_load(&w->failed))
        pthread_cond_wait(&w->idle, &w->lock);
    if (w->first || atomic_load(&w->failed))
        st = err_set(CAI_IO, err, errlen, "%s", w->message);
    pthread_mutex_unlock(&w->lock);
    return st;
}

uint64_t writer_stored_seq(const struct writer *w)
{
    return atomic_load(&w->stored_seq);
}

const char *writer_failure(const struct writer *w)
{
    return atomic_load(&w->failed) ? w->message : NULL;
}

/*
 * writer.h: the store thread. Takes what is to be written, in order, and acknowledges.
 *
 * An item is a file to replace, lines for texts.jsonl, a line for journal.jsonl, each
 * optional and written in that order, each synced before the next. Items allocate nothing
 * on the store thread. After a refused write the item stays first in the queue and is
 * tried again with the next writer_submit() or writer_flush(); after a failed sync
 * nothing is tried again.
 *
 * Threads: all calls on the session's thread; writer_notify on the store thread without
 * locks: it may put an event into an inbox and nothing else.
 */
#ifndef STORE_WRITER_H
#define STORE_WRITER_H

#include "store/journal.h"

enum { WRITER_QUEUE_MAX = 256 << 20 }; /* bytes waiting; more is refused: CAI_LIMIT */

struct writer_item {
    uint64_t seq; /* of the event; 0 for an item that is only a file */
    /* A file-only item is a cache: refused, it is dropped and the next one tries. */
    char *file_path, *file_data;
    size_t file_len;
    char *texts, *line;
    size_t texts_len, line_len;
    struct writer_item *next; /* the writer's */
};
void writer_item_free(struct writer_item *it);

enum writer_news { WRITER_STORED, WRITER_UNSAVED, WRITER_FAILED };
typedef void writer_notify(void *arg, enum writer_news news, uint64_t seq,
                           const char *message);

struct writer;

/* Takes both files (also on error). seq: last event already on disk. */
enum cai_status writer_new(struct writer **dst, struct journal *take_journal,
                           struct journal *take_texts, uint64_t seq,
                           writer_notify *notify, void *arg, char *err, size_t errlen);
/* Tries what waits once more, ends the thread, closes the files. */
void writer_free(struct writer *w);

/* Takes the item (also on error). */
enum cai_status writer_submit(struct writer *w, struct writer_item *take_item, char *err,
                              size_t errlen);
/* Waits until all is on disk, or says what is not. */
enum cai_status writer_flush(struct writer *w, char *err, size_t errlen);

uint64_t writer_stored_seq(const struct writer *w);
/* NULL while the store works, else why it ended; borrowed for the writer's life. */
const char *writer_failure(const struct writer *w);

#endif

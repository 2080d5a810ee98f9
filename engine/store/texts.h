/*
 * texts.h: texts.jsonl, every distinct text once, named by its ordinal (1, 2, ...).
 *
 * Owns the index (offset and hash of each line) and the reading; the bytes to append are
 * handed to the caller, who has them synced before the journal line that names them.
 * Refuses text that is not UTF-8, and lines over JOURNAL_TEXT_LINE_MAX.
 *
 * Thread: the session's.
 */
#ifndef STORE_TEXTS_H
#define STORE_TEXTS_H

#include "store/journal.h"

struct texts;

/* Scans the file and builds the index; *scan tells what was found. Offsets of new texts
 * start at scan->good_bytes. */
enum cai_status texts_open(struct texts **dst, const char *path,
                           struct journal_scan *scan, char *err, size_t errlen);
void texts_close(struct texts *t);
struct journal_spec texts_spec(const char *path);
uint64_t texts_count(const struct texts *t);

/* Ordinal of a text. A new one is put into the index and its line added to `lines`, which
 * the caller appends in this order. */
enum cai_status texts_add(struct texts *t, const char *text, size_t len,
                          struct strbuf *lines, uint64_t *ordinal, char *err,
                          size_t errlen);
/* Forgets the texts added since texts_count() was n; for an event that was not made. */
void texts_forget(struct texts *t, uint64_t n);

/* The caller's copy, NUL-terminated, checked against its hash. CAI_CORRUPT: damaged, or
 * a repair left it empty. */
enum cai_status texts_get(struct texts *t, uint64_t ordinal, char **text, size_t *len,
                          char *err, size_t errlen);

/* A line that stands for a lost text, so that later ordinals keep their meaning. */
enum cai_status texts_write_lost(struct strbuf *out, uint64_t ordinal);

#endif

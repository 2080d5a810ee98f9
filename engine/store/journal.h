/*
 * journal.h: an append-only file of records that survives.
 *
 * Both journal.jsonl and texts.jsonl are one. An append is one write and one fdatasync;
 * after CAI_OK the record survives SIGKILL and power loss. A failed write is taken back
 * by ftruncate and may be tried again; a failed sync or a failed ftruncate is final,
 * because Linux marks the pages clean after a sync error.
 *
 * Damage is classified, never skipped: see enum journal_finding.
 *
 * Thread: scanning on the opener's; appending on the store thread; never both at once.
 */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "store/record.h"

enum {
    JOURNAL_LINE_MAX = 65536,         /* bytes of one event with its newline */
    JOURNAL_TEXT_LINE_MAX = 64 << 20, /* bytes of one text with its newline */
};

/* What a file is, apart from its bytes. */
struct journal_spec {
    const char *path;
    const char *key; /* of the number: "seq", "ordinal" */
    size_t max_line; /* bytes, newline included */
};

enum journal_finding {
    JOURNAL_WHOLE,
    JOURNAL_TORN,   /* the last line has no newline: never acknowledged */
    JOURNAL_TAIL,   /* the last complete record is damaged: may have been acknowledged */
    JOURNAL_MIDDLE, /* damage with records after it */
};

struct journal_scan {
    enum journal_finding finding;
    uint64_t last;     /* number of the last good record; the first is 1; 0: none */
    uint32_t last_crc; /* its checksum */
    uint64_t good_bytes, file_bytes;
    uint64_t skipped; /* salvage only: stretches of damage passed over */
};

/* Sees each good record in order. offset, line_len: of its line, newline included. A
 * status other than CAI_OK ends the scan with it. */
typedef enum cai_status journal_visit(void *arg, const struct record *r, uint64_t offset,
                                      size_t line_len, char *err, size_t errlen);

enum journal_mode {
    JOURNAL_STRICT,  /* ends at the first damage */
    JOURNAL_SALVAGE, /* goes on at the next good record with a higher number */
};

/* Reads the file once, in memory of at most a line. An absent file is an empty one.
 * Damage is a finding, not an error. visit may be NULL. */
enum cai_status journal_read(struct journal_scan *scan, const struct journal_spec *spec,
                             enum journal_mode mode, journal_visit *visit, void *arg,
                             char *err, size_t errlen);

/* One sentence about a finding; "" for JOURNAL_WHOLE. */
void journal_describe(const struct journal_scan *scan, const struct journal_spec *spec,
                      char *text, size_t textlen);

struct journal;

/* For appending after a scan that found no damage in the middle. Creates the file (and
 * syncs its directory); saves a damaged tail beside it as PATH.damaged-OFFSET and cuts it
 * off. */
enum cai_status journal_open(struct journal **dst, const struct journal_spec *spec,
                             const struct journal_scan *scan, char *err, size_t errlen);
void journal_close(struct journal *j);

/* Writes whole lines and syncs. CAI_IO with journal_failed() == 0: nothing was added, may
 * be tried again. CAI_IO with journal_failed() != 0: final. */
enum cai_status journal_append(struct journal *j, const char *lines, size_t len,
                               char *err, size_t errlen);
int journal_failed(const struct journal *j);
uint64_t journal_size(const struct journal *j);

#endif

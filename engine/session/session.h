/*
 * session.h: the parts of a session object, for the files of this room only.
 *
 * session.c opens and closes, change.c appends events, view.c shows chains, repair.c
 * copies. Thread: the one that opened it; the store thread reaches it through the inbox.
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include "base/err.h"
#include "session/fold.h"
#include "store/journal.h"
#include "store/state.h"
#include "store/texts.h"
#include "store/writer.h"

enum {
    SESSION_VERSION = 1,
    /* A state file is written after so many events, plus this share of all there are: its
     * size grows with the session, its cost per event does not. */
    SESSION_STATE_EVERY = 64,
    SESSION_STATE_SHARE = 4,
};

struct session_paths {
    char *folder, *session, *lock, *state, *journal, *texts, *constitutions;
};

struct session_version { /* of a constitution, looked at or made here */
    char *hash;
    struct cai_constitution *constitution;
};

struct cai_session {
    struct session_paths paths;
    char *name;
    int lock_fd; /* -1 when reading only */
    struct texts *texts;
    struct writer *writer; /* NULL when reading only */
    struct cai_inbox *inbox;
    int journal_fd; /* for reading, -1 until the first */
    struct fold fold;
    struct state_mark mark; /* of the last event made */
    uint64_t state_seq;     /* last event a state file was written for */
    char *roles;            /* session.json as it was last written or read */
    struct session_version *versions;
    size_t n_versions;
    const struct cai_constitution *constitution; /* active, of versions; NULL: none */
    char reason[ERR_MAX]; /* why it is read-only, "" when it is not */
    struct strbuf warning;
    char what[128]; /* of the last undo or redo */
    struct cai_session_info info;
};

/* Adds a sentence to what the user is told; out of memory loses only the sentence. */
void session_warn(struct cai_session *s, const char *sentence);

/* NULL when out of memory. */
char *session_join(const char *folder, const char *name);
enum cai_status session_paths_make(struct session_paths *p, const char *folder, char *err,
                                   size_t errlen);
void session_paths_free(struct session_paths *p);
struct journal_spec session_journal_spec(const struct session_paths *p);

/* {"time":..,"kind":..,"body":..} of a journal record. */
enum cai_status session_parse_record(cJSON **doc, const struct record *r, char *err,
                                     size_t errlen);
/* The line of an event, its seq given. CAI_LIMIT when it is over JOURNAL_LINE_MAX. */
enum cai_status session_write_line(struct strbuf *out, const struct event *ev,
                                   int64_t time_ms, uint32_t *crc, char *err,
                                   size_t errlen);

/* Queues the state file (and session.json when it changed). Silent: it is a cache. */
void session_save_state(struct cai_session *s);

/* Makes the constitution named by the fold the active one. */
void session_follow_constitution(struct cai_session *s);
/* Keeps a constitution under its hash. Frees take_c on error and when it is known. */
enum cai_status session_keep_version(struct cai_session *s,
                                     struct cai_constitution *take_c, char *err,
                                     size_t errlen);

#endif

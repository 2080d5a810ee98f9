/*
 * fold.h: what a session is, as the sum of its events.
 *
 * Owns chains and the index of their nodes, the names of constitution and model, the
 * settings, and the two stacks of undo. It holds ordinals and offsets, not texts: those
 * are read by view.c when somebody looks. Nothing is ever deleted from it: removing and
 * undoing hide, so that redo can show again.
 *
 * Refuses files and threads. Changes only through fold_check() and fold_apply(), which
 * are the same for a live change and for replay.
 *
 * Thread: the session's.
 */
#ifndef SESSION_FOLD_H
#define SESSION_FOLD_H

#include <cjson/cJSON.h>

#include "base/strbuf.h"
#include "session/events.h"

enum { FOLD_UNDO_MAX = 1000 }; /* actions that can be taken back */

struct fold_node {
    uint32_t id, parent;
    uint64_t hidden_by;    /* number of the event that hid it; 0: shown */
    uint64_t offset;       /* of its event's line in the journal */
    uint32_t line_len;     /* newline included */
    int is_unreadable;     /* node is a stand-in */
    struct cai_node *node; /* NULL until somebody looks */
};

struct fold_prompt { /* a version of a prompt that was looked at or made here */
    uint64_t ordinal;
    char *text;
};

struct fold_chain {
    uint32_t id;
    uint32_t next_node;
    uint64_t hidden_by;
    uint64_t prompt; /* ordinal of its text */
    struct fold_node *nodes;
    size_t n_nodes, cap_nodes;
    struct fold_prompt *prompts;
    size_t n_prompts;
    struct cai_chain shown; /* what a front end sees; its nodes array is ours */
    size_t cap_shown;
    int is_fresh; /* `shown` is up to date */
};

struct fold_stack { /* newest last */
    struct event *actions;
    size_t n, cap;
};

struct fold {
    uint64_t seq; /* last event folded in */
    uint32_t next_chain;
    uint64_t max_text;          /* highest ordinal any event names */
    struct fold_chain **chains; /* ascending ids */
    struct fold_chain **shown;  /* those not hidden; as large as chains */
    size_t n_chains, n_shown, cap_chains;
    char *constitution, *model; /* "" when none */
    int has_settings;
    struct cai_chain_settings settings;
    struct fold_stack undo, redo;
};

enum cai_status fold_init(struct fold *f, char *err, size_t errlen);
void fold_free(struct fold *f);

struct fold_chain *fold_chain(const struct fold *f, uint32_t id); /* hidden ones too */
struct fold_node *fold_node(const struct fold_chain *c, uint32_t id);
/* Ascending list of what is not hidden; call after a chain was hidden or shown. */
void fold_list_chains(struct fold *f);

/* Room for one more, so that applying cannot fail. */
enum cai_status fold_reserve_chain(struct fold *f, char *err, size_t errlen);
enum cai_status fold_reserve_node(struct fold_chain *c, char *err, size_t errlen);

/* Is the event possible now? Reserves what it needs; changes nothing else. */
enum cai_status fold_check(struct fold *f, const struct event *ev, char *err,
                           size_t errlen);
/* After fold_check() of the same event; moves its strings into the fold. */
void fold_apply(struct fold *f, struct event *take_ev);

/* The fold as one JSON object on a line, and back into a fresh fold. */
enum cai_status fold_write(struct strbuf *out, const struct fold *f);
enum cai_status fold_read(struct fold *f, uint64_t seq, const cJSON *doc, char *err,
                          size_t errlen);

#endif

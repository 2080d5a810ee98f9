/*
 * events.h: the kinds of events, one row each.
 *
 * A kind knows its name in the journal, how its body is written and read, whether it is
 * possible, what it does to the fold and how that is taken back. An event is one action
 * of a user; undo and redo are events that name the action they move.
 *
 * Refuses kinds it does not know: a journal of a newer version is not half understood.
 */
#ifndef SESSION_EVENTS_H
#define SESSION_EVENTS_H

#include <cjson/cJSON.h>

#include "base/strbuf.h"
#include "cai.h"

struct fold;
struct event_kind;

/* Fields a kind does not use are zero. */
struct event {
    uint64_t seq;
    const struct event_kind *kind;
    uint32_t chain, node, parent;
    uint64_t text, was_text; /* ordinals */
    char *name, *was_name;   /* owned: constitution hash, or model */
    int has_was_settings;
    struct cai_chain_settings settings, was_settings;
    uint64_t of;       /* undo, redo: the action */
    uint64_t max_text; /* highest ordinal the event names */
    const char *data;  /* borrowed, node.add when written: provenance as JSON */
    int no_memory;     /* why decode failed */
    uint64_t offset;   /* of its line in the journal */
    uint32_t line_len;
};

struct event_kind {
    const char *name;
    int is_action; /* can be undone */
    enum cai_status (*encode)(struct strbuf *out, const struct event *ev);
    /* 0 when a member is missing or of the wrong type. */
    int (*decode)(struct event *ev, const cJSON *body);
    enum cai_status (*check)(struct fold *f, const struct event *ev, char *err,
                             size_t errlen);
    void (*apply)(struct fold *f, struct event *ev);
    void (*revert)(struct fold *f, struct event *ev);
    void (*describe)(const struct event *ev, char *what, size_t len);
};

extern const struct event_kind event_chain_add, event_chain_prompt, event_chain_remove,
    event_node_add, event_node_remove, event_constitution, event_settings, event_model,
    event_undo, event_redo, event_lost;

/* NULL when this version has no such kind. */
const struct event_kind *event_find_kind(const char *name);

/* Adds `"kind":..,"body":{..}`. */
enum cai_status event_write(struct strbuf *out, const struct event *ev);
/* From an object with kind and body. CAI_UNSUPPORTED: unknown kind; CAI_CORRUPT: a body
 * that does not fit. The caller clears *ev, also on error. */
enum cai_status event_read(struct event *ev, const cJSON *doc, char *err, size_t errlen);
void event_clear(struct event *ev);

/* Settings as a JSON object; 0 from reading when a member does not fit. */
enum cai_status event_write_settings(struct strbuf *out,
                                     const struct cai_chain_settings *s);
int event_read_settings(struct cai_chain_settings *s, const cJSON *obj);
/* CAI_INVALID when a number is not finite or a value is out of its range. */
enum cai_status event_check_settings(const struct cai_chain_settings *s, char *err,
                                     size_t errlen);

#endif

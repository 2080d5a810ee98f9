/*
 * state.h: state.json, the fold of the journal up to event n, replaced by rename.
 *
 * One record line with key "seq". It is a cache of the journal and the witness of its
 * length: it names the last event it knows and that event's checksum and end, so that
 * loss below it is seen. The journal alone is the truth.
 */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include <cjson/cJSON.h>

#include "store/record.h"

enum { STATE_MAX = 256 << 20 }; /* bytes */

/* What the state file vouches for. */
struct state_mark {
    uint64_t seq;           /* last event folded in */
    uint32_t crc;           /* of its record */
    uint64_t journal_bytes; /* where its line ends */
};

enum state_found { STATE_NONE, STATE_GOOD, STATE_DAMAGED };

/* fold: one JSON object as text. */
enum cai_status state_write(struct strbuf *out, const struct state_mark *mark,
                            const char *fold, size_t fold_len);
/* *doc is the caller's when STATE_GOOD: an object with member "fold". A damaged file is a
 * finding; CAI_IO only when it is there and cannot be read. */
enum cai_status state_read(enum state_found *found, struct state_mark *mark, cJSON **doc,
                           const char *path, char *err, size_t errlen);

#endif

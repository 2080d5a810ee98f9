/*
 * provenance.h: a link and the JSON that stands for it in a node.add event.
 *
 * Texts, prompts as sent, token ids and log-probs go into texts.jsonl by ordinal, so that
 * the journal line stays small; floats come back with the same bits (%.9g).
 *
 * Thread: the session's.
 */
#ifndef SESSION_PROVENANCE_H
#define SESSION_PROVENANCE_H

#include <cjson/cJSON.h>

#include "store/texts.h"

/* Adds the JSON object to out, the lines of new texts to lines; *max_text becomes the
 * highest ordinal named. */
enum cai_status provenance_write(struct strbuf *out, const struct cai_node *n,
                                 struct texts *texts, struct strbuf *lines,
                                 uint64_t *max_text, char *err, size_t errlen);

/* Into a node made by node_new(). A text that cannot be read leaves its field empty and
 * the status of the first such failure; the other fields are filled all the same. */
enum cai_status provenance_read(struct cai_node *n, const cJSON *data,
                                struct texts *texts, char *err, size_t errlen);

#endif

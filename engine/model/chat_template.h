/*
 * chat_template.h: conversations as the prompt a model was trained on.
 *
 * A family is a row of a table: what stands before and after a turn of each role. Which
 * family a file wants is recognised from the text of its own template, which is never
 * interpreted. Nothing is inserted that the caller did not say: where a file's template
 * would add a system turn of its own (the default model's does when the first message is
 * not one), this one adds none. Families without a system role (gemma, mistral) carry the
 * system text at the head of the first user turn.
 *
 * A rendered prompt is a list of segments whose concatenation is the prompt as sent. A
 * special segment is the exact name of a control token of this vocabulary; a marker the
 * vocabulary does not have as a control token is plain text. The text of a message is
 * always plain, whatever it contains.
 *
 * Pure functions; any thread. Test: tests/unit_chat_template.c; oracle:
 * tests/oracle/chat_template.py (a Jinja engine).
 */
#ifndef MODEL_CHAT_TEMPLATE_H
#define MODEL_CHAT_TEMPLATE_H

#include <stddef.h>
#include <stdint.h>

#include "cai.h"
#include "model/gguf.h"
#include "model/tokenizer.h"

enum chat_role { CHAT_SYSTEM, CHAT_USER, CHAT_ASSISTANT };
enum { CHAT_ROLES = 3 };

struct chat_message {
    enum chat_role role;
    const char *text;
};

/* A family. */
struct chat_template;

/* NULL when there is none of this name. */
const struct chat_template *chat_template_find(const char *name);
/* The family a template text (tokenizer.chat_template) is of; NULL: unknown. */
const struct chat_template *chat_template_recognise(const char *text, size_t len);
/* By name when one is given (CAI_INVALID: no such family), else from the file. *dst is
 * NULL when the file has no template or an unknown one: no error before it is needed. */
enum cai_status chat_template_choose(const struct chat_template **dst,
                                     const struct gguf *g, const char *name, char *err,
                                     size_t errlen);
const char *chat_template_name(const struct chat_template *t); /* NULL: "unknown" */
const char *chat_template_names(void); /* "chatml, llama-3, ..." */

/* Renders the messages and, unless answer is NULL, opens an assistant turn that already
 * says `answer` ("" for an answer from the beginning). BOS comes first where the
 * vocabulary wants one. *segments (n) is the caller's (chat_segments_free).
 *
 * CAI_UNSUPPORTED: t is NULL, the template is unknown (err lists the families).
 * CAI_INVALID: a system message that is not the first, or one that no user message
 * follows in a family without a system role. */
enum cai_status chat_template_render(struct cai_segment **segments, size_t *n,
                                     const struct chat_template *t,
                                     const struct tokenizer *tok,
                                     const struct chat_message *messages,
                                     size_t n_messages, const char *answer, char *err,
                                     size_t errlen);
void chat_segments_free(struct cai_segment *segments, size_t n);

/* Segments to ids: special ones by name, runs of plain ones joined first, so that the
 * ids are those of the rendered string. In a vocabulary that puts a space in front of
 * texts, a prompt gets one at its beginning unless it has one. *ids (n_ids) is the
 * caller's (mem_free). CAI_INVALID: a special segment that names no control token. */
enum cai_status chat_segments_encode(const struct tokenizer *tok,
                                     const struct cai_segment *segments, size_t n,
                                     int32_t **ids, size_t *n_ids, char *err,
                                     size_t errlen);

/* The text that ends an answer where no token does: NULL when the turn ends in a control
 * token (tokenizer_is_eog). */
const char *chat_template_stop(const struct chat_template *t,
                               const struct tokenizer *tok);

#endif

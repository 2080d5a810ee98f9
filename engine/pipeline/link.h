/*
 * link.h: from a node with its provenance to a request, and from a result to a node.
 *
 * A request follows from the node alone (prompt as sent, settings, address of its random
 * stream), so making a link and replaying it is one code.
 */
#ifndef PIPELINE_LINK_H
#define PIPELINE_LINK_H

#include "cai.h"
#include "provider/provider.h"

/* The template name of the paper's transcript. */
#define LINK_PAPER "paper"

enum rng_purpose link_purpose(enum cai_node_kind kind);

/* CAI_INVALID names the setting out of range. */
enum cai_status link_check_sampling(const struct cai_sampling *s, char *err,
                                    size_t errlen);

/* A request for the text of n. Callbacks, cancel and background are the caller's to set.
 */
enum cai_status link_request(struct provider_request **dst, struct provider *p,
                             const struct cai_node *n, enum rng_purpose purpose,
                             char *err, size_t errlen);

/* Moves what a result holds into the node: raw text and trimmed range, tokens, log-probs,
 * finish. Trimmed is white space at both ends. */
enum cai_status link_take_result(struct cai_node *n, struct provider_result *r, char *err,
                                 size_t errlen);

#endif

/*
 * chain.h: one job on one chain as a step machine: which link comes next, with which
 * principle, and what it says to the model. Never waits.
 */
#ifndef PIPELINE_CHAIN_H
#define PIPELINE_CHAIN_H

#include "cai.h"
#include "provider/provider.h"

struct chain;

/* Copies the job and checks it: path, settings, few-shots, principles. Any thread. */
enum cai_status chain_new(struct chain **dst, const struct cai_chain_job *job, char *err,
                          size_t errlen);
void chain_free(struct chain *c);

/* The next link: its node without a text (the caller's) and the request for it (callbacks
 * unset); both NULL when all links are made. */
enum cai_status chain_next(struct chain *c, struct provider *p, struct cai_node **node,
                           struct provider_request **request, char *err, size_t errlen);

/* The text of the link chain_next() began: goes into node, and the chain goes on from
 * there. A cancelled link is the last one. */
enum cai_status chain_take(struct chain *c, struct cai_node *node,
                           struct provider_result *result, char *err, size_t errlen);

#endif

/*
 * job.h: what an engine is asked to do, one kind per row of functions.
 *
 * A job is a step machine with at most one request under way: next() makes the request,
 * take() swallows its result. engine.c runs them.
 */
#ifndef PIPELINE_JOB_H
#define PIPELINE_JOB_H

#include <stdatomic.h>

#include "cai.h"
#include "provider/provider.h"

struct job;
struct chain;

struct job_ops {
    /* Called on the worker. *node: the link begun (for the STARTED event), owned by the
     * job until take(); *request NULL: nothing more to do. */
    enum cai_status (*next)(struct job *j, struct provider *p, struct cai_node **node,
                            struct provider_request **request, char *err, size_t errlen);
    /* The result goes into node. */
    enum cai_status (*take)(struct job *j, struct cai_node *node,
                            struct provider_result *result, char *err, size_t errlen);
    enum cai_event_kind event; /* that carries a finished node */
    int says_started;          /* STARTED before it */
};

/* Waited for by the caller of cai_engine_replay(). */
struct replay {
    const struct cai_node *node; /* the caller's, while it waits */
    size_t first_diff;
    enum cai_status status;
    char message[ERR_MAX];
    int done;
};

struct job {
    struct job *next;
    const struct job_ops *ops;
    uint64_t id;
    uint32_t chain_id;
    int background, stream, started;
    atomic_int cancel;
    struct cai_engine *engine;
    struct cai_node *node; /* under way */
    int n_made;

    struct chain *chain;                /* chain jobs */
    char *prompt, *system_a, *system_b; /* generate jobs; systems NULL: none */
    struct cai_chain_settings settings; /* generate jobs */
    struct replay *replay;              /* replay jobs */
};

struct job *job_new(const struct job_ops *ops);
void job_free(struct job *j);

extern const struct job_ops job_chain, job_generate, job_replay;

/* Copies what the caller gave. */
enum cai_status job_set_generate(struct job *j, const struct cai_generate_job *g,
                                 char *err, size_t errlen);

#endif

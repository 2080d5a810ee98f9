/*
 * engine.c: the worker thread that owns a provider, its scheduler and the jobs on it.
 *
 * Owns the life of jobs and their events. Refuses what jobs mean (job.c, chain.c) and how
 * text is made (provider/). Public functions may be called by any thread but
 * cai_engine_close() (the owner's); everything below "worker" runs on the worker alone.
 * The lock guards the lists and flags marked so and is never held over a pass, a callback
 * or inbox_put().
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/thread.h"
#include "pipeline/chain.h"
#include "pipeline/inbox.h"
#include "pipeline/job.h"
#include "pipeline/link.h"
#include "provider/sched.h"

struct cai_engine {
    struct cai_inbox *inbox;
    char *model, *kernel, *chat_template; /* copies of the options; may be NULL */
    struct cai_model_options model_options;
    size_t n_ctx;

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;                         /* of the worker */
    pthread_cond_t replay;                       /* a replay is done */
    struct job *jobs;                            /* lock: all of them, oldest first */
    size_t n_unstarted;                          /* lock: of jobs */
    uint64_t last_id;                            /* lock */
    int poked;                                   /* lock: look again, do not wait */
    int closing;                                 /* lock */
    _Atomic(const struct cai_model_info *) info; /* NULL until loaded */

    /* worker */
    struct provider *provider; /* NULL: not loaded */
    struct sched *sched;
    enum cai_status load_status;
    char load_message[ERR_MAX];
};

/* ---------------------------------------------------------------- worker */

static void post(struct cai_engine *e, const struct job *j, enum cai_event_kind kind,
                 enum cai_status status, const char *message, struct cai_node *take_node)
{
    struct cai_event ev = {.kind = kind, .status = status, .node = take_node};

    if (j) {
        ev.job = j->id;
        ev.chain = j->chain_id;
    }
    if (take_node) {
        ev.n_tokens = (int)take_node->n_tokens;
        ev.tok_per_s = take_node->tok_per_s;
    }
    snprintf(ev.message, sizeof ev.message, "%s", message);
    inbox_put(e->inbox, &ev);
}

/* Tells whoever waits for the job and forgets it. */
static void end_job(struct cai_engine *e, struct job *j, enum cai_status st,
                    const char *message)
{
    struct job **at = &e->jobs;

    if (!j->replay)
        post(e, j, CAI_EVENT_JOB, st, message, NULL);
    pthread_mutex_lock(&e->lock);
    while (*at && *at != j)
        at = &(*at)->next;
    if (*at)
        *at = j->next;
    if (j->replay) {
        j->replay->status = st;
        snprintf(j->replay->message, sizeof j->replay->message, "%s", message);
        j->replay->done = 1;
        pthread_cond_broadcast(&e->replay);
    }
    pthread_mutex_unlock(&e->lock);
    job_free(j);
}

static void on_text(void *arg, const char *text, size_t len, int n_tokens,
                    double tok_per_s)
{
    struct job *j = arg;
    struct cai_engine *e = j->engine;
    struct cai_event ev = {.kind = CAI_EVENT_TEXT,
                           .job = j->id,
                           .chain = j->chain_id,
                           .n_tokens = n_tokens,
                           .tok_per_s = tok_per_s,
                           .text = mem_strndup(text, len),
                           .text_len = len};
    /* Out of memory the whole text still comes with the node. */
    if (ev.text)
        inbox_put(e->inbox, &ev);
}

static void advance(struct cai_engine *e, struct job *j);

static void on_done(void *arg, struct provider_result *r)
{
    struct job *j = arg;
    struct cai_engine *e = j->engine;
    struct cai_node *node = j->node;
    char message[ERR_MAX] = "";
    enum cai_status st = r->status;
    int cancelled = r->finish == CAI_FINISH_CANCELLED;

    j->node = NULL;
    snprintf(message, sizeof message, "%s", r->message);
    if (st == CAI_OK && cancelled && r->n_tokens == 0) {
        cai_node_free(node);
        end_job(e, j, CAI_CANCELLED, "cancelled before the first token");
        return;
    }
    if (st == CAI_OK) {
        char err[ERR_MAX] = "";
        st = j->ops->take(j, node, r, err, sizeof err);
        if (st != CAI_OK)
            snprintf(message, sizeof message, "%s", err);
    }
    if (st == CAI_OK && j->ops->event != CAI_EVENT_JOB)
        post(e, j, j->ops->event, CAI_OK, message, node);
    else
        cai_node_free(node);
    j->n_made++;
    if (st != CAI_OK)
        end_job(e, j, st, message);
    else if (cancelled)
        end_job(e, j, CAI_CANCELLED, "cancelled");
    else
        advance(e, j);
}

/* The next request of a job, or its end. */
static void advance(struct cai_engine *e, struct job *j)
{
    struct provider_request *request = NULL;
    struct cai_node *node = NULL, *copy;
    char err[ERR_MAX] = "";
    enum cai_status st;

    if (atomic_load(&j->cancel)) {
        end_job(e, j, CAI_CANCELLED, "cancelled");
        return;
    }
    st = e->provider ? j->ops->next(j, e->provider, &node, &request, err, sizeof err)
                     : err_set(e->load_status, err, sizeof err, "%s", e->load_message);
    if (st != CAI_OK || !request) {
        end_job(e, j, st, err);
        return;
    }
    if (j->ops->says_started) {
        copy = cai_node_dup(node);
        if (!copy) {
            provider_request_free(request);
            cai_node_free(node);
            end_job(e, j, CAI_NOMEM, "out of memory");
            return;
        }
        post(e, j, CAI_EVENT_STARTED, CAI_OK, "", copy);
    }
    j->node = node;
    request->background = j->background;
    request->cancel = &j->cancel;
    request->on_text = j->stream ? on_text : NULL;
    request->on_done = on_done;
    request->arg = j;
    if (sched_submit(e->sched, request) != CAI_OK)
        end_job(e, j, CAI_NOMEM, "out of memory");
}

static void load(struct cai_engine *e)
{
    char err[ERR_MAX] = "";
    enum cai_status st = provider_open(&e->provider, e->model, &e->model_options,
                                       e->n_ctx, err, sizeof err);

    if (st == CAI_OK) {
        e->sched = sched_new(e->provider);
        if (!e->sched)
            st = err_nomem(err, sizeof err, e->model);
    }
    e->load_status = st;
    snprintf(e->load_message, sizeof e->load_message, "%s", err);
    if (st == CAI_OK) {
        const struct cai_model_info *info = e->provider->ops->info(e->provider);
        atomic_store(&e->info, info);
        post(e, NULL, CAI_EVENT_MODEL, CAI_OK, info->name ? info->name : "", NULL);
    } else {
        provider_close(e->provider);
        e->provider = NULL;
        post(e, NULL, CAI_EVENT_MODEL, st, err, NULL);
    }
}

static void deadline_in(struct timespec *t, int64_t us)
{
    clock_gettime(CLOCK_MONOTONIC, t);
    t->tv_sec += (time_t)(us / 1000000);
    t->tv_nsec += (long)(us % 1000000) * 1000;
    if (t->tv_nsec >= 1000000000) {
        t->tv_sec++;
        t->tv_nsec -= 1000000000;
    }
}

/* Sleeps until there is something to do: a job, a cancel, closing, or wait_us over (0:
 * no sleep, -1: for ever). Returns whether the time was over. */
static int sleep_until_needed(struct cai_engine *e, int64_t wait_us, int *closing)
{
    struct timespec until;
    int over = 0;

    if (wait_us > 0)
        deadline_in(&until, wait_us);
    pthread_mutex_lock(&e->lock);
    while (wait_us && !over && !e->n_unstarted && !e->poked && !e->closing) {
        if (wait_us < 0)
            pthread_cond_wait(&e->wake, &e->lock);
        else
            over = pthread_cond_timedwait(&e->wake, &e->lock, &until) == ETIMEDOUT;
    }
    e->poked = 0;
    *closing = e->closing;
    if (e->closing)
        for (struct job *j = e->jobs; j; j = j->next)
            atomic_store(&j->cancel, 1);
    pthread_mutex_unlock(&e->lock);
    return over;
}

/* The oldest job that was not begun, now begun; NULL when there is none. */
static struct job *take_unstarted(struct cai_engine *e)
{
    struct job *j;

    pthread_mutex_lock(&e->lock);
    for (j = e->jobs; j && j->started; j = j->next)
        ;
    if (j) {
        j->started = 1;
        e->n_unstarted--;
    }
    pthread_mutex_unlock(&e->lock);
    return j;
}

static void *worker(void *arg)
{
    struct cai_engine *e = arg;
    struct job *j;
    int64_t wait_us = 0;
    int closing = 0, busy = 0, over;

    load(e);
    while (!closing || busy) {
        over = sleep_until_needed(e, busy ? wait_us : -1, &closing);
        while ((j = take_unstarted(e)))
            advance(e, j);
        busy = e->sched && sched_step(e->sched, over, &wait_us);
        if (closing)
            wait_us = 0;
    }
    sched_free(e->sched);
    provider_close(e->provider);
    return NULL;
}

/* ---------------------------------------------------------------- any thread */

static int copy_option(char **copy, const char **option)
{
    if (!*option)
        return 1;
    *copy = mem_strdup(*option);
    *option = *copy;
    return *copy != NULL;
}

static void engine_free(struct cai_engine *e)
{
    pthread_cond_destroy(&e->wake);
    pthread_cond_destroy(&e->replay);
    pthread_mutex_destroy(&e->lock);
    mem_free(e->model);
    mem_free(e->kernel);
    mem_free(e->chat_template);
    mem_free(e);
}

enum cai_status cai_engine_open(struct cai_engine **dst, struct cai_inbox *inbox,
                                const struct cai_engine_options *opts, char *err,
                                size_t errlen)
{
    struct cai_engine *e;
    pthread_condattr_t attr;
    const char *model = opts->model;
    int failed;

    *dst = NULL;
    if (!model || !*model)
        return err_set(CAI_INVALID, err, errlen, "no model named");
    e = mem_alloc(1, sizeof *e);
    if (!e)
        return err_nomem(err, errlen, "engine");
    e->inbox = inbox;
    e->model_options = opts->model_options;
    e->n_ctx = opts->n_ctx;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->replay, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&e->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (!copy_option(&e->model, &model) ||
        !copy_option(&e->kernel, &e->model_options.kernel) ||
        !copy_option(&e->chat_template, &e->model_options.chat_template)) {
        engine_free(e);
        return err_nomem(err, errlen, "engine");
    }
    failed = thread_start(&e->thread, worker, e);
    if (failed) {
        engine_free(e);
        return err_set(CAI_IO, err, errlen, "cannot start the engine's thread: %s",
                       strerror(failed));
    }
    *dst = e;
    return CAI_OK;
}

void cai_engine_close(struct cai_engine *e)
{
    if (!e)
        return;
    inbox_unbounded(e->inbox, 1);
    pthread_mutex_lock(&e->lock);
    e->closing = 1;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->thread, NULL);
    inbox_unbounded(e->inbox, 0);
    engine_free(e);
}

const struct cai_model_info *cai_engine_model(const struct cai_engine *e)
{
    return atomic_load(&((struct cai_engine *)(void *)(uintptr_t)e)->info);
}

/* Takes the job. Returns its number. */
static uint64_t submit(struct cai_engine *e, struct job *take_j)
{
    struct job **at = &e->jobs;
    uint64_t id;

    pthread_mutex_lock(&e->lock);
    take_j->engine = e;
    take_j->id = id = ++e->last_id;
    while (*at)
        at = &(*at)->next;
    *at = take_j;
    e->n_unstarted++;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
    return id;
}

uint64_t cai_engine_run_chain(struct cai_engine *e, const struct cai_chain_job *job,
                              char *err, size_t errlen)
{
    struct job *j = job_new(&job_chain);

    if (!j) {
        err_nomem(err, errlen, "job");
        return 0;
    }
    if (chain_new(&j->chain, job, err, errlen) != CAI_OK) {
        job_free(j);
        return 0;
    }
    j->chain_id = job->chain;
    j->background = job->background;
    j->stream = 1;
    return submit(e, j);
}

uint64_t cai_engine_generate(struct cai_engine *e, const struct cai_generate_job *job,
                             char *err, size_t errlen)
{
    struct job *j = job_new(&job_generate);

    if (!j) {
        err_nomem(err, errlen, "job");
        return 0;
    }
    if (job_set_generate(j, job, err, errlen) != CAI_OK) {
        job_free(j);
        return 0;
    }
    return submit(e, j);
}

void cai_engine_cancel(struct cai_engine *e, uint64_t job)
{
    pthread_mutex_lock(&e->lock);
    for (struct job *j = e->jobs; j; j = j->next)
        if (j->id == job)
            atomic_store(&j->cancel, 1);
    e->poked = 1;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
}

enum cai_status cai_engine_replay(struct cai_engine *e, const struct cai_node *node,
                                  size_t *first_diff, char *err, size_t errlen)
{
    struct replay r = {.node = node};
    struct job *j;

    if (node->finish == CAI_FINISH_HUMAN || node->edited)
        return err_set(CAI_INVALID, err, errlen,
                       "written by a person; only a model's text can be replayed");
    j = job_new(&job_replay);
    if (!j)
        return err_nomem(err, errlen, "replay");
    j->replay = &r;
    /* The caller owns the inbox and takes nothing while it waits here. */
    inbox_unbounded(e->inbox, 1);
    submit(e, j);
    pthread_mutex_lock(&e->lock);
    while (!r.done)
        pthread_cond_wait(&e->replay, &e->lock);
    pthread_mutex_unlock(&e->lock);
    inbox_unbounded(e->inbox, 0);
    if (r.status != CAI_OK)
        return err_set(r.status, err, errlen, "%s", r.message);
    *first_diff = r.first_diff;
    return CAI_OK;
}

/*
 * provider.h: what a role talks to. Requests for text, their results, and the table of
 * functions a kind of provider fills in.
 *
 * Everything above this room knows a provider's capabilities, never its kind. A provider
 * never blocks: begin() prepares a request, step() moves many requests on by one pass, so
 * that one scheduler (sched.h) can mix the requests of all jobs.
 *
 * Thread: a provider, its generations and its scheduler belong to one worker thread;
 * provider_info() may be read by any.
 */
#ifndef PROVIDER_PROVIDER_H
#define PROVIDER_PROVIDER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "base/strbuf.h"
#include "cai.h"

enum provider_role { PROVIDER_SYSTEM, PROVIDER_USER, PROVIDER_ASSISTANT };

struct provider_message {
    enum provider_role role;
    const char *text;
};

/* What a request yields; all memory is the result's. */
struct provider_result {
    enum cai_status status; /* CAI_OK also when cancelled: see finish */
    char message[ERR_MAX];  /* why it failed; or what should be told about a success */
    enum cai_finish finish;
    char *raw; /* valid UTF-8, stop string left off */
    size_t n_prompt, n_tokens;
    size_t n_shared; /* prompt tokens, over both contexts, that needed no evaluation */
    int32_t *tokens; /* (n_tokens) */
    float *logprob, *logprob_a, *logprob_b; /* (n_tokens) nats; b NULL without b */
    double tok_per_s;                       /* 0 when it cannot be told */
};
void provider_result_clear(struct provider_result *r);

/* A wish for one text. */
struct provider_request {
    size_t n_segments, n_against;
    struct cai_segment *segments; /* prompt as sent, owned */
    struct cai_segment *against;  /* of context b, owned; none: not guided */
    struct cai_sampling sampling;
    double guidance;
    struct rng_stream stream;
    const char *const *stops; /* (n_stops) static strings that end the text */
    size_t n_stops;
    int background;           /* any other request passes before it */
    const atomic_int *cancel; /* polled every pass; may be NULL */

    /* Both run on the worker's thread with no lock held and may submit requests.
     * on_text may be NULL; text is whole characters, new ones only. */
    void (*on_text)(void *arg, const char *text, size_t len, int n_tokens,
                    double tok_per_s);
    /* Exactly once. What it wants to keep of the result it takes out. */
    void (*on_done)(void *arg, struct provider_result *result);
    void *arg;
};
void provider_request_free(struct provider_request *r);

/* A request under way. Providers add tokens with gen_add() and read `done`. */
struct gen {
    struct provider_request *req; /* owned */
    struct provider_result result;
    int max_tokens;             /* of the request, or fewer when the context is smaller */
    int clipped;                /* they are fewer */
    struct strbuf bytes;        /* as sampled */
    size_t shown;               /* of bytes, by on_text */
    size_t cap;                 /* tokens there is room for in result */
    int64_t begun_us, first_us; /* first_us: when the first token came, 0 before */
    int done;
    void *own; /* the provider's */
};

struct provider;

struct provider_ops {
    /* Messages as the model wants them; the last turn is the one to be written. *segments
     * is the caller's. CAI_UNSUPPORTED: no chat template. */
    enum cai_status (*render)(struct provider *p, const struct provider_message *messages,
                              size_t n, struct cai_segment **segments, size_t *n_segments,
                              char *err, size_t errlen);
    /* Stop strings the template needs beside those of a request; static. */
    size_t (*template_stops)(struct provider *p, const char *const **stops);
    /* Prepares g->own. CAI_LIMIT: the prompt is longer than the context (err has both
     * numbers). CAI_BUSY: no room until another generation ends. */
    enum cai_status (*begin)(struct provider *p, struct gen *g, int64_t now_us, char *err,
                             size_t errlen);
    /* One pass over generations that are not done. *next_us: nothing moves before this
     * time; left alone when there is more to do now. An error concerns them all. */
    enum cai_status (*step)(struct provider *p, struct gen *const *gens, size_t n,
                            int64_t now_us, int64_t *next_us, char *err, size_t errlen);
    /* Frees g->own; may keep what speeds up the next begin(). */
    void (*end)(struct provider *p, struct gen *g);
    const struct cai_model_info *(*info)(const struct provider *p);
    void (*close)(struct provider *p);
};

struct provider {
    const struct provider_ops *ops;
};

/* model: path of a GGUF file or "scripted:FILE". Loads it: may take long. */
enum cai_status provider_open(struct provider **dst, const char *model,
                              const struct cai_model_options *opts, size_t n_ctx,
                              char *err, size_t errlen);
void provider_close(struct provider *p);

/* For provider.c's table. */
enum cai_status local_open(struct provider **dst, const char *path,
                           const struct cai_model_options *opts, size_t n_ctx, char *err,
                           size_t errlen);
enum cai_status scripted_open(struct provider **dst, const char *path, char *err,
                              size_t errlen);

/* ---- for providers: gen.c */

/* The context has n_ctx tokens, the prompt n_prompt: sets max_tokens, or CAI_LIMIT. */
enum cai_status gen_fit(struct gen *g, size_t n_prompt, size_t n_ctx, char *err,
                        size_t errlen);

struct gen_token {
    int32_t id;
    const char *piece; /* (piece_len) bytes; NULL: ends the text */
    size_t piece_len;
    float logprob, logprob_a, logprob_b; /* b ignored when not guided */
};
/* Adds a sampled token: text, streaming, stop strings, length. A token that ends the text
 * is recorded like any other. Sets g->done at the end, also when memory is out. */
void gen_add(struct gen *g, const struct gen_token *t, int64_t now_us);
/* Ends it: finish is that of an interruption (cancelled), or the provider's word. */
void gen_finish(struct gen *g, enum cai_finish finish);
void gen_fail(struct gen *g, enum cai_status st, const char *message);

/* dst += s with U+FFFD for NUL and for every byte that is not UTF-8. */
enum cai_status gen_repair(struct strbuf *dst, const char *s, size_t len);

#endif

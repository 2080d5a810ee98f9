/*
 * cai.h: the public face of libcai, a workbench engine for Constitutional AI.
 *
 * Everything a front end may see. The engine never prints, exits or reads the
 * environment; every fallible call returns a status and writes one sentence (what, which
 * object, what to do) into err. Text is UTF-8. `const T *x_get()` is borrowed and valid
 * until the next non-const call on that object; what a `dup_`, `_new` or `_open` returns
 * is the caller's, and the matching `_free` or `_close` takes NULL.
 *
 * Threads: an object belongs to the thread that opened it, unless its comment says
 * otherwise. Workers talk to it through a cai_inbox only.
 *
 * Method: Bai et al. 2022, "Constitutional AI" (2212.08073).
 */
#ifndef CAI_H
#define CAI_H

#include <stddef.h>
#include <stdint.h>

enum cai_status {
    CAI_OK,
    CAI_INVALID,     /* the caller's argument, or a human's input */
    CAI_IO,          /* the operating system said no */
    CAI_PARSE,       /* text that does not follow its format */
    CAI_NOMEM,       /* memory */
    CAI_CANCELLED,   /* somebody asked for it */
    CAI_REMOTE,      /* a served model answered with an error */
    CAI_CORRUPT,     /* stored bytes are damaged */
    CAI_BUSY,        /* somebody else holds it */
    CAI_UNSUPPORTED, /* well-formed, but not something this program does */
    CAI_LIMIT,       /* larger than a stated maximum */
};

/* "ok", "invalid", ...; never NULL. */
const char *cai_status_name(enum cai_status st);

/* Once per process, before anything else, on the main thread. */
void cai_init(void);

/* "cJSON 1.7.15, zlib 1.2.13, ...": the libraries this process runs on. */
const char *cai_library_versions(void);

/* ---------------------------------------------------------------- models and tokens */

/* The instruction set that runs when `wanted` is asked for (NULL: the best this CPU has),
 * or NULL when this CPU lacks it. */
const char *cai_kernel_name(const char *wanted);

/* A model file: weights packed for this machine, tokenizer, chat template. Immutable once
 * open; any thread may use it. */
struct cai_model;

struct cai_model_options {
    int n_threads;      /* 0: number of cores */
    const char *kernel; /* "scalar", "avx2", "avx512"; NULL: the best this CPU has */
    const char *chat_template; /* family name; NULL: recognised from the file */
    int vocab_only;            /* tokenizer and metadata, no weights */
};

struct cai_model_info {
    const char *path;
    const char *sha256;        /* of the file, hex */
    const char *arch;          /* "llama", "qwen2" */
    const char *name;          /* general.name, sanitized by the reader of this field */
    const char *kernel;        /* in use */
    const char *chat_template; /* family, or "unknown" */
    const char *tokenizer;     /* "gpt2/smollm", "llama" */
    int n_layers, n_embd, n_heads, n_kv_heads, n_vocab;
    int n_ctx_train; /* tokens */
    uint64_t n_params;
    uint64_t file_bytes, packed_bytes;
    int n_threads;
};

enum cai_status cai_model_open(struct cai_model **dst, const char *path,
                               const struct cai_model_options *opts, char *err,
                               size_t errlen);
void cai_model_close(struct cai_model *m);
const struct cai_model_info *cai_model_info(const struct cai_model *m);

/* Plain text to token ids: special-token strings in it are ordinary text. *ids is the
 * caller's (cai_free). Test: tests/unit_tokenizer.c; oracle: tests/oracle/tokenizer.py.
 */
enum cai_status cai_tokenize(const struct cai_model *m, const char *text, size_t len,
                             int32_t **ids, size_t *n, char *err, size_t errlen);
/* The bytes a token stands for (not NUL-terminated, may be part of a character);
 * borrowed. The name of a control token is its bytes. */
const char *cai_token_piece(const struct cai_model *m, int32_t id, size_t *len);

/* Log-probs of given text, from the arithmetic the sampler uses.
 *
 * ids      (n)  prefix tokens, then the tokens to score
 * n_prefix      tokens that are context only; 0: the first token has no log-prob
 * logprob  (n)  out, nats: log P(ids[i] | ids[0..i-1]); NaN for i < max(n_prefix, 1)
 *
 * CAI_LIMIT: n exceeds the model's context (err has both numbers). CAI_INVALID: an id
 * outside the vocabulary.
 * Test: tests/unit_score.c against tests/data/logprobs.json (an fp32 implementation on
 * the de-quantised weights). */
enum cai_status cai_score(struct cai_model *m, const int32_t *ids, size_t n,
                          size_t n_prefix, float *logprob, char *err, size_t errlen);

/* Speed of decode and prefill on this machine. Test: `make bench`. */
struct cai_bench_result {
    double tg128_tok_per_s;    /* decode of 128 tokens from an empty context */
    double pp512_tok_per_s;    /* prefill of 512 tokens, logits of the last */
    double score512_tok_per_s; /* the same with log-probs at every position */
};
enum cai_status cai_bench(struct cai_model *m, const char *only, /* NULL: all */
                          struct cai_bench_result *out, char *err, size_t errlen);

void cai_free(void *p);

/* ---------------------------------------------------------------- constitutions */

enum { CAI_PRINCIPLE_TEXT_MAX = 65536 }; /* bytes of one text of a principle */

/* Strings are never NULL; "" where the file has none. */
struct cai_principle {
    const char *id, *title;
    const char *statement, *opposite; /* imperative, of equal form */
    const char *critique_request, *revision_request;
    const char *preference_question;
    const char *section, *reason, *source;
    double weight; /* relative probability of being drawn */
    int enabled;
    size_t n_tags;
    const char *const *tags;
};

enum cai_field { /* the texts of a principle, for editing */
                 CAI_FIELD_ID,
                 CAI_FIELD_TITLE,
                 CAI_FIELD_STATEMENT,
                 CAI_FIELD_OPPOSITE,
                 CAI_FIELD_CRITIQUE_REQUEST,
                 CAI_FIELD_REVISION_REQUEST,
                 CAI_FIELD_PREFERENCE_QUESTION,
                 CAI_FIELD_SECTION,
                 CAI_FIELD_REASON,
                 CAI_FIELD_SOURCE,
                 CAI_FIELD_COUNT
};
const char *cai_field_name(enum cai_field f); /* the key in the file */

/* A list of principles. Keys it does not know are kept. */
struct cai_constitution;

/* Errors name file, line or principle, and remedy. */
enum cai_status cai_constitution_load(struct cai_constitution **dst, const char *path,
                                      char *err, size_t errlen);
enum cai_status cai_constitution_parse(struct cai_constitution **dst, const char *text,
                                       size_t len, char *err, size_t errlen);
struct cai_constitution *cai_constitution_dup(const struct cai_constitution *c);
void cai_constitution_free(struct cai_constitution *c);

const char *cai_constitution_title(const struct cai_constitution *c);
size_t cai_constitution_count(const struct cai_constitution *c);
const struct cai_principle *cai_constitution_get(const struct cai_constitution *c,
                                                 size_t i);
/* Index of a principle id, or -1. */
int cai_constitution_find(const struct cai_constitution *c, const char *id);
/* SHA-256 (hex) of the file as cai writes it; borrowed. */
const char *cai_constitution_hash(const struct cai_constitution *c);
/* The file as cai writes it: sorted keys, two spaces, final newline. Caller's. */
enum cai_status cai_constitution_write(const struct cai_constitution *c, char **text,
                                       size_t *len, char *err, size_t errlen);

/* Edits. A text that is not UTF-8 or over CAI_PRINCIPLE_TEXT_MAX is refused. */
enum cai_status cai_constitution_set(struct cai_constitution *c, size_t i,
                                     enum cai_field f, const char *text, char *err,
                                     size_t errlen);
enum cai_status cai_constitution_set_enabled(struct cai_constitution *c, size_t i, int on,
                                             char *err, size_t errlen);
enum cai_status cai_constitution_set_weight(struct cai_constitution *c, size_t i,
                                            double weight, char *err, size_t errlen);
/* A new principle at index i with a free id and placeholder texts to be edited. */
enum cai_status cai_constitution_insert(struct cai_constitution *c, size_t i, char *err,
                                        size_t errlen);
enum cai_status cai_constitution_remove(struct cai_constitution *c, size_t i, char *err,
                                        size_t errlen);
enum cai_status cai_constitution_move(struct cai_constitution *c, size_t from, size_t to,
                                      char *err, size_t errlen);

/* One problem a careful reader would point out. */
struct cai_lint {
    const char *rule;      /* "missing-text", "duplicate-id", ... */
    const char *principle; /* id, or "" for the file */
    int line;              /* of the file, 0 when edited in memory */
    char message[256];
};
/* *problems is the caller's (cai_free). Returns their number through *n. */
enum cai_status cai_constitution_lint(const struct cai_constitution *c,
                                      struct cai_lint **problems, size_t *n, char *err,
                                      size_t errlen);

/* ---------------------------------------------------------------- chains */

enum cai_node_kind { CAI_NODE_INITIAL, CAI_NODE_CRITIQUE, CAI_NODE_REVISION };
enum { CAI_NODE_KINDS = 3 };
const char *cai_node_kind_name(enum cai_node_kind k); /* "initial", ... */

enum cai_finish {
    CAI_FINISH_EOS,       /* the model ended */
    CAI_FINISH_STOP,      /* a stop string was reached */
    CAI_FINISH_LENGTH,    /* max_tokens */
    CAI_FINISH_CANCELLED, /* interrupted; the text is what there was */
    CAI_FINISH_HUMAN,     /* written by a person */
};
const char *cai_finish_name(enum cai_finish f);

enum cai_layout {
    CAI_LAYOUT_CHAT,  /* messages through the model's chat template */
    CAI_LAYOUT_PAPER, /* one transcript with CritiqueRequest: etc. (Bai et al., App. E) */
};
const char *cai_layout_name(enum cai_layout l);

/* What context b of a guided node says (architecture: l = l_a + g (l_a - l_b)). */
enum cai_against {
    CAI_AGAINST_OPPOSITE, /* the opposite of the principle's statement */
    CAI_AGAINST_NOTHING, /* neither critique nor principle: g dials the critique itself */
};
const char *cai_against_name(enum cai_against a);

struct cai_sampling {
    double temperature; /* 0: greedy */
    int top_k;          /* 0: off */
    double top_p;       /* 1: off */
    double min_p;       /* 0: off */
    int max_tokens;
};

struct cai_chain_settings {
    enum cai_layout layout;
    struct cai_sampling sampling;
    double guidance[CAI_NODE_KINDS]; /* g per node kind; 0: the paper's sampling */
    enum cai_against against;
    uint64_t seed;
    char fewshots[64];  /* id of a few-shot set, "" for none */
    char principle[64]; /* id for the next step, "" to draw one */
};
/* Found by measurement on the default model: sessions/README.md. */
void cai_chain_settings_default(struct cai_chain_settings *s);

/* A run of bytes of a prompt as sent. special: template markup that became control
 * tokens; never made from user text. */
struct cai_segment {
    char *text;
    int special;
};

/* One link of a chain with everything needed to make it again. All strings are owned by
 * the node and never NULL. */
struct cai_node {
    uint32_t id;     /* 1, 2, ... within its chain: c12.4 */
    uint32_t parent; /* 0: the prompt */
    enum cai_node_kind kind;
    enum cai_finish finish;
    int edited; /* text is a person's; `replaces` is the node it was made from */
    uint32_t replaces;
    char *author; /* of an edited node */
    char *text;   /* raw[trim_begin .. trim_begin + trim_len) */
    char *raw;    /* as sampled, stop string left off; UTF-8 with U+FFFD for bytes that
                     are not */
    size_t trim_begin, trim_len; /* bytes */

    char *principle;    /* id, "" for an initial response */
    char *constitution; /* hash of the version it was drawn from, "" when none */
    char *fewshots;     /* hash, "" when none */

    size_t n_segments, n_against;
    struct cai_segment *segments; /* prompt as sent: their concatenation */
    struct cai_segment *against;  /* prompt of context b; none when not guided */

    size_t n_tokens;
    int32_t *tokens; /* (n_tokens) as sampled */
    float *logprob;  /* (n_tokens) nats under the sampled distribution (after guidance,
                        temperature and filters) */
    float *logprob_a, *logprob_b; /* (n_tokens) nats under context a and b alone; b NULL
                                     when not guided */

    struct cai_chain_settings settings; /* as used, the seed included */
    uint32_t step,
        draw;    /* address of its random stream: depth on path, re-sample count */
    char *model; /* hash of the model file, or name of a served model */
    char *chat_template; /* family, or "paper" */
    int64_t time_ms;     /* since 1970, UTC */
    double tok_per_s;
};
void cai_node_free(struct cai_node *n);
struct cai_node *cai_node_dup(const struct cai_node *n);

/* A prompt and the tree of its links. */
struct cai_chain {
    uint32_t id; /* c12 */
    char *prompt;
    size_t n_nodes;
    struct cai_node **nodes; /* in the order they were made; parents come first */
};

/* ---------------------------------------------------------------- inbox */

/* The one queue by which workers (engine, network, store) reach their owner. */
struct cai_inbox;

enum cai_event_kind {
    CAI_EVENT_MODEL,     /* a role's model is loaded (message: name) or failed (status) */
    CAI_EVENT_STARTED,   /* node: kind, parent, principle, segments; no text yet */
    CAI_EVENT_TEXT,      /* text: whole characters to be added to the node under way */
    CAI_EVENT_NODE,      /* node: finished; hand it to cai_session_add_node() */
    CAI_EVENT_GENERATED, /* node: result of cai_engine_generate() */
    CAI_EVENT_JOB,       /* the job ended: status, message */
    CAI_EVENT_STORED,    /* everything up to event number seq is on disk */
    CAI_EVENT_UNSAVED, /* message; events from seq on could not be written (disk full) and
                          wait in memory; tried again with the next change or sync */
    CAI_EVENT_STORE_FAILED, /* message; the session is read-only from now on */
};

struct cai_event {
    enum cai_event_kind kind;
    uint64_t job; /* 0 for store events */
    uint64_t seq;
    uint32_t chain;
    enum cai_status status;
    int n_tokens;     /* TEXT: of the node so far */
    double tok_per_s; /* TEXT: of the node so far */
    char *text;
    size_t text_len;
    struct cai_node *node;
    char message[512];
};
void cai_event_clear(struct cai_event *e); /* frees what it holds */

struct cai_inbox *cai_inbox_new(void);
void cai_inbox_free(struct cai_inbox *b);
/* Readable while events wait. */
int cai_inbox_fd(const struct cai_inbox *b);
/* Moves the oldest event out; 0 when there is none. */
int cai_inbox_take(struct cai_inbox *b, struct cai_event *out);
/* Blocks until an event waits (1), or the time is over (-1: never) or a signal came (0);
 * for headless use. */
int cai_inbox_wait(struct cai_inbox *b, int timeout_ms);

/* ---------------------------------------------------------------- engine */

/* Models, scheduler and worker threads; all generation goes through it. */
struct cai_engine;

struct cai_engine_options {
    const char *model; /* path of a GGUF file, or "scripted:FILE" (canned answers) */
    struct cai_model_options model_options;
    size_t n_ctx; /* tokens per sequence; 0: min(model's, 8192) */
};

/* Returns at once; the model loads on the worker, CAI_EVENT_MODEL tells. The inbox must
 * outlive the engine. */
enum cai_status cai_engine_open(struct cai_engine **dst, struct cai_inbox *inbox,
                                const struct cai_engine_options *opts, char *err,
                                size_t errlen);
/* Cancels what runs, waits for the workers. */
void cai_engine_close(struct cai_engine *e);
/* The model once loaded, else NULL. Any thread. */
const struct cai_model_info *cai_engine_model(const struct cai_engine *e);

/* What a job shall do with a chain. Everything is copied. */
struct cai_chain_job {
    uint32_t chain;
    const char *prompt;
    size_t n_path; /* links from the prompt down to the parent */
    const struct cai_node *const *path;
    int make_initial;  /* the first new link is an initial response */
    int n_steps;       /* then so many critique + revision pairs */
    int only_revision; /* the path ends in a critique: start with its revision */
    int max_links;     /* stop after so many new links; 0: make them all */
    uint32_t draw;     /* of the first new link; later ones have 0 */
    const struct cai_constitution *constitution; /* may be NULL when n_steps is 0 */
    const char *fewshots_dir;                    /* where few-shot sets are found */
    struct cai_chain_settings settings;
    int background; /* an interactive job passes before it */
};

/* Starts a job and returns its number (> 0); events follow: STARTED, TEXT..., NODE for
 * each link, then JOB. Node ids in events are 0: the session gives them. parent is the
 * last link of the path for the first new one, 0 for later ones: the link before it in
 * the job. NODE's message says what a person should know ("the context is full"). A
 * refused job returns 0 and says why. */
uint64_t cai_engine_run_chain(struct cai_engine *e, const struct cai_chain_job *job,
                              char *err, size_t errlen);

struct cai_generate_job {
    const char *system; /* NULL: none */
    const char *prompt;
    const char *with, *without; /* system turns of the two contexts when guidance != 0 */
    double guidance;
    struct cai_sampling sampling;
    uint64_t seed;
    int stream; /* CAI_EVENT_TEXT wanted */
};
uint64_t cai_engine_generate(struct cai_engine *e, const struct cai_generate_job *job,
                             char *err, size_t errlen);

/* Asks; CAI_EVENT_JOB with CAI_CANCELLED tells when it is true. Partial text is kept. Any
 * thread. */
void cai_engine_cancel(struct cai_engine *e, uint64_t job);

/* Generates a stored node again from its provenance and reports whether the bytes are the
 * same; *first_diff = byte of raw that differs, SIZE_MAX when identical. Blocks. */
enum cai_status cai_engine_replay(struct cai_engine *e, const struct cai_node *node,
                                  size_t *first_diff, char *err, size_t errlen);

/* ---------------------------------------------------------------- sessions */

/* A folder that keeps everything: journal, texts, constitutions. The object lives on the
 * thread that opened it; appending and syncing happen on the store thread. */
struct cai_session;

struct cai_session_info {
    const char *path, *name;
    int read_only; /* another writer, an unwritable folder, or a failed store */
    const char *read_only_reason;
    const char *warning;      /* damage found at opening, "" when none */
    uint64_t seq, stored_seq; /* last event number; last one known to be on disk */
    size_t n_chains;
    int can_undo, can_redo;
};

enum cai_session_mode {
    CAI_SESSION_WRITE,         /* fails with CAI_BUSY when another writer holds it */
    CAI_SESSION_WRITE_OR_READ, /* opens read-only instead */
    CAI_SESSION_READ,
};

/* Creates the folder when it does not exist (not in CAI_SESSION_READ). inbox may be NULL:
 * then cai_session_sync() is the only acknowledgement. */
enum cai_status cai_session_open(struct cai_session **dst, const char *path,
                                 enum cai_session_mode mode, struct cai_inbox *inbox,
                                 char *err, size_t errlen);
/* Waits for what is being written, writes the state file, lets go of the lock. What could
 * not be saved is lost here: cai_session_sync() before tells. */
void cai_session_close(struct cai_session *s);
const struct cai_session_info *cai_session_info(const struct cai_session *s);
/* Blocks until every event so far is on disk; tries again what could not be written. */
enum cai_status cai_session_sync(struct cai_session *s, char *err, size_t errlen);
/* Copies what is undamaged of the session `from` (which is only read) to the new or empty
 * folder `to`, which then opens. A lost event keeps its number as an event that does
 * nothing. n_kept (may be NULL) counts events, n_lost events and texts. */
enum cai_status cai_session_repair(const char *from, const char *to, uint64_t *n_kept,
                                   uint64_t *n_lost, char *err, size_t errlen);

/* Texts are read from disk when a chain is first looked at. One that cannot be read is
 * replaced by a sentence in square brackets, and the session's warning names it. */
const struct cai_chain *cai_session_chain(const struct cai_session *s, size_t i);
const struct cai_chain *cai_session_find_chain(const struct cai_session *s, uint32_t id);
const struct cai_node *cai_chain_find(const struct cai_chain *c, uint32_t node);
/* The links from the prompt down to `node`, at most max; returns their number. */
size_t cai_chain_path(const struct cai_chain *c, uint32_t node,
                      const struct cai_node **path, size_t max);

/* Each changes the state at once and appends one event group. */
enum cai_status cai_session_add_chain(struct cai_session *s, const char *prompt,
                                      uint32_t *id, char *err, size_t errlen);
enum cai_status cai_session_set_prompt(struct cai_session *s, uint32_t chain,
                                       const char *prompt, char *err, size_t errlen);
enum cai_status cai_session_remove_chain(struct cai_session *s, uint32_t chain, char *err,
                                         size_t errlen);
/* Takes node (also on error). parent is node->parent; *id is its new number. */
enum cai_status cai_session_add_node(struct cai_session *s, uint32_t chain,
                                     struct cai_node *take_node, uint32_t *id, char *err,
                                     size_t errlen);
/* A person's text in place of a node: a sibling that remembers what it replaces. */
enum cai_status cai_session_edit_node(struct cai_session *s, uint32_t chain,
                                      uint32_t node, const char *text, const char *author,
                                      uint32_t *id, char *err, size_t errlen);
enum cai_status cai_session_remove_node(struct cai_session *s, uint32_t chain,
                                        uint32_t node, char *err, size_t errlen);

/* The active constitution and the versions the session has seen. Setting stores
 * constitutions/HASH.json; setting the active one again is no event. */
const struct cai_constitution *cai_session_constitution(const struct cai_session *s);
enum cai_status cai_session_set_constitution(struct cai_session *s,
                                             const struct cai_constitution *c, char *err,
                                             size_t errlen);

const struct cai_chain_settings *cai_session_settings(const struct cai_session *s);
enum cai_status cai_session_set_settings(struct cai_session *s,
                                         const struct cai_chain_settings *settings,
                                         char *err, size_t errlen);
/* The model a session's roles name; "" when it follows the configuration. */
const char *cai_session_model(const struct cai_session *s);
enum cai_status cai_session_set_model(struct cai_session *s, const char *model, char *err,
                                      size_t errlen);

/* One user action back or forth; survives restart. *what says what it was; borrowed.
 * CAI_INVALID when there is nothing to undo. */
enum cai_status cai_session_undo(struct cai_session *s, const char **what, char *err,
                                 size_t errlen);
enum cai_status cai_session_redo(struct cai_session *s, const char **what, char *err,
                                 size_t errlen);

#endif

/*
 * store_support.h: for the tests of store and session: folders that go away, a session
 * that is told by a script, a picture of its state as text, and a table of file
 * operations that fails or "crashes" at the k-th.
 */
#ifndef STORE_SUPPORT_H
#define STORE_SUPPORT_H

#include "testing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "cai.h"
#include "pipeline/node.h"

/* ---------------------------------------------------------------- folders */

static inline void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    const struct dirent *e;
    char *sub;

    while (d && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (asprintf(&sub, "%s/%s", path, e->d_name) < 0)
            continue;
        if (unlink(sub) != 0)
            remove_tree(sub);
        free(sub);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

/* Set to 1 by a test that is about a real disk; the others prefer one in memory. */
static int test_on_disk;

/* A directory of this process. */
static inline const char *test_root(void)
{
    static char root[64];
    const char *base =
        !test_on_disk && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    if (!root[0])
        snprintf(root, sizeof root, "%s/cai-test-%ld", base, (long)getpid());
    mkdir(root, 0755);
    return root;
}

static inline void test_path(char path[256], const char *name)
{
    snprintf(path, 256, "%s/%s", test_root(), name);
    remove_tree(path);
    unlink(path);
}

static inline char *slurp(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    char *s = NULL;
    long n;

    *len = 0;
    if (!f)
        return NULL;
    fseek(f, 0, SEEK_END);
    n = ftell(f);
    rewind(f);
    s = malloc((size_t)n + 1);
    if (s)
        *len = fread(s, 1, (size_t)n, f);
    if (s)
        s[*len] = '\0';
    fclose(f);
    return s;
}

static inline void spit(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0666);
    assert_true(fd >= 0);
    /* after truncation to nothing ext4 pushes the new bytes to the disk at close */
    if (lseek(fd, 0, SEEK_END) > (off_t)len)
        assert_int_equal(ftruncate(fd, (off_t)len), 0);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
    close(fd);
}

static inline double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* A count that grows in the slow runs: `few` in make test, `many` in make check. */
static inline long count_of(long few, long many)
{
    return test_long() ? many : few;
}

/* ---------------------------------------------------------------- faults */

enum fault_op {
    OP_OPEN = 1,
    OP_READ = 2,
    OP_WRITE = 4,
    OP_FDATASYNC = 8,
    OP_FSYNC = 16,
    OP_RENAME = 32,
    OP_FTRUNCATE = 64,
    OP_CLOSE = 128,
    OP_UNLINK = 256,
    OP_CHANGING =
        OP_WRITE | OP_FDATASYNC | OP_FSYNC | OP_RENAME | OP_FTRUNCATE | OP_UNLINK,
    OP_ANY = 511,
};

enum fault_action {
    FAULT_NONE,
    FAULT_ERROR,        /* errno = fault.error; close still closes */
    FAULT_SHORT,        /* a write or read of one byte */
    FAULT_CRASH_BEFORE, /* the process "dies" before the k-th operation */
    FAULT_CRASH_HALF,   /* in the middle of it: half of a write arrives */
    FAULT_CRASH_AFTER,  /* after it, before anybody hears of it */
};

/* Set by fault_set(), counted on any thread. */
static struct {
    int ops; /* which operations count */
    long k;  /* 1: the first; 0: never */
    enum fault_action action;
    int error, forever, real_sync;
    atomic_long count, syncs_after_failed_sync;
    atomic_int dead, sync_failed, hit;
} fault;

static inline void fault_set(int ops, long k, enum fault_action action, int error,
                             int forever)
{
    fault.ops = ops;
    fault.k = k;
    fault.action = action;
    fault.error = error;
    fault.forever = forever;
    atomic_store(&fault.count, 0);
    atomic_store(&fault.dead, 0);
    atomic_store(&fault.hit, 0);
    atomic_store(&fault.sync_failed, 0);
    atomic_store(&fault.syncs_after_failed_sync, 0);
}

/* What shall happen to this operation? */
static inline enum fault_action fault_now(int op)
{
    long n;

    if (atomic_load(&fault.dead))
        return FAULT_CRASH_BEFORE;
    if (!(fault.ops & op))
        return FAULT_NONE;
    n = atomic_fetch_add(&fault.count, 1) + 1;
    if (!fault.k || n < fault.k || (n > fault.k && !fault.forever))
        return FAULT_NONE;
    atomic_store(&fault.hit, op);
    if (fault.action >= FAULT_CRASH_BEFORE)
        atomic_store(&fault.dead, 1);
    return fault.action;
}

static inline int fault_fail(void)
{
    errno = atomic_load(&fault.dead) ? EIO : fault.error;
    return -1;
}

static int fault_open(const char *path, int flags, mode_t mode)
{
    enum fault_action a = fault_now(OP_OPEN);
    return a == FAULT_NONE || a == FAULT_SHORT ? file_ops_system.open(path, flags, mode)
                                               : fault_fail();
}

static ssize_t fault_read(int fd, void *buf, size_t len)
{
    enum fault_action a = fault_now(OP_READ);
    if (a == FAULT_SHORT && len > 1)
        len = 1;
    return a == FAULT_NONE || a == FAULT_SHORT ? read(fd, buf, len) : fault_fail();
}

static ssize_t fault_write(int fd, const void *buf, size_t len)
{
    enum fault_action a = fault_now(OP_WRITE);
    ssize_t n = 0;

    if (a == FAULT_SHORT && len > 1)
        len = 1;
    if (a == FAULT_CRASH_HALF)
        len /= 2;
    if (a != FAULT_ERROR && a != FAULT_CRASH_BEFORE)
        n = write(fd, buf, len);
    return a == FAULT_NONE || a == FAULT_SHORT ? n : fault_fail();
}

/* Operations that happen or do not: call is evaluated only when the effect shall be. */
#define FAULT_WHOLE(op, call)                                                            \
    do {                                                                                 \
        enum fault_action a_ = fault_now(op);                                            \
        int r_ = 0;                                                                      \
        if (a_ == FAULT_NONE || a_ == FAULT_SHORT || a_ == FAULT_CRASH_AFTER)            \
            r_ = (call);                                                                 \
        return a_ == FAULT_NONE || a_ == FAULT_SHORT ? r_ : fault_fail();                \
    } while (0)

static inline int sync_call(int r)
{
    if (atomic_load(&fault.sync_failed))
        atomic_fetch_add(&fault.syncs_after_failed_sync, 1);
    return r;
}

static int fault_fdatasync(int fd)
{
    enum fault_action a = fault_now(OP_FDATASYNC);
    sync_call(0);
    if (a == FAULT_NONE || a == FAULT_SHORT)
        return fault.real_sync ? fdatasync(fd) : 0;
    if (!atomic_load(&fault.dead))
        atomic_store(&fault.sync_failed, 1);
    return fault_fail();
}

static int fault_fsync(int fd)
{
    FAULT_WHOLE(OP_FSYNC, fault.real_sync ? fsync(fd) : 0);
}

static int fault_rename(const char *from, const char *to)
{
    FAULT_WHOLE(OP_RENAME, rename(from, to));
}

static int fault_ftruncate(int fd, off_t len)
{
    FAULT_WHOLE(OP_FTRUNCATE, ftruncate(fd, len));
}

static int fault_unlink(const char *path)
{
    FAULT_WHOLE(OP_UNLINK, unlink(path));
}

/* A dead process's descriptors are closed by the system, so this always closes. */
static int fault_close(int fd)
{
    enum fault_action a = atomic_load(&fault.dead) ? FAULT_NONE : fault_now(OP_CLOSE);
    int r = close(fd);
    return a == FAULT_NONE || a == FAULT_SHORT ? r : fault_fail();
}

static const struct file_ops fault_ops = {
    fault_open,   fault_read,      fault_write, fault_fdatasync, fault_fsync,
    fault_rename, fault_ftruncate, fault_close, fault_unlink,
};

/* ---------------------------------------------------------------- pictures */

static inline void picture_settings(struct strbuf *b, const struct cai_chain_settings *s)
{
    strbuf_addf(b, "%s %a %d %a %a %d g %a %a %a %s seed %llu [%s] [%s]\n",
                cai_layout_name(s->layout), s->sampling.temperature, s->sampling.top_k,
                s->sampling.top_p, s->sampling.min_p, s->sampling.max_tokens,
                s->guidance[0], s->guidance[1], s->guidance[2],
                cai_against_name(s->against), (unsigned long long)s->seed, s->fewshots,
                s->principle);
}

static inline void picture_floats(struct strbuf *b, const char *name, const float *v,
                                  size_t n)
{
    for (size_t i = 0; v && i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &v[i], 4);
        strbuf_addf(b, "%s %08x\n", name, bits);
    }
}

static inline void picture_node(struct strbuf *b, const struct cai_node *n)
{
    strbuf_addf(b, " %u<%u %s %s edited %d replaces %u [%s]\n", n->id, n->parent,
                cai_node_kind_name(n->kind), cai_finish_name(n->finish), n->edited,
                n->replaces, n->author);
    strbuf_addf(b, "  text [%s] raw [%s] %zu+%zu\n", n->text, n->raw, n->trim_begin,
                n->trim_len);
    strbuf_addf(b, "  [%s] [%s] [%s] [%s] [%s] %u.%u %lld %a\n", n->principle,
                n->constitution, n->fewshots, n->model, n->chat_template, n->step,
                n->draw, (long long)n->time_ms, n->tok_per_s);
    for (size_t i = 0; i < n->n_segments; i++)
        strbuf_addf(b, "  sent %d [%s]\n", n->segments[i].special, n->segments[i].text);
    for (size_t i = 0; i < n->n_against; i++)
        strbuf_addf(b, "  against %d [%s]\n", n->against[i].special, n->against[i].text);
    for (size_t i = 0; n->tokens && i < n->n_tokens; i++)
        strbuf_addf(b, "  token %d\n", n->tokens[i]);
    picture_floats(b, "  p", n->logprob, n->n_tokens);
    picture_floats(b, "  a", n->logprob_a, n->n_tokens);
    picture_floats(b, "  b", n->logprob_b, n->n_tokens);
    picture_settings(b, &n->settings);
}

/* Everything a front end can see of a session, as text. The caller frees. */
static inline char *picture(const struct cai_session *s)
{
    struct strbuf b = STRBUF_INIT(512 << 20);
    const struct cai_constitution *c = cai_session_constitution(s);
    const struct cai_session_info *info = cai_session_info(s);

    strbuf_addf(&b, "constitution %s model [%s] undo %d redo %d\n",
                c ? cai_constitution_hash(c) : "none", cai_session_model(s),
                info->can_undo, info->can_redo);
    picture_settings(&b, cai_session_settings(s));
    for (size_t i = 0; i < info->n_chains; i++) {
        const struct cai_chain *chain = cai_session_chain(s, i);
        strbuf_addf(&b, "c%u [%s]\n", chain->id, chain->prompt);
        for (size_t k = 0; k < chain->n_nodes; k++)
            picture_node(&b, chain->nodes[k]);
    }
    return strbuf_take(&b, NULL);
}

/* ---------------------------------------------------------------- scripts */

/* A node as the engine would make it; n varies it. NULL: out of memory. */
static inline struct cai_node *make_node(unsigned n, uint32_t parent)
{
    struct cai_node *node = node_new();
    char text[128];

    if (!node)
        return NULL;
    node->parent = parent;
    node->kind = (enum cai_node_kind)(n % CAI_NODE_KINDS);
    node->finish = (enum cai_finish)(n % 4);
    snprintf(text, sizeof text, "  answer %u: \"quoted\" \xc3\xa9\xe2\x82\xac\n\tline ",
             n);
    if (!node_set_string(&node->raw, text))
        goto fail;
    node->trim_begin = 2;
    node->trim_len = strlen(text) - 3;
    mem_free(node->text);
    node->text = mem_strndup(text + 2, node->trim_len);
    if (!node->text || !node_set_string(&node->principle, n % 3 ? "honest" : "") ||
        !node_set_string(&node->model, "model-hash") ||
        !node_set_string(&node->chat_template, "chatml"))
        goto fail;
    node->segments = mem_alloc(2, sizeof *node->segments);
    if (!node->segments)
        goto fail;
    for (size_t i = 0; i < 2; i++) {
        node->segments[i].text = mem_strdup(i ? text : "<|im_start|>user\n");
        node->segments[i].special = i == 0;
        if (!node->segments[i].text)
            goto fail;
        node->n_segments = i + 1;
    }
    node->n_tokens = 5;
    node->tokens = mem_alloc(5, sizeof *node->tokens);
    node->logprob = mem_alloc(5, sizeof *node->logprob);
    node->logprob_a = mem_alloc(5, sizeof *node->logprob_a);
    if (n % 2)
        node->logprob_b = mem_alloc(5, sizeof *node->logprob_b);
    if (!node->tokens || !node->logprob || !node->logprob_a ||
        (n % 2 && !node->logprob_b))
        goto fail;
    for (unsigned i = 0; i < 5; i++) {
        node->tokens[i] = (int32_t)(n * 31 + i * 7919) % 49152;
        node->logprob[i] = -1.0f / (float)(3 + n + i);
        node->logprob_a[i] = -(float)(n + i) * 1.1e-7f;
        if (node->logprob_b)
            node->logprob_b[i] = -(float)(n * i) - 0.3f;
    }
    cai_chain_settings_default(&node->settings);
    node->settings.seed = UINT64_MAX - n;
    node->settings.sampling.temperature = 0.1 * n;
    node->step = n;
    node->draw = n % 4;
    node->tok_per_s = 123.456 + n;
    return node;
fail:
    cai_node_free(node);
    return NULL;
}

static const char constitution_text[] =
    "{\"version\":1,\"title\":\"Test\",\"principles\":[{\"id\":\"kind\",\"title\":"
    "\"Kind\","
    "\"statement\":\"Be kind.\",\"opposite\":\"Be unkind.\",\"critique_request\":\"Where "
    "is it unkind?\",\"revision_request\":\"Make it kind.\",\"preference_question\":"
    "\"Which is kinder?\",\"weight\":1,\"enabled\":true,\"section\":\"\",\"tags\":[],"
    "\"reason\":\"\",\"source\":\"\"}]}";

/* Step i (0, 1, ...) of the scripted session: one event, of every kind in turn. */
static inline enum cai_status script_step(struct cai_session *s, unsigned i,
                                          const struct cai_constitution *c[2], char *err,
                                          size_t errlen)
{
    struct cai_chain_settings settings = *cai_session_settings(s);
    char text[64];
    uint32_t chain = 1 + i / 20, id;
    struct cai_node *n;

    snprintf(text, sizeof text, "prompt %u of the script", i);
    switch (i % 20) {
    case 0: return cai_session_add_chain(s, text, &id, err, errlen);
    case 1: return cai_session_set_constitution(s, c[0], err, errlen);
    case 2:
    case 3:
    case 4:
    case 12:
    case 16:
    case 19:
        n = make_node(i, i % 20 == 2 ? 0 : i % 20 < 5 ? i % 20 - 2 : 1);
        if (!n)
            return err_nomem(err, errlen, "test");
        return cai_session_add_node(s, chain, n, &id, err, errlen);
    case 5: return cai_session_edit_node(s, chain, 2, text, "ann", &id, err, errlen);
    case 6: return cai_session_set_prompt(s, chain, text, err, errlen);
    case 7:
    case 8:
    case 13:
    case 15: return cai_session_undo(s, NULL, err, errlen);
    case 9: return cai_session_redo(s, NULL, err, errlen);
    case 10:
        settings.seed += i;
        settings.guidance[2] = 0.1 * i;
        return cai_session_set_settings(s, &settings, err, errlen);
    case 11: return cai_session_set_model(s, text, err, errlen);
    case 14: return cai_session_remove_node(s, chain, 2, err, errlen);
    case 17: return cai_session_set_constitution(s, c[1], err, errlen);
    case 18: return cai_session_remove_node(s, chain, 3, err, errlen);
    }
    return CAI_OK;
}

static inline void script_constitutions(struct cai_constitution *c[2])
{
    char err[ERR_MAX] = "";

    c[0] = c[1] = NULL;
    if (cai_constitution_parse(&c[0], constitution_text, sizeof constitution_text - 1,
                               err, sizeof err) != CAI_OK)
        fail_msg("%s", err);
    c[1] = cai_constitution_dup(c[0]);
    assert_int_equal(cai_constitution_set(c[1], 0, CAI_FIELD_STATEMENT, "Be gentle.", err,
                                          sizeof err),
                     CAI_OK);
}

#endif

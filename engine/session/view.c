/*
 * view.c: chains as a front end sees them.
 *
 * Owns the reading of texts when somebody looks for the first time. What cannot be read
 * becomes a sentence in square brackets, and the session's warning names it: a front end
 * never meets a NULL. Thread: the session's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "pipeline/node.h"
#include "session/provenance.h"
#include "session/session.h"

/* ---------------------------------------------------------------- links */

static enum cai_status read_line(struct cai_session *s, const struct fold_node *n,
                                 char *line, char *err, size_t errlen)
{
    size_t got;

    if (s->journal_fd < 0)
        s->journal_fd = file_ops()->open(s->paths.journal, O_RDONLY, 0);
    if (s->journal_fd < 0 || lseek(s->journal_fd, (off_t)n->offset, SEEK_SET) < 0 ||
        file_read_all(s->journal_fd, line, n->line_len, &got) != CAI_OK)
        return err_set(CAI_IO, err, errlen, "%s: %s", s->paths.journal, strerror(errno));
    if (got < n->line_len)
        return err_set(CAI_IO, err, errlen, "%s: shorter than it was when opened",
                       s->paths.journal);
    return CAI_OK;
}

/* The node of an event that is on disk, as far as it can be read. n->is_unreadable: not
 * even the event itself. */
static enum cai_status read_node(struct cai_session *s, struct fold_node *n,
                                 struct cai_node *node, char *err, size_t errlen)
{
    char *line = mem_alloc(n->line_len, 1);
    enum cai_status st;
    struct record r;
    cJSON *doc = NULL;

    if (!line)
        return err_nomem(err, errlen, "link");
    st = read_line(s, n, line, err, errlen);
    if (st == CAI_OK && (!n->line_len || !record_read(&r, "seq", line, n->line_len - 1)))
        st = err_set(CAI_CORRUPT, err, errlen, "%s: damaged at byte %llu",
                     s->paths.journal, (unsigned long long)n->offset);
    if (st == CAI_OK)
        st = session_parse_record(&doc, &r, err, errlen);
    n->is_unreadable = st != CAI_OK;
    if (st == CAI_OK)
        st = provenance_read(node, json_get(json_get(doc, "body"), "data"), s->texts, err,
                             errlen);
    cJSON_Delete(doc);
    mem_free(line);
    return st;
}

/* Reads a node once; 0 only when out of memory, and then the next look tries again. */
static int load_node(struct cai_session *s, const struct fold_chain *c,
                     struct fold_node *n)
{
    struct cai_node *node = node_new();
    char err[ERR_MAX] = "", sentence[ERR_MAX];
    enum cai_status st;

    if (!node)
        return 0;
    node->id = n->id;
    node->parent = n->parent;
    st = read_node(s, n, node, err, sizeof err);
    if (st == CAI_NOMEM) {
        cai_node_free(node);
        return 0;
    }
    if (st != CAI_OK) {
        snprintf(sentence, sizeof sentence, "c%u.%u: %.400s", c->id, n->id, err);
        session_warn(s, sentence);
        if (!node->text[0] &&
            !node_set_string(&node->text, "[this text cannot be read: it was damaged]")) {
            cai_node_free(node);
            return 0;
        }
    }
    n->node = node;
    return 1;
}

/* ---------------------------------------------------------------- prompts */

/* Borrowed text of a chain's prompt. */
static char *prompt_of(struct cai_session *s, struct fold_chain *c)
{
    static char unreadable[] = "[this prompt cannot be read: it was damaged]";
    char err[ERR_MAX] = "", sentence[ERR_MAX], *text = NULL;
    struct fold_prompt *p;
    enum cai_status st;
    size_t len;

    for (size_t i = 0; i < c->n_prompts; i++)
        if (c->prompts[i].ordinal == c->prompt)
            return c->prompts[i].text;
    st = texts_get(s->texts, c->prompt, &text, &len, err, sizeof err);
    if (st == CAI_OK) {
        p = mem_resize(c->prompts, c->n_prompts + 1, sizeof *p);
        if (p) {
            c->prompts = p;
            p[c->n_prompts++] = (struct fold_prompt){c->prompt, text};
            return text;
        }
        mem_free(text);
        err_nomem(err, sizeof err, "prompt");
    }
    snprintf(sentence, sizeof sentence, "c%u: %.400s", c->id, err);
    session_warn(s, sentence);
    return unreadable;
}

/* ---------------------------------------------------------------- chains */

static const struct cai_chain *show(struct cai_session *s, struct fold_chain *c)
{
    size_t n = 0;

    if (c->is_fresh)
        return &c->shown;
    c->shown.id = c->id;
    c->shown.prompt = prompt_of(s, c);
    c->shown.n_nodes = 0;
    if (c->cap_shown < c->n_nodes) {
        struct cai_node **p = mem_resize(c->shown.nodes, c->n_nodes, sizeof(*p));
        if (!p) {
            session_warn(s, "out of memory: a chain is shown without its links");
            return &c->shown;
        }
        c->shown.nodes = p;
        c->cap_shown = c->n_nodes;
    }
    for (size_t i = 0; i < c->n_nodes; i++) {
        struct fold_node *node = &c->nodes[i];
        if (node->hidden_by)
            continue;
        if (!node->node && !load_node(s, c, node)) {
            session_warn(s, "out of memory: a chain is shown without its links");
            return &c->shown; /* not fresh: tried again */
        }
        c->shown.nodes[n++] = node->node;
    }
    c->shown.n_nodes = n;
    c->is_fresh = 1;
    return &c->shown;
}

const struct cai_chain *cai_session_chain(const struct cai_session *s, size_t i)
{
    /* reading a text for the first time changes what is kept, not what is seen */
    return i < s->fold.n_shown ? show((struct cai_session *)s, s->fold.shown[i]) : NULL;
}

const struct cai_chain *cai_session_find_chain(const struct cai_session *s, uint32_t id)
{
    struct fold_chain *c = fold_chain(&s->fold, id);

    return c && !c->hidden_by ? show((struct cai_session *)s, c) : NULL;
}

const struct cai_node *cai_chain_find(const struct cai_chain *c, uint32_t node)
{
    for (size_t i = 0; i < c->n_nodes; i++)
        if (c->nodes[i]->id == node)
            return c->nodes[i];
    return NULL;
}

size_t cai_chain_path(const struct cai_chain *c, uint32_t node,
                      const struct cai_node **path, size_t max)
{
    const struct cai_node *n;
    size_t depth = 0, i;

    for (n = cai_chain_find(c, node); n;
         n = n->parent ? cai_chain_find(c, n->parent) : NULL)
        depth++;
    i = depth;
    for (n = cai_chain_find(c, node); n;
         n = n->parent ? cai_chain_find(c, n->parent) : NULL)
        if (--i < max)
            path[i] = n;
    return depth < max ? depth : max;
}

/* ---------------------------------------------------------------- constitution */

static const struct cai_constitution *find_version(const struct cai_session *s,
                                                   const char *hash)
{
    for (size_t i = 0; i < s->n_versions; i++)
        if (strcmp(s->versions[i].hash, hash) == 0)
            return s->versions[i].constitution;
    return NULL;
}

enum cai_status session_keep_version(struct cai_session *s,
                                     struct cai_constitution *take_c, char *err,
                                     size_t errlen)
{
    struct session_version *v = NULL;
    char *hash = NULL;

    if (take_c && find_version(s, cai_constitution_hash(take_c))) {
        cai_constitution_free(take_c);
        return CAI_OK;
    }
    if (take_c)
        hash = mem_strdup(cai_constitution_hash(take_c));
    if (hash)
        v = mem_resize(s->versions, s->n_versions + 1, sizeof *v);
    if (!v) {
        mem_free(hash);
        cai_constitution_free(take_c);
        return err_nomem(err, errlen, "constitution");
    }
    s->versions = v;
    v[s->n_versions++] = (struct session_version){hash, take_c};
    return CAI_OK;
}

static enum cai_status load_version(struct cai_session *s, const char *hash, char *err,
                                    size_t errlen)
{
    struct cai_constitution *c = NULL;
    struct strbuf name = STRBUF_INIT(256);
    char *path = NULL;
    enum cai_status st = CAI_NOMEM;

    if (strbuf_addf(&name, "%s.json", hash) == CAI_OK)
        path = session_join(s->paths.constitutions, name.data);
    if (path)
        st = cai_constitution_load(&c, path, err, errlen);
    else
        err_nomem(err, errlen, "constitution");
    if (st == CAI_OK && strcmp(cai_constitution_hash(c), hash) != 0)
        st = err_set(CAI_CORRUPT, err, errlen, "%s: its bytes do not fit its name", path);
    if (st == CAI_OK) {
        st = session_keep_version(s, c, err, errlen);
        c = NULL;
    }
    cai_constitution_free(c);
    mem_free(path);
    strbuf_free(&name);
    return st;
}

void session_follow_constitution(struct cai_session *s)
{
    const char *hash = s->fold.constitution;
    char err[ERR_MAX] = "", sentence[ERR_MAX];

    s->constitution = *hash ? find_version(s, hash) : NULL;
    if (s->constitution || !*hash)
        return;
    if (load_version(s, hash, err, sizeof err) == CAI_OK) {
        s->constitution = find_version(s, hash);
        return;
    }
    snprintf(sentence, sizeof sentence,
             "%.400s; the session has no constitution until one is chosen", err);
    session_warn(s, sentence);
}

const struct cai_constitution *cai_session_constitution(const struct cai_session *s)
{
    return s->constitution;
}

const struct cai_chain_settings *cai_session_settings(const struct cai_session *s)
{
    return &s->fold.settings;
}

const char *cai_session_model(const struct cai_session *s)
{
    return s->fold.model;
}

/*
 * change.c: every change of a session: one event, applied at once, then queued.
 *
 * An event is checked, queued for the store thread and applied, in this order; after the
 * check nothing can fail half-way. An event that cannot be queued leaves no trace.
 *
 * Thread: the session's.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "pipeline/node.h"
#include "session/provenance.h"
#include "session/session.h"

/* What an event takes along to the disk. */
struct cargo {
    struct strbuf lines; /* new texts */
    uint64_t texts_before;
    char *file_path, *file_data; /* written before the event */
    size_t file_len;
};

static enum cai_status refuse_read_only(const struct cai_session *s, char *err,
                                        size_t errlen)
{
    const struct cai_session_info *i = cai_session_info(s);

    return err_set(CAI_IO, err, errlen, "%s is read-only: %s", i->path,
                   i->read_only_reason);
}

static enum cai_status begin(struct cai_session *s, struct cargo *c, char *err,
                             size_t errlen)
{
    memset(c, 0, sizeof *c);
    if (cai_session_info(s)->read_only)
        return refuse_read_only(s, err, errlen);
    c->lines.max_bytes = 4 * (size_t)JOURNAL_TEXT_LINE_MAX;
    c->texts_before = texts_count(s->texts);
    return CAI_OK;
}

/* Whatever happened: frees what was not handed on. */
static void end(struct cai_session *s, struct cargo *c, struct event *ev,
                enum cai_status st)
{
    if (st != CAI_OK && c->lines.max_bytes)
        texts_forget(s->texts, c->texts_before);
    strbuf_free(&c->lines);
    mem_free(c->file_path);
    mem_free(c->file_data);
    event_clear(ev);
}

static enum cai_status add_text(struct cai_session *s, struct cargo *c, const char *text,
                                uint64_t *ordinal, char *err, size_t errlen)
{
    return texts_add(s->texts, text, strlen(text), &c->lines, ordinal, err, errlen);
}

/* Moves the bytes of an event into an item of the store thread. */
static enum cai_status make_item(struct writer_item **dst, struct cargo *c,
                                 struct strbuf *line, uint64_t seq, char *err,
                                 size_t errlen)
{
    struct writer_item *it = mem_alloc(1, sizeof *it);

    if (!it)
        return err_nomem(err, errlen, "event");
    it->seq = seq;
    it->line_len = line->len;
    it->line = strbuf_take(line, NULL);
    if (c->lines.len) {
        it->texts_len = c->lines.len;
        it->texts = strbuf_take(&c->lines, NULL);
    }
    it->file_path = c->file_path;
    it->file_data = c->file_data;
    it->file_len = c->file_len;
    c->file_path = c->file_data = NULL;
    *dst = it;
    return CAI_OK;
}

/* Checks, queues, applies. take_ev is cleared by end(). */
static enum cai_status commit(struct cai_session *s, struct event *ev, struct cargo *c,
                              char *err, size_t errlen)
{
    struct strbuf line = STRBUF_INIT(2 * JOURNAL_LINE_MAX);
    struct writer_item *it = NULL;
    enum cai_status st;
    uint32_t crc = 0;
    size_t len;

    ev->seq = s->mark.seq + 1;
    ev->offset = s->mark.journal_bytes;
    st = fold_check(&s->fold, ev, err, errlen);
    if (st == CAI_OK)
        st = session_write_line(&line, ev, clock_wall_ms(), &crc, err, errlen);
    len = line.len;
    if (st == CAI_OK)
        st = make_item(&it, c, &line, ev->seq, err, errlen);
    if (st == CAI_OK)
        st = writer_submit(s->writer, it, err, errlen);
    if (st == CAI_OK) {
        s->mark = (struct state_mark){ev->seq, crc, s->mark.journal_bytes + len};
        ev->line_len = (uint32_t)len;
        fold_apply(&s->fold, ev);
        if (s->mark.seq - s->state_seq >=
            SESSION_STATE_EVERY + s->mark.seq / SESSION_STATE_SHARE)
            session_save_state(s);
    }
    strbuf_free(&line);
    return st;
}

/* ---------------------------------------------------------------- prompts */

/* A prompt made here is kept in memory: its text may not be on disk yet. */
static enum cai_status reserve_prompt(struct fold_prompt *p, const char *prompt,
                                      char *err, size_t errlen)
{
    if (utf8_invalid_at(prompt, strlen(prompt)) < strlen(prompt))
        return err_set(CAI_INVALID, err, errlen,
                       "the prompt is not valid UTF-8 at byte %zu",
                       utf8_invalid_at(prompt, strlen(prompt)));
    p->text = mem_strdup(prompt);
    return p->text ? CAI_OK : err_nomem(err, errlen, "prompt");
}

static void keep_prompt(struct fold_chain *c, struct fold_prompt *p)
{
    struct fold_prompt *list;

    for (size_t i = 0; i < c->n_prompts; i++)
        if (c->prompts[i].ordinal == p->ordinal)
            return;
    list = mem_resize(c->prompts, c->n_prompts + 1, sizeof *list);
    if (!list)
        return; /* read from the disk when somebody looks */
    c->prompts = list;
    list[c->n_prompts++] = *p;
    p->text = NULL;
}

static enum cai_status put_prompt(struct cai_session *s, struct event *ev,
                                  const char *prompt, char *err, size_t errlen)
{
    struct fold_prompt p = {0, NULL};
    uint32_t chain = ev->chain;
    struct cargo c;
    enum cai_status st = begin(s, &c, err, errlen);

    if (st == CAI_OK)
        st = reserve_prompt(&p, prompt, err, errlen);
    if (st == CAI_OK)
        st = add_text(s, &c, prompt, &p.ordinal, err, errlen);
    ev->text = ev->max_text = p.ordinal;
    if (st == CAI_OK)
        st = commit(s, ev, &c, err, errlen);
    if (st == CAI_OK)
        keep_prompt(fold_chain(&s->fold, chain), &p);
    end(s, &c, ev, st);
    mem_free(p.text);
    return st;
}

enum cai_status cai_session_add_chain(struct cai_session *s, const char *prompt,
                                      uint32_t *id, char *err, size_t errlen)
{
    struct event ev = {.kind = &event_chain_add, .chain = s->fold.next_chain};
    enum cai_status st = put_prompt(s, &ev, prompt, err, errlen);

    if (st == CAI_OK && id)
        *id = s->fold.next_chain - 1;
    return st;
}

enum cai_status cai_session_set_prompt(struct cai_session *s, uint32_t chain,
                                       const char *prompt, char *err, size_t errlen)
{
    const struct fold_chain *c = fold_chain(&s->fold, chain);
    struct event ev = {.kind = &event_chain_prompt, .chain = chain};

    ev.was_text = c ? c->prompt : 0;
    return put_prompt(s, &ev, prompt, err, errlen);
}

/* ---------------------------------------------------------------- plain events */

static enum cai_status change(struct cai_session *s, struct event *ev, char *err,
                              size_t errlen)
{
    struct cargo c;
    enum cai_status st = begin(s, &c, err, errlen);

    if (st == CAI_OK)
        st = commit(s, ev, &c, err, errlen);
    end(s, &c, ev, st);
    return st;
}

enum cai_status cai_session_remove_chain(struct cai_session *s, uint32_t chain, char *err,
                                         size_t errlen)
{
    struct event ev = {.kind = &event_chain_remove, .chain = chain};
    return change(s, &ev, err, errlen);
}

enum cai_status cai_session_remove_node(struct cai_session *s, uint32_t chain,
                                        uint32_t node, char *err, size_t errlen)
{
    struct event ev = {.kind = &event_node_remove, .chain = chain, .node = node};
    return change(s, &ev, err, errlen);
}

enum cai_status cai_session_set_settings(struct cai_session *s,
                                         const struct cai_chain_settings *settings,
                                         char *err, size_t errlen)
{
    struct event ev = {.kind = &event_settings, .settings = *settings};

    ev.has_was_settings = s->fold.has_settings;
    if (ev.has_was_settings)
        ev.was_settings = s->fold.settings;
    return change(s, &ev, err, errlen);
}

enum cai_status cai_session_set_model(struct cai_session *s, const char *model, char *err,
                                      size_t errlen)
{
    struct event ev = {.kind = &event_model};

    if (utf8_invalid_at(model, strlen(model)) < strlen(model))
        return err_set(CAI_INVALID, err, errlen, "the model's name is not valid UTF-8");
    ev.name = mem_strdup(model);
    ev.was_name = mem_strdup(s->fold.model);
    if (!ev.name || !ev.was_name) {
        event_clear(&ev);
        return err_nomem(err, errlen, "model");
    }
    return change(s, &ev, err, errlen);
}

/* ---------------------------------------------------------------- links */

enum cai_status cai_session_add_node(struct cai_session *s, uint32_t chain,
                                     struct cai_node *take_node, uint32_t *id, char *err,
                                     size_t errlen)
{
    struct strbuf data = STRBUF_INIT(JOURNAL_LINE_MAX);
    struct fold_chain *fc = fold_chain(&s->fold, chain);
    struct event ev = {.kind = &event_node_add, .chain = chain};
    struct fold_node *slot;
    struct cargo c;
    enum cai_status st = begin(s, &c, err, errlen);

    ev.parent = take_node->parent;
    ev.node = fc ? fc->next_node : 1;
    if (!take_node->time_ms)
        take_node->time_ms = clock_wall_ms();
    if (st == CAI_OK)
        st = provenance_write(&data, take_node, s->texts, &c.lines, &ev.max_text, err,
                              errlen);
    ev.data = data.data;
    if (st == CAI_OK)
        st = commit(s, &ev, &c, err, errlen);
    if (st == CAI_OK) {
        slot = &fc->nodes[fc->n_nodes - 1];
        take_node->id = slot->id;
        slot->node = take_node;
        take_node = NULL;
        if (id)
            *id = slot->id;
    }
    end(s, &c, &ev, st);
    cai_node_free(take_node);
    strbuf_free(&data);
    return st;
}

enum cai_status cai_session_edit_node(struct cai_session *s, uint32_t chain,
                                      uint32_t node, const char *text, const char *author,
                                      uint32_t *id, char *err, size_t errlen)
{
    const struct cai_chain *c = cai_session_find_chain(s, chain);
    const struct cai_node *was = c ? cai_chain_find(c, node) : NULL;
    struct cai_node *n;

    if (!was)
        return err_set(CAI_INVALID, err, errlen, "c%u.%u: no such link in this session",
                       chain, node);
    if (fold_node(fold_chain(&s->fold, chain), node)->is_unreadable)
        return err_set(CAI_CORRUPT, err, errlen,
                       "c%u.%u cannot be read, so it cannot be replaced; make a new link",
                       chain, node);
    n = node_new();
    if (!n || !node_set_string(&n->text, text) || !node_set_string(&n->raw, text) ||
        !node_set_string(&n->author, author) ||
        !node_set_string(&n->principle, was->principle) ||
        !node_set_string(&n->constitution, was->constitution)) {
        cai_node_free(n);
        return err_nomem(err, errlen, "link");
    }
    n->parent = was->parent;
    n->kind = was->kind;
    n->finish = CAI_FINISH_HUMAN;
    n->edited = 1;
    n->replaces = node;
    n->trim_len = strlen(text);
    n->settings = was->settings;
    n->step = was->step;
    return cai_session_add_node(s, chain, n, id, err, errlen);
}

/* ---------------------------------------------------------------- constitution */

/* The file is written before the event that names it, also when it is there already: a
 * damaged one is healed. */
static enum cai_status pack_constitution(struct cai_session *s, struct cargo *c,
                                         const struct cai_constitution *constitution,
                                         char *err, size_t errlen)
{
    struct strbuf name = STRBUF_INIT(256);
    enum cai_status st =
        strbuf_addf(&name, "%s.json", cai_constitution_hash(constitution));

    if (st == CAI_OK)
        c->file_path = session_join(s->paths.constitutions, name.data);
    strbuf_free(&name);
    if (!c->file_path)
        return err_nomem(err, errlen, "constitution");
    return cai_constitution_write(constitution, &c->file_data, &c->file_len, err, errlen);
}

enum cai_status cai_session_set_constitution(struct cai_session *s,
                                             const struct cai_constitution *constitution,
                                             char *err, size_t errlen)
{
    struct event ev = {.kind = &event_constitution};
    const char *hash = cai_constitution_hash(constitution);
    struct cargo c;
    enum cai_status st = begin(s, &c, err, errlen);

    /* One that could not be read is set anew all the same: that writes its file. */
    if (st == CAI_OK && s->constitution && strcmp(s->fold.constitution, hash) == 0)
        return CAI_OK;
    if (st == CAI_OK)
        st = session_keep_version(s, cai_constitution_dup(constitution), err, errlen);
    if (st == CAI_OK)
        st = pack_constitution(s, &c, constitution, err, errlen);
    if (st == CAI_OK) {
        ev.name = mem_strdup(hash);
        ev.was_name = mem_strdup(s->fold.constitution);
        if (!ev.name || !ev.was_name)
            st = err_nomem(err, errlen, "constitution");
    }
    if (st == CAI_OK)
        st = commit(s, &ev, &c, err, errlen);
    if (st == CAI_OK)
        session_follow_constitution(s);
    end(s, &c, &ev, st);
    return st;
}

/* ---------------------------------------------------------------- undo */

static enum cai_status move(struct cai_session *s, const struct event_kind *kind,
                            const struct fold_stack *stack, const char **what, char *err,
                            size_t errlen)
{
    const struct event *a = stack->n ? &stack->actions[stack->n - 1] : NULL;
    struct event ev = {.kind = kind, .of = a ? a->seq : 0};
    enum cai_status st;

    if (a)
        a->kind->describe(a, s->what, sizeof s->what);
    st = change(s, &ev, err, errlen);
    if (st != CAI_OK)
        return st;
    session_follow_constitution(s);
    if (what)
        *what = s->what;
    return CAI_OK;
}

enum cai_status cai_session_undo(struct cai_session *s, const char **what, char *err,
                                 size_t errlen)
{
    return move(s, &event_undo, &s->fold.undo, what, err, errlen);
}

enum cai_status cai_session_redo(struct cai_session *s, const char **what, char *err,
                                 size_t errlen)
{
    return move(s, &event_redo, &s->fold.redo, what, err, errlen);
}

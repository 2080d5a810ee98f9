/* events.c: see events.h. Owns nothing but the table. Thread: the session's. */
#include "session/events.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "session/fold.h"

/* ---------------------------------------------------------------- small parts */

static int get_u32(const cJSON *obj, const char *key, uint32_t *out)
{
    uint64_t v;

    if (!json_u64(obj, key, &v) || v > UINT32_MAX)
        return 0;
    *out = (uint32_t)v;
    return 1;
}

static int get_name(struct event *ev, const cJSON *obj, const char *key, char **out)
{
    const char *s = json_str(obj, key);

    if (!s)
        return 0;
    *out = mem_strdup(s);
    ev->no_memory = !*out;
    return *out != NULL;
}

static enum cai_status add_pair(struct strbuf *out, const char *first, const char *text)
{
    enum cai_status st = strbuf_adds(out, first);
    return st == CAI_OK ? json_write_string(out, text, strlen(text)) : st;
}

static void replace(char **field, char **take)
{
    mem_free(*field);
    *field = *take;
    *take = NULL;
}

static enum cai_status missing(char *err, size_t errlen, const struct event *ev,
                               uint32_t node)
{
    if (node)
        return err_set(CAI_INVALID, err, errlen, "c%u.%u: no such link in this session",
                       ev->chain, node);
    return err_set(CAI_INVALID, err, errlen, "c%u: no such chain in this session",
                   ev->chain);
}

/* The chain, when it is there and shown. */
static enum cai_status shown_chain(struct fold *f, const struct event *ev,
                                   struct fold_chain **c, char *err, size_t errlen)
{
    *c = fold_chain(f, ev->chain);
    return *c && !(*c)->hidden_by ? CAI_OK : missing(err, errlen, ev, 0);
}

/* ---------------------------------------------------------------- settings */

enum cai_status event_write_settings(struct strbuf *out,
                                     const struct cai_chain_settings *s)
{
    enum cai_status st;

    /* 17 digits give back the same double; the seed needs all of its 64 bits */
    st = strbuf_addf(out,
                     "{\"layout\":\"%s\",\"temperature\":%.17g,\"top_k\":%d,"
                     "\"top_p\":%.17g,\"min_p\":%.17g,\"max_tokens\":%d,"
                     "\"guidance\":[%.17g,%.17g,%.17g],\"against\":\"%s\","
                     "\"seed\":\"%" PRIu64 "\"",
                     cai_layout_name(s->layout), s->sampling.temperature,
                     s->sampling.top_k, s->sampling.top_p, s->sampling.min_p,
                     s->sampling.max_tokens, s->guidance[0], s->guidance[1],
                     s->guidance[2], cai_against_name(s->against), s->seed);
    if (st == CAI_OK)
        st = add_pair(out, ",\"fewshots\":", s->fewshots);
    if (st == CAI_OK)
        st = add_pair(out, ",\"principle\":", s->principle);
    return st == CAI_OK ? strbuf_addc(out, '}') : st;
}

static int get_text64(char field[64], const cJSON *obj, const char *key)
{
    const char *s = json_str(obj, key);

    if (!s || strlen(s) >= 64)
        return 0;
    snprintf(field, 64, "%s", s);
    return 1;
}

static int get_int(const cJSON *obj, const char *key, int *out)
{
    double v = json_num(obj, key, NAN);

    if (!(v >= INT32_MIN && v <= INT32_MAX))
        return 0;
    *out = (int)v;
    return 1;
}

static int get_double(const cJSON *obj, const char *key, double *out)
{
    *out = json_num(obj, key, NAN);
    return !isnan(*out);
}

int event_read_settings(struct cai_chain_settings *s, const cJSON *obj)
{
    const char *layout = json_str(obj, "layout"), *against = json_str(obj, "against");
    const char *seed = json_str(obj, "seed");
    const cJSON *g = json_get(obj, "guidance");
    char *end = NULL;
    int found = 0;

    memset(s, 0, sizeof *s);
    if (!layout || !against || !seed || cJSON_GetArraySize(g) != CAI_NODE_KINDS)
        return 0;
    for (int i = CAI_LAYOUT_CHAT; i <= CAI_LAYOUT_PAPER; i++)
        if (strcmp(layout, cai_layout_name((enum cai_layout)i)) == 0) {
            s->layout = (enum cai_layout)i;
            found |= 1;
        }
    for (int i = CAI_AGAINST_OPPOSITE; i <= CAI_AGAINST_NOTHING; i++)
        if (strcmp(against, cai_against_name((enum cai_against)i)) == 0) {
            s->against = (enum cai_against)i;
            found |= 2;
        }
    for (int i = 0; i < CAI_NODE_KINDS; i++) {
        const cJSON *v = cJSON_GetArrayItem(g, i);
        if (!cJSON_IsNumber(v))
            return 0;
        s->guidance[i] = v->valuedouble;
    }
    s->seed = strtoull(seed, &end, 10);
    return found == 3 && end != seed && *end == '\0' &&
           get_double(obj, "temperature", &s->sampling.temperature) &&
           get_int(obj, "top_k", &s->sampling.top_k) &&
           get_double(obj, "top_p", &s->sampling.top_p) &&
           get_double(obj, "min_p", &s->sampling.min_p) &&
           get_int(obj, "max_tokens", &s->sampling.max_tokens) &&
           get_text64(s->fewshots, obj, "fewshots") &&
           get_text64(s->principle, obj, "principle");
}

enum cai_status event_check_settings(const struct cai_chain_settings *s, char *err,
                                     size_t errlen)
{
    const struct {
        const char *name;
        double v;
    } numbers[] = {{"temperature", s->sampling.temperature},
                   {"top_p", s->sampling.top_p},
                   {"min_p", s->sampling.min_p},
                   {"guidance of initial responses", s->guidance[0]},
                   {"guidance of critiques", s->guidance[1]},
                   {"guidance of revisions", s->guidance[2]}};
    const char *const texts[] = {s->fewshots, s->principle};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!isfinite(numbers[i].v))
            return err_set(CAI_INVALID, err, errlen, "%s is not a number",
                           numbers[i].name);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t n = strnlen(texts[i], 64);
        if (n == 64 || utf8_invalid_at(texts[i], n) < n)
            return err_set(
                CAI_INVALID, err, errlen,
                "the id of few-shots or principle in the settings is not text");
    }
    if (s->layout > CAI_LAYOUT_PAPER || s->against > CAI_AGAINST_NOTHING)
        return err_set(CAI_INVALID, err, errlen, "unknown layout or contrast");
    return CAI_OK;
}

/* ---------------------------------------------------------------- chain.add */

static enum cai_status chain_add_encode(struct strbuf *out, const struct event *ev)
{
    return strbuf_addf(out, "{\"chain\":%" PRIu32 ",\"prompt\":%" PRIu64 "}", ev->chain,
                       ev->text);
}

static int chain_add_decode(struct event *ev, const cJSON *body)
{
    int ok = get_u32(body, "chain", &ev->chain) && json_u64(body, "prompt", &ev->text);
    ev->max_text = ev->text;
    return ok;
}

static enum cai_status chain_add_check(struct fold *f, const struct event *ev, char *err,
                                       size_t errlen)
{
    const struct fold_chain *c = fold_chain(f, ev->chain);

    if (c && c->hidden_by)
        return CAI_OK; /* redo */
    if (c || ev->chain < f->next_chain || ev->chain == UINT32_MAX)
        return err_set(CAI_INVALID, err, errlen, "c%u: this number is taken", ev->chain);
    return fold_reserve_chain(f, err, errlen);
}

static void chain_add_apply(struct fold *f, struct event *ev)
{
    struct fold_chain *c = fold_chain(f, ev->chain);

    if (!c) {
        c = f->chains[f->n_chains++]; /* reserved by the check */
        c->id = ev->chain;
        c->next_node = 1;
        c->prompt = ev->text;
        f->next_chain = ev->chain + 1;
    }
    c->hidden_by = 0;
    fold_list_chains(f);
}

static void chain_add_revert(struct fold *f, struct event *ev)
{
    fold_chain(f, ev->chain)->hidden_by = ev->seq;
    fold_list_chains(f);
}

static void chain_add_describe(const struct event *ev, char *what, size_t len)
{
    snprintf(what, len, "add chain c%u", ev->chain);
}

/* ---------------------------------------------------------------- chain.prompt */

static enum cai_status chain_prompt_encode(struct strbuf *out, const struct event *ev)
{
    return strbuf_addf(out,
                       "{\"chain\":%" PRIu32 ",\"prompt\":%" PRIu64 ",\"was\":%" PRIu64
                       "}",
                       ev->chain, ev->text, ev->was_text);
}

static int chain_prompt_decode(struct event *ev, const cJSON *body)
{
    return chain_add_decode(ev, body) && json_u64(body, "was", &ev->was_text);
}

static enum cai_status shown_chain_check(struct fold *f, const struct event *ev,
                                         char *err, size_t errlen)
{
    struct fold_chain *c;
    return shown_chain(f, ev, &c, err, errlen);
}

static void set_prompt(struct fold *f, uint32_t chain, uint64_t ordinal)
{
    struct fold_chain *c = fold_chain(f, chain);
    c->prompt = ordinal;
    c->is_fresh = 0;
}

static void chain_prompt_apply(struct fold *f, struct event *ev)
{
    set_prompt(f, ev->chain, ev->text);
}

static void chain_prompt_revert(struct fold *f, struct event *ev)
{
    set_prompt(f, ev->chain, ev->was_text);
}

static void chain_prompt_describe(const struct event *ev, char *what, size_t len)
{
    snprintf(what, len, "edit the prompt of c%u", ev->chain);
}

/* ---------------------------------------------------------------- chain.remove */

static enum cai_status chain_remove_encode(struct strbuf *out, const struct event *ev)
{
    return strbuf_addf(out, "{\"chain\":%" PRIu32 "}", ev->chain);
}

static int chain_remove_decode(struct event *ev, const cJSON *body)
{
    return get_u32(body, "chain", &ev->chain);
}

static void chain_remove_apply(struct fold *f, struct event *ev)
{
    chain_add_revert(f, ev);
}

static void chain_remove_revert(struct fold *f, struct event *ev)
{
    fold_chain(f, ev->chain)->hidden_by = 0;
    fold_list_chains(f);
}

static void chain_remove_describe(const struct event *ev, char *what, size_t len)
{
    snprintf(what, len, "remove chain c%u", ev->chain);
}

/* ---------------------------------------------------------------- node.add */

/* The provenance is left out of the state file: the journal has it. */
static enum cai_status node_add_encode(struct strbuf *out, const struct event *ev)
{
    enum cai_status st = strbuf_addf(out,
                                     "{\"chain\":%" PRIu32 ",\"node\":%" PRIu32
                                     ",\"parent\":%" PRIu32 ",\"texts\":%" PRIu64,
                                     ev->chain, ev->node, ev->parent, ev->max_text);
    if (st == CAI_OK && ev->data)
        st = strbuf_adds(out, ",\"data\":");
    if (st == CAI_OK && ev->data)
        st = strbuf_adds(out, ev->data);
    return st == CAI_OK ? strbuf_addc(out, '}') : st;
}

static int node_add_decode(struct event *ev, const cJSON *body)
{
    return get_u32(body, "chain", &ev->chain) && get_u32(body, "node", &ev->node) &&
           get_u32(body, "parent", &ev->parent) && json_u64(body, "texts", &ev->max_text);
}

static enum cai_status node_add_check(struct fold *f, const struct event *ev, char *err,
                                      size_t errlen)
{
    struct fold_chain *c;
    const struct fold_node *n, *parent;
    enum cai_status st = shown_chain(f, ev, &c, err, errlen);

    if (st != CAI_OK)
        return st;
    parent = fold_node(c, ev->parent);
    if (ev->parent && (!parent || parent->hidden_by))
        return missing(err, errlen, ev, ev->parent);
    n = fold_node(c, ev->node);
    if (n && n->hidden_by)
        return CAI_OK; /* redo */
    if (n || ev->node < c->next_node || ev->node == UINT32_MAX)
        return err_set(CAI_INVALID, err, errlen, "c%u.%u: this number is taken",
                       ev->chain, ev->node);
    return fold_reserve_node(c, err, errlen);
}

static void node_add_apply(struct fold *f, struct event *ev)
{
    struct fold_chain *c = fold_chain(f, ev->chain);
    struct fold_node *n = fold_node(c, ev->node);

    if (!n) {
        n = &c->nodes[c->n_nodes++];
        *n = (struct fold_node){.id = ev->node,
                                .parent = ev->parent,
                                .offset = ev->offset,
                                .line_len = ev->line_len};
        c->next_node = ev->node + 1;
    }
    n->hidden_by = 0;
    c->is_fresh = 0;
}

static void node_add_revert(struct fold *f, struct event *ev)
{
    struct fold_chain *c = fold_chain(f, ev->chain);
    fold_node(c, ev->node)->hidden_by = ev->seq;
    c->is_fresh = 0;
}

static void node_add_describe(const struct event *ev, char *what, size_t len)
{
    snprintf(what, len, "add link c%u.%u", ev->chain, ev->node);
}

/* ---------------------------------------------------------------- node.remove */

static enum cai_status node_remove_encode(struct strbuf *out, const struct event *ev)
{
    return strbuf_addf(out, "{\"chain\":%" PRIu32 ",\"node\":%" PRIu32 "}", ev->chain,
                       ev->node);
}

static int node_remove_decode(struct event *ev, const cJSON *body)
{
    return get_u32(body, "chain", &ev->chain) && get_u32(body, "node", &ev->node);
}

static enum cai_status node_remove_check(struct fold *f, const struct event *ev,
                                         char *err, size_t errlen)
{
    struct fold_chain *c;
    const struct fold_node *n;
    enum cai_status st = shown_chain(f, ev, &c, err, errlen);

    if (st != CAI_OK)
        return st;
    n = fold_node(c, ev->node);
    return n && !n->hidden_by ? CAI_OK : missing(err, errlen, ev, ev->node);
}

/* Hides the node and what grew from it: parents come first in the array. */
static void node_remove_apply(struct fold *f, struct event *ev)
{
    struct fold_chain *c = fold_chain(f, ev->chain);

    for (size_t i = 0; i < c->n_nodes; i++) {
        struct fold_node *n = &c->nodes[i];
        const struct fold_node *parent = n->parent ? fold_node(c, n->parent) : NULL;
        if (n->id == ev->node ||
            (!n->hidden_by && parent && parent->hidden_by == ev->seq))
            n->hidden_by = ev->seq;
    }
    c->is_fresh = 0;
}

static void node_remove_revert(struct fold *f, struct event *ev)
{
    struct fold_chain *c = fold_chain(f, ev->chain);

    for (size_t i = 0; i < c->n_nodes; i++)
        if (c->nodes[i].hidden_by == ev->seq)
            c->nodes[i].hidden_by = 0;
    c->is_fresh = 0;
}

static void node_remove_describe(const struct event *ev, char *what, size_t len)
{
    snprintf(what, len, "remove link c%u.%u", ev->chain, ev->node);
}

/* ---------------------------------------------------------------- constitution, model */

static enum cai_status name_encode(struct strbuf *out, const struct event *ev)
{
    enum cai_status st = add_pair(out, "{\"is\":", ev->name ? ev->name : "");
    if (st == CAI_OK)
        st = add_pair(out, ",\"was\":", ev->was_name ? ev->was_name : "");
    return st == CAI_OK ? strbuf_addc(out, '}') : st;
}

static int name_decode(struct event *ev, const cJSON *body)
{
    return get_name(ev, body, "is", &ev->name) &&
           get_name(ev, body, "was", &ev->was_name);
}

static enum cai_status name_check(struct fold *f, const struct event *ev, char *err,
                                  size_t errlen)
{
    (void)f;
    return ev->name ? CAI_OK : err_nomem(err, errlen, "event");
}

/* The fold's name goes to where the event's came from: apply and revert only swap, so
 * neither allocates. On the undo stack an action has only `was_name`, on the redo stack
 * only `name`. */
static void take_name(char **field, char **from, char **to)
{
    char *old = *field;
    *field = *from;
    *from = NULL;
    replace(to, &old);
}

static void constitution_apply(struct fold *f, struct event *ev)
{
    take_name(&f->constitution, &ev->name, &ev->was_name);
}

static void constitution_revert(struct fold *f, struct event *ev)
{
    take_name(&f->constitution, &ev->was_name, &ev->name);
}

static void constitution_describe(const struct event *ev, char *what, size_t len)
{
    (void)ev;
    snprintf(what, len, "change the constitution");
}

static void model_apply(struct fold *f, struct event *ev)
{
    take_name(&f->model, &ev->name, &ev->was_name);
}

static void model_revert(struct fold *f, struct event *ev)
{
    take_name(&f->model, &ev->was_name, &ev->name);
}

static void model_describe(const struct event *ev, char *what, size_t len)
{
    (void)ev;
    snprintf(what, len, "change the model");
}

/* ---------------------------------------------------------------- settings */

static enum cai_status settings_encode(struct strbuf *out, const struct event *ev)
{
    enum cai_status st = strbuf_adds(out, "{\"is\":");
    if (st == CAI_OK)
        st = event_write_settings(out, &ev->settings);
    if (st == CAI_OK)
        st = strbuf_adds(out, ",\"was\":");
    if (st == CAI_OK)
        st = ev->has_was_settings ? event_write_settings(out, &ev->was_settings)
                                  : strbuf_adds(out, "null");
    return st == CAI_OK ? strbuf_addc(out, '}') : st;
}

static int settings_decode(struct event *ev, const cJSON *body)
{
    const cJSON *was = json_get(body, "was");

    ev->has_was_settings = cJSON_IsObject(was);
    return event_read_settings(&ev->settings, json_get(body, "is")) &&
           (ev->has_was_settings ? event_read_settings(&ev->was_settings, was)
                                 : cJSON_IsNull(was));
}

static enum cai_status settings_check(struct fold *f, const struct event *ev, char *err,
                                      size_t errlen)
{
    (void)f;
    return event_check_settings(&ev->settings, err, errlen);
}

static void settings_apply(struct fold *f, struct event *ev)
{
    f->settings = ev->settings;
    f->has_settings = 1;
}

static void settings_revert(struct fold *f, struct event *ev)
{
    f->has_settings = ev->has_was_settings;
    if (f->has_settings)
        f->settings = ev->was_settings;
    else
        cai_chain_settings_default(&f->settings);
}

static void settings_describe(const struct event *ev, char *what, size_t len)
{
    (void)ev;
    snprintf(what, len, "change the settings");
}

/* ---------------------------------------------------------------- undo, redo, lost */

static enum cai_status move_encode(struct strbuf *out, const struct event *ev)
{
    return strbuf_addf(out, "{\"of\":%" PRIu64 "}", ev->of);
}

static int move_decode(struct event *ev, const cJSON *body)
{
    return json_u64(body, "of", &ev->of);
}

static enum cai_status reserve_action(struct fold_stack *s, char *err, size_t errlen)
{
    size_t cap = s->cap ? s->cap * 2 : 16;
    struct event *a;

    if (s->n < s->cap || s->cap >= FOLD_UNDO_MAX)
        return CAI_OK;
    a = mem_resize(s->actions, cap, sizeof *a);
    if (!a)
        return err_nomem(err, errlen, "undo");
    s->actions = a;
    s->cap = cap;
    return CAI_OK;
}

static enum cai_status undo_check(struct fold *f, const struct event *ev, char *err,
                                  size_t errlen)
{
    if (!f->undo.n || f->undo.actions[f->undo.n - 1].seq != ev->of)
        return err_set(CAI_INVALID, err, errlen, "there is nothing to undo");
    return reserve_action(&f->redo, err, errlen);
}

static enum cai_status redo_check(struct fold *f, const struct event *ev, char *err,
                                  size_t errlen)
{
    const struct event *a = f->redo.n ? &f->redo.actions[f->redo.n - 1] : NULL;
    enum cai_status st;

    if (!a || a->seq != ev->of)
        return err_set(CAI_INVALID, err, errlen, "there is nothing to redo");
    st = reserve_action(&f->undo, err, errlen);
    return st == CAI_OK ? a->kind->check(f, a, err, errlen) : st;
}

static void push(struct fold_stack *s, const struct event *a)
{
    if (s->n == FOLD_UNDO_MAX) {
        event_clear(&s->actions[0]);
        memmove(s->actions, s->actions + 1, --s->n * sizeof *s->actions);
    }
    s->actions[s->n++] = *a;
}

static void undo_apply(struct fold *f, struct event *ev)
{
    struct event *a = &f->undo.actions[--f->undo.n];
    (void)ev;
    a->kind->revert(f, a);
    push(&f->redo, a);
}

static void redo_apply(struct fold *f, struct event *ev)
{
    struct event *a = &f->redo.actions[--f->redo.n];
    (void)ev;
    a->kind->apply(f, a);
    push(&f->undo, a);
}

/* In a repaired copy: an event that was damaged. */
static enum cai_status lost_encode(struct strbuf *out, const struct event *ev)
{
    (void)ev;
    return strbuf_adds(out, "{}");
}

static int lost_decode(struct event *ev, const cJSON *body)
{
    (void)ev;
    return cJSON_IsObject(body);
}

static enum cai_status lost_check(struct fold *f, const struct event *ev, char *err,
                                  size_t errlen)
{
    (void)f, (void)ev, (void)err, (void)errlen;
    return CAI_OK;
}

static void lost_apply(struct fold *f, struct event *ev)
{
    (void)f, (void)ev;
}

/* ---------------------------------------------------------------- table */

#define ACTION(NAME, FN, CODEC, CHECK)                                                   \
    {                                                                                    \
        NAME, 1, CODEC##_encode, CODEC##_decode, CHECK##_check, FN##_apply, FN##_revert, \
            FN##_describe                                                                \
    }
#define MOVE(NAME, FN, CODEC)                                                            \
    {                                                                                    \
        NAME, 0, CODEC##_encode, CODEC##_decode, FN##_check, FN##_apply, NULL, NULL      \
    }

const struct event_kind event_chain_add =
    ACTION("chain.add", chain_add, chain_add, chain_add);
const struct event_kind event_chain_prompt =
    ACTION("chain.prompt", chain_prompt, chain_prompt, shown_chain);
const struct event_kind event_chain_remove =
    ACTION("chain.remove", chain_remove, chain_remove, shown_chain);
const struct event_kind event_node_add = ACTION("node.add", node_add, node_add, node_add);
const struct event_kind event_node_remove =
    ACTION("node.remove", node_remove, node_remove, node_remove);
const struct event_kind event_constitution =
    ACTION("constitution", constitution, name, name);
const struct event_kind event_settings = ACTION("settings", settings, settings, settings);
const struct event_kind event_model = ACTION("model", model, name, name);
const struct event_kind event_undo = MOVE("undo", undo, move);
const struct event_kind event_redo = MOVE("redo", redo, move);
const struct event_kind event_lost = MOVE("lost", lost, lost);

static const struct event_kind *const kinds[] = {
    &event_chain_add,   &event_chain_prompt, &event_chain_remove, &event_node_add,
    &event_node_remove, &event_constitution, &event_settings,     &event_model,
    &event_undo,        &event_redo,         &event_lost,
};

const struct event_kind *event_find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}

enum cai_status event_write(struct strbuf *out, const struct event *ev)
{
    enum cai_status st = strbuf_addf(out, "\"kind\":\"%s\",\"body\":", ev->kind->name);
    return st == CAI_OK ? ev->kind->encode(out, ev) : st;
}

enum cai_status event_read(struct event *ev, const cJSON *doc, char *err, size_t errlen)
{
    const char *kind = json_str(doc, "kind");
    const cJSON *body = json_get(doc, "body");

    if (!kind || !cJSON_IsObject(body))
        return err_set(CAI_CORRUPT, err, errlen, "an event without kind or body");
    ev->kind = event_find_kind(kind);
    if (!ev->kind)
        return err_set(CAI_UNSUPPORTED, err, errlen,
                       "events of kind \"%.40s\" come from a newer version of cai; "
                       "open this session with that version",
                       kind);
    if (!ev->kind->decode(ev, body))
        return ev->no_memory
                   ? err_nomem(err, errlen, "event")
                   : err_set(CAI_CORRUPT, err, errlen,
                             "an event of kind \"%s\" whose body cannot be read", kind);
    return CAI_OK;
}

void event_clear(struct event *ev)
{
    mem_free(ev->name);
    mem_free(ev->was_name);
    memset(ev, 0, sizeof *ev);
}

enum cai_status fold_check(struct fold *f, const struct event *ev, char *err,
                           size_t errlen)
{
    enum cai_status st = CAI_OK;

    if (ev->kind->is_action)
        st = reserve_action(&f->undo, err, errlen);
    return st == CAI_OK ? ev->kind->check(f, ev, err, errlen) : st;
}

void fold_apply(struct fold *f, struct event *take_ev)
{
    take_ev->kind->apply(f, take_ev);
    f->seq = take_ev->seq;
    if (take_ev->max_text > f->max_text)
        f->max_text = take_ev->max_text;
    if (take_ev->kind->is_action) {
        while (f->redo.n)
            event_clear(&f->redo.actions[--f->redo.n]);
        take_ev->data = NULL;
        push(&f->undo, take_ev);
        memset(take_ev, 0, sizeof *take_ev);
    }
    event_clear(take_ev);
}

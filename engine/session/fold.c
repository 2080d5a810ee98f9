/* fold.c: see fold.h. fold_check() and fold_apply() stand beside the kinds in events.c.
 */
#include "session/fold.h"

#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

enum cai_status fold_init(struct fold *f, char *err, size_t errlen)
{
    memset(f, 0, sizeof *f);
    f->next_chain = 1;
    f->constitution = mem_strdup("");
    f->model = mem_strdup("");
    cai_chain_settings_default(&f->settings);
    return f->constitution && f->model ? CAI_OK : err_nomem(err, errlen, "session");
}

static void chain_free(struct fold_chain *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_nodes; i++)
        cai_node_free(c->nodes[i].node);
    for (size_t i = 0; i < c->n_prompts; i++)
        mem_free(c->prompts[i].text);
    mem_free(c->prompts);
    mem_free(c->nodes);
    mem_free(c->shown.nodes);
    mem_free(c);
}

void fold_free(struct fold *f)
{
    struct fold_stack *stacks[] = {&f->undo, &f->redo};

    for (size_t i = 0; i < f->cap_chains; i++) /* a reserved one lies behind the last */
        chain_free(f->chains[i]);
    mem_free(f->chains);
    mem_free(f->shown);
    mem_free(f->constitution);
    mem_free(f->model);
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < stacks[k]->n; i++)
            event_clear(&stacks[k]->actions[i]);
        mem_free(stacks[k]->actions);
    }
    memset(f, 0, sizeof *f);
}

struct fold_chain *fold_chain(const struct fold *f, uint32_t id)
{
    size_t lo = 0, hi = f->n_chains;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (f->chains[mid]->id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < f->n_chains && f->chains[lo]->id == id ? f->chains[lo] : NULL;
}

struct fold_node *fold_node(const struct fold_chain *c, uint32_t id)
{
    size_t lo = 0, hi = c->n_nodes;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (c->nodes[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < c->n_nodes && c->nodes[lo].id == id ? &c->nodes[lo] : NULL;
}

void fold_list_chains(struct fold *f)
{
    f->n_shown = 0;
    for (size_t i = 0; i < f->n_chains; i++)
        if (!f->chains[i]->hidden_by)
            f->shown[f->n_shown++] = f->chains[i];
}

enum cai_status fold_reserve_chain(struct fold *f, char *err, size_t errlen)
{
    if (f->n_chains == f->cap_chains) {
        size_t cap = f->cap_chains ? f->cap_chains * 2 : 16;
        struct fold_chain **p = mem_resize(f->chains, cap, sizeof(*p));
        if (!p)
            return err_nomem(err, errlen, "chain");
        memset(p + f->cap_chains, 0, (cap - f->cap_chains) * sizeof(*p));
        f->chains = p;
        p = mem_resize(f->shown, cap, sizeof(*p));
        if (!p)
            return err_nomem(err, errlen, "chain");
        f->shown = p;
        f->cap_chains = cap;
    }
    if (!f->chains[f->n_chains])
        f->chains[f->n_chains] = mem_alloc(1, sizeof(struct fold_chain));
    return f->chains[f->n_chains] ? CAI_OK : err_nomem(err, errlen, "chain");
}

enum cai_status fold_reserve_node(struct fold_chain *c, char *err, size_t errlen)
{
    size_t cap = c->cap_nodes ? c->cap_nodes * 2 : 8;
    struct fold_node *p;

    if (c->n_nodes < c->cap_nodes)
        return CAI_OK;
    p = mem_resize(c->nodes, cap, sizeof *p);
    if (!p)
        return err_nomem(err, errlen, "chain");
    c->nodes = p;
    c->cap_nodes = cap;
    return CAI_OK;
}

/* ---------------------------------------------------------------- state file */

static enum cai_status write_chain(struct strbuf *out, const struct fold_chain *c)
{
    enum cai_status st;

    st = strbuf_addf(out,
                     "{\"id\":%" PRIu32 ",\"prompt\":%" PRIu64 ",\"hidden_by\":%" PRIu64
                     ",\"next_node\":%" PRIu32 ",\"nodes\":[",
                     c->id, c->prompt, c->hidden_by, c->next_node);
    for (size_t i = 0; i < c->n_nodes && st == CAI_OK; i++) {
        const struct fold_node *n = &c->nodes[i];
        st =
            strbuf_addf(out,
                        "%s[%" PRIu32 ",%" PRIu32 ",%" PRIu64 ",%" PRIu64 ",%" PRIu32 "]",
                        i ? "," : "", n->id, n->parent, n->hidden_by, n->offset,
                        n->line_len);
    }
    return st == CAI_OK ? strbuf_adds(out, "]}") : st;
}

static enum cai_status write_stack(struct strbuf *out, const struct fold_stack *s)
{
    enum cai_status st = strbuf_addc(out, '[');

    for (size_t i = 0; i < s->n && st == CAI_OK; i++) {
        st = strbuf_addf(out, "%s{\"number\":%" PRIu64 ",", i ? "," : "",
                         s->actions[i].seq);
        if (st == CAI_OK)
            st = event_write(out, &s->actions[i]);
        if (st == CAI_OK)
            st = strbuf_addc(out, '}');
    }
    return st == CAI_OK ? strbuf_addc(out, ']') : st;
}

enum cai_status fold_write(struct strbuf *out, const struct fold *f)
{
    enum cai_status st;

    st =
        strbuf_addf(out, "{\"next_chain\":%" PRIu32 ",\"texts\":%" PRIu64 ",\"chains\":[",
                    f->next_chain, f->max_text);
    for (size_t i = 0; i < f->n_chains && st == CAI_OK; i++) {
        if (i)
            st = strbuf_addc(out, ',');
        if (st == CAI_OK)
            st = write_chain(out, f->chains[i]);
    }
    if (st == CAI_OK)
        st = strbuf_adds(out, "],\"constitution\":");
    if (st == CAI_OK)
        st = json_write_string(out, f->constitution, strlen(f->constitution));
    if (st == CAI_OK)
        st = strbuf_adds(out, ",\"model\":");
    if (st == CAI_OK)
        st = json_write_string(out, f->model, strlen(f->model));
    if (st == CAI_OK)
        st = strbuf_adds(out, ",\"settings\":");
    if (st == CAI_OK)
        st = f->has_settings ? event_write_settings(out, &f->settings)
                             : strbuf_adds(out, "null");
    if (st == CAI_OK)
        st = strbuf_adds(out, ",\"undo\":");
    if (st == CAI_OK)
        st = write_stack(out, &f->undo);
    if (st == CAI_OK)
        st = strbuf_adds(out, ",\"redo\":");
    if (st == CAI_OK)
        st = write_stack(out, &f->redo);
    return st == CAI_OK ? strbuf_addc(out, '}') : st;
}

static enum cai_status misfit(char *err, size_t errlen)
{
    return err_set(CAI_CORRUPT, err, errlen, "the saved state does not fit this program");
}

/* Five numbers in an array; 0 when they are not. */
static int read_five(uint64_t v[5], const cJSON *row)
{
    const cJSON *item = cJSON_IsArray(row) ? row->child : NULL;
    int n = 0;

    for (; item && n < 5; item = item->next, n++) {
        if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0) ||
            item->valuedouble > 9007199254740992.0)
            return 0;
        v[n] = (uint64_t)item->valuedouble;
    }
    return n == 5 && !item;
}

static enum cai_status read_nodes(struct fold_chain *c, const cJSON *rows, char *err,
                                  size_t errlen)
{
    const cJSON *row;
    uint64_t v[5];

    cJSON_ArrayForEach(row, rows)
    {
        enum cai_status st = fold_reserve_node(c, err, errlen);
        if (st != CAI_OK)
            return st;
        if (!read_five(v, row) || v[0] >= c->next_node || v[1] >= v[0] ||
            v[4] > UINT32_MAX || (c->n_nodes && v[0] <= c->nodes[c->n_nodes - 1].id) ||
            (v[1] && !fold_node(c, (uint32_t)v[1])))
            return misfit(err, errlen);
        c->nodes[c->n_nodes++] = (struct fold_node){.id = (uint32_t)v[0],
                                                    .parent = (uint32_t)v[1],
                                                    .hidden_by = v[2],
                                                    .offset = v[3],
                                                    .line_len = (uint32_t)v[4]};
    }
    return CAI_OK;
}

static enum cai_status read_chains(struct fold *f, const cJSON *list, char *err,
                                   size_t errlen)
{
    const cJSON *doc;

    cJSON_ArrayForEach(doc, list)
    {
        enum cai_status st = fold_reserve_chain(f, err, errlen);
        struct fold_chain *c;
        uint64_t id, next;
        if (st != CAI_OK)
            return st;
        c = f->chains[f->n_chains];
        if (!json_u64(doc, "id", &id) || id >= f->next_chain || id == 0 ||
            !json_u64(doc, "next_node", &next) || next == 0 || next > UINT32_MAX ||
            !json_u64(doc, "prompt", &c->prompt) || c->prompt > f->max_text ||
            !json_u64(doc, "hidden_by", &c->hidden_by) ||
            (f->n_chains && id <= f->chains[f->n_chains - 1]->id))
            return misfit(err, errlen);
        c->id = (uint32_t)id;
        c->next_node = (uint32_t)next;
        f->n_chains++;
        st = read_nodes(c, json_get(doc, "nodes"), err, errlen);
        if (st != CAI_OK)
            return st;
    }
    fold_list_chains(f);
    return CAI_OK;
}

/* What an action names must be there: undo follows it without asking again. */
static int action_fits(const struct fold *f, const struct event *a)
{
    const struct fold_chain *c = a->chain ? fold_chain(f, a->chain) : NULL;

    return a->kind->is_action && (!a->chain || c) &&
           (!a->node || (c && fold_node(c, a->node)));
}

static enum cai_status read_stack(struct fold *f, struct fold_stack *s, const cJSON *list,
                                  char *err, size_t errlen)
{
    int n = cJSON_GetArraySize(list);
    const cJSON *doc;

    if (!cJSON_IsArray(list) || n > FOLD_UNDO_MAX)
        return misfit(err, errlen);
    while (s->cap < (size_t)n)
        s->cap = s->cap ? s->cap * 2 : 16;
    if (s->cap) {
        s->actions = mem_alloc(s->cap, sizeof *s->actions);
        if (!s->actions) {
            s->cap = 0;
            return err_nomem(err, errlen, "undo");
        }
    }
    cJSON_ArrayForEach(doc, list)
    {
        struct event *a = &s->actions[s->n++];
        enum cai_status st = event_read(a, doc, err, errlen);
        if (st != CAI_OK)
            return st;
        if (!json_u64(doc, "number", &a->seq) || !action_fits(f, a))
            return misfit(err, errlen);
    }
    return CAI_OK;
}

enum cai_status fold_read(struct fold *f, uint64_t seq, const cJSON *doc, char *err,
                          size_t errlen)
{
    const char *constitution = json_str(doc, "constitution");
    const char *model = json_str(doc, "model");
    const cJSON *settings = json_get(doc, "settings");
    uint64_t next;
    enum cai_status st;

    if (!constitution || !model || !json_u64(doc, "next_chain", &next) || next == 0 ||
        next > UINT32_MAX || !json_u64(doc, "texts", &f->max_text))
        return misfit(err, errlen);
    f->seq = seq;
    f->next_chain = (uint32_t)next;
    mem_free(f->constitution);
    mem_free(f->model);
    f->constitution = mem_strdup(constitution);
    f->model = mem_strdup(model);
    if (!f->constitution || !f->model)
        return err_nomem(err, errlen, "session");
    f->has_settings = cJSON_IsObject(settings);
    if (f->has_settings ? !event_read_settings(&f->settings, settings)
                        : !cJSON_IsNull(settings))
        return misfit(err, errlen);
    st = read_chains(f, json_get(doc, "chains"), err, errlen);
    if (st == CAI_OK)
        st = read_stack(f, &f->undo, json_get(doc, "undo"), err, errlen);
    if (st == CAI_OK)
        st = read_stack(f, &f->redo, json_get(doc, "redo"), err, errlen);
    return st;
}

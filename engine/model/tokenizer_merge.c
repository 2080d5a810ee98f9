/*
 * tokenizer_merge.c: encoding one stretch of text; see tokenizer_impl.h.
 *
 * Refuses files and tables (tokenizer.c). Works on one encoder; any thread, one each.
 */
#include "base/mem.h"
#include "model/tokenizer_impl.h"

#define NONE UINT32_MAX

/* Room for `want` elements, at least doubled, so that growing stays linear. */
static void *grow(void *p, size_t *cap, size_t want, size_t size)
{
    size_t n = *cap < 32 ? 64 : *cap * 2;

    if (n < want)
        n = want;
    p = mem_resize(p, n, size);
    if (p)
        *cap = n;
    return p;
}

int merge_begin(struct encoder *e, size_t n)
{
    e->n_sym = 0;
    e->n_heap = 0;
    if (n > e->cap_sym) {
        struct merge_symbol *p = grow(e->sym, &e->cap_sym, n, sizeof *p);
        if (!p)
            return 0;
        e->sym = p;
    }
    return 1;
}

void merge_add(struct encoder *e, uint32_t begin, uint32_t len, int32_t id)
{
    struct merge_symbol *s = &e->sym[e->n_sym];

    s->begin = begin;
    s->len = len;
    s->id = id;
    s->prev = e->n_sym ? (uint32_t)(e->n_sym - 1) : NONE;
    s->next = NONE;
    if (e->n_sym)
        e->sym[e->n_sym - 1].next = (uint32_t)e->n_sym;
    e->n_sym++;
}

static void sift_up(struct merge_pair *h, size_t i, struct merge_pair x)
{
    while (i && h[(i - 1) / 2].order > x.order) {
        h[i] = h[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    h[i] = x;
}

static struct merge_pair pop(struct encoder *e)
{
    struct merge_pair *h = e->heap, top = h[0], x = h[--e->n_heap];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < e->n_heap) {
        if (child + 1 < e->n_heap && h[child + 1].order < h[child].order)
            child++;
        if (h[child].order >= x.order)
            break;
        h[i] = h[child];
        i = child;
    }
    h[i] = x;
    return top;
}

/* Makes a candidate of symbol `left` and its right neighbour when they merge. */
static int offer(struct encoder *e, uint32_t left)
{
    const struct tokenizer *t = e->t;
    const struct merge_symbol *l = &e->sym[left], *r;
    struct merge_pair x;
    uint32_t key;

    if (left == NONE || l->next == NONE)
        return 1;
    r = &e->sym[l->next];
    x.len = l->len + r->len;
    if (t->spm) {
        x.id = token_map_find(t, &t->text, e->text + l->begin, x.len);
        if (x.id < 0)
            return 1;
        key = t->key[x.id];
    } else {
        const struct merge_rule *rule = merge_rule_find(t, l->id, r->id);
        if (!rule)
            return 1;
        x.id = rule->id;
        key = rule->rank;
    }
    x.order = (uint64_t)key << 32 | left;
    if (e->n_heap == e->cap_heap) {
        struct merge_pair *p = grow(e->heap, &e->cap_heap, e->n_heap + 1, sizeof *p);
        if (!p)
            return 0;
        e->heap = p;
    }
    sift_up(e->heap, e->n_heap++, x);
    return 1;
}

int merge_run(struct encoder *e)
{
    for (size_t i = 0; i + 1 < e->n_sym; i++)
        if (!offer(e, (uint32_t)i))
            return 0;
    while (e->n_heap) {
        struct merge_pair x = pop(e);
        uint32_t left = (uint32_t)x.order;
        struct merge_symbol *l = &e->sym[left], *r;

        /* Symbols only grow or die, so an equal sum means an unchanged pair. */
        if (l->len == 0 || l->next == NONE)
            continue;
        r = &e->sym[l->next];
        if (l->len + r->len != x.len)
            continue;
        l->len = x.len;
        l->id = x.id;
        r->len = 0;
        l->next = r->next;
        if (l->next != NONE)
            e->sym[l->next].prev = left;
        if (!offer(e, l->prev) || !offer(e, left))
            return 0;
    }
    return 1;
}

/* One piece of the pre-tokenizer. */
static enum cai_status bpe_piece(struct encoder *e, size_t begin, size_t end,
                                 size_t *bad_at)
{
    const struct tokenizer *t = e->t;

    if (t->pre->ignore_merges) {
        int32_t id = token_map_find(t, &t->text, e->text + begin, end - begin);
        if (id >= 0) {
            e->ids[e->n_ids++] = id;
            return CAI_OK;
        }
    }
    if (!merge_begin(e, end - begin))
        return CAI_NOMEM;
    for (size_t i = begin; i < end; i++) {
        int32_t id = t->byte_id[(unsigned char)e->text[i]];
        if (id < 0) {
            *bad_at = i;
            return CAI_UNSUPPORTED;
        }
        merge_add(e, (uint32_t)i, 1, id);
    }
    if (!merge_run(e))
        return CAI_NOMEM;
    for (uint32_t i = 0; i != NONE; i = e->sym[i].next)
        e->ids[e->n_ids++] = e->sym[i].id;
    return CAI_OK;
}

enum cai_status bpe_encode(struct encoder *e, size_t begin, size_t end, size_t *bad_at)
{
    enum cai_status st = CAI_OK;
    size_t n, n_ends, from = begin, *ends;
    struct pre_char *c = mem_alloc(end - begin, sizeof *c);

    ends = mem_alloc(end - begin, sizeof *ends);
    if (!c || !ends) {
        st = CAI_NOMEM;
        goto out;
    }
    n = pre_decode(c, e->text + begin, end - begin);
    n_ends = pre_split(e->t->pre, c, n, ends);
    for (size_t i = 0; i < n_ends && st == CAI_OK; i++) {
        size_t to = ends[i] < n ? begin + c[ends[i]].at : end;
        st = bpe_piece(e, from, to, bad_at);
        from = to;
    }
out:
    mem_free(c);
    mem_free(ends);
    return st;
}

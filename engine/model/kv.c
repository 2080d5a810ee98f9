/* kv.c: see kv.h. */
#include "model/kv.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

static size_t head_floats(const struct kv_pool *p)
{
    return (p->k_dim + p->v_dim) * KV_PAGE_TOKENS;
}

static size_t page_floats(const struct kv_pool *p)
{
    return p->n_layers * p->n_heads * head_floats(p);
}

struct kv_page *kv_take(struct kv_pool *p)
{
    struct kv_page *page = p->free;

    if (page) {
        p->free = page->next;
        p->n_free--;
    } else {
        if (p->n_pages == p->max_pages)
            return NULL;
        page = mem_alloc(1, sizeof *page);
        if (!page)
            return NULL;
        page->data = mem_aligned(64, page_floats(p) * sizeof(float));
        if (!page->data) {
            mem_free(page);
            return NULL;
        }
        p->n_pages++;
    }
    page->next = NULL;
    page->refs = 1;
    return page;
}

struct kv_page *kv_copy(struct kv_pool *p, const struct kv_page *src)
{
    struct kv_page *page = kv_take(p);
    if (page)
        memcpy(page->data, src->data, page_floats(p) * sizeof(float));
    return page;
}

void kv_ref(struct kv_page *page)
{
    page->refs++;
}

void kv_drop(struct kv_pool *p, struct kv_page *page)
{
    assert(page->refs > 0);
    if (--page->refs)
        return;
    page->next = p->free;
    p->free = page;
    p->n_free++;
}

size_t kv_room(const struct kv_pool *p)
{
    return p->max_pages - p->n_pages + p->n_free;
}

void kv_clear(struct kv_pool *p)
{
    while (p->free) {
        struct kv_page *page = p->free;
        p->free = page->next;
        mem_free(page->data);
        mem_free(page);
        p->n_pages--;
        p->n_free--;
    }
}

float *kv_keys(const struct kv_pool *p, const struct kv_page *page, size_t layer,
               size_t head)
{
    return page->data + (layer * p->n_heads + head) * head_floats(p);
}

float *kv_values(const struct kv_pool *p, const struct kv_page *page, size_t layer,
                 size_t head)
{
    return kv_keys(p, page, layer, head) + p->k_dim * KV_PAGE_TOKENS;
}

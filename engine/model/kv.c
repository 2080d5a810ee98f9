/* kv.c: see kv.h. */
#include "model/kv.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

enum { SLAB_PAGES = 16 };

struct kv_slab {
    struct matrix_arena memory;
    struct kv_page *pages; /* (SLAB_PAGES or fewer) */
    struct kv_slab *next;
};

static size_t head_floats(const struct kv_pool *p)
{
    return (p->k_dim + p->v_dim) * KV_PAGE_TOKENS;
}

static size_t page_floats(const struct kv_pool *p)
{
    return p->n_layers * p->n_heads * head_floats(p);
}

/* Maps SLAB_PAGES more pages and puts them on the free list, lowest first. */
static int add_slab(struct kv_pool *p)
{
    struct kv_slab *slab = mem_alloc(1, sizeof *slab);
    size_t page_bytes = page_floats(p) * sizeof(float), n = p->max_pages - p->n_pages;

    if (n > SLAB_PAGES)
        n = SLAB_PAGES;
    if (slab)
        slab->pages = mem_alloc(n, sizeof *slab->pages);
    if (!slab || !slab->pages ||
        matrix_arena_init(&slab->memory, n * page_bytes, NULL, 0) != CAI_OK) {
        if (slab)
            mem_free(slab->pages);
        mem_free(slab);
        return 0;
    }
    slab->next = p->slabs;
    p->slabs = slab;
    for (size_t i = n; i-- > 0;) {
        struct kv_page *page = slab->pages + i;
        page->data = (float *)(void *)(slab->memory.base + i * page_bytes);
        page->next = p->free;
        p->free = page;
    }
    p->n_free += n;
    p->n_pages += n;
    return 1;
}

struct kv_page *kv_take(struct kv_pool *p)
{
    struct kv_page *page;

    if (!p->free && (p->n_pages == p->max_pages || !add_slab(p)))
        return NULL;
    page = p->free;
    p->free = page->next;
    p->n_free--;
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
    assert(p->n_free == p->n_pages);
    while (p->slabs) {
        struct kv_slab *slab = p->slabs;
        p->slabs = slab->next;
        matrix_arena_free(&slab->memory);
        mem_free(slab->pages);
        mem_free(slab);
    }
    p->free = NULL;
    p->n_pages = p->n_free = 0;
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

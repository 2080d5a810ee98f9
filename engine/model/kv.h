/*
 * kv.h: pages of keys and values, counted by reference.
 *
 * A page holds 16 positions of every layer and key-value head: keys interleaved as
 * [k_dim][16], so that a register is 16 positions of one dimension, then values as
 * [16][v_dim]; fp32. Sequences are lists of pages (forward.h); a page that several of
 * them hold is never written.
 *
 * Thread: belongs to its context.
 */
#ifndef MODEL_KV_H
#define MODEL_KV_H

#include <stddef.h>

#include "model/kernel.h"

enum { KV_PAGE_TOKENS = 16 };

struct kv_page {
    float *data;
    unsigned refs;
    struct kv_page *next; /* in the list of free pages */
};

struct kv_slab; /* several pages in one huge-page backed mapping */

struct kv_pool {
    size_t n_layers, n_heads, k_dim, v_dim;
    size_t max_pages, n_pages; /* mapped so far, free ones included */
    size_t n_free;
    struct kv_page *free;
    struct kv_slab *slabs;
};

/* A page with one reference; contents undefined but finite on first use. NULL when
 * max_pages are in use or memory is out (kv_room() tells which). */
struct kv_page *kv_take(struct kv_pool *p);
/* A page of its own with the same contents. NULL as above. */
struct kv_page *kv_copy(struct kv_pool *p, const struct kv_page *src);
void kv_ref(struct kv_page *page);
void kv_drop(struct kv_pool *p, struct kv_page *page);
/* Pages that can still be taken. */
size_t kv_room(const struct kv_pool *p);
/* Frees all pages; call when all are dropped. */
void kv_clear(struct kv_pool *p);

/* (k_dim, 16) and (16, v_dim) of a layer and key-value head. */
float *kv_keys(const struct kv_pool *p, const struct kv_page *page, size_t layer,
               size_t head);
float *kv_values(const struct kv_pool *p, const struct kv_page *page, size_t layer,
                 size_t head);

#endif

/*
 * mem.h: the one door to the heap of the engine.
 *
 * Every allocation passes one hook, so that a test can fail the n-th one. Sizes come as
 * (count, size) and the product is overflow-checked. NULL means out of memory; the
 * engine turns it into CAI_NOMEM, never into an exit.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t count, size_t size); /* zeroed */
void *mem_resize(void *p, size_t count, size_t size);
void *mem_aligned(size_t align, size_t size); /* zeroed; free with mem_free */
void *mem_dup(const void *p, size_t len);
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t len); /* s may hold NUL; a NUL is added */
void mem_free(void *p);

/* a * b in *out; 0 when the product does not fit, 1 when it does. */
int mem_mul(size_t *out, size_t a, size_t b);

/* Test hook: the k-th allocation from now (1 = the next) fails; forever != 0: and every
 * later one. k = 0 switches it off. mem_test_count() counts allocations since then. */
void mem_test_fail(unsigned long k, int forever);
unsigned long mem_test_count(void);

#endif

/* mem.c: see mem.h. Any thread; the test hook is meant for one. */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static atomic_ulong alloc_count;
static atomic_ulong fail_at;
static atomic_int fail_forever;

void mem_test_fail(unsigned long k, int forever)
{
    atomic_store(&alloc_count, 0);
    atomic_store(&fail_forever, forever);
    atomic_store(&fail_at, k);
}

unsigned long mem_test_count(void)
{
    return atomic_load(&alloc_count);
}

static int must_fail(void)
{
    unsigned long n = atomic_fetch_add(&alloc_count, 1) + 1;
    unsigned long k = atomic_load(&fail_at);
    return k && (n == k || (n > k && atomic_load(&fail_forever)));
}

int mem_mul(size_t *out, size_t a, size_t b)
{
    return !__builtin_mul_overflow(a, b, out);
}

void *mem_alloc(size_t count, size_t size)
{
    size_t total;
    if (!mem_mul(&total, count, size) || must_fail())
        return NULL;
    return calloc(1, total ? total : 1);
}

void *mem_resize(void *p, size_t count, size_t size)
{
    size_t total;
    if (!mem_mul(&total, count, size) || must_fail())
        return NULL;
    return realloc(p, total ? total : 1);
}

void *mem_aligned(size_t align, size_t size)
{
    void *p;
    if (size > SIZE_MAX - align || must_fail())
        return NULL;
    size = (size + align - 1) / align * align;
    p = aligned_alloc(align, size ? size : align);
    if (p)
        memset(p, 0, size);
    return p;
}

void *mem_dup(const void *src, size_t len)
{
    void *p = mem_alloc(len, 1);
    if (p && len)
        memcpy(p, src, len);
    return p;
}

char *mem_strndup(const char *s, size_t len)
{
    char *p = len == SIZE_MAX ? NULL : mem_alloc(len + 1, 1);
    if (p && len)
        memcpy(p, s, len);
    return p;
}

char *mem_strdup(const char *s)
{
    return mem_strndup(s, strlen(s));
}

void mem_free(void *p)
{
    free(p);
}

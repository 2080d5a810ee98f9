/*
 * fuzz_gguf.c: any file for the GGUF reader. What it accepts must lie inside the file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "model/gguf.h"

static void must(int ok)
{
    if (!ok)
        abort();
}

static void inside(const struct gguf *g, const void *data, size_t len)
{
    const char *map = gguf_map(g), *p = data;
    must(p >= map && len <= gguf_file_bytes(g) &&
         (size_t)(p - map) <= gguf_file_bytes(g) - len);
}

static void check_values(const struct gguf *g)
{
    static const char *const keys[] = {"a.string", "a.number", "a.list", "a.names",
                                       "general.alignment"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct gguf_array a;
        struct gguf_str s;
        uint64_t u;
        double x;
        int b;
        gguf_get_u64(g, keys[i], &u);
        gguf_get_f64(g, keys[i], &x);
        gguf_get_bool(g, keys[i], &b);
        if (gguf_get_str(g, keys[i], &s))
            inside(g, s.data, s.len);
        if (!gguf_get_array(g, keys[i], &a))
            continue;
        must(a.type != GGUF_ARRAY);
        for (size_t k = 0; k < a.n; k++) {
            if (a.type == GGUF_STRING)
                inside(g, a.strings[k].data, a.strings[k].len);
            else
                (void)gguf_array_num(&a, k);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char err[ERR_MAX] = "", path[64];
    struct gguf *g = NULL;
    int fd = memfd_create("fuzz_gguf", 0);

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    must(fd >= 0 && write(fd, data, len) == (ssize_t)len);
    if (gguf_open(&g, path, err, sizeof err) != CAI_OK) {
        must(!g && err[0]);
    } else {
        must(gguf_file_bytes(g) == len);
        check_values(g);
        for (size_t i = 0; i < gguf_n_tensors(g); i++) {
            const struct gguf_tensor *t = gguf_tensor_at(g, i);
            char name[64] = "";
            inside(g, t->data, t->bytes);
            inside(g, t->name.data, t->name.len);
            must(t->type && t->name.len < sizeof name);
            must(quant_row_bytes(t->type, t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3]) ==
                 t->bytes);
            memcpy(name, t->name.data, t->name.len);
            if (strlen(name) == t->name.len)
                must(gguf_tensor_find(g, name) == t);
        }
    }
    gguf_close(g);
    close(fd);
    return 0;
}

#include "fuzz_main.h"

#ifndef FUZZ_LIBFUZZER
static uint8_t *at;

static void put(const void *data, size_t len)
{
    memcpy(at, data, len);
    at += len;
}

static void u32(uint32_t x)
{
    put(&x, sizeof x);
}

static void u64(uint64_t x)
{
    put(&x, sizeof x);
}

static void str(const char *s)
{
    u64(strlen(s));
    put(s, strlen(s));
}

/* Five keys and two tensors, one quantised. */
static size_t fuzz_example(uint8_t *buf, size_t max, uint32_t i)
{
    (void)max;
    at = buf;
    put("GGUF", 4);
    u32(2 + i % 2);
    u64(2);
    u64(5);
    str("a.string");
    u32(GGUF_STRING);
    str("text");
    str("a.number");
    u32(GGUF_U64);
    u64(i);
    str("a.list");
    u32(GGUF_ARRAY);
    u32(GGUF_I32);
    u64(3);
    for (uint32_t k = 0; k < 3; k++)
        u32(k - 1);
    str("a.names");
    u32(GGUF_ARRAY);
    u32(GGUF_STRING);
    u64(2);
    str("x");
    str("");
    str("general.alignment");
    u32(GGUF_U32);
    u32(32);
    str("norm");
    u32(1);
    u64(8);
    u32(0); /* F32 */
    u64(0);
    str("matrix");
    u32(2);
    u64(32);
    u64(2);
    u32(3); /* Q4_1, 20 bytes a block */
    u64(32);
    while ((at - buf) % 32)
        *at++ = 0;
    memset(at, 1, 32 + 40);
    at += 32 + 40;
    while ((at - buf) % 32)
        *at++ = 0;
    return (size_t)(at - buf);
}
#endif

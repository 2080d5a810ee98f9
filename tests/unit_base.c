/*
 * unit_base.c: the base room: memory, buffers, UTF-8, JSON, random numbers, hashes,
 * errors, threads, files.
 */
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/strbuf.h"
#include "base/thread.h"
#include "base/utf8.h"

static char err[ERR_MAX];

/* ------------------------------------------------------------------ memory */

static void mem_products(void **state)
{
    size_t x = 0;

    (void)state;
    assert_true(mem_mul(&x, SIZE_MAX / 2, 2));
    assert_int_equal(x, SIZE_MAX - 1);
    assert_false(mem_mul(&x, SIZE_MAX / 2 + 1, 2));
    assert_true(mem_mul(&x, 0, SIZE_MAX));
    assert_null(mem_alloc(SIZE_MAX / 2 + 1, 2));
    assert_null(mem_resize(NULL, SIZE_MAX / 4, 8));
    assert_null(mem_aligned(64, SIZE_MAX - 3));
    assert_null(mem_strndup("x", SIZE_MAX));
    mem_free(NULL);
}

static void mem_basics(void **state)
{
    char *p = mem_alloc(100, 1), *zero, *q;

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(p[i], 0);
    mem_free(p);
    zero = mem_alloc(0, 8);
    assert_non_null(zero);
    zero = mem_resize(zero, 0, 8);
    assert_non_null(zero);
    mem_free(zero);
    p = mem_aligned(64, 65);
    assert_int_equal((uintptr_t)p % 64, 0);
    assert_int_equal(p[64], 0);
    mem_free(p);
    p = mem_strndup("a\0b", 3);
    assert_memory_equal(p, "a\0b", 4);
    mem_free(p);
    q = mem_dup("xy", 2);
    assert_memory_equal(q, "xy", 2);
    mem_free(q);
}

static void mem_failing(void **state)
{
    void *a, *b;

    (void)state;
    mem_test_fail(2, 0);
    a = mem_alloc(1, 1);
    assert_non_null(a);
    assert_null(mem_alloc(1, 1));
    b = mem_resize(NULL, 1, 1);
    assert_non_null(b);
    assert_int_equal(mem_test_count(), 3);
    mem_test_fail(1, 1);
    assert_null(mem_alloc(1, 1));
    assert_null(mem_strdup("x"));
    assert_null(mem_aligned(16, 1));
    mem_test_fail(0, 0);
    mem_free(a);
    mem_free(b);
}

/* ------------------------------------------------------------------ buffers */

static void strbuf_limits(void **state)
{
    struct strbuf b = STRBUF_INIT(5);
    size_t len;
    char *p;

    (void)state;
    assert_string_equal(strbuf_str(&b), "");
    assert_int_equal(strbuf_adds(&b, "1234"), CAI_OK);
    assert_int_equal(strbuf_adds(&b, "56"), CAI_LIMIT);
    assert_string_equal(b.data, "1234"); /* all or nothing */
    assert_int_equal(strbuf_addf(&b, "%d", 56), CAI_LIMIT);
    assert_string_equal(b.data, "1234");
    assert_int_equal(strbuf_addf(&b, "%d", 5), CAI_OK);
    assert_int_equal(strbuf_addc(&b, '6'), CAI_LIMIT);
    assert_int_equal(strbuf_add(&b, NULL, 0), CAI_OK);
    assert_int_equal(strbuf_reserve(&b, SIZE_MAX), CAI_LIMIT);
    assert_string_equal(b.data, "12345");
    strbuf_reset(&b);
    assert_string_equal(strbuf_str(&b), "");
    assert_int_equal(strbuf_add(&b, "\0x", 2), CAI_OK);
    p = strbuf_take(&b, &len);
    assert_int_equal(len, 2);
    assert_memory_equal(p, "\0x", 3);
    mem_free(p);
    assert_null(b.data);
    p = strbuf_take(&b, &len);
    assert_string_equal(p, "");
    assert_int_equal(len, 0);
    mem_free(p);
    strbuf_free(&b);
}

static void strbuf_unlimited_does_not_wrap(void **state)
{
    struct strbuf b = STRBUF_INIT(SIZE_MAX);

    (void)state;
    assert_int_equal(strbuf_reserve(&b, SIZE_MAX), CAI_NOMEM);
    assert_int_equal(strbuf_adds(&b, "x"), CAI_OK);
    strbuf_free(&b);
}

static void strbuf_out_of_memory(void **state)
{
    struct strbuf b = STRBUF_INIT(1000);
    char long_text[300];

    (void)state;
    memset(long_text, 'y', sizeof long_text);
    assert_int_equal(strbuf_adds(&b, "x"), CAI_OK);
    mem_test_fail(1, 0);
    assert_int_equal(strbuf_add(&b, long_text, sizeof long_text), CAI_NOMEM);
    mem_test_fail(0, 0);
    assert_string_equal(b.data, "x");
    for (int i = 0; i < 999; i++)
        assert_int_equal(strbuf_addc(&b, 'z'), CAI_OK);
    assert_int_equal(b.len, 1000);
    assert_int_equal(strlen(b.data), 1000);
    strbuf_free(&b);
}

/* ------------------------------------------------------------------ UTF-8 */

static void utf8_every_code_point(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp < 0x110100; cp++) {
        char s[4];
        uint32_t back = 0;
        size_t n = utf8_encode(s, cp);
        if ((cp >= 0xD800 && cp <= 0xDFFF) || cp > 0x10FFFF) {
            assert_int_equal(n, 0);
            continue;
        }
        assert_int_equal(n, cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4);
        assert_int_equal(utf8_decode(&back, s, n), n);
        assert_int_equal(back, cp);
        for (size_t cut = 0; cut < n; cut++) {
            assert_int_equal(utf8_decode(&back, s, cut), 0);
            if (cut) { /* still arriving: held back */
                assert_int_equal(utf8_whole(s, cut), 0);
                assert_int_equal(utf8_invalid_at(s, cut), 0);
            }
        }
        assert_int_equal(utf8_whole(s, n), n);
    }
}

/* Every sequence of two bytes, and of three and four with the border values: accepted
 * only when encoding what was decoded gives the bytes again. */
static void utf8_every_short_sequence(void **state)
{
    static const unsigned char border[] = {0x00, 0x7F, 0x80, 0x8F, 0x90,
                                           0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
    char s[4], again[4];
    uint32_t cp;
    size_t n, valid = 0;

    (void)state;
    for (int a = 0; a < 256; a++)
        for (int b = 0; b < 256; b++)
            for (size_t k = 0; k < 100; k++) {
                s[0] = (char)a;
                s[1] = (char)b;
                s[2] = (char)border[k / 10];
                s[3] = (char)border[k % 10];
                n = utf8_decode(&cp, s, 4);
                if (n == 0)
                    continue;
                assert_int_equal(utf8_encode(again, cp), n);
                assert_memory_equal(s, again, n);
                valid++;
            }
    assert_true(valid > 0);
    /* overlong, surrogate, too large, lone continuation */
    assert_int_equal(utf8_decode(&cp, "\xC0\x80", 2), 0);
    assert_int_equal(utf8_decode(&cp, "\xC1\xBF", 2), 0);
    assert_int_equal(utf8_decode(&cp, "\xE0\x9F\xBF", 3), 0);
    assert_int_equal(utf8_decode(&cp, "\xED\xA0\x80", 3), 0);
    assert_int_equal(utf8_decode(&cp, "\xF0\x8F\xBF\xBF", 4), 0);
    assert_int_equal(utf8_decode(&cp, "\xF4\x90\x80\x80", 4), 0);
    assert_int_equal(utf8_decode(&cp, "\x80", 1), 0);
    assert_int_equal(utf8_decode(&cp, "", 0), 0);
}

static void utf8_borders(void **state)
{
    (void)state;
    assert_int_equal(utf8_invalid_at("abc", 3), 3);
    assert_int_equal(utf8_invalid_at("ab\xFF"
                                     "c",
                                     4),
                     2);
    assert_int_equal(utf8_invalid_at("\xC3\xA9\xC3", 3), 2);
    assert_int_equal(utf8_invalid_at("a\0b", 3), 3);
    assert_int_equal(utf8_whole("", 0), 0);
    assert_int_equal(utf8_whole("ab\xF0\x9F\x99", 5), 2);
    assert_int_equal(utf8_whole("ab\xF0\x9F\x99\x82", 6), 6);
    assert_int_equal(utf8_whole("ab\xFF", 3), 3); /* never a start: nothing to wait for */
    assert_int_equal(utf8_whole("\x80\x80\x80\x80", 4), 4);
}

/* ------------------------------------------------------------------ JSON */

static void check_bad(const char *text, size_t len, enum cai_status want,
                      const char *says)
{
    cJSON *doc = NULL;
    enum cai_status st = json_parse(&doc, text, len, err, sizeof err);

    if (st != want || !strstr(err, says))
        fail_msg("%s: %s \"%s\"; expected %s \"%s\"", text, cai_status_name(st), err,
                 cai_status_name(want), says);
    assert_null(doc);
}

static void json_refusals(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "byte 0"},
        {" ", "not valid JSON"},
        {"{", "not valid JSON"},
        {"[1,]", "not valid JSON"},
        {"{\"a\":1,}", "not valid JSON"},
        {"{a:1}", "not valid JSON"},
        {"'a'", "not valid JSON"},
        {"nul", "not valid JSON"},
        {"NaN", "not valid JSON"},
        {"1 2", "byte 2: text after the JSON document"},
        {"{} x", "byte 3: text after the JSON document"},
        {"\"a\xFF\"", "byte 2: not valid UTF-8"},
        {"\"\\ud800\"", "not valid JSON"},
        {"\"\\udc00x\"", "not valid JSON"},
        {"\"\\u12\"", "not valid JSON"},
        {"\"\\x\"", "not valid JSON"},
        {"{\"a\":1,\"a\":2}", "key \"a\" appears twice"},
        {"[{\"k\":{\"b\":1,\"c\":2,\"b\":3}}]", "key \"b\" appears twice"},
        {"{\"a\":1,\"\\u0061\":2}", "key \"a\" appears twice"},
        {"\"a\nb\"", "byte 2: control character 0x0a"},
        {"\x01{}", "byte 0: control character 0x01"},
        {"\"a\\u0000b\"", "byte 2: a NUL character"},
        {"\"\\\\\\u0000\"", "byte 3: a NUL character"},
    };
    struct strbuf deep = STRBUF_INIT(1 << 20);
    cJSON *doc;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_bad(rows[i].text, strlen(rows[i].text), CAI_PARSE, rows[i].says);
    check_bad("\"a\0b\"", 5, CAI_PARSE, "byte 2: control character 0x00");
    check_bad("{}\0", 3, CAI_PARSE, "byte 2: control character 0x00");
    assert_int_equal(json_parse(&doc, "\"\\\\u0000\"", 9, err, sizeof err), CAI_OK);
    assert_string_equal(doc->valuestring, "\\u0000"); /* an escaped backslash */
    cJSON_Delete(doc);
    for (int i = 0; i < 66; i++)
        assert_int_equal(strbuf_addc(&deep, '['), CAI_OK);
    for (int i = 0; i < 66; i++)
        assert_int_equal(strbuf_addc(&deep, ']'), CAI_OK);
    check_bad(deep.data, deep.len, CAI_LIMIT, "nested deeper than 64");
    assert_int_equal(json_parse(&doc, deep.data + 1, deep.len - 2, err, sizeof err),
                     CAI_OK);
    cJSON_Delete(doc);
    strbuf_reset(&deep);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(strbuf_addc(&deep, '['), CAI_OK);
    check_bad(deep.data, deep.len, CAI_PARSE, "not valid JSON");
    strbuf_free(&deep);
}

static void json_reading(void **state)
{
    static const char text[] = "{\"s\":\"t\",\"S\":\"T\",\"n\":1.5,\"big\":1e999,\"t\":"
                               "true,\"u\":9007199254740992,"
                               "\"v\":9007199254740994,\"neg\":-1,\"null\":null}";
    cJSON *doc;
    uint64_t u = 7;

    (void)state;
    assert_int_equal(json_parse(&doc, text, sizeof text - 1, err, sizeof err), CAI_OK);
    assert_string_equal(json_str(doc, "s"), "t");
    assert_string_equal(json_str(doc, "S"), "T");
    assert_null(json_str(doc, "n"));
    assert_null(json_str(doc, "none"));
    assert_float_equal(json_num(doc, "n", 0), 1.5, 0);
    assert_float_equal(json_num(doc, "big", 3), 3, 0);
    assert_float_equal(json_num(doc, "s", 4), 4, 0);
    assert_true(json_bool(doc, "t", 0));
    assert_true(json_bool(doc, "n", 1));
    assert_true(json_u64(doc, "u", &u));
    assert_true(u == 9007199254740992u);
    assert_false(json_u64(doc, "v", &u));
    assert_false(json_u64(doc, "neg", &u));
    assert_false(json_u64(doc, "n", &u));
    assert_false(json_u64(doc, "big", &u));
    assert_true(cJSON_IsNull(json_get(doc, "null")));
    cJSON_Delete(doc);
}

/* The texts are what Python's json.dumps writes with indent=2, sort_keys=True and
 * ensure_ascii=False. */
static void json_canonical(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"{}", "{}\n"},
        {"[]", "[]\n"},
        {"{\"b\":1,\"a\":[1,-2,{}],\"\xC3\xA9\":null,\"Z\":false}",
         "{\n  \"Z\": false,\n  \"a\": [\n    1,\n    -2,\n    {}\n  ],\n  \"b\": 1,\n"
         "  \"\xC3\xA9\": null\n}\n"},
        {"\"\\b\\t\\n\\u000b\\f\\r\\u001f\\\"\\\\/\x7F\\u00e9\\ud83d\\ude42\"",
         "\"\\b\\t\\n\\u000b\\f\\r\\u001f\\\"\\\\/\x7F\xC3\xA9\xF0\x9F\x99\x82\"\n"},
        {"9007199254740991", "9007199254740991\n"},
        {"0.1", "0.1\n"},
        {"-1234.5678", "-1234.5678\n"},
        {"0.30000000000000004", "0.30000000000000004\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct strbuf b = STRBUF_INIT(1000), c = STRBUF_INIT(1000);
        cJSON *doc;
        assert_int_equal(json_parse(&doc, rows[i].in, strlen(rows[i].in), err,
                                    sizeof err),
                         CAI_OK);
        assert_int_equal(json_write_canonical(&b, doc), CAI_OK);
        assert_string_equal(b.data, rows[i].out);
        cJSON_Delete(doc);
        /* writing again what was written changes nothing */
        assert_int_equal(json_parse(&doc, b.data, b.len, err, sizeof err), CAI_OK);
        assert_int_equal(json_write_canonical(&c, doc), CAI_OK);
        assert_string_equal(c.data, b.data);
        cJSON_Delete(doc);
        strbuf_free(&b);
        strbuf_free(&c);
    }
}

static void json_numbers_come_back(void **state)
{
    struct rng_stream s = rng_stream_make(1, RNG_TEST, 0, 0);

    (void)state;
    for (uint32_t i = 0; i < 20000; i++) {
        struct strbuf b = STRBUF_INIT(100);
        uint64_t bits = (uint64_t)rng_u32(&s, i, 0) << 32 | rng_u32(&s, i, 1);
        double x, y;
        cJSON *v;
        memcpy(&x, &bits, sizeof x);
        if (!isfinite(x))
            continue;
        v = cJSON_CreateNumber(x);
        assert_int_equal(json_write_canonical(&b, v), CAI_OK);
        cJSON_Delete(v);
        y = strtod(b.data, NULL);
        assert_memory_equal(&x, &y, sizeof x);
        strbuf_free(&b);
    }
}

static void json_limits_and_memory(void **state)
{
    static const char text[] = "{\"a\":[1,{\"b\":\"c\"}],\"d\":\"e\"}";
    struct strbuf b = STRBUF_INIT(10);
    cJSON *doc = NULL;
    unsigned long k;

    (void)state;
    assert_int_equal(json_parse(&doc, text, sizeof text - 1, err, sizeof err), CAI_OK);
    assert_int_equal(json_write_canonical(&b, doc), CAI_LIMIT);
    cJSON_Delete(doc);
    strbuf_free(&b);
    for (k = 1;; k++) {
        enum cai_status st;
        mem_test_fail(k, 0);
        st = json_parse(&doc, text, sizeof text - 1, err, sizeof err);
        if (mem_test_count() < k)
            break;
        assert_int_equal(st, CAI_NOMEM);
        assert_null(doc);
    }
    mem_test_fail(0, 0);
    assert_true(k > 8);
    cJSON_Delete(doc);
}

/* ------------------------------------------------------------------ random numbers */

static void philox_known_answers(void **state)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } rows[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t out[4];
        rng_philox(out, rows[i].counter, rows[i].key);
        assert_memory_equal(out, rows[i].out, sizeof out);
    }
}

/* Every part of the address matters, and a number does not depend on others. */
static void rng_addresses(void **state)
{
    struct rng_stream a = rng_stream_make(1, RNG_CRITIQUE, 2, 3), b;
    uint32_t block[4], first = rng_u32(&a, 4, 5);
    double sum = 0, x;

    (void)state;
    b = rng_stream_make(2, RNG_CRITIQUE, 2, 3);
    assert_true(rng_u32(&b, 4, 5) != first);
    b = rng_stream_make(1ull << 32 | 1, RNG_CRITIQUE, 2, 3);
    assert_true(rng_u32(&b, 4, 5) != first);
    b = rng_stream_make(1, RNG_REVISION, 2, 3);
    assert_true(rng_u32(&b, 4, 5) != first);
    b = rng_stream_make(1, RNG_CRITIQUE, 3, 3);
    assert_true(rng_u32(&b, 4, 5) != first);
    b = rng_stream_make(1, RNG_CRITIQUE, 2, 4);
    assert_true(rng_u32(&b, 4, 5) != first);
    assert_true(rng_u32(&a, 5, 5) != first);
    assert_true(rng_u32(&a, 4, 6) != first);
    rng_block(block, &a, 4, 1);
    assert_int_equal(block[1], first);
    for (uint32_t i = 0; i < 10000; i++) {
        x = rng_unit(&a, i, 0);
        assert_true(x >= 0 && x < 1);
        sum += x;
    }
    assert_float_equal(sum / 10000, 0.5, 0.01); /* 3.5 standard errors */
}

/* ------------------------------------------------------------------ hashes, errors */

static void hashes(void **state)
{
    char hex[HASH_HEX_LEN + 1], *million = mem_alloc(1000000, 1);

    (void)state;
    hash_hex(hex, "", 0);
    assert_string_equal(
        hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hash_hex(hex, "abc", 3);
    assert_string_equal(
        hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    memset(million, 'a', 1000000);
    hash_hex(hex, million, 1000000);
    assert_string_equal(
        hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    mem_free(million);
    assert_true(hash_crc32("123456789", 9) == 0xCBF43926u);
    assert_true(hash_crc32("", 0) == 0);
    assert_true(hash_crc32_more(hash_crc32("1234", 4), "56789", 5) == 0xCBF43926u);
}

static void error_messages(void **state)
{
    char small[10];

    (void)state;
    assert_int_equal(err_set(CAI_BUSY, small, sizeof small, "%s", "123456789"), CAI_BUSY);
    assert_string_equal(small, "123456789");
    err_set(CAI_BUSY, small, sizeof small, "%s", "1234567890");
    assert_string_equal(small, "123456...");
    err_set(CAI_BUSY, small, sizeof small, "%s", "12345\xC3\xA9\xC3\xA9\xC3\xA9");
    assert_string_equal(small, "12345..."); /* no half character */
    assert_int_equal(err_set(CAI_IO, NULL, 0, "x"), CAI_IO);
    err_set(CAI_IO, err, sizeof err, "no such key");
    err_prefix(err, sizeof err, "a.json");
    assert_string_equal(err, "a.json: no such key");
    err_prefix(NULL, 0, "x");
    for (enum cai_status st = CAI_OK; st <= CAI_LIMIT; st++)
        assert_string_not_equal(cai_status_name(st), "unknown");
    assert_string_equal(cai_status_name((enum cai_status)99), "unknown");
}

static void clock_hook(void **state)
{
    int64_t fixed = 5000000, before;

    (void)state;
    clock_test_set(&fixed);
    assert_int_equal(clock_mono_us(), 5000000);
    assert_int_equal(clock_wall_ms(), 5000);
    clock_test_set(NULL);
    before = clock_mono_us();
    assert_true(clock_mono_us() >= before);
    assert_true(clock_wall_ms() > 1577836800000); /* 2020 */
}

/* ------------------------------------------------------------------ files */

static char dir[64];

static int files_setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/unit_base.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int files_teardown(void **state)
{
    char command[128];
    (void)state;
    file_ops_set(NULL);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static const char *in_dir(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

/* Which call fails next, and with what. */
static struct {
    int n_writes, n_fsyncs, n_renames, n_closes; /* the call of this number fails */
    int short_writes;                            /* a byte at a time, EINTR between */
    int code;
} faults;

static int due(int *n)
{
    if (*n == 0 || --*n > 0)
        return 0;
    errno = faults.code;
    return 1;
}

static ssize_t faulty_write(int fd, const void *data, size_t len)
{
    static int turn;
    if (due(&faults.n_writes))
        return -1;
    if (faults.short_writes && turn++ % 2) {
        errno = EINTR;
        return -1;
    }
    return write(fd, data, faults.short_writes && len > 1 ? 1 : len);
}

static int faulty_fsync(int fd)
{
    return due(&faults.n_fsyncs) ? -1 : fsync(fd);
}

static int faulty_rename(const char *from, const char *to)
{
    return due(&faults.n_renames) ? -1 : rename(from, to);
}

static int faulty_close(int fd)
{
    int fails = due(&faults.n_closes);
    close(fd);
    return fails ? -1 : 0;
}

static void check_content(const char *path, const char *want)
{
    struct strbuf b = STRBUF_INIT(1000);
    assert_int_equal(file_read(&b, path, err, sizeof err), CAI_OK);
    assert_string_equal(strbuf_str(&b), want);
    strbuf_free(&b);
}

static void *own_mask(void *arg)
{
    pthread_sigmask(SIG_BLOCK, NULL, arg);
    return NULL;
}

static void a_thread_takes_faults_and_no_other_signal(void **state)
{
    sigset_t mask;
    pthread_t thread;

    (void)state;
    assert_int_equal(thread_start(&thread, own_mask, &mask), 0);
    pthread_join(thread, NULL);
    assert_false(sigismember(&mask, SIGSEGV));
    assert_false(sigismember(&mask, SIGBUS));
    assert_true(sigismember(&mask, SIGINT));
    assert_true(sigismember(&mask, SIGXFSZ));
}

static void replacing_a_file(void **state)
{
    struct file_ops ops = file_ops_system;
    const char *path = in_dir("f");
    char tmp[300];

    (void)state;
    snprintf(tmp, sizeof tmp, "%s.tmp", path);
    ops.write = faulty_write;
    ops.fsync = faulty_fsync;
    ops.rename = faulty_rename;
    ops.close = faulty_close;
    file_ops_set(&ops);
    assert_int_equal(file_replace(path, "old", 3, err, sizeof err), CAI_OK);
    check_content(path, "old");
    faults.code = ENOSPC;
    for (int i = 0; i < 4; i++) {
        int *which[] = {&faults.n_writes, &faults.n_fsyncs, &faults.n_renames,
                        &faults.n_closes};
        *which[i] = 1;
        assert_int_equal(file_replace(path, "new", 3, err, sizeof err), CAI_IO);
        assert_non_null(strstr(err, "No space left on device"));
        assert_non_null(strstr(err, path));
        check_content(path, "old");
        assert_int_equal(access(tmp, F_OK), -1);
        memset(&faults.n_writes, 0, sizeof faults.n_writes);
    }
    faults.short_writes = 1;
    assert_int_equal(file_replace(path, "whole text", 10, err, sizeof err), CAI_OK);
    faults.short_writes = 0;
    check_content(path, "whole text");
    faults.n_fsyncs = 2; /* of the folder: the new file is there, but not surely */
    assert_int_equal(file_replace(path, "", 0, err, sizeof err), CAI_IO);
    check_content(path, "");
    file_ops_set(NULL);
    assert_ptr_equal(file_ops(), &file_ops_system);
}

static void reading_a_file(void **state)
{
    struct strbuf b = STRBUF_INIT(100001), small = STRBUF_INIT(99999);
    char *data = mem_alloc(100000, 1);

    (void)state;
    assert_int_equal(file_replace(in_dir("big"), data, 100000, err, sizeof err), CAI_OK);
    assert_int_equal(file_read(&b, in_dir("big"), err, sizeof err), CAI_OK);
    assert_int_equal(b.len, 100000);
    assert_int_equal(file_read(&small, in_dir("big"), err, sizeof err), CAI_LIMIT);
    assert_non_null(strstr(err, "larger than 99999 bytes"));
    assert_int_equal(file_read(&b, in_dir("none"), err, sizeof err), CAI_IO);
    assert_non_null(strstr(err, "No such file"));
    assert_int_equal(file_read(&b, dir, err, sizeof err), CAI_IO);
    mem_free(data);
    strbuf_free(&b);
    strbuf_free(&small);
}

static void making_folders(void **state)
{
    struct stat info;

    (void)state;
    assert_int_equal(file_make_dirs(in_dir("a/b/c"), err, sizeof err), CAI_OK);
    assert_int_equal(stat(in_dir("a/b/c"), &info), 0);
    assert_true(S_ISDIR(info.st_mode));
    assert_int_equal(file_make_dirs(in_dir("a/b/c/"), err, sizeof err), CAI_OK);
    assert_int_equal(file_make_dirs("/", err, sizeof err), CAI_OK);
    assert_int_equal(file_make_dirs("", err, sizeof err), CAI_INVALID);
    assert_int_equal(file_replace(in_dir("a/file"), "x", 1, err, sizeof err), CAI_OK);
    assert_int_equal(file_make_dirs(in_dir("a/file"), err, sizeof err), CAI_IO);
    assert_non_null(strstr(err, "not a folder"));
    assert_int_equal(file_make_dirs(in_dir("a/file/x"), err, sizeof err), CAI_IO);
    assert_non_null(strstr(err, "Not a directory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mem_products),
        cmocka_unit_test(mem_basics),
        cmocka_unit_test(mem_failing),
        cmocka_unit_test(strbuf_limits),
        cmocka_unit_test(strbuf_unlimited_does_not_wrap),
        cmocka_unit_test(strbuf_out_of_memory),
        cmocka_unit_test(utf8_every_code_point),
        cmocka_unit_test(utf8_every_short_sequence),
        cmocka_unit_test(utf8_borders),
        cmocka_unit_test(json_refusals),
        cmocka_unit_test(json_reading),
        cmocka_unit_test(json_canonical),
        cmocka_unit_test(json_numbers_come_back),
        cmocka_unit_test(json_limits_and_memory),
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(rng_addresses),
        cmocka_unit_test(hashes),
        cmocka_unit_test(error_messages),
        cmocka_unit_test(clock_hook),
        cmocka_unit_test(a_thread_takes_faults_and_no_other_signal),
        cmocka_unit_test_setup_teardown(replacing_a_file, files_setup, files_teardown),
        cmocka_unit_test_setup_teardown(reading_a_file, files_setup, files_teardown),
        cmocka_unit_test_setup_teardown(making_folders, files_setup, files_teardown),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * unit_gguf.c: the GGUF reader against hand-made files (G1), every truncation and every
 * flipped bit (G2), and mutated headers (G4) of the reliability guide.
 */
#include "testing.h"

#include <string.h>
#include <sys/mman.h>

#include "base/rng.h"
#include "base/strbuf.h"
#include "model/gguf.h"

static char path[32]; /* of a file in memory: tens of thousands are written */
static int path_fd;

static int setup(void **state)
{
    (void)state;
    path_fd = memfd_create("unit_gguf", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", path_fd);
    return path_fd < 0;
}

static int teardown(void **state)
{
    (void)state;
    close(path_fd);
    return 0;
}

static void write_bytes(const void *data, size_t len)
{
    assert_int_equal(ftruncate(path_fd, 0), 0);
    assert_int_equal(pwrite(path_fd, data, len, 0), (ssize_t)len);
}

/* ---- a file is built field by field */

static struct strbuf file = STRBUF_INIT(1 << 20);

static void u32(uint32_t v)
{
    assert_int_equal(strbuf_add(&file, &v, sizeof v), CAI_OK);
}

static void u64(uint64_t v)
{
    assert_int_equal(strbuf_add(&file, &v, sizeof v), CAI_OK);
}

static void str(const char *s)
{
    u64(strlen(s));
    assert_int_equal(strbuf_adds(&file, s), CAI_OK);
}

static void header(uint32_t version, uint64_t n_tensors, uint64_t n_kv)
{
    strbuf_reset(&file);
    assert_int_equal(strbuf_adds(&file, "GGUF"), CAI_OK);
    u32(version);
    u64(n_tensors);
    u64(n_kv);
}

static void kv_u32(const char *key, uint32_t v)
{
    str(key);
    u32(GGUF_U32);
    u32(v);
}

static void tensor(const char *name, uint32_t n_dims, const uint64_t *ne, uint32_t type,
                   uint64_t offset)
{
    str(name);
    u32(n_dims);
    for (uint32_t i = 0; i < n_dims; i++)
        u64(ne[i]);
    u32(type);
    u64(offset);
}

static void tensor_1d(const char *name, uint64_t n, uint32_t type, uint64_t offset)
{
    tensor(name, 1, &n, type, offset);
}

static void pad_to(size_t align, size_t extra)
{
    while (file.len % align)
        assert_int_equal(strbuf_addc(&file, 0), CAI_OK);
    for (size_t i = 0; i < extra; i++)
        assert_int_equal(strbuf_addc(&file, 1), CAI_OK);
}

static enum cai_status open_bytes(const void *data, size_t len, struct gguf **g,
                                  char *err, size_t errlen)
{
    write_bytes(data, len);
    return gguf_open(g, path, err, errlen);
}

/* ---- G1: one function per kind of file; each builds `file` */

static void bad_magic(void)
{
    header(3, 0, 0), memcpy(file.data, "GGML", 4);
}
static void version_0(void)
{
    header(0, 0, 0);
}
static void version_1(void)
{
    header(1, 0, 0);
}
static void version_4(void)
{
    header(4, 0, 0);
}
static void big_endian(void)
{
    header(0x03000000, 0, 0);
}
static void tensors_huge(void)
{
    header(3, 1ull << 60, 0);
}
static void kv_huge(void)
{
    header(3, 0, 1ull << 60);
}
static void tensors_overflow(void)
{
    header(3, UINT64_MAX, 0);
}
static void kv_without_data(void)
{
    header(3, 0, 1);
}
static void key_too_long(void)
{
    header(3, 0, 1), u64(1ull << 40), u32(0), u64(0), u64(0);
}
static void key_empty(void)
{
    header(3, 0, 1), u64(0), u32(4), u32(1), u64(0);
}
static void key_twice(void)
{
    header(3, 0, 2), kv_u32("a.b", 1), kv_u32("a.b", 2);
}
static void value_type_13(void)
{
    header(3, 0, 1), str("a"), u32(13), u64(0);
}
static void value_type_negative(void)
{
    header(3, 0, 1), str("a"), u32(0xFFFFFFFF), u64(0);
}
static void bool_of_2(void)
{
    header(3, 0, 1), str("a"), u32(GGUF_BOOL);
    assert_int_equal(strbuf_addc(&file, 2), CAI_OK);
}
static void string_past_end(void)
{
    header(3, 0, 1), str("a"), u32(8), u64(1ull << 62);
}
static void array_2_pow_40(void)
{
    header(3, 0, 1), str("a"), u32(GGUF_ARRAY), u32(GGUF_U32), u64(1ull << 40);
}
static void array_product_wraps(void)
{
    header(3, 0, 1), str("a"), u32(GGUF_ARRAY), u32(GGUF_U64), u64((1ull << 61) + 1);
}
static void array_of_strings_huge(void)
{
    header(3, 0, 1), str("a"), u32(GGUF_ARRAY), u32(GGUF_STRING), u64(1ull << 59), u64(0);
}
static void array_nested(void)
{
    header(3, 0, 1), str("a"), u32(GGUF_ARRAY), u32(GGUF_ARRAY), u64(1), u32(GGUF_ARRAY);
}
static void array_element_type(void)
{
    header(3, 0, 1), str("a"), u32(GGUF_ARRAY), u32(77), u64(1), u64(0);
}
static void alignment_0(void)
{
    header(3, 0, 1), kv_u32("general.alignment", 0);
}
static void alignment_13(void)
{
    header(3, 0, 1), kv_u32("general.alignment", 13);
}
static void alignment_string(void)
{
    header(3, 0, 1), str("general.alignment"), u32(GGUF_STRING), str("32");
}
static void split_file(void)
{
    header(3, 0, 1), kv_u32("split.count", 4);
}
static void name_too_long(void)
{
    header(3, 1, 0);
    tensor_1d("0123456789012345678901234567890123456789012345678901234567890123", 32, 0,
              0);
    pad_to(32, 128);
}
static void name_empty(void)
{
    header(3, 1, 0), tensor_1d("", 32, 0, 0), pad_to(32, 128);
}
static void dims_0(void)
{
    header(3, 1, 0), tensor("t", 0, NULL, 0, 0), pad_to(32, 128);
}
static void dims_5(void)
{
    const uint64_t ne[5] = {2, 2, 2, 2, 2};
    header(3, 1, 0), tensor("t", 5, ne, 0, 0), pad_to(32, 128);
}
static void dims_billions(void)
{
    header(3, 1, 0), str("t"), u32(0x7FFFFFFF), pad_to(32, 128);
}
static void zero_dimension(void)
{
    const uint64_t ne[2] = {32, 0};
    header(3, 1, 0), tensor("t", 2, ne, 0, 0), pad_to(32, 128);
}
static void shape_overflows(void)
{
    const uint64_t ne[4] = {1ull << 32, 1ull << 32, 1ull << 32, 2};
    header(3, 1, 0), tensor("t", 4, ne, 0, 0), pad_to(32, 128);
}
static void bytes_overflow(void)
{
    header(3, 1, 0), tensor_1d("t", 1ull << 62, 0, 0), pad_to(32, 128);
}
static void negative_dimension(void)
{
    header(3, 1, 0), tensor_1d("t", UINT64_MAX - 31, 0, 0), pad_to(32, 128);
}
static void type_removed(void)
{
    header(3, 1, 0), tensor_1d("t", 32, 4, 0), pad_to(32, 128);
}
static void type_unknown(void)
{
    header(3, 1, 0), tensor_1d("t", 32, 999, 0), pad_to(32, 128);
}
static void type_negative(void)
{
    header(3, 1, 0), tensor_1d("t", 32, 0x80000000u, 0), pad_to(32, 128);
}
static void half_a_block(void)
{
    header(3, 1, 0), tensor_1d("t", 48, 3, 0), pad_to(32, 128);
}
static void offset_unaligned(void)
{
    header(3, 1, 0), tensor_1d("t", 32, 0, 4), pad_to(32, 256);
}
static void offset_past_end(void)
{
    header(3, 1, 0), tensor_1d("t", 32, 0, 1ull << 40), pad_to(32, 128);
}
static void offset_wraps(void)
{
    header(3, 1, 0), tensor_1d("t", 32, 0, UINT64_MAX - 31), pad_to(32, 128);
}
static void tensors_overlap(void)
{
    header(3, 2, 0), tensor_1d("a", 32, 0, 0), tensor_1d("b", 32, 0, 0), pad_to(32, 256);
}
static void tensor_twice(void)
{
    header(3, 2, 0), tensor_1d("a", 32, 0, 0), tensor_1d("a", 32, 0, 128),
        pad_to(32, 256);
}
static void data_short(void)
{
    header(3, 1, 0), tensor_1d("t", 32, 0, 0), pad_to(32, 127);
}
static void data_absent(void)
{
    header(3, 1, 0), tensor_1d("t", 32, 0, 0);
}
static void data_one_beyond(void)
{
    header(3, 2, 0), tensor_1d("a", 32, 0, 0), tensor_1d("b", 33, 0, 128),
        pad_to(32, 256);
}

static void good_empty(void)
{
    header(3, 0, 0);
}
static void good_v2(void)
{
    header(2, 0, 1), kv_u32("a", 1);
}
static void good_alignment_64(void)
{
    header(3, 2, 1), kv_u32("general.alignment", 64);
    tensor_1d("a", 8, 0, 0), tensor_1d("b", 8, 0, 64), pad_to(64, 96);
}
static void good_last_padding_missing(void)
{
    header(3, 1, 0), tensor_1d("t", 3, 0, 0), pad_to(32, 12);
}
static void good_four_dims(void)
{
    const uint64_t ne[4] = {32, 2, 2, 2};
    header(3, 1, 0), tensor("t", 4, ne, 3, 0), pad_to(32, 160);
}
static void good_arrays(void)
{
    header(3, 0, 2);
    str("names"), u32(GGUF_ARRAY), u32(GGUF_STRING), u64(2), str("x"), str("");
    str("sizes"), u32(GGUF_ARRAY), u32(GGUF_U32), u64(2), u32(7), u32(9);
}
static void good_split_of_one(void)
{
    header(3, 0, 1), kv_u32("split.count", 1);
}

#define BAD(f, st, word)                                                                 \
    {                                                                                    \
#f, f, st, word                                                                  \
    }
#define GOOD(f)                                                                          \
    {                                                                                    \
#f, f, CAI_OK, NULL                                                              \
    }

static const struct kind {
    const char *name;
    void (*build)(void);
    enum cai_status want;
    const char *word; /* must be in the message */
} kinds[] = {
    BAD(bad_magic, CAI_PARSE, "GGUF"),
    BAD(version_0, CAI_UNSUPPORTED, "byte 4"),
    BAD(version_1, CAI_UNSUPPORTED, "version 1"),
    BAD(version_4, CAI_UNSUPPORTED, "version 4"),
    BAD(big_endian, CAI_UNSUPPORTED, "big-endian"),
    BAD(tensors_huge, CAI_PARSE, "more tensors"),
    BAD(kv_huge, CAI_PARSE, "more metadata"),
    BAD(tensors_overflow, CAI_PARSE, "more tensors"),
    BAD(kv_without_data, CAI_PARSE, "byte 16"),
    BAD(key_too_long, CAI_PARSE, "byte 24"),
    BAD(key_empty, CAI_PARSE, "empty metadata key"),
    BAD(key_twice, CAI_PARSE, "twice"),
    BAD(value_type_13, CAI_PARSE, "value type"),
    BAD(value_type_negative, CAI_PARSE, "value type"),
    BAD(bool_of_2, CAI_PARSE, "boolean"),
    BAD(string_past_end, CAI_PARSE, "claims"),
    BAD(array_2_pow_40, CAI_PARSE, "longer than the file"),
    BAD(array_product_wraps, CAI_PARSE, "longer than the file"),
    BAD(array_of_strings_huge, CAI_PARSE, "longer than the file"),
    BAD(array_nested, CAI_UNSUPPORTED, "array of arrays"),
    BAD(array_element_type, CAI_PARSE, "element type"),
    BAD(alignment_0, CAI_PARSE, "alignment"),
    BAD(alignment_13, CAI_PARSE, "alignment"),
    BAD(alignment_string, CAI_PARSE, "alignment"),
    BAD(split_file, CAI_UNSUPPORTED, "split"),
    BAD(name_too_long, CAI_PARSE, "63 bytes"),
    BAD(name_empty, CAI_PARSE, "name"),
    BAD(dims_0, CAI_PARSE, "dimensions"),
    BAD(dims_5, CAI_PARSE, "dimensions"),
    BAD(dims_billions, CAI_PARSE, "dimensions"),
    BAD(zero_dimension, CAI_PARSE, "dimension of zero"),
    BAD(shape_overflows, CAI_PARSE, "overflow"),
    BAD(bytes_overflow, CAI_PARSE, "overflow"),
    BAD(negative_dimension, CAI_PARSE, "overflow"),
    BAD(type_removed, CAI_UNSUPPORTED, "type 4"),
    BAD(type_unknown, CAI_UNSUPPORTED, "supported: F32"),
    BAD(type_negative, CAI_UNSUPPORTED, "supported"),
    BAD(half_a_block, CAI_PARSE, "blocks"),
    BAD(offset_unaligned, CAI_PARSE, "does not start"),
    BAD(offset_past_end, CAI_PARSE, "does not start"),
    BAD(offset_wraps, CAI_PARSE, "does not start"),
    BAD(tensors_overlap, CAI_PARSE, "does not start"),
    BAD(tensor_twice, CAI_PARSE, "twice"),
    BAD(data_short, CAI_PARSE, "past the end"),
    BAD(data_absent, CAI_PARSE, "tensor data"),
    BAD(data_one_beyond, CAI_PARSE, "past the end"),
    GOOD(good_empty),
    GOOD(good_v2),
    GOOD(good_alignment_64),
    GOOD(good_last_padding_missing),
    GOOD(good_four_dims),
    GOOD(good_arrays),
    GOOD(good_split_of_one),
};

static void G1_handmade_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct kind *k = kinds + i;
        struct gguf *g = NULL;
        char err[512] = "";
        enum cai_status st;

        k->build();
        st = open_bytes(file.data, file.len, &g, err, sizeof err);
        if (st != k->want || (st == CAI_OK) != (g != NULL))
            fail_msg("%s: %s (%s)", k->name, cai_status_name(st), err);
        if (k->word && (!strstr(err, k->word) || !strstr(err, ": byte ")))
            fail_msg("%s: message \"%s\" lacks \"%s\" or its byte", k->name, err,
                     k->word);
        gguf_close(g);
    }
}

static void values_come_back(void **state)
{
    struct gguf *g = NULL;
    struct gguf_array a;
    struct gguf_str s;
    uint64_t u;
    double d;
    char err[512];
    int b;

    (void)state;
    header(3, 0, 6);
    kv_u32("u", 7);
    str("i"), u32(GGUF_I32), u32((uint32_t)-7);
    str("f"), u32(GGUF_F32), u32(0x3FC00000);
    str("b"), u32(GGUF_BOOL);
    assert_int_equal(strbuf_addc(&file, 1), CAI_OK);
    str("s"), u32(GGUF_STRING), str("text");
    str("a"), u32(GGUF_ARRAY), u32(GGUF_I32), u64(2), u32(5), u32((uint32_t)-5);
    assert_int_equal(open_bytes(file.data, file.len, &g, err, sizeof err), CAI_OK);
    assert_true(gguf_get_u64(g, "u", &u) && u == 7);
    assert_false(gguf_get_u64(g, "i", &u)); /* negative */
    assert_false(gguf_get_u64(g, "f", &u));
    assert_false(gguf_get_u64(g, "absent", &u));
    assert_true(gguf_get_f64(g, "f", &d) && d > 1.4 && d < 1.6);
    assert_true(gguf_get_bool(g, "b", &b) && b == 1);
    assert_true(gguf_get_str(g, "s", &s) && s.len == 4 && memcmp(s.data, "text", 4) == 0);
    assert_true(gguf_get_array(g, "a", &a) && a.n == 2);
    assert_true(gguf_array_num(&a, 0) > 4.5 && gguf_array_num(&a, 1) < -4.5);
    assert_false(gguf_get_array(g, "s", &a));
    gguf_close(g);
}

/* Whatever was accepted lies inside the file. */
static void check_consistent(const struct gguf *g)
{
    const char *map = gguf_map(g);

    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        const char *data = t->data;
        uint64_t n = t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3];
        assert_true(data >= map && data + t->bytes <= map + gguf_file_bytes(g));
        assert_int_equal(t->bytes, quant_row_bytes(t->type, n));
        assert_true(t->name.len > 0 && t->name.len < 64);
    }
}

enum { SMALL_TOKENS = 120, SMALL_TENSORS = 96, SMALL_TENSOR_BYTES = 160 };

/* A model of about 20 KB with the kinds of entries a real one has. */
static void build_small_model(void)
{
    const uint64_t ne[2] = {32, 8};
    char name[32];

    header(3, SMALL_TENSORS, 4);
    kv_u32("general.file_type", 3);
    str("general.name"), u32(GGUF_STRING), str("small");
    str("tokens"), u32(GGUF_ARRAY), u32(GGUF_STRING), u64(SMALL_TOKENS);
    for (int i = 0; i < SMALL_TOKENS; i++) {
        snprintf(name, sizeof name, "token%d", i);
        str(name);
    }
    str("scores"), u32(GGUF_ARRAY), u32(GGUF_F32), u64(SMALL_TOKENS);
    for (int i = 0; i < SMALL_TOKENS; i++)
        u32(0x3F800000);
    for (uint64_t i = 0; i < SMALL_TENSORS; i++) {
        snprintf(name, sizeof name, "blk.%d.weight", (int)i);
        tensor(name, 2, ne, 3, i * SMALL_TENSOR_BYTES);
    }
    pad_to(32, SMALL_TENSORS * SMALL_TENSOR_BYTES);
}

static void G2_truncated_at_every_byte(void **state)
{
    struct gguf *g;
    char err[512];

    (void)state;
    build_small_model();
    assert_true(file.len >= 20000);
    for (size_t len = 0; len < file.len; len++) {
        enum cai_status st = open_bytes(file.data, len, &g, err, sizeof err);
        if (st == CAI_OK)
            fail_msg("a file cut at byte %zu of %zu was accepted", len, file.len);
    }
    assert_int_equal(open_bytes(file.data, file.len, &g, err, sizeof err), CAI_OK);
    gguf_close(g);
}

static void G2_every_header_bit_flipped(void **state)
{
    size_t header_len, accepted = 0;
    struct gguf *g;
    char err[512], *copy;

    (void)state;
    build_small_model();
    header_len = file.len - SMALL_TENSORS * SMALL_TENSOR_BYTES;
    assert_true(header_len * 8 >= 32768);
    copy = malloc(file.len);
    memcpy(copy, file.data, file.len);
    for (size_t bit = 0; bit < header_len * 8; bit++) {
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        if (open_bytes(copy, file.len, &g, err, sizeof err) == CAI_OK) {
            check_consistent(g);
            gguf_close(g);
            accepted++;
        }
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
    }
    free(copy);
    assert_true(accepted > 0); /* a letter of a name is anybody's */
}

static void G4_mutated_headers(void **state)
{
    struct rng_stream rng = rng_stream_make(4, RNG_TEST, 0, 0);
    struct gguf *g;
    char err[512], *copy;

    (void)state;
    build_small_model();
    copy = malloc(file.len);
    for (uint32_t i = 0; i < 10000; i++) {
        uint32_t n = 1 + rng_u32(&rng, i, 0) % 8;
        memcpy(copy, file.data, file.len);
        for (uint32_t j = 0; j < n; j++) {
            size_t at = rng_u32(&rng, i, 2 * j + 1) % file.len;
            static const unsigned char values[] = {0, 1, 0x7F, 0x80, 0xFF};
            uint32_t pick = rng_u32(&rng, i, 2 * j + 2);
            copy[at] = (char)(pick & 1 ? values[pick / 2 % 5] : pick >> 8);
        }
        if (open_bytes(copy, file.len, &g, err, sizeof err) == CAI_OK) {
            check_consistent(g);
            gguf_close(g);
        }
    }
    free(copy);
}

static void files_that_are_none(void **state)
{
    struct gguf *g;
    char err[512];

    (void)state;
    assert_int_equal(gguf_open(&g, "/nonexistent/model.gguf", err, sizeof err), CAI_IO);
    assert_non_null(strstr(err, "/nonexistent/model.gguf"));
    assert_int_equal(gguf_open(&g, "/tmp", err, sizeof err), CAI_INVALID);
    assert_int_equal(open_bytes("", 0, &g, err, sizeof err), CAI_PARSE);
    assert_non_null(strstr(err, "empty"));
}

static void the_default_model(void **state)
{
    struct gguf *g;
    const struct gguf_tensor *t;
    char err[512];

    (void)state;
    need_file(test_model());
    assert_int_equal(gguf_open(&g, test_model(), err, sizeof err), CAI_OK);
    assert_int_equal(gguf_n_tensors(g), 272);
    t = gguf_tensor_find(g, "token_embd.weight");
    assert_non_null(t);
    assert_string_equal(t->type->name, "Q8_0");
    assert_int_equal(t->ne[0], 576);
    assert_int_equal(t->ne[1], 49152);
    assert_null(gguf_tensor_find(g, "output.weight"));
    check_consistent(g);
    gguf_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(G1_handmade_files),
        cmocka_unit_test(values_come_back),
        cmocka_unit_test(G2_truncated_at_every_byte),
        cmocka_unit_test(G2_every_header_bit_flipped),
        cmocka_unit_test(G4_mutated_headers),
        cmocka_unit_test(files_that_are_none),
        cmocka_unit_test(the_default_model),
    };
    int failed = cmocka_run_group_tests(tests, setup, teardown);
    strbuf_free(&file);
    return failed;
}

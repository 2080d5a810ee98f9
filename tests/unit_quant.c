/* unit_quant.c: unpacking of every tensor type against the `gguf` package's numbers. */
#include "testing.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "model/quant.h"

static void read_data(struct strbuf *out, const char *name)
{
    char path[256];
    FILE *f;
    char chunk[4096];
    size_t n;

    snprintf(path, sizeof path, TEST_DATA "unpack/%s", name);
    f = fopen(path, "rb");
    if (!f)
        fail_msg("%s: missing", path);
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        assert_int_equal(strbuf_add(out, chunk, n), CAI_OK);
    fclose(f);
}

/* Whether two floats are equal (0 and -0 are), neighbours, or both no number. */
static int within_1_ulp(float a, float b)
{
    int32_t x, y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    return a == b || llabs((long long)x - y) <= 1 || (isnan(a) && isnan(b));
}

static void every_type_equals_the_package(void **state)
{
    struct strbuf index = STRBUF_INIT(1 << 20);
    const cJSON *row;
    cJSON *doc = NULL;
    char err[256];
    int n_types = 0;

    (void)state;
    read_data(&index, "index.json");
    assert_int_equal(json_parse(&doc, index.data, index.len, err, sizeof err), CAI_OK);
    cJSON_ArrayForEach(row, json_get(doc, "types"))
    {
        struct strbuf blocks = STRBUF_INIT(1 << 20), values = STRBUF_INIT(1 << 20);
        const struct quant_type *t =
            quant_type_find((uint32_t)json_num(row, "ggml_type", -1));
        size_t n = (size_t)json_num(row, "n_values", 0);
        float *got = calloc(n, sizeof *got), want;

        assert_non_null(t);
        assert_string_equal(t->name, json_str(row, "type"));
        read_data(&blocks, json_str(row, "blocks"));
        read_data(&values, json_str(row, "values"));
        assert_int_equal(blocks.len, quant_row_bytes(t, n));
        assert_int_equal(values.len, n * sizeof(float));
        quant_dequantize(t, got, blocks.data, n);
        for (size_t i = 0; i < n; i++) {
            memcpy(&want, values.data + i * sizeof want, sizeof want);
            if (!within_1_ulp(want, got[i]))
                fail_msg("%s: weight %zu is %.9g, the package has %.9g", t->name, i,
                         (double)got[i], (double)want);
        }
        free(got);
        strbuf_free(&blocks);
        strbuf_free(&values);
        n_types++;
    }
    assert_int_equal(n_types, 11);
    cJSON_Delete(doc);
    strbuf_free(&index);
}

static void half_precision_round_trips(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x10000; h++) {
        float f = quant_f16_to_f32((uint16_t)h);
        if (isnan(f))
            assert_true((quant_f32_to_f16(f) & 0x7FFF) > 0x7C00);
        else
            assert_int_equal(quant_f32_to_f16(f), h);
    }
    /* Halfway cases go to the even neighbour. */
    assert_int_equal(quant_f32_to_f16(1.0f + 0x1p-11f), 0x3C00);
    assert_int_equal(quant_f32_to_f16(1.0f + 0x3p-11f), 0x3C02);
    assert_int_equal(quant_f32_to_f16(65520.0f), 0x7C00);
    assert_int_equal(quant_f32_to_f16(65519.0f), 0x7BFF);
    assert_int_equal(quant_f32_to_f16(0x1p-25f), 0);
    assert_int_equal(quant_f32_to_f16(0x1.8p-25f), 1);
}

static void odd_sizes_are_refused(void **state)
{
    (void)state;
    assert_int_equal(quant_row_bytes(quant_type_find(3), 33), 0);
    assert_int_equal(quant_row_bytes(quant_type_find(3), 64), 40);
    assert_int_equal(quant_row_bytes(quant_type_find(0), SIZE_MAX), 0);
    assert_null(quant_type_find(4));
    assert_null(quant_type_find(UINT32_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_equals_the_package),
        cmocka_unit_test(half_precision_round_trips),
        cmocka_unit_test(odd_sizes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

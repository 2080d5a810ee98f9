/*
 * unit_score.c: log-probs of given text against stored numbers of an independent fp32
 * implementation, on the default file and on its F32 twin; prefixes, limits.
 */
#include "model_test.h"

#include "f32_twin.h"

/* Bars of the default file: int8 activations against fp32 ones; llama.cpp shows
 * 0.03-0.085. */
static const double default_mean_abs = 0.09, default_mean = 0.02, twin_mean_abs = 0.0001;

/* Tokens of a stored text. */
static int32_t *read_tokens(const struct cai_model *m, const cJSON *entry, size_t *n)
{
    struct strbuf text = STRBUF_INIT(1 << 20);
    char path[256];
    int32_t *ids = NULL;

    snprintf(path, sizeof path, TEST_DATA "%s", json_str(entry, "file"));
    must(file_read(&text, path, err, sizeof err));
    must(cai_tokenize(m, text.data, text.len, &ids, n, err, sizeof err));
    assert_int_equal(*n, cJSON_GetArraySize(json_get(entry, "logprobs")));
    strbuf_free(&text);
    return ids;
}

static struct difference score_text(struct cai_model *m, const cJSON *entry)
{
    size_t n = 0;
    int32_t *ids = read_tokens(m, entry, &n);
    float *logprob = mem_alloc(n, sizeof *logprob);
    struct difference d;

    must(cai_score(m, ids, n, 0, logprob, err, sizeof err));
    assert_true(isnan(logprob[0]));
    d = compare(logprob, json_get(entry, "logprobs"));
    mem_free(logprob);
    mem_free(ids);
    return d;
}

static void default_model_matches_fp32(void **state)
{
    cJSON *doc = load_json(TEST_DATA "logprobs.json");
    const cJSON *entry;
    struct cai_model *m;
    int n_texts = 0;
    (void)state;

    need_file(test_model());
    m = open_model(test_model(), NULL, 1); /* two wait for each other on a busy machine */
    if (strcmp(cai_model_info(m)->sha256, json_str(doc, "model_sha256")) != 0) {
        printf("reason: another model than the stored numbers are for\n");
        skip();
    }
    cJSON_ArrayForEach(entry, json_get(doc, "texts"))
    {
        struct difference d = score_text(m, entry);
        if (!(d.mean_abs <= default_mean_abs && fabs(d.mean) <= default_mean))
            fail_msg("%s: mean absolute %.4f, mean %+.4f", json_str(entry, "file"),
                     d.mean_abs, d.mean);
        n_texts++;
    }
    assert_true(n_texts >= 5);
    cai_model_close(m);
    cJSON_Delete(doc);
}

static void f32_twin_matches_fp32(void **state)
{
    static const char twin[] = "build/f32-twin.gguf";
    cJSON *doc = load_json(TEST_DATA "logprobs.json");
    const cJSON *entry;
    struct cai_model *m;
    (void)state;

    need_file(test_model());
    must(file_make_dirs("build", err, sizeof err));
    must(f32_twin_write(test_model(), twin, err, sizeof err));
    m = open_model(twin, NULL, 1);
    unlink(twin); /* half a gigabyte that nobody needs again */
    cJSON_ArrayForEach(entry, json_get(doc, "texts"))
    {
        struct difference d;
        if (cJSON_GetArraySize(json_get(entry, "logprobs")) > 700 && !test_long())
            continue;
        d = score_text(m, entry);
        if (!(d.mean_abs <= twin_mean_abs && fabs(d.mean) <= twin_mean_abs))
            fail_msg("%s: mean absolute %.6f, mean %+.6f, max %.6f",
                     json_str(entry, "file"), d.mean_abs, d.mean, d.max);
    }
    cai_model_close(m);
    cJSON_Delete(doc);
}

static void prefix_is_context_only(void **state)
{
    static const char path[] = TEST_DATA "tiny/llama-q8_0.gguf";
    struct cai_model *m;
    int32_t ids[600];
    float all[600], part[600];
    (void)state;

    need_file(path);
    m = open_model(path, NULL, 2);
    for (int i = 0; i < 600; i++)
        ids[i] = (i * 37 + i / 7) % (int)m->shape.n_vocab;
    size_t n = m->shape.n_ctx_train < 600 ? m->shape.n_ctx_train : 600;
    must(cai_score(m, ids, n, 0, all, err, sizeof err));
    for (size_t prefix = 0; prefix <= n; prefix += 19) {
        must(cai_score(m, ids, n, prefix, part, err, sizeof err));
        for (size_t i = 0; i < n; i++)
            if (i < prefix || i == 0)
                assert_true(isnan(part[i]));
            else
                assert_same_bits(part + i, all + i, 1, "after a prefix");
    }
    must(cai_score(m, ids, 0, 0, part, err, sizeof err));
    must(cai_score(m, ids, 1, 0, part, err, sizeof err));
    assert_true(isnan(part[0]));
    cai_model_close(m);
}

static void limits_have_both_numbers(void **state)
{
    static const char path[] = TEST_DATA "tiny/llama-q8_0.gguf";
    struct cai_model *m;
    char number[32];
    int32_t *ids, bad[] = {0, 1, 1 << 20};
    float out[3], *logprob;
    size_t n;
    (void)state;

    need_file(path);
    m = open_model(path, NULL, 1);
    n = m->shape.n_ctx_train + 1;
    ids = mem_alloc(n, sizeof *ids);
    logprob = mem_alloc(n, sizeof *logprob);
    assert_int_equal(cai_score(m, ids, n, 0, logprob, err, sizeof err), CAI_LIMIT);
    snprintf(number, sizeof number, "%zu", n);
    assert_non_null(strstr(err, number));
    snprintf(number, sizeof number, "%zu", n - 1);
    assert_non_null(strstr(err, number));
    assert_int_equal(cai_score(m, bad, 3, 0, out, err, sizeof err), CAI_INVALID);
    mem_free(ids);
    mem_free(logprob);
    cai_model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_model_matches_fp32),
        cmocka_unit_test(f32_twin_matches_fp32),
        cmocka_unit_test(prefix_is_context_only),
        cmocka_unit_test(limits_have_both_numbers),
    };
    cai_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

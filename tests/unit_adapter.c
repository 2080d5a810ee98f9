/*
 * unit_adapter.c: adapters against PyTorch and against the merged file; one text's
 * adapter leaves the others' bits alone; damaged and foreign files are refused.
 */
#include "model_test.h"

#include "base/rng.h"

#define MODEL  TEST_DATA "tiny/llama-f32.gguf"
#define LORA_A TEST_DATA "tiny/lora-a"
#define LORA_B TEST_DATA "tiny/lora-b"

enum { N_TOKENS = 40, MAX_VOCAB = 512 };

struct run {
    float logprob[N_TOKENS], logits[MAX_VOCAB];
};

static struct run run_with(const struct cai_model *m, const struct adapter *a,
                           float scale, const int32_t *ids, size_t n)
{
    struct run r = {{0}, {0}};
    struct ctx *c = NULL;
    struct seq *s;

    must(ctx_new(&c, m, 0, 0, err, sizeof err));
    s = new_seq(c);
    must(seq_set_adapter(s, a, scale, err, sizeof err));
    feed(c, s, ids, n, 16, r.logprob + 1, r.logits);
    seq_free(s);
    ctx_free(c);
    return r;
}

static void adapters_match_pytorch_and_merged_file(void **state)
{
    cJSON *doc = load_json(TEST_DATA "tiny.json");
    const cJSON *entry;
    int n_adapters = 0;
    (void)state;

    cJSON_ArrayForEach(entry, json_get(doc, "models"))
    {
        const char *name = json_str(entry, "adapter");
        char path[256];
        struct cai_model *m;
        struct adapter *a = NULL;
        struct run r;
        struct difference d;
        size_t n;
        int32_t *ids;

        if (!name)
            continue;
        snprintf(path, sizeof path, TEST_DATA "%s", json_str(entry, "file"));
        m = open_model(path, NULL, 2);
        snprintf(path, sizeof path, TEST_DATA "%s", name);
        must(adapter_load(&a, m, path, err, sizeof err));
        ids = json_ids(json_get(entry, "tokens"), &n);
        assert_true(n <= N_TOKENS);
        r = run_with(m, a, 1, ids, n);
        d = compare(r.logprob, json_get(entry, "logprobs"));
        if (!(d.max <= 1e-4))
            fail_msg("%s: log-probs differ by up to %g", name, d.max);
        d = compare(r.logits, json_get(entry, "logits"));
        if (!(d.max <= 1e-4))
            fail_msg("%s: logits differ by up to %g", name, d.max);
        if (strstr(name, "lora-a")) {
            struct cai_model *merged =
                open_model(TEST_DATA "tiny/llama-f32-merged.gguf", NULL, 1);
            struct run want = run_with(merged, NULL, 1, ids, n);
            for (size_t i = 1; i < n; i++)
                assert_true(fabsf(r.logprob[i] - want.logprob[i]) <= 1e-4f);
            cai_model_close(merged);
        }
        adapter_free(a);
        cai_model_close(m);
        mem_free(ids);
        n_adapters++;
    }
    assert_int_equal(n_adapters, 2);
    cJSON_Delete(doc);
}

static void make_ids(int32_t *ids, size_t n_vocab)
{
    for (size_t i = 0; i < N_TOKENS; i++)
        ids[i] = (int32_t)((i * 53 + 11) % n_vocab);
}

/* Two adapters, one of them twice at another scale, and none, token by token in one
 * batch: each as alone, on float and on quantised weights. */
static void adapters_in_one_batch_equal_each_alone(void **state)
{
    static const char *const files[] = {MODEL, TEST_DATA "tiny/llama-q4_1.gguf"};
    (void)state;

    for (size_t f = 0; f < 2; f++) {
        struct cai_model *m = open_model(files[f], NULL, 2);
        struct adapter *a = NULL, *b = NULL;
        struct ctx *c = NULL;
        struct run want[4], got[4];
        struct seq *s[4];
        int32_t ids[N_TOKENS];
        must(adapter_load(&a, m, LORA_A, err, sizeof err));
        must(adapter_load(&b, m, LORA_B, err, sizeof err));
        const struct adapter *used[4] = {a, b, NULL, a};
        const float scale[4] = {1, 1, 1, 0.5f};

        must(ctx_new(&c, m, 0, 1024, err, sizeof err));
        make_ids(ids, m->shape.n_vocab);
        for (int i = 0; i < 4; i++) {
            want[i] = run_with(m, used[i], scale[i], ids, N_TOKENS);
            s[i] = new_seq(c);
            must(seq_set_adapter(s[i], used[i], scale[i], err, sizeof err));
        }
        for (size_t t = 0; t < N_TOKENS; t++) {
            struct entry e[4];
            for (int i = 0; i < 4; i++)
                e[i] = (struct entry){.seq = s[i],
                                      .token = ids[t],
                                      .want = ENTRY_LOGITS,
                                      .logits = got[i].logits};
            must(ctx_eval(c, e, 4, err, sizeof err));
        }
        for (int i = 0; i < 4; i++) {
            assert_same_bits(got[i].logits, want[i].logits, m->shape.n_vocab, files[f]);
            for (int j = 0; j < i; j++) /* and they do something, each its own */
                assert_memory_not_equal(want[i].logits, want[j].logits,
                                        m->shape.n_vocab * sizeof(float));
            seq_free(s[i]);
        }
        ctx_free(c);
        adapter_free(a);
        adapter_free(b);
        cai_model_close(m);
    }
}

/* Detached, the base's bits are back; a fork keeps the adapter; a text keeps its own. */
static void attaching_and_detaching(void **state)
{
    struct cai_model *m = open_model(MODEL, NULL, 1);
    struct adapter *a = NULL, *zero = NULL;
    struct run base, with, got;
    struct ctx *c = NULL;
    struct seq *s, *fork;
    int32_t ids[N_TOKENS];
    size_t n_vocab = m->shape.n_vocab;
    (void)state;

    make_ids(ids, n_vocab);
    must(adapter_load(&a, m, LORA_A, err, sizeof err));
    must(adapter_new(&zero, m, 4, 8, err, sizeof err));
    base = run_with(m, NULL, 1, ids, N_TOKENS);
    with = run_with(m, a, 1, ids, N_TOKENS);
    must(ctx_new(&c, m, 0, 1024, err, sizeof err));
    s = new_seq(c);
    must(seq_set_adapter(s, a, 1, err, sizeof err));
    feed(c, s, ids, 20, 20, NULL, NULL);
    assert_int_equal(seq_set_adapter(s, NULL, 1, err, sizeof err), CAI_INVALID);
    fork = seq_fork(s, 10);
    assert_non_null(fork);
    feed(c, fork, ids + 10, N_TOKENS - 10, 7, NULL, got.logits);
    assert_same_bits(got.logits, with.logits, n_vocab, "fork with adapter");
    seq_truncate(s, 0);
    must(seq_set_adapter(s, NULL, 1, err, sizeof err));
    feed(c, s, ids, N_TOKENS, 16, NULL, got.logits);
    assert_same_bits(got.logits, base.logits, n_vocab, "detached");
    seq_truncate(s, 0);
    must(seq_set_adapter(s, zero, 1, err, sizeof err));
    feed(c, s, ids, N_TOKENS, 16, NULL, got.logits);
    assert_same_bits(got.logits, base.logits, n_vocab, "an adapter of zeros");
    seq_free(s);
    seq_free(fork);
    ctx_free(c);
    adapter_free(a);
    adapter_free(zero);
    cai_model_close(m);
}

/* ------------------------------------------------------------------ bad files */

/* A folder with the given config and tensors; returns the status of loading it. */
static enum cai_status load_bytes(const struct cai_model *m, const char *config,
                                  const void *tensors, size_t len)
{
    static const char dir[] = "build/tests/adapter";
    struct adapter *a = NULL;
    enum cai_status st;

    must(file_make_dirs(dir, err, sizeof err));
    must(file_replace("build/tests/adapter/adapter_config.json", config, strlen(config),
                      err, sizeof err));
    must(file_replace("build/tests/adapter/adapter_model.safetensors", tensors, len, err,
                      sizeof err));
    st = adapter_load(&a, m, dir, err, sizeof err);
    assert_true((st == CAI_OK) == (a != NULL));
    adapter_free(a);
    return st;
}

static const char good_config[] = "{\"peft_type\":\"LORA\",\"r\":8,\"lora_alpha\":16}";

static void bad_configs_are_refused(void **state)
{
    static const struct {
        const char *text, *says;
        enum cai_status st;
    } bad[] = {
        {"{", "adapter_config.json", CAI_PARSE},
        {"{\"peft_type\":\"IA3\"}", "IA3", CAI_UNSUPPORTED},
        {"{\"peft_type\":\"LORA\",\"r\":0,\"lora_alpha\":1}", "r or lora_alpha",
         CAI_INVALID},
        {"{\"peft_type\":\"LORA\",\"r\":8,\"lora_alpha\":1,\"bias\":\"all\"}", "bias",
         CAI_UNSUPPORTED},
        {"{\"peft_type\":\"LORA\",\"r\":8,\"lora_alpha\":1,\"use_dora\":true}",
         "use_dora", CAI_UNSUPPORTED},
        {"{\"peft_type\":\"LORA\",\"r\":8,\"lora_alpha\":1,\"rank_pattern\":{\"x\":1}}",
         "rank_pattern", CAI_UNSUPPORTED},
        {"{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":16}", "lora_", CAI_INVALID},
    };
    struct cai_model *m = open_model(MODEL, NULL, 1);
    struct strbuf file = STRBUF_INIT(1 << 20);
    (void)state;

    must(file_read(&file, LORA_A "/adapter_model.safetensors", err, sizeof err));
    assert_int_equal(load_bytes(m, good_config, file.data, file.len), CAI_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(load_bytes(m, bad[i].text, file.data, file.len), bad[i].st);
        if (!strstr(err, bad[i].says))
            fail_msg("case %zu: %s", i, err);
    }
    strbuf_free(&file);
    cai_model_close(m);
}

static enum cai_status load_header(const struct cai_model *m, const char *header,
                                   size_t data_bytes)
{
    struct strbuf file = STRBUF_INIT(1 << 20);
    uint64_t len = strlen(header);
    enum cai_status st;

    must(strbuf_add(&file, &len, 8));
    must(strbuf_adds(&file, header));
    for (size_t i = 0; i < data_bytes; i++)
        must(strbuf_addc(&file, 0));
    st = load_bytes(m, good_config, file.data, file.len);
    strbuf_free(&file);
    return st;
}

#define NAME(layer, linear, ab)                                                          \
    "\"base_model.model.model.layers." layer "." linear ".lora_" ab ".weight\":"

static void bad_tensors_are_refused_by_name(void **state)
{
    static const struct {
        const char *header, *says;
        enum cai_status st;
    } bad[] = {
        {"{}", "no tensors", CAI_CORRUPT},
        {"[]", "not an object", CAI_CORRUPT},
        {"{\"lm_head.weight\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[0,4]}"
         "}",
         "lm_head", CAI_UNSUPPORTED},
        {"{" NAME("99", "mlp.up_proj",
                  "A") "{\"dtype\":\"F32\",\"shape\":[8,64],\"data_offsets\":[0,2048]}}",
         "layers.99", CAI_UNSUPPORTED},
        {"{" NAME("0", "mlp.up_proj",
                  "A") "{\"dtype\":\"I8\",\"shape\":[8,64],\"data_offsets\":[0,512]}}",
         "type I8", CAI_UNSUPPORTED},
        {"{" NAME("0", "mlp.up_proj",
                  "A") "{\"dtype\":\"F32\",\"shape\":[8,64],\"data_offsets\":[0,2052]}}",
         "shape", CAI_CORRUPT},
        {"{" NAME("0", "mlp.up_proj",
                  "A") "{\"dtype\":\"F32\",\"shape\":[8,64],\"data_offsets\":[2048,0]}}",
         "outside", CAI_CORRUPT},
        {"{" NAME(
             "0", "mlp.up_proj",
             "A") "{\"dtype\":\"F32\",\"shape\":[8,64],\"data_offsets\":[4000,6048]}}",
         "outside", CAI_CORRUPT},
        {"{" NAME("0", "mlp.up_proj", "A") "{\"dtype\":\"F32\",\"shape\":[8,9e15],"
                                           "\"data_offsets\":[0,2048]}}",
         "shape", CAI_CORRUPT},
        {"{" NAME("0", "mlp.up_proj",
                  "A") "{\"dtype\":\"F32\",\"shape\":[4,128],\"data_offsets\":[0,2048]}}",
         "needs 8 x 64", CAI_INVALID},
        {"{" NAME("0", "mlp.up_proj",
                  "A") "{\"dtype\":\"F32\",\"shape\":[8,64],\"data_offsets\":[0,2048]}}",
         "only one of", CAI_CORRUPT},
    };
    struct cai_model *m = open_model(MODEL, NULL, 1);
    (void)state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        enum cai_status st = load_header(m, bad[i].header, 4096);
        if (st != bad[i].st || !strstr(err, bad[i].says))
            fail_msg("case %zu: %s: %s", i, cai_status_name(st), err);
    }
    cai_model_close(m);
}

/* Every cut of the file and every single damaged header byte is refused or loads; nothing
 * outside the file is read (the sanitizers watch). */
static void damaged_files_never_crash(void **state)
{
    struct cai_model *m = open_model(MODEL, NULL, 1);
    struct strbuf file = STRBUF_INIT(1 << 20);
    uint64_t header = 0;
    (void)state;

    must(file_read(&file, LORA_A "/adapter_model.safetensors", err, sizeof err));
    memcpy(&header, file.data, 8);
    for (size_t cut = 0; cut < file.len; cut += file.len / 40)
        assert_int_not_equal(load_bytes(m, good_config, file.data, cut), CAI_OK);
    for (size_t at = 0; at < 8 + header; at += test_long() ? 1 : 41) {
        char old = file.data[at];
        file.data[at] = (char)(old ^ (1 << at % 7));
        load_bytes(m, good_config, file.data, file.len);
        file.data[at] = old;
    }
    strbuf_free(&file);
    cai_model_close(m);
}

/* A random rank-8 adapter on the default model: bits of splits and threads. */
static void default_model_adapter_splits(void **state)
{
    struct cai_model *m[2];
    float *want = NULL, *got;
    int32_t ids[N_TOKENS];
    (void)state;

    need_file(test_model());
    for (int i = 0; i < 2; i++)
        m[i] = open_model(test_model(), NULL, i + 1);
    make_ids(ids, m[0]->shape.n_vocab);
    for (size_t split = 1; split <= N_TOKENS; split += 13) {
        const struct cai_model *model = m[split / 13 % 2];
        struct rng_stream r = rng_stream_make(4, RNG_TEST, 0, 0);
        struct adapter *a = NULL;
        struct ctx *c = NULL;
        struct seq *s;
        uint32_t position = 0;
        must(adapter_new(&a, model, 8, 16, err, sizeof err));
        for (size_t i = 0; i < model->shape.n_layers; i++)
            for (enum linear l = 0; l < LINEAR_COUNT; l++, position++) {
                struct lora *lora = adapter_lora_mut(a, i, l);
                for (size_t k = 0; k < lora->r * lora->k; k++)
                    lora->A[k] =
                        (float)rng_u32(&r, position, (uint32_t)k) * 0x1p-36f - 0x1p-5f;
                for (size_t k = 0; k < lora->r * lora->n; k++)
                    lora->B[k] =
                        (float)rng_u32(&r, position + 1000, (uint32_t)k) * 0x1p-36f -
                        0x1p-5f;
            }
        got = mem_alloc(model->shape.n_vocab, sizeof *got);
        must(ctx_new(&c, model, 64, 0, err, sizeof err));
        s = new_seq(c);
        must(seq_set_adapter(s, a, 1, err, sizeof err));
        feed(c, s, ids, N_TOKENS, split, NULL, got);
        if (want)
            assert_same_bits(got, want, model->shape.n_vocab, "adapter");
        mem_free(want);
        want = got;
        seq_free(s);
        ctx_free(c);
        adapter_free(a);
    }
    mem_free(want);
    cai_model_close(m[0]);
    cai_model_close(m[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adapters_match_pytorch_and_merged_file),
        cmocka_unit_test(adapters_in_one_batch_equal_each_alone),
        cmocka_unit_test(attaching_and_detaching),
        cmocka_unit_test(bad_configs_are_refused),
        cmocka_unit_test(bad_tensors_are_refused_by_name),
        cmocka_unit_test(damaged_files_never_crash),
        cmocka_unit_test(default_model_adapter_splits),
    };
    cai_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

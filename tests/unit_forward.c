/*
 * unit_forward.c: the forward pass against PyTorch on tiny models of every architecture
 * and tensor type; equal bits over splits, threads, kernels, forks and company (K2, K5,
 * K6 of the reliability guide); sequences, pages and limits.
 */
#include "model_test.h"

#define TINY(name) TEST_DATA "tiny/" name

/* Mean and largest difference to the reference, nats. Quantised files quantise their
 * activations too, which the reference does not. */
static const struct {
    const char *part; /* of the file name */
    double mean_abs, max;
} bars[] = {{"-q", 0.1, 0.5}, {"", 1e-5, 1e-4}};

static void tiny_models_match_pytorch(void **state)
{
    cJSON *doc = load_json(TEST_DATA "tiny.json");
    const cJSON *entry;
    int n_models = 0;
    (void)state;

    cJSON_ArrayForEach(entry, json_get(doc, "models"))
    {
        char path[256];
        size_t n, bar = 0;
        int32_t *ids = json_ids(json_get(entry, "tokens"), &n);
        float logprob[64], logits[512];
        struct cai_model *m;
        struct ctx *c = NULL;
        struct seq *s;
        struct difference d;

        if (json_str(entry, "adapter")) {
            mem_free(ids);
            continue; /* unit_adapter.c */
        }
        snprintf(path, sizeof path, TEST_DATA "%s", json_str(entry, "file"));
        while (!strstr(path, bars[bar].part))
            bar++;
        m = open_model(path, NULL, 2);
        assert_true(n <= 64 && m->shape.n_vocab <= 512);
        must(cai_score(m, ids, n, 0, logprob, err, sizeof err));
        assert_true(isnan(logprob[0]));
        d = compare(logprob, json_get(entry, "logprobs"));
        if (!(d.mean_abs <= bars[bar].mean_abs && d.max <= bars[bar].max))
            fail_msg("%s: log-probs differ by %g, at most %g", path, d.mean_abs, d.max);
        must(ctx_new(&c, m, 0, 0, err, sizeof err));
        s = new_seq(c);
        feed(c, s, ids, n, 64, NULL, logits);
        d = compare(logits, json_get(entry, "logits"));
        if (!(d.mean_abs <= bars[bar].mean_abs && d.max <= bars[bar].max))
            fail_msg("%s: logits differ by %g, at most %g", path, d.mean_abs, d.max);
        seq_free(s);
        ctx_free(c);
        cai_model_close(m);
        mem_free(ids);
        n_models++;
    }
    assert_true(n_models >= 15);
    cJSON_Delete(doc);
}

static void experts_are_refused_by_name(void **state)
{
    struct cai_model *m = NULL;
    (void)state;

    need_file(TINY("llama-experts.gguf"));
    assert_int_equal(cai_model_open(&m, TINY("llama-experts.gguf"), NULL, err,
                                    sizeof err),
                     CAI_UNSUPPORTED);
    assert_null(m);
    assert_non_null(strstr(err, "has experts, which cai does not run"));
}

/* ------------------------------------------------------------------ equal bits */

enum { N_TEXT = 90 };

/* A text of any tokens; the same for every model of a vocabulary. */
static void make_text(int32_t *ids, size_t n, size_t n_vocab)
{
    uint32_t x = 12345;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        ids[i] = (int32_t)((x >> 8) % n_vocab);
    }
}

/* Log-probs and last logits of a text. */
struct result {
    float logprob[N_TEXT], *logits;
};

static struct result run_text(const struct cai_model *m, const int32_t *ids, size_t n,
                              size_t split)
{
    struct result r = {{0}, mem_alloc(m->shape.n_vocab, sizeof(float))};
    struct ctx *c = NULL;
    struct seq *s;

    must(ctx_new(&c, m, n, 0, err, sizeof err));
    s = new_seq(c);
    feed(c, s, ids, n, split, r.logprob, r.logits);
    assert_int_equal(ctx_n_evaluated(c), n);
    seq_free(s);
    ctx_free(c);
    return r;
}

static void assert_same_result(const struct cai_model *m, const struct result *a,
                               const struct result *b, size_t n, const char *what)
{
    assert_same_bits(a->logprob, b->logprob, n - 1, what);
    assert_same_bits(a->logits, b->logits, m->shape.n_vocab, what);
}

static void check_splits(const char *path, size_t n, size_t step)
{
    static const char *const kernels[] = {"scalar", "avx2", "avx512"};
    struct result want = {{0}, NULL};
    int32_t ids[N_TEXT];
    char what[256];

    need_file(path);
    for (size_t k = 0; k < 3; k++)
        for (int n_threads = 1; n_threads <= 2; n_threads++) {
            struct cai_model *m;
            if (!cai_kernel_name(kernels[k]))
                continue;
            m = open_model(path, kernels[k], n_threads);
            make_text(ids, n, m->shape.n_vocab);
            for (size_t split = 1; split <= 40 && split <= n; split += step) {
                struct result got = run_text(m, ids, n, split);
                snprintf(what, sizeof what, "%s, %s, %d threads, split %zu", path,
                         kernels[k], n_threads, split);
                if (!want.logits)
                    want = got;
                else {
                    assert_same_result(m, &got, &want, n, what);
                    mem_free(got.logits);
                }
            }
            cai_model_close(m);
        }
    mem_free(want.logits);
}

static void tiny_models_split_threads_kernels(void **state)
{
    (void)state;
    check_splits(TINY("llama-q4_1.gguf"), N_TEXT, 1);
    check_splits(TINY("llama-q6_k.gguf"), N_TEXT, 3);
    check_splits(TINY("llama-bias-headsize.gguf"), N_TEXT, 3);
    check_splits(TINY("qwen2.gguf"), N_TEXT, 3);
}

static void default_model_kernels(void **state)
{
    (void)state;
    check_splits(test_model(), 5, 4); /* splits 1 and 5: scalar is slow */
}

static void default_model_splits(void **state)
{
    static const size_t splits[] = {1, 2, 3, 7, 16, 17, 31, 40};
    struct cai_model *m[2];
    struct result want, got;
    int32_t ids[N_TEXT];
    (void)state;

    need_file(test_model());
    for (int i = 0; i < 2; i++)
        m[i] = open_model(test_model(), NULL, i + 1);
    make_text(ids, N_TEXT, m[0]->shape.n_vocab);
    want = run_text(m[0], ids, N_TEXT, N_TEXT);
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++) {
        char what[64];
        snprintf(what, sizeof what, "split %zu", splits[i]);
        got = run_text(m[i % 2], ids, N_TEXT, splits[i]);
        assert_same_result(m[0], &got, &want, N_TEXT, what);
        mem_free(got.logits);
    }
    got = run_text(m[1], ids, N_TEXT, N_TEXT); /* and again, with two threads (K5) */
    assert_same_result(m[0], &got, &want, N_TEXT, "2 threads");
    mem_free(got.logits);
    mem_free(want.logits);
    cai_model_close(m[0]);
    cai_model_close(m[1]);
}

/* Log-prob and logits of one position are two views of the same arithmetic. */
static void logprob_is_logit_less_lse(void **state)
{
    struct cai_model *m = open_model(TINY("llama-q8_0.gguf"), NULL, 2);
    size_t n_vocab = m->shape.n_vocab;
    float logits[512];
    struct ctx *c = NULL;
    struct seq *s;
    (void)state;

    assert_true(n_vocab <= 512);
    must(ctx_new(&c, m, 0, 0, err, sizeof err));
    s = new_seq(c);
    for (int32_t t = 0; t < 20; t++) {
        struct entry e = {.seq = s,
                          .token = t * 7,
                          .want = ENTRY_LOGITS | ENTRY_LOGPROB,
                          .logits = logits,
                          .target = t};
        float x;
        must(ctx_eval(c, &e, 1, err, sizeof err));
        x = logits[t] - logits_lse(m, logits);
        assert_same_bits(&e.logprob, &x, 1, "log-prob");
    }
    seq_free(s);
    ctx_free(c);
    cai_model_close(m);
}

/* Texts of different lengths, one row of each per pass, give the bits they give alone. */
static void company_changes_nothing(void **state)
{
    enum { N_SEQS = 9 };
    struct cai_model *m = open_model(TINY("llama-q5_1.gguf"), NULL, 2);
    size_t n_vocab = m->shape.n_vocab;
    int32_t ids[N_SEQS][N_TEXT];
    struct result want[N_SEQS];
    struct seq *s[N_SEQS];
    float *logits = mem_alloc(n_vocab * N_SEQS, sizeof *logits);
    struct ctx *c = NULL;
    (void)state;

    must(ctx_new(&c, m, 0, N_SEQS * 128, err, sizeof err));
    for (size_t i = 0; i < N_SEQS; i++) {
        make_text(ids[i], N_TEXT, n_vocab);
        ids[i][0] = (int32_t)i;
        want[i] = run_text(m, ids[i], N_TEXT - 5 * i, 16);
        s[i] = new_seq(c);
    }
    for (size_t at = 0; at < N_TEXT; at += 3) { /* three tokens of each, interleaved */
        struct entry e[3 * N_SEQS];
        size_t n = 0;
        for (size_t k = at; k < at + 3; k++)
            for (size_t i = 0; i < N_SEQS; i++) {
                size_t len = N_TEXT - 5 * i;
                if (k >= len)
                    continue;
                e[n] = (struct entry){.seq = s[i], .token = ids[i][k]};
                if (k + 1 == len) {
                    e[n].want = ENTRY_LOGITS;
                    e[n].logits = logits + i * n_vocab;
                }
                n++;
            }
        must(ctx_eval(c, e, n, err, sizeof err));
    }
    for (size_t i = 0; i < N_SEQS; i++) {
        assert_same_bits(logits + i * n_vocab, want[i].logits, n_vocab, "with company");
        mem_free(want[i].logits);
        seq_free(s[i]);
    }
    mem_free(logits);
    ctx_free(c);
    cai_model_close(m);
}

static void hidden_states(void **state)
{
    struct cai_model *m = open_model(TINY("llama-q4_0.gguf"), NULL, 2);
    size_t n_embd = m->shape.n_embd, n_layers = m->shape.n_layers;
    float *one = mem_alloc((n_layers + 1) * n_embd, sizeof *one),
          *two = mem_alloc((n_layers + 1) * n_embd, sizeof *two),
          *row = mem_alloc(n_embd, sizeof *row);
    struct ctx *c = NULL;
    struct seq *s;
    struct entry e[3] = {{0}};
    (void)state;

    must(ctx_new(&c, m, 0, 0, err, sizeof err));
    s = new_seq(c);
    for (int i = 0; i < 3; i++) {
        e[i].seq = s;
        e[i].token = 40 + i;
    }
    e[2].want = ENTRY_HIDDEN;
    e[2].hidden = one;
    e[2].n_hidden = (int)n_layers + 1;
    must(ctx_eval(c, e, 3, err, sizeof err));
    matrix_row(row, &m->embedding, 42);
    assert_same_bits(one, row, n_embd, "layer 0 is the embedding");
    seq_truncate(s, 2);
    for (int i = 0; i <= (int)n_layers; i++) { /* one layer at a time */
        e[2].hidden = two + (size_t)i * n_embd;
        e[2].hidden_layer = i;
        e[2].n_hidden = 1;
        must(ctx_eval(c, e + 2, 1, err, sizeof err));
        seq_truncate(s, 2);
    }
    assert_same_bits(two, one, (n_layers + 1) * n_embd, "layer by layer");
    e[2].hidden_layer = (int)n_layers + 1;
    assert_int_equal(ctx_eval(c, e + 2, 1, err, sizeof err), CAI_INVALID);
    mem_free(one);
    mem_free(two);
    mem_free(row);
    seq_free(s);
    ctx_free(c);
    cai_model_close(m);
}

/* ------------------------------------------------------------------ sequences */

/* A fork at every length, continued while its origin continues otherwise, gives what a
 * fresh sequence gives; nobody's pages are written by another. */
static void forks_are_independent(void **state)
{
    struct cai_model *m = open_model(TINY("llama-q8_0.gguf"), NULL, 2);
    size_t n_vocab = m->shape.n_vocab, n = 40;
    int32_t ids[N_TEXT], other[N_TEXT];
    struct result want;
    float *logits = mem_alloc(n_vocab, sizeof *logits);
    struct ctx *c = NULL;
    (void)state;

    make_text(ids, N_TEXT, n_vocab);
    want = run_text(m, ids, n, n);
    must(ctx_new(&c, m, 0, 256, err, sizeof err));
    for (size_t at = 0; at <= n - 1; at++) {
        struct seq *a = new_seq(c), *b;
        uint64_t before;
        memcpy(other, ids, sizeof other);
        for (size_t i = at; i < N_TEXT; i++)
            other[i] = (ids[i] + 1) % (int32_t)n_vocab;
        feed(c, a, other, at + 7, 16, NULL, NULL);
        b = seq_fork(a, at);
        assert_non_null(b);
        assert_int_equal(seq_len(b), at);
        before = ctx_n_evaluated(c);
        feed(c, a, other + at + 7, 5, 16, NULL, NULL);
        feed(c, b, ids + at, n - at, 16, NULL, logits);
        assert_int_equal(ctx_n_evaluated(c) - before, 5 + n - at);
        assert_same_bits(logits, want.logits, n_vocab, "fork");
        assert_memory_equal(seq_tokens(b), ids, n * sizeof *ids);
        seq_truncate(a, at); /* and the origin, after all */
        feed(c, a, ids + at, n - at, 3, NULL, logits);
        assert_same_bits(logits, want.logits, n_vocab, "origin");
        seq_free(a);
        seq_free(b);
    }
    assert_int_equal(ctx_free_tokens(c), 256);
    mem_free(want.logits);
    mem_free(logits);
    ctx_free(c);
    cai_model_close(m);
}

static void limits_are_told_and_change_nothing(void **state)
{
    struct cai_model *m = open_model(TINY("llama-q8_0.gguf"), NULL, 1);
    size_t n_vocab = m->shape.n_vocab, room;
    int32_t ids[N_TEXT];
    struct entry e[N_TEXT];
    struct ctx *c = NULL;
    struct seq *a, *b;
    (void)state;

    make_text(ids, N_TEXT, n_vocab);
    assert_int_equal(ctx_new(&c, m, m->shape.n_ctx_train + 1, 0, err, sizeof err),
                     CAI_LIMIT);
    assert_null(c);
    must(ctx_new(&c, m, 40, 64, err, sizeof err));
    a = new_seq(c);
    b = new_seq(c);
    feed(c, a, ids, 30, 30, NULL, NULL);
    room = ctx_free_tokens(c);
    assert_int_equal(room, 32);

    for (size_t i = 0; i < N_TEXT; i++)
        e[i] = (struct entry){.seq = a, .token = ids[i]};
    assert_int_equal(ctx_eval(c, e, 11, err, sizeof err), CAI_LIMIT);
    assert_non_null(strstr(err, "41"));
    assert_non_null(strstr(err, "40"));
    assert_int_equal(seq_len(a), 30);
    assert_int_equal(ctx_free_tokens(c), room);

    for (size_t i = 0; i < 40; i++)
        e[i].seq = b;
    assert_int_equal(ctx_eval(c, e, 40, err, sizeof err), CAI_LIMIT);
    assert_non_null(strstr(err, "64"));
    assert_int_equal(seq_len(b), 0);
    assert_int_equal(ctx_free_tokens(c), room);

    e[3].token = (int32_t)n_vocab;
    assert_int_equal(ctx_eval(c, e, 5, err, sizeof err), CAI_INVALID);
    e[3].token = -1;
    assert_int_equal(ctx_eval(c, e, 5, err, sizeof err), CAI_INVALID);
    assert_int_equal(seq_len(b), 0);
    assert_int_equal(ctx_n_evaluated(c), 30);
    must(ctx_eval(c, e, 0, err, sizeof err));
    seq_free(a);
    seq_free(b);
    ctx_free(c);
    cai_model_close(m);
}

/* ------------------------------------------------------------------ opening */

static void opening_says_what_is_wrong(void **state)
{
    struct cai_model *m = NULL;
    struct cai_model_options o = {.n_threads = 1};
    const struct cai_model_info *info;
    (void)state;

    assert_int_equal(cai_model_open(&m, "/nowhere/x.gguf", NULL, err, sizeof err),
                     CAI_IO);
    assert_non_null(strstr(err, "/nowhere/x.gguf"));
    o.kernel = "abacus";
    assert_int_equal(cai_model_open(&m, TINY("llama-f32.gguf"), &o, err, sizeof err),
                     CAI_INVALID);
    o.kernel = NULL;
    o.n_threads = -1;
    assert_int_equal(cai_model_open(&m, TINY("llama-f32.gguf"), &o, err, sizeof err),
                     CAI_INVALID);
    assert_null(m);
    o.n_threads = 1;
    o.vocab_only = 1;
    must(cai_model_open(&m, TINY("qwen2.gguf"), &o, err, sizeof err));
    info = cai_model_info(m);
    assert_string_equal(info->arch, "qwen2");
    assert_int_equal(strlen(info->sha256), HASH_HEX_LEN);
    assert_int_equal(info->n_layers, m->shape.n_layers);
    assert_true(info->n_params > 0);
    cai_model_close(m);
}

/* Where `what` is in a file, the end of it. */
static char *after(const struct strbuf *file, const char *what)
{
    char *p = memmem(file->data, file->len, what, strlen(what));
    if (!p)
        fail_msg("%s is not in the file", what);
    return p + strlen(what);
}

/* Files whose metadata and tensors do not fit together: each is refused, saying what. */
static void misfits_are_refused_by_name(void **state)
{
    static const struct {
        const char *file, *at; /* what comes after this ... */
        int skip;              /* ... and so many bytes ... */
        const char *bytes;     /* ... is replaced */
        size_t n;
        const char *says;
    } cases[] = {
        {"llama-f32", "blk.1.ffn_u", 0, "x", 1, "tensor blk.1.ffn_up.weight is missing"},
        {"llama-f32", "output_nor", 0, "n", 1, "tensor output_norm.weight is missing"},
        {"qwen2", "blk.0.attn_q.b", 0, "j", 1, "tensor blk.0.attn_q.bias is missing"},
        {"llama-untied-ropefreqs", "rope_freq", 0, "z", 1,
         "rope_freqz.weight is not part"},
        {"llama-f32", "general.architecture", 12, "mamba", 5,
         "architecture \"mamba\" is not supported; supported: llama, qwen2"},
        {"llama-f32", "llama.embedding_length", 4, "\x80\0", 2,
         "token_embd.weight is 64"},
        {"llama-f32", "llama.embedding_length", 4, "\0\0\0\0", 4,
         "embedding_length is 0"},
        {"llama-f32", "llama.feed_forward_length", 4, "\x80\0", 2, "ffn_gate.weight is"},
        {"llama-f32", "llama.attention.head_count_kv", 4, "\3\0", 2, "3 key-value heads"},
        {"llama-f32", "llama.block_count", 4, "\1\0", 2, "tensor blk.1."},
        {"llama-f32", "llama.block_count", 4, "\3\0", 2, "tensor blk.2."},
        {"llama-f32", "llama.block_count", 4, "\xFF\xFF", 2, "65535 layers announced"},
        {"llama-f32", "llama.context_lengt", 0, "k", 1, "lacks llama.context_length"},
        {"llama-f32", "llama.block_count", 0, "\6\0\0\0", 4, "not one whole number"},
    };
    static const char path[] = "build/tests/misfit.gguf";
    (void)state;

    must(file_make_dirs("build/tests", err, sizeof err));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf file = STRBUF_INIT(8 << 20);
        struct cai_model *m = NULL;
        char from[256];
        snprintf(from, sizeof from, TEST_DATA "tiny/%s.gguf", cases[i].file);
        must(file_read(&file, from, err, sizeof err));
        memcpy(after(&file, cases[i].at) + cases[i].skip, cases[i].bytes, cases[i].n);
        must(file_replace(path, file.data, file.len, err, sizeof err));
        if (cai_model_open(&m, path, NULL, err, sizeof err) == CAI_OK || m ||
            !strstr(err, cases[i].says))
            fail_msg("case %zu: %s", i, err);
        strbuf_free(&file);
    }
    unlink(path);
}

/* Every allocation of opening, one after the other, fails: an error, no leak, no crash.
 */
static void opening_survives_lack_of_memory(void **state)
{
    struct cai_model_options o = {.n_threads = 1};
    unsigned long k;
    (void)state;

    for (k = 1; k < 5000; k += k < 200 ? 1 : 37) {
        struct cai_model *m = NULL;
        enum cai_status st;
        mem_test_fail(k, 0);
        st = cai_model_open(&m, TINY("llama-f32.gguf"), &o, err, sizeof err);
        mem_test_fail(0, 0);
        if (st == CAI_OK) {
            cai_model_close(m);
            break;
        }
        assert_int_equal(st, CAI_NOMEM);
        assert_null(m);
    }
    assert_true(k > 10 && k < 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiny_models_match_pytorch),
        cmocka_unit_test(experts_are_refused_by_name),
        cmocka_unit_test(tiny_models_split_threads_kernels),
        cmocka_unit_test(default_model_kernels),
        cmocka_unit_test(default_model_splits),
        cmocka_unit_test(logprob_is_logit_less_lse),
        cmocka_unit_test(company_changes_nothing),
        cmocka_unit_test(hidden_states),
        cmocka_unit_test(forks_are_independent),
        cmocka_unit_test(limits_are_told_and_change_nothing),
        cmocka_unit_test(opening_says_what_is_wrong),
        cmocka_unit_test(misfits_are_refused_by_name),
        cmocka_unit_test(opening_survives_lack_of_memory),
    };
    cai_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * unit_tokenizer.c: published vectors, round trips, speed, hostile vocabularies (G5 of
 * the reliability guide).
 */
#include "testing.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "model/tokenizer.h"
#include "model/tokenizer_pre.h"
#include "vocab_file.h"

#define K(name) "tokenizer.ggml." name

static char err[ERR_MAX];

static struct tokenizer *open_tokenizer(const char *path)
{
    struct gguf *g = NULL;
    struct tokenizer *t = NULL;

    if (gguf_open(&g, path, err, sizeof err) != CAI_OK ||
        tokenizer_new(&t, g, err, sizeof err) != CAI_OK)
        fail_msg("%s", err);
    gguf_close(g); /* the tokenizer stands alone */
    return t;
}

/* A tokenizer of what was built, or the status that refused it. */
static enum cai_status build(struct tokenizer **t, struct vocab_file *v)
{
    struct gguf *g = NULL;
    enum cai_status st;

    assert_int_equal(vocab_open(&g, v, err, sizeof err), CAI_OK);
    err[0] = '\0';
    st = tokenizer_new(t, g, err, sizeof err);
    gguf_close(g);
    return st;
}

static void encode(const struct tokenizer *t, const char *text, size_t len, int32_t **ids,
                   size_t *n)
{
    if (tokenizer_encode(t, text, len, ids, n, err, sizeof err) != CAI_OK)
        fail_msg("%s", err);
}

/* The pieces of the ids are the text, after the one space SPM adds. */
static void check_round_trip(const struct tokenizer *t, const char *text, size_t len,
                             const int32_t *ids, size_t n)
{
    struct strbuf b = STRBUF_INIT(64u << 20);
    size_t skip_bytes = tokenizer_adds_space(t) && len;

    for (size_t i = 0; i < n; i++) {
        size_t m;
        const char *p = tokenizer_piece(t, ids[i], &m);
        assert_non_null(p);
        assert_false(tokenizer_is_control(t, ids[i]));
        assert_int_equal(strbuf_add(&b, p, m), CAI_OK);
    }
    assert_int_equal(b.len, len + skip_bytes);
    if (skip_bytes)
        assert_int_equal(b.data[0], ' ');
    if (len)
        assert_memory_equal(b.data + skip_bytes, text, len);
    strbuf_free(&b);
}

/* ------------------------------------------------------------------ published vectors */

static const char *const sets[] = {"starcoder", "refact", "gpt-2", "llama-spm", "phi-3"};
enum { N_SETS = sizeof sets / sizeof *sets, N_TEXTS = 46 };

static void set_path(char *path, size_t set, const char *suffix)
{
    snprintf(path, 256, SHARED_DATA "tokenizer/ggml-vocab-%s.gguf%s", sets[set], suffix);
}

static void check_set(size_t set)
{
    static const char gap[] = "\n__ggml_vocab_test__\n";
    struct strbuf in = STRBUF_INIT(1 << 20), out = STRBUF_INIT(1 << 20);
    char path[256];
    const char *text, *want;
    struct tokenizer *t;

    set_path(path, set, "");
    need_file(path);
    t = open_tokenizer(path);
    set_path(path, set, ".inp");
    assert_int_equal(file_read(&in, path, err, sizeof err), CAI_OK);
    set_path(path, set, ".out");
    assert_int_equal(file_read(&out, path, err, sizeof err), CAI_OK);
    text = in.data;
    want = out.data;
    for (int i = 0; i < N_TEXTS; i++) {
        const char *end = strstr(text, gap);
        int32_t *ids;
        size_t n;
        assert_non_null(end);
        encode(t, text, (size_t)(end - text), &ids, &n);
        for (size_t k = 0; k < n; k++) {
            char *after;
            long id = strtol(want, &after, 10);
            if (after == want || memchr(want, '\n', (size_t)(after - want)) ||
                id != ids[k])
                fail_msg("%s, text %d, token %zu: %d, expected %ld", sets[set], i, k,
                         ids[k], id);
            want = after;
        }
        while (*want == ' ')
            want++;
        if (*want != '\n')
            fail_msg("%s, text %d: more tokens expected at \"%.20s\"", sets[set], i,
                     want);
        want++;
        check_round_trip(t, text, (size_t)(end - text), ids, n);
        mem_free(ids);
        text = end + strlen(gap);
    }
    tokenizer_free(t);
    strbuf_free(&in);
    strbuf_free(&out);
}

static void vectors_starcoder(void **state)
{
    (void)state;
    check_set(0);
}

static void vectors_refact(void **state)
{
    (void)state;
    check_set(1);
}

static void vectors_gpt2(void **state)
{
    (void)state;
    check_set(2);
}

static void vectors_llama_spm(void **state)
{
    (void)state;
    check_set(3);
}

static void vectors_phi3(void **state)
{
    (void)state;
    check_set(4);
}

/* ------------------------------------------------------------------ random texts */

/* Random bytes, random characters, or words with odd white space; returns the length. */
static size_t random_text(char *out, size_t max, uint32_t i)
{
    static const char *const words[] = {"the",   " of",          "'s",   "<|im_end|>",
                                        "  ",    "\n",           "3.14", "\t",
                                        "don't", "\xE2\x96\x81", "</s>"};
    static const uint32_t below[] = {0x80, 0x800, 0x3000, 0x10000, 0x110000};
    struct rng_stream s = rng_stream_make(5, RNG_TEST, 0, 0);
    uint32_t k = 0, kind = rng_u32(&s, i, k++) % 3;
    size_t len = 0, want = rng_u32(&s, i, k++) % (max - 16);

    while (len < want) {
        uint32_t x = rng_u32(&s, i, k++);
        if (kind == 0) {
            out[len++] = (char)x;
        } else if (kind == 1) {
            uint32_t cp = (x >> 3) % below[x % 5];
            size_t n = utf8_encode(out + len, cp);
            if (n == 0) /* a surrogate: its bytes are an invalid text */
                memcpy(out + len, "\xED\xA0\x80", n = 3);
            len += n;
        } else {
            const char *w = words[x % (sizeof words / sizeof *words)];
            memcpy(out + len, w, strlen(w));
            len += strlen(w);
        }
    }
    return len;
}

static void check_random(const char *path, uint32_t n_texts)
{
    struct tokenizer *t;
    int can_say[256];
    char text[160];
    uint32_t n_refused = 0;

    need_file(path);
    t = open_tokenizer(path);
    for (int b = 0; b < 256; b++) {
        char c = (char)b;
        int32_t *ids;
        size_t n;
        can_say[b] = tokenizer_encode(t, &c, 1, &ids, &n, NULL, 0) == CAI_OK;
        mem_free(ids);
    }
    for (uint32_t i = 0; i < n_texts; i++) {
        size_t n, len = random_text(text, sizeof text, i);
        enum cai_status st, want = CAI_OK;
        int32_t *ids;
        /* Some bytes have no token in some vocabularies: kept in every fourth text. */
        for (size_t k = 0; k < len; k++)
            if (!can_say[(unsigned char)text[k]] && i % 4)
                text[k] = '\x80';
            else if (!can_say[(unsigned char)text[k]])
                want = CAI_UNSUPPORTED;
        st = tokenizer_encode(t, text, len, &ids, &n, err, sizeof err);
        if (st != want)
            fail_msg("text %u: %s, expected %s", i, cai_status_name(st),
                     cai_status_name(want));
        if (st == CAI_OK)
            check_round_trip(t, text, len, ids, n);
        else
            n_refused++;
        mem_free(ids);
    }
    assert_true(n_refused < n_texts / 2);
    tokenizer_free(t);
}

static void round_trip_default(void **state)
{
    (void)state;
    check_random(test_model(), test_long() ? 100000 : 10000);
}

static void round_trip_gpt2(void **state)
{
    char path[256];
    (void)state;
    set_path(path, 2, "");
    check_random(path, test_long() ? 100000 : 5000);
}

static void round_trip_spm(void **state)
{
    char path[256];
    (void)state;
    set_path(path, 3, "");
    check_random(path, test_long() ? 100000 : 5000);
}

/* ------------------------------------------------------------------ long texts */

enum { MIB = 1 << 20 };

#ifdef __SANITIZE_ADDRESS__
enum { LONG_LIMIT_MS = 10000 };
#else
enum { LONG_LIMIT_MS = 1000 };
#endif

/* Of this thread: what others do on a shared machine does not count. */
static int64_t cpu_us(void)
{
    struct timespec ts;
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts), 0);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* A pattern repeated to 1 MiB; the best of at most three runs. */
static void check_long(const struct tokenizer *t, const char *pattern, size_t len)
{
    char *text = mem_alloc(MIB, 1);
    int64_t best = INT64_MAX;

    for (size_t i = 0; i < MIB; i++)
        text[i] = pattern[i % len];
    for (int run = 0; run < 3 && best > LONG_LIMIT_MS * 1000; run++) {
        int64_t began = cpu_us(), took;
        int32_t *ids;
        size_t n;
        encode(t, text, MIB, &ids, &n);
        took = cpu_us() - began;
        best = took < best ? took : best;
        check_round_trip(t, text, MIB, ids, n);
        mem_free(ids);
    }
    if (best > LONG_LIMIT_MS * 1000)
        fail_msg("1 MiB of \"%s\": %lld ms", pattern, (long long)best / 1000);
    mem_free(text);
}

static void long_texts(const char *path)
{
    static const char *const patterns[] = {"a",    " ",    "\n",
                                           "7",    "-",    "\xC3\xA9",
                                           "ab",   "\x80", "\xF0\x9F\x99\x82",
                                           " a\n", "'"};
    struct tokenizer *t;

    need_file(path);
    t = open_tokenizer(path);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        check_long(t, patterns[i], strlen(patterns[i]));
    tokenizer_free(t);
}

static void long_texts_default(void **state)
{
    (void)state;
    long_texts(test_model());
}

static void long_texts_spm(void **state)
{
    char path[256];
    (void)state;
    set_path(path, 3, "");
    long_texts(path);
}

static void too_long_is_refused(void **state)
{
    struct tokenizer *t;
    int32_t *ids;
    size_t n;
    char *text = mem_alloc(TOKENIZER_TEXT_MAX + 1, 1);

    (void)state;
    need_file(test_model());
    t = open_tokenizer(test_model());
    assert_int_equal(tokenizer_encode(t, text, TOKENIZER_TEXT_MAX + 1, &ids, &n, err,
                                      sizeof err),
                     CAI_LIMIT);
    assert_null(ids);
    mem_free(text);
    tokenizer_free(t);
}

/* ------------------------------------------------------------------ special tokens */

/* The name of every control token of every vocabulary, as text, whole and in context. */
static void names_are_ordinary_text(void **state)
{
    (void)state;
    for (size_t set = 0; set <= N_SETS; set++) {
        char path[4096], text[256];
        struct tokenizer *t;
        size_t n_control = 0;

        if (set < N_SETS)
            set_path(path, set, "");
        else
            snprintf(path, sizeof path, "%s", test_model());
        need_file(path);
        t = open_tokenizer(path);
        for (int32_t id = 0; (size_t)id < tokenizer_n_vocab(t); id++) {
            size_t len, n;
            const char *name = tokenizer_piece(t, id, &len);
            int32_t *ids;
            if (!tokenizer_is_control(t, id) || len > 100)
                continue;
            n_control++;
            snprintf(text, sizeof text, "a %.*s%.*s\n", (int)len, name, (int)len, name);
            encode(t, text, strlen(text), &ids, &n);
            check_round_trip(t, text, strlen(text), ids, n); /* refuses control tokens */
            mem_free(ids);
            encode(t, name, len, &ids, &n);
            check_round_trip(t, name, len, ids, n);
            mem_free(ids);
        }
        assert_true(n_control > 0);
        tokenizer_free(t);
    }
}

static void default_model_facts(void **state)
{
    struct tokenizer *t;
    size_t len, n;
    int32_t *ids;

    (void)state;
    need_file(test_model());
    t = open_tokenizer(test_model());
    assert_string_equal(tokenizer_name(t), "gpt2/smollm");
    assert_int_equal(tokenizer_n_vocab(t), 49152);
    assert_int_equal(tokenizer_bos(t), 1);
    assert_int_equal(tokenizer_eos(t), 2);
    assert_int_equal(tokenizer_eot(t), 2);
    assert_false(tokenizer_adds_bos(t));
    assert_false(tokenizer_adds_space(t));
    assert_int_equal(tokenizer_control(t, "<|im_start|>", 12), 1);
    assert_int_equal(tokenizer_control(t, "<|im_end|>", 10), 2);
    assert_int_equal(tokenizer_control(t, "<|im_en", 7), -1);
    assert_int_equal(tokenizer_control(t, "the", 3), -1);
    assert_true(tokenizer_is_eog(t, 0));
    assert_true(tokenizer_is_eog(t, 2));
    assert_false(tokenizer_is_eog(t, 1));
    assert_false(tokenizer_is_eog(t, 198));
    assert_false(tokenizer_is_eog(t, -1));
    assert_memory_equal(tokenizer_piece(t, 198, &len), "\n", 1);
    assert_int_equal(len, 1);
    assert_null(tokenizer_piece(t, 49152, &len));
    assert_null(tokenizer_piece(t, -1, &len));
    assert_int_equal(len, 0);
    encode(t, "", 0, &ids, &n);
    assert_int_equal(n, 0);
    mem_free(ids);
    /* this vocabulary has no token for some control characters */
    assert_int_equal(tokenizer_encode(t, "ab\x04", 3, &ids, &n, err, sizeof err),
                     CAI_UNSUPPORTED);
    assert_non_null(strstr(err, "byte 0x04 at offset 2"));
    tokenizer_free(t);
}

/* What cai.h shows, through a model opened for its vocabulary alone. */
static void public_face(void **state)
{
    static const struct cai_model_options vocab = {.vocab_only = 1};
    static const char text[] = "Hello <|im_end|>";
    struct cai_model *m = NULL;
    struct strbuf b = STRBUF_INIT(100);
    int32_t *ids;
    size_t n, len;

    (void)state;
    need_file(test_model());
    if (cai_model_open(&m, test_model(), &vocab, err, sizeof err) != CAI_OK)
        fail_msg("%s", err);
    assert_string_equal(cai_model_info(m)->tokenizer, "gpt2/smollm");
    assert_string_equal(cai_model_info(m)->chat_template, "chatml");
    assert_int_equal(cai_tokenize(m, text, strlen(text), &ids, &n, err, sizeof err),
                     CAI_OK);
    for (size_t i = 0; i < n; i++) {
        const char *p = cai_token_piece(m, ids[i], &len);
        assert_int_equal(strbuf_add(&b, p, len), CAI_OK);
        assert_int_not_equal(ids[i], 2);
    }
    assert_string_equal(b.data, text);
    assert_null(cai_token_piece(m, -1, &len));
    strbuf_free(&b);
    cai_free(ids);
    cai_model_close(m);
}

/* ------------------------------------------------------------------ pre-tokenizers */

/* Pieces are separated by U+00B7 in `want`; expectations come from the `tokenizers`
 * package with the published expressions. */
static void pre_tokenizers_cut(void **state)
{
    static const struct {
        const char *pre, *text, *want;
    } rows[] = {
        {"gpt-2", "I've  2024 naïve...\n\n x", "I·'ve· · 2024· naïve·...·\n\n· x"},
        {"gpt-2", "I'VE a\t ", "I·'·VE· a·\t "},
        {"smollm", "in 2024's  end", "in· ·2·0·2·4·'s· · end"},
        {"starcoder", "a½ 12", "a·½· ·1·2"},
        {"refact", "3.14", "3·.·1·4"},
        {"llama-bpe", "I'VE 12345 a\r\n\r\n b", "I·'VE· ·123·45· a·\r\n\r\n· b"},
        {"llama-bpe", "(yes) --> \n\tno", "(yes·)· -->· \n·\tno"},
        {"llama-bpe", "  it'\xC5\xBF!!\n\n", " · it·'\xC5\xBF·!!\n\n"},
        {"qwen2", "I'll 123 ok", "I·'ll· ·1·2·3· ok"},
        {"qwen2", "a   b \n c", "a·  · b· \n· c"},
        {"default", "x=1234567, $5 (a'll)", "x·=·123·456·7·,· ·$·5· ·(·a·'·ll·)"},
        {"default", "tab\t\there", "tab·\t·\t·here"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct pre_tokenizer *p =
            pre_tokenizer_find(rows[i].pre, strlen(rows[i].pre));
        struct pre_char c[128];
        struct strbuf got = STRBUF_INIT(4096);
        size_t ends[128], begin = 0, len = strlen(rows[i].text), n, m;

        assert_non_null(p);
        n = pre_decode(c, rows[i].text, len);
        m = pre_split(p, c, n, ends);
        for (size_t k = 0; k < m; k++) {
            size_t end = ends[k] < n ? c[ends[k]].at : len;
            if (k)
                assert_int_equal(strbuf_adds(&got, "\xC2\xB7"), CAI_OK);
            assert_int_equal(strbuf_add(&got, rows[i].text + begin, end - begin), CAI_OK);
            begin = end;
        }
        assert_string_equal(got.data, rows[i].want);
        strbuf_free(&got);
    }
    assert_null(pre_tokenizer_find("gpt", 3));
}

static void pre_tokenizer_names_are_complete(void **state)
{
    char name[64];
    const char *s = pre_tokenizer_names();

    (void)state;
    for (int n = 0;; n++) {
        size_t len = strcspn(s, ",");
        snprintf(name, sizeof name, "%.*s", (int)len, s);
        assert_non_null(pre_tokenizer_find(name, len));
        s += len;
        if (!*s) {
            assert_int_equal(n, 6);
            return;
        }
        s += 2;
    }
}

/* ------------------------------------------------------------------ small vocabularies
 */

/* Byte-level, with "ab", "abc", " a", a control and two user-defined tokens after the 256
 * bytes. */
static const char *const bpe_tokens[] = {"ab",
                                         "abc",
                                         "\xC4\xA0"
                                         "a",
                                         "<end>",
                                         "  ",
                                         "<tool>"};
static const char *const bpe_merges[] = {"a b", "ab c", "\xC4\xA0 a"};
enum { AB = 256, ABC, SPACE_A, END, BLANKS, TOOL };

static void bpe_types(struct vocab_file *v, uint32_t type)
{
    static const uint32_t types[] = {1, 1, 1, 3, 4, 4};

    vocab_array(v, K("token_type"), type, 262);
    for (int i = 0; i < 256; i++)
        vocab_put_u32(v, 1);
    vocab_put(v, types, sizeof types);
}

static void bpe_file(struct vocab_file *v, const char *pre)
{
    vocab_str(v, K("model"), "gpt2");
    if (pre)
        vocab_str(v, K("pre"), pre);
    vocab_strings(v, K("tokens"), 1, bpe_tokens, 6);
}

static void check_ids(const struct tokenizer *t, const char *text, const int32_t *want,
                      size_t n_want)
{
    int32_t *ids;
    size_t n;

    encode(t, text, strlen(text), &ids, &n);
    assert_int_equal(n, n_want);
    assert_memory_equal(ids, want, n * sizeof *ids);
    mem_free(ids);
}

static void small_bpe(void **state)
{
    struct vocab_file v = {0};
    struct tokenizer *t = NULL;

    (void)state;
    bpe_file(&v, "gpt-2");
    bpe_types(&v, GGUF_I32);
    vocab_strings(&v, K("merges"), 0, bpe_merges, 3);
    vocab_u32(&v, K("eos_token_id"), END);
    assert_int_equal(build(&t, &v), CAI_OK);
    check_ids(t, "abcab", (int32_t[]){ABC, AB}, 2);
    check_ids(t, "ab ab", (int32_t[]){AB, ' ', AB}, 3); /* "a b" ranks first */
    check_ids(t, " ac", (int32_t[]){SPACE_A, 'c'}, 2);
    check_ids(t, "a  b", (int32_t[]){'a', BLANKS, 'b'}, 3);
    check_ids(t, "a   b", (int32_t[]){'a', BLANKS, ' ', 'b'}, 4);
    check_ids(t, "<end>", (int32_t[]){'<', 'e', 'n', 'd', '>'}, 5);
    check_ids(t, "<tool>", (int32_t[]){'<', 't', 'o', 'o', 'l', '>'}, 6);
    assert_int_equal(tokenizer_control(t, "<tool>", 6), TOOL);
    assert_int_equal(tokenizer_control(t, "<end>", 5), END);
    assert_int_equal(tokenizer_eot(t), END);
    assert_int_equal(tokenizer_bos(t), -1);
    tokenizer_free(t);
}

/* "llama-bpe" takes a piece that is a token as it is. */
static void ignore_merges(void **state)
{
    struct vocab_file v = {0};
    struct tokenizer *t = NULL;

    (void)state;
    bpe_file(&v, "llama-bpe");
    bpe_types(&v, GGUF_I32);
    vocab_strings(&v, K("merges"), 0, bpe_merges, 1);
    vocab_u32(&v, K("bos_token_id"), END);
    assert_int_equal(build(&t, &v), CAI_OK);
    check_ids(t, "abc", (int32_t[]){ABC}, 1);
    check_ids(t, "abcd", (int32_t[]){AB, 'c', 'd'}, 3);
    assert_true(tokenizer_adds_bos(t));
    tokenizer_free(t);
}

/* Without types, the ids the file names are control tokens all the same; of equal texts
 * the lowest id counts, of equal merges the first. */
static void untyped_and_twice(void **state)
{
    static const char *const tokens[] = {"ab", "ab", "bc", "<s>", "<|im_end|>"};
    static const char *const merges[] = {"a b", "b c", "a b"};
    struct vocab_file v = {0};
    struct tokenizer *t = NULL;

    (void)state;
    vocab_str(&v, K("model"), "gpt2"); /* no pre-tokenizer named: "default" */
    vocab_strings(&v, K("tokens"), 1, tokens, 5);
    vocab_strings(&v, K("merges"), 0, merges, 3);
    vocab_u32(&v, K("bos_token_id"), 259);
    assert_int_equal(build(&t, &v), CAI_OK);
    assert_string_equal(tokenizer_name(t), "gpt2/default");
    check_ids(t, "abc", (int32_t[]){256, 'c'}, 2);
    check_ids(t, "<s>", (int32_t[]){'<', 's', '>'}, 3);
    assert_int_equal(tokenizer_control(t, "<s>", 3), 259);
    assert_true(tokenizer_is_control(t, 260));
    assert_true(tokenizer_is_eog(t, 260));
    assert_int_equal(tokenizer_eot(t), 260);
    assert_int_equal(tokenizer_eos(t), -1);
    tokenizer_free(t);
}

static const char *const spm_tokens[] = {"<unk>",
                                         "<s>",
                                         "</s>",
                                         "<0x41>",
                                         "<0xE2>",
                                         "<0x96>",
                                         "<0x81>",
                                         "\xE2\x96\x81",
                                         "a",
                                         "b",
                                         "ab",
                                         "\xE2\x96\x81"
                                         "a",
                                         "ba",
                                         "<",
                                         "s",
                                         ">",
                                         "<s",
                                         "</tool>"};
enum { SPM_N = sizeof spm_tokens / sizeof *spm_tokens };

static void spm_file(struct vocab_file *v, int scores)
{
    static const float score[SPM_N] = {0,  0,  0,  0,    0,     0,  0,  -5, -6,
                                       -7, -2, -1, -1.5, -9.0f, -9, -9, -3, 0};
    static const uint32_t types[SPM_N] = {2, 3, 3, 6, 6, 6, 6, 1, 1,
                                          1, 1, 1, 1, 1, 1, 1, 1, 4};

    vocab_str(v, K("model"), "llama");
    vocab_strings(v, K("tokens"), 0, spm_tokens, SPM_N);
    vocab_array(v, K("token_type"), GGUF_I32, SPM_N);
    vocab_put(v, types, sizeof types);
    vocab_u32(v, K("bos_token_id"), 1);
    vocab_u32(v, K("eos_token_id"), 2);
    if (scores) {
        vocab_array(v, K("scores"), GGUF_F32, SPM_N);
        vocab_put(v, score, sizeof score);
    }
}

static void small_spm(void **state)
{
    struct vocab_file v = {0};
    struct tokenizer *t = NULL;
    int32_t *ids;
    size_t n;

    (void)state;
    spm_file(&v, 1);
    assert_int_equal(build(&t, &v), CAI_OK);
    assert_string_equal(tokenizer_name(t), "llama");
    check_ids(t, "ab", (int32_t[]){11, 9}, 2);      /* " a" beats "ab" */
    check_ids(t, "bab", (int32_t[]){7, 12, 9}, 3);  /* "ba" beats "ab" */
    check_ids(t, "<s>", (int32_t[]){7, 16, 15}, 3); /* never the control token */
    check_ids(t, "A", (int32_t[]){7, 3}, 2);        /* byte token */
    check_ids(t, "\xE2\x96\x81", (int32_t[]){7, 4, 5, 6}, 4); /* not taken for a space */
    check_ids(t, "", NULL, 0);
    assert_int_equal(tokenizer_encode(t, "abz", 3, &ids, &n, err, sizeof err),
                     CAI_UNSUPPORTED);
    assert_non_null(strstr(err, "byte 0x7a at offset 2"));
    assert_int_equal(tokenizer_encode_rest(t, "ab", 2, &ids, &n, err, sizeof err),
                     CAI_OK);
    assert_int_equal(n, 1);
    assert_int_equal(ids[0], 10);
    mem_free(ids);
    assert_true(tokenizer_adds_bos(t));
    assert_int_equal(tokenizer_control(t, "</tool>", 7), 17);
    tokenizer_free(t);

    spm_file(&v, 1);
    vocab_bool(&v, K("add_space_prefix"), 0);
    vocab_bool(&v, K("add_bos_token"), 0);
    assert_int_equal(build(&t, &v), CAI_OK);
    check_ids(t, "ab", (int32_t[]){10}, 1);
    assert_false(tokenizer_adds_bos(t));
    tokenizer_free(t);
}

/* ------------------------------------------------------------------ refusals */

static void check_refused(struct vocab_file *v, enum cai_status want, const char *says)
{
    struct tokenizer *t = NULL;
    enum cai_status st = build(&t, v);

    if (st != want || !strstr(err, says) || strncmp(err, "/proc/", 6) != 0)
        fail_msg("%s, \"%s\"; expected %s, \"%s\"", cai_status_name(st), err,
                 cai_status_name(want), says);
    assert_null(t);
}

static void unsupported_kinds(void **state)
{
    struct vocab_file v = {0};

    (void)state;
    bpe_file(&v, "viking");
    check_refused(&v, CAI_UNSUPPORTED,
                  "\"viking\" is not supported; supported are smollm, starcoder");
    vocab_str(&v, K("model"), "bert");
    check_refused(&v, CAI_UNSUPPORTED, "\"bert\" is not supported; supported are gpt2");
    vocab_str(&v, K("pre"), "gpt-2");
    check_refused(&v, CAI_CORRUPT, "model is missing");
}

static void hostile_arrays(void **state)
{
    static const char *const unknown[] = {"a zz"}, *const one[] = {"ab"},
                             *const control[] = {"ab <end>"};
    struct vocab_file v = {0};
    float nan_score = NAN;

    (void)state;
    vocab_str(&v, K("model"), "gpt2");
    check_refused(&v, CAI_CORRUPT, "tokens is missing");
    vocab_str(&v, K("model"), "gpt2");
    vocab_strings(&v, K("tokens"), 0, NULL, 0);
    check_refused(&v, CAI_CORRUPT, "tokens is missing, empty");
    vocab_str(&v, K("model"), "gpt2");
    vocab_array(&v, K("tokens"), GGUF_U32, 1);
    vocab_put_u32(&v, 1);
    check_refused(&v, CAI_CORRUPT, "not an array of strings");

    bpe_file(&v, NULL);
    check_refused(&v, CAI_CORRUPT, "merges is missing");
    bpe_file(&v, NULL);
    vocab_array(&v, K("merges"), GGUF_U32, 1);
    vocab_put_u32(&v, 1);
    check_refused(&v, CAI_CORRUPT, "merges is missing or not");
    bpe_file(&v, NULL);
    vocab_strings(&v, K("merges"), 0, unknown, 1);
    check_refused(&v, CAI_CORRUPT, "merge 0 names a text");
    bpe_file(&v, NULL);
    vocab_strings(&v, K("merges"), 0, one, 1);
    check_refused(&v, CAI_CORRUPT, "merge 0 is not two");
    bpe_file(&v, NULL);
    bpe_types(&v, GGUF_I32);
    vocab_strings(&v, K("merges"), 0, control, 1);
    check_refused(&v, CAI_CORRUPT, "merge 0 names a text that is not an ordinary token");

    bpe_file(&v, NULL);
    bpe_types(&v, GGUF_F32);
    check_refused(&v, CAI_CORRUPT, "token_type is not an array");
    bpe_file(&v, NULL);
    vocab_u32(&v, K("token_type"), 1);
    check_refused(&v, CAI_CORRUPT, "token_type is not an array");
    bpe_file(&v, NULL);
    vocab_array(&v, K("token_type"), GGUF_I32, 1);
    vocab_put_u32(&v, 1);
    check_refused(&v, CAI_CORRUPT, "token_type has 1 elements, the vocabulary 262");
    bpe_file(&v, NULL);
    vocab_array(&v, K("token_type"), GGUF_I32, 262);
    for (int i = 0; i < 262; i++)
        vocab_put_u32(&v, i == 7 ? 99 : 1);
    check_refused(&v, CAI_CORRUPT, "token 7 has the unknown type 99");
    bpe_file(&v, NULL);
    vocab_u32(&v, K("eos_token_id"), 262);
    check_refused(&v, CAI_CORRUPT, "eos_token_id is 262, the vocabulary has 262");

    spm_file(&v, 0);
    check_refused(&v, CAI_CORRUPT, "scores is missing");
    spm_file(&v, 0);
    vocab_array(&v, K("scores"), GGUF_I32, SPM_N);
    for (int i = 0; i < SPM_N; i++)
        vocab_put_u32(&v, 0);
    check_refused(&v, CAI_CORRUPT, "scores is missing or not an array of F32");
    spm_file(&v, 0);
    vocab_array(&v, K("scores"), GGUF_F32, 1);
    vocab_put_u32(&v, 0);
    check_refused(&v, CAI_CORRUPT, "scores has 1 elements");
    spm_file(&v, 0);
    vocab_array(&v, K("scores"), GGUF_F32, SPM_N);
    for (int i = 0; i < SPM_N; i++)
        vocab_put(&v, &nan_score, sizeof nan_score);
    check_refused(&v, CAI_CORRUPT, "the score of token 0 is");
}

/* Every allocation fails once: the answer is out of memory, never a crash or a leak. */
static void allocation_failures(void **state)
{
    (void)state;
    for (int spm = 0; spm < 2; spm++) {
        struct vocab_file v = {0};
        struct gguf *g = NULL;
        unsigned long k = 1;

        if (spm) {
            spm_file(&v, 1);
        } else {
            bpe_file(&v, "default");
            bpe_types(&v, GGUF_I32);
            vocab_strings(&v, K("merges"), 0, bpe_merges, 3);
        }
        assert_int_equal(vocab_open(&g, &v, err, sizeof err), CAI_OK);
        for (;; k++) {
            struct tokenizer *t = NULL;
            int32_t *ids = NULL;
            size_t n;
            enum cai_status st;

            mem_test_fail(k, 0);
            st = tokenizer_new(&t, g, err, sizeof err);
            if (st == CAI_OK)
                st = tokenizer_encode(t, "ab ab", 5, &ids, &n, err, sizeof err);
            if (st == CAI_OK && mem_test_count() < k) {
                mem_test_fail(0, 0);
                mem_free(ids);
                tokenizer_free(t);
                break;
            }
            mem_test_fail(0, 0);
            /* giving back what is too much may fail and does not matter */
            if (st != CAI_OK) {
                assert_int_equal(st, CAI_NOMEM);
                assert_non_null(strstr(err, "out of memory"));
            }
            mem_free(ids);
            tokenizer_free(t);
        }
        assert_true(k > 10);
        gguf_close(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_starcoder),
        cmocka_unit_test(vectors_refact),
        cmocka_unit_test(vectors_gpt2),
        cmocka_unit_test(vectors_llama_spm),
        cmocka_unit_test(vectors_phi3),
        cmocka_unit_test(round_trip_default),
        cmocka_unit_test(round_trip_gpt2),
        cmocka_unit_test(round_trip_spm),
        cmocka_unit_test(long_texts_default),
        cmocka_unit_test(long_texts_spm),
        cmocka_unit_test(too_long_is_refused),
        cmocka_unit_test(names_are_ordinary_text),
        cmocka_unit_test(default_model_facts),
        cmocka_unit_test(public_face),
        cmocka_unit_test(pre_tokenizers_cut),
        cmocka_unit_test(pre_tokenizer_names_are_complete),
        cmocka_unit_test(small_bpe),
        cmocka_unit_test(ignore_merges),
        cmocka_unit_test(untyped_and_twice),
        cmocka_unit_test(small_spm),
        cmocka_unit_test(unsupported_kinds),
        cmocka_unit_test(hostile_arrays),
        cmocka_unit_test(allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

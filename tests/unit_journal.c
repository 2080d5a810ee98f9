/* unit_journal.c: records, the append-only file, texts, state file, lock: bytes in, the
 * same bytes out, and every kind of damage named. */
#include "store_support.h"

#include "store/journal.h"
#include "store/lock.h"
#include "store/state.h"
#include "store/texts.h"

static char err[ERR_MAX];

static struct journal_spec log_spec(const char *path)
{
    return (struct journal_spec){path, "seq", JOURNAL_LINE_MAX};
}

static void add_record(struct strbuf *out, const char *key, uint64_t n)
{
    char payload[256];
    int len = snprintf(
        payload, sizeof payload,
        "\"time\":%llu,\"kind\":\"test\",\"body\":{\"n\":%llu,\"text\":\"%0*d\"}}",
        (unsigned long long)n * 1000, (unsigned long long)n, 30, 7);
    assert_int_equal(record_write(out, key, n, payload, (size_t)len), CAI_OK);
}

/* A log of at least `bytes` bytes; *starts: offset of each record, then the end. */
static size_t make_log(struct strbuf *log, const char *key, size_t bytes, size_t *starts,
                       size_t max)
{
    size_t n = 0;
    while (log->len < bytes) {
        assert_true(n + 1 < max);
        starts[n++] = log->len;
        add_record(log, key, n);
    }
    starts[n] = log->len;
    return n;
}

static void scan_ok(struct journal_scan *scan, const struct journal_spec *spec)
{
    err[0] = '\0';
    if (journal_read(scan, spec, JOURNAL_STRICT, NULL, NULL, err, sizeof err) != CAI_OK)
        fail_msg("%s", err);
}

static void append_one(const struct journal_spec *spec, const struct journal_scan *scan)
{
    struct strbuf line = STRBUF_INIT(JOURNAL_LINE_MAX);
    struct journal *j = NULL;

    if (journal_open(&j, spec, scan, err, sizeof err) != CAI_OK)
        fail_msg("%s", err);
    add_record(&line, spec->key, scan->last + 1);
    assert_int_equal(journal_append(j, line.data, line.len, err, sizeof err), CAI_OK);
    assert_int_equal(journal_size(j), scan->good_bytes + line.len);
    journal_close(j);
    strbuf_free(&line);
}

static void a_record_is_one_spelling_only(void **state)
{
    struct strbuf b = STRBUF_INIT(1 << 16);
    struct record r;
    char *copy;

    (void)state;
    add_record(&b, "seq", 17);
    assert_true(record_read(&r, "seq", b.data, b.len - 1));
    assert_int_equal(r.number, 17);
    assert_true(strncmp(r.payload, "\"time\":17000,", 13) == 0);
    assert_false(record_read(&r, "ordinal", b.data, b.len - 1));
    assert_false(record_read(&r, "seq", b.data, b.len));
    assert_false(record_read(&r, "seq", "", 0));
    assert_false(record_read(&r, "seq", "{\"seq\":", 7));
    assert_false(record_read(&r, "seq", "{\"seq\":1,\"length\":99999,", 24));
    /* upper-case checksum digits */
    copy = strdup(b.data);
    for (char *p = strstr(copy, "\"crc\":\"") + 7; *p != '"'; p++)
        *p = (char)(*p >= 'a' && *p <= 'f' ? *p - 32 : *p);
    if (strcmp(copy, b.data) != 0)
        assert_false(record_read(&r, "seq", copy, b.len - 1));
    free(copy);
    strbuf_free(&b);
}

static void S2_cut_at_every_byte_of_a_64_KiB_log(void **state)
{
    static size_t starts[1024];
    struct strbuf log = STRBUF_INIT(1 << 20);
    struct journal_spec spec;
    struct journal_scan scan;
    char path[256], sentence[ERR_MAX];
    size_t n = make_log(&log, "seq", 65536, starts, 1024);
    size_t cut, step, warnings = 0;
    int fd;

    (void)state;
    test_path(path, "s2.jsonl");
    spec = log_spec(path);
    spit(path, log.data, log.len);
    fd = open(path, O_RDWR);
    /* every byte here; every seventh where sanitizers make all of it slow */
    step = (size_t)count_of(1, 7);
    for (cut = 65536; cut <= 65536; cut -= step) {
        while (starts[n] > cut)
            n--;
        assert_int_equal(ftruncate(fd, (off_t)cut), 0);
        scan_ok(&scan, &spec);
        if (scan.last != n || scan.good_bytes != starts[n] ||
            scan.finding != (cut == starts[n] ? JOURNAL_WHOLE : JOURNAL_TORN))
            fail_msg("cut at %zu: %llu records of %zu, finding %d", cut,
                     (unsigned long long)scan.last, n, (int)scan.finding);
        journal_describe(&scan, &spec, sentence, sizeof sentence);
        assert_int_equal(sentence[0] != '\0', cut != starts[n]);
        warnings += sentence[0] != '\0';
        append_one(&spec, &scan);
        scan_ok(&scan, &spec);
        if (scan.last != n + 1 || scan.finding != JOURNAL_WHOLE)
            fail_msg("cut at %zu: append and reload", cut);
        /* as it was, for the next cut */
        assert_int_equal(ftruncate(fd, (off_t)starts[n]), 0);
        assert_int_equal(pwrite(fd, log.data + starts[n], cut - starts[n],
                                (off_t)starts[n]),
                         (ssize_t)(cut - starts[n]));
    }
    assert_true(warnings > 65000 / step);
    close(fd);
    strbuf_free(&log);
}

/* Every bit of a file of records. */
static void flip_every_bit(const char *name, const char *key)
{
    static size_t starts[128];
    struct strbuf log = STRBUF_INIT(1 << 20);
    struct journal_spec spec;
    struct journal_scan scan;
    struct journal *j;
    char path[256], want[64], side[320], sentence[ERR_MAX];
    size_t n = make_log(&log, key, 4096, starts, 128), hit = 0;

    test_path(path, name);
    spec = log_spec(path);
    spec.key = key;
    for (size_t bit = 0; bit < log.len * 8; bit++) {
        size_t at = bit / 8;
        while (starts[hit + 1] <= at)
            hit++;
        log.data[at] = (char)(log.data[at] ^ (1 << (bit % 8)));
        spit(path, log.data, log.len);
        scan_ok(&scan, &spec);
        if (scan.last != hit || scan.good_bytes != starts[hit] ||
            (hit + 1 == n ? scan.finding != JOURNAL_TAIL && scan.finding != JOURNAL_TORN
                          : scan.finding != JOURNAL_MIDDLE))
            fail_msg("bit %zu (record %zu of %zu): last %llu, finding %d", bit, hit, n,
                     (unsigned long long)scan.last, (int)scan.finding);
        journal_describe(&scan, &spec, sentence, sizeof sentence);
        assert_true(sentence[0] != '\0');
        if (scan.finding == JOURNAL_MIDDLE) {
            snprintf(want, sizeof want, "byte %zu ", starts[hit]);
            assert_non_null(strstr(sentence, want));
            assert_int_equal(journal_open(&j, &spec, &scan, err, sizeof err),
                             CAI_CORRUPT);
            assert_string_equal(err, sentence);
        } else {
            snprintf(side, sizeof side, "%s.damaged-%zu", path, starts[hit]);
            unlink(side);
            append_one(&spec, &scan);
            if (scan.finding == JOURNAL_TAIL) {
                size_t len;
                char *kept = slurp(side, &len);
                assert_non_null(kept);
                assert_int_equal(len, log.len - starts[hit]);
                assert_memory_equal(kept, log.data + starts[hit], len);
                free(kept);
            }
            scan_ok(&scan, &spec);
            assert_int_equal(scan.finding, JOURNAL_WHOLE);
            assert_int_equal(scan.last, n);
        }
        log.data[at] = (char)(log.data[at] ^ (1 << (bit % 8)));
    }
    strbuf_free(&log);
}

static void S3_flip_every_bit_of_a_4_KiB_journal(void **state)
{
    (void)state;
    flip_every_bit("s3.jsonl", "seq");
}

static void S3_flip_every_bit_of_a_4_KiB_texts_file(void **state)
{
    (void)state;
    flip_every_bit("s3t.jsonl", "ordinal");
}

static void S3_flip_every_bit_of_a_state_file(void **state)
{
    static const char fold[] = "{\"chains\":[[1,2,3]],\"model\":\"x\"}";
    struct state_mark mark = {42, 0xdeadbeef, 12345}, back;
    struct strbuf b = STRBUF_INIT(1 << 16);
    enum state_found found;
    cJSON *doc = NULL;
    char path[256];

    (void)state;
    test_path(path, "state.json");
    assert_int_equal(state_read(&found, &back, &doc, path, err, sizeof err), CAI_OK);
    assert_int_equal(found, STATE_NONE);
    assert_int_equal(state_write(&b, &mark, fold, sizeof fold - 1), CAI_OK);
    spit(path, b.data, b.len);
    assert_int_equal(state_read(&found, &back, &doc, path, err, sizeof err), CAI_OK);
    assert_int_equal(found, STATE_GOOD);
    assert_int_equal(back.seq, 42);
    assert_int_equal(back.crc, 0xdeadbeef);
    assert_int_equal(back.journal_bytes, 12345);
    cJSON_Delete(doc);
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        b.data[bit / 8] = (char)(b.data[bit / 8] ^ (1 << (bit % 8)));
        spit(path, b.data, b.len);
        assert_int_equal(state_read(&found, &back, &doc, path, err, sizeof err), CAI_OK);
        if (found != STATE_DAMAGED)
            fail_msg("bit %zu was not seen", bit);
        b.data[bit / 8] = (char)(b.data[bit / 8] ^ (1 << (bit % 8)));
    }
    strbuf_free(&b);
}

static void missing_lines_and_zeroes_are_told_apart(void **state)
{
    static size_t starts[128];
    static const char zeroes[300];
    struct strbuf log = STRBUF_INIT(1 << 20), part = STRBUF_INIT(1 << 20);
    struct journal_scan scan;
    struct journal_spec spec;
    size_t n = make_log(&log, "seq", 4096, starts, 128);
    char path[256], *big;

    (void)state;
    test_path(path, "gap.jsonl");
    spec = log_spec(path);
    /* the line before the last one is gone: what follows is good but out of order */
    strbuf_add(&part, log.data, starts[n - 2]);
    strbuf_add(&part, log.data + starts[n - 1], log.len - starts[n - 1]);
    spit(path, part.data, part.len);
    scan_ok(&scan, &spec);
    assert_int_equal(scan.finding, JOURNAL_MIDDLE);
    assert_int_equal(scan.last, n - 2);
    /* a file that grew before its bytes arrived */
    strbuf_reset(&part);
    strbuf_add(&part, log.data, log.len);
    strbuf_add(&part, zeroes, sizeof zeroes);
    spit(path, part.data, part.len);
    scan_ok(&scan, &spec);
    assert_int_equal(scan.finding, JOURNAL_TORN);
    assert_int_equal(scan.last, n);
    /* more rubbish than a line may be long is not a torn line */
    big = calloc(1, log.len + 3 * JOURNAL_LINE_MAX);
    memcpy(big, log.data, log.len);
    spit(path, big, log.len + 3 * JOURNAL_LINE_MAX);
    scan_ok(&scan, &spec);
    assert_int_equal(scan.finding, JOURNAL_MIDDLE);
    free(big);
    strbuf_free(&log);
    strbuf_free(&part);
}

static void salvage_passes_over_damage(void **state)
{
    static size_t starts[128];
    struct strbuf log = STRBUF_INIT(1 << 20);
    struct journal_scan scan;
    struct journal_spec spec;
    size_t n = make_log(&log, "seq", 4096, starts, 128), size;
    char path[256], *big;

    (void)state;
    test_path(path, "salvage.jsonl");
    spec = log_spec(path);
    log.data[starts[3] + 20] ^= 1;
    log.data[starts[7] - 1] ^= 1; /* a newline: two records become one line */
    spit(path, log.data, log.len);
    assert_int_equal(journal_read(&scan, &spec, JOURNAL_SALVAGE, NULL, NULL, err,
                                  sizeof err),
                     CAI_OK);
    assert_int_equal(scan.last, n);
    assert_int_equal(scan.skipped, 2);
    /* damage longer than any line, in front */
    size = log.len + 5 * JOURNAL_LINE_MAX;
    big = calloc(1, size + 1);
    big[size - log.len - 1] = '\n';
    memcpy(big + size - log.len, log.data, log.len);
    spit(path, big, size);
    assert_int_equal(journal_read(&scan, &spec, JOURNAL_SALVAGE, NULL, NULL, err,
                                  sizeof err),
                     CAI_OK);
    assert_int_equal(scan.last, n);
    free(big);
    strbuf_free(&log);
}

static void a_refused_write_leaves_the_file_as_it_was(void **state)
{
    struct strbuf line = STRBUF_INIT(JOURNAL_LINE_MAX);
    struct journal_scan scan;
    struct journal_spec spec;
    struct journal *j = NULL;
    char path[256];
    int errors[] = {ENOSPC, EDQUOT, EIO, EFBIG};

    (void)state;
    test_path(path, "refused.jsonl");
    spec = log_spec(path);
    scan_ok(&scan, &spec);
    assert_int_equal(journal_open(&j, &spec, &scan, err, sizeof err), CAI_OK);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        strbuf_reset(&line);
        add_record(&line, "seq", i + 1);
        fault_set(OP_WRITE, 1, FAULT_ERROR, errors[i], 0);
        assert_int_equal(journal_append(j, line.data, line.len, err, sizeof err), CAI_IO);
        assert_non_null(strstr(err, path));
        assert_false(journal_failed(j));
        fault_set(0, 0, FAULT_NONE, 0, 0);
        assert_int_equal(journal_append(j, line.data, line.len, err, sizeof err), CAI_OK);
    }
    /* the write fails and so does taking it back: final */
    fault_set(OP_WRITE | OP_FTRUNCATE, 1, FAULT_ERROR, ENOSPC, 1);
    assert_int_equal(journal_append(j, line.data, line.len, err, sizeof err), CAI_IO);
    assert_true(journal_failed(j));
    fault_set(0, 0, FAULT_NONE, 0, 0);
    assert_int_equal(journal_append(j, line.data, line.len, err, sizeof err), CAI_IO);
    journal_close(j);
    scan_ok(&scan, &spec);
    assert_int_equal(scan.last, 4);
    assert_int_equal(scan.finding, JOURNAL_WHOLE);
    /* a failed sync: final, and never called again */
    assert_int_equal(journal_open(&j, &spec, &scan, err, sizeof err), CAI_OK);
    fault_set(OP_FDATASYNC, 1, FAULT_ERROR, EIO, 0);
    assert_int_equal(journal_append(j, line.data, line.len, err, sizeof err), CAI_IO);
    assert_true(journal_failed(j));
    assert_int_equal(journal_append(j, line.data, line.len, err, sizeof err), CAI_IO);
    assert_int_equal(atomic_load(&fault.count), 1);
    journal_close(j);
    fault_set(0, 0, FAULT_NONE, 0, 0);
    strbuf_free(&line);
}

/* Whatever goes wrong while a damaged tail is cut off, its bytes are somewhere. */
static void S5_cutting_off_a_damaged_tail_never_loses_its_bytes(void **state)
{
    static size_t starts[128];
    struct strbuf log = STRBUF_INIT(1 << 20);
    struct journal_scan scan;
    struct journal_spec spec;
    size_t n = make_log(&log, "seq", 4096, starts, 128), len;
    char path[256], side[320], *bytes;

    (void)state;
    log.data[log.len - 20] ^= 1;
    for (int action = FAULT_ERROR; action <= FAULT_CRASH_AFTER; action++)
        for (long k = 1;; k++) {
            struct journal *j = NULL;
            enum cai_status st;
            int hit;
            test_path(path, "tail.jsonl");
            snprintf(side, sizeof side, "%s.damaged-%zu", path, starts[n - 1]);
            unlink(side);
            spec = log_spec(path);
            spit(path, log.data, log.len);
            scan_ok(&scan, &spec);
            assert_int_equal(scan.finding, JOURNAL_TAIL);
            fault_set(OP_ANY, k, (enum fault_action)action, EIO, 0);
            st = journal_open(&j, &spec, &scan, err, sizeof err);
            journal_close(j);
            hit = atomic_load(&fault.hit);
            fault_set(0, 0, FAULT_NONE, 0, 0);
            if (hit && action != FAULT_SHORT && !(hit & OP_CLOSE))
                assert_int_equal(st, CAI_IO);
            scan_ok(&scan, &spec);
            assert_int_equal(scan.last, n - 1);
            bytes = slurp(side, &len);
            if (scan.finding == JOURNAL_WHOLE || st == CAI_OK) {
                assert_non_null(bytes);
                assert_int_equal(len, log.len - starts[n - 1]);
                assert_memory_equal(bytes, log.data + starts[n - 1], len);
            }
            free(bytes);
            if (!hit) {
                assert_true(k > 8);
                break;
            }
        }
    strbuf_free(&log);
}

static void append_texts(const char *path, const struct journal_scan *scan,
                         const struct strbuf *lines)
{
    struct journal_spec spec = texts_spec(path);
    struct journal *j = NULL;
    assert_int_equal(journal_open(&j, &spec, scan, err, sizeof err), CAI_OK);
    assert_int_equal(journal_append(j, lines->data, lines->len, err, sizeof err), CAI_OK);
    journal_close(j);
}

static void texts_are_kept_once_and_come_back(void **state)
{
    struct strbuf lines = STRBUF_INIT(1 << 20);
    struct journal_scan scan;
    struct texts *t = NULL;
    char path[256], text[64], *back;
    uint64_t ordinal, again;
    size_t len;

    (void)state;
    test_path(path, "texts.jsonl");
    assert_int_equal(texts_open(&t, path, &scan, err, sizeof err), CAI_OK);
    for (unsigned i = 0; i < 500; i++) {
        snprintf(text, sizeof text, "text %u \"\\\n\t\x01 \xf0\x9f\x98\x80", i % 400);
        assert_int_equal(texts_add(t, text, strlen(text), &lines, &ordinal, err,
                                   sizeof err),
                         CAI_OK);
        assert_int_equal(ordinal, i % 400 + 1);
    }
    assert_int_equal(texts_add(t, "\xff", 1, &lines, &ordinal, err, sizeof err),
                     CAI_INVALID);
    /* forgetting gives the ordinals and the offsets back */
    len = lines.len;
    assert_int_equal(texts_add(t, "gone", 4, &lines, &ordinal, err, sizeof err), CAI_OK);
    assert_int_equal(ordinal, 401);
    texts_forget(t, 400);
    lines.len = len;
    assert_int_equal(texts_add(t, "stays", 5, &lines, &ordinal, err, sizeof err), CAI_OK);
    assert_int_equal(ordinal, 401);
    append_texts(path, &scan, &lines);
    for (int reopened = 0; reopened < 2; reopened++) {
        for (unsigned i = 0; i < 400; i++) {
            snprintf(text, sizeof text, "text %u \"\\\n\t\x01 \xf0\x9f\x98\x80", i);
            assert_int_equal(texts_get(t, i + 1, &back, &len, err, sizeof err), CAI_OK);
            assert_string_equal(back, text);
            mem_free(back);
            assert_int_equal(texts_add(t, text, strlen(text), &lines, &again, err,
                                       sizeof err),
                             CAI_OK);
            assert_int_equal(again, i + 1);
        }
        assert_int_equal(texts_get(t, 0, &back, &len, err, sizeof err), CAI_CORRUPT);
        assert_int_equal(texts_get(t, 402, &back, &len, err, sizeof err), CAI_CORRUPT);
        texts_close(t);
        assert_int_equal(texts_open(&t, path, &scan, err, sizeof err), CAI_OK);
        assert_int_equal(texts_count(t), 401);
    }
    texts_close(t);
    strbuf_free(&lines);
}

static void damage_behind_the_back_of_an_open_file_is_seen(void **state)
{
    struct strbuf lines = STRBUF_INIT(1 << 20);
    struct journal_scan scan;
    struct texts *t = NULL;
    char path[256], *back;
    uint64_t ordinal;
    size_t len;

    (void)state;
    test_path(path, "behind.jsonl");
    assert_int_equal(texts_open(&t, path, &scan, err, sizeof err), CAI_OK);
    assert_int_equal(texts_add(t, "one", 3, &lines, &ordinal, err, sizeof err), CAI_OK);
    append_texts(path, &scan, &lines);
    lines.data[lines.len - 5] ^= 1;
    spit(path, lines.data, lines.len);
    assert_int_equal(texts_get(t, 1, &back, &len, err, sizeof err), CAI_CORRUPT);
    assert_non_null(strstr(err, "byte 0"));
    texts_close(t);
    strbuf_free(&lines);
}

static void S9_a_record_of_64_MiB_is_refused_cleanly(void **state)
{
    struct strbuf lines = STRBUF_INIT(4 * (size_t)JOURNAL_TEXT_LINE_MAX);
    struct journal_scan scan;
    struct texts *t = NULL;
    char path[256], *text;
    size_t len = 64 << 20, got;
    uint64_t ordinal;

    (void)state;
    test_path(path, "big.jsonl");
    text = malloc(len);
    memset(text, 'a', len);
    assert_int_equal(texts_open(&t, path, &scan, err, sizeof err), CAI_OK);
    assert_int_equal(texts_add(t, text, len, &lines, &ordinal, err, sizeof err),
                     CAI_LIMIT);
    assert_non_null(strstr(err, "too large"));
    assert_int_equal(lines.len, 0);
    assert_int_equal(texts_count(t), 0);
    /* one that just fits comes back */
    len -= 1024;
    assert_int_equal(texts_add(t, text, len, &lines, &ordinal, err, sizeof err), CAI_OK);
    append_texts(path, &scan, &lines);
    texts_close(t);
    free(text);
    assert_int_equal(texts_open(&t, path, &scan, err, sizeof err), CAI_OK);
    assert_int_equal(texts_get(t, 1, &text, &got, err, sizeof err), CAI_OK);
    assert_int_equal(got, len);
    mem_free(text);
    texts_close(t);
    strbuf_free(&lines);
}

static void one_lock_at_a_time(void **state)
{
    char path[256];
    int a = -1, b = -1;

    (void)state;
    test_path(path, "lock");
    assert_false(lock_is_held(path));
    assert_int_equal(lock_take(&a, path, err, sizeof err), CAI_OK);
    assert_true(lock_is_held(path));
    assert_int_equal(lock_take(&b, path, err, sizeof err), CAI_BUSY);
    assert_int_equal(b, -1);
    lock_drop(a);
    assert_false(lock_is_held(path));
    assert_int_equal(lock_take(&b, path, err, sizeof err), CAI_OK);
    lock_drop(b);
    assert_int_equal(lock_take(&b, "/nonexistent/lock", err, sizeof err), CAI_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_one_spelling_only),
        cmocka_unit_test(S2_cut_at_every_byte_of_a_64_KiB_log),
        cmocka_unit_test(S3_flip_every_bit_of_a_4_KiB_journal),
        cmocka_unit_test(S3_flip_every_bit_of_a_4_KiB_texts_file),
        cmocka_unit_test(S3_flip_every_bit_of_a_state_file),
        cmocka_unit_test(missing_lines_and_zeroes_are_told_apart),
        cmocka_unit_test(salvage_passes_over_damage),
        cmocka_unit_test(a_refused_write_leaves_the_file_as_it_was),
        cmocka_unit_test(S5_cutting_off_a_damaged_tail_never_loses_its_bytes),
        cmocka_unit_test(texts_are_kept_once_and_come_back),
        cmocka_unit_test(damage_behind_the_back_of_an_open_file_is_seen),
        cmocka_unit_test(S9_a_record_of_64_MiB_is_refused_cleanly),
        cmocka_unit_test(one_lock_at_a_time),
    };
    int failed;

    cai_init();
    file_ops_set(&fault_ops); /* syncs cost nothing here: S9 measures the real ones */
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_tree(test_root());
    return failed;
}

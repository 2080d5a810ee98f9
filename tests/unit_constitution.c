/* unit_constitution.c: parsing, editing, hashing, drawing and lint of constitutions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "cai.h"
#include "pipeline/constitution.h"

static char err[512];

static struct cai_constitution *parse_ok(const char *text)
{
    struct cai_constitution *c = NULL;
    enum cai_status st = cai_constitution_parse(&c, text, strlen(text), err, sizeof err);
    if (st != CAI_OK)
        fail_msg("%s", err);
    return c;
}

static void assert_refused(const char *text, enum cai_status want, const char *part)
{
    struct cai_constitution *c = NULL;
    enum cai_status st = cai_constitution_parse(&c, text, strlen(text), err, sizeof err);
    assert_int_equal(st, want);
    assert_null(c);
    if (!strstr(err, part))
        fail_msg("\"%s\" does not contain \"%s\"", err, part);
}

static const char house[] =
    "{\n"
    "  \"version\": 1, \"title\": \"House\", \"mood\": [1, {\"deep\": null}],\n"
    "  \"principles\": [\n"
    "    {\"id\": \"kind\", \"title\": \"Kind\",\n"
    "     \"statement\": \"Be kind.\", \"opposite\": \"Be unkind.\",\n"
    "     \"critique_request\": \"C1\", \"revision_request\": \"R1\",\n"
    "     \"preference_question\": \"Q1\", \"weight\": 2, \"tags\": [\"a\", \"b\"]},\n"
    "    {\"id\": \"true\", \"title\": \"True\",\n"
    "     \"statement\": \"Be truthful.\", \"opposite\": \"Be untruthful.\",\n"
    "     \"critique_request\": \"C2\", \"revision_request\": \"R2\",\n"
    "     \"preference_question\": \"Q2\", \"own\": \"kept\"}\n"
    "  ]\n"
    "}\n";

static void test_reads_a_file(void **state)
{
    struct cai_constitution *c = parse_ok(house);
    const struct cai_principle *p = cai_constitution_get(c, 0);
    (void)state;

    assert_string_equal(cai_constitution_title(c), "House");
    assert_int_equal(cai_constitution_count(c), 2);
    assert_string_equal(p->statement, "Be kind.");
    assert_string_equal(p->reason, "");
    assert_int_equal(p->n_tags, 2);
    assert_string_equal(p->tags[1], "b");
    assert_true(p->enabled);
    assert_true(p->weight > 1.9 && p->weight < 2.1);
    assert_int_equal(cai_constitution_find(c, "true"), 1);
    assert_int_equal(cai_constitution_find(c, "no"), -1);
    assert_null(cai_constitution_get(c, 2));
    assert_int_equal(constitution_line(c, 0, CAI_FIELD_COUNT), 4);
    assert_int_equal(constitution_line(c, 1, CAI_FIELD_CRITIQUE_REQUEST), 10);
    cai_constitution_free(c);
}

static void test_hash_is_that_of_the_bytes_written(void **state)
{
    struct cai_constitution *c = parse_ok(house), *again;
    char *text, hex[HASH_HEX_LEN + 1];
    size_t len;
    (void)state;

    assert_int_equal(cai_constitution_write(c, &text, &len, err, sizeof err), CAI_OK);
    hash_hex(hex, text, len);
    assert_string_equal(hex, cai_constitution_hash(c));
    assert_non_null(strstr(text, "\"mood\""));
    assert_non_null(strstr(text, "\"own\": \"kept\""));
    again = parse_ok(text);
    assert_string_equal(cai_constitution_hash(again), cai_constitution_hash(c));
    cai_free(text);
    cai_constitution_free(again);
    cai_constitution_free(c);
}

static void test_errors_name_line_and_principle(void **state)
{
    (void)state;
    assert_refused("{\n\"principles\": [\n}", CAI_PARSE, "line 3");
    assert_refused("{\"principles\": [\n{\"id\":\"a\",\n\"statement\": 5}]}", CAI_PARSE,
                   "line 3: principle \"a\": \"statement\" must be a text");
    assert_refused("{\"principles\": [\n{\"id\":\"a\",\n\"title\":\"x\",\n"
                   "\"title\":\"y\"}]}",
                   CAI_PARSE, "line 4: key \"title\" appears twice");
    assert_refused("{\"principles\": [\n{\"id\":\"a\",\"weight\":\"x\"}]}", CAI_PARSE,
                   "line 2: principle \"a\": \"weight\"");
    assert_refused("{\"principles\": [\n7]}", CAI_PARSE, "line 2");
    assert_refused("{\"principles\": [\n{\"id\":\"a\\u0000b\"}]}", CAI_PARSE,
                   "line 2: a NUL");
    assert_refused("{\"title\": \"x\"}", CAI_PARSE, "no \"principles\"");
    assert_refused("[]", CAI_PARSE, "object");
    assert_refused("", CAI_PARSE, "line 1");
    assert_refused("{\"version\": 2, \"principles\": []}", CAI_UNSUPPORTED, "version");
    assert_refused("{\n\"title\": \"\xff\", \"principles\": []}", CAI_PARSE,
                   "line 2: not valid UTF-8");
}

static void test_load_names_the_file(void **state)
{
    struct cai_constitution *c = NULL;
    char path[] = "/tmp/cai-constitution-XXXXXX";
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    (void)state;

    assert_non_null(f);
    fputs("{\"principles\":\n[{\"id\": 1}]}", f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(cai_constitution_load(&c, path, err, sizeof err), CAI_PARSE);
    assert_non_null(strstr(err, path));
    assert_non_null(strstr(err, ": line 2: "));
    remove(path);
    assert_int_equal(cai_constitution_load(&c, path, err, sizeof err), CAI_IO);
    assert_null(c);
}

static void test_ten_megabyte_principle_is_refused_by_name(void **state)
{
    static const char head[] = "{\"principles\": [{\"id\": \"whale\", \"statement\": \"";
    static const char tail[] = "\"}]}";
    size_t big = 10u << 20, n_head = sizeof head - 1, n_tail = sizeof tail - 1;
    char *text = malloc(big + n_head + n_tail);
    struct cai_constitution *c = NULL;
    (void)state;

    memcpy(text, head, n_head);
    memset(text + n_head, 'w', big);
    memcpy(text + n_head + big, tail, n_tail);
    assert_int_equal(cai_constitution_parse(&c, text, n_head + big + n_tail, err,
                                            sizeof err),
                     CAI_LIMIT);
    assert_non_null(strstr(err, "principle \"whale\": \"statement\" has 10485760 bytes"));
    free(text);
}

static void test_edits_keep_unknown_keys_and_change_the_hash(void **state)
{
    struct cai_constitution *c = parse_ok(house), *copy = cai_constitution_dup(c);
    char before[HASH_HEX_LEN + 1], *text;
    size_t len;
    (void)state;

    snprintf(before, sizeof before, "%s", cai_constitution_hash(c));
    assert_string_equal(cai_constitution_hash(copy), before);
    assert_int_equal(cai_constitution_set(c, 1, CAI_FIELD_REASON, "because", err,
                                          sizeof err),
                     CAI_OK);
    assert_string_equal(cai_constitution_get(c, 1)->reason, "because");
    assert_string_not_equal(cai_constitution_hash(c), before);
    assert_string_equal(cai_constitution_hash(copy), before);
    assert_int_equal(constitution_line(c, 1, CAI_FIELD_STATEMENT), 0);

    assert_int_equal(cai_constitution_set_enabled(c, 0, 0, err, sizeof err), CAI_OK);
    assert_false(cai_constitution_get(c, 0)->enabled);
    assert_int_equal(cai_constitution_set_weight(c, 0, 0.5, err, sizeof err), CAI_OK);
    assert_int_equal(cai_constitution_set_weight(c, 0, -1, err, sizeof err), CAI_INVALID);
    assert_int_equal(cai_constitution_move(c, 1, 0, err, sizeof err), CAI_OK);
    assert_string_equal(cai_constitution_get(c, 0)->id, "true");
    assert_int_equal(constitution_line(c, 1, CAI_FIELD_COUNT), 0);
    assert_int_equal(cai_constitution_insert(c, 1, err, sizeof err), CAI_OK);
    assert_string_equal(cai_constitution_get(c, 1)->id, "p3");
    assert_false(cai_constitution_get(c, 1)->enabled);
    assert_int_equal(cai_constitution_count(c), 3);
    assert_string_equal(cai_constitution_get(c, 0)->id, "true");
    assert_string_equal(cai_constitution_get(c, 2)->id, "kind");
    assert_int_equal(cai_constitution_remove(c, 2, err, sizeof err), CAI_OK);
    assert_int_equal(cai_constitution_find(c, "kind"), -1);
    assert_int_equal(cai_constitution_write(c, &text, &len, err, sizeof err), CAI_OK);
    assert_non_null(strstr(text, "\"own\": \"kept\""));
    cai_free(text);
    cai_constitution_free(copy);
    cai_constitution_free(c);
}

static void test_bad_edits_change_nothing(void **state)
{
    struct cai_constitution *c = parse_ok(house);
    char before[HASH_HEX_LEN + 1];
    char *big = calloc(CAI_PRINCIPLE_TEXT_MAX + 2, 1);
    (void)state;

    snprintf(before, sizeof before, "%s", cai_constitution_hash(c));
    memset(big, 'x', CAI_PRINCIPLE_TEXT_MAX + 1);
    assert_int_equal(cai_constitution_set(c, 0, CAI_FIELD_TITLE, big, err, sizeof err),
                     CAI_LIMIT);
    assert_int_equal(cai_constitution_set(c, 0, CAI_FIELD_TITLE, "a\xc3", err,
                                          sizeof err),
                     CAI_INVALID);
    assert_int_equal(cai_constitution_set(c, 0, CAI_FIELD_ID, "true", err, sizeof err),
                     CAI_INVALID);
    assert_non_null(strstr(err, "taken"));
    assert_int_equal(cai_constitution_set(c, 0, CAI_FIELD_ID, "a b", err, sizeof err),
                     CAI_INVALID);
    assert_int_equal(cai_constitution_set(c, 9, CAI_FIELD_ID, "x", err, sizeof err),
                     CAI_INVALID);
    assert_int_equal(cai_constitution_remove(c, 2, err, sizeof err), CAI_INVALID);
    assert_int_equal(cai_constitution_insert(c, 3, err, sizeof err), CAI_INVALID);
    assert_string_equal(cai_constitution_hash(c), before);
    free(big);
    cai_constitution_free(c);
}

static void test_out_of_memory_changes_nothing(void **state)
{
    struct cai_constitution *c = parse_ok(house);
    char before[HASH_HEX_LEN + 1];
    (void)state;

    snprintf(before, sizeof before, "%s", cai_constitution_hash(c));
    for (unsigned long k = 1;; k++) {
        enum cai_status st;
        mem_test_fail(k, 0);
        st = cai_constitution_set(c, 0, CAI_FIELD_REASON, "r", err, sizeof err);
        mem_test_fail(0, 0);
        if (st == CAI_OK)
            break;
        assert_int_equal(st, CAI_NOMEM);
        assert_string_equal(cai_constitution_hash(c), before);
        assert_true(k < 1000);
    }
    assert_string_equal(cai_constitution_get(c, 0)->reason, "r");
    cai_constitution_free(c);
}

static void test_draw_follows_the_weights(void **state)
{
    struct cai_constitution *c = parse_ok(house);
    size_t i, n_kind = 0;
    (void)state;

    for (int k = 0; k < 300; k++) {
        assert_int_equal(constitution_draw(&i, c, "", k / 300.0, err, sizeof err),
                         CAI_OK);
        n_kind += i == 0;
    }
    assert_int_equal(n_kind, 200); /* weight 2 of 3 */
    assert_int_equal(constitution_draw(&i, c, "true", 0, err, sizeof err), CAI_OK);
    assert_int_equal(i, 1);
    assert_int_equal(constitution_draw(&i, c, "nobody", 0, err, sizeof err), CAI_INVALID);
    cai_constitution_set_enabled(c, 0, 0, err, sizeof err);
    assert_int_equal(constitution_draw(&i, c, "", 0, err, sizeof err), CAI_OK);
    assert_int_equal(i, 1);
    cai_constitution_set(c, 1, CAI_FIELD_REVISION_REQUEST, "", err, sizeof err);
    assert_int_equal(constitution_draw(&i, c, "", 0, err, sizeof err), CAI_INVALID);
    assert_string_equal(err, "principle \"true\" has no revision_request; write one or "
                             "disable it");
    cai_constitution_set_enabled(c, 1, 0, err, sizeof err);
    assert_int_equal(constitution_draw(&i, c, "", 0, err, sizeof err), CAI_INVALID);
    assert_non_null(strstr(err, "enabled"));
    cai_constitution_free(c);
}

static int found(const struct cai_lint *l, size_t n, const char *rule, const char *id,
                 int line)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(l[i].rule, rule) == 0 && strcmp(l[i].principle, id) == 0 &&
            l[i].line == line)
            return 1;
    return 0;
}

static void test_lint_finds_every_problem(void **state)
{
    struct cai_constitution *c = parse_ok(
        "{\"principles\": [\n"
        "{\"id\":\"a\",\"title\":\"t\",\"statement\":\"Be kind to all people here.\",\n"
        " \"opposite\":\"Be kind to all people here.\",\"critique_request\":\"c\",\n"
        " \"revision_request\":\" \",\"preference_question\":\"q\"},\n"
        "{\"id\":\"a\",\"title\":\"t\",\"statement\":\"Be KIND to all people, here\",\n"
        " \"opposite\":\"o\",\"critique_request\":\"c\",\"revision_request\":\"r\",\n"
        " \"preference_question\":\"q\",\"weight\":0},\n"
        "{\"id\":\"b c\",\"title\":\"t\",\"statement\":\"Tell the truth always.\",\n"
        " \"opposite\":\"Lie.\",\"critique_request\":\"c\",\n"
        " \"revision_request\":\"r\"}]}");
    struct cai_lint *l;
    size_t n;
    (void)state;

    assert_int_equal(cai_constitution_lint(c, &l, &n, err, sizeof err), CAI_OK);
    assert_true(found(l, n, "opposite-equals-statement", "a", 3));
    assert_true(found(l, n, "missing-text", "a", 4));
    assert_true(found(l, n, "duplicate-id", "a", 5));
    assert_true(found(l, n, "near-duplicate", "a", 5));
    assert_true(found(l, n, "weight", "a", 5));
    assert_true(found(l, n, "invalid-id", "b c", 8));
    assert_true(found(l, n, "missing-text", "b c", 8)); /* no question at all */
    assert_int_equal(n, 7);
    cai_free(l);
    for (size_t i = 0; i < 3; i++)
        cai_constitution_set_enabled(c, i, 0, err, sizeof err);
    assert_int_equal(cai_constitution_lint(c, &l, &n, err, sizeof err), CAI_OK);
    assert_true(found(l, n, "none-enabled", "", 0));
    cai_free(l);
    cai_constitution_free(c);
}

static void test_lint_of_a_good_file_is_empty(void **state)
{
    struct cai_constitution *c = parse_ok(house);
    struct cai_lint *l;
    size_t n = 1;
    (void)state;
    assert_int_equal(cai_constitution_lint(c, &l, &n, err, sizeof err), CAI_OK);
    assert_int_equal(n, 0);
    cai_free(l);
    cai_constitution_free(c);
}

static void test_shipped_constitutions_have_no_problem(void **state)
{
    static const char *const names[] = {"harmless", "helpful-honest", "general",
                                        "courtesy"};
    (void)state;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        struct cai_constitution *c = NULL;
        struct cai_lint *l = NULL;
        char path[64];
        size_t n = 0;
        snprintf(path, sizeof path, "constitutions/%s.json", names[k]);
        if (cai_constitution_load(&c, path, err, sizeof err) != CAI_OK)
            fail_msg("%s", err);
        assert_true(cai_constitution_count(c) > 0);
        assert_int_equal(cai_constitution_lint(c, &l, &n, err, sizeof err), CAI_OK);
        if (n)
            fail_msg("%s: %s: %s", path, l[0].principle, l[0].message);
        cai_free(l);
        cai_constitution_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_a_file),
        cmocka_unit_test(test_hash_is_that_of_the_bytes_written),
        cmocka_unit_test(test_errors_name_line_and_principle),
        cmocka_unit_test(test_load_names_the_file),
        cmocka_unit_test(test_ten_megabyte_principle_is_refused_by_name),
        cmocka_unit_test(test_edits_keep_unknown_keys_and_change_the_hash),
        cmocka_unit_test(test_bad_edits_change_nothing),
        cmocka_unit_test(test_out_of_memory_changes_nothing),
        cmocka_unit_test(test_draw_follows_the_weights),
        cmocka_unit_test(test_lint_finds_every_problem),
        cmocka_unit_test(test_lint_of_a_good_file_is_empty),
        cmocka_unit_test(test_shipped_constitutions_have_no_problem),
    };
    cai_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

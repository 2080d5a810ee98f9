/* unit_tui_diff.c: the word diff: both texts can be read out of it, and it is short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../tui/buf.c"
#include "../tui/diff.c"

static char *marked(const char *a, const char *b)
{
    struct diff d = {0};
    struct buf out = {0}, old = {0}, new = {0};

    diff_words(&d, a, strlen(a), b, strlen(b));
    buf_adds(&out, "");
    for (size_t i = 0; i < d.n; i++) {
        const struct diff_run *r = &d.v[i];
        const char *s = (r->kind == DIFF_ADDED ? b : a) + r->at;
        static const char *const open[] = {"", "[-", "{+"}, *const close[] = {"", "-]",
                                                                              "+}"};
        buf_adds(&out, open[r->kind]);
        buf_add(&out, s, r->len);
        buf_adds(&out, close[r->kind]);
        if (r->kind != DIFF_ADDED)
            buf_add(&old, s, r->len);
        if (r->kind != DIFF_REMOVED)
            buf_add(&new, s, r->len);
    }
    assert_string_equal(buf_str(&old), a);
    assert_string_equal(buf_str(&new), b);
    buf_free(&old);
    buf_free(&new);
    diff_free(&d);
    return out.data;
}

static void check(const char *a, const char *b, const char *want)
{
    char *got = marked(a, b);

    assert_string_equal(got, want);
    free(got);
}

static void test_words(void **state)
{
    (void)state;
    check("", "", "");
    check("same text", "same text", "same text");
    check("a b c", "a x c", "a [-b-]{+x+} c");
    check("", "new", "{+new+}");
    check("old", "", "[-old-]");
    check("one two three", "one three", "one [-two -]three");
    check("Hello, world.", "Hello, moon!", "Hello, [-world.-]{+moon!+}");
    check("throw a shoe now", "send kind words now",
          "[-throw a shoe-]{+send kind words+} now");
}

/* Random texts over few words: always exact, and no longer than taking all away. */
static void test_random_texts_are_rebuilt(void **state)
{
    static const char *const words[] = {"a", "b", "c", " ", ", ", "\n", "日本"};
    unsigned seed = 7;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct buf t[2] = {{0}, {0}};
        for (int k = 0; k < 2; k++)
            for (int n = rand_r(&seed) % 30; n > 0; n--)
                buf_adds(&t[k], words[rand_r(&seed) % 7]);
        free(marked(buf_str(&t[0]), buf_str(&t[1])));
        buf_free(&t[0]);
        buf_free(&t[1]);
    }
}

static void test_a_text_against_a_foreign_one_ends(void **state)
{
    struct buf a = {0}, b = {0};

    (void)state;
    for (int i = 0; i < 20000; i++) {
        buf_addf(&a, "x%d ", i);
        buf_addf(&b, "y%d ", i);
    }
    free(marked(a.data, b.data));
    buf_free(&a);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_random_texts_are_rebuilt),
        cmocka_unit_test(test_a_text_against_a_foreign_one_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* unit_tui_text.c: bytes to cells: width, sanitizer, emoji, wrapping, grid clipping. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../tui/buf.c"
#include "../tui/grid.c"
#include "../tui/text.c"
#include "../tui/theme.c"
#include "../tui/wrap.c"

static int width(const char *s)
{
    return text_width(s, strlen(s));
}

static void test_width_of_plain_wide_and_combining(void **state)
{
    (void)state;
    assert_int_equal(width("abc"), 3);
    assert_int_equal(width("日本"), 4);
    assert_int_equal(width("e\xcc\x81x"), 2); /* e + acute */
    assert_int_equal(width("\xcc\x81"), 1);   /* a mark on a blank */
    assert_int_equal(width("a\xe2\x80\x8b"
                           "b"),
                     2); /* zero width space */
    assert_int_equal(width("a\tb"), 2 + TEXT_TAB_COLS);
    assert_int_equal(width("a\nb"), 2);
}

static void test_emoji_clusters_show_their_first_character(void **state)
{
    struct text_unit u;
    const char *family = "👩‍👩‍👧x", *skin = "👍🏽x", *heart = "❤️x";

    (void)state;
    text_next(&u, family, strlen(family));
    assert_int_equal(u.n_bytes, strlen(family) - 1);
    assert_int_equal(u.cols, 2);
    assert_int_equal(u.n_cps, 1);
    assert_int_equal(u.cps[0], 0x1F469);
    text_next(&u, skin, strlen(skin));
    assert_int_equal(u.n_bytes, strlen(skin) - 1);
    assert_int_equal(u.n_cps, 1);
    text_next(&u, heart, strlen(heart));
    assert_int_equal(u.n_bytes, strlen(heart) - 1);
    assert_int_equal(u.cols, wcwidth(0x2764));
}

static void test_control_bytes_are_shown_not_sent(void **state)
{
    struct text_unit u;

    (void)state;
    text_next(&u, "\033[31m", 5);
    assert_string_equal(u.ascii, "^[");
    assert_int_equal(u.n_bytes, 1);
    text_next(&u, "\177", 1);
    assert_string_equal(u.ascii, "^?");
    text_next(&u, "\xe2\x80\xae", 3); /* right-to-left override */
    assert_string_equal(u.ascii, "<202E>");
    text_next(&u, "\xc2\x9b", 2); /* C1: control sequence introducer */
    assert_string_equal(u.ascii, "<009B>");
    text_next(&u, "\xf3\xa0\x81\x81", 4); /* an invisible tag */
    assert_string_equal(u.ascii, "<E0041>");
    text_next(&u,
              "\xff"
              "a",
              2);
    assert_int_equal(u.cps[0], 0xFFFD);
    assert_int_equal(u.n_bytes, 1);
}

/* Whatever the bytes are, the walk ends and no cell holds a control byte. */
static void test_random_bytes_never_reach_a_cell(void **state)
{
    struct grid g = {0};
    unsigned seed = 1;
    char s[64];

    (void)state;
    grid_resize(&g, 40, 3);
    for (int round = 0; round < 20000; round++) {
        size_t len = 1 + (size_t)rand_r(&seed) % sizeof s;
        for (size_t i = 0; i < len; i++)
            s[i] = (char)(rand_r(&seed) % 4 ? rand_r(&seed) : 0x20 + rand_r(&seed) % 90);
        grid_text(&g, (struct rect){rand_r(&seed) % 50 - 5, 1, 30, 1}, 0, 0, ROLE_TEXT, 0,
                  s, len);
    }
    for (int i = 0; i < 40 * 3; i++) {
        const struct cell *c = &g.cells[i];
        assert_true(c->cols != 0 || c->n_cps == 0);
        for (int k = 0; k < c->n_cps; k++)
            assert_true(c->cps[k] >= 0x20 && !(c->cps[k] >= 0x7f && c->cps[k] < 0xa0));
        if (i < 40 || i >= 80)
            assert_int_equal(c->cps[0], ' ');
        if (c->cols == 2)
            assert_int_equal(g.cells[i + 1].cols, 0);
    }
    grid_free(&g);
}

static void test_fit_cuts_at_cell_borders(void **state)
{
    int cols;

    (void)state;
    assert_int_equal(text_fit("日本語", 9, 5, &cols), 6);
    assert_int_equal(cols, 4);
    assert_int_equal(text_fit("abc", 3, 0, &cols), 0);
    assert_int_equal(text_before("ae\xcc\x81", 4), 3);
    assert_int_equal(text_before("日本", 6), 3);
}

static void check_lines(const struct wrap *w, const char *s, const char *const *want,
                        size_t n)
{
    assert_int_equal(w->n, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(w->v[i].len, strlen(want[i]));
        assert_memory_equal(s + w->v[i].at, want[i], w->v[i].len);
    }
}

static void test_wrap_breaks_at_spaces_and_inside_long_words(void **state)
{
    struct wrap w = {0};
    const char *s = "the quick brown fox\n\nabcdefghijklm 日本語文字列";
    const char *want[] = {"the quick", "brown fox",  "",  "abcdefghij",
                          "klm",       "日本語文字", "列"};

    (void)state;
    wrap_build(&w, s, strlen(s), 10);
    check_lines(&w, s, want, 7);
    assert_int_equal(wrap_line_of(&w, 0), 0);
    assert_int_equal(wrap_line_of(&w, 12), 1);
    assert_int_equal(wrap_line_of(&w, strlen(s)), 6);
    wrap_free(&w);
}

/* A streamed text wrapped piece by piece has the lines of the whole. */
static void test_wrap_extend_equals_build(void **state)
{
    static const char s[] = "One two three four five six.\n\nSeven   eight nine-ten\n "
                            "eleven twelvethirteenfourteen fifteen\n";
    struct wrap a = {0}, b = {0};

    (void)state;
    for (int cols = 1; cols < 30; cols++) {
        wrap_build(&a, s, 0, cols);
        for (size_t len = 1; len <= sizeof s - 1; len++) {
            wrap_extend(&a, s, len);
            wrap_build(&b, s, len, cols);
            assert_int_equal(a.n, b.n);
            for (size_t i = 0; i < a.n; i++) {
                assert_int_equal(a.v[i].at, b.v[i].at);
                assert_int_equal(a.v[i].len, b.v[i].len);
                assert_int_equal(a.v[i].hard, b.v[i].hard);
            }
        }
    }
    wrap_free(&a);
    wrap_free(&b);
}

static void test_cut_ends_in_an_ellipsis(void **state)
{
    struct grid g = {0};
    struct buf out = {0};

    (void)state;
    grid_resize(&g, 12, 2);
    grid_cut(&g, grid_all(&g), 0, 0, ROLE_TEXT, 0, "a long sentence", 15, 8);
    grid_cut(&g, grid_all(&g), 0, 1, ROLE_TEXT, 0, "日本語文字列です", 24, 8);
    grid_print(&out, &g);
    assert_string_equal(out.data, "a long…\n日本語…\n");
    buf_free(&out);
    grid_free(&g);
}

static void test_overwriting_half_a_wide_character_blanks_the_other(void **state)
{
    struct grid g = {0};
    struct buf out = {0};

    (void)state;
    grid_resize(&g, 4, 1);
    grid_str(&g, grid_all(&g), 0, 0, ROLE_TEXT, 0, "日本");
    grid_str(&g, grid_all(&g), 1, 0, ROLE_TEXT, 0, "x");
    grid_print(&out, &g);
    assert_string_equal(out.data, " x本\n");
    buf_free(&out);
    grid_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_width_of_plain_wide_and_combining),
        cmocka_unit_test(test_emoji_clusters_show_their_first_character),
        cmocka_unit_test(test_control_bytes_are_shown_not_sent),
        cmocka_unit_test(test_random_bytes_never_reach_a_cell),
        cmocka_unit_test(test_fit_cuts_at_cell_borders),
        cmocka_unit_test(test_wrap_breaks_at_spaces_and_inside_long_words),
        cmocka_unit_test(test_wrap_extend_equals_build),
        cmocka_unit_test(test_cut_ends_in_an_ellipsis),
        cmocka_unit_test(test_overwriting_half_a_wide_character_blanks_the_other),
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    text_init(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

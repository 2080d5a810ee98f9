/* unit_tui_widgets.c: movement, selection by place, follow rule, search, the editor. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../tui/buf.c"
#include "../tui/edit.c"
#include "../tui/grid.c"
#include "../tui/keys.c"
#include "../tui/list.c"
#include "../tui/pager.c"
#include "../tui/text.c"
#include "../tui/theme.c"
#include "../tui/wrap.c"

static void test_list_keeps_its_screen_row(void **state)
{
    struct list l = {.n = 100, .sel = 50, .top = 40};

    (void)state;
    list_place(&l, 120, 60); /* ten rows came in above it */
    assert_int_equal(l.top, 50);
    list_layout(&l, 20);
    assert_int_equal(l.top, 50);
    list_place(&l, 5, 99);
    assert_int_equal(l.sel, 4);
    list_layout(&l, 20);
    assert_int_equal(l.top, 0);
    list_place(&l, 0, 0);
    list_move(&l, MOVE_DOWN);
    assert_int_equal(l.sel, 0);
}

static void grow(struct pager *p, int lines, int same)
{
    struct doc d = {0};
    char line[32];

    for (int i = 0; i < lines; i++) {
        snprintf(line, sizeof line, "line %d\n", i);
        doc_str(&d, ROLE_TEXT, line);
    }
    pager_set(p, &d, same);
    doc_free(&d);
}

static void test_follow_lets_go_and_takes_hold(void **state)
{
    struct pager p = {0};

    (void)state;
    grow(&p, 50, 0);
    pager_layout(&p, 40, 10);
    assert_int_equal(p.top, 0);
    pager_move(&p, MOVE_END);
    grow(&p, 60, 1);
    assert_int_equal(p.top, p.wrap.n - 10);
    pager_move(&p, MOVE_UP);
    grow(&p, 70, 1);
    assert_int_equal(p.wrap.n, 71);
    assert_int_equal(p.top, 50);
    assert_int_equal(pager_below(&p), 11);
    pager_move(&p, MOVE_END);
    grow(&p, 80, 1);
    assert_int_equal(pager_below(&p), 0);
    pager_free(&p);
}

static void test_pager_keeps_its_place_when_the_width_changes(void **state)
{
    struct pager p = {0};
    size_t at;

    (void)state;
    grow(&p, 200, 0);
    pager_layout(&p, 40, 10);
    p.top = 100;
    at = p.wrap.v[100].at;
    pager_layout(&p, 4, 10);
    assert_true(p.wrap.v[p.top].at <= at && p.wrap.v[p.top + 1].at > at);
    pager_free(&p);
}

static void test_search_is_smart_and_wraps(void **state)
{
    struct pager p = {0};
    int wrapped;

    (void)state;
    assert_int_equal(search_text("Hello hello", 11, 0, "hello"), 0);
    assert_int_equal(search_text("hello Hello", 11, 0, "Hello"), 6);
    assert_true(search_text("hello", 5, 0, "") == SIZE_MAX);
    grow(&p, 100, 0);
    pager_layout(&p, 40, 10);
    assert_int_equal(pager_find(&p, "line 9", 1, 1, &wrapped), 1);
    assert_int_equal(p.match, 9 * 7);
    assert_int_equal(pager_find(&p, "line 9", 1, 0, &wrapped), 1);
    assert_int_equal(wrapped, 0);
    assert_int_equal(pager_find(&p, "line 9", -1, 0, &wrapped), 1);
    assert_int_equal(p.match, 9 * 7);
    assert_int_equal(pager_find(&p, "line 9", -1, 0, &wrapped), 1);
    assert_int_equal(wrapped, 1);
    assert_int_equal(pager_find(&p, "nowhere", 1, 1, &wrapped), 0);
    pager_free(&p);
}

static void type(struct edit *e, const char *keys)
{
    struct keys k = {0};
    struct keys_unit u;

    for (size_t len; *keys; keys += len) {
        char bytes[16];
        uint32_t key = keys_parse(keys, &len);
        keys_push(&k, bytes, keys_bytes(bytes, key));
    }
    while (keys_next(&k, &u, KEYS_PASTE_MS, KEYS_ESC_MS))
        edit_key(e, &u);
    keys_free(&k);
}

static void test_editing(void **state)
{
    struct edit e = {0};

    (void)state;
    edit_open(&e, "hello");
    type(&e, "<Space>日本<Backspace>!");
    assert_string_equal(e.text.data, "hello 日!");
    assert_int_equal(edit_changed(&e), 1);
    type(&e, "<Home>X<C-k>");
    assert_string_equal(e.text.data, "X");
    type(&e, "<C-_>");
    assert_string_equal(e.text.data, "Xhello 日!");
    type(&e, "<C-_><C-_><C-_><C-_><C-_><C-_>");
    assert_string_equal(e.text.data, "hello");
    assert_int_equal(edit_changed(&e), 0);
    type(&e, "<Enter>two<Space>words<C-w><Left><Del>");
    assert_string_equal(e.text.data, "hello\ntwo");
    edit_close(&e);
}

static void test_paste_into_the_editor(void **state)
{
    struct edit e = {0};
    struct keys_unit u = {.key = KEY_PASTE, .text = "a\r\nb\rc\0d", .text_len = 8};

    (void)state;
    edit_open(&e, "");
    edit_key(&e, &u);
    assert_string_equal(e.text.data, "a\nb\ncd");
    edit_close(&e);
}

static void test_cursor_moves_by_screen_lines(void **state)
{
    struct edit e = {0};
    struct grid g = {0};

    (void)state;
    grid_resize(&g, 20, 4);
    edit_open(&e, "one two three four five six seven eight nine ten");
    edit_paint(&e, &g, (struct rect){0, 0, 11, 4});
    assert_int_equal(g.cursor_y, 3);
    type(&e, "<Up>");
    edit_paint(&e, &g, (struct rect){0, 0, 11, 4});
    assert_int_equal(g.cursor_y, 2);
    assert_true(g.cursor_x >= 0 && g.cursor_x < 11);
    edit_close(&e);
    grid_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_keeps_its_screen_row),
        cmocka_unit_test(test_follow_lets_go_and_takes_hold),
        cmocka_unit_test(test_pager_keeps_its_place_when_the_width_changes),
        cmocka_unit_test(test_search_is_smart_and_wraps),
        cmocka_unit_test(test_editing),
        cmocka_unit_test(test_paste_into_the_editor),
        cmocka_unit_test(test_cursor_moves_by_screen_lines),
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    text_init(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

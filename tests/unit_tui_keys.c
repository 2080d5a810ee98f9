/* unit_tui_keys.c: the unit splitter and the names of keys. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../tui/buf.c"
#include "../tui/keys.c"
#include "../tui/text.c"

static uint32_t next(struct keys *k, int silent_ms)
{
    struct keys_unit u;

    return keys_next(k, &u, silent_ms, KEYS_ESC_MS) ? u.key : KEY_NONE;
}

static void push(struct keys *k, const char *s)
{
    keys_push(k, s, strlen(s));
}

static void test_a_burst_is_cut_into_units(void **state)
{
    struct keys k = {0};

    (void)state;
    push(&k, "j\033[A\033OB日\r\t\033x\x03\177\033[5~\033[Z");
    assert_int_equal(next(&k, 0), 'j');
    assert_int_equal(next(&k, 0), KEY_UP_ARROW);
    assert_int_equal(next(&k, 0), KEY_DOWN_ARROW);
    assert_int_equal(next(&k, 0), 0x65E5);
    assert_int_equal(next(&k, 0), KEY_RETURN);
    assert_int_equal(next(&k, 0), KEY_TAB);
    assert_int_equal(next(&k, 0), KEY_ALT_BIT | 'x');
    assert_int_equal(next(&k, 0), KEY_CTRL_BIT | 'c');
    assert_int_equal(next(&k, 0), KEY_BACK);
    assert_int_equal(next(&k, 0), KEY_PAGE_UP);
    assert_int_equal(next(&k, 0), KEY_BACK_TAB);
    assert_int_equal(next(&k, 0), KEY_NONE);
    keys_free(&k);
}

static void test_a_lone_esc_waits_25_ms(void **state)
{
    struct keys k = {0};

    (void)state;
    push(&k, "\033");
    assert_int_equal(next(&k, 0), KEY_NONE);
    assert_int_equal(keys_wait_ms(&k, 0, KEYS_ESC_MS), KEYS_ESC_MS);
    assert_int_equal(next(&k, KEYS_ESC_MS), KEY_ESCAPE);
    assert_int_equal(keys_wait_ms(&k, 0, KEYS_ESC_MS), -1);
    push(&k, "\033\033[A"); /* two: the first is a lone one */
    assert_int_equal(next(&k, 0), KEY_ESCAPE);
    assert_int_equal(next(&k, 0), KEY_UP_ARROW);
    keys_free(&k);
}

static void test_slow_links_split_sequences(void **state)
{
    struct keys k = {0};

    (void)state;
    push(&k, "\033[");
    assert_int_equal(next(&k, 100), KEY_NONE);
    push(&k, "B");
    assert_int_equal(next(&k, 0), KEY_DOWN_ARROW);
    push(&k, "\xe6\x97");
    assert_int_equal(next(&k, 100), KEY_NONE);
    push(&k, "\xa5");
    assert_int_equal(next(&k, 0), 0x65E5);
    push(&k, "\033[1;"); /* the rest never comes */
    assert_int_equal(next(&k, KEYS_TAIL_MS), KEY_UNKNOWN);
    assert_int_equal(next(&k, 0), KEY_NONE);
    keys_free(&k);
}

static void test_bad_bytes_become_the_replacement_character(void **state)
{
    struct keys k = {0};
    struct keys_unit u;

    (void)state;
    push(&k, "\xff"
             "a\xc0\xaf\xed\xa0\x80z");
    for (int bad = 0;;) {
        assert_int_equal(keys_next(&k, &u, 0, KEYS_ESC_MS), 1);
        if (u.key == 0xFFFD) {
            assert_memory_equal(u.bytes, "\xEF\xBF\xBD", 3);
            bad++;
        }
        if (u.key == 'z') {
            assert_int_equal(bad, 6);
            break;
        }
    }
    keys_free(&k);
}

static void test_a_paste_is_one_unit(void **state)
{
    struct keys k = {0};
    struct keys_unit u;

    (void)state;
    push(&k, "\033[200~rm -rf\nq");
    assert_int_equal(keys_next(&k, &u, 0, KEYS_ESC_MS), 0);
    push(&k, "\033[20");
    assert_int_equal(keys_next(&k, &u, 0, KEYS_ESC_MS), 0);
    push(&k, "1~j");
    assert_int_equal(keys_next(&k, &u, 0, KEYS_ESC_MS), 1);
    assert_int_equal(u.key, KEY_PASTE);
    assert_int_equal(u.text_len, 8);
    assert_memory_equal(u.text, "rm -rf\nq", 8);
    assert_int_equal(next(&k, 0), 'j');
    push(&k, "\033[200~never ends");
    assert_int_equal(next(&k, 500), KEY_NONE);
    assert_int_equal(keys_next(&k, &u, KEYS_PASTE_MS, KEYS_ESC_MS), 1);
    assert_int_equal(u.text_len, 10);
    keys_free(&k);
}

static void test_mouse_reports(void **state)
{
    struct keys k = {0};
    struct keys_unit u;

    (void)state;
    push(&k, "\033[<65;10;4M\033[<0;1;1m");
    assert_int_equal(keys_next(&k, &u, 0, KEYS_ESC_MS), 1);
    assert_int_equal(u.key, KEY_MOUSE_EVENT);
    assert_int_equal(u.mouse.button, 65);
    assert_int_equal(u.mouse.x, 9);
    assert_int_equal(u.mouse.y, 3);
    assert_int_equal(keys_next(&k, &u, 0, KEYS_ESC_MS), 1);
    assert_int_equal(u.mouse.release, 1);
    keys_free(&k);
}

static void test_names_and_bytes_agree(void **state)
{
    static const char *const names[] = {"j",     "<Up>",  "<Enter>",     "<C-r>",
                                        "<A-x>", "<Esc>", "<Space>",     "<lt>",
                                        "日",    "<F5>",  "<PgDn>",      "<S-Tab>",
                                        "<A->>", "<A-<>", "<Backspace>", "<Del>",
                                        "<C-s>"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char bytes[16];
        size_t len = 0, n;
        uint32_t key = keys_parse(names[i], &len);
        struct keys k = {0};
        assert_int_not_equal(key, KEY_NONE);
        assert_int_equal(len, strlen(names[i]));
        n = keys_bytes(bytes, key);
        assert_true(n > 0);
        keys_push(&k, bytes, n);
        assert_int_equal(next(&k, KEYS_ESC_MS), key);
        keys_free(&k);
    }
    assert_int_equal(keys_parse("<Nonsense>", NULL), KEY_NONE);
    assert_int_equal(keys_parse("", NULL), KEY_NONE);
}

/* Random bytes, torn anywhere: every byte is consumed in the end, nothing is read twice.
 */
static void test_random_bytes_end(void **state)
{
    static const char *const parts[] = {"\033", "[", "200~", "201~", "O",
                                        "\xe6", "a", "<0;",  "M",    "\xff"};
    unsigned seed = 3;

    (void)state;
    for (int round = 0; round < 5000; round++) {
        struct keys k = {0};
        struct keys_unit u;
        for (int i = rand_r(&seed) % 20; i >= 0; i--) {
            push(&k, parts[rand_r(&seed) % 10]);
            while (rand_r(&seed) % 2 && keys_next(&k, &u, 0, KEYS_ESC_MS))
                assert_true(u.len > 0);
        }
        while (keys_next(&k, &u, KEYS_PASTE_MS, KEYS_ESC_MS))
            assert_true(u.len > 0);
        assert_int_equal(k.at, k.in.len);
        keys_free(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_burst_is_cut_into_units),
        cmocka_unit_test(test_a_lone_esc_waits_25_ms),
        cmocka_unit_test(test_slow_links_split_sequences),
        cmocka_unit_test(test_bad_bytes_become_the_replacement_character),
        cmocka_unit_test(test_a_paste_is_one_unit),
        cmocka_unit_test(test_mouse_reports),
        cmocka_unit_test(test_names_and_bytes_agree),
        cmocka_unit_test(test_random_bytes_end),
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    text_init(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

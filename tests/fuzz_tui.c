/*
 * fuzz_tui.c: random bytes through the key decoder, the sanitizer, wrapping, the pager
 * and the word diff. No crash, every byte consumed, no control byte in a cell.
 *
 * Usage: fuzz_tui [--seconds N] [--seed S]
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../tui/buf.c"
#include "../tui/diff.c"
#include "../tui/edit.c"
#include "../tui/grid.c"
#include "../tui/keys.c"
#include "../tui/list.c"
#include "../tui/pager.c"
#include "../tui/text.c"
#include "../tui/theme.c"
#include "../tui/wrap.c"

enum { TEXT_MAX = 2000 };

static unsigned seed;

static unsigned any(unsigned n)
{
    return (unsigned)rand_r(&seed) % n;
}

/* Mostly words, with what terminals and Unicode have in store in between. */
static size_t random_text(char *s)
{
    static const char *const parts[] = {"word ",
                                        "a",
                                        " ",
                                        "\n",
                                        "\t",
                                        "\033[31m",
                                        "\033[200~",
                                        "\033[201~",
                                        "\033",
                                        "\x9b",
                                        "日本",
                                        "e\xcc\x81",
                                        "👩‍👩‍👧",
                                        "👍🏽",
                                        "\xe2\x80\xae",
                                        "\xe2\x80\x8b",
                                        "\xff",
                                        "\xe6\x97",
                                        "\r",
                                        "\x7f",
                                        "\xf3\xa0\x81\x81",
                                        "🇩🇪",
                                        "각",
                                        "{+",
                                        "-]"};
    size_t len = 0, want = any(TEXT_MAX - 32);

    while (len < want) {
        const char *p = parts[any(sizeof parts / sizeof *parts)];
        size_t n = strlen(p);
        memcpy(s + len, p, n);
        len += n;
        if (any(10) == 0)
            s[len++] = (char)any(256);
    }
    s[len] = '\0';
    return len;
}

static int check(int good, const char *what)
{
    if (!good)
        fprintf(stderr, "fuzz_tui: %s\n", what);
    return good;
}

static int clean(const struct grid *g)
{
    for (int i = 0; i < g->cols * g->rows; i++)
        for (int k = 0; k < g->cells[i].n_cps; k++) {
            uint32_t c = g->cells[i].cps[k];
            if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e))
                return 0;
        }
    return 1;
}

static int one_round(void)
{
    static char a[TEXT_MAX + 8], b[TEXT_MAX + 8];
    size_t a_len = random_text(a), kept = 0;
    struct grid g = {0};
    struct pager p = {0};
    struct doc d = {0};
    struct edit e = {0};
    struct keys k = {0};
    struct keys_unit u;
    struct diff x = {0};
    int good = 1, wrapped;

    random_text(b);
    grid_resize(&g, 1 + (int)any(60), 1 + (int)any(10));
    doc_add(&d, ROLE_TEXT, 0, a, a_len);
    pager_set(&p, &d, 0);
    pager_layout(&p, g.cols, g.rows);
    for (int i = 0; i < 5; i++) {
        pager_move(&p, (enum move)any(MOVE_END + 1));
        pager_find(&p, "wor", any(2) ? 1 : -1, 0, &wrapped);
        pager_paint(&p, &g, (struct rect){(int)any(9) - 4, 0, g.cols, g.rows}, "wor");
    }
    good &= check(clean(&g), "a control byte reached a cell");

    edit_open(&e, "");
    for (size_t at = 0; at < a_len;) {
        size_t n = 1 + any(40);
        n = n > a_len - at ? a_len - at : n;
        keys_push(&k, a + at, n);
        at += n;
        while (keys_next(&k, &u, any(2) ? 0 : KEYS_PASTE_MS, KEYS_ESC_MS)) {
            good &= check(u.len > 0, "a unit without bytes");
            edit_key(&e, &u);
            good &= check(e.cursor <= e.text.len, "the cursor left the text");
        }
    }
    while (keys_next(&k, &u, KEYS_PASTE_MS, KEYS_ESC_MS))
        edit_key(&e, &u);
    good &= check(k.at == k.in.len, "bytes were left over");
    edit_paint(&e, &g, grid_all(&g));
    good &= check(clean(&g), "a control byte reached a cell of the editor");

    diff_words(&x, a, strlen(a), b, strlen(b));
    for (size_t i = 0; i < x.n; i++)
        kept += x.v[i].kind != DIFF_ADDED ? x.v[i].len : 0;
    good &= check(kept == strlen(a), "a diff lost bytes");
    diff_free(&x);
    edit_close(&e);
    keys_free(&k);
    pager_free(&p);
    doc_free(&d);
    grid_free(&g);
    return good;
}

int main(int argc, char **argv)
{
    time_t end = time(NULL) + 5;
    unsigned long rounds = 0;

    seed = (unsigned)time(NULL);
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seconds") == 0)
            end = time(NULL) + strtol(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = (unsigned)strtoul(argv[i + 1], NULL, 10);
    }
    setlocale(LC_CTYPE, "C.UTF-8");
    text_init(1);
    while (time(NULL) < end) {
        unsigned start = seed;
        if (!one_round()) {
            fprintf(stderr, "fuzz_tui: --seed %u\n", start);
            return 1;
        }
        rounds++;
    }
    printf("%lu rounds\n", rounds);
    return 0;
}

/* unit_inbox.c: the queue between workers and owner; copying and freeing nodes. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cai.h"
#include "pipeline/inbox.h"
#include "pipeline/node.h"

static int readable(const struct cai_inbox *b)
{
    struct pollfd p = {cai_inbox_fd(b), POLLIN, 0};
    return poll(&p, 1, 0) == 1;
}

static void put(struct cai_inbox *b, uint64_t seq)
{
    struct cai_event e = {.kind = CAI_EVENT_STORED, .seq = seq};
    assert_int_equal(inbox_put(b, &e), CAI_OK);
}

static void test_readable_exactly_while_events_wait(void **state)
{
    struct cai_inbox *b = cai_inbox_new();
    struct cai_event e;
    (void)state;

    assert_false(readable(b));
    assert_false(cai_inbox_take(b, &e));
    for (uint64_t i = 1; i <= 200; i++)
        put(b, i);
    for (uint64_t i = 1; i <= 200; i++) {
        assert_true(readable(b));
        assert_true(cai_inbox_take(b, &e));
        assert_int_equal(e.seq, i);
        cai_event_clear(&e);
    }
    assert_false(readable(b));
    assert_false(cai_inbox_wait(b, 0));
    put(b, 1);
    assert_true(cai_inbox_wait(b, -1));
    cai_inbox_free(b);
}

enum { MANY = 20000 };

static void *produce(void *arg)
{
    for (uint64_t i = 1; i <= MANY; i++)
        put(arg, i);
    return NULL;
}

static void test_a_full_inbox_makes_the_worker_wait_and_loses_nothing(void **state)
{
    struct cai_inbox *b = cai_inbox_new();
    struct cai_event e;
    pthread_t t[2];
    uint64_t sum = 0;
    size_t n = 0;
    (void)state;

    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, produce, b), 0);
    while (n < 2 * MANY) {
        assert_true(cai_inbox_wait(b, 10000));
        while (cai_inbox_take(b, &e)) {
            sum += e.seq;
            n++;
            cai_event_clear(&e);
        }
    }
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(sum, (uint64_t)MANY * (MANY + 1));
    assert_false(cai_inbox_take(b, &e));
    cai_inbox_free(b);
}

static void test_unbounded_never_waits(void **state)
{
    struct cai_inbox *b = cai_inbox_new();
    (void)state;
    inbox_unbounded(b, 1);
    for (uint64_t i = 0; i < 3 * INBOX_MAX_EVENTS; i++)
        put(b, i);
    inbox_unbounded(b, 0);
    cai_inbox_free(b); /* frees what nobody took */
}

static struct cai_node *full_node(void)
{
    struct cai_node *n = node_new();
    const struct cai_segment seg[2] = {{(char *)"<|x|>", 1}, {(char *)"hello", 0}};

    assert_non_null(n);
    assert_true(node_set_string(&n->text, "text"));
    assert_true(node_set_string(&n->model, "hash"));
    n->n_segments = 2;
    assert_true(node_dup_segments(&n->segments, seg, 2));
    n->n_tokens = 3;
    n->tokens = mem_dup((int32_t[]){1, 2, 3}, 12);
    n->logprob = mem_dup((float[]){-1, -2, -3}, 12);
    n->logprob_a = mem_dup((float[]){-4, -5, -6}, 12);
    return n;
}

static void test_node_copy_is_deep(void **state)
{
    struct cai_node *n = full_node(), *copy = cai_node_dup(n);
    (void)state;

    cai_node_free(n);
    assert_string_equal(copy->text, "text");
    assert_string_equal(copy->author, "");
    assert_string_equal(copy->segments[0].text, "<|x|>");
    assert_true(copy->segments[0].special);
    assert_int_equal(copy->tokens[2], 3);
    assert_true(copy->logprob_a[1] < -4.9f);
    assert_null(copy->logprob_b);
    cai_node_free(copy);
    cai_node_free(NULL);
}

static void test_node_copy_out_of_memory(void **state)
{
    struct cai_node *n = full_node(), *copy = NULL;
    (void)state;

    for (unsigned long k = 1; !copy; k++) {
        mem_test_fail(k, 0);
        copy = cai_node_dup(n);
        mem_test_fail(0, 0);
        assert_true(k < 100);
    }
    cai_node_free(copy);
    cai_node_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readable_exactly_while_events_wait),
        cmocka_unit_test(test_a_full_inbox_makes_the_worker_wait_and_loses_nothing),
        cmocka_unit_test(test_unbounded_never_waits),
        cmocka_unit_test(test_node_copy_is_deep),
        cmocka_unit_test(test_node_copy_out_of_memory),
    };
    cai_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

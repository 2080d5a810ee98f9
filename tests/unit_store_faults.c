/*
 * unit_store_faults.c: the promise of the store under every single fault.
 *
 * A scripted session is run again and again; each time the k-th file operation or the
 * k-th allocation goes wrong. Then it is opened without faults: what it shows must be the
 * picture the fault-free run had after some event n, with n at least the last event that
 * was acknowledged. Loops print k, so that one case can be run alone.
 */
#include "store_support.h"

#include "store/state.h"

enum { STEPS = 60 };

static char err[ERR_MAX];
static struct cai_constitution *constitutions[2];
static char *pictures[STEPS + 1]; /* after so many events */

/* What a run got to before it was over. */
struct outcome {
    uint64_t made, acknowledged;
};

static const struct cai_constitution **both(void)
{
    return (const struct cai_constitution **)constitutions;
}

static void look_at_everything(const struct cai_session *s)
{
    for (size_t i = 0; i < cai_session_info(s)->n_chains; i++)
        cai_session_chain(s, i);
}

/* Steps up to n, as far as they go; a step that fails ends the run. */
static struct outcome attempt(const char *path, unsigned n)
{
    struct cai_session *s = NULL;
    struct outcome o = {0, 0};
    char e[ERR_MAX];

    if (cai_session_open(&s, path, CAI_SESSION_WRITE, NULL, e, sizeof e) != CAI_OK)
        return o;
    look_at_everything(s);
    for (unsigned i = (unsigned)cai_session_info(s)->seq; i < n; i++)
        if (script_step(s, i, both(), e, sizeof e) != CAI_OK)
            break;
    cai_session_sync(s, e, sizeof e);
    o.made = cai_session_info(s)->seq;
    o.acknowledged = cai_session_info(s)->stored_seq;
    cai_session_close(s);
    return o;
}

/* Says where two pictures begin to differ. */
static void fail_states(const char *is, const char *should, uint64_t n, const char *what,
                        long k)
{
    size_t at = 0;

    while (is[at] && is[at] == should[at])
        at++;
    at = at < 40 ? 0 : at - 40;
    fail_msg("%s, k = %ld: wrong state after event %llu: ...%.160s... instead of "
             "...%.160s...",
             what, k, (unsigned long long)n, is + at, should + at);
}

/* Opens what a fault left behind: a prefix no shorter than what was acknowledged and no
 * longer than what was made; goes on writing; is the same when opened again. */
static uint64_t check_recovered(const char *path, struct outcome o, uint64_t at_least,
                                uint64_t at_most, const char *what, long k)
{
    struct cai_session *s = NULL;
    uint64_t n, expected;
    char *p;

    if (o.acknowledged > at_least)
        at_least = o.acknowledged;
    if (cai_session_open(&s, path, CAI_SESSION_WRITE, NULL, err, sizeof err) != CAI_OK)
        fail_msg("%s, k = %ld: does not open: %s", what, k, err);
    n = cai_session_info(s)->seq;
    if (n < at_least || n > at_most)
        fail_msg("%s, k = %ld: event %llu of %llu..%llu", what, k, (unsigned long long)n,
                 (unsigned long long)at_least, (unsigned long long)at_most);
    p = picture(s);
    if (strcmp(p, pictures[n]) != 0)
        fail_states(p, pictures[n], n, what, k);
    free(p);
    expected = n < STEPS ? n + 1 : n;
    if (n < STEPS && script_step(s, (unsigned)n, both(), err, sizeof err) != CAI_OK)
        fail_msg("%s, k = %ld: cannot go on: %s", what, k, err);
    if (cai_session_sync(s, err, sizeof err) != CAI_OK)
        fail_msg("%s, k = %ld: cannot save: %s", what, k, err);
    cai_session_close(s);

    if (cai_session_open(&s, path, CAI_SESSION_READ, NULL, err, sizeof err) != CAI_OK)
        fail_msg("%s, k = %ld: does not open again: %s", what, k, err);
    p = picture(s);
    if (strcmp(strchr(p, '\n'), strchr(pictures[expected], '\n')) != 0)
        fail_msg("%s, k = %ld: wrong state when opened again", what, k);
    assert_string_equal(cai_session_info(s)->warning, "");
    free(p);
    cai_session_close(s);
    return n;
}

/* The fault-free run. */
static int make_pictures(void **state)
{
    struct cai_session *s = NULL;
    char path[256];

    (void)state;
    test_path(path, "clean");
    if (cai_session_open(&s, path, CAI_SESSION_WRITE, NULL, err, sizeof err) != CAI_OK)
        fail_msg("%s", err);
    pictures[0] = picture(s);
    for (unsigned i = 0; i < STEPS; i++) {
        if (script_step(s, i, both(), err, sizeof err) != CAI_OK)
            fail_msg("step %u: %s", i, err);
        pictures[i + 1] = picture(s);
    }
    cai_session_close(s);
    return 0;
}

/* ---------------------------------------------------------------- S1 */

static void S1_crash_at_every_operation(void **state)
{
    static const char *const names[] = {[FAULT_CRASH_BEFORE] = "crash before",
                                        [FAULT_CRASH_HALF] = "crash inside",
                                        [FAULT_CRASH_AFTER] = "crash after"};
    char path[256];
    long total;

    (void)state;
    test_path(path, "s1");
    fault_set(OP_CHANGING, 0, FAULT_NONE, 0, 0);
    assert_int_equal(attempt(path, STEPS).acknowledged, STEPS);
    total = atomic_load(&fault.count);
    print_message("%ld operations\n", total);
    assert_true(total > 150);
    for (int action = FAULT_CRASH_BEFORE; action <= FAULT_CRASH_AFTER; action++)
        for (long k = 1; k <= total; k++) {
            struct outcome o;
            test_path(path, "s1");
            fault_set(OP_CHANGING, k, (enum fault_action)action, 0, 0);
            o = attempt(path, STEPS);
            fault_set(0, 0, FAULT_NONE, 0, 0);
            check_recovered(path, o, 0,
                            o.acknowledged + 1 < STEPS ? o.acknowledged + 1 : STEPS,
                            names[action], k);
        }
}

/* ---------------------------------------------------------------- S5 */

static void prepare(const char *path, unsigned n)
{
    struct outcome o;
    fault_set(0, 0, FAULT_NONE, 0, 0);
    o = attempt(path, n);
    assert_int_equal(o.acknowledged, n);
}

/* Every operation of opening an existing session, going on and closing. */
static void fail_every_operation(const char *name, enum fault_action action, int error)
{
    enum { FIRST = 6, LAST = 18 };
    char path[256], what[64];

    for (int forever = 0; forever < 2; forever++) {
        snprintf(what, sizeof what, "%s %s", name, forever ? "for ever" : "once");
        for (long k = 1;; k++) {
            struct outcome o;
            test_path(path, "s5");
            prepare(path, FIRST);
            fault_set(OP_ANY, k, action, error, forever);
            o = attempt(path, LAST);
            if (atomic_load(&fault.syncs_after_failed_sync))
                fail_msg("%s, k = %ld: synced again after a failed sync", what, k);
            if (!atomic_load(&fault.hit)) {
                assert_int_equal(o.acknowledged, LAST);
                assert_true(k > 30);
                break; /* k is past the last operation */
            }
            fault_set(0, 0, FAULT_NONE, 0, 0);
            check_recovered(path, o, FIRST, o.made > FIRST ? o.made : FIRST, what, k);
        }
    }
}

static void S5_EIO_at_every_operation(void **state)
{
    (void)state;
    fail_every_operation("EIO", FAULT_ERROR, EIO);
}

static void S5_ENOSPC_at_every_operation(void **state)
{
    (void)state;
    fail_every_operation("ENOSPC", FAULT_ERROR, ENOSPC);
}

static void S5_EDQUOT_at_every_operation(void **state)
{
    (void)state;
    fail_every_operation("EDQUOT", FAULT_ERROR, EDQUOT);
}

static void S5_EACCES_at_every_operation(void **state)
{
    (void)state;
    fail_every_operation("EACCES", FAULT_ERROR, EACCES);
}

static void S5_EINTR_at_every_operation(void **state)
{
    (void)state;
    fail_every_operation("EINTR", FAULT_ERROR, EINTR);
}

static void S5_short_at_every_operation(void **state)
{
    (void)state;
    fail_every_operation("one byte", FAULT_SHORT, 0);
}

/* ---------------------------------------------------------------- S6 */

/* Every k of a run from event `first` (0: the folder is made too) to event `last`. */
static void fail_every_allocation(unsigned first, unsigned last)
{
    char path[256];
    unsigned long total = 1;

    for (int forever = 0; forever < 2; forever++)
        for (unsigned long k = 0; k <= total; k++) { /* 0: none fails, counts */
            struct outcome o;
            test_path(path, "s6");
            if (first)
                prepare(path, first);
            mem_test_fail(k, forever);
            o = attempt(path, last);
            if (k == 0) {
                total = mem_test_count();
                assert_int_equal(o.acknowledged, last);
            }
            mem_test_fail(0, 0);
            check_recovered(path, o, first, o.made > first ? o.made : first,
                            forever ? "no memory from k on" : "no memory once", (long)k);
        }
    print_message("%lu allocations\n", total);
}

static void S6_every_allocation_fails_in_a_new_session(void **state)
{
    (void)state;
    fail_every_allocation(0, 6);
}

static void S6_every_allocation_fails_in_an_old_session(void **state)
{
    (void)state;
    fail_every_allocation(4, 14);
}

static void S6_every_allocation_fails_in_a_repair(void **state)
{
    struct cai_session *s = NULL;
    char path[256], copy[256];
    unsigned long total = 1;
    char *p;

    (void)state;
    test_path(path, "s6r");
    prepare(path, 12);
    for (unsigned long k = 0; k <= total; k++) {
        enum cai_status st;
        test_path(copy, "s6r-copy");
        mem_test_fail(k, 0);
        st = cai_session_repair(path, copy, NULL, NULL, err, sizeof err);
        if (k == 0)
            total = mem_test_count();
        mem_test_fail(0, 0);
        /* it works, or says that it did not: never less than all without a word */
        if (st == CAI_OK) {
            assert_int_equal(cai_session_open(&s, copy, CAI_SESSION_WRITE, NULL, err,
                                              sizeof err),
                             CAI_OK);
            p = picture(s);
            if (strcmp(p, pictures[12]) != 0)
                fail_states(p, pictures[12], 12, "repair", (long)k);
            free(p);
            cai_session_close(s);
        } else if (st != CAI_NOMEM || k == 0) {
            fail_msg("k = %lu: %s", k, err);
        }
    }
    print_message("%lu allocations\n", total);
}

/* ---------------------------------------------------------------- S7 */

/* The state file of 20 events is replaced by that of 30. */
static void S7_state_file_cut_at_each_step(void **state)
{
    char path[256], file[320];
    struct state_mark mark;
    enum state_found found;
    int seen_old = 0, seen_new = 0;
    cJSON *doc;

    (void)state;
    for (int action = FAULT_CRASH_BEFORE; action <= FAULT_CRASH_AFTER; action++)
        for (long k = 1;; k++) {
            struct cai_session *s = NULL;
            int hit;
            test_path(path, "s7");
            snprintf(file, sizeof file, "%s/state.json", path);
            prepare(path, 20);
            assert_int_equal(cai_session_open(&s, path, CAI_SESSION_WRITE, NULL, err,
                                              sizeof err),
                             CAI_OK);
            for (unsigned i = 20; i < 30; i++)
                assert_int_equal(script_step(s, i, both(), err, sizeof err), CAI_OK);
            assert_int_equal(cai_session_sync(s, err, sizeof err), CAI_OK);
            fault_set(OP_CHANGING, k, (enum fault_action)action, 0, 0);
            cai_session_close(s); /* writes the state file */
            hit = atomic_load(&fault.hit);
            fault_set(0, 0, FAULT_NONE, 0, 0);
            assert_int_equal(state_read(&found, &mark, &doc, file, err, sizeof err),
                             CAI_OK);
            cJSON_Delete(doc);
            if (found != STATE_GOOD || (mark.seq != 20 && mark.seq != 30))
                fail_msg("k = %ld: neither old nor new", k);
            seen_old += mark.seq == 20;
            seen_new += mark.seq == 30;
            check_recovered(path, (struct outcome){30, 30}, 30, 30, "state file", k);
            if (!hit) {
                assert_true(k > 4); /* write, fsync, rename, fsync of the folder */
                break;
            }
        }
    assert_true(seen_old >= 6 && seen_new >= 3);
}

/* ---------------------------------------------------------------- what is said */

/* Waits for an event of this kind; its message is left in err. */
static int heard(struct cai_inbox *inbox, enum cai_event_kind kind)
{
    struct cai_event e;
    int found = 0;

    while (!found && (cai_inbox_take(inbox, &e) ||
                      (cai_inbox_wait(inbox, 5000) && cai_inbox_take(inbox, &e)))) {
        found = e.kind == kind;
        snprintf(err, sizeof err, "%s", e.message);
        cai_event_clear(&e);
    }
    return found;
}

static void disk_full_is_said_and_saved_later(void **state)
{
    struct cai_inbox *inbox = cai_inbox_new();
    struct cai_session *s = NULL;
    char path[256], *p;

    (void)state;
    test_path(path, "full");
    fault_set(0, 0, FAULT_NONE, 0, 0);
    assert_int_equal(cai_session_open(&s, path, CAI_SESSION_WRITE, inbox, err,
                                      sizeof err),
                     CAI_OK);
    assert_int_equal(script_step(s, 0, both(), err, sizeof err), CAI_OK);
    assert_true(heard(inbox, CAI_EVENT_STORED));
    fault_set(OP_WRITE, 1, FAULT_ERROR, ENOSPC, 1);
    assert_int_equal(script_step(s, 1, both(), err, sizeof err), CAI_OK);
    assert_true(heard(inbox, CAI_EVENT_UNSAVED));
    assert_non_null(strstr(err, path));
    assert_non_null(strstr(err, "not saved"));
    assert_int_equal(cai_session_sync(s, err, sizeof err), CAI_IO);
    assert_non_null(strstr(err, "No space left"));
    assert_int_equal(cai_session_info(s)->stored_seq, 1);
    assert_false(cai_session_info(s)->read_only);
    assert_int_equal(script_step(s, 2, both(), err, sizeof err), CAI_OK);
    fault_set(0, 0, FAULT_NONE, 0, 0);
    assert_int_equal(script_step(s, 3, both(), err, sizeof err), CAI_OK);
    assert_int_equal(cai_session_sync(s, err, sizeof err), CAI_OK);
    assert_int_equal(cai_session_info(s)->stored_seq, 4);
    cai_session_close(s);
    assert_int_equal(cai_session_open(&s, path, CAI_SESSION_WRITE, NULL, err, sizeof err),
                     CAI_OK);
    p = picture(s);
    assert_string_equal(p, pictures[4]);
    free(p);
    cai_session_close(s);
    cai_inbox_free(inbox);
}

static void a_failed_sync_ends_the_store(void **state)
{
    struct cai_inbox *inbox = cai_inbox_new();
    struct cai_session *s = NULL;
    char path[256], *p;

    (void)state;
    test_path(path, "sync");
    fault_set(0, 0, FAULT_NONE, 0, 0);
    assert_int_equal(cai_session_open(&s, path, CAI_SESSION_WRITE, inbox, err,
                                      sizeof err),
                     CAI_OK);
    assert_int_equal(script_step(s, 0, both(), err, sizeof err), CAI_OK);
    assert_int_equal(cai_session_sync(s, err, sizeof err), CAI_OK);
    fault_set(OP_FDATASYNC, 1, FAULT_ERROR, EIO, 0);
    assert_int_equal(script_step(s, 1, both(), err, sizeof err), CAI_OK);
    assert_true(heard(inbox, CAI_EVENT_STORE_FAILED));
    assert_non_null(strstr(err, path));
    assert_non_null(strstr(err, "nothing more is saved"));
    assert_int_equal(cai_session_sync(s, err, sizeof err), CAI_IO);
    assert_true(cai_session_info(s)->read_only);
    assert_int_equal(script_step(s, 2, both(), err, sizeof err), CAI_IO);
    assert_non_null(strstr(err, "read-only"));
    assert_false(cai_session_info(s)->can_undo);
    p = picture(s); /* what is in memory can still be looked at */
    assert_non_null(strstr(p, "c1 [prompt 0 of the script]"));
    free(p);
    cai_session_close(s);
    assert_int_equal(atomic_load(&fault.count), 1);
    cai_inbox_free(inbox);
    fault_set(0, 0, FAULT_NONE, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(S1_crash_at_every_operation),
        cmocka_unit_test(S5_EIO_at_every_operation),
        cmocka_unit_test(S5_ENOSPC_at_every_operation),
        cmocka_unit_test(S5_EDQUOT_at_every_operation),
        cmocka_unit_test(S5_EACCES_at_every_operation),
        cmocka_unit_test(S5_EINTR_at_every_operation),
        cmocka_unit_test(S5_short_at_every_operation),
        cmocka_unit_test(S6_every_allocation_fails_in_a_new_session),
        cmocka_unit_test(S6_every_allocation_fails_in_an_old_session),
        cmocka_unit_test(S6_every_allocation_fails_in_a_repair),
        cmocka_unit_test(S7_state_file_cut_at_each_step),
        cmocka_unit_test(disk_full_is_said_and_saved_later),
        cmocka_unit_test(a_failed_sync_ends_the_store),
    };
    static const int64_t noon_us = 1700000000000000;
    int failed;

    cai_init();
    clock_test_set(&noon_us);
    script_constitutions(constitutions);
    file_ops_set(&fault_ops);
    failed = cmocka_run_group_tests(tests, make_pictures, NULL);
    for (size_t i = 0; i <= STEPS; i++)
        free(pictures[i]);
    cai_constitution_free(constitutions[0]);
    cai_constitution_free(constitutions[1]);
    remove_tree(test_root());
    return failed;
}

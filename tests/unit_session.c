/* unit_session.c: what a session keeps, shows, undoes and refuses. */
#include "store_support.h"

static char err[ERR_MAX];
static struct cai_constitution *constitutions[2];

static struct cai_session *open_in(const char *path, enum cai_session_mode mode)
{
    struct cai_session *s = NULL;
    err[0] = '\0';
    if (cai_session_open(&s, path, mode, NULL, err, sizeof err) != CAI_OK)
        fail_msg("%s", err);
    return s;
}

#define OK(call)                                                                         \
    do {                                                                                 \
        err[0] = '\0';                                                                   \
        if ((call) != CAI_OK)                                                            \
            fail_msg("%s: %s", #call, err);                                              \
    } while (0)

static void run_script(struct cai_session *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        OK(script_step(s, i, (const struct cai_constitution **)constitutions, err,
                       sizeof err));
}

static void every_kind_of_event_survives_reopening(void **state)
{
    char path[256], state_path[300], *before, *after, *again;
    struct cai_session *s;

    (void)state;
    test_path(path, "reopen");
    snprintf(state_path, sizeof state_path, "%s/state.json", path);
    s = open_in(path, CAI_SESSION_WRITE);
    run_script(s, 60);
    before = picture(s);
    OK(cai_session_sync(s, err, sizeof err));
    assert_int_equal(cai_session_info(s)->seq, 60);
    assert_int_equal(cai_session_info(s)->stored_seq, 60);
    cai_session_close(s);

    s = open_in(path, CAI_SESSION_WRITE);
    after = picture(s);
    assert_string_equal(cai_session_info(s)->warning, "");
    assert_string_equal(before, after);
    cai_session_close(s);

    /* the journal alone says the same as the state file */
    assert_int_equal(unlink(state_path), 0);
    s = open_in(path, CAI_SESSION_READ);
    again = picture(s);
    assert_true(cai_session_info(s)->read_only);
    cai_session_close(s);
    free(after);
    after = again;
    /* reading only offers no undo; the rest is equal */
    assert_string_equal(strchr(before, '\n'), strchr(after, '\n'));
    free(before);
    free(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_event_survives_reopening),
    };
    int failed;

    cai_init();
    test_on_disk = 1;
    script_constitutions(constitutions);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    cai_constitution_free(constitutions[0]);
    cai_constitution_free(constitutions[1]);
    remove_tree(test_root());
    return failed;
}

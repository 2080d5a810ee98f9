/* unit_session.c: what a session keeps, shows, undoes and refuses. */
#include "session_support.h"

#include "store/record.h"
#include "store/state.h"

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

/* ---------------------------------------------------------------- nodes */

static void floats_and_seeds_come_back_bit_for_bit(void **state)
{
    static const float odd[] = {-0.0f,       1e-45f,           -3.4028235e38f,
                                0.1f,        -1.17549435e-38f, -7.6293945e-6f,
                                -12.345679f, -1.0f / 3};
    enum { N = sizeof odd / sizeof *odd };
    struct cai_session *s;
    struct cai_node *n = make_node(1, 0);
    const struct cai_node *back;
    uint32_t chain, id;
    char path[256];

    (void)state;
    test_path(path, "floats");
    s = open_in(path, CAI_SESSION_WRITE);
    OK(cai_session_add_chain(s, "p", &chain, err, sizeof err));
    mem_free(n->tokens);
    mem_free(n->logprob);
    mem_free(n->logprob_a);
    mem_free(n->logprob_b);
    n->n_tokens = N;
    n->tokens = mem_alloc(N, sizeof *n->tokens);
    n->tokens[0] = INT32_MAX;
    n->tokens[1] = INT32_MIN;
    n->logprob = mem_dup(odd, sizeof odd);
    n->logprob_a = mem_dup(odd, sizeof odd);
    n->logprob_b = NULL;
    n->settings.seed = UINT64_MAX;
    OK(cai_session_add_node(s, chain, n, &id, err, sizeof err));
    cai_session_close(s);
    s = open_in(path, CAI_SESSION_READ);
    back = cai_session_chain(s, 0)->nodes[0];
    assert_int_equal(back->n_tokens, N);
    assert_int_equal(back->tokens[0], INT32_MAX);
    assert_int_equal(back->tokens[1], INT32_MIN);
    assert_memory_equal(back->logprob, odd, sizeof odd);
    assert_memory_equal(back->logprob_a, odd, sizeof odd);
    assert_null(back->logprob_b);
    assert_true(back->settings.seed == UINT64_MAX);
    cai_session_close(s);
}

static void undo_and_redo_walk_the_whole_history(void **state)
{
    static char *pictures[64];
    struct cai_session *s;
    const char *what;
    char path[256], *p;
    unsigned n = 0;

    (void)state;
    test_path(path, "undo");
    s = open_in(path, CAI_SESSION_WRITE);
    run_script(s, 7);
    /* the settings before any are chosen, a model, a removed chain */
    OK(script_step(s, 10, (const struct cai_constitution **)constitutions, err,
                   sizeof err));
    OK(script_step(s, 11, (const struct cai_constitution **)constitutions, err,
                   sizeof err));
    OK(cai_session_remove_chain(s, 1, err, sizeof err));
    assert_int_equal(cai_session_info(s)->n_chains, 0);
    for (n = 0; cai_session_info(s)->can_undo; n++) {
        pictures[n] = picture(s);
        OK(cai_session_undo(s, &what, err, sizeof err));
        assert_true(what[0] != '\0');
        if (n == 4) { /* survives restart */
            cai_session_close(s);
            s = open_in(path, CAI_SESSION_WRITE);
        }
    }
    assert_int_equal(n, 10);
    assert_string_equal(what, "add chain c1");
    assert_int_equal(cai_session_info(s)->n_chains, 0);
    assert_null(cai_session_constitution(s));
    assert_int_equal(cai_session_undo(s, NULL, err, sizeof err), CAI_INVALID);
    while (n--) {
        OK(cai_session_redo(s, &what, err, sizeof err));
        p = picture(s);
        /* the first line tells what can be undone, which differs */
        assert_string_equal(strchr(p, '\n'), strchr(pictures[n], '\n'));
        free(p);
        free(pictures[n]);
    }
    assert_int_equal(cai_session_redo(s, NULL, err, sizeof err), CAI_INVALID);
    cai_session_close(s);
}

static void a_new_action_ends_redo_and_ids_are_never_given_again(void **state)
{
    struct cai_session *s;
    uint32_t a, b;
    char path[256];

    (void)state;
    test_path(path, "ids");
    s = open_in(path, CAI_SESSION_WRITE);
    OK(cai_session_add_chain(s, "one", &a, err, sizeof err));
    OK(cai_session_undo(s, NULL, err, sizeof err));
    OK(cai_session_add_chain(s, "two", &b, err, sizeof err));
    assert_int_equal(a, 1);
    assert_int_equal(b, 2);
    assert_false(cai_session_info(s)->can_redo);
    assert_null(cai_session_find_chain(s, 1));
    assert_string_equal(cai_session_find_chain(s, 2)->prompt, "two");
    OK(cai_session_add_node(s, 2, make_node(0, 0), &a, err, sizeof err));
    OK(cai_session_undo(s, NULL, err, sizeof err));
    OK(cai_session_add_node(s, 2, make_node(0, 0), &b, err, sizeof err));
    assert_int_equal(a, 1);
    assert_int_equal(b, 2);
    cai_session_close(s);
}

static void removing_a_link_takes_what_grew_from_it(void **state)
{
    const struct cai_node *path_to[8];
    const struct cai_chain *c;
    struct cai_session *s;
    uint32_t chain, id;
    char path[256];

    (void)state;
    test_path(path, "remove");
    s = open_in(path, CAI_SESSION_WRITE);
    OK(cai_session_add_chain(s, "p", &chain, err, sizeof err));
    OK(cai_session_add_node(s, chain, make_node(0, 0), &id, err, sizeof err));
    OK(cai_session_add_node(s, chain, make_node(1, 1), &id, err, sizeof err));
    OK(cai_session_add_node(s, chain, make_node(2, 2), &id, err, sizeof err));
    OK(cai_session_edit_node(s, chain, 2, "mine", "ann", &id, err, sizeof err));
    c = cai_session_find_chain(s, chain);
    assert_int_equal(cai_chain_find(c, 4)->parent, 1);
    assert_int_equal(cai_chain_find(c, 4)->replaces, 2);
    assert_int_equal(cai_chain_find(c, 4)->finish, CAI_FINISH_HUMAN);
    assert_int_equal(cai_chain_find(c, 4)->kind, CAI_NODE_CRITIQUE);
    assert_int_equal(cai_chain_path(c, 3, path_to, 8), 3);
    assert_int_equal(path_to[0]->id, 1);
    assert_int_equal(path_to[2]->id, 3);
    assert_int_equal(cai_chain_path(c, 9, path_to, 8), 0);
    OK(cai_session_remove_node(s, chain, 2, err, sizeof err));
    c = cai_session_find_chain(s, chain);
    assert_int_equal(c->n_nodes, 2);
    assert_null(cai_chain_find(c, 3));
    /* what is hidden cannot be built on */
    assert_int_equal(cai_session_add_node(s, chain, make_node(0, 3), &id, err,
                                          sizeof err),
                     CAI_INVALID);
    assert_int_equal(cai_session_remove_node(s, chain, 2, err, sizeof err), CAI_INVALID);
    assert_int_equal(cai_session_edit_node(s, chain, 3, "x", "", &id, err, sizeof err),
                     CAI_INVALID);
    OK(cai_session_undo(s, NULL, err, sizeof err));
    assert_int_equal(cai_session_find_chain(s, chain)->n_nodes, 4);
    cai_session_close(s);
}

static void bad_arguments_leave_no_trace(void **state)
{
    struct cai_chain_settings settings;
    struct cai_session *s;
    struct cai_node *n;
    uint32_t id;
    char path[256], *big;

    (void)state;
    test_path(path, "bad");
    s = open_in(path, CAI_SESSION_WRITE);
    settings = *cai_session_settings(s);
    settings.sampling.temperature = strtod("nan", NULL);
    assert_int_equal(cai_session_set_settings(s, &settings, err, sizeof err),
                     CAI_INVALID);
    assert_int_equal(cai_session_add_chain(s, "\xc3(", &id, err, sizeof err),
                     CAI_INVALID);
    assert_int_equal(cai_session_set_prompt(s, 9, "x", err, sizeof err), CAI_INVALID);
    assert_int_equal(cai_session_remove_chain(s, 9, err, sizeof err), CAI_INVALID);
    assert_int_equal(cai_session_add_node(s, 9, make_node(1, 0), &id, err, sizeof err),
                     CAI_INVALID);
    assert_int_equal(cai_session_set_model(s, "\xff", err, sizeof err), CAI_INVALID);
    big = calloc(1, 70001);
    memset(big, 'm', 70000);
    assert_int_equal(cai_session_set_model(s, big, err, sizeof err), CAI_LIMIT);
    assert_non_null(strstr(err, "65536"));
    OK(cai_session_add_chain(s, "p", &id, err, sizeof err));
    n = make_node(1, 0);
    node_set_string(&n->author, big);
    assert_int_equal(cai_session_add_node(s, 1, n, &id, err, sizeof err), CAI_LIMIT);
    /* a long text is no problem: it is not in the journal */
    n = make_node(1, 0);
    node_set_string(&n->raw, big);
    OK(cai_session_add_node(s, 1, n, &id, err, sizeof err));
    assert_int_equal(cai_session_info(s)->seq, 2);
    free(big);
    cai_session_close(s);
    s = open_in(path, CAI_SESSION_READ);
    assert_int_equal(cai_session_info(s)->seq, 2);
    assert_int_equal(strlen(cai_session_chain(s, 0)->nodes[0]->raw), 70000);
    cai_session_close(s);
}

/* ---------------------------------------------------------------- damage */

/* Flips a bit at `at` of a file of the session; negative counts from the end. */
static void damage(const char *path, const char *name, long at)
{
    char file[320], *text;
    size_t len;

    snprintf(file, sizeof file, "%s/%s", path, name);
    text = slurp(file, &len);
    assert_non_null(text);
    text[at < 0 ? (long)len + at : at] ^= 1;
    spit(file, text, len);
    free(text);
}

static void remove_file(const char *path, const char *name)
{
    char file[512];
    assert_true(snprintf(file, sizeof file, "%s/%s", path, name) < (int)sizeof file);
    assert_int_equal(unlink(file), 0);
}

static void S3_middle_damage_is_refused_and_a_copy_repaired(void **state)
{
    char path[256], copy[256], side[320], *before, *bytes, *same;
    struct cai_session *s = NULL;
    uint64_t kept, lost;
    size_t len, same_len;

    (void)state;
    before = script_folder(path, "middle", 40);
    snprintf(side, sizeof side, "%s/journal.jsonl", path);
    damage(path, "journal.jsonl", 5000);
    bytes = slurp(side, &len);
    for (int mode = CAI_SESSION_WRITE; mode <= CAI_SESSION_READ; mode++) {
        assert_int_equal(cai_session_open(&s, path, (enum cai_session_mode)mode, NULL,
                                          err, sizeof err),
                         CAI_CORRUPT);
        assert_non_null(strstr(err, "journal.jsonl: damaged at byte "));
        assert_non_null(strstr(err, "repaired copy"));
    }
    test_path(copy, "middle-copy");
    OK(cai_session_repair(path, copy, &kept, &lost, err, sizeof err));
    assert_int_equal(kept + lost, 40);
    assert_true(lost >= 1 && lost < 20);
    same = slurp(side, &same_len); /* the damaged one is only read */
    assert_int_equal(same_len, len);
    assert_memory_equal(same, bytes, len);
    s = open_in(copy, CAI_SESSION_WRITE);
    assert_int_equal(cai_session_info(s)->seq, 40);
    assert_string_equal(cai_session_info(s)->warning, "");
    assert_string_equal(cai_session_find_chain(s, 2)->prompt, "prompt 20 of the script");
    OK(cai_session_add_chain(s, "goes on", NULL, err, sizeof err));
    cai_session_close(s);
    s = open_in(copy, CAI_SESSION_READ);
    assert_int_equal(cai_session_info(s)->seq, 41);
    cai_session_close(s);
    assert_int_equal(cai_session_repair(path, copy, &kept, &lost, err, sizeof err),
                     CAI_INVALID);
    assert_int_equal(cai_session_repair("/nonexistent", copy, NULL, NULL, err,
                                        sizeof err),
                     CAI_IO);
    free(before);
    free(bytes);
    free(same);
}

static void a_lost_text_is_shown_as_lost_in_a_repaired_copy(void **state)
{
    char path[256], copy[256];
    struct cai_session *s = NULL;
    const struct cai_chain *c;
    uint64_t kept, lost;

    (void)state;
    free(script_folder(path, "lost-text", 5));
    damage(path, "texts.jsonl", 100);
    assert_int_equal(cai_session_open(&s, path, CAI_SESSION_WRITE, NULL, err, sizeof err),
                     CAI_CORRUPT);
    assert_non_null(strstr(err, "texts.jsonl: damaged at byte 0 "));
    test_path(copy, "lost-text-copy");
    OK(cai_session_repair(path, copy, &kept, &lost, err, sizeof err));
    assert_int_equal(kept, 5);
    assert_int_equal(lost, 1);
    s = open_in(copy, CAI_SESSION_WRITE);
    c = cai_session_chain(s, 0);
    assert_non_null(strstr(c->prompt, "cannot be read"));
    assert_int_equal(c->n_nodes, 3);
    assert_non_null(strstr(cai_session_info(s)->warning, "lost to damage"));
    cai_session_close(s);

    /* a text gone from the end, which the journal names */
    free(script_folder(path, "lost-text", 5));
    damage(path, "texts.jsonl", -10);
    assert_int_equal(cai_session_open(&s, path, CAI_SESSION_WRITE, NULL, err, sizeof err),
                     CAI_CORRUPT);
    assert_non_null(strstr(err, "which the journal names"));
    test_path(copy, "lost-text-copy");
    OK(cai_session_repair(path, copy, &kept, &lost, err, sizeof err));
    s = open_in(copy, CAI_SESSION_WRITE);
    /* a list of log-probs: the text is there, the loss is said */
    assert_non_null(strstr(cai_session_chain(s, 0)->nodes[2]->text, "answer 4"));
    assert_null(cai_session_chain(s, 0)->nodes[2]->logprob_a);
    assert_non_null(strstr(cai_session_info(s)->warning, "c1.3: "));
    OK(cai_session_edit_node(s, 1, 3, "mine", "ann", NULL, err, sizeof err));
    cai_session_close(s);
}

static void S3_a_damaged_last_record_is_dropped_and_kept_aside(void **state)
{
    char path[256], *before;
    struct cai_session *s;
    int aside = 0;
    const struct dirent *e;
    DIR *d;

    (void)state;
    before = script_folder(path, "tail", 20);
    damage(path, "journal.jsonl", -10);
    s = open_in(path, CAI_SESSION_READ);
    assert_int_equal(cai_session_info(s)->seq, 19);
    assert_non_null(
        strstr(cai_session_info(s)->warning, "seq 20, the last one, is lost"));
    /* the state file knew of it */
    assert_non_null(strstr(cai_session_info(s)->warning,
                           "events 20 to 20 were saved and are missing"));
    cai_session_close(s);
    s = open_in(path, CAI_SESSION_WRITE);
    assert_int_equal(cai_session_info(s)->seq, 19);
    OK(cai_session_add_chain(s, "goes on", NULL, err, sizeof err));
    cai_session_close(s);
    s = open_in(path, CAI_SESSION_WRITE);
    assert_int_equal(cai_session_info(s)->seq, 20);
    assert_string_equal(cai_session_info(s)->warning, "");
    cai_session_close(s);
    d = opendir(path);
    while ((e = readdir(d)) != NULL)
        aside += strstr(e->d_name, "journal.jsonl.damaged-") != NULL;
    closedir(d);
    assert_int_equal(aside, 1);
    free(before);
}

static void a_cut_on_a_record_boundary_is_seen_by_the_state_file(void **state)
{
    char path[256], file[320], *text, *p;
    struct cai_session *s;
    size_t len, at;

    (void)state;
    free(script_folder(path, "cut", 20));
    snprintf(file, sizeof file, "%s/journal.jsonl", path);
    text = slurp(file, &len);
    p = text;
    for (int i = 0; i < 15; i++)
        p = strchr(p, '\n') + 1;
    at = (size_t)(p - text);
    spit(file, text, at);
    s = open_in(path, CAI_SESSION_WRITE);
    assert_int_equal(cai_session_info(s)->seq, 15);
    assert_non_null(strstr(cai_session_info(s)->warning,
                           "events 16 to 20 were saved and are missing"));
    /* other events with the old numbers must not meet the old state */
    for (int i = 0; i < 10; i++)
        OK(cai_session_add_chain(s, "another history", NULL, err, sizeof err));
    cai_session_close(s);
    s = open_in(path, CAI_SESSION_READ);
    assert_string_equal(cai_session_info(s)->warning, "");
    assert_int_equal(cai_session_info(s)->n_chains, 11);
    cai_session_close(s);
    /* a journal that is another one altogether */
    spit(file, text, len);
    s = open_in(path, CAI_SESSION_READ);
    assert_int_equal(cai_session_info(s)->seq, 20);
    assert_true(strlen(cai_session_info(s)->warning) > 0);
    cai_session_close(s);
    free(text);
}

static void damage_of_small_files_is_said(void **state)
{
    char path[256], *before, *after;
    struct cai_session *s;

    (void)state;
    before = script_folder(path, "small", 20);
    damage(path, "state.json", 300);
    s = open_in(path, CAI_SESSION_WRITE);
    assert_non_null(strstr(cai_session_info(s)->warning, "state.json: damaged"));
    after = picture(s);
    assert_string_equal(before, after);
    free(after);
    cai_session_close(s);
    s = open_in(path, CAI_SESSION_WRITE);
    assert_string_equal(cai_session_info(s)->warning, "");
    cai_session_close(s);
    remove_file(path, "session.json");
    s = open_in(path, CAI_SESSION_WRITE);
    after = picture(s);
    assert_string_equal(before, after);
    assert_string_equal(cai_session_info(s)->name, "small");
    cai_session_close(s);
    free(before);
    free(after);
}

static void a_missing_constitution_is_said(void **state)
{
    char path[256], file[100];
    struct cai_session *s;
    uint64_t seq;

    (void)state;
    free(script_folder(path, "no-constitution", 5));
    snprintf(file, sizeof file, "constitutions/%s.json",
             cai_constitution_hash(constitutions[0]));
    remove_file(path, file);
    s = open_in(path, CAI_SESSION_WRITE);
    assert_null(cai_session_constitution(s));
    assert_non_null(strstr(cai_session_info(s)->warning, "no constitution"));
    OK(cai_session_set_constitution(s, constitutions[0], err, sizeof err));
    cai_session_close(s);
    s = open_in(path, CAI_SESSION_WRITE);
    assert_non_null(cai_session_constitution(s));
    seq = cai_session_info(s)->seq;
    OK(cai_session_set_constitution(s, constitutions[0], err, sizeof err));
    assert_int_equal(cai_session_info(s)->seq, seq); /* it is the active one */
    cai_session_close(s);
}

static void an_unreadable_constitution_stays_behind_in_a_repair(void **state)
{
    char path[256], copy[256], file[100], folder[512];
    struct cai_session *s;

    (void)state;
    free(script_folder(path, "bad-sector", 5));
    snprintf(file, sizeof file, "constitutions/%s.json",
             cai_constitution_hash(constitutions[0]));
    remove_file(path, file);
    snprintf(folder, sizeof folder, "%s/%s", path, file);
    assert_int_equal(mkdir(folder, 0777), 0); /* reading it fails, even as root */
    test_path(copy, "bad-sector-copy");
    OK(cai_session_repair(path, copy, NULL, NULL, err, sizeof err));
    s = open_in(copy, CAI_SESSION_READ);
    assert_non_null(strstr(cai_session_info(s)->warning, "no constitution"));
    assert_string_equal(cai_session_chain(s, 0)->prompt,
                        cai_session_find_chain(s, 1)->prompt);
    cai_session_close(s);
}

static void a_newer_version_is_refused(void **state)
{
    static const char newer[] = "{\"version\":2,\"name\":\"x\"}";
    static const char payload[] = "\"time\":1,\"kind\":\"pair.add\",\"body\":{}}";
    struct strbuf line = STRBUF_INIT(1 << 16);
    struct cai_session *s = NULL;
    char path[256], file[320];

    (void)state;
    test_path(path, "newer");
    mkdir(path, 0755);
    snprintf(file, sizeof file, "%s/session.json", path);
    spit(file, newer, sizeof newer - 1);
    assert_int_equal(cai_session_open(&s, path, CAI_SESSION_WRITE, NULL, err, sizeof err),
                     CAI_UNSUPPORTED);
    assert_non_null(strstr(err, "version 2"));
    test_path(path, "newer");
    s = open_in(path, CAI_SESSION_WRITE);
    cai_session_close(s);
    snprintf(file, sizeof file, "%s/journal.jsonl", path);
    assert_int_equal(record_write(&line, "seq", 1, payload, sizeof payload - 1), CAI_OK);
    spit(file, line.data, line.len);
    assert_int_equal(cai_session_open(&s, path, CAI_SESSION_WRITE, NULL, err, sizeof err),
                     CAI_UNSUPPORTED);
    assert_non_null(strstr(err, "pair.add"));
    strbuf_free(&line);
}

/* Whole records with right checksums whose bodies no version of this program wrote. */
static void bodies_that_do_not_fit_are_refused(void **state)
{
    static const char *const bodies[] = {
        "\"kind\":\"chain.add\",\"body\":{}",
        "\"kind\":\"chain.add\",\"body\":{\"chain\":0,\"prompt\":0}",
        "\"kind\":\"chain.add\",\"body\":{\"chain\":4294967295,\"prompt\":0}",
        "\"kind\":\"chain.add\",\"body\":{\"chain\":1.5,\"prompt\":0}",
        "\"kind\":\"chain.add\",\"body\":{\"chain\":1,\"prompt\":7}",
        "\"kind\":\"chain.prompt\",\"body\":{\"chain\":1,\"prompt\":0,\"was\":0}",
        "\"kind\":\"chain.remove\",\"body\":{\"chain\":1}",
        "\"kind\":\"node.add\",\"body\":{\"chain\":1,\"node\":1,\"parent\":0,\"texts\":"
        "0}",
        "\"kind\":\"node.remove\",\"body\":{\"chain\":1,\"node\":1}",
        "\"kind\":\"constitution\",\"body\":{\"is\":1,\"was\":\"\"}",
        "\"kind\":\"model\",\"body\":{\"is\":\"x\"}",
        "\"kind\":\"settings\",\"body\":{\"is\":{},\"was\":null}",
        "\"kind\":\"undo\",\"body\":{\"of\":1}",
        "\"kind\":\"redo\",\"body\":{\"of\":0}",
        "\"kind\":\"undo\",\"body\":{}",
        "\"kind\":\"lost\",\"body\":[]",
        "\"kind\":7,\"body\":{}",
        "\"kind\":\"lost\"",
        "not json",
    };
    struct strbuf line = STRBUF_INIT(1 << 16);
    struct cai_session *s = NULL;
    char path[256], file[320], payload[300];

    (void)state;
    test_path(path, "bodies");
    s = open_in(path, CAI_SESSION_WRITE);
    cai_session_close(s);
    snprintf(file, sizeof file, "%s/journal.jsonl", path);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        int len = snprintf(payload, sizeof payload, "\"time\":1,%s}", bodies[i]);
        strbuf_reset(&line);
        assert_int_equal(record_write(&line, "seq", 1, payload, (size_t)len), CAI_OK);
        spit(file, line.data, line.len);
        if (cai_session_open(&s, path, CAI_SESSION_WRITE, NULL, err, sizeof err) !=
            CAI_CORRUPT)
            fail_msg("accepted: %s", bodies[i]);
        assert_non_null(strstr(err, path));
    }
    strbuf_free(&line);
}

/* A state file with a right checksum and a wrong fold is made again from the journal. */
static void a_state_that_does_not_fit_is_made_again(void **state)
{
    static const char *const folds[] = {
        "{}",
        "{\"next_chain\":1,\"texts\":0,\"chains\":[{\"id\":1}]",
        "{\"next_chain\":2,\"texts\":1,\"chains\":[{\"id\":1,\"prompt\":1,\"hidden_by\":"
        "0,"
        "\"next_node\":2,\"nodes\":[[1,1,0,0,0]]}]",
        "{\"next_chain\":2,\"texts\":1,\"chains\":[{\"id\":1,\"prompt\":1,\"hidden_by\":"
        "0,"
        "\"next_node\":2,\"nodes\":[[1,0,0]]}]",
        "{\"next_chain\":2,\"texts\":1,\"chains\":[],\"undo\":[{\"number\":1,\"kind\":"
        "\"node.remove\",\"body\":{\"chain\":1,\"node\":1}}]",
        "{\"next_chain\":2,\"texts\":1,\"chains\":[],\"undo\":[{\"number\":1,\"kind\":"
        "\"undo\",\"body\":{\"of\":1}}]",
        "{\"next_chain\":2,\"texts\":1,\"chains\":[],\"undo\":7",
    };
    struct strbuf text = STRBUF_INIT(1 << 20);
    struct state_mark mark;
    enum state_found found;
    struct cai_session *s;
    char path[256], file[320], fold[1000], *before, *after;
    cJSON *doc;

    (void)state;
    before = script_folder(path, "misfit", 30);
    snprintf(file, sizeof file, "%s/state.json", path);
    OK(state_read(&found, &mark, &doc, file, err, sizeof err));
    cJSON_Delete(doc);
    for (size_t i = 0; i < sizeof folds / sizeof *folds; i++) {
        int len = snprintf(fold, sizeof fold,
                           "%s%s\"constitution\":\"\",\"model\":\"\",\"settings\":null,"
                           "\"redo\":[]}",
                           folds[i], i ? "," : "");
        if (i == 0)
            len = snprintf(fold, sizeof fold, "{}");
        strbuf_reset(&text);
        OK(state_write(&text, &mark, fold, (size_t)len));
        spit(file, text.data, text.len);
        s = open_in(path, CAI_SESSION_READ);
        if (!strstr(cai_session_info(s)->warning, "state.json: damaged"))
            fail_msg("accepted: %s", fold);
        after = picture(s);
        assert_string_equal(strchr(before, '\n'), strchr(after, '\n'));
        free(after);
        cai_session_close(s);
    }
    free(before);
    strbuf_free(&text);
}

static void a_strange_folder_is_left_alone(void **state)
{
    struct cai_session *s = NULL;
    char path[256], file[320];

    (void)state;
    test_path(path, "strange");
    assert_int_equal(cai_session_open(&s, path, CAI_SESSION_READ, NULL, err, sizeof err),
                     CAI_IO);
    mkdir(path, 0755);
    snprintf(file, sizeof file, "%s/letter.txt", path);
    spit(file, "dear", 4);
    assert_int_equal(cai_session_open(&s, path, CAI_SESSION_WRITE, NULL, err, sizeof err),
                     CAI_INVALID);
    assert_non_null(strstr(err, "letter.txt"));
    assert_int_equal(cai_session_open(&s, "", CAI_SESSION_WRITE, NULL, err, sizeof err),
                     CAI_INVALID);
    assert_int_equal(cai_session_open(&s, file, CAI_SESSION_WRITE, NULL, err, sizeof err),
                     CAI_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_event_survives_reopening),
        cmocka_unit_test(floats_and_seeds_come_back_bit_for_bit),
        cmocka_unit_test(undo_and_redo_walk_the_whole_history),
        cmocka_unit_test(a_new_action_ends_redo_and_ids_are_never_given_again),
        cmocka_unit_test(removing_a_link_takes_what_grew_from_it),
        cmocka_unit_test(bad_arguments_leave_no_trace),
        cmocka_unit_test(S3_middle_damage_is_refused_and_a_copy_repaired),
        cmocka_unit_test(a_lost_text_is_shown_as_lost_in_a_repaired_copy),
        cmocka_unit_test(S3_a_damaged_last_record_is_dropped_and_kept_aside),
        cmocka_unit_test(a_cut_on_a_record_boundary_is_seen_by_the_state_file),
        cmocka_unit_test(damage_of_small_files_is_said),
        cmocka_unit_test(a_missing_constitution_is_said),
        cmocka_unit_test(an_unreadable_constitution_stays_behind_in_a_repair),
        cmocka_unit_test(a_newer_version_is_refused),
        cmocka_unit_test(bodies_that_do_not_fit_are_refused),
        cmocka_unit_test(a_state_that_does_not_fit_is_made_again),
        cmocka_unit_test(a_strange_folder_is_left_alone),
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

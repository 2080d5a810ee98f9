/*
 * fuzz_session.c: session folders whose checksums are right and whose contents are not.
 *
 * An input is lines; the first letter says where the rest goes as the payload of a record
 * with the right head: J journal, T texts, S state file, R the journal as it stands. The
 * folder is opened, looked at, changed, undone and opened again; a repair is made too.
 */
#include "store_support.h"

#include "store/record.h"

static char folder[256], copy[256];
static char err[ERR_MAX];

static void put(const char *name, const struct strbuf *b)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (b->len)
        spit(path, b->data, b->len);
    else
        unlink(path);
}

static void use(enum cai_session_mode mode)
{
    struct cai_session *s = NULL;

    if (cai_session_open(&s, folder, mode, NULL, err, sizeof err) != CAI_OK)
        return;
    free(picture(s));
    for (int i = 0; i < 3; i++)
        cai_session_undo(s, NULL, err, sizeof err);
    for (int i = 0; i < 2; i++)
        cai_session_redo(s, NULL, err, sizeof err);
    if (cai_session_info(s)->n_chains) {
        uint32_t chain = cai_session_chain(s, 0)->id;
        cai_session_add_node(s, chain, make_node(1, 0), NULL, err, sizeof err);
        cai_session_edit_node(s, chain, 1, "x", "y", NULL, err, sizeof err);
        cai_session_remove_node(s, chain, 1, err, sizeof err);
    }
    free(picture(s));
    cai_session_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct strbuf journal = STRBUF_INIT(1 << 20), texts = STRBUF_INIT(1 << 20),
                  state = STRBUF_INIT(1 << 20);
    const char *p = (const char *)data, *end = p + len;
    uint64_t n_events = 0, n_texts = 0;

    if (!folder[0]) {
        cai_init();
        file_ops_set(&fault_ops); /* syncs cost nothing */
        snprintf(folder, sizeof folder, "%s/f", test_root());
        snprintf(copy, sizeof copy, "%s/copy", test_root());
    }
    remove_tree(folder);
    remove_tree(copy);
    mkdir(folder, 0755);
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((nl ? nl : end) - p);
        if (n && *p == 'J')
            record_write(&journal, "seq", ++n_events, p + 1, n - 1);
        else if (n && *p == 'T')
            record_write(&texts, "ordinal", ++n_texts, p + 1, n - 1);
        else if (n && *p == 'S')
            record_write(&state, "seq", n_events, p + 1, n - 1);
        else if (n && *p == 'R')
            strbuf_add(&journal, p + 1, n - 1);
        p += n + 1;
    }
    put("journal.jsonl", &journal);
    put("texts.jsonl", &texts);
    put("state.json", &state);
    cai_session_repair(folder, copy, NULL, NULL, err, sizeof err);
    use(CAI_SESSION_READ);
    use(CAI_SESSION_WRITE);
    use(CAI_SESSION_WRITE);
    remove_tree(folder);
    remove_tree(copy);
    rmdir(test_root());
    strbuf_free(&journal);
    strbuf_free(&texts);
    strbuf_free(&state);
    return 0;
}

#include "fuzz_main.h"

#ifndef FUZZ_LIBFUZZER

/* Adds the payloads of a file of records, a letter before each. */
static size_t take_payloads(uint8_t *buf, size_t n, size_t max, char letter,
                            const char *path)
{
    size_t len;
    char *text = slurp(path, &len), *p = text;

    while (p && *p) {
        char *nl = strchr(p, '\n'), *payload = strstr(p, "\"crc\":\"") + 17;
        size_t k = (size_t)(nl - payload);
        if (n + k + 2 > max)
            break;
        buf[n++] = (uint8_t)letter;
        memcpy(buf + n, payload, k);
        n += k;
        buf[n++] = '\n';
        p = nl + 1;
    }
    free(text);
    return n;
}

/* A scripted session of 5 to 40 events. */
static size_t fuzz_example(uint8_t *buf, size_t max, uint32_t i)
{
    const struct cai_constitution *c[2];
    struct cai_session *s = NULL;
    char path[256], file[320];
    size_t n;

    cai_init();
    script_constitutions((struct cai_constitution **)c);
    snprintf(path, sizeof path, "%s/example", test_root());
    remove_tree(path);
    if (cai_session_open(&s, path, CAI_SESSION_WRITE, NULL, err, sizeof err) != CAI_OK)
        return 0;
    for (uint32_t k = 0; k < 5 + i % 8 * 5; k++)
        script_step(s, k, c, err, sizeof err);
    cai_session_close(s);
    snprintf(file, sizeof file, "%s/journal.jsonl", path);
    n = take_payloads(buf, 0, max, 'J', file);
    snprintf(file, sizeof file, "%s/texts.jsonl", path);
    n = take_payloads(buf, n, max, 'T', file);
    snprintf(file, sizeof file, "%s/state.json", path);
    if (i % 2)
        n = take_payloads(buf, n, max, 'S', file);
    remove_tree(path);
    cai_constitution_free((struct cai_constitution *)c[0]);
    cai_constitution_free((struct cai_constitution *)c[1]);
    return n;
}

#endif

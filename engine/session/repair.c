/*
 * repair.c: a copy of a damaged session in another folder, with what can be read.
 *
 * Every good record keeps its number; a damaged one, or one that no longer fits because
 * of it, becomes an event "lost" that does nothing; a lost text keeps its ordinal and is
 * shown as lost. The damaged folder is only read. Thread: the caller's; blocks.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "session/session.h"

enum {
    BATCH_BYTES = 1 << 20, /* written and synced at once */
    CONSTITUTION_MAX = 64 << 20,
};

struct repair {
    struct session_paths from, to;
    struct journal *out; /* of the file under way */
    struct strbuf batch;
    struct fold fold;
    uint64_t written; /* number of the last record in out */
    uint64_t n_kept, n_lost;
};

static enum cai_status flush(struct repair *r, char *err, size_t errlen)
{
    enum cai_status st = CAI_OK;

    if (r->batch.len)
        st = journal_append(r->out, r->batch.data, r->batch.len, err, errlen);
    strbuf_reset(&r->batch);
    return st;
}

static enum cai_status copy_record(struct repair *r, const char *key,
                                   const struct record *rec, char *err, size_t errlen)
{
    enum cai_status st =
        record_write(&r->batch, key, rec->number, rec->payload, rec->payload_len);

    if (st != CAI_OK)
        return err_nomem(err, errlen, "repair");
    r->written = rec->number;
    return r->batch.len >= BATCH_BYTES ? flush(r, err, errlen) : CAI_OK;
}

/* ---------------------------------------------------------------- texts */

static enum cai_status fill_texts(struct repair *r, uint64_t upto, char *err,
                                  size_t errlen)
{
    while (r->written < upto) {
        if (texts_write_lost(&r->batch, r->written + 1) != CAI_OK)
            return err_nomem(err, errlen, "repair");
        r->written++;
        r->n_lost++;
        if (r->batch.len >= BATCH_BYTES) {
            enum cai_status st = flush(r, err, errlen);
            if (st != CAI_OK)
                return st;
        }
    }
    return CAI_OK;
}

static enum cai_status copy_text(void *arg, const struct record *rec, uint64_t offset,
                                 size_t line_len, char *err, size_t errlen)
{
    struct repair *r = arg;
    enum cai_status st = fill_texts(r, rec->number - 1, err, errlen);

    (void)offset, (void)line_len;
    return st == CAI_OK ? copy_record(r, "ordinal", rec, err, errlen) : st;
}

/* ---------------------------------------------------------------- events */

static enum cai_status write_lost(struct repair *r, char *err, size_t errlen)
{
    struct event ev = {.seq = r->written + 1, .kind = &event_lost};
    uint32_t crc;
    enum cai_status st = session_write_line(&r->batch, &ev, 0, &crc, err, errlen);

    if (st == CAI_OK) {
        r->written++;
        r->n_lost++;
    }
    return st;
}

static enum cai_status copy_event(void *arg, const struct record *rec, uint64_t offset,
                                  size_t line_len, char *err, size_t errlen)
{
    struct repair *r = arg;
    struct event ev = {.seq = 0};
    enum cai_status st = CAI_OK;
    cJSON *doc = NULL;

    (void)offset, (void)line_len;
    while (st == CAI_OK && r->written + 1 < rec->number)
        st = write_lost(r, err, errlen);
    if (st != CAI_OK)
        return st;
    st = session_parse_record(&doc, rec, err, errlen);
    if (st == CAI_OK)
        st = event_read(&ev, doc, err, errlen);
    ev.seq = rec->number;
    if (st == CAI_OK)
        st = fold_check(&r->fold, &ev, err, errlen);
    if (st == CAI_OK) {
        fold_apply(&r->fold, &ev);
        st = copy_record(r, "seq", rec, err, errlen);
        r->n_kept++;
    } else if (st == CAI_INVALID || st == CAI_CORRUPT) {
        st = write_lost(r, err, errlen); /* what it builds on is lost */
    }
    event_clear(&ev);
    cJSON_Delete(doc);
    return st;
}

/* ---------------------------------------------------------------- files */

/* A constitution whose bytes fit its name; others are left behind. */
static enum cai_status copy_constitution(struct repair *r, const char *name, char *err,
                                         size_t errlen)
{
    struct strbuf text = STRBUF_INIT(CONSTITUTION_MAX);
    char *from = session_join(r->from.constitutions, name);
    char *to = session_join(r->to.constitutions, name), hex[HASH_HEX_LEN + 1];
    enum cai_status st = CAI_OK;

    if (!from || !to) {
        st = err_nomem(err, errlen, "repair");
        goto out;
    }
    /* One that cannot be read, or is not what its name says, stays behind: the copy says
     * which one is missing when it is opened. */
    st = file_read(&text, from, err, errlen);
    if (st == CAI_IO)
        st = CAI_OK;
    else if (st != CAI_OK)
        goto out;
    hash_hex(hex, strbuf_str(&text), text.len);
    if (strlen(name) == HASH_HEX_LEN + 5 && memcmp(name, hex, HASH_HEX_LEN) == 0)
        st = file_replace(to, text.data, text.len, err, errlen);
out:
    mem_free(from);
    mem_free(to);
    strbuf_free(&text);
    return st;
}

static enum cai_status copy_constitutions(struct repair *r, char *err, size_t errlen)
{
    enum cai_status st = file_make_dirs(r->to.constitutions, err, errlen);
    DIR *d = st == CAI_OK ? opendir(r->from.constitutions) : NULL;
    const struct dirent *e;

    while (d && st == CAI_OK && (e = readdir(d)) != NULL)
        if (e->d_name[0] != '.')
            st = copy_constitution(r, e->d_name, err, errlen);
    if (d)
        closedir(d);
    return st;
}

/* New, or a folder without anything in it. */
static enum cai_status check_empty(const char *folder, char *err, size_t errlen)
{
    enum cai_status st = file_make_dirs(folder, err, errlen);
    const struct dirent *e;
    DIR *d = st == CAI_OK ? opendir(folder) : NULL;

    if (st == CAI_OK && !d)
        st = err_set(CAI_IO, err, errlen, "%s: %s", folder, strerror(errno));
    while (d && st == CAI_OK && (e = readdir(d)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            st = err_set(CAI_INVALID, err, errlen, "%s: not empty; name a new folder",
                         folder);
    if (d)
        closedir(d);
    return st;
}

/* One file of records, from the damaged folder into the new one; upto: the last number
 * that others name. */
static enum cai_status copy_file(struct repair *r, const struct journal_spec *from,
                                 const struct journal_spec *to, journal_visit *visit,
                                 char *err, size_t errlen)
{
    const struct journal_scan empty = {JOURNAL_WHOLE, 0, 0, 0, 0, 0};
    struct journal_scan scan;
    enum cai_status st = journal_open(&r->out, to, &empty, err, errlen);

    r->written = 0;
    if (st == CAI_OK)
        st = journal_read(&scan, from, JOURNAL_SALVAGE, visit, r, err, errlen);
    return st;
}

static enum cai_status finish_file(struct repair *r, enum cai_status st, char *err,
                                   size_t errlen)
{
    if (st == CAI_OK)
        st = flush(r, err, errlen);
    strbuf_reset(&r->batch);
    journal_close(r->out);
    r->out = NULL;
    return st;
}

enum cai_status cai_session_repair(const char *from, const char *to, uint64_t *n_kept,
                                   uint64_t *n_lost, char *err, size_t errlen)
{
    struct repair r = {.batch = STRBUF_INIT(2 * (size_t)JOURNAL_TEXT_LINE_MAX)};
    struct journal_spec spec, out;
    char own[ERR_MAX] = "";
    enum cai_status st = session_paths_make(&r.from, from, own, sizeof own);

    if (st == CAI_OK)
        st = session_paths_make(&r.to, to, own, sizeof own);
    if (st == CAI_OK)
        st = fold_init(&r.fold, own, sizeof own);
    if (st == CAI_OK && access(r.from.journal, F_OK) != 0)
        st = err_set(CAI_IO, own, sizeof own, "%s: no session there", from);
    if (st == CAI_OK)
        st = check_empty(r.to.folder, own, sizeof own);
    if (st == CAI_OK)
        st = copy_constitutions(&r, own, sizeof own);
    if (st != CAI_OK)
        goto out;
    spec = session_journal_spec(&r.from);
    out = session_journal_spec(&r.to);
    st = copy_file(&r, &spec, &out, copy_event, own, sizeof own);
    st = finish_file(&r, st, own, sizeof own);
    if (st != CAI_OK)
        goto out;
    spec = texts_spec(r.from.texts);
    out = texts_spec(r.to.texts);
    st = copy_file(&r, &spec, &out, copy_text, own, sizeof own);
    if (st == CAI_OK)
        st = fill_texts(&r, r.fold.max_text, own, sizeof own);
    st = finish_file(&r, st, own, sizeof own);
out:
    if (st == CAI_OK && n_kept)
        *n_kept = r.n_kept;
    if (st == CAI_OK && n_lost)
        *n_lost = r.n_lost;
    fold_free(&r.fold);
    strbuf_free(&r.batch);
    session_paths_free(&r.from);
    session_paths_free(&r.to);
    return st == CAI_OK ? CAI_OK : err_set(st, err, errlen, "%s", own);
}

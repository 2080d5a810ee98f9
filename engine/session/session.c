/*
 * session.c: opening and closing a session folder.
 *
 * Opening reads the state file, checks every record of the journal and folds in the
 * events after it. Damage in the middle is refused; what can be dropped is dropped with a
 * warning. The state file also tells when saved events are missing: then the journal is
 * folded from its beginning and the loss is said.
 *
 * Refuses everything about events (events.c) and bytes (store/).
 */
#include "session/session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "pipeline/inbox.h"
#include "store/lock.h"

enum {
    WARNING_MAX = 8192,
    SESSION_JSON_MAX = 1 << 20,
};

/* ---------------------------------------------------------------- paths and words */

char *session_join(const char *folder, const char *name)
{
    struct strbuf b = STRBUF_INIT(1 << 16);

    if (strbuf_addf(&b, "%s/%s", folder, name) != CAI_OK) {
        strbuf_free(&b);
        return NULL;
    }
    return strbuf_take(&b, NULL);
}

enum cai_status session_paths_make(struct session_paths *p, const char *folder, char *err,
                                   size_t errlen)
{
    size_t len = strlen(folder);

    while (len > 1 && folder[len - 1] == '/')
        len--;
    if (len == 0)
        return err_set(CAI_INVALID, err, errlen, "a session needs the path of a folder");
    p->folder = mem_strndup(folder, len);
    if (!p->folder)
        return err_nomem(err, errlen, folder);
    p->session = session_join(p->folder, "session.json");
    p->lock = session_join(p->folder, "lock");
    p->state = session_join(p->folder, "state.json");
    p->journal = session_join(p->folder, "journal.jsonl");
    p->texts = session_join(p->folder, "texts.jsonl");
    p->constitutions = session_join(p->folder, "constitutions");
    if (!p->session || !p->lock || !p->state || !p->journal || !p->texts ||
        !p->constitutions)
        return err_nomem(err, errlen, folder);
    return CAI_OK;
}

void session_paths_free(struct session_paths *p)
{
    mem_free(p->folder);
    mem_free(p->session);
    mem_free(p->lock);
    mem_free(p->state);
    mem_free(p->journal);
    mem_free(p->texts);
    mem_free(p->constitutions);
    memset(p, 0, sizeof *p);
}

struct journal_spec session_journal_spec(const struct session_paths *p)
{
    return (struct journal_spec){p->journal, "seq", JOURNAL_LINE_MAX};
}

void session_warn(struct cai_session *s, const char *sentence)
{
    size_t before = s->warning.len;

    if (!*sentence || strstr(strbuf_str(&s->warning), sentence))
        return;
    if ((before && strbuf_adds(&s->warning, "\n") != CAI_OK) ||
        strbuf_adds(&s->warning, sentence) != CAI_OK)
        s->warning.len = before;
    if (s->warning.data)
        s->warning.data[s->warning.len] = '\0';
}

/* ---------------------------------------------------------------- session.json */

/* Version, name, and the roles as the fold has them. */
static enum cai_status write_roles(struct strbuf *out, const char *name,
                                   const struct fold *f)
{
    enum cai_status st =
        strbuf_addf(out, "{\n  \"version\": %d,\n  \"name\": ", (int)SESSION_VERSION);

    if (st == CAI_OK)
        st = json_write_string(out, name, strlen(name));
    if (st == CAI_OK)
        st = strbuf_adds(out, ",\n  \"roles\": {\"policy\": {\"model\": ");
    if (st == CAI_OK)
        st = json_write_string(out, f->model, strlen(f->model));
    if (st == CAI_OK)
        st = strbuf_adds(out, "}},\n  \"constitution\": ");
    if (st == CAI_OK)
        st = json_write_string(out, f->constitution, strlen(f->constitution));
    return st == CAI_OK ? strbuf_adds(out, "\n}\n") : st;
}

/* Names a new session after its folder; a name that is not UTF-8 becomes "session". */
static enum cai_status create_session_json(struct cai_session *s, char *err,
                                           size_t errlen)
{
    struct strbuf text = STRBUF_INIT(SESSION_JSON_MAX);
    enum cai_status st = write_roles(&text, s->name, &s->fold);

    if (st != CAI_OK)
        err_nomem(err, errlen, s->paths.session);
    else
        st = file_replace(s->paths.session, text.data, text.len, err, errlen);
    if (st == CAI_OK)
        s->roles = strbuf_take(&text, NULL);
    strbuf_free(&text);
    return st;
}

static enum cai_status name_after_folder(struct cai_session *s, char *err, size_t errlen)
{
    const char *slash = strrchr(s->paths.folder, '/');
    const char *base = slash && slash[1] ? slash + 1 : s->paths.folder;

    if (utf8_invalid_at(base, strlen(base)) < strlen(base))
        base = "session";
    mem_free(s->name);
    s->name = mem_strdup(base);
    return s->name ? CAI_OK : err_nomem(err, errlen, s->paths.folder);
}

/* *exists: there is a session.json, and it is of this version. */
static enum cai_status read_session_json(struct cai_session *s, int *exists, char *err,
                                         size_t errlen)
{
    struct strbuf text = STRBUF_INIT(SESSION_JSON_MAX);
    enum cai_status st = name_after_folder(s, err, errlen);
    cJSON *doc = NULL;
    const char *name;
    uint64_t version = 0;

    *exists = access(s->paths.session, F_OK) == 0;
    if (st != CAI_OK || !*exists)
        return st;
    st = file_read(&text, s->paths.session, err, errlen);
    if (st != CAI_OK)
        goto out;
    st = json_parse(&doc, strbuf_str(&text), text.len, err, errlen);
    if (st == CAI_OK && !json_u64(doc, "version", &version))
        st = err_set(CAI_CORRUPT, err, errlen, "no version");
    if (st != CAI_OK) {
        err_prefix(err, errlen, s->paths.session);
        st = st == CAI_PARSE ? CAI_CORRUPT : st;
    } else if (version > SESSION_VERSION) {
        st = err_set(CAI_UNSUPPORTED, err, errlen,
                     "%s: version %llu comes from a newer cai; this one reads up to %d",
                     s->paths.session, (unsigned long long)version, (int)SESSION_VERSION);
    } else if ((name = json_str(doc, "name")) != NULL) {
        mem_free(s->name);
        s->name = mem_strdup(name);
        s->roles = strbuf_take(&text, NULL);
        if (!s->name || !s->roles)
            st = err_nomem(err, errlen, s->paths.session);
    }
out:
    cJSON_Delete(doc);
    strbuf_free(&text);
    return st;
}

/* A folder with other people's files in it is not turned into a session. */
static enum cai_status check_is_ours(const struct session_paths *p, char *err,
                                     size_t errlen)
{
    static const char *const ours[] = {".",
                                       "..",
                                       "session.json.tmp",
                                       "lock",
                                       "state.json",
                                       "state.json.tmp",
                                       "journal.jsonl",
                                       "texts.jsonl",
                                       "constitutions"};
    enum cai_status st = CAI_OK;
    const struct dirent *e;
    DIR *d = opendir(p->folder);

    if (!d)
        return err_set(CAI_IO, err, errlen, "%s: %s", p->folder, strerror(errno));
    while (st == CAI_OK && (e = readdir(d)) != NULL) {
        size_t i = 0, n = sizeof ours / sizeof *ours;
        while (i < n && strcmp(ours[i], e->d_name) != 0)
            i++;
        if (i == n)
            st = err_set(CAI_INVALID, err, errlen,
                         "%s: not a session, and not empty (it holds %.60s); name a new "
                         "folder",
                         p->folder, e->d_name);
    }
    closedir(d);
    return st;
}

/* ---------------------------------------------------------------- journal and state */

enum cai_status session_parse_record(cJSON **doc, const struct record *r, char *err,
                                     size_t errlen)
{
    struct strbuf body = STRBUF_INIT(JOURNAL_LINE_MAX);
    enum cai_status st = record_body(&body, r);

    *doc = NULL;
    if (st == CAI_OK)
        st = json_parse(doc, body.data, body.len, err, errlen);
    else
        err_nomem(err, errlen, "event");
    strbuf_free(&body);
    return st == CAI_PARSE ? CAI_CORRUPT : st;
}

enum cai_status session_write_line(struct strbuf *out, const struct event *ev,
                                   int64_t time_ms, uint32_t *crc, char *err,
                                   size_t errlen)
{
    struct strbuf payload = STRBUF_INIT(JOURNAL_LINE_MAX);
    size_t before = out->len;
    enum cai_status st;
    struct record r;

    st = strbuf_addf(&payload, "\"time\":%lld,", (long long)time_ms);
    if (st == CAI_OK)
        st = event_write(&payload, ev);
    if (st == CAI_OK)
        st = strbuf_addc(&payload, '}');
    if (st == CAI_OK)
        st = record_write(out, "seq", ev->seq, payload.data, payload.len);
    strbuf_free(&payload);
    if (st == CAI_OK && out->len - before > JOURNAL_LINE_MAX)
        st = CAI_LIMIT;
    if (st == CAI_LIMIT)
        return err_set(st, err, errlen,
                       "an event of kind \"%s\" over %d bytes; shorten its names",
                       ev->kind->name, (int)JOURNAL_LINE_MAX);
    if (st != CAI_OK)
        return err_nomem(err, errlen, "event");
    record_read(&r, "seq", out->data + before, out->len - before - 1);
    *crc = r.crc;
    return CAI_OK;
}

struct replay {
    struct cai_session *s;
    struct state_mark state; /* seq 0: no state file in use */
    int mismatch;            /* the journal's record differs from what the state names */
};

static enum cai_status replay_event(void *arg, const struct record *r, uint64_t offset,
                                    size_t line_len, char *err, size_t errlen)
{
    struct replay *p = arg;
    struct event ev = {.seq = 0};
    char number[32];
    enum cai_status st;
    cJSON *doc = NULL;

    if (r->number < p->state.seq)
        return CAI_OK;
    if (r->number == p->state.seq) {
        p->mismatch =
            r->crc != p->state.crc || offset + line_len != p->state.journal_bytes;
        return CAI_OK;
    }
    st = session_parse_record(&doc, r, err, errlen);
    if (st == CAI_OK)
        st = event_read(&ev, doc, err, errlen);
    ev.seq = r->number;
    ev.offset = offset;
    ev.line_len = (uint32_t)line_len;
    if (st == CAI_OK)
        st = fold_check(&p->s->fold, &ev, err, errlen);
    if (st == CAI_OK) {
        fold_apply(&p->s->fold, &ev);
    } else {
        snprintf(number, sizeof number, "event %llu", (unsigned long long)r->number);
        err_prefix(err, errlen, number);
        err_prefix(err, errlen, p->s->paths.journal);
        /* a checksum that fits over an event that does not: never half applied */
        st = st == CAI_INVALID ? CAI_CORRUPT : st;
    }
    event_clear(&ev);
    cJSON_Delete(doc);
    return st;
}

/* Folds state file and journal. */
static enum cai_status replay(struct cai_session *s, struct journal_scan *scan, char *err,
                              size_t errlen)
{
    struct journal_spec spec = session_journal_spec(&s->paths);
    struct replay p = {.s = s};
    enum state_found found;
    enum cai_status st;
    cJSON *doc = NULL;
    char sentence[ERR_MAX] = "";

    st = state_read(&found, &p.state, &doc, s->paths.state, err, errlen);
    if (st != CAI_OK)
        return st;
    if (found == STATE_GOOD)
        st = fold_read(&s->fold, p.state.seq, json_get(doc, "fold"), err, errlen);
    cJSON_Delete(doc);
    if (st == CAI_NOMEM)
        return st;
    if (found == STATE_DAMAGED || st != CAI_OK)
        snprintf(sentence, sizeof sentence,
                 "%s: damaged; made again from the journal, and a loss of the newest "
                 "events could not be seen",
                 s->paths.state);
    if (found != STATE_GOOD || st != CAI_OK)
        p.state.seq = 0;
    if (st != CAI_OK || found != STATE_GOOD) {
        fold_free(&s->fold);
        st = fold_init(&s->fold, err, errlen);
        if (st != CAI_OK)
            return st;
    }
    st = journal_read(scan, &spec, JOURNAL_STRICT, replay_event, &p, err, errlen);
    if (st == CAI_OK && p.state.seq && (p.mismatch || scan->last < p.state.seq)) {
        if (scan->finding != JOURNAL_MIDDLE && !p.mismatch)
            snprintf(sentence, sizeof sentence,
                     "%s: events %llu to %llu were saved and are missing",
                     s->paths.journal, (unsigned long long)scan->last + 1,
                     (unsigned long long)p.state.seq);
        else
            snprintf(sentence, sizeof sentence,
                     "%s: belongs to another journal; made again from this one",
                     s->paths.state);
        p = (struct replay){.s = s};
        fold_free(&s->fold);
        st = fold_init(&s->fold, err, errlen);
        if (st == CAI_OK)
            st = journal_read(scan, &spec, JOURNAL_STRICT, replay_event, &p, err, errlen);
    }
    if (st != CAI_OK)
        return st;
    session_warn(s, sentence);
    s->state_seq = *sentence ? 0 : p.state.seq;
    s->mark = (struct state_mark){scan->last, scan->last_crc, scan->good_bytes};
    if (scan->finding == JOURNAL_MIDDLE) {
        journal_describe(scan, &spec, err, errlen);
        return CAI_CORRUPT;
    }
    return CAI_OK;
}

/* Reads everything; *journal and *texts say where appending may go on. */
static enum cai_status load(struct cai_session *s, struct journal_scan *journal,
                            struct journal_scan *texts, char *err, size_t errlen)
{
    struct journal_spec journal_spec = session_journal_spec(&s->paths);
    struct journal_spec spec = texts_spec(s->paths.texts);
    enum cai_status st = replay(s, journal, err, errlen);
    char sentence[ERR_MAX];
    int in_flight;

    if (st != CAI_OK)
        return st;
    /* after the journal: a text is written before the event that names it */
    st = texts_open(&s->texts, s->paths.texts, texts, err, errlen);
    if (st != CAI_OK)
        return st;
    if (texts->finding == JOURNAL_MIDDLE) {
        journal_describe(texts, &spec, err, errlen);
        return CAI_CORRUPT;
    }
    if (s->fold.max_text > texts_count(s->texts))
        return err_set(CAI_CORRUPT, err, errlen,
                       "%s: damaged at byte %llu: text %llu, which the journal names, is "
                       "missing; make a repaired copy of the session in another folder",
                       s->paths.texts, (unsigned long long)texts->good_bytes,
                       (unsigned long long)texts_count(s->texts) + 1);
    /* what another writer is writing just now is not a torn line */
    in_flight = s->lock_fd < 0 && lock_is_held(s->paths.lock);
    if (journal->finding != JOURNAL_TORN || !in_flight) {
        journal_describe(journal, &journal_spec, sentence, sizeof sentence);
        session_warn(s, sentence);
    }
    if (texts->finding != JOURNAL_TORN || !in_flight) {
        journal_describe(texts, &spec, sentence, sizeof sentence);
        session_warn(s, sentence);
    }
    session_follow_constitution(s);
    return CAI_OK;
}

void session_save_state(struct cai_session *s)
{
    struct strbuf fold = STRBUF_INIT(STATE_MAX), text = STRBUF_INIT(STATE_MAX);
    struct writer_item *it = mem_alloc(1, sizeof *it);
    struct strbuf roles = STRBUF_INIT(SESSION_JSON_MAX);

    s->state_seq = s->mark.seq; /* also when it fails: the next one comes later */
    if (!it || fold_write(&fold, &s->fold) != CAI_OK ||
        state_write(&text, &s->mark, fold.data, fold.len) != CAI_OK)
        goto out;
    it->file_path = mem_strdup(s->paths.state);
    it->file_len = text.len;
    it->file_data = strbuf_take(&text, NULL);
    if (!it->file_path || !it->file_data ||
        writer_submit(s->writer, it, NULL, 0) != CAI_OK) {
        if (it->file_path && it->file_data)
            it = NULL; /* taken, also on error */
        goto out;
    }
    it = NULL;
    if (write_roles(&roles, s->name, &s->fold) != CAI_OK ||
        (s->roles && strcmp(s->roles, roles.data) == 0))
        goto out;
    it = mem_alloc(1, sizeof *it);
    if (!it)
        goto out;
    it->file_path = mem_strdup(s->paths.session);
    it->file_data = mem_strndup(roles.data, roles.len);
    it->file_len = roles.len;
    if (it->file_path && it->file_data) {
        mem_free(s->roles);
        s->roles = strbuf_take(&roles, NULL);
        writer_submit(s->writer, it, NULL, 0);
        it = NULL;
    }
out:
    writer_item_free(it);
    strbuf_free(&fold);
    strbuf_free(&text);
    strbuf_free(&roles);
}

/* ---------------------------------------------------------------- opening */

/* On the store thread; no locks held. */
static void tell_inbox(void *arg, enum writer_news news, uint64_t seq,
                       const char *message)
{
    static const enum cai_event_kind kinds[] = {[WRITER_STORED] = CAI_EVENT_STORED,
                                                [WRITER_UNSAVED] = CAI_EVENT_UNSAVED,
                                                [WRITER_FAILED] = CAI_EVENT_STORE_FAILED};
    struct cai_event e = {.kind = kinds[news], .seq = seq};

    e.status = news == WRITER_STORED ? CAI_OK : CAI_IO;
    snprintf(e.message, sizeof e.message, "%s", message);
    inbox_put(arg, &e); /* out of memory: cai_session_info() still tells */
}

/* The files for appending and the thread that does it. */
static enum cai_status start_writing(struct cai_session *s,
                                     const struct journal_scan *journal_scan,
                                     const struct journal_scan *texts_scan, char *err,
                                     size_t errlen)
{
    struct journal_spec journal_spec = session_journal_spec(&s->paths);
    struct journal_spec spec = texts_spec(s->paths.texts);
    struct journal *journal = NULL, *texts = NULL;
    enum cai_status st = CAI_OK;

    if (!s->roles)
        st = create_session_json(s, err, errlen);
    if (st == CAI_OK)
        st = file_make_dirs(s->paths.constitutions, err, errlen);
    if (st == CAI_OK)
        st = journal_open(&texts, &spec, texts_scan, err, errlen);
    if (st == CAI_OK)
        st = journal_open(&journal, &journal_spec, journal_scan, err, errlen);
    if (st != CAI_OK) {
        journal_close(texts);
        return st;
    }
    return writer_new(&s->writer, journal, texts, s->mark.seq,
                      s->inbox ? tell_inbox : NULL, s->inbox, err, errlen);
}

/* Takes the lock, or says in s->reason why this session is only read. */
static enum cai_status settle_mode(struct cai_session *s, enum cai_session_mode mode,
                                   char *err, size_t errlen)
{
    enum cai_status st;

    if (mode == CAI_SESSION_READ) {
        snprintf(s->reason, sizeof s->reason, "opened to read only");
        return CAI_OK;
    }
    st = lock_take(&s->lock_fd, s->paths.lock, s->reason, sizeof s->reason);
    if (st == CAI_OK) {
        s->reason[0] = '\0';
        return CAI_OK;
    }
    return mode == CAI_SESSION_WRITE_OR_READ ? CAI_OK
                                             : err_set(st, err, errlen, "%s", s->reason);
}

static enum cai_status open_folder(struct cai_session *s, const char *path,
                                   enum cai_session_mode mode, char *err, size_t errlen)
{
    struct journal_scan journal, texts;
    enum cai_status st = session_paths_make(&s->paths, path, err, errlen);
    int exists = 0;

    if (st == CAI_OK && mode != CAI_SESSION_READ && access(s->paths.folder, F_OK) != 0)
        st = file_make_dirs(s->paths.folder, err, errlen);
    if (st == CAI_OK)
        st = fold_init(&s->fold, err, errlen);
    if (st == CAI_OK)
        st = read_session_json(s, &exists, err, errlen);
    if (st == CAI_OK && !exists && access(s->paths.journal, F_OK) != 0) {
        if (mode == CAI_SESSION_READ)
            st = err_set(CAI_IO, err, errlen, "%s: no session there", s->paths.folder);
        else
            st = check_is_ours(&s->paths, err, errlen);
    }
    if (st == CAI_OK)
        st = settle_mode(s, mode, err, errlen);
    if (st == CAI_OK && !exists && s->lock_fd >= 0)
        st = read_session_json(s, &exists, err,
                               errlen); /* made before the lock was ours */
    if (st == CAI_OK && s->reason[0] && !exists && mode != CAI_SESSION_READ &&
        access(s->paths.journal, F_OK) != 0)
        st = err_set(CAI_IO, err, errlen, "%s", s->reason); /* nothing to read either */
    if (st == CAI_OK)
        st = load(s, &journal, &texts, err, errlen);
    if (st != CAI_OK || s->lock_fd < 0)
        return st;
    st = start_writing(s, &journal, &texts, err, errlen);
    if (st == CAI_IO && mode == CAI_SESSION_WRITE_OR_READ && exists) {
        snprintf(s->reason, sizeof s->reason, "%s", err);
        lock_drop(s->lock_fd);
        s->lock_fd = -1;
        return CAI_OK;
    }
    if (st == CAI_OK && s->state_seq + SESSION_STATE_EVERY < s->mark.seq)
        session_save_state(s);
    else if (st == CAI_OK && s->warning.len && s->state_seq == 0)
        session_save_state(s); /* what was wrong is said once */
    return st;
}

enum cai_status cai_session_open(struct cai_session **dst, const char *path,
                                 enum cai_session_mode mode, struct cai_inbox *inbox,
                                 char *err, size_t errlen)
{
    struct cai_session *s = mem_alloc(1, sizeof *s);
    char own[ERR_MAX] = "";
    enum cai_status st;

    *dst = NULL;
    if (!s)
        return err_nomem(err, errlen, path);
    s->lock_fd = s->journal_fd = -1;
    s->inbox = inbox;
    s->warning.max_bytes = WARNING_MAX;
    st = open_folder(s, path, mode, own, sizeof own);
    if (st != CAI_OK) {
        cai_session_close(s);
        return err_set(st, err, errlen, "%s", own);
    }
    *dst = s;
    return CAI_OK;
}

void cai_session_close(struct cai_session *s)
{
    if (!s)
        return;
    if (s->writer) {
        if (s->inbox)
            inbox_unbounded(s->inbox, 1); /* the store thread must not wait for us */
        if (s->state_seq != s->mark.seq && !writer_failure(s->writer))
            session_save_state(s);
        writer_free(s->writer);
        if (s->inbox)
            inbox_unbounded(s->inbox, 0);
    }
    texts_close(s->texts);
    if (s->journal_fd >= 0)
        file_ops()->close(s->journal_fd);
    lock_drop(s->lock_fd);
    fold_free(&s->fold);
    for (size_t i = 0; i < s->n_versions; i++) {
        mem_free(s->versions[i].hash);
        cai_constitution_free(s->versions[i].constitution);
    }
    mem_free(s->versions);
    mem_free(s->roles);
    mem_free(s->name);
    strbuf_free(&s->warning);
    session_paths_free(&s->paths);
    mem_free(s);
}

const struct cai_session_info *cai_session_info(const struct cai_session *s)
{
    struct cai_session_info *i = (struct cai_session_info *)&s->info;
    const char *failure = s->writer ? writer_failure(s->writer) : NULL;

    i->path = s->paths.folder;
    i->name = s->name;
    i->read_only_reason = failure ? failure : s->reason;
    i->read_only = i->read_only_reason[0] != '\0';
    i->warning = strbuf_str(&s->warning);
    i->seq = s->mark.seq;
    i->stored_seq = s->writer ? writer_stored_seq(s->writer) : s->mark.seq;
    i->n_chains = s->fold.n_shown;
    i->can_undo = !i->read_only && s->fold.undo.n > 0;
    i->can_redo = !i->read_only && s->fold.redo.n > 0;
    return i;
}

enum cai_status cai_session_sync(struct cai_session *s, char *err, size_t errlen)
{
    enum cai_status st;

    if (!s->writer)
        return CAI_OK; /* nothing can wait */
    if (s->inbox)
        inbox_unbounded(s->inbox, 1);
    st = writer_flush(s->writer, err, errlen);
    if (s->inbox)
        inbox_unbounded(s->inbox, 0);
    return st;
}

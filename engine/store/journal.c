/* journal.c: see journal.h. */
#include "store/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

enum { READ_CHUNK = 1 << 17 };

/* ---------------------------------------------------------------- reading */

/* A window over the file: buf holds the bytes from offset `at` on. */
struct reader {
    const struct journal_spec *spec;
    int fd;
    struct strbuf buf;
    uint64_t at;
    size_t searched; /* bytes of buf known to hold no newline */
    int ended;       /* nothing more in the file */
};

static enum cai_status read_more(struct reader *rd, char *err, size_t errlen)
{
    enum cai_status st = strbuf_reserve(&rd->buf, READ_CHUNK);
    size_t n;

    if (st == CAI_LIMIT)
        return st;
    if (st != CAI_OK)
        return err_nomem(err, errlen, rd->spec->path);
    st = file_read_all(rd->fd, rd->buf.data + rd->buf.len, READ_CHUNK, &n);
    if (st != CAI_OK)
        return err_set(st, err, errlen, "%s: %s", rd->spec->path, strerror(errno));
    rd->ended = n < READ_CHUNK;
    rd->buf.len += n;
    return CAI_OK;
}

/* Forgets the first n bytes of the window. */
static void consume(struct reader *rd, size_t n)
{
    if (n == 0)
        return; /* what was searched stays searched */
    memmove(rd->buf.data, rd->buf.data + n, rd->buf.len - n);
    rd->buf.len -= n;
    rd->at += n;
    rd->searched = 0;
}

/* Length of the line at `from` without its newline, or SIZE_MAX when its end is not in
 * the window. */
static size_t line_at(struct reader *rd, size_t from)
{
    size_t start = rd->searched > from ? rd->searched : from;
    const char *nl = rd->buf.len > start
                         ? memchr(rd->buf.data + start, '\n', rd->buf.len - start)
                         : NULL;
    if (!nl) {
        rd->searched = rd->buf.len;
        return SIZE_MAX;
    }
    return (size_t)(nl - rd->buf.data) - from;
}

/* Does another record seem to begin after the first byte of what is left? A body never
 * holds {"seq": itself: event bodies have no such member and strings escape quotes. */
static int record_follows(const struct reader *rd)
{
    char start[RECORD_HEAD_MAX];
    int n = snprintf(start, sizeof start, "{\"%.16s\":", rd->spec->key);

    return rd->buf.len > 1 &&
           memmem(rd->buf.data + 1, rd->buf.len - 1, start, (size_t)n) != NULL;
}

/* The window starts at damage: reads on until it is clear which kind. */
static enum cai_status classify(struct reader *rd, struct journal_scan *scan, char *err,
                                size_t errlen)
{
    enum cai_status st = CAI_OK;

    while (!rd->ended && rd->buf.len <= rd->spec->max_line && st == CAI_OK)
        st = read_more(rd, err, errlen);
    if (st != CAI_OK && st != CAI_LIMIT)
        return st;
    if (!rd->ended || rd->buf.len > rd->spec->max_line || record_follows(rd))
        scan->finding = JOURNAL_MIDDLE;
    else if (memchr(rd->buf.data, '\n', rd->buf.len))
        scan->finding = JOURNAL_TAIL;
    else
        scan->finding = JOURNAL_TORN;
    return CAI_OK;
}

/* All whole lines of the window. *stop: damage was met in strict mode. */
static enum cai_status take_lines(struct reader *rd, struct journal_scan *scan,
                                  enum journal_mode mode, journal_visit *visit, void *arg,
                                  int *stop, char *err, size_t errlen)
{
    enum cai_status st = CAI_OK;
    size_t from = 0, len;
    struct record r;

    while (st == CAI_OK && (len = line_at(rd, from)) != SIZE_MAX) {
        int good = len < rd->spec->max_line &&
                   record_read(&r, rd->spec->key, rd->buf.data + from, len);
        int next = good && (mode == JOURNAL_STRICT ? r.number == scan->last + 1
                                                   : r.number > scan->last);
        if (!next && mode == JOURNAL_STRICT) {
            *stop = 1;
            /* A whole record with another number means that lines are missing. */
            scan->finding = good ? JOURNAL_MIDDLE : JOURNAL_WHOLE;
            break;
        }
        if (!next) {
            scan->skipped++;
        } else {
            scan->last = r.number;
            scan->last_crc = r.crc;
            if (visit)
                st = visit(arg, &r, rd->at + from, len + 1, err, errlen);
        }
        from += len + 1;
        scan->good_bytes = rd->at + from;
    }
    consume(rd, from);
    return st;
}

enum cai_status journal_read(struct journal_scan *scan, const struct journal_spec *spec,
                             enum journal_mode mode, journal_visit *visit, void *arg,
                             char *err, size_t errlen)
{
    struct reader rd = {.spec = spec, .fd = -1};
    enum cai_status st = CAI_OK;
    int stop = 0;
    off_t end;

    memset(scan, 0, sizeof *scan);
    rd.buf.max_bytes = spec->max_line + 2 * READ_CHUNK;
    rd.fd = file_ops()->open(spec->path, O_RDONLY, 0);
    if (rd.fd < 0 && errno == ENOENT)
        return CAI_OK;
    if (rd.fd < 0)
        return err_set(CAI_IO, err, errlen, "%s: %s", spec->path, strerror(errno));
    while (st == CAI_OK && !rd.ended && !stop) {
        st = read_more(&rd, err, errlen);
        if (st == CAI_OK)
            st = take_lines(&rd, scan, mode, visit, arg, &stop, err, errlen);
        if (st != CAI_OK || rd.buf.len <= spec->max_line)
            continue;
        /* longer than any line may be */
        stop = mode == JOURNAL_STRICT;
        if (!stop) {
            scan->skipped++;
            consume(&rd, rd.buf.len);
        }
    }
    if (st == CAI_OK && rd.buf.len && scan->finding == JOURNAL_WHOLE)
        st = classify(&rd, scan, err, errlen);
    end = lseek(rd.fd, 0, SEEK_END);
    scan->file_bytes = end < 0 ? rd.at + rd.buf.len : (uint64_t)end;
    strbuf_free(&rd.buf);
    file_ops()->close(rd.fd);
    return st;
}

void journal_describe(const struct journal_scan *scan, const struct journal_spec *spec,
                      char *text, size_t textlen)
{
    unsigned long long at = (unsigned long long)scan->good_bytes;
    unsigned long long n = (unsigned long long)(scan->file_bytes - scan->good_bytes);
    unsigned long long next = (unsigned long long)scan->last + 1;

    if (textlen)
        text[0] = '\0';
    switch (scan->finding) {
    case JOURNAL_WHOLE: break;
    case JOURNAL_TORN:
        err_set(CAI_OK, text, textlen,
                "%s: the last line, of %llu bytes, is incomplete and left out; it was "
                "never reported as saved",
                spec->path, n);
        break;
    case JOURNAL_TAIL:
        err_set(
            CAI_OK, text, textlen,
            "%s: damaged at byte %llu: %s %llu, the last one, is lost; its %llu bytes "
            "are kept in %s.damaged-%llu",
            spec->path, at, spec->key, next, n, spec->path, at);
        break;
    case JOURNAL_MIDDLE:
        err_set(CAI_OK, text, textlen,
                "%s: damaged at byte %llu (%s %llu) with records after it; make a "
                "repaired copy of the session in another folder",
                spec->path, at, spec->key, next);
        break;
    }
}

/* ---------------------------------------------------------------- appending */

struct journal {
    int fd;
    char *path;
    uint64_t len; /* bytes of whole records; where the next one goes */
    int failed;
};

/* Copies the damaged tail aside before it is cut off. */
static enum cai_status save_tail(int fd, const struct journal_spec *spec,
                                 const struct journal_scan *scan, char *err,
                                 size_t errlen)
{
    struct strbuf path = STRBUF_INIT(1 << 16);
    size_t want = (size_t)(scan->file_bytes - scan->good_bytes), got;
    char *bytes = mem_alloc(want, 1);
    enum cai_status st;

    if (!bytes || strbuf_addf(&path, "%s.damaged-%llu", spec->path,
                              (unsigned long long)scan->good_bytes) != CAI_OK) {
        st = err_nomem(err, errlen, spec->path);
        goto out;
    }
    if (lseek(fd, (off_t)scan->good_bytes, SEEK_SET) < 0 ||
        file_read_all(fd, bytes, want, &got) != CAI_OK)
        st = err_set(CAI_IO, err, errlen, "%s: %s", spec->path, strerror(errno));
    else if (got < want)
        st = err_set(CAI_IO, err, errlen, "%s: it shrank while being read", spec->path);
    else
        st = file_replace(path.data, bytes, want, err, errlen);
out:
    mem_free(bytes);
    strbuf_free(&path);
    return st;
}

enum cai_status journal_open(struct journal **dst, const struct journal_spec *spec,
                             const struct journal_scan *scan, char *err, size_t errlen)
{
    const struct file_ops *ops = file_ops();
    struct journal *j = mem_alloc(1, sizeof *j);
    enum cai_status st = CAI_OK;
    int is_new = access(spec->path, F_OK) != 0;

    *dst = NULL;
    if (!j)
        return err_nomem(err, errlen, spec->path);
    j->fd = -1;
    j->len = scan->good_bytes;
    j->path = mem_strdup(spec->path);
    if (!j->path) {
        st = err_nomem(err, errlen, spec->path);
        goto out;
    }
    if (scan->finding == JOURNAL_MIDDLE) {
        journal_describe(scan, spec, err, errlen);
        st = CAI_CORRUPT;
        goto out;
    }
    j->fd = ops->open(spec->path, O_RDWR | O_CREAT, 0666);
    if (j->fd < 0) {
        st = err_set(CAI_IO, err, errlen, "%s: %s", spec->path, strerror(errno));
        goto out;
    }
    /* also when it was there empty: a crash may have come before this sync */
    if (is_new || scan->file_bytes == 0)
        st = file_sync_dir_of(spec->path, err, errlen);
    if (st == CAI_OK && scan->finding == JOURNAL_TAIL)
        st = save_tail(j->fd, spec, scan, err, errlen);
    if (st == CAI_OK && scan->finding != JOURNAL_WHOLE &&
        (ops->ftruncate(j->fd, (off_t)j->len) != 0 || ops->fdatasync(j->fd) != 0))
        st = err_set(CAI_IO, err, errlen, "%s: %s", spec->path, strerror(errno));
    if (st == CAI_OK && lseek(j->fd, (off_t)j->len, SEEK_SET) < 0)
        st = err_set(CAI_IO, err, errlen, "%s: %s", spec->path, strerror(errno));
    if (st != CAI_OK)
        goto out;
    *dst = j;
    j = NULL;
out:
    journal_close(j);
    return st;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    if (j->fd >= 0)
        file_ops()->close(j->fd); /* every acknowledged byte is synced already */
    mem_free(j->path);
    mem_free(j);
}

enum cai_status journal_append(struct journal *j, const char *lines, size_t len,
                               char *err, size_t errlen)
{
    int e;

    if (j->failed)
        return err_set(CAI_IO, err, errlen, "%s: closed after an earlier error", j->path);
    if (file_write_all(j->fd, lines, len) == CAI_OK) {
        if (file_ops()->fdatasync(j->fd) == 0) {
            j->len += len;
            return CAI_OK;
        }
        e = errno;
        j->failed = 1;
        return err_set(CAI_IO, err, errlen, "%s: cannot be synced to the disk: %s",
                       j->path, strerror(e));
    }
    e = errno;
    if (file_ops()->ftruncate(j->fd, (off_t)j->len) != 0 ||
        lseek(j->fd, (off_t)j->len, SEEK_SET) < 0)
        j->failed = 1;
    return err_set(CAI_IO, err, errlen, "%s: cannot be written: %s", j->path,
                   strerror(e));
}

int journal_failed(const struct journal *j)
{
    return j->failed;
}

uint64_t journal_size(const struct journal *j)
{
    return j->len;
}

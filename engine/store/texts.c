/* texts.c: see texts.h. */
#include "store/texts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

static const char lost_hash[] = "lost"; /* in place of a hash: nothing can match it */

struct entry {
    uint64_t offset; /* of the line */
    size_t line_len; /* newline included */
    char hash[HASH_HEX_LEN];
};

struct texts {
    char *path;
    struct entry *entries; /* (n) of ordinals 1..n */
    size_t n, cap;
    uint32_t *table; /* (table_cap) ordinals by hash, 0 empty; open addressing */
    size_t table_cap;
    uint64_t end; /* offset of the next line */
    int fd;       /* for reading, -1 until the first */
};

struct journal_spec texts_spec(const char *path)
{
    return (struct journal_spec){path, "ordinal", JOURNAL_TEXT_LINE_MAX};
}

/* ---------------------------------------------------------------- index */

static size_t slot_of(const struct texts *t, const char *hash)
{
    size_t h = 0;

    for (int i = 0; i < 15; i++) /* hex digits of a good hash */
        h = h * 31 + (unsigned char)hash[i];
    return h & (t->table_cap - 1);
}

static void table_put(struct texts *t, uint32_t ordinal)
{
    size_t i = slot_of(t, t->entries[ordinal - 1].hash);

    while (t->table[i])
        i = (i + 1) & (t->table_cap - 1);
    t->table[i] = ordinal;
}

static uint64_t table_find(const struct texts *t, const char *hash)
{
    if (!t->table_cap)
        return 0;
    for (size_t i = slot_of(t, hash); t->table[i]; i = (i + 1) & (t->table_cap - 1))
        if (memcmp(t->entries[t->table[i] - 1].hash, hash, HASH_HEX_LEN) == 0)
            return t->table[i];
    return 0;
}

/* Room for one more, at most half full. 0 when out of memory. */
static int grow(struct texts *t)
{
    if (t->n == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 64;
        struct entry *e = mem_resize(t->entries, cap, sizeof *e);
        if (!e)
            return 0;
        t->entries = e;
        t->cap = cap;
    }
    if (2 * (t->n + 1) > t->table_cap) {
        size_t cap = t->table_cap ? t->table_cap * 2 : 128;
        uint32_t *table = mem_alloc(cap, sizeof *table);
        if (!table)
            return 0;
        mem_free(t->table);
        t->table = table;
        t->table_cap = cap;
        for (size_t i = 0; i < t->n; i++)
            table_put(t, (uint32_t)(i + 1));
    }
    return 1;
}

static enum cai_status index_add(struct texts *t, const char *hash, size_t hash_len,
                                 uint64_t offset, size_t line_len, char *err,
                                 size_t errlen)
{
    struct entry *e;

    if (t->n >= UINT32_MAX - 1)
        return err_set(CAI_LIMIT, err, errlen, "%s: too many texts", t->path);
    if (!grow(t))
        return err_nomem(err, errlen, t->path);
    e = &t->entries[t->n];
    memset(e, 0, sizeof *e);
    memcpy(e->hash, hash, hash_len);
    e->offset = offset;
    e->line_len = line_len;
    t->n++;
    table_put(t, (uint32_t)t->n);
    return CAI_OK;
}

static const char payload_start[] = "\"hash\":\"";

/* The hash as it stands in a payload; the record's checksum vouches for it. */
static const char *payload_hash(const struct record *r, size_t *len)
{
    size_t skip = sizeof payload_start - 1;
    const char *p, *quote;

    if (r->payload_len < skip || memcmp(r->payload, payload_start, skip) != 0)
        return NULL;
    p = r->payload + skip;
    quote = memchr(p, '"', r->payload_len - skip);
    *len = quote ? (size_t)(quote - p) : 0;
    return quote && *len <= HASH_HEX_LEN ? p : NULL;
}

static enum cai_status visit_line(void *arg, const struct record *r, uint64_t offset,
                                  size_t line_len, char *err, size_t errlen)
{
    struct texts *t = arg;
    size_t hash_len;
    const char *hash = payload_hash(r, &hash_len);

    if (!hash)
        return err_set(CAI_CORRUPT, err, errlen,
                       "%s: byte %llu: text %llu has no hash; another program wrote it",
                       t->path, (unsigned long long)offset,
                       (unsigned long long)r->number);
    return index_add(t, hash, hash_len, offset, line_len, err, errlen);
}

enum cai_status texts_open(struct texts **dst, const char *path,
                           struct journal_scan *scan, char *err, size_t errlen)
{
    struct texts *t = mem_alloc(1, sizeof *t);
    struct journal_spec spec = texts_spec(path);
    enum cai_status st;

    *dst = NULL;
    if (!t)
        return err_nomem(err, errlen, path);
    t->fd = -1;
    t->path = mem_strdup(path);
    if (t->path)
        st = journal_read(scan, &spec, JOURNAL_STRICT, visit_line, t, err, errlen);
    else
        st = err_nomem(err, errlen, path);
    if (st != CAI_OK) {
        texts_close(t);
        return st;
    }
    t->end = scan->good_bytes;
    *dst = t;
    return CAI_OK;
}

void texts_close(struct texts *t)
{
    if (!t)
        return;
    if (t->fd >= 0)
        file_ops()->close(t->fd);
    mem_free(t->entries);
    mem_free(t->table);
    mem_free(t->path);
    mem_free(t);
}

uint64_t texts_count(const struct texts *t)
{
    return t->n;
}

/* ---------------------------------------------------------------- adding */

enum cai_status texts_add(struct texts *t, const char *text, size_t len,
                          struct strbuf *lines, uint64_t *ordinal, char *err,
                          size_t errlen)
{
    struct strbuf payload = STRBUF_INIT(JOURNAL_TEXT_LINE_MAX - RECORD_HEAD_MAX);
    char hash[HASH_HEX_LEN + 1];
    size_t before = lines->len;
    enum cai_status st;

    if (utf8_invalid_at(text, len) < len)
        return err_set(CAI_INVALID, err, errlen,
                       "text is not valid UTF-8 at byte %zu; it cannot be stored",
                       utf8_invalid_at(text, len));
    hash_hex(hash, text, len);
    *ordinal = table_find(t, hash);
    if (*ordinal)
        return CAI_OK;
    st = strbuf_addf(&payload, "%s%s\",\"text\":", payload_start, hash);
    if (st == CAI_OK)
        st = json_write_string(&payload, text, len);
    if (st == CAI_OK)
        st = strbuf_addc(&payload, '}');
    if (st == CAI_OK)
        st = record_write(lines, "ordinal", t->n + 1, payload.data, payload.len);
    if (st == CAI_OK)
        st = index_add(t, hash, HASH_HEX_LEN, t->end, lines->len - before, err, errlen);
    else if (st == CAI_LIMIT)
        err_set(
            st, err, errlen,
            "a text of %zu bytes is too large to be stored (at most %d with its line)",
            len, (int)JOURNAL_TEXT_LINE_MAX);
    else
        err_nomem(err, errlen, "text");
    if (st == CAI_OK) {
        t->end += lines->len - before;
        *ordinal = t->n;
    } else {
        lines->len = before;
    }
    strbuf_free(&payload);
    return st;
}

void texts_forget(struct texts *t, uint64_t n)
{
    /* Newest first: a later entry never lies in the probe path of an earlier one. */
    while (t->n > n) {
        size_t i = slot_of(t, t->entries[t->n - 1].hash);
        while (t->table[i] != t->n)
            i = (i + 1) & (t->table_cap - 1);
        t->table[i] = 0;
        t->n--;
        t->end = t->entries[t->n].offset;
    }
}

enum cai_status texts_write_lost(struct strbuf *out, uint64_t ordinal)
{
    struct strbuf payload = STRBUF_INIT(128);
    enum cai_status st;

    st = strbuf_addf(&payload, "%s%s\",\"text\":\"\"}", payload_start, lost_hash);
    if (st == CAI_OK)
        st = record_write(out, "ordinal", ordinal, payload.data, payload.len);
    strbuf_free(&payload);
    return st;
}

/* ---------------------------------------------------------------- reading */

static enum cai_status read_line(struct texts *t, const struct entry *e, char *line,
                                 char *err, size_t errlen)
{
    size_t got;

    if (t->fd < 0)
        t->fd = file_ops()->open(t->path, O_RDONLY, 0);
    if (t->fd < 0 || lseek(t->fd, (off_t)e->offset, SEEK_SET) < 0 ||
        file_read_all(t->fd, line, e->line_len, &got) != CAI_OK)
        return err_set(CAI_IO, err, errlen, "%s: %s", t->path, strerror(errno));
    if (got < e->line_len)
        return err_set(CAI_CORRUPT, err, errlen, "%s: shorter than it was when opened",
                       t->path);
    return CAI_OK;
}

enum cai_status texts_get(struct texts *t, uint64_t ordinal, char **text, size_t *len,
                          char *err, size_t errlen)
{
    struct strbuf body = STRBUF_INIT(JOURNAL_TEXT_LINE_MAX);
    enum cai_status st;
    const struct entry *e;
    struct record r;
    cJSON *doc = NULL;
    char *line = NULL, hash[HASH_HEX_LEN + 1];
    const char *s;

    *text = NULL;
    if (ordinal < 1 || ordinal > t->n)
        return err_set(CAI_CORRUPT, err, errlen, "%s: text %llu is not there", t->path,
                       (unsigned long long)ordinal);
    e = &t->entries[ordinal - 1];
    if (memcmp(e->hash, lost_hash, sizeof lost_hash) == 0)
        return err_set(CAI_CORRUPT, err, errlen, "%s: text %llu was lost to damage",
                       t->path, (unsigned long long)ordinal);
    line = mem_alloc(e->line_len, 1);
    if (!line)
        return err_nomem(err, errlen, t->path);
    st = read_line(t, e, line, err, errlen);
    if (st != CAI_OK)
        goto out;
    st = CAI_CORRUPT;
    err_set(st, err, errlen, "%s: damaged at byte %llu (text %llu)", t->path,
            (unsigned long long)e->offset, (unsigned long long)ordinal);
    if (!record_read(&r, "ordinal", line, e->line_len - 1) || r.number != ordinal)
        goto out;
    if (record_body(&body, &r) != CAI_OK) {
        st = err_nomem(err, errlen, t->path);
        goto out;
    }
    st = json_parse(&doc, body.data, body.len, err, errlen);
    if (st != CAI_OK) {
        err_prefix(err, errlen, t->path);
        st = st == CAI_NOMEM ? st : CAI_CORRUPT;
        goto out;
    }
    st = CAI_CORRUPT;
    s = json_str(doc, "text");
    *len = s ? strlen(s) : 0;
    hash_hex(hash, s ? s : "", *len);
    if (!s || memcmp(hash, e->hash, HASH_HEX_LEN) != 0)
        goto out;
    *text = mem_strndup(s, *len);
    st = *text ? CAI_OK : err_nomem(err, errlen, t->path);
out:
    cJSON_Delete(doc);
    strbuf_free(&body);
    mem_free(line);
    return st;
}

/* state.c: see state.h. Owns nothing. Any thread. */
#include "store/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"

static const char state_key[] = "seq";

enum cai_status state_write(struct strbuf *out, const struct state_mark *mark,
                            const char *fold, size_t fold_len)
{
    struct strbuf payload = STRBUF_INIT(STATE_MAX);
    enum cai_status st;

    st =
        strbuf_addf(&payload, "\"journal_crc\":\"%08x\",\"journal_bytes\":%llu,\"fold\":",
                    (unsigned)mark->crc, (unsigned long long)mark->journal_bytes);
    if (st == CAI_OK)
        st = strbuf_add(&payload, fold, fold_len);
    if (st == CAI_OK)
        st = strbuf_addc(&payload, '}');
    if (st == CAI_OK)
        st = record_write(out, state_key, mark->seq, payload.data, payload.len);
    strbuf_free(&payload);
    return st;
}

/* 0 when a member is missing: then this program did not write the file. */
static int read_mark(struct state_mark *mark, const cJSON *doc)
{
    const char *crc = json_str(doc, "journal_crc");
    char *end = NULL;

    if (!crc || !json_u64(doc, "journal_bytes", &mark->journal_bytes))
        return 0;
    mark->crc = (uint32_t)strtoul(crc, &end, 16);
    return end && *end == '\0' && end != crc && cJSON_IsObject(json_get(doc, "fold"));
}

enum cai_status state_read(enum state_found *found, struct state_mark *mark, cJSON **doc,
                           const char *path, char *err, size_t errlen)
{
    struct strbuf text = STRBUF_INIT(STATE_MAX), body = STRBUF_INIT(STATE_MAX);
    enum cai_status st = CAI_OK;
    struct record r;
    cJSON *d = NULL;

    *doc = NULL;
    *found = STATE_NONE;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return CAI_OK;
    st = file_read(&text, path, err, errlen);
    if (st != CAI_OK && st != CAI_LIMIT)
        goto out;
    *found = STATE_DAMAGED;
    if (st == CAI_LIMIT || text.len == 0 || text.data[text.len - 1] != '\n' ||
        !record_read(&r, state_key, text.data, text.len - 1)) {
        st = CAI_OK;
        goto out;
    }
    st = record_body(&body, &r);
    if (st != CAI_OK) {
        err_nomem(err, errlen, path);
        goto out;
    }
    st = json_parse(&d, body.data, body.len, err, errlen);
    if (st == CAI_NOMEM)
        goto out;
    if (st != CAI_OK || !read_mark(mark, d)) {
        st = CAI_OK;
        goto out;
    }
    mark->seq = r.number;
    *found = STATE_GOOD;
    *doc = d;
    d = NULL;
out:
    cJSON_Delete(d);
    strbuf_free(&text);
    strbuf_free(&body);
    return st;
}

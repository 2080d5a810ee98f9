/*
 * constitution.c: a list of principles as a JSON file, kept whole.
 *
 * Owns the document (keys it does not know are kept), a view of it as cai_principle, the
 * canonical bytes and their hash. A principle with a missing text loads, so that lint can
 * list every problem at once; a wrong type, a text over the limit or a broken file does
 * not. Every edit is made on a copy that replaces the original only when all went well.
 * Refuses judgement about wording: constitution_lint.c. Any thread, one at a time.
 */
#include "pipeline/constitution.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

/* Lines of a principle and of its texts in the file it came from. */
struct lines {
    int at;
    int field[CAI_FIELD_COUNT];
};

struct cai_constitution {
    cJSON *doc;
    size_t n;
    struct cai_principle *principles; /* (n), strings borrowed from doc */
    const char **tags;                /* of all principles, one after the other */
    struct lines *lines;              /* (n) */
    char hash[HASH_HEX_LEN + 1];
};

static const struct {
    const char *key;
    size_t offset; /* in struct cai_principle */
} fields[CAI_FIELD_COUNT] = {
    [CAI_FIELD_ID] = {"id", offsetof(struct cai_principle, id)},
    [CAI_FIELD_TITLE] = {"title", offsetof(struct cai_principle, title)},
    [CAI_FIELD_STATEMENT] = {"statement", offsetof(struct cai_principle, statement)},
    [CAI_FIELD_OPPOSITE] = {"opposite", offsetof(struct cai_principle, opposite)},
    [CAI_FIELD_CRITIQUE_REQUEST] = {"critique_request",
                                    offsetof(struct cai_principle, critique_request)},
    [CAI_FIELD_REVISION_REQUEST] = {"revision_request",
                                    offsetof(struct cai_principle, revision_request)},
    [CAI_FIELD_PREFERENCE_QUESTION] = {"preference_question",
                                       offsetof(struct cai_principle,
                                                preference_question)},
    [CAI_FIELD_SECTION] = {"section", offsetof(struct cai_principle, section)},
    [CAI_FIELD_REASON] = {"reason", offsetof(struct cai_principle, reason)},
    [CAI_FIELD_SOURCE] = {"source", offsetof(struct cai_principle, source)},
};

const char *cai_field_name(enum cai_field f)
{
    return (size_t)f < CAI_FIELD_COUNT ? fields[f].key : "unknown";
}

static const char **text_of(struct cai_principle *p, size_t f)
{
    return (const char **)(void *)((char *)p + fields[f].offset);
}

const char *constitution_text(const struct cai_principle *p, enum cai_field f)
{
    return *(const char *const *)(const void *)((const char *)p + fields[f].offset);
}

int constitution_id_is_valid(const char *id)
{
    size_t len = strlen(id);
    if (len == 0 || len > CONSTITUTION_ID_MAX)
        return 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)id[i];
        if (c >= 0x80 || (!isalnum(c) && !strchr("._-", c)))
            return 0;
    }
    return 1;
}

/* ---------------------------------------------------------------- lines of the file */

/* A walk over text that cJSON accepted, only to learn where things stand. */
enum role { ROLE_ROOT, ROLE_LIST, ROLE_PRINCIPLE, ROLE_OTHER };

struct scan {
    const char *p, *end;
    int line;
    struct lines *lines;
    size_t n, cap;
    int duplicate_line; /* of a second text of one name in a principle */
    int nomem;
};

enum { SCAN_MAX_DEPTH = 70, KEY_MAX = 32 };

static void scan_space(struct scan *s)
{
    while (s->p < s->end && (unsigned char)*s->p <= ' ')
        if (*s->p++ == '\n')
            s->line++;
}

/* Past a string; its first bytes as written go to key. */
static void scan_string(struct scan *s, char key[KEY_MAX])
{
    size_t n = 0;

    s->p++;
    while (s->p < s->end && *s->p != '"') {
        if (*s->p == '\\' && s->p + 1 < s->end)
            s->p++;
        if (*s->p == '\n')
            s->line++;
        if (n < KEY_MAX - 1)
            key[n++] = *s->p;
        s->p++;
    }
    if (s->p < s->end)
        s->p++;
    key[n] = '\0';
}

static void scan_add_principle(struct scan *s)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 32;
        struct lines *lines = mem_resize(s->lines, cap, sizeof *lines);
        if (!lines) {
            s->nomem = 1;
            return;
        }
        s->lines = lines;
        s->cap = cap;
    }
    memset(&s->lines[s->n], 0, sizeof *s->lines);
    s->lines[s->n++].at = s->line;
}

static enum role role_of_member(struct scan *s, enum role role, const char *key)
{
    if (role == ROLE_ROOT)
        return strcmp(key, "principles") == 0 ? ROLE_LIST : ROLE_OTHER;
    if (role != ROLE_PRINCIPLE || s->nomem)
        return ROLE_OTHER;
    for (size_t f = 0; f < CAI_FIELD_COUNT; f++)
        if (strcmp(key, fields[f].key) == 0) {
            int *line = &s->lines[s->n - 1].field[f];
            if (*line && !s->duplicate_line)
                s->duplicate_line = s->line;
            *line = s->line;
        }
    return ROLE_OTHER;
}

static void scan_value(struct scan *s, enum role role, int depth)
{
    char key[KEY_MAX], close;
    int is_obj;

    scan_space(s);
    if (s->p >= s->end || depth > SCAN_MAX_DEPTH)
        return;
    if (role == ROLE_PRINCIPLE)
        scan_add_principle(s);
    if (*s->p == '"') {
        scan_string(s, key);
        return;
    }
    if (*s->p != '{' && *s->p != '[') {
        while (s->p < s->end && !strchr(",]} \t\r\n", *s->p))
            s->p++;
        return;
    }
    is_obj = *s->p == '{';
    close = is_obj ? '}' : ']';
    s->p++;
    for (;;) {
        enum role inner = !is_obj && role == ROLE_LIST ? ROLE_PRINCIPLE : ROLE_OTHER;
        const char *before;
        scan_space(s);
        if (s->p >= s->end)
            return;
        if (*s->p == close) {
            s->p++;
            return;
        }
        if (*s->p == ',') {
            s->p++;
            continue;
        }
        before = s->p;
        if (is_obj) {
            if (*s->p != '"')
                return;
            scan_string(s, key);
            inner = role_of_member(s, role, key);
            scan_space(s);
            if (s->p < s->end && *s->p == ':')
                s->p++;
        }
        scan_value(s, inner, depth + 1);
        if (s->p == before)
            return;
    }
}

/* "byte 120: not valid JSON" becomes "line 7: not valid JSON". */
static void byte_to_line(char *err, size_t errlen, const char *text, size_t len)
{
    char rest[ERR_MAX], *end;
    unsigned long long at;
    int line = 1;

    if (!err || !errlen || strncmp(err, "byte ", 5) != 0)
        return;
    at = strtoull(err + 5, &end, 10);
    for (size_t i = 0; i < at && i < len; i++)
        line += text[i] == '\n';
    snprintf(rest, sizeof rest, "%s", end);
    err_set(CAI_PARSE, err, errlen, "line %d%s", line, rest);
}

/* ---------------------------------------------------------------- building the view */

static enum cai_status fail_at(enum cai_status st, int line, const char *id, char *err,
                               size_t errlen, const char *what)
{
    char where[24] = "";
    if (line)
        snprintf(where, sizeof where, "line %d: ", line);
    return err_set(st, err, errlen, "%sprinciple \"%.63s\": %s", where, id, what);
}

static enum cai_status view_principle(struct cai_principle *p, const cJSON *obj,
                                      const struct lines *lines, const char **tags,
                                      char *err, size_t errlen)
{
    const char *id = json_str(obj, "id");
    const cJSON *v, *tag;
    char what[160];

    if (!cJSON_IsObject(obj))
        return fail_at(CAI_PARSE, lines->at, "", err, errlen, "must be an object {...}");
    if (!id)
        id = "";
    for (size_t f = 0; f < CAI_FIELD_COUNT; f++) {
        v = json_get(obj, fields[f].key);
        if (v && !cJSON_IsString(v)) {
            snprintf(what, sizeof what, "\"%s\" must be a text", fields[f].key);
            return fail_at(CAI_PARSE, lines->field[f], id, err, errlen, what);
        }
        *text_of(p, f) = v ? v->valuestring : "";
        if (v && strlen(v->valuestring) > CAI_PRINCIPLE_TEXT_MAX) {
            snprintf(what, sizeof what, "\"%s\" has %zu bytes; shorten it to at most %d",
                     fields[f].key, strlen(v->valuestring), CAI_PRINCIPLE_TEXT_MAX);
            return fail_at(CAI_LIMIT, lines->field[f], id, err, errlen, what);
        }
    }
    v = json_get(obj, "weight");
    if (v && (!cJSON_IsNumber(v) || !isfinite(v->valuedouble)))
        return fail_at(CAI_PARSE, lines->at, id, err, errlen,
                       "\"weight\" must be a number");
    p->weight = json_num(obj, "weight", 1.0);
    v = json_get(obj, "enabled");
    if (v && !cJSON_IsBool(v))
        return fail_at(CAI_PARSE, lines->at, id, err, errlen,
                       "\"enabled\" must be true or false");
    p->enabled = json_bool(obj, "enabled", 1);
    v = json_get(obj, "tags");
    if (v && !cJSON_IsArray(v))
        return fail_at(CAI_PARSE, lines->at, id, err, errlen,
                       "\"tags\" must be a list of texts");
    p->tags = tags;
    cJSON_ArrayForEach(tag, v)
    {
        if (!cJSON_IsString(tag))
            return fail_at(CAI_PARSE, lines->at, id, err, errlen,
                           "\"tags\" must be a list of texts");
        tags[p->n_tags++] = tag->valuestring;
    }
    return CAI_OK;
}

static size_t count_items(const cJSON *array)
{
    const cJSON *m;
    size_t n = 0;
    cJSON_ArrayForEach(m, array) n++;
    return n;
}

/* View and hash of a document; takes doc and lines, also on error. */
static enum cai_status build(struct cai_constitution **dst, cJSON *take_doc,
                             struct lines *take_lines, char *err, size_t errlen)
{
    struct cai_constitution *c = mem_alloc(1, sizeof *c);
    struct strbuf canonical = STRBUF_INIT(4 * (size_t)CONSTITUTION_MAX_BYTES);
    const cJSON *list, *p;
    size_t n_tags = 0, i = 0;
    enum cai_status st = CAI_OK;

    if (!c) {
        cJSON_Delete(take_doc);
        mem_free(take_lines);
        return err_nomem(err, errlen, "constitution");
    }
    c->doc = take_doc;
    c->lines = take_lines;
    list = json_get(c->doc, "principles");
    c->n = count_items(list);
    cJSON_ArrayForEach(p, list) n_tags += count_items(json_get(p, "tags"));
    c->principles = mem_alloc(c->n, sizeof *c->principles);
    c->tags = mem_alloc(n_tags, sizeof *c->tags);
    if (!c->principles || !c->tags) {
        st = err_nomem(err, errlen, "constitution");
        goto out;
    }
    n_tags = 0;
    cJSON_ArrayForEach(p, list)
    {
        st = view_principle(&c->principles[i], p, &c->lines[i], c->tags + n_tags, err,
                            errlen);
        if (st != CAI_OK)
            goto out;
        n_tags += c->principles[i++].n_tags;
    }
    st = json_write_canonical(&canonical, c->doc);
    if (st != CAI_OK) {
        err_set(st, err, errlen, "constitution: %s",
                st == CAI_LIMIT ? "too large to be written; shorten it"
                                : "out of memory");
        goto out;
    }
    hash_hex(c->hash, strbuf_str(&canonical), canonical.len);
    *dst = c;
    c = NULL;
out:
    cai_constitution_free(c);
    strbuf_free(&canonical);
    return st;
}

static enum cai_status check_document(const cJSON *doc, char *err, size_t errlen)
{
    const cJSON *version = json_get(doc, "version"), *list, *title;

    if (!cJSON_IsObject(doc))
        return err_set(CAI_PARSE, err, errlen,
                       "line 1: a constitution is an object with \"principles\"");
    if (version && !(cJSON_IsNumber(version) && fabs(version->valuedouble - 1) < 1e-9))
        return err_set(CAI_UNSUPPORTED, err, errlen,
                       "\"version\" is not 1; this program reads version 1");
    title = json_get(doc, "title");
    if (title && !cJSON_IsString(title))
        return err_set(CAI_PARSE, err, errlen, "\"title\" must be a text");
    list = json_get(doc, "principles");
    if (!cJSON_IsArray(list))
        return err_set(CAI_PARSE, err, errlen,
                       "no \"principles\"; add a list of principles");
    if (count_items(list) > CONSTITUTION_MAX_PRINCIPLES)
        return err_set(CAI_LIMIT, err, errlen, "%zu principles; at most %d",
                       count_items(list), CONSTITUTION_MAX_PRINCIPLES);
    return CAI_OK;
}

enum cai_status cai_constitution_parse(struct cai_constitution **dst, const char *text,
                                       size_t len, char *err, size_t errlen)
{
    struct scan scan = {.p = text, .end = text + len, .line = 1};
    cJSON *doc = NULL;
    enum cai_status st;

    *dst = NULL;
    if (len > CONSTITUTION_MAX_BYTES)
        return err_set(CAI_LIMIT, err, errlen, "%zu bytes; a constitution has at most %d",
                       len, CONSTITUTION_MAX_BYTES);
    st = json_parse(&doc, text, len, err, errlen);
    byte_to_line(err, errlen, text, st == CAI_OK ? 0 : len);
    if (st == CAI_OK || (err && errlen && strncmp(err, "line ", 5) != 0))
        scan_value(&scan, ROLE_ROOT, 0);
    if (st == CAI_PARSE && scan.duplicate_line) {
        char where[24];
        snprintf(where, sizeof where, "line %d", scan.duplicate_line);
        err_prefix(err, errlen, where);
    }
    if (st == CAI_OK)
        st = check_document(doc, err, errlen);
    if (st == CAI_OK && scan.nomem)
        st = err_nomem(err, errlen, "constitution");
    if (st == CAI_OK && scan.n != count_items(json_get(doc, "principles")))
        st = err_set(CAI_PARSE, err, errlen, "not a constitution this program can read");
    if (st == CAI_OK) {
        st = build(dst, doc, scan.lines, err, errlen);
        doc = NULL;
        scan.lines = NULL;
    }
    cJSON_Delete(doc);
    mem_free(scan.lines);
    return st;
}

enum cai_status cai_constitution_load(struct cai_constitution **dst, const char *path,
                                      char *err, size_t errlen)
{
    struct strbuf text = STRBUF_INIT(CONSTITUTION_MAX_BYTES);
    enum cai_status st;

    *dst = NULL;
    st = file_read(&text, path, err, errlen);
    if (st == CAI_OK) {
        st = cai_constitution_parse(dst, strbuf_str(&text), text.len, err, errlen);
        if (st != CAI_OK)
            err_prefix(err, errlen, path);
    }
    strbuf_free(&text);
    return st;
}

void cai_constitution_free(struct cai_constitution *c)
{
    if (!c)
        return;
    cJSON_Delete(c->doc);
    mem_free(c->principles);
    mem_free((void *)c->tags);
    mem_free(c->lines);
    mem_free(c);
}

/* ---------------------------------------------------------------- reading */

const char *cai_constitution_title(const struct cai_constitution *c)
{
    const char *title = json_str(c->doc, "title");
    return title ? title : "";
}

size_t cai_constitution_count(const struct cai_constitution *c)
{
    return c->n;
}

const struct cai_principle *cai_constitution_get(const struct cai_constitution *c,
                                                 size_t i)
{
    return i < c->n ? &c->principles[i] : NULL;
}

int cai_constitution_find(const struct cai_constitution *c, const char *id)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->principles[i].id, id) == 0)
            return (int)i;
    return -1;
}

const char *cai_constitution_hash(const struct cai_constitution *c)
{
    return c->hash;
}

int constitution_line(const struct cai_constitution *c, size_t i, enum cai_field f)
{
    const struct lines *l = &c->lines[i];
    return f < CAI_FIELD_COUNT && l->field[f] ? l->field[f] : l->at;
}

enum cai_status cai_constitution_write(const struct cai_constitution *c, char **text,
                                       size_t *len, char *err, size_t errlen)
{
    struct strbuf out = STRBUF_INIT(4 * (size_t)CONSTITUTION_MAX_BYTES);
    enum cai_status st = json_write_canonical(&out, c->doc);

    *text = st == CAI_OK ? strbuf_take(&out, len) : NULL;
    strbuf_free(&out);
    return *text ? CAI_OK : err_nomem(err, errlen, "constitution");
}

/* Paper: 16 pairs, one drawn per step and prompt, with replacement. */
enum cai_status constitution_draw(size_t *index, const struct cai_constitution *c,
                                  const char *id, double u, char *err, size_t errlen)
{
    static const enum cai_field needed[] = {CAI_FIELD_CRITIQUE_REQUEST,
                                            CAI_FIELD_REVISION_REQUEST};
    double total = 0, at;
    size_t chosen = c->n;

    if (*id) {
        int i = cai_constitution_find(c, id);
        if (i < 0)
            return err_set(CAI_INVALID, err, errlen,
                           "constitution: no principle \"%.63s\"; choose another", id);
        chosen = (size_t)i;
    } else {
        for (size_t i = 0; i < c->n; i++)
            if (c->principles[i].enabled && c->principles[i].weight > 0)
                total += c->principles[i].weight;
        if (!(total > 0))
            return err_set(CAI_INVALID, err, errlen,
                           "constitution: no principle is enabled; enable one");
        at = u * total;
        for (size_t i = 0; i < c->n; i++) {
            const struct cai_principle *p = &c->principles[i];
            if (!p->enabled || !(p->weight > 0))
                continue;
            chosen = i; /* rounding may leave a crumb of u behind the last one */
            if (at < p->weight)
                break;
            at -= p->weight;
        }
    }
    for (size_t k = 0; k < sizeof needed / sizeof *needed; k++)
        if (!*constitution_text(&c->principles[chosen], needed[k]))
            return err_set(CAI_INVALID, err, errlen,
                           "principle \"%.63s\" has no %s; write one or disable it",
                           c->principles[chosen].id, fields[needed[k]].key);
    *index = chosen;
    return CAI_OK;
}

/* ---------------------------------------------------------------- editing */

/* A copy to be edited: document, its list of principles, lines with room for one more. */
struct edit {
    cJSON *doc, *list;
    struct lines *lines;
};

static enum cai_status edit_begin(struct edit *e, const struct cai_constitution *c,
                                  char *err, size_t errlen)
{
    memset(e, 0, sizeof *e);
    e->doc = cJSON_Duplicate(c->doc, 1);
    e->list = cJSON_GetObjectItemCaseSensitive(e->doc, "principles");
    e->lines = mem_alloc(c->n + 1, sizeof *e->lines);
    if (!e->doc || !e->list || !e->lines) {
        cJSON_Delete(e->doc);
        mem_free(e->lines);
        return err_nomem(err, errlen, "constitution");
    }
    if (c->n)
        memcpy(e->lines, c->lines, c->n * sizeof *e->lines);
    return CAI_OK;
}

/* Takes the copy; c becomes it, or stays as it was. */
static enum cai_status edit_end(struct edit *e, struct cai_constitution *c,
                                enum cai_status st, char *err, size_t errlen)
{
    struct cai_constitution *built = NULL, old;

    if (st != CAI_OK) {
        cJSON_Delete(e->doc);
        mem_free(e->lines);
        return st;
    }
    st = build(&built, e->doc, e->lines, err, errlen);
    if (st != CAI_OK)
        return st;
    old = *c;
    *c = *built;
    *built = old;
    cai_constitution_free(built);
    return CAI_OK;
}

struct cai_constitution *cai_constitution_dup(const struct cai_constitution *c)
{
    struct cai_constitution *copy = NULL;
    struct edit e;

    if (edit_begin(&e, c, NULL, 0) != CAI_OK)
        return NULL;
    return build(&copy, e.doc, e.lines, NULL, 0) == CAI_OK ? copy : NULL;
}

static enum cai_status check_index(const struct cai_constitution *c, size_t i, char *err,
                                   size_t errlen)
{
    return i < c->n ? CAI_OK
                    : err_set(CAI_INVALID, err, errlen,
                              "constitution: no principle number %zu; it has %zu", i + 1,
                              c->n);
}

/* Member `key` of principle i becomes item (taken). */
static enum cai_status set_member(struct cai_constitution *c, size_t i, const char *key,
                                  cJSON *take_item, char *err, size_t errlen)
{
    struct edit e;
    enum cai_status st = edit_begin(&e, c, err, errlen);
    cJSON *p;
    int done;

    if (st != CAI_OK) {
        cJSON_Delete(take_item);
        return st;
    }
    p = cJSON_GetArrayItem(e.list, (int)i);
    if (!take_item)
        done = 0;
    else if (json_get(p, key))
        done = cJSON_ReplaceItemInObjectCaseSensitive(p, key, take_item);
    else
        done = cJSON_AddItemToObject(p, key, take_item);
    if (!done) {
        cJSON_Delete(take_item);
        st = err_nomem(err, errlen, "constitution");
    }
    memset(&e.lines[i], 0, sizeof e.lines[i]);
    return edit_end(&e, c, st, err, errlen);
}

enum cai_status cai_constitution_set(struct cai_constitution *c, size_t i,
                                     enum cai_field f, const char *text, char *err,
                                     size_t errlen)
{
    size_t len = strlen(text), bad = utf8_invalid_at(text, len);
    enum cai_status st = check_index(c, i, err, errlen);
    int other;

    if (st != CAI_OK)
        return st;
    if (bad < len)
        return err_set(CAI_INVALID, err, errlen,
                       "%s: byte %zu is not UTF-8; the text was not changed",
                       fields[f].key, bad);
    if (len > CAI_PRINCIPLE_TEXT_MAX)
        return err_set(CAI_LIMIT, err, errlen, "%s: %zu bytes; shorten it to at most %d",
                       fields[f].key, len, CAI_PRINCIPLE_TEXT_MAX);
    if (f == CAI_FIELD_ID) {
        if (!constitution_id_is_valid(text))
            return err_set(CAI_INVALID, err, errlen,
                           "id: 1 to %d letters, digits, '.', '_' or '-'",
                           CONSTITUTION_ID_MAX);
        other = cai_constitution_find(c, text);
        if (other >= 0 && (size_t)other != i)
            return err_set(CAI_INVALID, err, errlen,
                           "id: \"%s\" is taken by principle number %d", text, other + 1);
    }
    return set_member(c, i, fields[f].key, cJSON_CreateString(text), err, errlen);
}

enum cai_status cai_constitution_set_enabled(struct cai_constitution *c, size_t i, int on,
                                             char *err, size_t errlen)
{
    enum cai_status st = check_index(c, i, err, errlen);
    return st != CAI_OK ? st
                        : set_member(c, i, "enabled", cJSON_CreateBool(on), err, errlen);
}

enum cai_status cai_constitution_set_weight(struct cai_constitution *c, size_t i,
                                            double weight, char *err, size_t errlen)
{
    enum cai_status st = check_index(c, i, err, errlen);
    if (st != CAI_OK)
        return st;
    if (!(weight >= 0) || !isfinite(weight))
        return err_set(CAI_INVALID, err, errlen, "weight: a number from 0 on");
    return set_member(c, i, "weight", cJSON_CreateNumber(weight), err, errlen);
}

/* It starts disabled: a placeholder must not be drawn before somebody wrote its texts. */
static cJSON *new_principle(const struct cai_constitution *c)
{
    static const struct {
        enum cai_field f;
        const char *text;
    } placeholders[] = {
        {CAI_FIELD_TITLE, "New principle"},
        {CAI_FIELD_STATEMENT, "Say here what the assistant should do."},
        {CAI_FIELD_OPPOSITE, "Say here what the assistant should not do."},
        {CAI_FIELD_CRITIQUE_REQUEST,
         "Say in which ways the assistant's last response goes against this principle."},
        {CAI_FIELD_REVISION_REQUEST,
         "Rewrite the assistant's last response so that it follows this principle."},
        {CAI_FIELD_PREFERENCE_QUESTION, "Which response follows this principle better?"},
    };
    cJSON *p = cJSON_CreateObject();
    char id[32];
    int ok = p != NULL;

    for (size_t k = c->n + 1;; k++) {
        snprintf(id, sizeof id, "p%zu", k);
        if (cai_constitution_find(c, id) < 0)
            break;
    }
    ok = ok && cJSON_AddStringToObject(p, "id", id);
    for (size_t k = 0; ok && k < sizeof placeholders / sizeof *placeholders; k++)
        ok = cJSON_AddStringToObject(p, fields[placeholders[k].f].key,
                                     placeholders[k].text) != NULL;
    ok = ok && cJSON_AddNumberToObject(p, "weight", 1) &&
         cJSON_AddFalseToObject(p, "enabled");
    if (ok)
        return p;
    cJSON_Delete(p);
    return NULL;
}

/* Puts item at index i by appending it and then what stood behind: inserting in the
 * middle fails in the cJSON of Debian 12 (its fix of CVE-2023-50471 tests the wrong
 * pointer). */
static void place(cJSON *list, size_t i, cJSON *item)
{
    size_t n_behind = count_items(list) - i;

    cJSON_AddItemToArray(list, item);
    for (size_t k = 0; k < n_behind; k++)
        cJSON_AddItemToArray(list, cJSON_DetachItemFromArray(list, (int)i));
}

enum cai_status cai_constitution_insert(struct cai_constitution *c, size_t i, char *err,
                                        size_t errlen)
{
    struct edit e;
    enum cai_status st;
    cJSON *p;

    if (i > c->n)
        return check_index(c, i, err, errlen);
    if (c->n >= CONSTITUTION_MAX_PRINCIPLES)
        return err_set(CAI_LIMIT, err, errlen, "constitution: at most %d principles",
                       CONSTITUTION_MAX_PRINCIPLES);
    st = edit_begin(&e, c, err, errlen);
    if (st != CAI_OK)
        return st;
    p = new_principle(c);
    if (p)
        place(e.list, i, p);
    else
        st = err_nomem(err, errlen, "constitution");
    memmove(e.lines + i + 1, e.lines + i, (c->n - i) * sizeof *e.lines);
    memset(&e.lines[i], 0, sizeof *e.lines);
    return edit_end(&e, c, st, err, errlen);
}

enum cai_status cai_constitution_remove(struct cai_constitution *c, size_t i, char *err,
                                        size_t errlen)
{
    enum cai_status st = check_index(c, i, err, errlen);
    struct edit e;

    if (st == CAI_OK)
        st = edit_begin(&e, c, err, errlen);
    if (st != CAI_OK)
        return st;
    cJSON_DeleteItemFromArray(e.list, (int)i);
    memmove(e.lines + i, e.lines + i + 1, (c->n - i - 1) * sizeof *e.lines);
    return edit_end(&e, c, CAI_OK, err, errlen);
}

enum cai_status cai_constitution_move(struct cai_constitution *c, size_t from, size_t to,
                                      char *err, size_t errlen)
{
    enum cai_status st = check_index(c, from, err, errlen);
    struct lines moved;
    struct edit e;

    if (st == CAI_OK)
        st = check_index(c, to, err, errlen);
    if (st == CAI_OK)
        st = edit_begin(&e, c, err, errlen);
    if (st != CAI_OK)
        return st;
    place(e.list, to, cJSON_DetachItemFromArray(e.list, (int)from));
    moved = e.lines[from];
    memmove(e.lines + from, e.lines + from + 1, (c->n - from - 1) * sizeof *e.lines);
    memmove(e.lines + to + 1, e.lines + to, (c->n - to - 1) * sizeof *e.lines);
    e.lines[to] = moved;
    return edit_end(&e, c, CAI_OK, err, errlen);
}

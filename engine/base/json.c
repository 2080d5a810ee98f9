/* json.c: see json.h. Any thread; json_init() once, before the first. */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"

enum { JSON_MAX_DEPTH = 64 };
static const double EXACT_MAX = 9007199254740992.0; /* 2^53 */

/* cJSON says only that it failed; this remembers that memory was the reason. */
static _Thread_local int out_of_memory;

static void *alloc_hook(size_t size)
{
    void *p = mem_alloc(size, 1);
    if (!p)
        out_of_memory = 1;
    return p;
}

void json_init(void)
{
    cJSON_Hooks hooks = {alloc_hook, mem_free};
    cJSON_InitHooks(&hooks);
}

const cJSON *json_get(const cJSON *obj, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(obj, key);
}

const char *json_str(const cJSON *obj, const char *key)
{
    const cJSON *v = json_get(obj, key);
    return cJSON_IsString(v) ? v->valuestring : NULL;
}

double json_num(const cJSON *obj, const char *key, double otherwise)
{
    const cJSON *v = json_get(obj, key);
    return cJSON_IsNumber(v) && isfinite(v->valuedouble) ? v->valuedouble : otherwise;
}

int json_bool(const cJSON *obj, const char *key, int otherwise)
{
    const cJSON *v = json_get(obj, key);
    return cJSON_IsBool(v) ? cJSON_IsTrue(v) : otherwise;
}

int json_u64(const cJSON *obj, const char *key, uint64_t *out)
{
    const cJSON *v = json_get(obj, key);
    if (!cJSON_IsNumber(v) || !(v->valuedouble >= 0) || v->valuedouble > EXACT_MAX ||
        floor(v->valuedouble) < v->valuedouble)
        return 0;
    *out = (uint64_t)v->valuedouble;
    return 1;
}

static int cmp_keys(const void *a, const void *b)
{
    const cJSON *const *x = a, *const *y = b;
    return strcmp((*x)->string, (*y)->string);
}

/* Members of an object sorted by key; caller frees. NULL when empty or out of memory. */
static const cJSON **sorted_members(const cJSON *obj, size_t *n_out)
{
    const cJSON **list, *m;
    size_t n = 0;

    cJSON_ArrayForEach(m, obj) n++;
    *n_out = n;
    if (n == 0)
        return NULL;
    list = mem_alloc(n, sizeof(*list));
    if (!list)
        return NULL;
    n = 0;
    cJSON_ArrayForEach(m, obj) list[n++] = m;
    qsort(list, n, sizeof(*list), cmp_keys);
    return list;
}

/* cJSON keeps both of two equal keys and finds the first; here that is an error. */
static enum cai_status check_keys(const cJSON *v, int depth, char *err, size_t errlen)
{
    const cJSON **list, *m;
    enum cai_status st = CAI_OK;
    size_t n;

    if (depth > JSON_MAX_DEPTH)
        return err_set(CAI_LIMIT, err, errlen, "JSON nested deeper than %d levels",
                       JSON_MAX_DEPTH);
    if (cJSON_IsObject(v)) {
        list = sorted_members(v, &n);
        if (!list && n)
            return err_nomem(err, errlen, "JSON");
        for (size_t i = 1; i < n && st == CAI_OK; i++)
            if (strcmp(list[i - 1]->string, list[i]->string) == 0)
                st = err_set(CAI_PARSE, err, errlen, "key \"%.60s\" appears twice",
                             list[i]->string);
        mem_free((void *)list);
    }
    if (cJSON_IsObject(v) || cJSON_IsArray(v))
        cJSON_ArrayForEach(m, v) if (st == CAI_OK) st =
            check_keys(m, depth + 1, err, errlen);
    return st;
}

/* What cJSON lets pass: control characters, and NUL in a string, where the C string that
 * comes out would end early. Outside of strings a backslash is an error anyway. */
static enum cai_status check_characters(const char *text, size_t len, char *err,
                                        size_t errlen)
{
    int in_string = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 && (in_string || !c || !strchr("\t\n\r", c)))
            return err_set(CAI_PARSE, err, errlen, "byte %zu: control character 0x%02x",
                           i, c);
        if (c == '"')
            in_string = !in_string;
        if (c != '\\')
            continue;
        if (len - i >= 6 && memcmp(text + i, "\\u0000", 6) == 0)
            return err_set(CAI_PARSE, err, errlen,
                           "byte %zu: a NUL character in a string", i);
        i++;
    }
    return CAI_OK;
}

enum cai_status json_parse(cJSON **dst, const char *text, size_t len, char *err,
                           size_t errlen)
{
    const char *end = NULL;
    enum cai_status st;
    cJSON *doc;
    size_t bad;

    *dst = NULL;
    bad = utf8_invalid_at(text, len);
    if (bad < len)
        return err_set(CAI_PARSE, err, errlen, "byte %zu: not valid UTF-8", bad);
    st = check_characters(text, len, err, errlen);
    if (st != CAI_OK)
        return st;
    out_of_memory = 0;
    doc = cJSON_ParseWithLengthOpts(text, len, &end, 0);
    if (!doc && out_of_memory)
        return err_nomem(err, errlen, "JSON");
    if (!doc)
        return err_set(CAI_PARSE, err, errlen, "byte %zu: not valid JSON",
                       end ? (size_t)(end - text) : (size_t)0);
    while (end < text + len && strchr(" \t\r\n", *end) && *end)
        end++;
    if (end < text + len) {
        cJSON_Delete(doc);
        return err_set(CAI_PARSE, err, errlen, "byte %zu: text after the JSON document",
                       (size_t)(end - text));
    }
    st = check_keys(doc, 0, err, errlen);
    if (st != CAI_OK) {
        cJSON_Delete(doc);
        return st;
    }
    *dst = doc;
    return CAI_OK;
}

enum cai_status json_write_string(struct strbuf *out, const char *text, size_t len)
{
    static const char short_escapes[] = "\b\t\n\v\f\r";
    static const char letters[] = "btn\0fr";
    enum cai_status st = strbuf_addc(out, '"');
    size_t run = 0;

    for (size_t i = 0; i <= len && st == CAI_OK; i++) {
        unsigned char c = i < len ? (unsigned char)text[i] : '"';
        const char *esc;
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        st = strbuf_add(out, text + run, i - run);
        run = i + 1;
        if (i == len || st != CAI_OK)
            break;
        esc = c ? strchr(short_escapes, c) : NULL;
        if (c == '"' || c == '\\')
            st = strbuf_addf(out, "\\%c", c);
        else if (esc && letters[esc - short_escapes])
            st = strbuf_addf(out, "\\%c", letters[esc - short_escapes]);
        else
            st = strbuf_addf(out, "\\u%04x", c);
    }
    return st == CAI_OK ? strbuf_addc(out, '"') : st;
}

static enum cai_status write_number(struct strbuf *out, double v)
{
    char text[40], *w = text;

    if (!isfinite(v))
        return strbuf_adds(out, "null");
    if (fabs(v) < EXACT_MAX && !(floor(v) < v))
        return strbuf_addf(out, "%.0f", v);
    /* The shortest text that reads back as the same double. */
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (!(strtod(text, NULL) < v) && !(strtod(text, NULL) > v))
            break;
    }
    /* A locale may write another decimal point. */
    for (const char *p = text; *p; p++)
        if (strchr("+-0123456789e", *p))
            *w++ = *p;
        else if (((unsigned char)*p & 0xC0) != 0x80)
            *w++ = '.';
    *w = '\0';
    return strbuf_adds(out, text);
}

static enum cai_status newline_indent(struct strbuf *out, int depth)
{
    enum cai_status st = strbuf_addc(out, '\n');
    for (int i = 0; i < depth && st == CAI_OK; i++)
        st = strbuf_adds(out, "  ");
    return st;
}

static enum cai_status write_value(struct strbuf *out, const cJSON *v, int depth)
{
    enum cai_status st;
    const cJSON **list = NULL, *m;
    size_t n = 0, i = 0;
    int is_obj = cJSON_IsObject(v);

    if (cJSON_IsString(v))
        return json_write_string(out, v->valuestring, strlen(v->valuestring));
    if (cJSON_IsNumber(v))
        return write_number(out, v->valuedouble);
    if (cJSON_IsBool(v))
        return strbuf_adds(out, cJSON_IsTrue(v) ? "true" : "false");
    if (!is_obj && !cJSON_IsArray(v))
        return strbuf_adds(out, "null");
    if (is_obj) {
        list = sorted_members(v, &n);
        if (!list && n)
            return CAI_NOMEM;
    }
    st = strbuf_addc(out, is_obj ? '{' : '[');
    for (m = v->child; m && st == CAI_OK; m = m->next, i++) {
        const cJSON *item = list ? list[i] : m;
        if (i)
            st = strbuf_addc(out, ',');
        if (st == CAI_OK)
            st = newline_indent(out, depth + 1);
        if (st == CAI_OK && is_obj)
            st = json_write_string(out, item->string, strlen(item->string));
        if (st == CAI_OK && is_obj)
            st = strbuf_adds(out, ": ");
        if (st == CAI_OK)
            st = write_value(out, item, depth + 1);
    }
    mem_free((void *)list);
    if (st == CAI_OK && v->child)
        st = newline_indent(out, depth);
    return st == CAI_OK ? strbuf_addc(out, is_obj ? '}' : ']') : st;
}

enum cai_status json_write_canonical(struct strbuf *out, const cJSON *doc)
{
    enum cai_status st = write_value(out, doc, 0);
    return st == CAI_OK ? strbuf_addc(out, '\n') : st;
}

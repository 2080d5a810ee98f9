/* provenance.c: see provenance.h. Owns nothing. */
#include "session/provenance.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "pipeline/node.h"
#include "session/events.h"

enum { NUMBERS_MAX = JOURNAL_TEXT_LINE_MAX };

/* ---------------------------------------------------------------- writing */

struct writing {
    struct strbuf *out, *lines;
    struct texts *texts;
    uint64_t max_text;
    enum cai_status st;
    char *err;
    size_t errlen;
};

static void literal(struct writing *w, const char *s)
{
    if (w->st == CAI_OK)
        w->st = strbuf_adds(w->out, s);
}

static void number(struct writing *w, const char *first, uint64_t v)
{
    if (w->st == CAI_OK)
        w->st = strbuf_addf(w->out, "%s%" PRIu64, first, v);
}

static void string(struct writing *w, const char *first, const char *s)
{
    literal(w, first);
    if (w->st == CAI_OK)
        w->st = json_write_string(w->out, s, strlen(s));
}

/* The ordinal of a text. */
static void text(struct writing *w, const char *first, const char *s, size_t len)
{
    uint64_t ordinal = 0;

    if (w->st == CAI_OK)
        w->st = texts_add(w->texts, s, len, w->lines, &ordinal, w->err, w->errlen);
    if (w->st == CAI_OK && ordinal > w->max_text)
        w->max_text = ordinal;
    number(w, first, ordinal);
}

static void segments(struct writing *w, const char *first, const struct cai_segment *list,
                     size_t n)
{
    literal(w, first);
    for (size_t i = 0; i < n; i++) {
        text(w, i ? ",[" : "[", list[i].text, strlen(list[i].text));
        literal(w, list[i].special ? ",1]" : ",0]");
    }
    literal(w, "]");
}

static void floats(struct writing *w, const char *first, const float *v, size_t n)
{
    struct strbuf s = STRBUF_INIT(NUMBERS_MAX);

    for (size_t i = 0; i < n && w->st == CAI_OK; i++)
        w->st = strbuf_addf(&s, i ? " %.9g" : "%.9g", (double)v[i]);
    text(w, first, strbuf_str(&s), s.len);
    strbuf_free(&s);
}

static void tokens(struct writing *w, const char *first, const int32_t *v, size_t n)
{
    struct strbuf s = STRBUF_INIT(NUMBERS_MAX);

    for (size_t i = 0; i < n && w->st == CAI_OK; i++)
        w->st = strbuf_addf(&s, i ? " %" PRId32 : "%" PRId32, v[i]);
    text(w, first, strbuf_str(&s), s.len);
    strbuf_free(&s);
}

/* Is the text the stated range of the raw one? A range that is not is stored as given. */
static int is_trim(const struct cai_node *n)
{
    size_t raw = strlen(n->raw), len = strlen(n->text);

    return n->trim_len == len && n->trim_begin <= raw && len <= raw - n->trim_begin &&
           memcmp(n->raw + n->trim_begin, n->text, len) == 0;
}

static void arrays(struct writing *w, const struct cai_node *n)
{
    number(w, ",\"n_tokens\":", n->n_tokens);
    if (n->n_tokens && n->tokens)
        tokens(w, ",\"tokens\":", n->tokens, n->n_tokens);
    if (n->n_tokens && n->logprob)
        floats(w, ",\"logprob\":", n->logprob, n->n_tokens);
    if (n->n_tokens && n->logprob_a)
        floats(w, ",\"logprob_a\":", n->logprob_a, n->n_tokens);
    if (n->n_tokens && n->logprob_b)
        floats(w, ",\"logprob_b\":", n->logprob_b, n->n_tokens);
}

enum cai_status provenance_write(struct strbuf *out, const struct cai_node *n,
                                 struct texts *texts, struct strbuf *lines,
                                 uint64_t *max_text, char *err, size_t errlen)
{
    struct writing w = {.out = out,
                        .lines = lines,
                        .texts = texts,
                        .st = event_check_settings(&n->settings, err, errlen),
                        .err = err,
                        .errlen = errlen};

    if (w.st != CAI_OK)
        return w.st;
    if (errlen)
        err[0] = '\0';
    string(&w, "{\"kind\":", cai_node_kind_name(n->kind));
    string(&w, ",\"finish\":", cai_finish_name(n->finish));
    number(&w, ",\"edited\":", n->edited ? 1 : 0);
    number(&w, ",\"replaces\":", n->replaces);
    string(&w, ",\"author\":", n->author);
    text(&w, ",\"raw\":", n->raw, strlen(n->raw));
    number(&w, ",\"trim\":[", n->trim_begin);
    number(&w, ",", n->trim_len);
    literal(&w, "]");
    if (!is_trim(n))
        text(&w, ",\"text\":", n->text, strlen(n->text));
    string(&w, ",\"principle\":", n->principle);
    string(&w, ",\"constitution\":", n->constitution);
    string(&w, ",\"fewshots\":", n->fewshots);
    segments(&w, ",\"segments\":[", n->segments, n->n_segments);
    segments(&w, ",\"against\":[", n->against, n->n_against);
    arrays(&w, n);
    literal(&w, ",\"settings\":");
    if (w.st == CAI_OK)
        w.st = event_write_settings(out, &n->settings);
    number(&w, ",\"step\":", n->step);
    number(&w, ",\"draw\":", n->draw);
    string(&w, ",\"model\":", n->model);
    string(&w, ",\"chat_template\":", n->chat_template);
    if (w.st == CAI_OK)
        w.st = strbuf_addf(out, ",\"time_ms\":%" PRId64 ",\"tok_per_s\":%.17g}",
                           n->time_ms, isfinite(n->tok_per_s) ? n->tok_per_s : 0.0);
    *max_text = w.max_text;
    if (w.st == CAI_LIMIT && errlen && !err[0])
        err_set(w.st, err, errlen, "a link too large for one event (%d bytes)",
                (int)JOURNAL_LINE_MAX);
    if (w.st == CAI_NOMEM)
        err_nomem(err, errlen, "link");
    return w.st;
}

/* ---------------------------------------------------------------- reading */

struct reading {
    const cJSON *data;
    struct texts *texts;
    enum cai_status st; /* of the first failure */
    char *err;
    size_t errlen;
};

static void fail(struct reading *r, enum cai_status st, const char *what)
{
    if (r->st == CAI_OK)
        r->st = err_set(st, r->err, r->errlen, "%s", what);
}

static void read_name(struct reading *r, char **field, const char *key)
{
    const char *s = json_str(r->data, key);

    if (!s)
        fail(r, CAI_CORRUPT, "a link without all of its provenance");
    else if (!node_set_string(field, s))
        fail(r, CAI_NOMEM, "link: out of memory");
}

/* NULL after a failure. */
static char *read_text(struct reading *r, uint64_t ordinal, size_t *len)
{
    char err[ERR_MAX] = "", *s = NULL;
    enum cai_status st = texts_get(r->texts, ordinal, &s, len, err, sizeof err);

    if (st != CAI_OK)
        fail(r, st, err);
    return s;
}

static void read_text_of(struct reading *r, char **field, const char *key)
{
    uint64_t ordinal;
    size_t len;
    char *s;

    if (!json_u64(r->data, key, &ordinal)) {
        fail(r, CAI_CORRUPT, "a link without its text");
        return;
    }
    s = read_text(r, ordinal, &len);
    if (s) {
        mem_free(*field);
        *field = s;
    }
}

static void read_segments(struct reading *r, struct cai_segment **dst, size_t *n,
                          const char *key)
{
    const cJSON *list = json_get(r->data, key), *row;
    size_t count = 0, len;

    cJSON_ArrayForEach(row, list) count++;
    if (!count)
        return;
    *dst = mem_alloc(count, sizeof **dst);
    if (!*dst) {
        fail(r, CAI_NOMEM, "link: out of memory");
        return;
    }
    cJSON_ArrayForEach(row, list)
    {
        const cJSON *ordinal = cJSON_GetArrayItem(row, 0);
        const cJSON *special = cJSON_GetArrayItem(row, 1);
        char *s = NULL;
        if (cJSON_IsNumber(ordinal) && cJSON_IsNumber(special) &&
            ordinal->valuedouble > 0 && ordinal->valuedouble < 4294967296.0)
            s = read_text(r, (uint64_t)ordinal->valuedouble, &len);
        else
            fail(r, CAI_CORRUPT, "a prompt as sent that cannot be read");
        if (!s)
            return; /* what is there already is freed with the node */
        (*dst)[*n].text = s;
        (*dst)[*n].special = special->valuedouble > 0;
        (*n)++;
    }
}

/* One number of a list; 0 when there is none or it does not fit. */
static int next_float(const char **p, float *v)
{
    char *end;

    *v = strtof(*p, &end);
    if (end == *p)
        return 0;
    *p = end;
    return 1;
}

static int next_token(const char **p, int32_t *v)
{
    char *end;
    long x = strtol(*p, &end, 10);

    if (end == *p || x < INT32_MIN || x > INT32_MAX)
        return 0;
    *v = (int32_t)x;
    *p = end;
    return 1;
}

/* A list of n numbers under key, NULL when there is none. is_float tells which. */
static void *read_numbers(struct reading *r, const char *key, size_t n, int is_float)
{
    uint64_t ordinal;
    size_t len, i = 0;
    char *s, *list;
    const char *p;

    if (!json_u64(r->data, key, &ordinal))
        return NULL;
    s = read_text(r, ordinal, &len);
    if (!s)
        return NULL;
    list = n <= len ? mem_alloc(n, 4) : NULL; /* a number has at least one digit */
    p = s;
    for (; list && i < n; i++)
        if (is_float ? !next_float(&p, (float *)(void *)list + i)
                     : !next_token(&p, (int32_t *)(void *)list + i))
            break;
    if (!list && n <= len)
        fail(r, CAI_NOMEM, "link: out of memory");
    else if (!list || i < n || *p) {
        fail(r, CAI_CORRUPT, "a list of numbers that cannot be read");
        mem_free(list);
        list = NULL;
    }
    mem_free(s);
    return list;
}

static uint64_t read_u64(struct reading *r, const char *key)
{
    uint64_t v = 0;

    if (!json_u64(r->data, key, &v))
        fail(r, CAI_CORRUPT, "a link without all of its provenance");
    return v;
}

static void read_kinds(struct reading *r, struct cai_node *n)
{
    const char *kind = json_str(r->data, "kind"), *finish = json_str(r->data, "finish");
    int found = 0;

    for (int i = CAI_NODE_INITIAL; kind && i < CAI_NODE_KINDS; i++)
        if (strcmp(kind, cai_node_kind_name((enum cai_node_kind)i)) == 0) {
            n->kind = (enum cai_node_kind)i;
            found |= 1;
        }
    for (int i = CAI_FINISH_EOS; finish && i <= CAI_FINISH_HUMAN; i++)
        if (strcmp(finish, cai_finish_name((enum cai_finish)i)) == 0) {
            n->finish = (enum cai_finish)i;
            found |= 2;
        }
    if (found != 3)
        fail(r, CAI_CORRUPT, "a link of an unknown kind");
}

/* The text is stored, or a range of the raw one. */
static void read_trim(struct reading *r, struct cai_node *n)
{
    const cJSON *trim = json_get(r->data, "trim");
    const cJSON *begin = cJSON_GetArrayItem(trim, 0), *len = cJSON_GetArrayItem(trim, 1);
    size_t raw = strlen(n->raw);
    char *s;

    if (!cJSON_IsNumber(begin) || !cJSON_IsNumber(len) || !(begin->valuedouble >= 0) ||
        !(len->valuedouble >= 0)) {
        fail(r, CAI_CORRUPT, "a link without the range of its text");
        return;
    }
    n->trim_begin = (size_t)begin->valuedouble;
    n->trim_len = (size_t)len->valuedouble;
    if (json_get(r->data, "text")) {
        read_text_of(r, &n->text, "text");
        return;
    }
    if (n->trim_begin > raw || n->trim_len > raw - n->trim_begin) {
        fail(r, CAI_CORRUPT, "a link whose text is not within what was sampled");
        return;
    }
    s = mem_strndup(n->raw + n->trim_begin, n->trim_len);
    if (!s) {
        fail(r, CAI_NOMEM, "link: out of memory");
        return;
    }
    mem_free(n->text);
    n->text = s;
}

enum cai_status provenance_read(struct cai_node *n, const cJSON *data,
                                struct texts *texts, char *err, size_t errlen)
{
    struct reading r = {data, texts, CAI_OK, err, errlen};

    read_kinds(&r, n);
    n->edited = read_u64(&r, "edited") != 0;
    n->replaces = (uint32_t)read_u64(&r, "replaces");
    read_name(&r, &n->author, "author");
    read_name(&r, &n->principle, "principle");
    read_name(&r, &n->constitution, "constitution");
    read_name(&r, &n->fewshots, "fewshots");
    read_name(&r, &n->model, "model");
    read_name(&r, &n->chat_template, "chat_template");
    read_text_of(&r, &n->raw, "raw");
    if (r.st == CAI_OK)
        read_trim(&r, n);
    read_segments(&r, &n->segments, &n->n_segments, "segments");
    read_segments(&r, &n->against, &n->n_against, "against");
    n->n_tokens = (size_t)read_u64(&r, "n_tokens");
    n->tokens = read_numbers(&r, "tokens", n->n_tokens, 0);
    n->logprob = read_numbers(&r, "logprob", n->n_tokens, 1);
    n->logprob_a = read_numbers(&r, "logprob_a", n->n_tokens, 1);
    n->logprob_b = read_numbers(&r, "logprob_b", n->n_tokens, 1);
    if (!n->tokens && !n->logprob && !n->logprob_a)
        n->n_tokens = 0;
    if (!event_read_settings(&n->settings, json_get(data, "settings")))
        fail(&r, CAI_CORRUPT, "a link whose settings cannot be read");
    n->step = (uint32_t)read_u64(&r, "step");
    n->draw = (uint32_t)read_u64(&r, "draw");
    n->time_ms = (int64_t)json_num(data, "time_ms", 0);
    n->tok_per_s = json_num(data, "tok_per_s", 0);
    return r.st;
}

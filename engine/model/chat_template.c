/* chat_template.c: see chat_template.h. */
#include "model/chat_template.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/utf8.h"

enum { MARKERS_MAX = 4, SIGNS_MAX = 3, SEGMENTS_MAX = 1 << 20 };

struct chat_template {
    const char *name;
    const char *sign[SIGNS_MAX];     /* a template of this family has them all */
    const char *foreign[SIGNS_MAX];  /* and none of these */
    const char *marker[MARKERS_MAX]; /* control tokens, where the vocabulary has them */
    const char *before[CHAT_ROLES];  /* NULL: no such role */
    const char *after[CHAT_ROLES];   /* a trailing space of before[assistant] belongs to
                                        the answer: an empty answer has none */
    const char *stop;                /* what ends an answer */
    int trim;                        /* white space around the text of a turn goes */
};

/* Order matters for recognition: the first family that fits. */
static const struct chat_template table[] = {
    {
        .name = "chatml",
        .sign = {"<|im_start|>"},
        .marker = {"<|im_start|>", "<|im_end|>"},
        .before = {"<|im_start|>system\n", "<|im_start|>user\n",
                   "<|im_start|>assistant\n"},
        .after = {"<|im_end|>\n", "<|im_end|>\n", "<|im_end|>\n"},
        .stop = "<|im_end|>",
    },
    {
        .name = "llama-3",
        .sign = {"<|start_header_id|>", "<|eot_id|>"},
        .marker = {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
        .before = {"<|start_header_id|>system<|end_header_id|>\n\n",
                   "<|start_header_id|>user<|end_header_id|>\n\n",
                   "<|start_header_id|>assistant<|end_header_id|>\n\n"},
        .after = {"<|eot_id|>", "<|eot_id|>", "<|eot_id|>"},
        .stop = "<|eot_id|>",
        .trim = 1,
    },
    {
        .name = "mistral",
        .sign = {"[INST]"},
        .foreign = {"<<SYS>>", "[SYSTEM_PROMPT]"},
        .marker = {"[INST]", "[/INST]", "</s>"},
        .before = {NULL, " [INST] ", " "},
        .after = {NULL, " [/INST]", "</s>"},
        .stop = "</s>",
    },
    {
        .name = "gemma",
        .sign = {"<start_of_turn>", "<end_of_turn>"},
        .marker = {"<start_of_turn>", "<end_of_turn>"},
        .before = {NULL, "<start_of_turn>user\n", "<start_of_turn>model\n"},
        .after = {NULL, "<end_of_turn>\n", "<end_of_turn>\n"},
        .stop = "<end_of_turn>",
        .trim = 1,
    },
    {
        .name = "zephyr",
        .sign = {"<|assistant|>", "eos_token"},
        .foreign = {"<|end|>", "[gMASK]", "<|end_of_text|>"},
        .marker = {"<|system|>", "<|user|>", "<|assistant|>", "</s>"},
        .before = {"<|system|>\n", "<|user|>\n", "<|assistant|>\n"},
        .after = {"</s>\n", "</s>\n", "</s>\n"},
        .stop = "</s>",
    },
    {
        .name = "plain",
        .sign = {"Human: ", "Assistant:"},
        .foreign = {"<|", "[INST]"},
        .before = {"", "\n\nHuman: ", "\n\nAssistant: "},
        .after = {"", "", ""},
        .stop = "\n\nHuman:",
    },
};
enum { N_FAMILIES = sizeof table / sizeof *table };

const struct chat_template *chat_template_find(const char *name)
{
    for (size_t i = 0; i < N_FAMILIES; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

static int has(const char *text, size_t len, const char *what)
{
    return memmem(text, len, what, strlen(what)) != NULL;
}

const struct chat_template *chat_template_recognise(const char *text, size_t len)
{
    for (size_t i = 0; i < N_FAMILIES; i++) {
        int fits = 1;
        for (size_t k = 0; k < SIGNS_MAX && table[i].sign[k]; k++)
            fits = fits && has(text, len, table[i].sign[k]);
        for (size_t k = 0; k < SIGNS_MAX && table[i].foreign[k]; k++)
            fits = fits && !has(text, len, table[i].foreign[k]);
        if (fits)
            return &table[i];
    }
    return NULL;
}

const char *chat_template_name(const struct chat_template *t)
{
    return t ? t->name : "unknown";
}

const char *chat_template_names(void)
{
    return "chatml, llama-3, mistral, gemma, zephyr, plain";
}

enum cai_status chat_template_choose(const struct chat_template **dst,
                                     const struct gguf *g, const char *name, char *err,
                                     size_t errlen)
{
    struct gguf_str text;

    *dst = NULL;
    if (name) {
        *dst = chat_template_find(name);
        if (!*dst)
            return err_set(CAI_INVALID, err, errlen,
                           "no chat template \"%s\"; choose one of %s", name,
                           chat_template_names());
    } else if (gguf_get_str(g, "tokenizer.chat_template", &text)) {
        *dst = chat_template_recognise(text.data, text.len);
    }
    return CAI_OK;
}

/* ------------------------------------------------------------------ rendering */

struct renderer {
    const struct chat_template *t;
    const struct tokenizer *tok;
    struct cai_segment *seg;
    size_t n, cap;
};

/* An empty text adds nothing. */
static enum cai_status add(struct renderer *r, const char *text, size_t len, int special)
{
    if (len == 0)
        return CAI_OK;
    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 16;
        struct cai_segment *p;
        if (cap > SEGMENTS_MAX)
            return CAI_LIMIT;
        p = mem_resize(r->seg, cap, sizeof *p);
        if (!p)
            return CAI_NOMEM;
        r->seg = p;
        r->cap = cap;
    }
    r->seg[r->n].text = mem_strndup(text, len);
    r->seg[r->n].special = special;
    if (!r->seg[r->n].text)
        return CAI_NOMEM;
    r->n++;
    return CAI_OK;
}

/* Text of the table: its markers become special where the vocabulary has them. */
static enum cai_status add_markup(struct renderer *r, const char *text, size_t len)
{
    size_t begin = 0;

    for (size_t i = 0; i < len;) {
        size_t n = 0;
        enum cai_status st;
        for (size_t k = 0; k < MARKERS_MAX && r->t->marker[k]; k++) {
            size_t m = strlen(r->t->marker[k]);
            if (m <= len - i && memcmp(text + i, r->t->marker[k], m) == 0 &&
                tokenizer_control(r->tok, text + i, m) >= 0)
                n = m;
        }
        if (n == 0) {
            i++;
            continue;
        }
        st = add(r, text + begin, i - begin, 0);
        if (st == CAI_OK)
            st = add(r, text + i, n, 1);
        if (st != CAI_OK)
            return st;
        begin = i += n;
    }
    return add(r, text + begin, len - begin, 0);
}

/* What template engines trim: Unicode white space and the separators U+001C to U+001F. */
static int is_space(uint32_t cp)
{
    return (cp >= 0x09 && cp <= 0x0D) || (cp >= 0x1C && cp <= 0x20) || cp == 0x85 ||
           cp == 0xA0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 ||
           cp == 0x2029 || cp == 0x202F || cp == 0x205F || cp == 0x3000;
}

static enum cai_status add_text(struct renderer *r, const char *text)
{
    size_t len = strlen(text), begin = 0, end = 0;

    if (!r->t->trim)
        return add(r, text, len, 0);
    for (size_t i = 0; i < len;) {
        uint32_t cp = 0;
        size_t n = utf8_decode(&cp, text + i, len - i);
        int space = n && is_space(cp);
        i += n ? n : 1;
        if (!space)
            end = i;
        else if (end == 0)
            begin = i;
    }
    return end ? add(r, text + begin, end - begin, 0) : CAI_OK;
}

/* The markup before a turn; of an answer that says nothing yet, without the space that
 * its first word will bring. */
static enum cai_status add_before(struct renderer *r, enum chat_role role, int empty)
{
    const char *s = r->t->before[role];
    size_t len = strlen(s);

    if (empty && role == CHAT_ASSISTANT && len && s[len - 1] == ' ')
        len--;
    return add_markup(r, s, len);
}

static enum cai_status add_turn(struct renderer *r, const struct chat_message *m,
                                const char *system)
{
    enum cai_status st = add_before(r, m->role, 0);

    if (st == CAI_OK && system)
        st = add(r, system, strlen(system), 0);
    if (st == CAI_OK && system)
        st = add(r, "\n\n", 2, 0);
    if (st == CAI_OK)
        st = add_text(r, m->text);
    if (st == CAI_OK)
        st = add_markup(r, r->t->after[m->role], strlen(r->t->after[m->role]));
    return st;
}

static enum cai_status add_bos(struct renderer *r)
{
    size_t len;
    const char *name = tokenizer_piece(r->tok, tokenizer_bos(r->tok), &len);

    if (!tokenizer_adds_bos(r->tok) || tokenizer_control(r->tok, name, len) < 0)
        return CAI_OK;
    return add(r, name, len, 1);
}

enum cai_status chat_template_render(struct cai_segment **segments, size_t *n,
                                     const struct chat_template *t,
                                     const struct tokenizer *tok,
                                     const struct chat_message *messages,
                                     size_t n_messages, const char *answer, char *err,
                                     size_t errlen)
{
    struct renderer r = {.t = t, .tok = tok};
    const char *system = NULL; /* waits for the first user turn */
    enum cai_status st;

    *segments = NULL;
    *n = 0;
    if (!t)
        return err_set(CAI_UNSUPPORTED, err, errlen,
                       "the chat template of the model is unknown; choose one of %s",
                       chat_template_names());
    st = add_bos(&r);
    for (size_t i = 0; i < n_messages && st == CAI_OK; i++) {
        const struct chat_message *m = &messages[i];
        if (m->role == CHAT_SYSTEM && i > 0) {
            st = err_set(CAI_INVALID, err, errlen,
                         "message %zu is a system message; only the first can be one",
                         i + 1);
        } else if (!t->before[m->role]) {
            system = m->text;
            if (n_messages < 2 || messages[1].role != CHAT_USER)
                st = err_set(CAI_INVALID, err, errlen,
                             "the %s template has no system turn of its own; a user "
                             "message must follow the system message",
                             t->name);
        } else {
            st = add_turn(&r, m, system);
            system = NULL;
        }
    }
    if (st == CAI_OK && answer)
        st = add_before(&r, CHAT_ASSISTANT, *answer == '\0');
    if (st == CAI_OK && answer)
        st = add(&r, answer, strlen(answer), 0);
    if (st == CAI_OK) {
        *segments = r.seg;
        *n = r.n;
        return CAI_OK;
    }
    if (st == CAI_NOMEM)
        err_nomem(err, errlen, "prompt");
    if (st == CAI_LIMIT)
        err_set(st, err, errlen, "a conversation of more than %d segments", SEGMENTS_MAX);
    chat_segments_free(r.seg, r.n);
    return st;
}

void chat_segments_free(struct cai_segment *segments, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mem_free(segments[i].text);
    mem_free(segments);
}

/* ------------------------------------------------------------------ encoding */

struct id_list {
    int32_t *ids;
    size_t n;
};

static enum cai_status append(struct id_list *l, const int32_t *ids, size_t n)
{
    int32_t *p;

    if (n == 0)
        return CAI_OK;
    p = mem_resize(l->ids, l->n + n, sizeof *p);
    if (!p)
        return CAI_NOMEM;
    l->ids = p;
    memcpy(p + l->n, ids, n * sizeof *p);
    l->n += n;
    return CAI_OK;
}

/* The plain text gathered since the last control token. */
static enum cai_status flush(struct id_list *l, const struct tokenizer *tok,
                             struct strbuf *text, int at_start, char *err, size_t errlen)
{
    int32_t *ids = NULL;
    size_t n = 0;
    int space = at_start && text->len && text->data[0] != ' ';
    enum cai_status st = (space ? tokenizer_encode
                                : tokenizer_encode_rest)(tok, strbuf_str(text), text->len,
                                                         &ids, &n, err, errlen);
    if (st == CAI_OK && append(l, ids, n) != CAI_OK)
        st = err_nomem(err, errlen, "prompt");
    mem_free(ids);
    strbuf_reset(text);
    return st;
}

enum cai_status chat_segments_encode(const struct tokenizer *tok,
                                     const struct cai_segment *segments, size_t n,
                                     int32_t **ids, size_t *n_ids, char *err,
                                     size_t errlen)
{
    struct strbuf text = STRBUF_INIT(TOKENIZER_TEXT_MAX);
    struct id_list l = {NULL, 0};
    enum cai_status st = CAI_OK;
    int at_start = 1; /* nothing but BOS so far */

    *ids = NULL;
    *n_ids = 0;
    for (size_t i = 0; i < n && st == CAI_OK; i++) {
        int32_t id;
        if (!segments[i].special) {
            st = strbuf_adds(&text, segments[i].text);
            if (st != CAI_OK)
                err_set(st, err, errlen, "a prompt of more than %d bytes of text",
                        TOKENIZER_TEXT_MAX);
            continue;
        }
        st = flush(&l, tok, &text, at_start, err, errlen);
        if (st != CAI_OK)
            break;
        id = tokenizer_control(tok, segments[i].text, strlen(segments[i].text));
        if (id < 0)
            st = err_set(CAI_INVALID, err, errlen,
                         "the vocabulary has no control token \"%s\"", segments[i].text);
        else if (append(&l, &id, 1) != CAI_OK)
            st = err_nomem(err, errlen, "prompt");
        at_start = at_start && l.n == 1 && id == tokenizer_bos(tok);
    }
    if (st == CAI_OK)
        st = flush(&l, tok, &text, at_start, err, errlen);
    if (st == CAI_OK) {
        *ids = l.ids;
        *n_ids = l.n;
        l.ids = NULL;
    }
    mem_free(l.ids);
    strbuf_free(&text);
    return st;
}

const char *chat_template_stop(const struct chat_template *t, const struct tokenizer *tok)
{
    int32_t id = tokenizer_control(tok, t->stop, strlen(t->stop));
    return tokenizer_is_eog(tok, id) ? NULL : t->stop;
}

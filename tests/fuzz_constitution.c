/* fuzz_constitution.c: constitutions and few-shot sets from hostile bytes. */
#include <string.h>

#include "base/err.h"
#include "cai.h"
#include "pipeline/fewshots.h"

static const char *const examples[] = {
    "{\"version\": 1, \"title\": \"T\", \"principles\": [\n"
    "{\"id\": \"a\", \"statement\": \"Be kind.\", \"opposite\": \"Be unkind.\",\n"
    " \"critique_request\": \"c\", \"revision_request\": \"r \\u00e9\\n\",\n"
    " \"preference_question\": \"q\", \"weight\": 2.5, \"enabled\": true,\n"
    " \"tags\": [\"x\", \"y\"], \"own\": {\"deep\": [1, null]}},\n"
    "{\"id\": \"b\", \"enabled\": false}]}",
    "{\"version\":1,\"id\":\"s\",\"kind\":\"critique-revision\",\"items\":[{\"prompt\":"
    "\"p\",\"response\":\"r\",\"critique_request\":\"c\",\"critique\":\"d\","
    "\"revision_request\":\"e\",\"revision\":\"f\"}]}",
};

static void edit(struct cai_constitution *c)
{
    char err[ERR_MAX];
    size_t n = cai_constitution_count(c);

    if (cai_constitution_insert(c, n / 2, err, sizeof err) == CAI_OK)
        cai_constitution_move(c, n / 2, n, err, sizeof err);
    cai_constitution_set(c, 0, CAI_FIELD_TITLE, "new", err, sizeof err);
    cai_constitution_remove(c, 0, err, sizeof err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct cai_constitution *c = NULL, *again = NULL;
    struct fewshots *f = NULL;
    struct cai_lint *problems = NULL;
    char err[ERR_MAX], *text = NULL;
    size_t n, n_text;
    static int ready;

    if (!ready)
        cai_init();
    ready = 1;
    if (fewshots_parse(&f, (const char *)data, len, err, sizeof err) == CAI_OK)
        fewshots_free(f);
    if (cai_constitution_parse(&c, (const char *)data, len, err, sizeof err) != CAI_OK)
        return 0;
    if (cai_constitution_lint(c, &problems, &n, err, sizeof err) == CAI_OK)
        cai_free(problems);
    /* What was written reads back as the same constitution. */
    if (cai_constitution_write(c, &text, &n_text, err, sizeof err) != CAI_OK ||
        cai_constitution_parse(&again, text, n_text, err, sizeof err) != CAI_OK ||
        strcmp(cai_constitution_hash(c), cai_constitution_hash(again)) != 0)
        __builtin_trap();
    edit(c);
    cai_free(text);
    cai_constitution_free(again);
    cai_constitution_free(c);
    return 0;
}

#include "fuzz_main.h"

#ifndef FUZZ_LIBFUZZER
static size_t fuzz_example(uint8_t *buf, size_t max, uint32_t i)
{
    const char *s = examples[i % (sizeof examples / sizeof *examples)];
    size_t n = strlen(s) < max ? strlen(s) : max;
    memcpy(buf, s, n);
    return n;
}
#endif

/*
 * fuzz_json.c: any bytes for the JSON reader. What it accepts is written, read and
 * written again with the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/utf8.h"

static void must(int ok)
{
    if (!ok)
        abort();
}

static void check_written(const cJSON *doc)
{
    struct strbuf a = STRBUF_INIT(16 << 20), b = STRBUF_INIT(16 << 20);
    char err[ERR_MAX];
    cJSON *again = NULL;

    must(json_write_canonical(&a, doc) == CAI_OK);
    must(utf8_invalid_at(a.data, a.len) == a.len);
    must(json_parse(&again, a.data, a.len, err, sizeof err) == CAI_OK);
    must(json_write_canonical(&b, again) == CAI_OK);
    must(a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
    cJSON_Delete(again);
    strbuf_free(&a);
    strbuf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char err[ERR_MAX] = "";
    cJSON *doc = NULL;

    if (json_parse(&doc, (const char *)data, len, err, sizeof err) != CAI_OK) {
        must(!doc && err[0]);
        return 0;
    }
    check_written(doc);
    cJSON_Delete(doc);
    return 0;
}

#include "fuzz_main.h"

#ifndef FUZZ_LIBFUZZER
static size_t fuzz_example(uint8_t *buf, size_t max, uint32_t i)
{
    static const char *const texts[] = {
        "{\"version\":1,\"principles\":[{\"id\":\"p1\",\"weight\":0.5,\"tags\":[]}]}",
        "[-0,1e300,-2.5E-7,9007199254740993,true,false,null,\"\\u00e9\\ud83d\\ude42\"]",
        " { \"a\\n\\\"\" : { \"\" : [ [ ] , { } ] } } \n",
        "\"na\xC3\xAFve \xF0\x9F\x99\x82 \\/ \\\\ \\b\\f\"",
    };
    const char *s = texts[i % (sizeof texts / sizeof *texts)];
    size_t n = strlen(s) < max ? strlen(s) : max;

    memcpy(buf, s, n);
    return n;
}
#endif

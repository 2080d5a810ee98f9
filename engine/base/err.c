/* err.c: see err.h. Owns no memory. Any thread. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *cai_status_name(enum cai_status st)
{
    static const char *const names[] = {
        [CAI_OK] = "ok",         [CAI_INVALID] = "invalid",
        [CAI_IO] = "io",         [CAI_PARSE] = "parse",
        [CAI_NOMEM] = "nomem",   [CAI_CANCELLED] = "cancelled",
        [CAI_REMOTE] = "remote", [CAI_CORRUPT] = "corrupt",
        [CAI_BUSY] = "busy",     [CAI_UNSUPPORTED] = "unsupported",
        [CAI_LIMIT] = "limit",
    };
    return (size_t)st < sizeof names / sizeof *names ? names[st] : "unknown";
}

enum cai_status err_set(enum cai_status st, char *err, size_t errlen, const char *fmt,
                        ...)
{
    va_list ap;
    int n;

    if (!err || errlen == 0)
        return st;
    va_start(ap, fmt);
    n = vsnprintf(err, errlen, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n >= errlen && errlen > 4) {
        size_t cut = errlen - 4;
        while (cut > 0 && ((unsigned char)err[cut] & 0xC0) == 0x80)
            cut--; /* whole characters */
        memcpy(err + cut, "...", 4);
    }
    return st;
}

void err_prefix(char *err, size_t errlen, const char *prefix)
{
    char old[ERR_MAX];

    if (!err || errlen == 0)
        return;
    snprintf(old, sizeof old, "%s", err);
    err_set(CAI_OK, err, errlen, "%s: %s", prefix, old);
}

enum cai_status err_nomem(char *err, size_t errlen, const char *what)
{
    return err_set(CAI_NOMEM, err, errlen, "%s: out of memory", what);
}

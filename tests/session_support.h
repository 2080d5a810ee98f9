/*
 * session_support.h: for the tests of sessions: opening one, running the script in it, a
 * main() that prepares and cleans up.
 */
#ifndef SESSION_SUPPORT_H
#define SESSION_SUPPORT_H

#include "store_support.h"

static char err[ERR_MAX];
static struct cai_constitution *constitutions[2];

static inline struct cai_session *open_in(const char *path, enum cai_session_mode mode)
{
    struct cai_session *s = NULL;
    err[0] = '\0';
    if (cai_session_open(&s, path, mode, NULL, err, sizeof err) != CAI_OK)
        fail_msg("%s", err);
    return s;
}

#define OK(call)                                                                         \
    do {                                                                                 \
        err[0] = '\0';                                                                   \
        if ((call) != CAI_OK)                                                            \
            fail_msg("%s: %s", #call, err);                                              \
    } while (0)

static inline void run_script(struct cai_session *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        OK(script_step(s, i, (const struct cai_constitution **)constitutions, err,
                       sizeof err));
}

static inline char *script_folder(char path[256], const char *name, unsigned n)
{
    struct cai_session *s;
    char *p;

    test_path(path, name);
    s = open_in(path, CAI_SESSION_WRITE);
    run_script(s, n);
    p = picture(s);
    cai_session_close(s);
    return p;
}

#endif

/*
 * testing.h: what the unit tests share: cmocka with its includes, paths of test data, and
 * skipping with a stated reason.
 */
#ifndef TESTS_TESTING_H
#define TESTS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* Tests run from the top of the checkout. */
#define TEST_DATA   "tests/data/"
#define SHARED_DATA "../shared/data/"

/* The default model; CAI_TEST_MODEL, else where `make model` puts it. */
static inline const char *test_model(void)
{
    static char path[4096];
    const char *env = getenv("CAI_TEST_MODEL"), *xdg = getenv("XDG_DATA_HOME"),
               *home = getenv("HOME");

    if (env && *env)
        return env;
    snprintf(path, sizeof path, "%s%s/cai/models/SmolLM2-135M-Instruct.Q4_1.gguf",
             xdg    ? xdg
             : home ? home
                    : "",
             xdg ? "" : "/.local/share");
    return path;
}

/* Skips the running test when path is absent; the runner shows the reason. */
static inline void need_file(const char *path)
{
    if (access(path, R_OK) == 0)
        return;
    printf("reason: %s is absent\n", path);
    skip();
}

/* Long loops run in full only under `make check`. */
static inline int test_long(void)
{
    const char *env = getenv("CAI_TEST_LONG");
    return env && *env;
}

#endif

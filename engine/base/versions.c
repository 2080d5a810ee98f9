/* versions.c: which libraries this build runs on. Any thread; the text is built once. */
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <utf8proc.h>
#include <zlib.h>

#include "base/json.h"
#include "cai.h"

static char text[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void build(void)
{
    snprintf(text, sizeof text, "cJSON %s, zlib %s, utf8proc %s, OpenSSL %s",
             cJSON_Version(), zlibVersion(), utf8proc_version(),
             OpenSSL_version(OPENSSL_VERSION_STRING));
}

const char *cai_library_versions(void)
{
    pthread_once(&once, build);
    return text;
}

/* versions.c: which libraries this build runs on. Any thread; the text is built once. */
#include <curl/curl.h>
#include <openblas_config.h>
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
    snprintf(text, sizeof text,
             "cJSON %s, libcurl %s, %.*s, zlib %s, utf8proc %s, OpenSSL %s",
             cJSON_Version(), curl_version_info(CURLVERSION_NOW)->version,
             (int)sizeof OPENBLAS_VERSION - 3,
             OPENBLAS_VERSION + 1, /* it has blanks around it */
             zlibVersion(), utf8proc_version(), OpenSSL_version(OPENSSL_VERSION_STRING));
}

const char *cai_library_versions(void)
{
    pthread_once(&once, build);
    return text;
}

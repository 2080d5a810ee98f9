/* hash.c: see hash.h. Any thread. */
#include "base/hash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/err.h"

static void to_hex(char hex[HASH_HEX_LEN + 1], const unsigned char digest[32])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 32; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[HASH_HEX_LEN] = '\0';
}

void hash_hex(char hex[HASH_HEX_LEN + 1], const void *data, size_t len)
{
    unsigned char digest[32];
    SHA256(data, len, digest);
    to_hex(hex, digest);
}

uint64_t hash_u64(const void *data, size_t len)
{
    unsigned char digest[32];
    uint64_t v = 0;
    SHA256(data, len, digest);
    for (int i = 0; i < 8; i++)
        v = v << 8 | digest[i];
    return v;
}

enum cai_status hash_file(char hex[HASH_HEX_LEN + 1], const char *path, char *err,
                          size_t errlen)
{
    unsigned char digest[32], chunk[1 << 16];
    enum cai_status st = CAI_OK;
    FILE *f = fopen(path, "rbe");
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n;

    if (!f) {
        st = err_set(CAI_IO, err, errlen, "%s: %s", path, strerror(errno));
        goto out;
    }
    if (!ctx || !EVP_DigestInit_ex(ctx, EVP_sha256(), NULL)) {
        st = err_nomem(err, errlen, path);
        goto out;
    }
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        EVP_DigestUpdate(ctx, chunk, n);
    if (ferror(f)) {
        st = err_set(CAI_IO, err, errlen, "%s: %s", path, strerror(errno));
        goto out;
    }
    EVP_DigestFinal_ex(ctx, digest, NULL);
    to_hex(hex, digest);
out:
    EVP_MD_CTX_free(ctx);
    if (f)
        fclose(f);
    return st;
}

uint32_t hash_crc32(const void *data, size_t len)
{
    return (uint32_t)crc32_z(0, data, len);
}

uint32_t hash_crc32_more(uint32_t crc, const void *data, size_t len)
{
    return (uint32_t)crc32_z(crc, data, len);
}

/* hash.c: see hash.h. Any thread. */
#include "base/hash.h"

#include <openssl/sha.h>
#include <zlib.h>

void hash_hex(char hex[HASH_HEX_LEN + 1], const void *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[SHA256_DIGEST_LENGTH];

    SHA256(data, len, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[HASH_HEX_LEN] = '\0';
}

uint32_t hash_crc32(const void *data, size_t len)
{
    return (uint32_t)crc32_z(0, data, len);
}

uint32_t hash_crc32_more(uint32_t crc, const void *data, size_t len)
{
    return (uint32_t)crc32_z(crc, data, len);
}

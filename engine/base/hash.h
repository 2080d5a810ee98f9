/* hash.h: SHA-256 (FIPS 180-4, libcrypto) for identity, CRC-32 (zlib) against damage. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

enum { HASH_HEX_LEN = 64 };

/* 64 lower-case hex digits and a NUL. */
void hash_hex(char hex[HASH_HEX_LEN + 1], const void *data, size_t len);
uint32_t hash_crc32(const void *data, size_t len);
/* Goes on where `crc` ended: hash_crc32_more(hash_crc32(a), b) is that of a then b. */
uint32_t hash_crc32_more(uint32_t crc, const void *data, size_t len);

#endif

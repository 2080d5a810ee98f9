/* utf8.h: UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, at most U+10FFFF.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Offset of the first byte that is not part of a valid character; len when all is valid.
 */
size_t utf8_invalid_at(const char *s, size_t len);

/* Bytes of the character at s (1..4) and its code point; 0 when it is invalid or cut. */
size_t utf8_decode(uint32_t *cp, const char *s, size_t len);

/* Writes 1..4 bytes; 0 for a surrogate or a value above U+10FFFF. */
size_t utf8_encode(char out[4], uint32_t cp);

/* Length of the longest prefix that ends on a character border: what of a growing byte
 * stream can be shown already. Invalid bytes count as one character each. */
size_t utf8_whole(const char *s, size_t len);

#endif

/*
 * record.h: the one line format of every store file.
 *
 *     {"seq":17,"length":52,"crc":"0badcafe",<payload>}\n
 *
 * The payload is `"key":value,...}`; length counts its bytes. The CRC-32 covers every
 * byte of the line but the crc member and the newline, so number, length and payload are
 * all under it. Reading builds the head again and compares bytes: a changed letter case
 * or a leading zero is damage, not another spelling.
 */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

enum { RECORD_HEAD_MAX = 96 }; /* bytes before the payload, key of at most 16 letters */

struct record {
    uint64_t number;
    uint32_t crc;
    const char *payload; /* borrowed: `"kind":...}` */
    size_t payload_len;
};

/* Adds the line with its newline. CAI_LIMIT: over out's maximum. */
enum cai_status record_write(struct strbuf *out, const char *key, uint64_t number,
                             const char *payload, size_t payload_len);

/* line is without its newline. 1 when whole and undamaged, else 0. */
int record_read(struct record *r, const char *key, const char *line, size_t len);

/* The payload as a document of its own: "{" + payload. */
enum cai_status record_body(struct strbuf *out, const struct record *r);

#endif

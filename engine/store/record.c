/* record.c: see record.h. Owns nothing. Any thread. */
#include "store/record.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"

/* The head as it must be; its length. crc_at: where the crc member begins. */
static size_t head_make(char head[RECORD_HEAD_MAX], size_t *crc_at, const char *key,
                        uint64_t number, size_t len)
{
    int n = snprintf(head, RECORD_HEAD_MAX, "{\"%.16s\":%llu,\"length\":%zu,", key,
                     (unsigned long long)number, len);
    *crc_at = (size_t)n;
    return (size_t)n;
}

static void head_add_crc(char head[RECORD_HEAD_MAX], size_t *n, uint32_t crc)
{
    int k = snprintf(head + *n, RECORD_HEAD_MAX - *n, "\"crc\":\"%08x\",", (unsigned)crc);
    *n += (size_t)k;
}

static uint32_t checksum(const char *head, size_t head_len, const char *payload,
                         size_t len)
{
    return hash_crc32_more(hash_crc32(head, head_len), payload, len);
}

enum cai_status record_write(struct strbuf *out, const char *key, uint64_t number,
                             const char *payload, size_t payload_len)
{
    char head[RECORD_HEAD_MAX];
    size_t crc_at, n = head_make(head, &crc_at, key, number, payload_len);
    enum cai_status st;

    head_add_crc(head, &n, checksum(head, crc_at, payload, payload_len));
    if (payload_len > SIZE_MAX - n - 1)
        return CAI_LIMIT;
    st = strbuf_reserve(out, n + payload_len + 1);
    if (st != CAI_OK)
        return st;
    strbuf_add(out, head, n); /* room is reserved: these cannot fail */
    strbuf_add(out, payload, payload_len);
    return strbuf_addc(out, '\n');
}

/* Decimal digits at p, no more than a 64-bit number has; NULL when there are none. */
static const char *read_digits(const char *p, const char *end, uint64_t *v)
{
    const char *from = p;

    *v = 0;
    while (p < end && *p >= '0' && *p <= '9' && p - from < 19)
        *v = *v * 10 + (uint64_t)(*p++ - '0');
    return p == from ? NULL : p;
}

int record_read(struct record *r, const char *key, const char *line, size_t len)
{
    char head[RECORD_HEAD_MAX];
    const char *p = line, *end = line + len;
    uint64_t number, payload_len;
    size_t n, crc_at, key_len = strlen(key);
    uint32_t crc;

    if (len < key_len + 4)
        return 0;
    p = read_digits(p + key_len + 4, end, &number); /* after {"key": */
    if (!p || end - p < 10)
        return 0;
    p = read_digits(p + 10, end, &payload_len); /* after ,"length": */
    if (!p || payload_len > len)
        return 0;
    n = head_make(head, &crc_at, key, number, (size_t)payload_len);
    crc = checksum(head, n, end - payload_len, (size_t)payload_len);
    head_add_crc(head, &n, crc);
    if (len != n + payload_len || memcmp(line, head, n) != 0)
        return 0;
    *r = (struct record){number, crc, line + n, (size_t)payload_len};
    return 1;
}

enum cai_status record_body(struct strbuf *out, const struct record *r)
{
    enum cai_status st = strbuf_addc(out, '{');
    return st == CAI_OK ? strbuf_add(out, r->payload, r->payload_len) : st;
}

/*
 * json.h: cJSON with its traps closed.
 *
 * Look-ups are case-sensitive, trailing garbage and invalid UTF-8 are errors, depth and
 * size are bounded, duplicate keys are refused. Numbers are doubles: a value above 2^53
 * travels as a string.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/* Parses exactly one document. On error *dst is NULL and err says where ("byte 12"). */
enum cai_status json_parse(cJSON **dst, const char *text, size_t len, char *err,
                           size_t errlen);

/* Borrowed string of a member; NULL when absent or of another type. */
const char *json_str(const cJSON *obj, const char *key);
/* Member or the given default; a number that is not finite counts as absent. */
double json_num(const cJSON *obj, const char *key, double otherwise);
int json_bool(const cJSON *obj, const char *key, int otherwise);
const cJSON *json_get(const cJSON *obj, const char *key);
/* Whole number of at most 2^53 in *out; 0 when absent, fractional or out of range. */
int json_u64(const cJSON *obj, const char *key, uint64_t *out);

/* As a file: keys sorted by bytes, two spaces, final newline. The hash of a constitution
 * is the SHA-256 of these bytes. Equal to Python's json.dumps(indent=2, sort_keys=True,
 * ensure_ascii=False) plus newline for strings, whole numbers, booleans and null. */
enum cai_status json_write_canonical(struct strbuf *out, const cJSON *doc);
/* A JSON string with its quotes; text must be valid UTF-8. */
enum cai_status json_write_string(struct strbuf *out, const char *text, size_t len);

/* Routes cJSON's allocations through mem.h; called once by cai_init(). */
void json_init(void);

#endif

/*
 * err.h: how a fallible call reports. A status for the program, a sentence for the user.
 *
 * The lowest layer writes the sentence (what, which object, what to do); callers add only
 * a prefix. There is no global error text, so two threads never share one.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

#include "cai.h"

#define ERR_MAX 512 /* bytes; a message longer than this is cut with "..." */

/* Writes the message into err (may be NULL) and returns st, so `return err_set(...)`. */
enum cai_status err_set(enum cai_status st, char *err, size_t errlen, const char *fmt,
                        ...) __attribute__((format(printf, 4, 5)));

/* Turns "no revision request" into "house.json: no revision request". */
void err_prefix(char *err, size_t errlen, const char *prefix);

/* CAI_NOMEM with the one sentence there is to say. */
enum cai_status err_nomem(char *err, size_t errlen, const char *what);

#endif

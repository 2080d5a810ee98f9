/* fewshots.h: worked examples that stand before a critique or a revision. */
#ifndef PIPELINE_FEWSHOTS_H
#define PIPELINE_FEWSHOTS_H

#include <stddef.h>

#include "base/hash.h"
#include "cai.h"

struct fewshot {
    const char *prompt, *response, *critique_request, *critique;
    const char *revision_request, *revision;
};

/* A set of them: an object of its own, {"version", "id", "kind", "items"}. */
struct fewshots;

/* dir/ID.json. CAI_INVALID: an id that is no file name; CAI_PARSE: an item without one of
 * its six texts (err names file and item). */
enum cai_status fewshots_load(struct fewshots **dst, const char *dir, const char *id,
                              char *err, size_t errlen);
enum cai_status fewshots_parse(struct fewshots **dst, const char *text, size_t len,
                               char *err, size_t errlen);
void fewshots_free(struct fewshots *f);

size_t fewshots_count(const struct fewshots *f); /* 0 for NULL */
const struct fewshot *fewshots_get(const struct fewshots *f, size_t i);
/* SHA-256 of the file as cai writes it; "" for NULL. */
const char *fewshots_hash(const struct fewshots *f);

#endif

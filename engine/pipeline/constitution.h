/* constitution.h: what other files of this room need of a constitution. */
#ifndef PIPELINE_CONSTITUTION_H
#define PIPELINE_CONSTITUTION_H

#include "cai.h"

enum {
    CONSTITUTION_MAX_BYTES = 16 << 20, /* of a file; larger than any one text may be, so
                                          that the text at fault can be named */
    CONSTITUTION_MAX_PRINCIPLES = 512,
    CONSTITUTION_ID_MAX = 63, /* bytes: fits cai_chain_settings.principle */
};

/* Line of principle i, or of one of its texts, in the file; 0 when edited in memory.
 * CAI_FIELD_COUNT: of the principle itself. */
int constitution_line(const struct cai_constitution *c, size_t i, enum cai_field f);

/* The text of a field. */
const char *constitution_text(const struct cai_principle *p, enum cai_field f);

/* 1 to 63 letters, digits, '.', '_', '-'. */
int constitution_id_is_valid(const char *id);

/* Index of a principle for a step: the one named, or one drawn with replacement, the
 * probability proportional to the weight, among those enabled.
 * u in [0, 1). CAI_INVALID: no such principle, none enabled, or a text the step needs is
 * missing (err says which). */
enum cai_status constitution_draw(size_t *index, const struct cai_constitution *c,
                                  const char *id, double u, char *err, size_t errlen);

#endif

/*
 * tokenizer_api.c: what cai.h shows of the tokenizer. Apart, so that the tokenizer can be
 * used without a model. Any thread.
 */
#include "base/mem.h"
#include "cai.h"
#include "model/model.h"
#include "model/tokenizer.h"

enum cai_status cai_tokenize(const struct cai_model *m, const char *text, size_t len,
                             int32_t **ids, size_t *n, char *err, size_t errlen)
{
    return tokenizer_encode(model_tokenizer(m), text, len, ids, n, err, errlen);
}

const char *cai_token_piece(const struct cai_model *m, int32_t id, size_t *len)
{
    return tokenizer_piece(model_tokenizer(m), id, len);
}

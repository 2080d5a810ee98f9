/*
 * tokenizer_spm.c: encoding by scores (the `llama` tokenizer model).
 *
 * Characters merge while the two together are a token, the best score first; what is no
 * token in the end is spelled in byte tokens. The vocabulary writes a space as U+2581;
 * pieces were translated when the file was read, so here a space is a space, and a
 * U+2581 in the text itself is spelled in bytes: encoding loses nothing.
 */
#include "base/utf8.h"
#include "model/tokenizer_impl.h"

enum cai_status spm_encode(struct encoder *e, size_t begin, size_t end, size_t *bad_at)
{
    const struct tokenizer *t = e->t;

    if (!merge_begin(e, end - begin))
        return CAI_NOMEM;
    for (size_t i = begin; i < end;) {
        uint32_t cp;
        size_t n = utf8_decode(&cp, e->text + i, end - i);
        if (n == 0)
            n = 1;
        merge_add(e, (uint32_t)i, (uint32_t)n,
                  token_map_find(t, &t->text, e->text + i, n));
        i += n;
    }
    if (!merge_run(e))
        return CAI_NOMEM;
    for (uint32_t i = 0; i != UINT32_MAX; i = e->sym[i].next) {
        const struct merge_symbol *s = &e->sym[i];
        if (s->id >= 0) {
            e->ids[e->n_ids++] = s->id;
            continue;
        }
        for (uint32_t k = s->begin; k < s->begin + s->len; k++) {
            int32_t id = t->byte_id[(unsigned char)e->text[k]];
            if (id < 0) {
                *bad_at = k;
                return CAI_UNSUPPORTED;
            }
            e->ids[e->n_ids++] = id;
        }
    }
    return CAI_OK;
}

/*
 * provider.c: finds the kind of provider a model's name asks for.
 */
#include "provider/provider.h"

#include <string.h>

static const char scripted_prefix[] = "scripted:";

enum cai_status provider_open(struct provider **dst, const char *model,
                              const struct cai_model_options *opts, size_t n_ctx,
                              char *err, size_t errlen)
{
    size_t n = sizeof scripted_prefix - 1;

    *dst = NULL;
    if (strncmp(model, scripted_prefix, n) == 0)
        return scripted_open(dst, model + n, err, errlen);
    return local_open(dst, model, opts, n_ctx, err, errlen);
}

void provider_close(struct provider *p)
{
    if (p)
        p->ops->close(p);
}

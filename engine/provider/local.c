/*
 * local.c: models that run in this process. Refuses every file until the forward pass is
 * part of the library. Thread: the worker's.
 */
#include "base/err.h"
#include "provider/provider.h"

enum cai_status local_open(struct provider **dst, const char *path,
                           const struct cai_model_options *opts, size_t n_ctx, char *err,
                           size_t errlen)
{
    (void)opts;
    (void)n_ctx;
    *dst = NULL;
    return err_set(CAI_UNSUPPORTED, err, errlen,
                   "%s: this build has no forward pass; use scripted:FILE", path);
}

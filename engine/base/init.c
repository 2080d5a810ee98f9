/* init.c: the one-time set-up of the library. */
#include "base/json.h"
#include "base/mem.h"
#include "cai.h"

void cai_init(void)
{
    json_init();
}

void cai_free(void *p)
{
    mem_free(p);
}

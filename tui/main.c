/* main.c: reads the environment and the command line, hands over to a front end. */
#include <stdio.h>

#include "cai.h"

int main(void)
{
    cai_init();
    puts("cai " CAI_VERSION);
    return 0;
}

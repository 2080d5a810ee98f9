/* tool_f32_twin.c: writes the F32 twin of a GGUF file. Usage: tool_f32_twin FROM TO */
#include "f32_twin.h"

int main(int argc, char **argv)
{
    char why[ERR_MAX];

    cai_init();
    if (argc != 3) {
        fprintf(stderr, "usage: %s FROM.gguf TO.gguf\n", argv[0]);
        return 2;
    }
    if (f32_twin_write(argv[1], argv[2], why, sizeof why) != CAI_OK) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    return 0;
}

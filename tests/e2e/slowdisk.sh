# A disk that takes half a second per fdatasync costs no frame, only "saving" stays longer.
. "$(dirname "$0")/lib.sh"
cat >"$top/slow.c" <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int fdatasync(int fd)
{
    struct timespec t = {0, 500000000};
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    nanosleep(&t, 0);
    return real(fd);
}
END
${CC:-cc} -shared -fPIC -o "$top/slow.so" "$top/slow.c" || fail 'no compiler'
bare="$bare LD_PRELOAD=$top/slow.so"
workbench 80x24
keys Enter
see 'saving'
see 'c1.1 response'
see 'saved  2/2'
keys q
see 'code=0'
measure slow-disk 33 $bare "$CAI" --session "$top/b" --model "scripted:$demo"

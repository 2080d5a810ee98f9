/*
 * fuzz_main.h: runs a fuzz target where there is no libFuzzer.
 *
 * A target defines LLVMFuzzerTestOneInput() and fuzz_example(), which writes the i-th
 * well-formed input (any i; a few different ones are enough), and includes this file
 * last. Build with clang, -fsanitize=fuzzer and -DFUZZ_LIBFUZZER for a guided campaign.
 *
 *     fuzz_x [--runs N] [--seconds N] [--seed S] [FILE ...]
 *
 * Files are run as they are; without files, examples are mutated, the k-th input
 * depending on the seed and k alone. An input that kills the program is left in
 * PROGRAM.crash.
 */
#ifndef TESTS_FUZZ_MAIN_H
#define TESTS_FUZZ_MAIN_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#ifndef FUZZ_LIBFUZZER

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rng.h"

enum { FUZZ_MAX = 1 << 16 };

static size_t fuzz_example(uint8_t *buf, size_t max, uint32_t i);

static uint8_t fuzz_buf[FUZZ_MAX];
static size_t fuzz_len;
static char fuzz_crash[4096];

/* Keeps the input at work; only calls that are safe in a signal handler. */
static void fuzz_keep(void)
{
    int fd = open(fuzz_crash, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd >= 0 && write(fd, fuzz_buf, fuzz_len) == (ssize_t)fuzz_len)
        close(fd);
}

static void fuzz_died(int sig)
{
    fuzz_keep();
    signal(sig, SIG_DFL);
    raise(sig);
}

/* Present in sanitizer builds only. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

/* One change; r is a block of random words. */
static void fuzz_mutate(const uint32_t r[4])
{
    static const uint64_t odd[] = {0,          1,          0x7f,       0x80,
                                   0xff,       0xffff,     0x7fffffff, 0x80000000,
                                   0xffffffff, 1ull << 40, ~0ull};
    size_t at = fuzz_len ? r[1] % fuzz_len : 0, rest = fuzz_len - at, n;

    switch (r[0] % 7) {
    case 0: /* a bit */
        if (rest)
            fuzz_buf[at] ^= (uint8_t)(1u << r[2] % 8);
        break;
    case 1: /* a byte */
        if (rest)
            fuzz_buf[at] = (uint8_t)r[2];
        break;
    case 2: /* a number at the border of something */
        n = (size_t)1 << r[3] % 4;
        if (n <= rest)
            memcpy(fuzz_buf + at, &odd[r[2] % (sizeof odd / sizeof *odd)], n);
        break;
    case 3: /* cut out */
        n = rest ? r[2] % rest : 0;
        n = r[3] % 4 ? n % 16 : n;
        memmove(fuzz_buf + at, fuzz_buf + at + n, rest - n);
        fuzz_len -= n;
        break;
    case 4: /* cut off */
        if (r[3] % 8 == 0)
            fuzz_len = at;
        break;
    case 5: /* put in */
        n = r[2] % 16;
        if (fuzz_len + n <= FUZZ_MAX) {
            memmove(fuzz_buf + at + n, fuzz_buf + at, rest);
            memset(fuzz_buf + at, (int)r[3], n);
            fuzz_len += n;
        }
        break;
    case 6: /* copy from elsewhere */
        if (rest) {
            size_t from = r[2] % fuzz_len;
            n = r[3] % 32;
            n = n > rest ? rest : n;
            n = n > fuzz_len - from ? fuzz_len - from : n;
            memmove(fuzz_buf + at, fuzz_buf + from, n);
        }
        break;
    }
}

static int fuzz_file(const char *path)
{
    FILE *f = fopen(path, "rb");

    if (!f) {
        perror(path);
        return 1;
    }
    fuzz_len = fread(fuzz_buf, 1, sizeof fuzz_buf, f);
    fclose(f);
    LLVMFuzzerTestOneInput(fuzz_buf, fuzz_len);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned long runs = 10000, seed = 1, seconds = 0, k;
    int n_files = 0, failed = 0;
    struct rng_stream stream;
    int64_t end;

    snprintf(fuzz_crash, sizeof fuzz_crash, "%s.crash", argv[0]);
    signal(SIGABRT, fuzz_died);
    signal(SIGALRM, fuzz_died);
    if (__sanitizer_set_death_callback) {
        __sanitizer_set_death_callback(fuzz_keep);
    } else {
        signal(SIGSEGV, fuzz_died);
        signal(SIGFPE, fuzz_died);
        signal(SIGBUS, fuzz_died);
    }
    for (int i = 1; i < argc; i++) {
        unsigned long *option = strcmp(argv[i], "--runs") == 0      ? &runs
                                : strcmp(argv[i], "--seconds") == 0 ? &seconds
                                : strcmp(argv[i], "--seed") == 0    ? &seed
                                                                    : NULL;
        if (option && i + 1 < argc) {
            *option = strtoul(argv[++i], NULL, 10);
            continue;
        }
        n_files++;
        failed |= fuzz_file(argv[i]);
    }
    if (n_files)
        return failed;
    stream = rng_stream_make(seed, RNG_TEST, 0, 0);
    end = clock_mono_us() + (int64_t)seconds * 1000000;
    for (k = 0; seconds ? clock_mono_us() < end : k < runs; k++) {
        uint32_t r[4], n;

        rng_block(r, &stream, (uint32_t)k, 0);
        fuzz_len = fuzz_example(fuzz_buf, sizeof fuzz_buf, r[0]);
        n = k % 16 ? 1 + r[1] % 12 : 0; /* some stay as they are */
        for (uint32_t i = 0; i < n; i++) {
            rng_block(r, &stream, (uint32_t)k, i + 1);
            fuzz_mutate(r);
        }
        alarm(10); /* an input that takes that long is a finding */
        LLVMFuzzerTestOneInput(fuzz_buf, fuzz_len);
        alarm(0);
    }
    printf("%lu inputs, seed %lu\n", k, seed);
    return 0;
}

#endif
#endif

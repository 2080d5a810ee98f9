/* rng.c: see rng.h. Pure functions. */
#include "base/rng.h"

void rng_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];

    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

struct rng_stream rng_stream_make(uint64_t seed, enum rng_purpose purpose, uint32_t step,
                                  uint32_t draw)
{
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t counter[4] = {(uint32_t)purpose, step, draw, 0xCA1u};
    uint32_t out[4];
    struct rng_stream s;

    rng_philox(out, counter, key);
    s.key[0] = out[0];
    s.key[1] = out[1];
    return s;
}

void rng_block(uint32_t out[4], const struct rng_stream *s, uint32_t position,
               uint32_t block)
{
    uint32_t counter[4] = {block, position, 0, 0};
    rng_philox(out, counter, s->key);
}

uint32_t rng_u32(const struct rng_stream *s, uint32_t position, uint32_t index)
{
    uint32_t out[4];
    rng_block(out, s, position, index / 4);
    return out[index % 4];
}

double rng_unit(const struct rng_stream *s, uint32_t position, uint32_t index)
{
    uint64_t hi = rng_u32(s, position, 2 * index),
             lo = rng_u32(s, position, 2 * index + 1);
    return (double)((hi << 32 | lo) >> 11) * 0x1p-53;
}

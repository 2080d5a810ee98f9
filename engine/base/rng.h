/*
 * rng.h: counter-based random numbers, so that a draw has an address and no history.
 *
 * Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). The
 * address of a number is (seed, purpose, step, draw, position, index): removing, adding
 * or reordering work changes no other number. Test: tests/unit_base.c, the published
 * known-answer vectors.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

/* What a stream is for; values are part of every recorded session: append only. */
enum rng_purpose {
    RNG_PRINCIPLE = 1,
    RNG_INITIAL = 2,
    RNG_CRITIQUE = 3,
    RNG_REVISION = 4,
    RNG_COT = 5,
    RNG_ROLLOUT = 6,
    RNG_GENERATE = 7, /* `cai generate`, chat: text outside a chain */
    RNG_TEST = 8,
};

struct rng_stream {
    uint32_t key[2];
};

/* step = depth on the path; draw = 0, +1 per re-sample. */
struct rng_stream rng_stream_make(uint64_t seed, enum rng_purpose purpose, uint32_t step,
                                  uint32_t draw);

/* Four numbers at (position, block). */
void rng_block(uint32_t out[4], const struct rng_stream *s, uint32_t position,
               uint32_t block);
/* Number index of a position: word index % 4 of block index / 4. */
uint32_t rng_u32(const struct rng_stream *s, uint32_t position, uint32_t index);
/* In [0, 1), 53 bits, from words 2*index and 2*index+1 of the position. */
double rng_unit(const struct rng_stream *s, uint32_t position, uint32_t index);

void rng_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Random numbers of a test: the same for the same seed on every machine, so that a failure can be
 * run again. Any seed is as good as another (splitmix64).
 */
#ifndef ORIEL_TESTS_RANDOM_H
#define ORIEL_TESTS_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t random_next(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline uint32_t random_below(uint64_t *seed, uint32_t n)
{
    return (uint32_t)(random_next(seed) % n);
}

static inline bool random_chance(uint64_t *seed, uint32_t percent)
{
    return random_below(seed, 100) < percent;
}

#endif

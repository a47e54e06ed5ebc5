/* random.h - fast random numbers for identifiers and jitter; not for secrets. */
#ifndef STINT_BASE_RANDOM_H
#define STINT_BASE_RANDOM_H

#include <stdint.h>

/* A bijection in which every bit of z changes half the bits of the result (splitmix64's). */
static inline uint64_t stint__mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* 64 uniform bits from a per-thread generator (splitmix64) seeded by getrandom(2). */
uint64_t stint__random(void);

#endif

/* share.h - a part of a span of time, by weight. */
#ifndef STINT_BASE_SHARE_H
#define STINT_BASE_SHARE_H

#include <stdint.h>

/* left * weight / sum, rounded down. Exact while the sum fits into 32 bits; beyond that the
 * remainder is taken in coarser units, so that its product fits, and less than four units are lost.
 * 0 <= left, 0 < weight <= sum. */
static inline int64_t stint__share(int64_t left, uint32_t weight, uint64_t sum)
{
    uint64_t whole = (uint64_t)left / sum;
    uint64_t rest = (uint64_t)left % sum;
    unsigned shift = 0;
    while (rest >> shift > UINT64_MAX / weight)
        shift++;
    return (int64_t)(whole * weight + ((rest >> shift) * weight / sum << shift));
}

#endif

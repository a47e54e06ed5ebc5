/* random.h - fast random numbers for identifiers and jitter; not for secrets. */
#ifndef STINT_BASE_RANDOM_H
#define STINT_BASE_RANDOM_H

#include <stdint.h>

/* 64 uniform bits from a per-thread generator (splitmix64) seeded by getrandom(2). */
uint64_t stint__random(void);

#endif

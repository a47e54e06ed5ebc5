/* dice.h - random numbers from a seed, and the distributions that the simulation draws from. */
#ifndef STINT_TESTS_SIM_DICE_H
#define STINT_TESTS_SIM_DICE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include <stint/time.h>

#include "random.h"

struct dice {
    uint64_t state;
};

/* Dice of their own for each purpose: what one draws does not change what another one gets. */
static inline struct dice dice_of(uint64_t seed, uint64_t purpose)
{
    return (struct dice){stint__mix(seed ^ stint__mix(purpose))};
}

static inline uint64_t dice_draw(struct dice *d)
{
    d->state += UINT64_C(0x9E3779B97F4A7C15);
    return stint__mix(d->state);
}

/* 0 .. n-1; 0 if there is no choice */
static inline uint32_t dice_below(struct dice *d, uint32_t n)
{
    return n > 1 ? (uint32_t)(dice_draw(d) % n) : 0;
}

static inline int64_t dice_between(struct dice *d, int64_t least, int64_t most)
{
    return least + (int64_t)(dice_draw(d) % (uint64_t)(most - least + 1));
}

static inline bool dice_percent(struct dice *d, uint32_t percent)
{
    return dice_below(d, 100) < percent;
}

/* Above 0, at most 1. */
static inline double dice_unit(struct dice *d)
{
    return (double)((dice_draw(d) >> 11) + 1) / 9007199254740992.0;
}

enum distribution { DIST_CONSTANT, DIST_EXPONENTIAL, DIST_HEAVY, DIST_COUNT };

/* Pareto's exponent: a finite mean, an infinite variance. */
#define DICE_PARETO    1.5
#define DICE_HEAVY_MAX 100 /* times the mean, so that a run ends */

static inline stint_duration dice_duration(struct dice *d, enum distribution dist,
                                           stint_duration mean)
{
    double x = 1;
    if (dist == DIST_EXPONENTIAL)
        x = -log(dice_unit(d));
    else if (dist == DIST_HEAVY)
        x = pow(dice_unit(d), -1 / DICE_PARETO) * (DICE_PARETO - 1) / DICE_PARETO;
    return (stint_duration)((x < DICE_HEAVY_MAX ? x : DICE_HEAVY_MAX) * (double)mean);
}

#endif

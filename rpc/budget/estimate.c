/* estimate.c - a histogram that forgets.
 *
 * Nothing is ever swept to make it fade. What a sample counts grows instead, which comes to the
 * same: forward decay (Cormode, Shkapenyuk, Srivastava and Xu, "Forward Decay: A Practical Time
 * Decay Model for Streaming Systems", ICDE 2009). So passing time alone does not move the
 * percentile, only how much it is worth, and it can be kept until enough that is new has come.
 *
 * The buckets are those of HdrHistogram (Gil Tene, hdrhistogram.org): the place of the highest bit
 * and the three bits after it, so that a bucket is at most an eighth wider than where it begins.
 *
 * Invariants: weight is the sum of counts but for rounding; unit >= 1, and in the range of a float
 * with all that is counted by it. */
#include "estimate.h"

#include <string.h>

#define FIRST_BIT 10 /* below 1.024 us all is one bucket */
#define SUB_BITS  3
#define SUBS      (1 << SUB_BITS)
#define LONGEST   (INT64_C(1) << (FIRST_BIT + (STINT__ESTIMATE_BUCKETS / SUBS)))

/* Time passes in steps, so that most samples need no power of two. */
#define STEPS    16 /* to a half-life */
#define STEP     (STINT__ESTIMATE_HALF_LIFE / STEPS)
#define FADED    (INT64_C(40) * STEPS) /* after so many nothing is left worth counting */
#define UNIT_MAX 0x1p32                /* times 2^40 and the weight, a float still holds it */
#define OUTLIERS 4     /* samples that are not believed to say what nearly all calls need */
#define NOTHING  1e-6F /* of a sample; kept, it would come to be a slow denormal number */

static size_t bucket_of(stint_duration d)
{
    uint64_t ns = (uint64_t)d;
    if (ns < UINT64_C(1) << FIRST_BIT)
        return 0;
    int bit = 63 - __builtin_clzll(ns);
    size_t sub = (ns >> (bit - SUB_BITS)) & (SUBS - 1);
    size_t i = 1 + (size_t)(bit - FIRST_BIT) * SUBS + sub;
    return i < STINT__ESTIMATE_BUCKETS ? i : STINT__ESTIMATE_BUCKETS - 1;
}

/* Where bucket i begins; where it ends is where the next one begins. */
static double bound_of(size_t i)
{
    if (i == 0)
        return 0;
    uint64_t mantissa = SUBS + (i - 1) % SUBS;
    return (double)(mantissa << (FIRST_BIT - SUB_BITS + (i - 1) / SUBS));
}

void stint__estimate_init(struct stint__estimate *e, stint_time now)
{
    memset(e, 0, sizeof *e);
    e->unit = 1;
    e->faded = now;
}

/* Brings the unit up to `now`. */
static void fade(struct stint__estimate *e, stint_time now)
{
    /* 2^(i/16) */
    static const double powers[STEPS] = {
        1.0,           1.04427378243, 1.09050773267, 1.13878863476, 1.18920711500, 1.24185781207,
        1.29683955465, 1.35425554693, 1.41421356237, 1.47682614593, 1.54221082541, 1.61049033194,
        1.68179283051, 1.75625216037, 1.83400808641, 1.91520656140};
    stint_duration elapsed = stint_time_sub(now, e->faded);
    if (elapsed < STEP)
        return;
    int64_t steps = elapsed / STEP;
    if (steps >= FADED) {
        stint__estimate_init(e, now);
        return;
    }
    e->unit *= powers[steps % STEPS] * (double)(UINT64_C(1) << (steps / STEPS));
    e->faded.ns += steps * STEP;
}

/* The same in a unit of 1. */
static void rescale(struct stint__estimate *e)
{
    float scale = (float)(1 / e->unit);
    e->weight = 0;
    for (size_t i = 0; i < STINT__ESTIMATE_BUCKETS; i++) {
        float count = e->counts[i] * scale;
        e->counts[i] = count > NOTHING ? count : 0;
        e->weight += (double)e->counts[i];
    }
    e->sum /= e->unit;
    e->unit = 1;
}

void stint__estimate_add(struct stint__estimate *e, stint_duration sample, stint_time now)
{
    stint__estimate_add_for(e, sample, 1, now);
}

void stint__estimate_add_for(struct stint__estimate *e, stint_duration sample, uint32_t weight,
                             stint_time now)
{
    fade(e, now);
    if (e->weight >= STINT__ESTIMATE_WEIGHT * e->unit) /* what comes in is what goes out */
        e->unit *= 1 + (double)weight / STINT__ESTIMATE_WEIGHT;
    if (e->unit > UNIT_MAX)
        rescale(e);
    if (sample < 0)
        sample = 0;
    if (sample > LONGEST)
        sample = LONGEST;
    double counts = e->unit * weight;
    e->counts[bucket_of(sample)] += (float)counts;
    e->weight += counts;
    e->sum += counts * (double)sample;
    e->added += weight;
}

static bool too_few(const struct stint__estimate *e)
{
    return e->weight < STINT__ESTIMATE_LEAST * e->unit;
}

/* From the top, because it is nearer. */
static stint_duration percentile(const struct stint__estimate *e, int percent)
{
    double above = e->weight * ((100 - percent) / 100.0);
    /* Of few samples the percentile would be the largest, and a stall makes a few large at once. */
    double outliers = OUTLIERS * e->unit;
    if (above < outliers)
        above = outliers < e->weight / 2 ? outliers : e->weight / 2;
    size_t i = STINT__ESTIMATE_BUCKETS - 1;
    for (; i > 0 && (double)e->counts[i] <= above; i--)
        above -= (double)e->counts[i];
    if (e->counts[i] <= 0) /* what rounding left over lies below the lowest sample */
        return (stint_duration)bound_of(i);
    double low = bound_of(i);
    double high = bound_of(i + 1);
    return (stint_duration)(high - (high - low) * (above / (double)e->counts[i]));
}

/* False: there are too few samples. */
static bool look_up(struct stint__estimate *e, stint_time now)
{
    fade(e, now);
    if (too_few(e))
        return false;
    if (e->added * (32 * e->unit) >= e->weight) {
        e->high = percentile(e, STINT__ESTIMATE_PERCENTILE);
        e->median = percentile(e, 50);
        e->added = 0;
    }
    return true;
}

stint_duration stint__estimate_high(struct stint__estimate *e, stint_time now)
{
    return look_up(e, now) ? e->high : 0;
}

stint_duration stint__estimate_median(struct stint__estimate *e, stint_time now)
{
    return look_up(e, now) ? e->median : 0;
}

stint_duration stint__estimate_mean(struct stint__estimate *e, stint_time now)
{
    fade(e, now);
    return too_few(e) ? 0 : (stint_duration)(e->sum / e->weight);
}

/* estimate.h - how long something takes, learned from what it took: a high percentile, the median
 * and the mean of what was seen lately.
 *
 * A histogram with logarithmic buckets whose counts fade: by half each STINT__ESTIMATE_HALF_LIFE,
 * and never worth more than STINT__ESTIMATE_WEIGHT samples in all, so that it follows a change
 * within seconds, up and down, whether many samples come or few. What was must fade to 5 % before
 * the 95th percentile follows a change down: 4.3 half-lives.
 *
 * Pure: `now` is given; one that goes back counts as no time. Not thread-safe. */
#ifndef STINT_BUDGET_ESTIMATE_H
#define STINT_BUDGET_ESTIMATE_H

#include <stint/time.h>

#define STINT__ESTIMATE_HALF_LIFE  STINT_MS(600)
#define STINT__ESTIMATE_WEIGHT     256 /* samples */
#define STINT__ESTIMATE_LEAST      4   /* samples, before there is an estimate */
#define STINT__ESTIMATE_PERCENTILE 95
#define STINT__ESTIMATE_BUCKETS    256 /* 8 to each doubling, from 1 us to an hour */

struct stint__estimate {
    float counts[STINT__ESTIMATE_BUCKETS];
    double weight;    /* their sum */
    double sum;       /* of the samples, in ns, weighted like the counts */
    double unit;      /* what a sample counts now; it grows, where others would fade the counts */
    stint_time faded; /* when the unit was brought up to date */
    stint_duration high; /* the percentile when it was last looked up, */
    stint_duration median;
    uint32_t added; /* and how many samples have come since */
};

void stint__estimate_init(struct stint__estimate *e, stint_time now);

/* Less than zero counts as zero, more than an hour as an hour (2^42 ns, to be exact). */
void stint__estimate_add(struct stint__estimate *e, stint_duration sample, stint_time now);

/* One sample that stands for `weight` (1 to STINT__ESTIMATE_WEIGHT / 2) that were not taken. */
void stint__estimate_add_for(struct stint__estimate *e, stint_duration sample, uint32_t weight,
                             stint_time now);

/* The percentile, interpolated within its bucket: right to an eighth. Of few samples, under some
 * 80, the largest four are left out, down to the median. 0 while there are too few samples, and
 * again when they have faded. Cheap enough for each call: looked up anew only when a 32nd of what
 * it stands on is new. */
stint_duration stint__estimate_high(struct stint__estimate *e, stint_time now);

/* The median; 0 likewise. */
stint_duration stint__estimate_median(struct stint__estimate *e, stint_time now);

/* The mean; 0 likewise. */
stint_duration stint__estimate_mean(struct stint__estimate *e, stint_time now);

#endif

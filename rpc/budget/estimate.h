/* estimate.h - how long something takes, learned from what it took: a high percentile and the mean,
 * of what was seen lately.
 *
 * A histogram with logarithmic buckets whose counts fade: by half each STINT__ESTIMATE_HALF_LIFE,
 * and never worth more than STINT__ESTIMATE_WEIGHT samples in all, so that it follows a change
 * within seconds, up and down, whether many samples come or few. Pure: `now` is given. Not
 * thread-safe. */
#ifndef STINT_BUDGET_ESTIMATE_H
#define STINT_BUDGET_ESTIMATE_H

#include <stint/time.h>

#define STINT__ESTIMATE_HALF_LIFE  STINT_SECONDS(1)
#define STINT__ESTIMATE_WEIGHT     256 /* samples */
#define STINT__ESTIMATE_LEAST      8   /* samples, before there is an estimate */
#define STINT__ESTIMATE_PERCENTILE 95
#define STINT__ESTIMATE_BUCKETS    160 /* 4 to each doubling, from 1 us on */

struct stint__estimate {
    float counts[STINT__ESTIMATE_BUCKETS];
    float weight;     /* their sum */
    double sum;       /* of the samples, in ns, faded like the counts */
    stint_time faded; /* when the counts were brought up to date */
};

void stint__estimate_init(struct stint__estimate *e, stint_time now);
void stint__estimate_add(struct stint__estimate *e, stint_duration sample, stint_time now);

/* The percentile, interpolated within its bucket; 0 while there are too few samples. */
stint_duration stint__estimate_high(const struct stint__estimate *e);
/* The mean; 0 while there are too few samples. */
stint_duration stint__estimate_mean(const struct stint__estimate *e);

#endif

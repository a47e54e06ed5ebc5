/* limit.c - the limit, changed once a round.
 *
 * A round is as many samples as the limit allows calls: only after it has the last change shown in
 * all that is seen. To change more often is to act twice on the same queue, and swings. (TCP
 * changes its window once a round trip for the same reason; Gradient2 is fed by windows of time.)
 * Times are summed over a round before they are divided, so that short and long calls together say
 * the same as each kind alone.
 *
 * A limit may begin far above what is ever in use: it then stays there, saying nothing, until calls
 * take longer than they need, and comes down to what was in use.
 *
 * Gradient2 lets no ratio count for less than 0.5. Then 4 is a place to stay whatever the ratio,
 * for half of 4 and its root are 4 again, where one server below wants 2.
 *
 * Invariant: 1 <= least <= limit <= most. */
#include "limit.h"

#define ROUND_MIN    8    /* samples: a small limit does not follow the noise of single calls */
#define GRADIENT_MIN 0.25 /* one round of outliers does not close the door */
#define SMOOTHING    0.5  /* the share of the way to go at once: what is seen lags by a round */

static double clamp(double x, double least, double most)
{
    return x < least ? least : x > most ? most : x;
}

void stint__limit_init(struct stint__limit *l, uint32_t least, uint32_t start, uint32_t most)
{
    *l = (struct stint__limit){.most = most > 0 ? most : 1, .ratio = 1};
    l->least = least > 0 ? least : 1;
    if (l->least > l->most)
        l->least = l->most;
    l->limit = clamp(start, l->least, l->most);
}

/* The square root, rounded down: how many calls may wait below. */
static double queue_allowed(double limit)
{
    double root = 1;
    while ((root + 1) * (root + 1) <= limit)
        root++;
    return root;
}

static void end_round(struct stint__limit *l)
{
    l->ratio = l->needed < l->taken ? l->taken / (l->needed > 1 ? l->needed : 1) : 1;
    bool used = l->peak >= l->limit / 2;
    double from = used ? l->limit : l->peak;
    double target = from * clamp(1 / l->ratio, GRADIENT_MIN, 1) + queue_allowed(from);
    if (used || target < from)
        l->limit = clamp(from + SMOOTHING * (target - from), l->least, l->most);
    l->taken = 0;
    l->needed = 0;
    l->samples = 0;
    l->peak = 0;
}

void stint__limit_sample(struct stint__limit *l, stint_duration taken, stint_duration needed,
                         uint32_t inflight)
{
    if (taken < 0)
        taken = 0;
    if (needed < 0)
        needed = 0;
    l->taken += (double)taken;
    l->needed += (double)(needed < taken ? needed : taken);
    l->samples++;
    l->peak = inflight > l->peak ? inflight : l->peak;
    if (l->samples >= ROUND_MIN && (l->samples >= l->limit || l->samples >= 2 * l->peak))
        end_round(l);
}

uint32_t stint__limit_get(const struct stint__limit *l)
{
    return (uint32_t)l->limit;
}

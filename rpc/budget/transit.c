/* transit.c - delays between clocks that are not one.
 *
 * The window has two halves with a minimum each, of which the older is dropped whole: what is kept
 * is from half a window at least and a window at most. (Linux's lib/win_minmax.c, which is Kathleen
 * Nichols' algorithm, keeps the three best and their times.)
 *
 * `sent` is whatever a peer wrote: all arithmetic on it saturates. */
#include "transit.h"

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* a - b and a + b, saturating. */
static int64_t minus(int64_t a, int64_t b)
{
    return stint_time_sub((stint_time){a}, (stint_time){b});
}

static int64_t plus(int64_t a, int64_t b)
{
    return stint_time_add((stint_time){a}, b).ns;
}

void stint__transit_init(struct stint__transit *t, stint_time now)
{
    *t = (struct stint__transit){.least = {INT64_MAX, INT64_MAX}, .turned = now};
}

/* Puts d into the window. */
static void learn(struct stint__transit *t, int64_t d, stint_time now)
{
    stint_duration age = stint_time_sub(now, t->turned);
    if (age >= STINT__TRANSIT_WINDOW / 2) {
        t->least[1] = plus(t->least[0], age / (1000000 / STINT__TRANSIT_DRIFT));
        t->least[0] = d;
        t->turned = now;
    }
    t->least[0] = min64(t->least[0], d);
    if (t->samples < STINT__TRANSIT_SAMPLES)
        t->samples++;
}

stint_duration stint__transit_of(struct stint__transit *t, int64_t sent, int64_t read, bool same,
                                 stint_duration budget, stint_time now)
{
    int64_t d = minus(read, sent);
    if (same)
        return d > 0 ? d : 0;
    learn(t, d, now);
    if (t->samples < STINT__TRANSIT_SAMPLES || budget <= 0)
        return 0;
    int64_t delay = minus(d, min64(t->least[0], t->least[1])); /* d is in it: not negative */
    return min64(delay, budget / 2);
}

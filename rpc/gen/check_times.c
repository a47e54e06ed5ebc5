/* check_times.c - the arithmetic of the checker: integers, rounded down as at run time, and no
 * overflow. Pure functions. */
#include "check_times.h"

#include "share.h"
#include "span.h"

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Gives each stage its part of what is left; `used` says if it then takes it from the others. In
 * nanoseconds, as at run time: what is rounded away in front must not turn up behind. */
static void divide(const struct gen_budget *b, int64_t left, bool used, int64_t *ret)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < b->n_stages; i++)
        sum += b->stages[i].weight;
    bool limited = left <= GEN_SPAN_MAX;
    int64_t left_ns = limited ? left * 1000 : 0;
    for (size_t i = 0; i < b->n_stages; i++) {
        const struct gen_stage *stage = &b->stages[i];
        int64_t part_ns = stint__share(left_ns, stage->weight, sum);
        if (stage->cap_us <= GEN_SPAN_MAX)
            part_ns = smaller(part_ns, stage->cap_us * 1000);
        ret[i] = limited ? part_ns / 1000 : stage->cap_us;
        sum -= stage->weight;
        if (used)
            left_ns -= part_ns;
    }
}

void gen_times_promised(const struct gen_budget *b, int64_t left, int64_t *ret)
{
    divide(b, left, true, ret);
}

void gen_times_most(const struct gen_budget *b, int64_t left, int64_t *ret)
{
    divide(b, left, false, ret);
}

int64_t gen_times_attempt(const struct gen_call *call, int64_t stage)
{
    int64_t part = stage == GEN_SPAN_FOREVER ? stage : stage / call->attempts;
    return call->timeout_us > 0 ? smaller(part, call->timeout_us) : part;
}

static bool covers(const struct gen_budget *b, int64_t left, const int64_t *needs)
{
    int64_t promised[GEN_CALLS_MAX];
    gen_times_promised(b, left, promised);
    for (size_t i = 0; i < b->n_stages; i++) {
        if (promised[i] < needs[i])
            return false;
    }
    return true;
}

int64_t gen_times_needed(const struct gen_budget *b, const int64_t *needs)
{
    /* With more time, no stage is promised less: so the least can be searched for. */
    int64_t low = 0, high = GEN_SPAN_MAX; /* not enough; enough */
    if (covers(b, low, needs))
        return low;
    if (!covers(b, high, needs))
        return GEN_SPAN_FOREVER;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (covers(b, middle, needs))
            high = middle;
        else
            low = middle;
    }
    return high;
}

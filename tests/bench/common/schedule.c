/* schedule.c - the load of W6: when calls arrive, how long each may take and what it costs C.
 *
 * All of it is drawn before the first call, from the seed alone, so that every implementation gets
 * the same calls. Arrivals and the properties of calls come from two streams of random numbers:
 * shapes that differ in the second only have the same arrivals. */
#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014) */
static uint64_t rng_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* Uniform in (0, 1). */
static double rng_real(uint64_t *state)
{
    return ((double)(rng_next(state) >> 11) + 0.5) / 9007199254740992.0;
}

/* The gap to the next arrival of a Poisson process of `rate` a second. */
static uint64_t poisson_gap_ns(uint64_t *state, double rate)
{
    return (uint64_t)(-log(rng_real(state)) / rate * 1e9);
}

int has_shape(const struct opts *o, const char *shape)
{
    return strcmp(o->shape, shape) == 0;
}

/* ---- arrivals ---- */

/* A stretch of time with one rate. */
struct stretch {
    uint64_t end; /* ns */
    double rate;
};

/* The stretches of the load, the last of which ends with the window; returns how many. */
static int stretches(const struct opts *o, struct stretch out[3])
{
    double window = o->secs * 1e9;
    if (!has_shape(o, "step")) {
        out[0] = (struct stretch){(uint64_t)window, o->rate};
        return 1;
    }
    out[0] = (struct stretch){(uint64_t)(window * TROUBLE_AT), o->rate};
    out[1] = (struct stretch){(uint64_t)(window * STEP_DOWN), o->rate * STEP_FACTOR};
    out[2] = (struct stretch){(uint64_t)window, o->rate};
    return 3;
}

static void draw_arrivals(const struct opts *o, struct chain_call *calls, size_t cap, size_t *n)
{
    struct stretch s[3];
    uint64_t rng = o->seed, t = 0;
    int k = stretches(o, s);
    for (int i = 0; i < k; i++) {
        /* A Poisson process has no memory: it may begin anew where the rate changes. */
        for (t += poisson_gap_ns(&rng, s[i].rate); t < s[i].end && *n < cap;
             t += poisson_gap_ns(&rng, s[i].rate))
            calls[(*n)++].at = t;
        t = s[i].end;
    }
}

/* ---- what each call is like ---- */

/* Nine of ten short, one of ten ten times as long, `mean` on average. */
static uint32_t bimodal_us(uint64_t *rng, int mean)
{
    uint32_t unit = (uint32_t)mean * 10 / 19;
    return rng_real(rng) < 0.9 ? unit : 10 * unit;
}

/* A tenth, a quarter or all of `longest`. */
static uint64_t mixed_deadline(uint64_t *rng, uint64_t longest)
{
    static const uint64_t part[] = {10, 4, 1};
    return longest / part[rng_next(rng) % 3];
}

static void draw_call(const struct opts *o, uint64_t *rng, struct chain_call *call)
{
    uint64_t deadline = (uint64_t)o->deadline_ms * NS_PER_MS;
    call->burn_us = has_shape(o, "bimodal") ? bimodal_us(rng, o->burn_us) : (uint32_t)o->burn_us;
    call->deadline = has_shape(o, "mixed") ? mixed_deadline(rng, deadline) : deadline;
}

struct chain_call *schedule_new(const struct opts *o, size_t *ret_n)
{
    uint64_t rng = ~o->seed;
    size_t cap = (size_t)(o->rate * o->secs * (has_shape(o, "step") ? STEP_FACTOR : 2)) + 1000;
    struct chain_call *calls = calloc(cap, sizeof *calls);
    if (calls == NULL)
        die("calloc", "schedule");
    *ret_n = 0;
    draw_arrivals(o, calls, cap, ret_n);
    for (size_t i = 0; i < *ret_n; i++)
        draw_call(o, &rng, &calls[i]);
    return calls;
}

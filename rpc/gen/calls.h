/* calls.h - the calls that a method declares (MethodOptions.calls), and the stages they form. */
#ifndef STINT_GEN_CALLS_H
#define STINT_GEN_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fields.h"
#include "place.h"

#define GEN_CALLS_MAX    64 /* of one method */
#define GEN_ATTEMPTS_MAX 100

/* stint.MethodOptions.Call.Mode */
enum gen_mode { GEN_SEQUENTIAL = 0, GEN_PARALLEL = 1, GEN_NEXT_PARALLEL = 2 };

struct gen_call {
    struct gen_place at;
    const char *method; /* "shop.v1.Pricing/Quote" */
    const char *name;   /* "quote" */
    uint32_t share;     /* 0: not said */
    uint32_t attempts;  /* at least 1 */
    int64_t timeout_us; /* of one attempt; 0: none */
    enum gen_mode mode;
    bool optional;
    size_t stage;
};

/* Calls that run at the same time, or one that runs alone: one leg of the budget. */
struct gen_stage {
    const struct gen_call *calls;
    size_t n_calls;
    uint32_t weight;
    int64_t cap_us; /* the longest that the timeouts of its calls allow, attempts and all;
                       GEN_SPAN_FOREVER if one has none */
};

struct gen_budget {
    struct gen_call *calls; /* in order, those of a stage next to each other */
    size_t n_calls;
    struct gen_stage *stages;
    size_t n_stages;
    bool by_timeout; /* weights come from timeouts, as no shares are said */
};

/* The calls of one method, as they are found. */
struct gen_calls_found {
    struct stint__slice bodies[GEN_CALLS_MAX];
    size_t count; /* may be more: they are refused */
};

void gen_calls_add(struct gen_calls_found *found, struct stint__slice body);

/* Reads all of them and makes the budget; tells errors about what has no meaning. `option` is the
 * place of stint.method. Without errors every call has a method and a name of its own, and every
 * stage a weight. */
struct gen_budget gen_calls_build(struct gen_errors *errors, const struct gen_place *option,
                                  const struct gen_calls_found *found);

/* The longest that all attempts of a call may take by its timeout; GEN_SPAN_FOREVER: it has none.
 */
int64_t gen_call_cap(const struct gen_call *call);

#endif

/* check_graph.h - who calls whom, as declared, in all files of a model. */
#ifndef STINT_GEN_CHECK_GRAPH_H
#define STINT_GEN_CHECK_GRAPH_H

#include "model.h"

enum check_state { CHECK_NEW, CHECK_OPEN, CHECK_DONE };

struct check_method {
    const struct gen_method *method;
    const char *path;              /* "shop.v1.Pricing/Quote" */
    struct check_method **callees; /* of its calls, in order; NULL: there is none, or it would close
                                      a cycle */
    enum check_state state;        /* while the graph is made */
    bool is_called;
    size_t height; /* calls in the longest chain from here */
    int64_t needs; /* the least time that is of use to it */
    int64_t limit; /* the longest that it can have; GEN_SPAN_FOREVER: unknown */
    const struct check_method *limiter; /* the caller that limits it; NULL: its own timeout */
};

struct check_graph {
    struct stint__arena *arena;
    struct gen_errors *errors;
    struct check_method *methods; /* in the order of the files */
    size_t n_methods;
    struct check_method **order; /* callees before their callers */
    size_t n_order;
};

/* Tells errors about calls of methods that there are not, and about cycles. */
struct check_graph check_graph_build(const struct gen_model *model);

/* The calls of a method. */
static inline const struct gen_budget *check_budget(const struct check_method *m)
{
    return &m->method->options.budget;
}

#endif

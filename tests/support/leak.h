/* leak.h - what a test must leave as it found it: descriptors, contexts, threads.
 *
 * NNG starts threads at its first use and keeps them: look for the first time after a warm-up that
 * has used it. */
#ifndef STINT_TESTS_LEAK_H
#define STINT_TESTS_LEAK_H

#include <stddef.h>

struct leaks {
    size_t descriptors; /* open in this process */
    size_t contexts;    /* stint_ctx_live_count */
    size_t threads;     /* of this process */
};

struct leaks leaks_look(void);

/* Waits until there is no more of anything than before; fails the test, naming what is too much,
 * when patience ends. */
void leaks_check(const struct leaks *before);

#endif

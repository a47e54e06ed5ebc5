/* random.c - splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014),
 * one generator per thread.
 *
 * The state is thread-local, so there is no lock. A forked child has only the thread that forked:
 * that one is seeded again there, or parent and child would make the same identifiers. */
#include "random.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/random.h>
#include <unistd.h>

static _Thread_local uint64_t state;
static _Thread_local bool seeded;
static pthread_once_t watch_forks_once = PTHREAD_ONCE_INIT;

static void forget_seed(void)
{
    seeded = false;
}

static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, forget_seed);
}

static void seed(void)
{
    pthread_once(&watch_forks_once, watch_forks);
    ssize_t n;
    do {
        n = getrandom(&state, sizeof state, 0);
    } while (n < 0 && errno == EINTR);
    /* Without the system call (a sandbox), what differs between processes and threads must do. */
    if (n != (ssize_t)sizeof state)
        state = stint__mix((uint64_t)(uintptr_t)&state) + stint__mix((uint64_t)getpid());
    seeded = true;
}

uint64_t stint__random(void)
{
    if (!seeded)
        seed();
    state += UINT64_C(0x9E3779B97F4A7C15);
    return stint__mix(state);
}

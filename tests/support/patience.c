/* patience.c - deadlines of the tests themselves. No state. */
#include "patience.h"

#include <stdlib.h>

int64_t patience_ms(void)
{
    const char *text = getenv("STINT_TEST_PATIENCE_MS"); // NOLINT(concurrency-mt-unsafe)
    int64_t ms = text == NULL ? 0 : strtoll(text, NULL, 10);
    return ms > 0 ? ms : 30000;
}

struct timespec deadline_in_ms(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

int64_t deadline_left_ms(const struct timespec *deadline)
{
    struct timespec now = deadline_in_ms(0);
    int64_t left =
        (deadline->tv_sec - now.tv_sec) * 1000 + (deadline->tv_nsec - now.tv_nsec) / 1000000;
    return left > 0 ? left : 0;
}

void pause_between_looks(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* logger.c - the rate limit, and formatting a line.
 *
 * Time is cut into seconds. `window` holds the number of the current one (plus one, so that zero
 * means none yet) above COUNT_BITS bits that count the lines let through in it; compare-and-swap
 * keeps the two together. A thread whose `now` is older than the window counts into the window. */
#include "logger.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#define COUNT_BITS 8
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)
#define LINE_SIZE  512

_Static_assert(STINT__LOG_LINES_PER_SECOND <= COUNT_MASK, "the count fits");

void stint__log_init(struct stint__logger *l, stint_log log)
{
    l->log = log;
    atomic_init(&l->limit.window, 0);
    atomic_init(&l->limit.suppressed, 0);
}

static bool admit(struct stint__log_limit *l, stint_time now)
{
    uint64_t second = (uint64_t)(now.ns / STINT_SECONDS(1)) + 1;
    uint64_t old = atomic_load_explicit(&l->window, memory_order_relaxed);
    for (;;) {
        if (second < old >> COUNT_BITS)
            second = old >> COUNT_BITS;
        uint64_t count = old >> COUNT_BITS == second ? old & COUNT_MASK : 0;
        if (count >= STINT__LOG_LINES_PER_SECOND)
            return false;
        if (atomic_compare_exchange_weak(&l->window, &old, second << COUNT_BITS | (count + 1)))
            return true;
    }
}

static STINT_PRINTF(5, 0) void write_line(struct stint__log_limit *limit, const stint_log *log,
                                          stint_time now, stint_log_level level, const char *fmt,
                                          va_list args)
{
    if (log->fn == NULL)
        return;
    if (!admit(limit, now)) {
        atomic_fetch_add(&limit->suppressed, 1);
        return;
    }
    char line[LINE_SIZE];
    int n = vsnprintf(line, sizeof line, fmt, args);
    if (n >= 0)
        log->fn(log->arg, level, line, atomic_exchange(&limit->suppressed, 0));
}

void stint__log_write(struct stint__logger *l, stint_time now, stint_log_level level,
                      const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    write_line(&l->limit, &l->log, now, level, fmt, args);
    va_end(args);
}

void stint__log_write_limited(struct stint__log_limit *limit, const stint_log *log, stint_time now,
                              stint_log_level level, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    write_line(limit, log, now, level, fmt, args);
    va_end(args);
}

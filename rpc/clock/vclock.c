/* vclock.c - a clock that stands still until a test moves it.
 *
 * Its reading is at file scope, as the process's clock is. It only grows while installed. */
#include "clock.h"

#include <stdatomic.h>

#include "clock_internal.h"

static _Atomic int64_t reading;
static atomic_bool installed;

static stint_time virtual_now(void)
{
    return (stint_time){atomic_load(&reading)};
}

void stint__vclock_install(stint_time start)
{
    atomic_store(&reading, start.ns);
    atomic_store(&installed, true);
    stint__clock_set_source(virtual_now);
}

void stint__vclock_uninstall(void)
{
    stint__clock_set_source(NULL);
    atomic_store(&installed, false);
}

bool stint__vclock_in_use(void)
{
    return atomic_load(&installed);
}

void stint__vclock_move_to(stint_time when)
{
    int64_t seen = atomic_load(&reading);
    while (seen < when.ns && !atomic_compare_exchange_weak(&reading, &seen, when.ns))
        ;
}

bool stint__vclock_step(stint_time limit)
{
    return stint__timer_run_next(limit);
}

static void run_due(stint_time limit)
{
    while (stint__vclock_step(limit))
        ;
}

void stint__vclock_advance(stint_duration d)
{
    stint_time target = stint_time_add(stint_now(), d);
    run_due(target);
    stint__vclock_move_to(target);
    run_due(target); /* what other threads armed before they could see the new time */
}

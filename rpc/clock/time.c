/* time.c - reading the clocks.
 *
 * The source of stint_now is a pointer at file scope because time is one for the whole process;
 * only tests write it (vclock.c). */
#include "clock.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock_internal.h"

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    (void)clock_gettime(id, &ts); /* cannot fail for a clock that the kernel has */
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

stint_time stint__clock_system_now(void)
{
    return (stint_time){read_clock(CLOCK_MONOTONIC)};
}

static stint_time (*_Atomic source)(void) = stint__clock_system_now;

void stint__clock_set_source(stint_time (*now)(void))
{
    atomic_store(&source, now != NULL ? now : stint__clock_system_now);
}

stint_time stint_now(void)
{
    return atomic_load_explicit(&source, memory_order_relaxed)();
}

stint_time stint__clock_ceiling(void)
{
    /* The coarse clock lags behind by up to a tick, 10 ms on the slowest kernels; we allow for two
     * and more. */
    const int64_t lag = STINT_MS(25);
    if (atomic_load_explicit(&source, memory_order_relaxed) == stint__clock_system_now)
        return (stint_time){read_clock(CLOCK_MONOTONIC_COARSE) + lag};
    return stint_now();
}

bool stint__clock_has_come(stint_time when)
{
    return !stint_time_before(stint__clock_ceiling(), when) &&
           !stint_time_before(stint_now(), when);
}

stint_time stint_time_add(stint_time t, stint_duration d)
{
    if (d > 0 && t.ns > INT64_MAX - d)
        return (stint_time){INT64_MAX};
    if (d < 0 && t.ns < INT64_MIN - d)
        return (stint_time){INT64_MIN};
    return (stint_time){t.ns + d};
}

stint_duration stint_time_sub(stint_time a, stint_time b)
{
    if (b.ns < 0 && a.ns > INT64_MAX + b.ns)
        return INT64_MAX;
    if (b.ns > 0 && a.ns < INT64_MIN + b.ns)
        return INT64_MIN;
    return a.ns - b.ns;
}

int64_t stint__clock_boottime_ns(void)
{
    return stint__vclock_in_use() ? stint_now().ns : read_clock(CLOCK_BOOTTIME);
}

clockid_t stint__clock_of_thread(void)
{
    clockid_t clock;
    return pthread_getcpuclockid(pthread_self(), &clock) == 0 ? clock : CLOCK_MONOTONIC;
}

int64_t stint__clock_cpu_ns(clockid_t clock)
{
    struct timespec ts;
    if (clock_gettime(clock, &ts) != 0)
        return 0;
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static uint64_t boot_domain;
static pthread_once_t boot_domain_once = PTHREAD_ONCE_INIT;

/* FNV-1a (Fowler, Noll, Vo). */
static uint64_t hash(uint64_t h, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)bytes[i]) * UINT64_C(0x100000001B3);
    return h;
}

static void compute_boot_domain(void)
{
    char boot_id[64];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t boot_id_len = read(fd, boot_id, sizeof boot_id);
    close(fd);
    /* A process can live in a time namespace, where CLOCK_BOOTTIME has an offset. A kernel that
     * does not have them (before 5.6) has no such link, and no such processes. */
    char namespace[64];
    ssize_t namespace_len = readlink("/proc/self/ns/time", namespace, sizeof namespace);
    if (boot_id_len <= 0)
        return;
    uint64_t h = hash(UINT64_C(0xCBF29CE484222325), boot_id, (size_t)boot_id_len);
    if (namespace_len > 0)
        h = hash(h, namespace, (size_t)namespace_len);
    boot_domain = h != 0 ? h : 1;
}

uint64_t stint__clock_boot_domain(void)
{
    pthread_once(&boot_domain_once, compute_boot_domain);
    return boot_domain;
}

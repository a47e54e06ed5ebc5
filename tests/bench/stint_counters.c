/* stint_counters.c - what a server has counted, for people who look for what limits it. */
#include "stint_bench.h"

#include <stdio.h>
#include <string.h>

#define COUNTER(field)                                                                             \
    {                                                                                              \
#field, offsetof(stint_method_stats, field)                                                \
    }

static const struct counter {
    const char *name;
    size_t offset;
} counters[] = {
    COUNTER(requests),
    COUNTER(admitted),
    COUNTER(executed),
    COUNTER(ok),
    COUNTER(failed),
    COUNTER(expired_arrival),
    COUNTER(insufficient_arrival),
    COUNTER(expired_queue),
    COUNTER(insufficient_queue),
    COUNTER(refused_full),
    COUNTER(displaced),
    COUNTER(refused_draining),
    COUNTER(refused_other),
    COUNTER(probes),
    COUNTER(cancelled_queue),
    COUNTER(cancelled_handler),
    COUNTER(late),
};

static void print_times(const char *name, const stint_histogram *h)
{
    fprintf(stderr, " %s_p50_ms=%.2f %s_p95_ms=%.2f", name,
            (double)stint_histogram_quantile(h, 0.5) / 1e6, name,
            (double)stint_histogram_quantile(h, 0.95) / 1e6);
}

static void print_method(stint_server *server, const char *path)
{
    stint_method_stats stats = {.size = sizeof stats};
    if (stint_server_method_stats_get(server, path, &stats) != STINT_OK || stats.requests == 0)
        return;
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
        uint64_t value;
        memcpy(&value, (const char *)&stats + counters[i].offset, sizeof value);
        if (value != 0)
            fprintf(stderr, " %s=%llu", counters[i].name, (unsigned long long)value);
    }
    fprintf(stderr, " limit=%u needed_ms=%.2f", (unsigned)stats.limit, (double)stats.needed / 1e6);
    print_times("queue", &stats.queue);
    print_times("run", &stats.run);
}

void print_counters(stint_server *server, const char *name)
{
    const char *path;
    fprintf(stderr, "%s:", name);
    for (size_t i = 0; (path = stint_server_method(server, i)) != NULL; i++)
        print_method(server, path);
    fputc('\n', stderr);
}

/* burn.c - the burn server C of W6: its work and its accounting.
 *
 * Counters that more than one process or thread writes are only touched with atomic operations. */
#include "bench.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct chain_stats *chain_stats_map(const char *path)
{
    if (path == NULL)
        die("W6", "--stats is needed");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(struct chain_stats)) != 0)
        die_errno(path);
    void *p = mmap(NULL, sizeof(struct chain_stats), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        die_errno(path);
    close(fd);
    return p;
}

/* The builtin writes through the pointer, which clang-tidy does not see. */
// NOLINTNEXTLINE(readability-non-const-parameter)
void stat_add(uint64_t *counter, uint64_t n)
{
    __atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static uint64_t burn_cpu(int us)
{
    volatile uint64_t sink = 0;
    uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID), now = start;
    while (now - start < (uint64_t)us * 1000) {
        for (unsigned i = 0; i < 2000; i++)
            sink = sink + i;
        now = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    }
    return now - start;
}

void burn_call(struct chain_stats *st, int us, uint64_t client_deadline)
{
    int late = now_ns() > client_deadline;
    uint64_t ns = burn_cpu(us);
    stat_add(&st->burns, 1);
    stat_add(&st->burn_ns, ns);
    if (late)
        stat_add(&st->late_ns, ns);
}

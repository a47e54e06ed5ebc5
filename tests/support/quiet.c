/* quiet.c - see the header. No state.
 *
 * /proc/self/task/TID/status tells whether a thread sleeps and how often it has been switched out.
 * A thread that sleeps in two looks, and was not switched out in between, slept all the time from
 * the one to the other. If that holds for every thread, over two rounds of looks, they all slept at
 * the moment between the rounds. */
#include "quiet.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What one round has seen: changes when a thread comes, goes, or has run in between. */
struct round {
    uint64_t digest;
    bool all_sleep;
};

static size_t read_status(int tasks, const char *tid, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "%.16s/status", tid);
    int fd = openat(tasks, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

static uint64_t number_after(const char *text, const char *label)
{
    const char *at = strstr(text, label);
    return at == NULL ? 0 : strtoull(at + strlen(label), NULL, 10);
}

static void look_at_thread(struct round *r, int tasks, const char *tid)
{
    char text[4096];
    if (read_status(tasks, tid, text, sizeof text) == 0) {
        r->all_sleep = false; /* it ends just now */
        return;
    }
    const char *state = strstr(text, "\nState:\t");
    if (state == NULL || state[8] != 'S')
        r->all_sleep = false;
    uint64_t switches = number_after(text, "\nvoluntary_ctxt_switches:") +
                        number_after(text, "\nnonvoluntary_ctxt_switches:");
    r->digest = (r->digest ^ strtoull(tid, NULL, 10)) * 0x100000001b3u;
    r->digest = (r->digest ^ switches) * 0x100000001b3u;
}

static struct round look_around(void)
{
    struct round r = {.all_sleep = true};
    DIR *dir = opendir("/proc/self/task");
    const struct dirent *task;
    pid_t self = gettid();
    if (dir == NULL)
        return (struct round){.all_sleep = false};
    while ((task = readdir(dir)) != NULL) { // NOLINT(concurrency-mt-unsafe): our own DIR
        if (task->d_name[0] != '.' && strtol(task->d_name, NULL, 10) != self)
            look_at_thread(&r, dirfd(dir), task->d_name);
    }
    closedir(dir);
    return r;
}

bool all_other_threads_sleep(void)
{
    struct round first = look_around();
    if (!first.all_sleep)
        return false;
    struct round second = look_around();
    return second.all_sleep && second.digest == first.digest;
}

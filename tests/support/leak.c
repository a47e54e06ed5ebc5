/* leak.c - counts what this process holds, in /proc. No state. */
#include "leak.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include <stint/ctx.h>

#include "patience.h"
#include "unit.h"

/* Calls visit(name) for each entry of a directory in /proc; returns how many there are. */
static size_t list(const char *path, void (*visit)(const char *name))
{
    DIR *dir = opendir(path);
    if (dir == NULL)
        return 0;
    size_t count = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) { // NOLINT(concurrency-mt-unsafe): our own DIR
        if (entry->d_name[0] == '.')
            continue;
        count++;
        if (visit != NULL)
            visit(entry->d_name);
    }
    closedir(dir);
    return count;
}

struct leaks leaks_look(void)
{
    return (struct leaks){
        .descriptors = list("/proc/self/fd", NULL) - 1, /* not the one that reads the directory */
        .contexts = stint_ctx_live_count(),
        .threads = list("/proc/self/task", NULL),
    };
}

static void print_descriptor(const char *name)
{
    char path[64], target[PATH_MAX];
    snprintf(path, sizeof path, "/proc/self/fd/%.16s", name);
    ssize_t n = readlink(path, target, sizeof target);
    if (n > 0)
        print_error("  %s -> %.*s\n", name, (int)n, target);
}

static bool is_more(const struct leaks *now, const struct leaks *before)
{
    return now->descriptors > before->descriptors || now->contexts > before->contexts ||
           now->threads > before->threads;
}

void leaks_check(const struct leaks *before)
{
    struct timespec deadline = deadline_in_ms(patience_ms());
    struct leaks now = leaks_look();
    while (is_more(&now, before) && deadline_left_ms(&deadline) > 0) {
        pause_between_looks();
        now = leaks_look();
    }
    if (!is_more(&now, before))
        return;
    if (now.descriptors > before->descriptors)
        list("/proc/self/fd", print_descriptor);
    fail_msg("leaked: descriptors %zu -> %zu, contexts %zu -> %zu, threads %zu -> %zu",
             before->descriptors, now.descriptors, before->contexts, now.contexts, before->threads,
             now.threads);
}

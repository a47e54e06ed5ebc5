/* puppet.c - a node that behaves as its first argument says, for the tests of the harness. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say(const char *text)
{
    puts(text);
    fflush(stdout);
}

static void wait_for_signals(void)
{
    for (;;)
        pause();
}

/* ready URL: announces the URL, with a port if it has none, and waits. */
static int ready(const char *url)
{
    size_t len = strlen(url);
    int has_zero = len > 2 && strcmp(url + len - 2, ":0") == 0;
    printf("ready %.*s%s\n", (int)(has_zero ? len - 2 : len), url, has_zero ? ":4242" : "");
    fflush(stdout);
    wait_for_signals();
    return 0;
}

static int leave(const char *status)
{
    fputs("last words, without an end", stdout);
    return atoi(status); // NOLINT(cert-err34-c): from the test
}

static int crash(const char *unused)
{
    (void)unused;
    fputs("about to crash\n", stderr);
    abort();
}

static int stubborn(const char *unused)
{
    (void)unused;
    signal(SIGTERM, SIG_IGN);
    say("stubborn");
    wait_for_signals();
    return 0;
}

/* flood N: N lines, then waits. */
static int flood(const char *count)
{
    int n = atoi(count); // NOLINT(cert-err34-c): from the test
    say("the flood begins");
    for (int i = 0; i < n; i++)
        printf("line %d of the flood, and it is a long line indeed\n", i);
    say("the flood is over");
    wait_for_signals();
    return 0;
}

/* Forks a child that waits. Returns its pid. */
static pid_t fork_child(void)
{
    pid_t pid = fork();
    if (pid == 0)
        wait_for_signals();
    printf("child %d\n", (int)pid);
    return pid;
}

static int family(const char *unused)
{
    (void)unused;
    return fork_child() > 0 ? 0 : 1;
}

/* The child is in a process group of its own. */
static int runaway(const char *unused)
{
    (void)unused;
    pid_t pid = fork_child();
    return setpgid(pid, pid) == 0 ? 0 : 1;
}

static int descriptors(const char *unused)
{
    (void)unused;
    int count = -3; /* ".", ".." and the one that reads the directory */
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return 1;
    while (readdir(dir) != NULL) // NOLINT(concurrency-mt-unsafe): one thread
        count++;
    closedir(dir);
    printf("descriptors %d\n", count);
    return 0;
}

int main(int argc, char *argv[])
{
    static const struct {
        const char *name;
        int (*run)(const char *argument);
    } modes[] = {{"ready", ready},       {"leave", leave},
                 {"crash", crash},       {"flood", flood},
                 {"stubborn", stubborn}, {"family", family},
                 {"runaway", runaway},   {"descriptors", descriptors}};
    for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(argv[1], modes[i].name) == 0)
            return modes[i].run(argc > 2 ? argv[2] : "");
    }
    return 2;
}

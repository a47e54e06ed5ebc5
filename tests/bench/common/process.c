/* process.c - options, clocks and what the kernel says about a process. */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

void die(const char *what, const char *detail)
{
    fprintf(stderr, "fatal: %s: %s\n", what, detail);
    _exit(1);
}

void die_errno(const char *what)
{
    char text[128];
    die(what, strerror_r(errno, text, sizeof text));
}

/* ---- clocks ---- */

uint64_t clock_ns(clockid_t clk)
{
    struct timespec t;
    if (clock_gettime(clk, &t) != 0)
        return 0;
    return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

uint64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

void sleep_until_ns(uint64_t when)
{
    struct timespec t = {.tv_sec = (time_t)(when / NS_PER_SEC),
                         .tv_nsec = (long)(when % NS_PER_SEC)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

void sleep_secs(double secs)
{
    sleep_until_ns(now_ns() + (uint64_t)(secs * 1e9));
}

uint64_t cpu_ns(pid_t pid)
{
    clockid_t clk = CLOCK_PROCESS_CPUTIME_ID;
    if (pid != 0 && clock_getcpuclockid(pid, &clk) != 0)
        return 0;
    return clock_ns(clk);
}

long status_kb(pid_t pid, const char *key)
{
    char path[64], line[256];
    long kb = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return -1;
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, key, strlen(key)) == 0)
            kb = strtol(line + strlen(key), NULL, 10);
    fclose(f);
    return kb;
}

/* ---- options ---- */

enum option_type { TEXT, INT, U64, REAL, PIDS };

static const struct option_spec {
    const char *name;
    enum option_type type;
    size_t offset;
} specs[] = {
    {"--addr", TEXT, offsetof(struct opts, addr)},
    {"--role", TEXT, offsetof(struct opts, role)},
    {"--next", TEXT, offsetof(struct opts, next)},
    {"--kind", TEXT, offsetof(struct opts, kind)},
    {"--mode", TEXT, offsetof(struct opts, mode)},
    {"--shape", TEXT, offsetof(struct opts, shape)},
    {"--ledger", TEXT, offsetof(struct opts, ledger)},
    {"--stats", TEXT, offsetof(struct opts, stats)},
    {"--pids", PIDS, 0},
    {"--size", INT, offsetof(struct opts, size)},
    {"--inflight", INT, offsetof(struct opts, inflight)},
    {"--conns", INT, offsetof(struct opts, conns)},
    {"--calls", INT, offsetof(struct opts, calls)},
    {"--deadline-ms", INT, offsetof(struct opts, deadline_ms)},
    {"--meta", INT, offsetof(struct opts, meta)},
    {"--propagate", INT, offsetof(struct opts, propagate)},
    {"--burn-us", INT, offsetof(struct opts, burn_us)},
    {"--fan", INT, offsetof(struct opts, fan)},
    {"--seed", U64, offsetof(struct opts, seed)},
    {"--secs", REAL, offsetof(struct opts, secs)},
    {"--warm", REAL, offsetof(struct opts, warm)},
    {"--rate", REAL, offsetof(struct opts, rate)},
};

static void set_pids(struct opts *o, const char *text)
{
    char *end = NULL;
    for (o->npids = 0; o->npids < MAX_PIDS; text = end + 1) {
        o->pids[o->npids++] = (pid_t)strtol(text, &end, 10);
        if (*end != ',')
            break;
    }
    if (end == text || *end != '\0')
        die("--pids", "not a list of up to 8 process ids");
}

static void set_option(struct opts *o, const struct option_spec *spec, char *text)
{
    char *field = (char *)o + spec->offset, *end = text;
    long n = 0;
    errno = 0;
    switch (spec->type) {
    case TEXT:
        memcpy(field, &text, sizeof text);
        return;
    case PIDS:
        set_pids(o, text);
        return;
    case INT:
        n = strtol(text, &end, 10);
        if (n < 0 || n > INT32_MAX)
            die(spec->name, "out of range");
        memcpy(field, &(int){(int)n}, sizeof(int));
        break;
    case U64:
        memcpy(field, &(uint64_t){strtoull(text, &end, 10)}, sizeof(uint64_t));
        break;
    case REAL:
        memcpy(field, &(double){strtod(text, &end)}, sizeof(double));
        break;
    }
    if (end == text || *end != '\0' || errno != 0)
        die(spec->name, "not a number");
}

static const struct option_spec *find_option(const char *name)
{
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        if (strcmp(specs[i].name, name) == 0)
            return &specs[i];
    die("unknown option", name);
}

struct opts parse_opts(int argc, char **argv)
{
    struct opts o = {
        .addr = "unix:/tmp/stint-bench.sock",
        .role = "echo",
        .kind = "",
        .mode = "lat",
        .shape = "plain",
        .ledger = "",
        .size = 64,
        .inflight = 1,
        .conns = 1,
        .calls = 20000,
        .deadline_ms = 10000,
        .burn_us = 2000,
        .fan = 1,
        .seed = 1,
        .secs = 1.0,
        .warm = 0.3,
        .rate = 100,
    };
    for (int i = 1; i < argc; i += 2) {
        const struct option_spec *spec = find_option(argv[i]);
        if (i + 1 == argc)
            die(argv[i], "needs a value");
        set_option(&o, spec, argv[i + 1]);
    }
    return o;
}

void addr_url(char url[ADDR_URL_MAX], const char *prefix, const char *addr)
{
    int n = -1;
    if (strncmp(addr, "unix:", 5) == 0)
        n = snprintf(url, ADDR_URL_MAX, "%sipc://%s", prefix, addr + 5);
    else if (strncmp(addr, "tcp:", 4) == 0)
        n = snprintf(url, ADDR_URL_MAX, "%stcp://%s", prefix, addr + 4);
    if (n < 0 || n >= ADDR_URL_MAX)
        die("bad address", addr);
}

/* ---- a server's life ---- */

static void termination(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
}

void block_signals(void)
{
    sigset_t set;
    termination(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void server_ready(void)
{
    /* An interrupted run leaves nothing behind. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    puts("READY");
    fflush(stdout);
}

void wait_for_sigterm(void)
{
    sigset_t set;
    int sig;
    termination(&set);
    sigwait(&set, &sig);
}

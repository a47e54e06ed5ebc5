/* main.c - the command: runs seeds, in as many processes as there are processors, and says of each
 * that fails how to run it again.
 *
 * A process runs one seed after the other, taking the next number from memory that all share, and
 * notes there what it is at: so its parent can name the seed that crashed it or that it hangs in.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

#define JOBS_MAX     64
#define FAILURES_MAX 10  /* then it is enough */
#define SEED_SECONDS 120 /* of real time for one seed, with room for slow machines */

struct options {
    uint64_t from, seeds;
    unsigned jobs;
    bool verbose, hashes;
};

struct job {
    pid_t pid;
    _Atomic uint64_t seed;
    _Atomic int64_t since; /* when it began with it, in seconds */
};

/* Shared by all processes. */
struct shared {
    _Atomic uint64_t next, done, failed;
    _Atomic uint64_t services, calls, executions, ok, hidden, deepest, largest;
    _Atomic uint64_t codes[STINT_UNAUTHENTICATED + 1];
    struct job jobs[JOBS_MAX];
};

static const char *program;

static int64_t seconds(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec;
}

static void report_failure(struct shared *shared, uint64_t seed, const char *how)
{
    printf("FAILED: seed %llu %s; to see what happens in it:\n    %s --seed %llu --verbose\n",
           (unsigned long long)seed, how, program, (unsigned long long)seed);
    (void)fflush(stdout);
    atomic_fetch_add(&shared->failed, 1);
}

/* ---- one process ---- */

static void raise_to(_Atomic uint64_t *most, uint64_t n)
{
    uint64_t seen = atomic_load(most);
    while (seen < n && !atomic_compare_exchange_weak(most, &seen, n))
        ;
}

static void add_up(struct shared *shared, const struct run_result *r)
{
    const struct history_summary *s = &r->summary;
    atomic_fetch_add(&shared->services, r->services);
    atomic_fetch_add(&shared->calls, s->calls);
    atomic_fetch_add(&shared->executions, s->executions);
    atomic_fetch_add(&shared->ok, s->ok);
    atomic_fetch_add(&shared->hidden, s->hidden);
    for (int i = 0; i <= STINT_UNAUTHENTICATED; i++)
        atomic_fetch_add(&shared->codes[i], s->codes[i]);
    raise_to(&shared->deepest, s->deepest);
    raise_to(&shared->largest, r->services);
}

static void run_one(struct shared *shared, const struct options *o, uint64_t seed)
{
    struct run_result r = run_seed(seed, o->verbose);
    if (r.violations > 0)
        report_failure(shared, seed, "breaks what must hold");
    if (o->hashes)
        printf("seed %llu did %016llx\n", (unsigned long long)seed, (unsigned long long)r.hash);
    add_up(shared, &r);
    atomic_fetch_add(&shared->done, 1);
}

static void run_job(struct shared *shared, struct job *job, const struct options *o)
{
    while (atomic_load(&shared->failed) < FAILURES_MAX) {
        uint64_t i = atomic_fetch_add(&shared->next, 1);
        if (i >= o->seeds)
            return;
        atomic_store(&job->since, seconds());
        atomic_store(&job->seed, o->from + i);
        run_one(shared, o, o->from + i);
    }
}

/* ---- all of them ---- */

static void start_job(struct shared *shared, struct job *job, const struct options *o)
{
    (void)fflush(stdout);
    atomic_store(&job->since, 0);
    pid_t pid = fork();
    if (pid < 0) {
        perror("fork");
        exit(2); // NOLINT(concurrency-mt-unsafe): there is one thread
    }
    if (pid > 0) {
        job->pid = pid;
        return;
    }
    run_job(shared, job, o);
    exit(0); // NOLINT(concurrency-mt-unsafe): there is one thread
}

static struct job *job_of(struct shared *shared, const struct options *o, pid_t pid)
{
    for (unsigned i = 0; i < o->jobs; i++)
        if (shared->jobs[i].pid == pid)
            return &shared->jobs[i];
    return NULL;
}

/* The end of a process; one that died in the middle is replaced. Returns how many run now. */
static unsigned reap(struct shared *shared, const struct options *o, struct job *job, int status)
{
    char how[64];
    job->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    uint64_t seed = atomic_load(&job->seed);
    if (WIFSIGNALED(status))
        snprintf(how, sizeof how, "ends with signal %d", WTERMSIG(status));
    else
        snprintf(how, sizeof how, "ends with exit code %d", WEXITSTATUS(status));
    report_failure(shared, seed, how);
    if (atomic_load(&shared->failed) >= FAILURES_MAX || atomic_load(&shared->next) >= o->seeds)
        return 0;
    start_job(shared, job, o);
    return 1;
}

static void end_hanging(struct shared *shared, const struct options *o)
{
    for (unsigned i = 0; i < o->jobs; i++) {
        struct job *job = &shared->jobs[i];
        int64_t since = atomic_load(&job->since);
        if (job->pid > 0 && since > 0 && seconds() - since > SEED_SECONDS)
            (void)kill(job->pid, SIGKILL);
    }
}

static void run_jobs(struct shared *shared, const struct options *o)
{
    unsigned running = o->jobs;
    for (unsigned i = 0; i < o->jobs; i++)
        start_job(shared, &shared->jobs[i], o);
    while (running > 0) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid == 0) {
            end_hanging(shared, o);
            (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
            continue;
        }
        struct job *job = job_of(shared, o, pid);
        if (job != NULL)
            running = running - 1 + reap(shared, o, job, status);
    }
}

static void print_summary(const struct shared *s)
{
    printf("%llu seeds: %llu services (%llu at most in one), %llu calls over %llu hops at most, "
           "%llu handlers ran, %llu past their caller's deadline after time on the way\n",
           (unsigned long long)s->done, (unsigned long long)s->services,
           (unsigned long long)s->largest, (unsigned long long)s->calls,
           (unsigned long long)s->deepest, (unsigned long long)s->executions,
           (unsigned long long)s->hidden);
    for (int i = 0; i <= STINT_UNAUTHENTICATED; i++)
        if (s->codes[i] > 0)
            printf("    %-20s %llu\n", stint_code_name((stint_code)i),
                   (unsigned long long)s->codes[i]);
}

/* ---- the command line ---- */

static void usage(void)
{
    fprintf(stderr,
            "usage: %s [--seeds COUNT] [--from SEED] [--jobs COUNT] [--hashes]\n"
            "       %s --seed SEED [--verbose] [--hashes]\n"
            "Simulates fleets of services. --hashes prints a number for all that a seed did.\n",
            program, program);
    exit(2); // NOLINT(concurrency-mt-unsafe): there is one thread
}

static uint64_t number(const char *text)
{
    char *end;
    errno = 0;
    uint64_t n = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        usage();
    return n;
}

static struct options parse(int argc, char **argv)
{
    static const struct option known[] = {
        {"seed", required_argument, NULL, 's'},
        {"seeds", required_argument, NULL, 'n'},
        {"from", required_argument, NULL, 'f'},
        {"jobs", required_argument, NULL, 'j'},
        {"verbose", no_argument, NULL, 'v'},
        {"hashes", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct options o = {.seeds = 100, .jobs = cpus > 1 ? (unsigned)cpus : 1};
    int c;
    while ((c = getopt_long(argc, argv, "", known, NULL)) >= 0) { // NOLINT(concurrency-mt-unsafe)
        if (c == 's' || c == 'f')
            o.from = number(optarg);
        else if (c == 'n')
            o.seeds = number(optarg);
        else if (c == 'j')
            o.jobs = (unsigned)number(optarg);
        else if (c != 'v' && c != 'h')
            usage();
        o.verbose |= c == 'v';
        o.hashes |= c == 'h';
        o.seeds = c == 's' ? 1 : o.seeds;
    }
    if (optind < argc || o.jobs == 0)
        usage();
    if (o.jobs > JOBS_MAX)
        o.jobs = JOBS_MAX;
    if (o.jobs > o.seeds || o.verbose)
        o.jobs = o.verbose || o.seeds == 0 ? 1 : (unsigned)o.seeds;
    return o;
}

int main(int argc, char **argv)
{
    program = argv[0];
    struct options o = parse(argc, argv);
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* whole lines, also when a process crashes */
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        return 2;
    }
    run_jobs(shared, &o);
    print_summary(shared);
    bool ok = atomic_load(&shared->failed) == 0 && atomic_load(&shared->done) == o.seeds;
    munmap(shared, sizeof *shared);
    return ok ? 0 : 1;
}

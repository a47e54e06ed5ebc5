/* bench.h - what every benchmark program shares: options, clocks, CPU time and memory of a process,
 * and the measurements of the workloads in ../README.md. A program supplies only "send one call".
 *
 * A client prints one line of key=value pairs on stdout, which `run` reads; a server prints READY.
 * Whatever goes wrong ends the program (die): a benchmark has nobody to recover for. The header is
 * included from C and from C++, hence __atomic_* on plain integers instead of <stdatomic.h>. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NS_PER_MS  ((uint64_t)1000000)
#define NS_PER_SEC ((uint64_t)1000000000)
#define MAX_PIDS   8

/* ---- the program (process.c) ---- */

struct opts {
    const char *addr;     /* unix:/path or tcp:127.0.0.1:port */
    const char *role;     /* server: echo; for W6 forward, fan, burn */
    const char *next;     /* forward: the address of the next hop; fan: of all, with commas */
    const char *kind;     /* flavour of the implementation, its own meaning */
    const char *mode;     /* client: lat, thr, hold, chain */
    const char *shape;    /* W6: of the load: plain, mixed, bimodal, step, pause */
    const char *ledger;   /* Stint: look at what comes with the reply, with (on) or without (off)
                             the ledger; else do not look */
    const char *stats;    /* W6, burn server and client: the file with the shared counters */
    pid_t pids[MAX_PIDS]; /* server first; W6: A, B or several, C */
    int npids;
    int size, inflight, conns, calls;
    int deadline_ms; /* W6: on every call; others: where the program sets deadlines at all */
    int meta;        /* set a deadline and two metadata entries on every call */
    int propagate;   /* forward: pass the caller's deadline on */
    int burn_us;     /* W6: of C's CPU time for each call, on average */
    int fan;         /* W6: calls that reach C for each of the client's */
    uint64_t seed;
    double secs, warm, rate;
};

/* Defaults, overridden by pairs of --name value. */
struct opts parse_opts(int argc, char **argv);

/* Writes "fatal: what: detail" to stderr and ends the program with status 1. die_errno: the detail
 * is errno's text. */
__attribute__((noreturn)) void die(const char *what, const char *detail);
__attribute__((noreturn)) void die_errno(const char *what);

/* For a server's main. Call block_signals before any thread starts, server_ready once it listens
 * (from there on it dies with the driver that started it), then wait_for_sigterm. */
void block_signals(void);
void server_ready(void);
void wait_for_sigterm(void);

/* addr as a URL, with `prefix` before its scheme: ("nng+", unix:/path) gives nng+ipc:///path. */
#define ADDR_URL_MAX 256
void addr_url(char url[ADDR_URL_MAX], const char *prefix, const char *addr);

uint64_t clock_ns(clockid_t clk);
uint64_t now_ns(void); /* CLOCK_MONOTONIC */
void sleep_until_ns(uint64_t when);
void sleep_secs(double secs);

/* User + system CPU time of a whole process (0: this one): the sum that getrusage reports, with
 * nanosecond resolution and readable from outside. */
uint64_t cpu_ns(pid_t pid);

/* A line of /proc/PID/status in KiB, e.g. "VmRSS:"; -1 if it cannot be read. */
long status_kb(pid_t pid, const char *key);

/* ---- W1 to W5 (closed.c) ---- */

/* W1: one blocking call at a time. The function returns 0 for a good reply. Returns the exit
 * status, as the others below. */
typedef int call_fn(void *arg);
int run_lat(const struct opts *o, call_fn *call, void *arg);

/* W2, W3, W5: a closed loop of `slots` calls in flight. loop_start begins the measuring; the
 * program then sends one call for each slot and tells of each that ends: loop_done returns 1 when
 * the slot is to send its next call, 0 when the run is over. A slot is told of by one thread at a
 * time. loop_finish waits for every slot to stop and prints the result. */
struct slot_count {
    uint64_t done; /* written by the slot's owner, read by the window's thread */
    char pad[56];  /* one cache line each: slots of different threads do not disturb each other */
};

struct loop {
    struct opts o;
    struct slot_count *slot;
    int slots;
    int stop, errors;
    int idle; /* slots that have stopped */
    pthread_t window;
};

void loop_start(struct loop *l, const struct opts *o, int slots);
int loop_done(struct loop *l, int slot, int good);
int loop_idle(struct loop *l); /* whether all slots have stopped */
int loop_finish(struct loop *l);

/* W4: memory with o.calls calls outstanding that the server answers after a second. After a short
 * warm-up the program calls hold_before, issues the calls, each of which ends with hold_done, and
 * calls hold_report. */
struct hold {
    long rss0, anon0;
    uint64_t t0;
    uint64_t done, errors;
};

void hold_before(struct hold *h, const struct opts *o);
void hold_done(struct hold *h, int good);
int hold_report(struct hold *h, const struct opts *o);

/* ---- W6: the burn server (burn.c) ---- */

/* Counters of the burn server C, in a file that the client maps too. */
struct chain_stats {
    uint64_t arrived; /* requests that reached C's handler */
    uint64_t burns;   /* calls C burned CPU for */
    uint64_t burn_ns; /* CPU time burned */
    uint64_t late_ns; /* of it, on calls past the client's deadline when their burn began */
    uint64_t skipped; /* calls C refused because it saw them cancelled */
};

struct chain_stats *chain_stats_map(const char *path);
void stat_add(uint64_t *counter, uint64_t n);

/* Burns `us` of this thread's own CPU time, whatever the scheduler does, and counts it.
 * client_deadline (CLOCK_MONOTONIC, ns) rides in the request for this count only: it decides
 * nothing. */
void burn_call(struct chain_stats *st, int us, uint64_t client_deadline);

/* ---- W6: the load (schedule.c) ---- */

/* One call of the open loop. Its life begins at its scheduled arrival: its deadline and its latency
 * both count from it. */
struct chain_call {
    struct chain *chain;
    uint64_t at;       /* scheduled arrival: ns after the chain's start */
    uint64_t deadline; /* ns after `at` */
    uint64_t latency;  /* of a good reply */
    uint32_t burn_us;  /* what C is to burn for it */
    uint8_t good;      /* OK and in time; else late or failed, or open still */
};

/* Where the trouble lies in the window: a step of the load, or a pause of C. */
#define TROUBLE_AT  0.3
#define STEP_DOWN   0.6
#define STEP_FACTOR 8
#define PAUSE       (700 * NS_PER_MS)

int has_shape(const struct opts *o, const char *shape);

/* All calls of the load that `o` describes, from its seed alone; the caller frees them. */
struct chain_call *schedule_new(const struct opts *o, size_t *ret_n);

/* ---- W6: the client (chain.c) ---- */

/* The client's open loop. `send` starts a call and must not block; when the call ends the program
 * calls chain_done, once and from any thread. */
struct chain {
    struct opts o;
    uint64_t start;
    size_t n;
    struct chain_call *calls;
    uint64_t closed;
    uint64_t lag; /* how late the latest send was */
};

typedef void chain_send_fn(void *arg, struct chain_call *call);
int run_chain(const struct opts *o, chain_send_fn *send, void *arg);
uint64_t chain_deadline(const struct chain_call *call); /* CLOCK_MONOTONIC, ns */
void chain_done(struct chain_call *call, int ok);

/* ---- percentiles (closed.c) ---- */

void sort_u64(uint64_t *v, size_t n);
/* The nearest-rank percentile, in microseconds, of sorted nanoseconds; 0 if there are none. */
double pct_us(const uint64_t *v, size_t n, double p);

#ifdef __cplusplus
}
#endif

#endif

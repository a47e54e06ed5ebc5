/* echo_node.c - the echo server, the load and a measurement of both as a program.
 *
 *     echo_node serve URL                      until it is killed
 *     echo_node load URL IN_FLIGHT             until it is killed
 *     echo_node bench URL IN_FLIGHT SECONDS    against a server that it forks */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "echo.h"

#define PAYLOAD 64

static void wait_forever(void)
{
    for (;;)
        pause();
}

static void serve(const char *url)
{
    static struct echo_server server;
    echo_server_open(&server, url, NULL);
    printf("ready %s\n", stint__acceptor_url(server.acceptor));
    fflush(stdout);
    wait_forever();
}

static void load(const char *url, unsigned in_flight)
{
    static struct echo_load client;
    echo_load_start(&client, url, in_flight, PAYLOAD, NULL);
    wait_forever();
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static double cpu_seconds_of(pid_t pid)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return 0;
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void sleep_seconds(double seconds)
{
    struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
}

static void bench(const char *url, unsigned in_flight, double seconds)
{
    int ready[2];
    if (pipe(ready) != 0)
        _exit(1);
    pid_t kid = fork(); /* before the library has any threads */
    if (kid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        static struct echo_server server;
        echo_server_open(&server, url, NULL);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        wait_forever();
    }
    char byte;
    if (read(ready[0], &byte, 1) != 1)
        _exit(1);
    static struct echo_load client;
    client.latencies_max = 1 << 20;
    client.latencies_ns = calloc(client.latencies_max, sizeof *client.latencies_ns);
    double server_cpu = cpu_seconds_of(kid);
    double client_cpu = cpu_seconds_of(getpid());
    struct rusage before;
    struct rusage after;
    getrusage(RUSAGE_SELF, &before);
    stint_time start = stint_now();
    echo_load_start(&client, url, in_flight, PAYLOAD, NULL);
    sleep_seconds(seconds);
    double calls = (double)atomic_load(&client.replies);
    double elapsed = (double)stint_time_sub(stint_now(), start) / 1e9;
    getrusage(RUSAGE_SELF, &after);
    server_cpu = cpu_seconds_of(kid) - server_cpu;
    client_cpu = cpu_seconds_of(getpid()) - client_cpu;
    echo_load_close(&client);
    size_t n = calls < (double)client.latencies_max ? (size_t)calls : client.latencies_max;
    if (n == 0)
        _exit(1);
    qsort(client.latencies_ns, n, sizeof *client.latencies_ns, by_size);
    uint32_t median = client.latencies_ns[n / 2];
    uint32_t slow = client.latencies_ns[n - 1 - n / 100];
    printf("%s transport in flight %u: %.0f calls/s, p50 %.1f us, p99 %.1f us, CPU per call client "
           "%.2f us server %.2f us, switches per call %.2f\n",
           url, in_flight, calls / elapsed, median / 1e3, slow / 1e3, client_cpu * 1e6 / calls,
           server_cpu * 1e6 / calls, (double)(after.ru_nvcsw - before.ru_nvcsw) / calls);
    kill(kid, SIGKILL);
    waitpid(kid, NULL, 0);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        serve(argv[2]);
    else if (argc == 4 && strcmp(argv[1], "load") == 0)
        load(argv[2], (unsigned)strtoul(argv[3], NULL, 10));
    else if (argc == 5 && strcmp(argv[1], "bench") == 0)
        bench(argv[2], (unsigned)strtoul(argv[3], NULL, 10), strtod(argv[4], NULL));
    else
        return 2;
    return 0;
}

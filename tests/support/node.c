/* node.c - see the header.
 *
 * How nothing is left behind: a node leads a process group of its own, which is killed while the
 * node, ended but not yet waited for, still keeps the group's number from being used again; and the
 * kernel kills the node if the test's own process dies.
 *
 * All but the log belongs to the test's thread. The reader thread only touches the log and the two
 * descriptors that it is given; it ends at the end of the pipe, or when it is told to stop and has
 * read what is there, because a process that left the group may hold the pipe open. */
#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node_log.h"
#include "patience.h"
#include "unit.h"

enum node_state { NODE_NEW, NODE_RUNNING, NODE_PAUSED, NODE_ENDED };

static const char *const state_names[] = {"new", "running", "paused", "ended"};

struct node {
    char *name;
    char *path; /* of the program */
    char **argv;
    char url[NODE_URL_MAX];
    enum node_state state;
    pid_t pid;
    int status;       /* of the run that has ended, as node_wait_exit says it */
    int log_fd;       /* the pipe's end to read from, while there is a reader */
    int stop_reading; /* an eventfd */
    pthread_t reader;
    struct node_log log;
};

static void set_state(struct node *n, enum node_state state)
{
    n->state = state;
}

static void expect_state(const struct node *n, enum node_state state)
{
    if (n->state != state)
        fail_msg("node %s is %s, not %s", n->name, state_names[n->state], state_names[state]);
}

/* ---- the log ---- */

static void *read_log(void *arg)
{
    struct node *n = arg;
    struct pollfd fds[] = {{.fd = n->log_fd, .events = POLLIN},
                           {.fd = n->stop_reading, .events = POLLIN}};
    bool stopping = false;
    size_t left = (size_t)1 << 16; /* once stopping: what a pipe holds, and no more */
    while (left > 0) {
        if (poll(fds, 2, -1) < 0)
            continue;
        stopping = fds[1].revents != 0;
        if (stopping && fds[0].revents == 0)
            break;
        char data[4096];
        ssize_t count = fds[0].revents == 0 ? 0 : read(n->log_fd, data, sizeof data);
        if (count <= 0)
            break;
        node_log_append(&n->log, data, (size_t)count);
        if (stopping)
            left = left > (size_t)count ? left - (size_t)count : 0;
    }
    node_log_end_run(&n->log);
    return NULL;
}

static void stop_reader(struct node *n)
{
    eventfd_write(n->stop_reading, 1);
    pthread_join(n->reader, NULL);
    close(n->stop_reading);
    close(n->log_fd);
}

/* ---- starting ---- */

/* Becomes the node; in the child of a process with threads, so that only plain system calls are
 * allowed. Returns only if that fails. */
static void become(const char *path, char *const argv[], int output, pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before it could be noticed */
        return;
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    int input = open("/dev/null", O_RDONLY);
    if (input < 0 || dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
        return;
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC); /* nothing else of the test's is the node's */
    execv(path, argv);
}

/* Runs path with its output to `output`. Returns its pid, or -1 and errno. */
static pid_t spawn(const char *path, char *const argv[], int output)
{
    int failure[2]; /* closed by a successful exec, or carries errno */
    pid_t parent = getpid();
    if (pipe2(failure, O_CLOEXEC) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        become(path, argv, output, parent);
        int error = errno;
        (void)!write(failure[1], &error, sizeof error);
        _exit(127);
    }
    int error = pid < 0 ? errno : 0;
    close(failure[1]);
    if (pid > 0 && read(failure[0], &error, sizeof error) > 0) {
        waitpid(pid, NULL, 0);
        pid = -1;
    }
    close(failure[0]);
    errno = error;
    return pid;
}

void node_start(struct node *n)
{
    assert_true(n->state == NODE_NEW || n->state == NODE_ENDED);
    char *argv[64] = {NULL};
    for (size_t i = 0; n->argv[i] != NULL; i++) {
        assert_true(i + 1 < sizeof argv / sizeof argv[0]);
        argv[i] = strcmp(n->argv[i], NODE_URL) == 0 ? n->url : n->argv[i];
    }
    int output[2];
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    n->pid = spawn(n->path, argv, output[1]);
    int error = errno;
    close(output[1]);
    n->log_fd = output[0];
    if (n->pid < 0) {
        close(output[0]);
        fail_msg("cannot run %s: %s", n->path, strerror(error)); // NOLINT(concurrency-mt-unsafe)
    }
    n->stop_reading = eventfd(0, EFD_CLOEXEC);
    node_log_begin_run(&n->log);
    set_state(n, NODE_RUNNING);
    assert_int_equal(pthread_create(&n->reader, NULL, read_log, n), 0);
}

static char **copy_arguments(const char *const argv[])
{
    size_t count = 0;
    while (argv[count] != NULL)
        count++;
    char **copy = calloc(count + 1, sizeof *copy);
    assert_non_null(copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = strdup(argv[i]);
    return copy;
}

struct node *node_new(const char *name, const char *url, const char *const argv[])
{
    struct node *n = calloc(1, sizeof *n);
    assert_non_null(n);
    assert_non_null(argv[0]);
    n->name = strdup(name);
    n->path = strdup(argv[0]);
    n->argv = copy_arguments(argv);
    snprintf(n->url, sizeof n->url, "%s", url == NULL ? "" : url);
    node_log_init(&n->log);
    return n;
}

/* ---- ending ---- */

/* True if the process has ended within ms. It stays to be waited for. */
static bool has_ended(const struct node *n, int64_t ms)
{
    int fd = pidfd_open(n->pid, 0);
    assert_true(fd >= 0);
    struct timespec deadline = deadline_in_ms(ms);
    int rc;
    do
        rc =
            poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, (int)deadline_left_ms(&deadline));
    while (rc < 0 && errno == EINTR);
    close(fd);
    return rc > 0;
}

/* The process has ended, or is about to. */
static void finish_run(struct node *n)
{
    siginfo_t info;
    int status = 0;
    waitid(P_PID, (id_t)n->pid, &info, WEXITED | WNOWAIT);
    kill(-n->pid, SIGKILL); /* the rest of its group */
    waitpid(n->pid, &status, 0);
    n->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    stop_reader(n);
    set_state(n, NODE_ENDED);
}

bool node_is_alive(const struct node *n)
{
    return n->state == NODE_RUNNING || n->state == NODE_PAUSED;
}

int node_wait_exit(struct node *n)
{
    if (node_is_alive(n)) {
        if (!has_ended(n, patience_ms()))
            fail_msg("node %s (pid %d) does not end", n->name, (int)n->pid);
        finish_run(n);
    }
    expect_state(n, NODE_ENDED);
    return n->status;
}

int node_terminate(struct node *n)
{
    expect_state(n, NODE_RUNNING);
    kill(n->pid, SIGTERM);
    return node_wait_exit(n);
}

void node_kill(struct node *n)
{
    if (!node_is_alive(n))
        return;
    kill(n->pid, SIGKILL);
    finish_run(n);
}

void node_free(struct node *n)
{
    if (n == NULL)
        return;
    node_kill(n);
    node_log_fini(&n->log);
    for (size_t i = 0; n->argv[i] != NULL; i++)
        free(n->argv[i]);
    free(n->argv);
    free(n->path);
    free(n->name);
    free(n);
}

/* ---- pausing ---- */

/* Sends a signal that changes what waitid calls `change` (WSTOPPED, WCONTINUED), and waits until it
 * has. */
static void change_state(struct node *n, int signal, int change, enum node_state state)
{
    siginfo_t info = {0};
    kill(n->pid, signal);
    assert_int_equal(waitid(P_PID, (id_t)n->pid, &info, change | WEXITED | WNOWAIT), 0);
    if (info.si_code != CLD_STOPPED && info.si_code != CLD_CONTINUED)
        fail_msg("node %s has ended by itself", n->name);
    waitid(P_PID, (id_t)n->pid, &info, change);
    set_state(n, state);
}

void node_pause(struct node *n)
{
    expect_state(n, NODE_RUNNING);
    change_state(n, SIGSTOP, WSTOPPED, NODE_PAUSED);
}

void node_resume(struct node *n)
{
    expect_state(n, NODE_PAUSED);
    change_state(n, SIGCONT, WCONTINUED, NODE_RUNNING);
}

/* ---- watching ---- */

const char *node_name(const struct node *n)
{
    return n->name;
}

const char *node_url(const struct node *n)
{
    return n->url;
}

pid_t node_pid(const struct node *n)
{
    return n->pid;
}

static void expect_seen(struct node *n, enum node_log_outcome outcome, const char *what)
{
    if (outcome == NODE_LOG_TIMED_OUT)
        fail_msg("node %s has not logged in time: %s", n->name, what);
    if (outcome == NODE_LOG_ENDED)
        fail_msg("node %s ended (%d) before it logged: %s", n->name, node_wait_exit(n), what);
}

void node_wait_ready(struct node *n)
{
    expect_seen(n, node_log_wait_ready(&n->log, n->url, patience_ms()), "ready URL");
}

void node_wait_log(struct node *n, const char *text, unsigned times)
{
    expect_seen(n, node_log_wait(&n->log, text, times, patience_ms()), text);
}

void node_wait_until(struct node *n, bool (*look)(struct node *n, void *arg), void *arg)
{
    struct timespec deadline = deadline_in_ms(patience_ms());
    while (!look(n, arg)) {
        if (has_ended(n, 0))
            fail_msg("node %s ended (%d) before it was ready", n->name, node_wait_exit(n));
        if (deadline_left_ms(&deadline) == 0)
            fail_msg("node %s is not ready in time", n->name);
        pause_between_looks();
    }
}

char *node_line_with(struct node *n, const char *text)
{
    return node_log_line(&n->log, text);
}

unsigned node_lines_with(struct node *n, const char *text)
{
    return node_log_count(&n->log, text);
}

void node_print_log(struct node *n)
{
    fprintf(stderr, "%s| (pid %d, %s)\n", n->name, (int)n->pid, state_names[n->state]);
    node_log_print(&n->log, n->name);
}

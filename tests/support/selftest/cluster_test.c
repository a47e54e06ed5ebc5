/* cluster_test.c - the harness keeps its promises, also when a test fails or is killed. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "cluster.h"
#include "leak.h"
#include "patience.h"

#define PUPPET(c, name, ...) CLUSTER_START(c, name, NULL, PROGRAM_puppet, __VA_ARGS__)

/* The letter that /proc gives a process: 'T' stopped, 'Z' ended, 0: there is none. */
static char process_state(pid_t pid)
{
    char path[64], state = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1) // NOLINT(cert-err34-c): written by the kernel
        state = 0;
    fclose(file);
    return state;
}

/* Ended, though perhaps not waited for yet. */
static void expect_end_of(pid_t pid)
{
    int fd = pidfd_open(pid, 0);
    if (fd < 0)
        return;
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&ended, 1, (int)patience_ms()), 1);
    close(fd);
}

/* The number behind the text in the log. */
static pid_t logged_pid(struct node *n, const char *text)
{
    char *line = node_line_with(n, text);
    assert_non_null(line);
    pid_t pid = (pid_t)strtol(strstr(line, text) + strlen(text), NULL, 10);
    free(line);
    assert_true(pid > 1);
    return pid;
}

static void a_node_announces_its_url_and_keeps_it(struct cluster *c)
{
    struct node *n =
        CLUSTER_START(c, "puppet", "tcp://127.0.0.1:0", PROGRAM_puppet, "ready", NODE_URL);
    node_wait_ready(n);
    assert_string_equal(node_url(n), "tcp://127.0.0.1:4242");
    pid_t first = node_pid(n);
    assert_int_equal(node_terminate(n), 128 + SIGTERM);
    node_start(n);
    node_wait_ready(n);
    assert_string_equal(node_url(n), "tcp://127.0.0.1:4242");
    assert_int_not_equal(node_pid(n), first);
}

static void the_end_of_a_node_is_seen_as_it_was(struct cluster *c)
{
    struct node *leaver = PUPPET(c, "leaver", "leave", "3");
    struct node *crasher = PUPPET(c, "crasher", "crash");
    assert_int_equal(node_wait_exit(leaver), 3);
    assert_int_equal(node_lines_with(leaver, "last words, without an end"), 1);
    assert_int_equal(node_wait_exit(crasher), 128 + SIGABRT);
    assert_int_equal(node_lines_with(crasher, "about to crash"), 1);
    node_kill(crasher);
    assert_int_equal(node_wait_exit(crasher), 128 + SIGABRT);
}

static void a_killed_node_has_ended(struct cluster *c)
{
    struct node *n = PUPPET(c, "mule", "stubborn");
    node_wait_log(n, "stubborn", 1);
    pid_t pid = node_pid(n);
    node_kill(n);
    assert_int_equal(process_state(pid), 0);
    assert_int_equal(node_wait_exit(n), 128 + SIGKILL);
}

static void a_paused_node_stands_still(struct cluster *c)
{
    struct node *n = PUPPET(c, "puppet", "ready", "-");
    node_wait_ready(n);
    node_pause(n);
    assert_int_equal(process_state(node_pid(n)), 'T');
    node_resume(n);
    assert_int_not_equal(process_state(node_pid(n)), 'T');
    node_pause(n);
    node_kill(n); /* also when it is stopped */
    assert_int_equal(node_wait_exit(n), 128 + SIGKILL);
}

static void a_flood_does_not_block_and_is_not_all_kept(struct cluster *c)
{
    struct node *n = PUPPET(c, "flood", "flood", "100000");
    node_wait_log(n, "the flood is over", 1);
    assert_int_equal(node_lines_with(n, "the flood begins"), 0);
    assert_int_equal(node_lines_with(n, "line 99999 of"), 1);
}

static void children_end_with_their_node(struct cluster *c)
{
    struct node *n = PUPPET(c, "family", "family");
    assert_int_equal(node_wait_exit(n), 0);
    expect_end_of(logged_pid(n, "child "));
    assert_int_equal(cluster_kill_strays(c), 0);
}

static void a_child_that_left_the_group_is_caught(struct cluster *c)
{
    struct node *n = PUPPET(c, "runaway", "runaway");
    assert_int_equal(node_wait_exit(n), 0);
    pid_t pid = logged_pid(n, "child ");
    struct node *other = PUPPET(c, "other", "ready", "-");
    assert_int_equal(cluster_kill_strays(c), 1);
    assert_int_equal(process_state(pid), 0);
    node_wait_ready(other); /* no stray */
}

static void a_node_inherits_no_descriptors(struct cluster *c)
{
    int fd = dup(1); /* without close-on-exec */
    struct node *n = PUPPET(c, "descriptors", "descriptors");
    assert_int_equal(node_wait_exit(n), 0);
    close(fd);
    assert_int_equal(node_lines_with(n, "descriptors 3"), 1);
}

static void *close_soon(void *arg)
{
    pause_between_looks();
    close(*(int *)arg);
    return NULL;
}

static void what_is_going_away_is_no_leak(struct cluster *c)
{
    struct leaks before = leaks_look();
    struct node *n = PUPPET(c, "leaver", "leave", "0");
    for (int i = 0; i < 20; i++) {
        node_wait_exit(n);
        node_start(n);
    }
    node_wait_exit(n);
    int fd = dup(2);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, close_soon, &fd), 0);
    leaks_check(&before);
    pthread_join(thread, NULL);
}

/* ---- tests that fail ---- */

/* Runs one test of the victim; it must end like that. */
static struct node *ended_victim(struct cluster *c, const char *test, int status)
{
    struct node *n = CLUSTER_START(c, "victim", NULL, PROGRAM_victim, test, PROGRAM_puppet);
    assert_int_equal(node_wait_exit(n), status);
    return n;
}

static struct node *failed_victim(struct cluster *c, const char *test)
{
    return ended_victim(c, test, 1);
}

static void a_failed_test_leaves_nothing_and_shows_the_logs(struct cluster *c)
{
    struct node *n = failed_victim(c, "asserts");
    assert_int_equal(node_lines_with(n, "started"), 1);
    assert_int_equal(cluster_kill_strays(c), 0);
    assert_int_equal(node_lines_with(n, "steady| ready tcp://127.0.0.1:4242"), 1);
    assert_int_equal(node_lines_with(n, "mule| stubborn"), 1);
    char *line = node_line_with(n, "dir ");
    assert_int_equal(access(line + 4, F_OK), -1);
    free(line);
}

static void a_node_that_ignores_sigterm_fails_the_test(struct cluster *c)
{
    struct node *n = failed_victim(c, "terminates_a_stubborn_node");
    assert_int_equal(node_lines_with(n, "does not end"), 1);
    assert_int_equal(node_lines_with(n, "mule| stubborn"), 1);
}

static void a_line_that_never_comes_fails_the_test(struct cluster *c)
{
    struct node *n = failed_victim(c, "waits_in_vain");
    assert_int_equal(node_lines_with(n, "node mute has not logged in time: a word"), 1);
}

static void waiting_for_a_dead_node_fails_the_test_at_once(struct cluster *c)
{
    struct node *n = failed_victim(c, "waits_for_the_dead");
    assert_int_equal(node_lines_with(n, "node dead ended (3) before it logged: ready"), 1);
    assert_int_equal(node_lines_with(n, "dead| last words"), 1);
}

static void a_missing_program_fails_the_test(struct cluster *c)
{
    struct node *n = failed_victim(c, "runs_what_is_not_there");
    assert_int_equal(node_lines_with(n, "cannot run /nonexistent/program: No such file"), 1);
}

static void leaks_fail_the_test(struct cluster *c)
{
    static const char *const leaks[] = {"leaks_a_descriptor", "leaks_a_context", "leaks_a_thread"};
    for (size_t i = 0; i < sizeof leaks / sizeof leaks[0]; i++) {
        struct node *n = failed_victim(c, leaks[i]);
        assert_int_equal(node_lines_with(n, "leaked: "), 1);
    }
}

static void a_stuck_simulation_says_so(struct cluster *c)
{
    struct node *n = ended_victim(c, "is_stuck_in_a_simulation", 128 + SIGABRT);
    assert_int_equal(node_lines_with(n, "the simulation is stuck after 0.000"), 1);
}

/* As ctest does when a test takes too long. */
static void a_killed_test_takes_its_nodes_with_it(struct cluster *c)
{
    struct node *n = CLUSTER_START(c, "victim", NULL, PROGRAM_victim, "hangs", PROGRAM_puppet);
    node_wait_log(n, "started", 1);
    kill(node_pid(n), SIGKILL);
    expect_end_of(logged_pid(n, "pid "));
    assert_int_equal(node_wait_exit(n), 128 + SIGKILL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(a_node_announces_its_url_and_keeps_it),
        CLUSTER_TEST(the_end_of_a_node_is_seen_as_it_was),
        CLUSTER_TEST(a_killed_node_has_ended),
        CLUSTER_TEST(a_paused_node_stands_still),
        CLUSTER_TEST(a_flood_does_not_block_and_is_not_all_kept),
        CLUSTER_TEST(children_end_with_their_node),
        CLUSTER_TEST(a_child_that_left_the_group_is_caught),
        CLUSTER_TEST(a_node_inherits_no_descriptors),
        CLUSTER_TEST(what_is_going_away_is_no_leak),
        CLUSTER_TEST(a_failed_test_leaves_nothing_and_shows_the_logs),
        CLUSTER_TEST(a_node_that_ignores_sigterm_fails_the_test),
        CLUSTER_TEST(a_line_that_never_comes_fails_the_test),
        CLUSTER_TEST(waiting_for_a_dead_node_fails_the_test_at_once),
        CLUSTER_TEST(a_missing_program_fails_the_test),
        CLUSTER_TEST(leaks_fail_the_test),
        CLUSTER_TEST(a_stuck_simulation_says_so),
        CLUSTER_TEST(a_killed_test_takes_its_nodes_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

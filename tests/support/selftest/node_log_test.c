/* node_log_test.c - lines are found however they come, and however many came after them. */
#include "node_log.h"

#include <stdlib.h>
#include <string.h>

#include "patience.h"
#include "unit.h"

static struct node_log node_log;

static int setup(void **state)
{
    (void)state;
    node_log_init(&node_log);
    node_log_begin_run(&node_log);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    node_log_fini(&node_log);
    return 0;
}

static void append(const char *text)
{
    node_log_append(&node_log, text, strlen(text));
}

static void append_much(size_t bytes)
{
    char line[1024];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    for (size_t done = 0; done < bytes; done += sizeof line)
        node_log_append(&node_log, line, sizeof line);
}

static void a_line_may_come_in_pieces(void **state)
{
    (void)state;
    append("one two");
    assert_int_equal(node_log_count(&node_log, "two"), 0); /* not complete yet */
    append(" three\nfour tw");
    append("o\n\n");
    assert_int_equal(node_log_count(&node_log, "two"), 2);
    assert_int_equal(node_log_count(&node_log, "two three"), 1);
    assert_int_equal(node_log_count(&node_log, "three\nfour"), 0);
    char *line = node_log_line(&node_log, "two");
    assert_string_equal(line, "one two three");
    free(line);
    assert_null(node_log_line(&node_log, "five"));
}

static void the_end_completes_the_last_line(void **state)
{
    (void)state;
    append("the end");
    node_log_end_run(&node_log);
    assert_int_equal(node_log_count(&node_log, "the end"), 1);
    assert_int_equal(node_log_wait(&node_log, "the end", 1, 0), NODE_LOG_SEEN);
    assert_int_equal(node_log_wait(&node_log, "the end", 2, 1000000), NODE_LOG_ENDED);
}

static void a_run_does_not_see_the_one_before(void **state)
{
    (void)state;
    char url[NODE_URL_MAX];
    append("ready ipc:///one\nhello\n");
    node_log_end_run(&node_log);
    node_log_begin_run(&node_log);
    assert_int_equal(node_log_count(&node_log, "hello"), 0);
    assert_int_equal(node_log_wait_ready(&node_log, url, 0), NODE_LOG_TIMED_OUT);
    append("ready ipc:///two\n");
    assert_int_equal(node_log_wait_ready(&node_log, url, 0), NODE_LOG_SEEN);
    assert_string_equal(url, "ipc:///two");
}

static void only_a_whole_ready_line_counts(void **state)
{
    (void)state;
    char url[NODE_URL_MAX], line[NODE_URL_MAX + 8];
    append("not ready ipc:///x\nready\nready \n");
    memset(line, 'u', sizeof line);
    line[sizeof line - 1] = '\n';
    append("ready ");
    node_log_append(&node_log, line, sizeof line); /* longer than a URL may be */
    assert_int_equal(node_log_wait_ready(&node_log, url, 0), NODE_LOG_TIMED_OUT);
}

static void old_lines_are_dropped(void **state)
{
    (void)state;
    append("first\n");
    append_much(4 * NODE_LOG_KEPT);
    append("last\n");
    assert_int_equal(node_log_count(&node_log, "first"), 0);
    assert_int_equal(node_log_count(&node_log, "last"), 1);
    assert_true(node_log.len <= 2 * NODE_LOG_KEPT);
    assert_true(node_log.len + node_log.dropped > 4 * NODE_LOG_KEPT);
}

static void a_line_longer_than_all_that_is_kept(void **state)
{
    (void)state;
    static char data[3 * NODE_LOG_KEPT];
    memset(data, 'y', sizeof data);
    node_log_append(&node_log, data, sizeof data);
    append(" end\nnext\n");
    assert_int_equal(node_log_count(&node_log, "y end"), 1);
    assert_int_equal(node_log_count(&node_log, "next"), 1);
}

static void *flood_over_a_line(void *arg)
{
    (void)arg;
    for (;;) { /* until somebody waits for it */
        pthread_mutex_lock(&node_log.mutex);
        const char *watched = node_log.watched;
        pthread_mutex_unlock(&node_log.mutex);
        if (watched != NULL)
            break;
    }
    append("the line\n");
    append_much(4 * NODE_LOG_KEPT);
    return NULL;
}

static void a_watched_line_is_not_missed_in_a_flood(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, flood_over_a_line, NULL), 0);
    assert_int_equal(node_log_wait(&node_log, "the line", 1, patience_ms()), NODE_LOG_SEEN);
    pthread_join(thread, NULL);
    assert_int_equal(node_log_count(&node_log, "the line"), 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_line_may_come_in_pieces),
        TEST(the_end_completes_the_last_line),
        TEST(a_run_does_not_see_the_one_before),
        TEST(only_a_whole_ready_line_counts),
        TEST(old_lines_are_dropped),
        TEST(a_line_longer_than_all_that_is_kept),
        TEST(a_watched_line_is_not_missed_in_a_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

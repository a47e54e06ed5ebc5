/* logger_test.c - the rate limit: what passes, what is counted, and that time moves the window. */
#include "unit.h"

#include <string.h>

#include "logger.h"

struct seen {
    unsigned lines;
    uint64_t suppressed;
    stint_log_level level;
    char text[64];
};

static void on_line(void *arg, stint_log_level level, const char *text, uint64_t suppressed)
{
    struct seen *s = arg;
    s->lines++;
    s->suppressed += suppressed;
    s->level = level;
    strncpy(s->text, text, sizeof s->text - 1);
}

static void write_lines(struct stint__logger *l, stint_time now, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        stint__log_write(l, now, STINT_LOG_WARN, "line %u", i);
}

static void test_ten_a_second(void **state)
{
    (void)state;
    struct seen s = {0};
    struct stint__logger l;
    stint__log_init(&l, (stint_log){on_line, &s});
    write_lines(&l, (stint_time){0}, 25);
    assert_int_equal(s.lines, 10);
    assert_int_equal(s.suppressed, 0);
    assert_string_equal(s.text, "line 9");
    assert_int_equal(s.level, STINT_LOG_WARN);
    write_lines(&l, (stint_time){STINT_SECONDS(1) - 1}, 1);
    assert_int_equal(s.lines, 10);
    write_lines(&l, (stint_time){STINT_SECONDS(1)}, 1);
    assert_int_equal(s.lines, 11);
    assert_int_equal(s.suppressed, 16);
    write_lines(&l, (stint_time){STINT_SECONDS(1)}, 1);
    assert_int_equal(s.suppressed, 16); /* counted once */
}

static void test_an_older_now_does_not_open_a_new_window(void **state)
{
    (void)state;
    struct seen s = {0};
    struct stint__logger l;
    stint__log_init(&l, (stint_log){on_line, &s});
    write_lines(&l, (stint_time){STINT_SECONDS(5)}, 10);
    write_lines(&l, (stint_time){STINT_SECONDS(4)}, 10);
    write_lines(&l, (stint_time){STINT_SECONDS(5)}, 10);
    assert_int_equal(s.lines, 10);
}

static void test_silence(void **state)
{
    (void)state;
    struct stint__logger l;
    stint__log_init(&l, (stint_log){NULL, NULL});
    write_lines(&l, (stint_time){0}, 20);
    assert_int_equal(atomic_load(&l.limit.suppressed), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ten_a_second),
        cmocka_unit_test(test_an_older_now_does_not_open_a_new_window),
        cmocka_unit_test(test_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

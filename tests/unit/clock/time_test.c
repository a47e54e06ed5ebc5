/* time_test.c - arithmetic that saturates, and what is true of every clock. */
#include "unit.h"

#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

static void addition_saturates(void **state)
{
    (void)state;
    const stint_time first = {INT64_MIN};
    const stint_time last = {INT64_MAX};
    assert_int_equal(stint_time_add((stint_time){5}, -7).ns, -2);
    assert_int_equal(stint_time_add(last, 1).ns, INT64_MAX);
    assert_int_equal(stint_time_add((stint_time){1}, STINT_DURATION_FOREVER).ns, INT64_MAX);
    assert_int_equal(stint_time_add(last, -1).ns, INT64_MAX - 1);
    assert_int_equal(stint_time_add(first, -1).ns, INT64_MIN);
    assert_int_equal(stint_time_add((stint_time){-2}, INT64_MIN).ns, INT64_MIN);
    assert_int_equal(stint_time_add(first, INT64_MAX).ns, -1);
}

static void subtraction_saturates(void **state)
{
    (void)state;
    const stint_time first = {INT64_MIN};
    const stint_time last = {INT64_MAX};
    assert_int_equal(stint_time_sub((stint_time){5}, (stint_time){7}), -2);
    assert_int_equal(stint_time_sub(last, (stint_time){-1}), INT64_MAX);
    assert_int_equal(stint_time_sub(last, first), INT64_MAX);
    assert_int_equal(stint_time_sub(first, last), INT64_MIN);
    assert_int_equal(stint_time_sub(first, (stint_time){1}), INT64_MIN);
    assert_int_equal(stint_time_sub(first, first), 0);
    assert_int_equal(stint_time_sub((stint_time){0}, first), INT64_MAX);
}

static void clocks_do_not_run_back(void **state)
{
    (void)state;
    stint_time before = stint_now();
    int64_t boot_before = stint__clock_boottime_ns();
    for (int i = 0; i < 1000; i++) {
        stint_time now = stint_now();
        int64_t boot = stint__clock_boottime_ns();
        assert_false(stint_time_before(now, before));
        assert_true(boot >= boot_before);
        before = now;
        boot_before = boot;
    }
    assert_true(before.ns > 0);
}

static void processes_of_one_boot_share_a_domain(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork(); /* before this process has computed its own */
    assert_true(pid >= 0);
    if (pid == 0) {
        uint64_t theirs = stint__clock_boot_domain();
        _exit(write(fds[1], &theirs, sizeof theirs) == (ssize_t)sizeof theirs ? 0 : 1);
    }
    uint64_t theirs = 0;
    assert_int_equal(read(fds[0], &theirs, sizeof theirs), sizeof theirs);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(fds[0]);
    close(fds[1]);
    assert_int_not_equal(theirs, 0);
    assert_int_equal(stint__clock_boot_domain(), theirs);
    assert_int_equal(stint__clock_boot_domain(), theirs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addition_saturates),
        cmocka_unit_test(subtraction_saturates),
        cmocka_unit_test(clocks_do_not_run_back),
        cmocka_unit_test(processes_of_one_boot_share_a_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

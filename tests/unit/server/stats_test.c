/* stats_test.c - what a server tells about its methods: which there are, in structs of any size,
 * and histograms that hold exactly what ran. In virtual time. */
#include <string.h>

#include "kitchen.h"
#include "sim_clock.h"
#include "unit.h"

static void every_method_is_named_once(void **state)
{
    (void)state;
    static const char *const methods[] = {"Quick", "Work", "Later", "Hasty", "Missing", "Careful"};
    enum { N = sizeof methods / sizeof methods[0] };
    unsigned seen[N] = {0};
    struct kitchen k;
    struct desk *d = kitchen_open(&k, "names", 0);
    size_t n = 0;
    for (const char *path; (path = stint_server_method(d->server, n)) != NULL; n++)
        for (size_t i = 0; i < N; i++)
            seen[i] +=
                strncmp(path, "probe.v1.Probe/", 15) == 0 && strcmp(path + 15, methods[i]) == 0;
    assert_int_equal(n, N);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(seen[i], 1);
    assert_null(stint_server_method(d->server, SIZE_MAX));
    desk_free(d);
    kitchen_fini(&k);
}

static void structs_of_other_versions_get_what_they_know(void **state)
{
    (void)state;
    struct kitchen k;
    struct desk *d = kitchen_open(&k, "sizes", 0);
    struct {
        stint_method_stats stats;
        uint8_t more[32];
    } s;
    assert_int_equal(DESK_CALL(d, .budget = STINT_MS(50)).code, STINT_OK);
    const size_t sizes[] = {sizeof(size_t), offsetof(stint_method_stats, admitted), sizeof s.stats,
                            sizeof s};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t untouched[sizeof s];
        memset(&s, 0xAA, sizeof s);
        memset(untouched, 0xAA, sizeof untouched);
        s.stats.size = sizes[i];
        assert_int_equal(stint_server_method_stats_get(d->server, "probe.v1.Probe/Work", &s.stats),
                         STINT_OK);
        size_t written = sizes[i] < sizeof s.stats ? sizes[i] : sizeof s.stats;
        assert_int_equal(s.stats.size, sizes[i]);
        assert_memory_equal((uint8_t *)&s + written, untouched, sizeof s - written);
        if (written > sizeof(size_t))
            assert_int_equal(s.stats.requests, 1);
    }
    memset(&s, 0xAA, sizeof s);
    const char *const strangers[] = {"probe.v1.Probe/Wor", "probe.v1.Probe/Work/", ""};
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++)
        assert_int_equal(stint_server_method_stats_get(d->server, strangers[i], &s.stats),
                         STINT_NOT_FOUND);
    assert_int_equal(s.stats.requests, UINT64_C(0xAAAAAAAAAAAAAAAA));
    desk_free(d);
    kitchen_fini(&k);
}

static void histograms_hold_what_ran(void **state)
{
    (void)state;
    enum { CALLS = 10 };
    struct kitchen k;
    struct desk *d = kitchen_open(&k, "histograms", STINT_MS(3));
    for (int i = 0; i < CALLS; i++)
        (void)DESK_ASK(d, .budget = STINT_SECONDS(1));
    (void)DESK_ASK(d, .method = "Quick", .budget = STINT_SECONDS(1));
    (void)DESK_ASK(d, .no_time = true);
    desk_check_books(d);
    stint_method_stats work = desk_stats(d, "Work"), quick = desk_stats(d, "Quick");
    assert_int_equal(work.run.count, CALLS);
    assert_int_equal(work.run.sum, CALLS * STINT_MS(3));
    assert_int_equal(work.run.max, STINT_MS(3));
    assert_int_equal(work.queue.count, CALLS);
    assert_int_equal(work.queue.sum, CALLS * (CALLS - 1) / 2 * STINT_MS(3)); /* 0, 3, 6 ... */
    assert_int_equal(work.queue.max, (CALLS - 1) * STINT_MS(3));
    assert_int_equal(work.expired_arrival, 1);
    assert_int_equal(quick.run.count, 1);
    assert_int_equal(quick.run.sum, 0);
    assert_int_equal(desk_stats(d, "Later").run.count, 0);
    desk_free(d);
    kitchen_fini(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIM_CLOCK_TEST(every_method_is_named_once),
        SIM_CLOCK_TEST(structs_of_other_versions_get_what_they_know),
        SIM_CLOCK_TEST(histograms_hold_what_ran),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* deadline_test.c - how much time goes out with a request: the least of what the context has left,
 * what the method declares, and, for contexts without a deadline, the channel's default. */
#include "fake_peer.h"

#define WORK  (&probe_v1_probe.methods[1])
#define HASTY (&probe_v1_probe.methods[3]) /* declares 30 ms */

struct deadline_case {
    const stint_method *method;
    stint_duration left; /* of the context; 0: it has no deadline */
    stint_duration default_timeout;
    stint_duration sent; /* 0: none */
};

static void the_earliest_deadline_holds(void **state)
{
    (void)state;
    const struct deadline_case cases[] = {
        {WORK, 0, 0, 0},
        {WORK, STINT_MS(20), 0, STINT_MS(20)},
        {WORK, 0, STINT_MS(10), STINT_MS(10)},
        {WORK, STINT_MS(20), STINT_MS(10), STINT_MS(20)}, /* the context has one */
        {HASTY, 0, 0, STINT_MS(30)},
        {HASTY, STINT_MS(20), 0, STINT_MS(20)},
        {HASTY, STINT_MS(40), 0, STINT_MS(30)},
        {HASTY, 0, STINT_MS(10), STINT_MS(10)},
        {HASTY, 0, STINT_MS(40), STINT_MS(30)},
        {HASTY, STINT_MS(20), STINT_MS(10), STINT_MS(20)},
        {HASTY, STINT_MS(40), STINT_MS(10), STINT_MS(30)},
        {HASTY, 0, STINT_DURATION_FOREVER, STINT_MS(30)},
    };
    struct fake_peer f;
    fake_init(&f);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct deadline_case *c = &cases[i];
        f.ch->opts.default_timeout = c->default_timeout;
        fake_call(&f, c->method, c->left, STINT_OK, NULL);
        assert_int_equal(f.last.has_budget, c->sent > 0);
        assert_int_equal(f.last.budget_us, c->sent / 1000);
    }
    assert_int_equal(f.submits, sizeof cases / sizeof cases[0]);
    fake_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_earliest_deadline_holds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* known_test.c - the table of what a channel knows: places are found again, never shared, and run
 * out without harm; also when many threads take them at once. */
#include <pthread.h>

#include "known.h"
#include "unit.h"

#define METHODS ((size_t)2 * STINT__KNOWN_METHODS)

static stint_method methods[METHODS];

static void a_method_has_one_place_of_its_own_or_none(void **state)
{
    (void)state;
    static struct stint__knowledge k;
    struct stint__known *places[METHODS];
    unsigned taken = 0;
    for (size_t i = 0; i < METHODS; i++) {
        assert_null(stint__known_find(&k, &methods[i]));
        places[i] = stint__known_claim(&k, &methods[i]);
        taken += places[i] != NULL;
    }
    assert_true(taken >= STINT__KNOWN_METHODS / 2 && taken <= STINT__KNOWN_METHODS);
    for (size_t i = 0; i < METHODS; i++) {
        assert_ptr_equal(stint__known_find(&k, &methods[i]), places[i]);
        assert_ptr_equal(stint__known_claim(&k, &methods[i]), places[i]);
        if (places[i] != NULL)
            assert_ptr_equal(atomic_load(&places[i]->method), &methods[i]);
    }
}

static void forgetting_keeps_the_places(void **state)
{
    (void)state;
    static struct stint__knowledge k;
    const stint_time now = {STINT_SECONDS(1)};
    struct stint__known *at = stint__known_claim(&k, &methods[0]);
    stint__known_learn(at, STINT_MS(3), now);
    stint__throttle_push_back(&at->throttles[3], now, STINT_MS(1));
    assert_int_equal(stint__known_needed(at, now), STINT_MS(3));
    uint_fast32_t generation = atomic_load(&k.generation);
    stint__known_forget(&k);
    assert_ptr_equal(stint__known_find(&k, &methods[0]), at);
    assert_int_equal(stint__known_needed(at, now), 0);
    assert_false(stint__throttle_is_on(&at->throttles[3]));
    assert_true(atomic_load(&k.generation) != generation);
}

/* A method needs as many milliseconds as its index says: whoever finds another number has found
 * another method's place. */
static void *learn_and_look(void *arg)
{
    struct stint__knowledge *k = arg;
    const stint_time now = {STINT_SECONDS(1)};
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < METHODS; i++) {
            struct stint__known *at = stint__known_claim(k, &methods[i]);
            if (at == NULL)
                continue;
            stint__known_learn(at, STINT_MS((stint_duration)i + 1), now);
            if (stint__known_find(k, &methods[i]) != at ||
                stint__known_needed(at, now) != STINT_MS((stint_duration)i + 1))
                return k;
        }
    }
    return NULL;
}

static void threads_agree_on_the_places(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    static struct stint__knowledge k;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, learn_and_look, &k), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_method_has_one_place_of_its_own_or_none),
        cmocka_unit_test(forgetting_keeps_the_places),
        cmocka_unit_test(threads_agree_on_the_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* legs_property_test.c - whatever the weights, the reserve and the use of the legs: together they
 * stay within the parent's time less the reserve, none has more than the parent, and one whose
 * predecessors kept to their time has at least its share. */
#include "budget_unit.h"

#define ROUNDS   20000
#define LEGS_MAX 8

/* Wide enough for a product of a time and a weight. */
__extension__ typedef unsigned __int128 wide;

/* splitmix64 with a fixed seed: the same budgets every time. */
static uint64_t seed;

static uint64_t random64(void)
{
    uint64_t z = seed += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* Up to `bits` bits, all lengths alike. */
static uint64_t of_any_length(unsigned bits)
{
    return random64() >> (64 - bits) >> random64() % bits;
}

struct sample {
    stint_duration left, reserve, usable;
    size_t legs;
    uint32_t weights[LEGS_MAX];
    uint64_t sum;
};

static struct sample sample_new(void)
{
    struct sample s = {.left = (stint_duration)of_any_length(61),
                       .legs = 1 + random64() % LEGS_MAX};
    s.reserve = (stint_duration)of_any_length(62);
    if (random64() % 4 == 0)
        s.reserve = -s.reserve;
    else if (random64() % 4 != 0)
        s.reserve %= s.left + 1;
    s.usable = s.left - (s.reserve > 0 ? s.reserve : 0);
    for (size_t i = 0; i < s.legs; i++) {
        s.weights[i] = random64() % 6 == 0 ? 0 : (uint32_t)of_any_length(32);
        s.sum += s.weights[i];
    }
    return s;
}

/* What leg i was promised when the budget began. */
static stint_duration promised(const struct sample *s, size_t i)
{
    if (s->usable <= 0 || s->sum == 0)
        return 0;
    return (stint_duration)((wide)s->usable * s->weights[i] / s->sum);
}

/* Takes a part of the leg's time, or all of it. */
static stint_duration use(stint_duration own)
{
    stint_duration used = random64() % 3 == 0 ? own : (stint_duration)(random64() % (uint64_t)own);
    stint__vclock_advance(used);
    return used;
}

static void check_legs(const struct sample *s)
{
    stint_ctx *ctx = with_left(s->left);
    stint_budget b = stint_budget_start_weighted(ctx, s->weights, s->legs, s->reserve);
    stint_duration total = 0;
    stint_duration rounding = s->sum <= UINT32_MAX ? 0 : 4 * (stint_duration)s->legs;
    for (size_t i = 0; i < s->legs; i++) {
        const stint_ctx *leg = stint_budget_next(&b);
        stint_duration own = stint_ctx_remaining(leg);
        assert_true(own <= stint_ctx_remaining(ctx));
        assert_true(own <= (s->usable > 0 ? s->usable - total : 0));
        assert_true(own >= promised(s, i) - rounding);
        assert_int_equal(stint_ctx_err(leg), own > 0 ? STINT_OK : STINT_DEADLINE_EXCEEDED);
        if (own > 0)
            total += use(own);
    }
    assert_true(total <= (s->usable > 0 ? s->usable : 0));
    stint_budget_end(&b);
    stint_ctx_drop(ctx);
}

static void legs_keep_their_promises(void **state)
{
    (void)state;
    for (seed = 0; seed < ROUNDS;) {
        uint64_t round = seed;
        stint__vclock_install((stint_time){START});
        struct sample s = sample_new();
        check_legs(&s);
        stint__vclock_uninstall();
        seed = round + 1;
    }
}

/* The last of the legs that have any weight ends exactly where the reserve begins. */
static void nothing_is_lost(void **state)
{
    (void)state;
    for (seed = 0; seed < ROUNDS;) {
        uint64_t round = seed;
        stint__vclock_install((stint_time){START});
        struct sample s = sample_new();
        stint_ctx *ctx = with_left(s.left);
        stint_budget b = stint_budget_start_weighted(ctx, s.weights, s.legs, s.reserve);
        stint_time last = {START};
        for (size_t i = 0; i < s.legs; i++) {
            const stint_ctx *leg = stint_budget_next(&b);
            if (s.weights[i] > 0)
                last.ns = START + stint_ctx_remaining(leg);
        }
        assert_int_equal(last.ns - START, s.sum > 0 && s.usable > 0 ? s.usable : 0);
        stint_budget_end(&b);
        stint_ctx_drop(ctx);
        stint__vclock_uninstall();
        seed = round + 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(legs_keep_their_promises),
        REAL_TEST(nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* ledger_test.c - putting a ledger together: what is dropped when there is too much, and whose time
 * was whose. */
#include "ctx_unit.h"

#include "ledger_list.h"

#define MS STINT_MS(1)

static stint_ledger *ledger_new(void)
{
    stint_ledger *l = stint__ledger_new(STINT_LEDGER_MAX);
    assert_non_null(l);
    return l;
}

static void add(stint_ledger *l, uint32_t depth, stint_duration start, stint_duration elapsed)
{
    stint__ledger_add(l, &(stint_ledger_entry){.depth = depth,
                                               .start = start,
                                               .elapsed = elapsed,
                                               .used = elapsed,
                                               .handler = elapsed});
}

/* Preorder, no entry without its caller, none too many. */
static void assert_is_a_tree(const stint_ledger *l)
{
    assert_in_range(stint_ledger_count(l), 1, STINT_LEDGER_MAX);
    assert_int_equal(stint_ledger_at(l, 0)->depth, 0);
    for (size_t i = 1; i < stint_ledger_count(l); i++)
        assert_in_range(stint_ledger_at(l, i)->depth, 1, stint_ledger_at(l, i - 1)->depth + 1);
}

static size_t count_at(const stint_ledger *l, uint32_t depth)
{
    size_t n = 0;
    for (size_t i = 0; i < stint_ledger_count(l); i++)
        n += stint_ledger_at(l, i)->depth == depth;
    return n;
}

static void nothing_is_a_ledger_too(void **state)
{
    (void)state;
    assert_int_equal(stint_ledger_count(NULL), 0);
    assert_null(stint_ledger_at(NULL, 0));
    assert_int_equal(stint_ledger_dropped(NULL), 0);
    assert_int_equal(stint_ledger_slowest(NULL), 0);
    assert_int_equal(stint_ledger_self(NULL, 0), 0);
    assert_int_equal(stint_ledger_format(NULL, NULL, NULL, 0), 0);
    char text[4] = "abc";
    assert_int_equal(stint_ledger_format(NULL, NULL, text, sizeof text), 0);
    assert_string_equal(text, "");
    stint__ledger_free(NULL);
}

/* Ten calls that make ten calls each, the later the slower. */
static void the_deepest_go_first_and_the_briefest_of_them(void **state)
{
    (void)state;
    stint_ledger *l = ledger_new();
    add(l, 0, 0, 1000 * MS);
    for (int i = 1; i <= 10; i++) {
        add(l, 1, 0, i * MS);
        for (int k = 1; k <= 10; k++)
            add(l, 2, 0, (10 * i + k) * MS);
    }
    assert_is_a_tree(l);
    assert_int_equal(stint_ledger_count(l), 64);
    assert_int_equal(stint_ledger_dropped(l), 111 - 64);
    assert_int_equal(count_at(l, 1), 10);
    for (size_t i = 0; i < stint_ledger_count(l); i++) {
        const stint_ledger_entry *e = stint_ledger_at(l, i);
        assert_true(e->depth < 2 || e->elapsed > (110 - 53) * MS);
    }
    stint__ledger_free(l);
}

static void a_chain_too_long_ends_early(void **state)
{
    (void)state;
    stint_ledger *l = ledger_new();
    for (uint32_t depth = 0; depth < 200; depth++)
        add(l, depth, 0, MS);
    assert_is_a_tree(l);
    assert_int_equal(stint_ledger_count(l), 64);
    assert_int_equal(stint_ledger_dropped(l), 136);
    add(l, 1, 0, MS); /* less deep than what is there */
    assert_is_a_tree(l);
    assert_int_equal(stint_ledger_count(l), 64);
    assert_int_equal(stint_ledger_at(l, 63)->depth, 1);
    stint__ledger_free(l);
}

/* Random walks through trees: whatever comes, a tree of the right size is left. */
static void what_is_left_is_a_tree(void **state)
{
    (void)state;
    uint64_t r = 1;
    for (int round = 0; round < 200; round++) {
        stint_ledger *l = ledger_new();
        uint32_t depth = 0;
        for (int i = 0; i < 300; i++) {
            add(l, depth, 0, (stint_duration)(r >> 60));
            r = r * UINT64_C(6364136223846793005) + 1442695040888963407;
            depth = 1 + (uint32_t)((r >> 33) % (depth + 1));
        }
        assert_is_a_tree(l);
        assert_int_equal(stint_ledger_count(l) + stint_ledger_dropped(l), 300);
        stint__ledger_free(l);
    }
}

static void appended_ledgers_are_copies(void **state)
{
    (void)state;
    stint_ledger *child = ledger_new();
    char name[] = "stock";
    stint__ledger_add(child, &(stint_ledger_entry){.service = name, .target = "ipc:///stock"});
    stint__ledger_add(child, &(stint_ledger_entry){.depth = 1,
                                                   .state = STINT_LEDGER_NOT_SENT,
                                                   .start = 5 * MS,
                                                   .method = name,
                                                   .target = "ipc:///disk"});
    child->dropped = 7;
    stint_ledger *l = ledger_new();
    add(l, 0, 0, MS);
    stint__ledger_append(l, child, 3 * MS);
    stint__ledger_free(child);
    name[0] = '\0';
    const stint_ledger_entry *e = stint_ledger_at(l, 1);
    assert_int_equal(e->depth, 1);
    assert_int_equal(e->start, 3 * MS);
    assert_string_equal(e->service, "stock");
    assert_string_equal(e->target, ""); /* its server has said its name */
    e = stint_ledger_at(l, 2);
    assert_int_equal(e->depth, 2);
    assert_int_equal(e->start, 5 * MS);
    assert_string_equal(e->method, "stock");
    assert_string_equal(e->target, "ipc:///disk");
    assert_int_equal(stint_ledger_dropped(l), 7);
    stint__ledger_free(l);
}

static void a_cleared_one_is_as_new(void **state)
{
    (void)state;
    stint_ledger *l = ledger_new();
    for (int i = 0; i < 100; i++)
        add(l, i > 0, 0, MS);
    stint__ledger_clear(l);
    assert_int_equal(stint_ledger_count(l), 0);
    assert_int_equal(stint_ledger_dropped(l), 0);
    add(l, 0, 0, MS);
    assert_is_a_tree(l);
    stint__ledger_free(l);
}

/* ---- whose time ---- */

/* 100 ms, 4 of them on the way; calls under way from 10 to 40, 30 to 60 and 90 to 120. */
static void own_time_is_when_no_call_is_under_way(void **state)
{
    (void)state;
    stint_ledger *l = ledger_new();
    stint__ledger_add(
        l, &(stint_ledger_entry){.elapsed = 104 * MS, .used = 100 * MS, .handler = 100 * MS});
    add(l, 1, 30 * MS, 30 * MS);
    add(l, 2, 0, 30 * MS); /* not its own call */
    add(l, 1, 10 * MS, 30 * MS);
    add(l, 1, 10 * MS, 5 * MS);
    add(l, 1, 90 * MS, 30 * MS);
    assert_int_equal(stint_ledger_self(l, 0), (4 + 10 + 30) * MS);
    assert_int_equal(stint_ledger_self(l, 1), 0);
    assert_int_equal(stint_ledger_self(l, 2), 30 * MS);
    assert_int_equal(stint_ledger_slowest(l), 0);
    stint__ledger_free(l);
}

static void without_an_account_all_of_it_is_its_own(void **state)
{
    (void)state;
    stint_ledger *l = ledger_new();
    add(l, 0, 0, 100 * MS);
    stint__ledger_add(
        l, &(stint_ledger_entry){
               .depth = 1, .state = STINT_LEDGER_NO_REPLY, .start = MS, .elapsed = 90 * MS});
    assert_int_equal(stint_ledger_self(l, 0), 10 * MS);
    assert_int_equal(stint_ledger_self(l, 1), 90 * MS);
    assert_int_equal(stint_ledger_slowest(l), 1);
    stint__ledger_free(l);
}

/* ---- little memory ---- */

static bool some_fail(void *arg, size_t n)
{
    (void)n;
    size_t *left = arg;
    return *left > 0 && (*left)-- > 0;
}

static void without_memory_entries_are_dropped_but_it_is_a_tree(void **state)
{
    (void)state;
    for (size_t memory = 0; memory < 12; memory++) {
        stint_ledger *child = ledger_new();
        for (int i = 0; i < 64; i++)
            stint__ledger_add(child, &(stint_ledger_entry){.depth = (uint32_t)i % 8,
                                                           .service = "a service with a long name",
                                                           .elapsed = i});
        child->entries[0].depth = 0;
        size_t left = memory;
        stint__alloc_set_gate(some_fail, &left);
        stint_ledger *l = stint__ledger_new(STINT_LEDGER_MAX);
        if (l != NULL) {
            add(l, 0, 0, MS);
            stint__ledger_append(l, child, 0);
        }
        stint__alloc_set_gate(NULL, NULL);
        if (l != NULL)
            assert_is_a_tree(l);
        if (l != NULL)
            assert_int_equal(stint_ledger_count(l) + stint_ledger_dropped(l), 65);
        assert_true(l != NULL || memory == 0);
        stint__ledger_free(l);
        stint__ledger_free(child);
    }
}

static void a_cleared_one_asks_for_memory_again(void **state)
{
    (void)state;
    size_t none = 0;
    stint_ledger *l = ledger_new();
    stint__alloc_set_gate(some_fail, &none);
    for (uint32_t i = 0; i < 10; i++)
        add(l, i > 0, 0, MS);
    stint__alloc_set_gate(NULL, NULL);
    assert_int_equal(stint_ledger_count(l), STINT__LEDGER_FEW);
    stint__ledger_clear(l);
    for (uint32_t i = 0; i < 10; i++)
        add(l, i > 0, 0, MS);
    assert_int_equal(stint_ledger_count(l), 10);
    stint__ledger_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(nothing_is_a_ledger_too),
        REAL_TEST(the_deepest_go_first_and_the_briefest_of_them),
        REAL_TEST(a_chain_too_long_ends_early),
        REAL_TEST(what_is_left_is_a_tree),
        REAL_TEST(appended_ledgers_are_copies),
        REAL_TEST(a_cleared_one_is_as_new),
        REAL_TEST(own_time_is_when_no_call_is_under_way),
        REAL_TEST(without_an_account_all_of_it_is_its_own),
        REAL_TEST(without_memory_entries_are_dropped_but_it_is_a_tree),
        REAL_TEST(a_cleared_one_asks_for_memory_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

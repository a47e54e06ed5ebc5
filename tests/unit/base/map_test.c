/* map_test.c - the map against a plain table that cannot be wrong. */
#include "unit.h"

#include <string.h>

#include "alloc.h"
#include "map.h"
#include "random.h"

#define KEYS 512

static void agrees_with_a_table(uint64_t (*key_of)(uint64_t i))
{
    static char values[KEYS];
    void *table[KEYS] = {0};
    size_t count = 0;
    struct stint__map m;
    stint__map_init(&m);
    for (int step = 0; step < 20000; step++) {
        size_t i = stint__random() % KEYS;
        uint64_t key = key_of(i);
        assert_ptr_equal(stint__map_get(&m, key), table[i]);
        if (table[i] == NULL) {
            table[i] = &values[i];
            assert_true(stint__map_put(&m, key, table[i]));
            count++;
        } else if (stint__random() % 3 != 0) {
            assert_ptr_equal(stint__map_remove(&m, key), table[i]);
            assert_null(stint__map_remove(&m, key));
            table[i] = NULL;
            count--;
        }
        assert_int_equal(m.count, count);
    }
    size_t pos = 0;
    size_t visited = 0;
    for (char *v; (v = stint__map_next(&m, &pos)) != NULL; visited++) {
        assert_ptr_equal(table[v - values], v);
        table[v - values] = NULL; /* each once */
    }
    assert_int_equal(visited, count);
    stint__map_fini(&m);
}

static uint64_t consecutive(uint64_t i)
{
    return UINT64_MAX - KEYS / 2 + i; /* wraps in the middle */
}

static uint64_t high_bits(uint64_t i)
{
    return i << 55;
}

static uint64_t clustered(uint64_t i)
{
    return i % 4 + (i / 4 << 40);
}

static void agrees_for_every_kind_of_key(void **state)
{
    (void)state;
    agrees_with_a_table(consecutive);
    agrees_with_a_table(high_bits);
    agrees_with_a_table(clustered);
}

static bool never(void *arg, size_t n)
{
    (void)arg;
    (void)n;
    return false;
}

static void out_of_memory_changes_nothing(void **state)
{
    (void)state;
    struct stint__map m;
    stint__map_init(&m);
    char value;
    uint64_t key = 0;
    stint__alloc_set_gate(never, NULL);
    assert_false(stint__map_put(&m, key, &value));
    assert_null(stint__map_get(&m, key));
    assert_null(stint__map_remove(&m, key));
    stint__alloc_set_gate(NULL, NULL);
    assert_true(stint__map_put(&m, key++, &value));
    stint__alloc_set_gate(never, NULL);
    while (stint__map_put(&m, key, &value))
        key++;
    stint__alloc_set_gate(NULL, NULL);
    assert_int_equal(m.count, key);
    for (uint64_t k = 0; k < key; k++)
        assert_ptr_equal(stint__map_get(&m, k), &value);
    assert_null(stint__map_get(&m, key));
    stint__map_fini(&m);
}

/* Requests in flight come and go for as long as a process lives. */
static void does_not_grow_with_use(void **state)
{
    (void)state;
    struct stint__map m;
    stint__map_init(&m);
    char value;
    for (uint64_t key = 0; key < 100000; key++) {
        assert_true(stint__map_put(&m, key, &value));
        if (key >= 10)
            assert_ptr_equal(stint__map_remove(&m, key - 10), &value);
    }
    assert_true(m.size <= 32);
    stint__map_fini(&m);
}

/* The keys in the order of the table. */
static size_t order(const struct stint__map *m, const char *values, size_t found[KEYS])
{
    size_t pos = 0;
    size_t n = 0;
    for (const char *v; (v = stint__map_next(m, &pos)) != NULL;)
        found[n++] = (size_t)(v - values);
    return n;
}

/* Else a peer that knows where keys go in one map could crowd them in all. */
static void each_map_has_its_own_order(void **state)
{
    (void)state;
    static char values[KEYS];
    size_t found[2][KEYS];
    for (int i = 0; i < 2; i++) {
        struct stint__map m;
        stint__map_init(&m);
        for (uint64_t key = 0; key < KEYS; key++)
            assert_true(stint__map_put(&m, key, &values[key]));
        assert_int_equal(order(&m, values, found[i]), KEYS);
        stint__map_fini(&m);
    }
    assert_memory_not_equal(found[0], found[1], sizeof found[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_map_has_its_own_order),
        cmocka_unit_test(agrees_for_every_kind_of_key),
        cmocka_unit_test(out_of_memory_changes_nothing),
        cmocka_unit_test(does_not_grow_with_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

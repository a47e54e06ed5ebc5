/* arena_test.c - alignment, the limit, the first chunk, and no overlap. */
#include "unit.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "alloc.h"
#include "arena.h"
#include "random.h"

static void blocks_are_aligned_and_do_not_overlap(void **state)
{
    (void)state;
    struct stint__arena a;
    alignas(max_align_t) uint8_t first[100];
    stint__arena_init(&a, first + 3, sizeof first - 3, 1 << 20);
    enum { BLOCKS = 400 };
    uint8_t *blocks[BLOCKS];
    size_t sizes[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        sizes[i] = i % 50 == 49 ? 9000 : stint__random() % 200;
        blocks[i] = stint__arena_alloc(&a, sizes[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % alignof(max_align_t), 0);
        memset(blocks[i], (int)(i & 0xFF), sizes[i]);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(blocks[i][j], i & 0xFF);
    }
    stint__arena_fini(&a);
}

static bool never(void *arg, size_t n)
{
    (void)arg;
    (void)n;
    return false;
}

static void the_first_chunk_needs_no_allocation(void **state)
{
    (void)state;
    struct stint__arena a;
    alignas(max_align_t) uint8_t first[256];
    stint__arena_init(&a, first, sizeof first, 4096);
    stint__alloc_set_gate(never, NULL);
    for (int i = 0; i < 4; i++) {
        uint8_t *p = stint__arena_alloc(&a, 64);
        assert_true(p >= first && p + 64 <= first + sizeof first);
    }
    assert_null(stint__arena_alloc(&a, 1));
    stint__alloc_set_gate(NULL, NULL);
    assert_non_null(stint__arena_alloc(&a, 1)); /* the failure was not for good */
    stint__arena_fini(&a);
}

static void the_limit_holds(void **state)
{
    (void)state;
    struct stint__arena a;
    stint__arena_init(&a, NULL, 0, 1024);
    assert_null(stint__arena_alloc(&a, 1025));
    assert_null(stint__arena_alloc(&a, SIZE_MAX));
    assert_non_null(stint__arena_alloc(&a, 1000));
    assert_non_null(stint__arena_alloc(&a, 16));
    assert_null(stint__arena_alloc(&a, 1));
    assert_true(a.used <= 1024);
    stint__arena_fini(&a);

    stint__arena_init(&a, NULL, 0, SIZE_MAX);
    assert_null(stint__arena_alloc(&a, SIZE_MAX));
    assert_null(stint__arena_alloc(&a, SIZE_MAX - 8));
    stint__arena_fini(&a);
}

static void a_first_chunk_too_small_to_align_is_left_alone(void **state)
{
    (void)state;
    struct stint__arena a;
    alignas(max_align_t) uint8_t first[16];
    stint__arena_init(&a, first + 1, 3, 4096);
    uint8_t *p = stint__arena_alloc(&a, 1);
    assert_non_null(p);
    assert_false(p >= first && p < first + sizeof first);
    stint__arena_fini(&a);
}

static void protobuf_c_allocates_from_it(void **state)
{
    (void)state;
    struct stint__arena a;
    stint__arena_init(&a, NULL, 0, 128);
    ProtobufCAllocator pa = stint__arena_allocator(&a);
    void *p = pa.alloc(pa.allocator_data, 100);
    assert_non_null(p);
    pa.free(pa.allocator_data, p);
    assert_null(pa.alloc(pa.allocator_data, 100));
    stint__arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_do_not_overlap),
        cmocka_unit_test(the_first_chunk_needs_no_allocation),
        cmocka_unit_test(the_limit_holds),
        cmocka_unit_test(a_first_chunk_too_small_to_align_is_left_alone),
        cmocka_unit_test(protobuf_c_allocates_from_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

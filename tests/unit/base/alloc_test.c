/* alloc_test.c - the gate, sizes of zero and sizes that overflow; buffers; random numbers. */
#include "unit.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc.h"
#include "buf.h"
#include "random.h"

static void zero_sizes_give_memory(void **state)
{
    (void)state;
    void *p = stint__alloc(0);
    void *q = stint__alloc_array(0, 8);
    assert_non_null(p);
    assert_non_null(q);
    p = stint__realloc(p, 0);
    assert_non_null(p);
    stint__free(p);
    stint__free(q);
    stint__free(NULL);
}

static void a_product_that_overflows_is_refused(void **state)
{
    (void)state;
    assert_null(stint__alloc_array(SIZE_MAX / 8 + 2, 8)); /* wraps to 8 */
    assert_null(stint__buf_new(SIZE_MAX - 4));
}

static void arrays_and_zeroed_memory_are_clear(void **state)
{
    (void)state;
    static const uint8_t zeros[640];
    uint8_t *p = stint__alloc_array(64, 10);
    uint8_t *q = stint__alloc_zeroed(640);
    assert_memory_equal(p, zeros, 640);
    assert_memory_equal(q, zeros, 640);
    stint__free(p);
    stint__free(q);
}

static bool no_more_than(void *arg, size_t n)
{
    size_t *max = arg;
    return n <= *max;
}

static void the_gate_decides_for_every_function(void **state)
{
    (void)state;
    size_t max = 8;
    char *kept = stint__strdup("12345678");
    assert_string_equal(kept, "12345678");
    stint__alloc_set_gate(no_more_than, &max);
    assert_null(stint__alloc(9));
    assert_null(stint__alloc_zeroed(9));
    assert_null(stint__alloc_array(3, 3));
    assert_null(stint__strdup("12345678"));
    assert_null(stint__realloc(kept, 10));
    assert_null(stint__buf_new(1));
    void *small = stint__alloc(8);
    stint__alloc_set_gate(NULL, NULL);
    assert_non_null(small);
    assert_string_equal(kept, "12345678"); /* a refused realloc leaves it alone */
    stint__free(small);
    stint__free(kept);
}

static void a_buffer_lives_until_its_last_reference(void **state)
{
    (void)state;
    struct stint__buf *b = stint__buf_new(3);
    assert_non_null(b);
    assert_int_equal(b->size, 3);
    memcpy(b->data, "abc", 3);
    assert_ptr_equal(stint__buf_ref(b), b);
    stint__buf_unref(b);
    assert_memory_equal(b->data, "abc", 3);
    stint__buf_unref(b);
    stint__buf_unref(NULL);
}

static void *two_numbers(void *arg)
{
    uint64_t *out = arg;
    out[0] = stint__random();
    out[1] = stint__random();
    return NULL;
}

static void threads_and_forks_get_different_numbers(void **state)
{
    (void)state;
    uint64_t n[6];
    pthread_t thread;
    two_numbers(n);
    assert_int_equal(pthread_create(&thread, NULL, two_numbers, n + 2), 0);
    pthread_join(thread, NULL);

    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        uint64_t mine = stint__random();
        _exit(write(fds[1], &mine, sizeof mine) == (ssize_t)sizeof mine ? 0 : 1);
    }
    assert_int_equal(read(fds[0], &n[4], sizeof n[4]), sizeof n[4]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    n[5] = stint__random();
    close(fds[0]);
    close(fds[1]);
    for (size_t i = 0; i < 6; i++) {
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(n[i], n[j]);
    }
}

static void every_bit_of_a_random_number_moves(void **state)
{
    (void)state;
    uint64_t ones = 0;
    uint64_t zeros = 0;
    for (int i = 0; i < 200; i++) { /* a fixed bit by chance: 64 * 2^-199 */
        uint64_t r = stint__random();
        ones |= r;
        zeros |= ~r;
    }
    assert_int_equal(ones, UINT64_MAX);
    assert_int_equal(zeros, UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_sizes_give_memory),
        cmocka_unit_test(a_product_that_overflows_is_refused),
        cmocka_unit_test(arrays_and_zeroed_memory_are_clear),
        cmocka_unit_test(the_gate_decides_for_every_function),
        cmocka_unit_test(a_buffer_lives_until_its_last_reference),
        cmocka_unit_test(threads_and_forks_get_different_numbers),
        cmocka_unit_test(every_bit_of_a_random_number_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

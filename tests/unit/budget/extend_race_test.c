/* extend_race_test.c - extensions that are made and released while what is above them is cancelled
 * or expires. */
#include "budget_unit.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS 3
#define ROUNDS  60

struct race {
    pthread_barrier_t barrier;
    stint_ctx *ctx;
    atomic_bool over;    /* the cancellation has returned */
    atomic_uint outlive; /* extensions that were live although they began after it */
    atomic_uint ended;   /* hooks that ran */
};

static void count_ended(void *arg)
{
    atomic_fetch_add((atomic_uint *)arg, 1);
}

/* Extends and releases until it meets an extension that is done from the beginning. */
static void *extend_again_and_again(void *arg)
{
    struct race *r = arg;
    stint_code code = STINT_OK;
    pthread_barrier_wait(&r->barrier);
    while (code == STINT_OK) {
        bool over = atomic_load(&r->over);
        stint_ctx *ext = stint_ctx_extend(r->ctx, STINT_SECONDS(60), NULL, (stint_log){NULL, NULL});
        code = stint_ctx_err(ext);
        if (over && code == STINT_OK) {
            atomic_fetch_add(&r->outlive, 1);
            code = STINT_UNKNOWN;
        }
        stint_ctx_drop(ext);
    }
    return NULL;
}

/* Before the parent's deadline, or long after it; with it as the parent, or a merge of it. */
static void race(stint_duration timeout, bool merged)
{
    stint_ctx *parent = with_left(timeout);
    stint_ctx *other = stint_ctx_with_cancel(stint_ctx_background());
    struct race r = {.ctx =
                         merged ? stint_ctx_merge(other, parent) : stint_ctx_with_cancel(parent)};
    pthread_t threads[THREADS];
    stint_hook hook;
    pthread_barrier_init(&r.barrier, NULL, THREADS + 1);
    stint_ctx *watched = stint_ctx_extend(r.ctx, STINT_SECONDS(60), NULL, (stint_log){NULL, NULL});
    assert_true(stint_ctx_after(watched, &hook, count_ended, &r.ended));
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, extend_again_and_again, &r), 0);
    pthread_barrier_wait(&r.barrier);
    stint_ctx_cancel(parent, STINT_ABORTED, "over");
    atomic_store(&r.over, true);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&r.outlive), 0);
    assert_int_equal(atomic_load(&r.ended), 1);
    assert_ended(watched, STINT_ABORTED, "over");
    pthread_barrier_destroy(&r.barrier);
    stint_ctx_drop(watched);
    stint_ctx_drop(r.ctx);
    stint_ctx_drop(other);
    stint_ctx_drop(parent);
}

static void none_outlives_a_cancellation(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        race(STINT_SECONDS(30), i % 2 == 0);
        race(-1, i % 2 == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {REAL_TEST(none_outlives_a_cancellation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* serial_test.c - callbacks one at a time, in order, on whichever thread is at hand. */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "list.h"
#include "serial.h"

enum { THREADS = 4, ITEMS = 2000 };

struct step {
    struct stint__serial_item item;
    struct stint__serial *serial;
    struct step *then; /* posted from inside */
    unsigned rank;     /* when it ran; 0: not yet */
    unsigned runs;
};

static unsigned ranks;

static void run_step(struct stint__serial_item *item)
{
    struct step *s = STINT__CONTAINER_OF(item, struct step, item);
    s->rank = ++ranks;
    s->runs++;
    if (s->then == NULL)
        return;
    stint__serial_post(s->serial, &s->then->item);
    stint__serial_run(s->serial); /* somebody runs already: ourselves */
    assert_int_equal(s->then->runs, 0);
}

static void step_init(struct step *s, struct stint__serial *serial)
{
    *s = (struct step){.serial = serial};
    stint__serial_item_init(&s->item, run_step);
}

static void items_run_in_the_order_they_were_posted(void **state)
{
    (void)state;
    struct stint__serial serial;
    struct step steps[3];
    ranks = 0;
    stint__serial_init(&serial);
    for (size_t i = 0; i < 3; i++)
        step_init(&steps[i], &serial);
    steps[0].then = &steps[2];
    stint__serial_post(&serial, &steps[0].item);
    stint__serial_post(&serial, &steps[1].item);
    stint__serial_post(&serial, &steps[1].item); /* queued already */
    assert_int_equal(ranks, 0);
    stint__serial_run(&serial);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(steps[i].rank, i + 1);
        assert_int_equal(steps[i].runs, 1);
    }
    stint__serial_fini(&serial);
}

/* Guarded by nothing but the serial: ThreadSanitizer sees whether that is enough. */
struct tally {
    struct stint__serial serial;
    unsigned long sum;
    atomic_uint inside, overlaps;
};

struct addition {
    struct stint__serial_item item;
    struct tally *tally;
};

static void run_addition(struct stint__serial_item *item)
{
    struct addition *a = STINT__CONTAINER_OF(item, struct addition, item);
    if (atomic_fetch_add(&a->tally->inside, 1) != 0)
        atomic_fetch_add(&a->tally->overlaps, 1);
    a->tally->sum++;
    atomic_fetch_sub(&a->tally->inside, 1);
}

static struct addition additions[THREADS][ITEMS];

static void *post_many(void *arg)
{
    struct addition *mine = arg;
    for (size_t i = 0; i < ITEMS; i++) {
        stint__serial_post(&mine[i].tally->serial, &mine[i].item);
        stint__serial_run(&mine[i].tally->serial);
    }
    return NULL;
}

static void threads_take_turns_and_lose_nothing(void **state)
{
    (void)state;
    struct tally tally = {.sum = 0};
    pthread_t threads[THREADS];
    stint__serial_init(&tally.serial);
    for (size_t t = 0; t < THREADS; t++) {
        for (size_t i = 0; i < ITEMS; i++) {
            additions[t][i].tally = &tally;
            stint__serial_item_init(&additions[t][i].item, run_addition);
        }
    }
    for (size_t t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, post_many, additions[t]), 0);
    for (size_t t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    assert_int_equal(tally.sum, THREADS * ITEMS);
    assert_int_equal(tally.overlaps, 0);
    stint__serial_fini(&tally.serial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_run_in_the_order_they_were_posted),
        cmocka_unit_test(threads_take_turns_and_lose_nothing),
    };
    return cmocka_run_group_tests_name("serial", tests, NULL, NULL);
}

/* demo_restart.c - a service is killed and started again while orders keep coming.
 *
 * The orders are asynchronous and none is ever sent twice by the demo: whatever stock executes
 * twice, something below it has repeated. Stock counts, in a journal that survives it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "demo.h"

#define INTERVAL  STINT_MS(5) /* between two orders */
#define BUDGET    STINT_SECONDS(1)
#define PHASE     ((size_t)100) /* orders before the kill, and while stock is away */
#define AFTERWARD 60            /* orders after the first one that is filled again */
#define ORDERS    2200
#define STRIP     64 /* columns */

/* The whole run; counted when every order has ended. */
struct load {
    struct order *orders;
    size_t n;
    stint_time killed, restarted;
    size_t filled, unavailable, other;
    stint_duration slowest_failure;
    const struct order *first_other;
    const struct order *first_again; /* the first to be filled of those begun after the restart */
};

/* Places the next order and waits for the one after it to be due. */
static void place(struct demo *d, struct load *l)
{
    char request[24];
    stint_time due;

    snprintf(request, sizeof(request), "load-%zu", l->n);
    order_begin(&l->orders[l->n++], d, request, BUDGET);
    due = stint_time_add(l->orders[0].begun, INTERVAL * (stint_duration)l->n);
    (void)!stint_ctx_sleep(d->root, stint_time_sub(due, stint_now())); /* interrupted: so be it */
}

/* The first order begun after the restart that has been filled by now, or NULL. */
static const struct order *find_first_again(struct demo *d, const struct load *l)
{
    const struct order *first = NULL;

    pthread_mutex_lock(&d->logs.lock);
    for (size_t i = 2 * PHASE; i < l->n; i++) {
        const struct order *o = &l->orders[i];
        if (o->done && o->code == STINT_OK &&
            (first == NULL || stint_time_before(o->ended, first->ended)))
            first = o;
    }
    pthread_mutex_unlock(&d->logs.lock);
    return first;
}

static void run_load(struct demo *d, struct load *l)
{
    size_t end = ORDERS;

    while (l->n < PHASE)
        place(d, l);
    l->killed = stint_now();
    shop_kill(d, STOCK);
    while (l->n < 2 * PHASE)
        place(d, l);
    l->restarted = stint_now();
    if (!shop_start(d, STOCK)) {
        check(d, false, "stock is started again");
        return;
    }
    while (l->n < end && stint_ctx_err(d->root) == STINT_OK) {
        place(d, l);
        if (end == ORDERS && find_first_again(d, l) != NULL)
            end = l->n + AFTERWARD < ORDERS ? l->n + AFTERWARD : ORDERS;
    }
}

static void count(struct demo *d, struct load *l)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct order *o = &l->orders[i];
        stint_duration took;

        order_wait(&l->orders[i]);
        took = stint_time_sub(o->ended, o->begun);
        if (o->code == STINT_OK) {
            l->filled++;
            continue;
        }
        if (o->code == STINT_UNAVAILABLE)
            l->unavailable++;
        else if (l->other++ == 0)
            l->first_other = o;
        if (took > l->slowest_failure)
            l->slowest_failure = took;
    }
    l->first_again = find_first_again(d, l);
}

static size_t column_of(const struct load *l, size_t order)
{
    return order < l->n ? order * STRIP / l->n : STRIP - 1;
}

/* The run as one line of signs. */
static void show_strip(const struct load *l)
{
    char strip[STRIP + 1] = "";
    char marks[STRIP + 1] = "";

    for (size_t i = 0; i < l->n; i++) {
        char *sign = &strip[column_of(l, i)];
        const char *now = l->orders[i].code == STINT_OK ? "#" : ".";
        if (*sign == '\0')
            *sign = now[0];
        else if (*sign != now[0])
            *sign = '+';
    }
    memset(marks, ' ', column_of(l, 2 * PHASE));
    marks[column_of(l, PHASE)] = 'K';
    marks[column_of(l, 2 * PHASE)] = 'R';
    show_text("%zu orders, %.1f to a sign: # filled, . failed, + some of both. K: stock is killed, "
              "R: it is started again.",
              l->n, (double)l->n / STRIP);
    printf("\n   %s\n   %s\n\n", strip, marks);
}

static void check_load(struct demo *d, const struct load *l, const struct taken *taken)
{
    const struct order *again = l->first_again;

    check(d, l->other == 0, "%zu filled, %zu failed as UNAVAILABLE, %zu in any other way",
          l->filled, l->unavailable, l->other);
    if (l->first_other != NULL)
        show_text("The first of those, %s: %s", l->first_other->request,
                  l->first_other->err.message);
    check(d, l->unavailable > 0 && l->slowest_failure < BUDGET,
          "no failure took long: the slowest %.1f ms", ms(l->slowest_failure));
    check(d, again != NULL, "filled again %.1f ms after the process was started again",
          again != NULL ? ms(stint_time_sub(again->ended, l->restarted)) : 0.0);
    check(d, taken->known && taken->orders >= l->filled,
          "each filled order is among the %" PRIu64 " that stock has executed", taken->orders);
    check(d, taken->known && taken->repeated == 0, "stock executed none of them twice");
}

void scenario_restart(struct demo *d)
{
    struct load l = {.orders = calloc(ORDERS, sizeof(struct order))};
    struct taken taken;

    if (l.orders == NULL) {
        check(d, false, "there is memory for the orders");
        return;
    }
    run_load(d, &l);
    count(d, &l);
    taken = audit(d);
    show_strip(&l);
    check_load(d, &l, &taken);
    for (size_t i = 0; i < l.n; i++)
        order_fini(&l.orders[i]);
    free(l.orders);
    shop_down(d);
}

/* demo_scenarios.c - one order at a time: enough time, too little, shed, cancelled.
 *
 * Each scenario acts, takes the shop down, so that every log is read to its end, and only then
 * looks at the logs. */
#include <string.h>

#include "demo.h"

/* What a slow machine may take before it counts as never. */
#define PATIENCE STINT_SECONDS(10)

static const enum service all[] = {GATEWAY, CHECKOUT, PRICING, STOCK};

/* Every hop began this order with less time left than the hop that called it. */
static void check_shrinking(struct demo *d, const struct order *o)
{
    stint_duration left[N_SERVICES] = {0};
    bool ok = true;

    for (size_t i = 0; i < N_SERVICES; i++) {
        const struct line *begin = logs_find(&d->logs, all[i], o->request, "begins");
        ok = ok && begin != NULL;
        left[i] = begin != NULL ? begin->left : 0;
    }
    check(d,
          ok && o->budget > left[GATEWAY] && left[GATEWAY] > left[CHECKOUT] &&
              left[CHECKOUT] > left[PRICING] && left[CHECKOUT] > left[STOCK],
          "each hop began with less time than the hop above it had");
}

static void check_taken(struct demo *d, const struct taken *taken, uint64_t expected)
{
    check(d, taken->known && taken->orders == expected && taken->repeated == 0,
          expected == 0 ? "stock took nothing off its shelves"
                        : "stock took the teapots off its shelves, once");
}

static bool stopped_with(const struct demo *d, enum service service, const struct order *o,
                         stint_code code)
{
    const struct line *stop = logs_find(&d->logs, service, o->request, "stops");

    return stop != NULL && strcmp(stop->why, stint_code_name(code)) == 0;
}

void scenario_plenty(struct demo *d)
{
    struct order o;
    struct taken taken;
    bool same_trace = true;

    order_begin(&o, d, "plenty", STINT_SECONDS(2));
    order_wait(&o);
    taken = audit(d);
    shop_down(d);
    for (size_t i = 0; i < N_SERVICES; i++) {
        const struct line *begin = logs_find(&d->logs, all[i], o.request, "begins");
        same_trace = same_trace && begin != NULL && strcmp(begin->trace, o.trace) == 0;
    }
    show_timeline(d, &o, (stint_time){0}, NULL);
    show_outcome(&o);
    check(d, o.code == STINT_OK && o.cents == 3780, "the order is filled, at the right price");
    check_taken(d, &taken, 1);
    check_shrinking(d, &o);
    check(d, same_trace, "one trace ID in all four logs: %s", o.trace);
    order_fini(&o);
}

/* On a machine too busy for checkout's reserve, the customer's own deadline comes first. */
static bool says_who(const struct order *o)
{
    return o->code == STINT_DEADLINE_EXCEEDED ||
           (o->code == STINT_UNAVAILABLE && o->err.reason == STINT_REASON_DOWNSTREAM_TIMEOUT &&
            strstr(o->err.message, "Stock/Reserve") != NULL);
}

/* The ledger says that the time went there; or nobody had a chance to answer. */
static bool took_most(const struct order *o, const char *method)
{
    const stint_ledger *ledger = o->told != NULL ? stint_reply_info_ledger(o->told) : NULL;
    const stint_ledger_entry *first = stint_ledger_at(ledger, 0);
    const stint_ledger_entry *slowest = stint_ledger_at(ledger, stint_ledger_slowest(ledger));

    if (first == NULL)
        return false;
    return first->state == STINT_LEDGER_NO_REPLY || strcmp(slowest->method, method) == 0;
}

/* Stock would need far longer than there is. */
void scenario_tight(struct demo *d)
{
    struct order o;
    struct taken taken;

    order_begin(&o, d, "tight", STINT_MS(250));
    order_wait(&o);
    taken = audit(d);
    shop_down(d);
    show_timeline(d, &o, (stint_time){0}, NULL);
    show_outcome(&o);
    show_ledger(d, &o);
    check_shrinking(d, &o);
    check(d, took_most(&o, "shop.v1.Stock/Reserve"),
          "the ledger that came with the reply says: it was stock");
    check(d, stopped_with(d, STOCK, &o, STINT_DEADLINE_EXCEEDED),
          "stock gave up when its time was over");
    check_taken(d, &taken, 0);
    check(d, says_who(&o), "the customer is told whose time it was that ran out");
    check(d, stint_time_sub(o.ended, o.begun) < STINT_SECONDS(2),
          "nobody waited for the 5 s that stock would have needed");
    order_fini(&o);
}

/* The second order's quote waits for pricing's only worker until nobody wants it any more. */
void scenario_shed(struct demo *d)
{
    stint_ctx *patience = stint_ctx_with_timeout(d->root, PATIENCE);
    const struct totals *pricing = &d->logs.totals[PRICING];
    struct order first;
    struct order second;

    order_begin(&first, d, "first", STINT_SECONDS(5));
    if (!logs_wait(&d->logs, patience, PRICING, first.request, "begins"))
        check(d, false, "the first order reaches pricing");
    order_begin(&second, d, "second", STINT_MS(250));
    order_wait(&second);
    order_wait(&first);
    shop_down(d);
    show_text("What became of the second:");
    printf("\n");
    show_timeline(d, &second, (stint_time){0}, NULL);
    show_outcome(&second);
    show_ledger(d, &second);
    check(d, first.code == STINT_OK, "the first order is filled");
    check(d, second.code == STINT_UNAVAILABLE || second.code == STINT_DEADLINE_EXCEEDED,
          "the second is not");
    check(d, logs_find(&d->logs, PRICING, second.request, "begins") == NULL,
          "pricing's log has no line of the second: its handler never ran for it");
    check(d, pricing->known && pricing->executed == 1 && pricing->shed == 1,
          "pricing's own count: %lu executed, %lu shed", pricing->executed, pricing->shed);
    order_fini(&second);
    order_fini(&first);
    stint_ctx_drop(patience);
}

/* When the last of the handlers that were waiting or working stopped. Pricing had answered. */
static stint_time last_stop(const struct demo *d, const struct order *o)
{
    static const enum service busy[] = {GATEWAY, CHECKOUT, STOCK};
    stint_time last = {0};

    for (size_t i = 0; i < sizeof(busy) / sizeof(busy[0]); i++) {
        const struct line *stop = logs_find(&d->logs, busy[i], o->request, "stops");
        if (stop != NULL && stint_time_before(last, stop->at))
            last = stop->at;
    }
    return last;
}

void scenario_cancel(struct demo *d)
{
    stint_ctx *patience = stint_ctx_with_timeout(d->root, PATIENCE);
    stint_time cancelled;
    stint_duration took;
    struct taken taken;
    struct order o;

    order_begin(&o, d, "unwanted", STINT_SECONDS(30));
    if (!logs_wait(&d->logs, patience, STOCK, o.request, "works"))
        check(d, false, "the order reaches stock");
    cancelled = stint_now();
    stint_ctx_cancel(o.ctx, STINT_CANCELLED, "the customer has changed its mind");
    order_wait(&o);
    taken = audit(d);
    shop_down(d);
    show_timeline(d, &o, cancelled, "cancels");
    took = stint_time_sub(last_stop(d, &o), cancelled);
    check(d, o.code == STINT_CANCELLED, "the customer's call ends as CANCELLED");
    check(d,
          stopped_with(d, GATEWAY, &o, STINT_CANCELLED) &&
              stopped_with(d, CHECKOUT, &o, STINT_CANCELLED) &&
              stopped_with(d, STOCK, &o, STINT_CANCELLED),
          "the handlers of gateway, checkout and stock stop for the same reason");
    check_taken(d, &taken, 0);
    check(d, took > 0 && took < STINT_SECONDS(2), "from the cancel to the last hop's stop: %.2f ms",
          ms(took));
    order_fini(&o);
    stint_ctx_drop(patience);
}

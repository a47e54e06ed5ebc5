/* ledger_test.c - the ledger of calls that go wrong and of calls that do not, to the microsecond:
 * simulated nodes in virtual time. And the texts that say where the time went. */
#include "simnode.h"

#include <stdatomic.h>
#include <string.h>

#include "client_internal.h"
#include "event.h"
#include "ledger.h"
#include "probe/v1/probe.stint.h"

#define WORK  "probe.v1.Probe/Work"
#define MS(n) STINT_MS(n)

/* ---- nodes that obey the test ---- */

enum style { ONE_BY_ONE, AT_ONCE, LEFT_UNDER_WAY };

struct part {
    stint_duration before, after; /* what the handler does beside its calls */
    stint_channel *calls[4];
    size_t n_calls;
    size_t times; /* each; 0 counts as 1 */
    enum style style;
    bool until_done; /* waits for the end of its context */
    stint_ticket *ticket;
};

static struct part parts[8]; /* not on a test's stack: handlers may outlive it */

static void free_reply(void *arg, stint_code code, Probe__V1__Reply *rep, const stint_error *err)
{
    (void)arg, (void)code, (void)err;
    probe__v1__reply__free_unpacked(rep, NULL);
}

static stint_code call_all(const struct part *p, const stint_ctx *ctx, stint_error *err)
{
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    Probe__V1__Reply *rep[4] = {NULL};
    stint_group *group = p->style == AT_ONCE ? stint_group_new(ctx, 0) : NULL;
    stint_code code = STINT_OK;
    for (size_t i = 0; i < p->n_calls; i++) {
        for (size_t k = p->times > 0 ? p->times : 1; k > 0 && code == STINT_OK; k--) {
            if (p->style == AT_ONCE)
                probe_v1_probe_work_group(group, p->calls[i], &req, &rep[i]);
            else if (p->style == LEFT_UNDER_WAY)
                code = probe_v1_probe_work_async(ctx, p->calls[i], &req, free_reply, NULL, err);
            else
                code = probe_v1_probe_work(ctx, p->calls[i], &req, &rep[i], err);
            if (p->style == ONE_BY_ONE)
                free_reply(NULL, code, rep[i], NULL);
        }
    }
    if (p->style != AT_ONCE)
        return code;
    code = stint_group_wait(group, err);
    for (size_t i = 0; i < p->n_calls; i++)
        free_reply(NULL, code, rep[i], NULL);
    return code;
}

static stint_code work(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                       Probe__V1__Reply *rep, stint_call *call)
{
    const struct part *p = self;
    stint_error err;
    (void)req, (void)rep;
    if (p->before > 0 && stint_ctx_sleep(ctx, p->before) != STINT_OK)
        return stint_ctx_err(ctx);
    if (call_all(p, ctx, &err) != STINT_OK)
        return stint_call_fail_from(call, &err);
    if (p->until_done)
        return stint_ctx_sleep(ctx, STINT_SECONDS(3600));
    return p->after > 0 ? stint_ctx_sleep(ctx, p->after) : STINT_OK;
}

/* Defers, calls as LEFT_UNDER_WAY does, and leaves the answer to the deadline. */
static stint_code later(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                        Probe__V1__Reply *rep, stint_call *call)
{
    struct part *p = self;
    (void)ctx, (void)req, (void)rep;
    assert_int_equal(stint_call_defer(call, &p->ticket, NULL), STINT_OK);
    assert_int_equal(call_all(p, stint_ticket_ctx(p->ticket), NULL), STINT_OK);
    return STINT_DEFERRED;
}

/* A node named `name`, `delay` away from everybody; its part is what the test makes of it. */
static stint_channel *node(struct sim *s, size_t i, const char *name, stint_duration delay,
                           const stint_server_options *opts)
{
    static const probe_v1_probe_ops ops = {.work = work, .later = later};
    stint_server_options o = {.size = sizeof o};
    if (opts != NULL)
        o = *opts;
    o.name = name;
    struct simnode *n = simnode_new(s, name, &o);
    parts[i] = (struct part){0};
    assert_int_equal(probe_v1_probe_register(simnode_server(n), &ops, &parts[i], NULL), STINT_OK);
    simnode_start(n);
    stint_channel *ch = sim_channel(s, name, NULL);
    if (delay > 0)
        stint__mem_set_faults(name, &(struct stint__mem_faults){.delay = delay});
    return ch;
}

/* ---- one call ---- */

typedef stint_code stub(const stint_ctx *ctx, stint_channel *ch, const Probe__V1__Request *req,
                        Probe__V1__Reply **ret_rep, stint_error *err);

struct result {
    stint_reply_info *info;
    const stint_ledger *ledger;
    stint_error err;
};

/* Calls with a ledger; the result is to be freed with info. */
static struct result call_with(stub *fn, stint_channel *ch, stint_duration timeout,
                               stint_call_options options)
{
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    Probe__V1__Reply *rep = NULL;
    struct result r = {.info = stint_reply_info_new()};
    options.size = sizeof options;
    options.reply = r.info;
    stint_ctx *with = stint_ctx_with_call_options(stint_ctx_background(), &options);
    stint_ctx *ctx = stint_ctx_with_timeout(with, timeout);
    (void)fn(ctx, ch, &req, &rep, &r.err);
    free_reply(NULL, STINT_OK, rep, NULL);
    stint_ctx_drop(ctx);
    stint_ctx_drop(with);
    r.ledger = stint_reply_info_ledger(r.info);
    return r;
}

static struct result call(stint_channel *ch, stint_duration timeout)
{
    return call_with(probe_v1_probe_work, ch, timeout, (stint_call_options){.ledger = true});
}

static const stint_ledger_entry *entry(const struct result *r, size_t i)
{
    const stint_ledger_entry *e = stint_ledger_at(r->ledger, i);
    assert_non_null(e);
    return e;
}

static void assert_times(const stint_ledger_entry *e, stint_duration start, stint_duration elapsed,
                         stint_duration queue, stint_duration handler)
{
    assert_int_equal(e->state, STINT_LEDGER_ANSWERED);
    assert_int_equal(e->start, start);
    assert_int_equal(e->elapsed, elapsed);
    assert_int_equal(e->queue, queue);
    assert_int_equal(e->handler, handler);
    assert_int_equal(e->used, queue + handler);
    assert_int_equal(e->transit, elapsed - queue - handler);
    assert_int_equal(e->outbound, e->transit / 2); /* delays are the same both ways */
}

/* ---- what went well ---- */

/* Front works 2 ms, calls back (30 ms away, which works 20 ms), works 3 ms. */
static void every_hop_says_where_its_time_went(struct sim *s)
{
    stint_channel *front = node(s, 0, "front", MS(5), NULL);
    stint_channel *back = node(s, 1, "back", MS(30), NULL);
    parts[0] = (struct part){.before = MS(2), .after = MS(3), .calls = {back}, .n_calls = 1};
    parts[1] = (struct part){.before = MS(20)};
    struct result r = call(front, MS(1000));
    assert_int_equal(r.err.code, STINT_OK);
    assert_int_equal(stint_ledger_count(r.ledger), 2);
    assert_int_equal(stint_ledger_dropped(r.ledger), 0);
    const stint_ledger_entry *e = entry(&r, 0);
    assert_times(e, 0, MS(95), 0, MS(85));
    assert_int_equal(e->depth, 0);
    assert_int_equal(e->code, STINT_OK);
    assert_string_equal(e->service, "front");
    assert_string_equal(e->method, WORK);
    assert_string_equal(e->target, "mem://front");
    assert_int_equal(e->had, MS(995)); /* the way here was found out and taken off */
    assert_int_equal(e->reserve, MS(1));
    assert_int_equal(e->retries, 0);
    assert_int_equal(e->backoff, 0);
    e = entry(&r, 1);
    assert_times(e, MS(2), MS(80), 0, MS(20));
    assert_int_equal(e->depth, 1);
    assert_string_equal(e->service, "back");
    assert_string_equal(e->method, WORK);
    assert_string_equal(e->target, "");
    assert_int_equal(stint_ledger_self(r.ledger, 0), MS(15));
    assert_int_equal(stint_ledger_self(r.ledger, 1), MS(80));
    assert_int_equal(stint_ledger_slowest(r.ledger), 1);
    stint_reply_info_free(r.info);
}

static void calls_at_once_are_side_by_side(struct sim *s)
{
    static const char *const names[] = {"a", "b", "c"};
    stint_channel *front = node(s, 0, "front", 0, NULL);
    parts[0] = (struct part){.before = MS(1), .style = AT_ONCE, .n_calls = 3};
    for (size_t i = 0; i < 3; i++) {
        parts[0].calls[i] = node(s, i + 1, names[i], 0, NULL);
        parts[i + 1].before = MS(INT64_C(10) * (3 - (int)i));
    }
    struct result r = call(front, MS(1000));
    assert_int_equal(stint_ledger_count(r.ledger), 4);
    assert_times(entry(&r, 0), 0, MS(31), 0, MS(31));
    assert_int_equal(stint_ledger_self(r.ledger, 0), MS(1));
    bool seen[3] = {false};
    for (size_t i = 1; i < 4; i++) {
        const stint_ledger_entry *e = entry(&r, i);
        size_t which = (size_t)(e->service[0] - 'a');
        assert_in_range(which, 0, 2);
        seen[which] = true;
        assert_times(e, MS(1), MS(INT64_C(10) * (3 - (int)which)), 0,
                     MS(INT64_C(10) * (3 - (int)which)));
        assert_int_equal(e->depth, 1);
    }
    assert_true(seen[0] && seen[1] && seen[2]);
    stint_reply_info_free(r.info);
}

/* 4 x 40 calls are too many to tell of. */
static void a_ledger_has_64_entries_at_most(struct sim *s)
{
    stint_channel *front = node(s, 0, "front", 0, NULL), *middle = node(s, 1, "middle", 0, NULL);
    stint_channel *back = node(s, 2, "back", 0, NULL);
    parts[0] = (struct part){.calls = {middle}, .n_calls = 1, .times = 4};
    parts[1] = (struct part){.before = MS(1), .calls = {back}, .n_calls = 1, .times = 40};
    struct result r = call(front, MS(60000));
    assert_int_equal(r.err.code, STINT_OK);
    assert_int_equal(stint_ledger_count(r.ledger), 64);
    assert_int_equal(stint_ledger_dropped(r.ledger), 1 + 4 + 160 - 64);
    size_t middles = 0;
    for (size_t i = 0; i < 64; i++)
        middles += entry(&r, i)->depth == 1;
    assert_int_equal(middles, 4);
    stint_reply_info_free(r.info);
}

/* ---- who asks ---- */

static void nobody_asked_nothing_told(struct sim *s)
{
    stint_channel *front = node(s, 0, "front", 0, NULL);
    struct result r =
        call_with(probe_v1_probe_work, front, MS(1000), (stint_call_options){.ledger = false});
    assert_int_equal(r.err.code, STINT_OK);
    assert_null(r.ledger);
    stint_reply_info_free(r.info);
}

static void a_channel_asks_for_one_in_three(struct sim *s)
{
    (void)node(s, 0, "front", 0, NULL);
    stint_channel *ch = sim_channel(s, "front", STINT_CHANNEL_OPTIONS(.ledger_one_in = 3));
    int told = 0;
    for (int i = 0; i < 9; i++) {
        struct result r = call_with(probe_v1_probe_work, ch, MS(1000), (stint_call_options){0});
        told += r.ledger != NULL;
        stint_reply_info_free(r.info);
    }
    assert_int_equal(told, 3);
}

static void an_info_forgets_the_ledger_before(struct sim *s)
{
    stint_channel *front = node(s, 0, "front", 0, NULL);
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    stint_reply_info *info = stint_reply_info_new();
    for (int i = 0; i < 4; i++) {
        Probe__V1__Reply *rep = NULL;
        stint_ctx *ctx = stint_ctx_with_call_options(
            stint_ctx_background(), STINT_CALL_OPTIONS(.reply = info, .ledger = i % 2 == 0));
        assert_int_equal(probe_v1_probe_work(ctx, front, &req, &rep, NULL), STINT_OK);
        free_reply(NULL, STINT_OK, rep, NULL);
        stint_ctx_drop(ctx);
        assert_int_equal(stint_ledger_count(stint_reply_info_ledger(info)), i % 2 == 0);
    }
    stint_reply_info_free(info);
}

static void look_at_ledger(void *self, const stint_ctx *ctx, stint_interception *call,
                           const stint_error *outcome)
{
    (void)ctx, (void)outcome;
    *(stint_duration *)self =
        stint_ledger_count(call->ledger) == 1 ? stint_ledger_at(call->ledger, 0)->elapsed : -1;
}

static void interceptors_see_it(struct sim *s)
{
    (void)node(s, 0, "front", 0, NULL);
    parts[0].before = MS(7);
    static stint_duration seen;
    static const stint_interceptor looking = {.self = &seen, .end = look_at_ledger};
    static const stint_interceptor *const all[] = {&looking, NULL};
    stint_channel *ch =
        sim_channel(s, "front", STINT_CHANNEL_OPTIONS(.interceptors = all, .ledger_one_in = 1));
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    Probe__V1__Reply *rep = NULL;
    assert_int_equal(probe_v1_probe_work(stint_ctx_background(), ch, &req, &rep, NULL), STINT_OK);
    free_reply(NULL, STINT_OK, rep, NULL);
    assert_int_equal(seen, MS(7));
}

struct again {
    stint_channel *audit;
    stint_error err;
    size_t entries;
};

/* Makes another call, with the options of the one that ends. */
static void call_again(void *self, const stint_ctx *ctx, stint_interception *call,
                       const stint_error *outcome)
{
    struct again *again = self;
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    Probe__V1__Reply *rep = NULL;
    (void)outcome;
    (void)!probe_v1_probe_work(ctx, again->audit, &req, &rep, &again->err);
    free_reply(NULL, STINT_OK, rep, NULL);
    again->entries = stint_ledger_count(call->ledger);
}

static void until_interceptors_are_done_the_info_is_in_use(struct sim *s)
{
    static struct again again;
    static const stint_interceptor with = {.self = &again, .end = call_again};
    static const stint_interceptor *const all[] = {&with, NULL};
    (void)node(s, 0, "front", 0, NULL);
    again.audit = sim_channel(s, "front", NULL);
    stint_channel *ch = sim_channel(s, "front", STINT_CHANNEL_OPTIONS(.interceptors = all));
    struct result r = call(ch, MS(1000));
    assert_int_equal(r.err.code, STINT_OK);
    assert_int_equal(again.err.code, STINT_FAILED_PRECONDITION);
    assert_non_null(strstr(again.err.message, "in use by another call"));
    assert_int_equal(again.entries, 1);
    stint_reply_info_free(r.info);
}

/* ---- what went wrong, and what is said of it ---- */

static void a_refusal_on_arrival_is_told(struct sim *s)
{
    stint_channel *front = node(s, 0, "front", MS(40), NULL);
    struct result r = call(front, MS(85));
    assert_int_equal(r.err.code, STINT_OK); /* 5 ms were left for the handler */
    stint_reply_info_free(r.info);
    r = call_with(probe_v1_probe_missing, front, MS(1000), (stint_call_options){.ledger = true});
    assert_int_equal(r.err.code, STINT_UNIMPLEMENTED);
    assert_int_equal(stint_ledger_count(r.ledger), 1);
    assert_int_equal(entry(&r, 0)->code, STINT_UNIMPLEMENTED);
    assert_string_equal(entry(&r, 0)->service, "front");
    stint_reply_info_free(r.info);
}

struct occupant {
    stint_channel *ch;
    struct event over;
};

static void occupied(void *arg, stint_code code, Probe__V1__Reply *rep, const stint_error *err)
{
    struct occupant *o = arg;
    (void)code, (void)err;
    probe__v1__reply__free_unpacked(rep, NULL);
    event_raise(&o->over);
}

/* One call keeps the only worker for 60 ms; another has 50. */
static void the_queue_is_named(struct sim *s)
{
    const Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    /* The server gives up what waits at 4 ms before the deadline, and looks a millisecond later. */
    stint_server_options one = {.size = sizeof one, .workers = 1, .reply_reserve = MS(4)};
    static struct occupant o; /* outlives a test that fails */
    o.ch = node(s, 0, "stock", 0, &one);
    parts[0].before = MS(60);
    event_init(&o.over);
    assert_int_equal(
        probe_v1_probe_work_async(stint_ctx_background(), o.ch, &req, occupied, &o, NULL),
        STINT_OK);
    struct result r = call(o.ch, MS(50));
    assert_int_equal(r.err.code, STINT_DEADLINE_EXCEEDED);
    assert_string_equal(r.err.message, "deadline exceeded after 47.0 ms: 47.0 ms queued at stock "
                                       "(" WORK ")");
    assert_int_equal(r.err.reason, STINT_REASON_EXPIRED_IN_QUEUE);
    assert_true(r.err.not_executed);
    assert_int_equal(entry(&r, 0)->queue, MS(47));
    assert_int_equal(entry(&r, 0)->handler, 0);
    assert_in_range(entry(&r, 0)->elapsed, MS(47), MS(47) + STINT_US(1));
    assert_int_equal(entry(&r, 0)->had, MS(50));
    event_wait(&o.over, 1);
    event_fini(&o.over);
    stint_reply_info_free(r.info);
}

/* The innermost cause reaches the caller, whatever is in between, and does not grow. */
static void the_handler_is_named_through_three_hops(struct sim *s)
{
    stint_channel *front = node(s, 0, "front", 0, NULL), *middle = node(s, 1, "middle", 0, NULL);
    stint_channel *stock = node(s, 2, "stock", 0, NULL);
    parts[0] = (struct part){.calls = {middle}, .n_calls = 1};
    parts[1] = (struct part){.before = MS(10), .calls = {stock}, .n_calls = 1};
    parts[2].until_done = true;
    struct result r = call(front, MS(100));
    assert_int_equal(r.err.code, STINT_DEADLINE_EXCEEDED);
    /* A reserve is kept back at each hop: of 100 ms, 99, and 88. */
    assert_string_equal(r.err.message, "deadline exceeded after 97.0 ms: 87.0 ms in its handler at "
                                       "stock (" WORK ")");
    assert_int_equal(stint_ledger_count(r.ledger), 3);
    assert_int_equal(stint_ledger_slowest(r.ledger), 2);
    assert_string_equal(entry(&r, 2)->service, "stock");
    assert_int_equal(entry(&r, 2)->code, STINT_DEADLINE_EXCEEDED);
    assert_int_equal(entry(&r, 2)->handler, MS(87));
    stint_reply_info_free(r.info);
    /* As it is where nobody asked for a ledger. */
    r = call_with(probe_v1_probe_work, front, MS(100), (stint_call_options){.ledger = false});
    assert_null(r.ledger);
    assert_non_null(strstr(r.err.message, "ms in its handler at stock (" WORK ")"));
    stint_reply_info_free(r.info);
}

/* Its answer is made by the deadline, while the call that it made is under way. */
static void what_it_waits_for_is_named(struct sim *s)
{
    stint_channel *front = node(s, 0, "front", 0, NULL), *back = node(s, 1, "back", 0, NULL);
    parts[0] = (struct part){.calls = {back}, .n_calls = 1, .style = LEFT_UNDER_WAY};
    parts[1].until_done = true;
    stint__mem_set_faults("back", &(struct stint__mem_faults){.delay = MS(500)});
    struct result r =
        call_with(probe_v1_probe_later, front, MS(100), (stint_call_options){.ledger = true});
    assert_int_equal(r.err.code, STINT_DEADLINE_EXCEEDED);
    assert_string_equal(r.err.message, "deadline exceeded after 99.0 ms: 99.0 ms waiting for " WORK
                                       " at front (probe.v1.Probe/Later)");
    assert_int_equal(stint_ledger_count(r.ledger), 2);
    const stint_ledger_entry *e = entry(&r, 1);
    assert_in_set(e->state, ((unsigned long[]){STINT_LEDGER_UNDER_WAY, STINT_LEDGER_NO_REPLY}), 2);
    assert_int_equal(e->elapsed, MS(99));
    assert_string_equal(e->method, WORK);
    assert_string_equal(e->target, "mem://back");
    stint_reply_info_free(r.info);
    stint_ticket_finish(parts[0].ticket, STINT_OK, NULL, NULL);
}

static void where_no_reply_came_it_is_said(struct sim *s)
{
    stint_channel *front = node(s, 0, "front", MS(80), NULL);
    struct result r = call(front, MS(100));
    assert_string_equal(r.err.message,
                        "deadline exceeded after 100.0 ms: no reply from mem://front "
                        "(" WORK ")");
    assert_int_equal(stint_ledger_count(r.ledger), 1);
    const stint_ledger_entry *e = entry(&r, 0);
    assert_int_equal(e->state, STINT_LEDGER_NO_REPLY);
    assert_int_equal(e->code, STINT_DEADLINE_EXCEEDED);
    assert_int_equal(e->elapsed, MS(100));
    assert_string_equal(e->method, WORK);
    assert_string_equal(e->target, "mem://front");
    assert_string_equal(e->service, "");
    assert_int_equal(stint_ledger_self(r.ledger, 0), MS(100));
    stint_reply_info_free(r.info);
}

static void where_nothing_was_sent_it_is_said(struct sim *s)
{
    (void)s;
    stint_channel *nobody;
    assert_int_equal(stint_channel_open(&nobody, "mem://nobody",
                                        STINT_CHANNEL_OPTIONS(.wait_for_ready = true), NULL),
                     STINT_OK);
    struct result r = call(nobody, MS(100));
    assert_string_equal(r.err.message, "deadline exceeded after 100.0 ms: waiting for a connection "
                                       "to mem://nobody (" WORK ")");
    assert_true(r.err.not_executed);
    assert_int_equal(entry(&r, 0)->state, STINT_LEDGER_NOT_SENT);
    assert_int_equal(entry(&r, 0)->elapsed, MS(100));
    stint_reply_info_free(r.info);
    stint_channel_close(nobody);
}

/* ---- ledgers that cannot be read ---- */

static void an_unsound_ledger_is_counted_and_does_no_harm(struct sim *s)
{
    stint_channel *ch = node(s, 0, "front", 0, NULL);
    static const stint_method method = {.path = WORK};
    /* Two sound entries, then rubbish: nothing of it is kept. */
    static const uint8_t bytes[] = "\x0a\x00\x0a\x02\x08\x01\x0a\x02\x08\x63";
    struct stint__client_call c = {.ch = ch, .method = &method, .start = stint_now()};
    c.options.reply = stint_reply_info_new();
    stint__client_ledger_read(&c, stint_time_add(c.start, MS(3)),
                              (struct stint__slice){bytes, sizeof bytes - 1});
    stint__client_ledger_finish(&c);
    const stint_ledger *l = stint_reply_info_ledger(c.options.reply);
    assert_int_equal(stint_ledger_count(l), 1);
    assert_int_equal(stint_ledger_at(l, 0)->state, STINT_LEDGER_OPAQUE);
    assert_int_equal(stint_ledger_at(l, 0)->elapsed, MS(3));
    assert_int_equal(stint_ledger_dropped(l), 0);
    stint_reply_info_free(c.options.reply);
    stint_channel_stats stats = {.size = sizeof stats};
    stint_channel_stats_get(ch, &stats);
    assert_int_equal(stats.bad_ledgers, 1);
}

/* A server's own claims are bounded by what its caller saw. */
static void what_a_server_claims_of_the_way_is_bounded(struct sim *s)
{
    stint_channel *ch = node(s, 0, "front", 0, NULL);
    static const stint_method method = {.path = WORK};
    const stint_ledger_entry claim = {.outbound = STINT_SECONDS(1000), .handler = MS(2)};
    uint8_t bytes[64];
    size_t size = (size_t)(stint__ledger_encode_entry(&claim, bytes) - bytes);
    struct stint__client_call c = {.ch = ch, .method = &method, .start = stint_now()};
    c.options.reply = stint_reply_info_new();
    stint__client_ledger_read(&c, stint_time_add(c.start, MS(3)),
                              (struct stint__slice){bytes, size});
    stint__client_ledger_finish(&c);
    const stint_ledger_entry *e = stint_ledger_at(stint_reply_info_ledger(c.options.reply), 0);
    assert_int_equal(e->transit, MS(1));
    assert_int_equal(e->outbound, MS(1));
    stint_reply_info_free(c.options.reply);
}

static void a_servers_name_is_printable(struct sim *s)
{
    (void)s;
    static const char *const bad[] = {
        "a\nb", "\x1b[2J", "\xff",
        "0123456789012345678901234567890123456789012345678901234567890123"};
    stint_server *server;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(stint_server_new(&server, STINT_SERVER_OPTIONS(.name = bad[i]), NULL),
                         STINT_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIM_TEST(every_hop_says_where_its_time_went),
        SIM_TEST(calls_at_once_are_side_by_side),
        SIM_TEST(a_ledger_has_64_entries_at_most),
        SIM_TEST(nobody_asked_nothing_told),
        SIM_TEST(a_channel_asks_for_one_in_three),
        SIM_TEST(an_info_forgets_the_ledger_before),
        SIM_TEST(interceptors_see_it),
        SIM_TEST(until_interceptors_are_done_the_info_is_in_use),
        SIM_TEST(a_refusal_on_arrival_is_told),
        SIM_TEST(the_queue_is_named),
        SIM_TEST(the_handler_is_named_through_three_hops),
        SIM_TEST(what_it_waits_for_is_named),
        SIM_TEST(where_no_reply_came_it_is_said),
        SIM_TEST(where_nothing_was_sent_it_is_said),
        SIM_TEST(an_unsound_ledger_is_counted_and_does_no_harm),
        SIM_TEST(what_a_server_claims_of_the_way_is_bounded),
        SIM_TEST(a_servers_name_is_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

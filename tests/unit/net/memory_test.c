/* memory_test.c - the simulated network under the virtual clock. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "memory.h"
#include "net_impl.h"

#define NET   (&stint__net_memory)
#define DELAY STINT_MS(10)

/* An operation that says when it completed, and as which of all. */
struct op {
    struct stint__net_op op;
    stint_time at;
    unsigned rank;
    bool done;
};

static unsigned completions;

static void complete(struct stint__net_op *op)
{
    struct op *o = STINT__CONTAINER_OF(op, struct op, op);
    assert_false(o->done);
    o->done = true;
    o->at = stint_now();
    o->rank = ++completions;
}

static struct stint__net_op *start(struct op *o)
{
    memset(o, 0, sizeof *o);
    o->op.fn = complete;
    return &o->op;
}

static bool fail_all(void *arg, size_t n)
{
    (void)arg;
    (void)n;
    return false;
}

/* Two ends, connected. */
struct pair {
    struct stint__listener *listener;
    struct stint__dialer *dialer;
    struct stint__stream *client, *server;
};

static int set_up(void **state)
{
    (void)state;
    stint__vclock_install((stint_time){STINT_SECONDS(1)});
    stint__mem_reset();
    completions = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stint__vclock_advance(STINT_SECONDS(1));
    size_t armed = stint__timer_count();
    stint__vclock_uninstall();
    return armed == 0 ? 0 : -1;
}

static void connect_pair(struct pair *p, const char *url)
{
    struct op dialed;
    struct op accepted;
    assert_int_equal(NET->listener_new(&p->listener, url, NULL), STINT_OK);
    assert_int_equal(NET->dialer_new(&p->dialer, url, NULL), STINT_OK);
    NET->accept(p->listener, start(&accepted));
    NET->dial(p->dialer, start(&dialed));
    assert_false(dialed.done);
    stint__vclock_advance(STINT_SECONDS(1));
    assert_true(accepted.done && dialed.done);
    assert_int_equal(accepted.op.code, STINT_OK);
    assert_int_equal(dialed.op.code, STINT_OK);
    p->client = dialed.op.stream;
    p->server = accepted.op.stream;
}

static void free_pair(struct pair *p)
{
    NET->free(p->client);
    NET->free(p->server);
    NET->dialer_free(p->dialer);
    NET->listener_free(p->listener);
}

static void set_delay(stint_duration delay, stint_duration jitter)
{
    struct stint__mem_faults f = {.delay = delay, .jitter = jitter};
    stint__mem_set_faults("a", &f);
}

static void write_text(struct stint__stream *s, const char *text, struct op *o)
{
    struct stint__iov iov = {text, strlen(text)};
    NET->write(s, &iov, 1, start(o));
}

static void connecting_takes_a_round_trip(void **state)
{
    (void)state;
    set_delay(DELAY, 0);
    struct pair p;
    connect_pair(&p, "mem://a");
    struct op again;
    stint_time begin = stint_now();
    NET->dial(p.dialer, start(&again));
    stint__vclock_advance(2 * DELAY - 1);
    assert_false(again.done);
    stint__vclock_advance(1);
    assert_true(again.done);
    assert_int_equal(stint_time_sub(again.at, begin), 2 * DELAY);
    assert_string_equal(NET->peer(again.op.stream), "mem://a");
    assert_string_equal(NET->peer(p.server), "mem://a client 1");
    NET->free(again.op.stream);
    free_pair(&p);
}

static void bytes_arrive_in_order_after_the_delay(void **state)
{
    (void)state;
    struct pair p;
    struct op w1;
    struct op w2;
    struct op r;
    char buf[16];
    connect_pair(&p, "mem://a");
    set_delay(DELAY, 0);
    NET->read(p.server, buf, 2, start(&r));
    struct stint__iov parts[] = {{"he", 2}, {"", 0}, {"llo", 3}};
    NET->write(p.client, parts, 3, start(&w1));
    assert_false(w1.done);
    stint__vclock_advance(0);
    assert_true(w1.done);
    assert_int_equal(w1.op.count, 5);
    set_delay(0, 0); /* the next bytes are faster, and still come after */
    write_text(p.client, " you", &w2);
    stint__vclock_advance(DELAY - 1);
    assert_true(w2.done);
    assert_false(r.done);
    stint__vclock_advance(1);
    assert_int_equal(r.op.count, 2);
    assert_memory_equal(buf, "he", 2);
    NET->read(p.server, buf, 3, start(&r));
    stint__vclock_advance(0);
    assert_int_equal(r.op.count, 3);
    NET->read(p.server, buf + 3, sizeof buf - 3, start(&r));
    stint__vclock_advance(0);
    assert_int_equal(r.op.count, 4);
    assert_memory_equal(buf, "llo you", 7);
    free_pair(&p);
}

static void a_full_window_makes_writes_wait(void **state)
{
    (void)state;
    struct stint__mem_faults f = {.window = 4};
    struct pair p;
    struct op w;
    struct op r;
    char buf[16];
    connect_pair(&p, "mem://a");
    stint__mem_set_faults("a", &f);
    write_text(p.client, "abcdef", &w);
    stint__vclock_advance(0);
    assert_int_equal(w.op.count, 4);
    write_text(p.client, "ef", &w);
    stint__vclock_advance(STINT_SECONDS(100));
    assert_false(w.done);
    NET->read(p.server, buf, 1, start(&r));
    stint__vclock_advance(0);
    assert_true(w.done);
    assert_int_equal(w.op.count, 1);
    write_text(p.client, "f", &w);
    stint__vclock_advance(0);
    assert_false(w.done);
    f.window = 5;
    stint__mem_set_faults("a", &f);
    stint__vclock_advance(0);
    assert_true(w.done);
    NET->read(p.server, buf, sizeof buf, start(&r));
    stint__vclock_advance(0);
    assert_int_equal(r.op.count, 5);
    assert_memory_equal(buf, "bcdef", 5);
    free_pair(&p);
}

static void closing_delivers_what_was_written_first(void **state)
{
    (void)state;
    struct pair p;
    struct op w;
    struct op r;
    struct op own;
    char buf[16];
    char own_buf[16];
    connect_pair(&p, "mem://a");
    set_delay(DELAY, 0);
    write_text(p.client, "bye", &w);
    NET->read(p.client, own_buf, sizeof own_buf, start(&own));
    stint__vclock_advance(0);
    NET->close(p.client);
    NET->close(p.client);
    assert_false(own.done);
    NET->read(p.server, buf, sizeof buf, start(&r));
    stint__vclock_advance(DELAY);
    assert_int_equal(own.op.code, STINT_CANCELLED);
    assert_int_equal(r.op.code, STINT_OK);
    assert_memory_equal(buf, "bye", 3);
    NET->read(p.server, buf, sizeof buf, start(&r));
    write_text(p.server, "lost", &w);
    stint__vclock_advance(0);
    assert_int_equal(r.op.code, STINT_UNAVAILABLE);
    assert_string_equal(r.op.error.message, "mem://a: the peer has closed the connection");
    assert_int_equal(w.op.code, STINT_UNAVAILABLE);
    free_pair(&p);
}

static void a_cut_ends_both_ends_at_once(void **state)
{
    (void)state;
    struct pair p;
    struct pair other;
    struct op w;
    struct op r1;
    struct op r2;
    struct op r3;
    char buf[3][16];
    connect_pair(&p, "mem://a");
    connect_pair(&other, "mem://b");
    set_delay(DELAY, 0);
    write_text(p.client, "lost", &w);
    NET->read(p.server, buf[0], 16, start(&r1));
    NET->read(p.client, buf[1], 16, start(&r2));
    NET->read(other.client, buf[2], 16, start(&r3));
    stint__vclock_advance(0);
    stint__mem_cut("a");
    stint__vclock_advance(STINT_SECONDS(1));
    assert_int_equal(r1.op.code, STINT_UNAVAILABLE);
    assert_int_equal(r2.op.code, STINT_UNAVAILABLE);
    assert_false(r3.done);
    stint__mem_cut(NULL);
    stint__vclock_advance(0);
    assert_int_equal(r3.op.code, STINT_UNAVAILABLE);
    free_pair(&p);
    free_pair(&other);
}

static void a_partition_holds_everything_until_it_heals(void **state)
{
    (void)state;
    struct stint__mem_faults f = {.delay = DELAY, .partitioned = true};
    struct pair p;
    struct op w;
    struct op r;
    struct op dialed;
    char buf[3];
    connect_pair(&p, "mem://a");
    stint__mem_set_faults("a", &f);
    write_text(p.client, "one", &w);
    stint__vclock_advance(0);
    write_text(p.client, "two", &w);
    stint__vclock_advance(0);
    NET->close(p.client);
    NET->dial(p.dialer, start(&dialed));
    NET->read(p.server, buf, 3, start(&r));
    stint__vclock_advance(STINT_SECONDS(1000));
    assert_false(r.done || dialed.done);
    f.partitioned = false;
    stint__mem_set_faults("a", &f);
    stint__vclock_advance(DELAY);
    assert_true(r.done);
    assert_memory_equal(buf, "one", 3);
    NET->read(p.server, buf, 3, start(&r));
    stint__vclock_advance(0);
    assert_memory_equal(buf, "two", 3);
    NET->read(p.server, buf, 3, start(&r));
    stint__vclock_advance(DELAY);
    assert_int_equal(r.op.code, STINT_UNAVAILABLE);
    assert_int_equal(dialed.op.code, STINT_OK);
    NET->free(dialed.op.stream);
    free_pair(&p);
}

static void dialing_nobody_is_refused(void **state)
{
    (void)state;
    struct stint__mem_faults f = {.refuse = true};
    struct stint__dialer *d;
    struct stint__listener *l;
    struct op dialed;
    assert_int_equal(NET->dialer_new(&d, "mem://a", NULL), STINT_OK);
    NET->dial(d, start(&dialed));
    stint__vclock_advance(0);
    assert_int_equal(dialed.op.code, STINT_UNAVAILABLE);
    assert_string_equal(dialed.op.error.message, "mem://a: connection refused");
    assert_int_equal(NET->listener_new(&l, "mem://a", NULL), STINT_OK);
    stint__mem_set_faults(NULL, &f);
    NET->dial(d, start(&dialed));
    stint__vclock_advance(0);
    assert_int_equal(dialed.op.code, STINT_UNAVAILABLE);
    stint__mem_reset();
    NET->dial(d, start(&dialed));
    stint__vclock_advance(0);
    assert_int_equal(dialed.op.code, STINT_OK);
    NET->free(dialed.op.stream);
    NET->dialer_free(d);
    NET->listener_free(l);
}

static void freeing_cancels_what_is_outstanding(void **state)
{
    (void)state;
    struct stint__dialer *d;
    struct stint__listener *l;
    struct op dialed;
    struct op accepted;
    set_delay(DELAY, 0);
    assert_int_equal(NET->dialer_new(&d, "mem://a", NULL), STINT_OK);
    assert_int_equal(NET->listener_new(&l, "mem://a", NULL), STINT_OK);
    NET->dial(d, start(&dialed));
    stint__vclock_advance(DELAY + DELAY / 2); /* the server's end exists, the answer is under way */
    NET->dialer_free(d);
    assert_false(dialed.done);
    stint__vclock_advance(0);
    assert_int_equal(dialed.op.code, STINT_CANCELLED);
    NET->accept(l, start(&accepted));
    stint__vclock_advance(0);
    assert_int_equal(accepted.op.code, STINT_OK);
    NET->free(accepted.op.stream);
    NET->accept(l, start(&accepted));
    NET->listener_free(l);
    assert_false(accepted.done);
    stint__vclock_advance(0);
    assert_int_equal(accepted.op.code, STINT_CANCELLED);
    assert_int_equal(NET->listener_new(&l, "mem://a", NULL), STINT_OK);
    NET->listener_free(l);
}

static void bad_urls_say_what_is_wrong(void **state)
{
    (void)state;
    struct stint__dialer *d = NULL;
    struct stint__listener *l = NULL;
    struct stint__listener *second = NULL;
    stint_error err = STINT_ERROR_INIT;
    char longest[sizeof STINT__MEM_PREFIX + STINT__MEM_NAME_MAX + 1] = STINT__MEM_PREFIX;
    memset(longest + sizeof STINT__MEM_PREFIX - 1, 'x', STINT__MEM_NAME_MAX + 1);
    assert_int_equal(NET->dialer_new(&d, "mem://", &err), STINT_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "mem://NAME"));
    assert_int_equal(NET->dialer_new(&d, "tcp://x", &err), STINT_INVALID_ARGUMENT);
    assert_int_equal(NET->listener_new(&l, longest, &err), STINT_INVALID_ARGUMENT);
    assert_null(d);
    longest[sizeof longest - 2] = '\0';
    assert_int_equal(NET->listener_new(&l, longest, &err), STINT_OK);
    assert_string_equal(NET->listener_url(l), longest);
    assert_int_equal(NET->listener_new(&second, longest, &err), STINT_ALREADY_EXISTS);
    assert_non_null(strstr(err.message, "address in use"));
    assert_null(second);
    NET->listener_free(l);
}

/* Runs 50 dials under jitter and cuts; a summary of what happened when. */
static uint64_t run_with_seed(uint64_t seed)
{
    enum { N = 50 };
    struct stint__mem_faults f = {.delay = DELAY, .jitter = DELAY, .cut_ppm = 300000};
    static struct op ops[N];
    static struct op writes[N];
    struct stint__dialer *d[N];
    struct stint__listener *l;
    uint64_t hash = 0;
    stint__mem_set_seed(seed);
    stint__mem_set_faults("a", &f);
    stint_time begin = stint_now();
    assert_int_equal(NET->listener_new(&l, "mem://a", NULL), STINT_OK);
    completions = 0;
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(NET->dialer_new(&d[i], "mem://a", NULL), STINT_OK);
        NET->dial(d[i], start(&ops[i]));
    }
    stint__vclock_advance(4 * DELAY);
    for (size_t i = 0; i < N; i++)
        write_text(ops[i].op.stream, "x", &writes[i]);
    stint__vclock_advance(4 * DELAY);
    for (size_t i = 0; i < N; i++) {
        uint64_t when = (uint64_t)stint_time_sub(ops[i].at, begin);
        hash = (hash ^ when ^ ops[i].rank ^ ((uint64_t)writes[i].op.code << 32)) * 0x100000001B3u;
        NET->free(ops[i].op.stream);
        NET->dialer_free(d[i]);
    }
    NET->listener_free(l);
    stint__vclock_advance(4 * DELAY);
    return hash;
}

static void the_same_seed_gives_the_same_run(void **state)
{
    (void)state;
    uint64_t first = run_with_seed(1);
    assert_int_equal(run_with_seed(1), first);
    assert_int_not_equal(run_with_seed(2), first);
}

static void a_failing_allocation_breaks_the_stream(void **state)
{
    (void)state;
    struct pair p;
    struct op w;
    struct stint__dialer *d = NULL;
    struct stint__listener *l = NULL;
    stint_error err = STINT_ERROR_INIT;
    connect_pair(&p, "mem://a");
    stint__alloc_set_gate(fail_all, NULL);
    write_text(p.client, "x", &w);
    stint__vclock_advance(0);
    stint_code dialer = NET->dialer_new(&d, "mem://b", &err);
    stint_code listener = NET->listener_new(&l, "mem://b", &err);
    stint__alloc_set_gate(NULL, NULL);
    assert_int_equal(w.op.code, STINT_RESOURCE_EXHAUSTED);
    assert_int_equal(dialer, STINT_RESOURCE_EXHAUSTED);
    assert_int_equal(listener, STINT_RESOURCE_EXHAUSTED);
    /* Bytes are missing now: the stream is of no use any more, and both sides know. */
    write_text(p.client, "x", &w);
    stint__vclock_advance(0);
    assert_int_equal(w.op.code, STINT_UNAVAILABLE);
    write_text(p.server, "x", &w);
    stint__vclock_advance(0);
    assert_int_equal(w.op.code, STINT_UNAVAILABLE);
    free_pair(&p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connecting_takes_a_round_trip),
        TEST(bytes_arrive_in_order_after_the_delay),
        TEST(a_full_window_makes_writes_wait),
        TEST(closing_delivers_what_was_written_first),
        TEST(a_cut_ends_both_ends_at_once),
        TEST(a_partition_holds_everything_until_it_heals),
        TEST(dialing_nobody_is_refused),
        TEST(freeing_cancels_what_is_outstanding),
        TEST(bad_urls_say_what_is_wrong),
        TEST(the_same_seed_gives_the_same_run),
        TEST(a_failing_allocation_breaks_the_stream),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}

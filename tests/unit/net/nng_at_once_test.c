/* nng_at_once_test.c - what is read and written at once over tcp and ipc: what can be, the rest
 * later, nothing twice. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "event.h"
#include "list.h"
#include "net.h"

struct op {
    struct stint__net_op op;
    struct event done;
};

static void complete(struct stint__net_op *op)
{
    event_raise(&STINT__CONTAINER_OF(op, struct op, op)->done);
}

static struct stint__net_op *start(struct op *o)
{
    o->op = (struct stint__net_op){.fn = complete};
    event_init(&o->done);
    return &o->op;
}

static stint_code finish(struct op *o)
{
    event_wait(&o->done, 1);
    event_fini(&o->done);
    return o->op.code;
}

struct pair {
    struct stint__listener *listener;
    struct stint__dialer *dialer;
    struct stint__stream *client, *server;
};

static void connect_pair(struct pair *p, const char *url)
{
    struct op dialed;
    struct op accepted;
    assert_int_equal(stint__listener_new(&p->listener, url, NULL), STINT_OK);
    assert_int_equal(stint__dialer_new(&p->dialer, stint__listener_url(p->listener), NULL),
                     STINT_OK);
    stint__accept(p->listener, start(&accepted));
    stint__dial(p->dialer, start(&dialed));
    assert_int_equal(finish(&dialed), STINT_OK);
    assert_int_equal(finish(&accepted), STINT_OK);
    p->client = dialed.op.stream;
    p->server = accepted.op.stream;
}

static void disconnect_pair(struct pair *p)
{
    /* In this order: the last one of a dialer and its streams frees NNG's dialer, which NNG counts
     * with atomics that ThreadSanitizer does not see. */
    stint__dialer_free(p->dialer);
    stint__listener_free(p->listener);
    stint__stream_free(p->client);
    stint__stream_free(p->server);
    stint__net_quiesce();
}

/* The bytes of a stream that tells where each belongs. */
static uint8_t expected(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 8) + (i >> 16));
}

static size_t try_write(struct stint__stream *s, const uint8_t *data, size_t len)
{
    struct stint__iov iov[2] = {{data, len / 2}, {data + len / 2, len - len / 2}};
    return stint__stream_try_write(s, iov, 2);
}

/* Reads `len` bytes, which must be the stream's at `from`. */
static void read_expected(struct stint__stream *s, size_t from, size_t len)
{
    static uint8_t buf[65536];
    while (len > 0) {
        struct op o;
        stint__stream_read(s, buf, len < sizeof buf ? len : sizeof buf, start(&o));
        assert_int_equal(finish(&o), STINT_OK);
        for (size_t i = 0; i < o.op.count; i++)
            assert_int_equal(buf[i], expected(from + i));
        from += o.op.count;
        len -= o.op.count;
    }
}

#define BLOCK ((size_t)100000)

static uint8_t block[BLOCK];

static uint8_t *block_at(size_t from)
{
    for (size_t i = 0; i < BLOCK; i++)
        block[i] = expected(from + i);
    return block;
}

/* Fills the stream until it takes no more; returns how much it took. */
static size_t fill(struct stint__stream *s)
{
    size_t total = 0;
    size_t n = BLOCK;
    while (n > 0) {
        n = try_write(s, block_at(total), BLOCK);
        assert_true(n <= BLOCK);
        total += n;
        assert_true(total < (size_t)256 << 20);
    }
    return total;
}

static void check_writing(const char *url)
{
    struct pair p;
    connect_pair(&p, url);

    /* A small write is taken whole. */
    assert_int_equal(try_write(p.client, block_at(0), 10), 10);
    read_expected(p.server, 0, 10);

    /* A full stream takes a part, then nothing; what it refused can be written later. */
    size_t taken = fill(p.client);
    assert_true(taken > 0);
    struct op late;
    struct stint__iov iov = {block_at(taken), BLOCK};
    stint__stream_write(p.client, &iov, 1, start(&late));
    read_expected(p.server, 0, taken);
    assert_int_equal(finish(&late), STINT_OK);
    assert_true(late.op.count > 0);
    read_expected(p.server, taken, late.op.count);

    /* And at once again, from a stream that has been full. */
    assert_int_equal(try_write(p.client, block_at(0), 10), 10);
    read_expected(p.server, 0, 10);

    /* A closed one takes nothing. */
    stint__stream_close(p.client);
    assert_int_equal(try_write(p.client, block_at(0), 10), 0);
    disconnect_pair(&p);
}

static void check_reading(const char *url)
{
    struct pair p;
    uint8_t got[64];
    connect_pair(&p, url);

    /* Nothing is there. */
    assert_int_equal(stint__stream_try_read(p.server, got, sizeof got), 0);

    /* What is there is read in order, by turns with reads that wait. */
    struct op waits;
    stint__stream_read(p.server, got, 4, start(&waits));
    assert_int_equal(try_write(p.client, block_at(0), 20), 20);
    assert_int_equal(finish(&waits), STINT_OK);
    size_t n = waits.op.count;
    n += stint__stream_try_read(p.server, got + n, 10);
    assert_true(n > 4);
    n += stint__stream_try_read(p.server, got + n, sizeof got - n);
    assert_int_equal(n, 20);
    assert_memory_equal(got, block_at(0), 20);
    assert_int_equal(stint__stream_try_read(p.server, got, sizeof got), 0);

    /* One that found nothing takes nothing from the next. */
    assert_int_equal(try_write(p.client, block_at(0), 10), 10);
    read_expected(p.server, 0, 10);

    /* A closed stream has nothing. */
    assert_int_equal(try_write(p.client, block_at(0), 10), 10);
    stint__stream_close(p.server);
    assert_int_equal(stint__stream_try_read(p.server, got, sizeof got), 0);
    disconnect_pair(&p);
}

static void check_url(const char *url)
{
    check_writing(url);
    check_reading(url);
}

static void test_tcp(void **state)
{
    (void)state;
    check_url("tcp://127.0.0.1:0");
}

static void test_ipc(void **state)
{
    (void)state;
    char url[64];
    snprintf(url, sizeof url, "ipc:///tmp/stint-at-once-%ld", (long)getpid());
    check_url(url);
}

/* A failure is left for the next write to report. */
static void test_peer_gone(void **state)
{
    (void)state;
    struct pair p;
    connect_pair(&p, "tcp://127.0.0.1:0");
    struct op gone;
    uint8_t byte;
    stint__stream_read(p.client, &byte, 1, start(&gone));
    stint__stream_close(p.server);
    assert_int_not_equal(finish(&gone), STINT_OK);
    assert_int_equal(stint__stream_try_read(p.client, &byte, 1), 0);
    (void)fill(p.client); /* ends: what TCP took before it knew is lost */
    struct op o;
    struct stint__iov iov = {block, BLOCK};
    stint__stream_write(p.client, &iov, 1, start(&o));
    assert_int_not_equal(finish(&o), STINT_OK);
    disconnect_pair(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_ipc),
        cmocka_unit_test(test_peer_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

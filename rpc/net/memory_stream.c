/* memory_stream.c - the connections of the simulated network: bytes between two ends.
 *
 * A write completes at once with as many bytes as the window has room for, and waits while there is
 * none; what it wrote arrives after the delay. Closing an end sends the end of the stream after
 * what was written before, as TCP does; breaking a connection loses what is on its way, and both
 * ends learn of it at once. What has arrived can be read all the same.
 *
 * Invariants: a stream's `pending` is the unread bytes in its `flying` and `arrived`; an operation
 * is completed by its event only. Locking: see memory.h. */
#include "memory.h"

#include <stdio.h>
#include <string.h>

#include "alloc.h"

#define WINDOW_DEFAULT ((size_t)256 * 1024)

struct chunk {
    struct stint__list link;
    stint_time arrives;
    size_t len, used;
    uint8_t data[];
};

static const char closed_here[] = "the connection was closed here";

static struct chunk *chunk_of(struct stint__list *link)
{
    return STINT__CONTAINER_OF(link, struct chunk, link);
}

static struct stint__mem_stream *other_end(struct stint__mem_stream *s)
{
    struct stint__mem_connection *c = s->connection;
    return s == &c->client ? &c->server : &c->client;
}

static bool ended(const struct stint__mem_stream *s)
{
    return s->closed || s->eof || s->connection->broken;
}

static const char *why_ended(const struct stint__mem_stream *s)
{
    return s->eof ? "the peer has closed the connection" : "the connection broke";
}

static size_t room_locked(struct stint__mem_stream *s)
{
    size_t window = stint__mem_faults_locked(s->connection->host)->window;
    size_t pending = other_end(s)->pending;
    if (window == 0)
        window = WINDOW_DEFAULT;
    return pending < window ? window - pending : 0;
}

/* Completes the operations of s that can be completed by now. */
static void poke_locked(struct stint__mem_stream *s)
{
    if (s->read_op != NULL && (ended(s) || !stint__list_empty(&s->arrived)))
        stint__mem_soon_locked(&s->read_done);
    if (s->write_op != NULL && (ended(s) || room_locked(s) > 0))
        stint__mem_soon_locked(&s->write_done);
}

static void drop_chunks(struct stint__mem_stream *s, struct stint__list *chunks)
{
    struct stint__list *link;
    while ((link = stint__list_pop_front(chunks)) != NULL) {
        struct chunk *k = chunk_of(link);
        s->pending -= k->len - k->used;
        stint__free(k);
    }
}

void stint__mem_break_locked(struct stint__mem_connection *c)
{
    struct stint__mem_stream *ends[] = {&c->client, &c->server};
    c->broken = true;
    for (size_t i = 0; i < 2; i++) {
        stint__mem_unschedule_locked(&ends[i]->arrival);
        drop_chunks(ends[i], &ends[i]->flying);
    }
    poke_locked(&c->client);
    poke_locked(&c->server);
}

/* When what is sent to s now arrives: never before what was sent earlier. */
static stint_time arrival_after_locked(struct stint__mem_stream *s)
{
    stint_time arrives = stint__mem_arrival_locked(s->connection->host);
    if (stint_time_before(s->newest, arrives))
        s->newest = arrives;
    return s->newest;
}

/* The event for what arrives next at s, if anything is on its way. */
static void expect_locked(struct stint__mem_stream *s)
{
    if (!stint__list_empty(&s->arrival.link))
        return;
    if (!stint__list_empty(&s->flying))
        stint__mem_schedule_locked(&s->arrival, chunk_of(s->flying.next)->arrives);
    else if (s->fin_sent && !s->eof)
        stint__mem_schedule_locked(&s->arrival, s->newest);
}

static struct stint__net_op *arrive(struct stint__mem_event *e)
{
    struct stint__mem_stream *s = STINT__CONTAINER_OF(e, struct stint__mem_stream, arrival);
    if (stint__mem_park_locked(s->connection->host, e))
        return NULL;
    struct stint__list *link = stint__list_pop_front(&s->flying);
    if (link != NULL)
        stint__list_push_back(&s->arrived, link);
    else
        s->eof = true;
    if (s->closed)
        drop_chunks(s, &s->arrived);
    expect_locked(s);
    poke_locked(s);
    poke_locked(other_end(s));
    return NULL;
}

static size_t take_locked(struct stint__mem_stream *s)
{
    size_t count = 0;
    while (count < s->read_len && !stint__list_empty(&s->arrived)) {
        struct chunk *k = chunk_of(s->arrived.next);
        size_t n = k->len - k->used;
        if (n > s->read_len - count)
            n = s->read_len - count;
        memcpy(s->read_buf + count, k->data + k->used, n);
        k->used += n;
        s->pending -= n;
        count += n;
        if (k->used < k->len)
            break;
        stint__list_unlink(&k->link);
        stint__free(k);
    }
    return count;
}

static struct stint__net_op *finish_read(struct stint__mem_event *e)
{
    struct stint__mem_stream *s = STINT__CONTAINER_OF(e, struct stint__mem_stream, read_done);
    struct stint__net_op *op = s->read_op;
    const char *name = s->connection->host->name;
    s->read_op = NULL;
    if (s->closed)
        return stint__mem_op_fail(op, STINT_CANCELLED, name, closed_here);
    op->count = take_locked(s);
    poke_locked(other_end(s));
    if (op->count > 0)
        return op;
    return stint__mem_op_fail(op, STINT_UNAVAILABLE, name, why_ended(s));
}

/* How many of the bytes in s->iov fit into `room`. */
static size_t sendable(const struct stint__mem_stream *s, size_t room)
{
    size_t total = 0;
    for (unsigned i = 0; i < s->n_iov && total < room; i++)
        total += s->iov[i].len < room - total ? s->iov[i].len : room - total;
    return total;
}

/* Sends the first `total` bytes of s->iov on their way. False when out of memory. */
static bool send_locked(struct stint__mem_stream *s, size_t total)
{
    struct stint__mem_stream *to = other_end(s);
    struct chunk *k = stint__alloc(sizeof *k + total);
    if (k == NULL)
        return false;
    stint__list_init(&k->link);
    k->len = k->used = 0;
    for (unsigned i = 0; k->len < total; i++) {
        size_t n = s->iov[i].len < total - k->len ? s->iov[i].len : total - k->len;
        if (n > 0)
            memcpy(k->data + k->len, s->iov[i].data, n);
        k->len += n;
    }
    k->arrives = arrival_after_locked(to);
    to->pending += total;
    stint__list_push_back(&to->flying, &k->link);
    expect_locked(to);
    return true;
}

static struct stint__net_op *finish_write(struct stint__mem_event *e)
{
    struct stint__mem_stream *s = STINT__CONTAINER_OF(e, struct stint__mem_stream, write_done);
    struct stint__mem_connection *c = s->connection;
    struct stint__net_op *op = s->write_op;
    size_t room = room_locked(s);
    if (!ended(s) && room == 0)
        return NULL; /* the window was made smaller */
    s->write_op = NULL;
    if (s->closed)
        return stint__mem_op_fail(op, STINT_CANCELLED, c->host->name, closed_here);
    if (!ended(s) && stint__mem_chance_of_cut_locked(c->host))
        stint__mem_break_locked(c);
    if (ended(s))
        return stint__mem_op_fail(op, STINT_UNAVAILABLE, c->host->name, why_ended(s));
    op->count = sendable(s, room);
    if (op->count > 0 && !send_locked(s, op->count)) {
        stint__mem_break_locked(c); /* a stream that has lost bytes is of no use to either side */
        return stint__mem_op_fail(op, STINT_RESOURCE_EXHAUSTED, c->host->name, "out of memory");
    }
    return op;
}

void stint__mem_read_locked(struct stint__mem_stream *s, void *buf, size_t len,
                            struct stint__net_op *op)
{
    s->read_op = op;
    s->read_buf = buf;
    s->read_len = len;
    poke_locked(s);
}

void stint__mem_write_locked(struct stint__mem_stream *s, const struct stint__iov *iov, unsigned n,
                             struct stint__net_op *op)
{
    s->write_op = op;
    memcpy(s->iov, iov, n * sizeof *iov);
    s->n_iov = n;
    poke_locked(s);
}

void stint__mem_resume_locked(struct stint__mem_connection *c)
{
    poke_locked(&c->client);
    poke_locked(&c->server);
}

void stint__mem_close_locked(struct stint__mem_stream *s)
{
    if (s->closed)
        return;
    struct stint__mem_stream *to = other_end(s);
    s->closed = true;
    drop_chunks(s, &s->arrived);
    poke_locked(s);
    if (s->connection->broken)
        return;
    to->fin_sent = true;
    (void)arrival_after_locked(to);
    expect_locked(to);
}

void stint__mem_free_locked(struct stint__mem_stream *s)
{
    struct stint__mem_connection *c = s->connection;
    stint__mem_close_locked(s);
    s->freed = true;
    if (!other_end(s)->freed)
        return;
    stint__mem_unschedule_locked(&c->client.arrival);
    stint__mem_unschedule_locked(&c->server.arrival);
    drop_chunks(&c->client, &c->client.flying);
    drop_chunks(&c->server, &c->server.flying);
    stint__list_unlink(&c->link);
    stint__mem_host_put_locked(c->host);
    stint__free(c);
}

static void stream_init(struct stint__mem_stream *s, struct stint__mem_connection *c,
                        const struct stint__net_ops *ops)
{
    s->object.ops = ops;
    s->connection = c;
    stint__list_init(&s->flying);
    stint__list_init(&s->arrived);
    stint__mem_event_init(&s->arrival, arrive);
    stint__mem_event_init(&s->read_done, finish_read);
    stint__mem_event_init(&s->write_done, finish_write);
}

struct stint__mem_connection *stint__mem_connection_new_locked(struct stint__mem_host *h,
                                                               const struct stint__net_ops *ops)
{
    struct stint__mem_connection *c = stint__alloc_zeroed(sizeof *c);
    if (c == NULL)
        return NULL;
    stream_init(&c->client, c, ops);
    stream_init(&c->server, c, ops);
    snprintf(c->client.peer, sizeof c->client.peer, STINT__MEM_PREFIX "%s", h->name);
    snprintf(c->server.peer, sizeof c->server.peer, STINT__MEM_PREFIX "%s client %lu", h->name,
             ++h->connected);
    h->users++;
    c->host = h;
    stint__list_push_back(&h->connections, &c->link);
    stint__list_init(&c->backlog);
    return c;
}

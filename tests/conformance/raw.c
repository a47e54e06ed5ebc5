/* raw.c - see raw.h. */
#include "raw.h"

#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdlib.h>
#include <string.h>

#include "sp.h"

static bool is_stock(void)
{
    return scheme->only_stock;
}

/* The URL for a peer that speaks SP by hand. */
static const char *plain(const char *url)
{
    return strncmp(url, "nng+", 4) == 0 ? url + 4 : url;
}

/* ---- SP by hand ---- */

static void on_op(struct stint__net_op *op)
{
    struct raw_stream *r = STINT__CONTAINER_OF(op, struct raw_stream, op);
    monitor_enter();
    r->done = true;
    monitor_changed();
    monitor_leave();
}

static struct stint__net_op *begin(struct raw_stream *r)
{
    r->done = false;
    r->op.fn = on_op;
    return &r->op;
}

/* Returns early if the connection is closed meanwhile. */
static void write_all(struct raw_stream *r, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    while (len > 0) {
        struct stint__iov iov = {bytes, len};
        stint__stream_write(r->stream, &iov, 1, begin(r));
        AWAIT(r->done);
        if (r->op.code != STINT_OK)
            return;
        bytes += r->op.count;
        len -= r->op.count;
    }
}

static size_t read_some(struct raw_stream *r, uint8_t *buf, size_t len)
{
    stint__stream_read(r->stream, buf, len, begin(r));
    AWAIT(r->done);
    assert_int_equal(r->op.code, STINT_OK);
    return r->op.count;
}

static void write_handshake(struct raw_stream *r, uint16_t protocol)
{
    uint8_t handshake[STINT__SP_HANDSHAKE_SIZE];
    stint__sp_handshake_encode(protocol, handshake);
    write_all(r, handshake, sizeof handshake);
}

static void write_frame(struct raw_stream *r, const struct stint__sp_stack *stack, const void *body,
                        size_t len)
{
    uint8_t head[STINT__SP_FRAME_HEAD_MAX];
    bool ipc = stint__stream_ipc_framing(r->stream);
    write_all(r, head, stint__sp_frame_head(ipc, stack->len + len, head));
    write_all(r, stack->bytes, stack->len);
    write_all(r, body, len);
}

/* Reads the client's handshake and its first request; returns the stack of that. */
static struct stint__sp_stack read_request(struct raw_stream *r)
{
    uint8_t buf[1024];
    size_t have = 0;
    struct stint__sp_frame frame;
    struct stint__slice body;
    struct stint__sp_stack stack;
    enum stint__sp_next next = STINT__SP_MORE;
    while (next == STINT__SP_MORE) {
        have += read_some(r, buf + have, sizeof buf - have);
        if (have <= STINT__SP_HANDSHAKE_SIZE)
            continue;
        struct stint__slice in = {buf + STINT__SP_HANDSHAKE_SIZE, have - STINT__SP_HANDSHAKE_SIZE};
        next = stint__sp_frame_next(stint__stream_ipc_framing(r->stream), in, sizeof buf, &frame,
                                    NULL);
    }
    assert_int_equal(next, STINT__SP_FRAME);
    assert_int_equal(stint__sp_stack_split(frame.body, &stack, &body, NULL), STINT_OK);
    return stack;
}

static void stream_end(struct raw_stream *r)
{
    stint__stream_close(r->stream);
    AWAIT(r->done);
    stint__stream_free(r->stream);
}

/* ---- the client ---- */

static void count_closed(struct raw_client *r)
{
    monitor_enter();
    r->raw.done = true;
    r->closed++;
    monitor_changed();
    monitor_leave();
}

static void on_pipe_lost(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)pipe;
    (void)event;
    count_closed(arg);
}

/* Reads and forgets until the connection is lost. */
static void on_read(struct stint__net_op *op)
{
    struct raw_client *r = STINT__CONTAINER_OF(op, struct raw_client, raw.op);
    if (op->code == STINT_OK)
        stint__stream_read(r->raw.stream, r->buf, sizeof r->buf, op);
    else
        count_closed(r);
}

void raw_open(struct raw_client *r, const char *url)
{
    memset(r, 0, sizeof *r);
    if (is_stock()) {
        assert_int_equal(nng_req0_open(&r->socket), 0);
        nng_pipe_notify(r->socket, NNG_PIPE_EV_REM_POST, on_pipe_lost, r);
        nng_socket_set_ms(r->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
        assert_int_equal(nng_dial(r->socket, url, NULL, 0), 0);
        return;
    }
    assert_int_equal(stint__dialer_new(&r->dialer, plain(url), NULL), STINT_OK);
    stint__dial(r->dialer, begin(&r->raw));
    AWAIT(r->raw.done);
    assert_int_equal(r->raw.op.code, STINT_OK);
    r->raw.stream = r->raw.op.stream;
    write_handshake(&r->raw, STINT__SP_REQ);
}

void raw_send(struct raw_client *r, const void *body, size_t len)
{
    if (is_stock()) {
        nng_msg *msg;
        assert_int_equal(nng_msg_alloc(&msg, 0), 0);
        assert_int_equal(nng_msg_append(msg, body, len), 0);
        assert_int_equal(nng_sendmsg(r->socket, msg, 0), 0);
        return;
    }
    struct stint__sp_stack stack = stint__sp_stack_of(1);
    write_frame(&r->raw, &stack, body, len);
    begin(&r->raw)->fn = on_read;
    stint__stream_read(r->raw.stream, r->buf, sizeof r->buf, &r->raw.op);
}

void raw_close(struct raw_client *r)
{
    if (is_stock()) {
        nng_close(r->socket);
        return;
    }
    stream_end(&r->raw);
    stint__dialer_free(r->dialer);
}

/* ---- the server ---- */

void raw_server_open(struct raw_server *r, const char *url)
{
    memset(r, 0, sizeof *r);
    if (is_stock()) {
        assert_int_equal(nng_rep0_open(&r->socket), 0);
        nng_socket_set_ms(r->socket, NNG_OPT_RECVTIMEO, (nng_duration)patience_ms());
        assert_int_equal(nng_listen(r->socket, url, NULL, 0), 0);
        return;
    }
    assert_int_equal(stint__listener_new(&r->listener, plain(url), NULL), STINT_OK);
    stint__accept(r->listener, begin(&r->raw));
}

void raw_server_accept(struct raw_server *r)
{
    if (is_stock())
        return;
    if (r->raw.stream != NULL) {
        stream_end(&r->raw);
        stint__accept(r->listener, begin(&r->raw));
    }
    AWAIT(r->raw.done);
    assert_int_equal(r->raw.op.code, STINT_OK);
    r->raw.stream = r->raw.op.stream;
    write_handshake(&r->raw, STINT__SP_REP);
}

void raw_server_answer(struct raw_server *r, const void *body, size_t len)
{
    if (is_stock()) {
        nng_msg *msg;
        assert_int_equal(nng_recvmsg(r->socket, &msg, 0), 0);
        nng_msg_clear(msg);
        assert_int_equal(nng_msg_append(msg, body, len), 0);
        assert_int_equal(nng_sendmsg(r->socket, msg, 0), 0);
        return;
    }
    struct stint__sp_stack stack = read_request(&r->raw);
    write_frame(&r->raw, &stack, body, len);
}

void raw_server_close(struct raw_server *r)
{
    if (is_stock()) {
        nng_close(r->socket);
        return;
    }
    stream_end(&r->raw);
    stint__listener_free(r->listener);
}

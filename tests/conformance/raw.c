/* raw.c - see raw.h. */
#include "raw.h"

#include <nng/protocol/reqrep0/req.h>
#include <stdlib.h>
#include <string.h>

#include "sp.h"

static bool is_stock(void)
{
    return scheme->skip_for_stock >= 0;
}

static void on_pipe_lost(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    struct raw_client *r = arg;
    (void)pipe;
    (void)event;
    monitor_enter();
    r->closed++;
    monitor_changed();
    monitor_leave();
}

static void on_op(struct stint__net_op *op)
{
    struct raw_client *r = STINT__CONTAINER_OF(op, struct raw_client, op);
    monitor_enter();
    r->done = true;
    monitor_changed();
    monitor_leave();
}

/* Reads and forgets until the connection is lost. */
static void on_read(struct stint__net_op *op)
{
    struct raw_client *r = STINT__CONTAINER_OF(op, struct raw_client, op);
    if (op->code == STINT_OK) {
        stint__stream_read(r->stream, r->buf, sizeof r->buf, op);
        return;
    }
    monitor_enter();
    r->done = true;
    r->closed++;
    monitor_changed();
    monitor_leave();
}

static void write_all(struct raw_client *r, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    while (len > 0) {
        struct stint__iov iov = {bytes, len};
        r->done = false;
        r->op.fn = on_op;
        stint__stream_write(r->stream, &iov, 1, &r->op);
        AWAIT(r->done);
        if (r->op.code != STINT_OK)
            return; /* closed before it had everything */
        bytes += r->op.count;
        len -= r->op.count;
    }
}

void raw_open(struct raw_client *r, const char *url)
{
    memset(r, 0, sizeof *r);
    if (is_stock()) {
        assert_int_equal(nng_req0_open(&r->socket), 0);
        nng_pipe_notify(r->socket, NNG_PIPE_EV_REM_POST, on_pipe_lost, r);
        nng_socket_set_ms(r->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
        assert_int_equal(nng_dial(r->socket, url + scheme->skip_for_stock, NULL, 0), 0);
        return;
    }
    uint8_t handshake[STINT__SP_HANDSHAKE_SIZE];
    r->op.fn = on_op;
    assert_int_equal(stint__dialer_new(&r->dialer, url, NULL), STINT_OK);
    stint__dial(r->dialer, &r->op);
    AWAIT(r->done);
    assert_int_equal(r->op.code, STINT_OK);
    r->stream = r->op.stream;
    stint__sp_handshake_encode(STINT__SP_REQ, handshake);
    write_all(r, handshake, sizeof handshake);
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
    uint8_t head[STINT__SP_FRAME_HEAD_MAX];
    size_t head_len =
        stint__sp_frame_head(stint__stream_ipc_framing(r->stream), stack.len + len, head);
    write_all(r, head, head_len);
    write_all(r, stack.bytes, stack.len);
    write_all(r, body, len);
    r->done = false;
    r->op.fn = on_read;
    stint__stream_read(r->stream, r->buf, sizeof r->buf, &r->op);
}

void raw_close(struct raw_client *r)
{
    if (is_stock()) {
        nng_close(r->socket);
        return;
    }
    stint__stream_close(r->stream);
    AWAIT(r->done);
    stint__stream_free(r->stream);
    stint__dialer_free(r->dialer);
}

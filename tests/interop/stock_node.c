/* stock_node.c - stock NNG sockets as a program: libnng 1.5.2 can hang when a stock socket is
 * closed while its peer goes, and a program can be killed.
 *
 *     stock_node req URL CALLS       calls, one after the other; fails if one is not answered
 *     stock_node rep URL             answers, until it is killed
 *     stock_node device FRONT BACK   passes on what comes to FRONT, until it is killed */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>

#include "envelope.pb-c.h"

typedef Stint__Rpc__V1__Envelope envelope;

static void ready(nng_listener listener)
{
    char *url;
    if (nng_listener_get_string(listener, NNG_OPT_URL, &url) != 0)
        return;
    printf("ready %s\n", url);
    fflush(stdout);
    nng_strfree(url);
}

/* ---- req ---- */

static bool is_reply(nng_msg *m, uint64_t call_id, const ProtobufCBinaryData *payload)
{
    envelope *e = stint__rpc__v1__envelope__unpack(NULL, nng_msg_len(m), nng_msg_body(m));
    bool ok = e != NULL && e->kind == STINT__RPC__V1__KIND__KIND_REPLY && e->call_id == call_id &&
              e->payload.len == payload->len &&
              memcmp(e->payload.data, payload->data, payload->len) == 0;
    stint__rpc__v1__envelope__free_unpacked(e, NULL);
    return ok;
}

static bool call(nng_socket socket, uint64_t call_id)
{
    uint8_t payload[100];
    uint8_t bytes[256];
    envelope e = STINT__RPC__V1__ENVELOPE__INIT;
    memset(payload, (int)(call_id & 0xff), sizeof payload);
    e.has_kind = e.has_call_id = e.has_payload = 1;
    e.kind = STINT__RPC__V1__KIND__KIND_REQUEST;
    e.call_id = call_id;
    e.payload = (ProtobufCBinaryData){sizeof payload, payload};
    size_t len = stint__rpc__v1__envelope__pack(&e, bytes);
    nng_msg *reply;
    if (nng_send(socket, bytes, len, 0) != 0 || nng_recvmsg(socket, &reply, 0) != 0)
        return false;
    bool ok = is_reply(reply, call_id, &e.payload);
    nng_msg_free(reply);
    return ok;
}

static int run_req(const char *url, unsigned long calls)
{
    nng_socket socket;
    if (nng_req0_open(&socket) != 0 || nng_dial(socket, url, NULL, 0) != 0)
        return 1;
    nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, 20000);
    for (unsigned long i = 1; i <= calls; i++) {
        if (!call(socket, i)) {
            printf("call %lu failed\n", i);
            return 1;
        }
    }
    return 0;
}

/* ---- rep ---- */

/* By the tests on the bare transport, and on the whole. */
static bool is_known(const char *method)
{
    return strcmp(method, "bench.Echo/Echo") == 0 || strcmp(method, "probe.v1.Probe/Work") == 0;
}

/* Returns 0 for bytes that are no request with what a Stint client puts into one. */
static size_t answer(nng_msg *request, uint8_t *out)
{
    envelope *in =
        stint__rpc__v1__envelope__unpack(NULL, nng_msg_len(request), nng_msg_body(request));
    if (in == NULL)
        return 0;
    envelope reply = STINT__RPC__V1__ENVELOPE__INIT;
    reply.has_kind = reply.has_call_id = reply.has_payload = 1;
    reply.kind = STINT__RPC__V1__KIND__KIND_REPLY;
    reply.call_id = in->call_id;
    reply.payload = in->payload;
    size_t len = 0;
    if (in->kind == STINT__RPC__V1__KIND__KIND_REQUEST && in->has_budget_us &&
        in->trace_id.len == 16 && is_known(in->method))
        len = stint__rpc__v1__envelope__pack(&reply, out);
    stint__rpc__v1__envelope__free_unpacked(in, NULL);
    return len;
}

static int run_rep(const char *url)
{
    nng_socket socket;
    nng_listener listener;
    if (nng_rep0_open(&socket) != 0 || nng_listen(socket, url, &listener, 0) != 0)
        return 1;
    ready(listener);
    nng_msg *request;
    while (nng_recvmsg(socket, &request, 0) == 0) {
        uint8_t out[512];
        size_t len = answer(request, out);
        nng_msg_free(request);
        if (len == 0) {
            printf("not a request\n");
            fflush(stdout);
        }
        if (nng_send(socket, out, len, 0) != 0)
            return 1;
    }
    return 1;
}

/* ---- device ---- */

static int run_device(const char *front, const char *back)
{
    nng_socket rep;
    nng_socket req;
    nng_listener listener;
    if (nng_rep0_open_raw(&rep) != 0 || nng_req0_open_raw(&req) != 0 ||
        nng_dial(req, back, NULL, 0) != 0 || nng_listen(rep, front, &listener, 0) != 0)
        return 1;
    ready(listener);
    return nng_device(rep, req) != 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "req") == 0)
        return run_req(argv[2], strtoul(argv[3], NULL, 10));
    if (argc == 3 && strcmp(argv[1], "rep") == 0)
        return run_rep(argv[2]);
    if (argc == 4 && strcmp(argv[1], "device") == 0)
        return run_device(argv[2], argv[3]);
    return 2;
}

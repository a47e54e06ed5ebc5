/* call_nng.c - one call over a stock NNG REQ socket: call_nng URL METHOD BUDGET_US|- */
#include <stdio.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>

#include "envelope_call.h"

int main(int argc, char **argv)
{
    uint8_t request[ENVELOPE_CALL_MAX];
    nng_socket socket;
    nng_msg *reply;
    if (argc != 4)
        return 2;
    size_t len = envelope_call_pack(argv[2], argv[3], request);
    if (nng_req0_open(&socket) != 0 || nng_dial(socket, argv[1], NULL, 0) != 0)
        return 1;
    nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, 20000);
    if (nng_send(socket, request, len, 0) != 0 || nng_recvmsg(socket, &reply, 0) != 0) {
        puts("no reply");
        return 1;
    }
    int rc = envelope_call_print(nng_msg_body(reply), nng_msg_len(reply));
    nng_msg_free(reply);
    fflush(stdout);
    return rc; /* the socket ends with the process: see stock_node.c */
}

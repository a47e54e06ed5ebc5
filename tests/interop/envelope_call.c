/* envelope_call.c - see envelope_call.h. */
#include "envelope_call.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "envelope.pb-c.h"

#define CALL_ID 4711

typedef Stint__Rpc__V1__Envelope envelope;

static uint8_t hello[] = {0x0a, 5, 'h', 'e', 'l', 'l', 'o'};

size_t envelope_call_pack(const char *method, const char *budget, uint8_t out[ENVELOPE_CALL_MAX])
{
    envelope e = STINT__RPC__V1__ENVELOPE__INIT;
    char path[128];
    char id[] = "from-a-stranger";
    snprintf(path, sizeof path, "%s", method);
    e.has_kind = e.has_call_id = e.has_payload = 1;
    e.kind = STINT__RPC__V1__KIND__KIND_REQUEST;
    e.call_id = CALL_ID;
    e.method = path;
    e.request_id = id;
    e.payload = (ProtobufCBinaryData){sizeof hello, hello};
    e.has_budget_us = strcmp(budget, "-") != 0;
    if (e.has_budget_us)
        e.budget_us = strtoull(budget, NULL, 10);
    if (stint__rpc__v1__envelope__get_packed_size(&e) > ENVELOPE_CALL_MAX)
        return 0;
    return stint__rpc__v1__envelope__pack(&e, out);
}

static const char *payload_of(const envelope *e)
{
    if (!e->has_payload)
        return "none";
    /* The reply's message may say more, behind its first field. */
    bool same = e->payload.len >= sizeof hello && memcmp(e->payload.data, hello, sizeof hello) == 0;
    return same ? "hello" : "other";
}

int envelope_call_print(const uint8_t *bytes, size_t len)
{
    envelope *e = stint__rpc__v1__envelope__unpack(NULL, len, bytes);
    bool ours = e != NULL && e->kind == STINT__RPC__V1__KIND__KIND_REPLY && e->call_id == CALL_ID;
    if (ours)
        printf("reply %u %u %s %s\n", e->code, e->reason,
               e->not_executed ? "not-executed" : "executed", payload_of(e));
    else
        puts("not a reply");
    stint__rpc__v1__envelope__free_unpacked(e, NULL);
    return ours ? 0 : 1;
}

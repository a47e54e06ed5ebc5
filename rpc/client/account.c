/* account.c - telling the served call, under whose context a call is made, what became of it.
 *
 * Invariant: every beginning that was told has one end, told before the outcome is delivered: so a
 * handler that answers after its calls has them all in its record. */
#include "client_internal.h"

void stint__client_account_begin(struct stint__client_call *call)
{
    call->record = stint__record_of(call->ctx);
    if (call->record != NULL)
        stint__record_begin(call->record, call->start);
}

void stint__client_account_end(struct stint__client_call *call)
{
    struct stint__record *r = call->record;
    if (r == NULL)
        return;
    call->record = NULL;
    bool sent = !call->error.not_executed || call->error.origin == STINT_ORIGIN_PEER;
    stint__record_end(r, call->start, stint_now(), sent ? call->needed : 0);
}

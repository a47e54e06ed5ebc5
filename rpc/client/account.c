/* account.c - telling the served call, under whose context a call is made, what became of it.
 *
 * Invariant: every beginning that was told has one end, told before the outcome is delivered: so a
 * handler that answers after its calls has them all in its record. */
#include "client_internal.h"

void stint__client_account_begin(struct stint__client_call *call)
{
    call->record = stint__record_of(call->ctx);
    if (call->record == NULL)
        return;
    call->recorded = (struct stint__record_call){
        .method = call->method->path, .target = call->ch->target, .began = call->start};
    stint__record_begin(call->record, &call->recorded);
}

void stint__client_account_end(struct stint__client_call *call)
{
    if (call->want_ledger)
        stint__client_ledger_finish(call);
    if (call->record == NULL)
        return;
    /* Without a reply all of it was waiting: a server that hangs says nothing about our own work.
     */
    bool replied = call->error.code == STINT_OK || call->error.origin == STINT_ORIGIN_PEER;
    stint__record_end(call->record, &call->recorded, stint_now(), replied ? call->needed : 0);
    call->record = NULL;
}

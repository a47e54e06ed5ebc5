/* entry.h - what a server says of a request as it answers it: an entry of the ledger, and in words
 * when the deadline has passed. */
#ifndef STINT_SERVER_ENTRY_H
#define STINT_SERVER_ENTRY_H

#include "server_internal.h"

/* The encoded ledger of a reply, until it is sent. */
struct stint__entry_bytes {
    struct stint__slice bytes; /* empty: nobody asked, or out of memory */
    uint8_t *heap;
    uint8_t few[STINT__LEDGER_OWN_ENTRY_MAX];
};

/* Makes the ledger of the reply if the caller asked for it. If *outcome says that the deadline
 * passed here (EXPIRED_ON_ARRIVAL, EXPIRED_IN_QUEUE, EXPIRED_IN_HANDLER), where the time went takes
 * the place of its text. Once for each call. */
void stint__entry_of_call(const stint_call *call, stint_time now, stint_error *outcome,
                          struct stint__entry_bytes *ret);
/* The same for a request that never became a call. */
void stint__entry_of_arrival(const struct stint__arrival *a, stint_error *outcome,
                             struct stint__entry_bytes *ret);

void stint__entry_bytes_fini(struct stint__entry_bytes *b);

/* Copies a server's name (NULL: none), or says what is wrong with it. */
STINT_NODISCARD stint_code stint__entry_set_name(stint_server *s, const char *name,
                                                 stint_error *err);

/* What ledgers call the server of a method, into out, which has room for STINT__LEDGER_SERVICE_MAX
 * bytes and the end; returns out. "" if it is too long, which only a stranger's method can be. */
const char *stint__entry_name(const stint_server *s, struct stint__slice method, char *out);

#endif

/* expired.h - how every text begins that says where the time of a call went.
 *
 * "deadline exceeded after 50.0 ms: 41.2 ms queued at stock (shop.v1.Stock/Reserve)". What is
 * behind the colon comes from the hop where the time ran out, and is passed on as it is; what the
 * call took is put in anew by each hop above. So the text does not grow on its way. */
#ifndef STINT_BUDGET_EXPIRED_H
#define STINT_BUDGET_EXPIRED_H

#include <string.h>

#include <stint/status.h>

#define STINT__EXPIRED_AFTER "deadline exceeded after "

static inline bool stint__says_where(const stint_error *e)
{
    return strncmp(e->message, STINT__EXPIRED_AFTER, sizeof STINT__EXPIRED_AFTER - 1) == 0;
}

#endif

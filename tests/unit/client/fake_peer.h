/* fake_peer.h - a channel whose peer is the test: it sees each request as it is handed to the
 * transport, and says what becomes of it. Under the virtual clock, which stands still unless the
 * test moves it; everything happens in the test's thread. */
#ifndef STINT_TESTS_FAKE_PEER_H
#define STINT_TESTS_FAKE_PEER_H

#include "client_internal.h"
#include "probe/v1/probe.stint.h"
#include "unit.h"

#define FAKE_SUBMITS_MAX 16

struct fake_peer {
    struct stint__transport_object object;
    struct stint__peer *real; /* stopped; whose place this takes */
    stint_channel *ch;

    stint_reason refusal;          /* how a request is refused: not at all (NONE), or parked */
    bool mute;                     /* requests are taken, but not answered */
    struct stint__envelope answer; /* what replies say: OK, unless the test changes it */
    void (*before)(struct fake_peer *f); /* is called as each request comes, or NULL */
    void (*taken)(struct fake_peer *f);  /* ends a request that was taken, or not: NULL: see mute */

    unsigned submits;                    /* requests that were taken, */
    uint64_t call_ids[FAKE_SUBMITS_MAX]; /* the first of them, */
    struct stint__envelope last;         /* the last one (its pointers do not last), */
    struct stint__exchange *exchange;    /* and its exchange, if it was not answered */
    atomic_uint abandons;                /* of those that were taken */
};

void fake_init(struct fake_peer *f);
void fake_fini(struct fake_peer *f);

/* Answers the exchange that was left unanswered. */
void fake_reply(struct fake_peer *f);
/* Loses it; `unsent`: none of it was given to the connection. */
void fake_lose(struct fake_peer *f, bool unsent);

/* What the transport tells the channel. */
void fake_ready(struct fake_peer *f);
void fake_down(struct fake_peer *f);
void fake_goaway(struct fake_peer *f);

/* One blocking call with `left` to go (0: no deadline), which must end with `code`. */
void fake_call(struct fake_peer *f, const stint_method *method, stint_duration left,
               stint_code code, stint_error *err);
/* The same under a context. */
void fake_call_under(struct fake_peer *f, const stint_ctx *ctx, const stint_method *method,
                     stint_code code, stint_error *err);

stint_channel_stats fake_stats(const struct fake_peer *f);

#endif

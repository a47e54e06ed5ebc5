/* known.h - what a channel has learned of its server's methods, from the replies: how much time
 * each needs, and of which the server wants less.
 *
 * A table of fixed size that any thread reads and writes without a lock, because every call looks
 * into it. A method that finds no place is one of which nothing is known: its calls are sent, and
 * the server decides. Places are never given up; a channel speaks to one server, and that has
 * seldom so many methods.
 *
 * Knowledge is about the process at the other end: it is forgotten with the connection, and what is
 * not confirmed for STINT__KNOWN_FADES says nothing any more. It only saves trouble. The server
 * checks again what it gets, so nothing breaks when two threads meet and one of them writes what
 * has just been forgotten. */
#ifndef STINT_CLIENT_KNOWN_H
#define STINT_CLIENT_KNOWN_H

#include <stdint.h>

#include <stint/service.h>

#include "throttle.h"

#define STINT__KNOWN_METHODS 64
#define STINT__KNOWN_FADES   STINT_MS(500)
#define STINT__KNOWN_PROBES                                                                        \
    100                       /* one in so many calls with too little time is sent all the same    \
                               */
#define STINT__KNOWN_LEVELS 4 /* of criticality, from SHEDDABLE on */

/* What is known of one method. */
struct stint__known {
    const stint_method *_Atomic method; /* NULL: a free place */
    atomic_int_fast64_t needed;         /* ns; 0: unknown */
    atomic_int_fast64_t confirmed;      /* when a reply last said so, in ns */
    atomic_uint_fast32_t too_short;     /* calls that had less */
    struct stint__throttle throttles[STINT__KNOWN_LEVELS];
};

/* All zero: nothing is known. */
struct stint__knowledge {
    atomic_uint_fast32_t generation; /* counts how often everything was forgotten */
    struct stint__known methods[STINT__KNOWN_METHODS];
};

/* The method's place; NULL if it has none. */
struct stint__known *stint__known_find(struct stint__knowledge *k, const stint_method *method);

/* The same, but takes one for it; NULL if there is no room. */
struct stint__known *stint__known_claim(struct stint__knowledge *k, const stint_method *method);

/* Forgets everything: another process may be at the other end. */
void stint__known_forget(struct stint__knowledge *k);

/* A reply that was read at `now` says that the method needs so much. */
void stint__known_learn(struct stint__known *known, stint_duration needed, stint_time now);

/* What the method needs; 0 if it is not known, or not any more. */
stint_duration stint__known_needed(const struct stint__known *known, stint_time now);

/* Counts a call that has less time than that. True: it is to be sent all the same, to see whether
 * the knowledge still holds. */
bool stint__known_is_probe(struct stint__known *known);

#endif

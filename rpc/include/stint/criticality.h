/* stint/criticality.h - what is to be given up first when not everything can be done.
 *
 * The four levels of "Handling Overload" in Site Reliability Engineering (Beyer et al., O'Reilly
 * 2016, chapter 21). A call carries the level of the context that it is made under, and the context
 * of its handler has that level again: so a whole tree of calls is as critical as the request it
 * began with. A server that cannot serve everything serves the more critical calls first, and when
 * its queue is full the less critical ones make room.
 *
 * Ownership, threads and memory are as ctx.h says of all contexts. */
#ifndef STINT_CRITICALITY_H
#define STINT_CRITICALITY_H

#include <stint/ctx.h>

STINT_BEGIN_DECLS

/* Values travel on the wire: never renumber. */
typedef enum stint_criticality {
    STINT_CRITICALITY_UNSET = 0,          /* counts as CRITICAL */
    STINT_CRITICALITY_SHEDDABLE = 1,      /* may fail often, and now and then all of it: batch work
                                             that is repeated anyway */
    STINT_CRITICALITY_SHEDDABLE_PLUS = 2, /* may fail now and then: batch work */
    STINT_CRITICALITY_CRITICAL = 3,       /* a person waits: what is not said otherwise */
    STINT_CRITICALITY_CRITICAL_PLUS = 4,  /* must not fail while anything else can */
} stint_criticality;

/* A child with this level, or its parent's if that is lower: no hop makes more of a request than
 * its caller did. Only where the parent has none (at the edge, where the request begins) can it be
 * chosen freely. UNSET and numbers that are no level leave it as it is. */
STINT_API STINT_NODISCARD stint_ctx *stint_ctx_with_criticality(const stint_ctx *parent,
                                                                stint_criticality level);

/* The level that calls under ctx carry; UNSET if none was said. */
STINT_API stint_criticality stint_ctx_criticality(const stint_ctx *ctx);

STINT_END_DECLS

#endif

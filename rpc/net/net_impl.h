/* net_impl.h - what net.c needs to know of each implementation. */
#ifndef STINT_NET_NET_IMPL_H
#define STINT_NET_NET_IMPL_H

#include "net.h"

extern const struct stint__net_ops stint__net_tcp;    /* nng.c */
extern const struct stint__net_ops stint__net_ipc;    /* nng.c */
extern const struct stint__net_ops stint__net_memory; /* memory.c */

/* The part of stint__net_quiesce that each does. */
void stint__nng_quiesce(void);

#endif

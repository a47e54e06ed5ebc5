/* ledger_list.h - a ledger as it is put together: see stint/ledger.h for what it says.
 *
 * Not thread-safe. Running out of memory is no failure: what has no room counts as dropped. */
#ifndef STINT_BUDGET_LEDGER_LIST_H
#define STINT_BUDGET_LEDGER_LIST_H

#include <stint/ledger.h>

#include "arena.h"
#include "reader.h"

#define STINT__LEDGER_FEW 4 /* entries without a further allocation */

struct stint_ledger {
    size_t count, capacity;
    size_t limit; /* entries at most: `most`, or what there was memory for since it was cleared */
    size_t most;
    uint32_t dropped;
    stint_ledger_entry *entries; /* `few`, or allocated */
    struct stint__arena texts;
    stint_ledger_entry few[STINT__LEDGER_FEW];
    _Alignas(max_align_t) uint8_t first[512];
};

/* An empty one for at most `limit` entries; NULL: out of memory. */
STINT_NODISCARD stint_ledger *stint__ledger_new(size_t limit);
void stint__ledger_free(stint_ledger *l); /* NULL is accepted */
void stint__ledger_clear(stint_ledger *l);

/* A terminated copy that lives as long as l's entries; NULL: out of memory. */
const char *stint__ledger_text(stint_ledger *l, struct stint__slice text);
const char *stint__ledger_copy(stint_ledger *l, const char *text);

/* Adds an entry, whose texts must live as long (NULL is taken for ""). If there are too many then,
 * one of the deepest is dropped, the briefest among them. */
void stint__ledger_add(stint_ledger *l, const stint_ledger_entry *e);

/* Adds all of `from`, one deeper, as a call that began at `start`. */
void stint__ledger_append(stint_ledger *l, const stint_ledger *from, stint_duration start);

/* Drops one of the deepest entries, if there is any. */
void stint__ledger_drop(stint_ledger *l);

#endif

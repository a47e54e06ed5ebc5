/* stint/ledger.h - where the time of a call went, hop by hop.
 *
 * Asked for by a call (stint_call_options.ledger) or a channel (stint_channel_options), the wish
 * travels with the request, and every hop's reply says, failures too, how its time was spent: on
 * the way, in the queue, in the handler, and in the calls that it made in turn. docs/ledger.md
 * shows how to read it.
 *
 * A ledger is a list of entries in preorder: an entry's children follow it, one deeper. It has at
 * most STINT_LEDGER_MAX; beyond that the deepest are dropped first, the briefest among them, and
 * counted. Durations are in nanoseconds, of microseconds' precision for hops beyond the first. What
 * a hop says of itself is what that server claims; texts are UTF-8 without control characters only
 * once they are printed here.
 *
 * Ownership and threads: a ledger belongs to the stint_reply_info that it is read from, until that
 * is freed or its next call begins, or to the call whose end an interceptor hears of, until that
 * returns. Meanwhile nothing changes it, and any number of threads may read it. */
#ifndef STINT_LEDGER_H
#define STINT_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <stint/macros.h>
#include <stint/status.h>
#include <stint/time.h>

STINT_BEGIN_DECLS

#define STINT_LEDGER_MAX 64 /* entries */

typedef struct stint_ledger stint_ledger;

/* How a call ended, as far as the caller knows. Values travel on the wire: never renumber. */
typedef enum stint_ledger_state {
    STINT_LEDGER_ANSWERED = 0, /* the server's own account is there */
    STINT_LEDGER_OPAQUE = 1,   /* it answered without one, or with one that cannot be read */
    STINT_LEDGER_NO_REPLY = 2, /* it was sent, and ended without a reply */
    STINT_LEDGER_NOT_SENT = 3,
    STINT_LEDGER_UNDER_WAY = 4, /* it had not ended when its caller answered */
} stint_ledger_state;

/* One call. Members may be added at the end. */
typedef struct stint_ledger_entry {
    uint32_t depth; /* 0: the call that the ledger is of; else one more than its caller's */
    stint_ledger_state state;
    stint_code code;
    uint32_t retries;    /* as its caller saw it, too */
    const char *service; /* the server's name; "" unless ANSWERED */
    const char *method;  /* "package.Service/Method" */
    const char *target;  /* the channel's; "" if ANSWERED and not the first entry */

    /* As its caller saw it. */
    stint_duration start;    /* after its caller had read its own request; 0 for the first */
    stint_duration elapsed;  /* from beginning to end */
    stint_duration transit;  /* of that, there and back, with connecting and waiting to be sent */
    stint_duration outbound; /* of transit, the way there: measured, or else half */
    stint_duration backoff;  /* between retries, of elapsed */

    /* As the server says; zero unless ANSWERED. */
    stint_duration had;     /* time left when the request was read; FOREVER: no deadline */
    stint_duration used;    /* until it was answered: queue and handler */
    stint_duration queue;   /* before its handler ran, or until it was refused */
    stint_duration handler; /* with the calls that it made */
    stint_duration reserve; /* kept back from the handler's deadline for the reply */
} stint_ledger_entry;

/* The number of entries; 0 for NULL. */
STINT_API size_t stint_ledger_count(const stint_ledger *l);
/* Entry i, NULL if there is none. Lives as long as the ledger. */
STINT_API const stint_ledger_entry *stint_ledger_at(const stint_ledger *l, size_t i);
/* How many entries were dropped, here or on the way. */
STINT_API uint32_t stint_ledger_dropped(const stint_ledger *l);

/* What entry i spent itself: its elapsed time less that in which a call of its own was under way.
 */
STINT_API stint_duration stint_ledger_self(const stint_ledger *l, size_t i);
/* The entry that spent the most itself; 0 if there is none. */
STINT_API size_t stint_ledger_slowest(const stint_ledger *l);

typedef enum stint_ledger_look {
    STINT_LEDGER_LOOK_DEFAULT, /* print: as for a terminal if it is one; format: plain */
    STINT_LEDGER_LOOK_ASCII,   /* plain, without colours */
    STINT_LEDGER_LOOK_UTF8,    /* block characters, without colours */
    STINT_LEDGER_LOOK_COLOUR,  /* block characters and ANSI colours */
} stint_ledger_look;

/* Zero means the default everywhere. */
typedef struct stint_ledger_style {
    size_t size; /* sizeof(stint_ledger_style); STINT_LEDGER_STYLE sets it */
    stint_ledger_look look;
    unsigned width;  /* columns, 60 to 200; default, for print: $COLUMNS, the terminal's; else 80 */
    unsigned indent; /* columns left free before each line, at most 16 */
} stint_ledger_style;

#define STINT_LEDGER_STYLE(...) STINT_TEMPORARY(stint_ledger_style, __VA_ARGS__)

/* Writes a waterfall, a line for each entry, to the `size` bytes at `text`, cut between lines and
 * always terminated if size is not 0. Returns how many bytes it has without the NUL, as snprintf
 * does. `style` may be NULL. Control characters in names are replaced. */
STINT_API size_t stint_ledger_format(const stint_ledger *l, const stint_ledger_style *style,
                                     char *text, size_t size);

/* The same to `out`, which if it is a terminal gets colours, unless NO_COLOR is set
 * (no-color.org), and its full width. Errors: RESOURCE_EXHAUSTED, UNKNOWN (writing failed). */
STINT_API stint_code stint_ledger_print(const stint_ledger *l, const stint_ledger_style *style,
                                        FILE *out);

STINT_END_DECLS

#endif

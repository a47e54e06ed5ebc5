/* entry.c - see entry.h.
 *
 * Everything is computed from facts that the answering thread has, as it answers; only the record
 * is shared, and locks itself. Nothing here allocates unless there are calls below. */
#include "entry.h"

#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "expired.h"
#include "ledger_list.h"
#include "millis.h"
#include "record.h"

#define NEVER_RAN  ((stint_time){INT64_MIN})
#define PHASES_MAX 192

/* What is known about a request when it is answered. */
struct facts {
    const char *name; /* the server's, as ledgers have it */
    struct stint__slice method;
    struct stint__record *record; /* NULL: it made no calls */
    stint_time arrival, now;
    stint_time run_at;   /* its handler's start; NEVER_RAN */
    stint_time deadline; /* the caller's; INT64_MAX ns: none is known */
    stint_duration transit, reserve;
};

/* ---- names ---- */

stint_code stint__entry_set_name(stint_server *s, const char *name, stint_error *err)
{
    if (name == NULL)
        return STINT_OK;
    size_t len = strnlen(name, sizeof s->name);
    bool ok = len < sizeof s->name &&
              stint__utf8_valid((struct stint__slice){(const uint8_t *)name, len});
    for (size_t i = 0; ok && i < len; i++)
        ok = (unsigned char)name[i] >= ' ' && name[i] != 0x7f;
    if (!ok)
        return stint_error_set(err, STINT_INVALID_ARGUMENT,
                               "a server's name has at most %zu bytes of printable UTF-8",
                               sizeof s->name - 1);
    memcpy(s->name, name, len + 1);
    return STINT_OK;
}

/* The server's name, or the service in "package.Service/Method". */
static struct stint__slice name_of(const stint_server *s, struct stint__slice method)
{
    if (s->name[0] != '\0')
        return (struct stint__slice){(const uint8_t *)s->name, strlen(s->name)};
    if (method.len == 0)
        return method;
    const uint8_t *slash = memchr(method.data, '/', method.len);
    const uint8_t *end = slash != NULL ? slash : method.data + method.len;
    const uint8_t *dot = memrchr(method.data, '.', (size_t)(end - method.data));
    const uint8_t *start = dot != NULL ? dot + 1 : method.data;
    return (struct stint__slice){start, (size_t)(end - start)};
}

const char *stint__entry_name(const stint_server *s, struct stint__slice method, char *out)
{
    struct stint__slice name = name_of(s, method);
    size_t len = name.len <= STINT__LEDGER_SERVICE_MAX ? name.len : 0;
    if (len > 0)
        memcpy(out, name.data, len);
    out[len] = '\0';
    return out;
}

/* ---- the ledger ---- */

static struct facts facts_of_call(const stint_call *call, stint_time now)
{
    const char *path = call->entry->method->path;
    return (struct facts){
        .name = call->entry->state->name,
        .method = {(const uint8_t *)path, call->entry->path_len},
        .record = stint__record_find(call->own),
        .arrival = call->arrival,
        .now = now,
        .run_at = stint__call_has_started(call) ? call->run_at : NEVER_RAN,
        .deadline = call->deadline,
        .transit = call->transit,
        .reserve = stint_time_sub(call->deadline, call->handler_deadline),
    };
}

static bool has_run(const struct facts *f)
{
    return f->run_at.ns != NEVER_RAN.ns;
}

static stint_duration queue_of(const struct facts *f)
{
    return stint_time_sub(has_run(f) ? f->run_at : f->now, f->arrival);
}

static stint_ledger_entry own_entry(const struct facts *f, stint_code code)
{
    return (stint_ledger_entry){
        .state = STINT_LEDGER_ANSWERED,
        .code = code,
        .service = f->name,
        .outbound = f->transit,
        .had = f->deadline.ns == INT64_MAX ? STINT_DURATION_FOREVER
                                           : stint_time_sub(f->deadline, f->arrival),
        .queue = queue_of(f),
        .handler = has_run(f) ? stint_time_sub(f->now, f->run_at) : 0,
        .reserve = f->reserve > 0 ? f->reserve : 0,
    };
}

static size_t size_of(const stint_ledger_entry *own, const stint_ledger *below)
{
    size_t size = stint__ledger_entry_size(own);
    for (size_t i = 0; i < stint_ledger_count(below); i++)
        size += stint__ledger_entry_size(stint_ledger_at(below, i));
    return size + stint__ledger_dropped_size(stint_ledger_dropped(below));
}

static void write(uint8_t *out, const stint_ledger_entry *own, const stint_ledger *below)
{
    out = stint__ledger_encode_entry(own, out);
    for (size_t i = 0; i < stint_ledger_count(below); i++)
        out = stint__ledger_encode_entry(stint_ledger_at(below, i), out);
    stint__ledger_encode_dropped(stint_ledger_dropped(below), out);
}

/* With the calls below: as many of them as may be. Frees them. */
static void encode_all(const stint_ledger_entry *own, stint_ledger *below,
                       struct stint__entry_bytes *ret)
{
    size_t size = size_of(own, below);
    while (size > STINT__LEDGER_BYTES_MAX) {
        stint__ledger_drop(below);
        size = size_of(own, below);
    }
    ret->heap = stint__alloc(size);
    ret->bytes = (struct stint__slice){ret->heap, ret->heap != NULL ? size : 0};
    if (ret->heap != NULL)
        write(ret->heap, own, below);
    stint__ledger_free(below);
}

static void encode(const struct facts *f, stint_code code, struct stint__entry_bytes *ret)
{
    const stint_ledger_entry own = own_entry(f, code);
    stint_ledger *below = f->record != NULL ? stint__record_take(f->record, f->now) : NULL;
    if (below != NULL) {
        encode_all(&own, below, ret);
        return;
    }
    uint8_t *end = stint__ledger_encode_entry(&own, ret->few);
    ret->bytes = (struct stint__slice){ret->few, (size_t)(end - ret->few)};
}

void stint__entry_bytes_fini(struct stint__entry_bytes *b)
{
    stint__free(b->heap);
}

/* ---- in words ---- */

/* "45.0 ms queued, 5.0 ms in its handler": the phase in which the deadline passed, and the queue
 * before it where that took a good part. */
static void say_handler(const struct facts *f, stint_duration total, char *out)
{
    stint_time since = f->run_at;
    stint_time end = stint_time_add(f->deadline, -f->reserve); /* the handler's deadline */
    const char *child = f->record != NULL ? stint__record_under_way(f->record, end, &since) : NULL;
    stint_duration took = stint_time_sub(f->now, since);
    int n = 0;
    if (queue_of(f) > total / 10)
        n = snprintf(out, PHASES_MAX, "%.1f ms queued, ", stint__ms(queue_of(f)));
    if (child != NULL)
        snprintf(out + n, PHASES_MAX - (size_t)n, "%.1f ms waiting for %s", stint__ms(took), child);
    else
        snprintf(out + n, PHASES_MAX - (size_t)n, "%.1f ms in its handler", stint__ms(took));
}

static void say_arrival(const struct facts *f, char *out)
{
    if (f->transit > 0)
        snprintf(out, PHASES_MAX, "%.1f ms in transit", stint__ms(f->transit));
    else
        snprintf(out, PHASES_MAX, "none left on arrival");
}

/* If the deadline passed here: puts where the time went in place of the text. */
static void explain(const struct facts *f, stint_error *outcome)
{
    char phases[PHASES_MAX];
    if (outcome->code != STINT_DEADLINE_EXCEEDED || stint__says_where(outcome))
        return; /* or a hop below has said it */
    const stint_error was = *outcome;
    stint_duration total = f->transit + stint_time_sub(f->now, f->arrival);
    if (was.reason == STINT_REASON_EXPIRED_ON_ARRIVAL)
        say_arrival(f, phases);
    else if (was.reason == STINT_REASON_EXPIRED_IN_QUEUE)
        snprintf(phases, sizeof phases, "%.1f ms queued", stint__ms(queue_of(f)));
    else if (was.reason == STINT_REASON_EXPIRED_IN_HANDLER && has_run(f))
        say_handler(f, total, phases);
    else
        return;
    stint_error_set(outcome, was.code, STINT__EXPIRED_AFTER "%.1f ms: %s at %s (%.*s)",
                    stint__ms(total), phases, f->name, (int)f->method.len,
                    (const char *)f->method.data);
    outcome->origin = was.origin;
    outcome->reason = was.reason;
    outcome->not_executed = was.not_executed;
    outcome->pushback = was.pushback;
}

/* ---- what an answer comes with ---- */

static void describe(const struct facts *f, bool wanted, stint_error *outcome,
                     struct stint__entry_bytes *ret)
{
    explain(f, outcome);
    if (wanted)
        encode(f, outcome->code, ret);
}

void stint__entry_of_call(const stint_call *call, stint_time now, stint_error *outcome,
                          struct stint__entry_bytes *ret)
{
    bool wanted = stint__record_wants_ledger(call->own);
    ret->heap = NULL;
    ret->bytes = (struct stint__slice){NULL, 0};
    if (!wanted && outcome->code != STINT_DEADLINE_EXCEEDED)
        return;
    const struct facts f = facts_of_call(call, now);
    describe(&f, wanted, outcome, ret);
}

/* The method's own times, once it is known which that is; before that, what the frame says. */
static stint_time deadline_of(const struct stint__arrival *a)
{
    const struct stint__envelope *e = &a->in->env;
    if (a->entry != NULL)
        return a->deadline;
    return e->has_budget ? stint_time_add(a->in->read_at, STINT_US((stint_duration)e->budget_us))
                         : (stint_time){INT64_MAX};
}

void stint__entry_of_arrival(const struct stint__arrival *a, stint_error *outcome,
                             struct stint__entry_bytes *ret)
{
    bool wanted = a->in->env.want_ledger;
    ret->heap = NULL;
    ret->bytes = (struct stint__slice){NULL, 0};
    if (!wanted && outcome->code != STINT_DEADLINE_EXCEEDED)
        return;
    char name[STINT__LEDGER_SERVICE_MAX + 1];
    const struct facts f = {
        .name = a->entry != NULL ? a->entry->state->name
                                 : stint__entry_name(a->server, a->in->env.method, name),
        .method = a->in->env.method,
        .arrival = a->in->read_at,
        .now = a->now,
        .run_at = NEVER_RAN,
        .deadline = deadline_of(a),
        .transit = a->transit,
        .reserve = a->entry != NULL ? stint_time_sub(a->deadline, a->handler_deadline) : 0,
    };
    describe(&f, wanted, outcome, ret);
}

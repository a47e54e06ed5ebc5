/* admit.c - which calls are not worth sending, and what replies teach about that.
 *
 * A call is looked at each time that its request is about to be handed to the transport, parked
 * ones included; see known.h for what is known, and docs/design.md for the reasons. A refusal here
 * is one that the server would give, too, only earlier and cheaper. */
#include "client_internal.h"
#include "millis.h"

static void count(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* The index of the call's level among a method's throttles. */
static size_t level_of(const struct stint__client_call *call)
{
    stint_criticality level = stint_ctx_criticality(call->ctx);
    return (size_t)(level == STINT_CRITICALITY_UNSET ? STINT_CRITICALITY_CRITICAL : level) -
           STINT_CRITICALITY_SHEDDABLE;
}

static stint_code refuse_short(const struct stint__client_call *call, stint_duration left,
                               stint_duration needed, stint_error *err)
{
    count(&call->ch->counters.shed);
    stint_error_set(err, STINT_DEADLINE_EXCEEDED,
                    "%s was not sent to %s: %.3f ms are left, it needs %.3f ms", call->method->path,
                    call->ch->target, stint__ms(left), stint__ms(needed));
    err->reason = STINT_REASON_INSUFFICIENT_BUDGET;
    return STINT_DEADLINE_EXCEEDED;
}

static stint_code refuse_pushed_back(const struct stint__client_call *call,
                                     stint_duration remaining, stint_error *err)
{
    count(&call->ch->counters.pushed_back);
    stint_error_set(err, STINT_RESOURCE_EXHAUSTED,
                    "%s was not sent to %s: the server is overloaded and pushes back for %.3f ms",
                    call->method->path, call->ch->target, stint__ms(remaining));
    err->reason = STINT_REASON_THROTTLED;
    err->pushback = remaining;
    return STINT_RESOURCE_EXHAUSTED;
}

/* For a call with less time than its method needs: whether it is sent all the same. What is made
 * to serve a probe is one, or what the first hop wanted to know would never be found out. */
static bool goes_as_probe(struct stint__client_call *call, struct stint__known *known)
{
    if (call->probe)
        return true;
    call->probe = stint__ctx_is_probe(call->ctx) || stint__known_is_probe(known);
    if (call->probe)
        count(&call->ch->counters.probes);
    return call->probe;
}

stint_code stint__client_call_admit(struct stint__client_call *call, stint_duration left,
                                    stint_error *err)
{
    struct stint__knowledge *k = &call->ch->knowledge;
    call->generation = atomic_load_explicit(&k->generation, memory_order_relaxed);
    if (left < call->method->minimum)
        return refuse_short(call, left, call->method->minimum, err);
    struct stint__known *known = stint__known_find(k, call->method);
    if (known == NULL)
        return STINT_OK;
    stint_time now = call->has_deadline ? stint_time_add(call->deadline, -left) : stint_now();
    stint_duration needed = stint__known_needed(known, now);
    if (left < needed && !goes_as_probe(call, known))
        return refuse_short(call, left, needed, err);
    struct stint__throttle *throttle = &known->throttles[level_of(call)];
    stint_duration remaining = 0;
    if (stint__throttle_is_on(throttle))
        remaining = stint__throttle_hold(throttle, now);
    return remaining == 0 ? STINT_OK : refuse_pushed_back(call, remaining, err);
}

void stint__client_call_learn(const struct stint__client_call *call,
                              const struct stint__incoming *in)
{
    struct stint__knowledge *k = &call->ch->knowledge;
    const struct stint__envelope *e = &in->env;
    if (call->generation != atomic_load_explicit(&k->generation, memory_order_relaxed))
        return; /* from a server before this one */
    uint64_t asked = e->asked_us > 0 ? e->asked_us : e->needed_us;
    bool tells = asked > 0 && asked < STINT__BUDGET_US_MAX;
    bool pushes = e->code == STINT_RESOURCE_EXHAUSTED && e->pushback_us > 0;
    struct stint__known *known =
        tells || pushes ? stint__known_claim(k, call->method) : stint__known_find(k, call->method);
    if (known == NULL)
        return;
    if (tells)
        stint__known_learn(known, STINT_US((stint_duration)asked), in->read_at);
    size_t level = level_of(call);
    if (!pushes && !e->not_executed)
        stint__throttle_accepted(&known->throttles[level]);
    if (!pushes)
        return;
    uint64_t max = STINT__PUSHBACK_MAX / 1000;
    stint_duration pushback = STINT_US(e->pushback_us < max ? e->pushback_us : max);
    for (size_t i = 0; i <= level; i++) /* who sends these away has no room for lesser ones */
        stint__throttle_push_back(&known->throttles[i], in->read_at, pushback);
}

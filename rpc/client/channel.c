/* channel.c - opening, closing and watching a channel.
 *
 * A channel holds one peer of the transport, which connects by itself. What it learns about the
 * connection (ready, down, goaway) becomes the link state, as in gRPC's connectivity semantics:
 * while CONNECTING calls wait, while FAILING they fail at once unless they asked to wait for ready.
 *
 * Closing: `refs` counts the calls' memory and, until close, the owner; whoever takes it to zero
 * sets `unused` under the mutex, and only then does close free. A call can have ended while its
 * thread is still on the way out of the transport: hence not `inflight`. For the same reason the
 * peer is stopped first, which ends what is in flight, and freed last. */
#include "client_internal.h"

#include <string.h>

#include "alloc.h"
#include "options.h"

#define DEFAULT_MAX_MESSAGE  ((size_t)4 * 1024 * 1024)
#define DEFAULT_MAX_INFLIGHT 65536
#define DEFAULT_BACKOFF_MIN  STINT_MS(10)
#define DEFAULT_BACKOFF_MAX  STINT_SECONDS(2)
#define DEFAULT_HEARTBEAT    STINT_SECONDS(10)
#define MAX_QUEUED_MIN       ((size_t)1024 * 1024)

static stint_channel_options with_defaults(stint_channel_options o)
{
    if (o.max_message == 0)
        o.max_message = DEFAULT_MAX_MESSAGE;
    if (o.max_inflight == 0)
        o.max_inflight = DEFAULT_MAX_INFLIGHT;
    if (o.backoff_min <= 0)
        o.backoff_min = DEFAULT_BACKOFF_MIN;
    if (o.backoff_max <= 0)
        o.backoff_max = DEFAULT_BACKOFF_MAX;
    if (o.backoff_max < o.backoff_min)
        o.backoff_max = o.backoff_min;
    if (o.heartbeat == 0)
        o.heartbeat = DEFAULT_HEARTBEAT;
    return o;
}

static void set_link(stint_channel *ch, enum stint__link_state to)
{
    atomic_store(&ch->link, (int)to);
    pthread_cond_broadcast(&ch->changed);
}

static void on_ready(void *arg)
{
    stint_channel *ch = arg;
    pthread_mutex_lock(&ch->mutex);
    atomic_fetch_add(&ch->link_epoch, 1);
    set_link(ch, STINT__LINK_READY);
    pthread_mutex_unlock(&ch->mutex);
    stint__channel_flush_waiting(ch);
}

static void on_down(void *arg, const stint_error *error)
{
    stint_channel *ch = arg;
    pthread_mutex_lock(&ch->mutex);
    bool was_ready = atomic_load(&ch->link) == STINT__LINK_READY;
    ch->last_error = *error;
    set_link(ch, was_ready ? STINT__LINK_CONNECTING : STINT__LINK_FAILING);
    pthread_mutex_unlock(&ch->mutex);
    stint__known_forget(&ch->knowledge);
    if (!was_ready)
        stint__channel_fail_waiting(ch, error, false);
    stint__log_write(&ch->logger, stint_now(), was_ready ? STINT_LOG_INFO : STINT_LOG_DEBUG,
                     "%s: %s", ch->target, error->message);
}

static void on_goaway(void *arg)
{
    stint_channel *ch = arg;
    pthread_mutex_lock(&ch->mutex);
    set_link(ch, STINT__LINK_CONNECTING); /* perhaps to a successor: ready or down follows */
    pthread_mutex_unlock(&ch->mutex);
    stint__known_forget(&ch->knowledge);
    stint__log_write(&ch->logger, stint_now(), STINT_LOG_INFO, "%s: the server is draining",
                     ch->target);
}

static void channel_free(stint_channel *ch)
{
    stint__peer_close(ch->peer);
    stint__timer_disarm_wait(&ch->delivery);
    pthread_cond_destroy(&ch->changed);
    pthread_mutex_destroy(&ch->mutex);
    stint__free(ch->target);
    stint__free(ch);
}

static stint_channel *channel_new(const char *target, const stint_channel_options *opts)
{
    stint_channel *ch = stint__alloc_zeroed(sizeof *ch);
    if (ch == NULL)
        return NULL;
    ch->opts = with_defaults(*opts);
    ch->target = stint__strdup(target);
    atomic_init(&ch->next_call_id, 1);
    atomic_init(&ch->refs, 1);
    atomic_init(&ch->link, STINT__LINK_CONNECTING);
    stint__list_init(&ch->waiting);
    stint__list_init(&ch->undelivered);
    stint__timer_init(&ch->delivery, stint__client_call_deliver_pending);
    stint__log_init(&ch->logger, ch->opts.log);
    pthread_mutex_init(&ch->mutex, NULL);
    stint__cond_init(&ch->changed);
    while (ch->opts.interceptors != NULL && ch->opts.interceptors[ch->n_interceptors] != NULL)
        ch->n_interceptors++;
    if (ch->target == NULL || !stint__timer_arm(&ch->delivery, STINT__END_OF_TIME)) {
        channel_free(ch);
        return NULL;
    }
    return ch;
}

stint_code stint_channel_open(stint_channel **ret_channel, const char *target,
                              const stint_channel_options *opts, stint_error *err)
{
    stint_error_clear(err);
    if (target == NULL)
        return stint_error_set(err, STINT_INVALID_ARGUMENT, "no target given");
    stint_channel_options o;
    stint_code code = stint__options_copy(&o, sizeof o, opts, "stint_channel_options", err);
    if (code != STINT_OK)
        return code;
    if (o.max_message > STINT__PAYLOAD_MAX)
        return stint_error_set(err, STINT_INVALID_ARGUMENT, "max_message of %zu is more than %zu",
                               o.max_message, STINT__PAYLOAD_MAX);
    stint_channel *ch = channel_new(target, &o);
    if (ch == NULL)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory");
    const struct stint__transport_options topts = {
        .max_message = ch->opts.max_message,
        .heartbeat = ch->opts.heartbeat < 0 ? 0 : ch->opts.heartbeat,
        .backoff_min = ch->opts.backoff_min,
        .backoff_max = ch->opts.backoff_max,
        .max_queued = 2 * ch->opts.max_message + MAX_QUEUED_MIN,
        .log = ch->opts.log,
    };
    const struct stint__peer_events events = {ch, on_ready, on_down, on_goaway};
    code = stint__peer_open(&ch->peer, target, &topts, &events, err);
    if (code != STINT_OK) {
        channel_free(ch);
        return code;
    }
    *ret_channel = ch;
    return STINT_OK;
}

void stint_channel_close(stint_channel *ch)
{
    if (ch == NULL)
        return;
    stint_error why;
    stint_error_set(&why, STINT_CANCELLED, "the channel to %s was closed", ch->target);
    why.reason = STINT_REASON_CHANNEL_CLOSED;
    why.not_executed = true;
    atomic_store(&ch->closing, true);
    stint__channel_fail_waiting(ch, &why, true);
    stint__peer_stop(ch->peer);
    /* A call that entered before `closing` was set may have parked meanwhile. */
    stint__channel_fail_waiting(ch, &why, true);
    stint__channel_unref(ch);
    pthread_mutex_lock(&ch->mutex);
    while (!ch->unused)
        pthread_cond_wait(&ch->changed, &ch->mutex);
    pthread_mutex_unlock(&ch->mutex);
    channel_free(ch);
}

stint_code stint_channel_wait_ready(const stint_ctx *ctx, stint_channel *ch, stint_error *err)
{
    stint_error_clear(err);
    if (stint__client_must_not_block()) {
        stint_error_set(err, STINT_FAILED_PRECONDITION, "waiting in a thread that must not block");
        if (err != NULL)
            err->reason = STINT_REASON_WOULD_DEADLOCK;
        return STINT_FAILED_PRECONDITION;
    }
    stint_code code = STINT_OK;
    pthread_mutex_lock(&ch->mutex);
    while (code == STINT_OK && atomic_load(&ch->link) != STINT__LINK_READY)
        code = stint_ctx_cond_wait(ctx, &ch->changed, &ch->mutex);
    stint_error last = ch->last_error;
    pthread_mutex_unlock(&ch->mutex);
    if (code != STINT_OK)
        stint_error_set(err, code, "no connection to %s: %s", ch->target,
                        last.message[0] != '\0' ? last.message : "still connecting");
    return code;
}

/* Lets go of the channel, after the last look at it. */
static stint_code refuse_entry(stint_channel *ch, stint_reason reason, stint_error *err)
{
    err->reason = reason;
    err->not_executed = true;
    stint__channel_count(ch, err);
    stint__channel_unref(ch);
    return err->code;
}

stint_code stint__channel_enter(stint_channel *ch, stint_error *err)
{
    atomic_fetch_add(&ch->refs, 1);
    if (atomic_load(&ch->closing)) {
        stint_error_set(err, STINT_CANCELLED, "the channel to %s is closed", ch->target);
        return refuse_entry(ch, STINT_REASON_CHANNEL_CLOSED, err);
    }
    if (atomic_fetch_add(&ch->inflight, 1) >= ch->opts.max_inflight) {
        stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "more than %u calls in flight to %s",
                        (unsigned)ch->opts.max_inflight, ch->target);
        stint__channel_leave(ch);
        return refuse_entry(ch, STINT_REASON_QUEUE_FULL, err);
    }
    return STINT_OK;
}

void stint__channel_leave(stint_channel *ch)
{
    atomic_fetch_sub(&ch->inflight, 1);
}

void stint__channel_unref(stint_channel *ch)
{
    if (atomic_fetch_sub(&ch->refs, 1) != 1)
        return;
    pthread_mutex_lock(&ch->mutex);
    ch->unused = true;
    pthread_cond_broadcast(&ch->changed);
    pthread_mutex_unlock(&ch->mutex);
}

static void add(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void stint__channel_count(stint_channel *ch, const stint_error *outcome)
{
    struct stint__channel_counters *c = &ch->counters;
    if (outcome->code == STINT_OK) {
        add(&c->ok);
        return;
    }
    add(&c->failed);
    if (outcome->code == STINT_DEADLINE_EXCEEDED)
        add(&c->deadline_exceeded);
    if (outcome->code == STINT_CANCELLED)
        add(&c->cancelled);
    if (outcome->reason == STINT_REASON_CONNECTION_LOST)
        add(&c->connection_lost);
    if (outcome->not_executed)
        add(outcome->origin == STINT_ORIGIN_PEER ? &c->refused : &c->not_sent);
}

static uint64_t get(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void stint_channel_stats_get(const stint_channel *ch, stint_channel_stats *stats)
{
    struct stint__transport_stats t = {0};
    stint__peer_stats(ch->peer, &t);
    const struct stint__channel_counters *c = &ch->counters;
    const stint_channel_stats all = {
        .size = stats->size,
        .calls = get(&c->calls),
        .ok = get(&c->ok),
        .failed = get(&c->failed),
        .deadline_exceeded = get(&c->deadline_exceeded),
        .cancelled = get(&c->cancelled),
        .connection_lost = get(&c->connection_lost),
        .not_sent = get(&c->not_sent),
        .refused = get(&c->refused),
        .late_replies = get(&c->late_replies) + t.late_replies,
        .connects = t.connects,
        .disconnects = t.disconnects,
        .malformed = t.malformed,
        .bad_ledgers = get(&c->bad_ledgers),
        .shed = get(&c->shed),
        .probes = get(&c->probes),
        .pushed_back = get(&c->pushed_back),
    };
    memcpy(stats, &all, stats->size < sizeof all ? stats->size : sizeof all);
}

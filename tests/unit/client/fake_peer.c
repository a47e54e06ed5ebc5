#include "fake_peer.h"

#include "clock.h"
#include "stream_client.h"

static struct fake_peer *fake_of(struct stint__peer *p)
{
    return STINT__CONTAINER_OF((struct stint__transport_object *)(void *)p, struct fake_peer,
                               object);
}

static struct stint__exchange *take_exchange(struct fake_peer *f)
{
    struct stint__exchange *x = f->exchange;
    assert_non_null(x);
    f->exchange = NULL;
    return x;
}

void fake_reply(struct fake_peer *f)
{
    const struct stint__incoming in = {.env = f->answer, .read_at = stint_now()};
    struct stint__exchange *x = take_exchange(f);
    x->ops->reply(x, &in);
}

void fake_lose(struct fake_peer *f, bool unsent)
{
    stint_error why;
    stint_error_set(&why, STINT_UNAVAILABLE, "cut by the test");
    why.reason = STINT_REASON_CONNECTION_LOST;
    why.not_executed = unsent;
    struct stint__exchange *x = take_exchange(f);
    x->ops->lost(x, &why);
}

static stint_code submit(struct stint__peer *p, struct stint__exchange *x,
                         struct stint__envelope *e, stint_error *err)
{
    struct fake_peer *f = fake_of(p);
    if (f->before != NULL)
        f->before(f);
    if (f->refusal != STINT_REASON_NONE) {
        stint_error_set(err, STINT_UNAVAILABLE, "refused by the test");
        err->reason = f->refusal;
        return STINT_UNAVAILABLE;
    }
    if (f->submits < FAKE_SUBMITS_MAX)
        f->call_ids[f->submits] = e->call_id;
    f->submits++;
    f->last = *e;
    f->exchange = x;
    if (f->taken != NULL)
        f->taken(f);
    else if (!f->mute)
        fake_reply(f);
    return STINT_OK;
}

/* The reply is always under way already, so that it can still be given. */
static bool abandon(struct stint__peer *p, struct stint__exchange *x, bool cancel)
{
    struct fake_peer *f = fake_of(p);
    (void)x, (void)cancel;
    atomic_fetch_add(&f->abandons, 1);
    return false;
}

static void stats(const struct stint__peer *p, struct stint__transport_stats *stats)
{
    (void)p;
    *stats = (struct stint__transport_stats){0};
}

static const struct stint__transport_ops fake_transport = {
    .name = "fake",
    .peer_submit = submit,
    .peer_abandon = abandon,
    .peer_stats = stats,
};

void fake_init(struct fake_peer *f)
{
    *f = (struct fake_peer){.object.ops = &fake_transport};
    f->answer.kind = STINT__KIND_REPLY;
    stint__vclock_install((stint_time){STINT_SECONDS(1)});
    assert_int_equal(stint_channel_open(&f->ch, "mem://nobody", NULL, NULL), STINT_OK);
    stint__peer_stop(f->ch->peer);
    stint__vclock_advance(STINT_SECONDS(1)); /* so that what was given up comes to its end */
    f->real = f->ch->peer;
    f->ch->peer = (struct stint__peer *)(void *)&f->object;
}

void fake_fini(struct fake_peer *f)
{
    f->ch->peer = f->real;
    stint_channel_close(f->ch);
    assert_int_equal(stint_ctx_live_count(), 0);
    assert_int_equal(stint__timer_count(), 0);
    stint__vclock_uninstall();
}

static const struct stint__peer_events *events_of(struct fake_peer *f)
{
    return &((struct stint__stream_peer *)(void *)f->real)->events;
}

void fake_ready(struct fake_peer *f)
{
    events_of(f)->ready(f->ch);
}

void fake_down(struct fake_peer *f)
{
    stint_error why;
    stint_error_set(&why, STINT_UNAVAILABLE, "cut by the test");
    events_of(f)->down(f->ch, &why);
}

void fake_goaway(struct fake_peer *f)
{
    events_of(f)->goaway(f->ch);
}

void fake_call_under(struct fake_peer *f, const stint_ctx *ctx, const stint_method *method,
                     stint_code code, stint_error *err)
{
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    ProtobufCMessage *rep;
    stint_error local;
    err = err != NULL ? err : &local;
    stint_code got = stint_invoke(ctx, f->ch, method, &req.base, &rep, err);
    if (got != code)
        fail_msg("expected %s, got %s: %s", stint_code_name(code), stint_code_name(got),
                 err->message);
    if (rep != NULL)
        protobuf_c_message_free_unpacked(rep, NULL);
}

void fake_call(struct fake_peer *f, const stint_method *method, stint_duration left,
               stint_code code, stint_error *err)
{
    stint_ctx *ctx = left > 0 ? stint_ctx_with_timeout(stint_ctx_background(), left)
                              : stint_ctx_with_cancel(stint_ctx_background());
    fake_call_under(f, ctx, method, code, err);
    stint_ctx_drop(ctx);
}

stint_channel_stats fake_stats(const struct fake_peer *f)
{
    stint_channel_stats stats = {.size = sizeof stats};
    stint_channel_stats_get(f->ch, &stats);
    return stats;
}

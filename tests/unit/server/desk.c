/* desk.c - see desk.h. The connection is a table of functions of its own. */
#include "desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "books.h"
#include "clock.h"
#include "net.h"
#include "server_internal.h"
#include "unit.h"

static struct desk *desk_of(struct stint__conn *conn)
{
    return STINT__CONTAINER_OF((struct stint__transport_object *)(void *)conn, struct desk, conn);
}

/* The number travels as the header stack, as a client's request ID would. */
static unsigned number_of(const struct stint__reply_to *to)
{
    return stint__sp_stack_id(&to->stack);
}

static stint_code on_reply(struct stint__conn *conn, const struct stint__reply_to *to,
                           struct stint__envelope *e, stint_error *err)
{
    struct desk *d = desk_of(conn);
    struct answer *a = &d->answers[number_of(to)];
    (void)err;
    pthread_mutex_lock(&d->mutex);
    a->replies++;
    a->code = (stint_code)e->code;
    a->reason = (stint_reason)e->reason;
    a->not_executed = e->not_executed;
    a->needed = STINT_US((stint_duration)e->needed_us);
    a->pushback = STINT_US((stint_duration)e->pushback_us);
    a->at = stint_now();
    pthread_mutex_unlock(&d->mutex);
    event_raise(&d->over);
    return STINT_OK;
}

static void on_drop(struct stint__conn *conn, const struct stint__reply_to *to)
{
    struct desk *d = desk_of(conn);
    pthread_mutex_lock(&d->mutex);
    d->answers[number_of(to)].drops++;
    pthread_mutex_unlock(&d->mutex);
    event_raise(&d->over);
}

static void on_fail(struct stint__conn *conn, const stint_error *why)
{
    (void)conn, (void)why;
}

static struct stint__conn *on_ref(struct stint__conn *conn)
{
    return conn;
}

static void on_unref(struct stint__conn *conn)
{
    (void)conn;
}

static const char *on_peer(const struct stint__conn *conn)
{
    (void)conn;
    return "desk";
}

static bool on_is_leaving(const struct stint__conn *conn)
{
    (void)conn;
    return false;
}

static const struct stint__transport_ops desk_ops = {
    .name = "desk",
    .conn_reply = on_reply,
    .conn_drop = on_drop,
    .conn_fail = on_fail,
    .conn_ref = on_ref,
    .conn_unref = on_unref,
    .conn_peer = on_peer,
    .conn_is_leaving = on_is_leaving,
};

static struct stint__conn *conn_of(struct desk *d)
{
    return (struct stint__conn *)(void *)&d->conn;
}

static void nothing(struct stint__timer *t)
{
    (void)t;
}

/* It stays once it is started: look for leaked threads after that. */
static void start_timer_thread(void)
{
    struct stint__timer t;
    stint__timer_init(&t, nothing);
    assert_true(stint__timer_arm(&t, stint_time_add(stint_now(), STINT_SECONDS(1000))));
    stint__timer_disarm_wait(&t);
}

struct desk *desk_new(void)
{
    start_timer_thread();
    struct desk *d = calloc(1, sizeof *d);
    assert_non_null(d);
    d->before = leaks_look();
    d->opts = (stint_server_options){.size = sizeof d->opts, .workers = 1};
    d->conn.ops = &desk_ops;
    pthread_mutex_init(&d->mutex, NULL);
    event_init(&d->over);
    return d;
}

void desk_start(struct desk *d, const char *name, const probe_v1_probe_ops *ops, void *self)
{
    char url[64];
    stint_error err;
    snprintf(url, sizeof url, "mem://%s", name);
    if (stint_server_new(&d->server, &d->opts, &err) != STINT_OK ||
        probe_v1_probe_register(d->server, ops, self, &err) != STINT_OK ||
        stint_server_listen(d->server, url, &err) != STINT_OK ||
        stint_server_start(d->server, &err) != STINT_OK)
        fail_msg("desk: %s", err.message);
    d->conn_data = stint__server_on_opened(d->server, conn_of(d));
    assert_non_null(d->conn_data);
}

static struct stint__reply_to reply_to(unsigned number)
{
    return (struct stint__reply_to){.stack = stint__sp_stack_of(number)};
}

unsigned desk_ask(struct desk *d, const struct ask *ask)
{
    char path[64];
    unsigned number = d->asked++;
    assert_true(number < DESK_ASKS);
    int len = snprintf(path, sizeof path, "probe.v1.Probe/%s",
                       ask->method != NULL ? ask->method : "Work");
    const struct stint__reply_to to = reply_to(number);
    const struct stint__incoming in = {
        .env =
            {
                .kind = STINT__KIND_REQUEST,
                .call_id = number + 1,
                .method = {(const uint8_t *)path, (size_t)len},
                .has_budget = ask->budget != 0 || ask->no_time,
                .budget_us = (uint64_t)(ask->budget / 1000),
                .criticality = ask->criticality,
                .probe = ask->probe,
                .sent_boottime_ns = ask->sent,
                .boot_domain = ask->domain,
                .has_payload = true,
            },
        .read_at = stint_now(),
    };
    stint__server_on_request(d->server, d->conn_data, conn_of(d), &to, &in);
    return number;
}

void desk_cancel(struct desk *d, unsigned number)
{
    const struct stint__reply_to to = reply_to(number);
    stint__server_on_cancel(d->server, d->conn_data, conn_of(d), &to);
}

void desk_reconnect(struct desk *d)
{
    stint__server_on_closed(d->server, d->conn_data, conn_of(d));
    d->conn_data = stint__server_on_opened(d->server, conn_of(d));
    assert_non_null(d->conn_data);
}

static struct answer look(struct desk *d, unsigned number)
{
    pthread_mutex_lock(&d->mutex);
    struct answer a = d->answers[number];
    pthread_mutex_unlock(&d->mutex);
    return a;
}

bool desk_is_over(struct desk *d, unsigned number)
{
    struct answer a = look(d, number);
    return a.replies + a.drops > 0;
}

struct answer desk_answer(struct desk *d, unsigned number)
{
    while (!desk_is_over(d, number))
        event_wait(&d->over, event_count(&d->over) + (desk_is_over(d, number) ? 0 : 1));
    return look(d, number);
}

struct answer desk_call(struct desk *d, const struct ask *ask)
{
    return desk_answer(d, desk_ask(d, ask));
}

stint_method_stats desk_stats(struct desk *d, const char *method)
{
    char path[64];
    stint_method_stats stats = {.size = sizeof stats};
    snprintf(path, sizeof path, "probe.v1.Probe/%s", method);
    assert_int_equal(stint_server_method_stats_get(d->server, path, &stats), STINT_OK);
    return stats;
}

stint_server_stats desk_server_stats(struct desk *d)
{
    stint_server_stats stats = {.size = sizeof stats};
    stint_server_stats_get(d->server, &stats);
    return stats;
}

void desk_check_books(struct desk *d)
{
    stint_server_stats s = books_check(d->server);
    assert_int_equal(s.requests, d->asked + d->asked_elsewhere);
    for (unsigned i = 0; i < d->asked; i++) {
        struct answer a = look(d, i);
        assert_int_equal(a.replies + a.drops, 1);
    }
}

void desk_free(struct desk *d)
{
    if (d->conn_data != NULL) {
        desk_check_books(d);
        stint__server_on_closed(d->server, d->conn_data, conn_of(d));
    }
    stint_server_free(d->server);
    stint__net_quiesce();
    leaks_check(&d->before);
    event_fini(&d->over);
    pthread_mutex_destroy(&d->mutex);
    free(d);
}

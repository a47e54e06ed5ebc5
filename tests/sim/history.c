/* history.c - see the header. At file scope: one run at a time. */
#include "history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fiber.h"
#include "skew.h"
#include "trace.h"

static const stint_time never = {INT64_MAX};

struct call {
    uint64_t caller;
    uint32_t service;
    unsigned hop;
    bool near;                  /* caller and callee are on one host */
    stint_time begun, deadline; /* the world's; the deadline may be `never` */
    unsigned statuses, executions;
    bool vouched;        /* its caller was told that no handler ran */
    stint_time given_up; /* when its caller cancelled it; or `never` */
    bool running;
    stint_code answer; /* what the handler answered, and the sum of that */
    bool answered;
    uint64_t sum;
    stint_time arrived, own_deadline; /* of the execution */
};

static struct {
    struct call *calls; /* by their numbers, from 1 on */
    size_t n, room;
    const struct plan *plan;
    stint_duration way[PLAN_SERVICES_MAX]; /* what a request to that service takes at most */
    bool all_arrives;                      /* no connection breaks */
    struct history_summary summary;
} history;

static const struct call edge = {.deadline = {INT64_MAX}, .own_deadline = {INT64_MAX}};

static struct call *find(uint64_t call)
{
    if (call == 0 || call > history.n) {
        fprintf(stderr, "the simulation has no call %llu\n", (unsigned long long)call);
        abort();
    }
    return &history.calls[call - 1];
}

/* ---- times ---- */

static stint_time deadline_of(const stint_ctx *ctx)
{
    stint_time local;
    return stint_ctx_deadline(ctx, &local) ? skew_world_time(fiber_host(), local) : never;
}

static double ms(stint_duration d)
{
    return (double)d / 1e6;
}

/* How far two clocks can drift apart in so much time, and what rounding may add. */
static stint_duration drift(stint_duration d)
{
    return d / 1000000 * 2 * SKEW_PPM_MAX + STINT_US(3);
}

static bool is_after(stint_time t, stint_time limit, stint_duration allowance)
{
    return limit.ns != never.ns && stint_time_before(stint_time_add(limit, allowance), t);
}

/* What the callee cannot know of: how long the request was under way, unless both have the same
 * clock. It may have waited at its caller before, but that time is known there. */
static stint_duration hidden(const struct call *c)
{
    if (c->near)
        return 0;
    stint_duration since = stint_time_sub(c->arrived, c->begun);
    return since < history.way[c->service] ? since : history.way[c->service];
}

static stint_duration budget(const struct call *c)
{
    return c->deadline.ns != never.ns ? stint_time_sub(c->deadline, c->begun) : 0;
}

/* ---- the caller's side ---- */

static struct call *add_call(void)
{
    if (history.n == history.room) {
        history.room = history.room > 0 ? history.room * 2 : 1024;
        history.calls = realloc(history.calls, history.room * sizeof *history.calls);
        if (history.calls == NULL) {
            fprintf(stderr, "no memory for the history\n");
            abort();
        }
    }
    struct call *c = &history.calls[history.n++];
    memset(c, 0, sizeof *c);
    return c;
}

uint64_t history_call(uint64_t caller, uint32_t service, const stint_ctx *ctx,
                      stint_duration timeout)
{
    struct call *c = add_call();
    uint64_t number = history.n;
    const struct call *above = caller != 0 ? find(caller) : &edge;
    stint_time now = skew_world_now();
    c->caller = caller;
    c->service = service;
    c->near = fiber_host() == history.plan->services[service].host;
    c->hop = above->hop + 1;
    c->begun = now;
    c->given_up = never;
    c->deadline = deadline_of(ctx);
    if (is_after(c->deadline, above->own_deadline, 0))
        trace_violation("call %llu has a later deadline than its caller, call %llu, by %.6f ms",
                        (unsigned long long)number, (unsigned long long)caller,
                        ms(stint_time_sub(c->deadline, above->own_deadline)));
    if (timeout > 0)
        c->deadline = stint_time_min(
            c->deadline, skew_world_time(fiber_host(), stint_time_add(stint_now(), timeout)));
    trace("call %llu to service %u, by call %llu, hop %u, %.6f ms", (unsigned long long)number,
          service, (unsigned long long)caller, c->hop, ms(budget(c)));
    history.summary.calls++;
    if (c->hop > history.summary.deepest)
        history.summary.deepest = c->hop;
    return number;
}

static void check_ok(uint64_t number, const struct call *c, uint64_t sum)
{
    if (is_after(skew_world_now(), c->deadline, 0))
        trace_violation("call %llu ended OK %.6f ms after its deadline", (unsigned long long)number,
                        ms(stint_time_sub(skew_world_now(), c->deadline)));
    if (c->executions != 1 || !c->answered || c->answer != STINT_OK)
        trace_violation("call %llu ended OK, but its handler has not said so",
                        (unsigned long long)number);
    else if (c->sum != sum)
        trace_violation("call %llu ended with another reply than its handler's",
                        (unsigned long long)number);
}

void history_status(uint64_t call, stint_code code, const stint_error *err, uint64_t sum)
{
    struct call *c = find(call);
    trace("call %llu ends %s%s%s", (unsigned long long)call, stint_code_name(code),
          err != NULL && err->not_executed ? ", not executed" : "",
          c->executions == 0 ? "" : ", ran");
    if (++c->statuses > 1)
        trace_violation("call %llu has ended %u times", (unsigned long long)call, c->statuses);
    if (code < STINT_OK || code > STINT_UNAUTHENTICATED) {
        trace_violation("call %llu ended with %d", (unsigned long long)call, (int)code);
        return;
    }
    history.summary.codes[code]++;
    if (code == STINT_OK) {
        history.summary.ok++;
        check_ok(call, c, sum);
        return;
    }
    c->vouched = err != NULL && err->not_executed;
    if (code == STINT_CANCELLED && err != NULL && err->origin != STINT_ORIGIN_PEER)
        c->given_up = skew_world_now();
    if (c->vouched && c->executions > 0)
        trace_violation("call %llu ended as not executed, but a handler ran",
                        (unsigned long long)call);
    if (is_after(skew_world_now(), c->deadline, HISTORY_GRACE) &&
        is_after(skew_world_now(), c->begun, HISTORY_GRACE))
        trace_violation("call %llu ended %.6f ms after its deadline", (unsigned long long)call,
                        ms(stint_time_sub(skew_world_now(), c->deadline)));
}

/* ---- the handler's side ---- */

/* A cancellation takes as long as any frame; if it has to wait until the peer has said that it
 * knows such frames, there was a request before it, and that answer. */
static void check_cancelled(uint64_t number, const struct call *c, stint_duration stubborn)
{
    stint_duration way = history.way[c->service];
    if (!history.all_arrives || way == STINT_DURATION_FOREVER)
        return;
    if (is_after(skew_world_now(), c->given_up, 3 * way + stubborn + HISTORY_GRACE))
        trace_violation("call %llu goes on %.6f ms after its caller has cancelled it",
                        (unsigned long long)number,
                        ms(stint_time_sub(skew_world_now(), c->given_up)));
}

static void check_start(uint64_t call, const struct call *c, uint32_t service)
{
    if (c->service != service)
        trace_violation("call %llu was for service %u, but ran at %u", (unsigned long long)call,
                        c->service, service);
    if (c->executions > 1)
        trace_violation("call %llu runs for the %u. time", (unsigned long long)call, c->executions);
    if (c->vouched)
        trace_violation("call %llu runs, but its caller was told that it does not",
                        (unsigned long long)call);
    stint_duration allowed = hidden(c) + drift(budget(c));
    if (is_after(c->own_deadline, c->deadline, allowed))
        trace_violation("call %llu has %.6f ms more than its caller", (unsigned long long)call,
                        ms(stint_time_sub(c->own_deadline, c->deadline) - hidden(c)));
    if (is_after(skew_world_now(), c->own_deadline, 0))
        trace_violation("call %llu is begun %.6f ms after its deadline", (unsigned long long)call,
                        ms(stint_time_sub(skew_world_now(), c->own_deadline)));
    check_cancelled(call, c, 0);
    if (c->deadline.ns != never.ns && c->own_deadline.ns == never.ns)
        trace_violation("call %llu has lost its deadline", (unsigned long long)call);
}

void history_started(uint64_t call, uint32_t service, const stint_ctx *ctx, stint_time arrival)
{
    struct call *c = find(call);
    c->executions++;
    c->running = true;
    c->own_deadline = deadline_of(ctx);
    c->arrived = skew_world_time(fiber_host(), arrival);
    history.summary.executions++;
    trace("call %llu runs at service %u, %.6f ms after it was made, %.6f ms after it was read",
          (unsigned long long)call, service, ms(stint_time_sub(skew_world_now(), c->begun)),
          ms(stint_time_sub(skew_world_now(), c->arrived)));
    check_start(call, c, service);
    if (is_after(skew_world_now(), c->deadline, HISTORY_GRACE))
        history.summary.hidden++;
}

void history_answers(uint64_t call, stint_code code, uint64_t sum)
{
    struct call *c = find(call);
    c->answered = true;
    c->answer = code;
    c->sum = sum;
    trace("call %llu answers %s", (unsigned long long)call, stint_code_name(code));
}

void history_ended(uint64_t call, stint_duration stubborn)
{
    struct call *c = find(call);
    stint_time now = skew_world_now();
    c->running = false;
    trace("call %llu has run", (unsigned long long)call);
    check_cancelled(call, c, stubborn);
    if (is_after(now, c->deadline, hidden(c) + drift(budget(c)) + stubborn + HISTORY_GRACE))
        trace_violation("call %llu runs until %.6f ms after its caller's deadline",
                        (unsigned long long)call, ms(stint_time_sub(now, c->deadline)));
}

/* ---- the whole ---- */

/* A partition, or a small window, can hold a request up for any time. */
static stint_duration longest_way(const struct plan *p, uint32_t service)
{
    const struct stint__mem_faults *net = &p->services[service].net;
    for (uint32_t i = 0; i < p->n_troubles; i++)
        if (p->troubles[i].service == service && p->troubles[i].kind == TROUBLE_PARTITION)
            return STINT_DURATION_FOREVER;
    return net->window > 0 ? STINT_DURATION_FOREVER : net->delay + net->jitter;
}

void history_begin(const struct plan *p)
{
    history.n = 0;
    history.plan = p;
    history.summary = (struct history_summary){0};
    history.all_arrives = p->n_troubles == 0;
    for (uint32_t i = 0; i < p->n_services; i++)
        history.way[i] = longest_way(p, i);
}

void history_end(void)
{
    for (uint64_t i = 1; i <= history.n; i++) {
        const struct call *c = find(i);
        if (c->statuses != 1)
            trace_violation("call %llu has ended %u times", (unsigned long long)i, c->statuses);
        if (c->running)
            trace_violation("call %llu runs still", (unsigned long long)i);
    }
    free(history.calls);
    history.calls = NULL;
    history.n = history.room = 0;
}

const struct history_summary *history_summary(void)
{
    return &history.summary;
}

/* stubs_test.c - that generated code runs: between a user and a library whose functions are faked
 * here, so that what passes between the two can be seen. */
#include "unit.h"

#include <string.h>

#include "calls.stint.h"
#include "clock.h"

/* ---- the library: each fake notes what it was given ---- */

static struct {
    const stint_ctx *ctx;
    stint_channel *channel;
    stint_group *group;
    const stint_method *method;
    const ProtobufCMessage *req;
    stint_completion then;
    stint_server *server;
    const stint_service *service;
    const void *ops;
    void *self;
    stint_ticket *ticket;
    const ProtobufCMessage *rep;
    const char *message;
    stint_code failed_with;
    ProtobufCMessage *reply; /* what the next call is answered with; NULL: it fails */
} seen;

stint_code stint_invoke(const stint_ctx *ctx, stint_channel *ch, const stint_method *method,
                        const ProtobufCMessage *req, ProtobufCMessage **ret_reply, stint_error *err)
{
    seen.ctx = ctx;
    seen.channel = ch;
    seen.method = method;
    seen.req = req;
    *ret_reply = seen.reply;
    return seen.reply != NULL ? STINT_OK
                              : stint_error_set(err, STINT_UNAVAILABLE, "nobody is there");
}

stint_code stint_invoke_async(const stint_ctx *ctx, stint_channel *ch, const stint_method *method,
                              const ProtobufCMessage *req, const stint_completion *then,
                              stint_error *err)
{
    seen.ctx = ctx;
    seen.channel = ch;
    seen.method = method;
    seen.req = req;
    seen.then = *then;
    return stint_error_set(err, STINT_OK, "%s", "");
}

void stint_group_invoke(stint_group *g, stint_channel *ch, const stint_method *method,
                        const ProtobufCMessage *req, void *ret_reply)
{
    seen.group = g;
    seen.channel = ch;
    seen.method = method;
    seen.req = req;
    memcpy(ret_reply, &seen.reply, sizeof(ProtobufCMessage *));
}

stint_code stint_server_add(stint_server *s, const stint_service *service, const void *ops,
                            void *self, stint_error *err)
{
    seen.server = s;
    seen.service = service;
    seen.ops = ops;
    seen.self = self;
    return stint_error_set(err, STINT_ALREADY_EXISTS, "there is one");
}

void stint_ticket_finish(stint_ticket *ticket, stint_code code, const ProtobufCMessage *rep,
                         const char *message)
{
    seen.ticket = ticket;
    seen.failed_with = code;
    seen.rep = rep;
    seen.message = message;
}

stint_code stint_call_fail(stint_call *call, stint_code code, const char *fmt, ...)
{
    (void)call;
    (void)fmt;
    seen.failed_with = code;
    return code;
}

const char *stint_call_method(const stint_call *call)
{
    (void)call;
    return "calls.v1.Desk/Ask";
}

/* ---- things of which only the address matters ---- */

static char things[8];

static void *thing(size_t i)
{
    return &things[i];
}

static const stint_ctx *const the_ctx = (const stint_ctx *)&things[0];

static Calls__V1__Question question;
static Calls__V1__Answer answer;

static int forget(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof seen);
    calls__v1__question__init(&question);
    calls__v1__answer__init(&answer);
    return 0;
}

/* ---- the client's side ---- */

static void a_call_hands_over_its_arguments(void **state)
{
    (void)state;
    Calls__V1__Answer *got = NULL;
    seen.reply = &answer.base;
    assert_int_equal(calls_v1_desk_ask(the_ctx, thing(1), &question, &got, NULL), STINT_OK);
    assert_ptr_equal(got, &answer);
    assert_ptr_equal(seen.ctx, the_ctx);
    assert_ptr_equal(seen.channel, thing(1));
    assert_ptr_equal(seen.req, &question);
    assert_ptr_equal(seen.method, &calls_v1_desk.methods[0]);
}

static void a_failed_call_has_no_reply(void **state)
{
    (void)state;
    Calls__V1__Answer *got = &answer; /* stale */
    stint_error err = STINT_ERROR_INIT;
    assert_int_equal(calls_v1_desk_ask(the_ctx, thing(1), &question, &got, &err),
                     STINT_UNAVAILABLE);
    assert_null(got);
    assert_string_equal(err.message, "nobody is there");
}

struct done_seen {
    int times;
    stint_code code;
    const void *rep;
    const stint_error *err;
};

static void note_done(void *arg, stint_code code, Calls__V1__Answer *rep, const stint_error *err)
{
    struct done_seen *d = arg;
    *d = (struct done_seen){d->times + 1, code, rep, err};
}

static void an_asynchronous_call_comes_back_typed(void **state)
{
    (void)state;
    struct done_seen done = {0};
    stint_code code = calls_v1_desk_ask_async(the_ctx, thing(1), &question, note_done, &done, NULL);
    assert_int_equal(code, STINT_OK);
    assert_ptr_equal(seen.method, &calls_v1_desk.methods[0]);
    assert_ptr_equal(seen.req, &question);
    assert_int_equal(done.times, 0);

    const stint_error err = STINT_ERROR_INIT;
    const stint_done end = {seen.then.fn, seen.then.arg, STINT_ABORTED, &answer.base, &err};
    seen.then.thunk(&end);
    assert_int_equal(done.times, 1);
    assert_int_equal(done.code, STINT_ABORTED);
    assert_ptr_equal(done.rep, &answer);
    assert_ptr_equal(done.err, &err);
}

static void a_call_in_a_group_stores_its_reply(void **state)
{
    (void)state;
    Calls__V1__Answer *got = NULL;
    seen.reply = &answer.base;
    calls_v1_desk_ask_group(thing(2), thing(1), &question, &got);
    assert_ptr_equal(got, &answer);
    assert_ptr_equal(seen.group, thing(2));
    assert_ptr_equal(seen.channel, thing(1));
    assert_ptr_equal(seen.req, &question);
    assert_ptr_equal(seen.method, &calls_v1_desk.methods[0]);
}

/* ---- the server's side ---- */

struct handler_seen {
    const stint_ctx *ctx;
    const Calls__V1__Question *req;
    Calls__V1__Answer *rep;
    stint_call *call;
};

static stint_code handle_tell(void *self, const stint_ctx *ctx, const Calls__V1__Question *req,
                              Calls__V1__Answer *rep, stint_call *call)
{
    *(struct handler_seen *)self = (struct handler_seen){ctx, req, rep, call};
    return STINT_NOT_FOUND;
}

static void a_handler_is_called_with_its_types(void **state)
{
    (void)state;
    const calls_v1_desk_ops ops = {.tell = handle_tell};
    struct handler_seen handler = {0};
    stint_code code =
        calls_v1_desk.dispatch[1](&handler, &ops, the_ctx, &question.base, &answer.base, thing(3));
    assert_int_equal(code, STINT_NOT_FOUND);
    assert_ptr_equal(handler.ctx, the_ctx);
    assert_ptr_equal(handler.req, &question);
    assert_ptr_equal(handler.rep, &answer);
    assert_ptr_equal(handler.call, thing(3));
}

static void a_handler_that_is_missing_answers_unimplemented(void **state)
{
    (void)state;
    const calls_v1_desk_ops ops = {.tell = handle_tell};
    stint_code code =
        calls_v1_desk.dispatch[0](NULL, &ops, the_ctx, &question.base, &answer.base, NULL);
    assert_int_equal(code, STINT_UNIMPLEMENTED);
    assert_int_equal(seen.failed_with, STINT_UNIMPLEMENTED); /* with a text */
}

static void register_adds_the_service(void **state)
{
    (void)state;
    const calls_v1_desk_ops ops = {.tell = handle_tell};
    assert_int_equal(calls_v1_desk_register(thing(4), &ops, thing(5), NULL), STINT_ALREADY_EXISTS);
    assert_ptr_equal(seen.server, thing(4));
    assert_ptr_equal(seen.service, &calls_v1_desk);
    assert_ptr_equal(seen.ops, &ops);
    assert_ptr_equal(seen.self, thing(5));
}

static void finish_passes_a_reply_or_none(void **state)
{
    (void)state;
    calls_v1_desk_ask_finish(thing(6), STINT_OK, &answer, NULL);
    assert_ptr_equal(seen.ticket, thing(6));
    assert_int_equal(seen.failed_with, STINT_OK);
    assert_ptr_equal(seen.rep, &answer);
    assert_null(seen.message);

    calls_v1_desk_tell_finish(thing(7), STINT_ABORTED, NULL, "no");
    assert_ptr_equal(seen.ticket, thing(7));
    assert_int_equal(seen.failed_with, STINT_ABORTED);
    assert_null(seen.rep);
    assert_string_equal(seen.message, "no");
}

static void the_tables_say_what_the_proto_says(void **state)
{
    (void)state;
    assert_string_equal(calls_v1_desk.name, "calls.v1.Desk");
    assert_int_equal(calls_v1_desk.n_methods, 3);
    const stint_method *ask = &calls_v1_desk.methods[0];
    assert_string_equal(ask->path, "calls.v1.Desk/Ask");
    assert_ptr_equal(ask->request, &calls__v1__question__descriptor);
    assert_ptr_equal(ask->reply, &calls__v1__answer__descriptor);
    assert_int_equal(ask->flags, STINT_METHOD_IDEMPOTENT | STINT_METHOD_SHORT);
    assert_int_equal(ask->timeout, 1500000000);
    assert_int_equal(ask->minimum, 30000000);
    assert_int_equal(ask->reserve, 500000);
    const stint_method *tell = &calls_v1_desk.methods[1];
    assert_string_equal(tell->path, "calls.v1.Desk/Tell");
    assert_int_equal(tell->flags, 0);
    assert_int_equal(tell->timeout, 0);
    assert_int_equal(tell->minimum, 0);
    assert_int_equal(tell->reserve, 0);
}

/* ---- a declared budget, by the real stint_plan_* ---- */

static void a_budget_gives_what_the_proto_declares(void **state)
{
    (void)state;
    stint__vclock_install((stint_time){1000});
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_MS(1010));
    {
        CALLS_V1_DESK_BOTH_BUDGET(budget, ctx);
        assert_int_equal(stint_ctx_remaining(calls_v1_desk_both_leg_ask(&budget)), STINT_MS(300));
        const stint_ctx *tell = calls_v1_desk_both_leg_tell(&budget);
        assert_int_equal(stint_ctx_remaining(tell), STINT_MS(50));
        tell = calls_v1_desk_both_leg_tell(&budget);
        assert_int_equal(stint_ctx_remaining(tell), STINT_MS(50));
        const stint_ctx *third = calls_v1_desk_both_leg_tell(&budget);
        assert_int_equal(stint_ctx_err(third), STINT_FAILED_PRECONDITION);
        const stint_ctx *back = calls_v1_desk_both_leg_ask(&budget);
        assert_int_equal(stint_ctx_err(back), STINT_FAILED_PRECONDITION);
    }
    stint_ctx_drop(ctx);
    stint__vclock_uninstall();
    assert_int_equal(stint_ctx_live_count(), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_hands_over_its_arguments),
        TEST(a_failed_call_has_no_reply),
        TEST(an_asynchronous_call_comes_back_typed),
        TEST(a_call_in_a_group_stores_its_reply),
        TEST(a_handler_is_called_with_its_types),
        TEST(a_handler_that_is_missing_answers_unimplemented),
        TEST(register_adds_the_service),
        TEST(finish_passes_a_reply_or_none),
        TEST(the_tables_say_what_the_proto_says),
        TEST(a_budget_gives_what_the_proto_declares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

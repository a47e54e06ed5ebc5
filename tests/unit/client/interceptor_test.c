/* interceptor_test.c - order, refusal, derived contexts and outcomes, on both sides; and metadata
 * and details, which interceptors are mostly used for. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <stint/key.h>

#include "probe.h"
#include "unit.h"

static const char *url = "mem://interceptors";

STINT_KEY_DECLARE(badge, char)
STINT_KEY_DEFINE(badge);

/* What happened, in order, as text. Begins and ends come from several threads. */
static struct {
    pthread_mutex_t mutex;
    char text[512];
} diary = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void note(const char *who, const char *what)
{
    pthread_mutex_lock(&diary.mutex);
    size_t at = strlen(diary.text);
    snprintf(diary.text + at, sizeof diary.text - at, "%s.%s ", who, what);
    pthread_mutex_unlock(&diary.mutex);
}

static stint_code noting_begin(void *self, const stint_ctx *ctx, stint_interception *call,
                               stint_ctx **ret_ctx, stint_error *err)
{
    (void)ctx, (void)err;
    note(self, "begin");
    call->scratch = self;
    *ret_ctx = badge_with(ctx, self);
    return STINT_OK;
}

static void noting_end(void *self, const stint_ctx *ctx, stint_interception *call,
                       const stint_error *outcome)
{
    assert_ptr_equal(call->scratch, self);
    assert_non_null(badge_of(ctx));
    note(self, stint_code_name(outcome->code));
}

static stint_code refusing_begin(void *self, const stint_ctx *ctx, stint_interception *call,
                                 stint_ctx **ret_ctx, stint_error *err)
{
    (void)ctx, (void)call, (void)ret_ctx;
    note(self, "refuses");
    return stint_error_set(err, STINT_UNAUTHENTICATED, "no badge");
}

static char name_a[] = "a", name_b[] = "b", name_no[] = "no";
static stint_interceptor a = {name_a, noting_begin, noting_end};
static stint_interceptor b = {name_b, noting_begin, noting_end};
static stint_interceptor no = {name_no, refusing_begin, noting_end};
static const stint_interceptor *const a_b[] = {&a, &b, NULL};
static const stint_interceptor *const a_no[] = {&a, &no, NULL};

static void run(const stint_interceptor *const *client, const stint_interceptor *const *server,
                stint_code code, const char *expected)
{
    struct probe p;
    diary.text[0] = '\0';
    probe_init(&p);
    p.sopts.interceptors = server;
    p.copts.interceptors = client;
    probe_start(&p, url);
    stint_error err;
    probe_free(probe_call(&p, probe_v1_probe_work, stint_ctx_background(), NULL, code, &err));
    if (code != STINT_OK) {
        assert_string_equal(err.message, "no badge");
        assert_true(err.not_executed);
        assert_int_equal(atomic_load(&p.executed), 0);
    }
    assert_string_equal(diary.text, expected);
    probe_stop(&p);
}

static void they_stack_on_the_client(void **state)
{
    (void)state;
    run(a_b, NULL, STINT_OK, "a.begin b.begin b.OK a.OK ");
}

static void they_stack_on_the_server(void **state)
{
    (void)state;
    run(NULL, a_b, STINT_OK, "a.begin b.begin b.OK a.OK ");
}

static void a_refusal_ends_what_had_begun(void **state)
{
    (void)state;
    run(a_no, NULL, STINT_UNAUTHENTICATED, "a.begin no.refuses a.UNAUTHENTICATED ");
    run(NULL, a_no, STINT_UNAUTHENTICATED, "a.begin no.refuses a.UNAUTHENTICATED ");
}

/* A server's interceptor that answers the metadata "ping" with metadata and details. */
static stint_code see_metadata(void *self, const stint_ctx *ctx, stint_interception *call,
                               stint_ctx **ret_ctx, stint_error *err)
{
    (void)ctx, (void)ret_ctx;
    const stint_metadata_entry *e = stint_metadata_find(call->metadata, "token");
    if (e == NULL || e->value_len != 3 || memcmp(e->value, "a\0b", 3) != 0)
        return stint_error_set(err, STINT_UNAUTHENTICATED, "no token");
    *(int *)self += 1;
    return STINT_OK;
}

static void metadata_reaches_the_server(void **state)
{
    (void)state;
    struct probe p;
    int seen = 0;
    const stint_interceptor see = {&seen, see_metadata, NULL};
    const stint_interceptor *const only[] = {&see, NULL};
    probe_init(&p);
    p.sopts.interceptors = only;
    probe_start(&p, url);
    probe_call(&p, probe_v1_probe_quick, stint_ctx_background(), NULL, STINT_UNAUTHENTICATED, NULL);
    stint_metadata *md = stint_metadata_new();
    assert_int_equal(stint_metadata_add(md, "token", "a\0b", 3, NULL), STINT_OK);
    stint_ctx *ctx = stint_ctx_with_metadata(stint_ctx_background(), md);
    stint_metadata_free(md);
    probe_free(probe_call(&p, probe_v1_probe_quick, ctx, NULL, STINT_OK, NULL));
    probe_free(probe_call(&p, probe_v1_probe_work, ctx, NULL, STINT_OK, NULL));
    stint_ctx_drop(ctx);
    assert_int_equal(seen, 2);
    probe_stop(&p);
}

static stint_code attach(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                         Probe__V1__Reply *rep, stint_call *call)
{
    (void)self, (void)ctx, (void)rep;
    assert_int_equal(stint_call_add_metadata(call, "served-by", "me", 2, NULL), STINT_OK);
    assert_int_equal(stint_call_set_details(call, "\1\2\3", 3), STINT_OK);
    return (stint_code)req->code;
}

static void metadata_and_details_come_back(void **state)
{
    (void)state;
    static const probe_v1_probe_ops ops = {.quick = attach};
    struct leaks before = leaks_look();
    stint_server *s;
    stint_channel *ch;
    assert_int_equal(stint_server_new(&s, NULL, NULL), STINT_OK);
    assert_int_equal(probe_v1_probe_register(s, &ops, NULL, NULL), STINT_OK);
    assert_int_equal(stint_server_listen(s, url, NULL), STINT_OK);
    assert_int_equal(stint_server_start(s, NULL), STINT_OK);
    assert_int_equal(stint_channel_open(&ch, stint_server_url(s, 0), NULL, NULL), STINT_OK);
    stint_reply_info *info = stint_reply_info_new();
    stint_ctx *ctx =
        stint_ctx_with_call_options(stint_ctx_background(), STINT_CALL_OPTIONS(.reply = info));
    int codes[] = {STINT_OK, STINT_ABORTED, STINT_OK};
    for (int i = 0; i < 3; i++) {
        Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
        Probe__V1__Reply *rep;
        req.code = codes[i];
        assert_int_equal(probe_v1_probe_quick(ctx, ch, &req, &rep, NULL), codes[i]);
        probe_free(rep);
        assert_int_equal(stint_metadata_count(stint_reply_info_metadata(info)), 1);
        size_t len;
        const void *details = stint_reply_info_details(info, &len);
        assert_int_equal(len, 3);
        assert_memory_equal(details, "\1\2\3", 3);
    }
    stint_ctx_drop(ctx);
    stint_reply_info_free(info);
    stint_channel_close(ch);
    stint_server_free(s);
    leaks_check(&before);
}

/* ---- the thread of `end` ---- */

/* Shares a lock with whoever cancels. */
struct bookkeeper {
    pthread_mutex_t mutex;
    atomic_uint ends;
};

static void keep_books(void *self, const stint_ctx *ctx, stint_interception *call,
                       const stint_error *outcome)
{
    struct bookkeeper *k = self;
    (void)ctx, (void)call;
    assert_int_equal(outcome->code, STINT_CANCELLED);
    pthread_mutex_lock(&k->mutex);
    atomic_fetch_add(&k->ends, 1);
    pthread_mutex_unlock(&k->mutex);
}

static void end_does_not_run_in_the_thread_that_cancels(void **state)
{
    (void)state;
    struct probe p;
    struct outcome o;
    struct bookkeeper keeper = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    const stint_interceptor with = {.self = &keeper, .end = keep_books};
    const stint_interceptor *const all[] = {&with, NULL};
    probe_init(&p);
    p.copts.interceptors = all;
    probe_start(&p, url);
    stint_ctx *ctx = stint_ctx_with_cancel(stint_ctx_background());
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    req.hold = true;
    outcome_init(&o);
    assert_int_equal(probe_v1_probe_work_async(ctx, p.ch, &req, probe_done, &o, NULL), STINT_OK);
    event_wait(&p.entered, 1);
    pthread_mutex_lock(&keeper.mutex);
    stint_ctx_cancel(ctx, STINT_CANCELLED, NULL);
    pthread_mutex_unlock(&keeper.mutex);
    event_wait(&o.event, 1);
    assert_int_equal(atomic_load(&keeper.ends), 1);
    outcome_fini(&o);
    stint_ctx_drop(ctx);
    probe_stop(&p);
}

int main(int argc, char **argv)
{
    url = probe_url(argc, argv, url);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_stack_on_the_client),
        cmocka_unit_test(they_stack_on_the_server),
        cmocka_unit_test(a_refusal_ends_what_had_begun),
        cmocka_unit_test(metadata_reaches_the_server),
        cmocka_unit_test(metadata_and_details_come_back),
        cmocka_unit_test(end_does_not_run_in_the_thread_that_cancels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

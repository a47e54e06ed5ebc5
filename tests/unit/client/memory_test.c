/* memory_test.c - every allocation of a server, a channel and their calls fails in turn: whatever
 * happens is an error that says so or no harm at all, and nothing leaks. */
#include <stdatomic.h>

#include "alloc.h"
#include "net.h"
#include "probe.h"
#include "unit.h"

#define URL "mem://memory"

/* Lets `left` allocations pass, then fails one. */
struct gate {
    atomic_long left;
    atomic_bool failed;
};

static bool gate_fn(void *arg, size_t n)
{
    struct gate *g = arg;
    (void)n;
    if (atomic_fetch_sub(&g->left, 1) != 0)
        return true;
    atomic_store(&g->failed, true);
    return false;
}

static stint_code answer(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                         Probe__V1__Reply *rep, stint_call *call)
{
    (void)self, (void)ctx;
    rep->payload.data = stint_call_alloc(call, 5000);
    rep->payload.len = rep->payload.data != NULL ? 5000 : 0;
    rep->request_id = stint_call_strdup(call, req->text);
    if (rep->payload.data == NULL || rep->request_id == NULL)
        return stint_call_fail(call, STINT_RESOURCE_EXHAUSTED, "no memory");
    return stint_call_add_metadata(call, "k", "v", 1, NULL);
}

static stint_channel *back; /* to the server itself */

/* Has a call below it, so that a ledger comes of it. */
static stint_code relay(void *self, const stint_ctx *ctx, const Probe__V1__Request *req,
                        Probe__V1__Reply *rep, stint_call *call)
{
    Probe__V1__Reply *one = NULL;
    stint_error err;
    if (probe_v1_probe_quick(ctx, back, req, &one, &err) != STINT_OK)
        return stint_call_fail_from(call, &err);
    probe_free(one);
    return answer(self, ctx, req, rep, call);
}

static const probe_v1_probe_ops ops = {.quick = answer, .work = relay};

static stint_code serve(stint_server **s)
{
    stint_code code = stint_server_new(s, STINT_SERVER_OPTIONS(.workers = 1), NULL);
    if (code == STINT_OK)
        code = probe_v1_probe_register(*s, &ops, NULL, NULL);
    if (code == STINT_OK)
        code = stint_server_listen(*s, URL, NULL);
    if (code == STINT_OK)
        code = stint_server_start(*s, NULL);
    return code;
}

static stint_code call_both(stint_channel *ch, const stint_ctx *ctx)
{
    static uint8_t payload[3000];
    Probe__V1__Request req = PROBE__V1__REQUEST__INIT;
    Probe__V1__Reply *rep[2], *one = NULL;
    req.payload.data = payload;
    req.payload.len = sizeof payload;
    stint_reply_info *info = stint_reply_info_new();
    stint_ctx *told = stint_ctx_with_call_options(ctx, STINT_CALL_OPTIONS(.reply = info));
    stint_code first = probe_v1_probe_work(told, ch, &req, &one, NULL);
    assert_true((one != NULL) == (first == STINT_OK));
    probe_free(one);
    const stint_ledger *ledger = stint_reply_info_ledger(info);
    if (ledger != NULL)
        assert_in_range(stint_ledger_count(ledger) + stint_ledger_dropped(ledger), 1, 2);
    stint_ctx_drop(told);
    stint_reply_info_free(info);
    stint_group *g = stint_group_new(ctx, 0);
    probe_v1_probe_work_group(g, ch, &req, &rep[0]);
    probe_v1_probe_quick_group(g, ch, &req, &rep[1]);
    stint_code code = stint_group_wait(g, NULL);
    for (int i = 0; i < 2; i++) {
        assert_true(rep[i] != NULL || code != STINT_OK);
        probe_free(rep[i]);
    }
    return first != STINT_OK ? first : code;
}

static stint_code everything(void)
{
    stint_server *s = NULL;
    stint_channel *ch = NULL;
    stint_metadata *md = NULL;
    stint_ctx *base = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(20)),
              *ctx = NULL;
    stint_code code = serve(&s);
    if (code == STINT_OK)
        code = stint_channel_open(
            &ch, URL, STINT_CHANNEL_OPTIONS(.wait_for_ready = true, .ledger_one_in = 1), NULL);
    back = ch;
    if (code == STINT_OK) {
        md = stint_metadata_new();
        code = md != NULL ? stint_metadata_add(md, "k", "v", 1, NULL) : STINT_RESOURCE_EXHAUSTED;
    }
    if (code == STINT_OK) {
        ctx = stint_ctx_with_metadata(base, md);
        code = call_both(ch, ctx);
    }
    stint_metadata_free(md);
    stint_ctx_drop(ctx);
    stint_ctx_drop(base);
    stint_server_free(s); /* before the channel: its handlers call by that */
    stint_channel_close(ch);
    stint__net_quiesce();
    return code;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_int_equal(everything(), STINT_OK); /* starts the threads that stay */
    struct leaks before = leaks_look();
    struct gate g;
    atomic_init(&g.failed, true);
    long n = 0;
    for (; atomic_load(&g.failed); n++) {
        atomic_store(&g.left, n);
        atomic_store(&g.failed, false);
        stint__alloc_set_gate(gate_fn, &g);
        stint_code code = everything();
        stint__alloc_set_gate(NULL, NULL);
        if (code != STINT_OK && code != STINT_RESOURCE_EXHAUSTED && code != STINT_UNAVAILABLE &&
            code != STINT_CANCELLED)
            fail_msg("allocation %ld failed: %s", n, stint_code_name(code));
        leaks_check(&before);
    }
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* demo_order.c - the demo as a customer.
 *
 * Orders are asynchronous calls; logs.lock guards what their end sets, so that one condition
 * variable wakes whoever waits for anything. */
#include <string.h>

#include "demo.h"
#include "shop/v1/shop.stint.h"

static void ended(void *arg, stint_code code, Shop__V1__OrderReply *rep, const stint_error *err)
{
    struct order *o = arg;
    struct logs *logs = &o->demo->logs;

    pthread_mutex_lock(&logs->lock);
    o->ended = stint_now();
    o->code = code;
    if (code == STINT_OK)
        o->cents = rep->cents;
    else
        o->err = *err;
    o->done = true;
    pthread_cond_broadcast(&logs->changed);
    pthread_mutex_unlock(&logs->lock);
    shop__v1__order_reply__free_unpacked(rep, NULL);
}

void order_begin(struct order *o, struct demo *d, const char *request, stint_duration budget)
{
    char sku[] = "teapot";
    Shop__V1__OrderRequest req = SHOP__V1__ORDER_REQUEST__INIT;
    stint_request_info info = stint_request_info_new();
    stint_ctx *named;
    stint_ctx *asking;
    stint_error err;
    stint_code code;

    *o = (struct order){.demo = d, .budget = budget, .begun = stint_now()};
    snprintf(o->request, sizeof(o->request), "%s", request);
    snprintf(info.request_id, sizeof(info.request_id), "%s", request);
    stint_trace_id_format(&info, o->trace);
    named = stint_ctx_with_request_info(d->root, &info);
    o->told = stint_reply_info_new();
    asking = stint_ctx_with_call_options(
        named, STINT_CALL_OPTIONS(.reply = o->told, .ledger = o->told != NULL));
    o->ctx = stint_ctx_with_deadline(asking, stint_time_add(o->begun, budget));
    stint_ctx_unref(asking); /* its child needs it: dropping it would cancel both */
    stint_ctx_unref(named);

    req.sku = sku;
    req.quantity = 2;
    /* Once it has begun, `ended` may run at any time, and *o is its own. */
    code = shop_v1_gateway_place_order_async(o->ctx, d->gateway, &req, ended, o, &err);
    if (code != STINT_OK)
        ended(o, code, NULL, &err);
}

void order_wait(struct order *o)
{
    struct logs *logs = &o->demo->logs;

    pthread_mutex_lock(&logs->lock);
    while (!o->done)
        pthread_cond_wait(&logs->changed, &logs->lock);
    pthread_mutex_unlock(&logs->lock);
}

void order_fini(struct order *o)
{
    if (o->ctx == NULL)
        return;
    stint_ctx_cancel(o->ctx, STINT_CANCELLED, "no longer wanted");
    order_wait(o);
    stint_ctx_drop(o->ctx);
    o->ctx = NULL;
    stint_reply_info_free(o->told);
    o->told = NULL;
}

struct taken audit(struct demo *d)
{
    stint_ctx *patience = stint_ctx_with_timeout(d->root, STINT_SECONDS(5));
    stint_ctx *ctx =
        stint_ctx_with_call_options(patience, STINT_CALL_OPTIONS(.wait_for_ready = true));
    Shop__V1__AuditRequest req = SHOP__V1__AUDIT_REQUEST__INIT;
    Shop__V1__AuditReply *rep = NULL;
    struct taken taken = {.known = false};

    if (shop_v1_stock_audit(ctx, d->stock, &req, &rep, NULL) == STINT_OK)
        taken = (struct taken){true, rep->orders, rep->repeated};
    shop__v1__audit_reply__free_unpacked(rep, NULL);
    stint_ctx_drop(ctx);
    stint_ctx_drop(patience);
    return taken;
}

/* gateway.c - what customers talk to: checks an order and passes it to checkout. */
#include "common.h"
#include "shop/v1/shop.stint.h"

#define QUANTITY_MAX 100

struct gateway {
    struct shop_service service;
    stint_channel *checkout;
};

static stint_code place_order(void *self, const stint_ctx *ctx, const Shop__V1__OrderRequest *req,
                              Shop__V1__OrderReply *rep, stint_call *call)
{
    struct gateway *g = self;
    Shop__V1__OrderReply *bought = NULL;
    stint_error err;
    stint_code code;

    if (req->sku[0] == '\0')
        return stint_call_fail(call, STINT_INVALID_ARGUMENT, "an order needs a sku");
    if (req->quantity < 1 || req->quantity > QUANTITY_MAX)
        return stint_call_fail(call, STINT_INVALID_ARGUMENT, "quantity is %u, not 1 to %d",
                               req->quantity, QUANTITY_MAX);
    code = shop_work(&g->service, ctx, call);
    if (code != STINT_OK)
        return code;

    SHOP_V1_GATEWAY_PLACE_ORDER_BUDGET(budget, ctx);
    if (shop_v1_checkout_buy(shop_v1_gateway_place_order_leg_buy(&budget), g->checkout, req,
                             &bought, &err) != STINT_OK)
        return shop_give_up(&g->service, ctx, call, &err);
    rep->order_id = stint_call_strdup(call, bought->order_id);
    rep->cents = bought->cents;
    shop__v1__order_reply__free_unpacked(bought, NULL);
    return STINT_OK;
}

int main(int argc, char **argv)
{
    static const struct shop_program program = {
        .name = "gateway",
        .about = "Takes customers' orders, checks them and passes them to checkout.",
        .peers = {"checkout"},
    };
    static const shop_v1_gateway_ops ops = {.place_order = place_order};
    struct gateway g = {0};
    stint_error err;
    int status;

    shop_init(&g.service, &program, argc, argv);
    shop_require(&g.service, shop_v1_gateway_register(g.service.server, &ops, &g, &err), &err);
    g.checkout = shop_connect(&g.service, "checkout");
    status = shop_serve(&g.service);
    stint_channel_close(g.checkout);
    return status;
}

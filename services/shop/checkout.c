/* checkout.c - turns an order into a price and a reservation, and splits its time between the two
 * as shop.proto declares it. */
#include "common.h"
#include "shop/v1/shop.stint.h"

struct checkout {
    struct shop_service service;
    stint_channel *pricing;
    stint_channel *stock;
};

static stint_code quote(struct checkout *c, const stint_ctx *ctx, const Shop__V1__OrderRequest *req,
                        int64_t *ret_cents, stint_error *err)
{
    Shop__V1__QuoteRequest ask = SHOP__V1__QUOTE_REQUEST__INIT;
    Shop__V1__QuoteReply *rep = NULL;
    stint_code code;

    ask.sku = req->sku;
    ask.quantity = req->quantity;
    code = shop_v1_pricing_quote(ctx, c->pricing, &ask, &rep, err);
    if (code == STINT_OK)
        *ret_cents = rep->cents;
    shop__v1__quote_reply__free_unpacked(rep, NULL);
    return code;
}

static stint_code reserve(struct checkout *c, const stint_ctx *ctx,
                          const Shop__V1__OrderRequest *req, stint_error *err)
{
    Shop__V1__ReserveRequest ask = SHOP__V1__RESERVE_REQUEST__INIT;
    Shop__V1__ReserveReply *rep = NULL;
    stint_code code;

    ask.sku = req->sku;
    ask.quantity = req->quantity;
    code = shop_v1_stock_reserve(ctx, c->stock, &ask, &rep, err);
    shop__v1__reserve_reply__free_unpacked(rep, NULL);
    return code;
}

static stint_code buy(void *self, const stint_ctx *ctx, const Shop__V1__OrderRequest *req,
                      Shop__V1__OrderReply *rep, stint_call *call)
{
    struct checkout *c = self;
    stint_error err;
    stint_code code;

    code = shop_work(&c->service, ctx, call);
    if (code != STINT_OK)
        return code;
    SHOP_V1_CHECKOUT_BUY_BUDGET(budget, ctx);
    if (quote(c, shop_v1_checkout_buy_leg_quote(&budget), req, &rep->cents, &err) != STINT_OK ||
        reserve(c, shop_v1_checkout_buy_leg_reserve(&budget), req, &err) != STINT_OK)
        return shop_give_up(&c->service, ctx, call, &err);
    rep->order_id = stint_call_strdup(call, shop_request_id(ctx));
    return STINT_OK;
}

int main(int argc, char **argv)
{
    static const struct shop_program program = {
        .name = "checkout",
        .about = "Prices orders and reserves the stock for them.",
        .peers = {"pricing", "stock"},
    };
    static const shop_v1_checkout_ops ops = {.buy = buy};
    struct checkout c = {0};
    stint_error err;
    int status;

    shop_init(&c.service, &program, argc, argv);
    shop_require(&c.service, shop_v1_checkout_register(c.service.server, &ops, &c, &err), &err);
    c.pricing = shop_connect(&c.service, "pricing");
    c.stock = shop_connect(&c.service, "stock");
    status = shop_serve(&c.service);
    stint_channel_close(c.stock);
    stint_channel_close(c.pricing);
    return status;
}

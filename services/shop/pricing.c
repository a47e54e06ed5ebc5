/* pricing.c - knows what things cost. */
#include <string.h>

#include "common.h"
#include "shop/v1/shop.stint.h"

static const struct price {
    const char *sku;
    int64_t cents;
} prices[] = {{"teapot", 1890}, {"cup", 450}, {"spoon", 120}};

static const struct price *find_price(const char *sku)
{
    for (size_t i = 0; i < sizeof(prices) / sizeof(prices[0]); i++)
        if (strcmp(prices[i].sku, sku) == 0)
            return &prices[i];
    return NULL;
}

static stint_code quote(void *self, const stint_ctx *ctx, const Shop__V1__QuoteRequest *req,
                        Shop__V1__QuoteReply *rep, stint_call *call)
{
    const struct shop_service *service = self;
    const struct price *price = find_price(req->sku);
    stint_code code;

    if (price == NULL)
        return stint_call_fail(call, STINT_NOT_FOUND, "no price for '%s'", req->sku);
    code = shop_work(service, ctx, call);
    if (code != STINT_OK)
        return code;
    rep->cents = price->cents * (int64_t)req->quantity;
    return STINT_OK;
}

int main(int argc, char **argv)
{
    static const struct shop_program program = {
        .name = "pricing",
        .about = "Knows what things cost.",
    };
    static const shop_v1_pricing_ops ops = {.quote = quote};
    struct shop_service service;
    stint_error err;

    shop_init(&service, &program, argc, argv);
    shop_require(&service, shop_v1_pricing_register(service.server, &ops, &service, &err), &err);
    return shop_serve(&service);
}

/* stock_client - calls the shop's stock service, for tests.
 *
 *   stock_client URL reserve REQUEST_ID    takes one cup in the name of that request
 *   stock_client URL audit                 prints "orders N repeated N"
 *
 * Exit status: 0 if the call ended OK; else it prints the code and the text. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shop/v1/shop.stint.h"

static stint_code reserve(const stint_ctx *ctx, stint_channel *ch, const char *request_id,
                          stint_error *err)
{
    char sku[] = "cup";
    Shop__V1__ReserveRequest req = SHOP__V1__RESERVE_REQUEST__INIT;
    Shop__V1__ReserveReply *rep = NULL;
    stint_request_info info = stint_request_info_new();
    stint_ctx *named;
    stint_code code;

    snprintf(info.request_id, sizeof(info.request_id), "%s", request_id);
    named = stint_ctx_with_request_info(ctx, &info);
    req.sku = sku;
    req.quantity = 1;
    code = shop_v1_stock_reserve(named, ch, &req, &rep, err);
    if (code == STINT_OK)
        printf("left %u\n", rep->left);
    shop__v1__reserve_reply__free_unpacked(rep, NULL);
    stint_ctx_drop(named);
    return code;
}

static stint_code audit(const stint_ctx *ctx, stint_channel *ch, stint_error *err)
{
    Shop__V1__AuditRequest req = SHOP__V1__AUDIT_REQUEST__INIT;
    Shop__V1__AuditReply *rep = NULL;
    stint_code code = shop_v1_stock_audit(ctx, ch, &req, &rep, err);

    if (code == STINT_OK)
        printf("orders %" PRIu64 " repeated %" PRIu64 "\n", rep->orders, rep->repeated);
    shop__v1__audit_reply__free_unpacked(rep, NULL);
    return code;
}

int main(int argc, char **argv)
{
    stint_ctx *ctx = stint_ctx_with_timeout(stint_ctx_background(), STINT_SECONDS(20));
    stint_channel *ch = NULL;
    stint_error err = STINT_ERROR_INIT;
    stint_code code = STINT_INVALID_ARGUMENT;

    if (argc < 3) {
        fprintf(stderr, "usage: stock_client URL reserve REQUEST_ID | URL audit\n");
        return 2;
    }
    code = stint_channel_open(&ch, argv[1], NULL, &err);
    if (code == STINT_OK)
        code = stint_channel_wait_ready(ctx, ch, &err);
    if (code == STINT_OK)
        code = argc == 4 ? reserve(ctx, ch, argv[3], &err) : audit(ctx, ch, &err);
    if (code != STINT_OK)
        printf("%s: %s\n", stint_code_name(code), err.message);
    stint_channel_close(ch);
    stint_ctx_drop(ctx);
    return code == STINT_OK ? 0 : 1;
}

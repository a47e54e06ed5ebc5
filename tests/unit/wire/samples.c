/* samples.c - messages with something in every field. */
#include "samples.h"

#include <stdlib.h>

#include "envelope.h"
#include "ledger.h"

#define BYTES(literal)                                                                             \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

static stint_metadata *sample_metadata(void)
{
    stint_metadata *md = stint_metadata_new();
    if (md == NULL || stint_metadata_add(md, "key", "value", 5, NULL) != STINT_OK ||
        stint_metadata_add(md, "empty", NULL, 0, NULL) != STINT_OK)
        abort();
    return md;
}

struct bytes sample_ledger(void)
{
    const stint_ledger_entry entries[] = {
        {
            .service = "checkout",
            .code = STINT_UNAVAILABLE,
            .had = STINT_US(50000),
            .queue = STINT_US(127),
            .handler = STINT_US(45678),
        },
        {
            .depth = 1,
            .state = STINT_LEDGER_NO_REPLY,
            .code = STINT_DEADLINE_EXCEEDED,
            .service = "st\xc3\xb6"
                       "ck",
            .method = "shop.v1.Stock/Reserve",
            .target = "ipc:///run/stock",
            .start = STINT_US(1),
            .elapsed = STINT_US(300),
            .transit = STINT_US(3),
            .outbound = STINT_US(2),
            .retries = 2,
            .backoff = STINT_US(4),
            .queue = STINT_US(5),
            .handler = STINT_US(6),
            .reserve = STINT_US(7),
        },
    };
    size_t size = stint__ledger_entry_size(&entries[0]) + stint__ledger_entry_size(&entries[1]) +
                  stint__ledger_dropped_size(9);
    struct bytes b = {.data = malloc(size), .len = size, .size = size};
    if (b.data == NULL)
        abort();
    uint8_t *out = stint__ledger_encode_entry(&entries[0], b.data);
    out = stint__ledger_encode_entry(&entries[1], out);
    stint__ledger_encode_dropped(9, out);
    return b;
}

struct bytes sample_frame(void)
{
    stint_metadata *md = sample_metadata();
    struct bytes ledger = sample_ledger();
    const struct stint__envelope e = {
        .kind = STINT__KIND_REPLY,
        .features = STINT__FEATURES_ALL,
        .call_id = 77777,
        .method = BYTES("shop.v1.Pricing/Quote"),
        .has_budget = true,
        .budget_us = 1000000,
        .trace_id = (const uint8_t *)"0123456789abcdef",
        .span_id = (const uint8_t *)"\1\2\3\4\5\6\7\10",
        .request_id = BYTES("request"),
        .hop = 3,
        .attempt = 1,
        .criticality = 4,
        .sent_boottime_ns = 123456789,
        .boot_domain = 42,
        .max_message = 4096,
        .want_ledger = true,
        .metadata = md,
        .code = STINT_ABORTED,
        .reason = STINT_REASON_QUEUE_FULL,
        .message = BYTES("not now \xe2\x82\xac"),
        .details = BYTES("\0\xff"),
        .not_executed = true,
        .pushback_us = 500,
        .needed_us = 600,
        .ledger = bytes_slice(&ledger),
        .has_payload = true,
        .payload = BYTES("payload"),
    };
    size_t size = stint__envelope_header_size(&e);
    struct bytes b = {.data = malloc(size), .len = size, .size = size};
    if (b.data == NULL)
        abort();
    stint__envelope_encode_header(&e, b.data);
    bytes_put(&b, e.payload.data, e.payload.len);
    stint_metadata_free(md);
    bytes_free(&ledger);
    return b;
}

struct bytes sample_tree(void)
{
    struct bytes leaf = {0};
    bytes_put_text(&leaf, TEXT, "leaf \xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\xb3");
    bytes_put_text(&leaf, TEXTS, "");
    struct bytes name = {0};
    bytes_put_text(&name, 1, "oak");
    struct bytes b = {0};
    bytes_put_field(&b, CHILD, leaf.data, leaf.len);
    for (int i = 0; i < 20; i++) {
        bytes_put_field(&b, CHILDREN, leaf.data, leaf.len);
        bytes_put_text(&b, TEXTS, "many");
        bytes_put_uint(&b, LOOSE, 7);
        bytes_put_field(&b, BLOBS, "\0\xff", 2);
    }
    bytes_put_text(&b, TEXT, "root");
    bytes_put_text(&b, RIGHT, "given up for");
    bytes_put_field(&b, LEFT, leaf.data, leaf.len);
    bytes_put_field(&b, NUMBERS, "\1\2\3\xac\2", 5);
    bytes_put_field(&b, DATA, "\0data", 5);
    bytes_put_text(&b, PRESET, "set");
    bytes_put_field(&b, NAME, name.data, name.len);
    bytes_put_field(&b, MERGED, "\x0a\x02\x01\x02", 4);
    bytes_put_field(&b, MERGED, "\x0a\x01\x03", 3);
    bytes_put_text(&b, UNKNOWN, "kept as it is");
    bytes_free(&leaf);
    bytes_free(&name);
    return b;
}

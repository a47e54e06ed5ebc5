/* ledger_test.c - the ledger of a reply: its bytes, what is refused, and protobuf's own code
 * beside ours. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "envelope_pb.h"
#include "ledger.h"
#include "samples.h"

#define ROUNDS 3000

/* ---- golden bytes ---- */

static void an_entry_has_these_bytes(void **state)
{
    (void)state;
    static const uint8_t golden[] = "\x0a\x10"      /* entries: 16 bytes */
                                    "\x18\x04"      /* code: DEADLINE_EXCEEDED */
                                    "\x22\x05stock" /* service */
                                    "\x68\x32"      /* had_us: 50 */
                                    "\x70\x29"      /* queue_us: 41 */
                                    "\x80\x01\x02"  /* reserve_us: 2 */
                                    "\x10\x03";     /* dropped: 3 */
    const stint_ledger_entry e = {
        .code = STINT_DEADLINE_EXCEEDED,
        .service = "stock",
        .had = STINT_US(50),
        .queue = STINT_US(41) + 999, /* rounded down */
        .handler = 999,
        .reserve = STINT_US(2),
    };
    uint8_t out[sizeof golden - 1];
    size_t size = stint__ledger_entry_size(&e);
    assert_int_equal(size + stint__ledger_dropped_size(3), sizeof out);
    assert_ptr_equal(stint__ledger_encode_entry(&e, out), out + size);
    assert_ptr_equal(stint__ledger_encode_dropped(3, out + size), out + sizeof out);
    assert_memory_equal(out, golden, sizeof out);
}

static void without_a_deadline_nothing_is_said_of_it(void **state)
{
    (void)state;
    const stint_ledger_entry e = {.had = STINT_DURATION_FOREVER};
    uint8_t out[2];
    assert_int_equal(stint__ledger_entry_size(&e), sizeof out);
    stint__ledger_encode_entry(&e, out);
    assert_memory_equal(out, "\x0a\x00", 2);
    struct stint__ledger_reader r;
    struct stint__ledger_raw raw;
    const char *problem;
    stint__ledger_reader_init(&r, (struct stint__slice){out, sizeof out});
    assert_int_equal(stint__ledger_next(&r, &raw, &problem), 1);
    assert_int_equal(raw.entry.had, STINT_DURATION_FOREVER);
    assert_int_equal(stint__ledger_next(&r, &raw, &problem), 0);
    assert_int_equal(r.dropped, 0);
}

/* ---- what is refused ---- */

static void put_entry(struct bytes *b, const char *bytes, size_t len)
{
    bytes_put_field(b, 1, bytes, len);
}

/* Refused, with this text; frees the bytes. */
static void refused(struct bytes b, const char *why)
{
    struct stint__ledger_reader r;
    struct stint__ledger_raw raw;
    const char *problem = NULL;
    int more;
    stint__ledger_reader_init(&r, bytes_slice(&b));
    while ((more = stint__ledger_next(&r, &raw, &problem)) > 0)
        ;
    assert_int_equal(more, -1);
    assert_string_equal(problem, why);
    bytes_free(&b);
}

static struct bytes with_entry(const char *bytes, size_t len)
{
    struct bytes b = {0};
    put_entry(&b, bytes, len);
    return b;
}

static void trees_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const char why[] = "an entry has a depth that cannot be";
    refused((struct bytes){0}, "there are no entries");
    refused(with_entry("\x08\x01", 2), why); /* the first is not the answered call's */
    struct bytes two_roots = with_entry("", 0);
    put_entry(&two_roots, "", 0);
    refused(two_roots, why);
    struct bytes gap = with_entry("", 0);
    put_entry(&gap, "\x08\x02", 2);
    refused(gap, why);
    struct bytes deep = {0};
    for (int depth = 0; depth <= STINT_LEDGER_MAX; depth++)
        put_entry(&deep, (char[]){8, (char)depth}, 2);
    refused(deep, "there are too many entries"); /* of them there can be no more than depths */
    struct bytes wide = with_entry("", 0);
    for (int i = 0; i < STINT_LEDGER_MAX; i++)
        put_entry(&wide, "\x08\x01", 2);
    refused(wide, "there are too many entries");
}

static void names_that_are_none_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t number;
        size_t most;
    } names[] = {{4, 63}, {5, 255}, {6, 127}};
    char text[257];
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < 3; i++) {
        struct bytes e = {0};
        bytes_put_field(&e, names[i].number, text, names[i].most);
        struct bytes fits = with_entry((const char *)e.data, e.len);
        assert_true(ledger_is_sound(bytes_slice(&fits)));
        bytes_free(&fits);
        bytes_free(&e);
        e = (struct bytes){0};
        bytes_put_field(&e, names[i].number, text, names[i].most + 1);
        refused(with_entry((const char *)e.data, e.len), "a name is too long");
        bytes_free(&e);
    }
    refused(with_entry("\x22\x02\xc3\x28", 4), "a name is not UTF-8 or holds a NUL");
    refused(with_entry("\x22\x02x\0", 4), "a name is not UTF-8 or holds a NUL");
}

static void bytes_that_are_no_ledger_are_refused(void **state)
{
    (void)state;
    refused(with_entry("\x18\x01\x18\x01", 4), "a field is there twice");
    refused(with_entry("\x1a\x01x", 3), "a field has a wrong wire type");
    refused(with_entry("\x18", 1), "is cut short");
    refused(with_entry("\x08\x80\x80\x80\x80\x10", 6), "a number is out of range");
    struct bytes b = {0};
    bytes_put_uint(&b, 1, 1);
    refused(b, "an entry has a wrong wire type");
    b = with_entry("", 0);
    bytes_put_uint(&b, 2, 1);
    bytes_put_uint(&b, 2, 1);
    refused(b, "the number of dropped entries has a wrong wire type, or is there twice");
    b = with_entry("", 0);
    bytes_put_uint(&b, 2, UINT64_C(1) << 32);
    refused(b, "the number of dropped entries is out of range");
    b = with_entry("", 0);
    b.len--;
    refused(b, "has no valid length");
}

static void what_a_later_version_adds_is_skipped(void **state)
{
    (void)state;
    struct bytes e = {0};
    bytes_put_uint(&e, 2, 77); /* a state that is not known yet */
    bytes_put_uint(&e, 3, 77); /* a code */
    bytes_put_text(&e, 17, "more");
    bytes_put_uint(&e, 536870911, 1);
    struct bytes b = with_entry((const char *)e.data, e.len);
    bytes_put_text(&b, 3, "more");
    struct stint__ledger_reader r;
    struct stint__ledger_raw raw;
    const char *problem;
    stint__ledger_reader_init(&r, bytes_slice(&b));
    assert_int_equal(stint__ledger_next(&r, &raw, &problem), 1);
    assert_int_equal(raw.entry.state, STINT_LEDGER_OPAQUE);
    assert_int_equal(raw.entry.code, STINT_UNKNOWN);
    assert_int_equal(stint__ledger_next(&r, &raw, &problem), 0);
    bytes_free(&e);
    bytes_free(&b);
}

/* What is added up of a hostile ledger does not overflow. */
static void spans_are_bounded(void **state)
{
    (void)state;
    struct bytes e = {0};
    for (uint32_t number = 7; number <= 16; number++)
        if (number != 11)
            bytes_put_uint(&e, number, UINT64_MAX);
    struct bytes b = with_entry((const char *)e.data, e.len);
    struct stint__ledger_reader r;
    struct stint__ledger_raw raw;
    const char *problem;
    stint__ledger_reader_init(&r, bytes_slice(&b));
    assert_int_equal(stint__ledger_next(&r, &raw, &problem), 1);
    assert_true(raw.entry.used > 0 && raw.entry.used == 2 * raw.entry.queue);
    assert_true(raw.entry.start + raw.entry.elapsed + raw.entry.transit > 0);
    bytes_free(&e);
    bytes_free(&b);
}

/* ---- random, cut and corrupted ---- */

/* splitmix64 with a fixed seed. */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static stint_duration any_span(uint64_t *r)
{
    return next(r) % 3 == 0 ? 0 : (stint_duration)(next(r) >> (next(r) % 50 + 14)) / 1000 * 1000;
}

static stint_ledger_entry any_entry(uint64_t *r, uint32_t depth)
{
    static const char *const texts[] = {NULL, "", "x", "shop.v1.Stock/Reserve"};
    return (stint_ledger_entry){
        .depth = depth,
        .state = (stint_ledger_state)(next(r) % 5),
        .code = (stint_code)(next(r) % 17),
        .service = texts[next(r) % 4],
        .method = texts[next(r) % 4],
        .target = texts[next(r) % 4],
        .start = any_span(r),
        .elapsed = any_span(r),
        .transit = any_span(r),
        .outbound = any_span(r),
        .retries = (uint32_t)(next(r) % 300),
        .backoff = any_span(r),
        .had = next(r) % 3 == 0 ? STINT_DURATION_FOREVER : any_span(r),
        .queue = any_span(r),
        .handler = any_span(r),
        .reserve = any_span(r),
    };
}

static struct bytes any_ledger(uint64_t *r)
{
    struct bytes b = {0};
    uint32_t depth = 0;
    size_t n = 1 + next(r) % STINT_LEDGER_MAX;
    uint8_t out[512];
    for (size_t i = 0; i < n; i++) {
        stint_ledger_entry e = any_entry(r, depth);
        bytes_put(&b, out, (size_t)(stint__ledger_encode_entry(&e, out) - out));
        depth = 1 + (uint32_t)(next(r) % (depth + 1));
    }
    uint32_t dropped = (uint32_t)(next(r) % 3);
    bytes_put(&b, out, (size_t)(stint__ledger_encode_dropped(dropped, out) - out));
    return b;
}

static void assert_protobuf_agrees(struct stint__slice bytes)
{
    Stint__Rpc__V1__Ledger *pb = stint__rpc__v1__ledger__unpack(NULL, bytes.len, bytes.data);
    assert_non_null(pb);
    assert_true(ledger_is_same(bytes, pb));
    stint__rpc__v1__ledger__free_unpacked(pb, NULL);
}

static void what_we_encode_we_and_protobuf_decode(void **state)
{
    (void)state;
    uint64_t r = 1;
    for (int i = 0; i < ROUNDS; i++) {
        struct bytes b = any_ledger(&r);
        assert_true(ledger_is_sound(bytes_slice(&b)));
        assert_protobuf_agrees(bytes_slice(&b));
        bytes_free(&b);
    }
}

/* Whatever we still read of corrupted bytes, protobuf reads alike. */
static void corrupted_ledgers_are_refused_or_read_alike(void **state)
{
    (void)state;
    uint64_t r = 2;
    int read = 0;
    for (int i = 0; i < 20 * ROUNDS; i++) {
        struct bytes b = sample_ledger();
        b.data[next(&r) % b.len] = (uint8_t)next(&r);
        if (next(&r) % 4 == 0)
            b.len = next(&r) % b.len;
        if (ledger_is_sound(bytes_slice(&b))) {
            assert_protobuf_agrees(bytes_slice(&b));
            read++;
        }
        bytes_free(&b);
    }
    assert_in_range(read, ROUNDS, 19 * ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_has_these_bytes),
        cmocka_unit_test(without_a_deadline_nothing_is_said_of_it),
        cmocka_unit_test(trees_that_cannot_be_are_refused),
        cmocka_unit_test(names_that_are_none_are_refused),
        cmocka_unit_test(bytes_that_are_no_ledger_are_refused),
        cmocka_unit_test(what_a_later_version_adds_is_skipped),
        cmocka_unit_test(spans_are_bounded),
        cmocka_unit_test(what_we_encode_we_and_protobuf_decode),
        cmocka_unit_test(corrupted_ledgers_are_refused_or_read_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

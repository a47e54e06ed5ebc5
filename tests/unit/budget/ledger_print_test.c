/* ledger_print_test.c - the waterfall, letter by letter; at any size; and with names that a
 * stranger chose. */
#include "ctx_unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ledger_list.h"

/* NOLINTBEGIN(concurrency-mt-unsafe,misc-misleading-bidirectional,
 * bugprone-implicit-widening-of-multiplication-result): there is one thread; a name that misleads
 * is what is tested; and the numbers are small. */

/* Milliseconds, with parts. */
#define SPAN(ms) STINT_US((ms)*1000)

/* The shop, whose stock takes all there is. */
static stint_ledger *shop(void)
{
    static const stint_ledger_entry entries[] = {
        {.service = "gateway",
         .method = "shop.v1.Gateway/PlaceOrder",
         .target = "ipc:///run/gateway",
         .code = STINT_UNAVAILABLE,
         .elapsed = SPAN(249.1),
         .transit = SPAN(0.6),
         .outbound = SPAN(0.3),
         .had = SPAN(249.7),
         .used = SPAN(248.5),
         .queue = SPAN(0.2),
         .handler = SPAN(248.3)},
        {.depth = 1,
         .service = "checkout",
         .method = "shop.v1.Checkout/Buy",
         .code = STINT_UNAVAILABLE,
         .start = SPAN(0.5),
         .elapsed = SPAN(247.5),
         .transit = SPAN(0.6),
         .outbound = SPAN(0.3),
         .had = STINT_DURATION_FOREVER,
         .used = SPAN(246.9),
         .queue = SPAN(0.2),
         .handler = SPAN(246.7)},
        {.depth = 2,
         .service = "pricing",
         .method = "shop.v1.Pricing/Quote",
         .start = SPAN(0.5),
         .elapsed = SPAN(50.5),
         .transit = SPAN(0.6),
         .outbound = SPAN(0.3),
         .had = SPAN(98.7),
         .used = SPAN(49.9),
         .queue = SPAN(29.2),
         .handler = SPAN(20.7)},
        {.depth = 2,
         .service = "stock",
         .method = "shop.v1.Stock/Reserve",
         .code = STINT_DEADLINE_EXCEEDED,
         .start = SPAN(52),
         .elapsed = SPAN(193.5),
         .transit = SPAN(0.6),
         .outbound = SPAN(0.3),
         .had = SPAN(192.7),
         .used = SPAN(192.9),
         .queue = SPAN(0.2),
         .handler = SPAN(192.7),
         .retries = 2},
        {.depth = 1,
         .state = STINT_LEDGER_NO_REPLY,
         .method = "shop.v1.Audit/Write",
         .target = "ipc:///run/audit",
         .code = STINT_DEADLINE_EXCEEDED,
         .start = SPAN(100),
         .elapsed = SPAN(100)},
    };
    stint_ledger *l = stint__ledger_new(STINT_LEDGER_MAX);
    assert_non_null(l);
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
        stint__ledger_add(l, &entries[i]);
    l->dropped = 3;
    return l;
}

/* Frees the ledger. */
static void looks(stint_ledger *l, const stint_ledger_style *style, const char *golden)
{
    char text[8192];
    size_t n = stint_ledger_format(l, style, text, sizeof text);
    assert_string_equal(text, golden);
    assert_int_equal(n, strlen(golden));
    stint__ledger_free(l);
}

/* clang-format off: as it is seen */

static void plain_in_80_columns(void **state)
{
    (void)state;
    looks(shop(), NULL,
          "shop.v1.Gateway/PlaceOrder: UNAVAILABLE after 249.1 ms\n"
          "hop                  0                        249.1 ms     had    used  itself\n"
          "gateway PlaceOrder   ---------------------------------   249.7   248.5     1.6\n"
          "  checkout Buy       ---------------------------------       -   246.9     3.5\n"
          "    pricing Quote    ====###                              98.7    49.9    50.5\n"
          "    stock Reserve +2        ##########################   192.7   192.9   193.5 <\n"
          "  Audit/Write                     ??????????????             -       -   100.0\n"
          "... 3 calls not shown: the deepest are left out first\n"
          "= queue   # handler   - waiting for calls below   ? no word\n"
          "most of it: 192.7 ms in the handler of stock (shop.v1.Stock/Reserve)\n");
}

static void in_utf8_with_room_at_the_left(void **state)
{
    (void)state;
    looks(shop(), STINT_LEDGER_STYLE(.look = STINT_LEDGER_LOOK_UTF8, .width = 100, .indent = 3),
          "   shop.v1.Gateway/PlaceOrder: UNAVAILABLE after 249.1 ms\n"
          "   hop                  0                                         249.1 ms     had    "
          "used  itself\n"
          "   gateway PlaceOrder   ──────────────────────────────────────────────────   249.7   "
          "248.5     1.6\n"
          "     checkout Buy       ──────────█──────────────────────────────────────█       -   "
          "246.9     3.5\n"
          "       pricing Quote    ▒▒▒▒▒▒████                                            98.7    "
          "49.9    50.5\n"
          "       stock Reserve +2            ██████████████████████████████████████    192.7   "
          "192.9   193.5 ◀\n"
          "     Audit/Write                            ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌                 -      "
          " -   100.0\n"
          "   … 3 calls not shown: the deepest are left out first\n"
          "   ▒ queue   █ handler   ─ waiting for calls below   ╌ no word\n"
          "   most of it: 192.7 ms in the handler of stock (shop.v1.Stock/Reserve)\n");
}

static void in_colour_where_it_is_narrow(void **state)
{
    (void)state;
    looks(
        shop(), STINT_LEDGER_STYLE(.look = STINT_LEDGER_LOOK_COLOUR, .width = 10),
        "\033[1mshop.v1.Gateway/PlaceOrder: UNAVAILABLE after 249.1 ms\033[0m\n"
        "\033[2mhop                  0    249.1 ms     had    used  itself\033[0m\n"
        "gateway PlaceOrder   \033[2m─────────────\033[0m   249.7   248.5     1.6\n"
        "  checkout Buy       \033[2m─────────────\033[0m       -   246.9     3.5\n"
        "    pricing Quote    \033[33m▒▒\033[0m\033[32m█\033[0m              98.7    49.9    50.5\n"
        "    stock Reserve +2    \033[32m██████████\033[0m   192.7   192.9\033[1;31m   193.5 "
        "◀\033[0m\n"
        "  Audit/Write             \033[35m╌╌╌╌╌\033[0m          -       -   100.0\n"
        "… 3 calls not shown: the deepest are left out first\n"
        "\033[33m▒\033[0m queue   \033[32m█\033[0m handler   \033[2m─\033[0m waiting for calls "
        "below   \033[35m╌\033[0m no word\n"
        "most of it: \033[1;31m192.7\033[0m ms in the handler of stock (shop.v1.Stock/Reserve)\n");
}

/* clang-format on */

static void places_follow_the_whole(void **state)
{
    (void)state;
    stint_ledger *l = stint__ledger_new(STINT_LEDGER_MAX);
    stint__ledger_add(l, &(stint_ledger_entry){.service = "echo",
                                               .method = "a.Echo/Say",
                                               .elapsed = 123456,
                                               .transit = 23456,
                                               .outbound = 11728,
                                               .had = STINT_DURATION_FOREVER,
                                               .used = 100000,
                                               .handler = 100000});
    char text[2048];
    stint_ledger_format(l, NULL, text, sizeof text);
    assert_non_null(strstr(text, "a.Echo/Say: OK after 0.123 ms\n"));
    assert_non_null(strstr(text, "       -   0.100   0.123 <\n"));
    assert_non_null(strstr(text, "most of it: 0.100 ms in the handler of echo (a.Echo/Say)\n"));
    stint__ledger_free(l);
}

static void what_is_known_of_the_slowest_is_said(void **state)
{
    (void)state;
    static const struct {
        stint_ledger_entry entry;
        const char *verdict;
    } cases[] = {
        {{.service = "s", .queue = SPAN(6), .handler = SPAN(3)},
         "6.000 ms in the queue of s (a.B/C)"},
        {{.service = "s", .transit = SPAN(9)}, "9.000 ms on the way to and from s (a.B/C)"},
        {{.state = STINT_LEDGER_OPAQUE},
         "9.000 ms until an answer, which does not say on what, from mem://s (a.B/C)"},
        {{.state = STINT_LEDGER_NO_REPLY}, "9.000 ms without a reply from mem://s (a.B/C)"},
        {{.state = STINT_LEDGER_NOT_SENT}, "9.000 ms waiting to be sent to mem://s (a.B/C)"},
        {{.state = STINT_LEDGER_UNDER_WAY}, "9.000 ms without a reply yet from mem://s (a.B/C)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stint_ledger_entry e = cases[i].entry;
        e.method = "a.B/C";
        e.target = "mem://s";
        e.elapsed = SPAN(9);
        e.used = e.queue + e.handler;
        stint_ledger *l = stint__ledger_new(STINT_LEDGER_MAX);
        stint__ledger_add(l, &e);
        char text[2048];
        stint_ledger_format(l, NULL, text, sizeof text);
        assert_non_null(strstr(text, cases[i].verdict));
        stint__ledger_free(l);
    }
}

/* ---- any size ---- */

static void a_text_that_is_cut_ends_with_a_line(void **state)
{
    (void)state;
    stint_ledger *l = shop();
    char whole[4096], part[4096];
    size_t n = stint_ledger_format(l, NULL, whole, sizeof whole);
    assert_int_equal(stint_ledger_format(l, NULL, NULL, 0), n);
    for (size_t size = 1; size <= n + 1; size++) {
        memset(part, 'x', sizeof part);
        assert_int_equal(stint_ledger_format(l, NULL, part, size), n);
        size_t len = strlen(part);
        assert_true(len < size);
        assert_memory_equal(part, whole, len);
        assert_true(len == 0 || part[len - 1] == '\n');
        assert_int_equal(part[size], 'x');
    }
    assert_string_equal(part, whole);
    stint__ledger_free(l);
}

static size_t columns_of(const char *line, size_t len)
{
    size_t columns = 0;
    for (size_t i = 0; i < len; i++)
        columns += ((unsigned char)line[i] & 0xC0) != 0x80;
    return columns;
}

/* Rows, that is; the first and the last line end when they have said what they say. */
static void no_row_is_wider_than_asked(void **state)
{
    (void)state;
    stint_ledger *l = shop();
    for (unsigned width = 60; width <= 210; width++) {
        char text[8192];
        stint_ledger_format(l,
                            STINT_LEDGER_STYLE(.look = STINT_LEDGER_LOOK_UTF8, .width = width,
                                               .indent = width % 17),
                            text, sizeof text);
        const char *row = strchr(text, '\n') + 1;
        for (int i = 0; i < 6; i++) {
            size_t len = strcspn(row, "\n");
            assert_true(columns_of(row, len) <= (width < 200 ? width : 200));
            row += len + 1;
        }
    }
    stint__ledger_free(l);
}

/* ---- what a stranger may write ---- */

static void names_cannot_break_the_terminal(void **state)
{
    (void)state;
    static const char evil[] = "a\033[2J\r\n\t\x7f\xc2\x9b\xe2\x80\xae\xcc\x81\xff\xe2\x82";
    for (int look = STINT_LEDGER_LOOK_ASCII; look <= STINT_LEDGER_LOOK_UTF8; look++) {
        stint_ledger *l = stint__ledger_new(STINT_LEDGER_MAX);
        stint__ledger_add(l,
                          &(stint_ledger_entry){.service = evil, .method = evil, .target = evil});
        char text[2048];
        stint_ledger_format(l, STINT_LEDGER_STYLE(.look = (stint_ledger_look)look), text,
                            sizeof text);
        assert_non_null(strstr(text, "a?[2J????????"));
        size_t lines = 0;
        for (const char *c = text; *c != '\0'; c++) {
            lines += *c == '\n';
            assert_true(*c == '\n' || (unsigned char)*c >= ' ');
            assert_true(look != STINT_LEDGER_LOOK_ASCII || (unsigned char)*c < 0x7f);
        }
        assert_int_equal(lines, 5);
        stint__ledger_free(l);
    }
}

/* All that fits on the wire, in every member: nothing overflows, nothing is out of bounds. */
static void absurd_claims_are_drawn_somehow(void **state)
{
    (void)state;
    stint_ledger *l = stint__ledger_new(STINT_LEDGER_MAX);
    char name[64];
    memset(name, 'n', sizeof name - 1);
    name[63] = '\0';
    for (uint32_t i = 0; i < STINT_LEDGER_MAX; i++) {
        stint_duration d = INT64_MAX / 4 >> (i % 3 * 20);
        stint__ledger_add(l, &(stint_ledger_entry){.depth = i,
                                                   .service = name,
                                                   .method = name,
                                                   .elapsed = i == 0 ? SPAN(5) : d,
                                                   .start = d,
                                                   .outbound = i == 0 ? 0 : d / 2,
                                                   .queue = d / 2,
                                                   .handler = d / 2,
                                                   .used = d,
                                                   .had = d,
                                                   .retries = UINT32_MAX});
    }
    size_t n = stint_ledger_format(
        l, STINT_LEDGER_STYLE(.look = STINT_LEDGER_LOOK_COLOUR, .width = 200), NULL, 0);
    assert_true(n > 64 * 60);
    stint__ledger_free(l);
}

/* ---- to a file ---- */

static void print_to(FILE *f, char *text, size_t size)
{
    stint_ledger *l = shop();
    rewind(f);
    assert_int_equal(stint_ledger_print(l, NULL, f), STINT_OK);
    rewind(f);
    text[fread(text, 1, size - 1, f)] = '\0';
    stint__ledger_free(l);
}

/* It may have been compiled with a later version's headers, or an earlier one's. */
static void a_style_may_be_of_another_version(void **state)
{
    (void)state;
    struct {
        stint_ledger_style known;
        uint64_t more[4];
    } later = {.known = {.size = sizeof later, .indent = 2}};
    const stint_ledger_style earlier = {.size = offsetof(stint_ledger_style, width)};
    const stint_ledger_style *const styles[] = {&later.known, &earlier};
    stint_ledger *l = shop();
    setenv("COLUMNS", "90", 1);
    for (size_t i = 0; i < 2; i++) {
        char want[4096], got[4096];
        FILE *f = tmpfile();
        assert_non_null(f);
        stint_ledger_format(l, STINT_LEDGER_STYLE(.width = 90, .indent = i == 0 ? 2 : 0), want,
                            sizeof want);
        assert_int_equal(stint_ledger_print(l, styles[i], f), STINT_OK);
        rewind(f);
        got[fread(got, 1, sizeof got - 1, f)] = '\0';
        assert_string_equal(got, want);
        fclose(f);
    }
    unsetenv("COLUMNS");
    stint__ledger_free(l);
}

static void a_file_gets_plain_text_in_the_columns_asked_for(void **state)
{
    (void)state;
    stint_ledger *l = shop();
    char want[4096], got[4096];
    FILE *f = tmpfile();
    assert_non_null(f);
    unsetenv("COLUMNS");
    stint_ledger_format(l, NULL, want, sizeof want);
    print_to(f, got, sizeof got);
    assert_string_equal(got, want);
    setenv("COLUMNS", "120", 1);
    stint_ledger_format(l, STINT_LEDGER_STYLE(.width = 120), want, sizeof want);
    print_to(f, got, sizeof got);
    assert_string_equal(got, want);
    unsetenv("COLUMNS");
    fclose(f);
    stint__ledger_free(l);
}

/* A root directory of its own (a chroot, a container) may have no terminals. */
static bool terminals_exist(void)
{
    char name[64];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    bool exist = master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0 &&
                 ptsname_r(master, name, sizeof name) == 0 && access(name, R_OK | W_OK) == 0;
    if (master >= 0)
        close(master);
    return exist;
}

/* What a terminal of 90 columns gets. */
static void print_to_terminal(char *text, size_t size)
{
    stint_ledger *l = shop();
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    char name[64];
    assert_int_equal(ptsname_r(master, name, sizeof name), 0);
    FILE *f = fopen(name, "we");
    assert_non_null(f);
    const struct winsize columns = {.ws_col = 90, .ws_row = 40};
    assert_int_equal(ioctl(master, TIOCSWINSZ, &columns), 0);
    assert_int_equal(stint_ledger_print(l, NULL, f), STINT_OK);
    assert_int_equal(fflush(f), 0);
    size_t n = 0;
    text[0] = '\0';
    while (n == 0 || strstr(text, "most of it") == NULL || text[n - 1] != '\n') {
        ssize_t got = read(master, text + n, size - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
        text[n] = '\0';
    }
    fclose(f);
    close(master);
    stint__ledger_free(l);
}

static void remove_returns(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++)
        if (*from != '\r')
            *to++ = *from;
    *to = '\0';
}

static void a_terminal_gets_colours_unless_it_wants_none(void **state)
{
    (void)state;
    if (!terminals_exist())
        skip();
    stint_ledger *l = shop();
    char want[8192], got[8192];
    unsetenv("COLUMNS");
    unsetenv("NO_COLOR");
    setenv("TERM", "xterm", 1);
    for (int i = 0; i < 3; i++) {
        static const stint_ledger_look looks_then[] = {
            STINT_LEDGER_LOOK_COLOUR, STINT_LEDGER_LOOK_UTF8, STINT_LEDGER_LOOK_ASCII};
        stint_ledger_format(l, STINT_LEDGER_STYLE(.look = looks_then[i], .width = 90), want,
                            sizeof want);
        print_to_terminal(got, sizeof got);
        remove_returns(got);
        assert_string_equal(got, want);
        setenv(i == 0 ? "NO_COLOR" : "TERM", i == 0 ? "1" : "dumb", 1);
    }
    stint__ledger_free(l);
}

static bool refuse(void *arg, size_t n)
{
    (void)arg, (void)n;
    return false;
}

static void printing_can_fail(void **state)
{
    (void)state;
    stint_ledger *l = shop();
    FILE *f = tmpfile();
    assert_non_null(f);
    stint__alloc_set_gate(refuse, NULL);
    assert_int_equal(stint_ledger_print(l, NULL, f), STINT_RESOURCE_EXHAUSTED);
    stint__alloc_set_gate(NULL, NULL);
    fclose(f);
    f = fopen("/dev/full", "we");
    assert_non_null(f);
    setvbuf(f, NULL, _IONBF, 0);
    assert_int_equal(stint_ledger_print(l, NULL, f), STINT_UNKNOWN);
    fclose(f);
    stint__ledger_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(plain_in_80_columns),
        REAL_TEST(in_utf8_with_room_at_the_left),
        REAL_TEST(in_colour_where_it_is_narrow),
        REAL_TEST(places_follow_the_whole),
        REAL_TEST(what_is_known_of_the_slowest_is_said),
        REAL_TEST(a_text_that_is_cut_ends_with_a_line),
        REAL_TEST(no_row_is_wider_than_asked),
        REAL_TEST(names_cannot_break_the_terminal),
        REAL_TEST(absurd_claims_are_drawn_somehow),
        REAL_TEST(a_style_may_be_of_another_version),
        REAL_TEST(a_file_gets_plain_text_in_the_columns_asked_for),
        REAL_TEST(a_terminal_gets_colours_unless_it_wants_none),
        REAL_TEST(printing_can_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* NOLINTEND(concurrency-mt-unsafe,misc-misleading-bidirectional,
 * bugprone-implicit-widening-of-multiplication-result) */

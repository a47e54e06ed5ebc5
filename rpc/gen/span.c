/* span.c - reads, writes and adds up spans of time. Single-threaded. */
#include "span.h"

#include <stddef.h>
#include <string.h>

int64_t gen_span_parse(const char *s)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"h", 3600000000}};

    const int64_t number_max = 1000000000; /* 10^9 h still fits */
    int64_t number = 0;
    for (; *s >= '0' && *s <= '9'; s++) {
        number = 10 * number + (*s - '0');
        if (number > number_max)
            return 0;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(s, units[i].name) == 0)
            return number * units[i].us <= GEN_SPAN_MAX ? number * units[i].us : 0;
    }
    return 0;
}

int64_t gen_span_add(int64_t a, int64_t b)
{
    return a > GEN_SPAN_FOREVER - b ? GEN_SPAN_FOREVER : a + b;
}

int64_t gen_span_times(int64_t a, uint32_t n)
{
    return n > 0 && a > GEN_SPAN_FOREVER / n ? GEN_SPAN_FOREVER : a * n;
}

int64_t gen_span_less(int64_t a, int64_t b)
{
    if (a == GEN_SPAN_FOREVER)
        return a;
    return a > b ? a - b : 0;
}

/* "1.5" for 1500 thousandths. */
static const char *decimal(struct stint__arena *arena, int64_t thousandths, const char *unit)
{
    char *fraction = gen_format(arena, ".%03lld", (long long)(thousandths % 1000));
    size_t n = strlen(fraction);
    while (fraction[n - 1] == '0')
        n--;
    fraction[n == 1 ? 0 : n] = '\0';
    return gen_format(arena, "%lld%s%s", (long long)(thousandths / 1000), fraction, unit);
}

const char *gen_span_text(struct stint__arena *arena, int64_t us)
{
    if (us == GEN_SPAN_FOREVER)
        return "no limit";
    if (us < 1000)
        return us == 0 ? "0" : gen_format(arena, "%lldus", (long long)us);
    if (us >= 1000000 && us % 1000 == 0)
        return decimal(arena, us / 1000, "s");
    return decimal(arena, us, "ms");
}

const char *gen_span_code(struct stint__arena *arena, int64_t us)
{
    if (us == 0)
        return "0";
    if (us % 1000000 == 0)
        return gen_format(arena, "STINT_SECONDS(%lld)", (long long)(us / 1000000));
    if (us % 1000 == 0)
        return gen_format(arena, "STINT_MS(%lld)", (long long)(us / 1000));
    return gen_format(arena, "STINT_US(%lld)", (long long)us);
}

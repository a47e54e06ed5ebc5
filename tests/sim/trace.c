/* trace.c - see the header. At file scope: one run at a time. */
#include "trace.h"

#include <stdarg.h>
#include <stdio.h>

#include "skew.h"

#define VIOLATIONS_SHOWN 10

static struct {
    bool print;
    unsigned violations;
    uint64_t hash;
} run;

void trace_begin(bool print)
{
    run.print = print;
    run.violations = 0;
    run.hash = UINT64_C(0xCBF29CE484222325);
}

/* FNV-1a (Fowler, Noll, Vo). */
static void hash(const char *text)
{
    for (; *text != '\0'; text++)
        run.hash = (run.hash ^ (uint8_t)*text) * UINT64_C(0x100000001B3);
}

static double now_ms(void)
{
    return (double)(skew_world_now().ns - SKEW_START) / 1e6;
}

void trace(const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    int n = snprintf(text, 40, "%12.6f ms  ", now_ms());
    vsnprintf(text + n, sizeof text - (size_t)n, fmt, args);
    va_end(args);
    hash(text);
    if (run.print)
        puts(text);
}

void trace_violation(const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    hash(text);
    if (++run.violations <= VIOLATIONS_SHOWN)
        printf("VIOLATION at %.6f ms: %s\n", now_ms(), text);
}

unsigned trace_violations(void)
{
    return run.violations;
}

uint64_t trace_hash(void)
{
    return run.hash;
}

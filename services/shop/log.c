/* log.c - one line on stderr for each event.
 *
 * A line is written with one write(2) and is shorter than PIPE_BUF, so that lines of several
 * threads and processes on one pipe do not mix. Holds no state, needs no lock. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

#define LINE_MAX_BYTES 1024

/* Ends the line, however much of it fitted, and writes it. Texts may come from other processes:
 * what would break the line is made harmless. */
static void write_line(char line[LINE_MAX_BYTES], int n)
{
    size_t len = n < 0 ? 0 : (size_t)n;

    if (len > LINE_MAX_BYTES - 2)
        len = LINE_MAX_BYTES - 2;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < ' ')
            line[i] = '?';
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        return; /* nowhere left to complain to */
}

void shop_log(const struct shop_program *program, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    char text[LINE_MAX_BYTES / 2];
    double now = (double)stint_now().ns / 1e9;
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    write_line(line, snprintf(line, sizeof(line), "%.6f %-8s %s", now, program->name, text));
}

/* "package.Service/Method" without the package, which is the same on every line. */
static const char *short_method(const char *method)
{
    const char *slash = strchr(method, '/');
    const char *name = method;

    for (const char *p = method; slash != NULL && p < slash; p++)
        if (*p == '.')
            name = p + 1;
    return name;
}

/* Keeps the columns in place. */
static const char *or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

void shop_log_call(const struct shop_program *program, const stint_ctx *ctx, const char *method,
                   const char *event, const char *text)
{
    const stint_request_info *info = stint_ctx_request_info(ctx);
    const char *request = shop_request_id(ctx);
    char trace[STINT_TRACE_ID_TEXT] = "";
    char line[LINE_MAX_BYTES];
    double now = (double)stint_now().ns / 1e9;
    double left_ms = (double)stint_ctx_remaining(ctx) / 1e6;

    if (info != NULL)
        stint_trace_id_format(info, trace);
    write_line(line,
               snprintf(line, sizeof(line), "%.6f %-8s %-32s %-12s %-18s %10.2fms %s%s%s", now,
                        program->name, or_dash(trace), or_dash(request), short_method(method),
                        left_ms, event, *text != '\0' ? " " : "", text));
}

static stint_code begin(void *self, const stint_ctx *ctx, stint_interception *call,
                        stint_ctx **ret_ctx, stint_error *err)
{
    const struct shop_service *s = self;

    (void)ret_ctx;
    (void)err;
    shop_log_call(s->program, ctx, call->method, "begins", "");
    return STINT_OK;
}

static void end(void *self, const stint_ctx *ctx, stint_interception *call,
                const stint_error *outcome)
{
    const struct shop_service *s = self;

    shop_log_call(s->program, ctx, call->method, stint_code_name(outcome->code), outcome->message);
}

stint_interceptor shop_log_interceptor(struct shop_service *s)
{
    return (stint_interceptor){.self = s, .begin = begin, .end = end};
}

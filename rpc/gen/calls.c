/* calls.c - reads declared calls and groups them into stages. Single-threaded.
 *
 * protoc knows a line for each call that is an option statement of its own, numbered among the
 * statements; those inside { } after stint.method have the line of that option, and come first. */
#include "calls.h"

#include <string.h>

#include "names.h"
#include "span.h"

/* Numbers of stint.MethodOptions.Call. */
enum {
    CALL_METHOD = 1,
    CALL_SHARE = 2,
    CALL_TIMEOUT = 3,
    CALL_MODE = 4,
    CALL_ATTEMPTS = 5,
    CALL_OPTIONAL = 6,
    CALL_NAME = 7,
};

void gen_calls_add(struct gen_calls_found *found, struct stint__slice body)
{
    if (found->count < GEN_CALLS_MAX)
        found->bodies[found->count] = body;
    found->count++;
}

int64_t gen_call_cap(const struct gen_call *call)
{
    return call->timeout_us == 0 ? GEN_SPAN_FOREVER
                                 : gen_span_times(call->timeout_us, call->attempts);
}

/* ---- one call ---- */

static const char *text_of(struct gen_errors *errors, const struct gen_field *f)
{
    return gen_format(errors->text.arena, "%.*s", (int)f->bytes.len, (const char *)f->bytes.data);
}

/* "package.Service/Method"; where there is no package, "Service/Method". */
static bool is_path(struct stint__arena *arena, const char *s)
{
    const char *slash = strchr(s, '/');
    return slash != NULL && gen_name_is_identifier(slash + 1) &&
           gen_name_is_qualified(gen_format(arena, "%.*s", (int)(slash - s), s));
}

static void read_text(struct gen_errors *errors, struct gen_call *call, const struct gen_field *f)
{
    const char *text = text_of(errors, f);
    if (f->number == CALL_METHOD) {
        call->method = text;
        if (!is_path(errors->text.arena, text))
            gen_error(errors, &call->at, "\"%s\" is no method: write \"package.Service/Method\"",
                      text);
    } else if (f->number == CALL_TIMEOUT) {
        call->timeout_us = gen_span_parse(text);
        if (call->timeout_us == 0)
            gen_error(errors, &call->at, "timeout \"%s\" is not a time, such as \"250ms\"", text);
    } else {
        call->name = text;
        if (!gen_name_is_identifier(text))
            gen_error(errors, &call->at, "name \"%s\" is no identifier", text);
    }
}

static void read_number(struct gen_errors *errors, struct gen_call *call, const struct gen_field *f)
{
    if (f->number == CALL_SHARE) {
        call->share = (uint32_t)f->value;
        if (f->value == 0)
            gen_error(errors, &call->at, "share 0 is no part: leave it out, or the call");
    } else if (f->number == CALL_ATTEMPTS) {
        call->attempts = (uint32_t)f->value;
        if (f->value < 1 || f->value > GEN_ATTEMPTS_MAX)
            gen_error(errors, &call->at, "attempts must be 1 to %d", GEN_ATTEMPTS_MAX);
    } else if (f->number == CALL_MODE) {
        call->mode = (enum gen_mode)f->value;
        if (f->value > GEN_NEXT_PARALLEL)
            gen_error(errors, &call->at, "this generator knows no mode %llu",
                      (unsigned long long)f->value);
    } else {
        call->optional = f->value != 0;
    }
}

static void read_field(struct gen_errors *errors, struct gen_call *call, const struct gen_field *f)
{
    bool is_text = f->number == CALL_METHOD || f->number == CALL_TIMEOUT || f->number == CALL_NAME;
    bool is_number = !is_text && f->number >= CALL_SHARE && f->number <= CALL_OPTIONAL;
    if (is_text && f->wire == GEN_WIRE_BYTES)
        read_text(errors, call, f);
    else if (is_number && f->wire == GEN_WIRE_VARINT)
        read_number(errors, call, f);
    else
        gen_error(
            errors, &call->at,
            "this generator does not know field %llu of a call: its stint/options.proto is of "
            "another version",
            (unsigned long long)f->number);
}

static struct gen_call read_call(struct gen_errors *errors, struct gen_place at,
                                 struct stint__slice body)
{
    struct gen_call call = {.at = at, .attempts = 1};
    struct stint__reader r;
    stint__reader_init(&r, body.data, body.len);
    size_t before = errors->count;
    for (struct gen_field f; gen_fields_next(&r, &f);)
        read_field(errors, &call, &f);
    if (r.bad)
        gen_error(errors, &at, "a call of option stint.method does not decode");
    else if (call.method == NULL)
        gen_error(errors, &at, "a call without a method");
    if (call.method == NULL || errors->count > before) {
        call.method = NULL; /* to be left out */
        return call;
    }
    const char *name = call.name != NULL ? call.name : strchr(call.method, '/') + 1;
    call.name = gen_name_lower(errors->text.arena, name, "");
    return call;
}

/* How many calls are statements of their own. */
static size_t count_statements(const struct gen_place *option, size_t most)
{
    size_t n = 0;
    for (; n < most; n++) {
        struct gen_place at = gen_place_member(*option, GEN_STINT_METHOD_CALLS, n);
        if (!gen_place_known(&at))
            break;
    }
    return n;
}

/* ---- all calls ---- */

static void check_names(struct gen_errors *errors, const struct gen_budget *b, size_t index)
{
    const struct gen_call *call = &b->calls[index];
    for (size_t i = 0; i < index; i++) {
        const struct gen_call *other = &b->calls[i];
        if (strcmp(call->name, other->name) != 0)
            continue;
        if (strcmp(call->method, other->method) == 0)
            gen_error(errors, &call->at,
                      "%s is called twice: raise attempts, or give the second call a name",
                      call->method);
        else
            gen_error(errors, &call->at,
                      "calls of %s and %s would both be %s in C: give one a name", other->method,
                      call->method, call->name);
        return;
    }
}

/* Calls next to each other form a stage while they are parallel. */
static void make_stages(struct stint__arena *arena, struct gen_budget *b)
{
    b->stages = gen_alloc_array(arena, b->n_calls, sizeof *b->stages);
    for (size_t i = 0; i < b->n_calls; i++) {
        struct gen_call *call = &b->calls[i];
        bool joins = i > 0 && call->mode == GEN_PARALLEL && b->calls[i - 1].mode != GEN_SEQUENTIAL;
        if (!joins)
            b->stages[b->n_stages++] = (struct gen_stage){.calls = call};
        struct gen_stage *stage = &b->stages[b->n_stages - 1];
        call->stage = b->n_stages - 1;
        stage->n_calls++;
        int64_t cap = gen_call_cap(call);
        stage->cap_us = cap > stage->cap_us ? cap : stage->cap_us;
    }
}

/* The share that one or more calls of a stage say: its weight. */
static void take_share(struct gen_errors *errors, struct gen_stage *stage)
{
    for (size_t i = 0; i < stage->n_calls; i++) {
        const struct gen_call *call = &stage->calls[i];
        if (call->share == 0)
            continue;
        if (stage->weight != 0 && stage->weight != call->share)
            gen_error(errors, &call->at,
                      "%s has share %u and a call beside it has %u: parallel calls share one leg",
                      call->method, call->share, stage->weight);
        stage->weight = call->share;
    }
    const struct gen_call *first = &stage->calls[0];
    if (stage->n_calls == 1 && first->mode != GEN_SEQUENTIAL)
        gen_error(errors, &first->at, "%s is parallel to nothing: no call next to it is PARALLEL",
                  first->method);
}

static uint64_t greatest_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a > 0 ? a : 1;
}

/* Weights in proportion to what the stages' timeouts allow. */
static void weigh_by_timeout(struct gen_budget *b)
{
    uint64_t divisor = greatest_divisor((uint64_t)b->stages[0].cap_us, 0);
    uint64_t largest = 0;
    for (size_t i = 0; i < b->n_stages; i++) {
        uint64_t cap = (uint64_t)b->stages[i].cap_us;
        divisor = greatest_divisor(cap, divisor);
        largest = cap > largest ? cap : largest;
    }
    while (largest / divisor > UINT32_MAX)
        divisor *= 2;
    for (size_t i = 0; i < b->n_stages; i++) {
        uint64_t weight = (uint64_t)b->stages[i].cap_us / divisor;
        b->stages[i].weight = weight > 0 ? (uint32_t)weight : 1;
    }
    b->by_timeout = true;
}

static void weigh(struct gen_errors *errors, struct gen_budget *b)
{
    size_t n_shares = 0, n_timeouts = 0;
    const struct gen_stage *without_share = NULL, *without_timeout = NULL;
    for (size_t i = 0; i < b->n_stages; i++) {
        const struct gen_stage *stage = &b->stages[i];
        bool has_timeout = stage->cap_us != GEN_SPAN_FOREVER;
        n_shares += stage->weight != 0;
        n_timeouts += has_timeout;
        without_share = stage->weight == 0 && without_share == NULL ? stage : without_share;
        without_timeout = !has_timeout && without_timeout == NULL ? stage : without_timeout;
    }
    if (without_share == NULL)
        return;
    if (n_shares > 0)
        gen_error(errors, &without_share->calls[0].at,
                  "%s has no share, but other calls of the method have: say all or none",
                  without_share->calls[0].method);
    else if (without_timeout == NULL)
        weigh_by_timeout(b);
    else if (n_timeouts > 0)
        gen_error(
            errors, &without_timeout->calls[0].at,
            "%s has neither a share nor a timeout, but other calls of the method have: without "
            "shares say all timeouts or none",
            without_timeout->calls[0].method);
    for (size_t i = 0; i < b->n_stages; i++) {
        if (b->stages[i].weight == 0)
            b->stages[i].weight = 1;
    }
}

struct gen_budget gen_calls_build(struct gen_errors *errors, const struct gen_place *option,
                                  const struct gen_calls_found *found)
{
    struct gen_budget b = {0};
    if (found->count > GEN_CALLS_MAX) {
        gen_error(errors, option, "%zu calls are too many: a method declares %d at most",
                  found->count, GEN_CALLS_MAX);
        return b;
    }
    b.calls = gen_alloc_array(errors->text.arena, found->count, sizeof *b.calls);
    size_t n_inside = found->count - count_statements(option, found->count);
    for (size_t i = 0; i < found->count; i++) {
        struct gen_place at = i < n_inside
                                  ? *option
                                  : gen_place_member(*option, GEN_STINT_METHOD_CALLS, i - n_inside);
        b.calls[b.n_calls] = read_call(errors, at, found->bodies[i]);
        if (b.calls[b.n_calls].method != NULL)
            check_names(errors, &b, b.n_calls++);
    }
    make_stages(errors->text.arena, &b);
    for (size_t i = 0; i < b.n_stages; i++)
        take_share(errors, &b.stages[i]);
    weigh(errors, &b);
    return b;
}

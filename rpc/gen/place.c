/* place.c - from paths in the descriptor to lines in the .proto.
 *
 * Nothing about the paths and spans in the request is taken for granted: a span with fewer than two
 * numbers is no place. Single-threaded. */
#include "place.h"

#define ERRORS_MAX 20 /* more of them help nobody */

typedef Google__Protobuf__SourceCodeInfo__Location location;

struct gen_place gen_place_file(const Google__Protobuf__FileDescriptorProto *file)
{
    return (struct gen_place){.file = file};
}

struct gen_place gen_place_step(struct gen_place at, int32_t step)
{
    if (at.path.len < GEN_PATH_MAX)
        at.path.step[at.path.len++] = step;
    return at;
}

struct gen_place gen_place_member(struct gen_place at, enum gen_step field, size_t index)
{
    if (at.path.len + 2 > GEN_PATH_MAX || index > INT32_MAX)
        return at;
    return gen_place_step(gen_place_step(at, (int32_t)field), (int32_t)index);
}

/* True if loc describes the path or something that holds it. */
static bool holds(const location *loc, const struct gen_path *path)
{
    if (loc->n_path > path->len)
        return false;
    for (size_t i = 0; i < loc->n_path; i++) {
        if (loc->path[i] != path->step[i])
            return false;
    }
    return true;
}

/* The location of the place, or of the nearest that holds it (not the whole file's). */
static const location *nearest(const struct gen_place *at)
{
    const Google__Protobuf__SourceCodeInfo *info = at->file->source_code_info;
    const location *best = NULL;
    for (size_t i = 0; info != NULL && i < info->n_location; i++) {
        const location *loc = info->location[i];
        if (loc->n_path == 0 || loc->n_span < 2 || !holds(loc, &at->path))
            continue;
        if (best == NULL || loc->n_path > best->n_path)
            best = loc;
    }
    return best;
}

const char *gen_place_text(struct stint__arena *arena, const struct gen_place *at)
{
    const location *loc = nearest(at);
    if (loc == NULL)
        return at->file->name;
    return gen_format(arena, "%s:%lld:%lld", at->file->name, (long long)loc->span[0] + 1,
                      (long long)loc->span[1] + 1);
}

bool gen_place_known(const struct gen_place *at)
{
    const location *loc = nearest(at);
    return loc != NULL && loc->n_path == at->path.len;
}

const char *gen_place_comment(const struct gen_place *at)
{
    const location *loc = nearest(at);
    if (loc == NULL || loc->n_path != at->path.len)
        return NULL;
    return loc->leading_comments != NULL ? loc->leading_comments : loc->trailing_comments;
}

struct gen_errors gen_errors_none(struct stint__arena *arena)
{
    struct gen_errors errors = {.count = 0};
    gen_text_init(&errors.text, arena);
    gen_text_init(&errors.warnings, arena);
    return errors;
}

/* Adds a line to t, which has `count` so far, unless these are enough. */
static void tell(struct gen_text *t, size_t count, const struct gen_place *at, const char *label,
                 const char *text)
{
    if (count >= ERRORS_MAX)
        return;
    const char *place = at != NULL ? gen_place_text(t->arena, at) : "";
    gen_text_printf(t, "%s%s%s%s%s", count > 0 ? "\n" : "", place, at != NULL ? ": " : "", label,
                    text);
}

void gen_error(struct gen_errors *errors, const struct gen_place *at, const char *fmt, ...)
{
    struct gen_text text;
    gen_text_init(&text, errors->text.arena);
    va_list args;
    va_start(args, fmt);
    gen_text_vprintf(&text, fmt, args);
    va_end(args);
    tell(&errors->text, errors->count++, at, errors->labelled ? "error: " : "", text.data);
}

void gen_warning(struct gen_errors *errors, const struct gen_place *at, const char *fmt, ...)
{
    struct gen_text text;
    gen_text_init(&text, errors->text.arena);
    va_list args;
    va_start(args, fmt);
    gen_text_vprintf(&text, fmt, args);
    va_end(args);
    if (errors->strict)
        gen_error(errors, at, "%s", text.data);
    else
        tell(&errors->warnings, errors->n_warnings++, at, "warning: ", text.data);
}

static const char *all(struct gen_text *t, size_t count)
{
    if (count == 0)
        return "";
    if (count <= ERRORS_MAX)
        return t->data;
    return gen_format(t->arena, "%s\nand %zu more", t->data, count - ERRORS_MAX);
}

const char *gen_errors_text(struct gen_errors *errors)
{
    return all(&errors->text, errors->count);
}

const char *gen_warnings_text(struct gen_errors *errors)
{
    return all(&errors->warnings, errors->n_warnings);
}

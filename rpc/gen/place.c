/* place.c - from paths in the descriptor to lines in the .proto.
 *
 * Nothing about the paths and spans in the request is taken for granted: a span with fewer than two
 * numbers is no place. Single-threaded. */
#include "place.h"

#include <stdbool.h>

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

const char *gen_place_comment(const struct gen_place *at)
{
    const location *loc = nearest(at);
    if (loc == NULL || loc->n_path != at->path.len)
        return NULL;
    return loc->leading_comments != NULL ? loc->leading_comments : loc->trailing_comments;
}

void gen_error(struct gen_errors *errors, const struct gen_place *at, const char *fmt, ...)
{
    if (errors->count++ >= ERRORS_MAX)
        return;
    struct gen_text *t = &errors->text;
    gen_text_add(t, errors->count > 1 ? "\n" : "");
    if (at != NULL)
        gen_text_printf(t, "%s: ", gen_place_text(t->arena, at));
    va_list args;
    va_start(args, fmt);
    gen_text_vprintf(t, fmt, args);
    va_end(args);
}

const char *gen_errors_text(struct gen_errors *errors)
{
    if (errors->count <= ERRORS_MAX)
        return errors->text.data;
    return gen_format(errors->text.arena, "%s\nand %zu more", errors->text.data,
                      errors->count - ERRORS_MAX);
}

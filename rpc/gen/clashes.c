/* clashes.c - finds different things that would get one name in C.
 *
 * Every name that we or protoc-c derive from a .proto goes into one table, with what it stands for;
 * after sorting, equal names are neighbours. Names are compared across files, since what is
 * compiled apart is linked together. Single-threaded. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "names.h"

struct symbol {
    const char *name;
    const char *what; /* for people */
    struct gen_place at;
    bool wanted; /* from a file that is being generated */
    size_t order;
};

struct table {
    struct stint__arena *arena;
    struct symbol *symbols;
    size_t count, size;
};

static void add(struct table *t, const struct symbol *owner, const char *name)
{
    if (t->count == t->size) {
        size_t size = t->size == 0 ? 64 : 2 * t->size;
        struct symbol *symbols = gen_alloc_array(t->arena, size, sizeof *symbols);
        if (t->count > 0)
            memcpy(symbols, t->symbols, t->count * sizeof *symbols);
        t->symbols = symbols;
        t->size = size;
    }
    t->symbols[t->count] = *owner;
    t->symbols[t->count].name = name;
    t->symbols[t->count].order = t->count;
    t->count++;
}

static void add_suffixed(struct table *t, const struct symbol *owner, const char *stem,
                         const char *const *suffixes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        add(t, owner, gen_format(t->arena, "%s%s", stem, suffixes[i]));
}

#define ADD_SUFFIXED(t, owner, stem, suffixes)                                                     \
    add_suffixed(t, owner, stem, suffixes, sizeof(suffixes) / sizeof((suffixes)[0]))

static void add_prefixed(struct table *t, const struct symbol *owner, const char *const *prefixes,
                         size_t n, const char *stem)
{
    for (size_t i = 0; i < n; i++)
        add(t, owner, gen_format(t->arena, "%s%s", prefixes[i], stem));
}

#define ADD_PREFIXED(t, owner, prefixes, stem)                                                     \
    add_prefixed(t, owner, prefixes, sizeof(prefixes) / sizeof((prefixes)[0]), stem)

static void add_message(struct table *t, const struct gen_message *message)
{
    static const char *const always[] = {"__descriptor", "__init"};
    static const char *const top_level[] = {"__pack", "__pack_to_buffer", "__unpack",
                                            "__get_packed_size", "__free_unpacked"};
    struct symbol owner = {.what = gen_format(t->arena, "message %s", message->full_name),
                           .at = message->at,
                           .wanted = message->file->wanted};
    add(t, &owner, message->type);
    ADD_SUFFIXED(t, &owner, message->lower, always);
    if (!message->nested)
        ADD_SUFFIXED(t, &owner, message->lower, top_level);
}

/* What is private to the generated source can meet what is not where there is no package. */
static void add_statics(struct table *t, const struct symbol *owner,
                        const struct gen_service *service, const struct gen_method *method)
{
    const Google__Protobuf__FileDescriptorProto *file = service->file->proto;
    if (file->package != NULL && file->package[0] != '\0')
        return;
    static const char *const always[] = {"dispatch", "thunk"};
    static const char *const of_budgets[] = {"weights", "calls", "plan"};
    const char *name = gen_format(t->arena, "_%s_%s", service->name, method->name);
    ADD_PREFIXED(t, owner, always, name);
    if (method->options.budget.n_calls > 0)
        ADD_PREFIXED(t, owner, of_budgets, name);
}

/* The typed budget of a method that declares calls. */
static void add_budget(struct table *t, const struct symbol *owner, const struct gen_method *method)
{
    static const char *const suffixes[] = {"_budget", "_budget_start", "_budget_end"};
    const struct gen_budget *b = &method->options.budget;
    if (b->n_calls == 0)
        return;
    ADD_SUFFIXED(t, owner, method->function, suffixes);
    const char *upper = gen_name_upper(t->arena, method->function);
    add(t, owner, gen_format(t->arena, "%s_BUDGET", upper));
    for (size_t i = 0; i < b->n_calls; i++)
        add(t, owner, gen_format(t->arena, "%s_leg_%s", method->function, b->calls[i].name));
}

/* `lower` is what protoc-c calls the service: it declares its own functions. */
static void add_method(struct table *t, const struct gen_service *service,
                       const struct gen_method *method, const char *lower)
{
    static const char *const suffixes[] = {"", "_async", "_done", "_group", "_finish"};
    struct symbol owner = {
        .what = gen_format(t->arena, "method %s of %s", method->proto->name, service->full_name),
        .at = method->at,
        .wanted = service->file->wanted};
    ADD_SUFFIXED(t, &owner, method->function, suffixes);
    add(t, &owner, gen_format(t->arena, "%s_ops.%s", service->prefix, method->member));
    add(t, &owner, gen_format(t->arena, "%s__%s", lower, method->name));
    add_statics(t, &owner, service, method);
    add_budget(t, &owner, method);
}

static void add_service(struct table *t, const struct gen_service *service)
{
    static const char *const ours[] = {"_ops", "_register"};
    static const char *const of_protoc_c[] = {"__init", "__descriptor", "__create_service"};
    const char *lower = gen_name_lower(t->arena, service->c_name, "__");
    struct symbol owner = {.what = gen_format(t->arena, "service %s", service->full_name),
                           .at = service->at,
                           .wanted = service->file->wanted};
    add(t, &owner, service->variable);
    ADD_SUFFIXED(t, &owner, service->prefix, ours);
    ADD_SUFFIXED(t, &owner, lower, of_protoc_c);
    for (size_t i = 0; i < service->n_methods; i++)
        add_method(t, service, &service->methods[i], lower);
}

static void add_file(struct table *t, const struct gen_file *file)
{
    struct symbol owner = {
        .what = gen_format(t->arena, "file %s", file->proto->name),
        .at = file->at,
        .wanted = file->wanted,
    };
    add(t, &owner, gen_name_guard(t->arena, file->base));
    for (size_t i = 0; i < file->n_services; i++)
        add_service(t, &file->services[i]);
}

static int by_name(const void *a, const void *b)
{
    const struct symbol *x = a;
    const struct symbol *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : x->order < y->order ? -1 : x->order > y->order;
}

static void report(const struct gen_model *model, const struct symbol *first,
                   const struct symbol *second)
{
    /* At the one that can be changed here. */
    const struct symbol *at = second->wanted ? second : first;
    const struct symbol *other = at == second ? first : second;
    gen_error(model->errors, &at->at, "%s and %s (%s) would both be %s in C: rename one", at->what,
              other->what, gen_place_text(model->arena, &other->at), at->name);
}

void gen_check_clashes(const struct gen_model *model)
{
    struct table t = {.arena = model->arena};
    for (size_t i = 0; i < model->n_messages; i++)
        add_message(&t, &model->messages[i]);
    for (size_t i = 0; i < model->n_files; i++)
        add_file(&t, &model->files[i]);
    if (t.count == 0)
        return;
    qsort(t.symbols, t.count, sizeof *t.symbols, by_name);
    const char *told = NULL; /* one error for two things, whatever the number of names */
    for (size_t i = 1; i < t.count; i++) {
        const struct symbol *a = &t.symbols[i - 1];
        const struct symbol *b = &t.symbols[i];
        if (strcmp(a->name, b->name) != 0 || a->what == b->what || !(a->wanted || b->wanted))
            continue;
        const char *pair = gen_format(model->arena, "%s, %s", a->what, b->what);
        if (told == NULL || strcmp(told, pair) != 0)
            report(model, a, b);
        told = pair;
    }
}

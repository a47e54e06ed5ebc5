/* check_graph.c - finds callees, and an order in which each method comes after all that it calls.
 *
 * The search keeps its own stack: how deep calls nest is for the .proto to say. Methods on it are
 * CHECK_OPEN; a call of one of them closes a cycle, is told, and left out of the graph, so that
 * what remains has none. Single-threaded. */
#include "check_graph.h"

#include <stdlib.h>
#include <string.h>

struct frame {
    struct check_method *method;
    size_t next; /* of its calls */
};

struct search {
    struct check_graph *graph;
    struct check_method **by_path; /* sorted */
    struct frame *stack;
    size_t depth;
};

static int by_path(const void *a, const void *b)
{
    return strcmp((*(struct check_method *const *)a)->path,
                  (*(struct check_method *const *)b)->path);
}

static struct check_method *find(const struct search *s, const char *path)
{
    const struct check_method key = {.path = path};
    const struct check_method *p = &key;
    struct check_method **found =
        bsearch(&p, s->by_path, s->graph->n_methods, sizeof(struct check_method *), by_path);
    return found != NULL ? *found : NULL;
}

static void find_callees(const struct search *s, struct check_method *m)
{
    const struct gen_budget *b = check_budget(m);
    m->callees = gen_alloc_array(s->graph->arena, b->n_calls, sizeof(struct check_method *));
    for (size_t i = 0; i < b->n_calls; i++) {
        const struct gen_call *call = &b->calls[i];
        m->callees[i] = find(s, call->method);
        if (m->callees[i] == NULL)
            gen_error(s->graph->errors, &call->at, "%s calls %s, which is in none of the files",
                      m->path, call->method);
    }
}

/* From the callee, which is on the stack, down to its caller on top, and back. */
static void tell_cycle(const struct search *s, const struct gen_call *call,
                       const struct check_method *callee)
{
    size_t first = s->depth;
    while (s->stack[first - 1].method != callee)
        first--;
    struct gen_text t;
    gen_text_init(&t, s->graph->arena);
    for (size_t i = first - 1; i < s->depth; i++)
        gen_text_printf(&t, "%s -> ", s->stack[i].method->path);
    gen_error(s->graph->errors, &call->at, "calls in a cycle: %s%s", t.data, callee->path);
}

static void push(struct search *s, struct check_method *m)
{
    m->state = CHECK_OPEN;
    s->stack[s->depth++] = (struct frame){.method = m};
}

static void pop(struct search *s)
{
    struct check_method *m = s->stack[--s->depth].method;
    m->state = CHECK_DONE;
    s->graph->order[s->graph->n_order++] = m;
    for (size_t i = 0; i < check_budget(m)->n_calls; i++) {
        const struct check_method *callee = m->callees[i];
        if (callee != NULL && callee->height >= m->height)
            m->height = callee->height + 1;
    }
}

static void visit(struct search *s, struct check_method *from)
{
    push(s, from);
    while (s->depth > 0) {
        struct frame *top = &s->stack[s->depth - 1];
        if (top->next == check_budget(top->method)->n_calls) {
            pop(s);
            continue;
        }
        size_t i = top->next++;
        struct check_method *callee = top->method->callees[i];
        if (callee == NULL)
            continue;
        if (callee->state == CHECK_OPEN) {
            tell_cycle(s, &check_budget(top->method)->calls[i], callee);
            top->method->callees[i] = NULL;
            continue;
        }
        callee->is_called = true;
        if (callee->state == CHECK_NEW)
            push(s, callee);
    }
}

static size_t count_methods(const struct gen_model *model)
{
    size_t n = 0;
    for (size_t i = 0; i < model->n_files; i++) {
        for (size_t j = 0; j < model->files[i].n_services; j++)
            n += model->files[i].services[j].n_methods;
    }
    return n;
}

static void add_service(struct check_graph *g, const struct gen_service *service)
{
    for (size_t i = 0; i < service->n_methods; i++) {
        const struct gen_method *method = &service->methods[i];
        g->methods[g->n_methods++] = (struct check_method){
            .method = method,
            .path = gen_format(g->arena, "%s/%s", service->full_name, method->proto->name),
        };
    }
}

struct check_graph check_graph_build(const struct gen_model *model)
{
    struct stint__arena *arena = model->arena;
    struct check_graph g = {.arena = arena, .errors = model->errors};
    size_t n = count_methods(model);
    g.methods = gen_alloc_array(arena, n, sizeof *g.methods);
    g.order = gen_alloc_array(arena, n, sizeof(struct check_method *));
    for (size_t i = 0; i < model->n_files; i++) {
        for (size_t j = 0; j < model->files[i].n_services; j++)
            add_service(&g, &model->files[i].services[j]);
    }
    struct search s = {
        .graph = &g,
        .by_path = gen_alloc_array(arena, n, sizeof(struct check_method *)),
        .stack = gen_alloc_array(arena, n, sizeof *s.stack),
    };
    for (size_t i = 0; i < n; i++)
        s.by_path[i] = &g.methods[i];
    if (n > 0)
        qsort(s.by_path, n, sizeof(struct check_method *), by_path);
    for (size_t i = 0; i < n; i++)
        find_callees(&s, &g.methods[i]);
    for (size_t i = 0; i < n; i++) {
        if (g.methods[i].state == CHECK_NEW)
            visit(&s, &g.methods[i]);
    }
    return g;
}

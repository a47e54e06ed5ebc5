/* methods.c - the methods a server knows: a sorted table, fixed once it runs, searched by exact
 * length and bytes. */
#include <string.h>

#include "alloc.h"
#include "entry.h"
#include "server_internal.h"

/* Shorter paths first, so that most comparisons look at lengths only. */
static int compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    if (a_len != b_len)
        return a_len < b_len ? -1 : 1;
    return memcmp(a, b, a_len);
}

/* The place of path in the table, or where it would be. */
static size_t place_of(const stint_server *s, const char *path, size_t len, bool *ret_found)
{
    size_t low = 0, high = s->n_methods;
    *ret_found = false;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct stint__method_entry *e = &s->methods[mid];
        int c = compare(e->method->path, e->path_len, path, len);
        if (c == 0) {
            *ret_found = true;
            return mid;
        }
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct stint__method_entry *stint__method_find(const stint_server *s,
                                                     struct stint__slice path)
{
    bool found;
    size_t at = place_of(s, (const char *)path.data, path.len, &found);
    return found ? &s->methods[at] : NULL;
}

static stint_code check_new(const stint_server *s, const stint_service *service, stint_error *err)
{
    for (size_t i = 0; i < service->n_methods; i++) {
        bool found;
        const char *path = service->methods[i].path;
        place_of(s, path, strlen(path), &found);
        if (found)
            return stint_error_set(err, STINT_ALREADY_EXISTS, "the server already has %s", path);
    }
    return STINT_OK;
}

static struct stint__method_state *state_new(const stint_server *s)
{
    struct stint__method_state *m = stint__alloc_zeroed(sizeof *m);
    if (m == NULL)
        return NULL;
    uint32_t most = s->opts.max_concurrency;
    pthread_mutex_init(&m->mutex, NULL);
    stint__estimate_init(&m->estimate, stint_now());
    stint__lane_init(&m->lane, most);
    stint__limit_init(&m->limit, STINT__LIMIT_LEAST, most, most);
    return m;
}

static void state_free(struct stint__method_state *m)
{
    if (m == NULL)
        return;
    pthread_mutex_destroy(&m->mutex);
    stint__free(m);
}

/* A state for each method of the service. False: out of memory, and there is none. */
static bool states_new(const stint_server *s, struct stint__method_state **states, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        states[i] = state_new(s);
        if (states[i] != NULL)
            continue;
        while (i-- > 0)
            state_free(states[i]);
        return false;
    }
    return true;
}

void stint__methods_free(stint_server *s)
{
    for (size_t i = 0; i < s->n_methods; i++)
        state_free(s->methods[i].state);
    stint__free(s->methods);
}

/* Puts a service's methods where they belong in the table, which has room for them. */
static void insert(stint_server *s, const stint_service *service, const void *ops, void *self,
                   struct stint__method_state *const *states)
{
    struct stint__method_entry *methods = s->methods;
    for (size_t i = 0; i < service->n_methods; i++) {
        const stint_method *m = &service->methods[i];
        bool found;
        size_t len = strlen(m->path), at = place_of(s, m->path, len, &found);
        memmove(&methods[at + 1], &methods[at], (s->n_methods - at) * sizeof *methods);
        methods[at] =
            (struct stint__method_entry){m, len, service->dispatch[i], ops, self, states[i]};
        stint__entry_name(s, (struct stint__slice){(const uint8_t *)m->path, len}, states[i]->name);
        s->n_methods++;
    }
}

stint_code stint_server_add(stint_server *s, const stint_service *service, const void *ops,
                            void *self, stint_error *err)
{
    stint_error_clear(err);
    if (atomic_load(&s->state) != STINT__SERVER_NEW)
        return stint_error_set(err, STINT_FAILED_PRECONDITION,
                               "%s must be added before the server starts", service->name);
    stint_code code = check_new(s, service, err);
    if (code != STINT_OK)
        return code;
    size_t n = s->n_methods + service->n_methods;
    struct stint__method_entry *methods = stint__alloc_array(n, sizeof *methods);
    struct stint__method_state **states =
        stint__alloc_array(service->n_methods, sizeof(struct stint__method_state *));
    if (methods == NULL || states == NULL || !states_new(s, states, service->n_methods)) {
        stint__free(methods);
        stint__free(states);
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory");
    }
    if (s->n_methods > 0)
        memcpy(methods, s->methods, s->n_methods * sizeof *methods);
    stint__free(s->methods);
    s->methods = methods;
    insert(s, service, ops, self, states);
    stint__free(states);
    return STINT_OK;
}

/* conn.c - connections, the calls that are in flight on them, and how those are cancelled.
 *
 * A call is found by its key: the header stack that its reply will go to, which a CANCEL repeats. A
 * cancel that finds no call leaves a tombstone, in a ring that forgets the oldest, and the request
 * that comes later is not run. Most tombstones are of calls that had just been answered; request
 * IDs do not come again for two thousand million calls.
 *
 * Guarded by the connection's mutex: calls, by_key, tombstones, gone. */
#include "alloc.h"
#include "server_internal.h"

static const char cancelled_by_caller[] = "cancelled by the caller";
static const char connection_lost[] = "the caller's connection was lost";

/* One word or two are the key themselves; longer stacks, through chains of devices, are hashed
 * (FNV-1a). */
static uint64_t key_of(const struct stint__reply_to *to)
{
    const struct stint__sp_stack *stack = &to->stack;
    uint64_t key = 0;
    if (stack->len <= 8) {
        for (unsigned i = 0; i < stack->len; i++)
            key = key << 8 | stack->bytes[i];
        return key;
    }
    key = 14695981039346656037u;
    for (unsigned i = 0; i < stack->len; i++)
        key = (key ^ stack->bytes[i]) * 1099511628211u;
    return key;
}

struct stint__server_conn *stint__server_conn_ref(struct stint__server_conn *sc)
{
    atomic_fetch_add_explicit(&sc->refs, 1, memory_order_relaxed);
    return sc;
}

void stint__server_conn_unref(struct stint__server_conn *sc)
{
    if (atomic_fetch_sub_explicit(&sc->refs, 1, memory_order_acq_rel) != 1)
        return;
    stint__conn_unref(sc->conn);
    stint__map_fini(&sc->by_key);
    pthread_mutex_destroy(&sc->mutex);
    stint__free(sc);
}

void *stint__server_on_opened(void *arg, struct stint__conn *conn)
{
    stint_server *s = arg;
    stint__count(&s->counters.accepted);
    struct stint__server_conn *sc = stint__alloc_zeroed(sizeof *sc);
    if (sc == NULL) {
        stint_error why;
        stint_error_set(&why, STINT_RESOURCE_EXHAUSTED, "out of memory for a connection");
        stint__conn_fail(conn, &why); /* its client comes again; see arrive.c for what it sent */
        return NULL;
    }
    sc->server = s;
    sc->conn = stint__conn_ref(conn);
    atomic_init(&sc->refs, 1);
    stint__list_init(&sc->calls);
    stint__map_init(&sc->by_key);
    stint__transit_init(&sc->transit, stint_now());
    pthread_mutex_init(&sc->mutex, NULL);
    pthread_mutex_lock(&s->mutex);
    stint__list_push_back(&s->conns, &sc->link);
    pthread_mutex_unlock(&s->mutex);
    return sc;
}

/* Takes a tombstone away: true if there was one. */
static bool take_tombstone_locked(struct stint__server_conn *sc, uint64_t key)
{
    for (unsigned i = 0; i < sc->n_tombstones; i++) {
        if (sc->tombstones[i] != key)
            continue;
        sc->tombstones[i] = sc->tombstones[--sc->n_tombstones];
        return true;
    }
    return false;
}

static void add_tombstone_locked(struct stint__server_conn *sc, uint64_t key)
{
    if (sc->n_tombstones < STINT__TOMBSTONES) {
        sc->tombstones[sc->n_tombstones++] = key;
        return;
    }
    sc->tombstones[sc->next_tombstone++ % STINT__TOMBSTONES] = key;
}

static void unlist_locked(struct stint__server_conn *sc, stint_call *call)
{
    atomic_store(&call->listed, false);
    stint__list_unlink(&call->conn_link);
    if (stint__map_get(&sc->by_key, call->key) == call)
        stint__map_remove(&sc->by_key, call->key);
}

static void list_locked(struct stint__server_conn *sc, stint_call *call)
{
    /* A key that is taken (a client that repeats an ID) or no memory for it: the call cannot be
     * cancelled by itself, only with its connection. */
    if (stint__map_get(&sc->by_key, call->key) == NULL)
        (void)!stint__map_put(&sc->by_key, call->key, call);
    stint__list_push_back(&sc->calls, &call->conn_link);
    /* Whoever answers looks at `listed` after it is answered: one of the two sees the other. */
    atomic_store(&call->listed, true);
    if (stint__call_is_answered(call))
        unlist_locked(sc, call);
}

const char *stint__conn_list_call(stint_call *call)
{
    struct stint__server_conn *sc = call->sc;
    const char *why_not = NULL;
    pthread_mutex_lock(&sc->mutex);
    call->key = key_of(&call->to); /* maybe again, while another thread unlists it */
    if (sc->gone)
        why_not = connection_lost;
    else if (sc->n_tombstones > 0 && take_tombstone_locked(sc, call->key))
        why_not = cancelled_by_caller;
    else
        list_locked(sc, call);
    pthread_mutex_unlock(&sc->mutex);
    return why_not;
}

void stint__conn_unlist_call(stint_call *call)
{
    if (!atomic_load(&call->listed))
        return;
    pthread_mutex_lock(&call->sc->mutex);
    unlist_locked(call->sc, call);
    pthread_mutex_unlock(&call->sc->mutex);
}

/* Nobody wants the answer any more. */
static void cancel_call(stint_call *call, const char *why)
{
    stint__call_abandon(call, why);
    stint__call_unref(call);
}

void stint__server_on_cancel(void *arg, void *conn_data, struct stint__conn *conn,
                             const struct stint__reply_to *to)
{
    struct stint__server_conn *sc = conn_data;
    (void)arg;
    (void)conn;
    if (sc == NULL)
        return;
    uint64_t key = key_of(to);
    pthread_mutex_lock(&sc->mutex);
    stint_call *call = stint__map_get(&sc->by_key, key);
    if (call != NULL)
        stint__call_ref(call);
    else
        add_tombstone_locked(sc, key);
    pthread_mutex_unlock(&sc->mutex);
    if (call != NULL)
        cancel_call(call, cancelled_by_caller);
}

/* Takes one call off the list, with a reference for the caller. */
static stint_call *pop_call(struct stint__server_conn *sc)
{
    stint_call *call = NULL;
    pthread_mutex_lock(&sc->mutex);
    if (!stint__list_empty(&sc->calls)) {
        call = STINT__CONTAINER_OF(sc->calls.next, stint_call, conn_link);
        /* In this order: once it is unlisted, whoever answers it does not wait for the mutex. */
        stint__call_ref(call);
        unlist_locked(sc, call);
    }
    pthread_mutex_unlock(&sc->mutex);
    return call;
}

void stint__server_on_closed(void *arg, void *conn_data, struct stint__conn *conn)
{
    stint_server *s = arg;
    struct stint__server_conn *sc = conn_data;
    (void)conn;
    if (sc == NULL)
        return;
    pthread_mutex_lock(&s->mutex);
    stint__list_unlink(&sc->link);
    if (atomic_load(&s->state) == STINT__SERVER_DRAINING)
        pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
    pthread_mutex_lock(&sc->mutex);
    sc->gone = true;
    pthread_mutex_unlock(&sc->mutex);
    stint_call *call;
    while ((call = pop_call(sc)) != NULL)
        cancel_call(call, connection_lost);
    stint__server_conn_unref(sc);
}

/* A connection of the list, with a reference, after the one given (which is released); NULL at the
 * end. After one that has left the list meanwhile (it points to itself) the walk begins anew. */
static struct stint__server_conn *next_conn(stint_server *s, struct stint__server_conn *after)
{
    struct stint__server_conn *sc = NULL;
    pthread_mutex_lock(&s->mutex);
    bool anew = after == NULL || after->link.next == &after->link;
    struct stint__list *link = anew ? s->conns.next : after->link.next;
    if (link != &s->conns) {
        sc = STINT__CONTAINER_OF(link, struct stint__server_conn, link);
        stint__server_conn_ref(sc);
    }
    pthread_mutex_unlock(&s->mutex);
    if (after != NULL)
        stint__server_conn_unref(after);
    return sc;
}

void stint__server_refuse_all(stint_server *s, const stint_error *why)
{
    struct stint__server_conn *sc = NULL;
    while ((sc = next_conn(s, sc)) != NULL) {
        stint_call *call;
        while ((call = pop_call(sc)) != NULL) {
            stint__call_refuse(call, why, STINT__REFUSED_DRAINING);
            stint__call_unref(call);
        }
    }
}

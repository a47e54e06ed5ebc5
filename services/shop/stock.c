/* stock.c - knows what is on the shelves, and executes no order twice without saying so.
 *
 * Every order that takes something is remembered by its request ID, in the journal too if there is
 * one, so that an order executed again after a restart is noticed all the same. A real shop would
 * forget orders after a while.
 *
 * `lock` guards shelves, orders, the totals and writing the journal. */
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "shop/v1/shop.stint.h"

#define JOURNAL_LINE_MAX 128

struct shelf {
    const char *sku;
    uint32_t left;
};

/* One order that took something. */
struct order {
    char request_id[STINT_REQUEST_ID_MAX + 1];
    unsigned times;
};

struct stock {
    struct shop_service service;
    pthread_mutex_t lock;
    struct shelf shelves[3];
    void *orders; /* a tree of struct order, see tsearch(3) */
    uint64_t n_orders;
    uint64_t n_repeated; /* of these, those that were executed more than once */
    FILE *journal;       /* NULL: none; one line for each execution: REQUEST_ID SKU QUANTITY */
};

static struct shelf *find_shelf_locked(struct stock *s, const char *sku)
{
    for (size_t i = 0; i < sizeof(s->shelves) / sizeof(s->shelves[0]); i++)
        if (strcmp(s->shelves[i].sku, sku) == 0)
            return &s->shelves[i];
    return NULL;
}

static int compare_orders(const void *a, const void *b)
{
    const struct order *x = a;
    const struct order *y = b;

    return strcmp(x->request_id, y->request_id);
}

/* The order of this ID, made if there is none; NULL: out of memory. */
static struct order *find_order_locked(struct stock *s, const char *request_id)
{
    struct order *o = calloc(1, sizeof(*o));
    struct order **found;

    if (o == NULL)
        return NULL;
    snprintf(o->request_id, sizeof(o->request_id), "%s", request_id);
    found = tsearch(o, &s->orders, compare_orders);
    if (found == NULL || *found != o)
        free(o);
    return found != NULL ? *found : NULL;
}

/* Takes `quantity` off the shelf in the name of an order. */
static void take_locked(struct stock *s, struct order *o, struct shelf *shelf, uint32_t quantity)
{
    shelf->left -= quantity;
    o->times++;
    if (o->times == 1)
        s->n_orders++;
    if (o->times == 2)
        s->n_repeated++;
    if (o->times > 1)
        shop_log(s->service.program, "order %s was executed %u times", o->request_id, o->times);
}

static bool write_journal_locked(struct stock *s, const char *request_id, const char *sku,
                                 uint32_t quantity)
{
    if (s->journal == NULL)
        return true;
    return fprintf(s->journal, "%s %s %u\n", request_id, sku, quantity) > 0 &&
           fflush(s->journal) == 0;
}

static stint_code reserve_locked(struct stock *s, const char *request_id,
                                 const Shop__V1__ReserveRequest *req, Shop__V1__ReserveReply *rep,
                                 stint_call *call)
{
    struct shelf *shelf = find_shelf_locked(s, req->sku);
    struct order *o;

    if (shelf == NULL)
        return stint_call_fail(call, STINT_NOT_FOUND, "no shelf for '%s'", req->sku);
    if (shelf->left < req->quantity)
        return stint_call_fail(call, STINT_FAILED_PRECONDITION, "only %u of '%s' left", shelf->left,
                               req->sku);
    o = find_order_locked(s, request_id);
    if (o == NULL)
        return stint_call_fail(call, STINT_RESOURCE_EXHAUSTED, "no memory for one more order");
    if (!write_journal_locked(s, request_id, req->sku, req->quantity))
        return stint_call_fail(call, STINT_UNAVAILABLE, "the journal cannot be written");
    take_locked(s, o, shelf, req->quantity);
    rep->left = shelf->left;
    return STINT_OK;
}

static stint_code reserve(void *self, const stint_ctx *ctx, const Shop__V1__ReserveRequest *req,
                          Shop__V1__ReserveReply *rep, stint_call *call)
{
    struct stock *s = self;
    const char *request_id = shop_request_id(ctx);
    stint_code code;

    if (request_id[0] == '\0')
        return stint_call_fail(call, STINT_INVALID_ARGUMENT, "an order needs a request ID");
    if (req->quantity == 0)
        return stint_call_fail(call, STINT_INVALID_ARGUMENT, "an order of nothing");
    code = shop_work(&s->service, ctx, call);
    if (code != STINT_OK)
        return code;
    pthread_mutex_lock(&s->lock);
    code = reserve_locked(s, request_id, req, rep, call);
    pthread_mutex_unlock(&s->lock);
    return code;
}

static stint_code audit(void *self, const stint_ctx *ctx, const Shop__V1__AuditRequest *req,
                        Shop__V1__AuditReply *rep, stint_call *call)
{
    struct stock *s = self;

    (void)ctx;
    (void)req;
    (void)call;
    pthread_mutex_lock(&s->lock);
    rep->orders = s->n_orders;
    rep->repeated = s->n_repeated;
    pthread_mutex_unlock(&s->lock);
    return STINT_OK;
}

/* Does again, to the shelves, what a line of the journal says was done; a line that was cut short
 * was not answered either, and does nothing. */
static void replay_line_locked(struct stock *s, char *line)
{
    char *next = NULL;
    const char *request_id = strtok_r(line, " ", &next);
    const char *sku = strtok_r(NULL, " ", &next);
    const char *quantity = strtok_r(NULL, "\n", &next);
    char *end = NULL;
    unsigned long n = quantity != NULL ? strtoul(quantity, &end, 10) : 0;
    struct shelf *shelf = sku != NULL ? find_shelf_locked(s, sku) : NULL;
    struct order *o;

    if (shelf == NULL || n < 1 || n > shelf->left || *end != '\0')
        return;
    o = find_order_locked(s, request_id);
    if (o != NULL)
        take_locked(s, o, shelf, (uint32_t)n);
}

/* A last line that was cut short was not answered either: it is marked, and counts for nothing. */
static void replay(struct stock *s)
{
    char line[JOURNAL_LINE_MAX];
    bool whole = true; /* the last one */

    pthread_mutex_lock(&s->lock);
    rewind(s->journal);
    while (fgets(line, sizeof(line), s->journal) != NULL) {
        whole = strchr(line, '\n') != NULL;
        if (whole)
            replay_line_locked(s, line);
    }
    if (!whole && fseek(s->journal, 0, SEEK_END) == 0)
        fputs(" cut short\n", s->journal);
    pthread_mutex_unlock(&s->lock);
}

static void open_journal(struct stock *s)
{
    const char *path = s->service.options.journal;
    stint_error err;
    stint_code code;

    if (path == NULL)
        return;
    s->journal = fopen(path, "a+e");
    code = s->journal != NULL ? STINT_OK
                              : stint_error_set(&err, STINT_UNAVAILABLE, "journal %s: %s", path,
                                                strerrordesc_np(errno));
    shop_require(&s->service, code, &err);
    replay(s);
}

int main(int argc, char **argv)
{
    static const struct shop_program program = {
        .name = "stock",
        .about = "Knows what is on the shelves and takes orders off them.",
        .has_journal = true,
    };
    static const shop_v1_stock_ops ops = {.reserve = reserve, .audit = audit};
    struct stock s = {
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .shelves = {{"teapot", 100000}, {"cup", 100000}, {"spoon", 100000}},
    };
    stint_error err;
    int status;

    shop_init(&s.service, &program, argc, argv);
    open_journal(&s);
    shop_require(&s.service, shop_v1_stock_register(s.service.server, &ops, &s, &err), &err);
    status = shop_serve(&s.service);
    if (s.journal != NULL && fclose(s.journal) != 0)
        status = EXIT_FAILURE;
    tdestroy(s.orders, free);
    return status;
}

/* fiber.c - see the header.
 *
 * The caller of fibers_run is the driver: it runs when nobody else can, and lets time pass. What it
 * runs meanwhile (functions of timers) may have to wait for a mutex, and then takes turns like the
 * rest.
 *
 * Invariants: exactly one fiber runs; every other one is in `ready`, in a bucket of `waiting`, in
 * `unused`, is the driver in its loop, or has ended and is to be joined. Everything is at file
 * scope, as a process has one scheduler; no other thread exists that could look at it. */
#include "fiber.h"

#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "list.h"
#include "random.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define STACK_SIZE ((size_t)256 * 1024)
#else
#define STACK_SIZE ((size_t)128 * 1024)
#endif
#define GUARD_SIZE  ((size_t)4096)
#define BUCKETS     1024
#define SPIN_MAX    1000000 /* yields without anybody getting anywhere */
#define CHOOSE_FROM 4       /* who has waited longest may have to wait for so many others */

struct fiber {
    struct stint__list link;
    struct stint__list impatient_link; /* in `impatient`, in the order in which they came */
    ucontext_t context;
    uint8_t *stack; /* NULL: the driver, which has its thread's */
    void *tls;      /* its thread-local variables while it does not run */
    void *(*fn)(void *arg);
    void *arg, *result;
    const void *waits_on;
    int host;
    bool done, detached;
#if defined(__SANITIZE_ADDRESS__)
    void *fake_stack;
    const void *bottom;
    size_t size;
#endif
};

/* The program's thread-local variables: where they are, and how they begin. */
static struct {
    void *live;
    const void *image;
    size_t image_size, size;
} tls;

static struct {
    struct fiber_options opts;
    struct fiber driver;
    struct fiber *current;
    struct fiber *previous; /* who ran before it */
    struct stint__list ready;
    struct stint__list waiting[BUCKETS]; /* by what they wait on */
    struct stint__list impatient;
    size_t alive;
    uint64_t random, entropy, switches;
    unsigned spins;
    bool driver_idle, active;
} fibers;

/* Fibers that have ended, kept with their stacks for the next ones and the next run. */
static struct stint__list unused = {&unused, &unused};

static void die(const char *why)
{
    fprintf(stderr, "the simulation is stuck: %s\n", why);
    abort();
}

static uint64_t draw(uint64_t *state)
{
    *state += UINT64_C(0x9E3779B97F4A7C15);
    return stint__mix(*state);
}

static struct fiber *fiber_of(struct stint__list *link)
{
    return STINT__CONTAINER_OF(link, struct fiber, link);
}

/* ---- thread-local variables ---- */

static int find_tls(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_TLS)
            continue;
        tls.live = info->dlpi_tls_data;
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): an address is what it is */
        tls.image = (const void *)(info->dlpi_addr + p->p_vaddr);
        tls.image_size = p->p_filesz;
        tls.size = p->p_memsz;
    }
    return 1; /* the program comes first; libraries keep theirs */
}

static void tls_init(void *copy)
{
    memset(copy, 0, tls.size);
    memcpy(copy, tls.image, tls.image_size);
}

/* ---- switching ---- */

#if defined(__SANITIZE_ADDRESS__)
static void announce_switch(struct fiber *from, const struct fiber *to)
{
    __sanitizer_start_switch_fiber(from->done ? NULL : &from->fake_stack, to->bottom, to->size);
}

static void arrived(struct fiber *self)
{
    const void *bottom;
    size_t size;
    __sanitizer_finish_switch_fiber(self->fake_stack, &bottom, &size);
    fibers.previous->bottom = bottom; /* news for the driver only */
    fibers.previous->size = size;
}
#else
static void announce_switch(struct fiber *from, const struct fiber *to)
{
    (void)from;
    (void)to;
}

static void arrived(struct fiber *self)
{
    (void)self;
}
#endif

static void switch_to(struct fiber *to)
{
    struct fiber *from = fibers.current;
    if (to == from)
        return;
    memcpy(from->tls, tls.live, tls.size);
    memcpy(tls.live, to->tls, tls.size);
    fibers.switches++;
    fibers.previous = from;
    fibers.current = to;
    announce_switch(from, to);
    if (swapcontext(&from->context, &to->context) != 0)
        die("swapcontext failed");
    arrived(from);
}

static struct fiber *take_ready(void)
{
    struct stint__list *link = fibers.ready.next;
    if (link == &fibers.ready)
        return NULL;
    for (uint64_t skip = draw(&fibers.random) % CHOOSE_FROM; skip > 0; skip--)
        if (link->next != &fibers.ready)
            link = link->next;
    stint__list_unlink(link);
    return fiber_of(link);
}

/* Lets somebody else run; the current fiber has been put where it belongs. */
static void schedule(void)
{
    struct fiber *next = take_ready();
    if (next == NULL && !fibers.driver_idle)
        die("every fiber waits for another one");
    switch_to(next != NULL ? next : &fibers.driver);
}

/* ---- the life of a fiber ---- */

static void fiber_main(void)
{
    struct fiber *self = fibers.current;
    arrived(self);
    self->result = self->fn(self->arg);
    self->done = true;
    fibers.alive--;
    fiber_wake(self, true);
    if (self->detached)
        stint__list_push_back(&unused, &self->link);
    schedule();
    die("a fiber went on after its end");
}

static struct fiber *fiber_new(void)
{
    struct stint__list *link = stint__list_pop_front(&unused);
    if (link != NULL)
        return fiber_of(link);
    struct fiber *f = calloc(1, sizeof *f);
    void *stack = mmap(NULL, STACK_SIZE + GUARD_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (f == NULL || stack == MAP_FAILED || mprotect(stack, GUARD_SIZE, PROT_NONE) != 0)
        die("no memory for a fiber");
    f->stack = (uint8_t *)stack + GUARD_SIZE;
    f->tls = calloc(1, tls.size + 1);
    if (f->tls == NULL)
        die("no memory for a fiber");
    stint__list_init(&f->link);
    stint__list_init(&f->impatient_link);
    return f;
}

/* By itself, because getcontext may return twice, for all that a compiler knows. */
static void make_context(struct fiber *f)
{
    if (getcontext(&f->context) != 0)
        die("getcontext failed");
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK_SIZE;
    makecontext(&f->context, fiber_main, 0);
}

struct fiber *fiber_start(void *(*fn)(void *arg), void *arg)
{
    struct fiber *f = fiber_new();
    f->fn = fn;
    f->arg = arg;
    f->done = f->detached = false;
    f->host = fibers.current->host;
    tls_init(f->tls);
#if defined(__SANITIZE_ADDRESS__)
    f->fake_stack = NULL;
    f->bottom = f->stack;
    f->size = STACK_SIZE;
#endif
    make_context(f);
    stint__list_push_back(&fibers.ready, &f->link);
    fibers.alive++;
    return f;
}

struct fiber *fiber_self(void)
{
    return fibers.current;
}

void *fiber_join(struct fiber *f)
{
    while (!f->done)
        fiber_wait(f, false);
    stint__list_push_back(&unused, &f->link);
    return f->result;
}

void fiber_detach(struct fiber *f)
{
    if (f->done)
        stint__list_push_back(&unused, &f->link);
    f->detached = true;
}

int fiber_host(void)
{
    return fibers.current->host;
}

void fiber_set_host(int host)
{
    fibers.current->host = host;
}

/* ---- waiting ---- */

static struct stint__list *bucket_of(const void *address)
{
    return &fibers.waiting[stint__mix((uintptr_t)address) % BUCKETS];
}

void fiber_yield(void)
{
    if (++fibers.spins > SPIN_MAX)
        die("fibers wait in turn for what none of them lets go");
    if (stint__list_empty(&fibers.ready))
        return;
    stint__list_push_back(&fibers.ready, &fibers.current->link);
    schedule();
}

/* Somebody else goes first: another fiber, or the driver with what is due now. */
static void preempt(void)
{
    struct fiber *self = fibers.current;
    if (!fibers.driver_idle || draw(&fibers.random) % 2 == 0) {
        fiber_yield();
        return;
    }
    stint__list_push_back(&fibers.ready, &self->link);
    switch_to(&fibers.driver);
}

void fiber_may_yield(void)
{
    uint32_t one_in = fibers.opts.preempt_one_in;
    if (one_in > 0 && draw(&fibers.random) % one_in == 0)
        preempt();
}

void fiber_wait(const void *on, bool impatient)
{
    struct fiber *self = fibers.current;
    self->waits_on = on;
    if (impatient)
        stint__list_push_back(&fibers.impatient, &self->impatient_link);
    fibers.spins = 0;
    stint__list_push_back(bucket_of(on), &self->link);
    schedule();
}

static void make_ready(struct fiber *f)
{
    stint__list_unlink(&f->impatient_link);
    stint__list_unlink(&f->link);
    stint__list_push_back(&fibers.ready, &f->link);
}

void fiber_wake(const void *on, bool all)
{
    struct stint__list *bucket = bucket_of(on);
    for (struct stint__list *link = bucket->next, *next; link != bucket; link = next) {
        next = link->next;
        if (fiber_of(link)->waits_on != on)
            continue;
        make_ready(fiber_of(link));
        if (!all)
            return;
    }
}

void fiber_wake_impatient(void)
{
    STINT_LIST_FOREACH (link, &fibers.impatient)
        make_ready(STINT__CONTAINER_OF(link, struct fiber, impatient_link));
}

/* ---- running ---- */

static void drive(void)
{
    while (fibers.alive > 0) {
        bool now = !stint__list_empty(&fibers.ready);
        if (!fibers.opts.step(now) && !now)
            die("every fiber waits, and nothing will happen");
        struct fiber *next = take_ready();
        if (next != NULL) {
            fibers.driver_idle = true;
            switch_to(next);
            fibers.driver_idle = false;
        }
        fibers.spins = 0;
    }
}

static void begin(const struct fiber_options *opts)
{
    memset(&fibers, 0, sizeof fibers);
    fibers.opts = *opts;
    fibers.random = opts->seed;
    fibers.entropy = stint__mix(opts->seed);
    fibers.current = &fibers.driver;
    fibers.driver.host = -1;
    stint__list_init(&fibers.driver.link);
    stint__list_init(&fibers.driver.impatient_link);
    stint__list_init(&fibers.impatient);
    stint__list_init(&fibers.ready);
    for (size_t i = 0; i < BUCKETS; i++)
        stint__list_init(&fibers.waiting[i]);
    fibers.driver.tls = calloc(1, tls.size + 1);
    if (fibers.driver.tls == NULL)
        die("no memory");
    fibers.active = true;
}

void fibers_run(const struct fiber_options *opts, void *(*body)(void *arg), void *arg)
{
    dl_iterate_phdr(find_tls, NULL);
    void *before = calloc(1, tls.size + 1);
    if (before == NULL)
        die("no memory");
    memcpy(before, tls.live, tls.size);
    begin(opts);
    tls_init(tls.live); /* so that one run leaves nothing for the next */
    fiber_detach(fiber_start(body, arg));
    drive();
    fibers.active = false;
    free(fibers.driver.tls);
    memcpy(tls.live, before, tls.size);
    free(before);
}

bool fibers_active(void)
{
    return fibers.active;
}

uint64_t fibers_switches(void)
{
    return fibers.switches;
}

uint64_t fibers_entropy(void)
{
    return draw(&fibers.entropy);
}

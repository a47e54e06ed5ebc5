/* demo_shop.c - the four processes: started, killed, stopped, and never left behind.
 *
 * Each process has a thread that reads its stderr to the end, which is also how the demo learns
 * that it is gone. A process dies with the demo's main thread (PR_SET_PDEATHSIG), in a process
 * group of its own, so that Ctrl-C reaches the demo alone and the demo decides. Everything here
 * runs in the main thread, but for read_log. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "demo.h"
#include "shop/v1/shop.stint.h"

#define START_PATIENCE STINT_SECONDS(10)
#define STOP_PATIENCE  STINT_SECONDS(8)

const char *const service_names[N_SERVICES] = {"gateway", "checkout", "pricing", "stock"};

/* The services that each calls, ended by itself. */
static const enum service peers[N_SERVICES][3] = {
    [GATEWAY] = {CHECKOUT, GATEWAY},
    [CHECKOUT] = {PRICING, STOCK, CHECKOUT},
    [PRICING] = {PRICING},
    [STOCK] = {STOCK},
};

bool shop_prepare(struct demo *d)
{
    const char *tmp = secure_getenv("TMPDIR");
    ssize_t n = readlink("/proc/self/exe", d->bin, sizeof(d->bin) - 1);
    char *slash;

    d->bin[n > 0 ? n : 0] = '\0';
    slash = strrchr(d->bin, '/');
    if (slash == NULL) {
        fprintf(stderr, "shop_demo: cannot tell where it was started from\n");
        return false;
    }
    *slash = '\0';
    snprintf(d->dir, sizeof(d->dir), "%s/stint-shop-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(d->dir) == NULL) {
        fprintf(stderr, "shop_demo: cannot make the directory %s: %s\n", d->dir,
                strerrordesc_np(errno));
        d->dir[0] = '\0';
        return false;
    }
    snprintf(d->journal, sizeof(d->journal), "%s/journal", d->dir);
    for (int i = 0; i < N_SERVICES; i++) {
        struct node *node = &d->nodes[i];
        *node = (struct node){.demo = d, .service = (enum service)i};
        snprintf(node->url, sizeof(node->url), "ipc://%.100s/%s", d->dir, service_names[i]);
    }
    return true;
}

static void *read_log(void *arg)
{
    struct node *node = arg;
    struct logs *logs = &node->demo->logs;
    char *text = NULL;
    size_t size = 0;
    ssize_t n;

    while ((n = getline(&text, &size, node->log)) > 0) {
        text[text[n - 1] == '\n' ? n - 1 : n] = '\0';
        logs_add(logs, node->service, text);
    }
    free(text);
    pthread_mutex_lock(&logs->lock);
    node->ended = true;
    stint_ctx_cancel(node->demo->starting, STINT_UNAVAILABLE, "one of its services has ended");
    pthread_cond_broadcast(&logs->changed);
    pthread_mutex_unlock(&logs->lock);
    return NULL;
}

/* In the child: only what may be done between fork and exec. Does not return. */
static void become(char *const argv[], int log_fd, pid_t parent)
{
    static const char sorry[] = "cannot be executed\n";
    sigset_t none;

    setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(127);
    sigemptyset(&none);
    if (pthread_sigmask(SIG_SETMASK, &none, NULL) == 0 && dup2(log_fd, STDERR_FILENO) >= 0)
        execv(argv[0], argv);
    _exit(write(STDERR_FILENO, sorry, sizeof(sorry) - 1) > 0 ? 127 : 126);
}

/* A command line. */
struct args {
    char text[8][192];
    char *v[9]; /* NULL-terminated */
    size_t n;
};

static void add_arg(struct args *args, const char *fmt, ...) STINT_PRINTF(2, 3);

static void add_arg(struct args *args, const char *fmt, ...)
{
    char *text = args->text[args->n];
    va_list list;

    va_start(list, fmt);
    vsnprintf(text, sizeof(args->text[0]), fmt, list);
    va_end(list);
    args->v[args->n++] = text;
}

static void add_service_args(struct args *args, const struct demo *d, enum service service)
{
    const struct setup *setup = d->setup;

    add_arg(args, "%s/shop_%s", d->bin, service_names[service]);
    add_arg(args, "--listen=%s", d->nodes[service].url);
    for (size_t i = 0; peers[service][i] != service; i++) {
        enum service to = peers[service][i];
        add_arg(args, "--peer=%s=%s", service_names[to], d->nodes[to].url);
    }
    if (setup->work[service] != NULL)
        add_arg(args, "--work=%s", setup->work[service]);
    if (setup->workers[service] != NULL)
        add_arg(args, "--workers=%s", setup->workers[service]);
    if (service == STOCK)
        add_arg(args, "--journal=%s", d->journal);
}

/* Forks and reads the child's stderr. On failure nothing is left. */
static bool spawn(struct node *node, const struct args *args)
{
    pid_t parent = getpid();
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return false;
    node->log = fdopen(fds[0], "r");
    if (node->log == NULL) {
        close(fds[0]);
        close(fds[1]);
        return false;
    }
    node->ended = false;
    node->pid = fork();
    if (node->pid == 0)
        become(args->v, fds[1], parent);
    close(fds[1]);
    if (node->pid > 0 && pthread_create(&node->reader, NULL, read_log, node) == 0)
        return true;
    if (node->pid > 0) {
        kill(node->pid, SIGKILL);
        waitpid(node->pid, NULL, 0);
    }
    node->pid = 0;
    fclose(node->log);
    return false;
}

bool shop_start(struct demo *d, enum service service)
{
    struct args args = {.n = 0};

    add_service_args(&args, d, service);
    if (spawn(&d->nodes[service], &args))
        return true;
    fprintf(stderr, "shop_demo: cannot start %s: %s\n", args.v[0], strerrordesc_np(errno));
    return false;
}

/* Waits until the process has closed its log. False: ctx was done first. */
static bool wait_ended(struct node *node, const stint_ctx *ctx)
{
    struct logs *logs = &node->demo->logs;
    bool ended;

    pthread_mutex_lock(&logs->lock);
    while (!node->ended)
        if (stint_ctx_cond_wait(ctx, &logs->changed, &logs->lock) != STINT_OK)
            break;
    ended = node->ended;
    pthread_mutex_unlock(&logs->lock);
    return ended;
}

/* Collects a process that has ended or is being killed, and its log to the last line. */
static int reap(struct node *node)
{
    int status = 0;

    while (waitpid(node->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    pthread_join(node->reader, NULL);
    fclose(node->log);
    node->pid = 0;
    return status;
}

void shop_kill(struct demo *d, enum service service)
{
    struct node *node = &d->nodes[service];

    if (node->pid == 0)
        return;
    kill(node->pid, SIGKILL);
    reap(node);
}

/* True: it left by itself, with status 0. */
static bool stop(struct node *node)
{
    stint_ctx *patience = stint_ctx_with_timeout(stint_ctx_background(), STOP_PATIENCE);
    int status;

    kill(node->pid, SIGTERM);
    if (!wait_ended(node, patience))
        kill(node->pid, SIGKILL);
    stint_ctx_drop(patience);
    status = reap(node);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void shop_down(struct demo *d)
{
    stint_channel_close(d->gateway);
    stint_channel_close(d->stock);
    d->gateway = d->stock = NULL;
    for (int i = 0; i < N_SERVICES; i++)
        if (d->nodes[i].pid != 0 && !stop(&d->nodes[i]))
            check(d, false, "%s finishes its work after SIGTERM and leaves with status 0",
                  service_names[i]);
}

/* Asks the gateway for an order of nothing, which it refuses: so it is there and answers. */
static stint_code ask(const stint_ctx *ctx, stint_channel *gateway, stint_error *err)
{
    Shop__V1__OrderRequest nothing = SHOP__V1__ORDER_REQUEST__INIT;
    Shop__V1__OrderReply *rep = NULL;
    stint_code code = stint_channel_wait_ready(ctx, gateway, err);

    if (code == STINT_OK)
        code = shop_v1_gateway_place_order(ctx, gateway, &nothing, &rep, err);
    shop__v1__order_reply__free_unpacked(rep, NULL);
    return code == STINT_INVALID_ARGUMENT ? STINT_OK : code;
}

/* Returns what it was. */
static stint_ctx *set_starting(struct demo *d, stint_ctx *ctx)
{
    stint_ctx *before;

    pthread_mutex_lock(&d->logs.lock);
    before = d->starting;
    d->starting = ctx;
    pthread_mutex_unlock(&d->logs.lock);
    return before;
}

static stint_code start_all(struct demo *d, const stint_ctx *ctx, stint_error *err)
{
    for (int i = N_SERVICES - 1; i >= 0; i--)
        if (!shop_start(d, (enum service)i))
            return stint_error_set(err, STINT_UNAVAILABLE, "a process cannot be started");
    if (stint_channel_open(&d->gateway, d->nodes[GATEWAY].url, NULL, err) != STINT_OK ||
        stint_channel_open(&d->stock, d->nodes[STOCK].url, NULL, err) != STINT_OK)
        return err->code;
    return ask(ctx, d->gateway, err);
}

bool shop_up(struct demo *d, const struct setup *setup)
{
    stint_ctx *patience = stint_ctx_with_timeout(d->root, START_PATIENCE);
    stint_error err = STINT_ERROR_INIT;
    stint_code code;

    d->setup = setup;
    logs_clear(&d->logs);
    unlink(d->journal);
    set_starting(d, patience);
    code = start_all(d, patience, &err);
    stint_ctx_drop(set_starting(d, NULL));
    if (code != STINT_OK)
        check(d, false, "the four services start and answer (%s: %s)", stint_code_name(code),
              err.message);
    return code == STINT_OK;
}

void shop_cleanup(struct demo *d)
{
    if (d->dir[0] == '\0')
        return;
    for (int i = 0; i < N_SERVICES; i++) {
        shop_kill(d, (enum service)i);
        unlink(d->nodes[i].url + strlen("ipc://"));
    }
    unlink(d->journal);
    if (rmdir(d->dir) != 0)
        fprintf(stderr, "shop_demo: cannot remove %s: %s\n", d->dir, strerrordesc_np(errno));
}

/* cluster.c - see the header. All of it belongs to the test's thread.
 *
 * How no process is left behind, beyond what node.c does: this process adopts what its nodes leave
 * behind (PR_SET_CHILD_SUBREAPER), so that every child that is no node is a stray. Killing one may
 * bring up its children: it is done until there are none. */
#include "cluster.h"

#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_NODES 64
#define MAX_URLS  64

struct cluster {
    void (*body)(struct cluster *c);
    bool passed;
    char dir[32];
    struct node *nodes[MAX_NODES];
    size_t n_nodes;
    char *urls[MAX_URLS];
    size_t n_urls;
};

/* ---- strays ---- */

static bool is_node(const struct cluster *c, pid_t pid)
{
    for (size_t i = 0; i < c->n_nodes; i++) {
        if (node_is_alive(c->nodes[i]) && node_pid(c->nodes[i]) == pid)
            return true;
    }
    return false;
}

/* Kills the children in one file of /proc that are no nodes; counts them. */
static unsigned kill_strays_of(const struct cluster *c, const char *path)
{
    FILE *file = fopen(path, "re");
    unsigned count = 0;
    int pid;
    if (file == NULL)
        return 0;                           /* the thread has ended */
    while (fscanf(file, "%d", &pid) == 1) { // NOLINT(cert-err34-c): written by the kernel
        if (is_node(c, pid) || waitpid(pid, NULL, WNOHANG) != 0)
            continue; /* or it had ended by itself */
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        count++;
    }
    fclose(file);
    return count;
}

static unsigned kill_strays_once(const struct cluster *c)
{
    unsigned count = 0;
    const struct dirent *task;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    while ((task = readdir(tasks)) != NULL) { // NOLINT(concurrency-mt-unsafe): our own DIR
        char path[64];
        if (task->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%.16s/children", task->d_name);
        count += kill_strays_of(c, path);
    }
    closedir(tasks);
    return count;
}

unsigned cluster_kill_strays(struct cluster *c)
{
    unsigned count = 0, more;
    while ((more = kill_strays_once(c)) > 0)
        count += more;
    return count;
}

/* ---- the test's frame ---- */

int cluster_setup(void **state)
{
    const struct cluster_body *body = *state;
    struct cluster *c = calloc(1, sizeof *c);
    if (c == NULL)
        return -1;
    c->body = body->run;
    snprintf(c->dir, sizeof c->dir, "/tmp/stint-XXXXXX");
    if (mkdtemp(c->dir) == NULL) {
        free(c);
        return -1;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    *state = c;
    return 0;
}

void cluster_run(void **state)
{
    struct cluster *c = *state;
    c->body(c);
    c->passed = true; /* a failed assertion never comes back here */
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

int cluster_teardown(void **state)
{
    struct cluster *c = *state;
    for (size_t i = 0; i < c->n_nodes; i++)
        node_kill(c->nodes[i]);
    cluster_kill_strays(c);
    for (size_t i = 0; i < c->n_nodes; i++) {
        if (!c->passed)
            node_print_log(c->nodes[i]);
        node_free(c->nodes[i]);
    }
    for (size_t i = 0; i < c->n_urls; i++)
        free(c->urls[i]);
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread calls it
    nftw(c->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(c);
    return 0;
}

/* ---- what tests ask for ---- */

const char *cluster_dir(const struct cluster *c)
{
    return c->dir;
}

const char *cluster_ipc_url(struct cluster *c, const char *name)
{
    assert_true(c->n_urls < MAX_URLS);
    char **url = &c->urls[c->n_urls];
    assert_true(asprintf(url, "ipc://%s/%s", c->dir, name) > 0);
    c->n_urls++;
    return *url;
}

struct node *cluster_start(struct cluster *c, const char *name, const char *url,
                           const char *const argv[])
{
    assert_true(c->n_nodes < MAX_NODES);
    struct node *n = node_new(name, url, argv);
    c->nodes[c->n_nodes++] = n; /* before it can fail, so that the teardown knows it */
    node_start(n);
    return n;
}

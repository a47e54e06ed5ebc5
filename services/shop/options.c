/* options.c - the command line of the shop's programs.
 *
 * Runs before there is a second thread. Whatever is wrong is said in one sentence that names the
 * option, and ends the program with status 2. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

enum { OPT_LISTEN = 256, OPT_PEER, OPT_JOURNAL, OPT_WORK, OPT_WORKERS, OPT_DRAIN };

static const struct option long_options[] = {
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"peer", required_argument, NULL, OPT_PEER},
    {"journal", required_argument, NULL, OPT_JOURNAL},
    {"work", required_argument, NULL, OPT_WORK},
    {"workers", required_argument, NULL, OPT_WORKERS},
    {"drain", required_argument, NULL, OPT_DRAIN},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static void leave(int status)
{
    exit(status); // NOLINT(concurrency-mt-unsafe): there is one thread
}

static void usage_error(const struct shop_program *program, const char *fmt, ...)
    STINT_PRINTF(2, 3);

static void usage_error(const struct shop_program *program, const char *fmt, ...)
{
    va_list args;

    fprintf(stderr, "shop_%s: ", program->name);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "; see shop_%s --help\n", program->name);
    leave(2);
}

static void print_help(const struct shop_program *program)
{
    printf("Usage: shop_%s --listen URL", program->name);
    for (size_t i = 0; i < SHOP_PEERS_MAX && program->peers[i] != NULL; i++)
        printf(" --peer %s=URL", program->peers[i]);
    printf(" [OPTION...]\n%s\n\n", program->about);
    printf("  --listen URL      where to serve, such as tcp://127.0.0.1:7000 or ipc:///run/x\n");
    if (program->peers[0] != NULL)
        printf("  --peer NAME=URL   where a service that this one calls is served\n");
    if (program->has_journal)
        printf("  --journal FILE    where to remember, across restarts, what was executed\n");
    printf("  --work TIME       how long each call is to take, such as 20ms; default: no time\n"
           "  --workers N       how many calls run at once; default: as the library says\n"
           "  --drain TIME      how long calls may take to finish after SIGTERM; default: 5s\n"
           "  --help, --version\n");
}

/* "20ms", "2s", "500us": a whole number and a unit, at most an hour. False: text is none. */
static bool read_duration(const char *text, stint_duration *ret_duration)
{
    static const struct {
        const char *name;
        stint_duration unit;
    } units[] = {{"us", STINT_US(1)}, {"ms", STINT_MS(1)}, {"s", STINT_SECONDS(1)}};
    char *end = NULL;
    long long n;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    n = strtoll(text, &end, 10);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        if (errno != 0 || n > STINT_SECONDS(3600) / units[i].unit)
            return false;
        *ret_duration = n * units[i].unit;
        return true;
    }
    return false;
}

static stint_duration parse_duration(const struct shop_program *program, const char *option,
                                     const char *text)
{
    stint_duration d = 0;

    if (!read_duration(text, &d))
        usage_error(program, "%s: '%s' is not a time of at most an hour, such as 20ms or 2s",
                    option, text);
    return d;
}

static uint32_t parse_workers(const struct shop_program *program, const char *text)
{
    char *end = NULL;
    long n;

    errno = 0;
    n = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || n < 1 || n > 1024)
        usage_error(program, "--workers: '%s' is not a number from 1 to 1024", text);
    return (uint32_t)n;
}

static void parse_peer(struct shop_options *opts, const struct shop_program *program,
                       const char *text)
{
    const char *equals = strchr(text, '=');
    size_t len = equals != NULL ? (size_t)(equals - text) : strlen(text);

    for (size_t i = 0; i < SHOP_PEERS_MAX && program->peers[i] != NULL; i++) {
        const char *name = program->peers[i];
        if (strlen(name) != len || strncmp(text, name, len) != 0)
            continue;
        if (equals == NULL || equals[1] == '\0')
            usage_error(program, "--peer %s: its URL is missing (--peer %s=URL)", name, name);
        if (opts->peer_urls[i] != NULL)
            usage_error(program, "--peer %s is given twice", name);
        opts->peer_urls[i] = equals + 1;
        return;
    }
    usage_error(program, "--peer: %s calls no service named '%.*s'", program->name, (int)len, text);
}

static void check_complete(const struct shop_options *opts, const struct shop_program *program)
{
    if (opts->listen == NULL)
        usage_error(program, "--listen URL is missing");
    for (size_t i = 0; i < SHOP_PEERS_MAX && program->peers[i] != NULL; i++)
        if (opts->peer_urls[i] == NULL)
            usage_error(program, "--peer %s=URL is missing", program->peers[i]);
    if (opts->journal != NULL && !program->has_journal)
        usage_error(program, "--journal: %s keeps none", program->name);
}

static void apply(struct shop_options *opts, const struct shop_program *program, int option)
{
    switch (option) {
    case OPT_LISTEN:
        opts->listen = optarg;
        break;
    case OPT_PEER:
        parse_peer(opts, program, optarg);
        break;
    case OPT_JOURNAL:
        opts->journal = optarg;
        break;
    case OPT_WORK:
        opts->work = parse_duration(program, "--work", optarg);
        break;
    case OPT_WORKERS:
        opts->workers = parse_workers(program, optarg);
        break;
    case OPT_DRAIN:
        opts->drain = parse_duration(program, "--drain", optarg);
        break;
    case 'h':
        print_help(program);
        leave(0);
        break;
    case 'V':
        printf("shop_%s (Stint) %s\n", program->name, stint_version());
        leave(0);
        break;
    default: /* getopt_long has said what is wrong */
        fprintf(stderr, "see shop_%s --help\n", program->name);
        leave(2);
        break;
    }
}

void shop_options_parse(struct shop_options *opts, const struct shop_program *program, int argc,
                        char **argv)
{
    int option;

    *opts = (struct shop_options){.drain = STINT_SECONDS(5)};
    // NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        apply(opts, program, option);
    if (optind < argc)
        usage_error(program, "'%s' is not an option", argv[optind]);
    check_complete(opts, program);
}

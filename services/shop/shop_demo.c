/* shop_demo.c - starts the shop and shows what happens to a call, in five scenarios.
 *
 * Exit status: 0 only if every scenario ended as it should; 1 if one did not; 2 for bad arguments;
 * 130 after Ctrl-C. In all cases nothing is left behind: no process, no file. */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "demo.h"

static const struct scenario {
    const char *title;
    const char *text;
    struct setup setup;
    void (*run)(struct demo *d);
} scenarios[] = {
    {
        "Plenty of time",
        "One order that may take 2 s. Pricing works 20 ms for it, stock 30 ms.",
        {.work = {[PRICING] = "20ms", [STOCK] = "30ms"}},
        scenario_plenty,
    },
    {
        "A deadline that runs out two hops down",
        "One order that may take 250 ms. Pricing works 20 ms for it; stock would need 5 s.",
        {.work = {[PRICING] = "20ms", [STOCK] = "5s"}},
        scenario_tight,
    },
    {
        "A call shed before its handler ran",
        "Pricing has one worker and takes 600 ms. A first order keeps it busy; the second may take "
        "250 ms, and its quote waits in pricing's queue for longer than that.",
        {.work = {[PRICING] = "600ms"}, .workers = {[PRICING] = "1"}},
        scenario_shed,
    },
    {
        "The customer cancels",
        "One order that may take 30 s. Stock would work 20 s for it; as soon as it has begun, the "
        "customer cancels.",
        {.work = {[PRICING] = "5ms", [STOCK] = "20s"}},
        scenario_cancel,
    },
    {
        "A service is killed under load",
        "An order every 5 ms, each with 1 s. After half a second stock is killed (SIGKILL), half a "
        "second later it is started again.",
        {.work = {[PRICING] = "2ms", [STOCK] = "5ms"}},
        scenario_restart,
    },
};

enum { N_SCENARIOS = sizeof(scenarios) / sizeof(scenarios[0]) };

#define ALL_SCENARIOS ((1U << N_SCENARIOS) - 1)

static void usage(FILE *out)
{
    fprintf(out, "Usage: shop_demo [--logs] [SCENARIO...]\n"
                 "Runs the scenarios of these numbers (default: all) and exits with status 0 if "
                 "each\nended as it should.\n\n"
                 "  --logs   also show the services' own log lines (over 80 columns)\n"
                 "  --help, --version\n\n");
    for (unsigned i = 0; i < N_SCENARIOS; i++)
        fprintf(out, "  %u  %s\n", i + 1, scenarios[i].title);
}

/* What the command line says. */
struct choice {
    unsigned scenarios; /* one bit each; 0: none is to be run, status says why */
    bool logs;
    int status;
};

static struct choice parse_option(struct choice choice, int option)
{
    if (option == 'l') {
        choice.logs = true;
        return choice;
    }
    if (option == 'V')
        printf("shop_demo (Stint) %s\n", stint_version());
    else
        usage(option == 'h' ? stdout : stderr);
    return (struct choice){.status = option == 'h' || option == 'V' ? 0 : 2};
}

static struct choice parse_arguments(int argc, char **argv)
{
    static const struct option options[] = {
        {"logs", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    struct choice choice = {.scenarios = ALL_SCENARIOS};
    unsigned chosen = 0;
    int option;

    // NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread
    while (choice.scenarios != 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1)
        choice = parse_option(choice, option);
    for (int i = optind; choice.scenarios != 0 && i < argc; i++) {
        const char *text = argv[i];
        if (text[0] < '1' || text[0] > '0' + N_SCENARIOS || text[1] != '\0') {
            fprintf(stderr, "shop_demo: there is no scenario '%s'; see shop_demo --help\n", text);
            return (struct choice){.status = 2};
        }
        chosen |= 1U << (text[0] - '1');
    }
    if (chosen != 0)
        choice.scenarios = chosen;
    return choice;
}

static bool interrupted(const struct demo *d)
{
    return stint_ctx_err(d->root) != STINT_OK;
}

/* True if it ended as it should. */
static bool run_scenario(struct demo *d, unsigned i)
{
    const struct scenario *s = &scenarios[i];

    d->failed = 0;
    show_title(d, i + 1, s->title, s->text);
    if (shop_up(d, &s->setup))
        s->run(d);
    shop_down(d); /* what the scenario has left running */
    if (d->failed > 0 && !interrupted(d))
        logs_print(&d->logs);
    return d->failed == 0;
}

/* Runs the chosen ones; true if all ended as they should. */
static bool run_scenarios(struct demo *d, unsigned chosen)
{
    stint_time start = stint_now();
    unsigned n = 0;
    unsigned passed = 0;

    show_intro(d);
    for (unsigned i = 0; i < N_SCENARIOS && !interrupted(d); i++) {
        if ((chosen & (1U << i)) == 0)
            continue;
        n++;
        passed += run_scenario(d, i) ? 1 : 0;
    }
    if (interrupted(d))
        printf("\n\nInterrupted.\n\n");
    else
        printf("\n\n%u of %u scenarios ended as they should, in %.1f s.\n\n", passed, n,
               ms(stint_time_sub(stint_now(), start)) / 1000);
    return passed == n;
}

int main(int argc, char **argv)
{
    struct choice choice = parse_arguments(argc, argv);
    struct demo d = {.show_logs = choice.logs};
    int status = EXIT_FAILURE;

    if (choice.scenarios == 0)
        return choice.status;
    setvbuf(stdout, NULL, _IOLBF, 0);
    d.colours = isatty(STDOUT_FILENO) && secure_getenv("NO_COLOR") == NULL;
    signal(SIGPIPE, SIG_IGN); /* nobody looks any more: clean up all the same */
    if (!shop_stop_init(&d.stop))
        return EXIT_FAILURE;
    d.root = d.stop.ctx;
    logs_init(&d.logs);
    if (shop_prepare(&d) && run_scenarios(&d, choice.scenarios))
        status = EXIT_SUCCESS;
    if (interrupted(&d))
        status = 130;
    shop_cleanup(&d);
    logs_fini(&d.logs);
    shop_stop_fini(&d.stop);
    return status;
}

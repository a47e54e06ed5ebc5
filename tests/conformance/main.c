/* main.c - runs the suite over the scheme that is named on the command line. */
#include <stdio.h>

#include "harness.h"
#include "suite.h"

int main(int argc, char **argv)
{
    scheme = argc == 2 ? scheme_find(argv[1]) : NULL;
    if (scheme == NULL) {
        fprintf(stderr, "usage: %s tcp|ipc|mem|inproc|ws|nng+tcp|nng+ipc\n", argv[0]);
        return 2;
    }
    return run_exchange_tests() + run_lifecycle_tests() + run_refusal_tests();
}

/* run.h - one seed, from its plan to the verdict. */
#ifndef STINT_TESTS_SIM_RUN_H
#define STINT_TESTS_SIM_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "history.h"

struct run_result {
    unsigned violations;
    uint64_t hash; /* of everything that happened */
    uint32_t services;
    struct history_summary summary;
};

struct run_result run_seed(uint64_t seed, bool verbose);

#endif

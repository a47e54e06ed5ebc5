/* load.h - what happens to the world: requests from its edge, and trouble. */
#ifndef STINT_TESTS_SIM_LOAD_H
#define STINT_TESTS_SIM_LOAD_H

#include "world.h"

/* Makes all requests and all trouble of the plan, and returns when everything is over. */
void load_run(struct world *w);

#endif

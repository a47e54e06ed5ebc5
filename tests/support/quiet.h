/* quiet.h - whether anything in this process is going on, as the kernel sees it. */
#ifndef STINT_TESTS_QUIET_H
#define STINT_TESTS_QUIET_H

#include <stdbool.h>

/* True if there was a moment, during this call, at which every thread but the caller's slept in the
 * kernel: then, unless something outside of the process or a time-out on the real clock wakes one,
 * nothing happens here any more before the caller does something. */
bool all_other_threads_sleep(void);

#endif

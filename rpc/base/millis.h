/* millis.h - how texts for people show spans of time. */
#ifndef STINT_BASE_MILLIS_H
#define STINT_BASE_MILLIS_H

#include <stint/time.h>

/* For "%.1f ms" and "%.3f ms". */
static inline double stint__ms(stint_duration d)
{
    return (double)d / 1e6;
}

#endif

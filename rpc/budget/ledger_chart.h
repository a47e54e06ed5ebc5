/* ledger_chart.h - a ledger as a chart: what each hop did at which time, in cells of a row.
 *
 * Pure: nothing is printed or allocated here. */
#ifndef STINT_BUDGET_LEDGER_CHART_H
#define STINT_BUDGET_LEDGER_CHART_H

#include <stint/ledger.h>

#define STINT__CHART_CELLS_MAX 200

enum stint__phase {
    STINT__PHASE_NONE,    /* before or after the call */
    STINT__PHASE_TRANSIT, /* there or back */
    STINT__PHASE_QUEUE,
    STINT__PHASE_HANDLER,
    STINT__PHASE_WAITING, /* its handler, while a call that it made was under way */
    STINT__PHASE_UNKNOWN, /* its server did not say */
    STINT__PHASES,
};

struct stint__chart {
    const stint_ledger *ledger;
    stint_duration total;                   /* what the axis spans */
    stint_duration began[STINT_LEDGER_MAX]; /* each entry's beginning on it */
};

/* Of at least one entry. */
void stint__chart_init(struct stint__chart *c, const stint_ledger *l);

/* Entry i in n cells, at most CELLS_MAX: what took its middle. At least one is not NONE. */
void stint__chart_row(const struct stint__chart *c, size_t i, size_t n, enum stint__phase *cells);

/* What entry i itself spent the most time on, and how much. */
enum stint__phase stint__chart_main_phase(const stint_ledger *l, size_t i, stint_duration *ret);

#endif

/* ledger_chart.c - see ledger_chart.h.
 *
 * All times are on the first entry's axis, from 0 to its elapsed time, and cut to it: what a hop
 * claims beyond that is not drawn, and nothing overflows. A hop's own times lie where its caller's
 * clock and the way there put them, so the rows line up although clocks differ. */
#include "ledger_chart.h"

static stint_duration least(stint_duration a, stint_duration b)
{
    return a < b ? a : b;
}

void stint__chart_init(struct stint__chart *c, const stint_ledger *l)
{
    stint_duration arrived[STINT_LEDGER_MAX + 1] = {0}; /* by depth: of the entry last seen */
    c->ledger = l;
    c->total = stint_ledger_at(l, 0)->elapsed;
    for (size_t i = 0; i < stint_ledger_count(l); i++) {
        const stint_ledger_entry *e = stint_ledger_at(l, i);
        uint32_t depth = e->depth < STINT_LEDGER_MAX ? e->depth : STINT_LEDGER_MAX;
        stint_duration start = depth > 0 ? arrived[depth - 1] + e->start : 0;
        c->began[i] = least(start, c->total);
        arrived[depth] = least(c->began[i] + e->outbound, c->total);
    }
}

static bool is_under_way(const struct stint__chart *c, size_t i, stint_duration at)
{
    stint_duration since = at - c->began[i];
    return since >= 0 && since < stint_ledger_at(c->ledger, i)->elapsed;
}

static bool waits_for_child(const struct stint__chart *c, size_t i, stint_duration at)
{
    uint32_t depth = stint_ledger_at(c->ledger, i)->depth;
    for (size_t k = i + 1; k < stint_ledger_count(c->ledger); k++) {
        const stint_ledger_entry *child = stint_ledger_at(c->ledger, k);
        if (child->depth <= depth)
            return false;
        if (child->depth == depth + 1 && is_under_way(c, k, at))
            return true;
    }
    return false;
}

static enum stint__phase phase_at(const struct stint__chart *c, size_t i, stint_duration at)
{
    const stint_ledger_entry *e = stint_ledger_at(c->ledger, i);
    if (!is_under_way(c, i, at))
        return STINT__PHASE_NONE;
    if (e->state != STINT_LEDGER_ANSWERED)
        return STINT__PHASE_UNKNOWN;
    stint_duration since_arrival = at - c->began[i] - e->outbound;
    if (since_arrival < 0 || since_arrival >= e->queue + e->handler)
        return STINT__PHASE_TRANSIT;
    if (since_arrival < e->queue)
        return STINT__PHASE_QUEUE;
    return waits_for_child(c, i, at) ? STINT__PHASE_WAITING : STINT__PHASE_HANDLER;
}

void stint__chart_row(const struct stint__chart *c, size_t i, size_t n, enum stint__phase *cells)
{
    double cell = (double)c->total / (double)n;
    bool any = false;
    for (size_t k = 0; k < n; k++) {
        cells[k] = phase_at(c, i, (stint_duration)(cell * ((double)k + 0.5)));
        any = any || cells[k] != STINT__PHASE_NONE;
    }
    if (any)
        return;
    size_t at = cell > 0 ? (size_t)((double)c->began[i] / cell) : 0;
    stint_duration unused;
    cells[at < n ? at : n - 1] = stint__chart_main_phase(c->ledger, i, &unused);
}

enum stint__phase stint__chart_main_phase(const stint_ledger *l, size_t i, stint_duration *ret)
{
    const stint_ledger_entry *e = stint_ledger_at(l, i);
    stint_duration self = stint_ledger_self(l, i);
    *ret = self;
    if (e->state != STINT_LEDGER_ANSWERED)
        return STINT__PHASE_UNKNOWN;
    stint_duration handler = self - e->queue - e->transit;
    if (e->queue >= e->transit && e->queue > handler) {
        *ret = e->queue;
        return STINT__PHASE_QUEUE;
    }
    *ret = e->transit > handler ? e->transit : handler;
    return e->transit > handler ? STINT__PHASE_TRANSIT : STINT__PHASE_HANDLER;
}

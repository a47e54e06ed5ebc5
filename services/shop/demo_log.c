/* demo_log.c - the services' logs, line by line, as the scenarios ask about them.
 *
 * logs.lock guards everything in struct logs. The readers of the services' pipes add lines; who
 * waits for one is woken by `changed`. The queries that return pointers are for when no reader
 * runs. */
#include <stdlib.h>
#include <string.h>

#include "demo.h"

void logs_init(struct logs *logs)
{
    *logs = (struct logs){.n = 0};
    pthread_mutex_init(&logs->lock, NULL);
    pthread_cond_init(&logs->changed, NULL);
}

void logs_clear(struct logs *logs)
{
    pthread_mutex_lock(&logs->lock);
    for (size_t i = 0; i < logs->n; i++)
        free(logs->lines[i].text);
    logs->n = 0;
    memset(logs->totals, 0, sizeof(logs->totals));
    pthread_mutex_unlock(&logs->lock);
}

void logs_fini(struct logs *logs)
{
    logs_clear(logs);
    free(logs->lines);
    pthread_cond_destroy(&logs->changed);
    pthread_mutex_destroy(&logs->lock);
}

/* Splits text in place at its spaces; the last word is the rest. */
static size_t split(char *text, char *words[], size_t max)
{
    char *next = text;
    size_t n = 0;

    while (n < max && next != NULL) {
        char *word = next + strspn(next, " ");
        if (*word == '\0')
            break;
        words[n++] = word;
        next = n < max ? strchr(word, ' ') : NULL;
        if (next != NULL)
            *next++ = '\0';
    }
    return n;
}

/* Fills what the text says; see common.h for its form. */
static void parse_line(struct line *line)
{
    enum { TIME, SERVICE, TRACE, REQUEST, METHOD, LEFT, EVENT, TEXT, N_WORDS };
    char copy[1024];
    char *words[N_WORDS];
    size_t n;

    snprintf(copy, sizeof(copy), "%s", line->text);
    n = split(copy, words, N_WORDS);
    line->at.ns = n > TIME ? (int64_t)(strtod(words[TIME], NULL) * 1e9) : 0;
    if (n <= EVENT || strlen(words[TRACE]) != STINT_TRACE_ID_TEXT - 1)
        return; /* not about a call */
    line->left = (stint_duration)(strtod(words[LEFT], NULL) * 1e6);
    snprintf(line->trace, sizeof(line->trace), "%s", words[TRACE]);
    snprintf(line->request, sizeof(line->request), "%s", words[REQUEST]);
    snprintf(line->event, sizeof(line->event), "%s", words[EVENT]);
    snprintf(line->why, sizeof(line->why), "%s", n > TEXT ? words[TEXT] : "");
}

/* The number behind `name` in a line such as "executed 3, shed 1, refused 0". */
static unsigned long number_after(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    return at != NULL ? strtoul(at + strlen(name), NULL, 10) : 0;
}

static void parse_totals(struct totals *totals, const char *text)
{
    const char *stopped = strstr(text, " stopped: ");

    if (stopped == NULL)
        return;
    *totals = (struct totals){.known = true,
                              .executed = number_after(stopped, " executed "),
                              .shed = number_after(stopped, " shed "),
                              .refused = number_after(stopped, " refused ")};
}

/* Makes room for one more line. A demo that misses lines would tell untruths, so it had rather end.
 */
static void grow_locked(struct logs *logs)
{
    if (logs->n < logs->capacity)
        return;
    logs->capacity = logs->capacity * 2 + 64;
    logs->lines = reallocarray(logs->lines, logs->capacity, sizeof(*logs->lines));
    if (logs->lines == NULL)
        abort();
}

void logs_add(struct logs *logs, enum service service, const char *text)
{
    struct line line = {.service = service, .text = strdup(text)};

    if (line.text == NULL)
        abort();
    parse_line(&line);
    pthread_mutex_lock(&logs->lock);
    grow_locked(logs);
    if (line.event[0] == '\0')
        parse_totals(&logs->totals[service], text);
    logs->lines[logs->n++] = line;
    pthread_cond_broadcast(&logs->changed);
    pthread_mutex_unlock(&logs->lock);
}

const struct line *logs_find(const struct logs *logs, enum service service, const char *request,
                             const char *event)
{
    for (size_t i = 0; i < logs->n; i++) {
        const struct line *line = &logs->lines[i];
        if (line->service == service && strcmp(line->request, request) == 0 &&
            strcmp(line->event, event) == 0)
            return line;
    }
    return NULL;
}

bool logs_wait(struct logs *logs, const stint_ctx *ctx, enum service service, const char *request,
               const char *event)
{
    bool found;

    pthread_mutex_lock(&logs->lock);
    while (!(found = logs_find(logs, service, request, event) != NULL))
        if (stint_ctx_cond_wait(ctx, &logs->changed, &logs->lock) != STINT_OK)
            break;
    pthread_mutex_unlock(&logs->lock);
    return found;
}

void logs_print(const struct logs *logs)
{
    printf("\n   What the services logged:\n\n");
    for (size_t i = 0; i < logs->n; i++)
        printf("%s\n", logs->lines[i].text);
}

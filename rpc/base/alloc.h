/* alloc.h - the one file that calls malloc, so that tests can make any allocation fail. */
#ifndef STINT_BASE_ALLOC_H
#define STINT_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#include <stint/macros.h>

/* As malloc, calloc, realloc and free of the C library, and compatible with them. All return NULL
 * when out of memory; zero-sized requests are served as one byte. */
STINT_NODISCARD void *stint__alloc(size_t n);
STINT_NODISCARD void *stint__alloc_zeroed(size_t n);
STINT_NODISCARD void *stint__alloc_array(size_t count, size_t size); /* zeroed; NULL on overflow */
STINT_NODISCARD void *stint__realloc(void *p, size_t n);
void stint__free(void *p);
STINT_NODISCARD char *stint__strdup(const char *s);

/* For tests: when set, each allocation asks it first and fails if it says no. Not thread-safe to
 * set; set it while no other thread allocates. */
typedef bool stint__alloc_gate_fn(void *arg, size_t n);
void stint__alloc_set_gate(stint__alloc_gate_fn *gate, void *arg);

#endif

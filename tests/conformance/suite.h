/* suite.h - the groups of tests; each runs over `scheme` and returns how many failed. */
#ifndef STINT_TESTS_CONFORMANCE_SUITE_H
#define STINT_TESTS_CONFORMANCE_SUITE_H

int run_exchange_tests(void);
int run_lifecycle_tests(void);
int run_refusal_tests(void);

#endif

/* unit.h - cmocka with the headers that it needs before it. */
#ifndef STINT_TESTS_UNIT_H
#define STINT_TESTS_UNIT_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif

/* samples.h - messages with something in every field, for tests that cut and corrupt them, and as
 * seeds for fuzzing. The caller frees them. */
#ifndef STINT_TESTS_WIRE_SAMPLES_H
#define STINT_TESTS_WIRE_SAMPLES_H

#include "bytes.h"

/* Field numbers of Tree in tree.proto. */
enum tree_field {
    CHILD = 1,
    CHILDREN = 2,
    TEXT = 3,
    TEXTS = 4,
    LEFT = 5,
    RIGHT = 6,
    RAW = 7,
    NUMBERS = 8,
    LOOSE = 9,
    DATA = 10,
    BLOBS = 11,
    PRESET = 12,
    NAME = 13,
    MERGED = 14,
    UNKNOWN = 99,
};

/* An envelope with its payload. */
struct bytes sample_frame(void);

/* The ledger in that envelope: an entry with something in every field below one with little. */
struct bytes sample_ledger(void);

/* A Tree with more fields than protobuf-c keeps in its table on the stack. */
struct bytes sample_tree(void);

#endif

/* message.h - protobuf-c messages from a peer's bytes, within bounds.
 *
 * protobuf-c 1.4.1 recurses without a limit and can allocate far more than it reads; it also
 * accepts invalid UTF-8 and embedded NULs in strings. So the bytes are walked first for structure,
 * depth and strings, and then unpacked with an allocator that refuses past a budget of bytes and
 * past a distance down the stack. */
#ifndef STINT_WIRE_MESSAGE_H
#define STINT_WIRE_MESSAGE_H

#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

#include <stint/macros.h>
#include <stint/status.h>

#include "arena.h"
#include "reader.h"

#define STINT__MESSAGE_DEPTH_MAX 100 /* messages within messages: as protobuf for C++ and Java */
#define STINT__MESSAGE_STACK_MAX ((size_t)128 * 1024) /* bytes; 100 levels take 97,040 (amd64) */

/* Unpacks into memory that protobuf_c_message_free_unpacked(m, NULL) frees. `max_memory` bounds
 * everything that is allocated on the way, temporary tables included, each block with
 * STINT__BOUNDED_OVERHEAD bytes more than its size. A message of many empty parts takes a hundred
 * times its encoding and more. NULL on failure, with INVALID_ARGUMENT (MALFORMED) or
 * RESOURCE_EXHAUSTED (memory, depth) in err. */
STINT_NODISCARD ProtobufCMessage *stint__message_unpack(const ProtobufCMessageDescriptor *desc,
                                                        struct stint__slice bytes,
                                                        size_t max_memory, stint_error *err);

/* The same into an arena, whose own limit counts. */
STINT_NODISCARD ProtobufCMessage *stint__message_unpack_arena(
    const ProtobufCMessageDescriptor *desc, struct stint__slice bytes, struct stint__arena *arena,
    stint_error *err);

#endif

/* message.h - protobuf-c messages from a peer's bytes, within bounds.
 *
 * protobuf-c 1.4.1 recurses without a limit and can allocate far more than it reads; it also
 * accepts invalid UTF-8 and embedded NULs in strings. So: an allocator that refuses past a budget
 * of bytes and past a distance down the stack, and a walk over the result's strings. */
#ifndef STINT_WIRE_MESSAGE_H
#define STINT_WIRE_MESSAGE_H

#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

#include <stint/macros.h>
#include <stint/status.h>

#include "arena.h"
#include "reader.h"

#define STINT__MESSAGE_STACK_MAX (64 * 1024) /* bytes of stack that decoding may use */

/* Unpacks into memory that protobuf_c_message_free_unpacked(m, NULL) frees. At most `max_memory`
 * bytes are allocated. NULL on failure, with INVALID_ARGUMENT (MALFORMED) or RESOURCE_EXHAUSTED in
 * err. */
STINT_NODISCARD ProtobufCMessage *stint__message_unpack(const ProtobufCMessageDescriptor *desc,
                                                        struct stint__slice bytes,
                                                        size_t max_memory, stint_error *err);

/* The same into an arena, whose own limit counts. */
STINT_NODISCARD ProtobufCMessage *stint__message_unpack_arena(
    const ProtobufCMessageDescriptor *desc, struct stint__slice bytes, struct stint__arena *arena,
    stint_error *err);

#endif

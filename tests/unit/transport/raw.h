/* raw.h - the other end of a connection, byte by byte: a socket that a test speaks SP on by hand,
 * so that it can also speak it wrongly. Everything waits for patience at most, then fails the test.
 */
#ifndef STINT_TESTS_RAW_H
#define STINT_TESTS_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "envelope.h"
#include "sp.h"

/* All URLs are ipc:// or tcp://ADDRESS:PORT with a numeric IPv4 address. */
int raw_listen(const char *ipc_url);
int raw_accept(int listener);
int raw_connect(const char *url);
bool raw_try_connect(const char *url, int *ret_fd);
/* The same in two steps. */
int raw_socket(const char *url);
void raw_connect_socket(int fd, const char *url);

void raw_send(int fd, const void *data, size_t len);
void raw_receive(int fd, void *data, size_t len);
/* Reads until the end of the stream (or its reset) and returns how many bytes came. */
size_t raw_receive_end(int fd);
/* True if something (data or the end) can be read, or written, within ms. */
bool raw_readable(int fd, int ms);
bool raw_writable(int fd, int ms);

/* Sends our handshake and takes the peer's, which must be `theirs`. */
void raw_shake_hands(int fd, uint16_t ours, uint16_t theirs);

struct raw_frame {
    struct stint__sp_stack stack;
    struct stint__envelope env; /* points into bytes */
    uint8_t *bytes;             /* freed by raw_frame_free */
};
/* Over ipc frames have one more byte. The payload of `e` is sent too. */
void raw_send_frame(int fd, bool ipc, const struct stint__sp_stack *stack,
                    const struct stint__envelope *e);
void raw_receive_frame(int fd, bool ipc, struct raw_frame *ret);
void raw_frame_free(struct raw_frame *f);

/* A frame of no more than a kind, a call ID and features. */
void raw_send_kind(int fd, bool ipc, uint32_t id, enum stint__kind kind, uint64_t call_id,
                   uint32_t features);
/* Receives a frame, which must be of this kind; returns its request ID. */
uint32_t raw_expect_kind(int fd, bool ipc, enum stint__kind kind);

/* A client over ipc that has announced every feature with its first request; the server's HELLO and
 * the reply have been read. */
int raw_connect_with_features(const char *ipc_url);

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The other side of a connection, as badly behaved as a test wants it: a thread
 * that accepts on loopback and runs the test's script on each connection in turn.
 */
#ifndef ORIEL_TEST_PEER_H
#define ORIEL_TEST_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Run for each connection, one after the other; closes nothing: that is done
 * when it returns. `which` counts from 0. */
typedef void peer_script(int fd, unsigned which, void *arg);

struct peer;
/* NULL path: TCP on 127.0.0.1. */
struct peer *peer_start(peer_script *script, const void *arg, const char *unix_path);
uint16_t peer_port(const struct peer *p);
unsigned peer_accepted(struct peer *p);
/* Ends the connection under way, joins the thread. */
void peer_stop(struct peer *p);

/* A port on loopback where nobody listens. */
uint16_t peer_unused_port(void);

/* Reads until `mark` has come (or the end): everything read, NUL-terminated, in
 * `out`; whether the mark was there. */
bool peer_read_until(int fd, const char *mark, char *out, size_t n);
void peer_send(int fd, const char *text);
void peer_send_n(int fd, const void *bytes, size_t n);
/* Reads until the other side closes. */
void peer_drain(int fd);
/* The connection ends with a reset when the script returns. */
void peer_reset(int fd);

#endif

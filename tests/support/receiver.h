/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A receiver of requests over HTTP/1.1 or gRPC: a thread that serves many connections
 * at once on loopback and answers each request as the test's script says. It
 * behaves; for bad manners see peer.h.
 */
#ifndef ORIEL_TEST_RECEIVER_H
#define ORIEL_TEST_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/tls.h"

struct receiver_request {
    unsigned which; /* from 0, over all connections */
    const char *path;
    const char *body; /* gRPC: the message, without its frame; as it came, perhaps compressed */
    size_t body_n;
    bool compressed;
    const char *(*header)(const struct receiver_request *r, const char *name); /* NULL: none */
    const void *inside;
    char text[512]; /* of the last header that was asked for */
};
struct receiver_answer {               /* at first: 200 or OK, an empty body */
    int status;                        /* of HTTP, or of gRPC when the receiver speaks it */
    const char *text;                  /* gRPC: grpc-message */
    const char *retry_after, *details; /* Retry-After; grpc-status-details-bin */
    const char *body;
    size_t body_n;
    bool silent;  /* no answer, ever */
    bool hang_up; /* HTTP: the connection is closed after it */
};
typedef void receiver_script(struct receiver_request *r, struct receiver_answer *a, void *arg);

struct receiver_options {
    bool grpc;
    uint16_t port;         /* 0: any */
    const char *unix_path; /* instead */
    struct tls_context *tls;
    receiver_script *script; /* NULL: everything is taken */
    void *arg;
};
struct receiver;
struct receiver *receiver_start(const struct receiver_options *options);
uint16_t receiver_port(const struct receiver *r);
/* "http://127.0.0.1:PORT", "https://localhost:PORT" or "unix:PATH". */
const char *receiver_url(const struct receiver *r);
unsigned receiver_requests(struct receiver *r);
unsigned receiver_accepted(struct receiver *r);
/* All connections end; the port is free again. */
void receiver_stop(struct receiver *r);
/* In a process of its own, over plain HTTP or gRPC; its URL is there when this returns. */
pid_t receiver_start_elsewhere(bool grpc, char *url, size_t n);
void receiver_stop_elsewhere(pid_t receiver);

#endif

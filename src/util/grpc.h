/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What gRPC puts around a unary call: the frame of a message, the status in the
 * trailers, the wish to wait in its details. No I/O. Any thread.
 */
#ifndef ORIEL_UTIL_GRPC_H
#define ORIEL_UTIL_GRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "util/h2.h"

enum grpc_status {
    GRPC_OK,
    GRPC_CANCELLED,
    GRPC_UNKNOWN,
    GRPC_INVALID_ARGUMENT,
    GRPC_DEADLINE_EXCEEDED,
    GRPC_NOT_FOUND,
    GRPC_ALREADY_EXISTS,
    GRPC_PERMISSION_DENIED,
    GRPC_RESOURCE_EXHAUSTED,
    GRPC_FAILED_PRECONDITION,
    GRPC_ABORTED,
    GRPC_OUT_OF_RANGE,
    GRPC_UNIMPLEMENTED,
    GRPC_INTERNAL,
    GRPC_UNAVAILABLE,
    GRPC_DATA_LOSS,
    GRPC_UNAUTHENTICATED,
};
enum { GRPC_PREFIX = 5, GRPC_TEXT = 256 };

/* "UNAVAILABLE"; "UNKNOWN" for what is no status. */
const char *grpc_status_name(int status);

/* The five bytes in front of a message. */
void grpc_prefix(uint8_t out[GRPC_PREFIX], size_t message_n, bool compressed);
/* The one message of a unary body. ORIEL_EFORMAT: none, cut, more than one. */
int grpc_unframe(const void *body, size_t n, const uint8_t **out_message, size_t *out_n,
                 bool *out_compressed, struct oriel_err *err);
/* Value of grpc-timeout, rounded down, at most eight digits: "1500m". */
void grpc_timeout(uint64_t ns, char out[16]);

struct grpc_result {
    int status;
    char text[GRPC_TEXT]; /* grpc-message, decoded and without control characters */
    bool has_delay;       /* RetryInfo says when to come again */
    uint64_t delay_ns;
    const uint8_t *message; /* of the exchange; NULL unless status is OK */
    size_t message_n;
    bool compressed; /* as grpc-encoding says */
};
/* What a done exchange means to gRPC. A reply that is no gRPC has the status that
 * the protocol gives its HTTP status; lost and reset ones are UNAVAILABLE or
 * CANCELLED. Never fails. */
void grpc_result_read(const struct h2_exchange *x, struct grpc_result *out);

/* grpc-status-details-bin: true when it holds a RetryInfo with a delay. */
bool grpc_retry_info(const char *base64, uint64_t *out_delay_ns);
/* Percent-decoded text of grpc-message, cut to what fits. */
void grpc_text_decode(const char *text, char out[GRPC_TEXT]);
/* Percent-encodes a text for grpc-message. */
void grpc_text_encode(const char *text, struct buf *out);

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What h2.c (sessions) and h2_exchange.c (messages) share. Nobody else looks in.
 */
#ifndef ORIEL_UTIL_H2_INTERNAL_H
#define ORIEL_UTIL_H2_INTERNAL_H

#include <nghttp2/nghttp2.h>

#include "base/buf.h"
#include "util/h2.h"

enum { H2_HEADERS_MAX = 64, H2_TOGETHER = 128 << 10, H2_FRAME_HEAD = 9 };

struct h2 {
    nghttp2_session *session;
    struct h2_options o;
    struct h2_exchange *first, *last;
    unsigned live;
    size_t held;    /* bytes of bodies that came in and are not freed yet */
    struct buf out; /* frames put together, so that small ones share a packet */
    size_t out_at;
    uint64_t heard;
    unsigned pongs, resets, served, too_large;
    bool going_away, flooded;
    bool has_more; /* the stream may hold bytes that no socket will tell of */
};

/* Lives from its first header, or h2_start, until its owner frees it: the session
 * while the request is not whole, then the caller; after a response the session. */
struct h2_exchange {
    struct h2 *h; /* NULL: the session is gone */
    struct h2_exchange *next, *prev;
    int32_t id;
    bool whole;  /* everything has come */
    bool closed; /* nothing more can come or go */
    bool owned;  /* by the caller */
    bool begun, too_big, refused;
    uint32_t reset;  /* error code of HTTP/2 */
    struct buf text; /* names and values, each with a NUL */
    struct {
        uint32_t name, value;
        bool trailer;
    } headers[H2_HEADERS_MAX];
    unsigned header_count;
    struct buf body;
    const char *out; /* of the caller (request) or of `reply` */
    size_t out_n, out_at;
    struct buf reply;
    nghttp2_nv *trailers; /* copied, into `reply_trailers` */
    size_t trailer_count;
    struct buf trailer_text;
};

struct h2_exchange *h2_exchange_new(struct h2 *h);
void h2_exchange_delete(struct h2_exchange *x);
int h2_exchange_header(struct h2_exchange *x, const char *name, size_t name_n, const char *value,
                       size_t value_n, bool trailer);
bool h2_exchange_data(struct h2_exchange *x, const void *bytes, size_t n);

/* For nghttp2: a frame of a body straight from there to `out`, copied once. */
int h2_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t n,
                 nghttp2_data_source *source, void *user);

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * HTTP/1.1 messages (RFC 9112), read as strictly as can be: where two readers
 * could disagree about where a message ends, it is refused. Bytes in, slices of
 * them out; no I/O, no memory. Pure; any thread.
 */
#ifndef ORIEL_UTIL_HTTP_H
#define ORIEL_UTIL_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { HTTP_HEADERS_MAX = 64, HTTP_HEAD_MAX = 16 << 10 };

struct http_header {
    const char *name, *value; /* not NUL-terminated; the value without space around it */
    size_t name_n, value_n;
};
enum http_framing {
    HTTP_NO_BODY,
    HTTP_LENGTH, /* length bytes */
    HTTP_CHUNKED,
    HTTP_UNTIL_CLOSE, /* responses only */
};
struct http_head {
    int status;                  /* of a response */
    const char *method, *target; /* of a request */
    const char *authority;       /* that stood before the target, equal to Host; NULL: none did */
    size_t method_n, target_n, authority_n;
    unsigned minor; /* HTTP/1.minor */
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t count;
    enum http_framing framing;
    uint64_t length;
    bool keep_alive;
    bool expects_continue; /* of a request */
};

/* Size of the head that `bytes` begin with, its empty line included, or up to a line
 * that ends without CR, which is refused when it is read; 0: not all there yet.
 * *io_seen is where to go on looking, 0 at first. */
size_t http_head_size(const char *bytes, size_t n, size_t *io_seen);
/* A whole head. ORIEL_EFORMAT with what is wrong; ORIEL_ELIMIT: more than
 * HTTP_HEADERS_MAX headers; ORIEL_EUNSUPPORTED (a request): another version than
 * 1.0 or 1.1, or a transfer coding within chunks. */
int http_response_read(const char *bytes, size_t n, struct http_head *out, struct oriel_err *err);
int http_request_read(const char *bytes, size_t n, struct http_head *out, struct oriel_err *err);
/* The first header of that name, letters of any case; NULL. */
const struct http_header *http_find(const struct http_head *h, const char *name);
/* Whether a comma list (Connection, Accept-Encoding) has the token. */
bool http_list_has(const struct http_header *h, const char *token);

/* ---- bodies ---- */

struct http_body {
    enum http_framing framing;
    uint64_t left; /* of the body, or of the chunk */
    unsigned state;
    unsigned line;     /* bytes of the line that is being read */
    unsigned trailers; /* bytes of trailers so far */
    bool request;      /* chunk extensions are refused */
    bool named;        /* the trailer has its colon */
    bool done;
};
void http_body_init(struct http_body *b, const struct http_head *h, bool request);
/* One step: *out_used bytes of the input are done with; *out_data are content (may
 * be none). Call until `done` or the input is used up. ORIEL_EFORMAT. */
int http_body_step(struct http_body *b, const char *bytes, size_t n, size_t *out_used,
                   const char **out_data, size_t *out_data_n, struct oriel_err *err);
/* The connection has ended: 0 if that ends the body, else ORIEL_ECLOSED. */
int http_body_end(struct http_body *b, struct oriel_err *err);

/* ---- small things ---- */

bool http_token_valid(const char *s, size_t n); /* a header's name, a method */
bool http_value_valid(const char *s, size_t n); /* no control characters but tab */
/* Value of Retry-After: seconds or a date (all three forms); false: neither. */
bool http_retry_after(const char *value, size_t n, uint64_t unix_now_s, uint64_t *out_seconds);

enum http_scheme { HTTP_PLAIN, HTTP_TLS, HTTP_UNIX };
struct http_url {
    enum http_scheme scheme;
    char host[256]; /* without brackets; "" for unix */
    uint16_t port;  /* 80, 443 when not said */
    bool port_said;
    char path[1024]; /* with query; "/" when empty. unix: of the socket */
};
/* http://, https://, unix:///path, unix:path. ORIEL_EFORMAT with a line; user and
 * password in a URL are refused and never repeated in the line. */
int http_url_read(const char *text, struct http_url *out, struct oriel_err *err);
/* What the Host header says: with brackets and a port that is not the usual one. */
void http_url_authority(const struct http_url *u, struct buf *out);

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Bodies of HTTP/1.1 messages: counted, chunked, until the connection ends.
 * Works on whatever piece has come; keeps no byte. Pure; any thread.
 */
#include <assert.h>
#include <string.h>

#include "util/http.h"

enum { SIZE, SIZE_EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, TRAILER_LF };
enum { SIZE_DIGITS = 15, LINE_MAX_BYTES = 256, TRAILERS_MAX = 8 << 10 };

void http_body_init(struct http_body *b, const struct http_head *h, bool request)
{
    *b = (struct http_body){.framing = h->framing, .request = request};
    if (h->framing == HTTP_LENGTH)
        b->left = h->length;
    b->done = h->framing == HTTP_NO_BODY || (h->framing == HTTP_LENGTH && h->length == 0);
}

int http_body_end(struct http_body *b, struct oriel_err *err)
{
    if (b->done || b->framing == HTTP_UNTIL_CLOSE) {
        b->done = true;
        return 0;
    }
    return err_set(err, ORIEL_ECLOSED, "the connection ended inside the body");
}

static int bad(struct oriel_err *err, const char *what)
{
    return err_set(err, ORIEL_EFORMAT, "chunked body: %s", what);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int size_byte(struct http_body *b, char c, struct oriel_err *err)
{
    int digit = hex_value(c);
    if (digit >= 0) {
        if (++b->line > SIZE_DIGITS)
            return bad(err, "a size that is too long");
        b->left = b->left << 4 | (uint64_t)digit;
        return 0;
    }
    if (b->line == 0)
        return bad(err, "no size");
    if (c == '\r') {
        b->state = SIZE_LF;
        return 0;
    }
    /* An extension says nothing anybody uses, and readers disagree about its end. */
    if (b->request || (c != ';' && c != ' ' && c != '\t'))
        return bad(err, "something behind the size");
    b->state = SIZE_EXTENSION;
    return 0;
}

static int extension_byte(struct http_body *b, char c, struct oriel_err *err)
{
    if (c == '\r')
        b->state = SIZE_LF;
    else if (!http_value_valid(&c, 1) || ++b->line > LINE_MAX_BYTES)
        return bad(err, "an extension that is no text, or too long");
    return 0;
}

static int lf_byte(struct http_body *b, char c, struct oriel_err *err)
{
    if (c != '\n')
        return bad(err, "a line that does not end with CR LF");
    if (b->state == TRAILER_LF) {
        b->done = b->line == 0;
        b->state = TRAILER;
    } else if (b->state == DATA_LF || b->left > 0) {
        b->state = b->state == DATA_LF ? SIZE : DATA;
    } else {
        b->state = TRAILER;
    }
    b->line = 0;
    return 0;
}

/* Trailers are passed over; nothing that is in them may change the message. */
static int trailer_byte(struct http_body *b, char c, struct oriel_err *err)
{
    if (c == '\r' && (b->named || b->line == 0)) {
        b->state = TRAILER_LF;
        b->named = false;
        return 0;
    }
    if (!b->named && !http_token_valid(&c, 1) && (c != ':' || b->line == 0))
        return bad(err, "a trailer without a name");
    if (!http_value_valid(&c, 1) || ++b->trailers > TRAILERS_MAX)
        return bad(err, "trailers that are no text, or too long");
    b->named |= c == ':';
    b->line++;
    return 0;
}

static int frame_byte(struct http_body *b, char c, struct oriel_err *err)
{
    switch (b->state) {
    case SIZE:
        return size_byte(b, c, err);
    case SIZE_EXTENSION:
        return extension_byte(b, c, err);
    case TRAILER:
        return trailer_byte(b, c, err);
    case DATA_CR:
        b->state = DATA_LF;
        return c == '\r' ? 0 : bad(err, "a chunk that is longer than its size");
    default:
        return lf_byte(b, c, err);
    }
}

static size_t content(struct http_body *b, const char *bytes, size_t n, const char **out_data,
                      size_t *out_data_n)
{
    size_t take = b->framing == HTTP_UNTIL_CLOSE || n < b->left ? n : (size_t)b->left;
    *out_data = bytes;
    *out_data_n = take;
    if (b->framing != HTTP_UNTIL_CLOSE)
        b->left -= take;
    return take;
}

int http_body_step(struct http_body *b, const char *bytes, size_t n, size_t *out_used,
                   const char **out_data, size_t *out_data_n, struct oriel_err *err)
{
    size_t used = 0;
    *out_data = bytes;
    *out_data_n = 0;
    if (b->done) {
        *out_used = 0;
        return 0;
    }
    if (b->framing != HTTP_CHUNKED) {
        *out_used = content(b, bytes, n, out_data, out_data_n);
        b->done = b->framing == HTTP_LENGTH && b->left == 0;
        return 0;
    }
    while (used < n && !b->done) {
        if (b->state == DATA) {
            assert(b->left > 0);
            used += content(b, bytes + used, n - used, out_data, out_data_n);
            if (b->left == 0)
                b->state = DATA_CR;
            break;
        }
        int rc = frame_byte(b, bytes[used++], err);
        if (rc != 0)
            return rc;
        if (b->state == SIZE && b->line == 0)
            b->left = 0;
    }
    *out_used = used;
    return 0;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Messages of HTTP/2: their headers and bodies as they come in, what goes out,
 * and how it ended. One thread.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "util/h2_internal.h"

struct h2_exchange *h2_exchange_new(struct h2 *h)
{
    struct h2_exchange *x = mem_calloc(1, sizeof *x);
    if (!x)
        return NULL;
    buf_init(&x->text);
    buf_init(&x->body);
    buf_init(&x->reply);
    buf_init(&x->trailer_text);
    x->h = h;
    x->prev = h->last;
    *(h->last ? &h->last->next : &h->first) = x;
    h->last = x;
    h->live++;
    return x;
}

void h2_exchange_delete(struct h2_exchange *x)
{
    struct h2 *h = x->h;
    if (h) {
        *(x->prev ? &x->prev->next : &h->first) = x->next;
        *(x->next ? &x->next->prev : &h->last) = x->prev;
        h->live -= !x->closed;
        assert(h->held >= x->body.size);
        h->held -= x->body.size;
    }
    buf_done(&x->text);
    buf_done(&x->body);
    buf_done(&x->reply);
    buf_done(&x->trailer_text);
    mem_free(x->trailers);
    mem_free(x);
}

void h2_exchange_free(struct h2_exchange *x)
{
    if (!x)
        return;
    if (x->h && !x->closed) {
        nghttp2_session_set_stream_user_data(x->h->session, x->id, NULL);
        nghttp2_submit_rst_stream(x->h->session, NGHTTP2_FLAG_NONE, x->id, NGHTTP2_CANCEL);
    }
    h2_exchange_delete(x);
}

/* Over the limit it is reset and marked; the connection goes on. */
int h2_exchange_header(struct h2_exchange *x, const char *name, size_t name_n, const char *value,
                       size_t value_n, bool trailer)
{
    size_t more = name_n + value_n + 2;
    if (x->too_big || x->header_count == H2_HEADERS_MAX || more > x->h->o.head_max - x->text.size) {
        x->too_big = true;
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    x->headers[x->header_count].name = (uint32_t)x->text.size;
    buf_put(&x->text, name, name_n);
    buf_putc(&x->text, 0);
    x->headers[x->header_count].value = (uint32_t)x->text.size;
    buf_put(&x->text, value, value_n);
    buf_putc(&x->text, 0);
    if (x->text.failed)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    x->headers[x->header_count++].trailer = trailer;
    return 0;
}

bool h2_exchange_data(struct h2_exchange *x, const void *bytes, size_t n)
{
    struct h2 *h = x->h;
    assert(x->body.size <= h->o.body_max && h->held <= h->o.held_max);
    if (n > h->o.body_max - x->body.size || n > h->o.held_max - h->held)
        return false;
    size_t before = x->body.size;
    buf_put(&x->body, bytes, n);
    h->held += x->body.size - before;
    return !x->body.failed;
}

/* For nghttp2: how much of what is to go out the next frame has. h2_send_data copies it. */
static ssize_t next_bytes(nghttp2_session *session, int32_t id, uint8_t *to, size_t n,
                          uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct h2_exchange *x = nghttp2_session_get_stream_user_data(session, id);
    if (!x)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    size_t left = x->out_n - x->out_at, take = left < n ? left : n;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (take == left) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (x->trailer_count) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            if (nghttp2_submit_trailer(session, id, x->trailers, x->trailer_count) != 0)
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
    }
    return (ssize_t)take;
}

int h2_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t n,
                 nghttp2_data_source *source, void *user)
{
    struct h2_exchange *x = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    struct h2 *h = user;
    if (!x)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (h->out.size >= H2_TOGETHER)
        return NGHTTP2_ERR_WOULDBLOCK;
    assert(n <= x->out_n - x->out_at && frame->data.padlen == 0);
    buf_put(&h->out, head, H2_FRAME_HEAD);
    if (n)
        buf_put(&h->out, x->out + x->out_at, n);
    x->out_at += n;
    return h->out.failed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static nghttp2_nv pair(const char *name, size_t name_n, const char *value, size_t value_n)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, name_n, value_n,
                        NGHTTP2_NV_FLAG_NONE};
}

static bool header_valid(const struct http_header *h)
{
    for (size_t i = 0; i < h->name_n; i++)
        if (h->name[i] >= 'A' && h->name[i] <= 'Z')
            return false;
    return http_token_valid(h->name, h->name_n) && http_value_valid(h->value, h->value_n);
}

static int add_headers(nghttp2_nv *nv, size_t *io_n, const struct http_header *headers,
                       size_t count, struct oriel_err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (*io_n == H2_HEADERS_MAX)
            return err_set(err, ORIEL_EINVAL, "more than %d headers", H2_HEADERS_MAX);
        if (!header_valid(&headers[i]))
            return err_set(err, ORIEL_EINVAL,
                           "header \"%.*s\" cannot be sent: a character in it "
                           "is not allowed",
                           (int)(headers[i].name_n < 60 ? headers[i].name_n : 60), headers[i].name);
        nv[(*io_n)++] =
            pair(headers[i].name, headers[i].name_n, headers[i].value, headers[i].value_n);
    }
    return 0;
}

int h2_start(struct h2 *h, const struct h2_request *r, struct h2_exchange **out,
             struct oriel_err *err)
{
    nghttp2_nv nv[H2_HEADERS_MAX];
    size_t n = 4;
    assert(r->size >= sizeof *r && !h->o.server);
    if (h->live >= h->o.streams_max || h2_is_going_away(h))
        return err_set(err, ORIEL_EBUSY, "this HTTP/2 connection takes no more requests now");
    nv[0] = pair(":method", 7, r->method, strlen(r->method));
    nv[1] = pair(":scheme", 7, r->scheme, strlen(r->scheme));
    nv[2] = pair(":authority", 10, r->authority, strlen(r->authority));
    nv[3] = pair(":path", 5, r->path, strlen(r->path));
    for (unsigned i = 0; i < 4; i++)
        if (nv[i].valuelen == 0 || !http_value_valid((const char *)nv[i].value, nv[i].valuelen))
            return err_set(err, ORIEL_EINVAL, "a request without a valid %s", nv[i].name + 1);
    int rc = add_headers(nv, &n, r->headers, r->header_count, err);
    if (rc != 0)
        return rc;
    struct h2_exchange *x = h2_exchange_new(h);
    if (!x)
        return err_set(err, ORIEL_ENOMEM, "no memory for a request");
    nghttp2_data_provider body = {.read_callback = next_bytes};
    x->owned = true;
    x->out = r->body;
    x->out_n = r->body_n;
    x->id = nghttp2_submit_request(h->session, NULL, nv, n, r->body_n ? &body : NULL, x);
    if (x->id < 0) {
        h2_exchange_delete(x);
        return err_set(err, ORIEL_EBUSY, "this HTTP/2 connection takes no more requests");
    }
    *out = x;
    return 0;
}

struct h2_exchange *h2_next(struct h2 *h)
{
    assert(h->o.server);
    for (struct h2_exchange *x = h->first; x; x = x->next)
        if (x->whole && x->begun && !x->owned && !x->closed && !x->too_big) {
            x->owned = true;
            x->begun = false; /* handed out once */
            return x;
        }
    return NULL;
}

/* The trailers must live until the body is out: one text, one list. */
static int keep_trailers(struct h2_exchange *x, const struct h2_response *r, struct oriel_err *err)
{
    nghttp2_nv checked[H2_HEADERS_MAX];
    size_t n = 0, at = 0;
    int rc = add_headers(checked, &n, r->trailers, r->trailer_count, err);
    if (rc != 0 || n == 0)
        return rc;
    x->trailers = mem_calloc(n, sizeof *x->trailers);
    for (size_t i = 0; i < n; i++) {
        buf_put(&x->trailer_text, checked[i].name, checked[i].namelen);
        buf_put(&x->trailer_text, checked[i].value, checked[i].valuelen);
    }
    if (!x->trailers || x->trailer_text.failed)
        return err_set(err, ORIEL_ENOMEM, "no memory for a response");
    for (size_t i = 0; i < n; i++) {
        const char *text = x->trailer_text.data + at;
        at += checked[i].namelen + checked[i].valuelen;
        x->trailers[i] =
            pair(text, checked[i].namelen, text + checked[i].namelen, checked[i].valuelen);
    }
    x->trailer_count = n;
    return 0;
}

static int respond(struct h2_exchange *x, const struct h2_response *r, struct oriel_err *err)
{
    nghttp2_nv nv[H2_HEADERS_MAX];
    size_t n = 1;
    assert(r->status >= 200 && r->status <= 599);
    const char status[4] = {(char)('0' + r->status / 100), (char)('0' + r->status / 10 % 10),
                            (char)('0' + r->status % 10), 0};
    nv[0] = pair(":status", 7, status, 3);
    int rc = add_headers(nv, &n, r->headers, r->header_count, err);
    if (rc == 0)
        rc = keep_trailers(x, r, err);
    if (rc != 0)
        return rc;
    buf_put(&x->reply, r->body, r->body_n);
    if (x->reply.failed)
        return err_set(err, ORIEL_ENOMEM, "no memory for a response");
    x->out = x->reply.data;
    x->out_n = r->body_n;
    nghttp2_data_provider body = {.read_callback = next_bytes};
    bool has_more = r->body_n || x->trailer_count;
    if (nghttp2_submit_response(x->h->session, x->id, nv, n, has_more ? &body : NULL) != 0)
        return err_set(err, ORIEL_ENOMEM, "no memory for a response");
    return 0;
}

int h2_respond_take(struct h2_exchange *x, const struct h2_response *r, struct oriel_err *err)
{
    assert(r->size >= sizeof *r && x->owned);
    if (!x->h || x->closed) {
        h2_exchange_delete(x);
        return err_set(err, ORIEL_ECLOSED, "the client is gone");
    }
    int rc = respond(x, r, err);
    if (rc != 0) {
        h2_exchange_free(x);
        return rc;
    }
    x->h->served++;
    x->owned = false; /* the session frees it when it is closed */
    return 0;
}

bool h2_done(const struct h2_exchange *x)
{
    return x->whole || x->closed || x->too_big;
}

bool h2_begun(const struct h2_exchange *x)
{
    return x->begun;
}

int h2_result(const struct h2_exchange *x, struct oriel_err *err)
{
    assert(h2_done(x));
    if (x->too_big)
        return err_set(err, ORIEL_ELIMIT, "a reply that is larger than is read here");
    if (x->whole)
        return 0;
    if (x->refused)
        return err_set(err, ORIEL_EBUSY, "the server did not take the request");
    if (!x->h)
        return err_set(err, ORIEL_ECLOSED, "the connection was lost before the reply");
    return err_set(err, ORIEL_ECLOSED, "the server reset the request: %s",
                   nghttp2_http2_strerror(x->reset));
}

const char *h2_header(const struct h2_exchange *x, const char *name)
{
    const char *found = NULL;
    for (unsigned i = 0; i < x->header_count; i++)
        if (strcmp(x->text.data + x->headers[i].name, name) == 0 &&
            (!found || x->headers[i].trailer))
            found = x->text.data + x->headers[i].value;
    return found;
}

int h2_status(const struct h2_exchange *x)
{
    const char *text = h2_header(x, ":status");
    if (!text || strlen(text) != 3)
        return 0;
    return (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
}

const char *h2_body(const struct h2_exchange *x, size_t *out_n)
{
    *out_n = x->body.size;
    return x->body.size ? x->body.data : "";
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A request is read whole, given out, answered; then the next. What is wrong with
 * one is answered once and ends the connection: behind a request whose end is in
 * doubt nothing can be trusted. One thread.
 */
#include "util/http_server.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

enum { BODY_MAX = 4 << 20, PIECE = 16 << 10, READS_PER_STEP = 64, THROWN_AWAY_MAX = 1 << 20 };
#define SECOND UINT64_C(1000000000)

enum state { READING_HEAD, READING_BODY, GIVEN_OUT, ANSWERING, LAST_WORDS };

struct http_server_conn {
    struct stream *stream;
    struct http_server_options o;
    enum state state;
    uint64_t deadline_ns;
    bool begun; /* a byte of this request has come */
    bool close, shut;
    bool has_more; /* bytes may be there that no socket will tell of */
    struct buf in; /* what came and is not taken yet */
    size_t seen;
    struct buf head_bytes; /* `head` is slices of it */
    struct http_head head;
    struct http_body framing;
    struct buf body;
    size_t raw; /* bytes of the body as they came, framing included */
    struct buf out;
    size_t out_at;
    size_t thrown_away;
    struct oriel_err why; /* of LAST_WORDS */
};

static uint64_t or_else(uint64_t v, uint64_t usual)
{
    return v ? v : usual;
}

int http_server_conn_new(struct http_server_conn **out, struct stream *stream_take,
                         const struct http_server_options *o, uint64_t now_ns,
                         struct oriel_err *err)
{
    assert(o->size >= sizeof *o && stream_take);
    struct http_server_conn *c = mem_calloc(1, sizeof *c);
    if (!c) {
        stream_free(stream_take);
        return err_set(err, ORIEL_ENOMEM, "no memory for another connection");
    }
    c->stream = stream_take;
    c->o = *o;
    c->o.body_max = o->body_max ? o->body_max : BODY_MAX;
    c->o.head_ns = or_else(o->head_ns, 5 * SECOND);
    c->o.body_ns = or_else(o->body_ns, 30 * SECOND);
    c->o.idle_ns = or_else(o->idle_ns, 30 * SECOND);
    c->o.write_ns = or_else(o->write_ns, 30 * SECOND);
    buf_init(&c->in);
    buf_init(&c->head_bytes);
    buf_init(&c->body);
    buf_init(&c->out);
    c->deadline_ns = now_ns + c->o.idle_ns;
    *out = c;
    return 0;
}

void http_server_conn_free(struct http_server_conn *c)
{
    if (!c)
        return;
    stream_free(c->stream);
    buf_done(&c->in);
    buf_done(&c->head_bytes);
    buf_done(&c->body);
    buf_done(&c->out);
    mem_free(c);
}

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *text;
    } known[] = {{200, "OK"},
                 {202, "Accepted"},
                 {204, "No Content"},
                 {400, "Bad Request"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {408, "Request Timeout"},
                 {411, "Length Required"},
                 {413, "Content Too Large"},
                 {415, "Unsupported Media Type"},
                 {429, "Too Many Requests"},
                 {431, "Request Header Fields Too Large"},
                 {500, "Internal Server Error"},
                 {501, "Not Implemented"},
                 {503, "Service Unavailable"},
                 {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].status == status)
            return known[i].text;
    return "Status";
}

static int write_answer(struct http_server_conn *c, int status, const struct http_header *headers,
                        size_t count, const void *body, size_t n, struct oriel_err *err)
{
    assert(status >= 200 && status <= 599);
    buf_printf(&c->out, "HTTP/1.1 %d %s\r\n", status, reason_of(status));
    for (size_t i = 0; i < count; i++) {
        if (!http_token_valid(headers[i].name, headers[i].name_n) ||
            !http_value_valid(headers[i].value, headers[i].value_n))
            return err_set(err, ORIEL_EINVAL, "an answer with a header that cannot be sent");
        buf_put(&c->out, headers[i].name, headers[i].name_n);
        buf_puts(&c->out, ": ");
        buf_put(&c->out, headers[i].value, headers[i].value_n);
        buf_puts(&c->out, "\r\n");
    }
    if (status != 204)
        buf_printf(&c->out, "Content-Length: %zu\r\n", n);
    buf_puts(&c->out, c->close ? "Connection: close\r\n\r\n" : "\r\n");
    buf_put(&c->out, body, status == 204 ? 0 : n);
    return c->out.failed ? err_set(err, ORIEL_ENOMEM, "no memory for an answer") : 0;
}

int http_server_answer(struct http_server_conn *c, int status, const struct http_header *headers,
                       size_t header_count, const void *body, size_t body_n, bool close,
                       uint64_t now_ns, struct oriel_err *err)
{
    assert(c->state == GIVEN_OUT);
    c->close = close || !c->head.keep_alive;
    buf_clear(&c->out);
    c->out_at = 0;
    int rc = write_answer(c, status, headers, header_count, body, body_n, err);
    if (rc != 0)
        return rc;
    c->state = ANSWERING;
    c->deadline_ns = now_ns + c->o.write_ns;
    return 0;
}

/* The one answer to what cannot be read; then the end. */
static int refuse(struct http_server_conn *c, int status, int code, uint64_t now_ns)
{
    c->close = true;
    buf_clear(&c->out);
    c->out_at = 0;
    c->why.code = code;
    if (write_answer(c, status, NULL, 0, NULL, 0, NULL) != 0)
        return ORIEL_ENOMEM;
    c->state = LAST_WORDS;
    c->deadline_ns = now_ns + SECOND;
    return 0;
}

static int refuse_large(struct http_server_conn *c, uint64_t now_ns)
{
    err_set(&c->why, ORIEL_EFORMAT, "a body longer than %zu bytes", c->o.body_max);
    return refuse(c, 413, ORIEL_EFORMAT, now_ns);
}

static int status_of(int code, const struct oriel_err *err)
{
    if (code == ORIEL_ELIMIT)
        return 431;
    if (code != ORIEL_EUNSUPPORTED)
        return 400;
    return strncmp(err->text, "HTTP/", 5) == 0 ? 505 : 501;
}

static void taken(struct http_server_conn *c, size_t n)
{
    memmove(c->in.data, c->in.data + n, c->in.size - n);
    c->in.size -= n;
}

/* What came belongs to the body; what is behind that, to the next request. */
static int take_body(struct http_server_conn *c, uint64_t now_ns)
{
    size_t at = 0, used, n;
    const char *data;
    while (at < c->in.size && !c->framing.done) {
        int rc = http_body_step(&c->framing, c->in.data + at, c->in.size - at, &used, &data, &n,
                                &c->why);
        if (rc != 0)
            return refuse(c, 400, rc, now_ns);
        if (n > c->o.body_max - c->body.size)
            return refuse_large(c, now_ns);
        buf_put(&c->body, data, n);
        at += used;
        c->raw += used;
    }
    if (c->body.failed)
        return ORIEL_ENOMEM;
    /* One-byte chunks: eight bytes of framing for each are patience enough. */
    if (c->raw > 8 * c->body.size + (64 << 10)) {
        err_set(&c->why, ORIEL_EFORMAT, "a chunked body of almost nothing but sizes");
        return refuse(c, 400, ORIEL_EFORMAT, now_ns);
    }
    if (at > 0)
        taken(c, at);
    if (c->framing.done)
        c->state = GIVEN_OUT;
    return 0;
}

static int begin_body(struct http_server_conn *c, uint64_t now_ns)
{
    http_body_init(&c->framing, &c->head, true);
    buf_clear(&c->body);
    c->raw = 0;
    c->state = READING_BODY;
    c->deadline_ns = now_ns + c->o.body_ns;
    if (c->head.framing == HTTP_LENGTH && c->head.length > c->o.body_max)
        return refuse_large(c, now_ns);
    if (c->head.expects_continue && !c->framing.done) {
        buf_clear(&c->out);
        c->out_at = 0;
        buf_puts(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
    }
    return take_body(c, now_ns);
}

/* A head may be whole now: parses it. The body's bytes stay in `in`. */
static int take_head(struct http_server_conn *c, uint64_t now_ns)
{
    if (c->in.size > 0 && !c->begun) {
        c->begun = true;
        c->deadline_ns = now_ns + c->o.head_ns;
    }
    size_t n = c->in.size ? http_head_size(c->in.data, c->in.size, &c->seen) : 0;
    if (n == 0 && c->in.size <= HTTP_HEAD_MAX)
        return 0;
    if (n == 0 || n > HTTP_HEAD_MAX) {
        err_set(&c->why, ORIEL_EFORMAT, "a head longer than %d bytes", HTTP_HEAD_MAX);
        return refuse(c, 431, ORIEL_EFORMAT, now_ns);
    }
    buf_clear(&c->head_bytes);
    buf_put(&c->head_bytes, c->in.data, n);
    taken(c, n);
    if (c->head_bytes.failed)
        return ORIEL_ENOMEM;
    int rc = http_request_read(c->head_bytes.data, n, &c->head, &c->why);
    return rc == 0 ? begin_body(c, now_ns)
                   : refuse(c, status_of(rc, &c->why), ORIEL_EFORMAT, now_ns);
}

/* 0 when all of `out` went. */
static int send_out(struct http_server_conn *c, struct oriel_err *err)
{
    while (c->out_at < c->out.size) {
        size_t put;
        int rc =
            stream_write(c->stream, c->out.data + c->out_at, c->out.size - c->out_at, &put, err);
        if (rc != 0)
            return rc;
        c->out_at += put;
    }
    return stream_flush(c->stream, err);
}

enum { KEPT_BODY = 256 << 10 };

static void next_request(struct http_server_conn *c, uint64_t now_ns)
{
    c->seen = 0;
    c->begun = false;
    if (c->body.capacity > KEPT_BODY) /* many that wait shall not keep much */
        buf_done(&c->body);
    c->state = READING_HEAD;
    c->deadline_ns = now_ns + c->o.idle_ns;
}

/* Reads and takes what is there; NET_AGAIN when nothing is left to read. `in` holds
 * no more than one head and one piece at any time. */
static int read_more(struct http_server_conn *c, uint64_t now_ns, struct oriel_err *err)
{
    bool at_head = c->state == READING_HEAD;
    int rc = at_head ? take_head(c, now_ns) : take_body(c, now_ns);
    if (rc != 0 || c->state >= GIVEN_OUT)
        return rc;
    if (at_head && c->state == READING_BODY && c->out_at < c->out.size)
        return 0; /* the client waits for "continue" before it sends more */
    size_t n = 0;
    char *room = buf_reserve(&c->in, PIECE);
    if (!room)
        return ORIEL_ENOMEM;
    rc = stream_read(c->stream, room, PIECE, &n, err);
    if (rc != 0)
        return rc;
    if (n == 0)
        return err_set(err, ORIEL_ECLOSED,
                       c->begun ? "the client left inside a request"
                                : "the client closed the connection");
    c->in.size += n;
    return 0;
}

static int give_out(struct http_server_conn *c, struct http_server_request *out)
{
    out->head = &c->head;
    out->body_n = c->body.size;
    out->body = buf_cstr(&c->body);
    return 0;
}

/* Closing over unread bytes would be a reset, which can take the answer with it on
 * its way: so nothing more is said, and what still comes is thrown away for a while. */
static int linger(struct http_server_conn *c, struct oriel_err *err)
{
    char rest[4096];
    size_t n = 0;
    if (!c->shut)
        shutdown(stream_fd(c->stream), SHUT_WR);
    c->shut = true;
    int rc = stream_read(c->stream, rest, sizeof rest, &n, err);
    c->thrown_away += n;
    if (rc == NET_AGAIN || (rc == 0 && n > 0 && c->thrown_away < THROWN_AWAY_MAX))
        return rc;
    return err_set(err, ORIEL_EFORMAT, "%s", c->why.text);
}

/* What the state asks for: 0 to go on, else the result of the step. */
static int move(struct http_server_conn *c, uint64_t now_ns, struct oriel_err *err)
{
    int sent = send_out(c, err);
    if (sent < 0)
        return sent;
    switch (c->state) {
    case READING_HEAD:
    case READING_BODY:
        return read_more(c, now_ns, err);
    case ANSWERING:
        if (sent != 0)
            return sent;
        if (c->close)
            return err_set(err, ORIEL_ECLOSED, "answered, as was asked: no more");
        next_request(c, now_ns);
        return 0;
    case LAST_WORDS:
        return sent != 0 ? sent : linger(c, err);
    case GIVEN_OUT:
        break;
    }
    return 0;
}

int http_server_step(struct http_server_conn *c, uint64_t now_ns, struct http_server_request *out,
                     struct oriel_err *err)
{
    int rc = stream_step(c->stream, now_ns, err);
    c->has_more = false;
    for (unsigned i = 0; rc == 0 && c->state != GIVEN_OUT; i++) {
        if (i == READS_PER_STEP) {
            c->has_more = true;
            rc = NET_AGAIN;
            break;
        }
        rc = move(c, now_ns, err);
    }
    if (rc == ORIEL_ENOMEM)
        return err_set(err, rc, "no memory for a request");
    if (rc == NET_AGAIN && now_ns >= c->deadline_ns && c->state == LAST_WORDS)
        return err_set(err, ORIEL_EFORMAT, "%s", c->why.text);
    if (rc == NET_AGAIN && now_ns >= c->deadline_ns)
        return err_set(err, ORIEL_ETIMEOUT, "the client took too long");
    return rc == 0 ? give_out(c, out) : rc;
}

void http_server_wait(const struct http_server_conn *c, struct net_wait *w)
{
    stream_wait(c->stream, c->state != GIVEN_OUT && c->state != ANSWERING, c->out_at < c->out.size,
                w);
    net_wait_until(w, c->has_more ? 0 : c->deadline_ns);
}

size_t http_server_held(const struct http_server_conn *c)
{
    return c->begun ? c->in.capacity + c->body.capacity : 0;
}

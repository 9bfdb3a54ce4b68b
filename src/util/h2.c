/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sessions: frames to events of exchanges, and what is to be sent. Everything a
 * frame of the other side can make grow has a limit here. One thread.
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "util/h2_internal.h"

enum { BODY_MAX = 4 << 20, HEAD_MAX = 16 << 10, STREAMS_MAX = 64 };
enum { PIECE = 16 << 10, READS_PER_PUMP = 64, RESETS_MAX = 200, WINDOW = 1 << 20 };

static void *on_malloc(size_t n, void *user)
{
    return mem_alloc(n);
}

static void on_free(void *p, void *user)
{
    mem_free(p);
}

static void *on_calloc(size_t n, size_t size, void *user)
{
    return mem_calloc(n, size);
}

static void *on_realloc(void *p, size_t n, void *user)
{
    return mem_realloc(p, n);
}

static bool begins_message(const struct h2 *h, const nghttp2_frame *f)
{
    return f->hd.type == NGHTTP2_HEADERS &&
           f->headers.cat == (h->o.server ? NGHTTP2_HCAT_REQUEST : NGHTTP2_HCAT_RESPONSE);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *f, void *user)
{
    struct h2 *h = user;
    if (!h->o.server || !begins_message(h, f))
        return 0;
    struct h2_exchange *x = h2_exchange_new(h);
    if (!x)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* this one is reset */
    x->id = f->hd.stream_id;
    if (nghttp2_session_set_stream_user_data(session, x->id, x) != 0) {
        h2_exchange_delete(x);
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return 0;
}

static struct h2_exchange *exchange_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *f, const uint8_t *name,
                     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
    struct h2_exchange *x = exchange_of(session, f->hd.stream_id);
    if (!x || f->hd.type != NGHTTP2_HEADERS)
        return 0;
    struct h2 *h = user;
    bool trailer = x->begun && !begins_message(h, f);
    if (trailer && h->o.server) /* who may ask is not said behind the question */
        return 0;
    return h2_exchange_header(x, (const char *)name, name_n, (const char *)value, value_n, trailer);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
                   size_t n, void *user)
{
    struct h2_exchange *x = exchange_of(session, id);
    if (x && !x->too_big && !h2_exchange_data(x, bytes, n)) {
        x->too_big = true;
        x->h->too_large++;
        /* What gRPC reads as RESOURCE_EXHAUSTED: it is not sent again. */
        const uint32_t why = x->h->o.server ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_CANCEL;
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, why);
    }
    return 0;
}

static void message_ended(struct h2 *h, struct h2_exchange *x)
{
    x->whole = true;
    if (!h->o.server && x->out_at < x->out_n) /* it does not want the rest */
        nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, x->id, NGHTTP2_CANCEL);
}

/* A client that opens streams and resets them has us work for nothing. */
static int count_reset(struct h2 *h)
{
    if (!h->o.server || ++h->resets <= RESETS_MAX + h->served)
        return 0;
    h->flooded = true;
    nghttp2_session_terminate_session(h->session, NGHTTP2_ENHANCE_YOUR_CALM);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *f, void *user)
{
    struct h2 *h = user;
    struct h2_exchange *x = f->hd.stream_id ? exchange_of(session, f->hd.stream_id) : NULL;
    switch (f->hd.type) {
    case NGHTTP2_PING:
        h->pongs += (f->hd.flags & NGHTTP2_FLAG_ACK) != 0;
        break;
    case NGHTTP2_GOAWAY:
        h->going_away = true;
        break;
    case NGHTTP2_RST_STREAM:
        return count_reset(h);
    case NGHTTP2_HEADERS:
        if (x && (begins_message(h, f) || f->headers.cat == NGHTTP2_HCAT_HEADERS)) {
            int status = h->o.server ? 200 : h2_status(x);
            if (status >= 100 && status < 200) /* interim: not the head yet */
                x->header_count = 0;
            else
                x->begun = true;
        }
        break;
    default:
        break;
    }
    if (x && (f->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
        (f->hd.type == NGHTTP2_HEADERS || f->hd.type == NGHTTP2_DATA))
        message_ended(h, x);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct h2_exchange *x = exchange_of(session, id);
    struct h2 *h = user;
    if (!x)
        return 0;
    assert(!x->closed && h->live > 0);
    x->closed = true;
    x->reset = code;
    x->refused = code == NGHTTP2_REFUSED_STREAM;
    h->live--;
    if (!x->owned)
        h2_exchange_delete(x);
    return 0;
}

static int make_session(struct h2 *h)
{
    nghttp2_mem mem = {NULL, on_malloc, on_free, on_calloc, on_realloc};
    nghttp2_session_callbacks *calls;
    nghttp2_option *option;
    if (nghttp2_session_callbacks_new(&calls) != 0)
        return ORIEL_ENOMEM;
    if (nghttp2_option_new(&option) != 0) {
        nghttp2_session_callbacks_del(calls);
        return ORIEL_ENOMEM;
    }
    nghttp2_session_callbacks_set_on_begin_headers_callback(calls, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_stream_close);
    nghttp2_session_callbacks_set_send_data_callback(calls, h2_send_data);
    nghttp2_option_set_max_outbound_ack(option, 100);
    nghttp2_option_set_max_settings(option, 16);
    nghttp2_option_set_max_send_header_block_length(option, 64 << 10);
    int rc = h->o.server ? nghttp2_session_server_new3(&h->session, calls, h, option, &mem)
                         : nghttp2_session_client_new3(&h->session, calls, h, option, &mem);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(calls);
    return rc == 0 ? 0 : ORIEL_ENOMEM;
}

static int greet(struct h2 *h)
{
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)h->o.head_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, h->o.server ? h->o.streams_max : 0},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
    };
    if (nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, h->o.server ? 3 : 4) != 0)
        return ORIEL_ENOMEM;
    return nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, 4 * WINDOW) == 0
               ? 0
               : ORIEL_ENOMEM;
}

int h2_new(struct h2 **out, const struct h2_options *o, struct oriel_err *err)
{
    assert(o->size >= sizeof *o);
    struct h2 *h = mem_calloc(1, sizeof *h);
    if (!h)
        return err_set(err, ORIEL_ENOMEM, "no memory for HTTP/2");
    h->o = *o;
    h->o.body_max = o->body_max ? o->body_max : BODY_MAX;
    h->o.held_max = o->held_max ? o->held_max : 4 * h->o.body_max;
    h->o.head_max = o->head_max ? o->head_max : HEAD_MAX;
    h->o.streams_max = o->streams_max ? o->streams_max : STREAMS_MAX;
    buf_init(&h->out);
    if (make_session(h) != 0 || greet(h) != 0) {
        h2_free(h);
        return err_set(err, ORIEL_ENOMEM, "no memory for HTTP/2");
    }
    *out = h;
    return 0;
}

/* No exchange hears anything more: those of the caller stay, as failed. */
static void let_go(struct h2 *h)
{
    struct h2_exchange *x = h->first, *next;
    for (; x; x = next) {
        next = x->next;
        if (h->session && x->id > 0 && !x->closed)
            nghttp2_session_set_stream_user_data(h->session, x->id, NULL);
        h->live -= !x->closed;
        x->closed = true;
        if (x->owned)
            x->h = NULL;
        else
            h2_exchange_delete(x);
    }
    h->first = h->last = NULL;
    assert(h->live == 0);
}

void h2_free(struct h2 *h)
{
    if (!h)
        return;
    let_go(h);
    nghttp2_session_del(h->session);
    buf_done(&h->out);
    mem_free(h);
}

int h2_feed(struct h2 *h, const void *bytes, size_t n, struct oriel_err *err)
{
    if (n == 0)
        return 0;
    h->heard += n;
    ssize_t used = nghttp2_session_mem_recv(h->session, bytes, n);
    if (used == NGHTTP2_ERR_NOMEM || used == NGHTTP2_ERR_CALLBACK_FAILURE)
        return err_set(err, ORIEL_ENOMEM, "no memory for HTTP/2");
    if (used == NGHTTP2_ERR_FLOODED || h->flooded)
        return err_set(err, ORIEL_ELIMIT, "the other side floods this HTTP/2 connection");
    if (used < 0)
        return err_set(err, ORIEL_EFORMAT, "not HTTP/2: %s", nghttp2_strerror((int)used));
    assert((size_t)used == n);
    return 0;
}

size_t h2_pull(struct h2 *h, const char **out)
{
    const uint8_t *frames;
    ssize_t n = 0;
    if (h->out_at == h->out.size && !h->out.failed) {
        buf_clear(&h->out);
        h->out_at = 0;
    }
    while (h->out.size < H2_TOGETHER && (n = nghttp2_session_mem_send(h->session, &frames)) > 0)
        buf_put(&h->out, frames, (size_t)n);
    if (n < 0) /* out of memory: nothing can be said any more */
        h->out.failed = true;
    *out = h->out.data + h->out_at;
    return h->out.size - h->out_at;
}

void h2_pulled(struct h2 *h, size_t n)
{
    assert(n <= h->out.size - h->out_at);
    h->out_at += n;
}

static bool wants_write(struct h2 *h)
{
    return h->out_at < h->out.size || nghttp2_session_want_write(h->session);
}

bool h2_is_over(struct h2 *h)
{
    return !wants_write(h) && !nghttp2_session_want_read(h->session);
}

bool h2_is_going_away(const struct h2 *h)
{
    return h->going_away || !nghttp2_session_check_request_allowed(h->session);
}

uint64_t h2_heard_bytes(const struct h2 *h)
{
    return h->heard;
}

size_t h2_held(const struct h2 *h)
{
    return h->held;
}

unsigned h2_too_large(const struct h2 *h)
{
    return h->too_large;
}

unsigned h2_live(const struct h2 *h)
{
    return h->live;
}

int h2_ping(struct h2 *h)
{
    return nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL) == 0 ? 0 : ORIEL_ENOMEM;
}

unsigned h2_pongs(const struct h2 *h)
{
    return h->pongs;
}

void h2_go_away(struct h2 *h)
{
    h->going_away = true;
    nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(h->session), NGHTTP2_NO_ERROR,
                          NULL, 0);
}

static int send_frames(struct h2 *h, struct stream *s, struct oriel_err *err)
{
    const char *bytes;
    size_t n, put;
    while ((n = h2_pull(h, &bytes)) > 0) {
        int rc = stream_write(s, bytes, n, &put, err);
        if (rc != 0)
            return rc;
        h2_pulled(h, put);
    }
    if (h->out.failed)
        return err_set(err, ORIEL_ENOMEM, "no memory for HTTP/2");
    return stream_flush(s, err);
}

static int hear_frames(struct h2 *h, struct stream *s, struct oriel_err *err)
{
    char piece[PIECE];
    for (unsigned reads = 0; reads < READS_PER_PUMP; reads++) {
        size_t n = 0;
        int rc = stream_read(s, piece, sizeof piece, &n, err);
        if (rc != 0)
            return rc;
        if (n == 0)
            return err_set(err, ORIEL_ECLOSED, "the other side closed the HTTP/2 connection%s",
                           stream_hint(s));
        rc = h2_feed(h, piece, n, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int h2_pump(struct h2 *h, struct stream *s, struct oriel_err *err)
{
    struct oriel_err ignored;
    int sent = send_frames(h, s, err);
    int heard = sent < 0 ? sent : hear_frames(h, s, err);
    /* One that never stops talking must not keep the caller from its deadline. */
    h->has_more = heard == 0;
    if (heard >= 0 && sent == 0) /* what was heard has answers, and makes room to send */
        sent = send_frames(h, s, err);
    int rc = sent < 0 ? sent : heard < 0 ? heard : NET_AGAIN;
    if (rc == NET_AGAIN && h2_is_over(h))
        rc = err_set(err, ORIEL_ECLOSED, "the HTTP/2 connection has ended");
    if (rc < 0) {
        if (sent >= 0)
            send_frames(h, s, &ignored); /* GOAWAY, with the reason */
        let_go(h);
    }
    return rc;
}

void h2_wait(struct h2 *h, const struct stream *s, struct net_wait *w)
{
    stream_wait(s, true, wants_write(h), w);
    if (h->has_more)
        net_wait_until(w, 0);
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Connections: accepted, told apart by their first bytes (HTTP/2 begins with "PRI"),
 * stepped when something happens to them, closed when they are slow, and evicted, the
 * idlest first, when all places are taken: many that do nothing do not keep one out
 * that has something to say. One thread, one epoll descriptor.
 */
#include "source/otlp/server.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"

enum { EVENTS = 64, PREFACE = 24, ACCEPTS = 64, TLS_HANDSHAKE = 0x16 };
#define TICK_NS UINT64_C(100000000)
#define YOUNG_NS UINT64_C(20000000)  /* not evicted before */
#define HEAD_NS UINT64_C(5000000000) /* to say the first bytes, or a request over HTTP/2 */
#define IDLE_NS UINT64_C(30000000000)
#define HELD_MAX (24u << 20) /* of requests that are not whole, by all connections */
#define WAITING_BYTES_MAX (UINT64_C(24) << 20) /* of requests: then we stop reading */

static void watch(struct collect *c, struct otlp_conn *conn, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = conn};
    if (conn->events == events || conn->fd < 0)
        return;
    int op = conn->events == UINT32_MAX ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(c->epoll, op, conn->fd, &e) == 0)
        conn->events = events;
    else
        conn->broken = true;
}

static void forget_jobs(struct otlp_jobs *jobs, const struct otlp_conn *conn)
{
    for (struct otlp_job *j = jobs->first; j; j = j->next)
        if (j->conn == conn) { /* told all the same, answered to nobody */
            if (!j->body.size && j->n) {
                buf_put(&j->body, j->bytes, j->n);
                j->failed = j->body.failed;
                j->bytes = j->body.data;
            }
            h2_exchange_free(j->exchange);
            j->exchange = NULL;
            j->conn = NULL;
        }
}

static void close_conn(struct collect *c, struct otlp_conn *conn)
{
    for (struct otlp_conn **at = &c->conns; *at; at = &(*at)->next)
        if (*at == conn) {
            *at = conn->next;
            break;
        }
    assert(c->conn_count > 0);
    forget_jobs(&c->waiting, conn);
    forget_jobs(&c->told, conn);
    h2_free(conn->h2);
    stream_free(conn->stream);
    http_server_conn_free(conn->http);
    if (conn->state == CONN_SNIFFING)
        net_close(conn->fd);
    mem_free(conn);
    c->conn_count--;
}

/* ---- the first bytes ---- */

static int begin_http1(struct collect *c, struct otlp_conn *conn, uint64_t now_ns)
{
    const struct http_server_options o = {.size = sizeof o, .body_max = c->options.body_max};
    struct stream *s;
    int rc = stream_accepted(&s, conn->fd, NULL, NULL);
    conn->state = CONN_HTTP1; /* the descriptor is the stream's, also when that failed */
    if (rc == 0)
        rc = http_server_conn_new(&conn->http, s, &o, now_ns, NULL);
    return rc;
}

static int begin_h2(struct collect *c, struct otlp_conn *conn)
{
    const struct h2_options o = {.size = sizeof o,
                                 .server = true,
                                 .body_max = c->options.body_max,
                                 .held_max = 2 * c->options.body_max};
    int rc = stream_accepted(&conn->stream, conn->fd, NULL, NULL);
    conn->state = CONN_H2;
    if (rc == 0)
        rc = h2_new(&conn->h2, &o, NULL);
    return rc;
}

static void sniff(struct collect *c, struct otlp_conn *conn, uint64_t now_ns)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    char head[PREFACE];
    ssize_t n = recv(conn->fd, head, sizeof head, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        conn->broken = true;
        return;
    }
    if (head[0] == TLS_HANDSHAKE) { /* no request begins so; it would wait for our half of it */
        c->counts.tls++;
        conn->broken = true;
        return;
    }
    bool same = memcmp(head, preface, (size_t)n) == 0;
    if (same && n < PREFACE)
        return; /* edge-triggered: told of more */
    conn->broken = (same ? begin_h2(c, conn) : begin_http1(c, conn, now_ns)) < 0;
}

/* ---- stepping ---- */

static void step_http1(struct collect *c, struct otlp_conn *conn, uint64_t now_ns)
{
    assert(conn->http && conn->jobs <= 1);
    struct http_server_request request;
    struct oriel_err err;
    while (!conn->broken && !conn->jobs) {
        int rc = http_server_step(conn->http, now_ns, &request, &err);
        if (rc == NET_AGAIN)
            return;
        if (rc < 0) {
            c->counts.malformed += rc == ORIEL_EFORMAT;
            conn->broken = true;
            return;
        }
        conn->last_ns = now_ns;
        conn->requests++;
        const struct otlp_request r = {.conn = conn, .http = &request};
        route_request(c, &r, now_ns);
    }
}

static void step_h2(struct collect *c, struct otlp_conn *conn, uint64_t now_ns)
{
    struct h2_exchange *x;
    int rc = h2_pump(conn->h2, conn->stream, NULL);
    bool any = false;
    while ((x = h2_next(conn->h2)) != NULL) {
        const struct otlp_request r = {.conn = conn, .exchange = x};
        conn->last_ns = now_ns;
        conn->requests++;
        any = true;
        route_request(c, &r, now_ns);
    }
    c->counts.too_large += h2_too_large(conn->h2) - conn->too_large;
    conn->too_large = h2_too_large(conn->h2);
    if (rc == NET_AGAIN && any) /* what was answered at once */
        rc = h2_pump(conn->h2, conn->stream, NULL);
    if (rc != NET_AGAIN)
        conn->broken = true;
}

static void wait_for(struct collect *c, struct otlp_conn *conn)
{
    struct net_wait w;
    assert(conn->state != CONN_SNIFFING && (conn->http || conn->h2));
    net_wait_init(&w);
    if (conn->state == CONN_HTTP1)
        http_server_wait(conn->http, &w);
    else
        h2_wait(conn->h2, conn->stream, &w);
    uint32_t events = 0;
    for (unsigned i = 0; i < w.count; i++)
        events |= (uint32_t)(unsigned short)w.fds[i].events;
    if (c->waiting_bytes > WAITING_BYTES_MAX)
        events &= ~(uint32_t)EPOLLIN;
    watch(c, conn, conn->jobs && conn->state == CONN_HTTP1 ? 0 : events);
}

static void step_conn(struct collect *c, struct otlp_conn *conn, uint64_t now_ns)
{
    if (conn->state == CONN_SNIFFING)
        sniff(c, conn, now_ns);
    if (!conn->broken && conn->state == CONN_HTTP1)
        step_http1(c, conn, now_ns);
    if (!conn->broken && conn->state == CONN_H2)
        step_h2(c, conn, now_ns);
    if (!conn->broken && conn->state != CONN_SNIFFING)
        wait_for(c, conn);
    if (conn->broken)
        close_conn(c, conn);
}

void server_flush(struct collect *c, struct otlp_conn *conn, uint64_t now_ns)
{
    step_conn(c, conn, now_ns);
}

/* Requests that grow and never end could fill the memory, each within its own limit: the
 * largest goes when all together are too much. */
static void shed(struct collect *c)
{
    struct otlp_conn *largest = NULL;
    size_t sum = 0, most = 0;
    for (struct otlp_conn *conn = c->conns; conn; conn = conn->next) {
        size_t n = conn->http ? http_server_held(conn->http) : conn->h2 ? 2 * h2_held(conn->h2) : 0;
        sum += n; /* what bodies grow in, not what is in it */
        if (n > most && !conn->jobs) {
            most = n;
            largest = conn;
        }
    }
    if (sum <= HELD_MAX || !largest)
        return;
    c->counts.evicted++;
    close_conn(c, largest);
}

/* A request over HTTP/2 that does not become whole, and silence. HTTP/1.1 has its own
 * deadlines. */
static bool is_late(const struct otlp_conn *conn, uint64_t now_ns)
{
    uint64_t since = conn->last_ns > conn->born_ns ? conn->last_ns : conn->born_ns;
    if (conn->state == CONN_SNIFFING)
        return now_ns - conn->born_ns >= HEAD_NS;
    return conn->state == CONN_H2 && !conn->jobs && now_ns - since >= IDLE_NS;
}

static void tick(struct collect *c, uint64_t now_ns)
{
    c->ticked_ns = now_ns;
    for (struct otlp_conn *conn = c->conns, *next; conn; conn = next) {
        next = conn->next;
        conn->broken |= is_late(conn, now_ns);
        step_conn(c, conn, now_ns);
    }
}

/* ---- accepting ---- */

/* The one that has said nothing for longest and owes nobody anything. */
static struct otlp_conn *idlest(const struct collect *c, uint64_t now_ns)
{
    struct otlp_conn *found = NULL;
    for (struct otlp_conn *conn = c->conns; conn; conn = conn->next) {
        if (conn->jobs || now_ns - conn->born_ns < YOUNG_NS || now_ns - conn->last_ns < YOUNG_NS)
            continue;
        /* Those that never brought a request first, then by silence. */
        if (!found || (conn->requests == 0) > (found->requests == 0) ||
            ((conn->requests == 0) == (found->requests == 0) && conn->last_ns < found->last_ns))
            found = conn;
    }
    return found;
}

static bool make_room(struct collect *c, uint64_t now_ns)
{
    if (c->conn_count < c->conns_max)
        return true;
    struct otlp_conn *conn = idlest(c, now_ns);
    if (!conn)
        return false;
    c->counts.evicted++;
    close_conn(c, conn);
    return true;
}

static bool accept_one(struct collect *c, unsigned i, uint64_t now_ns)
{
    int fd;
    if (net_accept(c->listeners[i], &fd, NULL) != 0)
        return false;
    struct otlp_conn *conn = mem_calloc(1, sizeof *conn);
    if (!conn) {
        net_close(fd);
        return false;
    }
    *conn = (struct otlp_conn){.next = c->conns,
                               .fd = fd,
                               .local = c->options.listens[i].unix_path != NULL,
                               .events = UINT32_MAX,
                               .born_ns = now_ns,
                               .last_ns = now_ns};
    c->conns = conn;
    c->conn_count++;
    c->counts.connections++;
    watch(c, conn, EPOLLIN | (uint32_t)EPOLLET);
    if (conn->local && !net_peer_is_us(fd))
        conn->broken = true;
    step_conn(c, conn, now_ns);
    shed(c);
    return true;
}

/* Listeners are only watched while there is a place, or the next one may be made. */
static void watch_listeners(struct collect *c, bool on)
{
    if (c->told_listeners == on)
        return;
    for (unsigned i = 0; i < c->options.listen_count; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
        (void)epoll_ctl(c->epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, c->listeners[i], &e);
    }
    c->told_listeners = on;
}

/* Where all places are taken: whether anybody waits for one, who is worth another's. */
static bool is_wanted(const struct collect *c, unsigned i)
{
    struct pollfd p = {.fd = c->listeners[i], .events = POLLIN};
    return c->conn_count < c->conns_max || poll(&p, 1, 0) == 1;
}

static void accept_all(struct collect *c, uint64_t now_ns)
{
    unsigned left = ACCEPTS;
    bool room = true;
    for (unsigned i = 0; i < c->options.listen_count && !c->stopping; i++)
        while (left && is_wanted(c, i) && (room = make_room(c, now_ns)) && accept_one(c, i, now_ns))
            left--;
    watch_listeners(c, !c->stopping && room);
    c->more_ns = room ? UINT64_MAX : now_ns + YOUNG_NS;
}

void server_step(struct collect *c, uint64_t now_ns)
{
    struct epoll_event events[EVENTS];
    assert(c->conn_count <= c->conns_max);
    int n = epoll_wait(c->epoll, events, EVENTS, 0);
    bool listeners = now_ns >= c->more_ns || (c->stopping && c->told_listeners);
    for (int i = 0; i < n; i++) {
        struct otlp_conn *conn = events[i].data.ptr;
        if (!conn) {
            listeners = true;
            continue;
        }
        bool there = false; /* one event may have closed another's connection */
        for (struct otlp_conn *o = c->conns; o && !there; o = o->next)
            there = o == conn;
        if (!there)
            continue;
        step_conn(c, conn, now_ns);
        shed(c);
    }
    if (listeners)
        accept_all(c, now_ns);
    if (now_ns - c->ticked_ns >= TICK_NS) {
        tick(c, now_ns);
        shed(c);
    }
}

void server_close(struct collect *c)
{
    while (c->conns)
        close_conn(c, c->conns);
    for (unsigned i = 0; i < COLLECT_LISTENERS_MAX; i++) {
        net_close(c->listeners[i]);
        if (c->unix_paths[i][0] && c->unix_paths[i][0] != '@')
            unlink(c->unix_paths[i]);
    }
    net_close(c->epoll);
}

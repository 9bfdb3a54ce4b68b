/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From a name to a connected socket (RFC 8305 without its history): addresses
 * of both families take turns, a slow one does not hold up the next. One thread.
 */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "util/kept.h"
#include "util/net.h"

enum { AT_ONCE = 4, UNDER_WAY = -1 };
#define HEAD_START_NS UINT64_C(250000000)

struct attempt {
    struct kept socket;
    unsigned addr;
};
struct net_dial {
    struct net_lookup *lookup; /* NULL once the addresses are there */
    struct net_addr addrs[NET_ADDRS_MAX];
    unsigned count, next;
    struct attempt attempts[AT_ONCE];
    unsigned attempt_count;
    uint64_t next_ns; /* when the next address may be tried beside the others */
    int errno_last;
    unsigned addr_last;
    char what[NET_HOST_MAX + 16]; /* for error lines */
};

int net_dial_new(struct net_dial **out, const struct net_dial_options *o, uint64_t now_ns,
                 struct oriel_err *err)
{
    int rc = 0;
    assert(o->size >= sizeof *o && (o->host || o->unix_path));
    struct net_dial *d = mem_calloc(1, sizeof *d);
    if (!d)
        return err_set(err, ORIEL_ENOMEM, "no memory to connect");
    if (o->unix_path) {
        snprintf(d->what, sizeof d->what, "%s", o->unix_path);
        rc = net_addr_unix(o->unix_path, &d->addrs[0]);
        if (rc != 0)
            err_set(err, rc, "%s: not a path a socket can have (1 to 107 bytes)", d->what);
        d->count = 1;
    } else {
        snprintf(d->what, sizeof d->what, "%s:%u", o->host, o->port);
        rc = net_lookup_new(&d->lookup, o->host, o->port, o->resolver, now_ns, err);
    }
    if (rc != 0) {
        mem_free(d);
        return rc;
    }
    *out = d;
    return 0;
}

void net_dial_free(struct net_dial *d)
{
    if (!d)
        return;
    net_lookup_free(d->lookup);
    for (unsigned i = 0; i < d->attempt_count; i++)
        kept_close(&d->attempts[i].socket);
    mem_free(d);
}

void net_dial_wait(const struct net_dial *d, struct net_wait *w)
{
    if (d->lookup) {
        net_lookup_wait(d->lookup, w);
        return;
    }
    for (unsigned i = 0; i < d->attempt_count; i++)
        net_wait_add(w, d->attempts[i].socket.fd, POLLOUT);
    if (d->next < d->count && d->attempt_count < AT_ONCE)
        net_wait_until(w, d->next_ns);
}

/* IPv6 first, then in turns, each family in the order it came. */
static void take_turns(struct net_dial *d, const struct net_addr *from, unsigned n)
{
    unsigned at[2] = {0, 0};
    const int family[2] = {AF_INET6, AF_INET};
    assert(n <= NET_ADDRS_MAX);
    for (unsigned turn = 0; d->count < n; turn ^= 1) {
        unsigned *i = &at[turn];
        while (*i < n && from[*i].sa.ss_family != family[turn])
            ++*i;
        if (*i < n)
            d->addrs[d->count++] = from[(*i)++];
    }
}

static void note_failure(struct net_dial *d, unsigned addr, int e)
{
    /* That a family is not there says less than that a server refuses. */
    bool no_route = e == ENETUNREACH || e == EADDRNOTAVAIL || e == EAFNOSUPPORT;
    if (d->errno_last == 0 || !no_route) {
        d->errno_last = e;
        d->addr_last = addr;
    }
}

/* Tries the next address; the descriptor when it connects at once, else -1. */
static int start_next(struct net_dial *d, uint64_t now_ns)
{
    unsigned which = d->next++;
    const struct net_addr *a = &d->addrs[which];
    int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0) {
        note_failure(d, which, errno);
        return -1;
    }
    if (a->sa.ss_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)&a->sa, a->n) == 0)
        return fd;
    if (errno != EINPROGRESS) { /* EAGAIN of a Unix socket: its backlog is full */
        note_failure(d, which, errno);
        net_close(fd);
        return -1;
    }
    d->attempts[d->attempt_count++] = (struct attempt){kept_open(fd), which};
    d->next_ns = now_ns + HEAD_START_NS;
    return -1;
}

/* What became of one: UNDER_WAY, 0 when it connected, or why not (errno). One whose descriptor the
 * program closed is over: what has its number now is not looked at. */
static int result_of(struct attempt *a)
{
    struct pollfd p = {.fd = a->socket.fd, .events = POLLOUT};
    int e = 0;
    socklen_t n = sizeof e;
    if (!kept_is_ours(&a->socket))
        return EBADF;
    if (poll(&p, 1, 0) != 1)
        return UNDER_WAY;
    return getsockopt(a->socket.fd, SOL_SOCKET, SO_ERROR, &e, &n) == 0 ? e : EIO;
}

/* Looks after those under way; the descriptor of the first that connected, else -1. */
static int look_after(struct net_dial *d)
{
    for (unsigned i = 0; i < d->attempt_count;) {
        int e = result_of(&d->attempts[i]);
        if (e == UNDER_WAY) {
            i++;
            continue;
        }
        struct attempt a = d->attempts[i];
        d->attempts[i] = d->attempts[--d->attempt_count];
        if (e == 0)
            return kept_release(&a.socket);
        note_failure(d, a.addr, e);
        kept_close(&a.socket);
    }
    return -1;
}

static int fail(struct net_dial *d, struct oriel_err *err)
{
    char text[NET_ADDR_TEXT] = "";
    bool local = d->addrs[d->addr_last].sa.ss_family == AF_UNIX;
    net_addr_text(&d->addrs[d->addr_last], text);
    if (d->errno_last == ECONNREFUSED)
        return err_set(err, ORIEL_ECLOSED, "%s: connection refused%s%s%s", d->what,
                       local ? "" : " at ", local ? "" : text, ": nothing listens there");
    return err_set_errno(err, d->errno_last ? d->errno_last : EIO, "%s: cannot connect", d->what);
}

int net_dial_step(struct net_dial *d, uint64_t now_ns, int *out_fd, struct oriel_err *err)
{
    if (d->lookup) {
        const struct net_addr *found;
        int rc = net_lookup_step(d->lookup, now_ns, err);
        if (rc != 0)
            return rc;
        unsigned n = net_lookup_addrs(d->lookup, &found);
        take_turns(d, found, n);
        net_lookup_free(d->lookup);
        d->lookup = NULL;
    }
    int fd = look_after(d);
    while (fd < 0 && d->next < d->count && d->attempt_count < AT_ONCE &&
           (d->attempt_count == 0 || now_ns >= d->next_ns))
        fd = start_next(d, now_ns);
    if (fd >= 0) {
        *out_fd = fd;
        return 0;
    }
    return d->attempt_count ? NET_AGAIN : fail(d, err);
}

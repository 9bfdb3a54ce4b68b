/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Bytes through sockets, listening, and sleeping until one of them is ready. The
 * only place of util that calls send, recv and accept. Any thread.
 */
#include "util/net.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { BACKLOG = 64 };

void net_wait_init(struct net_wait *w)
{
    w->count = 0;
    w->wake_ns = UINT64_MAX;
}

void net_wait_add(struct net_wait *w, int fd, short events)
{
    assert(w->count < NET_POLL_MAX);
    if (w->count < NET_POLL_MAX)
        w->fds[w->count++] = (struct pollfd){.fd = fd, .events = events};
}

void net_wait_until(struct net_wait *w, uint64_t wake_ns)
{
    if (wake_ns < w->wake_ns)
        w->wake_ns = wake_ns;
}

int net_wait_sleep(const struct net_wait *w, uint64_t deadline_ns)
{
    struct pollfd fds[NET_POLL_MAX];
    uint64_t now = clock_mono_ns(), until = w->wake_ns < deadline_ns ? w->wake_ns : deadline_ns;
    uint64_t ms = until > now ? (until - now + 999999) / 1000000 : 0;
    if (now >= deadline_ns)
        return ORIEL_ETIMEOUT;
    memcpy(fds, w->fds, sizeof *fds * w->count);
    poll(fds, w->count, until == UINT64_MAX ? -1 : ms > 60000 ? 60000 : (int)ms);
    return 0;
}

static int failed(int e, const char *what, struct oriel_err *err)
{
    if (e == EAGAIN || e == EWOULDBLOCK)
        return NET_AGAIN;
    if (e == EPIPE || e == ECONNRESET || e == ECONNABORTED)
        return err_set(err, ORIEL_ECLOSED, "the other side closed the connection while we %s",
                       what);
    return err_set_errno(err, e, "cannot %s", what);
}

int net_read(int fd, void *bytes, size_t n, size_t *out_n, struct oriel_err *err)
{
    ssize_t got;
    do
        got = recv(fd, bytes, n, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return failed(errno, "read", err);
    *out_n = (size_t)got;
    return 0;
}

int net_write(int fd, const void *bytes, size_t n, size_t *out_n, struct oriel_err *err)
{
    ssize_t put;
    assert(n > 0);
    do
        put = send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (put < 0 && errno == EINTR);
    if (put < 0)
        return failed(errno, "write", err);
    *out_n = (size_t)put;
    return 0;
}

void net_close(int fd)
{
    int kept = errno;
    if (fd >= 0)
        close(fd);
    errno = kept;
}

/* A socket file that was left behind: ours, and nobody answers. */
static bool is_left_behind(const char *path, const struct net_addr *a)
{
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool dead =
        fd >= 0 && connect(fd, (const struct sockaddr *)&a->sa, a->n) != 0 && errno == ECONNREFUSED;
    net_close(fd);
    return dead;
}

static int listen_address(const struct net_listen_options *o, struct net_addr *out,
                          struct oriel_err *err)
{
    if (o->unix_path) {
        int rc = net_addr_unix(o->unix_path, out);
        return rc == 0 ? 0
                       : err_set(err, rc, "%s: not a path a socket can have (1 to 107 bytes)",
                                 o->unix_path);
    }
    const char *address = o->address ? o->address : "127.0.0.1";
    if (strcmp(address, "localhost") == 0)
        address = "127.0.0.1";
    if (net_addr_parse(address, o->port, out) != 0)
        return err_set(err, ORIEL_EINVAL, "%s: cannot listen there: not an address", address);
    if (!net_addr_is_loopback(out) && !o->beyond_loopback)
        return err_set(err, ORIEL_EPERM,
                       "%s: other machines could connect; only loopback "
                       "addresses and Unix sockets are listened on unless that is asked for",
                       address);
    return 0;
}

/* The file of a Unix socket must not be open to others for an instant: the
 * mode of the socket itself counts when it is bound. */
static int bind_to(int fd, const struct net_listen_options *o, const struct net_addr *a)
{
    bool file = o->unix_path && o->unix_path[0] != '@';
    int on = 1;
    if (file && fchmod(fd, 0600) != 0)
        return -1;
    if (!o->unix_path)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a->sa.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&a->sa, a->n) == 0)
        return 0;
    const int why = errno;
    if (why != EADDRINUSE || !file || !is_left_behind(o->unix_path, a)) {
        errno = why;
        return -1;
    }
    return unlink(o->unix_path) == 0 ? bind(fd, (const struct sockaddr *)&a->sa, a->n) : -1;
}

int net_listen(const struct net_listen_options *o, int *out_fd, struct net_addr *out_bound,
               struct oriel_err *err)
{
    struct net_addr a;
    char text[NET_ADDR_TEXT];
    assert(o->size >= sizeof *o);
    int rc = listen_address(o, &a, err);
    if (rc != 0)
        return rc;
    net_addr_text(&a, text);
    int fd = socket(a.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind_to(fd, o, &a) != 0 || listen(fd, o->backlog ? o->backlog : BACKLOG) != 0) {
        const int why = errno;
        struct stat st;
        if (why == EADDRINUSE && o->unix_path && lstat(o->unix_path, &st) == 0 &&
            !S_ISSOCK(st.st_mode))
            rc = err_set(err, ORIEL_EBUSY, "%s: is %s and no socket: name a path that is free",
                         o->unix_path, S_ISDIR(st.st_mode) ? "a directory" : "a file");
        else if (why == EADDRINUSE)
            rc = err_set(err, ORIEL_EBUSY, "%s: another program listens there: choose another one",
                         text);
        else
            rc = err_set_errno(err, why, "%s: cannot listen there", text);
        net_close(fd);
        return rc;
    }
    struct net_addr bound = {.n = sizeof bound.sa};
    if (!o->unix_path && getsockname(fd, (struct sockaddr *)&bound.sa, &bound.n) == 0)
        a = bound;
    if (out_bound)
        *out_bound = a;
    *out_fd = fd;
    return 0;
}

int net_accept(int listener, int *out_fd, struct oriel_err *err)
{
    int fd, on = 1;
    do
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    while (fd < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO));
    if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return NET_AGAIN;
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
        return err_set(err, ORIEL_ELIMIT, "no descriptor is left for another connection");
    if (fd < 0)
        return err_set_errno(err, errno, "cannot accept a connection");
    /* Small frames meet delayed acknowledgements: a hundred times slower. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *out_fd = fd;
    return 0;
}

bool net_peer_is_us(int fd)
{
    struct ucred who;
    struct sockaddr_storage sa;
    socklen_t n = sizeof sa, who_n = sizeof who;
    if (getsockname(fd, (struct sockaddr *)&sa, &n) != 0 || sa.ss_family != AF_UNIX)
        return false;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &who_n) == 0 && who.uid == geteuid();
}

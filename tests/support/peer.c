/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* See peer.h. The thread leaves when its listener is shut down. */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct peer {
    pthread_t thread;
    peer_script *script;
    void *arg;
    int listener;
    uint16_t port;
    atomic_int current;
    atomic_bool stopping;
    atomic_uint accepted;
    pthread_mutex_t lock; /* a connection is not closed while it is being shut down */
};

static int listen_loopback(uint16_t *out_port, bool listening)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        (listening && listen(fd, 64) != 0) || getsockname(fd, (struct sockaddr *)&a, &n) != 0)
        abort();
    *out_port = ntohs(a.sin_port);
    return fd;
}

static int listen_unix(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(a.sun_path, path, strlen(path) + 1);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 64) != 0)
        abort();
    return fd;
}

static void *serve(void *arg)
{
    struct peer *p = arg;
    for (unsigned which = 0; !atomic_load(&p->stopping); which++) {
        int fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            break;
        atomic_store(&p->current, fd);
        atomic_fetch_add(&p->accepted, 1);
        if (!atomic_load(&p->stopping))
            p->script(fd, which, p->arg);
        pthread_mutex_lock(&p->lock);
        atomic_store(&p->current, -1);
        close(fd);
        pthread_mutex_unlock(&p->lock);
    }
    return NULL;
}

struct peer *peer_start(peer_script *script, const void *arg, const char *unix_path)
{
    struct peer *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    p->script = script;
    p->arg = (void *)(uintptr_t)arg;
    atomic_store(&p->current, -1);
    pthread_mutex_init(&p->lock, NULL);
    p->listener = unix_path ? listen_unix(unix_path) : listen_loopback(&p->port, true);
    if (pthread_create(&p->thread, NULL, serve, p) != 0)
        abort();
    return p;
}

uint16_t peer_port(const struct peer *p)
{
    return p->port;
}

unsigned peer_accepted(struct peer *p)
{
    return atomic_load(&p->accepted);
}

void peer_stop(struct peer *p)
{
    atomic_store(&p->stopping, true);
    shutdown(p->listener, SHUT_RDWR);
    pthread_mutex_lock(&p->lock);
    int fd = atomic_load(&p->current);
    if (fd >= 0)
        shutdown(fd, SHUT_RDWR);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    close(p->listener);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

uint16_t peer_unused_port(void)
{
    uint16_t port;
    listen_loopback(&port, false); /* bound and kept: nobody else gets it */
    return port;
}

bool peer_read_until(int fd, const char *mark, char *out, size_t n)
{
    size_t have = 0;
    out[0] = 0;
    while (have + 1 < n) {
        ssize_t got = recv(fd, out + have, n - have - 1, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        have += (size_t)got;
        out[have] = 0;
        if (strstr(out, mark))
            return true;
    }
    return false;
}

void peer_send_n(int fd, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n) {
        ssize_t put = send(fd, p, n, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return;
        p += put;
        n -= (size_t)put;
    }
}

void peer_send(int fd, const char *text)
{
    peer_send_n(fd, text, strlen(text));
}

void peer_drain(int fd)
{
    char rest[4096];
    ssize_t got;
    while ((got = recv(fd, rest, sizeof rest, 0)) > 0 || (got < 0 && errno == EINTR))
        continue;
}

void peer_reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

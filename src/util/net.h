/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sockets that never make their caller wait: addresses, names, connecting,
 * listening. Everything is a small machine that is stepped: it does what can be
 * done at once and says what it waits for. Time is given (monotonic ns), so one
 * absolute deadline covers name, connect, handshake, write and read.
 *
 * Nothing here starts a thread, raises SIGPIPE or leaves a descriptor open over
 * exec. One thread at a time per object.
 */
#ifndef ORIEL_UTIL_NET_H
#define ORIEL_UTIL_NET_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

/* Not an error: nothing more can be done now, wait and step again. */
enum { NET_AGAIN = 1 };
enum { NET_ADDRS_MAX = 16, NET_HOST_MAX = 253, NET_ADDR_TEXT = 80 };

/* ---- addresses ---- */

struct net_addr {
    struct sockaddr_storage sa;
    socklen_t n;
};
/* "127.0.0.1", "::1", "[::1]", "fe80::1%2": ORIEL_EFORMAT for anything else, names too. */
int net_addr_parse(const char *text, uint16_t port, struct net_addr *out);
/* A socket below a path; "@name" is one without a file (abstract). ORIEL_ELIMIT: too long. */
int net_addr_unix(const char *path, struct net_addr *out);
/* "127.0.0.1:80", "[::1]:80" or the path. */
void net_addr_text(const struct net_addr *a, char out[NET_ADDR_TEXT]);
/* True for 127.0.0.0/8, ::1 (mapped too) and Unix sockets. */
bool net_addr_is_loopback(const struct net_addr *a);
/* Whether `host` needs no proxy, by the list of NO_PROXY: names with what is below
 * them, addresses, networks as 10.0.0.0/8, "*"; each may end with :port. */
bool net_proxy_skips(const char *list, const char *host, uint16_t port);

/* ---- what a machine waits for ---- */

enum { NET_POLL_MAX = 8 };
struct net_wait {
    struct pollfd fds[NET_POLL_MAX];
    unsigned count;
    uint64_t wake_ns; /* step then at the latest; UINT64_MAX: no need */
};
void net_wait_init(struct net_wait *w);
void net_wait_add(struct net_wait *w, int fd, short events);
void net_wait_until(struct net_wait *w, uint64_t wake_ns);
/* Sleeps until one of them is ready, wake_ns or the deadline. 0, or ORIEL_ETIMEOUT
 * when the deadline has passed. */
int net_wait_sleep(const struct net_wait *w, uint64_t deadline_ns);

/* ---- names ---- */

/* The resolver of the C library knows no deadline, may load plugins into the
 * program and read its environment; so names are looked up here: numeric, localhost
 * (always loopback), the hosts file, then DNS by UDP with the servers, search
 * list, ndots, timeout and attempts of resolv.conf. Left out, on purpose: nsswitch
 * modules (mDNS, LDAP), DNS over TCP, DNSSEC. An answer that was cut is used
 * for the addresses in it. */
struct net_resolver {
    size_t size;
    const char *hosts_path;  /* NULL: /etc/hosts */
    const char *config_path; /* NULL: /etc/resolv.conf */
    uint16_t port;           /* of the name servers; 0: 53 */
};
struct net_lookup;
/* Files are read here: at most 64 KiB each. ORIEL_EINVAL for what is no host name. */
int net_lookup_new(struct net_lookup **out, const char *host, uint16_t port,
                   const struct net_resolver *options, uint64_t now_ns, struct oriel_err *err);
/* 0: *out_count addresses (at least one), those of the first family wanted first;
 * NET_AGAIN; ORIEL_ENOTFOUND, ORIEL_ETIMEOUT (no server answered), ORIEL_EIO. */
int net_lookup_step(struct net_lookup *l, uint64_t now_ns, struct oriel_err *err);
unsigned net_lookup_addrs(const struct net_lookup *l, const struct net_addr **out);
void net_lookup_wait(const struct net_lookup *l, struct net_wait *w);
void net_lookup_free(struct net_lookup *l);

/* ---- connecting ---- */

struct net_dial_options {
    size_t size;
    const char *host; /* a name or an address; or: */
    uint16_t port;
    const char *unix_path;
    const struct net_resolver *resolver; /* NULL: the machine's */
};
struct net_dial;
/* Addresses of both families take turns, 250 ms apart or at once when one fails;
 * the first that connects wins. The options are copied. */
int net_dial_new(struct net_dial **out, const struct net_dial_options *options, uint64_t now_ns,
                 struct oriel_err *err);
/* 0: *out_fd is connected, non-blocking, without delay, and the caller's. NET_AGAIN;
 * or why the last address failed: ORIEL_ECLOSED (refused), ORIEL_EIO, ORIEL_ENOTFOUND... */
int net_dial_step(struct net_dial *d, uint64_t now_ns, int *out_fd, struct oriel_err *err);
void net_dial_wait(const struct net_dial *d, struct net_wait *w);
void net_dial_free(struct net_dial *d); /* takes NULL */

/* ---- bytes ---- */

/* 0 and *out_n > 0; 0 and *out_n 0: the other side ended; NET_AGAIN; ORIEL_ECLOSED
 * (reset), ORIEL_EIO. */
int net_read(int fd, void *bytes, size_t n, size_t *out_n, struct oriel_err *err);
/* 0 and *out_n >= 1; NET_AGAIN; ORIEL_ECLOSED, ORIEL_EIO. Never a signal. */
int net_write(int fd, const void *bytes, size_t n, size_t *out_n, struct oriel_err *err);

/* ---- listening ---- */

struct net_listen_options {
    size_t size;
    const char *address;   /* NULL: 127.0.0.1; numeric, or "localhost" */
    uint16_t port;         /* 0: the kernel's choice */
    const char *unix_path; /* made 0600; what stands there is only replaced if it is a
                            * socket of ours that nobody listens on */
    bool beyond_loopback;  /* or any other address is refused: ORIEL_EPERM */
    int backlog;           /* 0: 64 */
};
/* The socket does not block. *out_bound (may be NULL) is where it listens. */
int net_listen(const struct net_listen_options *options, int *out_fd, struct net_addr *out_bound,
               struct oriel_err *err);
/* A connection, non-blocking and without delay; NET_AGAIN; ORIEL_ELIMIT when
 * descriptors have run out, ORIEL_EIO. */
int net_accept(int listener, int *out_fd, struct oriel_err *err);
/* Both ends of the connection of a process of another user, or not a Unix socket: false. */
bool net_peer_is_us(int fd);
void net_close(int fd); /* takes -1 */

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * DNS messages and the two files a resolver reads, as bytes: no I/O, no memory.
 * What comes in is anybody's. Pure; any thread.
 */
#ifndef ORIEL_UTIL_NET_DNS_H
#define ORIEL_UTIL_NET_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/net.h"

enum { DNS_A = 1, DNS_AAAA = 28, DNS_MESSAGE_MAX = 1232, DNS_QUERY_MAX = 320 };
enum { DNS_SERVERS_MAX = 3, DNS_SEARCH_MAX = 8 };

/* A name as host names go: labels of 1..63 letters, digits, - and _, 253 in all,
 * one dot at the end allowed. */
bool dns_name_valid(const char *name, size_t n);

/* The question for `name` (valid); its size. */
size_t dns_query(const char *name, size_t n, uint16_t id, uint16_t type,
                 uint8_t out[DNS_QUERY_MAX]);

enum dns_answer {
    DNS_FOREIGN, /* not the answer to this query: go on waiting */
    DNS_FOUND,   /* *io_count has grown */
    DNS_NONE,    /* no such name, or none of this type */
    DNS_FAILED,  /* the server could or would not, or wrote nonsense: ask another */
};
/* Adds the addresses of an answer to `query`, up to NET_ADDRS_MAX in all. */
enum dns_answer dns_answer_read(const uint8_t *message, size_t n, const uint8_t *query,
                                size_t query_n, uint16_t port, struct net_addr *addrs,
                                unsigned *io_count);

struct dns_config {
    struct net_addr servers[DNS_SERVERS_MAX];
    unsigned server_count;
    char search[DNS_SEARCH_MAX][NET_HOST_MAX + 1];
    unsigned search_count;
    unsigned ndots, timeout_s, attempts;
};
/* resolv.conf(5); without a server the one of this machine. Lines that make no
 * sense are passed over. */
void dns_config_read(const char *text, size_t n, uint16_t port, struct dns_config *out);
/* Addresses of `name` in hosts(5); how many. */
unsigned dns_hosts_find(const char *text, size_t n, const char *name, uint16_t port,
                        struct net_addr *addrs, unsigned max);

#endif

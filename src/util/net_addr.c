/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Addresses as text and back, and who needs no proxy. No I/O, no memory; any thread.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "util/net.h"

static int parse_v6(char *text, uint16_t port, struct net_addr *out)
{
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->sa;
    char *zone = strchr(text, '%');
    unsigned long scope = 0;
    if (zone) {
        char *end;
        *zone++ = 0;
        scope = strtoul(zone, &end, 10);
        if (*zone < '0' || *zone > '9' || *end || scope > UINT32_MAX)
            scope = if_nametoindex(zone);
        if (scope == 0)
            return ORIEL_EFORMAT;
    }
    struct in6_addr parsed;
    if (inet_pton(AF_INET6, text, &parsed) != 1)
        return ORIEL_EFORMAT;
    memset(out, 0, sizeof *out);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    v6->sin6_addr = parsed;
    v6->sin6_scope_id = (uint32_t)scope;
    out->n = sizeof *v6;
    return 0;
}

int net_addr_parse(const char *text, uint16_t port, struct net_addr *out)
{
    char copy[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
    struct in_addr v4;
    size_t n = strlen(text);
    if (n && text[0] == '[') {
        if (text[n - 1] != ']')
            return ORIEL_EFORMAT;
        text++;
        n -= 2;
    }
    if (n == 0 || n >= sizeof copy)
        return ORIEL_EFORMAT;
    memcpy(copy, text, n);
    copy[n] = 0;
    if (strchr(copy, ':'))
        return parse_v6(copy, port, out);
    if (inet_pton(AF_INET, copy, &v4) != 1)
        return ORIEL_EFORMAT;
    struct sockaddr_in *sin = (struct sockaddr_in *)&out->sa;
    memset(out, 0, sizeof *out);
    sin->sin_family = AF_INET;
    sin->sin_port = htons(port);
    sin->sin_addr = v4;
    out->n = sizeof *sin;
    return 0;
}

int net_addr_unix(const char *path, struct net_addr *out)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&out->sa;
    size_t n = strlen(path);
    if (n == 0)
        return ORIEL_EINVAL;
    if (n >= sizeof un->sun_path)
        return ORIEL_ELIMIT;
    memset(out, 0, sizeof *out);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, n);
    out->n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
    if (path[0] == '@') { /* the name of an abstract one has no end but the size */
        un->sun_path[0] = 0;
        out->n--;
    }
    return 0;
}

void net_addr_text(const struct net_addr *a, char out[NET_ADDR_TEXT])
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (a->sa.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->sa;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(out, NET_ADDR_TEXT, "%s:%u", host, ntohs(v4->sin_port));
    } else if (a->sa.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->sa;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(out, NET_ADDR_TEXT, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        const struct sockaddr_un *un = (const struct sockaddr_un *)&a->sa;
        bool abstract = un->sun_path[0] == 0;
        snprintf(out, NET_ADDR_TEXT, "%s%.70s", abstract ? "@" : "", un->sun_path + abstract);
    }
}

bool net_addr_is_loopback(const struct net_addr *a)
{
    if (a->sa.ss_family == AF_UNIX)
        return true;
    if (a->sa.ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)&a->sa)->sin_addr.s_addr) >> 24 == 127;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)&a->sa)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(v6))
        return v6->s6_addr[12] == 127;
    return a->sa.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(v6);
}

/* The bytes of an address; how many, 0 for none. */
static unsigned address_bytes(const struct net_addr *a, const uint8_t **out)
{
    if (a->sa.ss_family == AF_INET) {
        *out = (const uint8_t *)&((const struct sockaddr_in *)&a->sa)->sin_addr;
        return 4;
    }
    *out = ((const struct sockaddr_in6 *)&a->sa)->sin6_addr.s6_addr;
    return 16;
}

/* `network` as 10.0.0.0/8 or as one address. */
static bool network_has(char *network, const struct net_addr *host)
{
    struct net_addr base;
    const uint8_t *a, *b;
    char *slash = strchr(network, '/'), *end;
    unsigned long bits = 128;
    if (slash) {
        *slash = 0;
        bits = strtoul(slash + 1, &end, 10);
        if (*end || slash[1] < '0' || slash[1] > '9')
            return false;
    }
    if (net_addr_parse(network, 0, &base) != 0)
        return false;
    unsigned n = address_bytes(&base, &a);
    if (n != address_bytes(host, &b))
        return false;
    if (bits > 8 * n)
        bits = 8 * n;
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    return bits % 8 == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8) == 0;
}

/* "example.com" and ".example.com" are that name and all below it. */
static bool name_within(const char *host, const char *domain)
{
    if (*domain == '*')
        domain++;
    if (*domain == '.')
        domain++;
    size_t n = strlen(host), d = strlen(domain);
    if (n && host[n - 1] == '.')
        n--;
    if (d == 0 || d > n || strncasecmp(host + n - d, domain, d) != 0)
        return false;
    return d == n || host[n - d - 1] == '.';
}

/* Cuts ":port" off an entry; false when it names another one. */
static bool entry_port_fits(char *entry, uint16_t port)
{
    char *colon = strrchr(entry, ':'), *end;
    bool v6 = colon && strchr(entry, ':') != colon && colon[-1] != ']';
    if (!colon || v6 || colon == entry)
        return true;
    unsigned long wanted = strtoul(colon + 1, &end, 10);
    *colon = 0;
    return *end == 0 && wanted == port;
}

bool net_proxy_skips(const char *list, const char *host, uint16_t port)
{
    struct net_addr address;
    bool numeric = net_addr_parse(host, port, &address) == 0;
    while (list && *list) {
        char entry[NET_HOST_MAX + 8];
        size_t n = strcspn(list, ", \t");
        if (n && n < sizeof entry) {
            memcpy(entry, list, n);
            entry[n] = 0;
            if (strcmp(entry, "*") == 0)
                return true;
            if (entry_port_fits(entry, port) &&
                (numeric ? network_has(entry, &address) : name_within(host, entry)))
                return true;
        }
        list += n + (list[n] != 0);
    }
    return false;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * DNS questions and answers (RFC 1035, RFC 6891 for the size), hosts and
 * resolv.conf. Everything read is bounds-checked: any machine can send it.
 * Pure; any thread.
 */
#include "util/net_dns.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEADER = 12, CLASS_IN = 1, TYPE_OPT = 41 };
enum { FLAG_ANSWER = 0x80, RCODE = 0x0f, RCODE_NAME = 3 };

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint8_t *put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
    return p + 2;
}

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

bool dns_name_valid(const char *name, size_t n)
{
    size_t label = 0;
    if (n && name[n - 1] == '.')
        n--;
    if (n == 0 || n > NET_HOST_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (name[i] != '.' && !name_char(name[i]))
            return false;
        label = name[i] == '.' ? 0 : label + 1;
        if (label > 63 || (name[i] == '.' && (i == 0 || name[i - 1] == '.')))
            return false;
    }
    return label > 0;
}

size_t dns_query(const char *name, size_t n, uint16_t id, uint16_t type, uint8_t out[DNS_QUERY_MAX])
{
    uint8_t *p = out;
    assert(dns_name_valid(name, n));
    if (name[n - 1] == '.')
        n--;
    memset(out, 0, HEADER);
    p = put16(p, id);
    p = put16(p, 0x0100); /* recursion desired */
    put16(out + 4, 1);    /* one question */
    put16(out + 10, 1);   /* one additional record: the size we take */
    for (p = out + HEADER; n;) {
        const char *dot = memchr(name, '.', n);
        size_t label = dot ? (size_t)(dot - name) : n;
        *p++ = (uint8_t)label;
        memcpy(p, name, label);
        p += label;
        name += label + (dot != NULL);
        n -= label + (dot != NULL);
    }
    *p++ = 0;
    p = put16(p, type);
    p = put16(p, CLASS_IN);
    *p++ = 0; /* the root: OPT has no name */
    p = put16(p, TYPE_OPT);
    p = put16(p, DNS_MESSAGE_MAX);
    memset(p, 0, 6);
    return (size_t)(p + 6 - out);
}

/* Behind a name, which is never followed: a pointer ends it. NULL: cut. */
static const uint8_t *skip_name(const uint8_t *p, const uint8_t *end)
{
    while (p < end) {
        if (*p == 0)
            return p + 1;
        if (*p >= 0xc0)
            return end - p >= 2 ? p + 2 : NULL;
        if (*p > 63 || end - p <= *p)
            return NULL;
        p += *p + 1;
    }
    return NULL;
}

static void add_address(const uint8_t *bytes, size_t n, uint16_t port, struct net_addr *addrs,
                        unsigned *io_count)
{
    struct net_addr *a = &addrs[*io_count];
    if (*io_count == NET_ADDRS_MAX)
        return;
    memset(a, 0, sizeof *a);
    if (n == 4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)&a->sa;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        memcpy(&v4->sin_addr, bytes, 4);
        a->n = sizeof *v4;
    } else {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a->sa;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        memcpy(&v6->sin6_addr, bytes, 16);
        a->n = sizeof *v6;
    }
    ++*io_count;
}

/* Same id and same question, letters of any case: an answer to somebody else,
 * or a guess, is passed over. */
static bool answers_query(const uint8_t *message, size_t n, const uint8_t *query, size_t question)
{
    if (n < question || get16(message) != get16(query) || !(message[2] & FLAG_ANSWER) ||
        get16(message + 4) != 1)
        return false;
    for (size_t i = HEADER; i < question; i++) {
        uint8_t a = message[i], b = query[i];
        if (a >= 'A' && a <= 'Z')
            a |= 0x20;
        if (b >= 'A' && b <= 'Z')
            b |= 0x20;
        if (a != b)
            return false;
    }
    return true;
}

enum dns_answer dns_answer_read(const uint8_t *message, size_t n, const uint8_t *query,
                                size_t query_n, uint16_t port, struct net_addr *addrs,
                                unsigned *io_count)
{
    enum { OPT_BYTES = 11 };
    assert(query_n > HEADER + OPT_BYTES);
    size_t question = query_n - OPT_BYTES;
    const uint8_t *end = message + n, *p = message + question;
    uint16_t type = get16(query + question - 4);
    unsigned before = *io_count;
    if (!answers_query(message, n, query, question))
        return DNS_FOREIGN;
    unsigned rcode = message[3] & RCODE;
    if (rcode)
        return rcode == RCODE_NAME ? DNS_NONE : DNS_FAILED;
    for (unsigned left = get16(message + 6); left; left--) {
        p = skip_name(p, end);
        if (!p || end - p < 10)
            return *io_count > before ? DNS_FOUND : DNS_FAILED;
        uint16_t kind = get16(p), class = get16(p + 2), size = get16(p + 8);
        p += 10;
        if (end - p < size)
            return *io_count > before ? DNS_FOUND : DNS_FAILED;
        if (kind == type && class == CLASS_IN && size == (type == DNS_A ? 4 : 16))
            add_address(p, size, port, addrs, io_count);
        p += size;
    }
    return *io_count > before ? DNS_FOUND : DNS_NONE;
}

/* The next word of a line: its length, 0 at the end or at a comment. */
static size_t next_word(const char **p, const char *end)
{
    const char *q = *p;
    while (q < end && (*q == ' ' || *q == '\t' || *q == '\r'))
        q++;
    *p = q;
    if (q < end && (*q == '#' || *q == ';'))
        return 0;
    while (q < end && *q != ' ' && *q != '\t' && *q != '\r')
        q++;
    return (size_t)(q - *p);
}

static bool word_is(const char *word, size_t n, const char *text)
{
    return n == strlen(text) && memcmp(word, text, n) == 0;
}

static void read_address(const char *word, size_t n, uint16_t port, struct net_addr *list,
                         unsigned *io_count, unsigned max)
{
    char text[NET_ADDR_TEXT];
    if (n >= sizeof text || *io_count == max)
        return;
    memcpy(text, word, n);
    text[n] = 0;
    if (net_addr_parse(text, port, &list[*io_count]) == 0)
        ++*io_count;
}

/* "ndots:5" and the like, between 1 (or 0) and what is sensible. */
static void read_option(const char *word, size_t n, struct dns_config *out)
{
    static const struct {
        const char *name;
        size_t offset;
        unsigned least, most;
    } known[] = {{"ndots:", offsetof(struct dns_config, ndots), 0, 15},
                 {"timeout:", offsetof(struct dns_config, timeout_s), 1, 30},
                 {"attempts:", offsetof(struct dns_config, attempts), 1, 5}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t head = strlen(known[i].name);
        if (n <= head || n > head + 4 || memcmp(word, known[i].name, head) != 0)
            continue;
        unsigned v = 0;
        for (size_t k = head; k < n && word[k] >= '0' && word[k] <= '9'; k++)
            v = v * 10 + (unsigned)(word[k] - '0');
        v = v < known[i].least ? known[i].least : v > known[i].most ? known[i].most : v;
        memcpy((char *)out + known[i].offset, &v, sizeof v);
    }
}

static void read_line(const char *p, const char *end, uint16_t port, struct dns_config *out)
{
    const char *key = p;
    size_t key_n = next_word(&key, end), n;
    p = key + key_n;
    bool search = word_is(key, key_n, "search") || word_is(key, key_n, "domain");
    bool server = word_is(key, key_n, "nameserver"), options = word_is(key, key_n, "options");
    if (search)
        out->search_count = 0; /* the last one counts */
    while ((n = next_word(&p, end)) > 0) {
        if (server)
            read_address(p, n, port, out->servers, &out->server_count, DNS_SERVERS_MAX);
        else if (options)
            read_option(p, n, out);
        else if (search && out->search_count < DNS_SEARCH_MAX && dns_name_valid(p, n)) {
            char *to = out->search[out->search_count++];
            memcpy(to, p, n);
            to[n] = 0;
        }
        p += n;
    }
}

void dns_config_read(const char *text, size_t n, uint16_t port, struct dns_config *out)
{
    memset(out, 0, sizeof *out);
    out->ndots = 1;
    out->timeout_s = 5;
    out->attempts = 2;
    while (n) {
        const char *newline = memchr(text, '\n', n);
        size_t line = newline ? (size_t)(newline - text) : n;
        read_line(text, text + line, port, out);
        line += newline != NULL;
        text += line;
        n -= line;
    }
    if (out->server_count == 0 && net_addr_parse("127.0.0.1", port, &out->servers[0]) == 0)
        out->server_count = 1;
    assert(out->server_count > 0);
}

unsigned dns_hosts_find(const char *text, size_t n, const char *name, uint16_t port,
                        struct net_addr *addrs, unsigned max)
{
    unsigned count = 0;
    size_t name_n = strlen(name), word_n;
    if (name_n && name[name_n - 1] == '.')
        name_n--;
    while (n) {
        const char *newline = memchr(text, '\n', n), *p = text;
        size_t line = newline ? (size_t)(newline - text) : n;
        const char *end = text + line;
        size_t address_n = next_word(&p, end);
        const char *address = p;
        p += address_n;
        while (address_n && (word_n = next_word(&p, end)) > 0) {
            if (word_n == name_n && strncasecmp(p, name, name_n) == 0) {
                read_address(address, address_n, port, addrs, &count, max);
                break;
            }
            p += word_n;
        }
        line += newline != NULL;
        text += line;
        n -= line;
    }
    return count;
}

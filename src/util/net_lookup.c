/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A name to addresses, as a machine that is stepped: numeric, localhost, hosts,
 * DNS. A question for each family goes to one server after the other from a
 * socket of its own (the kernel picks its port); the ids are random. One thread.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "util/kept.h"
#include "util/net.h"
#include "util/net_dns.h"

enum { FILE_MAX = 64 << 10, READS_PER_STEP = 32 };

struct question {
    uint8_t bytes[DNS_QUERY_MAX];
    size_t n;
    bool answered;
};
struct net_lookup {
    char host[NET_HOST_MAX + 2]; /* and a dot at the end */
    uint16_t port;
    struct dns_config config;
    unsigned candidate;       /* which name: the list is made of search and ndots */
    unsigned server, attempt; /* of this name */
    struct kept socket;       /* none: no question is out */
    struct question questions[2];
    uint64_t give_up_ns; /* this server */
    struct net_addr addrs[NET_ADDRS_MAX];
    unsigned count;
    bool done;
};

/* A small regular file; the size it has, 0 for none. */
static size_t read_file(const char *path, char *out, size_t max)
{
    struct stat st;
    size_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        ssize_t got;
        while (n < max && ((got = read(fd, out + n, max - n)) > 0 || (got < 0 && errno == EINTR)))
            n += got > 0 ? (size_t)got : 0;
    }
    net_close(fd);
    return n;
}

static bool is_localhost(const char *host)
{
    static const char name[] = "localhost";
    size_t n = strlen(host), k = sizeof name - 1;
    if (n && host[n - 1] == '.')
        n--;
    return n >= k && strncasecmp(host + n - k, name, k) == 0 && (n == k || host[n - k - 1] == '.');
}

/* Without asking anybody. */
static int find_here(struct net_lookup *l, const struct net_resolver *o)
{
    if (net_addr_parse(l->host, l->port, &l->addrs[0]) == 0) {
        l->count = 1;
    } else if (is_localhost(l->host)) { /* RFC 6761: never anything else */
        net_addr_parse("::1", l->port, &l->addrs[0]);
        net_addr_parse("127.0.0.1", l->port, &l->addrs[1]);
        l->count = 2;
    }
    l->done = l->count > 0;
    if (l->done)
        return 0;
    char *text = mem_alloc(FILE_MAX);
    if (!text)
        return ORIEL_ENOMEM;
    size_t n = read_file(o && o->hosts_path ? o->hosts_path : "/etc/hosts", text, FILE_MAX);
    l->count = dns_hosts_find(text, n, l->host, l->port, l->addrs, NET_ADDRS_MAX);
    l->done = l->count > 0;
    n = read_file(o && o->config_path ? o->config_path : "/etc/resolv.conf", text, FILE_MAX);
    dns_config_read(text, n, o && o->port ? o->port : 53, &l->config);
    mem_free(text);
    return 0;
}

int net_lookup_new(struct net_lookup **out, const char *host, uint16_t port,
                   const struct net_resolver *options, uint64_t now_ns, struct oriel_err *err)
{
    struct net_addr numeric;
    size_t n = strlen(host);
    assert(!options || options->size >= sizeof *options);
    if (n > NET_HOST_MAX + 1 ||
        (!dns_name_valid(host, n) && net_addr_parse(host, port, &numeric) != 0))
        return err_set(err, ORIEL_EINVAL, "\"%.80s\" is neither a host name nor an address", host);
    struct net_lookup *l = mem_calloc(1, sizeof *l);
    if (!l)
        return err_set(err, ORIEL_ENOMEM, "%s: no memory to look it up", host);
    memcpy(l->host, host, n + 1);
    l->port = port;
    l->socket = kept_open(-1);
    if (find_here(l, options) != 0) {
        mem_free(l);
        return err_set(err, ORIEL_ENOMEM, "%s: no memory to look it up", host);
    }
    *out = l;
    return 0;
}

void net_lookup_free(struct net_lookup *l)
{
    if (!l)
        return;
    kept_close(&l->socket);
    mem_free(l);
}

unsigned net_lookup_addrs(const struct net_lookup *l, const struct net_addr **out)
{
    *out = l->addrs;
    return l->done ? l->count : 0;
}

void net_lookup_wait(const struct net_lookup *l, struct net_wait *w)
{
    if (l->socket.fd >= 0)
        net_wait_add(w, l->socket.fd, POLLIN);
    net_wait_until(w, l->give_up_ns);
}

/* The name to ask for next: as it is first when it has dots enough, last when
 * not, and with each of the search list; false behind the last. */
static bool candidate_name(const struct net_lookup *l, char out[NET_HOST_MAX + 2])
{
    size_t n = strlen(l->host);
    unsigned dots = 0, which = l->candidate;
    for (size_t i = 0; i < n; i++)
        dots += l->host[i] == '.';
    bool whole = l->host[n - 1] == '.';
    bool first = whole || dots >= l->config.ndots;
    if (which == (first ? 0 : l->config.search_count)) {
        memcpy(out, l->host, n + 1);
        return true;
    }
    which -= first;
    if (whole || which >= l->config.search_count)
        return false;
    const char *search = l->config.search[which];
    size_t m = strlen(search);
    out[0] = 0;
    if (n + 1 + m > NET_HOST_MAX)
        return true; /* too long for a name: nothing is asked */
    memcpy(out, l->host, n);
    out[n] = '.';
    memcpy(out + n + 1, search, m + 1);
    return true;
}

static void hang_up(struct net_lookup *l)
{
    kept_close(&l->socket);
}

/* Both questions to the present server; false: it cannot even be asked. */
static bool ask(struct net_lookup *l, const char *name, uint64_t now_ns)
{
    static const uint16_t types[2] = {DNS_AAAA, DNS_A};
    const struct net_addr *server = &l->config.servers[l->server];
    uint16_t ids[2] = {0};
    os_random(ids, sizeof ids);
    ids[1] ^= ids[0] == ids[1];
    int fd = socket(server->sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    l->socket = kept_open(fd);
    bool sent = fd >= 0 && connect(fd, (const struct sockaddr *)&server->sa, server->n) == 0;
    for (unsigned i = 0; i < 2 && sent; i++) {
        struct question *q = &l->questions[i];
        q->answered = false;
        q->n = dns_query(name, strlen(name), ids[i], types[i], q->bytes);
        sent = send(fd, q->bytes, q->n, MSG_NOSIGNAL) == (ssize_t)q->n;
    }
    l->give_up_ns = now_ns + l->config.timeout_s * UINT64_C(1000000000);
    if (!sent)
        hang_up(l);
    return sent;
}

/* What has come: true when the server is done with (it answered, or will not). */
static bool hear(struct net_lookup *l, bool *out_bad)
{
    uint8_t message[DNS_MESSAGE_MAX];
    for (unsigned reads = 0; reads < READS_PER_STEP; reads++) {
        ssize_t n = recv(l->socket.fd, message, sizeof message, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            *out_bad = errno != EAGAIN && errno != EWOULDBLOCK; /* nobody is there */
            return *out_bad;
        }
        for (unsigned i = 0; i < 2; i++) {
            struct question *q = &l->questions[i];
            if (q->answered)
                continue;
            enum dns_answer a =
                dns_answer_read(message, (size_t)n, q->bytes, q->n, l->port, l->addrs, &l->count);
            *out_bad = a == DNS_FAILED;
            if (*out_bad)
                return true;
            q->answered = a != DNS_FOREIGN;
        }
        if (l->questions[0].answered && l->questions[1].answered)
            return true;
    }
    return false;
}

/* The next server, or the first once more; false when each was asked often enough. */
static bool next_server(struct net_lookup *l)
{
    hang_up(l);
    if (++l->server == l->config.server_count) {
        l->server = 0;
        l->attempt++;
    }
    return l->attempt < l->config.attempts;
}

static void next_candidate(struct net_lookup *l)
{
    hang_up(l);
    l->candidate++;
    l->server = l->attempt = 0;
}

int net_lookup_step(struct net_lookup *l, uint64_t now_ns, struct oriel_err *err)
{
    char name[NET_HOST_MAX + 2];
    while (!l->done) {
        bool bad = false, over = false;
        if (!candidate_name(l, name))
            return err_set(err, ORIEL_ENOTFOUND, "%s: no such host", l->host);
        if (!dns_name_valid(name, strlen(name))) {
            next_candidate(l);
            continue;
        }
        /* One that the program closed is as good as none: the question is asked once more. */
        if (!kept_is_ours(&l->socket))
            bad = !ask(l, name, now_ns);
        else
            over = hear(l, &bad);
        if (!bad && !over && now_ns < l->give_up_ns)
            return NET_AGAIN;
        if (l->count > 0) { /* perhaps of one family only: enough to connect */
            hang_up(l);
            l->done = true;
        } else if (over && !bad) {
            next_candidate(l);
        } else if (!next_server(l)) {
            return err_set(err, ORIEL_ETIMEOUT, "%s: no name server answers", l->host);
        }
    }
    assert(l->count > 0);
    return 0;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "util/net.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "peer.h"
#include "test.h"
#include "util/net_dns.h"

#define SECOND UINT64_C(1000000000)

TEST(addresses_are_text_and_back)
{
    static const char *const good[][2] = {
        {"127.0.0.1", "127.0.0.1:80"}, {"::1", "[::1]:80"}, {"[2001:db8::2]", "[2001:db8::2]:80"}};
    static const char *const bad[] = {"",     "localhost", "1.2.3",    "1.2.3.4.5",
                                      "[::1", "::g",       "[]",       "1.2.3.256",
                                      ":",    "[1.2.3.4",  "fe80::1%", "0x7f.1"};
    struct net_addr a;
    char text[NET_ADDR_TEXT];
    for (size_t i = 0; i < 3; i++) {
        REQUIRE(net_addr_parse(good[i][0], 80, &a) == 0);
        net_addr_text(&a, text);
        CHECK_STR(text, good[i][1]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (net_addr_parse(bad[i], 80, &a) == 0)
            test_fail(__FILE__, __LINE__, "accepted: %s", bad[i]);
    REQUIRE(net_addr_unix("@name", &a) == 0);
    net_addr_text(&a, text);
    CHECK_STR(text, "@name");
    char longer[200];
    memset(longer, 'x', sizeof longer);
    longer[199] = 0;
    CHECK_EQ(net_addr_unix(longer, &a), ORIEL_ELIMIT);
}

TEST(what_is_loopback_is_known)
{
    static const struct {
        const char *text;
        bool is;
    } cases[] = {{"127.0.0.1", true},        {"127.255.0.9", true},     {"::1", true},
                 {"::ffff:127.0.0.1", true}, {"0.0.0.0", false},        {"::", false},
                 {"10.0.0.1", false},        {"::ffff:10.0.0.1", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct net_addr a;
        REQUIRE(net_addr_parse(cases[i].text, 1, &a) == 0);
        CHECK_EQ(net_addr_is_loopback(&a), cases[i].is);
    }
}

TEST(who_needs_no_proxy_is_told_by_the_list)
{
    const char *list = "localhost, .corp.example,other.example:8080 10.0.0.0/9,::1/128,192.168.1.7";
    CHECK(net_proxy_skips(list, "localhost", 80));
    CHECK(net_proxy_skips(list, "LOCALHOST.", 80));
    CHECK(net_proxy_skips(list, "a.b.corp.example", 80));
    CHECK(net_proxy_skips(list, "corp.example", 80));
    CHECK(!net_proxy_skips(list, "notcorp.example", 80));
    CHECK(net_proxy_skips(list, "x.other.example", 8080));
    CHECK(!net_proxy_skips(list, "x.other.example", 80));
    CHECK(net_proxy_skips(list, "10.127.1.1", 80));
    CHECK(!net_proxy_skips(list, "10.128.1.1", 80));
    CHECK(net_proxy_skips(list, "::1", 80));
    CHECK(!net_proxy_skips(list, "::2", 80));
    CHECK(net_proxy_skips(list, "192.168.1.7", 80));
    CHECK(!net_proxy_skips(list, "192.168.1.70", 80));
    CHECK(net_proxy_skips("a,*", "anything", 80));
    CHECK(!net_proxy_skips("", "a", 80));
    CHECK(!net_proxy_skips(NULL, "a", 80));
    CHECK(!net_proxy_skips(",,:80, /8,1.2.3.4/x", "1.2.3.4", 80));
}

TEST(names_are_checked_before_they_are_asked_for)
{
    CHECK(dns_name_valid("a", 1));
    CHECK(dns_name_valid("a-b.c_d.example.", 16));
    CHECK(!dns_name_valid("", 0));
    CHECK(!dns_name_valid(".", 1));
    CHECK(!dns_name_valid("a..b", 4));
    CHECK(!dns_name_valid(".a", 2));
    CHECK(!dns_name_valid("a b", 3));
    CHECK(!dns_name_valid("a\0b", 3));
    char longest[64];
    memset(longest, 'x', 64);
    CHECK(dns_name_valid(longest, 63));
    CHECK(!dns_name_valid(longest, 64));
}

TEST(the_files_of_a_resolver_are_read)
{
    static const char text[] =
        "# x\nnameserver 10.0.0.1\n nameserver\t::1 # y\nnameserver nonsense\n"
        "domain a.example\nsearch b.example  c.example ;z\n"
        "options ndots:5 timeout:99 attempts:0 rotate\n";
    struct dns_config c;
    dns_config_read(text, sizeof text - 1, 53, &c);
    CHECK_EQ(c.server_count, 2);
    CHECK_EQ(c.search_count, 2);
    CHECK_STR(c.search[1], "c.example");
    CHECK_EQ(c.ndots, 5);
    CHECK_EQ(c.timeout_s, 30);
    CHECK_EQ(c.attempts, 1);
    dns_config_read("", 0, 53, &c);
    CHECK_EQ(c.server_count, 1);
    CHECK(net_addr_is_loopback(&c.servers[0]));

    static const char hosts[] =
        "127.0.0.1 localhost\n10.1.1.1\tA.example a # b\n::7 a\nx a\n#1.1.1.1 a";
    struct net_addr found[4];
    CHECK_EQ(dns_hosts_find(hosts, sizeof hosts - 1, "a", 80, found, 4), 2);
    CHECK_EQ(dns_hosts_find(hosts, sizeof hosts - 1, "a.EXAMPLE.", 80, found, 4), 1);
    CHECK_EQ(dns_hosts_find(hosts, sizeof hosts - 1, "b", 80, found, 4), 0);
    CHECK_EQ(dns_hosts_find(hosts, sizeof hosts - 1, "a", 80, found, 1), 1);
}

/* ---- a name server of our own ---- */

enum server_mood { ANSWERS, DEAF, FAILING, FOREIGN };
struct name_server {
    int fd;
    uint16_t port;
    pthread_t thread;
    enum server_mood mood;
    char folder[256], hosts[300], config[300];
};

/* "one.test" has 10.9.8.7 and an address of both families; "sub.one.test" too, found by search. */
static size_t answer(uint8_t *m, size_t n, enum server_mood mood)
{
    static const uint8_t one[] = "\3one\4test";
    uint8_t *name = m + 12;
    size_t question = 12 + strlen((char *)name) + 1 + 4, at = question;
    unsigned type = m[question - 3];
    m[2] |= 0x80;
    m[10] = m[11] = 0; /* no OPT */
    if (mood == FOREIGN)
        m[0] ^= 1;
    if (mood == FAILING)
        m[3] |= 2;
    else if (strcmp((char *)name, (const char *)one) != 0)
        m[3] |= 3;
    else {
        static const uint8_t v4[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 127, 0, 0, 1};
        static const uint8_t v6[] = {0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 9, 0, 16, 0, 0,
                                     0,    0,  0, 0,  0, 0, 0, 0, 0, 0, 0, 0,  0, 1};
        m[7] = 1;
        memcpy(m + at, type == 1 ? v4 : v6, type == 1 ? sizeof v4 : sizeof v6);
        at += type == 1 ? sizeof v4 : sizeof v6;
    }
    return at;
}

static void *serve_names(void *arg)
{
    struct name_server *s = arg;
    for (;;) {
        uint8_t m[1500] = {0};
        struct sockaddr_storage from;
        socklen_t from_n = sizeof from;
        ssize_t n = recvfrom(s->fd, m, 512, 0, (struct sockaddr *)&from, &from_n);
        if (n < 12)
            return NULL; /* one byte from the test: stop */
        if (s->mood == DEAF)
            continue;
        size_t size = answer(m, (size_t)n, s->mood);
        sendto(s->fd, m, size, MSG_NOSIGNAL, (struct sockaddr *)&from, from_n);
    }
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL);
    fputs(text, f);
    fclose(f);
}

static void name_server_start(struct name_server *s, enum server_mood mood)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    s->mood = mood;
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    REQUIRE(bind(s->fd, (struct sockaddr *)&a, n) == 0);
    REQUIRE(getsockname(s->fd, (struct sockaddr *)&a, &n) == 0);
    s->port = ntohs(a.sin_port);
    REQUIRE(pthread_create(&s->thread, NULL, serve_names, s) == 0);
    snprintf(s->hosts, sizeof s->hosts, "%s/hosts", test_tmpdir());
    snprintf(s->config, sizeof s->config, "%s/resolv.conf", test_tmpdir());
    write_file(s->hosts, "127.0.0.9 filed.test\n");
    write_file(s->config,
               "nameserver 127.0.0.1\nsearch nowhere.test test\noptions timeout:1 attempts:2\n");
}

static void name_server_stop(struct name_server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(s->port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sendto(fd, "", 1, 0, (struct sockaddr *)&a, sizeof a);
    close(fd);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

/* With a clock of the test: it stands still while an answer is on its way. */
static int look_up(struct name_server *s, const char *name, uint64_t step_ns,
                   struct net_lookup **out, struct oriel_err *err)
{
    struct net_resolver o = {sizeof o, s->hosts, s->config, s->port};
    uint64_t now = SECOND;
    int rc = net_lookup_new(out, name, 80, &o, now, err);
    for (unsigned i = 0; rc == 0 && i < 10000; i++, now += step_ns) {
        struct net_wait w;
        rc = net_lookup_step(*out, now, err);
        if (rc != NET_AGAIN)
            return rc;
        net_wait_init(&w);
        net_lookup_wait(*out, &w);
        CHECK_EQ(w.count, 1);
        if (step_ns == 0)
            poll(w.fds, w.count, -1);
        rc = 0;
    }
    return rc;
}

TEST(a_name_is_found_in_files_by_itself_and_by_search)
{
    static const struct {
        const char *name;
        int rc;
        unsigned count;
    } cases[] = {{"filed.test", 0, 1},
                 {"one.test", 0, 2},
                 {"one.test.", 0, 2},
                 {"one", 0, 2},
                 {"two.test", ORIEL_ENOTFOUND, 0},
                 {"one.", ORIEL_ENOTFOUND, 0},
                 {"a.localhost", 0, 2},
                 {"10.0.0.1", 0, 1},
                 {"::1", 0, 1}};
    struct name_server s;
    name_server_start(&s, ANSWERS);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct net_lookup *l = NULL;
        const struct net_addr *found;
        struct oriel_err err = {0};
        int rc = look_up(&s, cases[i].name, 0, &l, &err);
        if (rc != cases[i].rc)
            test_fail(__FILE__, __LINE__, "%s: %d %s", cases[i].name, rc, err.text);
        CHECK_EQ(net_lookup_addrs(l, &found), cases[i].count);
        net_lookup_free(l);
    }
    name_server_stop(&s);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(a_server_that_says_nothing_or_nonsense_is_given_up)
{
    const enum server_mood moods[] = {DEAF, FAILING, FOREIGN};
    for (int i = 0; i < 3; i++) {
        struct name_server s;
        struct net_lookup *l = NULL;
        struct oriel_err err = {0};
        name_server_start(&s, moods[i]);
        CHECK_EQ(look_up(&s, "one.test", SECOND / 4, &l, &err), ORIEL_ETIMEOUT);
        CHECK(strstr(err.text, "one.test") != NULL);
        net_lookup_free(l);
        name_server_stop(&s);
    }
}

TEST(what_is_no_host_is_not_looked_up)
{
    static const char *const bad[] = {"", "a b", "a/b", "a\r\n", "..", "[::1"};
    struct net_lookup *l;
    struct oriel_err err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_EQ(net_lookup_new(&l, bad[i], 80, NULL, 0, &err), ORIEL_EINVAL);
}

/* ---- connecting and listening ---- */

static int dial(const struct net_dial_options *o, int *out_fd, struct oriel_err *err)
{
    struct net_dial *d;
    int rc = net_dial_new(&d, o, clock_mono_ns(), err);
    if (rc != 0)
        return rc;
    while ((rc = net_dial_step(d, clock_mono_ns(), out_fd, err)) == NET_AGAIN) {
        struct net_wait w;
        net_wait_init(&w);
        net_dial_wait(d, &w);
        REQUIRE(net_wait_sleep(&w, UINT64_MAX) == 0);
    }
    net_dial_free(d);
    return rc;
}

TEST(a_connection_goes_to_the_address_that_answers)
{
    /* localhost is ::1 and 127.0.0.1; only the second is listened on. */
    struct net_listen_options l = {.size = sizeof l};
    struct net_addr at;
    struct oriel_err err = {0};
    int listener, fd = -1, other = -1, on = 0;
    socklen_t n = sizeof on;
    REQUIRE(net_listen(&l, &listener, &at, &err) == 0);
    CHECK(net_addr_is_loopback(&at));
    uint16_t port = ntohs(((struct sockaddr_in *)&at.sa)->sin_port);
    struct net_dial_options o = {.size = sizeof o, .host = "localhost", .port = port};
    REQUIRE(dial(&o, &fd, &err) == 0);
    CHECK(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &n) == 0 && on);
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    CHECK_EQ(poll(&ready, 1, -1), 1);
    REQUIRE(net_accept(listener, &other, &err) == 0);
    CHECK(fcntl(other, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(other, F_GETFD) & FD_CLOEXEC);
    CHECK_EQ(net_accept(listener, &other, &err), NET_AGAIN);
    close(other);
    close(listener);
    /* Writing to one who is gone is an error and no signal. */
    char bytes[4096] = {0};
    int rc = 0;
    for (int i = 0; i < 100000 && rc >= 0; i++) {
        size_t put;
        rc = net_write(fd, bytes, sizeof bytes, &put, &err);
    }
    CHECK_EQ(rc, ORIEL_ECLOSED);
    close(fd);
    o.port = peer_unused_port();
    CHECK_EQ(dial(&o, &fd, &err), ORIEL_ECLOSED);
    CHECK(strstr(err.text, "refused") != NULL);
}

TEST(only_loopback_is_listened_on_unless_asked)
{
    static const char *const refused[] = {"0.0.0.0", "::", "10.0.0.1", "::ffff:0.0.0.0"};
    struct oriel_err err = {0};
    int fd;
    for (size_t i = 0; i < 4; i++) {
        struct net_listen_options o = {.size = sizeof o, .address = refused[i]};
        CHECK_EQ(net_listen(&o, &fd, NULL, &err), ORIEL_EPERM);
    }
    struct net_listen_options named = {.size = sizeof named, .address = "example.com"};
    CHECK_EQ(net_listen(&named, &fd, NULL, &err), ORIEL_EINVAL);
    struct net_listen_options all = {
        .size = sizeof all, .address = "0.0.0.0", .beyond_loopback = true};
    REQUIRE(net_listen(&all, &fd, NULL, &err) == 0);
    close(fd);
}

TEST(a_unix_socket_is_private_and_replaces_only_a_dead_one)
{
    char path[256], file[256];
    struct oriel_err err = {0};
    struct stat st;
    int first, second, fd;
    snprintf(path, sizeof path, "%s/s", test_tmpdir());
    struct net_listen_options o = {.size = sizeof o, .unix_path = path};
    umask(0);
    REQUIRE(net_listen(&o, &first, NULL, &err) == 0);
    REQUIRE(stat(path, &st) == 0);
    CHECK_EQ(st.st_mode & 0777, 0600);
    CHECK(net_listen(&o, &second, NULL, &err) != 0);
    struct net_dial_options d = {.size = sizeof d, .unix_path = path};
    REQUIRE(dial(&d, &fd, &err) == 0);
    CHECK(net_peer_is_us(fd));
    close(fd);
    close(first);
    CHECK_EQ(dial(&d, &fd, &err), ORIEL_ECLOSED);
    REQUIRE(net_listen(&o, &second, NULL, &err) == 0); /* nobody listens there any more */
    close(second);
    snprintf(file, sizeof file, "%s/f", test_tmpdir());
    write_file(file, "mine");
    o.unix_path = file;
    CHECK(net_listen(&o, &fd, NULL, &err) != 0);
    CHECK(stat(file, &st) == 0 && S_ISREG(st.st_mode));
    o.unix_path = "/nowhere/at/all";
    CHECK_EQ(net_listen(&o, &fd, NULL, &err), ORIEL_ENOTFOUND); /* and not "in use" */
}

TEST(a_wait_ends_at_its_deadline)
{
    struct net_wait w;
    net_wait_init(&w);
    uint64_t deadline = clock_mono_ns() + 3000000;
    int rc;
    while ((rc = net_wait_sleep(&w, deadline)) == 0)
        continue;
    CHECK_EQ(rc, ORIEL_ETIMEOUT);
    CHECK(clock_mono_ns() >= deadline);
}

TEST_MAIN()

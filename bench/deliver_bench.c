/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Spans per second from the outlet's side to a receiver in another process, by wall
 * clock, over gRPC and HTTP, plain and compressed; beside the same bytes through the
 * same loopback with nothing around them. Every span must be taken.
 *
 *   usage: deliver_bench [MESSAGES]
 *          deliver_bench serve       only a receiver over gRPC: prints its port
 *          deliver_bench pace RATE SECONDS   only those bytes, at RATE spans a second
 */
#include "bench.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "deliver/deliver.h"
#include "receiver.h"
#include "util/grpc.h"
#include "util/net.h"

enum { SPANS = 512, SPAN_BYTES = 180, MESSAGE = SPANS * SPAN_BYTES, ROUNDS = 5 };
#define PAUSE_NS 50000000 /* as often as a draining thread looks for more */
static char message[MESSAGE];
static unsigned long messages = 4000;

/* Half of it repeats, half does not, as ids and names do. */
static void make_message(void)
{
    uint64_t x = 88172645463325252u;
    for (size_t i = 0; i < sizeof message; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        message[i] = i % SPAN_BYTES < SPAN_BYTES / 2 ? (char)x : (char)('a' + i % 7);
    }
}

static void die(const char *what)
{
    fprintf(stderr, "deliver_bench: %s\n", what);
    exit(1);
}

/* ---- the other process ---- */

static pid_t start(void (*serve)(int port_fd, bool grpc), bool grpc, unsigned *out_port)
{
    int fds[2];
    if (pipe(fds) != 0)
        die("no pipe");
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(fds[0]);
        serve(fds[1], grpc);
        _exit(0);
    }
    close(fds[1]);
    if (child < 0 || read(fds[0], out_port, sizeof *out_port) != sizeof *out_port)
        die("no receiver");
    close(fds[0]);
    return child;
}

static void tell_port(int fd, unsigned port)
{
    if (write(fd, &port, sizeof port) != sizeof port)
        die("nobody asks");
}

static void serve_requests(int port_fd, bool grpc)
{
    struct receiver_options o = {.grpc = grpc};
    struct receiver *r = receiver_start(&o);
    tell_port(port_fd, receiver_port(r));
    for (;;)
        pause();
}

/* Reads whole messages and says one byte after each, as a receiver would at the least. */
static void serve_bytes(int port_fd, bool grpc)
{
    static char all[MESSAGE];
    struct net_listen_options o = {.size = sizeof o};
    struct net_addr at;
    struct sockaddr_storage sa;
    socklen_t n = sizeof sa;
    int listener;
    if (net_listen(&o, &listener, &at, NULL) != 0 ||
        getsockname(listener, (struct sockaddr *)&sa, &n) != 0)
        die("cannot listen");
    tell_port(port_fd, (unsigned)__builtin_bswap16(*(uint16_t *)((char *)&sa + 2)));
    struct pollfd p = {.fd = listener, .events = POLLIN};
    poll(&p, 1, -1);
    int fd = accept(listener, NULL, NULL);
    while (recv(fd, all, sizeof all, MSG_WAITALL) == (ssize_t)sizeof all)
        if (write(fd, "", 1) != 1)
            break;
}

static void stop(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* ---- this one ---- */

static const char *const paths[OUT_SIGNALS] = {"v1/traces"};
static const char *const methods[OUT_SIGNALS] = {"/t.Service/Export"};

static void judge(enum out_signal signal, const struct deliver_reply *r,
                  struct deliver_verdict *out)
{
    *out = (struct deliver_verdict){
        .fate = r->status == (r->grpc ? GRPC_OK : 200) ? DELIVER_TAKEN : DELIVER_REFUSED};
}

static const struct deliver_dialect dialect = {"bench", "application/x-protobuf", paths, methods,
                                               judge};

/* Spans per second; the giver waits where the queue is full, as a drain would. */
static double deliver(bool grpc, enum deliver_compression compression)
{
    char url[64];
    unsigned port;
    pid_t child = start(serve_requests, grpc, &port);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
    struct deliver_options o = {.size = sizeof o,
                                .dialect = &dialect,
                                .grpc = grpc,
                                .endpoint = url,
                                .compression = compression};
    struct out_message m = {
        .signal = OUT_TRACES, .items = SPANS, .bytes = message, .n = sizeof message};
    struct deliver *d;
    struct deliver_counts c;
    if (deliver_open(&d, &o, NULL) != 0)
        die("cannot open");
    double begin = bench_now();
    for (unsigned long i = 0; i < messages; i++) {
        for (deliver_total(d, &c); c.queued > 64 * SPANS; deliver_total(d, &c))
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        if (out_message(deliver_out(d), &m) != 0)
            die("a message was not taken");
    }
    if (deliver_flush(d, clock_mono_ns() + 60000000000u) != 0)
        die("not delivered in a minute");
    double seconds = (bench_now() - begin) / 1e9;
    deliver_total(d, &c);
    if (c.delivered != messages * SPANS)
        die("spans are lost");
    out_close(deliver_out(d));
    stop(child);
    return (double)messages * SPANS / seconds;
}

/* A connection to who reads bytes and says one after each message. */
static int connect_to(unsigned port)
{
    struct net_addr at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (net_addr_parse("127.0.0.1", (uint16_t)port, &at) != 0 ||
        connect(fd, (struct sockaddr *)&at.sa, at.n) != 0)
        die("cannot connect");
    return fd;
}

static void write_message(int fd)
{
    for (size_t at = 0; at < sizeof message;) {
        ssize_t n = write(fd, message + at, sizeof message - at);
        if (n <= 0)
            die("cannot write");
        at += (size_t)n;
    }
}

static void read_answer(int fd)
{
    char byte;
    if (read(fd, &byte, 1) != 1)
        die("not all was read");
}

static double bytes_alone(void)
{
    unsigned port;
    pid_t child = start(serve_bytes, false, &port);
    int fd = connect_to(port);
    double begin = bench_now();
    for (unsigned long i = 0; i < messages; i++)
        write_message(fd);
    for (unsigned long i = 0; i < messages; i++)
        read_answer(fd);
    double seconds = (bench_now() - begin) / 1e9;
    close(fd);
    stop(child);
    return (double)messages * SPANS / seconds;
}

/* What sending so many spans a second costs at that pace, with nothing around it: all messages that
 * are due, and one wait for their answers. Its CPU time goes out as one line of JSON. */
static int bytes_at_a_pace(double rate, double seconds)
{
    unsigned port;
    pid_t child = start(serve_bytes, false, &port);
    const double until = bench_now() + seconds * 1e9, message_ns = 1e9 * SPANS / rate;
    int fd = connect_to(port);
    double cpu = bench_clock(CLOCK_THREAD_CPUTIME_ID);
    for (double sent = bench_now(); sent < until;) {
        unsigned due = 0;
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
        for (double now = bench_now(); sent + message_ns <= now; sent += message_ns, due++)
            write_message(fd);
        while (due-- > 0)
            read_answer(fd);
    }
    printf("{\"cpu_ns\":%.0f}\n", bench_clock(CLOCK_THREAD_CPUTIME_ID) - cpu);
    close(fd);
    stop(child);
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"loopback", "otlp_grpc", "otlp_http", "otlp_grpc_gzip",
                                        "otlp_grpc_zstd"};
    enum { WAYS = sizeof names / sizeof *names };
    double spans[WAYS][ROUNDS];
    if (argc > 1 && strcmp(argv[1], "serve") == 0) {
        struct receiver_options o = {.grpc = true};
        printf("%u\n", receiver_port(receiver_start(&o)));
        fflush(stdout);
        for (;;)
            pause();
    }
    make_message();
    if (argc > 3 && strcmp(argv[1], "pace") == 0)
        return bytes_at_a_pace(strtod(argv[2], NULL), strtod(argv[3], NULL));
    if (argc > 1)
        messages = strtoul(argv[1], NULL, 10);
    for (int r = 0; r < ROUNDS; r++) {
        spans[0][r] = bytes_alone();
        spans[1][r] = deliver(true, DELIVER_PLAIN);
        spans[2][r] = deliver(false, DELIVER_PLAIN);
        spans[3][r] = deliver(true, DELIVER_GZIP);
        spans[4][r] = deliver(true, DELIVER_ZSTD);
    }
    for (int w = 0; w < WAYS; w++)
        printf("{\"name\":\"%s\",\"mspans\":%.3f}\n", names[w],
               bench_median(spans[w], ROUNDS) / 1e6);
    return 0;
}

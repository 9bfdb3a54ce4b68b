/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel collect: receives OTLP from any program and writes captures; either until it is
 * interrupted, or as long as a program runs that is told by its environment where to
 * send. One thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/child.h"
#include "cli/cli.h"
#include "cli/ending.h"
#include "cli/outputs.h"
#include "cli/shared.h"
#include "cli/stopping.h"
#include "session/artifact.h"
#include "source/collect.h"
#include "util/num.h"

#define SLEEP_NS UINT64_C(100000000)
#define OWING_NS UINT64_C(2000000) /* somebody waits for an answer */
#define COMMIT_NS UINT64_C(5000000)
#define COMMIT_BYTES (1u << 20)
enum { SETTINGS_MAX = 12, SETTING_BYTES = 256, TOKEN_MAX = 4096 };

struct collect_command {
    const char *output, *to, *listen, *http, *unix_path, *token_file, *hosts;
    uint64_t max_size, max_request, max_value, duration;
    int64_t connections;
    bool beyond_loopback, no_report, force;
};

#define FIELD(member) .offset = offsetof(struct collect_command, member)
static const struct option_def options[] = {
    SHARED_OUTPUT(FIELD(output), "where to write; default: a new run in .oriel/runs"),
    SHARED_FORCE(FIELD(force), "file"),
    {.name = "to",
     .type = OPTION_STRING,
     FIELD(to),
     .arg = "NAME[,..]",
     .fallback = "capture",
     .help = "outlets, such as capture, chrome, perfetto, otlp"},
    {.name = "listen",
     .type = OPTION_STRING,
     FIELD(listen),
     .filled = true,
     .arg = "[ADDR:]PORT",
     .help = "gRPC and HTTP; default 127.0.0.1:4317, with PROGRAM a free port; off = do not"},
    {.name = "http",
     .type = OPTION_STRING,
     FIELD(http),
     .filled = true,
     .arg = "[ADDR:]PORT",
     .help = "HTTP and gRPC; default 127.0.0.1:4318, with PROGRAM none; off = do not"},
    {.name = "unix",
     .type = OPTION_STRING,
     FIELD(unix_path),
     .filled = true,
     .arg = "PATH",
     .help = "also a Unix socket, for this user only"},
    {.name = "beyond_loopback",
     .type = OPTION_BOOL,
     FIELD(beyond_loopback),
     .help = "allow other addresses than loopback; needs --token-file"},
    {.name = "token_file",
     .type = OPTION_STRING,
     FIELD(token_file),
     .filled = true,
     .arg = "FILE",
     .help = "every request must bring the token in this file: Authorization: Bearer TOKEN"},
    {.name = "host",
     .type = OPTION_STRING,
     FIELD(hosts),
     .filled = true,
     .arg = "NAME[,..]",
     .help = "further names by which clients may call this receiver"},
    {.name = "connections",
     .type = OPTION_INT,
     FIELD(connections),
     .fallback = "48",
     .min = 1,
     .max = 512,
     .help = "at once; the idlest gives way to a new one"},
    {.name = "max_request",
     .type = OPTION_SIZE,
     FIELD(max_request),
     .fallback = "16MiB",
     .min = 4096,
     .max = 1 << 30,
     .help = "largest request when unpacked; as it comes a quarter of that"},
    {.name = "max_value",
     .type = OPTION_SIZE,
     FIELD(max_value),
     .fallback = "64KiB",
     .min = 4096,
     .max = 1 << 20,
     .help = "what is kept of one text or nested value; more is cut"},
    {.name = "duration",
     .type = OPTION_DURATION,
     FIELD(duration),
     .fallback = "0",
     .help = "end after this time; 0 = when interrupted"},
    SHARED_MAX_SIZE(FIELD(max_size)),
    SHARED_NO_REPORT(FIELD(no_report)),
    OPTION_END,
};

struct collecting {
    const struct collect_command *options;
    const struct cli_call *call;
    char *const *program; /* NULL: none */
    struct collect *collect;
    struct session *session;
    struct outputs outputs;
    struct child child;
    struct oriel_err trouble;
    char exe[4096], token[TOKEN_MAX];
    bool unix_alone; /* no port is listened on */
    char settings[SETTINGS_MAX][SETTING_BYTES];
    char *setting_list[SETTINGS_MAX + 1];
    unsigned setting_count;
    char addresses[COLLECT_LISTENERS_MAX][64];
    uint64_t started_ns, ended_ns;
    bool told_tls;
};

/* ---- where to listen ---- */

/* "PORT", "ADDR:PORT", "[::1]:PORT". */
static int parse_listen(const char *text, char *address, size_t n, uint16_t *out_port,
                        struct oriel_err *err)
{
    const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : text;
    size_t host = colon ? (size_t)(colon - text) : 0;
    char *end;
    errno = 0;
    unsigned long number = strtoul(port, &end, 10);
    if (*port < '0' || *port > '9' || *end || errno || number > 65535 || host >= n)
        return err_set(err, ORIEL_EINVAL, "\"%.100s\" is no [ADDRESS:]PORT, such as 127.0.0.1:4317",
                       text);
    if (host > 1 && text[0] == '[' && text[host - 1] == ']') {
        text++;
        host -= 2;
    }
    memcpy(address, text, host);
    address[host] = 0;
    *out_port = (uint16_t)number;
    return 0;
}

static int add_listen(struct collecting *c, struct collect_options *o, const char *option,
                      const char *text, const char *fallback, struct oriel_err *err)
{
    struct oriel_err why = {0};
    text = text && *text ? text : fallback;
    if (!text || strcmp(text, "off") == 0)
        return 0;
    unsigned i = o->listen_count;
    struct collect_listen *l = &o->listens[i];
    int rc = parse_listen(text, c->addresses[i], sizeof c->addresses[i], &l->port, &why);
    if (rc < 0)
        return err_set(err, rc, "%s: %s", option, why.text);
    l->address = c->addresses[i][0] ? c->addresses[i] : NULL;
    struct net_addr a;
    if (l->address && !o->beyond_loopback && net_addr_parse(l->address, l->port, &a) == 0 &&
        !net_addr_is_loopback(&a))
        return err_set(err, ORIEL_EINVAL,
                       "%s: other machines could connect to %s, which needs --beyond-loopback and "
                       "--token-file FILE",
                       option, l->address);
    o->listen_count++;
    return 0;
}

/* The first line of a file that nobody else may read. */
static int read_token(struct collecting *c, const char *path, struct oriel_err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set(err, ORIEL_ENOTFOUND, "--token-file: %s: cannot be read: %m", path);
    ssize_t n = -1;
    if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(err, ORIEL_EINVAL, "--token-file: %s: no regular file", path);
    }
    bool open_to_others = fstat(fd, &st) != 0 || (st.st_mode & 077);
    if (!open_to_others)
        n = read(fd, c->token, sizeof c->token - 1);
    close(fd);
    if (open_to_others)
        return err_set(err, ORIEL_EPERM, "%s: others may read this token; chmod 600 %s", path,
                       path);
    c->token[n > 0 ? n : 0] = 0;
    c->token[strcspn(c->token, "\r\n")] = 0;
    return c->token[0] ? 0 : err_set(err, ORIEL_EINVAL, "%s: holds no token", path);
}

static uint64_t refused(void *ctx)
{
    struct collecting *c = ctx;
    struct session_counts counts;
    uint64_t sum = 0;
    session_get_counts(c->session, &counts);
    for (unsigned i = 0; i < SESSION_OUTLETS_MAX; i++)
        sum += counts.refused[i];
    return sum;
}

static int listen_all(struct collecting *c, struct oriel_err *err)
{
    const struct collect_command *o = c->options;
    struct collect_options to = {.beyond_loopback = o->beyond_loopback,
                                 .hosts = o->hosts,
                                 .body_max = o->max_request / 4,
                                 .unpacked_max = o->max_request,
                                 .text_max = (uint32_t)o->max_value,
                                 .connections = (unsigned)o->connections,
                                 .refused = refused,
                                 .ctx = c};
    int rc = o->token_file && *o->token_file ? read_token(c, o->token_file, err) : 0;
    to.token = c->token[0] ? c->token : NULL;
    if (rc == 0)
        rc = add_listen(c, &to, "--listen", o->listen,
                        c->program ? "127.0.0.1:0" : "127.0.0.1:4317", err);
    if (rc == 0)
        rc = add_listen(c, &to, "--http", o->http, c->program ? NULL : "127.0.0.1:4318", err);
    c->unix_alone = to.listen_count == 0;
    if (rc == 0 && o->unix_path && *o->unix_path)
        to.listens[to.listen_count++].unix_path = o->unix_path;
    if (rc == 0 && !to.listen_count)
        rc = err_set(err, ORIEL_EINVAL, "nowhere to listen: --listen, --http and --unix are off");
    return rc < 0 ? rc : collect_open(&c->collect, &to, err);
}

/* What was received once comes from nobody again, unlike the record of a program that can be run
 * again: no file of before is overwritten unasked. */
static int check_outputs(const struct collecting *c, struct oriel_err *err)
{
    struct stat st;
    for (unsigned i = 0; c->options->output && i < c->outputs.count; i++) {
        const struct output *o = &c->outputs.items[i];
        if (!c->options->force && !o->sends && lstat(o->path, &st) == 0 && S_ISREG(st.st_mode) &&
            st.st_size > 0)
            return err_set(err, ORIEL_ESTATE, "%s: exists; -f overwrites it, -o names another one",
                           o->path);
    }
    return 0;
}

static int prepare(struct collecting *c, struct oriel_err *err)
{
    const struct collect_command *o = c->options;
    const struct outputs_wish wish = {.to = o->to,
                                      .file = o->output,
                                      .program = c->program ? c->program[0] : "collect",
                                      .outlet = c->call->outlet,
                                      .options = c->call->outlet_options};
    int rc = listen_all(c, err);
    if (rc == 0)
        rc = outputs_choose(&c->outputs, &wish, err);
    if (rc == 0)
        rc = check_outputs(c, err);
    if (rc == 0)
        rc =
            session_new_with(&c->session, source_find("collect"), c->collect, "collect", NULL, err);
    if (rc < 0)
        return rc;
    session_set_commit(c->session, COMMIT_BYTES, COMMIT_NS);
    session_set_delivery(c->session, OUTPUTS_DELIVERY_NS);
    (void)artifact_set(session_catalog(c->session), "oriel.import", "otlp");
    session_catalog(c->session)->start_ns = clock_unix_ns();
    if (outputs_open(&c->outputs, c->session, c->call->outlet, c->call->outlet_options, o->max_size,
                     &c->trouble) < 0)
        rc = err_set(err, c->trouble.code, "%s", c->trouble.text);
    return rc;
}

/* ---- a program that is told where to send ---- */

static void set(struct collecting *c, const char *name, const char *value)
{
    if (c->setting_count == SETTINGS_MAX)
        return;
    char *text = c->settings[c->setting_count];
    int n = snprintf(text, SETTING_BYTES, "%s=%s", name, value);
    if (n > 0 && n < SETTING_BYTES)
        c->setting_list[c->setting_count++] = text;
}

/* What the user chose stays, but for the endpoint, which is this receiver. */
static void set_unless(struct collecting *c, const char *name, const char *value)
{
    const char *now = getenv(name);
    if (!now || !*now)
        set(c, name, value);
}

/* Where nothing else is listened on: not every SDK can speak to a Unix socket. The whole path,
 * because the program may go elsewhere. */
static int unix_url(const struct collecting *c, char *url, size_t n, struct oriel_err *err)
{
    char path[PATH_MAX];
    struct net_addr whole;
    if (c->options->unix_path[0] == '@') { /* one without a file */
        snprintf(url, n, "unix:%s", c->options->unix_path);
        return 0;
    }
    if (!realpath(c->options->unix_path, path) || net_addr_unix(path, &whole) != 0)
        return err_set(err, ORIEL_ELIMIT, "--unix %s: named from / on, the path is too long",
                       c->options->unix_path);
    snprintf(url, n, "unix:%.107s", path);
    return 0;
}

static int start_program(struct collecting *c, struct oriel_err *err)
{
    static const char *const signals[][2] = {
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/v1/traces"},
        {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "/v1/logs"},
        {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "/v1/metrics"}};
    char address[NET_ADDR_TEXT], url[SETTING_BYTES / 2], one[SETTING_BYTES];
    if (!c->unix_alone) {
        net_addr_text(collect_bound(c->collect, 0), address);
        snprintf(url, sizeof url, "http://%s", address);
    } else if (unix_url(c, url, sizeof url, err) != 0) {
        return err->code;
    }
    set(c, "OTEL_EXPORTER_OTLP_ENDPOINT", url);
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
        snprintf(one, sizeof one, "%s%s", url, c->unix_alone ? "" : signals[i][1]);
        if (getenv(signals[i][0]))
            set(c, signals[i][0], one);
    }
    set_unless(c, "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
    set_unless(c, "OTEL_EXPORTER_OTLP_INSECURE", "true");
    set_unless(c, "OTEL_TRACES_EXPORTER", "otlp");
    set_unless(c, "OTEL_LOGS_EXPORTER", "otlp");
    set_unless(c, "OTEL_METRICS_EXPORTER", "none"); /* they are not kept yet */
    set_unless(c, "TELEMETRY_ENABLED", "true");     /* one with Oriel in it is silent else */
    set_unless(c, "ORIEL_BACKEND", "otlp");
    return child_start(&c->child, c->exe, c->program, c->setting_list, err);
}

/* ---- while it runs ---- */

static bool is_over(struct collecting *c, uint64_t now_ns)
{
    if (c->options->duration && now_ns - c->started_ns >= c->options->duration)
        return true;
    return c->program ? child_poll(&c->child) : stopping_asked();
}

/* Signals only come in here, so it is called after each step. Answers let more in, which then waits
 * for no event. */
static void rest(struct collecting *c, const sigset_t *open, bool idle)
{
    uint64_t ns = collect_is_owing(c->collect) ? OWING_NS : SLEEP_NS;
    if (!idle || collect_has_more(c->collect))
        ns = 0;
    if (c->program) {
        child_sleep(&c->child, ns, collect_fd(c->collect), -1);
        return;
    }
    struct pollfd p = {.fd = collect_fd(c->collect), .events = POLLIN};
    const struct timespec t = {0, (long)ns};
    (void)ppoll(&p, 1, &t, open);
}

/* Once; how many there were is said at the end. */
static void tell_tls(struct collecting *c)
{
    struct collect_counts counts;
    collect_get_counts(c->collect, &counts);
    if (!counts.tls || c->told_tls)
        return;
    c->told_tls = true;
    cli_note("a sender began with TLS, which is not received here: its endpoint is to begin with "
             "http://, or OTEL_EXPORTER_OTLP_INSECURE=true where it has no scheme");
}

static void follow(struct collecting *c, const sigset_t *open)
{
    int result = SOURCE_IDLE;
    c->started_ns = clock_mono_ns();
    while (result != SOURCE_END) {
        struct oriel_err err = {0};
        result = session_step(c->session, &err);
        if (result < 0) {
            c->trouble = c->trouble.code ? c->trouble : err;
            if (result != ORIEL_ENOMEM)
                break;
        }
        tell_tls(c);
        if (is_over(c, clock_mono_ns()))
            collect_stop(c->collect);
        rest(c, open, result == SOURCE_IDLE);
    }
    c->ended_ns = clock_mono_ns();
}

/* ---- after ---- */

static void put_part(struct buf *b, uint64_t n, const char *one, const char *many, const char *what)
{
    char number[NUM_TEXT_MAX];
    if (n)
        buf_printf(b, "%s%s %s %s", b->size ? ", " : "", num_count(number, n),
                   num_noun(n, one, many), what);
}

/* Lost is lost, wherever it was. */
static uint64_t add_losses_of_senders(const struct collect_counts *c, struct session_counts *to)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < ORIEL_LOST_CAUSES; i++) {
        to->lost[i] += c->lost[i];
        sum += c->lost[i];
    }
    return sum;
}

/* received = recorded + refused, by cause. */
static void say_counts(const struct collect_counts *c, uint64_t lost)
{
    struct buf b;
    char a[NUM_TEXT_MAX], s[NUM_TEXT_MAX], l[NUM_TEXT_MAX];
    buf_init(&b);
    put_part(&b, c->no_id, "span", "spans", "without valid ids");
    put_part(&b, c->too_many, "item", "items", "of too many resources");
    put_part(&b, c->no_memory, "item", "items", "without memory");
    put_part(&b, c->points, "point", "points", "of metrics, which are not kept yet");
    put_part(&b, c->tls, "connection", "connections", "of TLS");
    put_part(&b, c->malformed, "request", "requests", "malformed");
    put_part(&b, c->too_large, "request", "requests", "too large");
    put_part(&b, c->not_allowed, "request", "requests", "not allowed");
    put_part(&b, c->unsupported, "request", "requests", "for what is not here");
    put_part(&b, c->not_stored, "request", "requests", "told to come again");
    cli_note("received %s %s and %s %s in %s %s; refused: %s", num_count(s, c->spans),
             num_noun(c->spans, "span", "spans"), num_count(l, c->logs),
             num_noun(c->logs, "log record", "log records"), num_count(a, c->requests),
             num_noun(c->requests, "request", "requests"), b.size ? buf_cstr(&b) : "nothing");
    buf_done(&b);
    if (lost)
        cli_note("%s %s lost before, as the senders say", num_count(s, lost),
                 num_noun(lost, "record was", "records were"));
    if (c->cut_texts)
        cli_note("%s %s longer than --max-value and cut", num_count(s, c->cut_texts),
                 num_noun(c->cut_texts, "text was", "texts were"));
}

static void clean_up(struct collecting *c)
{
    session_free(c->session);
    collect_close(c->collect);
    explicit_bzero(c->token, sizeof c->token);
}

static int finish(struct collecting *c)
{
    struct oriel_err err = {0};
    struct collect_counts counts;
    if (session_finish(c->session, &err) < 0 && !c->trouble.code)
        c->trouble = err;
    struct ending end = {.outputs = &c->outputs,
                         .program = c->program ? c->program[0] : "collect",
                         .duration_ns = c->ended_ns - c->started_ns,
                         .report = !c->options->no_report};
    session_get_counts(c->session, &end.counts);
    outputs_tell(&c->outputs, c->session);
    snprintf(end.trouble, sizeof end.trouble, "%s", c->trouble.text);
    collect_get_counts(c->collect, &counts);
    clean_up(c);
    if (end.counts.records == 0)
        outputs_discard(&c->outputs);
    if (c->program)
        child_release(&c->child);
    say_counts(&counts, add_losses_of_senders(&counts, &end.counts));
    if (end.counts.records)
        ending_say(&end);
    else
        cli_note("nothing was received%s%s%s", c->outputs.dir[0] ? ", so nothing is kept" : "",
                 end.trouble[0] ? "; " : "", end.trouble);
    return c->trouble.code ? CLI_FAILED : CLI_OK;
}

static void say_where(const struct collecting *c)
{
    struct buf b;
    const unsigned n = collect_listeners(c->collect);
    buf_init(&b);
    for (unsigned i = 0; i < n; i++) {
        char address[NET_ADDR_TEXT]; /* too short for some paths */
        const struct net_addr *a = collect_bound(c->collect, i);
        net_addr_text(a, address);
        buf_printf(&b, "%s%s", i ? ", " : "",
                   a->sa.ss_family == AF_UNIX ? c->options->unix_path : address);
    }
    cli_note("receiving OTLP at %s; Ctrl-C ends", buf_cstr(&b));
    buf_done(&b);
}

static int failed(struct collecting *c, int rc, const struct oriel_err *err)
{
    clean_up(c);
    outputs_discard(&c->outputs);
    return rc == ORIEL_EINVAL ? cli_usage("collect: %s", err->text)
                              : cli_fail("collect: %s", err->text);
}

static int run(const struct cli_call *call)
{
    struct collecting c = {.options = call->options, .call = call};
    struct oriel_err err = {0};
    sigset_t open;
    if (call->arg_count == 1)
        return cli_usage("collect: a program is wanted behind --");
    c.program = call->arg_count ? call->args + 1 : NULL;
    int rc = c.program ? child_find(c.program[0], c.exe, sizeof c.exe, &err) : 0;
    if (rc < 0) {
        cli_note("%s", err.text);
        return rc == ORIEL_ENOTFOUND ? CLI_NOT_FOUND : CLI_NOT_EXECUTABLE;
    }
    if (!c.program)
        stopping_catch(STOPPING_IN_PPOLL, &open);
    rc = prepare(&c, &err);
    if (rc == 0 && c.program)
        rc = start_program(&c, &err);
    if (rc < 0)
        return failed(&c, rc, &err);
    if (!c.program)
        say_where(&c);
    follow(&c, &open);
    int status = finish(&c);
    if (c.program)
        return child_exit_like(c.child.status);
    stopping_release(&open);
    return status;
}

const struct cli_command cli_command_collect = {
    .name = "collect",
    .summary = "receive OTLP of any program and record it",
    .args = "[-- PROGRAM [ARGS]]",
    .description =
        "Receives traces and logs by OpenTelemetry's protocol, over gRPC and HTTP, and writes a "
        "capture that report, export and the rest read. Every port takes both. Requests are "
        "answered once the capture holds them. With PROGRAM, it is started with an environment "
        "that sends everything here, and its exit status is passed on. Without, it ends with "
        "Ctrl-C. Listens on loopback only, unless told otherwise.",
    .examples = "oriel collect                             # ports 4317 and 4318\n"
                "oriel collect -- python3 app.py           # into .oriel/runs\n"
                "oriel collect --unix /run/user/1000/otlp --listen off --http off -o c.oriel",
    .options = options,
    .options_size = sizeof(struct collect_command),
    .max_args = -1,
    .program = true,
    .sides = true,
    .outlet = true,
    .run = run,
};

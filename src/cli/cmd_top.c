/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel top: what a running program does, drawn again every second: functions
 * on the CPU, functions that wait, threads, spans. Looks on as `oriel attach` does and
 * writes nothing. Without a terminal it prints one table after the other.
 */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "cli/cli.h"
#include "cli/sampling.h"
#include "cli/screen.h"
#include "cli/shared.h"
#include "cli/stopping.h"
#include "cli/symbolize.h"
#include "report/live.h"
#include "session/artifact.h"
#include "source/open_spans.h"
#include "source/probe_options.h"
#include "source/region_io.h"
#include "source/tasks.h"
#include "util/utf8.h"

#define ROUND_NS UINT64_C(4000000) /* longest sleep: the kernel copies stacks meanwhile */
#define RING_BYTES (UINT64_C(1) << 18)
#define NODES_MAX 1000000u /* stacks seen so far; then it begins anew */

struct top_options {
    int64_t pid, rate, count;
    uint64_t interval, window;
    int view;
};

static const char *const views[] = {"cpu", "waiting", "threads", "spans", NULL};

#define AT(member) .offset = offsetof(struct top_options, member)
static const struct option_def options[] = {
    SHARED_PID(AT(pid)),
    {.name = "interval",
     .type = OPTION_DURATION,
     AT(interval),
     .fallback = "1s",
     .min = 1e8,
     .max = 3600e9,
     .help = "time between two screens"},
    {.name = "window",
     .type = OPTION_DURATION,
     AT(window),
     .fallback = "5s",
     .min = 1e8,
     .max = 36000e9,
     .help = "what is shown is of the last so many seconds"},
    {.name = "rate",
     .type = OPTION_INT,
     AT(rate),
     .fallback = "99",
     .min = 1,
     .max = 10000,
     .arg = "HZ",
     .help = "look where the program is, so often per second of CPU time"},
    {.name = "view",
     .type = OPTION_ENUM,
     AT(view),
     .fallback = "cpu",
     .choices = views,
     .arg = "VIEW",
     .help = "what to begin with"},
    {.name = "count",
     .type = OPTION_INT,
     AT(count),
     .fallback = "0",
     .min = 0,
     .max = 1e9,
     .arg = "N",
     .letter = 'n',
     .help = "end after so many screens; 0 = when the program ends, at q or Ctrl-C"},
    OPTION_END,
};

struct search {
    char ring[512];
    int32_t last; /* process that was asked */
};

struct top {
    const struct top_options *options;
    const struct cli_call *call;
    struct outputs none;
    struct sampling sampling;
    struct region *region; /* in which nobody writes */
    struct session *session;
    struct live *live;
    enum live_view view;
    uint64_t ticked_ns; /* monotonic */
    int64_t shown;
    int pidfd;
    bool full, over, paused;
    bool spans;           /* there is a ring to see them in */
    struct search search; /* for it */
    char name[64];
};

/* ---- watching ---- */

static void unwatch(struct top *t)
{
    session_free(t->session);
    live_free(t->live);
    region_free(t->region);
    t->session = NULL;
    t->live = NULL;
    t->region = NULL;
}

static int add_items(void *user, const struct model_batch *items)
{
    const struct top *t = user;
    return live_add(t->live, items);
}

static int find_ring(void *user, int32_t pid, int32_t tid)
{
    struct search *s = user;
    (void)tid;
    if (pid != s->last && !s->ring[0] && region_find(pid, s->ring, sizeof s->ring, NULL) < 0)
        s->ring[0] = 0;
    s->last = pid;
    return 0;
}

/* What the program says goes to its recorder; which spans are open can be seen from here. The
 * first ring that it or a child of it has. */
static void watch_spans(struct top *t)
{
    t->search = (struct search){.last = 0};
    (void)tasks_each((int32_t)t->options->pid, find_ring, &t->search);
    t->spans = t->search.ring[0] &&
               session_add_source(t->session, &source_open_spans, t->search.ring, NULL) == 0;
}

/* Whoever wants to see spans may have been quicker than the program that says them. */
static bool spans_appeared(const struct top *t)
{
    struct search now = {.last = 0};
    if (t->spans || t->paused || t->view != LIVE_SPANS)
        return false;
    (void)tasks_each((int32_t)t->options->pid, find_ring, &now);
    return now.ring[0] && strcmp(now.ring, t->search.ring) != 0;
}

static int watch(struct top *t, struct oriel_err *err)
{
    const struct top_options *o = t->options;
    const struct region_options how = {.size = sizeof how, .ring_bytes = RING_BYTES, .memfd = true};
    uint64_t n = o->window / o->interval;
    n = n < 1 ? 1 : n > LIVE_INTERVALS_MAX ? LIVE_INTERVALS_MAX : n;
    t->sampling = (struct sampling){.outputs = &t->none, .call = t->call, .rate = o->rate};
    int rc = region_create(&t->region, &how, err);
    if (rc == 0)
        rc = session_new(&t->session, "ring", region_path(t->region), NULL, err);
    if (rc == 0 && live_new(&t->live, session_catalog(t->session), (unsigned)n) < 0)
        rc = err_set(err, ORIEL_ENOMEM, "%s", err_text(ORIEL_ENOMEM));
    if (rc == 0) {
        (void)artifact_host(session_catalog(t->session)); /* names of this kernel */
        session_on_items(t->session, add_items, t);
        rc = sampling_start(&t->sampling, t->session, (int32_t)o->pid, true, err);
        watch_spans(t);
    }
    t->ticked_ns = clock_mono_ns();
    return rc;
}

static void name_it(struct top *t)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)t->options->pid);
    if (os_read_file(path, t->name, sizeof t->name) <= 0)
        t->name[0] = 0;
    t->name[strcspn(t->name, "\n")] = 0;
}

/* ---- telling ---- */

static void put_head(const struct top *t, struct buf *out)
{
    buf_printf(out, "oriel top  %d ", (int)t->options->pid);
    utf8_printable(out, t->name, strlen(t->name));
    buf_puts(out, ": ");
    live_summary(t->live, out);
    if (t->sampling.can.lost)
        buf_printf(out, ", %llu lost", (unsigned long long)t->sampling.can.lost);
    if (t->paused)
        buf_puts(out, ", paused");
}

static void draw_lines(const struct buf *text, uint32_t from, uint32_t until)
{
    const char *at = text->size ? text->data : "", *end = at + text->size;
    for (uint32_t row = from; at < end && row < until; row++) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        screen_line(row, at, (size_t)((next ? next : end) - at), false);
        at = next ? next + 1 : end;
    }
}

static const char *nothing_because(const struct top *t)
{
    return t->view == LIVE_SPANS && !t->spans
               ? "no spans: nobody records this program, or it has no Oriel in it"
               : "nothing seen yet";
}

static void draw(struct top *t)
{
    static const char keys[] = "q quit  c CPU  w waiting  t threads  s spans  space pause";
    uint32_t columns, rows;
    struct buf head, body;
    buf_init(&head);
    buf_init(&body);
    screen_size(&columns, &rows);
    put_head(t, &head);
    screen_begin();
    screen_line(0, head.data, head.size, true);
    if (rows > 4 && live_text(t->live, t->view, columns, rows - 3, &body) == 0)
        draw_lines(&body, 1, rows - 2);
    const char *nothing = nothing_because(t);
    if (body.size == 0)
        screen_line(2, nothing, strlen(nothing), false);
    const char *missing = t->sampling.can.missing;
    if (missing[0] && rows > 2)
        screen_line(rows - 2, missing, strlen(missing), false);
    screen_line(rows - 1, keys, sizeof keys - 1, true);
    screen_show();
    buf_done(&head);
    buf_done(&body);
}

static int print(struct top *t)
{
    struct buf b;
    buf_init(&b);
    put_head(t, &b);
    buf_putc(&b, '\n');
    size_t head = b.size;
    (void)live_text(t->live, t->view, 100, 20, &b);
    if (b.size == head)
        buf_printf(&b, "%s\n", nothing_because(t));
    buf_putc(&b, '\n');
    int status = cli_print(&b);
    buf_done(&b);
    return status;
}

static int tell(struct top *t)
{
    t->shown++;
    if (!t->full)
        return print(t);
    draw(t);
    return CLI_OK;
}

/* ---- the loop ---- */

/* True: go on. */
static bool take_keys(struct top *t)
{
    for (int key; t->full && (key = screen_key()) != SCREEN_NONE;) {
        if (key == 'q' || key == 'Q')
            return false;
        if (key == 'c' || key == 'w' || key == 't')
            t->view = key == 'c' ? LIVE_CPU : key == 'w' ? LIVE_WAITING : LIVE_THREADS;
        else if (key == 's')
            t->view = LIVE_SPANS;
        else if (key == SCREEN_NEXT || key == '\t')
            t->view = (enum live_view)((t->view + 1) % LIVE_VIEWS);
        else if (key == SCREEN_BACK)
            t->view = (enum live_view)((t->view + LIVE_VIEWS - 1) % LIVE_VIEWS);
        else if (key == ' ')
            t->paused = !t->paused;
        draw(t);
    }
    return true;
}

/* The kernel's rings hold some 30 ms of a program that waits often. */
static void read_on(void *user)
{
    const struct top *t = user;
    (void)session_step(t->session, NULL);
}

static int tick(struct top *t, uint64_t now, struct oriel_err *err)
{
    struct model_catalog *c = session_catalog(t->session);
    const struct kernel_symbols_while meanwhile = {read_on, t};
    (void)symbolize_while(c, &meanwhile);
    name_it(t); /* an exec gives it another one */
    if (!t->paused)
        live_tick(t->live, now - t->ticked_ns);
    t->ticked_ns = now;
    int status = t->paused ? CLI_OK : tell(t);
    if (c->stacks.node_count > NODES_MAX || spans_appeared(t)) {
        unwatch(t);
        if (watch(t, err) < 0)
            return CLI_FAILED;
    }
    return status;
}

static int follow(struct top *t, const sigset_t *open, struct oriel_err *err)
{
    const struct top_options *o = t->options;
    int status = CLI_OK;
    while (status == CLI_OK && !stopping_asked() && !t->over && take_keys(t) &&
           (o->count == 0 || t->shown < o->count)) {
        int result = session_step(t->session, err);
        uint64_t now = clock_mono_ns();
        if (now - t->ticked_ns >= o->interval)
            status = tick(t, now, err);
        struct pollfd ends[2] = {{.fd = t->pidfd, .events = POLLIN},
                                 {.fd = t->full ? STDIN_FILENO : -1, .events = POLLIN}};
        const struct timespec wait = {0, result == SOURCE_DATA ? 0 : (long)ROUND_NS};
        t->over = ppoll(ends, 2, &wait, open) > 0 && ends[0].revents;
    }
    return status;
}

static int run(const struct cli_call *call)
{
    const struct top_options *o = call->options;
    struct top t = {.options = o, .call = call, .view = (enum live_view)o->view};
    struct oriel_err err = {0};
    sigset_t open;
    if (o->pid == 0)
        return cli_usage("top: which process? (-p PID)");
    if (o->pid == getpid())
        return cli_usage("top: that is this command itself");
    name_it(&t);
    t.pidfd = (int)syscall(SYS_pidfd_open, (pid_t)o->pid, 0);
    if (t.pidfd < 0)
        return cli_fail("top: process %d does not exist", (int)o->pid);
    probe_sweep(); /* what one that was killed left behind */
    stopping_catch(STOPPING_IN_PPOLL | STOPPING_KEPT, &open); /* the screen is put back */
    int rc = watch(&t, &err), status = CLI_OK;
    if (rc == 0) {
        t.full = screen_open();
        if (t.full)
            draw(&t);
        status = follow(&t, &open, &err);
        screen_close();
    }
    unwatch(&t);
    close(t.pidfd);
    stopping_release(&open);
    if (rc < 0 || (status != CLI_OK && err.code))
        return cli_fail("top: %s", err.text);
    if (t.over)
        cli_note("top: process %d ended", (int)o->pid);
    return status;
}

const struct cli_command cli_command_top = {
    .name = "top",
    .summary = "watch where a running program is, live",
    .args = "",
    .description =
        "Shows what process PID, its threads and its children did in the last seconds: the "
        "functions that took CPU time, those that waited, the threads, and the spans of a program "
        "that is recorded; drawn again every second. "
        "The program is not stopped, nothing is written. Without root, own programs only. "
        "Without a terminal, tables are printed one after the other.",
    .examples = "oriel top -p 4711\noriel top -p $(pidof redis-server) -n 1 --view threads | cat",
    .options = options,
    .options_size = sizeof(struct top_options),
    .run = run,
};

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel attach: samples a program that runs already, all its threads and
 * children, until it ends, a time is over or the user breaks off. The program is
 * not stopped, not traced and not written to: what watches it are events of the
 * kernel that belong to this process and go with it, however it ends.
 */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "cli/cli.h"
#include "cli/ending.h"
#include "cli/outputs.h"
#include "cli/probing.h"
#include "cli/sampling.h"
#include "cli/shared.h"
#include "cli/stopping.h"
#include "session/artifact.h"
#include "session/session.h"
#include "source/metrics_options.h"
#include "source/region_io.h"

#define PROBING_NS UINT64_C(4000000)
#define SMALLEST_RING (UINT64_C(1) << 18)
enum { WORDS_MAX = 256, COMMAND_BYTES = 8192 };

struct attach_options {
    const char *output, *to, *events;
    uint64_t duration, probe_ring, max_size, metrics_interval;
    int64_t pid, rate;
    int returns;
    bool syscalls, no_report;
};

#define AT(member) .offset = offsetof(struct attach_options, member)
static const struct option_def options[] = {
    SHARED_PID(AT(pid)),
    SHARED_OUTPUT(AT(output), "capture to write (default: a new run in .oriel/runs)"),
    {.name = "duration",
     .type = OPTION_DURATION,
     AT(duration),
     .fallback = "0",
     .max = 86400e9,
     .help = "detach after this time; 0 = when the program ends, or at Ctrl-C"},
    SHARED_RATE(AT(rate)),
    SHARED_SYSCALLS(AT(syscalls)),
    SHARED_EVENT(AT(events)),
    SHARED_RETURNS(AT(returns)),
    SHARED_PROBE_RING(AT(probe_ring)),
    {.name = "to",
     .type = OPTION_STRING,
     AT(to),
     .arg = "OUTLET[,..]",
     .help = "what to write: capture, chrome, perfetto, pprof, speedscope (default: capture)"},
    SHARED_METRICS(AT(metrics_interval)),
    SHARED_MAX_SIZE(AT(max_size)),
    SHARED_NO_REPORT(AT(no_report)),
    OPTION_END,
};

struct attaching {
    const struct attach_options *options;
    struct outputs outputs;
    struct sampling sampling;
    struct probing probing;
    struct region *region;    /* of our own, in which nobody writes; NULL: one was found */
    char ring[512], exe[512]; /* exe as it was named */
    struct session *session;
    struct oriel_err trouble;
    uint64_t started_ns, ended_ns;
    int32_t pid;
    int pidfd;
    bool over; /* the program ended */
};

/* ---- the program ---- */

/* Who may be watched is the kernel's business; why not is said here. */
static int may_watch(int32_t pid, struct oriel_err *err)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%d", pid);
    if (stat(path, &st) != 0)
        return err_set(err, ORIEL_ENOTFOUND, "process %d does not exist", pid);
    if (geteuid() != 0 && st.st_uid != geteuid())
        return err_set(err, ORIEL_EPERM,
                       "process %d is not yours to watch: it belongs to user %u or runs with other "
                       "rights than yours (set-uid); root may",
                       pid, st.st_uid);
    return 0;
}

static void name_it(struct attaching *a)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/exe", a->pid);
    ssize_t n = readlink(path, a->exe, sizeof a->exe - 1);
    a->exe[n > 0 ? n : 0] = 0;
    if (n > 0)
        return;
    snprintf(path, sizeof path, "/proc/%d/comm", a->pid);
    if (os_read_file(path, a->exe, sizeof a->exe) > 0)
        a->exe[strcspn(a->exe, "\n")] = 0;
}

/* Nothing of it is worth failing for. */
static void describe(struct attaching *a)
{
    char path[64], text[COMMAND_BYTES], *words[WORDS_MAX + 1];
    struct model_catalog *c = session_catalog(a->session);
    unsigned count = 0;
    (void)artifact_host(c);
    snprintf(path, sizeof path, "/proc/%d/cmdline", a->pid);
    long n = os_read_file(path, text, sizeof text);
    for (long at = 0; at < n && count < WORDS_MAX; at += (long)strlen(text + at) + 1)
        words[count++] = text + at;
    words[count] = NULL;
    if (count)
        (void)artifact_command(c, a->exe[0] == '/' ? a->exe : NULL, words);
    (void)artifact_set(c, "oriel.attached", "true");
}

/* ---- before ---- */

/* The ring of a recorder that is gone is ours to read; that of one that lives is
 * not. Else a ring of our own, so that there is one way through the house. */
static int find_ring(struct attaching *a, struct oriel_err *err)
{
    struct region_info info;
    if (region_find(a->pid, a->ring, sizeof a->ring, NULL) == 0 &&
        region_inspect(a->ring, &info, NULL) == 0) {
        if (!info.reader_pid && !info.creator_alive)
            return 0;
        cli_note("attach: what process %d says is recorded by process %d: samples only", a->pid,
                 info.reader_pid ? info.reader_pid : info.creator_pid);
    }
    const struct region_options how = {
        .size = sizeof how, .ring_bytes = SMALLEST_RING, .memfd = true};
    int rc = region_create(&a->region, &how, err);
    if (rc == 0)
        snprintf(a->ring, sizeof a->ring, "%s", region_path(a->region));
    return rc;
}

/* An event needs a descriptor for each thread and CPU. */
static void raise_limit(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
        l.rlim_cur = l.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &l);
    }
}

/* What the system says of the program, all of whose life counts. */
static void watch_system(struct attaching *a)
{
    struct oriel_err err = {0};
    const struct metrics_options how = {
        .pid = a->pid, .running = true, .interval_ns = a->options->metrics_interval};
    if (how.interval_ns && session_add_source(a->session, &source_metrics, &how, &err) < 0)
        cli_note("attach: no metrics of the system: %s", err.text);
}

static int prepare(struct attaching *a, const struct cli_call *call, struct oriel_err *err)
{
    const struct attach_options *o = a->options;
    name_it(a);
    raise_limit();
    a->pidfd = (int)syscall(SYS_pidfd_open, a->pid, 0);
    if (a->pidfd < 0)
        return errno == EINVAL
                   ? err_set(err, ORIEL_EINVAL, "%d is a thread: name its process", a->pid)
                   : err_set(err, ORIEL_ENOTFOUND, "process %d does not exist", a->pid);
    const struct outputs_wish wish = {.to = o->to,
                                      .file = o->output,
                                      .program = a->exe,
                                      .outlet = call->outlet,
                                      .options = call->outlet_options};
    int rc = probing_make(&a->probing, o->events, NULL, a->pid, o->returns, err);
    if (rc == 0)
        rc = outputs_choose(&a->outputs, &wish, err);
    if (rc == 0)
        rc = find_ring(a, err);
    if (rc == 0)
        rc = session_new(&a->session, "ring", a->ring, NULL, err);
    if (rc < 0)
        return rc;
    describe(a);
    if (o->rate > 0)
        rc = sampling_start(&a->sampling, a->session, a->pid, true, err);
    else
        sampling_names(&a->sampling, a->session);
    a->probing.options.ring_bytes = o->probe_ring;
    if (rc == 0)
        probing_start(&a->probing, a->session, a->pid, true);
    if (rc == 0)
        watch_system(a);
    if (rc == 0 && o->syscalls)
        sampling_calls(&a->sampling, a->session, a->pid, true);
    if (rc == 0 && outputs_open(&a->outputs, a->session, call->outlet, call->outlet_options,
                                o->max_size, &a->trouble) < 0)
        rc = err_set(err, a->trouble.code, "%s", a->trouble.text);
    return rc;
}

/* ---- while it runs ---- */

/* Probes may fire at any rate. */
static uint64_t sleep_ns(const struct attaching *a)
{
    uint64_t ns = sampling_sleep_ns(&a->sampling);
    return a->probing.ability.works && ns > PROBING_NS ? PROBING_NS : ns;
}

static void follow(struct attaching *a, const sigset_t *open)
{
    const uint64_t duration = a->options->duration;
    a->started_ns = clock_mono_ns();
    while (!a->over && !stopping_asked()) {
        struct oriel_err err = {0};
        int result = session_step(a->session, &err);
        if (result < 0 && !a->trouble.code)
            a->trouble = err;
        uint64_t now = clock_mono_ns(), ns = result == SOURCE_DATA ? 0 : sleep_ns(a);
        if (duration && now - a->started_ns >= duration)
            break;
        if (duration && duration - (now - a->started_ns) < ns)
            ns = duration - (now - a->started_ns);
        struct pollfd ends[2] = {{.fd = a->pidfd, .events = POLLIN},
                                 {.fd = sampling_wake_fd(&a->sampling), .events = POLLIN}};
        const struct timespec t = {0, (long)ns};
        a->over = ppoll(ends, 2, &t, open) > 0 && ends[0].revents;
    }
    a->ended_ns = clock_mono_ns();
}

/* ---- after ---- */

static void clean_up(struct attaching *a)
{
    struct region_info info;
    session_free(a->session);
    probing_done(&a->probing); /* the session has looked into it */
    region_free(a->region);
    /* What a dead recorder left behind and we have read: nobody needs it any more. */
    if (!a->region && a->ring[0] && region_inspect(a->ring, &info, NULL) == 0 &&
        region_is_orphan(&info) && info.unread_bytes == 0)
        (void)region_unlink(a->ring, NULL);
    if (a->pidfd >= 0)
        close(a->pidfd);
}

static void finish(struct attaching *a, struct ending *out)
{
    struct oriel_err err = {0};
    if (a->region)
        region_end(a->region);
    if (session_finish(a->session, &err) < 0 && !a->trouble.code)
        a->trouble = err;
    *out = (struct ending){.outputs = &a->outputs,
                           .program = a->exe,
                           .duration_ns = a->ended_ns - a->started_ns,
                           .sampled = a->options->rate > 0,
                           .report = !a->options->no_report};
    session_get_counts(a->session, &out->counts);
    outputs_tell(&a->outputs, a->session);
    probing_say(&a->probing, "attach");
    out->calls = &a->sampling.calls;
    snprintf(out->unseen, sizeof out->unseen, "%s", a->sampling.can.missing);
    snprintf(out->trouble, sizeof out->trouble, "%s", a->trouble.text);
    clean_up(a);
    if (out->counts.records == out->counts.system_records && !a->sampling.calls.told)
        outputs_discard(&a->outputs);
}

static int run(const struct cli_call *call)
{
    const struct attach_options *o = call->options;
    struct attaching a = {.options = o, .pid = (int32_t)o->pid, .pidfd = -1};
    struct oriel_err err = {0};
    struct ending end;
    sigset_t open;
    if (o->pid == 0)
        return cli_usage("attach: which process? (-p PID)");
    if (o->pid == getpid())
        return cli_usage("attach: that is this command itself");
    if (o->rate == 0 && !o->syscalls && (!o->events || !*o->events))
        return cli_usage("attach: --rate 0 without -e EVENT or --syscalls watches nothing");
    a.sampling = (struct sampling){.outputs = &a.outputs, .call = call, .rate = o->rate};
    int rc = may_watch(a.pid, &err);
    if (rc < 0)
        return cli_fail("attach: %s", err.text);
    probe_sweep();
    stopping_catch(STOPPING_IN_PPOLL, &open);
    rc = prepare(&a, call, &err);
    if (rc < 0) {
        clean_up(&a);
        outputs_discard(&a.outputs);
        return rc == ORIEL_EINVAL ? cli_usage("attach: %s", err.text)
                                  : cli_fail("attach: %s", err.text);
    }
    follow(&a, &open);
    finish(&a, &end);
    stopping_release(&open);
    ending_say(&end);
    return CLI_OK;
}

const struct cli_command cli_command_attach = {
    .name = "attach",
    .summary = "sample a program that runs already, and watch functions and marks in it",
    .args = "",
    .description =
        "Looks where process PID, its threads and its children are, as `oriel record` does, until "
        "it ends, --duration is over or Ctrl-C. The program is not stopped and does not notice; "
        "nothing is left in it when this command ends, whichever way. Without root, own programs "
        "only. The ring of a program whose recorder was killed is read too.",
    .examples = "oriel attach -p 4711 --duration 10s\noriel attach -p 4711 -e "
                "uprobe:parse_json\noriel attach -p $(pidof redis-server) -o r.oriel",
    .options = options,
    .options_size = sizeof(struct attach_options),
    .outlet = true,
    .run = run,
};

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel record: holds the ring, starts the program, drains into the outlets,
 * and exits as the program did. Before the program starts, a failure ends the
 * command; afterwards nothing that happens here may touch the program.
 */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/calling.h"
#include "cli/child.h"
#include "cli/cli.h"
#include "cli/ending.h"
#include "cli/hidden.h"
#include "cli/outputs.h"
#include "cli/preload.h"
#include "cli/probing.h"
#include "cli/sampling.h"
#include "cli/shared.h"
#include "cli/summary.h"
#include "session/artifact.h"
#include "session/crash.h"
#include "session/figures.h"
#include "session/pace.h"
#include "source/region_io.h"
#include "source/metrics_options.h"
#include "source/slow_span.h"
#include "util/num.h"

#define GIT_NS UINT64_C(30000000)        /* longest wait for `git status` */
#define LINGER_NS UINT64_C(100000000)    /* for descendants that are about to end */
#define DUMPS_TOLD 32u                   /* in the artifact header */
#define FLIGHT_NS UINT64_C(10000000)     /* how often a trigger is looked for */
#define LOOK_NS UINT64_C(5000000)        /* how often they are counted */
#define EARLY_SLEEP_NS UINT64_C(1000000) /* first sleep; the system is asked soon */
#define EARLY_PARTS 4u                   /* and then after so large a part of the time so far */
#define COUNTING_NS UINT64_C(20000000)   /* longest sleep while system calls are counted */
#define SILENT_NS UINT64_C(100000000)    /* longest sleep while nobody has joined the ring */
#define INSIDE_NS UINT64_C(50000000)     /* the same while it has nothing but samples to say */
#define JOIN_NS UINT64_C(100000000)      /* to join it for whoever opened it */
#define COMMIT_NS UINT64_C(200000000)
#define CUT_TOLD 50u                 /* one stack of so many that is not whole is worth a line */
#define PROBING_NS UINT64_C(4000000) /* longest sleep while probes may fire at any rate */
#define COMMIT_BYTES_MAX (1u << 20)

enum { SETTINGS_MAX = 12, SETTING_BYTES = 8192 };

struct record_options {
    const char *output, *name, *filter, *to, *summary, *events, *calls;
    uint64_t ring, probe_ring, max_size, slow_span, heap_interval, metrics_interval;
    int policy, heap, returns, calls_mode;
    int64_t rate, calls_depth;
    bool include_args, memfd, locks, syscalls, no_crash, no_report, wait;
};

static const char *const calls_modes[] = {"spans", "sums", NULL};
enum { CALLS_SPANS, CALLS_SUMS };
static const char *const heaps[] = {"off", "sampled", "exact", NULL};
static const char *const policies[] = {"drop-newest", "overwrite-oldest", NULL};

#define AT(member) .offset = offsetof(struct record_options, member)
static const struct option_def options[] = {
    SHARED_OUTPUT(AT(output), "capture to write (default: a new run in .oriel/runs)"),
    {.name = "name",
     .type = OPTION_STRING,
     AT(name),
     .arg = "NAME",
     .help = "what to call the run in .oriel/runs (default: as the program); oriel diff and report "
             "find it by that"},
    {.name = "ring",
     .type = OPTION_SIZE,
     AT(ring),
     .fallback = "16MiB",
     .min = 1 << 18,
     .max = 4294967296.0,
     .help = "memory between the program and the recorder"},
    {.name = "policy",
     .type = OPTION_ENUM,
     AT(policy),
     .fallback = "drop-newest",
     .choices = policies,
     .arg = "POLICY",
     .help = "what a full ring gives up; overwrite-oldest is the flight recorder: the ring is "
             "written out on a trigger and at the end"},
    {.name = "slow_span",
     .type = OPTION_DURATION,
     AT(slow_span),
     .fallback = "0",
     .max = 86400e9,
     .help = "flight recorder: also write the ring out when a span stays open for longer than "
             "this, once per span; 0 = never"},
    {.name = "filter",
     .type = OPTION_STRING,
     AT(filter),
     .arg = "DIRECTIVES",
     .help = "which call sites record, e.g. info,db=debug (default: $ORIEL_FILTER, else all)"},
    {.name = "include_args",
     .type = OPTION_BOOL,
     AT(include_args),
     .help = "record values marked as function arguments"},
    {.name = "memfd",
     .type = OPTION_BOOL,
     AT(memfd),
     .help = "ring in sealed memory without a name: nothing to recover if both are killed"},
    {.name = "to",
     .type = OPTION_STRING,
     AT(to),
     .arg = "OUTLET[,..]",
     .help = "what to write: capture, chrome, perfetto, log, pprof, speedscope, firefox, "
             "callgrind, folded, perf (default: capture)"},
    SHARED_MAX_SIZE(AT(max_size)),
    {.name = "wait",
     .type = OPTION_BOOL,
     AT(wait),
     .help = "also wait for children that outlive the program"},
    SHARED_RATE(AT(rate)),
    {.name = "heap",
     .type = OPTION_ENUM,
     AT(heap),
     .fallback = "off",
     .choices = heaps,
     .arg = "MODE",
     .help = "also see what the program allocates: sampled by bytes, or exact"},
    {.name = "heap_interval",
     .type = OPTION_SIZE,
     AT(heap_interval),
     .fallback = "512KiB",
     .min = 1,
     .max = 1099511627776.0,
     .help = "--heap sampled: mean of bytes between samples"},
    {.name = "locks",
     .type = OPTION_BOOL,
     AT(locks),
     .help = "also see which locks the program waits for, and who holds them"},
    SHARED_SYSCALLS(AT(syscalls)),
    SHARED_EVENT(AT(events)),
    SHARED_RETURNS(AT(returns)),
    SHARED_PROBE_RING(AT(probe_ring)),
    {.name = "calls",
     .type = OPTION_STRING,
     AT(calls),
     .arg = "PATTERN",
     .help = "calls of these functions (* and ? allowed) as spans, in programs compiled with "
             "-fpatchable-function-entry=8 or -finstrument-functions"},
    {.name = "calls_mode",
     .type = OPTION_ENUM,
     AT(calls_mode),
     .fallback = "spans",
     .choices = calls_modes,
     .arg = "MODE",
     .help = "--calls: every call as a span, or sums: number, time and callers of each function"},
    {.name = "calls_depth",
     .type = OPTION_INT,
     AT(calls_depth),
     .fallback = "64",
     .min = 1,
     .max = 1024,
     .arg = "N",
     .help = "--calls: so many recorded calls inside each other"},
    SHARED_METRICS(AT(metrics_interval)),
    {.name = "summary",
     .type = OPTION_STRING,
     AT(summary),
     .arg = "FILE",
     .help = "also write how it ended, counts, losses and files as JSON"},
    {.name = "no_crash",
     .type = OPTION_BOOL,
     AT(no_crash),
     .help = "install no handlers for the signals of a crash in the program"},
    SHARED_NO_REPORT(AT(no_report)),
    OPTION_END,
};

struct recording {
    const struct record_options *options;
    const struct cli_call *call;
    struct outputs outputs;
    struct region *region;
    struct session *session;
    struct slow_watch *slow; /* NULL: not wanted */
    unsigned dumps;
    char dump[160]; /* why the last one was */
    struct sampling sampling;
    int opening; /* tells that somebody opens the ring; -1: a process joined, or may have */
    uint64_t opened_ns;
    bool inside;      /* perf events are refused */
    char hidden[176]; /* why little or nothing is seen of the program, "" nothing hides it */
    struct probing probing;
    struct calling calling;
    struct metrics_end metrics_end;
    struct child child;
    struct oriel_err trouble;      /* first thing that went wrong once it ran */
    uint64_t started_ns, ended_ns; /* monotonic; of the program */
    uint64_t started_unix_ns;
    uint32_t still_running;
    char exe[4096];
    char settings[SETTINGS_MAX][SETTING_BYTES]; /* of the program's environment */
    unsigned setting_count;
};

/* ---- before the program starts ---- */

static const char *filter_of(const struct record_options *o)
{
    const char *environment = getenv("ORIEL_FILTER");
    return o->filter && o->filter[0] ? o->filter : environment ? environment : "";
}

static int make_region(struct recording *r, struct oriel_err *err)
{
    const struct record_options *o = r->options;
    char capture[WIRE_PATH_BYTES] = "", cwd[4096];
    if (r->outputs.capture >= 0) {
        /* Absolute: `oriel recover` may run anywhere. */
        const char *path = r->outputs.items[r->outputs.capture].path;
        bool relative = path[0] != '/' && getcwd(cwd, sizeof cwd);
        int n = snprintf(capture, sizeof capture, "%s%s%s", relative ? cwd : "",
                         relative ? "/" : "", path);
        if (n < 0 || (size_t)n >= sizeof capture)
            capture[0] = 0;
    }
    struct region_options how = {.size = sizeof how,
                                 .policy = (uint32_t)o->policy,
                                 .ring_bytes = o->ring,
                                 .flags = (o->include_args ? WIRE_REGION_INCLUDE_ARGS : 0) |
                                          (o->no_crash ? 0 : WIRE_REGION_CRASH) |
                                          WIRE_REGION_OTEL_CTX,
                                 .memfd = o->memfd,
                                 .late = true,
                                 .directives = filter_of(o),
                                 .capture_path = capture};
    int rc = region_create(&r->region, &how, err);
    if (rc != ORIEL_ENOSPC)
        return rc;
    struct oriel_err why = *err;
    return err_set(err, rc, "%.400s (a smaller --ring needs less)", why.text);
}

/* The artifact header. Nothing in it is worth failing for. */
static void describe(struct recording *r, char *const argv[])
{
    struct model_catalog *c = session_catalog(r->session);
    char cwd[VCS_PATH_BYTES];
    struct vcs v;
    struct vcs_query query = {0};
    uint64_t deadline = clock_mono_ns() + GIT_NS;
    bool repository = getcwd(cwd, sizeof cwd) && vcs_read(cwd, &v) == 0;
    if (repository)
        vcs_dirty_start(&query, v.root); /* answers while we do the rest */
    (void)artifact_host(c);
    char absolute[PATH_MAX];
    (void)artifact_command(c, realpath(r->exe, absolute), argv);
    if (repository)
        (void)artifact_vcs(c, &v, vcs_dirty_wait(&query, deadline));
}

static int prepare(struct recording *r, const struct cli_call *call, struct oriel_err *err)
{
    const struct record_options *o = r->options;
    if (o->slow_span && o->policy != WIRE_POLICY_OVERWRITE_OLDEST)
        return err_set(err, ORIEL_EINVAL,
                       "--slow-span is a trigger of the flight recorder: add --policy "
                       "overwrite-oldest");
    const struct outputs_wish wish = {.to = o->to,
                                      .file = o->output,
                                      .program = o->name && o->name[0] ? o->name : call->args[0],
                                      .outlet = call->outlet,
                                      .options = call->outlet_options};
    int rc = region_check_directives(filter_of(o), err);
    if (rc == 0)
        rc = outputs_choose(&r->outputs, &wish, err);
    if (rc == 0)
        rc = make_region(r, err);
    if (rc == 0 && o->slow_span)
        rc = slow_watch_open(&r->slow, region_path(r->region), o->slow_span, err);
    if (rc == 0)
        rc = session_new(&r->session, "ring", region_path(r->region), NULL, err);
    if (rc < 0)
        return rc;
    uint64_t bytes = o->ring / 8 < COMMIT_BYTES_MAX ? o->ring / 8 : COMMIT_BYTES_MAX;
    session_set_commit(r->session, bytes, COMMIT_NS);
    session_set_delivery(r->session, OUTPUTS_DELIVERY_NS);
    describe(r, call->args);
    return outputs_open(&r->outputs, r->session, call->outlet, call->outlet_options, o->max_size,
                        &r->trouble) < 0
               ? err_set(err, r->trouble.code, "%s", r->trouble.text)
               : 0;
}

/* Sampling stands beside the ring. Refused, it costs a line, not the recording.
 * Opened on ourselves and inherited: it wakes with the exec of the program. */
static void watch_cpu(struct recording *r)
{
    struct oriel_err err = {0};
    r->sampling.rate = r->options->rate;
    if (r->options->rate == 0 ||
        sampling_start(&r->sampling, r->session, getpid(), false, &err) != ORIEL_EPERM)
        return;
    r->inside = true;
}

/* "NAME=value" for the program. */
static int set(struct recording *r, struct oriel_err *err, const char *name, const char *value)
{
    char *text = r->settings[r->setting_count];
    int n = snprintf(text, SETTING_BYTES, "%s=%s", name, value);
    if (n < 0 || n >= SETTING_BYTES)
        return err_set(err, ORIEL_EINVAL, "%s: too long", name);
    r->setting_count++;
    return 0;
}

/* The memory hook goes into the program. Where that is refused (set-uid, static)
 * the program runs without. */
static int watch_heap(struct recording *r, struct oriel_err *err)
{
    char interval[24];
    r->sampling.outputs = &r->outputs;
    r->sampling.call = r->call;
    if (r->options->heap == 0)
        return 0;
    snprintf(interval, sizeof interval, "%llu", (unsigned long long)r->options->heap_interval);
    int rc =
        preload_setting("liboriel-alloc.so.0", r->settings[r->setting_count], SETTING_BYTES, err);
    if (rc < 0)
        return rc;
    r->setting_count++;
    rc = set(r, err, "ORIEL_HEAP", heaps[r->options->heap]);
    if (rc == 0)
        rc = set(r, err, "ORIEL_HEAP_INTERVAL", interval);
    struct model_catalog *c = session_catalog(r->session);
    sampling_names(&r->sampling, r->session);
    (void)artifact_set(c, "oriel.heap", heaps[r->options->heap]);
    if (r->options->heap == 1)
        (void)artifact_set(c, "oriel.heap.interval", interval);
    return rc;
}

/* Another library of ours in front of the program, beside those there are. */
static int preload(struct recording *r, const char *library, struct oriel_err *err)
{
    bool first = strncmp(r->settings[0], "LD_PRELOAD=", 11) != 0;
    int rc = first ? preload_setting(library, r->settings[r->setting_count], SETTING_BYTES, err)
                   : preload_also(library, r->settings[0], SETTING_BYTES, err);
    r->setting_count += rc == 0 && first;
    return rc;
}

/* The same for locks. */
static int watch_locks(struct recording *r, struct oriel_err *err)
{
    int rc = r->options->locks ? preload(r, "liboriel-lock.so.0", err) : 0;
    if (rc < 0 || !r->options->locks)
        return rc;
    sampling_names(&r->sampling, r->session);
    (void)artifact_set(session_catalog(r->session), "oriel.locks", "on");
    return set(r, err, "ORIEL_LOCKS", "1");
}

/* And for calls of instrumented functions. */
static int watch_calls(struct recording *r, struct oriel_err *err)
{
    if (!r->calling.path[0])
        return 0;
    int rc = preload(r, "liboriel-calls.so.0", err);
    if (r->options->calls_mode == CALLS_SUMS)
        sampling_names(&r->sampling, r->session);
    if (rc == 0)
        rc = set(r, err, "ORIEL_CALLS", r->calling.path);
    return rc == 0 ? set(r, err, "ORIEL_CALLS_PROGRAM", r->calling.program) : rc;
}

/* Where perf events are refused, the program samples itself: a library goes into it. */
static void watch_inside(struct recording *r)
{
    static const char library[] = "liboriel-cpu.so.0";
    char rate[24];
    struct oriel_err err = {0};
    if (!r->inside)
        return;
    snprintf(rate, sizeof rate, "%lld", (long long)r->options->rate);
    if (preload(r, library, &err) < 0)
        return; /* nothing is seen of the CPU, which is what the line says */
    if (set(r, &err, "ORIEL_CPU", rate) == 0)
        sampling_inside(&r->sampling, r->session);
}

/* One line, in front of what the kernel refuses: of such a program it sees little or
 * nothing, whatever it says that it will. */
static void note_hidden(struct recording *r)
{
    struct perf_ability *can = &r->sampling.can;
    char why[sizeof can->missing], *text = r->hidden;
    const struct record_options *o = r->options;
    const bool inside = o->heap || o->locks || r->calling.path[0] || r->inside;
    const enum hidden how = hidden_how(r->exe);
    if (how == HIDDEN_SECURE)
        snprintf(text, sizeof r->hidden,
                 "it runs with rights that %s (set-uid, set-gid, capabilities), so the loader lets "
                 "no library of ours in%s",
                 geteuid() == 0 ? "are another's" : "you lack",
                 geteuid() == 0 ? "" : " and the kernel hides it; root may look");
    else if (how == HIDDEN_STATIC && inside)
        snprintf(text, sizeof r->hidden,
                 "it is linked statically, so no library of ours can be put in front of it");
    if (!text[0])
        return;
    snprintf(why, sizeof why, "%s", can->missing);
    snprintf(can->missing, sizeof can->missing, "%s%s%.*s", text, why[0] ? "; " : "",
             (int)(sizeof why - sizeof r->hidden - 3), why);
    (void)artifact_set(session_catalog(r->session), "oriel.sample.missing", can->missing);
}

static int start(struct recording *r, const struct cli_call *call, struct oriel_err *err)
{
    char *settings[SETTINGS_MAX + 1] = {NULL};
    watch_inside(r);
    note_hidden(r);
    int rc = set(r, err, "ORIEL_RING", region_path(r->region));
    for (unsigned i = 0; i < r->setting_count; i++)
        settings[i] = r->settings[i];
    r->opening = region_watch_opening(r->region);
    r->started_ns = clock_mono_ns();
    r->started_unix_ns = clock_unix_ns();
    return rc < 0 ? rc : child_start(&r->child, r->exe, call->args, settings, err);
}

/* What the system says of the program. */
static void watch_system(struct recording *r)
{
    struct oriel_err err = {0};
    const struct metrics_options how = {.pid = r->child.pid,
                                        .recorder = getpid(),
                                        .interval_ns = r->options->metrics_interval,
                                        .end = &r->metrics_end};
    if (how.interval_ns && session_add_source(r->session, &source_metrics, &how, &err) < 0)
        cli_note("record: no metrics of the system: %s", err.text);
}

static void note_end(struct recording *r)
{
    const struct rusage *used = &r->child.used;
    r->ended_ns = clock_mono_ns();
    r->metrics_end = (struct metrics_end){.known = r->child.user_ns + r->child.system_ns > 0,
                                          .cpu_ns = r->child.user_ns + r->child.system_ns,
                                          .peak_rss_bytes = (uint64_t)used->ru_maxrss * 1024,
                                          .minor_faults = (uint64_t)used->ru_minflt,
                                          .major_faults = (uint64_t)used->ru_majflt,
                                          .voluntary_switches = (uint64_t)used->ru_nvcsw,
                                          .involuntary_switches = (uint64_t)used->ru_nivcsw};
}

/* ---- while it runs ---- */

static void step(struct recording *r, int *out_result)
{
    struct oriel_err err = {0};
    *out_result = session_step(r->session, &err);
    if (*out_result < 0 && !r->trouble.code)
        r->trouble = err;
}

/* The program is over. Descendants that end with it are worth a moment; others
 * are left alone. True: stop. */
static bool enough(struct recording *r, uint64_t now, uint64_t *looked_ns)
{
    struct region_info info;
    if (*looked_ns && now - *looked_ns < LOOK_NS)
        return false;
    *looked_ns = now;
    if (region_inspect(region_path(r->region), &info, NULL) < 0)
        return true;
    r->still_running = info.processes_alive;
    return (info.processes_alive == 0 && r->child.alone) ||
           (!r->options->wait && now - r->ended_ns >= LINGER_NS);
}

/* Before a process has joined the ring nobody fills it, whatever the pace. Others open
 * it too, to look. */
static bool unheard(struct recording *r, struct pace *pace, uint64_t now)
{
    struct inotify_event events[8];
    if (r->opening < 0)
        return false;
    if (read(r->opening, events, sizeof events) > 0)
        r->opened_ns = now;
    if (!region_is_joined(r->region))
        return now - r->opened_ns > JOIN_NS;
    close(r->opening);
    r->opening = -1;
    pace_init(pace, r->options->ring); /* the beginning, which counts as busy */
    return false;
}

/* A short program is looked at, too: memory and threads are gone with it. */
static uint64_t early(const struct recording *r, uint64_t now)
{
    uint64_t part = (now - r->started_ns) / EARLY_PARTS;
    if (r->options->metrics_interval == 0)
        return UINT64_MAX;
    return part > EARLY_SLEEP_NS ? part : EARLY_SLEEP_NS;
}

/* Has it call sites of its own, from which bursts may come? */
static bool speaks(const struct model_catalog *c)
{
    for (uint32_t i = 0; i < c->site_count; i++)
        if (c->sites[i]->id < MODEL_SITE_SEEN)
            return true;
    return false;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* One round of draining; how long to sleep after it. */
static uint64_t drain(struct recording *r, struct pace *pace, uint64_t now)
{
    bool more;
    int result;
    step(r, &result);
    figures_tell(r->session, r->region, now);
    uint64_t bytes = session_step_bytes(r->session, &more);
    const bool silent = unheard(r, pace, now);
    pace->idle_ns = r->inside && !speaks(session_catalog(r->session)) ? INSIDE_NS : PACE_IDLE_NS;
    uint64_t ns = pace_next(pace, bytes, more && result >= 0, now);
    if (silent && ns)
        ns = SILENT_NS;
    if (r->probing.ability.works)
        ns = least(ns, PROBING_NS);
    else if (r->sampling.can.cpu)
        ns = least(ns, sampling_sleep_ns(&r->sampling));
    if (r->sampling.calls.works)
        ns = least(ns, COUNTING_NS);
    return least(ns, early(r, now));
}

/* Every dump is told in the recording, with its reason. */
static void note_dump(struct recording *r, const char *why)
{
    char key[32];
    snprintf(r->dump, sizeof r->dump, "%s", why);
    snprintf(key, sizeof key, "oriel.dump.%u", ++r->dumps);
    if (r->dumps <= DUMPS_TOLD)
        (void)artifact_set(session_catalog(r->session), key, why);
}

static struct model_str name_of(const struct model_catalog *c, const struct slow_span *slow)
{
    const struct model_site *site = NULL;
    for (uint32_t i = 0; i < c->process_count; i++)
        if (c->processes[i]->pid == slow->pid && model_catalog_site(c, i, slow->site))
            site = model_catalog_site(c, i, slow->site);
    return site ? site->name : (struct model_str)MODEL_STR("?");
}

static void note_slow(struct recording *r, const struct slow_span *slow)
{
    char why[160], time[NUM_TEXT_MAX];
    struct model_str name = name_of(session_catalog(r->session), slow);
    snprintf(why, sizeof why, "slow span %.*s: still open after %s, in thread %d (%s)",
             (int)(name.n < 64 ? name.n : 64), name.p, num_duration(time, slow->open_ns),
             (int)slow->tid, slow->thread);
    note_dump(r, why);
}

/* The flight recorder leaves the ring alone, so that it holds the last of
 * everything, and empties it when it is asked to and at the end. */
static uint64_t drain_on_trigger(struct recording *r, uint32_t *done, uint64_t now)
{
    struct slow_span slow[8];
    unsigned found = r->slow ? slow_watch_look(r->slow, now, slow, 8) : 0;
    uint32_t asked = region_triggers(r->region);
    int result = asked != *done || found ? SOURCE_DATA : SOURCE_IDLE;
    if (result == SOURCE_IDLE)
        session_look(r->session);
    while (result == SOURCE_DATA)
        step(r, &result);
    for (unsigned i = 0; i < found; i++) /* their names are known now */
        note_slow(r, &slow[i]);
    if (asked != *done)
        note_dump(r, "asked for by the program");
    if (asked != *done || found)
        session_flush(r->session);
    *done = asked;
    const uint64_t ns = r->slow ? slow_watch_interval_ns(r->slow) : FLIGHT_NS;
    return r->probing.ability.works ? least(ns, PROBING_NS) : ns;
}

static void follow(struct recording *r)
{
    struct pace pace;
    uint64_t looked_ns = 0;
    uint32_t triggers = 0;
    pace_init(&pace, r->options->ring);
    for (;;) {
        bool over = child_poll(&r->child);
        uint64_t now = clock_mono_ns();
        if (over && !r->ended_ns)
            note_end(r);
        uint64_t ns = r->options->policy == WIRE_POLICY_OVERWRITE_OLDEST
                          ? drain_on_trigger(r, &triggers, now)
                          : drain(r, &pace, now);
        if (over && enough(r, now, &looked_ns))
            return;
        if (over && ns > LOOK_NS)
            ns = LOOK_NS;
        if (ns)
            child_sleep(&r->child, ns, sampling_wake_fd(&r->sampling), r->opening);
    }
}

/* ---- the end ---- */

static void clean_up(struct recording *r)
{
    session_free(r->session);
    calling_done(&r->calling);
    probing_done(&r->probing); /* the session has looked into it */
    slow_watch_close(r->slow);
    if (r->region && !r->options->memfd)
        (void)region_unlink(region_path(r->region), NULL);
    region_free(r->region);
    if (r->opening >= 0)
        close(r->opening);
}

/* A death by signal is part of what happened: it goes into the recording. */
static void note_death(struct recording *r)
{
    char pid[16], room[24];
    const struct child *c = &r->child;
    (void)crash_describe(session_catalog(r->session), region_path(r->region), c->died_pid,
                         c->died_signal);
    if (!c->died_pid)
        return;
    snprintf(pid, sizeof pid, "%d", c->died_pid);
    struct model_catalog *catalog = session_catalog(r->session);
    (void)artifact_set(catalog, "oriel.exit.pid", pid);
    (void)artifact_set(catalog, "oriel.exit.signal",
                       child_signal_name(c->died_signal, room, sizeof room));
}

/* Everything is drained, written and removed before anything is said: from
 * then on the user may break off. */
static void finish(struct recording *r, struct ending *out)
{
    struct oriel_err err = {0};
    region_end(r->region);
    note_death(r);
    if (session_finish(r->session, &err) < 0 && !r->trouble.code)
        r->trouble = err;
    *out = (struct ending){.outputs = &r->outputs,
                           .duration_ns = r->ended_ns - r->started_ns,
                           .still_running = r->still_running,
                           .dumps = r->dumps,
                           .sampled = r->sampling.can.cpu || r->inside,
                           .report = !r->options->no_report};
    session_get_counts(r->session, &out->counts);
    outputs_tell(&r->outputs, r->session);
    if (r->sampling.can.lost)
        cli_note("record: %llu %s lost, the kernel had no room; a lower --rate helps",
                 (unsigned long long)r->sampling.can.lost,
                 num_noun(r->sampling.can.lost, "sample", "samples"));
    if (region_is_refused(r->region))
        cli_note("record: the program found no room for its ring of %llu KiB: nothing of what it "
                 "says is recorded; a smaller --ring needs less",
                 (unsigned long long)(r->options->ring >> 10));
    probing_say(&r->probing, "record");
    snprintf(out->unseen, sizeof out->unseen, "%s", r->sampling.can.missing);
    out->hidden = r->hidden;
    out->calls = &r->sampling.calls;
    crash_line(session_catalog(r->session), out->crash, sizeof out->crash);
    snprintf(out->trouble, sizeof out->trouble, "%s", r->trouble.text);
    snprintf(out->dump, sizeof out->dump, "%s", r->dump);
    clean_up(r);
    if (out->counts.records == out->counts.system_records && !r->sampling.calls.told)
        outputs_discard(&r->outputs);
    child_release(&r->child);
}

/* The program's exit status stays its own even when this cannot be written. */
static void summarise(const struct recording *r, const struct cli_call *call,
                      const struct ending *end)
{
    struct oriel_err err = {0};
    const struct summary s = {
        .ending = end, .child = &r->child, .args = call->args, .start_unix_ns = r->started_unix_ns};
    if (r->options->summary && r->options->summary[0] &&
        summary_write(&s, r->options->summary, &err) < 0)
        cli_note("record: %s", err.text);
}

static int exit_code(int rc)
{
    return rc == ORIEL_ENOTFOUND ? CLI_NOT_FOUND
           : rc == ORIEL_EPERM   ? CLI_NOT_EXECUTABLE
                                 : CLI_FAILED;
}

static int run(const struct cli_call *call)
{
    struct recording r = {.options = call->options, .call = call, .opening = -1};
    struct oriel_err err = {0};
    const struct calling_wish calls = {.pattern = r.options->calls,
                                       .depth = (uint32_t)r.options->calls_depth,
                                       .sums = r.options->calls_mode == CALLS_SUMS};
    int rc = child_find(call->args[0], r.exe, sizeof r.exe, &err);
    if (rc < 0) {
        cli_note("%s", err.text);
        return exit_code(rc);
    }
    probe_sweep(); /* what one that was killed left behind */
    rc = probing_make(&r.probing, r.options->events, r.exe, 0, r.options->returns, &err);
    if (rc == 0)
        rc = calling_make(&r.calling, &calls, r.exe, &err);
    if (rc == 0)
        rc = prepare(&r, call, &err);
    int status = rc == ORIEL_EINVAL ? CLI_USAGE : CLI_FAILED;
    if (rc == 0)
        rc = watch_heap(&r, &err);
    if (rc == 0)
        rc = watch_locks(&r, &err);
    if (rc == 0)
        rc = watch_calls(&r, &err);
    if (rc == 0) {
        watch_cpu(&r);
        r.probing.options.ring_bytes = r.options->probe_ring;
        probing_start(&r.probing, r.session, getpid(), false);
        if (r.options->syscalls) /* last: what else is started here is not the program */
            sampling_calls(&r.sampling, r.session, getpid(), false);
        if (r.options->policy == WIRE_POLICY_OVERWRITE_OLDEST)
            session_set_held(r.session, r.options->ring);
        rc = start(&r, call, &err);
        status = exit_code(rc);
    }
    if (rc < 0) {
        cli_note("record: %s", err.text);
        clean_up(&r);
        outputs_discard(&r.outputs);
        return status;
    }
    struct ending end;
    watch_system(&r);
    follow(&r);
    finish(&r, &end);
    end.program = call->args[0];
    summarise(&r, call, &end);
    ending_say(&end);
    return child_exit_like(r.child.status);
}

const struct cli_command cli_command_record = {
    .name = "record",
    .summary = "run a program and record what it says",
    .args = "[--] PROGRAM [ARGS]",
    .description =
        "Starts PROGRAM with a ring of shared memory, drains the ring while it runs and writes a "
        "capture. The program keeps its standard streams, its process group and its exit status: "
        "a death by signal is passed on as one. Whatever happens to the recorder (killed, "
        "stopped, disk full), the program goes on; what could not be kept is counted. If the "
        "recorder is killed, oriel recover saves what is left in the ring.",
    .examples = "oriel record -- ./server --port 80      # into .oriel/runs\n"
                "oriel record -o c.oriel --filter info,db=debug -- make test",
    .options = options,
    .options_size = sizeof(struct record_options),
    .min_args = 1,
    .max_args = -1,
    .program = true,
    .outlet = true,
    .run = run,
};

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Opens the sampling source of a session and writes into the recording what it
 * could not see.
 */
#include "cli/sampling.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/symbolize.h"
#include "session/artifact.h"
#include "util/num.h"

#define CUT_TOLD 50u /* one stack of so many that is not whole is worth a line */

/* An outlet may have an option that says it wants none. */
static bool wants_symbols(const struct exporter *e, const struct cli_call *call)
{
    const struct option_def *d = e->options ? option_find(e->options, "symbols", 7) : NULL;
    if (!(e->wants & EXPORT_SYMBOLS))
        return false;
    if (e != call->outlet || !d || d->type != OPTION_BOOL)
        return true;
    bool value;
    memcpy(&value, (const char *)call->outlet_options + d->offset, sizeof value);
    return value;
}

static void tell_count(struct model_catalog *c, const char *key, uint64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    if (n)
        (void)artifact_set(c, key, text);
}

/* Stacks that are not whole. */
static void tell_cut(struct model_catalog *c, const struct perf_ability *can)
{
    char text[200];
    tell_count(c, "oriel.sample.stacks", can->stacks);
    tell_count(c, "oriel.sample.stacks_cut", can->cut);
    if (can->cut && can->cut_by)
        (void)artifact_set(c, "oriel.sample.stacks_cut_by", can->cut_by);
    snprintf(text, sizeof text, "%.1f %% of %llu %s not reach the thread's start, most because: %s",
             (double)can->cut * 100 / (double)(can->stacks ? can->stacks : 1),
             (unsigned long long)can->stacks, num_noun(can->stacks, "stack does", "stacks do"),
             can->cut_by ? can->cut_by : "");
    if (can->cut * CUT_TOLD > can->stacks)
        (void)artifact_set(c, "oriel.sample.cut", text);
}

static void add_missed(struct perf_ability *can, uint64_t count, const char *one, const char *many,
                       const char *why)
{
    const size_t n = strlen(can->missing);
    if (count)
        snprintf(can->missing + n, sizeof can->missing - n, "%s%llu %s%s", n ? "; " : "",
                 (unsigned long long)count, num_noun(count, one, many), why);
}

/* Behind what is never seen here. Once: there may be several ends. */
static void tell_missed(struct perf_ability *can, struct model_catalog *c)
{
    if (can->missed_told ||
        !(can->unknown || can->unseen_wakes || can->unseen_waits || can->unseen_backs))
        return;
    add_missed(can, can->unknown, "thread", "threads", ": there were too many at one time");
    add_missed(can, can->unseen_wakes, "wake-up", "wake-ups", "");
    add_missed(can, can->unseen_waits, "wait", "waits", "");
    add_missed(can, can->unseen_backs, "return to a CPU", "returns to a CPU",
               " (the wait ends with the wake-up, or when the thread was next met)");
    can->missed_told = true;
    (void)artifact_set(c, "oriel.sample.missing", can->missing);
}

/* Outlets that write functions get them before they close. What was lost is
 * part of the recording. */
static void before_close(void *user, struct model_catalog *c)
{
    struct sampling *s = user;
    const struct perf_ability *can = &s->can;
    bool wanted = false, segments = false;
    for (unsigned i = 0; i < s->outputs->count; i++) {
        wanted |= wants_symbols(s->outputs->items[i].exporter, s->call);
        segments |= (s->outputs->items[i].exporter->wants & EXPORT_SEGMENTS) != 0;
    }
    if (wanted)
        (void)symbolize(c, false);
    if (segments)
        (void)symbolize_segments(c);
    tell_count(c, "oriel.syscalls.lost", s->calls.lost);
    tell_count(c, "oriel.syscalls.overwritten", s->calls.overwritten);
    tell_count(c, "oriel.syscalls.unwatched", s->calls.unwatched);
    tell_count(c, "oriel.sample.lost", can->lost);
    tell_count(c, "oriel.own.cpu_ns", can->own_ns);
    tell_cut(c, can);
    tell_count(c, "oriel.wait.unseen_backs", can->unseen_backs);
    tell_count(c, "oriel.wait.unseen_waits", can->unseen_waits);
    tell_count(c, "oriel.wait.unseen_wakes", can->unseen_wakes);
    tell_missed(&s->can, c);
}

void sampling_calls(struct sampling *sampling, struct session *s, int32_t pid, bool running)
{
    struct syscall_ability *can = &sampling->calls;
    const struct syscall_options how = {.pid = pid, .running = running, .ability = can};
    struct oriel_err err = {0};
    sampling_names(sampling, s);
    if (session_add_source(s, &source_syscall, &how, &err) < 0)
        snprintf(can->missing, sizeof can->missing, "no system calls: %.200s", err.text);
    else
        (void)artifact_set(session_catalog(s), "oriel.syscalls", "on");
    if (can->missing[0])
        (void)artifact_set(session_catalog(s), "oriel.syscalls.missing", can->missing);
}

/* What the kernel copies of a stack, at most 65528. Its buffer holds half a MiB for
 * a plain user, four for each CPU for root: the more samples, the less of each.
 * What is deeper is read from the program. */
static uint32_t stack_bytes(int64_t rate)
{
    if (rate <= (geteuid() == 0 ? 500 : 200))
        return 65528;
    return rate <= 1000 ? 32768 : 8192;
}

void sampling_names(struct sampling *sampling, struct session *s)
{
    session_on_close(s, before_close, sampling);
}

int sampling_start(struct sampling *sampling, struct session *s, int32_t pid, bool running,
                   struct oriel_err *err)
{
    assert(sampling->rate > 0 && sampling->outputs && sampling->call);
    struct perf_ability *can = &sampling->can;
    const struct perf_options how = {.pid = pid,
                                     .running = running,
                                     .rate = (uint32_t)sampling->rate,
                                     .stack_bytes = stack_bytes(sampling->rate),
                                     .off_cpu = true,
                                     .kernel = true,
                                     .ability = can};
    char rate[24];
    sampling_names(sampling, s);
    int rc = session_add_source(s, &source_perf, &how, err);
    if (rc < 0)
        snprintf(can->missing, sizeof can->missing, "no samples: %.200s", err->text);
    snprintf(rate, sizeof rate, "%lld", (long long)sampling->rate);
    struct model_catalog *c = session_catalog(s);
    if (rc == 0)
        (void)artifact_set(c, "oriel.sample.rate", rate);
    if (can->missing[0])
        (void)artifact_set(c, "oriel.sample.missing", can->missing);
    return rc;
}

/* In a hurry about as long as from one sample of a CPU to the next: sooner there is
 * nothing. Else until a ring is half full, but so that who looks on sees it soon. */
uint64_t sampling_sleep_ns(const struct sampling *sampling)
{
    const uint64_t least = 4000000, most = 10000000, leisure = 50000000;
    uint64_t ns = 1000000000u / (uint64_t)(sampling->rate > 0 ? sampling->rate : 1);
    if (sampling_wake_fd(sampling) >= 0 && !sampling->can.hurry)
        return leisure;
    return ns < least ? least : ns > most ? most : ns;
}

int sampling_wake_fd(const struct sampling *sampling)
{
    return sampling->can.cpu ? sampling->can.wake_fd : -1;
}

void sampling_inside(struct sampling *sampling, struct session *s)
{
    struct perf_ability *can = &sampling->can;
    struct model_catalog *c = session_catalog(s);
    char rate[24], why[sizeof can->missing];
    snprintf(why, sizeof why, "%s", can->missing);
    const char *from = strncmp(why, "no samples: ", 12) == 0 ? why + 12 : why;
    snprintf(can->missing, sizeof can->missing,
             "no kernel frames, no waiting, nothing of static and set-uid programs, and at most "
             "one sample per tick: %.100s, so the program samples itself",
             from);
    snprintf(rate, sizeof rate, "%lld", (long long)sampling->rate);
    (void)artifact_set(c, "oriel.sample.rate", rate);
    (void)artifact_set(c, "oriel.sample.inside", "true");
    (void)artifact_set(c, "oriel.sample.missing", can->missing);
}

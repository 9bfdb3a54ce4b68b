/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Asks the kernel, one ability at a time. A missing ability is no error.
 */
#include "cli/doctor.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/os.h"
#include "source/perf_options.h"
#include "source/region_io.h"
#include "source/region_left.h"
#include "source/syscall_options.h"
#include "util/left_out.h"
#include "util/num.h"

#define RING_BYTES (16u << 20)

const char *doctor_state_text(enum doctor_state state)
{
    static const char *const texts[] = {"ok", "limited", "missing"};
    assert((unsigned)state < 3);
    return texts[state];
}

__attribute__((format(printf, 3, 4))) static void
say(struct doctor_finding *f, enum doctor_state state, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(f->text, sizeof f->text, format, args);
    va_end(args);
    f->state = state;
}

static void remedy(struct doctor_finding *f, const char *text)
{
    snprintf(f->remedy, sizeof f->remedy, "%s", text);
}

/* An integer in a small file of proc or sys; false if it is not there. */
static bool read_number(const char *path, long *out)
{
    char text[64], *end;
    if (os_read_file(path, text, sizeof text) <= 0)
        return false;
    *out = strtol(text, &end, 10);
    return end != text;
}

static bool free_bytes(const char *path, uint64_t *out)
{
    struct statvfs v;
    if (statvfs(path, &v) != 0)
        return false;
    *out = (uint64_t)v.f_bavail * v.f_frsize;
    return true;
}

static void ask_runtime_dir(struct doctor_finding *f)
{
    char dir[256], size[NUM_TEXT_MAX];
    uint64_t bytes = 0;
    int rc = os_runtime_dir(dir, sizeof dir);
    if (rc < 0) {
        struct oriel_err err;
        err_set_errno(&err, -rc, "no private directory in memory");
        say(f, DOCTOR_MISSING, "%s", err.text);
        remedy(f, "mount a tmpfs on /dev/shm, or record with --memfd");
        return;
    }
    bool enough = free_bytes(dir, &bytes) && bytes >= RING_BYTES + (8u << 20);
    say(f, enough ? DOCTOR_OK : DOCTOR_LIMITED, "%s, %s free", dir, num_bytes(size, bytes));
    if (!enough)
        remedy(f,
               "enlarge it (mount -o remount,size=256M /dev/shm), or record with a smaller --ring");
}

static void ask_memfd(struct doctor_finding *f)
{
    void *p = NULL;
    int fd = -1;
    int rc = os_create_memfd("oriel-doctor", 4096, 4096, &fd, &p);
    if (rc < 0) {
        struct oriel_err err;
        err_set_errno(&err, -rc, "refused");
        say(f, DOCTOR_MISSING, "%s", err.text);
        remedy(f, "the ring stays a file in the runtime directory; nothing to do");
        return;
    }
    os_unmap(p, 4096);
    close(fd);
    say(f, DOCTOR_OK, "memfd with seals");
}

static void ask_clock(struct doctor_finding *f)
{
    char source[64] = "unknown";
    if (os_read_file("/sys/devices/system/clocksource/clocksource0/current_clocksource", source,
                     sizeof source) > 0)
        source[strcspn(source, "\n")] = 0;
    enum oriel_clock clock = clock_choose();
    if (clock != ORIEL_CLOCK_MONOTONIC) {
        say(f, DOCTOR_OK, "%s (kernel: %s)",
            clock == ORIEL_CLOCK_TSC ? "time stamp counter" : "counter register", source);
        return;
    }
    say(f, DOCTOR_LIMITED, "CLOCK_MONOTONIC: about 10 ns more per record (kernel: %s)", source);
    remedy(f, "boot with clocksource=tsc if the machine's counter is invariant");
}

static void ask_perf(struct doctor_finding *f)
{
    static const char *const means[] = {"kernel and CPU-wide events too",
                                        "kernel side of own processes too",
                                        "user side of own processes only", "root only"};
    long level;
    if (!read_number("/proc/sys/kernel/perf_event_paranoid", &level)) {
        say(f, DOCTOR_MISSING, "this kernel has no perf events");
        remedy(f, "a kernel with CONFIG_PERF_EVENTS");
        return;
    }
    int i = level <= 0 ? 0 : level >= 3 ? 3 : (int)level;
    bool root = geteuid() == 0;
    say(f,
        root || i <= 1 ? DOCTOR_OK
        : i == 2       ? DOCTOR_LIMITED
                       : DOCTOR_MISSING,
        "perf_event_paranoid %ld: %s%s", level, means[i], root ? " (we are root: all)" : "");
    if (!root && i > 1)
        remedy(f, "sysctl kernel.perf_event_paranoid=1, or run as root");
}

static const char *tracefs(void)
{
    if (access("/sys/kernel/tracing/trace", F_OK) == 0)
        return "/sys/kernel/tracing";
    if (access("/sys/kernel/debug/tracing/trace", F_OK) == 0)
        return "/sys/kernel/debug/tracing";
    return NULL;
}

static void remedy_tracefs(struct doctor_finding *f)
{
    remedy(f, "as root: mount -t tracefs tracefs /sys/kernel/tracing");
}

/* Not what the settings say, but what opening them brings. */
static void ask_sampling(struct doctor_finding *f)
{
    const struct perf_options how = {
        .rate = 99, .stack_bytes = 8192, .off_cpu = true, .kernel = true};
    struct perf_ability can;
    perf_try(&how, &can);
    if (!can.cpu) {
        say(f, DOCTOR_MISSING, "%s", can.missing);
        remedy(f, "sysctl kernel.perf_event_paranoid=2, or run as root");
        return;
    }
    say(f, can.missing[0] ? DOCTOR_LIMITED : DOCTOR_OK, "by %s%s%s%s%s",
        can.hardware ? "CPU cycles" : "the CPU clock", can.kernel ? ", kernel frames" : "",
        can.off_cpu_stack ? ", stacks of waiting threads" : "", can.missing[0] ? "; " : "",
        can.missing);
    if (can.missing[0] && can.kernel && !tracefs()) /* tracepoints are named there */
        remedy_tracefs(f);
    else if (can.missing[0])
        remedy(f, "sysctl kernel.perf_event_paranoid=1, or run as root");
}

static void ask_ptrace(struct doctor_finding *f)
{
    long scope;
    if (!read_number("/proc/sys/kernel/yama/ptrace_scope", &scope)) {
        say(f, DOCTOR_OK, "no restriction beyond same user");
        return;
    }
    bool root = geteuid() == 0;
    if (scope == 0 || (root && scope < 3))
        say(f, DOCTOR_OK, "ptrace_scope %ld%s", scope, root ? " (we are root)" : "");
    else if (scope == 1)
        say(f, DOCTOR_LIMITED, "ptrace_scope 1: own children only");
    else
        say(f, DOCTOR_MISSING, "ptrace_scope %ld", scope);
    if (f->state != DOCTOR_OK)
        remedy(f, "sysctl kernel.yama.ptrace_scope=0, or run as root");
}

static void ask_tracefs(struct doctor_finding *f)
{
    const char *at = tracefs();
    if (at && access(at, R_OK | X_OK) == 0) {
        say(f, DOCTOR_OK, "%s", at);
        return;
    }
    say(f, DOCTOR_MISSING, at ? "%s is closed to this user" : "%s is not mounted",
        at ? at : "/sys/kernel/tracing");
    remedy_tracefs(f);
}

static void ask_uprobes(struct doctor_finding *f)
{
    char path[128];
    const char *at = tracefs();
    snprintf(path, sizeof path, "%s/uprobe_events", at ? at : "/sys/kernel/tracing");
    if (at && access(path, W_OK) == 0) {
        say(f, DOCTOR_OK, "can be set");
        return;
    }
    say(f, DOCTOR_MISSING, "%s: %s", path,
        at && access(path, F_OK) == 0 ? "not writable" : "not there");
    remedy(f, "run as root, on a kernel with CONFIG_UPROBE_EVENTS");
}

static void ask_syscalls(struct doctor_finding *f)
{
    struct syscall_ability can;
    syscall_try(&can);
    if (can.works)
        say(f, DOCTOR_OK, "counted in the kernel");
    else
        say(f, DOCTOR_MISSING, "%s", can.missing);
    if (!can.works)
        remedy(f, "run as root, on a kernel with CONFIG_BPF_EVENTS and CONFIG_FTRACE_SYSCALLS");
}

static void ask_core(struct doctor_finding *f)
{
    struct rlimit l = {0, 0};
    char pattern[128] = "core", size[NUM_TEXT_MAX];
    getrlimit(RLIMIT_CORE, &l);
    if (os_read_file("/proc/sys/kernel/core_pattern", pattern, sizeof pattern) > 0)
        pattern[strcspn(pattern, "\n")] = 0;
    if (l.rlim_cur == RLIM_INFINITY)
        say(f, DOCTOR_OK, "unlimited, to \"%.150s\"", pattern);
    else
        say(f, l.rlim_cur ? DOCTOR_OK : DOCTOR_LIMITED, "limit %s, to \"%.150s\"",
            num_bytes(size, l.rlim_cur), pattern);
    if (!l.rlim_cur)
        remedy(f, "ulimit -c unlimited, if you want core files; Oriel does not need them");
}

static void ask_disk(struct doctor_finding *f)
{
    char size[NUM_TEXT_MAX];
    uint64_t bytes = 0;
    bool known = free_bytes(".", &bytes);
    bool writable = access(".", W_OK) == 0;
    bool ok = known && writable && bytes >= (1u << 30);
    say(f,
        ok          ? DOCTOR_OK
        : !writable ? DOCTOR_MISSING
                    : DOCTOR_LIMITED,
        "%s free here%s", num_bytes(size, bytes),
        writable ? "" : ", but this directory is not writable");
    if (!ok)
        remedy(f, "record elsewhere with -o FILE, or limit the capture with --max-size");
}

static void ask_memlock(struct doctor_finding *f)
{
    struct rlimit l = {0, 0};
    char size[NUM_TEXT_MAX];
    getrlimit(RLIMIT_MEMLOCK, &l);
    bool all = l.rlim_cur == RLIM_INFINITY || geteuid() == 0;
    bool ok = all || l.rlim_cur >= (1u << 20);
    say(f, ok ? DOCTOR_OK : DOCTOR_LIMITED, "%s",
        all ? "no limit" : num_bytes(size, (uint64_t)l.rlim_cur));
    if (!ok)
        remedy(f, "ulimit -l 8192: perf buffers are locked memory");
}

static void ask_files(struct doctor_finding *f)
{
    struct rlimit l = {0, 0};
    getrlimit(RLIMIT_NOFILE, &l);
    bool ok = l.rlim_cur >= 256;
    say(f, ok ? DOCTOR_OK : DOCTOR_LIMITED, "%llu open files", (unsigned long long)l.rlim_cur);
    if (!ok)
        remedy(f, "ulimit -n 1024");
}

static void ask_orphans(struct doctor_finding *f)
{
    struct region_info *info = NULL;
    struct oriel_err err = {0};
    size_t count = 0, orphans = 0;
    char size[NUM_TEXT_MAX], n[NUM_TEXT_MAX], unread[NUM_TEXT_MAX], gone[96] = "";
    uint64_t bytes = 0;
    struct region_removed removed;
    if (region_list(NULL, &info, &count, &err) < 0) {
        say(f, DOCTOR_LIMITED, "%.200s", err.text);
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (region_is_orphan(&info[i])) {
            orphans++;
            bytes += info[i].memory_bytes;
        }
    mem_free(info);
    if (region_removed_read(NULL, &removed) == 0 && removed.rings)
        snprintf(gone, sizeof gone, "; %s older %s removed, %s unread", num_count(n, removed.rings),
                 num_noun(removed.rings, "one", "ones"), num_bytes(unread, removed.unread_bytes));
    say(f, orphans || removed.rings ? DOCTOR_LIMITED : DOCTOR_OK,
        "%zu left behind (%s of memory), %zu in use%s", orphans, num_bytes(size, bytes),
        count - orphans, gone);
    if (orphans || removed.rings)
        remedy(f, "oriel recover");
}

static void ask_components(struct doctor_finding *f)
{
    size_t at = 0;
    say(f, DOCTOR_OK, "all there are");
    for (size_t i = 0; left_out_component(i) && at < sizeof f->text; i++) {
        f->state = DOCTOR_LIMITED;
        at += (size_t)snprintf(f->text + at, sizeof f->text - at, "%s%s",
                               i ? ", " : "this build was made without ", left_out_component(i));
    }
    if (f->state != DOCTOR_OK)
        remedy(f, "another build, where they are needed: cmake -U ORIEL_WITHOUT");
}

const struct doctor_probe doctor_probes[] = {
    {"runtime directory", "rings that survive a killed program", ask_runtime_dir},
    {"memfd", "rings nobody can cut short (--memfd)", ask_memfd},
    {"clock", "cheap and exact times", ask_clock},
    {"orphan rings", "recordings that ended badly", ask_orphans},
    {"disk", "room for captures", ask_disk},
    {"perf events", "CPU samples, off-CPU time, hardware counters", ask_perf},
    {"sampling", "oriel record --rate", ask_sampling},
    {"ptrace", "attaching to running programs", ask_ptrace},
    {"tracefs", "scheduler and system call events", ask_tracefs},
    {"uprobes", "probes in unmodified programs", ask_uprobes},
    {"system calls", "oriel record --syscalls", ask_syscalls},
    {"core files", "post-mortem memory", ask_core},
    {"locked memory", "perf buffers of other users than root", ask_memlock},
    {"open files", "many programs at once", ask_files},
    {"components", "outlets and commands that builds may have", ask_components},
    {0},
};

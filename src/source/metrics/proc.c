/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reads /proc of the observed processes. Names of processes are theirs to
 * choose and may hold anything: fields are counted from the last bracket. Runs
 * in the recorder, on its thread, or in the program's own drain thread.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "source/metrics/metrics.h"

enum {
    TEXT_BYTES = 4096,
    PIDS_MAX = 1024,   /* of one program; more are not looked at */
    THREADS_MAX = 256, /* whose switches are added up */
    DESCRIPTORS_MAX = 1 << 16
};

/* Fields of /proc/PID/stat after the name in brackets, from 0. */
enum {
    STAT_STATE = 0,
    STAT_PPID = 1,
    STAT_MINFLT = 7,
    STAT_CMINFLT = 8,
    STAT_MAJFLT = 9,
    STAT_CMAJFLT = 10,
    STAT_UTIME = 11,
    STAT_STIME = 12,
    STAT_CUTIME = 13,
    STAT_CSTIME = 14,
    STAT_THREADS = 17,
    STAT_START = 19,
    STAT_VSIZE = 20,
    STAT_RSS = 21,
    STAT_FIELDS = 22
};

static bool read_stat(const char *proc, int32_t pid, uint64_t out[STAT_FIELDS])
{
    char path[64], text[TEXT_BYTES];
    snprintf(path, sizeof path, "%s/%d/stat", proc, pid);
    long n = os_read_file(path, text, sizeof text - 1);
    if (n <= 0)
        return false;
    text[n] = 0;
    char *at = strrchr(text, ')');
    if (!at || at[1] != ' ')
        return false;
    at += 2;
    for (int i = 0; i < STAT_FIELDS; i++) {
        out[i] = i == STAT_STATE ? (uint8_t)*at : strtoull(at, NULL, 10);
        at = strchr(at, ' ');
        if (!at)
            return i + 1 == STAT_FIELDS;
        at++;
    }
    return true;
}

/* "Name:   123 kB" of a file of such lines, in bytes or as it is. 0: none. */
static uint64_t value_of(const char *text, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, n) != 0 || line[n] != ':')
            continue;
        char *end;
        uint64_t v = strtoull(line + n + 1, &end, 10);
        return strncmp(end, " kB", 3) == 0 ? v * 1024 : v;
    }
    return 0;
}

static bool read_lines(const char *proc, int32_t pid, const char *name, char text[TEXT_BYTES])
{
    char path[128];
    int length = snprintf(path, sizeof path, "%s/%d/%s", proc, pid, name);
    long n =
        length < 0 || (size_t)length >= sizeof path ? -1 : os_read_file(path, text, TEXT_BYTES - 1);
    text[n > 0 ? n : 0] = 0;
    return n > 0;
}

/* ---- who ---- */

/* Helpers that the recorder starts for itself are its children as well as orphans of the
 * program are: they run what it runs. */
static bool is_helper(const char *proc, int32_t pid, int32_t recorder)
{
    char path[96], its[512], own[512];
    snprintf(path, sizeof path, "%s/%d/exe", proc, pid);
    ssize_t n = readlink(path, its, sizeof its);
    snprintf(path, sizeof path, "%s/%d/exe", proc, recorder);
    return n > 0 && readlink(path, own, sizeof own) == n && memcmp(its, own, (size_t)n) == 0;
}

/* Each once; what is beyond the limit is left out. */
static int add_pid(struct metrics_pids *out, int32_t pid)
{
    for (size_t i = 0; i < out->items.count; i++)
        if (out->items.items[i] == pid)
            return 0;
    if (out->items.count == PIDS_MAX)
        return 0;
    int32_t *at = VEC_PUSH(&out->items);
    if (at)
        *at = pid;
    return at ? 0 : ORIEL_ENOMEM;
}

struct family {
    int32_t pid, parent;
    bool ours, helper;
};

/* Everybody whose parent is one of us, until nobody new is found. */
static void adopt(struct family *all, size_t n, int32_t pid, int32_t recorder)
{
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < n; i++) {
            bool ours =
                all[i].pid == pid || (recorder && all[i].parent == recorder && !all[i].helper);
            for (size_t k = 0; k < n && !ours && !all[i].ours; k++)
                ours = all[k].ours && all[k].pid == all[i].parent;
            again |= ours && !all[i].ours;
            all[i].ours |= ours;
        }
    }
}

/* Everybody, by name of the parent: for kernels that do not tell children. */
static int find_all(const char *proc, int32_t pid, int32_t recorder, struct metrics_pids *out)
{
    VEC(struct family) all = {0};
    DIR *d = opendir(proc);
    int rc = 0;
    for (struct dirent *e; d && rc == 0 && (e = readdir(d)) != NULL;) {
        uint64_t stat[STAT_FIELDS];
        int32_t one = (int32_t)strtol(e->d_name, NULL, 10);
        if (one <= 0 || one == recorder || !read_stat(proc, one, stat) ||
            (one != pid && stat[STAT_PPID] <= 2))
            continue;
        struct family *f = VEC_PUSH(&all);
        if (f)
            *f = (struct family){.pid = one,
                                 .parent = (int32_t)stat[STAT_PPID],
                                 .helper = recorder && is_helper(proc, one, recorder)};
        else
            rc = ORIEL_ENOMEM;
    }
    if (d)
        closedir(d);
    adopt(all.items, all.count, pid, recorder);
    for (size_t i = 0; i < all.count && rc == 0; i++)
        rc = all.items[i].ours ? add_pid(out, all.items[i].pid) : 0;
    VEC_DONE(&all);
    return rc;
}

/* The children that each thread of a process has. */
static int add_children(const char *proc, int32_t pid, struct metrics_pids *out)
{
    char path[64], name[64], text[TEXT_BYTES];
    int rc = 0;
    snprintf(path, sizeof path, "%s/%d/task", proc, pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && rc == 0 && (e = readdir(d)) != NULL;) {
        long tid = strtol(e->d_name, NULL, 10);
        snprintf(name, sizeof name, "task/%ld/children", tid);
        if (tid <= 0 || !read_lines(proc, pid, name, text))
            continue;
        char *at = text, *end = text;
        for (long child; rc == 0 && (child = strtol(at, &end, 10)) > 0 && end != at; at = end)
            rc = add_pid(out, (int32_t)child);
    }
    if (d)
        closedir(d);
    return rc;
}

int metrics_find(const char *proc, int32_t pid, int32_t recorder, struct metrics_pids *out)
{
    char path[96];
    int rc = 0;
    out->items.count = 0;
    snprintf(path, sizeof path, "%s/%d/task/%d/children", proc, pid, pid);
    if (access(path, R_OK) != 0)
        return find_all(proc, pid, recorder, out);
    if (recorder)
        rc = add_children(proc, recorder, out);
    size_t kept = 0;
    for (size_t i = 0; i < out->items.count; i++)
        if (out->items.items[i] != pid && !is_helper(proc, out->items.items[i], recorder))
            out->items.items[kept++] = out->items.items[i];
    out->items.count = kept;
    if (rc == 0)
        rc = add_pid(out, pid);
    for (size_t i = 0; i < out->items.count && rc == 0; i++)
        rc = add_children(proc, out->items.items[i], out);
    return rc;
}

/* ---- what ---- */

static uint64_t count_descriptors(const char *proc, int32_t pid)
{
    char path[64];
    uint64_t n = 0;
    snprintf(path, sizeof path, "%s/%d/fd", proc, pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && n < DESCRIPTORS_MAX && (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    if (d && n && pid == os_getpid())
        n--; /* this one itself */
    if (d)
        closedir(d);
    return n;
}

static void add_switches(const char *proc, int32_t pid, struct metrics_reading *sum)
{
    char path[64], name[64], text[TEXT_BYTES];
    unsigned n = 0;
    snprintf(path, sizeof path, "%s/%d/task", proc, pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && n < THREADS_MAX && (e = readdir(d)) != NULL;) {
        long tid = strtol(e->d_name, NULL, 10);
        snprintf(name, sizeof name, "task/%ld/status", tid);
        if (tid <= 0 || !read_lines(proc, pid, name, text))
            continue;
        sum->voluntary_switches += value_of(text, "voluntary_ctxt_switches");
        sum->involuntary_switches += value_of(text, "nonvoluntary_ctxt_switches");
        n++;
    }
    if (d)
        closedir(d);
}

bool metrics_read(const char *proc, int32_t pid, bool thorough, struct metrics_reading *sum)
{
    uint64_t s[STAT_FIELDS];
    char text[TEXT_BYTES];
    if (!read_stat(proc, pid, s))
        return false;
    const uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    sum->processes++;
    sum->cpu_ns += (s[STAT_UTIME] + s[STAT_STIME] + s[STAT_CUTIME] + s[STAT_CSTIME]) * tick_ns;
    sum->minor_faults += s[STAT_MINFLT] + s[STAT_CMINFLT];
    sum->major_faults += s[STAT_MAJFLT] + s[STAT_CMAJFLT];
    if (read_lines(proc, pid, "io", text)) {
        sum->read_bytes += value_of(text, "read_bytes");
        sum->written_bytes += value_of(text, "write_bytes");
    }
    if (s[STAT_STATE] == 'Z' || s[STAT_STATE] == 'X')
        return true; /* over: it has neither memory nor threads any more */
    sum->threads += s[STAT_THREADS];
    sum->virtual_bytes += s[STAT_VSIZE];
    sum->rss_bytes += s[STAT_RSS] * page;
    sum->descriptors += count_descriptors(proc, pid);
    if (read_lines(proc, pid, "status", text)) {
        uint64_t peak = value_of(text, "VmHWM");
        sum->anonymous_bytes += value_of(text, "RssAnon");
        sum->peak_rss_bytes = peak > sum->peak_rss_bytes ? peak : sum->peak_rss_bytes;
    }
    if (!thorough)
        return true;
    add_switches(proc, pid, sum);
    if (read_lines(proc, pid, "smaps_rollup", text))
        sum->pss_bytes += value_of(text, "Pss");
    return true;
}

uint64_t metrics_age_ns(const char *proc, int32_t pid)
{
    uint64_t s[STAT_FIELDS];
    struct timespec now;
    if (!read_stat(proc, pid, s) || clock_gettime(CLOCK_BOOTTIME, &now) != 0)
        return 0;
    uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    uint64_t start_ns = s[STAT_START] * tick_ns;
    return now_ns > start_ns ? now_ns - start_ns : 0;
}

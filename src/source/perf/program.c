/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which program a process is. Looking it up takes time, in which a short one is
 * gone and a quick one has become another: what the kernel's records say, in
 * their order, comes first.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "source/perf/source.h"

static struct model_process *add(struct perf_source *p, int32_t pid, struct model_str exe,
                                 struct model_str cmdline, uint64_t unix_ns)
{
    struct model_process *new = model_catalog_add_process(p->catalog, pid, exe, cmdline);
    if (new) {
        new->start_ns = unix_ns;
        /* Ticks are nanoseconds of the monotonic clock, until the program says better. */
        new->clock.now = (struct clock_piece){0, p->unix_offset, UINT64_C(1) << 32};
        new->clock.before = new->clock.now;
    }
    return new;
}

static struct model_process *look_up(struct perf_source *p, int32_t pid, uint64_t unix_ns)
{
    char path[64], cmdline[1024], exe[512];
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    ssize_t n = readlink(path, exe, sizeof exe);
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    long m = os_read_file(path, cmdline, sizeof cmdline);
    return add(p, pid, (struct model_str){exe, n > 0 ? (uint32_t)n : 0},
               (struct model_str){cmdline, m > 0 ? (uint32_t)m - (cmdline[m - 1] == 0) : 0},
               unix_ns);
}

struct model_process *program_of(struct perf_source *p, int32_t pid, uint64_t unix_ns)
{
    struct model_process *known = model_catalog_find_process(p->catalog, pid);
    return known ? known : look_up(p, pid, unix_ns);
}

void program_forked(struct perf_source *p, int32_t pid, int32_t parent, uint64_t unix_ns)
{
    const struct model_process *from = model_catalog_find_process(p->catalog, parent),
                               *known = model_catalog_find_process(p->catalog, pid);
    if (from && (!known || known->start_ns < unix_ns))
        (void)add(p, pid, from->exe, from->cmdline, unix_ns);
}

void program_replaced(struct perf_source *p, int32_t pid, uint64_t unix_ns)
{
    const struct model_process *known = model_catalog_find_process(p->catalog, pid);
    if (known && known->start_ns < unix_ns)
        (void)look_up(p, pid, unix_ns);
}

/* The path as seen from here may lie deeper than as seen by the process: a name
 * that is right stays. */
void program_mapped(struct perf_source *p, const struct perf_record *r)
{
    struct perf_thread *t = perf_source_thread(p, r->pid);
    if (!t || !t->exe_due || r->u.map.path[0] != '/')
        return;
    t->exe_due = false;
    const char *name = strrchr(r->u.map.path, '/') + 1;
    struct model_process *process = p->catalog->processes[t->thread->process];
    if (!model_str_equal(process->name, (struct model_str){name, (uint32_t)strlen(name)}))
        (void)model_process_set_program(
            p->catalog, process,
            (struct model_str){r->u.map.path, (uint32_t)strlen(r->u.map.path)});
}

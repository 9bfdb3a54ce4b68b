/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Breakpoints in the memory of traced programs: through /proc/PID/mem, a stretch
 * of pages at a time, before they run, and one by one by ptrace afterwards.
 */
#include "cli/cov_space.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static uint32_t word_at(const uint8_t *p)
{
    uint32_t w = 0;
    memcpy(&w, p, TRAP_BYTES);
    return w;
}

static int open_memory(pid_t tid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/mem", tid);
    return open(path, O_RDWR | O_CLOEXEC);
}

/* Several tries are one store: no page is shared with others after the first. */
bool space_put_word(pid_t tid, uint64_t addr, uint32_t word)
{
    errno = 0;
    long old = ptrace(PTRACE_PEEKTEXT, tid, addr, 0);
    if (errno)
        return false;
    memcpy(&old, &word, TRAP_BYTES);
    return ptrace(PTRACE_POKETEXT, tid, addr, old) == 0;
}

bool space_get_word(pid_t tid, uint64_t addr, uint32_t *out)
{
    errno = 0;
    long old = ptrace(PTRACE_PEEKTEXT, tid, addr, 0);
    *out = 0;
    memcpy(out, &old, TRAP_BYTES);
    return errno == 0;
}

/* First spot at or behind an offset. */
static size_t spot_from(const struct trace_object *o, uint64_t offset)
{
    size_t lo = 0, hi = o->count;
    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;
        if (o->spots[middle].offset < offset)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

/* One spot in a copy of the code: the breakpoint there, or away from there. */
static void change_spot(struct trace_spot *s, uint8_t *code, bool set)
{
    const uint32_t trap = TRAP_INSN;
    uint32_t now = word_at(code);
    if (!set) {
        if (s->known && !s->unusable && now == trap)
            memcpy(code, &s->original, TRAP_BYTES);
        return;
    }
    if (!s->known) {
        s->known = true;
        s->original = now;
        s->unusable = now == trap; /* the program's own */
    }
    /* Text that is not what it was elsewhere is left alone. */
    if (!s->unusable && !s->hit && now == s->original)
        memcpy(code, &trap, TRAP_BYTES);
}

/* All spots of one mapping, a stretch of pages at a time. */
static void change_range(pid_t tid, struct trace_object *o, const struct range *r, bool set)
{
    enum { STRETCH = 1 << 16 };
    int fd = open_memory(tid);
    uint8_t *code = fd >= 0 ? mem_alloc(STRETCH) : NULL;
    size_t i = spot_from(o, r->offset);
    uint64_t bytes = r->end - r->start;
    while (code && i < o->count && o->spots[i].offset - r->offset + TRAP_BYTES <= bytes) {
        uint64_t from = o->spots[i].offset - r->offset;
        size_t n = bytes - from < STRETCH ? (size_t)(bytes - from) : STRETCH;
        ssize_t got = pread(fd, code, n, (off_t)(r->start + from));
        if (got < TRAP_BYTES)
            break;
        size_t used = 0;
        for (; i < o->count; i++) {
            uint64_t at = o->spots[i].offset - r->offset - from;
            if (at + TRAP_BYTES > (uint64_t)got)
                break;
            change_spot(&o->spots[i], code + at, set);
            used = (size_t)at + TRAP_BYTES;
        }
        if (pwrite(fd, code, used, (off_t)(r->start + from)) != (ssize_t)used)
            break;
    }
    mem_free(code);
    if (fd >= 0)
        close(fd);
}

/* A line of /proc/PID/maps: executable, and of which file. */
static bool parse_mapping(char *line, struct range *out, uint64_t *out_ino, const char **out_path)
{
    char *p;
    out->start = strtoull(line, &p, 16);
    if (*p++ != '-')
        return false;
    out->end = strtoull(p, &p, 16);
    if (strlen(p) < 6 || p[3] != 'x') /* " r-xp " */
        return false;
    out->offset = strtoull(p + 6, &p, 16);
    p += strcspn(p, ":"); /* the device is not what stat says on some file systems */
    p += *p ? strcspn(p, " ") : 0;
    *out_ino = strtoull(p, &p, 10);
    p += strspn(p, " ");
    p[strcspn(p, "\n")] = 0;
    *out_path = p;
    return out->end > out->start && *out_ino;
}

/* The object that is mapped there; SIZE_MAX none. */
static size_t object_of(const struct trace *t, uint64_t ino, const char *path)
{
    struct stat st;
    for (size_t i = 0; i < t->count; i++)
        if (t->objects[i].ino == ino && stat(path, &st) == 0 && st.st_ino == ino &&
            st.st_dev == t->objects[i].dev)
            return i;
    return SIZE_MAX;
}

static bool knows(const struct space *s, uint64_t start)
{
    for (size_t i = 0; i < s->ranges.count; i++)
        if (s->ranges.items[i].start == start)
            return true;
    return false;
}

bool space_place(struct space *s, struct trace *t, pid_t tid)
{
    char path[64], line[4352];
    bool all = true;
    (void)snprintf(path, sizeof path, "/proc/%d/maps", tid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) {
        struct range r;
        uint64_t ino;
        const char *mapped;
        if (!parse_mapping(line, &r, &ino, &mapped) || knows(s, r.start))
            continue;
        size_t object = object_of(t, ino, mapped);
        struct range *slot = object == SIZE_MAX ? NULL : VEC_PUSH(&s->ranges);
        if (!slot) {
            all &= object == SIZE_MAX;
            continue;
        }
        *slot = r;
        slot->object = (uint32_t)object;
        change_range(tid, &t->objects[object], slot, true);
        t->objects[object].placed++;
    }
    if (f)
        fclose(f);
    return all;
}

void space_clear(struct space *s, struct trace *t, pid_t tid)
{
    for (size_t i = 0; i < s->ranges.count; i++)
        change_range(tid, &t->objects[s->ranges.items[i].object], &s->ranges.items[i], false);
    if (s->entry)
        (void)space_put_word(tid, s->entry, s->entry_word);
}

struct trace_spot *space_spot(const struct space *s, struct trace *t, uint64_t pc)
{
    for (size_t i = 0; i < s->ranges.count; i++) {
        const struct range *r = &s->ranges.items[i];
        if (pc < r->start || pc >= r->end)
            continue;
        struct trace_object *o = &t->objects[r->object];
        uint64_t offset = pc - r->start + r->offset;
        size_t k = spot_from(o, offset);
        if (k < o->count && o->spots[k].offset == offset && o->spots[k].known &&
            !o->spots[k].unusable)
            return &o->spots[k];
    }
    return NULL;
}

void space_done(struct space *s)
{
    VEC_DONE(&s->ranges);
}

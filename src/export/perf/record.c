/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Records of perf.data: a header of 8 bytes, the members that its type has, and at the end of
 * all that are no samples who and when (sample_id_all). Pure; one thread.
 */
#include <assert.h>
#include <string.h>

#include "export/perf/perfdata.h"

enum { PROT_READ_EXEC = 5, PRIVATE = 2, ID_BYTES = 24 };

void perfdata_put32(struct buf *b, uint32_t v)
{
    buf_put(b, &v, sizeof v);
}

void perfdata_put64(struct buf *b, uint64_t v)
{
    buf_put(b, &v, sizeof v);
}

void perfdata_put_zeros(struct buf *b, size_t n)
{
    char *p = n ? buf_reserve(b, n) : NULL;
    if (!p)
        return;
    memset(p, 0, n);
    b->size += n;
}

static void put_pair(struct buf *b, uint32_t low, uint32_t high)
{
    perfdata_put64(b, (uint64_t)high << 32 | low);
}

static size_t begin(struct buf *b, enum perfdata_record type, uint32_t misc)
{
    size_t at = b->size;
    put_pair(b, type, misc);
    return at;
}

static void end(struct buf *b, size_t at)
{
    size_t n = b->size - at;
    if (b->failed)
        return;
    assert(n <= UINT16_MAX && n % 8 == 0);
    uint16_t size = (uint16_t)n;
    memcpy(b->data + at + 6, &size, sizeof size);
}

/* What belongs to no event has the number 0. */
static void end_with_who(struct buf *b, size_t at, const struct perfdata_who *who)
{
    put_pair(b, (uint32_t)who->pid, (uint32_t)who->tid);
    perfdata_put64(b, who->t_ns);
    put_pair(b, who->cpu, 0);
    perfdata_put64(b, 0);
    end(b, at);
}

/* A text ends where C thinks it does. */
static size_t text_bytes(struct model_str s, size_t max)
{
    size_t n = s.n < max ? s.n : max;
    const char *stop = n ? memchr(s.p, 0, n) : NULL;
    return stop ? (size_t)(stop - s.p) : n;
}

/* Of one size whatever the name: it may be written again. */
void perfdata_put_comm(struct buf *b, const struct perfdata_who *who, struct model_str name,
                       bool exec)
{
    size_t at = begin(b, PERFDATA_COMM, exec ? PERFDATA_MISC_EXEC : 0),
           n = text_bytes(name, PERFDATA_NAME_MAX);
    put_pair(b, (uint32_t)who->pid, (uint32_t)who->tid);
    buf_put(b, name.p, n);
    perfdata_put_zeros(b, PERFDATA_NAME_MAX + 1 - n);
    end_with_who(b, at, who);
}

void perfdata_put_mapping(struct buf *b, const struct perfdata_who *who,
                          const struct perfdata_mapping *m)
{
    size_t at = begin(b, PERFDATA_MMAP2,
                      PERFDATA_MISC_USER | (m->build_id ? PERFDATA_MISC_BUILD_ID : 0)),
           n = text_bytes(m->path, PERFDATA_PATH_MAX);
    put_pair(b, (uint32_t)who->pid, (uint32_t)who->tid);
    perfdata_put64(b, m->start);
    perfdata_put64(b, m->bytes);
    perfdata_put64(b, m->offset);
    if (m->build_id) {
        assert(m->build_id_bytes <= PERFDATA_ID_MAX);
        perfdata_put32(b, m->build_id_bytes);
        buf_put(b, m->build_id, m->build_id_bytes);
        perfdata_put_zeros(b, (size_t)PERFDATA_ID_MAX - m->build_id_bytes);
    } else {
        perfdata_put_zeros(b, ID_BYTES); /* device and inode: not known */
    }
    put_pair(b, PROT_READ_EXEC, PRIVATE);
    buf_put(b, m->path.p, n);
    perfdata_put_zeros(b, 8 - n % 8);
    end_with_who(b, at, who);
}

/* The kernel, from its half of the address space on. The offset is where its text began, by which
 * readers move its symbols; 0: they take those of the kernel that runs as they are. */
void perfdata_put_kernel(struct buf *b, uint64_t t_ns, uint64_t text)
{
    static const char name[24] = "[kernel.kallsyms]_text";
    const struct perfdata_who who = {-1, 0, t_ns, UINT32_MAX};
    size_t at = begin(b, PERFDATA_MMAP, PERFDATA_MISC_KERNEL);
    put_pair(b, (uint32_t)-1, 0);
    perfdata_put64(b, PERFDATA_KERNEL_START);
    perfdata_put64(b, UINT64_MAX - PERFDATA_KERNEL_START);
    perfdata_put64(b, text);
    buf_put(b, name, sizeof name);
    end_with_who(b, at, &who);
}

void perfdata_put_life(struct buf *b, enum perfdata_record type, const struct perfdata_who *who,
                       int32_t parent_pid, int32_t parent_tid)
{
    size_t at = begin(b, type, 0);
    assert(type == PERFDATA_FORK || type == PERFDATA_EXIT);
    put_pair(b, (uint32_t)who->pid, (uint32_t)parent_pid);
    put_pair(b, (uint32_t)who->tid, (uint32_t)parent_tid);
    perfdata_put64(b, who->t_ns);
    end_with_who(b, at, who);
}

void perfdata_put_lost(struct buf *b, uint64_t t_ns, enum perfdata_record type, uint64_t count)
{
    const struct perfdata_who who = {0, 0, t_ns, UINT32_MAX};
    size_t at = begin(b, type, 0);
    assert(type == PERFDATA_LOST || type == PERFDATA_LOST_SAMPLES);
    if (type == PERFDATA_LOST)
        perfdata_put64(b, 0); /* of no event in particular */
    perfdata_put64(b, count);
    end_with_who(b, at, &who);
}

/* chain: with its markers, innermost first. */
void perfdata_put_sample(struct buf *b, const struct perfdata_who *who, uint8_t kind,
                         uint64_t weight, const uint64_t *chain, size_t count)
{
    uint32_t misc = count == 0                            ? 0
                    : chain[0] == PERFDATA_CONTEXT_KERNEL ? PERFDATA_MISC_KERNEL
                                                          : PERFDATA_MISC_USER;
    size_t at = begin(b, PERFDATA_SAMPLE, misc);
    assert(count != 1); /* a marker and what it marks */
    perfdata_put64(b, perfdata_id(kind));
    perfdata_put64(b, count ? chain[1] : 0);
    put_pair(b, (uint32_t)who->pid, (uint32_t)who->tid);
    perfdata_put64(b, who->t_ns);
    put_pair(b, who->cpu, 0);
    perfdata_put64(b, weight);
    perfdata_put64(b, count);
    buf_put(b, chain, count * sizeof *chain);
    end(b, at);
}

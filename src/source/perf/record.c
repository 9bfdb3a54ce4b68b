/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The kernel's records, byte by byte. The layout follows from what events.c
 * asks for, which is the same for all events. See perf_event_open(2).
 */
#include "source/perf/perf.h"

#include <assert.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__x86_64__)
/* BP, SP, IP of asm/perf_regs.h, in the order in which they are stored. */
const uint64_t perf_register_mask = 1u << 6 | 1u << 7 | 1u << 8;
enum { REG_FP = 0, REG_SP = 1, REG_IP = 2, REG_LR = -1, REG_COUNT = 3 };
#elif defined(__aarch64__)
/* X29 (FP), X30 (LR), SP, PC. */
const uint64_t perf_register_mask = 1ull << 29 | 1ull << 30 | 1ull << 31 | 1ull << 32;
enum { REG_FP = 0, REG_LR = 1, REG_SP = 2, REG_IP = 3, REG_COUNT = 4 };
#else
#error "perf registers of this machine are not known"
#endif

const uint64_t perf_sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID |
                                  PERF_SAMPLE_TIME | PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD |
                                  PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_RAW | PERF_SAMPLE_REGS_USER |
                                  PERF_SAMPLE_STACK_USER;

/* What sample_id_all adds to the end of every record that is no sample. */
struct trailer {
    int32_t pid, tid;
    uint64_t time;
    uint32_t cpu, reserved;
    uint64_t id;
};
/* What every sample begins with. */
struct sample_head {
    uint64_t id, ip;
    int32_t pid, tid;
    uint64_t time;
    uint32_t cpu, reserved;
    uint64_t period;
};
struct map_body {
    int32_t pid, tid;
    uint64_t start, bytes, offset;
    uint8_t build_id_bytes, reserved[3], build_id[20];
    uint32_t prot, flags;
};

/* Reads from a record, never beyond it. */
struct reader {
    const uint8_t *at, *end;
    bool good;
};

static const void *take(struct reader *r, uint64_t bytes)
{
    if (!r->good || bytes > (uint64_t)(r->end - r->at)) {
        r->good = false;
        return NULL;
    }
    const void *p = r->at;
    r->at += bytes;
    return p;
}

static uint64_t take_word(struct reader *r)
{
    uint64_t word = 0;
    const void *p = take(r, sizeof word);
    if (p)
        memcpy(&word, p, sizeof word);
    return word;
}

static bool read_trailer(const uint8_t *at, size_t bytes, struct trailer *out)
{
    if (bytes < sizeof(struct perf_event_header) + sizeof *out)
        return false;
    memcpy(out, at + bytes - sizeof *out, sizeof *out);
    return true;
}

bool perf_record_time(const uint8_t *at, size_t bytes, uint64_t *out_ns)
{
    struct perf_event_header h;
    struct sample_head s;
    struct trailer t;
    if (bytes < sizeof h)
        return false;
    memcpy(&h, at, sizeof h);
    if (h.type == PERF_RECORD_SAMPLE) {
        if (bytes < sizeof h + sizeof s)
            return false;
        memcpy(&s, at + sizeof h, sizeof s);
        *out_ns = s.time;
        return true;
    }
    if (!read_trailer(at, bytes, &t))
        return false;
    *out_ns = t.time;
    return true;
}

/* The tracepoint's own bytes; events that are none have four zeroes. */
static void read_raw(struct reader *r, struct perf_record *out)
{
    uint32_t bytes = 0;
    const void *size = take(r, sizeof bytes);
    if (!size)
        return;
    memcpy(&bytes, size, sizeof bytes);
    const void *raw = take(r, bytes);
    out->u.sample.raw = r->good ? raw : NULL;
    out->u.sample.raw_bytes = r->good ? bytes : 0;
}

bool perf_record_field(const struct perf_record *r, struct kernel_field f, int64_t *out)
{
    assert(r->type == PERF_RECORD_SAMPLE);
    const uint8_t *at = r->u.sample.raw;
    int32_t narrow;
    if (f.bytes == 0 || (uint64_t)f.offset + f.bytes > r->u.sample.raw_bytes)
        return false;
    switch (f.bytes) {
    case 4:
        memcpy(&narrow, at + f.offset, sizeof narrow);
        *out = narrow;
        return true;
    case 8:
        memcpy(out, at + f.offset, sizeof *out);
        return true;
    default:
        return false;
    }
}

static void read_registers(struct reader *r, struct perf_user *u)
{
    uint64_t abi = take_word(r), regs[PERF_REGISTERS] = {0};
    if (abi == PERF_SAMPLE_REGS_ABI_NONE)
        return; /* a kernel thread */
    for (int i = 0; i < REG_COUNT; i++)
        regs[i] = take_word(r);
    u->ip = regs[REG_IP];
    u->sp = regs[REG_SP];
    u->fp = regs[REG_FP];
    u->lr = REG_LR >= 0 ? regs[REG_LR < 0 ? 0 : REG_LR] : 0;
    u->has_regs = r->good && abi == PERF_SAMPLE_REGS_ABI_64;
}

static void read_stack(struct reader *r, struct perf_user *u)
{
    uint64_t room = take_word(r);
    if (room == 0)
        return;
    u->stack = take(r, room);
    uint64_t copied = take_word(r);
    u->stack_bytes = r->good && copied <= room ? copied : 0;
}

static bool decode_sample(const uint8_t *at, size_t bytes, struct perf_record *out)
{
    struct reader r = {at + sizeof(struct perf_event_header), at + bytes, true};
    struct sample_head s;
    const void *head = take(&r, sizeof s);
    if (!head)
        return false;
    memcpy(&s, head, sizeof s);
    out->id = s.id;
    out->pid = s.pid;
    out->tid = s.tid;
    out->time_ns = s.time;
    out->cpu = s.cpu;
    out->u.sample.ip = s.ip;
    out->u.sample.period = s.period;
    uint64_t n = take_word(&r);
    if (n > bytes / 8)
        return false;
    out->u.sample.chain = take(&r, n * 8);
    out->u.sample.chain_count = n;
    read_raw(&r, out);
    read_registers(&r, &out->u.sample.user);
    read_stack(&r, &out->u.sample.user);
    return r.good;
}

static const char *take_text(struct reader *r)
{
    const char *text = (const char *)r->at;
    size_t room = (size_t)(r->end - r->at);
    if (!r->good || !memchr(text, 0, room)) {
        r->good = false;
        return "";
    }
    return text;
}

static bool decode_map(struct reader *r, uint16_t misc, struct perf_record *out)
{
    struct map_body m;
    const void *body = take(r, sizeof m);
    if (!body)
        return false;
    memcpy(&m, body, sizeof m);
    out->pid = m.pid;
    out->tid = m.tid;
    out->u.map.start = m.start;
    out->u.map.bytes = m.bytes;
    out->u.map.offset = m.offset;
    out->u.map.prot = m.prot;
    if ((misc & PERF_RECORD_MISC_MMAP_BUILD_ID) && m.build_id_bytes <= sizeof m.build_id) {
        memcpy(out->u.map.build_id, m.build_id, m.build_id_bytes);
        out->u.map.build_id_bytes = m.build_id_bytes;
    }
    out->u.map.path = take_text(r);
    return r->good;
}

static bool decode_pair(struct reader *r, int32_t *pid, int32_t *tid)
{
    const void *p = take(r, 8);
    if (!p)
        return false;
    memcpy(pid, p, 4);
    memcpy(tid, (const uint8_t *)p + 4, 4);
    return true;
}

static bool decode_life(struct reader *r, struct perf_record *out)
{
    int32_t ids[4];
    const void *p = take(r, sizeof ids);
    if (!p)
        return false;
    memcpy(ids, p, sizeof ids);
    out->pid = ids[0];
    out->u.life.parent_pid = ids[1];
    out->tid = ids[2];
    out->u.life.parent_tid = ids[3];
    return true;
}

/* The older form: neither rights nor build-id, but a mark on what is no code. */
static bool decode_old_map(struct reader *r, struct perf_record *out)
{
    if (!decode_pair(r, &out->pid, &out->tid))
        return false;
    out->u.map.start = take_word(r);
    out->u.map.bytes = take_word(r);
    out->u.map.offset = take_word(r);
    out->u.map.prot = out->misc & PERF_RECORD_MISC_MMAP_DATA ? 0 : PROT_EXEC;
    out->u.map.path = take_text(r);
    return r->good;
}

static bool decode_other(struct reader *r, struct perf_record *out)
{
    switch (out->type) {
    case PERF_RECORD_MMAP:
        return decode_old_map(r, out);
    case PERF_RECORD_MMAP2:
        return decode_map(r, out->misc, out);
    case PERF_RECORD_COMM:
        if (!decode_pair(r, &out->pid, &out->tid))
            return false;
        out->u.comm.name = take_text(r);
        out->u.comm.exec = (out->misc & PERF_RECORD_MISC_COMM_EXEC) != 0;
        return r->good;
    case PERF_RECORD_FORK:
    case PERF_RECORD_EXIT:
        return decode_life(r, out);
    case PERF_RECORD_LOST:
        (void)take_word(r);
        out->u.lost = take_word(r);
        return r->good;
    case PERF_RECORD_LOST_SAMPLES:
        out->u.lost = take_word(r);
        return r->good;
    case PERF_RECORD_SWITCH:
        out->u.sw.out = (out->misc & PERF_RECORD_MISC_SWITCH_OUT) != 0;
        out->u.sw.preempted = (out->misc & PERF_RECORD_MISC_SWITCH_OUT_PREEMPT) != 0;
        return true;
    default:
        return true;
    }
}

bool perf_record_decode_other(const uint8_t *at, size_t bytes, size_t trailer,
                              struct perf_record *out)
{
    struct perf_event_header h;
    memset(out, 0, sizeof *out);
    if (bytes < sizeof h || trailer > bytes - sizeof h)
        return false;
    memcpy(&h, at, sizeof h);
    assert(h.type != PERF_RECORD_SAMPLE);
    out->type = h.type;
    out->misc = h.misc;
    struct reader r = {at + sizeof h, at + bytes - trailer, true};
    return decode_other(&r, out);
}

bool perf_record_decode(const uint8_t *at, size_t bytes, struct perf_record *out)
{
    struct perf_event_header h;
    struct trailer t;
    memset(out, 0, sizeof *out);
    if (bytes < sizeof h)
        return false;
    memcpy(&h, at, sizeof h);
    assert(h.size == bytes);
    out->type = h.type;
    out->misc = h.misc;
    if (h.type == PERF_RECORD_SAMPLE)
        return decode_sample(at, bytes, out);
    if (!read_trailer(at, bytes, &t))
        return false;
    out->pid = t.pid;
    out->tid = t.tid;
    out->time_ns = t.time;
    out->cpu = t.cpu;
    out->id = t.id;
    struct reader r = {at + sizeof h, at + bytes - sizeof t, true};
    return decode_other(&r, out);
}

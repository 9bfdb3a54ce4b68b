/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Records of a file: what a sample holds follows from its event's sample_type,
 * in the order in which perf_event_open(2) lists it. Runs on one thread.
 */
#include <linux/perf_event.h>
#include <string.h>

#include "source/perf/data.h"

#if defined(__x86_64__)
enum { BIT_FP = 6, BIT_SP = 7, BIT_IP = 8, BIT_LR = -1 };
#elif defined(__aarch64__)
enum { BIT_FP = 29, BIT_SP = 31, BIT_IP = 32, BIT_LR = 30 };
#endif
#ifndef PERF_SAMPLE_BRANCH_COUNTERS
#define PERF_SAMPLE_BRANCH_COUNTERS (UINT64_C(1) << 19) /* since Linux 6.8 */
#endif

struct words {
    const uint8_t *at, *end;
    bool good;
};

static const uint8_t *skip(struct words *w, uint64_t bytes)
{
    if (!w->good || bytes > (uint64_t)(w->end - w->at)) {
        w->good = false;
        return NULL;
    }
    const uint8_t *p = w->at;
    w->at += bytes;
    return p;
}

static uint64_t word(struct words *w)
{
    uint64_t v = 0;
    const uint8_t *p = skip(w, sizeof v);
    if (p)
        memcpy(&v, p, sizeof v);
    return v;
}

/* n items of `size` bytes; false when there cannot be so many. */
static bool skip_items(struct words *w, uint64_t n, uint64_t size)
{
    return n <= DATA_RECORD_MAX && skip(w, n * size) != NULL;
}

static unsigned ones(uint64_t v)
{
    return (unsigned)__builtin_popcountll(v);
}

/* ---- whose it is, and when ---- */

/* Bytes before the id of a sample, and before its time. */
static size_t before(uint64_t type, uint64_t stop)
{
    static const uint64_t order[] = {PERF_SAMPLE_IDENTIFIER, PERF_SAMPLE_IP,   PERF_SAMPLE_TID,
                                     PERF_SAMPLE_TIME,       PERF_SAMPLE_ADDR, PERF_SAMPLE_ID};
    size_t words = 0;
    for (size_t i = 0; i < sizeof order / sizeof *order && order[i] != stop; i++)
        words += (type & order[i]) != 0;
    return words * 8;
}

/* Bytes at the end of a record that is no sample, from a member on. */
static size_t behind(uint64_t type, uint64_t from)
{
    static const uint64_t order[] = {PERF_SAMPLE_TID, PERF_SAMPLE_TIME,
                                     PERF_SAMPLE_ID,  PERF_SAMPLE_STREAM_ID,
                                     PERF_SAMPLE_CPU, PERF_SAMPLE_IDENTIFIER};
    size_t words = 0;
    bool counts = from == 0;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        counts |= order[i] == from;
        words += counts && (type & order[i]);
    }
    return words * 8;
}

static bool get_word(const uint8_t *at, size_t bytes, size_t offset, uint64_t *out)
{
    if (offset > bytes || bytes - offset < sizeof *out)
        return false;
    memcpy(out, at + offset, sizeof *out);
    return true;
}

static bool is_sample(const uint8_t *at)
{
    struct perf_event_header h;
    memcpy(&h, at, sizeof h);
    return h.type == PERF_RECORD_SAMPLE;
}

const struct data_event *data_record_event(const struct data_file *f, const uint8_t *at,
                                           size_t bytes)
{
    const struct data_event *first = f->events.count ? &f->events.items[0] : NULL;
    uint64_t id, type = first ? first->sample_type : 0;
    if (f->events.count < 2 || bytes < sizeof(struct perf_event_header))
        return first;
    /* Where the id stands is the same in all events of a file. */
    uint64_t member = type & PERF_SAMPLE_IDENTIFIER ? PERF_SAMPLE_IDENTIFIER : PERF_SAMPLE_ID;
    if (!(type & member))
        return first;
    size_t offset = sizeof(struct perf_event_header) + before(type, member);
    if (!is_sample(at)) {
        size_t tail = behind(type, member);
        if (!first->id_all || tail > bytes)
            return first;
        offset = bytes - tail;
    }
    if (!get_word(at, bytes, offset, &id))
        return NULL;
    const uint64_t *index = map_get(&f->event_by_id, id);
    /* What perf itself made up belongs to nobody. */
    return index && *index < f->events.count ? &f->events.items[*index]
           : is_sample(at)                   ? NULL
                                             : first;
}

uint64_t data_record_time(const struct data_event *e, const uint8_t *at, size_t bytes)
{
    uint64_t time = 0;
    if (!(e->sample_type & PERF_SAMPLE_TIME) || bytes < sizeof(struct perf_event_header))
        return 0;
    size_t offset = sizeof(struct perf_event_header) + before(e->sample_type, PERF_SAMPLE_TIME);
    if (!is_sample(at)) {
        size_t tail = behind(e->sample_type, PERF_SAMPLE_TIME);
        if (!e->id_all || tail > bytes)
            return 0;
        offset = bytes - tail;
    }
    return get_word(at, bytes, offset, &time) && time != UINT64_MAX ? time : 0;
}

/* ---- samples ---- */

static void skip_read(struct words *w, uint64_t format)
{
    uint64_t times =
        ones(format & (PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING));
    uint64_t each = 1 + ones(format & (PERF_FORMAT_ID | UINT64_C(16) /* LOST */));
    uint64_t n = format & PERF_FORMAT_GROUP ? word(w) : 1;
    (void)skip(w, times * 8);
    w->good = w->good && skip_items(w, n, each * 8);
}

static void skip_raw(struct words *w)
{
    uint32_t bytes = 0;
    const uint8_t *p = skip(w, sizeof bytes);
    if (p)
        memcpy(&bytes, p, sizeof bytes);
    (void)skip(w, bytes);
}

static void skip_branches(struct words *w, uint64_t type)
{
    uint64_t n = word(w);
    if (type & PERF_SAMPLE_BRANCH_HW_INDEX)
        (void)word(w);
    w->good = w->good && skip_items(w, n, 24);
    if (type & PERF_SAMPLE_BRANCH_COUNTERS)
        w->good = w->good && skip_items(w, n, 8);
}

static bool get_register(const uint8_t *regs, uint64_t mask, int bit, uint64_t *out)
{
    if (bit < 0 || !(mask >> bit & 1))
        return false;
    memcpy(out, regs + (size_t)ones(mask & ((UINT64_C(1) << bit) - 1)) * 8, sizeof *out);
    return true;
}

static void read_registers(struct words *w, const struct data_file *f, uint64_t mask,
                           struct perf_user *u)
{
    uint64_t abi = word(w);
    if (abi == PERF_SAMPLE_REGS_ABI_NONE)
        return;
    const uint8_t *regs = skip(w, (uint64_t)ones(mask) * 8);
    if (!regs || abi != PERF_SAMPLE_REGS_ABI_64 || f->other_machine)
        return;
    u->has_regs =
        get_register(regs, mask, BIT_IP, &u->ip) && get_register(regs, mask, BIT_SP, &u->sp);
    (void)get_register(regs, mask, BIT_FP, &u->fp);
    (void)get_register(regs, mask, BIT_LR, &u->lr);
}

static void read_stack(struct words *w, struct perf_user *u)
{
    uint64_t room = word(w);
    if (room == 0)
        return;
    u->stack = skip(w, room);
    uint64_t copied = word(w);
    u->stack_bytes = w->good && copied <= room ? copied : 0;
}

static void read_pair(struct words *w, uint32_t *a, uint32_t *b)
{
    uint64_t both = word(w);
    memcpy(a, &both, sizeof *a);
    memcpy(b, (const char *)&both + sizeof *a, sizeof *b);
}

/* Up to the period: the same words in all files. */
static void read_head(struct words *w, uint64_t type, struct perf_record *out)
{
    uint32_t pid = 0, tid = 0, cpu = 0, unused;
    if (type & PERF_SAMPLE_IDENTIFIER)
        out->id = word(w);
    if (type & PERF_SAMPLE_IP)
        out->u.sample.ip = word(w);
    if (type & PERF_SAMPLE_TID)
        read_pair(w, &pid, &tid);
    if (type & PERF_SAMPLE_TIME)
        out->time_ns = word(w);
    if (type & PERF_SAMPLE_ADDR)
        (void)word(w);
    if (type & PERF_SAMPLE_ID)
        out->id = word(w);
    if (type & PERF_SAMPLE_STREAM_ID)
        (void)word(w);
    if (type & PERF_SAMPLE_CPU)
        read_pair(w, &cpu, &unused);
    if (type & PERF_SAMPLE_PERIOD)
        out->u.sample.period = word(w);
    out->pid = (int32_t)pid;
    out->tid = (int32_t)tid;
    out->cpu = cpu;
}

static bool decode_sample(const struct data_file *f, const struct data_event *e, const uint8_t *at,
                          size_t bytes, struct perf_record *out)
{
    struct words w = {at + sizeof(struct perf_event_header), at + bytes, true};
    const uint64_t type = e->sample_type;
    out->u.sample.period = e->period;
    read_head(&w, type, out);
    if (type & PERF_SAMPLE_READ)
        skip_read(&w, e->read_format);
    if (type & PERF_SAMPLE_CALLCHAIN) {
        uint64_t n = word(&w);
        if (n > bytes / 8)
            return false;
        out->u.sample.chain = (const uint64_t *)(const void *)skip(&w, n * 8);
        out->u.sample.chain_count = w.good ? n : 0;
    }
    if (type & PERF_SAMPLE_RAW)
        skip_raw(&w);
    if (type & PERF_SAMPLE_BRANCH_STACK)
        skip_branches(&w, e->branch_type);
    if (type & PERF_SAMPLE_REGS_USER)
        read_registers(&w, f, e->user_registers, &out->u.sample.user);
    if (type & PERF_SAMPLE_STACK_USER)
        read_stack(&w, &out->u.sample.user);
    return w.good;
}

bool data_record_decode(const struct data_file *f, const struct data_event *e, const uint8_t *at,
                        size_t bytes, struct perf_record *out)
{
    struct perf_event_header h;
    memset(out, 0, sizeof *out);
    if (bytes < sizeof h)
        return false;
    memcpy(&h, at, sizeof h);
    if (h.type == PERF_RECORD_SAMPLE) {
        out->type = h.type;
        out->misc = h.misc;
        return decode_sample(f, e, at, bytes, out);
    }
    bool good = perf_record_decode_other(at, bytes, e->id_all ? behind(e->sample_type, 0) : 0, out);
    out->time_ns = data_record_time(e, at, bytes);
    return good;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What stands around the records of perf.data: the header, one event for each kind of sample
 * that is in the file, and features: what is known of the machine and of the recording. What is
 * not known is left out. Pure but for the catalog; one thread.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "export/perf/perfdata.h"
#include "export/samples.h"

enum {
    FEATURE_BUILD_ID = 2,
    FEATURE_HOSTNAME = 3,
    FEATURE_OSRELEASE = 4,
    FEATURE_VERSION = 5,
    FEATURE_ARCH = 6,
    FEATURE_NRCPUS = 7,
    FEATURE_CPUDESC = 8,
    FEATURE_CMDLINE = 11,
    FEATURE_EVENT_DESC = 12,
    FEATURE_SAMPLE_TIME = 21,
    FEATURE_CLOCKID = 23,
    FEATURE_CLOCK_DATA = 29,
    FEATURES = 30,

    TYPE_SOFTWARE = 1,
    CONFIG_CPU_CLOCK = 0,
    CONFIG_PAGE_FAULTS = 2,
    CONFIG_BPF_OUTPUT = 10, /* what perf itself has for times off the CPU: nothing counts it */
    CLOCK_OF_TIMES = 0,     /* CLOCK_REALTIME: our times are unix times */
    TEXT_ALIGN = 64,
    ARGUMENTS_MAX = 4096
};
/* IP, TID, TIME, CALLCHAIN, CPU, PERIOD, IDENTIFIER. */
#define SAMPLE_TYPE                                                                                \
    (UINT64_C(1) | UINT64_C(2) | UINT64_C(4) | UINT64_C(1) << 5 | UINT64_C(1) << 7 |               \
     UINT64_C(1) << 8 | UINT64_C(1) << 16)
/* inherit, mmap, comm, freq (CPU time), task, sample_id_all, mmap2, comm_exec, use_clockid,
 * build_id */
#define ATTR_FLAGS                                                                                 \
    (UINT64_C(1) << 1 | UINT64_C(1) << 8 | UINT64_C(1) << 9 | UINT64_C(1) << 13 |                  \
     UINT64_C(1) << 18 | UINT64_C(1) << 23 | UINT64_C(1) << 24 | UINT64_C(1) << 25 |               \
     UINT64_C(1) << 34)
#define ATTR_FREQ (UINT64_C(1) << 10)

/* ---- events ---- */

static uint64_t config_of(uint8_t kind)
{
    return kind == ORIEL_SAMPLE_CPU     ? CONFIG_CPU_CLOCK
           : kind == ORIEL_SAMPLE_FAULT ? CONFIG_PAGE_FAULTS
                                        : CONFIG_BPF_OUTPUT;
}

/* As perf has it where it knows such a thing, else "oriel:" and the kind. */
static void put_event_name(struct buf *b, uint8_t kind)
{
    if (kind == ORIEL_SAMPLE_CPU)
        buf_puts(b, "cpu-clock");
    else if (kind == ORIEL_SAMPLE_OFF_CPU)
        buf_puts(b, "offcpu-time");
    else if (kind == ORIEL_SAMPLE_FAULT)
        buf_puts(b, "page-faults");
    else
        buf_printf(b, "oriel:%s", kind ? export_sample_kinds[kind] : "unknown");
}

uint64_t perfdata_number(const struct perfdata *p, const char *key)
{
    char text[24] = "";
    struct model_str s = model_catalog_resource(p->env.catalog, key);
    if (s.n < sizeof text)
        memcpy(text, s.p, s.n);
    return strtoull(text, NULL, 10);
}

static void put_attr(const struct perfdata *p, struct buf *b, uint8_t kind)
{
    size_t at = b->size;
    uint64_t rate = kind == ORIEL_SAMPLE_CPU ? perfdata_number(p, "oriel.sample.rate") : 0;
    perfdata_put32(b, TYPE_SOFTWARE);
    perfdata_put32(b, PERFDATA_ATTR_BYTES);
    perfdata_put64(b, config_of(kind));
    perfdata_put64(b, rate ? rate : 1); /* every sample says its own weight */
    perfdata_put64(b, SAMPLE_TYPE);
    perfdata_put64(b, 0); /* nothing is read */
    perfdata_put64(b, ATTR_FLAGS | (rate ? ATTR_FREQ : 0));
    perfdata_put_zeros(b, 44); /* wakeup, breakpoint, branches, registers, stack */
    perfdata_put32(b, CLOCK_OF_TIMES);
    perfdata_put_zeros(b, 16);
    assert(b->failed || b->size - at == PERFDATA_ATTR_BYTES);
}

/* Before the end nobody knows which kinds there will be: all of them are told. */
static bool has_event(const struct perfdata *p, uint8_t kind, uint64_t records)
{
    return records == 0 ? kind != 0 : p->samples[kind] != 0;
}

static uint32_t count_events(const struct perfdata *p, uint64_t records)
{
    uint32_t n = 0;
    for (uint8_t kind = 0; kind < ORIEL_SAMPLE_KINDS; kind++)
        n += has_event(p, kind, records);
    return n;
}

/* ---- features ---- */

static void put_text(struct buf *b, const char *text, size_t n)
{
    size_t padded = (n + 1 + TEXT_ALIGN - 1) / TEXT_ALIGN * TEXT_ALIGN;
    const char *stop = n ? memchr(text, 0, n) : NULL;
    size_t shown = stop ? (size_t)(stop - text) : n;
    perfdata_put32(b, (uint32_t)padded);
    buf_put(b, text, shown);
    perfdata_put_zeros(b, padded - shown);
}

static void put_resource(const struct perfdata *p, struct buf *b, const char *key)
{
    struct model_str s = model_catalog_resource(p->env.catalog, key);
    if (s.n && s.n < UINT16_MAX)
        put_text(b, s.p, s.n);
}

/* The kernel's; of an imported perf.data it is what we call the version of the system. */
static void put_release(const struct perfdata *p, struct buf *b)
{
    const struct model_catalog *c = p->env.catalog;
    put_resource(p, b, "oriel.kernel.release");
    if (b->size == 0 &&
        model_str_equal(model_catalog_resource(c, "oriel.import"), MODEL_STR("perf.data")))
        put_resource(p, b, "os.version");
}

/* As uname says it. */
static void put_arch(const struct perfdata *p, struct buf *b)
{
    struct model_str arch = model_catalog_resource(p->env.catalog, "host.arch");
    if (model_str_equal(arch, MODEL_STR("amd64")))
        put_text(b, "x86_64", 6);
    else if (model_str_equal(arch, MODEL_STR("arm64")))
        put_text(b, "aarch64", 7);
    else
        put_resource(p, b, "host.arch");
}

/* There are as many as were on; how many more there could have been is not known. */
static void put_cpus(const struct perfdata *p, struct buf *b)
{
    uint64_t n = perfdata_number(p, "oriel.host.cpu.count");
    if (n == 0 || n > UINT16_MAX)
        return;
    perfdata_put32(b, (uint32_t)n);
    perfdata_put32(b, (uint32_t)n);
}

/* The command that was recorded. */
static void put_command(const struct perfdata *p, struct buf *b)
{
    const struct model_catalog *c = p->env.catalog;
    struct model_str line = c->process_count ? c->processes[0]->cmdline : MODEL_STR("");
    uint32_t n = 0;
    size_t count_at = b->size;
    if (line.n == 0)
        return;
    perfdata_put32(b, 0);
    for (size_t at = 0; at < line.n && n < ARGUMENTS_MAX; n++) {
        const char *end = memchr(line.p + at, 0, line.n - at);
        size_t bytes = end ? (size_t)(end - line.p) - at : line.n - at;
        put_text(b, line.p + at, bytes);
        at += bytes + 1;
    }
    if (!b->failed)
        memcpy(b->data + count_at, &n, sizeof n);
}

static void put_events(const struct perfdata *p, struct buf *b)
{
    struct buf name;
    perfdata_put32(b, count_events(p, 1));
    perfdata_put32(b, PERFDATA_ATTR_BYTES);
    for (uint8_t kind = 0; kind < ORIEL_SAMPLE_KINDS; kind++) {
        if (!has_event(p, kind, 1))
            continue;
        buf_init(&name);
        put_event_name(&name, kind);
        put_attr(p, b, kind);
        perfdata_put32(b, 1);
        put_text(b, name.data, name.size);
        perfdata_put64(b, perfdata_id(kind));
        b->failed |= name.failed;
        buf_done(&name);
    }
}

static void put_build_id(struct buf *b, const struct model_module *m)
{
    size_t n = m->path.n < PERFDATA_PATH_MAX ? m->path.n : PERFDATA_PATH_MAX,
           padded = (n + 1 + TEXT_ALIGN - 1) / TEXT_ALIGN * TEXT_ALIGN;
    perfdata_put32(b, 0);
    perfdata_put32(b, (uint32_t)(36 + padded) << 16 | PERFDATA_MISC_USER | PERFDATA_MISC_ID_SIZE);
    perfdata_put32(b, (uint32_t)-1); /* of any process */
    buf_put(b, m->build_id, m->build_id_bytes);
    perfdata_put_zeros(b, (size_t)PERFDATA_ID_MAX - m->build_id_bytes);
    perfdata_put32(b, m->build_id_bytes);
    buf_put(b, m->path.p, n);
    perfdata_put_zeros(b, padded - n);
}

/* Of the files that are mapped in it. */
static void put_build_ids(const struct perfdata *p, struct buf *b)
{
    const struct model_stacks *s = &p->env.catalog->stacks;
    for (size_t i = 0; i < p->window.count; i++) {
        const struct perfdata_window *w = &p->window.items[i];
        const struct model_module *m = w->module == UINT32_MAX ? NULL : s->modules[w->module];
        if (m && m->build_id_bytes && m->build_id_bytes <= PERFDATA_ID_MAX &&
            m->kind == MODEL_MODULE_FILE)
            put_build_id(b, m);
    }
}

static void put_clock(const struct perfdata *p, struct buf *b)
{
    perfdata_put32(b, 1); /* version */
    perfdata_put32(b, CLOCK_OF_TIMES);
    perfdata_put64(b, p->env.catalog->start_ns);
    perfdata_put64(b, p->env.catalog->start_ns);
}

/* Whose file it is. */
static void put_version(const struct perfdata *p, struct buf *b)
{
    struct buf text;
    buf_init(&text);
    buf_printf(&text, "oriel %s", p->env.version);
    put_text(b, text.data, text.size);
    b->failed |= text.failed;
    buf_done(&text);
}

/* Nothing is put where nothing is known. */
static void put_feature(const struct perfdata *p, struct buf *b, unsigned feature)
{
    switch (feature) {
    case FEATURE_BUILD_ID:
        put_build_ids(p, b);
        break;
    case FEATURE_HOSTNAME:
        put_resource(p, b, "host.name");
        break;
    case FEATURE_OSRELEASE:
        put_release(p, b);
        break;
    case FEATURE_VERSION:
        put_version(p, b);
        break;
    case FEATURE_ARCH:
        put_arch(p, b);
        break;
    case FEATURE_NRCPUS:
        put_cpus(p, b);
        break;
    case FEATURE_CPUDESC:
        put_resource(p, b, "host.cpu.model.name");
        break;
    case FEATURE_CMDLINE:
        put_command(p, b);
        break;
    case FEATURE_EVENT_DESC:
        put_events(p, b);
        break;
    case FEATURE_SAMPLE_TIME:
        perfdata_put64(b, p->first_ns);
        perfdata_put64(b, p->last_ns);
        break;
    case FEATURE_CLOCKID:
        perfdata_put64(b, 1); /* ns */
        break;
    case FEATURE_CLOCK_DATA:
        put_clock(p, b);
        break;
    default:
        break;
    }
}

/* The bits of those that are in the file; bytes: of each. */
static uint64_t measure(const struct perfdata *p, struct buf *b, uint64_t bytes[FEATURES])
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < FEATURES; i++) {
        size_t before = b->size;
        put_feature(p, b, i);
        bytes[i] = b->size - before;
        bits |= (uint64_t)(bytes[i] != 0) << i;
    }
    return bits;
}

void perfdata_put_features(const struct perfdata *p, struct buf *b, uint64_t at)
{
    uint64_t bytes[FEATURES];
    struct buf all;
    buf_init(&all);
    uint64_t bits = measure(p, &all, bytes);
    at += (uint64_t)__builtin_popcountll(bits) * 16;
    for (unsigned i = 0; i < FEATURES; i++) {
        if (bytes[i] == 0)
            continue;
        perfdata_put64(b, at);
        perfdata_put64(b, bytes[i]);
        at += bytes[i];
    }
    buf_put(b, all.data, all.size);
    b->failed |= all.failed;
    buf_done(&all);
}

/* ---- the header ---- */

/* records 0: the file is not complete, and says so in that way. */
void perfdata_put_header(const struct perfdata *p, struct buf *b, uint64_t records)
{
    uint64_t bytes[FEATURES], n = count_events(p, records), nth = 0;
    struct buf features;
    buf_init(&features);
    uint64_t bits = records ? measure(p, &features, bytes) : 0;
    b->failed |= features.failed;
    buf_done(&features);
    size_t at = b->size;
    buf_put(b, "PERFILE2", 8);
    perfdata_put64(b, PERFDATA_HEADER_BYTES);
    perfdata_put64(b, PERFDATA_FILE_ATTR_BYTES);
    perfdata_put64(b, PERFDATA_ATTRS_AT);
    perfdata_put64(b, n * PERFDATA_FILE_ATTR_BYTES);
    perfdata_put64(b, PERFDATA_RECORDS_AT);
    perfdata_put64(b, records);
    perfdata_put_zeros(b, 16); /* types of events: not used for long */
    perfdata_put64(b, bits);
    perfdata_put_zeros(b, 24);
    for (uint8_t kind = 0; kind < ORIEL_SAMPLE_KINDS; kind++)
        if (has_event(p, kind, records))
            perfdata_put64(b, perfdata_id(kind));
    perfdata_put_zeros(b, (PERFDATA_EVENTS - n) * 8);
    for (uint8_t kind = 0; kind < ORIEL_SAMPLE_KINDS; kind++) {
        if (!has_event(p, kind, records))
            continue;
        put_attr(p, b, kind);
        perfdata_put64(b, PERFDATA_IDS_AT + 8 * nth++);
        perfdata_put64(b, 8);
    }
    perfdata_put_zeros(b, (PERFDATA_EVENTS - n) * PERFDATA_FILE_ATTR_BYTES);
    assert(b->failed || b->size - at == PERFDATA_RECORDS_AT);
}

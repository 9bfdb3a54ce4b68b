/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Names are those that source/metrics gives, by OpenTelemetry's conventions.
 */
#include "report/system.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/num.h"
#include "util/utf8.h"

/* Of less, starting the program is a part, and a share says nothing. */
#define SHARE_NS UINT64_C(10000000)

static const struct {
    const char *name, *key; /* of the plot; in our JSON */
    bool largest;           /* what the JSON tells: else the last */
} numbers[SYSTEM_NUMBERS] = {
    [SYSTEM_RSS] = {"process.memory.usage", "peak_rss_bytes", true},
    [SYSTEM_PSS] = {"process.memory.pss", "peak_pss_bytes", true},
    [SYSTEM_ANONYMOUS] = {"process.memory.anonymous", "peak_anonymous_bytes", true},
    [SYSTEM_CPU_TIME] = {"process.cpu.time", "cpu_seconds", false},
    [SYSTEM_CPU_SHARE] = {"process.cpu.utilization", "peak_cpu_utilization", true},
    [SYSTEM_THREADS] = {"process.thread.count", "peak_threads", true},
    [SYSTEM_DESCRIPTORS] = {"process.unix.file_descriptor.count", "peak_file_descriptors", true},
    [SYSTEM_MINOR_FAULTS] = {"process.paging.faults.minor", "minor_faults", false},
    [SYSTEM_MAJOR_FAULTS] = {"process.paging.faults.major", "major_faults", false},
    [SYSTEM_VOLUNTARY] = {"process.context_switches.voluntary", "voluntary_switches", false},
    [SYSTEM_INVOLUNTARY] = {"process.context_switches.involuntary", "involuntary_switches", false},
    [SYSTEM_READ] = {"process.disk.io.read", "disk_read_bytes", false},
    [SYSTEM_WRITTEN] = {"process.disk.io.write", "disk_written_bytes", false},
};

static double value_of(const struct model_value *v)
{
    return v->type == ORIEL_TYPE_F64   ? v->v.f64
           : v->type == ORIEL_TYPE_I64 ? (double)v->v.i64
                                       : (double)v->v.u64;
}

void system_plot(struct system_use *s, const struct model_plot *plot)
{
    static const struct model_str peak = MODEL_STR("process.memory.peak");
    struct model_str name = plot->site->name;
    /* What the largest process ever had: the readings are moments, and miss the peak. */
    if (model_str_equal(name, peak)) {
        double v = value_of(&plot->value);
        s->max[SYSTEM_RSS] = v > s->max[SYSTEM_RSS] ? v : s->max[SYSTEM_RSS];
        s->peak_now = true;
    }
    for (int i = 0; i < SYSTEM_NUMBERS; i++) {
        if (name.n != strlen(numbers[i].name) || memcmp(name.p, numbers[i].name, name.n) != 0)
            continue;
        double v = value_of(&plot->value);
        if (!(s->known & 1u << i))
            s->first[i] = v;
        s->known |= 1u << i;
        s->last[i] = v;
        s->max[i] = v > s->max[i] ? v : s->max[i];
        if (i == SYSTEM_CPU_TIME) { /* ends a reading */
            s->readings++;
            s->exact = s->peak_now;
            s->peak_now = false;
        }
        return;
    }
}

/* A counter, of the time that was looked at. */
static double counted(const struct system_use *s, enum system_number i)
{
    assert(!numbers[i].largest);
    return s->last[i] - (s->midway ? s->first[i] : 0);
}

static uint64_t whole(double v)
{
    return v > 0 && v < 1.8e19 ? (uint64_t)v : 0;
}

/* ---- the line ---- */

struct line {
    struct buf *out;
    uint32_t left; /* columns */
    bool full;     /* what matters more did not fit */
};

/* A part of the line, if there is room for it and all before it had some. */
__attribute__((format(printf, 2, 3))) static void add(struct line *l, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t bytes = n < 0 || (size_t)n >= sizeof text ? sizeof text - 1 : (size_t)n;
    size_t columns = utf8_width(text, bytes);
    l->full |= columns > l->left;
    if (l->full)
        return;
    l->left -= (uint32_t)columns;
    buf_puts(l->out, text);
}

/* What few programs have much of. */
static void add_rest(struct line *l, const struct system_use *s)
{
    char a[NUM_TEXT_MAX], b[NUM_TEXT_MAX];
    uint64_t read = whole(counted(s, SYSTEM_READ)), written = whole(counted(s, SYSTEM_WRITTEN));
    uint64_t hard = whole(counted(s, SYSTEM_MAJOR_FAULTS));
    uint64_t forced = whole(counted(s, SYSTEM_INVOLUNTARY));
    if (read || written)
        add(l, " \u00b7 disk %s read, %s written", num_bytes(a, read), num_bytes(b, written));
    if (hard)
        add(l, " \u00b7 %s %s from disk", num_count(a, hard), num_noun(hard, "fault", "faults"));
    const uint64_t switches = whole(counted(s, SYSTEM_VOLUNTARY)) + forced;
    if (forced)
        add(l, " \u00b7 %s %s, %s forced", num_count(a, switches),
            num_noun(switches, "switch", "switches"), num_count(b, forced));
}

void system_text(const struct system_use *s, uint64_t duration_ns, uint32_t width, struct buf *out)
{
    char a[NUM_TEXT_MAX], b[NUM_TEXT_MAX];
    struct line l = {out, width, false};
    uint64_t cpu_ns = whole(counted(s, SYSTEM_CPU_TIME) * 1e9), peak = whole(s->max[SYSTEM_RSS]);
    uint64_t threads = whole(s->max[SYSTEM_THREADS]), files = whole(s->max[SYSTEM_DESCRIPTORS]);
    if (!s->readings)
        return;
    if (peak)
        add(&l, "system: %s of memory at %s \u00b7 CPU %s", num_bytes(a, peak),
            s->exact ? "most" : "least", num_duration(b, cpu_ns));
    else
        add(&l, "system: CPU %s", num_duration(b, cpu_ns));
    if (duration_ns >= SHARE_NS)
        add(&l, ", %s on average", num_percent(a, (double)cpu_ns, (double)duration_ns));
    if (threads)
        add(&l, " \u00b7 %s %s", num_count(a, threads), num_noun(threads, "thread", "threads"));
    if (files)
        add(&l, " \u00b7 %s %s open", num_count(a, files), num_noun(files, "file", "files"));
    add_rest(&l, s);
}

void system_json(const struct system_use *s, struct json *j)
{
    if (!s->readings)
        return;
    json_key(j, "system");
    json_object(j);
    json_key(j, "readings");
    json_u64(j, s->readings);
    json_key(j, "peak_rss_exact");
    json_bool(j, s->exact);
    for (int i = 0; i < SYSTEM_NUMBERS; i++) {
        double v = numbers[i].largest ? s->max[i] : counted(s, (enum system_number)i);
        assert(numbers[i].key);
        json_key(j, numbers[i].key);
        if (i == SYSTEM_CPU_TIME || i == SYSTEM_CPU_SHARE)
            json_double(j, v);
        else
            json_u64(j, whole(v));
    }
    json_object_end(j);
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Names are those that source/metrics gives, by OpenTelemetry's conventions.
 */
#include "report/system.h"

#include <assert.h>
#include <string.h>

#include "util/num.h"

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
    struct model_str name = plot->site->name;
    for (int i = 0; i < SYSTEM_NUMBERS; i++) {
        if (name.n != strlen(numbers[i].name) || memcmp(name.p, numbers[i].name, name.n) != 0)
            continue;
        double v = value_of(&plot->value);
        s->last[i] = v;
        s->max[i] = v > s->max[i] ? v : s->max[i];
        s->readings += i == SYSTEM_RSS;
        return;
    }
}

static uint64_t whole(double v)
{
    return v > 0 && v < 1.8e19 ? (uint64_t)v : 0;
}

void system_text(const struct system_use *s, uint64_t duration_ns, struct buf *out)
{
    char a[NUM_TEXT_MAX], b[NUM_TEXT_MAX];
    uint64_t cpu_ns = whole(s->last[SYSTEM_CPU_TIME] * 1e9);
    if (!s->readings)
        return;
    buf_printf(out, "system: %s of memory at most", num_bytes(a, whole(s->max[SYSTEM_RSS])));
    if (s->max[SYSTEM_PSS] > 0)
        buf_printf(out, " (%s without what others share)", num_bytes(a, whole(s->max[SYSTEM_PSS])));
    buf_printf(out, " \u00b7 CPU %s", num_duration(a, cpu_ns));
    if (duration_ns)
        buf_printf(out, ", %s", num_percent(a, (double)cpu_ns, (double)duration_ns));
    buf_printf(out, " \u00b7 %llu thread%s, %llu descriptors at most",
               (unsigned long long)whole(s->max[SYSTEM_THREADS]),
               whole(s->max[SYSTEM_THREADS]) == 1 ? "" : "s",
               (unsigned long long)whole(s->max[SYSTEM_DESCRIPTORS]));
    buf_printf(out, " \u00b7 disk %s read, %s written", num_bytes(a, whole(s->last[SYSTEM_READ])),
               num_bytes(b, whole(s->last[SYSTEM_WRITTEN])));
    buf_printf(out, " \u00b7 %s faults, %s from disk",
               num_count(a, whole(s->last[SYSTEM_MINOR_FAULTS] + s->last[SYSTEM_MAJOR_FAULTS])),
               num_count(b, whole(s->last[SYSTEM_MAJOR_FAULTS])));
    buf_printf(out, " \u00b7 %s switches, %s forced",
               num_count(a, whole(s->last[SYSTEM_VOLUNTARY] + s->last[SYSTEM_INVOLUNTARY])),
               num_count(b, whole(s->last[SYSTEM_INVOLUNTARY])));
}

void system_json(const struct system_use *s, struct json *j)
{
    if (!s->readings)
        return;
    json_key(j, "system");
    json_object(j);
    json_key(j, "readings");
    json_u64(j, s->readings);
    for (int i = 0; i < SYSTEM_NUMBERS; i++) {
        double v = numbers[i].largest ? s->max[i] : s->last[i];
        assert(numbers[i].key);
        json_key(j, numbers[i].key);
        if (i == SYSTEM_CPU_TIME || i == SYSTEM_CPU_SHARE)
            json_double(j, v);
        else
            json_u64(j, whole(v));
    }
    json_object_end(j);
}

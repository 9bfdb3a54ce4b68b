/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the recorder of a running process says of its own work: read out of the
 * header of its ring, which nobody is disturbed by.
 */
#include <limits.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/doctor.h"
#include "session/figures.h"
#include "source/region_io.h"
#include "util/json.h"
#include "util/num.h"

/* A figure that a later version has and its ring not, or the other way round, is 0. */
static uint64_t value_of(const struct wire_figures *f, enum figure i)
{
    return i < FIGURES && (uint32_t)i < f->count ? f->values[i] : 0;
}

/* The first cause of what failed, where the row has one. */
static const char *why_of(const struct wire_figures *f, const struct figure_row *row)
{
    const uint64_t why = row->failed == FIGURE_FILE_UNWRITTEN ? value_of(f, FIGURE_FILE_WHY) : 0;
    return why && why <= INT_MAX ? err_text(-(int)why) : NULL;
}

static void row_text(struct buf *b, const struct figure_row *row, const struct wire_figures *f)
{
    const char *unit;
    const size_t known = f->count < FIGURES ? f->count : FIGURES;
    uint64_t value = figure_value(row, f->values, known, &unit), more = value_of(f, row->failed);
    char count[NUM_TEXT_MAX], other[NUM_TEXT_MAX];
    const char *why = why_of(f, row);
    buf_printf(b, "%-48s %12s", row->name, num_count(count, value));
    if (row->duration)
        buf_printf(b, " %s%s%s\n", num_noun(value, "time", "times"), value ? ", on average " : "",
                   value ? num_duration(other, more / value) : "");
    else
        buf_printf(b, " %s%s%s%s%s%s\n", unit, more ? ", failed: " : "",
                   more ? num_count(other, more) : "", why ? " (" : "", why ? why : "",
                   why ? ")" : "");
}

static void row_json(struct json *j, const struct figure_row *row, const struct wire_figures *f)
{
    const char *unit;
    const size_t known = f->count < FIGURES ? f->count : FIGURES;
    const uint64_t value = figure_value(row, f->values, known, &unit);
    json_object(j);
    json_key(j, "name");
    json_string(j, row->name);
    json_key(j, "unit");
    json_string(j, unit);
    json_key(j, row->duration ? "count" : "value");
    json_u64(j, value);
    if (row->failed < FIGURES) {
        json_key(j, row->duration ? "sum" : "failed");
        if (row->duration)
            json_double(j, (double)value_of(f, row->failed) / 1e9);
        else
            json_u64(j, value_of(f, row->failed));
    }
    if (why_of(f, row)) {
        json_key(j, "error");
        json_string(j, why_of(f, row));
    }
    json_object_end(j);
}

static void tell(struct buf *b, const struct wire_figures *f, bool as_json)
{
    uint64_t now = clock_mono_ns();
    struct json j;
    if (!as_json) {
        for (int i = 0; i < FIGURE_ROWS; i++)
            if (i < FIGURE_OTEL_ROWS || value_of(f, figure_rows[i].value)) /* there is a file */
                row_text(b, &figure_rows[i], f);
        return;
    }
    json_init(&j, b);
    json_object(&j);
    json_key(&j, "age_s");
    json_double(&j, now > f->mono_ns ? (double)(now - f->mono_ns) / 1e9 : 0);
    json_key(&j, "figures");
    json_array(&j);
    for (int i = 0; i < FIGURE_ROWS; i++)
        row_json(&j, &figure_rows[i], f);
    json_array_end(&j);
    json_object_end(&j);
    buf_putc(b, '\n');
}

int doctor_live(int32_t pid, bool as_json)
{
    char ring[512];
    struct oriel_err err = {0};
    struct wire_figures f;
    struct buf b;
    if (region_find(pid, ring, sizeof ring, &err) < 0)
        return cli_fail("doctor: %s", err.text);
    int rc = region_read_figures(ring, &f);
    if (rc == ORIEL_ENOTFOUND)
        return cli_fail("doctor: process %d: its recorder has said nothing yet", (int)pid);
    if (rc < 0)
        return cli_fail("doctor: %s: %s", ring, err_text(rc));
    buf_init(&b);
    tell(&b, &f, as_json);
    int status = cli_print(&b);
    buf_done(&b);
    return status;
}

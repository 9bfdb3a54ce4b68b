/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The JSON report: system calls by call, and by thread and call.
 */
#include "base/err.h"
#include "report/json.h"

static void put_failed(struct json *j, const struct syscall_row *row)
{
    uint64_t told = 0;
    json_key(j, "errors");
    json_object(j);
    for (size_t i = 0; i < row->failed.count; i++) {
        json_pair_u64(j, row->failed.items[i].name, row->failed.items[i].count);
        told += row->failed.items[i].count;
    }
    json_object_end(j);
    json_pair_u64(j, "errors_not_told_apart", row->errors > told ? row->errors - told : 0);
}

static void put_sums(struct json *j, const struct report *r, const struct syscall_row *row)
{
    json_key(j, "call");
    json_string(j, r->syscalls.names.items[row->name].text);
    json_pair_u64(j, "count", row->count);
    json_pair_u64(j, "failed", row->errors);
    put_failed(j, row);
    json_pair_u64(j, "total_ns", row->total_ns);
    json_pair_u64(j, "p50_ns", hist_quantile(&row->hist, 500, row->max_ns));
    json_pair_u64(j, "p95_ns", hist_quantile(&row->hist, 950, row->max_ns));
    json_pair_u64(j, "max_ns", row->max_ns);
}

static int put_calls(struct json *j, const struct report *r)
{
    struct syscall_rows rows;
    int rc = syscalls_by_call(&r->syscalls, &rows);
    json_key(j, "calls");
    json_array(j);
    for (size_t i = 0; rc == 0 && i < rows.items.count; i++) {
        json_object(j);
        put_sums(j, r, &rows.items.items[i]);
        json_object_end(j);
    }
    json_array_end(j);
    syscall_rows_done(&rows);
    return rc;
}

static void put_threads(struct json *j, const struct report *r)
{
    json_key(j, "threads");
    json_array(j);
    for (size_t i = 0; i < r->syscalls.rows.items.count; i++) {
        const struct syscall_row *row = &r->syscalls.rows.items.items[i];
        json_object(j);
        json_key(j, "pid");
        if (row->thread)
            json_i64(j, r->catalog->processes[row->thread->process]->pid);
        else
            json_null(j);
        json_key(j, "tid");
        if (row->thread)
            json_i64(j, row->thread->tid);
        else
            json_null(j);
        report_json_str(j, "thread", row->thread ? row->thread->name : MODEL_STR(""));
        put_sums(j, r, row);
        json_object_end(j);
    }
    json_array_end(j);
}

int report_json_syscalls(struct json *j, const struct report *r)
{
    const struct syscalls *s = &r->syscalls;
    if (s->count == 0)
        return 0;
    json_key(j, "system_calls");
    json_object(j);
    json_pair_u64(j, "count", s->count);
    json_pair_u64(j, "failed", s->errors);
    json_pair_u64(j, "total_ns", s->total_ns);
    int rc = put_calls(j, r);
    put_threads(j, r);
    json_object_end(j);
    return rc;
}

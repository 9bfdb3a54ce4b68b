/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The end of a recording as JSON. Says what ending.c says, and what a script
 * wants besides: how the program ended, its CPU time, every file with its size.
 */
#include "cli/summary.h"

#include <assert.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cli/reading.h"
#include "util/json.h"
#include "util/out.h"

static void put_program(struct json *j, const struct summary *s)
{
    json_key(j, "program");
    json_array(j);
    for (char *const *a = s->args; *a; a++)
        json_string(j, *a);
    json_array_end(j);
    json_pair_u64(j, "pid", (uint64_t)s->child->pid);
    json_pair_u64(j, "start_unix_ns", s->start_unix_ns);
    json_pair_u64(j, "duration_ns", s->ending->duration_ns);
    json_pair_u64(j, "user_ns", s->child->user_ns);
    json_pair_u64(j, "system_ns", s->child->system_ns);
    json_pair_u64(j, "still_running", s->ending->still_running);
}

/* Exactly one of the two is a value. */
static void put_exit(struct json *j, int status)
{
    char room[24];
    json_key(j, "exit");
    json_object(j);
    json_key(j, "status");
    if (WIFEXITED(status))
        json_i64(j, WEXITSTATUS(status));
    else
        json_null(j);
    json_key(j, "signal");
    json_string(j, WIFSIGNALED(status) ? child_signal_name(WTERMSIG(status), room, sizeof room)
                                       : NULL);
    json_object_end(j);
}

static void put_counts(struct json *j, const struct session_counts *c)
{
    json_key(j, "counts");
    json_object(j);
    json_pair_u64(j, "processes", c->processes);
    json_pair_u64(j, "threads", c->threads);
    json_pair_u64(j, "spans", reading_spans(c));
    json_pair_u64(j, "events", reading_events(c));
    json_pair_u64(j, "records", c->records);
    json_pair_u64(j, "bytes", c->bytes);
    json_pair_u64(j, "damaged", c->damage.records);
    json_object_end(j);
}

static void put_losses(struct json *j, const struct session_counts *c)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < ORIEL_LOST_CAUSES; i++)
        sum += c->lost[i];
    json_pair_u64(j, "lost", sum);
    json_key(j, "lost_by_cause");
    json_array(j);
    for (uint32_t i = 0; i < ORIEL_LOST_CAUSES; i++) {
        if (!c->lost[i])
            continue;
        json_object(j);
        json_key(j, "cause");
        json_string(j, model_lost_text(i));
        json_pair_u64(j, "count", c->lost[i]);
        json_key(j, "remedy");
        json_string(j, model_lost_remedy(i));
        json_object_end(j);
    }
    json_array_end(j);
}

static void put_files(struct json *j, const struct ending *e)
{
    json_key(j, "files");
    json_array(j);
    for (unsigned i = 0; i < e->outputs->count; i++) {
        const struct output *o = &e->outputs->items[i];
        struct stat st;
        bool file = o->index >= 0 && !o->sends && stat(o->path, &st) == 0;
        uint64_t seen, refused = outputs_refused(o, &e->counts, &seen), delivered = 0;
        for (unsigned k = 0; o->index >= 0 && k < o->outlets; k++)
            delivered += e->counts.delivered[(unsigned)o->index + k];
        json_object(j);
        json_key(j, "outlet");
        json_string(j, o->exporter->name);
        json_key(j, "path");
        json_string(j, o->path);
        json_key(j, "written");
        json_bool(j, file || (o->sends && o->index >= 0));
        json_pair_u64(j, "bytes", file ? (uint64_t)st.st_size : 0);
        json_pair_u64(j, "delivered", delivered);
        json_pair_u64(j, "refused", refused);
        json_pair_u64(j, "refused_seen", seen);
        json_object_end(j);
    }
    json_array_end(j);
}

static void put(struct buf *b, const struct summary *s)
{
    struct json j;
    json_init(&j, b);
    json_object(&j);
    json_key(&j, "format");
    json_string(&j, "oriel.recording");
    json_pair_u64(&j, "version", 1);
    put_program(&j, s);
    put_exit(&j, s->child->status);
    put_counts(&j, &s->ending->counts);
    put_losses(&j, &s->ending->counts);
    put_files(&j, s->ending);
    json_key(&j, "trouble");
    json_string(&j, s->ending->trouble[0] ? s->ending->trouble : NULL);
    json_object_end(&j);
    buf_putc(b, '\n');
}

int summary_write(const struct summary *s, const char *path, struct oriel_err *err)
{
    assert(s->child->over && s->ending->outputs);
    struct buf b;
    struct out *out;
    buf_init(&b);
    put(&b, s);
    int rc = out_file_open(&out, path, false, err);
    if (rc == 0) {
        rc = out_write_buf(out, &b);
        if (rc < 0)
            err_set(err, rc, "%s: %s", path, err_text(rc));
        out_close(out);
    }
    buf_done(&b);
    return rc;
}

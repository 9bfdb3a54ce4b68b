/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What perf recorded, as samples of the house: `perf record` in all its ways
 * of finding stacks. Copied stacks are walked here, with the files that ran if
 * they are still there and the parent hands them in. A period is a weight as it is: ns of CPU time
 * for the clocks, else whatever was counted. Runs on one thread.
 */
#include "source/perf/data.h"

#include <assert.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/mem.h"

enum { SAMPLE_WORDS = 6, SERIAL_FIRST = 1 };

/* ---- open ---- */

static void set_fact(struct data_source *s, const char *key, const char *text)
{
    if (text[0])
        (void)model_catalog_set_resource(s->catalog, (struct model_str){key, (uint32_t)strlen(key)},
                                         (struct model_str){text, (uint32_t)strlen(text)});
}

static void set_clock(struct data_source *s)
{
    const struct data_file *f = &s->file;
    uint64_t first = 0, last = 0;
    for (size_t i = 0; i < f->entries.count; i++) {
        first = first ? first : f->entries.items[i].time_ns;
        last = f->entries.items[i].time_ns;
    }
    /* Without a word on clocks: the last record is about as old as the file. */
    if (f->clock_unix_ns && f->clock_mono_ns)
        s->unix_offset = f->clock_unix_ns - f->clock_mono_ns;
    else if (f->written_unix_ns > last)
        s->unix_offset = f->written_unix_ns - last;
    s->catalog->start_ns = first + s->unix_offset;
}

static int prepare(struct data_source *s, struct model_catalog *catalog)
{
    s->catalog = catalog;
    s->next_serial = SERIAL_FIRST;
    spaces_init(&s->spaces, catalog);
    s->spaces.past = &s->given;
    if (intern_init(&s->texts) < 0) {
        spaces_done(&s->spaces);
        return ORIEL_ENOMEM;
    }
    set_clock(s);
    set_fact(s, "host.name", s->file.host);
    set_fact(s, "os.version", s->file.release);
    set_fact(s, "host.arch", s->file.machine);
    set_fact(s, "oriel.import", "perf.data");
    return 0;
}

static int data_open(void *state, const struct source_bytes *file, struct model_catalog *catalog,
                     struct oriel_err *err)
{
    struct data_source *s = state;
    memset(s, 0, sizeof *s);
    s->given = *file;
    int rc = data_file_open(&s->file, file, err);
    if (rc < 0)
        return rc;
    rc = prepare(s, catalog);
    if (rc < 0) {
        data_file_close(&s->file);
        return err_set(err, rc, "%s: %s", file->path, err_text(rc));
    }
    return 0;
}

static void data_close(void *state)
{
    struct data_source *s = state;
    size_t at = 0;
    uint64_t key, value;
    while (map_next(&s->threads, &at, &key, &value))
        mem_free((void *)(uintptr_t)value);
    map_done(&s->threads);
    map_done(&s->processes);
    map_done(&s->programs);
    map_done(&s->names);
    intern_done(&s->texts);
    spaces_done(&s->spaces);
    data_file_close(&s->file);
}

/* ---- who ---- */

static struct model_str text_of(const struct data_source *s, const struct map *m, uint64_t key)
{
    const uint64_t *id = map_get(m, key);
    struct intern_str t = id ? intern_get(&s->texts, (uint32_t)*id) : (struct intern_str){"", 0};
    return (struct model_str){t.p, t.n};
}

static void keep_text(struct data_source *s, struct map *m, uint64_t key, struct model_str text)
{
    uint32_t id = intern_add(&s->texts, text.p, text.n);
    uint64_t *at = id == UINT32_MAX ? NULL : map_put(m, key, id);
    if (at)
        *at = id;
}

static struct model_process *process_of(struct data_source *s, const struct perf_record *r)
{
    const uint64_t *known = map_get(&s->processes, (uint32_t)r->pid);
    if (known)
        return s->catalog->processes[*known - 1];
    struct model_str exe = text_of(s, &s->programs, (uint32_t)r->pid);
    struct model_process *p = model_catalog_add_process(s->catalog, r->pid, exe, exe);
    if (!p || !map_put(&s->processes, (uint32_t)r->pid, p->index + 1))
        return NULL;
    p->start_ns = r->time_ns + s->unix_offset;
    p->clock.now = (struct clock_piece){0, s->unix_offset, UINT64_C(1) << 32};
    p->clock.before = p->clock.now;
    return p;
}

static struct data_thread *new_thread(struct data_source *s, const struct perf_record *r)
{
    struct model_process *p = process_of(s, r);
    struct data_thread *t = p ? mem_calloc(1, sizeof *t) : NULL;
    if (!t)
        return NULL;
    t->serial = s->next_serial++;
    t->thread = model_catalog_add_thread(s->catalog, p->index, r->tid, t->serial);
    if (!t->thread || !map_put(&s->threads, (uint32_t)r->tid, (uintptr_t)t)) {
        mem_free(t);
        return NULL;
    }
    struct model_str name = text_of(s, &s->names, (uint32_t)r->tid);
    if (name.n)
        (void)model_thread_set_name(s->catalog, t->thread, name);
    return t;
}

static void forget_thread(struct data_source *s, int32_t tid)
{
    const uint64_t *at = map_get(&s->threads, (uint32_t)tid);
    if (!at)
        return;
    mem_free((void *)(uintptr_t)*at);
    (void)map_remove(&s->threads, (uint32_t)tid);
}

static struct data_thread *thread_of(struct data_source *s, const struct perf_record *r)
{
    const uint64_t *at = map_get(&s->threads, (uint32_t)r->tid);
    struct data_thread *t = at ? (struct data_thread *)(uintptr_t)*at : NULL;
    if (t && s->catalog->processes[t->thread->process]->pid == r->pid)
        return t;
    forget_thread(s, r->tid); /* of another process */
    return new_thread(s, r);
}

static void named(struct data_source *s, const struct perf_record *r)
{
    const char *name = r->u.comm.name;
    keep_text(s, &s->names, (uint32_t)r->tid, (struct model_str){name, (uint32_t)strlen(name)});
    if (r->u.comm.exec) {
        forget_thread(s, r->tid);
        (void)map_remove(&s->processes, (uint32_t)r->pid);
        (void)map_remove(&s->programs, (uint32_t)r->pid);
    }
}

static void forked(struct data_source *s, const struct perf_record *r)
{
    const struct map *names = &s->names, *programs = &s->programs;
    const uint64_t *name = map_get(names, (uint32_t)r->u.life.parent_tid),
                   *program = map_get(programs, (uint32_t)r->u.life.parent_pid);
    uint64_t kept = name ? *name : 0, kept_program = program ? *program : 0;
    forget_thread(s, r->tid);
    uint64_t *at = name ? map_put(&s->names, (uint32_t)r->tid, kept) : NULL;
    if (at)
        *at = kept;
    if (r->pid == r->u.life.parent_pid)
        return;
    (void)map_remove(&s->processes, (uint32_t)r->pid);
    at = program ? map_put(&s->programs, (uint32_t)r->pid, kept_program) : NULL;
    if (at)
        *at = kept_program;
}

/* Of the mapping: the first one of a process is its program. */
static void mapped(struct data_source *s, struct perf_record *r)
{
    if (!(r->u.map.prot & PROT_EXEC))
        return;
    if (r->u.map.path[0] == '/' && strncmp(r->u.map.path, "//", 2) != 0 &&
        !map_get(&s->programs, (uint32_t)r->pid))
        keep_text(
            s, &s->programs, (uint32_t)r->pid,
            (struct model_str){r->u.map.path, (uint32_t)strnlen(r->u.map.path, DATA_TEXT_MAX)});
    if (!r->u.map.build_id_bytes)
        (void)data_file_build_id(&s->file, r->u.map.path, r->u.map.build_id,
                                 &r->u.map.build_id_bytes);
}

/* ---- samples ---- */

static int add_sample(struct data_source *s, struct model_batch *batch, const struct perf_record *r,
                      const struct data_event *e)
{
    const uint8_t kind = e->kind;
    struct data_thread *t = thread_of(s, r);
    uint64_t *raw = t ? arena_alloc(&batch->arena, SAMPLE_WORDS * sizeof *raw, sizeof *raw) : NULL;
    struct model_record *out = raw ? model_batch_add_record(batch) : NULL;
    if (!out)
        return ORIEL_ENOMEM;
    raw[0] = ORIEL_RECORD_HEADER(SAMPLE_WORDS, ORIEL_REC_SAMPLE, kind, 0);
    raw[1] = r->time_ns;
    raw[2] = spaces_stack(&s->spaces, r, NULL);
    raw[3] = r->u.sample.period;
    raw[4] = 1;
    raw[5] = e->sample_type & PERF_SAMPLE_CPU ? (uint64_t)r->cpu + 1 : 0;
    *out = (struct model_record){.t_ns = r->time_ns + s->unix_offset,
                                 .position = t->position,
                                 .raw = raw,
                                 .thread = t->thread,
                                 .words = SAMPLE_WORDS,
                                 .type = ORIEL_REC_SAMPLE,
                                 .flags = kind,
                                 .stream = t->serial};
    t->position += SAMPLE_WORDS * sizeof *raw;
    return 0;
}

static int take(struct data_source *s, struct model_batch *batch, const struct data_event *e,
                struct perf_record *r)
{
    switch (r->type) {
    case PERF_RECORD_SAMPLE:
        s->skipped += !e->kind;
        return e->kind ? add_sample(s, batch, r, e) : 0;
    case PERF_RECORD_MMAP:
    case PERF_RECORD_MMAP2:
        mapped(s, r);
        r->type = PERF_RECORD_MMAP2;
        break;
    case PERF_RECORD_COMM:
        named(s, r);
        break;
    case PERF_RECORD_FORK:
        forked(s, r);
        break;
    case PERF_RECORD_LOST:
    case PERF_RECORD_LOST_SAMPLES:
        s->lost += r->u.lost;
        break;
    default:
        break;
    }
    spaces_record(&s->spaces, r);
    return 0;
}

static void settle(struct data_source *s)
{
    char text[32];
    if (s->lost) {
        snprintf(text, sizeof text, "%llu", (unsigned long long)s->lost);
        set_fact(s, "oriel.sample.lost", text);
    }
    if (s->skipped) {
        snprintf(text, sizeof text, "%llu", (unsigned long long)s->skipped);
        set_fact(s, "oriel.import.skipped", text);
    }
}

static int data_poll(void *state, struct model_batch *batch, size_t max_records,
                     struct oriel_err *err)
{
    struct data_source *s = state;
    struct data_file *f = &s->file;
    uint64_t last = 0;
    while (batch->record_count < max_records && s->next < f->entries.count) {
        const struct data_entry *entry = &f->entries.items[s->next++];
        struct perf_record r;
        size_t bytes = 0;
        const uint8_t *at = data_file_record(f, entry, &bytes);
        const struct data_event *e = at ? data_record_event(f, at, bytes) : NULL;
        last = entry->time_ns;
        if (!e || !data_record_decode(f, e, at, bytes, &r)) {
            f->damaged++;
            continue;
        }
        r.time_ns = entry->time_ns; /* the order is by this one */
        int rc = take(s, batch, e, &r);
        if (rc < 0)
            return err_set(err, rc, "perf.data: %s", err_text(rc));
    }
    batch->watermark_ns = last + s->unix_offset;
    if (batch->record_count || s->next < f->entries.count)
        return SOURCE_DATA;
    settle(s);
    batch->watermark_ns = UINT64_MAX;
    batch->last = true;
    return SOURCE_END;
}

static void data_damage(const void *state, struct source_damage *out)
{
    const struct data_file *f = &((const struct data_source *)state)->file;
    *out = (struct source_damage){.records = f->damaged,
                                  .bytes_skipped = f->bytes_skipped,
                                  .first_offset = f->first_damage,
                                  .truncated = f->truncated};
}

static bool data_recognizes(const uint8_t *head, size_t n)
{
    return n >= 8 && (memcmp(head, DATA_MAGIC, 8) == 0 || memcmp(head, "2ELIFREP", 8) == 0);
}

const struct source source_perfdata = {.name = "perfdata",
                                       .state_size = sizeof(struct data_source),
                                       .recognizes = data_recognizes,
                                       .open_bytes = data_open,
                                       .poll = data_poll,
                                       .damage = data_damage,
                                       .close = data_close};

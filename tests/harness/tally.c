/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Adds up a capture of ticks (tick.h), in whatever order they stand:
 *   tries = present + lost + unwritten, nothing twice, nobody under another's pid.
 * What the recorder saw of the program (samples, what the system says) is no try;
 * what of that was not written is told apart.
 *
 *   tally CAPTURE
 * Prints one JSON object; exit 1 if the capture cannot be read.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "model/batch.h"
#include "source/source.h"

struct key {
    uint64_t pid, who, seq;
};

static struct key *keys;
static size_t present, room;
static uint64_t foreign, wrong;
static uint64_t types[ORIEL_REC_MAX + 1];
/* What every process's samples say that it allocated and gave back. */
enum { PROCESSES = 64 };
static uint64_t allocated[PROCESSES], freed[PROCESSES];

static bool is_tick(const struct model_record *r)
{
    static const char *const names[] = {"pid", "who", "seq"};
    if (r->type != ORIEL_REC_EVENT || !r->site || r->site->field_count != 3)
        return false;
    for (int i = 0; i < 3; i++)
        if (r->site->fields[i].name.n != 3 || memcmp(r->site->fields[i].name.p, names[i], 3) != 0)
            return false;
    return true;
}

static void take(const struct model_catalog *catalog, const struct model_record *r)
{
    struct model_values it;
    struct model_value v[3];
    if (r->type <= ORIEL_REC_MAX)
        types[r->type]++;
    if (r->type == ORIEL_REC_SAMPLE && r->thread && r->thread->process < PROCESSES) {
        if (r->flags == ORIEL_SAMPLE_ALLOC)
            allocated[r->thread->process] += r->raw[3];
        if (r->flags == ORIEL_SAMPLE_FREE)
            freed[r->thread->process] += r->raw[3];
    }
    if (!is_tick(r))
        return;
    model_values_begin(&it, r);
    for (int i = 0; i < 3; i++)
        if (!model_values_next(&it, &v[i])) {
            wrong++;
            return;
        }
    if (present == room) {
        room = room ? room * 2 : 1 << 16;
        keys = realloc(keys, room * sizeof *keys);
        if (!keys)
            abort();
    }
    struct key k = {v[0].v.u64, v[1].v.u64, v[2].v.u64};
    foreign += !r->thread || (uint64_t)catalog->processes[r->thread->process]->pid != k.pid;
    keys[present++] = k;
}

static int compare(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->pid != y->pid)
        return x->pid < y->pid ? -1 : 1;
    if (x->who != y->who)
        return x->who < y->who ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static int read_capture(const char *path, struct model_catalog *catalog,
                        struct source_damage *damage)
{
    const struct source *file = source_find("file");
    struct oriel_err err = {0, ""};
    struct model_batch batch;
    void *state = calloc(1, file->state_size);
    int rc = file->open(state, path, catalog, &err);
    if (rc) {
        fprintf(stderr, "%s\n", err.text);
        return rc;
    }
    model_batch_init(&batch, catalog);
    do {
        model_batch_clear(&batch);
        rc = file->poll(state, &batch, 1 << 16, &err);
        for (size_t i = 0; i < batch.record_count; i++)
            take(catalog, &batch.records[i]);
    } while (rc == SOURCE_DATA);
    file->damage(state, damage);
    model_batch_done(&batch);
    file->close(state);
    free(state);
    return rc < 0 ? rc : 0;
}

int main(int argc, char **argv)
{
    struct model_catalog catalog;
    struct source_damage damage = {0};
    uint64_t lost[ORIEL_LOST_CAUSES] = {0}, sum = 0, twice = 0, pids = 0;
    if (argc != 2)
        return 2;
    model_catalog_init(&catalog);
    int rc = read_capture(argv[1], &catalog, &damage);
    if (present)
        qsort(keys, present, sizeof *keys, compare);
    for (size_t i = 0; i < present; i++) {
        twice += i && compare(&keys[i], &keys[i - 1]) == 0;
        pids += !i || keys[i].pid != keys[i - 1].pid;
    }
    for (int c = 0; c < ORIEL_LOST_CAUSES; c++) {
        lost[c] += catalog.lost[c];
        for (uint32_t i = 0; i < catalog.thread_count; i++)
            lost[c] += catalog.threads[i]->lost[c];
        sum += lost[c];
    }
    printf("{\"present\":%zu,\"lost\":%" PRIu64 ",\"unwritten\":%" PRIu64 ",\"twice\":%" PRIu64
           ",\"foreign\":%" PRIu64 ",\"wrong\":%" PRIu64 ",\"damaged\":%" PRIu64
           ",\"unwritten_seen\":%" PRIu64 ",\"pids\":%" PRIu64
           ",\"threads\":%u,\"truncated\":%s,\"causes\":[",
           present, sum, damage.unwritten, twice, foreign, wrong, damage.records,
           damage.unwritten_seen, pids, catalog.thread_count, damage.truncated ? "true" : "false");
    for (int c = 0; c < ORIEL_LOST_CAUSES; c++)
        printf("%s%" PRIu64, c ? "," : "", lost[c]);
    printf("],\"begins\":%" PRIu64 ",\"ends\":%" PRIu64 ",\"samples\":%" PRIu64
           ",\"plots\":%" PRIu64 ",\"heaps\":[",
           types[ORIEL_REC_BEGIN], types[ORIEL_REC_END], types[ORIEL_REC_SAMPLE],
           types[ORIEL_REC_PLOT]);
    for (uint32_t i = 0; i < catalog.process_count && i < PROCESSES; i++)
        printf("%s{\"pid\":%d,\"bytes\":%" PRIu64 ",\"freed_bytes\":%" PRIu64 "}", i ? "," : "",
               (int)catalog.processes[i]->pid, allocated[i], freed[i]);
    printf("]}\n");
    model_catalog_done(&catalog);
    free(keys);
    return rc ? 1 : 0;
}

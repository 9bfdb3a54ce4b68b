/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reads a capture that writer.c left and adds up: per thread, present + lost
 * must equal what the thread attempted (the last attempt may be either), in
 * order, once, with every value intact.
 *
 *   check CAPTURE PAGE_FILE THREADS
 * Prints one JSON object; exit 0 if the books balance, 1 if not.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/batch.h"
#include "source/source.h"

enum { THREADS_MAX = 64, LINE = 8 };

struct thread_book {
    uint64_t present, next_seq, attempted, lost;
    const struct model_thread *thread;
    bool torn, disordered;
};

static struct thread_book books[THREADS_MAX];

static void take(const struct model_record *r)
{
    struct model_values it;
    struct model_value v[4];
    if (r->type != ORIEL_REC_EVENT || !r->site || r->site->field_count != 4)
        return;
    model_values_begin(&it, r);
    for (int i = 0; i < 4; i++)
        if (!model_values_next(&it, &v[i]))
            return;
    uint64_t me = v[0].v.u64, seq = v[1].v.u64;
    if (me >= THREADS_MAX)
        return;
    struct thread_book *b = &books[me];
    b->thread = r->thread;
    if (v[2].v.u64 != ~seq * 2654435761u || v[3].v.str.n != 10 ||
        memcmp(v[3].v.str.p, "some words", 10) != 0)
        b->torn = true;
    if (seq < b->next_seq)
        b->disordered = true;
    b->next_seq = seq + 1;
    b->present++;
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
            take(&batch.records[i]);
    } while (rc == SOURCE_DATA);
    file->damage(state, damage);
    model_batch_done(&batch);
    file->close(state);
    free(state);
    return rc == SOURCE_END || rc == SOURCE_IDLE ? 0 : rc;
}

int main(int argc, char **argv)
{
    uint64_t page[512] = {0}, attempted = 0, present = 0, lost = 0, missing = 0, torn = 0;
    struct model_catalog catalog;
    struct source_damage damage = {0};
    if (argc != 4)
        return 2;
    int fd = open(argv[2], O_RDONLY);
    if (fd < 0 || read(fd, page, sizeof page) < 0)
        return 2;
    model_catalog_init(&catalog);
    int rc = read_capture(argv[1], &catalog, &damage);
    unsigned threads = (unsigned)atoi(argv[3]);
    for (uint32_t i = 0; i < catalog.thread_count; i++)
        for (int c = 0; c < ORIEL_LOST_CAUSES; c++)
            lost += catalog.threads[i]->lost[c];
    for (int c = 0; c < ORIEL_LOST_CAUSES; c++)
        lost += catalog.lost[c];
    for (unsigned i = 0; i < threads; i++) {
        struct thread_book *b = &books[i];
        b->attempted = page[i * LINE];
        for (int c = 0; b->thread && c < ORIEL_LOST_CAUSES; c++)
            b->lost += b->thread->lost[c];
        attempted += b->attempted;
        present += b->present;
        torn += b->torn + b->disordered;
        if (!b->thread)
            continue; /* none of its records was kept: only the sum can tell */
        uint64_t accounted = b->present + b->lost;
        /* The kill may fall between an emit and the note of it. */
        if (accounted < b->attempted || accounted > b->attempted + 1) {
            missing += accounted < b->attempted ? b->attempted - accounted : 0;
            fprintf(stderr, "thread %u: attempted %" PRIu64 ", present %" PRIu64 ", lost %" PRIu64
                            ", next %" PRIu64 "\n",
                    i, b->attempted, b->present, b->lost, b->next_seq);
            rc = rc ? rc : 1;
        }
    }
    if (present + lost < attempted || present + lost > attempted + threads) {
        missing += present + lost < attempted ? attempted - present - lost : 0;
        fprintf(stderr, "attempted %" PRIu64 " but present %" PRIu64 " + lost %" PRIu64 "\n",
                attempted, present, lost);
        rc = rc ? rc : 1;
    }
    if (torn || damage.records || damage.bytes_skipped)
        rc = rc ? rc : 1;
    printf("{\"attempted\":%" PRIu64 ",\"present\":%" PRIu64 ",\"lost\":%" PRIu64
           ",\"missing\":%" PRIu64 ",\"torn\":%" PRIu64 ",\"damaged\":%" PRIu64 ",\"readable\":%s}\n",
           attempted, present, lost, missing, torn, damage.records, rc < 0 ? "false" : "true");
    model_catalog_done(&catalog);
    return rc ? 1 : 0;
}

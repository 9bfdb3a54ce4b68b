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

struct sums {
    uint64_t attempted, present, lost, missing, torn;
    bool wrong;
};

static uint64_t all_losses(const struct model_catalog *catalog)
{
    uint64_t lost = 0;
    for (uint32_t i = 0; i < catalog->thread_count; i++)
        for (int c = 0; c < ORIEL_LOST_CAUSES; c++)
            lost += catalog->threads[i]->lost[c];
    for (int c = 0; c < ORIEL_LOST_CAUSES; c++)
        lost += catalog->lost[c];
    return lost;
}

/* What is there and what was lost must be what was attempted; a kill may fall
 * between an emit and the note of it, so `slack` more are right too. */
static void balance(struct sums *s, const char *who, uint64_t attempted, uint64_t present,
                    uint64_t lost, uint64_t slack)
{
    uint64_t accounted = present + lost;
    if (accounted >= attempted && accounted <= attempted + slack)
        return;
    s->missing += accounted < attempted ? attempted - accounted : 0;
    s->wrong = true;
    fprintf(stderr, "%s: attempted %" PRIu64 ", present %" PRIu64 ", lost %" PRIu64 "\n", who,
            attempted, present, lost);
}

static void add_thread(struct sums *s, unsigned index, uint64_t attempted)
{
    struct thread_book *b = &books[index];
    char who[32];
    snprintf(who, sizeof who, "thread %u", index);
    for (int c = 0; b->thread && c < ORIEL_LOST_CAUSES; c++)
        b->lost += b->thread->lost[c];
    s->attempted += attempted;
    s->present += b->present;
    s->torn += b->torn + b->disordered;
    if (b->thread) /* else none of its records was kept: only the sum can tell */
        balance(s, who, attempted, b->present, b->lost, 1);
}

int main(int argc, char **argv)
{
    uint64_t page[512] = {0};
    struct sums s = {0};
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
    s.lost = all_losses(&catalog);
    for (unsigned i = 0; i < threads; i++)
        add_thread(&s, i, page[i * LINE]);
    balance(&s, "all", s.attempted, s.present, s.lost, threads);
    printf("{\"attempted\":%" PRIu64 ",\"present\":%" PRIu64 ",\"lost\":%" PRIu64
           ",\"missing\":%" PRIu64 ",\"torn\":%" PRIu64 ",\"damaged\":%" PRIu64
           ",\"readable\":%s}\n",
           s.attempted, s.present, s.lost, s.missing, s.torn, damage.records,
           rc < 0 ? "false" : "true");
    model_catalog_done(&catalog);
    return rc || s.wrong || s.torn || damage.records || damage.bytes_skipped ? 1 : 0;
}

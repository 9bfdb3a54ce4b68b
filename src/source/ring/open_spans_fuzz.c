/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: the span stacks of a region that its program changes while they
 * are looked at; see test_region.h for what the input says. Whatever stands there, what
 * is told is spans that begin before they end, the innermost first.
 */
#include "source/open_spans.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "source/ring/test_region.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STREAMS = 64, LOOKS = 3, SYNC_WORDS = 8 };

struct looking {
    void *state;
    struct model_catalog catalog;
    struct model_batch batch;
    uint64_t open[STREAMS][ORIEL_STACK_DEPTH]; /* told to be, by stream */
    uint32_t depth[STREAMS];
};

static void check(struct looking *l, const struct model_record *r)
{
    uint32_t n = r->stream % STREAMS;
    uint64_t *open = l->open[n];
    if (!r->thread || r->thread->process >= l->catalog.process_count)
        abort();
    if (r->type == ORIEL_REC_BEGIN) {
        if (!r->site || l->depth[n] == ORIEL_STACK_DEPTH)
            abort();
        open[l->depth[n]++] = r->raw_id;
    } else if (r->type != ORIEL_REC_CLOSE || l->depth[n] == 0 || open[--l->depth[n]] != r->raw_id) {
        abort();
    }
}

static void look(void *arg)
{
    struct looking *l = arg;
    struct oriel_err err;
    model_batch_clear(&l->batch);
    if (source_open_spans.poll(l->state, &l->batch, 64, &err) < 0)
        abort();
    for (size_t i = 0; i < l->batch.record_count; i++)
        check(l, &l->batch.records[i]);
}

/* The image stands in a file, as a ring does: both sides have it mapped. */
static const char *make_image(void)
{
    static char path[64];
    int fd = memfd_create("ring", MFD_CLOEXEC);
    make_sound();
    const struct wire_region *h = (const struct wire_region *)(const void *)sound;
    wire_region_process(h, sound, 0)->clock = (uint32_t)clock_choose();
    struct oriel_thread *t = wire_region_thread(h, sound, 0);
    const uint64_t begin = h->chunk_off + SYNC_WORDS * sizeof(uint64_t); /* its record */
    t->stack[0] = (struct oriel_stack_entry){.id = t->base + begin, .site = 2};
    t->stack[1] = (struct oriel_stack_entry){.id = t->base + begin + 1, .site = 2};
    t->stack_bytes = 2 * sizeof t->stack[0];
    if (fd < 0 || ftruncate(fd, (off_t)image_bytes) < 0)
        abort();
    image = mmap(NULL, image_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (image == MAP_FAILED)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *path;
    static struct looking l;
    static const struct model_str none;
    struct oriel_err err;
    if (!path) {
        path = make_image();
        l.state = calloc(1, source_open_spans.state_size);
    }
    memset(l.depth, 0, sizeof l.depth);
    bool own = begin_image(data, size);
    model_catalog_init(&l.catalog);
    model_batch_init(&l.batch, &l.catalog);
    struct model_process *p = model_catalog_add_process(&l.catalog, 1, none, none);
    if (!l.state || !p || !model_catalog_add_thread(&l.catalog, p->index, 1, 1))
        abort();
    if (!own && size && data[0] >> 5 == 6)
        apply_changes(data, size, NULL, NULL); /* before the header is read */
    if (source_open_spans.open_with(l.state, path, &l.catalog, &err) == 0) {
        look(&l);
        if (!own)
            apply_changes(data, size, look, &l);
        for (int i = 0; i < LOOKS; i++)
            look(&l);
        source_open_spans.close(l.state);
    }
    model_batch_done(&l.batch);
    model_catalog_done(&l.catalog);
    return 0;
}

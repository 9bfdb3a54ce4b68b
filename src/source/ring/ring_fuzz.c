/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: a whole region, read to its end; see test_region.h for what the
 * input says.
 */
#include "source/ring/ring.h"
#include "source/ring/test_region.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const struct source source_ring;

enum { ROUNDS_MAX = 2000 };

/* ---- reading it ---- */

static void touch(const struct model_batch *b)
{
    volatile uint64_t sum = 0;
    for (size_t i = 0; i < b->record_count; i++) {
        const struct model_record *r = &b->records[i];
        struct model_values it;
        struct model_value v;
        for (uint16_t w = 0; w < r->words; w++)
            sum = sum + r->raw[w];
        if (wire_record_check(r->raw, r->words, r->site ? r->site->types : NULL,
                              r->site ? r->site->field_count : 0) != r->words)
            abort();
        uint32_t fields = 0;
        model_values_begin(&it, r);
        for (; model_values_next(&it, &v); fields++)
            if (v.type == ORIEL_TYPE_STR || v.type == ORIEL_TYPE_BYTES)
                for (uint32_t k = 0; k < v.v.str.n; k++)
                    sum = sum + (uint8_t)v.v.str.p[k];
        if (r->site && fields != r->site->field_count)
            abort();
        if (!r->thread || r->thread->process >= b->catalog->process_count)
            abort();
    }
}

static int poll_once(struct ring *r, struct model_batch *b)
{
    struct oriel_err err;
    model_batch_clear(b);
    int result = source_ring.poll(r, b, 64, &err);
    touch(b);
    source_ring.commit(r);
    return result;
}

struct reading {
    struct ring *ring;
    struct model_batch *batch;
};

static void look(void *arg)
{
    const struct reading *r = arg;
    poll_once(r->ring, r->batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ring ring;
    struct model_catalog catalog;
    struct model_batch batch;
    struct oriel_err err;
    struct reading reading = {&ring, &batch};
    if (!sound) {
        make_sound();
        image = aligned_alloc(4096, image_bytes);
        if (!image)
            abort();
    }
    bool is_image = begin_image(data, size);
    model_catalog_init(&catalog);
    model_batch_init(&batch, &catalog);
    /* What changes the header's layout comes before it is read. */
    if (!is_image && size && data[0] >> 5 == 6)
        apply_changes(data, size, NULL, NULL);
    int rc = ring_open_memory(&ring, image, image_bytes, &catalog, "image", &err);
    if (rc == 0) {
        if (!is_image)
            apply_changes(data, size, look, &reading);
        for (int i = 0; i < 4; i++)
            poll_once(&ring, &batch);
        __atomic_store_n(&ring.shared->closed, 1, __ATOMIC_RELEASE);
        int rounds = 0, result;
        while ((result = poll_once(&ring, &batch)) != SOURCE_END)
            if (result < 0 || ++rounds > ROUNDS_MAX)
                abort(); /* it must come to an end */
    }
    source_ring.close(&ring);
    model_batch_done(&batch);
    model_catalog_done(&catalog);
    return 0;
}

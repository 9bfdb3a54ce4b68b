/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: a whole region, read to its end. Input that begins with the
 * region's magic is an image as it is; any other is a list of changes to a
 * sound small region, some of them made between polls:
 *
 *   byte 0       n & 31 bytes to write; n >> 5: 7 = poll first
 *   bytes 1..3   where (little-endian, modulo the size), then the n bytes
 */
#include "source/ring/ring.h"

#include <stdlib.h>

#include "wire/meta.h"
#include "wire/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const struct source source_ring;

enum { CHUNKS = 16, THREADS = 2, PROCESSES = 2, META = 4096, ROUNDS_MAX = 2000 };

static char *image, *sound;
static size_t image_bytes;

/* ---- a sound region: one process, one thread, a few records ---- */

static void add_site(struct wire_region *h, uint32_t id, uint8_t kind, uint32_t type)
{
    const struct oriel_field field = {"value", type, 0};
    const struct oriel_site site = {.abi_version = ORIEL_ABI_VERSION,
                                    .kind = kind,
                                    .level = ORIEL_LEVEL_INFO,
                                    .field_count = type != 0,
                                    .name = "site",
                                    .target = "fuzz",
                                    .file = "f.c",
                                    .fields = &field};
    size_t n = wire_meta_site_bytes(&site);
    char *dst = sound + h->meta_off + h->meta_head;
    wire_meta_begin(dst, n);
    wire_meta_site_write(dst, n, &site, id, 1);
    wire_meta_commit(dst);
    h->meta_head += n;
}

static uint32_t add_records(uint64_t *w, uint64_t now)
{
    uint64_t *at = w;
    const uint64_t words[] = {
        ORIEL_RECORD_HEADER(8, ORIEL_REC_SYNC, 0, 0),
        now,
        0,
        0,
        0,
        0,
        0,
        0,
        ORIEL_RECORD_HEADER(2, ORIEL_REC_BEGIN, 0, 2),
        now,
        ORIEL_RECORD_HEADER(3, ORIEL_REC_EVENT, 0, 3),
        now,
        7,
        ORIEL_RECORD_HEADER(4, ORIEL_REC_EVENT, 0, 4),
        now,
        3 | UINT64_C(3) << 32,
        0x636261,
        ORIEL_RECORD_HEADER(3, ORIEL_REC_PLOT, 0, 5),
        now,
        1,
        ORIEL_RECORD_HEADER(4, ORIEL_REC_THREAD, 0, 0),
        now,
        2 | UINT64_C(2) << 32,
        0x6261,
        ORIEL_RECORD_HEADER(4, ORIEL_REC_SPAN, 0, 2),
        now,
        now + 5,
        0,
        ORIEL_RECORD_HEADER(2, ORIEL_REC_END, 0, 64),
        now,
    };
    memcpy(at, words, sizeof words);
    return sizeof words;
}

static void fill_chunk(struct wire_region *h, uint32_t i, uint32_t state, uint64_t now)
{
    struct wire_chunk *d = wire_region_desc(h, sound, i);
    uint32_t bytes = add_records((uint64_t *)wire_region_chunk(h, sound, i), now);
    *d = (struct wire_chunk){.state = state,
                             .thread = 0,
                             .serial = 1,
                             .bytes = bytes,
                             .seq = i,
                             .stream_base = i * 1000,
                             .id_base = i * 1000};
    struct oriel_thread *t = wire_region_thread(h, sound, 0);
    t->head = t->base + h->chunk_off + (uint64_t)i * h->chunk_bytes + bytes;
}

static void make_sound(void)
{
    struct wire_region h;
    struct clock_anchor a;
    image_bytes = wire_region_layout(&h, CHUNKS, THREADS, PROCESSES, META);
    image = aligned_alloc(4096, image_bytes);
    sound = aligned_alloc(4096, image_bytes);
    if (!image || !sound)
        abort();
    memset(sound, 0, image_bytes);
    clock_anchor_read(ORIEL_CLOCK_MONOTONIC, &a);
    h.clock = ORIEL_CLOCK_MONOTONIC;
    h.created = (struct wire_anchor){a.ticks, a.mono_ns, a.unix_ns};
    h.creator_pid = 1; /* lives as long as we do */
    h.process_serial = h.thread_serial = 1;
    h.chunk_seq = 3;
    h.free_chunks = CHUNKS - 3;
    struct wire_process *p = wire_region_process(&h, sound, 0);
    *p = (struct wire_process){.state = 2,
                               .pid = 1,
                               .serial = 1,
                               .sites_of = 1,
                               .clock = ORIEL_CLOCK_MONOTONIC,
                               .exe = "/bin/x",
                               .cmdline = "x"};
    struct oriel_thread *t = wire_region_thread(&h, sound, 0);
    t->clock = ORIEL_CLOCK_MONOTONIC;
    t->base = 0x100000;
    t->serial = t->primary = 1;
    t->state = ORIEL_THREAD_LIVE;
    t->tid = 1;
    add_site(&h, 2, ORIEL_SITE_SPAN, 0);
    add_site(&h, 3, ORIEL_SITE_EVENT, ORIEL_TYPE_U64);
    add_site(&h, 4, ORIEL_SITE_EVENT, ORIEL_TYPE_STR);
    add_site(&h, 5, ORIEL_SITE_PLOT, ORIEL_TYPE_F64);
    for (uint32_t i = 0; i < 3; i++)
        fill_chunk(&h, i, i < 2 ? WIRE_CHUNK_FULL : WIRE_CHUNK_ACTIVE, a.ticks);
    memcpy(sound, &h, sizeof h);
}

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

static void apply(struct ring *r, struct model_batch *b, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at + 4 <= size;) {
        size_t n = data[at] & 31, left = size - at - 4;
        size_t to = (data[at + 1] | (size_t)data[at + 2] << 8 | (size_t)data[at + 3] << 16);
        if (data[at] >> 5 == 7 && r)
            poll_once(r, b);
        n = n < left ? n : left;
        to %= image_bytes;
        n = n < image_bytes - to ? n : image_bytes - to;
        memcpy(image + to, data + at + 4, n);
        at += 4 + n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ring ring;
    struct model_catalog catalog;
    struct model_batch batch;
    struct oriel_err err;
    bool is_image = size >= 8 && memcmp(data, WIRE_REGION_MAGIC, 8) == 0;
    if (!sound)
        make_sound();
    memcpy(image, sound, image_bytes);
    if (is_image)
        memcpy(image, data, size < image_bytes ? size : image_bytes);
    model_catalog_init(&catalog);
    model_batch_init(&batch, &catalog);
    /* What changes the header's layout comes before it is read. */
    if (!is_image && size && data[0] >> 5 == 6)
        apply(NULL, NULL, data, size);
    int rc = ring_open_memory(&ring, image, image_bytes, &catalog, "image", &err);
    if (rc == 0) {
        if (!is_image)
            apply(&ring, &batch, data, size);
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

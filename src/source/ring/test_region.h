/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * For fuzz targets that look at a ring's region: a sound small one, and its
 * changes, some of them made between looks. Input that begins with the region's
 * magic is an image as it is; any other is a list of
 *
 *   byte 0       n & 31 bytes to write; n >> 5: 7 = look first
 *   bytes 1..3   where (little-endian, modulo the size), then the n bytes
 */
#ifndef ORIEL_SOURCE_RING_TEST_REGION_H
#define ORIEL_SOURCE_RING_TEST_REGION_H

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "wire/meta.h"
#include "wire/record.h"
#include "wire/region.h"

enum { CHUNKS = 16, THREADS = 2, PROCESSES = 2, META = 4096 };

static char *image; /* what is changed and read */
static char *sound; /* what each run begins with */
static size_t image_bytes;

/* ---- a sound region: one process, one thread, a few records ---- */

static inline void add_site(struct wire_region *h, uint32_t id, uint8_t kind, uint32_t type)
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

static inline uint32_t add_records(uint64_t *w, uint64_t now)
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

static inline void fill_chunk(struct wire_region *h, uint32_t i, uint32_t state, uint64_t now)
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

static inline void make_sound(void)
{
    struct wire_region h;
    struct clock_anchor a;
    image_bytes = wire_region_layout(&h, CHUNKS, THREADS, PROCESSES, META);
    sound = aligned_alloc(4096, image_bytes);
    if (!sound)
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

/* The image as a run begins with it; true: it is the input's own, without a list of changes. */
static inline bool begin_image(const uint8_t *data, size_t size)
{
    bool own = size >= 8 && memcmp(data, WIRE_REGION_MAGIC, 8) == 0;
    memcpy(image, sound, image_bytes);
    if (own)
        memcpy(image, data, size < image_bytes ? size : image_bytes);
    return own;
}

/* `look` may be NULL: nobody has opened it yet. */
static inline void apply_changes(const uint8_t *data, size_t size, void (*look)(void *), void *arg)
{
    for (size_t at = 0; at + 4 <= size;) {
        size_t n = data[at] & 31, left = size - at - 4;
        size_t to = (data[at + 1] | (size_t)data[at + 2] << 8 | (size_t)data[at + 3] << 16);
        if (data[at] >> 5 == 7 && look)
            look(arg);
        n = n < left ? n : left;
        to %= image_bytes;
        n = n < image_bytes - to ? n : image_bytes - to;
        memcpy(image + to, data + at + 4, n);
        at += 4 + n;
    }
}

#endif

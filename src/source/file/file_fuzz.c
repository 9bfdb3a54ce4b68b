/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as a capture. They are read as they are, and once more
 * with all checksums made right, because nothing random gets past those. Every
 * record that comes out must be whole, and its values readable.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "source/file/file.h"
#include "util/crc32c.h"
#include "wire/record.h"

enum { RECORDS_MAX = 1 << 20, POLL = 997 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(const struct model_record *r)
{
    struct model_values it;
    struct model_value value;
    uint32_t fields = r->site ? r->site->field_count : 0;
    uint32_t words = wire_record_check(r->raw, r->words, r->site ? r->site->types : NULL, fields);
    if (words != r->words || r->words == 0)
        abort();
    model_values_begin(&it, r);
    while (model_values_next(&it, &value))
        if ((value.type == ORIEL_TYPE_STR || value.type == ORIEL_TYPE_BYTES) &&
            value.v.str.n > ORIEL_STRING_MAX_BYTES)
            abort();
}

static void read_all(const uint8_t *data, size_t size)
{
    static struct file_source s;
    struct model_catalog catalog;
    struct model_batch batch;
    struct source_damage damage;
    uint64_t records = 0;
    model_catalog_init(&catalog);
    model_batch_init(&batch, &catalog);
    if (file_source_open_memory(&s, data, size, &catalog, NULL) == 0) {
        int rc = SOURCE_DATA;
        while (rc == SOURCE_DATA && records < RECORDS_MAX) {
            model_batch_clear(&batch);
            rc = source_file.poll(&s, &batch, POLL, NULL);
            for (size_t i = 0; i < batch.record_count; i++)
                check_record(&batch.records[i]);
            records += batch.record_count;
        }
        source_file.damage(&s, &damage);
        assert(damage.chunks_read <= damage.chunks);
        source_file.close(&s);
    }
    model_batch_done(&batch);
    model_catalog_done(&catalog);
}

/* Make the checksums of every chunk right. */
static void repair(uint8_t *p, size_t size)
{
    size_t at = 0;
    while (size - at >= WIRE_CAPTURE_FRAME_BYTES) {
        memcpy(p + at, WIRE_CAPTURE_MAGIC, 8);
        size_t left = size - at - WIRE_CAPTURE_FRAME_BYTES, stored = wire_get32(p + at + 8);
        if (stored > left) {
            stored = left;
            wire_put32(p + at + 8, (uint32_t)stored);
        }
        uint8_t *payload = p + at + WIRE_CAPTURE_FRAME_BYTES;
        for (size_t slot = 0;
             (p[at + 37] & WIRE_CAPTURE_IN_PLACE) && slot + WIRE_CAPTURE_SLOT_BYTES <= stored;
             slot += WIRE_CAPTURE_SLOT_BYTES)
            wire_put32(payload + slot + WIRE_CAPTURE_SLOT_CRC_AT,
                       crc32c(0, payload + slot, WIRE_CAPTURE_SLOT_CRC_AT));
        wire_put32(p + at + 56, crc32c(0, payload, stored));
        wire_put32(p + at + WIRE_CAPTURE_FRAME_CRC_AT,
                   crc32c(0, p + at, WIRE_CAPTURE_FRAME_CRC_AT));
        at += WIRE_CAPTURE_FRAME_BYTES + stored;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_all(data, size);
    uint8_t *copy = malloc(size ? size : 1);
    if (copy && size) {
        memcpy(copy, data, size);
        repair(copy, size);
        read_all(copy, size);
    }
    free(copy);
    return 0;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as a file of OTLP, in JSON and in protobuf. What comes out
 * are records that the wire's own check takes, in the order of their stream.
 */
#include "source/otlp/file.h"

#include <stdlib.h>

#include "source/test_bytes.h"
#include "wire/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_batch(const struct model_batch *b)
{
    for (size_t i = 0; i < b->record_count; i++) {
        const struct model_record *r = &b->records[i];
        const uint8_t *types = r->site ? r->site->types : NULL;
        uint32_t n = r->site ? r->site->field_count : 0;
        if (wire_record_check(r->raw, r->words, types, n) != r->words)
            abort();
        if (i && r->thread == b->records[i - 1].thread && r->t_ns < b->records[i - 1].t_ns)
            abort();
    }
}

static void run(const uint8_t *data, size_t size)
{
    struct model_catalog catalog;
    struct model_batch batch;
    struct otlp_file *s = calloc(1, sizeof *s);
    model_catalog_init(&catalog);
    model_batch_init(&batch, &catalog);
    if (open_memory(&source_otlp, s, data, size, &catalog, NULL) == 0) {
        int rc;
        do {
            model_batch_clear(&batch);
            rc = source_otlp.poll(s, &batch, 97, NULL);
            check_batch(&batch);
        } while (rc == SOURCE_DATA);
        source_otlp.close(s);
    }
    free(s);
    model_batch_done(&batch);
    model_catalog_done(&catalog);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run(data, size);
    /* The decoder behind the check, for what is not recognized as a file. */
    if (size && otlp_check(OTLP_LOGS, data, size, NULL) == 0 &&
        otlp_check(OTLP_METRICS, data, size, NULL) == 0)
        (void)source_otlp.recognizes(data, size);
    return 0;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as a profile of source/script. What comes out is a stack
 * and a thread of the catalog, in order, and ends.
 */
#include <stdlib.h>

#include "source/script/script.h"

enum { POLL = 97 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model_catalog catalog;
    struct model_batch batch;
    struct script_source s;
    uint64_t last = 0;
    model_catalog_init(&catalog);
    model_batch_init(&batch, &catalog);
    if (size)
        (void)source_script.recognizes(data, size);
    if (script_source_open_memory(&s, data, size, &catalog, NULL) == 0) {
        int rc = SOURCE_DATA;
        while (rc == SOURCE_DATA) {
            model_batch_clear(&batch);
            rc = source_script.poll(&s, &batch, POLL, NULL);
            for (size_t i = 0; i < batch.record_count; i++) {
                const struct model_record *r = &batch.records[i];
                if (r->t_ns < last || !r->thread || r->flags == 0 ||
                    r->flags >= ORIEL_SAMPLE_KINDS ||
                    (r->raw[2] && r->raw[2] >= catalog.stacks.node_count))
                    abort();
                last = r->t_ns;
            }
        }
        if (rc < 0 && rc != ORIEL_ENOMEM)
            abort();
        source_script.close(&s);
    }
    model_batch_done(&batch);
    model_catalog_done(&catalog);
    return 0;
}

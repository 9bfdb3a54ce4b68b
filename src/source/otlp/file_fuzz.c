/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as a file of OTLP, as requests of each signal in protobuf and
 * in JSON, and as compressed ones (the first byte says which). What comes out are records that the
 * wire's own check takes, in the order of their stream.
 */
#include "source/otlp/file.h"

#include <stdlib.h>

#include "source/otlp/server.h"
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

static void run_file(const uint8_t *data, size_t size)
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

/* As a receiver does: a request that is checked, then told. */
static void run_request(enum otlp_signal signal, const void *bytes, size_t size)
{
    struct model_catalog catalog;
    struct model_batch batch;
    struct otlp_tell tell;
    struct otlp_decode *decode = calloc(1, sizeof *decode);
    if (otlp_check(signal, bytes, size, 0, NULL) == 0) {
        model_catalog_init(&catalog);
        model_batch_init(&batch, &catalog);
        otlp_tell_init(&tell, &catalog);
        tell.batch = &batch;
        tell.now_ns = 1;
        otlp_decode_begin(decode, signal, bytes, size);
        while (!otlp_decode_run(decode, &tell, 50)) {
            check_batch(&batch);
            model_batch_clear(&batch);
        }
        check_batch(&batch);
        otlp_tell_done(&tell);
        model_batch_done(&batch);
        model_catalog_done(&catalog);
    }
    free(decode);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { JSON = OTLP_SIGNALS, GZIP = 2 * OTLP_SIGNALS, ZSTD, MODES };
    struct buf out;
    unsigned mode = size ? data[0] : MODES;
    buf_init(&out);
    if (mode < JSON) {
        run_request((enum otlp_signal)mode, data + 1, size - 1);
    } else if (mode < GZIP) {
        if (otlp_from_json((enum otlp_signal)(mode - JSON), (const char *)data + 1, size - 1, &out,
                           NULL) == 0)
            run_request((enum otlp_signal)(mode - JSON), out.data, out.size);
    } else if (mode < MODES) {
        const char *name = mode == GZIP ? "gzip" : "zstd";
        if (otlp_unpack(name, 4, data + 1, size - 1, 1 << 20, &out) == 0)
            run_request(OTLP_TRACES, out.data, out.size);
        if (out.size > 1 << 20)
            abort();
    } else {
        run_file(data, size);
    }
    buf_done(&out);
    return 0;
}

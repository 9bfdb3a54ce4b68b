/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as a perf.data file. What comes out is a stack and a
 * thread of the catalog, and ends.
 */
#include "source/perf/data.h"
#include "source/test_fuzz.h"

extern const struct source source_perfdata;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct data_source s;
    struct fuzz_import f;
    fuzz_import_begin(&f, &source_perfdata, data, size);
    if (open_memory(&source_perfdata, &s, data, size, &f.catalog, NULL) == 0)
        fuzz_import_run(&f, &source_perfdata, &s, false);
    fuzz_import_end(&f);
    return 0;
}

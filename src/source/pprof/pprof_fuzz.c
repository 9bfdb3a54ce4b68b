/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as a profile of source/pprof, in order.
 */
#include "source/pprof/pprof.h"
#include "source/test_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pprof_source s;
    struct fuzz_import f;
    fuzz_import_begin(&f, &source_pprof, data, size);
    if (open_memory(&source_pprof, &s, data, size, &f.catalog, NULL) == 0)
        fuzz_import_run(&f, &source_pprof, &s, true);
    fuzz_import_end(&f);
    return 0;
}

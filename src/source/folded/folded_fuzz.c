/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as a profile of source/folded, in order.
 */
#include "source/folded/folded.h"
#include "source/test_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct folded_source s;
    struct fuzz_import f;
    fuzz_import_begin(&f, &source_folded, data, size);
    if (open_memory(&source_folded, &s, data, size, &f.catalog, NULL) == 0)
        fuzz_import_run(&f, &source_folded, &s, true);
    fuzz_import_end(&f);
    return 0;
}

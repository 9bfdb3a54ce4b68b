/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as a profile of source/script, in order.
 */
#include "source/script/script.h"
#include "source/test_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script_source s;
    struct fuzz_import f;
    fuzz_import_begin(&f, &source_script, data, size);
    if (open_memory(&source_script, &s, data, size, &f.catalog, NULL) == 0)
        fuzz_import_run(&f, &source_script, &s, true);
    fuzz_import_end(&f);
    return 0;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as the intermediate text of gcov.
 */
#include "report/coverage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct coverage c;
    if (coverage_init(&c) == 0) {
        (void)coverage_read_gcov_text(&c, (const char *)data, size, NULL);
        coverage_finish(&c, NULL, NULL);
    }
    coverage_done(&c);
    return 0;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as a tracefile; what is accepted is told in all ways,
 * and reads back as the same sums.
 */
#include <stdlib.h>

#include "report/coverage.h"

static void tell(const struct coverage *c, struct buf *out)
{
    const struct coverage_view v = {.top = 10, .width = 80, .colour = true};
    buf_clear(out);
    coverage_text(c, &v, out);
    coverage_json(c, &v, out);
    coverage_html(c, &v, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct coverage c, again;
    struct buf b;
    buf_init(&b);
    int rc = coverage_init(&c);
    if (rc == 0 && coverage_read_lcov(&c, (const char *)data, size, NULL) == 0) {
        coverage_finish(&c, NULL, NULL);
        tell(&c, &b);
        buf_clear(&b);
        coverage_put_lcov(&c, &b);
        rc = coverage_init(&again);
        if (rc == 0 && b.size && coverage_read_lcov(&again, b.data, b.size, NULL) == 0) {
            coverage_finish(&again, NULL, NULL);
            struct coverage_sum x = coverage_sum_all(&c), y = coverage_sum_all(&again);
            if (x.lines != y.lines || x.lines_hit != y.lines_hit)
                abort();
        }
        coverage_done(&again);
    }
    coverage_done(&c);
    buf_done(&b);
    return 0;
}

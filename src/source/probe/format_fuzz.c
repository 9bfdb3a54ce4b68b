/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: a description of an event, then (behind a NUL) an event's bytes,
 * and once more as the arguments of a USDT note.
 */
#include <stdlib.h>
#include <string.h>

#include "source/probe/format.h"
#include "source/probe_args.h"

static volatile uint64_t read_all; /* so that what is read counts */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct format f;
    struct probe_arg args[PROBE_ARGS_MAX];
    size_t n = size ? strnlen((const char *)data, size) : 0, raw = n < size ? n + 1 : size;
    uint64_t sum = 0;
    char *copy = malloc(n + 1);
    if (!copy)
        return 0;
    memcpy(copy, data, n);
    copy[n] = 0;
    (void)format_parse(copy, n, &f);
    for (uint32_t i = 0; i < f.field_count; i++) {
        struct model_str s = format_text(&f.fields[i], data + raw, size - raw);
        for (uint32_t k = 0; k < s.n; k++)
            sum += (uint8_t)s.p[k];
        sum += format_number(&f.fields[i], data + raw, size - raw) + format_type(&f.fields[i]);
    }
    if (probe_args_parse(copy, args) > PROBE_ARGS_MAX)
        abort();
    read_all = sum;
    free(copy);
    return 0;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: the record check over a run of words. The first bytes choose
 * the field types; the rest is an exact-length copy of words.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1 << 16)
        return 0;
    uint32_t count = data[0] % 16;
    if (size < 1 + count)
        return 0;
    const uint8_t *types = data + 1;
    uint32_t words = (uint32_t)((size - 1 - count) / 8);
    uint64_t *run = malloc(words ? words * 8 : 1);
    if (!run)
        return 0;
    memcpy(run, data + 1 + count, words * 8);
    for (uint32_t at = 0; at < words;) {
        uint32_t whole = wire_record_check(run + at, words - at, NULL, 0);
        uint32_t typed = wire_record_check(run + at, words - at, types, count);
        /* Knowing the types can only make it stricter. */
        if (whole > words - at || (typed && typed != whole))
            abort();
        if (whole && whole < wire_record_prefix_words(ORIEL_RECORD_TYPE(run[at]),
                                                      ORIEL_RECORD_FLAGS(run[at])))
            abort();
        at += whole ? whole : 1;
    }
    free(run);
    return 0;
}

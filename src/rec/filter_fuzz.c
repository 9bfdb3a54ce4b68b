/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: filter directives (they come from the environment) and, behind
 * a byte 0, the target they are asked about. A level that passes lets all
 * higher ones pass, and what is refused leaves the filter as it was.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "rec/rec.h"

enum { LEVELS = ORIEL_LEVEL_FATAL + 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned allowed(const char *target)
{
    unsigned mask = 0;
    for (uint8_t level = ORIEL_LEVEL_TRACE; level < LEVELS; level++)
        mask |= (unsigned)rec_filter_allows(target, "name", level) << level;
    for (uint8_t level = ORIEL_LEVEL_TRACE; level + 1 < LEVELS; level++)
        if ((mask >> level & 1) && !(mask >> (level + 1) & 1))
            abort();
    return mask;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 2);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = text[size + 1] = 0;
    const char *target = text + strlen(text) + 1;
    if (target > text + size)
        target = "";
    if (rec_filter_set("info,db=debug") != 0)
        abort();
    unsigned before = allowed(target);
    if (rec_filter_set(text) != 0) {
        if (allowed(target) != before)
            abort();
    } else {
        allowed(target);
        allowed("");
    }
    free(text);
    return 0;
}

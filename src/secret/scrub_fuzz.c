/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as a text. Scrubbing stays within them, never makes them
 * longer, and leaves nothing of a known secret; covering keeps their number.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "secret/scrub.h"
#include "secret/secret.h"

#define CANARY "c4n4ry"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 65536)
        return 0;
    if (secret_known_add(CANARY, sizeof CANARY - 1) != 0)
        abort();
    const unsigned what = data[0] % (SCRUB_ALL + 1u) | SCRUB_KNOWN;
    const char *text = (const char *)data + 1;
    size_t n = size - 1;
    char *copy = malloc(n + 1);
    if (!copy)
        return 0;
    memcpy(copy, text, n);
    size_t m = scrub_in_place(copy, n, what);
    if (m > n || memmem(copy, m, CANARY, sizeof CANARY - 1))
        abort();
    memcpy(copy, text, n);
    (void)scrub_mask(copy, n, what);
    if (memmem(copy, n, CANARY, sizeof CANARY - 1))
        abort();
    (void)scrub_key(text, n);
    for (unsigned i = 0; i < 4; i++)
        (void)scrub_argument(text, n, i);
    free(copy);
    return 0;
}

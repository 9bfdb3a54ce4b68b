/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Ids as text, on the hot path of outlets: sixteen lower-case hex digits of
 * eight bytes in memory order, all at once. Pure; any thread.
 */
#ifndef ORIEL_EXPORT_HEX_H
#define ORIEL_EXPORT_HEX_H

#include <stdint.h>
#include <string.h>

typedef uint8_t export_bytes16 __attribute__((vector_size(16)));
typedef int8_t export_signed16 __attribute__((vector_size(16)));
typedef uint64_t export_words2 __attribute__((vector_size(16)));

static inline char *export_put_hex8(char *o, const void *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    /* Out of a register: a vector filled in memory would be waited for. */
    export_bytes16 v = (export_bytes16)(export_words2){word, 0};
    v = __builtin_shufflevector(v >> 4, v & 15, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7,
                                23);
    v += '0' + ((export_bytes16)((export_signed16)v > 9) & ('a' - '0' - 10));
    memcpy(o, &v, sizeof v);
    return o + sizeof v;
}

#endif

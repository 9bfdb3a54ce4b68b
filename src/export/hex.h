/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Ids as text, on the hot path of outlets: sixteen lower-case hex digits of
 * eight bytes in memory order, four bytes at a time. Pure; any thread.
 */
#ifndef ORIEL_EXPORT_HEX_H
#define ORIEL_EXPORT_HEX_H

#include <stdint.h>
#include <string.h>

#include "util/num.h"

static inline char *export_put_hex8(char *o, const void *bytes)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return num_put_hex(o, bytes, 8);
#else
    uint32_t half[2];
    memcpy(half, bytes, 8);
    for (int i = 0; i < 2; i++) {
        uint64_t v = half[i];
        v = (v | v << 16) & 0x0000ffff0000ffffu;
        v = (v | v << 8) & 0x00ff00ff00ff00ffu;
        v = (v >> 4 & 0x000f000f000f000fu) | (v & 0x000f000f000f000fu) << 8;
        /* 39 more for the digits above 9 */
        v += 0x3030303030303030u + ((v + 0x0606060606060606u) >> 4 & 0x0101010101010101u) * 39;
        memcpy(o + 8 * i, &v, 8);
    }
    return o + 16;
#endif
}

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The id is a hash of random bytes, so that nobody has to be told of it: who
 * has the bytes has the id.
 */
#include "base/instance.h"

#include <stdio.h>
#include <string.h>

#include "base/map.h"

void instance_id(const void *seed, uint64_t number, char out[INSTANCE_TEXT])
{
    uint64_t half[2];
    uint8_t id[16];
    half[0] = map_hash_bytes(seed, INSTANCE_SEED, number);
    half[1] = map_hash_bytes(seed, INSTANCE_SEED, half[0]);
    memcpy(id, half, sizeof id);
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x80);
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
    char *o = out;
    for (unsigned i = 0; i < sizeof id; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *o++ = '-';
        o += snprintf(o, 3, "%02x", id[i]);
    }
}

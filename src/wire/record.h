/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Validation of wire records. Pure functions over private copies of bytes;
 * used by every reader before anything else looks at a record.
 */
#ifndef ORIEL_WIRE_RECORD_H
#define ORIEL_WIRE_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include <oriel/abi/record.h>
#include <oriel/abi/site.h>

/* Number of words before the field values (header and time included) that a
 * record of this type and flags carries, or 0 for an unknown type. */
uint32_t wire_record_prefix_words(uint32_t type, uint32_t flags);

/* True if the header's low half is a site id for this type. */
int wire_record_has_site(uint32_t type);

/*
 * Check one record at `words`, of which `available` words may be read: known
 * type, size in range, prefix present, and, when `types` is not NULL, that the
 * `count` field values of those types fill the rest exactly.
 * Returns the size in words, 0 if the record is damaged.
 */
uint32_t wire_record_check(const uint64_t *words, uint32_t available, const uint8_t *types,
                           uint32_t count);

/*
 * What the hot loop of a reader needs, as a table by record type: a record
 * whose site has only one-word fields is whole exactly when
 *   words == prefix + fields, flags <= flag_max and the low half is as told.
 */
struct wire_shape {
    uint8_t prefix;   /* words before the fields; 0 = unknown type */
    uint8_t flag_max; /* highest flag byte allowed */
    uint8_t low;      /* enum wire_low */
    uint8_t tail;     /* enum wire_tail */
};
enum wire_low {
    WIRE_LOW_ZERO = 0,
    WIRE_LOW_SITE = 1, /* site id */
    WIRE_LOW_ID = 2,   /* low half of the raw id in word 2 */
    WIRE_LOW_FREE = 3  /* low half of a raw id told nowhere else (END) */
};
enum wire_tail {
    WIRE_TAIL_NONE = 0,
    WIRE_TAIL_FIELDS = 1,
    WIRE_TAIL_STR = 2,  /* one str value */
    WIRE_TAIL_SYNC = 3, /* min(depth, ORIEL_STACK_DEPTH) raw ids */
    WIRE_TAIL_PLOT = 4, /* one word, the value of field 0 */
    WIRE_TAIL_ADDRESSES = 5
};
extern const struct wire_shape wire_shapes[256];

#endif

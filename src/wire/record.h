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

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Open-addressing hash map from uint64_t keys (any value, zero included) to
 * uint64_t values, and a string interner on top. Not thread safe.
 */
#ifndef ORIEL_BASE_MAP_H
#define ORIEL_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot {
    uint64_t key, value;
};
struct map {
    struct map_slot *slots;
    uint8_t *used;
    size_t count, capacity; /* capacity is zero or a power of two */
};

void map_done(struct map *m);
void map_clear(struct map *m);
/* Pointer to the value, NULL if absent. Valid until the next insert. */
uint64_t *map_get(const struct map *m, uint64_t key);
/* Pointer to the value, inserted as `initial` if absent; NULL: no memory. */
uint64_t *map_put(struct map *m, uint64_t key, uint64_t initial);
bool map_remove(struct map *m, uint64_t key);
/* Iterate: start with *at = 0; false at the end. */
bool map_next(const struct map *m, size_t *at, uint64_t *out_key, uint64_t *out_value);

uint64_t map_hash_bytes(const void *bytes, size_t n, uint64_t seed);

#endif

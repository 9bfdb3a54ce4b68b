/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A stable sort of 64-bit keys that asks nothing of the operating system (qsort
 * of glibc asks how much memory there is, which the confined child may not).
 */
#ifndef ORIEL_SYMBOL_SORT_H
#define ORIEL_SYMBOL_SORT_H

#include <stddef.h>
#include <stdint.h>

struct sort_key {
    uint64_t key;
    uint32_t index; /* of what is sorted */
};

/* Ascending; equal keys keep their order. 0, or ORIEL_ENOMEM with nothing changed. */
int sort_keys(struct sort_key *keys, size_t n);

#endif

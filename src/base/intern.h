/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * String table: bytes to small dense ids (0 is always the empty string).
 * Strings live until the table is done. Not thread safe.
 */
#ifndef ORIEL_BASE_INTERN_H
#define ORIEL_BASE_INTERN_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct intern_str {
    const char *p;
    uint32_t n;
};
struct intern {
    struct arena arena;
    struct intern_str *strings;
    uint32_t *slots;
    uint32_t count, capacity, slot_count;
};

/* 0, or ORIEL_ENOMEM. */
int intern_init(struct intern *t);
void intern_done(struct intern *t);
/* Id of the string, added if new; UINT32_MAX when out of memory. */
uint32_t intern_add(struct intern *t, const char *p, size_t n);
struct intern_str intern_get(const struct intern *t, uint32_t id);

#endif

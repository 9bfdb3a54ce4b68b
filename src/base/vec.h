/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A typed growing array as a macro: VEC(struct x) v = {0}.
 * VEC_PUSH yields a pointer to the new zeroed element, NULL when out of memory.
 */
#ifndef ORIEL_BASE_VEC_H
#define ORIEL_BASE_VEC_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define VEC(type)                                                                                  \
    struct {                                                                                       \
        type *items;                                                                               \
        size_t count, capacity;                                                                    \
    }

/* Grow to hold one more; false when out of memory, nothing changed. */
bool vec_grow(void **items, size_t *capacity, size_t count, size_t item_size);
void vec_free(void **items);

#define VEC_PUSH(v)                                                                                \
    ((v)->count < (v)->capacity ||                                                                 \
         vec_grow((void **)&(v)->items, &(v)->capacity, (v)->count, sizeof *(v)->items)            \
     ? memset(&(v)->items[(v)->count], 0, sizeof *(v)->items),                                     \
     &(v)->items[(v)->count++] : NULL)
#define VEC_DONE(v) (vec_free((void **)&(v)->items), (v)->count = (v)->capacity = 0)

#endif

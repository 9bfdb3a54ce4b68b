/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Growth of the typed array macro. The item pointer is read and written with
 * memcpy, because its real type is known to the caller only (aliasing rules).
 */
#include "base/vec.h"

#include <assert.h>
#include <stdint.h>

#include "base/mem.h"

enum { FIRST_CAPACITY = 8 };

bool vec_grow(void **items, size_t *capacity, size_t count, size_t item_size)
{
    void *old;
    size_t bytes;
    assert(item_size > 0 && count <= *capacity);
    size_t wanted = *capacity ? *capacity * 2 : FIRST_CAPACITY;
    if (wanted <= count || __builtin_mul_overflow(wanted, item_size, &bytes))
        return false;
    memcpy(&old, items, sizeof old);
    void *grown = mem_realloc(old, bytes);
    if (!grown)
        return false;
    memcpy(items, &grown, sizeof grown);
    *capacity = wanted;
    return true;
}

void vec_free(void **items)
{
    void *old, *none = NULL;
    memcpy(&old, items, sizeof old);
    mem_free(old);
    memcpy(items, &none, sizeof none);
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reading crash notes out of a ring, alive or left behind. Each note is copied
 * before it is looked at; what is not whole is left out.
 */
#include <assert.h>
#include <string.h>

#include "base/os.h"
#include "source/region_io.h"
#include "wire/crash.h"

unsigned region_crashes(const char *path, struct wire_crash *out, unsigned max)
{
    struct wire_region h = {.magic = {0}};
    size_t bytes = 0;
    void *base = NULL;
    unsigned n = 0;
    assert(path && (out || !max));
    if (os_map_file(path, &bytes, &base) != 0)
        return 0;
    if (bytes >= sizeof h)
        memcpy(&h, base, sizeof h);
    if (wire_region_check(&h, bytes) == 0)
        for (unsigned i = 0; i < WIRE_CRASHES && n < max; i++)
            n += wire_crash_read(&((struct wire_region *)base)->crashes[i], &out[n]);
    os_unmap(base, bytes);
    return n;
}

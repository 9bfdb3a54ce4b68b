/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The list of sources. An explicit list, because constructors and section
 * tricks are dropped by static archives and --gc-sections.
 */
#include "source/source.h"

#include <string.h>

#define SOURCE(name) extern const struct source source_##name;
#include "source/sources.def"
#undef SOURCE

const struct source *const source_registry[] = {
#define SOURCE(name) &source_##name,
#include "source/sources.def"
#undef SOURCE
    NULL,
};

const struct source *source_find(const char *name)
{
    for (size_t i = 0; source_registry[i]; i++)
        if (strcmp(source_registry[i]->name, name) == 0)
            return source_registry[i];
    return NULL;
}

const struct source *source_detect(const void *head, size_t n)
{
    for (size_t i = 0; n && source_registry[i]; i++)
        if (source_registry[i]->recognizes && source_registry[i]->recognizes(head, n))
            return source_registry[i];
    return source_find("file");
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The list of outlets. An explicit list, because constructors and section
 * tricks are dropped by static archives and --gc-sections.
 */
#include "export/exporter.h"

#include <string.h>

#define EXPORTER(name) extern const struct exporter export_##name;
#include "export/exporters.def"
#undef EXPORTER

const struct exporter *const export_registry[] = {
#define EXPORTER(name) &export_##name,
#include "export/exporters.def"
#undef EXPORTER
    NULL,
};

const struct exporter *export_find(const char *name)
{
    for (size_t i = 0; export_registry[i]; i++)
        if (strcmp(export_registry[i]->name, name) == 0)
            return export_registry[i];
    return NULL;
}

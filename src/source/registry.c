/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The list of sources. An explicit list, because constructors and section
 * tricks are dropped by static archives and --gc-sections.
 */
#include "source/source.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

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

const struct source *source_detect_bytes(const void *head, size_t n)
{
    for (size_t i = 0; n && source_registry[i]; i++)
        if (source_registry[i]->recognizes && source_registry[i]->recognizes(head, n))
            return source_registry[i];
    return source_find("file");
}

const struct source *source_detect(const char *path)
{
    const struct source *found = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0) {
        uint8_t *head = mem_alloc(SOURCE_HEAD_BYTES);
        ssize_t n = head ? pread(fd, head, SOURCE_HEAD_BYTES, 0) : -1;
        if (n > 0)
            found = source_detect_bytes(head, (size_t)n);
        mem_free(head);
        close(fd);
    }
    return found ? found : source_find("file");
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An allocator that lies in a library of its own leaves addresses of that library on the stack of
 * whoever is in it. One that is a part of the program cannot be told from the rest of it.
 */
#include "util/allocator.h"

#include <dlfcn.h>
#include <link.h>
#include <stddef.h>

#include "util/interrupted.h"

struct place {
    uintptr_t at;       /* of a function */
    uintptr_t from, to; /* of the code of its object */
    bool first;         /* that is the program itself */
    unsigned looked;
};

static int look(struct dl_phdr_info *info, size_t size, void *user)
{
    struct place *p = user;
    const bool first = p->looked++ == 0;
    (void)size;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        const uintptr_t from = info->dlpi_addr + h->p_vaddr;
        if (h->p_type != PT_LOAD || !(h->p_flags & PF_X) || p->at - from >= h->p_memsz)
            continue;
        p->from = from;
        p->to = from + h->p_memsz;
        p->first = first;
        return 1;
    }
    return 0;
}

static struct place place_of(const char *name)
{
    struct place p = {.at = (uintptr_t)dlsym(RTLD_DEFAULT, name)};
    if (p.at)
        (void)dl_iterate_phdr(look, &p);
    return p;
}

void allocator_find(struct allocator *out)
{
    static const char *const names[] = {"malloc", "calloc",   "realloc",
                                        "free",   "memalign", "aligned_alloc"};
    const struct place libc = place_of("getauxval");
    *out = (struct allocator){0, 0, false};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct place p = place_of(names[i]);
        if (p.from == libc.from && p.from)
            continue;
        if (!p.from || p.first || (out->from && out->from != p.from))
            out->anywhere = true;
        out->from = p.from;
        out->to = p.to;
    }
}

bool allocator_may_run(const struct allocator *a)
{
    return a->anywhere || (a->from && interrupted_is_in(a->from, a->to));
}

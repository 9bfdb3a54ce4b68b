/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The modules of this process as a snapshot that signal handlers read: built
 * under the loader's lock by ordinary code, published by one store, counted by
 * its readers. Two snapshots take turns.
 */
#include <assert.h>
#include <link.h>
#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/err.h"
#include "base/os.h"
#include "unwind/current.h"
#include "unwind/eh_frame.h"
#include "unwind/elf.h"

/* A module's unwinding bytes in memory of ours: .eh_frame_hdr, then .eh_frame.
 * Both snapshots may hold it; only the one ordinary caller counts. */
struct unwind_copy {
    uint32_t holders;
    size_t size; /* of the mapping */
    uint8_t bytes[];
};

struct survey {
    const struct unwind_self *self;
    const struct unwind_snapshot *old; /* what is published now, or NULL */
    struct unwind_module *modules;     /* NULL: counting only */
    struct unwind_copy **copies;       /* beside them, NULL where read in place */
    uint32_t count, count_max;
    uint64_t adds, subs;
    int rc;
};

/* The unwinding bytes of a loaded module, where they lie in memory. */
struct loaded {
    struct unwind_elf elf;
    const uint8_t *hdr, *frame;
    uint64_t start, end; /* va */
    bool pinned;
};

static const uint8_t *in_memory(const struct dl_phdr_info *info, uint64_t va)
{
    return (const uint8_t *)(uintptr_t)(info->dlpi_addr + va);
}

static bool holds(const struct dl_phdr_info *info, const struct loaded *l, uint64_t address)
{
    uint64_t va = address - info->dlpi_addr;
    return va >= l->start && va < l->end;
}

/* The program, the loader, libc, the vDSO and we ourselves are never unloaded. */
static bool is_pinned(const struct survey *s, const struct dl_phdr_info *info,
                      const struct loaded *l)
{
    return s->self->pin_all || holds(info, l, getauxval(AT_ENTRY)) ||
           holds(info, l, getauxval(AT_BASE)) || holds(info, l, getauxval(AT_SYSINFO_EHDR)) ||
           holds(info, l, (uintptr_t)&dl_iterate_phdr) ||
           holds(info, l, (uintptr_t)&unwind_self_open);
}

static void find_frames(const struct dl_phdr_info *info, struct loaded *l)
{
    uint64_t va;
    const struct unwind_elf *elf = &l->elf;
    if (!elf->hdr_size || !unwind_elf_segment(elf, elf->hdr_va, elf->hdr_size))
        return;
    l->hdr = in_memory(info, elf->hdr_va);
    if (!eh_frame_hdr_target(l->hdr, elf->hdr_size, elf->hdr_va, &va))
        return;
    const struct unwind_segment *segment = unwind_elf_segment(elf, va, 1);
    if (!segment)
        return;
    l->frame = in_memory(info, va);
    l->elf.frame_va = va;
    l->elf.frame_size = segment->file_size - (va - segment->va);
}

static bool look_at(const struct survey *s, const struct dl_phdr_info *info, struct loaded *l)
{
    *l = (struct loaded){.start = UINT64_MAX};
    unwind_elf_from_phdrs(&l->elf, UNWIND_ARCH_HERE, info->dlpi_phdr, info->dlpi_phnum);
    bool code = false;
    for (uint32_t i = 0; i < l->elf.segment_count; i++) {
        const struct unwind_segment *segment = &l->elf.segments[i];
        if (segment->va < l->start)
            l->start = segment->va;
        if (segment->va + segment->memory_size > l->end)
            l->end = segment->va + segment->memory_size;
        code |= segment->executable;
    }
    if (!code || l->start >= l->end)
        return false;
    find_frames(info, l);
    l->pinned = is_pinned(s, info, l);
    return true;
}

static bool same_bytes(const struct unwind_copy *copy, const struct loaded *l)
{
    return memcmp(copy->bytes, l->hdr, l->elf.hdr_size) == 0 &&
           memcmp(copy->bytes + l->elf.hdr_size, l->frame, l->elf.frame_size) == 0;
}

/* The copy the published snapshot has of this very module. Where something was
 * unloaded since, another may lie at its place. */
static struct unwind_copy *find_copy(const struct survey *s, const struct dl_phdr_info *info,
                                     const struct loaded *l)
{
    for (uint32_t i = 0; s->old && i < s->old->space.count; i++) {
        const struct unwind_module *m = &s->old->space.modules[i];
        struct unwind_copy *copy = s->old->copies[i];
        if (copy && m->bias == info->dlpi_addr && m->start == info->dlpi_addr + l->start &&
            m->end == info->dlpi_addr + l->end && m->eh.frame_size == l->elf.frame_size &&
            (size_t)(m->eh.frame - copy->bytes) == l->elf.hdr_size &&
            (s->subs == s->self->subs || same_bytes(copy, l)))
            return copy;
    }
    return NULL;
}

static struct unwind_copy *copy_of(struct survey *s, const struct dl_phdr_info *info,
                                   const struct loaded *l)
{
    void *p;
    size_t size = sizeof(struct unwind_copy) + l->elf.hdr_size + l->elf.frame_size;
    struct unwind_copy *copy = find_copy(s, info, l);
    if (!copy) {
        if (os_map_private(size, &p) != 0) {
            s->rc = ORIEL_ENOMEM;
            return NULL;
        }
        copy = p;
        copy->size = size;
        memcpy(copy->bytes, l->hdr, l->elf.hdr_size);
        memcpy(copy->bytes + l->elf.hdr_size, l->frame, l->elf.frame_size);
    }
    copy->holders++;
    return copy;
}

/* The entry point, for those that describe it nowhere. */
static uint64_t entry_of(const struct dl_phdr_info *info, const struct loaded *l)
{
    uint64_t entry = getauxval(AT_ENTRY), base = getauxval(AT_BASE);
    if (holds(info, l, entry))
        return entry;
    if (base == 0 || base != info->dlpi_addr || !unwind_elf_segment(&l->elf, 0, sizeof(ElfW(Ehdr))))
        return 0;
    const ElfW(Ehdr) *header = (const void *)in_memory(info, 0);
    return header->e_entry ? base + header->e_entry : 0;
}

static int survey_one(struct dl_phdr_info *info, size_t size, void *context)
{
    struct survey *s = context;
    struct loaded l;
    if (size >= offsetof(struct dl_phdr_info, dlpi_subs) + sizeof info->dlpi_subs) {
        s->adds = info->dlpi_adds;
        s->subs = info->dlpi_subs;
    }
    if (!look_at(s, info, &l))
        return 0;
    uint32_t at = s->count++;
    if (!s->modules)
        return 0;
    if (at >= s->count_max) { /* the loader was faster */
        s->count--;
        s->rc = ORIEL_EBUSY;
        return 1;
    }
    struct unwind_copy *copy = l.frame && !l.pinned ? copy_of(s, info, &l) : NULL;
    const uint8_t *hdr = copy ? copy->bytes : l.hdr;
    const uint8_t *frame = copy ? copy->bytes + l.elf.hdr_size : l.frame;
    struct unwind_module m = {.start = info->dlpi_addr + l.start,
                              .end = info->dlpi_addr + l.end,
                              .bias = info->dlpi_addr,
                              .entry = entry_of(info, &l),
                              .id = at};
    if (s->rc == ORIEL_OK &&
        eh_frame_init(&m.eh, UNWIND_ARCH_HERE, frame, l.elf.frame_size, l.elf.frame_va))
        eh_frame_add_hdr(&m.eh, hdr, l.elf.hdr_size, l.elf.hdr_va);
    if (!m.eh.table) /* a handler has no time to look at all of them */
        m.eh = (struct eh_frame){0};
    while (at > 0 && s->modules[at - 1].start > m.start) {
        s->modules[at] = s->modules[at - 1];
        s->copies[at] = s->copies[at - 1];
        at--;
    }
    s->modules[at] = m;
    s->copies[at] = copy;
    return s->rc;
}

static int counts_only(struct dl_phdr_info *info, size_t size, void *context)
{
    struct survey *s = context;
    if (size >= offsetof(struct dl_phdr_info, dlpi_subs) + sizeof info->dlpi_subs) {
        s->adds = info->dlpi_adds;
        s->subs = info->dlpi_subs;
    }
    return 1;
}

static void drop(struct unwind_snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->space.count; i++) {
        struct unwind_copy *copy = snapshot->copies[i];
        if (copy && --copy->holders == 0)
            os_unmap(copy, copy->size);
    }
    if (snapshot->storage)
        os_unmap(snapshot->storage, snapshot->storage_size);
    snapshot->storage = NULL;
    snapshot->copies = NULL;
    snapshot->space = (struct unwind_space){0};
}

/* One try: ORIEL_EBUSY when the loader was faster between counting and filling. */
static int build(struct unwind_self *self, struct unwind_snapshot *out)
{
    struct survey count = {.self = self}, fill = {.self = self};
    dl_iterate_phdr(survey_one, &count);
    const size_t modules = count.count * sizeof(struct unwind_module);
    out->storage_size = modules + count.count * sizeof(struct unwind_copy *) + 1;
    if (os_map_private(out->storage_size, &out->storage) != 0) {
        out->storage = NULL;
        return ORIEL_ENOMEM;
    }
    fill.old = self->current ? &self->snapshots[self->current - 1] : NULL;
    fill.modules = out->storage;
    fill.copies = out->copies = (struct unwind_copy **)((char *)out->storage + modules);
    fill.count_max = count.count;
    dl_iterate_phdr(survey_one, &fill);
    out->space = (struct unwind_space){.modules = fill.modules,
                                       .count = fill.count,
                                       .arch = UNWIND_ARCH_HERE,
                                       .generation = ++self->generation,
                                       .cache = &self->cache};
    if (fill.rc != ORIEL_OK) {
        drop(out);
        return fill.rc;
    }
    self->adds = fill.adds;
    self->subs = fill.subs;
    return ORIEL_OK;
}

static int replace(struct unwind_self *self)
{
    uint32_t next = self->current == 1 ? 1 : 0;
    struct unwind_snapshot *snapshot = &self->snapshots[next];
    /* Pairs with the count in unwind_self_enter: a reader that comes now sees
     * that this one is not current and leaves without looking. */
    if (__atomic_load_n(&snapshot->readers, __ATOMIC_SEQ_CST) != 0)
        return ORIEL_EBUSY;
    drop(snapshot);
    int rc = ORIEL_EBUSY;
    for (int tries = 0; tries < 3 && rc == ORIEL_EBUSY; tries++)
        rc = build(self, snapshot);
    if (rc == ORIEL_OK) {
        __atomic_store_n(&self->current, next + 1, __ATOMIC_SEQ_CST);
        /* Pairs with the acquire in unwind_trail_walk, which reads rows of it and nothing else. */
        __atomic_store_n(&self->published, snapshot->space.generation, __ATOMIC_RELEASE);
    }
    return rc;
}

int unwind_self_open(struct unwind_self *self, bool at_start)
{
    assert(self->current == 0);
    self->pin_all = at_start;
    int rc = replace(self);
    self->pin_all = false;
    return rc;
}

int unwind_self_refresh(struct unwind_self *self)
{
    struct survey now = {.self = self};
    dl_iterate_phdr(counts_only, &now);
    if (self->current && now.adds == self->adds && now.subs == self->subs)
        return ORIEL_OK;
    return replace(self);
}

void unwind_self_after_fork(struct unwind_self *self)
{
    for (int i = 0; i < 2; i++)
        __atomic_store_n(&self->snapshots[i].readers, 0, __ATOMIC_SEQ_CST);
}

void unwind_self_close(struct unwind_self *self)
{
    __atomic_store_n(&self->current, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&self->published, 0, __ATOMIC_RELEASE);
    for (int i = 0; i < 2; i++)
        drop(&self->snapshots[i]);
}

bool unwind_stack_here(struct unwind_stack *out)
{
    pthread_attr_t attr;
    void *low;
    size_t size;
    if (pthread_getattr_np(pthread_self(), &attr) != 0)
        return false;
    bool done = pthread_attr_getstack(&attr, &low, &size) == 0;
    pthread_attr_destroy(&attr);
    if (done)
        *out = (struct unwind_stack){(uintptr_t)low, (uintptr_t)low + size};
    return done;
}

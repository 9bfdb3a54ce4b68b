/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The object files of this process, told in the meta log so that a reader can
 * make places of addresses, also after the process is gone. Only hooks that
 * write addresses ask for it. Walks the loader's list: ordinary code only.
 */
#include "hook/modules.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/os.h"
#include "rec/rec.h"

enum { TOLD_MAX = 1024, NOTE_ALIGN = 4 };

/* What was told of what is there now; gone from here when the library is. */
struct told {
    uint64_t hash;
    uint32_t round;
};
static struct {
    struct told list[TOLD_MAX];
    uint32_t count, round;
    uint32_t serial; /* of the process it was told for */
    uint32_t busy;
} all;

/* The NT_GNU_BUILD_ID among the notes of a segment; NULL: none. */
static const void *find_build_id(const char *at, size_t size, size_t *out_bytes)
{
    while (size >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const void *)at;
        size_t name = (note->n_namesz + NOTE_ALIGN - 1) & ~(size_t)(NOTE_ALIGN - 1);
        size_t desc = (note->n_descsz + NOTE_ALIGN - 1) & ~(size_t)(NOTE_ALIGN - 1);
        size_t rest = size - sizeof *note;
        if (name > rest || desc > rest - name)
            return NULL;
        const char *text = at + sizeof *note;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(text, "GNU", 4) == 0) {
            *out_bytes = note->n_descsz;
            return text + name;
        }
        at = text + name + desc;
        size = rest - name - desc;
    }
    return NULL;
}

/* False: no code, or nowhere. */
static bool describe(const struct dl_phdr_info *info, struct wire_module *out)
{
    bool code = false;
    *out = (struct wire_module){.bias = info->dlpi_addr, .start = UINT64_MAX};
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + p->p_vaddr;
        if (p->p_type == PT_LOAD) {
            code |= (p->p_flags & PF_X) != 0;
            out->start = start < out->start ? start : out->start;
            out->end = start + p->p_memsz > out->end ? start + p->p_memsz : out->end;
        } else if (p->p_type == PT_NOTE && !out->build_id) {
            out->build_id =
                find_build_id((const void *)(uintptr_t)start, p->p_memsz, &out->build_id_bytes);
        }
    }
    return code && out->start < out->end;
}

static bool lies_in(const struct wire_module *m, uint64_t address)
{
    return address >= m->start && address < m->end;
}

static uint64_t hash_of(const struct wire_module *m)
{
    uint64_t h = map_hash_bytes(m->path, strlen(m->path), m->start ^ m->end << 20);
    return m->build_id ? map_hash_bytes(m->build_id, m->build_id_bytes, h) : h;
}

/* True: it was told before, and still stands. */
static bool is_told(uint64_t hash)
{
    for (uint32_t i = 0; i < all.count; i++)
        if (all.list[i].hash == hash) {
            all.list[i].round = all.round;
            return true;
        }
    return false;
}

static void tell(struct wire_module *m, uint64_t hash)
{
    m->ticks = clock_ticks((enum oriel_clock)rec_runtime.clock);
    if (all.count == TOLD_MAX || !rec_module_tell(m))
        return; /* its places stay addresses */
    all.list[all.count++] = (struct told){hash, all.round};
}

static int see(struct dl_phdr_info *info, size_t size, void *context)
{
    static char exe[4096]; /* one caller at a time; stacks of coroutines are small */
    struct wire_module m;
    (void)size;
    (void)context;
    if (!describe(info, &m))
        return 0;
    m.path = info->dlpi_name ? info->dlpi_name : "";
    if (lies_in(&m, getauxval(AT_SYSINFO_EHDR)))
        m.path = "[vdso]";
    else if (!*m.path && os_exe_path(exe, sizeof exe) == 0)
        m.path = exe;
    uint64_t hash = hash_of(&m);
    if (!is_told(hash))
        tell(&m, hash);
    return 0;
}

static void forget_gone(void)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < all.count; i++)
        if (all.list[i].round == all.round)
            all.list[kept++] = all.list[i];
    all.count = kept;
}

void hook_modules_tell(void)
{
    uint32_t no = 0;
    if (!rec_enter())
        return;
    if (__atomic_compare_exchange_n(&all.busy, &no, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        uint32_t serial = rec_process_serial();
        if (all.serial != serial)
            all.count = 0;
        all.serial = serial;
        all.round++;
        dl_iterate_phdr(see, NULL);
        forget_gone();
        __atomic_store_n(&all.busy, 0, __ATOMIC_RELEASE);
    }
    rec_leave();
}

void hook_modules_forked(void)
{
    all.busy = 0;
}

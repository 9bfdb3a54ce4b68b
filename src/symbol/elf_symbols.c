/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The symbols of ELF files by address: functions, data and unnamed types from
 * .symtab or .dynsym, and the stubs of the procedure linkage table under the
 * names of what they call. Reads memory only. One thread per table.
 */
#include <assert.h>
#include <elf.h>

#include "base/vec.h"
#include "symbol/elf_file.h"
#include "symbol/sort.h"

enum { SYMBOLS_MAX = 1 << 26, PLT_BYTES = 16 };

static bool wanted(const Elf64_Sym *s)
{
    switch (ELF64_ST_TYPE(s->st_info)) {
    case STT_NOTYPE:
    case STT_OBJECT:
    case STT_FUNC:
    case STT_GNU_IFUNC:
        return s->st_shndx != SHN_UNDEF && s->st_name != 0 &&
               (s->st_shndx < SHN_LORESERVE || s->st_shndx == SHN_XINDEX);
    default:
        return false;
    }
}

/* Mapping symbols of ARM ($x, $d) say nothing about functions. */
static bool is_mapping(uint16_t machine, const char *name)
{
    return machine == EM_AARCH64 && name[0] == '$' && (name[1] == 'x' || name[1] == 'd') &&
           (name[2] == 0 || name[2] == '.');
}

static int add_table(struct elf_symbols *s, struct elf_file *f, struct elf_section *section)
{
    struct bytes table = elf_file_content(f, section);
    if (!table.p || section->link >= f->section_count)
        return 0;
    struct bytes names = elf_file_content(f, &f->sections[section->link]);
    const char *file = NULL;
    size_t count = table.n / sizeof(Elf64_Sym);
    if (count > SYMBOLS_MAX)
        return ORIEL_ELIMIT;
    for (size_t i = 1; i < count; i++) {
        Elf64_Sym sym;
        memcpy(&sym, table.p + i * sizeof sym, sizeof sym);
        if (ELF64_ST_TYPE(sym.st_info) == STT_FILE)
            file = bytes_str(names, sym.st_name);
        if (!wanted(&sym))
            continue;
        const char *name = bytes_str(names, sym.st_name);
        if (!name || !*name || is_mapping(f->machine, name))
            continue;
        struct elf_symbol *item = VEC_PUSH(s);
        if (!item)
            return ORIEL_ENOMEM;
        bool local = ELF64_ST_BIND(sym.st_info) == STB_LOCAL;
        *item = (struct elf_symbol){.addr = sym.st_value,
                                    .size = sym.st_size,
                                    .name = name,
                                    .file = local && file && *file ? file : NULL};
    }
    return 0;
}

int elf_symbols_add(struct elf_symbols *s, struct elf_file *f)
{
    size_t before = s->count;
    int rc = add_table(s, f, elf_file_find(f, ".symtab"));
    if (rc == 0 && s->count == before)
        rc = add_table(s, f, elf_file_find(f, ".dynsym"));
    return rc;
}

/* A slot of the global offset table and the name that the loader puts there. */
struct slot {
    uint64_t addr;
    const char *name;
};
struct slots {
    struct slot *items;
    size_t count, capacity;
};

static int add_slots(struct slots *slots, struct elf_file *f, struct elf_section *relocs)
{
    struct bytes table = elf_file_content(f, relocs);
    if (!table.p || relocs->link >= f->section_count)
        return 0;
    struct elf_section *symbols = &f->sections[relocs->link];
    struct bytes symtab = elf_file_content(f, symbols);
    if (!symtab.p || symbols->link >= f->section_count)
        return 0;
    struct bytes names = elf_file_content(f, &f->sections[symbols->link]);
    for (size_t at = 0; at + sizeof(Elf64_Rela) <= table.n; at += sizeof(Elf64_Rela)) {
        Elf64_Rela rela;
        Elf64_Sym sym;
        memcpy(&rela, table.p + at, sizeof rela);
        uint64_t index = ELF64_R_SYM(rela.r_info);
        if (index == 0 || !bytes_hold(symtab, index * sizeof sym, sizeof sym))
            continue;
        memcpy(&sym, symtab.p + index * sizeof sym, sizeof sym);
        const char *name = bytes_str(names, sym.st_name);
        struct slot *slot = name && *name ? VEC_PUSH(slots) : NULL;
        if (slot)
            *slot = (struct slot){rela.r_offset, name};
        else if (name && *name)
            return ORIEL_ENOMEM;
    }
    return 0;
}

/* Ascending by address; a name that comes later wins. */
static int sort_slots(struct slots *slots)
{
    struct sort_key *keys = mem_calloc(slots->count + 1, sizeof *keys);
    struct slot *sorted = mem_calloc(slots->count + 1, sizeof *sorted);
    int rc = keys && sorted ? 0 : ORIEL_ENOMEM;
    for (size_t i = 0; i < slots->count && rc == 0; i++)
        keys[i] = (struct sort_key){slots->items[i].addr, (uint32_t)i};
    if (rc == 0)
        rc = sort_keys(keys, slots->count);
    for (size_t i = 0; i < slots->count && rc == 0; i++)
        sorted[i] = slots->items[keys[i].index];
    if (rc == 0) {
        mem_free(slots->items);
        slots->items = sorted;
        slots->capacity = slots->count;
        sorted = NULL;
    }
    mem_free(keys);
    mem_free(sorted);
    return rc;
}

static const char *slot_name(const struct slots *slots, uint64_t addr)
{
    size_t lo = 0, hi = slots->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (slots->items[mid].addr <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo && slots->items[lo - 1].addr == addr ? slots->items[lo - 1].name : NULL;
}

/* The slot that an x86-64 stub jumps through: ff 25 and a distance. */
static uint64_t x86_stub_slot(struct bytes stub, uint64_t addr)
{
    for (size_t i = 0; i + 6 <= stub.n; i++) {
        int32_t distance;
        if (stub.p[i] != 0xff || stub.p[i + 1] != 0x25)
            continue;
        memcpy(&distance, stub.p + i + 2, 4);
        return addr + i + 6 + (uint64_t)(int64_t)distance;
    }
    return 0;
}

/* On aarch64: adrp x16, page; ldr x17, [x16, #offset]. A bti may come first. */
static uint64_t arm_stub_slot(struct bytes stub, uint64_t addr)
{
    for (size_t i = 0; i + 8 <= stub.n; i += 4) {
        uint32_t adrp, load;
        memcpy(&adrp, stub.p + i, 4);
        memcpy(&load, stub.p + i + 4, 4);
        if ((adrp & 0x9f00001f) != 0x90000010 || (load & 0xffc003ff) != 0xf9400211)
            continue;
        uint64_t pages = (uint64_t)((adrp >> 29) & 3) | (uint64_t)((adrp >> 5) & 0x7ffff) << 2;
        if (pages & (UINT64_C(1) << 20))
            pages |= UINT64_MAX << 21;
        return ((addr + i) & ~UINT64_C(0xfff)) + (pages << 12) + ((load >> 10) & 0xfff) * 8;
    }
    return 0;
}

static int add_stubs(struct elf_symbols *s, struct elf_file *f, struct elf_section *section,
                     const struct slots *slots)
{
    struct bytes text = elf_file_content(f, section);
    /* .plt.got of older linkers has stubs of eight bytes. */
    size_t step = section->entry_size == 8 ? 8 : PLT_BYTES;
    for (size_t at = 0; text.p && at < text.n; at += step) {
        struct bytes stub = bytes_part(text, at, step);
        uint64_t addr = section->addr + at;
        uint64_t slot =
            f->machine == EM_AARCH64 ? arm_stub_slot(stub, addr) : x86_stub_slot(stub, addr);
        const char *name = slot ? slot_name(slots, slot) : NULL;
        if (!name)
            continue;
        struct elf_symbol *item = VEC_PUSH(s);
        if (!item)
            return ORIEL_ENOMEM;
        *item = (struct elf_symbol){.addr = addr, .size = stub.n, .name = name, .plt = true};
    }
    return 0;
}

int elf_symbols_add_plt(struct elf_symbols *s, struct elf_file *f)
{
    struct slots slots = {0};
    int rc = 0;
    for (uint32_t i = 0; i < f->section_count && rc == 0; i++)
        if (f->sections[i].type == SHT_RELA && (f->sections[i].flags & SHF_ALLOC))
            rc = add_slots(&slots, f, &f->sections[i]);
    if (rc == 0)
        rc = sort_slots(&slots);
    for (uint32_t i = 0; i < f->section_count && rc == 0 && slots.count; i++)
        if ((f->sections[i].flags & SHF_EXECINSTR) && strncmp(f->sections[i].name, ".plt", 4) == 0)
            rc = add_stubs(s, f, &f->sections[i], &slots);
    VEC_DONE(&slots);
    return rc;
}

/* The order of the items by one member: sizes first, then addresses, stably. */
static int sort_by(const struct elf_symbols *s, struct sort_key *keys, bool size)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct elf_symbol *item = &s->items[keys[i].index];
        keys[i].key = size ? item->size : item->addr;
    }
    return sort_keys(keys, s->count);
}

int elf_symbols_sort(struct elf_symbols *s)
{
    struct sort_key *keys = mem_calloc(s->count + 1, sizeof *keys);
    struct elf_symbol *sorted = mem_calloc(s->count + 1, sizeof *sorted);
    int rc = keys && sorted ? 0 : ORIEL_ENOMEM;
    size_t kept = 0;
    for (size_t i = 0; i < s->count && rc == 0; i++)
        keys[i].index = (uint32_t)i;
    if (rc == 0)
        rc = sort_by(s, keys, true);
    if (rc == 0)
        rc = sort_by(s, keys, false);
    for (size_t i = 0; i < s->count && rc == 0; i++) {
        const struct elf_symbol *item = &s->items[keys[i].index];
        if (kept && sorted[kept - 1].addr == item->addr)
            kept--;
        sorted[kept++] = *item;
    }
    mem_free(keys);
    if (rc != 0) {
        mem_free(sorted);
        return rc;
    }
    mem_free(s->items);
    *s = (struct elf_symbols){sorted, kept, s->count + 1};
    return 0;
}

size_t elf_symbols_find(const struct elf_symbols *s, uint64_t addr, uint64_t *out_lo,
                        uint64_t *out_hi)
{
    size_t lo = 0, hi = s->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->items[mid].addr <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    *out_hi = lo < s->count ? s->items[lo].addr : UINT64_MAX;
    *out_lo = 0;
    if (lo == 0)
        return SIZE_MAX;
    const struct elf_symbol *item = &s->items[lo - 1];
    assert(item->addr <= addr);
    *out_lo = item->addr;
    if (item->size == 0)
        return lo - 1;
    uint64_t end = item->size > UINT64_MAX - item->addr ? UINT64_MAX : item->addr + item->size;
    if (addr < end) {
        *out_hi = end < *out_hi ? end : *out_hi;
        return lo - 1;
    }
    *out_lo = end;
    return SIZE_MAX;
}

void elf_symbols_done(struct elf_symbols *s)
{
    VEC_DONE(s);
}

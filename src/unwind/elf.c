/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Headers of 64-bit little-endian ELF files of the two machines. Every number
 * in them is taken for a lie until it is checked; counts are bounded. The part
 * over program headers runs inside the observed program as well.
 */
#include "unwind/elf.h"

#include <assert.h>
#include <elf.h>
#include <string.h>

#include "base/err.h"
#include "unwind/eh_frame.h"

enum { PAGE_4K = 4096, HDR_MAX = 4 + 8 + 8 };

static bool ends(uint64_t start, uint64_t size, uint64_t *out)
{
    *out = start + size;
    return *out >= start;
}

static void add_phdr(struct unwind_elf *elf, const Elf64_Phdr *p)
{
    uint64_t end;
    if (!ends(p->p_vaddr, p->p_memsz, &end) || !ends(p->p_offset, p->p_filesz, &end) ||
        p->p_filesz > p->p_memsz)
        return;
    if (p->p_type == PT_GNU_EH_FRAME) {
        elf->hdr_va = p->p_vaddr;
        elf->hdr_size = p->p_filesz;
    } else if (p->p_type == PT_LOAD && elf->segment_count < UNWIND_SEGMENTS_MAX) {
        elf->segments[elf->segment_count++] = (struct unwind_segment){
            p->p_vaddr, p->p_offset, p->p_filesz, p->p_memsz, p->p_flags & PF_X};
    }
}

void unwind_elf_from_phdrs(struct unwind_elf *out, uint32_t arch, const ElfW(Phdr) * phdrs,
                           size_t count)
{
    *out = (struct unwind_elf){.arch = arch};
    for (size_t i = 0; i < count && i < UNWIND_PHDRS_MAX; i++)
        add_phdr(out, &phdrs[i]);
}

const struct unwind_segment *unwind_elf_segment(const struct unwind_elf *elf, uint64_t va,
                                                uint64_t size)
{
    for (uint32_t i = 0; i < elf->segment_count; i++) {
        const struct unwind_segment *s = &elf->segments[i];
        if (va - s->va < s->file_size && size <= s->file_size - (va - s->va))
            return s;
    }
    return NULL;
}

bool unwind_elf_bias(const struct unwind_elf *elf, uint64_t start, uint64_t size, uint64_t offset,
                     uint64_t *out)
{
    const uint64_t page = PAGE_4K - 1; /* maps begin at pages, segments anywhere in them */
    for (uint32_t i = 0; i < elf->segment_count; i++) {
        const struct unwind_segment *s = &elf->segments[i];
        uint64_t first = s->offset & ~page;
        if (!s->executable || offset + size <= first || offset >= s->offset + s->file_size)
            continue;
        *out = start - offset - (s->va - s->offset);
        return true;
    }
    return false;
}

static int check_header(const Elf64_Ehdr *e, uint32_t *out_arch)
{
    if (memcmp(e->e_ident, ELFMAG, SELFMAG) != 0)
        return ORIEL_EFORMAT;
    if (e->e_ident[EI_CLASS] != ELFCLASS64 || e->e_ident[EI_DATA] != ELFDATA2LSB)
        return ORIEL_EUNSUPPORTED;
    if (e->e_machine == EM_X86_64)
        *out_arch = UNWIND_X86_64;
    else if (e->e_machine == EM_AARCH64)
        *out_arch = UNWIND_AARCH64;
    else
        return ORIEL_EUNSUPPORTED;
    return ORIEL_OK;
}

/* .eh_frame by name, for images without .eh_frame_hdr. */
static void find_section(unwind_read_fn *read, void *context, const Elf64_Ehdr *e,
                         struct unwind_elf *out)
{
    static const char name[] = ".eh_frame";
    Elf64_Shdr s, names;
    uint64_t at, end;
    if (e->e_shentsize != sizeof s || e->e_shstrndx >= e->e_shnum ||
        !ends(e->e_shoff, (uint64_t)e->e_shnum * sizeof s, &end) ||
        !read(context, e->e_shoff + e->e_shstrndx * sizeof s, &names, sizeof names))
        return;
    for (unsigned i = 0; i < e->e_shnum; i++) {
        char text[sizeof name];
        if (!read(context, e->e_shoff + i * sizeof s, &s, sizeof s))
            return;
        if (s.sh_type == SHT_NOBITS || s.sh_name > names.sh_size ||
            names.sh_size - s.sh_name < sizeof name || !ends(names.sh_offset, s.sh_name, &at) ||
            !read(context, at, text, sizeof text) || memcmp(text, name, sizeof name) != 0)
            continue;
        if (unwind_elf_segment(out, s.sh_addr, s.sh_size)) {
            out->frame_va = s.sh_addr;
            out->frame_size = s.sh_size;
        }
        return;
    }
}

/* .eh_frame as its header says: to the end of the segment, the size stands nowhere. */
static void find_from_hdr(unwind_read_fn *read, void *context, struct unwind_elf *out)
{
    uint8_t hdr[HDR_MAX] = {0};
    uint64_t va;
    const struct unwind_segment *s = unwind_elf_segment(out, out->hdr_va, out->hdr_size);
    size_t n = out->hdr_size < sizeof hdr ? (size_t)out->hdr_size : sizeof hdr;
    if (!s || !read(context, s->offset + (out->hdr_va - s->va), hdr, n) ||
        !eh_frame_hdr_target(hdr, n, out->hdr_va, &va) || !(s = unwind_elf_segment(out, va, 1))) {
        out->hdr_size = 0;
        return;
    }
    out->frame_va = va;
    out->frame_size = s->file_size - (va - s->va);
}

int unwind_elf_read(unwind_read_fn *read, void *context, struct unwind_elf *out)
{
    Elf64_Ehdr e;
    uint64_t end;
    struct unwind_elf elf = {0};
    if (!read(context, 0, &e, sizeof e))
        return ORIEL_EFORMAT;
    int rc = check_header(&e, &elf.arch);
    if (rc != ORIEL_OK)
        return rc;
    if (e.e_phentsize != sizeof(Elf64_Phdr) || e.e_phnum > UNWIND_PHDRS_MAX ||
        !ends(e.e_phoff, (uint64_t)e.e_phnum * sizeof(Elf64_Phdr), &end))
        return ORIEL_EDAMAGED;
    for (unsigned i = 0; i < e.e_phnum; i++) {
        Elf64_Phdr p;
        if (!read(context, e.e_phoff + i * sizeof p, &p, sizeof p))
            return ORIEL_EDAMAGED;
        add_phdr(&elf, &p);
    }
    if (elf.hdr_size)
        find_from_hdr(read, context, &elf);
    if (!elf.hdr_size)
        find_section(read, context, &e, &elf);
    assert(elf.segment_count <= UNWIND_SEGMENTS_MAX);
    elf.entry = e.e_entry;
    *out = elf;
    return ORIEL_OK;
}

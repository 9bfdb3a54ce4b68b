/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where an ELF image keeps its unwinding bytes: from program headers alone,
 * or from section headers where there is no .eh_frame_hdr. Untrusted input;
 * read through a callback at file offsets, copied before it is checked.
 */
#ifndef ORIEL_UNWIND_ELF_H
#define ORIEL_UNWIND_ELF_H

#include <link.h>

#include "unwind/unwind.h"

enum { UNWIND_SEGMENTS_MAX = 32, UNWIND_PHDRS_MAX = 256, UNWIND_SECTIONS_MAX = 65535 };

struct unwind_segment {
    uint64_t va, offset, file_size, memory_size;
    bool executable;
};
struct unwind_elf {
    uint32_t arch;
    uint64_t entry;                /* va; 0: none */
    uint64_t hdr_va, hdr_size;     /* size 0: none */
    uint64_t frame_va, frame_size; /* size 0: none; end of its segment if unknown */
    struct unwind_segment segments[UNWIND_SEGMENTS_MAX];
    uint32_t segment_count;
};

/* 0, ORIEL_EFORMAT, ORIEL_EUNSUPPORTED (another machine), ORIEL_EDAMAGED. An
 * image without unwinding bytes is no error. */
int unwind_elf_read(unwind_read_fn *read, void *context, struct unwind_elf *out);
/* The same from program headers in memory (dl_iterate_phdr); frame_va is then
 * to be asked of the header itself. */
void unwind_elf_from_phdrs(struct unwind_elf *out, uint32_t arch, const ElfW(Phdr) * phdrs,
                           size_t count);
/* The segment whose file bytes hold all of [va, va + size); NULL if none. */
const struct unwind_segment *unwind_elf_segment(const struct unwind_elf *elf, uint64_t va,
                                                uint64_t size);
/* The bias of a mapping of file offset `offset` at `start`: address = va + bias. */
bool unwind_elf_bias(const struct unwind_elf *elf, uint64_t start, uint64_t size, uint64_t offset,
                     uint64_t *out);

#endif

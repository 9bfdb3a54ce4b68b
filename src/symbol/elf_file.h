/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An ELF file in memory: its sections, unpacked where they are compressed, its
 * build-id, the names it gives of other files, and its symbols. Every byte is
 * foreign. No I/O; one thread per file.
 */
#ifndef ORIEL_SYMBOL_ELF_FILE_H
#define ORIEL_SYMBOL_ELF_FILE_H

#include "base/err.h"
#include "base/mem.h"
#include "symbol/read.h"

struct elf_section {
    const char *name;
    uint32_t type, link;
    uint64_t flags, addr, offset, size, entry_size;
    struct bytes unpacked; /* set once a compressed section was asked for */
    bool tried;
};

struct elf_file {
    struct bytes map;
    uint16_t machine, type;
    struct elf_section *sections;
    uint32_t section_count;
    struct bytes build_id;
    struct arena unpacked;
    bool damaged; /* a section could not be read */
};

/* Read the headers; `map` must outlive the file. 0, ORIEL_EFORMAT (no ELF file
 * of 64 bits and this byte order), ORIEL_EDAMAGED, ORIEL_ENOMEM. */
int elf_file_open(struct elf_file *f, struct bytes map, struct oriel_err *err);
void elf_file_close(struct elf_file *f); /* also after a failed open */

/* NULL when there is none of that name. */
struct elf_section *elf_file_find(const struct elf_file *f, const char *name);
/* The content, unpacked; empty when it has none or is damaged. */
struct bytes elf_file_content(struct elf_file *f, struct elf_section *section);
/* .debug_<name> or .zdebug_<name>, with `suffix` ".dwo" for split DWARF; empty when missing. */
struct bytes elf_file_debug(struct elf_file *f, const char *name, const char *suffix);
/* True when the address lies in a section that holds instructions. */
bool elf_file_is_text(const struct elf_file *f, uint64_t addr);

/* .gnu_debuglink: file name and CRC. False when there is none. */
bool elf_file_debuglink(struct elf_file *f, const char **out_name, uint32_t *out_crc);
/* .gnu_debugaltlink: file name and build-id. False when there is none. */
bool elf_file_altlink(struct elf_file *f, const char **out_name, struct bytes *out_id);
/* .gnu_debugdata: a small ELF file, xz-packed. Unpacked bytes, or empty. */
struct bytes elf_file_minidebug(struct elf_file *f);

struct elf_symbol {
    uint64_t addr, size; /* size 0: up to the next symbol */
    const char *name;
    const char *file; /* of a local symbol, when the table tells; else NULL */
    bool plt;         /* a stub: "@plt" is added to the name */
};

struct elf_symbols {
    struct elf_symbol *items; /* by address, one for each */
    size_t count, capacity;
};

/* Append what .symtab of the file has, or its .dynsym if that is empty. */
int elf_symbols_add(struct elf_symbols *s, struct elf_file *f);
/* Append the stubs of the procedure linkage table. */
int elf_symbols_add_plt(struct elf_symbols *s, struct elf_file *f);
/* Where functions begin, as the index of the unwinding tables tells (.eh_frame_hdr), which
 * stripped files keep: addresses, ascending. 0, ORIEL_ELIMIT, ORIEL_ENOMEM; nothing
 * where there is none, or none that is understood. */
struct elf_starts {
    uint64_t *items;
    size_t count, capacity;
};
int elf_starts_read(struct elf_starts *s, struct elf_file *f);
/* Index of the function that addr is in, SIZE_MAX if none; and the range for which that holds. */
size_t elf_starts_find(const struct elf_starts *s, uint64_t addr, uint64_t *out_lo,
                       uint64_t *out_hi);
void elf_starts_done(struct elf_starts *s);
/* Sort; of several at one address the largest stays, of equals the last. 0 or
 * ORIEL_ENOMEM. */
int elf_symbols_sort(struct elf_symbols *s);
/* Index of the symbol that covers the address, SIZE_MAX if none. In any case the
 * half-open range around addr for which the answer is the same. */
size_t elf_symbols_find(const struct elf_symbols *s, uint64_t addr, uint64_t *out_lo,
                        uint64_t *out_hi);
void elf_symbols_done(struct elf_symbols *s);

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One module while it is worked on: its files, their DWARF, its symbols, and
 * the table that is being made. Shared by the files of the job, nobody else.
 */
#ifndef ORIEL_SYMBOL_MODULE_H
#define ORIEL_SYMBOL_MODULE_H

#include "symbol/dw.h"
#include "symbol/elf_file.h"
#include "symbol/job.h"
#include "symbol/table.h"
#include "symbol/tree.h"

/* A .dwo file, or one unit's share of a .dwp. */
struct split {
    struct elf_file elf;
    struct dw dw;
    bool good;
    struct split *next;
};
/* Name and linkage of a function, already as strings of the table. */
struct known_name {
    uint32_t name, linkage, line;
};
struct unit_range {
    uint64_t lo, hi;
    uint32_t unit;
};

struct module {
    const struct job *job;
    struct job_result *result;
    struct elf_file main, debug, mini, alt, package;
    uint32_t debug_file; /* number of the file `dw` was read from */
    bool has_main, has_debug, has_mini, has_alt;
    int package_state; /* 0 not asked, 1 there, -1 none */
    struct dw dw, alt_dw;
    struct split *splits;
    struct elf_symbols symbols;
    struct elf_starts starts;      /* of functions, where names were taken out of the file */
    VEC(struct unit_range) ranges; /* by lo */
    struct table_maker maker;
    struct map name_index; /* entry to known_names */
    VEC(struct known_name) known_names;
    struct buf text; /* scratch */
};

/* Find and open what there is. 0, or why there is nothing. */
int module_open(struct module *m, const struct job *job, struct job_result *result);
void module_close(struct module *m);
/* The range of units around addr; unit UINT32_MAX: between them. */
void module_find_unit(const struct module *m, uint64_t addr, struct unit_range *out);
/* The executable section around addr; false when it lies in none. */
bool module_text(const struct module *m, uint64_t addr, uint64_t *out_lo, uint64_t *out_hi);
/* Where the unit's entries are: itself, or the split unit. NULL: its file is missing. */
struct dw_unit *module_entries(struct module *m, struct dw_unit *u);
void module_close_splits(struct module *m);
/* All sections of a file as DWARF; suffix "" or ".dwo". */
void module_dwarf(struct dw *d, struct elf_file *f, const char *suffix);
/* Say what is wrong, unless something was said before. */
void module_note(struct module *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

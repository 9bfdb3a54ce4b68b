/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The recorder's side: files with their unwinding bytes, shared by processes,
 * and the modules of one process by address, as mmap records or /proc/PID/maps
 * tell them. One thread; heap memory through base/mem.
 */
#ifndef ORIEL_UNWIND_MODULES_H
#define ORIEL_UNWIND_MODULES_H

#include "base/vec.h"
#include "unwind/elf.h"
#include "unwind/unwind.h"

struct unwind_file; /* counted; its bytes are copies, so it may be replaced on disk */

/* 0, ORIEL_ENOTFOUND, ORIEL_EPERM, ORIEL_EIO, ORIEL_ENOMEM, ORIEL_ELIMIT (more
 * than 256 MiB of unwinding bytes) or what unwind_elf_read says. Opens regular
 * files only, never blocks on a pipe. */
int unwind_file_open(const char *path, struct unwind_file **out);
/* From an image whose file offsets can be read, e.g. the vDSO in memory. */
int unwind_file_read(unwind_read_fn *read, void *context, struct unwind_file **out);
/* The vDSO of this process: the same as that of all 64-bit ones. */
int unwind_file_vdso(struct unwind_file **out);
struct unwind_file *unwind_file_ref(struct unwind_file *f);
void unwind_file_unref(struct unwind_file *f); /* takes NULL */
/* Make the table of all its rows; again is no cost. Else rows are made singly. */
int unwind_file_compile(struct unwind_file *f);
const struct unwind_table *unwind_file_table(const struct unwind_file *f);
const struct unwind_elf *unwind_file_elf(const struct unwind_file *f);
const struct eh_frame *unwind_file_eh(const struct unwind_file *f);

struct unwind_modules {
    struct unwind_space space; /* what walks need; valid until the next change */
    VEC(struct unwind_module) list;
    VEC(struct unwind_file *) files; /* beside list, NULL for memory without a file */
};
/* ORIEL_ENOMEM: nothing to free. */
int unwind_modules_init(struct unwind_modules *m, uint32_t arch);
void unwind_modules_done(struct unwind_modules *m);
/* Executable memory was mapped over whatever was there. `file` NULL: code made
 * by the program. The file is shared, `id` is the caller's name for it. 0,
 * ORIEL_ENOMEM, ORIEL_EINVAL (empty or around the end of memory, or the file
 * does not lie there). */
int unwind_modules_map(struct unwind_modules *m, const struct unwind_module *range, uint64_t offset,
                       struct unwind_file *file);
int unwind_modules_unmap(struct unwind_modules *m, uint64_t start, uint64_t end);
/* All executable mappings of a process that runs. Files are opened through its
 * own root, and each once. Ids are line numbers of maps. 0 or as above. */
int unwind_modules_read(struct unwind_modules *m, int32_t pid);
/* Compile the file that holds `address` (unwind_file_compile). */
int unwind_modules_compile(struct unwind_modules *m, uint64_t address);

/* Memory of a process by process_vm_readv, a block at a time. For `read` of
 * struct unwind_memory; async-signal-safe, and safe at any address of the own
 * process too. Zero it, set pid; forget() when the process ran meanwhile. */
enum { UNWIND_PEEK_BYTES = 1024 };
struct unwind_peek {
    int32_t pid;
    uint64_t start; /* of the block, valid if size */
    uint32_t size;
    uint8_t block[UNWIND_PEEK_BYTES];
};
bool unwind_peek_read(void *peek, uint64_t address, void *out, size_t n);

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One file's unwinding bytes in memory. They are copied, not mapped: a file cut
 * short while mapped would end the recorder. One thread.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "unwind/eh_frame.h"
#include "unwind/modules.h"
#include "unwind/table.h"

enum { BYTES_MAX = 256 << 20, VDSO_MAX = 64 << 10 };

struct unwind_file {
    uint32_t refs;
    struct unwind_elf elf;
    struct eh_frame eh;
    uint8_t *hdr, *frame;
    struct unwind_table *table;
    bool compiled; /* tried */
};

static bool read_fd(void *context, uint64_t offset, void *out, size_t n)
{
    const int *fd = context;
    size_t done = 0;
    if (offset > INT64_MAX - n)
        return false;
    while (done < n) {
        ssize_t got = pread(*fd, (char *)out + done, n - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

/* Copies [va, va + size) of the file. */
static int copy_bytes(const struct unwind_file *f, unwind_read_fn *read, void *context, uint64_t va,
                      uint64_t size, uint8_t **out)
{
    const struct unwind_segment *s = unwind_elf_segment(&f->elf, va, size);
    if (!s)
        return ORIEL_EDAMAGED;
    if (size > BYTES_MAX)
        return ORIEL_ELIMIT;
    uint8_t *p = mem_alloc(size);
    if (!p)
        return ORIEL_ENOMEM;
    if (!read(context, s->offset + (va - s->va), p, size)) {
        mem_free(p);
        return ORIEL_EDAMAGED;
    }
    *out = p;
    return ORIEL_OK;
}

static int load(struct unwind_file *f, unwind_read_fn *read, void *context)
{
    int rc = unwind_elf_read(read, context, &f->elf);
    if (rc != ORIEL_OK || f->elf.frame_size == 0)
        return rc;
    rc = copy_bytes(f, read, context, f->elf.frame_va, f->elf.frame_size, &f->frame);
    if (rc != ORIEL_OK)
        return rc;
    if (!eh_frame_init(&f->eh, f->elf.arch, f->frame, f->elf.frame_size, f->elf.frame_va))
        return ORIEL_OK; /* nothing in it */
    if (f->elf.hdr_size) {
        rc = copy_bytes(f, read, context, f->elf.hdr_va, f->elf.hdr_size, &f->hdr);
        if (rc != ORIEL_OK)
            return rc;
        eh_frame_add_hdr(&f->eh, f->hdr, f->elf.hdr_size, f->elf.hdr_va);
    }
    return ORIEL_OK;
}

int unwind_file_read(unwind_read_fn *read, void *context, struct unwind_file **out)
{
    struct unwind_file *f = mem_calloc(1, sizeof *f);
    if (!f)
        return ORIEL_ENOMEM;
    f->refs = 1;
    int rc = load(f, read, context);
    if (rc != ORIEL_OK)
        unwind_file_unref(f);
    else
        *out = f;
    return rc;
}

int unwind_file_open(const char *path, struct unwind_file **out)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? ORIEL_ENOTFOUND : errno == EACCES ? ORIEL_EPERM : ORIEL_EIO;
    int rc = fstat(fd, &st) != 0 ? ORIEL_EIO : ORIEL_OK;
    if (rc == ORIEL_OK && !S_ISREG(st.st_mode))
        rc = ORIEL_EFORMAT;
    if (rc == ORIEL_OK)
        rc = unwind_file_read(read_fd, &fd, out);
    close(fd);
    return rc;
}

struct image {
    const uint8_t *bytes;
    uint64_t size;
};

static bool read_image(void *context, uint64_t offset, void *out, size_t n)
{
    const struct image *image = context;
    if (offset > image->size || n > image->size - offset)
        return false;
    memcpy(out, image->bytes + offset, n);
    return true;
}

/* The kernel maps whole pages of it; its own headers say how many bytes are in them. */
static uint64_t vdso_bytes(const uint8_t *image)
{
    ElfW(Ehdr) e;
    memcpy(&e, image, sizeof e);
    uint64_t end = e.e_shoff ? e.e_shoff + (uint64_t)e.e_shnum * e.e_shentsize : sizeof e;
    for (unsigned i = 0; i < e.e_phnum; i++) {
        ElfW(Phdr) p;
        memcpy(&p, image + e.e_phoff + i * sizeof p, sizeof p);
        if (p.p_type == PT_LOAD && p.p_offset + p.p_filesz > end)
            end = p.p_offset + p.p_filesz;
    }
    return end < VDSO_MAX ? end : VDSO_MAX;
}

int unwind_file_vdso(struct unwind_file **out)
{
    const uint8_t *at = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
    if (!at)
        return ORIEL_ENOTFOUND;
    struct image image = {at, vdso_bytes(at)};
    return unwind_file_read(read_image, &image, out);
}

struct unwind_file *unwind_file_ref(struct unwind_file *f)
{
    assert(f->refs > 0);
    f->refs++;
    return f;
}

void unwind_file_unref(struct unwind_file *f)
{
    if (!f || --f->refs > 0)
        return;
    unwind_table_free(f->table);
    mem_free(f->hdr);
    mem_free(f->frame);
    mem_free(f);
}

int unwind_file_compile(struct unwind_file *f)
{
    if (f->table)
        return ORIEL_OK;
    if (f->compiled)
        return ORIEL_EFORMAT;
    int rc = unwind_table_build(&f->eh, &f->table);
    f->compiled = rc != ORIEL_ENOMEM;
    return rc;
}

const struct unwind_table *unwind_file_table(const struct unwind_file *f)
{
    return f->table;
}

const struct unwind_elf *unwind_file_elf(const struct unwind_file *f)
{
    return &f->elf;
}

const struct eh_frame *unwind_file_eh(const struct unwind_file *f)
{
    return &f->eh;
}

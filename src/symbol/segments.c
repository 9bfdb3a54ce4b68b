/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Program headers, and nothing else of a file but its build-id. Both ends: the work in the
 * confined child, and the check of its answer. One thread per struct symbols.
 */
#include "symbol/segments.h"

#include <assert.h>
#include <elf.h>
#include <stdlib.h>
#include <unistd.h>

#include "symbol/child.h"
#include "symbol/elf_file.h"
#include "symbol/inside.h"

/* ---- in the child ---- */

static int by_address(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;
    return x->address < y->address ? -1 : x->address > y->address;
}

static int read_segments(const struct elf_file *f, struct segment out[SEGMENTS_MAX],
                         uint32_t *out_count)
{
    Elf64_Ehdr h;
    uint32_t n = 0;
    assert(f->map.n >= sizeof h); /* it was opened */
    memcpy(&h, f->map.p, sizeof h);
    if (h.e_phentsize != sizeof(Elf64_Phdr) ||
        !bytes_hold(f->map, h.e_phoff, (uint64_t)h.e_phnum * sizeof(Elf64_Phdr)))
        return h.e_phnum ? ORIEL_EDAMAGED : ORIEL_ENOTFOUND;
    for (uint32_t i = 0; i < h.e_phnum && n < SEGMENTS_MAX; i++) {
        Elf64_Phdr p;
        memcpy(&p, f->map.p + h.e_phoff + i * sizeof p, sizeof p);
        if (p.p_type == PT_LOAD && p.p_flags & PF_X && p.p_filesz &&
            bytes_hold(f->map, p.p_offset, p.p_filesz) && p.p_vaddr <= UINT64_MAX - p.p_filesz)
            out[n++] = (struct segment){p.p_vaddr, p.p_offset, p.p_filesz};
    }
    qsort(out, n, sizeof *out, by_address);
    *out_count = n;
    return n ? 0 : ORIEL_ENOTFOUND;
}

int segments_job(const void *how, const struct job *job, struct buf *out, struct job_result *result)
{
    struct segment found[SEGMENTS_MAX];
    struct elf_file f;
    uint32_t n = 0;
    (void)how;
    int rc = elf_file_open(&f, job->file, NULL);
    if (rc == 0 && job->build_id.n &&
        (job->build_id.n != f.build_id.n ||
         memcmp(job->build_id.p, f.build_id.p, f.build_id.n) != 0)) {
        result->mismatch = true;
        rc = ORIEL_ENOTFOUND;
    }
    if (rc == 0)
        rc = read_segments(&f, found, &n);
    elf_file_close(&f);
    if (rc == 0)
        buf_put(out, found, n * sizeof *found);
    return out->failed ? ORIEL_ENOMEM : rc;
}

/* ---- in the parent ---- */

/* Whatever the child said: in order, apart, and within the address space. */
static bool is_sound(const struct segment *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (s[i].bytes == 0 || s[i].address > UINT64_MAX - s[i].bytes ||
            s[i].offset > UINT64_MAX - s[i].bytes ||
            (i && s[i].address < s[i - 1].address + s[i - 1].bytes))
            return false;
    return n > 0;
}

int segments_find(struct symbols *s, const char *path, const uint8_t *build_id,
                  size_t build_id_bytes, struct segment out[SEGMENTS_MAX], uint32_t *out_count)
{
    struct child_outcome outcome = {0};
    struct finder *finder = symbols_finder(s);
    const struct child_options options = {.timeout_ms = finder->options->timeout_ms,
                                          .memory_bytes = finder->options->memory_bytes,
                                          .open = finder_open,
                                          .ctx = finder,
                                          .run = segments_job};
    struct buf image;
    int fd = finder_open_file(path);
    if (fd < 0)
        return ORIEL_ENOTFOUND;
    buf_init(&image);
    int rc = child_run(fd, (struct bytes){build_id, build_id_bytes}, (struct asked){NULL, 0},
                       &options, &image, &outcome, NULL);
    close(fd);
    if (rc == 0)
        rc = outcome.code;
    size_t n = image.size / sizeof *out;
    if (rc == 0 && (n > SEGMENTS_MAX || n * sizeof *out != image.size))
        rc = ORIEL_EDAMAGED;
    if (rc == 0) {
        memcpy(out, image.data, image.size);
        *out_count = (uint32_t)n;
        rc = is_sound(out, *out_count) ? 0 : ORIEL_EDAMAGED;
    }
    buf_done(&image);
    return rc;
}

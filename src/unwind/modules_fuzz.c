/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: an ELF image as the recorder opens it, mapped wherever its first
 * bytes say, compiled, and walked through. Every read of the image is checked
 * to lie within it.
 */
#include <stdlib.h>
#include <string.h>

#include "unwind/eh_frame.h"
#include "unwind/modules.h"
#include "unwind/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct image {
    const uint8_t *bytes;
    size_t size;
};

static bool read_image(void *context, uint64_t offset, void *out, size_t n)
{
    const struct image *image = context;
    if (offset > image->size || n > image->size - offset)
        return false;
    memcpy(out, image->bytes + offset, n);
    return true;
}

static void walk(const struct unwind_modules *m, uint64_t pc)
{
    uint64_t pcs[16], words[32];
    struct unwind_memory memory = {(const uint8_t *)words, 0x7000, sizeof words, NULL, NULL};
    struct unwind_regs regs = {.arch = m->space.arch, .known = UINT64_MAX};
    for (unsigned i = 0; i < 32; i++)
        words[i] = pc + i;
    for (unsigned i = 0; i < UNWIND_REGS; i++)
        regs.r[i] = 0x7000;
    regs.r[unwind_pc_reg(regs.arch)] = pc;
    if (unwind_walk(&m->space, &memory, &regs, pcs, 16).count == 0)
        abort();
}

static void map_and_walk(struct unwind_file *f, const uint8_t *where)
{
    struct unwind_modules m;
    const struct unwind_elf *elf = unwind_file_elf(f);
    if (unwind_modules_init(&m, elf->arch) != 0)
        abort();
    for (int i = 0; i < 6; i++) {
        uint64_t start = (uint64_t)where[i] << 12;
        struct unwind_module range = {.start = start, .end = start + 0x3000};
        if (i == 4)
            unwind_modules_unmap(&m, start, start + 0x1000);
        else
            unwind_modules_map(&m, &range, (uint64_t)(where[i] & 3) << 12, i & 1 ? f : NULL);
        if (i == 3)
            unwind_modules_compile(&m, start);
    }
    for (uint32_t i = 0; i < m.space.count; i++) {
        const struct unwind_module *module = &m.space.modules[i];
        if (module->start >= module->end || (i && module[-1].end > module->start))
            abort();
        walk(&m, module->start + where[6]);
    }
    unwind_modules_done(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { PREFIX = 8 };
    struct unwind_file *f;
    if (size < PREFIX || size > 1 << 16)
        return 0;
    struct image image = {data + PREFIX, size - PREFIX};
    if (unwind_file_read(read_image, &image, &f) == 0) {
        map_and_walk(f, data);
        unwind_file_unref(f);
    }
    return 0;
}

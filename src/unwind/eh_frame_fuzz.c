/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: .eh_frame with its header, all of it untrusted. The first bytes
 * choose the machine, where .eh_frame_hdr ends and which address is asked for;
 * then every function is found, run, compiled and stepped out of.
 */
#include <stdlib.h>
#include <string.h>

#include "unwind/eh_frame.h"
#include "unwind/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PREFIX = 4, FRAME_VA = 0x2000, HDR_VA = 0x1000, FUNCTIONS = 64 };

static uint8_t stack[512];

static void check_rows(const struct eh_frame *eh, const struct eh_fde *fde)
{
    struct eh_machine m;
    uint64_t reached = fde->begin;
    if (!eh_machine_start(&m, eh, fde))
        return;
    for (int i = 0; i < 256 && eh_machine_next(&m); i++) {
        unwind_row row = eh_row(eh, fde, &m.rules);
        if (m.rules.from != reached || m.rules.to <= reached || m.rules.to > fde->end ||
            unwind_row_kind(row) >= UNWIND_KINDS)
            abort();
        reached = m.rules.to;
    }
}

static void walk_from(const struct eh_frame *eh, uint64_t va)
{
    struct unwind_module module = {.start = 0, .end = UINT64_MAX, .eh = *eh};
    struct unwind_space space = {.modules = &module, .count = 1, .arch = eh->arch};
    struct unwind_memory memory = {stack, 0x7000, sizeof stack, NULL, NULL};
    struct unwind_regs regs = {.arch = eh->arch, .known = UINT64_MAX};
    uint64_t pcs[16];
    for (unsigned i = 0; i < UNWIND_REGS; i++)
        regs.r[i] = 0x7000 + 8 * i;
    regs.r[unwind_pc_reg(eh->arch)] = va;
    struct unwind_result r = unwind_walk(&space, &memory, &regs, pcs, 16);
    if (r.count == 0 || r.count > 16 || r.end >= UNWIND_END_COUNT)
        abort();
    bool signal;
    eh_frame_step(eh, va, &memory, &regs, &signal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct eh_frame eh;
    struct eh_fde fde;
    struct unwind_table *table;
    size_t offset = 0;
    if (size < PREFIX || size > 1 << 16)
        return 0;
    size_t hdr_size = data[1] < size - PREFIX ? data[1] : size - PREFIX;
    size_t frame_size = size - PREFIX - hdr_size;
    /* Copies of exact length, so that one byte too many is seen. */
    uint8_t *hdr = malloc(hdr_size + 1), *frame = malloc(frame_size + !frame_size);
    if (!hdr || !frame)
        abort();
    memcpy(hdr, data + PREFIX, hdr_size);
    hdr = realloc(hdr, hdr_size + !hdr_size);
    memcpy(frame, data + PREFIX + hdr_size, frame_size);
    for (size_t i = 0; i < sizeof stack; i++)
        stack[i] = data[i % size];
    if (eh_frame_init(&eh, data[0] & 1 ? UNWIND_AARCH64 : UNWIND_X86_64, frame, frame_size,
                      FRAME_VA)) {
        eh_frame_add_hdr(&eh, hdr, hdr_size, HDR_VA);
        for (int i = 0; i < FUNCTIONS && eh_frame_next(&eh, &offset, &fde); i++) {
            check_rows(&eh, &fde);
            walk_from(&eh, fde.begin + data[2]);
        }
        walk_from(&eh, FRAME_VA + data[2] + 256u * data[3]);
        if (unwind_table_build(&eh, &table) == 0) {
            if (unwind_row_kind(unwind_table_find(table, fde.begin)) >= UNWIND_KINDS)
                abort();
            unwind_table_free(table);
        }
    }
    free(hdr);
    free(frame);
    return 0;
}

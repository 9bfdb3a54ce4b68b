/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * For this room's tests: .eh_frame sections written entry by entry, with or
 * without the search table, at fixed addresses.
 */
#ifndef ORIEL_UNWIND_TESTING_H
#define ORIEL_UNWIND_TESTING_H

#include <string.h>

#include "test.h"
#include "unwind/eh_frame.h"

enum { MAKER_FRAME_VA = 0x20000, MAKER_HDR_VA = 0x10000, MAKER_FDES = 16 };

struct maker {
    uint8_t frame[4096], hdr[256];
    size_t size, hdr_size, cie, count;
    struct {
        int32_t begin, offset;
    } fdes[MAKER_FDES];
};

#define OPS(...) ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})

static inline void maker_put(struct maker *m, const void *bytes, size_t n)
{
    REQUIRE(m->size + n <= sizeof m->frame);
    memcpy(m->frame + m->size, bytes, n);
    m->size += n;
}

static inline void maker_u32(struct maker *m, uint32_t v)
{
    maker_put(m, &v, 4);
}

/* Fills the entry up with DW_CFA_nop and sets its length. */
static inline void maker_close(struct maker *m, size_t start)
{
    while (m->size % 8)
        maker_put(m, "", 1);
    uint32_t length = (uint32_t)(m->size - start - 4);
    memcpy(m->frame + start, &length, 4);
}

/* A CIE as compilers write it: pc-relative 32-bit addresses; `extra` letters. */
static inline void maker_cie(struct maker *m, uint32_t arch, const char *extra, const uint8_t *ops,
                             size_t n)
{
    static const uint8_t tail_x86[] = {1, 0x78, 16, 1, 0x1b};
    static const uint8_t tail_arm[] = {4, 0x78, 30, 1, 0x1b};
    m->cie = m->size;
    maker_u32(m, 0);
    maker_u32(m, 0);
    maker_put(m, "\1zR", 3);
    maker_put(m, extra, strlen(extra) + 1);
    maker_put(m, arch == UNWIND_AARCH64 ? tail_arm : tail_x86, sizeof tail_x86);
    maker_put(m, ops, n);
    maker_close(m, m->cie);
}

static inline void maker_fde(struct maker *m, uint64_t begin, uint32_t bytes, const uint8_t *ops,
                             size_t n)
{
    size_t start = m->size;
    REQUIRE(m->count < MAKER_FDES);
    m->fdes[m->count].begin = (int32_t)(begin - MAKER_HDR_VA);
    m->fdes[m->count++].offset = (int32_t)(MAKER_FRAME_VA + start - MAKER_HDR_VA);
    maker_u32(m, 0);
    maker_u32(m, (uint32_t)(m->size - m->cie));
    maker_u32(m, (uint32_t)(begin - (MAKER_FRAME_VA + m->size)));
    maker_u32(m, bytes);
    maker_put(m, "", 1); /* no augmentation data */
    maker_put(m, ops, n);
    maker_close(m, start);
}

/* .eh_frame_hdr over the functions so far, which came in order of address. */
static inline void maker_hdr(struct maker *m)
{
    static const uint8_t head[] = {1, 0x1b, 3, 0x3b};
    int32_t frame = MAKER_FRAME_VA - (MAKER_HDR_VA + 4);
    uint32_t count = (uint32_t)m->count;
    memcpy(m->hdr, head, 4);
    memcpy(m->hdr + 4, &frame, 4);
    memcpy(m->hdr + 8, &count, 4);
    memcpy(m->hdr + 12, m->fdes, m->count * 8);
    m->hdr_size = 12 + m->count * 8;
}

static inline struct eh_frame maker_done(struct maker *m, uint32_t arch)
{
    struct eh_frame eh;
    maker_u32(m, 0);
    maker_hdr(m);
    REQUIRE(eh_frame_init(&eh, arch, m->frame, m->size, MAKER_FRAME_VA));
    eh_frame_add_hdr(&eh, m->hdr, m->hdr_size, MAKER_HDR_VA);
    REQUIRE(eh.table != NULL);
    return eh;
}

/* What both compilers begin with: CFA = sp + 8 with the return address below
 * it, or CFA = sp with the return address in its register. */
#define MAKER_X86_START OPS(0x0c, 7, 8, 0x90, 1)
#define MAKER_ARM_START OPS(0x0c, 31, 0)

#endif

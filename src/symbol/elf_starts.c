/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Functions of files that were stripped of their names: the index of the
 * unwinding tables still says where each begins. Reads memory only.
 */
#include "base/vec.h"
#include "symbol/elf_file.h"
#include "symbol/sort.h"

enum {
    STARTS_MAX = 1 << 24,
    /* How numbers are written (DW_EH_PE): the one way that linkers write this table in. */
    PTR_SDATA4 = 0x0b,
    COUNT_UDATA4 = 0x03,
    TABLE_FROM_HEADER = 0x3b
};

static int add_starts(struct elf_starts *s, struct reader *r, uint64_t header, uint32_t count)
{
    if (count > STARTS_MAX)
        return ORIEL_ELIMIT;
    for (uint32_t i = 0; i < count && rd_left(r) >= 8; i++) {
        uint64_t *start = VEC_PUSH(s);
        if (!start)
            return ORIEL_ENOMEM;
        *start = header + (uint64_t)(int64_t)(int32_t)rd_u32(r);
        rd_skip(r, 4); /* where its unwinding entry is */
    }
    return 0;
}

/* They are sorted as a rule; what others wrote need not be. */
static int sort_starts(struct elf_starts *s)
{
    struct sort_key *keys = mem_calloc(s->count + 1, sizeof *keys);
    if (!keys)
        return ORIEL_ENOMEM;
    for (size_t i = 0; i < s->count; i++)
        keys[i] = (struct sort_key){s->items[i], (uint32_t)i};
    int rc = sort_keys(keys, s->count);
    for (size_t i = 0; rc == 0 && i < s->count; i++)
        s->items[i] = keys[i].key;
    mem_free(keys);
    return rc;
}

int elf_starts_read(struct elf_starts *s, struct elf_file *f)
{
    struct elf_section *section = elf_file_find(f, ".eh_frame_hdr");
    struct bytes content = section ? elf_file_content(f, section) : (struct bytes){0};
    struct reader r = rd_at(content, 0);
    *s = (struct elf_starts){0};
    if (!content.p)
        return 0;
    unsigned version = rd_u8(&r), pointer = rd_u8(&r), count = rd_u8(&r), table = rd_u8(&r);
    if (version != 1 || (pointer & 0xf) != PTR_SDATA4 || count != COUNT_UDATA4 ||
        table != TABLE_FROM_HEADER)
        return 0;
    rd_skip(&r, 4);
    uint32_t n = rd_u32(&r);
    int rc = r.bad ? 0 : add_starts(s, &r, section->addr, n);
    return rc == 0 ? sort_starts(s) : rc;
}

size_t elf_starts_find(const struct elf_starts *s, uint64_t addr, uint64_t *out_lo,
                       uint64_t *out_hi)
{
    size_t lo = 0, hi = s->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->items[mid] <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    *out_lo = lo ? s->items[lo - 1] : 0;
    *out_hi = lo < s->count ? s->items[lo] : UINT64_MAX;
    return lo ? lo - 1 : SIZE_MAX;
}

void elf_starts_done(struct elf_starts *s)
{
    VEC_DONE(s);
}

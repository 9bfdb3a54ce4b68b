/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Address ranges of an entry: low_pc and high_pc, the pairs of .debug_ranges
 * (DWARF 3, 4), the coded lists of .debug_rnglists (5). Reads memory only.
 */
#include "base/err.h"
#include "symbol/dw.h"
#include "symbol/dw_forms.h"

enum { RANGES_MAX = 1 << 20 }; /* of one entry */

static int add(struct dw_ranges *out, uint64_t lo, uint64_t hi)
{
    if (lo >= hi)
        return 0;
    struct dw_range *range = VEC_PUSH(out);
    if (!range)
        return ORIEL_ENOMEM;
    *range = (struct dw_range){lo, hi};
    return 0;
}

static int read_pairs(const struct dw_unit *u, uint64_t offset, struct dw_ranges *out)
{
    struct reader r = rd_at(u->ranges, offset);
    uint64_t base = u->low_pc;
    for (int i = 0; i < RANGES_MAX; i++) {
        uint64_t lo = rd_u64(&r), hi = rd_u64(&r);
        if (r.bad || (lo == 0 && hi == 0))
            break;
        if (lo == UINT64_MAX) {
            base = hi;
            continue;
        }
        int rc = add(out, base + lo, base + hi);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* One coded entry; *lo == *hi when it is no range. False at the end. */
static bool read_coded(const struct dw_unit *u, struct reader *r, uint64_t *base, uint64_t *lo,
                       uint64_t *hi)
{
    bool good = true;
    *lo = *hi = 0;
    switch (rd_u8(r)) {
    case DW_RLE_base_addressx:
        return dw_indexed_address(u, rd_uleb(r), base) && !r->bad;
    case DW_RLE_startx_endx:
        good = dw_indexed_address(u, rd_uleb(r), lo);
        return dw_indexed_address(u, rd_uleb(r), hi) && good && !r->bad;
    case DW_RLE_startx_length:
        good = dw_indexed_address(u, rd_uleb(r), lo);
        *hi = *lo + rd_uleb(r);
        return good && !r->bad;
    case DW_RLE_offset_pair:
        *lo = *base + rd_uleb(r);
        *hi = *base + rd_uleb(r);
        return !r->bad;
    case DW_RLE_base_address:
        *base = rd_uint(r, u->addr_size);
        return !r->bad;
    case DW_RLE_start_end:
        *lo = rd_uint(r, u->addr_size);
        *hi = rd_uint(r, u->addr_size);
        return !r->bad;
    case DW_RLE_start_length:
        *lo = rd_uint(r, u->addr_size);
        *hi = *lo + rd_uleb(r);
        return !r->bad;
    default:
        return false;
    }
}

static int read_list(const struct dw_unit *u, uint64_t offset, struct dw_ranges *out)
{
    struct reader r = rd_at(u->dw->rnglists, offset);
    uint64_t base = u->low_pc, lo, hi;
    for (int i = 0; i < RANGES_MAX && read_coded(u, &r, &base, &lo, &hi); i++) {
        int rc = add(out, lo, hi);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* The offset of list n, told by the table at the unit's base. */
static bool list_offset(const struct dw_unit *u, uint64_t n, uint64_t *out)
{
    uint64_t at;
    if (__builtin_mul_overflow(n, u->offset_size, &at) ||
        __builtin_add_overflow(at, u->rnglists_base, &at) ||
        !bytes_hold(u->dw->rnglists, at, u->offset_size))
        return false;
    struct reader r = rd_at(u->dw->rnglists, at);
    *out = u->rnglists_base + rd_uint(&r, u->offset_size);
    return true;
}

int dw_ranges_read(const struct dw_unit *u, const struct dw_value *low, const struct dw_value *high,
                   const struct dw_value *ranges, struct dw_ranges *out)
{
    uint64_t lo, hi, offset;
    if (ranges->form == DW_FORM_rnglistx)
        return list_offset(u, ranges->raw, &offset) ? read_list(u, offset, out) : 0;
    if (ranges->form != 0 && u->version >= 5)
        return read_list(u, ranges->raw, out);
    if (ranges->form != 0)
        return read_pairs(u, ranges->raw + (u->dw->split ? u->ranges_base : 0), out);
    if (!dw_address(u, low, &lo) || high->form == 0)
        return 0;
    if (!dw_address(u, high, &hi))
        hi = lo + high->raw;
    return add(out, lo, hi);
}

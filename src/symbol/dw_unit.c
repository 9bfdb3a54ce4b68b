/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Units: their headers, found in one walk, and the first entry of those that
 * are needed. Reads memory only; one thread.
 */
#include <assert.h>

#include "base/err.h"
#include "symbol/dw.h"
#include "symbol/dw_forms.h"

enum { UNITS_MAX = 1 << 22 };

/* What follows the length. False when it is not a unit of a known version. */
static bool read_header(struct reader *r, struct dw_unit *u)
{
    u->version = rd_u16(r);
    if (u->version < 2 || u->version > 5)
        return false;
    if (u->version >= 5) {
        u->type = rd_u8(r);
        u->addr_size = rd_u8(r);
        u->abbrev_offset = rd_uint(r, u->offset_size);
        if (u->type == DW_UT_skeleton || u->type == DW_UT_split_compile)
            u->dwo_id = rd_u64(r);
        if (u->type == DW_UT_type || u->type == DW_UT_split_type)
            rd_skip(r, 8 + u->offset_size);
    } else {
        u->type = DW_UT_compile;
        u->abbrev_offset = rd_uint(r, u->offset_size);
        u->addr_size = rd_u8(r);
    }
    return !r->bad && u->addr_size == 8;
}

int dw_index(struct dw *d)
{
    struct reader r = rd_at(d->info, 0);
    while (!r.bad && rd_left(&r) > 0) {
        struct dw_unit unit = {.dw = d, .offset = (uint64_t)(r.p - d->info.p)};
        uint64_t n = rd_unit_length(&r, &unit.offset_size);
        if (r.bad || n > rd_left(&r) || d->units.count >= UNITS_MAX) {
            d->damaged = true;
            break;
        }
        const uint8_t *end = r.p + n;
        struct reader header = {r.p, end, false};
        unit.end = (uint64_t)(end - d->info.p);
        if (read_header(&header, &unit)) {
            unit.die = (uint64_t)(header.p - d->info.p);
            unit.addr = d->addr;
            unit.ranges = d->ranges;
            struct dw_unit *item = VEC_PUSH(&d->units);
            if (!item)
                return ORIEL_ENOMEM;
            *item = unit;
        } else {
            d->damaged = true;
        }
        r.p = end;
    }
    return 0;
}

void dw_done(struct dw *d)
{
    VEC_DONE(&d->units);
    dw_abbrevs_free(d->abbrevs);
    d->abbrevs = NULL;
}

struct dw_unit *dw_unit_at(struct dw *d, uint64_t offset)
{
    size_t lo = 0, hi = d->units.count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (d->units.items[mid].offset <= offset)
            lo = mid + 1;
        else
            hi = mid;
    }
    struct dw_unit *u = lo ? &d->units.items[lo - 1] : NULL;
    return u && offset < u->end ? u : NULL;
}

/* The values of a unit's first entry that need others of it to be understood. */
struct first_entry {
    struct dw_value name, comp_dir, dwo_name, low_pc;
};

static void take_attr(struct dw_unit *u, struct first_entry *e, uint32_t name,
                      const struct dw_value *v)
{
    switch (name) {
    case DW_AT_name:
        e->name = *v;
        break;
    case DW_AT_comp_dir:
        e->comp_dir = *v;
        break;
    case DW_AT_dwo_name:
    case DW_AT_GNU_dwo_name:
        e->dwo_name = *v;
        break;
    case DW_AT_low_pc:
        e->low_pc = *v;
        break;
    case DW_AT_stmt_list:
        u->stmt_list = v->raw;
        u->has_stmt_list = true;
        break;
    case DW_AT_GNU_dwo_id:
        u->dwo_id = v->raw;
        break;
    case DW_AT_addr_base:
    case DW_AT_GNU_addr_base:
        u->addr_base = v->raw;
        u->has_addr_base = true;
        break;
    case DW_AT_str_offsets_base:
        u->str_offsets_base = v->raw;
        break;
    case DW_AT_rnglists_base:
        u->rnglists_base = v->raw;
        break;
    case DW_AT_GNU_ranges_base:
        u->ranges_base = v->raw;
        break;
    default:
        break;
    }
}

/* Where tables begin when the unit does not say: behind their header. */
static void default_bases(struct dw_unit *u)
{
    if (u->version < 5)
        return;
    uint64_t list = u->offset_size == 8 ? 20 : 12, offsets = u->offset_size == 8 ? 16 : 8;
    u->rnglists_base = list;
    u->str_offsets_base = offsets;
    if (!u->dw->split)
        u->addr_base = offsets;
}

static bool open_unit(struct dw_unit *u)
{
    struct first_entry e = {0};
    u->abbrevs = dw_abbrevs_get(u);
    if (!u->abbrevs)
        return false;
    struct reader r = rd_at(bytes_part(u->dw->info, 0, u->end), u->die);
    const struct dw_abbrev *a = dw_abbrev_find(u->abbrevs, rd_uleb(&r));
    if (!a || r.bad)
        return false;
    default_bases(u);
    for (uint32_t i = 0; i < a->attr_count; i++) {
        const struct dw_attr *attr = &u->abbrevs->attrs.items[a->attr + i];
        struct dw_value value;
        dw_value_read(u, &r, attr, &value);
        if (r.bad)
            return false;
        take_attr(u, &e, attr->name, &value);
    }
    u->name = dw_string(u, &e.name);
    u->comp_dir = dw_string(u, &e.comp_dir);
    u->dwo_name = dw_string(u, &e.dwo_name);
    dw_address(u, &e.low_pc, &u->low_pc); /* a split unit keeps its skeleton's */
    return true;
}

bool dw_unit_open(struct dw_unit *u)
{
    if (u->opened == 0) {
        u->opened = open_unit(u) ? 1 : -1;
        u->dw->damaged |= u->opened < 0;
    }
    return u->opened > 0;
}

int dw_unit_ranges(struct dw_unit *u, struct dw_ranges *out)
{
    struct dw_value low = {0}, high = {0}, ranges = {0};
    if (!dw_unit_open(u))
        return 0;
    struct reader r = rd_at(bytes_part(u->dw->info, 0, u->end), u->die);
    const struct dw_abbrev *a = dw_abbrev_find(u->abbrevs, rd_uleb(&r));
    for (uint32_t i = 0; a && i < a->attr_count; i++) {
        const struct dw_attr *attr = &u->abbrevs->attrs.items[a->attr + i];
        struct dw_value value;
        dw_value_read(u, &r, attr, &value);
        if (attr->name == DW_AT_low_pc)
            low = value;
        else if (attr->name == DW_AT_high_pc)
            high = value;
        else if (attr->name == DW_AT_ranges)
            ranges = value;
    }
    return dw_ranges_read(u, &low, &high, &ranges, out);
}

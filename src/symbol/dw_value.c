/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Attribute values: read as they stand, then looked up as string, address or
 * reference in whatever section their form means. Reads memory only; one thread.
 */
#include <assert.h>

#include "symbol/dw.h"
#include "symbol/dw_forms.h"

static void read_block(struct reader *r, uint64_t n, struct dw_value *out)
{
    const uint8_t *p = rd_take(r, n);
    if (p)
        out->block = (struct bytes){p, (size_t)n};
}

static uint64_t block_bytes(struct reader *r, uint32_t form)
{
    uint32_t length = dw_form_block_length(form);
    return length ? rd_uint(r, length) : rd_uleb(r);
}

void dw_value_read(const struct dw_unit *u, struct reader *r, const struct dw_attr *attr,
                   struct dw_value *out)
{
    uint32_t form = attr->form;
    if (form == DW_FORM_indirect) {
        form = (uint32_t)rd_uleb(r);
        if (form == DW_FORM_indirect || form == DW_FORM_implicit_const)
            rd_fail(r);
    }
    *out = (struct dw_value){.form = form};
    int size = dw_form_size(form, u->addr_size, u->offset_size, u->version);
    if (size > 0 && size <= 8)
        out->raw = rd_uint(r, (unsigned)size);
    else if (size > 8)
        read_block(r, (uint64_t)size, out);
    else if (size == DW_FORM_IS_ULEB)
        out->raw = form == DW_FORM_sdata ? (uint64_t)rd_sleb(r) : rd_uleb(r);
    else if (size == DW_FORM_IS_STRING)
        out->block.p = (const uint8_t *)rd_str(r);
    else if (size == DW_FORM_IS_BLOCK)
        read_block(r, block_bytes(r, form), out);
    else if (size == 0)
        out->raw = form == DW_FORM_implicit_const ? (uint64_t)attr->implicit : 1;
    else
        rd_fail(r);
    if (r->bad)
        *out = (struct dw_value){0};
}

static const char *indexed_string(const struct dw_unit *u, uint64_t n)
{
    uint64_t at;
    if (__builtin_mul_overflow(n, u->offset_size, &at) ||
        __builtin_add_overflow(at, u->str_offsets_base, &at) ||
        !bytes_hold(u->dw->str_offsets, at, u->offset_size))
        return NULL;
    struct reader r = rd_at(u->dw->str_offsets, at);
    return bytes_str(u->dw->str, rd_uint(&r, u->offset_size));
}

const char *dw_string(const struct dw_unit *u, const struct dw_value *v)
{
    switch (v->form) {
    case DW_FORM_string:
        return (const char *)v->block.p;
    case DW_FORM_strp:
        return bytes_str(u->dw->str, v->raw);
    case DW_FORM_line_strp:
        return bytes_str(u->dw->line_str, v->raw);
    case DW_FORM_strp_sup:
    case DW_FORM_GNU_strp_alt:
        return u->dw->alt ? bytes_str(u->dw->alt->str, v->raw) : NULL;
    case DW_FORM_strx:
    case DW_FORM_strx1:
    case DW_FORM_strx2:
    case DW_FORM_strx3:
    case DW_FORM_strx4:
    case DW_FORM_GNU_str_index:
        return indexed_string(u, v->raw);
    default:
        return NULL;
    }
}

bool dw_indexed_address(const struct dw_unit *u, uint64_t n, uint64_t *out)
{
    uint64_t at;
    if (__builtin_mul_overflow(n, u->addr_size, &at) ||
        __builtin_add_overflow(at, u->addr_base, &at) || !bytes_hold(u->addr, at, u->addr_size))
        return false;
    struct reader r = rd_at(u->addr, at);
    *out = rd_uint(&r, u->addr_size);
    return true;
}

bool dw_address(const struct dw_unit *u, const struct dw_value *v, uint64_t *out)
{
    switch (v->form) {
    case DW_FORM_addr:
        *out = v->raw;
        return true;
    case DW_FORM_addrx:
    case DW_FORM_addrx1:
    case DW_FORM_addrx2:
    case DW_FORM_addrx3:
    case DW_FORM_addrx4:
    case DW_FORM_GNU_addr_index:
        return dw_indexed_address(u, v->raw, out);
    default:
        return false;
    }
}

bool dw_reference(const struct dw_unit *u, const struct dw_value *v, struct dw_unit **out_unit,
                  uint64_t *out_offset)
{
    struct dw *d = u->dw;
    uint64_t offset = v->raw;
    switch (v->form) {
    case DW_FORM_ref1:
    case DW_FORM_ref2:
    case DW_FORM_ref4:
    case DW_FORM_ref8:
    case DW_FORM_ref_udata:
        if (__builtin_add_overflow(offset, u->offset, &offset))
            return false;
        break;
    case DW_FORM_ref_addr:
        break;
    case DW_FORM_GNU_ref_alt:
    case DW_FORM_ref_sup4:
    case DW_FORM_ref_sup8:
        d = d->alt;
        break;
    default:
        return false;
    }
    struct dw_unit *target = d ? dw_unit_at(d, offset) : NULL;
    if (!target || offset < target->die || !dw_unit_open(target))
        return false;
    *out_unit = target;
    *out_offset = offset;
    return true;
}

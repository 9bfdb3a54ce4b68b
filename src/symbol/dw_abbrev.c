/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Abbreviation tables, each with a short program that passes over an entry:
 * attributes of fixed size are merged into one skip, so that entries that say
 * nothing about code cost a few nanoseconds. Reads memory only; one thread.
 */
#include <assert.h>

#include "base/err.h"
#include "symbol/dw.h"
#include "symbol/dw_forms.h"

int dw_form_size(uint32_t form, unsigned addr_size, unsigned offset_size, unsigned version)
{
    static const int8_t sizes[0x2d] = {[DW_FORM_block2] = DW_FORM_IS_BLOCK,
                                       [DW_FORM_block4] = DW_FORM_IS_BLOCK,
                                       [DW_FORM_block] = DW_FORM_IS_BLOCK,
                                       [DW_FORM_block1] = DW_FORM_IS_BLOCK,
                                       [DW_FORM_exprloc] = DW_FORM_IS_BLOCK,
                                       [DW_FORM_data1] = 1,
                                       [DW_FORM_data2] = 2,
                                       [DW_FORM_data4] = 4,
                                       [DW_FORM_data8] = 8,
                                       [DW_FORM_data16] = 16,
                                       [DW_FORM_flag] = 1,
                                       [DW_FORM_ref1] = 1,
                                       [DW_FORM_ref2] = 2,
                                       [DW_FORM_ref4] = 4,
                                       [DW_FORM_ref8] = 8,
                                       [DW_FORM_ref_sig8] = 8,
                                       [DW_FORM_ref_sup4] = 4,
                                       [DW_FORM_ref_sup8] = 8,
                                       [DW_FORM_strx1] = 1,
                                       [DW_FORM_strx2] = 2,
                                       [DW_FORM_strx3] = 3,
                                       [DW_FORM_strx4] = 4,
                                       [DW_FORM_addrx1] = 1,
                                       [DW_FORM_addrx2] = 2,
                                       [DW_FORM_addrx3] = 3,
                                       [DW_FORM_addrx4] = 4,
                                       [DW_FORM_sdata] = DW_FORM_IS_ULEB,
                                       [DW_FORM_udata] = DW_FORM_IS_ULEB,
                                       [DW_FORM_ref_udata] = DW_FORM_IS_ULEB,
                                       [DW_FORM_strx] = DW_FORM_IS_ULEB,
                                       [DW_FORM_addrx] = DW_FORM_IS_ULEB,
                                       [DW_FORM_loclistx] = DW_FORM_IS_ULEB,
                                       [DW_FORM_rnglistx] = DW_FORM_IS_ULEB,
                                       [DW_FORM_string] = DW_FORM_IS_STRING,
                                       [DW_FORM_indirect] = DW_FORM_IS_INDIRECT};
    switch (form) {
    case DW_FORM_addr:
        return (int)addr_size;
    case DW_FORM_ref_addr:
        return (int)(version <= 2 ? addr_size : offset_size);
    case DW_FORM_strp:
    case DW_FORM_line_strp:
    case DW_FORM_strp_sup:
    case DW_FORM_sec_offset:
    case DW_FORM_GNU_ref_alt:
    case DW_FORM_GNU_strp_alt:
        return (int)offset_size;
    case DW_FORM_GNU_addr_index:
    case DW_FORM_GNU_str_index:
        return DW_FORM_IS_ULEB;
    case DW_FORM_flag_present:
    case DW_FORM_implicit_const:
        return 0;
    default:
        return form < sizeof sizes && sizes[form] ? sizes[form] : DW_FORM_IS_UNKNOWN;
    }
}

uint32_t dw_form_block_length(uint32_t form)
{
    return form == DW_FORM_block1 ? 1 : form == DW_FORM_block2 ? 2 : form == DW_FORM_block4 ? 4 : 0;
}

static bool add_step(struct dw_abbrevs *t, struct dw_abbrev *a, uint32_t kind, uint32_t n)
{
    struct dw_step *last = a->step_count ? &t->steps.items[t->steps.count - 1] : NULL;
    bool at_sibling = a->sibling_step + 1 == a->step_count;
    if (kind == DW_STEP_FIXED && n == 0)
        return true;
    if (last && kind == DW_STEP_FIXED && last->kind == DW_STEP_FIXED && !at_sibling) {
        last->n += n;
        return true;
    }
    struct dw_step *step = VEC_PUSH(&t->steps);
    if (!step)
        return false;
    *step = (struct dw_step){kind, n};
    a->step_count++;
    return true;
}

static bool add_form(struct dw_abbrevs *t, struct dw_abbrev *a, const struct dw_attr *attr)
{
    int size = dw_form_size(attr->form, t->addr_size, t->offset_size, t->version);
    switch (size) {
    case DW_FORM_IS_UNKNOWN:
        return false;
    case DW_FORM_IS_BLOCK:
        return add_step(t, a, DW_STEP_BLOCK, dw_form_block_length(attr->form));
    case DW_FORM_IS_ULEB:
        return add_step(t, a, DW_STEP_ULEB, 0);
    case DW_FORM_IS_STRING:
        return add_step(t, a, DW_STEP_STRING, 0);
    case DW_FORM_IS_INDIRECT:
        return add_step(t, a, DW_STEP_INDIRECT, 0);
    default:
        break;
    }
    if (attr->name != DW_AT_sibling || attr->form != DW_FORM_ref4)
        return add_step(t, a, DW_STEP_FIXED, (uint32_t)size);
    /* A step of its own, so that it can be read on the way. */
    struct dw_step *step = VEC_PUSH(&t->steps);
    if (!step)
        return false;
    *step = (struct dw_step){DW_STEP_FIXED, 4};
    a->sibling_step = a->step_count++;
    return true;
}

/* One declaration; false at the end of the table or at damage. */
static bool read_abbrev(struct dw_abbrevs *t, struct reader *r)
{
    uint64_t code = rd_uleb(r);
    struct dw_abbrev *a = code && !r->bad ? VEC_PUSH(&t->list) : NULL;
    if (!a)
        return false;
    *a = (struct dw_abbrev){.number = code,
                            .tag = (uint32_t)rd_uleb(r),
                            .children = rd_u8(r) != 0,
                            .attr = (uint32_t)t->attrs.count,
                            .step = (uint32_t)t->steps.count,
                            .sibling_step = UINT32_MAX};
    for (;;) {
        struct dw_attr attr = {.name = (uint32_t)rd_uleb(r), .form = (uint32_t)rd_uleb(r)};
        if (attr.form == DW_FORM_implicit_const)
            attr.implicit = rd_sleb(r);
        if (r->bad || (attr.name == 0 && attr.form == 0))
            break;
        struct dw_attr *item = VEC_PUSH(&t->attrs);
        if (!item || !add_form(t, a, &attr)) {
            r->bad = true;
            break;
        }
        *item = attr;
        a->code |= attr.name == DW_AT_low_pc || attr.name == DW_AT_ranges;
        a->attr_count++;
    }
    t->dense &= code == t->list.count;
    if (r->bad)
        t->list.count--; /* half an abbreviation is none */
    return !r->bad;
}

static void free_table(struct dw_abbrevs *t)
{
    VEC_DONE(&t->list);
    VEC_DONE(&t->attrs);
    VEC_DONE(&t->steps);
    map_done(&t->by_code);
    mem_free(t);
}

void dw_abbrevs_free(struct dw_abbrevs *t)
{
    while (t) {
        struct dw_abbrevs *next = t->next;
        free_table(t);
        t = next;
    }
}

const struct dw_abbrevs *dw_abbrevs_get(const struct dw_unit *u)
{
    struct dw *d = u->dw;
    for (struct dw_abbrevs *t = d->abbrevs; t; t = t->next)
        if (t->offset == u->abbrev_offset && t->addr_size == u->addr_size &&
            t->offset_size == u->offset_size && t->version == u->version)
            return t;
    struct reader r = rd_at(d->abbrev, u->abbrev_offset);
    struct dw_abbrevs *t = r.bad ? NULL : mem_calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->offset = u->abbrev_offset;
    t->addr_size = u->addr_size;
    t->offset_size = u->offset_size;
    t->version = u->version;
    t->dense = true;
    while (read_abbrev(t, &r)) {
    }
    for (size_t i = 0; i < t->list.count && !t->dense; i++)
        if (!map_put(&t->by_code, t->list.items[i].number, i)) {
            free_table(t);
            return NULL;
        }
    t->next = d->abbrevs;
    d->abbrevs = t;
    return t;
}

const struct dw_abbrev *dw_abbrev_find(const struct dw_abbrevs *t, uint64_t code)
{
    if (t->dense)
        return code - 1 < t->list.count ? &t->list.items[code - 1] : NULL;
    const uint64_t *index = map_get(&t->by_code, code);
    return index && *index < t->list.count ? &t->list.items[*index] : NULL;
}

static void skip_indirect(const struct dw_unit *u, struct reader *r)
{
    struct dw_attr attr = {.form = (uint32_t)rd_uleb(r)};
    struct dw_value value;
    if (attr.form == DW_FORM_indirect || attr.form == DW_FORM_implicit_const)
        rd_fail(r);
    else
        dw_value_read(u, r, &attr, &value);
}

static void run_steps(const struct dw_unit *u, uint32_t first, uint32_t n, struct reader *r)
{
    for (uint32_t i = first; i < first + n; i++) {
        const struct dw_step *step = &u->abbrevs->steps.items[i];
        switch ((enum dw_step_kind)step->kind) {
        case DW_STEP_FIXED:
            rd_skip(r, step->n);
            break;
        case DW_STEP_ULEB:
            while (rd_u8(r) & 0x80) {
            }
            break;
        case DW_STEP_STRING:
            rd_str(r);
            break;
        case DW_STEP_BLOCK:
            rd_skip(r, step->n ? rd_uint(r, step->n) : rd_uleb(r));
            break;
        case DW_STEP_INDIRECT:
            skip_indirect(u, r);
            break;
        }
    }
}

void dw_skip(const struct dw_unit *u, const struct dw_abbrev *a, struct reader *r)
{
    assert(a->step + a->step_count <= u->abbrevs->steps.count);
    run_steps(u, a->step, a->step_count, r);
}

uint64_t dw_skip_sibling(const struct dw_unit *u, const struct dw_abbrev *a, struct reader *r)
{
    if (a->sibling_step == UINT32_MAX) {
        dw_skip(u, a, r);
        return 0;
    }
    assert(a->sibling_step < a->step_count);
    run_steps(u, a->step, a->sibling_step, r);
    uint64_t next = u->offset + rd_u32(r);
    run_steps(u, a->step + a->sibling_step + 1, a->step_count - a->sibling_step - 1, r);
    /* Only forward: a loop of siblings would not end. */
    return !r->bad && u->dw->info.p + next > r->p && next <= u->end ? next : 0;
}

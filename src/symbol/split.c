/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Split DWARF: the entries of a skeleton unit lie in a .dwo file, or in a share
 * of the .dwp package beside the program. Each file is asked for once. One thread.
 */
#include <stdio.h>

#include "symbol/module.h"

enum { PACKAGE_COLUMNS_MAX = 16 };

/* Take the split unit of this id and lend it what only the skeleton has. */
static struct dw_unit *adopt(struct dw *d, struct dw_unit *skeleton)
{
    for (size_t i = 0; i < d->units.count; i++) {
        struct dw_unit *u = &d->units.items[i];
        if (u->type == DW_UT_type || u->type == DW_UT_split_type)
            continue;
        u->addr = skeleton->addr;
        u->addr_base = skeleton->addr_base;
        u->ranges = skeleton->dw->ranges;
        u->ranges_base = skeleton->ranges_base;
        u->low_pc = skeleton->low_pc;
        if (dw_unit_open(u) && u->dwo_id == skeleton->dwo_id)
            return u;
    }
    return NULL;
}

static struct split *add_split(struct module *m)
{
    struct split *s = mem_calloc(1, sizeof *s);
    if (s) {
        s->next = m->splits;
        m->splits = s;
    }
    return s;
}

/* ---- a package ---- */

/* Which column of the index means which section; 0: not needed. */
static struct bytes *package_part(struct dw *d, unsigned version, uint32_t id)
{
    switch (id) {
    case 1:
        return &d->info;
    case 3:
        return &d->abbrev;
    case 4:
        return &d->line;
    case 6:
        return &d->str_offsets;
    case 8:
        return version >= 5 ? &d->rnglists : NULL;
    default:
        return NULL;
    }
}

/* Cut the share of row `row` (from 1) out of the sections of the package. */
static bool cut_share(struct bytes table, uint32_t columns, uint32_t units, uint32_t row,
                      unsigned version, struct dw *d)
{
    struct reader ids = rd_at(table, 0);
    uint64_t line = (uint64_t)columns * 4;
    struct reader offsets = rd_at(table, line * row);
    struct reader sizes = rd_at(table, line * ((uint64_t)units + row));
    for (uint32_t i = 0; i < columns; i++) {
        struct bytes *part = package_part(d, version, rd_u32(&ids));
        uint32_t offset = rd_u32(&offsets), size = rd_u32(&sizes);
        if (part)
            *part = bytes_part(*part, offset, size);
    }
    return !ids.bad && !offsets.bad && !sizes.bad;
}

/* The row of an id in the hash table of .debug_cu_index; 0 none. */
static bool find_share(struct bytes index, uint64_t id, struct dw *d)
{
    struct reader r = rd_at(index, 0);
    uint32_t version = rd_u32(&r) & 0xffff, columns = rd_u32(&r), units = rd_u32(&r),
             slots = rd_u32(&r);
    uint64_t tables = 16 + (uint64_t)slots * 12;
    if (r.bad || (version != 2 && version != 5) || columns > PACKAGE_COLUMNS_MAX || !slots ||
        (slots & (slots - 1)) || tables > index.n)
        return false;
    uint64_t mask = slots - 1, at = id & mask, step = ((id >> 32) & mask) | 1;
    for (uint32_t i = 0; i < slots; i++, at = (at + step) & mask) {
        struct reader key = rd_at(index, 16 + at * 8);
        struct reader row = rd_at(index, 16 + (uint64_t)slots * 8 + at * 4);
        uint64_t found = rd_u64(&key);
        uint32_t n = rd_u32(&row);
        if (n == 0)
            return false;
        if (found == id && n <= units)
            return cut_share(bytes_part(index, tables, index.n), columns, units, n, version, d);
    }
    return false;
}

static void open_package(struct module *m)
{
    struct job_question q = {.kind = JOB_FILE_DWP, .base = m->debug_file};
    struct job_answer answer;
    m->package_state = -1;
    if (!m->job->ask || !m->job->ask(m->job->ctx, &q, &answer))
        return;
    if (elf_file_open(&m->package, answer.map, NULL) == 0)
        m->package_state = 1;
}

static struct dw_unit *from_package(struct module *m, struct dw_unit *skeleton)
{
    if (m->package_state == 0)
        open_package(m);
    if (m->package_state < 0)
        return NULL;
    struct bytes index =
        elf_file_content(&m->package, elf_file_find(&m->package, ".debug_cu_index"));
    struct split *s = add_split(m);
    if (!s)
        return NULL;
    module_dwarf(&s->dw, &m->package, ".dwo");
    if (!find_share(index, skeleton->dwo_id, &s->dw) || dw_index(&s->dw) != 0)
        return NULL;
    return adopt(&s->dw, skeleton);
}

/* ---- files of their own ---- */

static struct split *open_file(struct module *m, const struct dw_unit *skeleton)
{
    struct job_question q = {.kind = JOB_FILE_DWO,
                             .base = m->debug_file,
                             .name = skeleton->dwo_name,
                             .dir = skeleton->comp_dir ? skeleton->comp_dir : ""};
    struct job_answer answer;
    struct split *s = add_split(m);
    if (!s)
        return NULL;
    if (!m->job->ask || !m->job->ask(m->job->ctx, &q, &answer))
        return s;
    if (elf_file_open(&s->elf, answer.map, NULL) == 0) {
        module_dwarf(&s->dw, &s->elf, ".dwo");
        s->good = dw_index(&s->dw) == 0;
    }
    return s;
}

struct dw_unit *module_entries(struct module *m, struct dw_unit *u)
{
    if (!dw_unit_open(u))
        return NULL;
    if (!u->dwo_name)
        return u;
    if (u->split)
        return u->split;
    struct split *s = open_file(m, u);
    u->split = s && s->good ? adopt(&s->dw, u) : NULL;
    if (!u->split)
        u->split = from_package(m, u);
    if (!u->split) {
        m->result->flags |= TABLE_INCOMPLETE;
        module_note(m, "its split debug information (%.120s) is missing: no inlined calls there",
                    u->dwo_name);
    }
    return u->split;
}

void module_close_splits(struct module *m)
{
    while (m->splits) {
        struct split *s = m->splits;
        m->splits = s->next;
        dw_done(&s->dw);
        elf_file_close(&s->elf);
        mem_free(s);
    }
}

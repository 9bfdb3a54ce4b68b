/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which files speak for a module: itself if it is the build that ran, else or
 * besides, its separate debug information, each checked by build-id or CRC
 * before a byte of it is believed. Opens nothing itself. One thread.
 */
#include "symbol/module.h"

#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <zlib.h>

#include "symbol/sort.h"

enum { CANDIDATES_MAX = 16 };

void module_note(struct module *m, const char *format, ...)
{
    va_list args;
    if (m->result->note[0])
        return;
    va_start(args, format);
    vsnprintf(m->result->note, sizeof m->result->note, format, args);
    va_end(args);
}

void module_dwarf(struct dw *d, struct elf_file *f, const char *suffix)
{
    bool split = *suffix != 0;
    *d = (struct dw){.info = elf_file_debug(f, "info", suffix),
                     .abbrev = elf_file_debug(f, "abbrev", suffix),
                     .str = elf_file_debug(f, "str", suffix),
                     .line = elf_file_debug(f, "line", suffix),
                     .str_offsets = elf_file_debug(f, "str_offsets", suffix),
                     .rnglists = elf_file_debug(f, "rnglists", suffix),
                     .split = split};
    if (split)
        return;
    d->line_str = elf_file_debug(f, "line_str", "");
    d->ranges = elf_file_debug(f, "ranges", "");
    d->addr = elf_file_debug(f, "addr", "");
    d->aranges = elf_file_debug(f, "aranges", "");
}

static bool same_bytes(struct bytes a, struct bytes b)
{
    return a.n == b.n && a.n && memcmp(a.p, b.p, a.n) == 0;
}

static bool crc_is(struct bytes map, uint32_t wanted)
{
    unsigned long crc = crc32(0, NULL, 0);
    for (size_t at = 0; at < map.n; at += 1 << 30)
        crc = crc32(crc, map.p + at, (uInt)(map.n - at < 1 << 30 ? map.n - at : 1 << 30));
    return (uint32_t)crc == wanted;
}

/* Ask for candidates until one fits: by build-id when both have one, else by CRC. */
static bool ask_for(struct module *m, struct job_question *q, struct bytes id, const uint32_t *crc,
                    struct elf_file *out, uint32_t *out_file)
{
    struct job_answer answer;
    for (q->nth = 0; q->nth < CANDIDATES_MAX && m->job->ask; q->nth++) {
        if (!m->job->ask(m->job->ctx, q, &answer))
            return false;
        if (elf_file_open(out, answer.map, NULL) == 0) {
            bool good = id.n && out->build_id.n ? same_bytes(id, out->build_id)
                                                : crc && crc_is(answer.map, *crc);
            if (good) {
                *out_file = answer.file;
                return true;
            }
        }
        elf_file_close(out);
        module_note(m, "its debug information was found, but belongs to another build");
    }
    return false;
}

static bool find_debug(struct module *m, struct bytes id)
{
    const char *name;
    uint32_t crc;
    struct job_question by_id = {.kind = JOB_FILE_BUILD_ID, .build_id = id};
    if (id.n && ask_for(m, &by_id, id, NULL, &m->debug, &m->debug_file))
        return true;
    if (!m->has_main || !elf_file_debuglink(&m->main, &name, &crc))
        return false;
    struct job_question by_link = {.kind = JOB_FILE_LINK, .name = name};
    return ask_for(m, &by_link, id, &crc, &m->debug, &m->debug_file);
}

static void find_alt(struct module *m, struct elf_file *f)
{
    struct job_question q = {.kind = JOB_FILE_ALT, .base = m->debug_file};
    uint32_t file;
    if (!elf_file_altlink(f, &q.name, &q.build_id))
        return;
    m->has_alt = ask_for(m, &q, q.build_id, NULL, &m->alt, &file);
    if (!m->has_alt) {
        m->result->flags |= TABLE_INCOMPLETE;
        module_note(m,
                    "the file its debug information shares (%.80s) is missing: some names are "
                    "unknown",
                    q.name);
        return;
    }
    module_dwarf(&m->alt_dw, &m->alt, "");
    m->dw.alt = &m->alt_dw;
}

static int open_main(struct module *m)
{
    struct oriel_err err = {0};
    const struct job *job = m->job;
    if (!job->file.n) {
        module_note(m, "is missing");
        return 0;
    }
    int rc = elf_file_open(&m->main, job->file, &err);
    if (rc != 0) {
        elf_file_close(&m->main);
        module_note(m, "%s", err.text);
        return rc;
    }
    if (job->build_id.n && !same_bytes(job->build_id, m->main.build_id)) {
        elf_file_close(&m->main);
        m->result->mismatch = true;
        module_note(m, "is another build than the one that ran (its build-id differs): not used");
        return 0;
    }
    m->has_main = true;
    return 0;
}

static int load_symbols(struct module *m)
{
    struct elf_file *full = m->has_debug ? &m->debug : &m->main;
    struct bytes mini;
    int rc = 0;
    if (m->has_debug && elf_file_find(&m->debug, ".symtab"))
        rc = elf_symbols_add(&m->symbols, &m->debug);
    if (rc == 0 && m->symbols.count == 0 && m->has_main)
        rc = elf_symbols_add(&m->symbols, &m->main);
    if (m->symbols.count && elf_file_find(full, ".symtab"))
        m->result->flags |= TABLE_HAS_SYMBOLS;
    else if (m->has_main && (mini = elf_file_minidebug(&m->main)).n) {
        m->has_mini = elf_file_open(&m->mini, mini, NULL) == 0;
        if (m->has_mini && rc == 0)
            rc = elf_symbols_add(&m->symbols, &m->mini);
    }
    if (rc == 0 && m->has_main)
        rc = elf_symbols_add_plt(&m->symbols, &m->main);
    if (rc == 0 && m->has_main && !(m->result->flags & TABLE_HAS_SYMBOLS))
        rc = elf_starts_read(&m->starts, &m->main);
    return rc == 0 ? elf_symbols_sort(&m->symbols) : rc;
}

/* ---- which unit covers what ---- */

static int add_range(struct module *m, uint64_t lo, uint64_t hi, uint32_t unit)
{
    uint64_t text_lo, text_hi;
    /* Functions that the linker dropped stay behind at address 0. */
    if (lo >= hi || !module_text(m, lo, &text_lo, &text_hi))
        return 0;
    struct unit_range *range = VEC_PUSH(&m->ranges);
    if (!range)
        return ORIEL_ENOMEM;
    *range = (struct unit_range){lo, hi, unit};
    return 0;
}

/* One set of .debug_aranges. */
static int read_set(struct module *m, struct reader *r, const uint8_t *start, uint8_t *seen)
{
    unsigned offset_size;
    uint64_t n = rd_unit_length(r, &offset_size);
    if (r->bad || n > rd_left(r)) {
        rd_fail(r);
        return 0;
    }
    struct reader set = {r->p, r->p + n, false};
    r->p += n;
    unsigned version = rd_u16(&set);
    uint64_t offset = rd_uint(&set, offset_size);
    unsigned addr_size = rd_u8(&set), segment_size = rd_u8(&set);
    const struct dw_unit *u = dw_unit_at(&m->dw, offset);
    if (set.bad || version != 2 || addr_size != 8 || segment_size != 0 || !u || u->offset != offset)
        return 0;
    /* Pairs are aligned to their size, counted from the start of the set. */
    rd_skip(&set, (uint64_t)(start - set.p) & 15);
    uint32_t index = (uint32_t)(u - m->dw.units.items);
    int rc = 0;
    while (rc == 0 && !set.bad && rd_left(&set) >= 16) {
        uint64_t lo = rd_u64(&set), size = rd_u64(&set);
        if (lo == 0 && size == 0)
            break;
        seen[index] = 1;
        rc = add_range(m, lo, lo + size, index);
    }
    return rc;
}

static int read_aranges(struct module *m, uint8_t *seen)
{
    struct reader r = rd_at(m->dw.aranges, 0);
    int rc = 0;
    while (rc == 0 && !r.bad && rd_left(&r) > 0)
        rc = read_set(m, &r, r.p, seen);
    return rc;
}

static int sort_ranges(struct module *m)
{
    size_t n = m->ranges.count;
    struct sort_key *keys = mem_calloc(n + 1, sizeof *keys);
    struct unit_range *sorted = mem_calloc(n + 1, sizeof *sorted);
    int rc = keys && sorted ? 0 : ORIEL_ENOMEM;
    for (size_t i = 0; i < n && rc == 0; i++)
        keys[i] = (struct sort_key){m->ranges.items[i].lo, (uint32_t)i};
    if (rc == 0)
        rc = sort_keys(keys, n);
    for (size_t i = 0; i < n && rc == 0; i++)
        sorted[i] = m->ranges.items[keys[i].index];
    if (rc == 0 && n)
        memcpy(m->ranges.items, sorted, n * sizeof *sorted);
    mem_free(keys);
    mem_free(sorted);
    return rc;
}

static int index_units(struct module *m)
{
    size_t n = m->dw.units.count;
    struct dw_ranges ranges = {0};
    uint8_t *seen = mem_calloc(n + 1, 1);
    int rc = seen ? read_aranges(m, seen) : ORIEL_ENOMEM;
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct dw_unit *u = &m->dw.units.items[i];
        if (seen[i] || u->type == DW_UT_type || u->type == DW_UT_partial)
            continue;
        ranges.count = 0;
        rc = dw_unit_ranges(u, &ranges);
        for (size_t k = 0; k < ranges.count && rc == 0; k++)
            rc = add_range(m, ranges.items[k].lo, ranges.items[k].hi, (uint32_t)i);
    }
    VEC_DONE(&ranges);
    mem_free(seen);
    return rc == 0 ? sort_ranges(m) : rc;
}

int module_open(struct module *m, const struct job *job, struct job_result *result)
{
    *m = (struct module){.job = job, .result = result};
    *result = (struct job_result){0};
    buf_init(&m->text);
    int rc = table_maker_init(&m->maker);
    if (rc == 0)
        rc = open_main(m);
    if (rc != 0)
        return rc;
    struct bytes id = job->build_id.n ? job->build_id : m->main.build_id;
    if (!m->has_main || elf_file_debug(&m->main, "info", "").n == 0)
        m->has_debug = find_debug(m, id);
    if (!m->has_main && !m->has_debug)
        return ORIEL_ENOTFOUND;
    struct elf_file *f = m->has_debug ? &m->debug : &m->main;
    module_dwarf(&m->dw, f, "");
    find_alt(m, f);
    if (m->dw.info.n)
        result->flags |= TABLE_HAS_DWARF;
    rc = dw_index(&m->dw);
    if (rc == 0 && m->has_alt)
        rc = dw_index(&m->alt_dw);
    if (rc == 0)
        rc = load_symbols(m);
    return rc == 0 ? index_units(m) : rc;
}

void module_close(struct module *m)
{
    module_close_splits(m);
    dw_done(&m->dw);
    dw_done(&m->alt_dw);
    elf_symbols_done(&m->symbols);
    elf_starts_done(&m->starts);
    VEC_DONE(&m->ranges);
    VEC_DONE(&m->known_names);
    map_done(&m->name_index);
    table_maker_done(&m->maker);
    buf_done(&m->text);
    elf_file_close(&m->main);
    elf_file_close(&m->debug);
    elf_file_close(&m->mini);
    elf_file_close(&m->alt);
    elf_file_close(&m->package);
}

bool module_text(const struct module *m, uint64_t addr, uint64_t *out_lo, uint64_t *out_hi)
{
    const struct elf_file *f = m->has_main ? &m->main : &m->debug;
    /* The very last address has no end that a number could hold. */
    for (uint32_t i = 0; i < f->section_count && addr != UINT64_MAX; i++) {
        const struct elf_section *s = &f->sections[i];
        if ((s->flags & SHF_EXECINSTR) && addr >= s->addr && addr - s->addr < s->size) {
            *out_lo = s->addr;
            *out_hi = s->size > UINT64_MAX - s->addr ? UINT64_MAX : s->addr + s->size;
            return true;
        }
    }
    return false;
}

void module_find_unit(const struct module *m, uint64_t addr, struct unit_range *out)
{
    size_t lo = 0, hi = m->ranges.count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (m->ranges.items[mid].lo <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    *out = (struct unit_range){0, UINT64_MAX, UINT32_MAX};
    if (lo < m->ranges.count)
        out->hi = m->ranges.items[lo].lo;
    for (size_t tries = 0; lo > 0 && tries < 8; tries++) {
        const struct unit_range *range = &m->ranges.items[--lo];
        if (addr < range->hi) {
            out->unit = range->unit;
            out->lo = range->lo > out->lo ? range->lo : out->lo;
            out->hi = range->hi < out->hi ? range->hi : out->hi;
            return;
        }
        out->lo = range->hi > out->lo ? range->hi : out->lo;
    }
}

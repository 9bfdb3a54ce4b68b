/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Finds the places for probes in one module. A breakpoint in the middle of an
 * instruction would break the program, so nothing is given out whose beginning
 * is not certain: functions begin one, notes stand on a nop, and lines are
 * reached by walking over the instructions of their function. Runs in the
 * confined child; reads memory only.
 */
#include <assert.h>
#include <elf.h>
#include <stdlib.h>

#include "symbol/demangle.h"
#include "symbol/insn.h"
#include "symbol/points_job.h"
#include "symbol/sort.h"

struct scan {
    const struct points_query *query;
    struct module *m;
    struct points_maker p;
    struct buf name;                 /* scratch */
    uint64_t walked_from, walked_to; /* an instruction begins there: how far is_reached came */
};

/* ---- matching ---- */

bool points_match(const char *pattern, const char *text, size_t n)
{
    size_t at = 0, star_at = 0;
    const char *star = NULL;
    while (at < n) {
        if (*pattern == '*') {
            star = ++pattern;
            star_at = at;
        } else if (*pattern == '?' || (*pattern && *pattern == text[at])) {
            pattern++;
            at++;
        } else if (star) {
            pattern = star;
            at = ++star_at;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == 0;
}

size_t points_plain_bytes(const char *name, size_t n)
{
    size_t depth = 0;
    for (size_t i = n; i > 0; i--) {
        if (name[i - 1] == ')')
            depth++;
        else if (name[i - 1] == '(' && depth > 0 && --depth == 0)
            return i > 1 ? i - 1 : n;
        else if (depth == 0 && name[i - 1] == '>' && i == n)
            return n; /* a template without parameters */
    }
    return n;
}

static bool function_matches(const struct scan *s, const char *linkage, size_t linkage_bytes)
{
    const char *pattern = s->query->pattern;
    if (!pattern || points_match(pattern, linkage, linkage_bytes))
        return true;
    const char *name = s->name.data;
    size_t n = s->name.size;
    return n && (points_match(pattern, name, n) ||
                 points_match(pattern, name, points_plain_bytes(name, n)));
}

/* ---- places ---- */

/* The section with this address and its bytes from there on; empty: none. */
static struct bytes code_at(struct scan *s, uint64_t addr, uint64_t *out_offset)
{
    struct elf_file *f = &s->m->main;
    for (uint32_t i = 0; i < f->section_count; i++) {
        struct elf_section *section = &f->sections[i];
        if (!(section->flags & SHF_ALLOC) || section->type == SHT_NOBITS || addr < section->addr ||
            addr - section->addr >= section->size)
            continue;
        *out_offset = section->offset + (addr - section->addr);
        return bytes_part(elf_file_content(f, section), addr - section->addr, UINT64_MAX);
    }
    return (struct bytes){NULL, 0};
}

static bool is_text(const struct scan *s, uint64_t addr)
{
    return elf_file_is_text(&s->m->main, addr);
}

static void set_cost(struct point *point, enum insn_kind kind)
{
    point->flags |= insn_is_cheap(kind) ? POINT_CHEAP : 0;
    point->flags |= kind == INSN_NOP5 ? POINT_NOP5 : 0;
}

static struct point *add(struct scan *s, enum point_kind kind, uint64_t addr, uint64_t offset)
{
    struct point *point = s->p.items.count < POINTS_MAX ? VEC_PUSH(&s->p.items) : NULL;
    if (point)
        *point = (struct point){.addr = addr, .offset = offset, .kind = (uint8_t)kind};
    return point;
}

/* ---- notes ---- */

/* One note's description: where, and three texts. */
static int add_note(struct scan *s, struct bytes note, uint64_t base_addr)
{
    struct reader r = rd_at(note, 0);
    uint64_t pc = rd_u64(&r), base = rd_u64(&r), semaphore = rd_u64(&r), offset, unused = 0;
    const char *provider = rd_str(&r), *name = rd_str(&r), *spec = rd_str(&r);
    struct insn insn;
    if (r.bad)
        return 0;
    buf_clear(&s->name);
    buf_printf(&s->name, "%s:%s", provider, name);
    if (s->query->pattern && !points_match(s->query->pattern, s->name.data, s->name.size))
        return s->name.failed ? ORIEL_ENOMEM : 0;
    uint64_t moved = base_addr && base ? base_addr - base : 0; /* by a prelinker */
    struct bytes code = code_at(s, pc + moved, &offset);
    if (!is_text(s, pc + moved) || !insn_decode(s->m->main.machine, code, pc + moved, &insn) ||
        (insn.kind != INSN_NOP && insn.kind != INSN_NOP5)) {
        s->p.refused++;
        return 0;
    }
    struct point *point = add(s, POINT_USDT, pc + moved, offset);
    if (!point)
        return ORIEL_ELIMIT;
    set_cost(point, insn.kind);
    if (semaphore && code_at(s, semaphore + moved, &unused).n >= 2)
        point->semaphore = unused;
    point->provider = points_add_text(&s->p, provider, strlen(provider));
    point->name = points_add_text(&s->p, name, strlen(name));
    point->spec = points_add_text(&s->p, spec, strlen(spec));
    return 0;
}

static int scan_notes(struct scan *s)
{
    enum { NT_STAPSDT = 3 };
    struct elf_file *f = &s->m->main;
    const struct elf_section *anchor = elf_file_find(f, ".stapsdt.base");
    struct bytes notes = elf_file_content(f, elf_file_find(f, ".note.stapsdt"));
    struct reader r = rd_at(notes, 0);
    int rc = 0;
    while (rc == 0 && !r.bad && rd_left(&r) >= 12) {
        uint64_t name_bytes = rd_u32(&r), bytes = rd_u32(&r);
        uint32_t type = rd_u32(&r);
        const uint8_t *name = rd_take(&r, (name_bytes + 3) & ~UINT64_C(3));
        const uint8_t *desc = rd_take(&r, bytes);
        if (r.bad)
            break;
        rd_skip(&r, -bytes & 3);
        if (type == NT_STAPSDT && name_bytes == 8 && memcmp(name, "stapsdt", 8) == 0)
            rc = add_note(s, (struct bytes){desc, bytes}, anchor ? anchor->addr : 0);
    }
    return rc;
}

/* ---- functions ---- */

static int add_exit(struct scan *s, struct point *point, uint64_t offset)
{
    uint64_t *slot = VEC_PUSH(&s->p.exits);
    if (!slot)
        return ORIEL_ENOMEM;
    *slot = offset;
    point->exit_count++;
    return 0;
}

struct part {
    uint64_t lo, hi;
};
/* The stretch of the function's code that is kept apart as rarely used, and that the
 * linker calls NAME.cold; false: `target` is no part of the function. */
static bool is_cold_part(const struct scan *s, const char *linkage, uint64_t target,
                         struct part *out)
{
    size_t n = strlen(linkage);
    size_t i = elf_symbols_find(&s->m->symbols, target, &out->lo, &out->hi);
    const struct elf_symbol *symbol = i == SIZE_MAX ? NULL : &s->m->symbols.items[i];
    return symbol && strncmp(symbol->name, linkage, n) == 0 &&
           strncmp(symbol->name + n, ".cold", 5) == 0;
}

/* Walk over [part.lo, part.hi): returns and jumps to elsewhere are exits. Sets
 * *cold when a jump leads to the function's other part. False: not every way out
 * is known. */
static bool walk_part(struct scan *s, struct point *point, const char *linkage, struct part part,
                      struct part *cold, int *rc)
{
    uint64_t offset, addr = part.lo;
    struct bytes code = code_at(s, part.lo, &offset);
    struct part found;
    bool sure = true;
    while (addr < part.hi && *rc == 0) {
        struct insn insn;
        if (!insn_decode(s->m->main.machine, bytes_part(code, addr - part.lo, part.hi - addr), addr,
                         &insn))
            return false;
        bool inside = insn.target >= point->addr && insn.target < point->addr + point->size;
        inside |= insn.target >= part.lo && insn.target < part.hi;
        bool jumps = insn.kind == INSN_JUMP || insn.kind == INSN_BRANCH;
        if (jumps && !inside && is_cold_part(s, linkage, insn.target, &found)) {
            inside = true;
            *cold = found;
        }
        if (insn.kind == INSN_RETURN || (insn.kind == INSN_JUMP && !inside))
            *rc = add_exit(s, point, offset + (addr - part.lo));
        else if (insn.kind == INSN_BRANCH && !inside)
            sure = false; /* a call in place of a return, sometimes */
        addr += insn.bytes;
    }
    return sure && addr == part.hi;
}

static int find_exits(struct scan *s, uint32_t index, const char *linkage)
{
    struct point *point = &s->p.items.items[index];
    struct part hot = {point->addr, point->addr + point->size}, cold = {0, 0}, again;
    int rc = 0;
    point->first_exit = (uint32_t)s->p.exits.count;
    if (hot.hi <= hot.lo)
        return 0;
    bool sure = walk_part(s, point, linkage, hot, &cold, &rc);
    if (rc == 0 && cold.hi > cold.lo)
        sure &= walk_part(s, point, linkage, cold, &again, &rc);
    if (sure)
        point->flags |= POINT_EXITS;
    return rc;
}

static int add_function(struct scan *s, const Elf64_Sym *sym, const char *linkage)
{
    uint64_t offset;
    const char *version = strchr(linkage, '@');
    size_t n = version ? (size_t)(version - linkage) : strlen(linkage);
    struct insn insn;
    buf_clear(&s->name);
    if (!demangle(linkage, &s->name))
        buf_put(&s->name, linkage, n);
    if (!function_matches(s, linkage, n))
        return s->name.failed ? ORIEL_ENOMEM : 0;
    struct bytes code = code_at(s, sym->st_value, &offset);
    if (!is_text(s, sym->st_value) ||
        !insn_decode(s->m->main.machine, code, sym->st_value, &insn)) {
        s->p.refused++;
        return 0;
    }
    struct point *point = add(s, POINT_FUNCTION, sym->st_value, offset);
    if (!point)
        return ORIEL_ELIMIT;
    set_cost(point, insn.kind);
    point->size = sym->st_size <= code.n ? sym->st_size : 0;
    point->name = points_add_text(&s->p, s->name.data, s->name.size);
    point->linkage = points_add_text(&s->p, linkage, n);
    uint32_t index = (uint32_t)(s->p.items.count - 1);
    return s->query->details ? find_exits(s, index, linkage) : 0;
}

/* Whoever has one of these has frames that exceptions may pass. C that cleans up when
 * its thread is cancelled has _Unwind_Resume only. */
static bool is_of_exceptions(const char *name)
{
    static const char *const names[] = {"__gxx_personality_v0", "__cxa_throw", "__cxa_begin_catch",
                                        "_Unwind_RaiseException", "rust_eh_personality"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static int scan_symbols(struct scan *s, struct elf_file *f, const char *table_name)
{
    struct elf_section *section = elf_file_find(f, table_name);
    struct bytes table = elf_file_content(f, section);
    int rc = 0;
    if (!table.p || section->link >= f->section_count)
        return 0;
    struct bytes names = elf_file_content(f, &f->sections[section->link]);
    bool wanted = s->query->kinds & 1u << POINT_FUNCTION;
    for (size_t at = sizeof(Elf64_Sym); at + sizeof(Elf64_Sym) <= table.n && rc == 0;
         at += sizeof(Elf64_Sym)) {
        Elf64_Sym sym;
        memcpy(&sym, table.p + at, sizeof sym);
        const char *name = bytes_str(names, sym.st_name);
        if (!name || !*name)
            continue;
        s->p.throws |= is_of_exceptions(name);
        s->p.instrumented |= strncmp(name, "__cyg_profile_func_enter", 24) == 0;
        if (wanted && ELF64_ST_TYPE(sym.st_info) == STT_FUNC && sym.st_shndx != SHN_UNDEF &&
            !strstr(name, ".cold"))
            rc = add_function(s, &sym, name);
    }
    return rc;
}

/* Where -fpatchable-function-entry left room. The linker makes one section of all; more of that
 * name are none that we know. */
static void scan_patchable(struct scan *s, struct elf_file *f)
{
    const struct elf_section *section = elf_file_find(f, "__patchable_function_entries");
    if (!section || !(section->flags & SHF_ALLOC) || section->type == SHT_NOBITS)
        return;
    s->p.patchable = section->addr;
    s->p.patchable_bytes = section->size;
}

static int scan_functions(struct scan *s)
{
    static const char *const tables[] = {".symtab", ".dynsym"};
    int rc = 0;
    for (size_t i = 0; i < 2 && rc == 0; i++)
        rc = scan_symbols(s, &s->m->main, tables[i]);
    if (rc == 0 && s->m->has_debug)
        rc = scan_symbols(s, &s->m->debug, ".symtab");
    if (rc == 0 && s->m->has_mini)
        rc = scan_symbols(s, &s->m->mini, ".symtab");
    return rc;
}

/* ---- lines ---- */

/* "file.c:123", "file.c:*", "dir/file.c" */
struct line_query {
    const char *file;
    size_t file_bytes;
    uint32_t line; /* 0 any */
};

static bool parse_line(const char *pattern, struct line_query *out)
{
    const char *colon = pattern ? strrchr(pattern, ':') : NULL;
    *out = (struct line_query){.file = pattern};
    if (!colon)
        return false;
    out->file_bytes = (size_t)(colon - pattern);
    char *end;
    unsigned long n = strtoul(colon + 1, &end, 10);
    out->line = n < UINT32_MAX ? (uint32_t)n : 0;
    return (*end == 0 && out->line > 0) || strcmp(colon + 1, "*") == 0;
}

/* Whether a path is meant: its end, from a slash on. */
static bool file_matches(const struct line_query *q, const char *path, size_t n)
{
    return n >= q->file_bytes && q->file_bytes > 0 &&
           memcmp(path + n - q->file_bytes, q->file, q->file_bytes) == 0 &&
           (n == q->file_bytes || q->file[0] == '/' || path[n - q->file_bytes - 1] == '/');
}

/* Whether an instruction of its function begins at the address. */
static bool is_reached(struct scan *s, uint64_t addr, struct insn *out)
{
    uint64_t lo, hi, offset, at;
    size_t i = elf_symbols_find(&s->m->symbols, addr, &lo, &hi);
    if (i == SIZE_MAX || !is_text(s, addr))
        return false;
    at = s->m->symbols.items[i].addr;
    /* Rows come in order: not from the function's beginning for each of them. */
    if (at == s->walked_from && s->walked_to <= addr)
        at = s->walked_to;
    s->walked_from = s->m->symbols.items[i].addr;
    struct bytes code = code_at(s, at, &offset);
    for (uint64_t from = at; at <= addr; at += out->bytes) {
        s->walked_to = at;
        if (!insn_decode(s->m->main.machine, bytes_part(code, at - from, UINT64_MAX), at, out))
            return false;
        if (at == addr)
            return true;
    }
    return false;
}

static int add_line(struct scan *s, const struct dw_row *row, const char *path, size_t n)
{
    uint64_t offset, lo, hi;
    struct insn insn;
    if (!is_reached(s, row->addr, &insn)) {
        s->p.refused++;
        return 0;
    }
    (void)code_at(s, row->addr, &offset);
    struct point *point = add(s, POINT_LINE, row->addr, offset);
    if (!point)
        return ORIEL_ELIMIT;
    set_cost(point, insn.kind);
    point->line = row->line;
    point->file = points_add_text(&s->p, path, n);
    size_t i = elf_symbols_find(&s->m->symbols, row->addr, &lo, &hi);
    assert(i != SIZE_MAX);
    const char *linkage = s->m->symbols.items[i].name;
    buf_clear(&s->name);
    if (!demangle(linkage, &s->name))
        buf_puts(&s->name, linkage);
    point->size = s->m->symbols.items[i].addr; /* whose line it is; cleared when done */
    point->name = points_add_text(&s->p, s->name.data, s->name.size);
    return 0;
}

/* A row of no instruction, in front of another of the same line: said twice. */
static bool is_empty(const struct dw_row *row)
{
    return !row->end && !row[1].end && row[1].addr == row->addr && row[1].line == row->line &&
           row[1].file == row->file && row[1].stmt;
}

static int scan_unit_lines(struct scan *s, struct dw_unit *u, const struct line_query *q)
{
    struct dw_line l = {0};
    char path[4096];
    size_t n = 0;
    uint64_t file = UINT64_MAX;
    int rc = dw_unit_open(u) && u->has_stmt_list ? dw_line_read(&l, u) : 0;
    for (size_t i = 0; i < l.rows.count && rc == 0; i++) {
        const struct dw_row *row = &l.rows.items[i];
        bool begins =
            i == 0 || row[-1].end || row[-1].line != row->line || row[-1].file != row->file;
        bool wanted = s->query->all_lines ? row->stmt && !is_empty(row)
                                          : begins && (!q->line || row->line == q->line);
        if (row->end || row->line == 0 || !wanted)
            continue;
        if (row->file != file) {
            file = row->file;
            n = dw_line_path(&l, file, path, sizeof path);
        }
        if (s->query->all_lines ? n > 0 : file_matches(q, path, n))
            rc = add_line(s, row, path, n);
    }
    dw_line_done(&l);
    return rc;
}

static int scan_lines(struct scan *s)
{
    struct line_query q;
    int rc = 0;
    if (!parse_line(s->query->pattern, &q) && !s->query->all_lines)
        return 0;
    for (size_t i = 0; i < s->m->dw.units.count && rc == 0; i++)
        rc = scan_unit_lines(s, &s->m->dw.units.items[i], &q);
    return rc;
}

/* ---- all of it ---- */

/* What the order is by, from the last to the first. */
static uint64_t order_key(const struct point *point, int pass)
{
    bool line = point->kind == POINT_LINE;
    return pass == 0   ? point->addr
           : pass == 1 ? (line ? point->size : 0) /* of one function */
                       : (uint64_t)point->kind << 32 | (line ? point->line : 0);
}

/* The C library's sort asks the system for its memory, which ends the child. */
static int sort_points(struct points_maker *p)
{
    size_t n = p->items.count;
    struct sort_key *keys = mem_calloc(n + 1, sizeof *keys);
    struct point *sorted = mem_calloc(n + 1, sizeof *sorted);
    int rc = keys && sorted ? 0 : ORIEL_ENOMEM;
    for (int pass = 0; pass < 3 && rc == 0; pass++) {
        for (size_t i = 0; i < n; i++)
            keys[i] = (struct sort_key){order_key(&p->items.items[i], pass), (uint32_t)i};
        rc = sort_keys(keys, n);
        for (size_t i = 0; i < n && rc == 0; i++)
            sorted[i] = p->items.items[keys[i].index];
        if (rc == 0 && n)
            memcpy(p->items.items, sorted, n * sizeof *sorted);
    }
    mem_free(keys);
    mem_free(sorted);
    return rc;
}

/* The line at which each function begins: the first that is told of its first instruction, in
 * front of those that were inlined there. Before they are sorted. */
static int place_functions(struct points_maker *p)
{
    struct map lines = {0};
    int rc = 0;
    for (size_t i = 0; i < p->items.count && rc == 0; i++)
        if (p->items.items[i].kind == POINT_LINE && !map_put(&lines, p->items.items[i].addr, i))
            rc = ORIEL_ENOMEM;
    for (size_t i = 0; i < p->items.count && rc == 0; i++) {
        struct point *function = &p->items.items[i];
        uint64_t *slot = function->kind == POINT_FUNCTION ? map_get(&lines, function->addr) : NULL;
        if (!slot)
            continue;
        function->file = p->items.items[*slot].file;
        function->line = p->items.items[*slot].line;
    }
    map_done(&lines);
    return rc;
}

static bool is_same_file(const struct points_maker *p, const struct point *a, const struct point *b)
{
    return a->file == b->file || strcmp(p->strings.data + a->file, p->strings.data + b->file) == 0;
}

static bool is_same_name(const struct points_maker *p, const struct point *a, const struct point *b)
{
    const char *texts = p->strings.data;
    return strcmp(texts + a->name, texts + b->name) == 0 &&
           strcmp(texts + a->provider, texts + b->provider) == 0;
}

/* One point for each place and name; of a line, the first place in each function, or all. */
static void unite(struct points_maker *p, bool all_lines)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->items.count; i++) {
        struct point *now = &p->items.items[i];
        bool again = false;
        for (size_t k = kept; k > 0 && !again; k--) {
            const struct point *before = &p->items.items[k - 1];
            if (before->kind != now->kind || (now->kind != POINT_LINE && before->addr != now->addr))
                break;
            if (now->kind == POINT_LINE && (before->line != now->line || before->size != now->size))
                break;
            if (all_lines && now->kind == POINT_LINE && before->addr != now->addr)
                break;
            again = now->kind == POINT_LINE ? !all_lines || is_same_file(p, before, now)
                                            : is_same_name(p, before, now);
        }
        if (!again)
            p->items.items[kept++] = *now;
    }
    p->items.count = kept;
    for (size_t i = 0; i < kept; i++)
        if (p->items.items[i].kind == POINT_LINE)
            p->items.items[i].size = 0;
}

static int scan_all(struct scan *s)
{
    int rc = s->query->kinds & 1u << POINT_USDT ? scan_notes(s) : 0;
    if (rc == 0)
        rc = scan_functions(s);
    if (rc == 0 && s->query->kinds & 1u << POINT_LINE)
        rc = scan_lines(s);
    s->p.has_dwarf = s->m->dw.info.n > 0;
    scan_patchable(s, &s->m->main);
    if (rc == 0 && s->query->all_lines)
        rc = place_functions(&s->p);
    if (rc == 0)
        rc = sort_points(&s->p);
    if (rc == 0)
        unite(&s->p, s->query->all_lines);
    if (rc == 0 && s->query->details)
        rc = points_read_args(&s->p, s->m);
    return rc == 0 && s->name.failed ? ORIEL_ENOMEM : rc;
}

int points_job(const void *how, const struct job *job, struct buf *out, struct job_result *result)
{
    struct module m;
    struct scan s = {.query = how, .m = &m};
    int rc = module_open(&m, job, result);
    points_maker_init(&s.p);
    buf_init(&s.name);
    if (rc == 0 && !m.has_main)
        rc = ORIEL_ENOTFOUND;
    if (rc == 0)
        rc = scan_all(&s);
    if (rc == 0)
        rc = points_write(&s.p, out);
    if (rc == ORIEL_ELIMIT)
        module_note(&m, "has more than %u places for probes: give a pattern", POINTS_MAX);
    buf_done(&s.name);
    points_maker_done(&s.p);
    module_close(&m);
    return rc;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reads the two kinds of files in which compilers at run time tell what they
 * made. Only what was asked for is kept, so a long list costs one pass. The
 * bytes are hostile: every number is checked, loops are bounded by the file.
 */
#include "symbol/jit.h"

#include <assert.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "symbol/table.h"

enum {
    DUMP_MAGIC = 0x4a695444, /* "DTiJ" in a little-endian file */
    DUMP_HEADER = 40,
    RECORD_HEADER = 16,
    RECORD_LOAD = 0,
    RECORD_MOVE = 1,
    RECORD_LINES = 2,
    /* `perf inject` makes an ELF file of each function, its code behind the
     * header, and some compilers count addresses of lines from the header on. */
    ELF_HEADER = 64,
    NAME_MAX_BYTES = 4096
};

struct code {
    uint64_t start, bytes;
    struct bytes name;
    struct bytes lines; /* of a dump: entries from the second word of the record on */
};

struct work {
    struct asked asked;
    VEC(struct code) codes;
    uint32_t *best; /* of each asked address: its code, from 1; 0 none */
    struct map by_start;
    bool lines_shifted;
    struct table_maker maker;
};

/* Index of the first asked address that is not below. */
static size_t first_from(const struct asked *asked, uint64_t address)
{
    size_t low = 0, high = asked->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (asked->addrs[middle] < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Code that lies at these addresses from now on. `always`: it may be moved later. */
static int add_code(struct work *w, const struct code *c, bool always)
{
    if (c->bytes == 0 || c->start + c->bytes < c->start)
        return 0;
    size_t i = first_from(&w->asked, c->start);
    bool asked = i < w->asked.count && w->asked.addrs[i] - c->start < c->bytes;
    if (!asked && !always)
        return 0;
    struct code *own = w->codes.count < UINT32_MAX - 1 ? VEC_PUSH(&w->codes) : NULL;
    if (!own)
        return ORIEL_ENOMEM;
    *own = *c;
    for (; i < w->asked.count && w->asked.addrs[i] - c->start < c->bytes; i++)
        w->best[i] = (uint32_t)w->codes.count;
    return 0;
}

/* ---- lists ---- */

/* Hex with or without 0x, and the blanks behind it. */
static bool take_hex(struct bytes *line, uint64_t *out)
{
    uint64_t value = 0;
    size_t i = line->n > 1 && line->p[0] == '0' && (line->p[1] | 32) == 'x' ? 2 : 0, first = i;
    for (; i < line->n; i++) {
        unsigned c = line->p[i], letter = (c | 32) - 'a';
        unsigned digit = c - '0' < 10 ? c - '0' : letter < 6 ? letter + 10 : 16;
        if (digit > 15)
            break;
        if (value >> 60)
            return false;
        value = value << 4 | digit;
    }
    if (i == first || i == line->n || line->p[i] != ' ')
        return false;
    while (i < line->n && line->p[i] == ' ')
        i++;
    *line = (struct bytes){line->p + i, line->n - i};
    *out = value;
    return true;
}

static int read_list(struct work *w, struct bytes file, bool *out_any)
{
    int rc = 0;
    while (file.n > 0 && rc == 0) {
        const uint8_t *end = memchr(file.p, '\n', file.n);
        /* Its writer may be at it, or have been killed: half a line says nothing. */
        if (!end)
            break;
        struct bytes line = {file.p, (size_t)(end - file.p)};
        file = (struct bytes){end + 1, file.n - line.n - 1};
        struct code c = {0};
        if (!take_hex(&line, &c.start) || !take_hex(&line, &c.bytes) || line.n == 0)
            continue;
        *out_any = true;
        c.name = line;
        rc = add_code(w, &c, false);
    }
    return rc;
}

/* ---- dumps ---- */

/* An entry of lines: address, line, column, file. False: no more, or not to be believed. */
static bool next_line(struct reader *r, uint64_t *out_address, uint32_t *out_line,
                      uint32_t *out_column, const char **file)
{
    *out_address = rd_u64(r);
    *out_line = rd_u32(r);
    *out_column = rd_u32(r);
    const char *name = rd_str(r);
    if (r->bad)
        return false;
    if (strcmp(name, "\xff") == 0) /* the file of the entry before */
        return *file != NULL;
    *file = name;
    return name[0] != 0 && (unsigned char)name[0] < 0x80;
}

/* What a record of lines says that comes before its code. */
struct told_lines {
    uint64_t start;
    struct bytes entries;
};

static int load(struct work *w, struct reader r, const struct told_lines *told)
{
    rd_skip(&r, 16); /* pid, tid, where it is mapped to be read */
    struct code c = {.start = rd_u64(&r), .bytes = rd_u64(&r)};
    rd_skip(&r, 8); /* number */
    const char *name = rd_str(&r);
    if (r.bad || c.bytes > rd_left(&r)) /* the code itself follows */
        return 0;
    c.name = (struct bytes){(const uint8_t *)name, strlen(name)};
    if (told->entries.n && told->start == c.start) {
        c.lines = told->entries;
        uint64_t address;
        uint32_t line, column;
        const char *file = NULL;
        struct reader lines = rd_at(c.lines, 0);
        while (!w->lines_shifted && next_line(&lines, &address, &line, &column, &file))
            w->lines_shifted =
                address - c.start >= c.bytes && address - c.start < c.bytes + ELF_HEADER;
    }
    int rc = add_code(w, &c, true);
    uint64_t *at = rc == 0 && c.bytes ? map_put(&w->by_start, c.start, 0) : NULL;
    if (at)
        *at = w->codes.count;
    return rc;
}

static int move(struct work *w, struct reader r)
{
    rd_skip(&r, 16);
    uint64_t from = rd_u64(&r), to = rd_u64(&r);
    const uint64_t *at = r.bad ? NULL : map_get(&w->by_start, from);
    if (!at || *at == 0)
        return 0;
    struct code c = w->codes.items[*at - 1];
    c.start = to;
    c.lines = (struct bytes){NULL, 0}; /* those lie where it was */
    int rc = add_code(w, &c, true);
    uint64_t *there = rc == 0 ? map_put(&w->by_start, to, 0) : NULL;
    if (there)
        *there = w->codes.count;
    return rc;
}

static int read_dump(struct work *w, struct bytes file)
{
    struct reader r = rd_at(file, 8);
    struct told_lines told = {0};
    int rc = 0;
    for (uint64_t at = rd_u32(&r), size; rc == 0 && bytes_hold(file, at, RECORD_HEADER);
         at += size) {
        r = rd_at(file, at);
        uint32_t id = rd_u32(&r);
        size = rd_u32(&r);
        if (size < RECORD_HEADER || !bytes_hold(file, at, size))
            break; /* half a record, the last one of a program that was ended */
        r = rd_at(bytes_part(file, at, size), RECORD_HEADER);
        if (id == RECORD_LINES) {
            told.start = rd_u64(&r);
            rd_skip(&r, 8); /* how many */
            told.entries = (struct bytes){r.p, r.bad ? 0 : rd_left(&r)};
        } else if (id == RECORD_LOAD) {
            rc = load(w, r, &told);
            told = (struct told_lines){0};
        } else if (id == RECORD_MOVE) {
            rc = move(w, r);
        }
    }
    return rc;
}

/* ---- answers ---- */

/* ":NUMBER" at the end of a text is cut off. */
static bool cut_number(struct bytes *text, uint32_t *out)
{
    uint64_t value = 0, scale = 1;
    size_t n = text->n;
    for (; n > 0 && (unsigned)text->p[n - 1] - '0' < 10 && scale < UINT32_MAX; n--, scale *= 10)
        value += scale * (unsigned)(text->p[n - 1] - '0');
    if (n == text->n || n < 2 || text->p[n - 1] != ':' || value > UINT32_MAX)
        return false;
    text->n = n - 1;
    *out = (uint32_t)value;
    return true;
}

struct place {
    struct bytes name, file;
    uint32_t line, column, start_line;
};

/* "NAME FILE:LINE:COLUMN", as far as it is that. */
static void split_name(struct place *p, struct bytes name)
{
    struct bytes rest = name;
    uint32_t last, line;
    p->name = name;
    if (!cut_number(&rest, &last))
        return;
    bool column = cut_number(&rest, &line);
    const uint8_t *blank = memrchr(rest.p, ' ', rest.n);
    if (!blank || blank == rest.p || blank + 1 == rest.p + rest.n)
        return;
    p->name = (struct bytes){name.p, (size_t)(blank - name.p)};
    p->file = (struct bytes){blank + 1, (size_t)(rest.p + rest.n - blank - 1)};
    p->start_line = p->line = column ? line : last;
    p->column = column ? last : 0;
}

static void find_line(const struct work *w, const struct code *c, uint64_t asked, struct place *p)
{
    uint64_t address, shift = w->lines_shifted ? ELF_HEADER : 0;
    uint32_t line, column;
    const char *file = NULL;
    const struct bytes own = p->file;
    struct reader r = rd_at(c->lines, 0);
    while (next_line(&r, &address, &line, &column, &file) && address - shift <= asked) {
        size_t n = strlen(file);
        /* V8 writes file names that are not ended. What the name says is right. */
        bool fits = own.n == 0 || (own.n == n && memcmp(own.p, file, n) == 0);
        if (address - shift >= c->start && line > 0 && fits) {
            p->file = (struct bytes){(const uint8_t *)file, n};
            p->line = line;
            p->column = column;
        }
    }
}

static uint32_t text(struct work *w, struct bytes t, bool *good)
{
    const uint8_t *nul = t.n ? memchr(t.p, 0, t.n) : NULL;
    size_t n = nul ? (size_t)(nul - t.p) : t.n;
    uint32_t id = n ? intern_add(&w->maker.strings, (const char *)t.p,
                                 n < NAME_MAX_BYTES ? n : NAME_MAX_BYTES)
                    : 0;
    *good &= id != UINT32_MAX;
    return id;
}

static int answer(struct work *w, size_t i)
{
    const struct code *c = &w->codes.items[w->best[i] - 1];
    uint64_t address = w->asked.addrs[i];
    struct place p = {0};
    bool good = true;
    split_name(&p, c->name);
    find_line(w, c, address, &p);
    struct table_node *node = VEC_PUSH(&w->maker.nodes);
    if (!node)
        return ORIEL_ENOMEM;
    *node = (struct table_node){.parent = TABLE_NONE,
                                .name = text(w, p.name, &good),
                                .start_line = p.start_line,
                                .flags = p.line ? TABLE_NODE_DWARF : 0};
    struct table_segment s = {.node = (uint32_t)w->maker.nodes.count - 1,
                              .file = text(w, p.file, &good),
                              .line = p.line,
                              .column = p.column < UINT16_MAX ? (uint16_t)p.column : 0};
    assert(address - c->start < c->bytes);
    return good ? table_maker_add(&w->maker, address, address + 1, &s) : ORIEL_ENOMEM;
}

int jit_run(const void *how, const struct job *job, struct buf *out, struct job_result *result)
{
    (void)how;
    struct work w = {.asked = job->asked};
    struct reader head = rd_at(job->file, 0);
    bool any = rd_u32(&head) == DUMP_MAGIC && bytes_hold(job->file, 0, DUMP_HEADER);
    *result = (struct job_result){.flags = TABLE_HAS_SYMBOLS};
    int rc = table_maker_init(&w.maker);
    if (rc != 0)
        return rc;
    w.best = mem_calloc(job->asked.count + 1, sizeof *w.best);
    rc = w.best ? 0 : ORIEL_ENOMEM;
    if (rc == 0)
        rc = any ? read_dump(&w, job->file) : read_list(&w, job->file, &any);
    if (rc == 0 && !any) {
        static const char note[] = "is no list of code made at run time";
        memcpy(result->note, note, sizeof note);
        rc = ORIEL_EFORMAT;
    }
    for (size_t i = 0; rc == 0 && i < job->asked.count; i++)
        if (w.best[i])
            rc = answer(&w, i);
    if (rc == 0)
        rc = table_maker_finish(&w.maker, result->flags, (struct bytes){NULL, 0}, out);
    table_maker_done(&w.maker);
    map_done(&w.by_start);
    VEC_DONE(&w.codes);
    mem_free(w.best);
    return rc;
}

int jit_open(const char *path, uint64_t not_before_ns)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    if (fd < 0)
        return -1;
    bool good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
    uint64_t changed_ns =
        good ? (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec : 0;
    if (good && (changed_ns < not_before_ns ||
                 (st.st_uid != 0 && st.st_uid != geteuid() &&
                  (geteuid() != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0))))
        good = false;
    if (good)
        return fd;
    close(fd);
    return -1;
}

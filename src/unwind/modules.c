/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The modules of one process, in order of address. New mappings cut away what
 * lay beneath them, because the kernel reports no unmapping. One thread.
 */
#include "unwind/modules.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

enum { MAPS_MAX = 16 << 20, PATH_BYTES = 4096 };

int unwind_modules_init(struct unwind_modules *m, uint32_t arch)
{
    *m = (struct unwind_modules){.space = {.arch = arch, .generation = 1}};
    m->space.cache = mem_calloc(1, sizeof *m->space.cache);
    return m->space.cache ? ORIEL_OK : ORIEL_ENOMEM;
}

void unwind_modules_done(struct unwind_modules *m)
{
    for (size_t i = 0; i < m->files.count; i++)
        unwind_file_unref(m->files.items[i]);
    VEC_DONE(&m->files);
    VEC_DONE(&m->list);
    mem_free(m->space.cache);
    m->space = (struct unwind_space){0};
}

static void publish(struct unwind_modules *m)
{
    assert(m->list.count == m->files.count);
    m->space.modules = m->list.items;
    m->space.count = (uint32_t)m->list.count;
    m->space.generation++;
}

static bool insert(struct unwind_modules *m, size_t at, struct unwind_module module,
                   struct unwind_file *file)
{
    if (!VEC_PUSH(&m->list))
        return false;
    if (!VEC_PUSH(&m->files)) {
        m->list.count--;
        return false;
    }
    size_t after = m->list.count - 1 - at;
    memmove(&m->list.items[at + 1], &m->list.items[at], after * sizeof *m->list.items);
    memmove(&m->files.items[at + 1], &m->files.items[at], after * sizeof *m->files.items);
    m->list.items[at] = module;
    m->files.items[at] = file ? unwind_file_ref(file) : NULL;
    return true;
}

static void drop(struct unwind_modules *m, size_t at)
{
    size_t after = m->list.count - 1 - at;
    unwind_file_unref(m->files.items[at]);
    memmove(&m->list.items[at], &m->list.items[at + 1], after * sizeof *m->list.items);
    memmove(&m->files.items[at], &m->files.items[at + 1], after * sizeof *m->files.items);
    m->list.count--;
    m->files.count--;
}

/* Takes [start, end) away from all; *out_at is where a module there belongs. */
static bool cut(struct unwind_modules *m, uint64_t start, uint64_t end, size_t *out_at)
{
    size_t i = 0;
    while (i < m->list.count && m->list.items[i].end <= start)
        i++;
    if (i < m->list.count && m->list.items[i].start < start) {
        struct unwind_module rest = m->list.items[i];
        if (rest.end > end) { /* a hole in the middle */
            rest.start = end;
            if (!insert(m, i + 1, rest, m->files.items[i]))
                return false;
        }
        m->list.items[i++].end = start;
    }
    while (i < m->list.count && m->list.items[i].end <= end)
        drop(m, i);
    if (i < m->list.count && m->list.items[i].start < end)
        m->list.items[i].start = end;
    *out_at = i;
    return true;
}

int unwind_modules_map(struct unwind_modules *m, const struct unwind_module *range, uint64_t offset,
                       struct unwind_file *file)
{
    struct unwind_module module = {.start = range->start, .end = range->end, .id = range->id};
    size_t at;
    if (range->start >= range->end)
        return ORIEL_EINVAL;
    if (file) {
        const struct unwind_elf *elf = unwind_file_elf(file);
        if (elf->arch != m->space.arch ||
            !unwind_elf_bias(elf, range->start, range->end - range->start, offset, &module.bias))
            return ORIEL_EINVAL;
        module.entry = elf->entry ? elf->entry + module.bias : 0;
        module.eh = *unwind_file_eh(file);
        module.table = unwind_file_table(file);
    }
    bool done = cut(m, range->start, range->end, &at) && insert(m, at, module, file);
    publish(m);
    return done ? ORIEL_OK : ORIEL_ENOMEM;
}

int unwind_modules_unmap(struct unwind_modules *m, uint64_t start, uint64_t end)
{
    size_t at;
    bool done = start < end && cut(m, start, end, &at);
    publish(m);
    return done ? ORIEL_OK : start < end ? ORIEL_ENOMEM : ORIEL_EINVAL;
}

int unwind_modules_compile(struct unwind_modules *m, uint64_t address)
{
    const struct unwind_module *module = unwind_space_find(&m->space, address);
    if (!module)
        return ORIEL_ENOTFOUND;
    struct unwind_file *file = m->files.items[module - m->space.modules];
    int rc = file ? unwind_file_compile(file) : ORIEL_EFORMAT;
    for (size_t i = 0; rc == ORIEL_OK && i < m->list.count; i++)
        if (m->files.items[i] == file)
            m->list.items[i].table = unwind_file_table(file);
    return rc;
}

/* A line of /proc/PID/maps. */
struct line {
    uint64_t start, end, offset, inode;
    unsigned major, minor;
    bool executable;
    const char *path;
};

static bool take_hex(const char **at, char stop, uint64_t *out)
{
    char *end;
    *out = strtoull(*at, &end, 16);
    if (end == *at || *end != stop)
        return false;
    *at = end + 1;
    return true;
}

/* start-end rwxp offset major:minor inode   path */
static bool parse_line(const char *at, struct line *out)
{
    uint64_t major, minor;
    char *end;
    if (!take_hex(&at, '-', &out->start) || !take_hex(&at, ' ', &out->end) || strlen(at) < 5)
        return false;
    out->executable = at[2] == 'x';
    at += 5;
    if (!take_hex(&at, ' ', &out->offset) || !take_hex(&at, ':', &major) ||
        !take_hex(&at, ' ', &minor))
        return false;
    out->major = (unsigned)major;
    out->minor = (unsigned)minor;
    out->inode = strtoull(at, &end, 10);
    out->path = end + strspn(end, " ");
    return true;
}

/* The file behind a line: by its name below the process's root if that is
 * still the same file, else through the mapping itself (a deleted file). */
static int open_line(int32_t pid, const struct line *line, struct unwind_file **out)
{
    char path[PATH_BYTES + 64];
    struct stat st;
    if (strcmp(line->path, "[vdso]") == 0)
        return unwind_file_vdso(out);
    if (line->path[0] != '/')
        return ORIEL_ENOTFOUND;
    snprintf(path, sizeof path, "/proc/%" PRId32 "/root%s", pid, line->path);
    if (stat(path, &st) == 0 && st.st_ino == line->inode)
        return unwind_file_open(path, out);
    snprintf(path, sizeof path, "/proc/%" PRId32 "/map_files/%" PRIx64 "-%" PRIx64, pid,
             line->start, line->end);
    return unwind_file_open(path, out);
}

static int read_maps(int32_t pid, struct buf *out)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%" PRId32 "/maps", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ORIEL_ENOTFOUND;
    ssize_t got = 1;
    while (got > 0 && out->size < MAPS_MAX) {
        char *to = buf_reserve(out, 1 << 16);
        got = to ? read(fd, to, 1 << 16) : 0;
        if (got > 0)
            out->size += (size_t)got;
    }
    close(fd);
    buf_cstr(out);
    return out->failed ? ORIEL_ENOMEM : got < 0 ? ORIEL_EIO : ORIEL_OK;
}

/* What was opened for the lines so far: one file is mapped in several pieces. */
struct opened {
    uint64_t inode;
    unsigned major, minor;
    struct unwind_file *file;
};

static struct unwind_file *file_of(int32_t pid, const struct line *line, struct opened *last)
{
    struct unwind_file *file = NULL;
    if (last->file && line->inode && last->inode == line->inode && last->major == line->major &&
        last->minor == line->minor)
        return unwind_file_ref(last->file);
    if (open_line(pid, line, &file) != ORIEL_OK)
        return NULL;
    unwind_file_unref(last->file);
    *last = (struct opened){line->inode, line->major, line->minor, unwind_file_ref(file)};
    return file;
}

int unwind_modules_read(struct unwind_modules *m, int32_t pid)
{
    struct buf maps;
    struct opened last = {0};
    buf_init(&maps);
    int rc = read_maps(pid, &maps);
    char *at = rc == ORIEL_OK ? maps.data : NULL, *rest = NULL;
    for (uint32_t number = 0; at && *at && rc == ORIEL_OK; at = rest, number++) {
        struct line line;
        rest = strchr(at, '\n');
        if (rest)
            *rest++ = 0;
        if (!parse_line(at, &line) || !line.executable)
            continue;
        struct unwind_module range = {.start = line.start, .end = line.end, .id = number};
        struct unwind_file *file = file_of(pid, &line, &last);
        rc = unwind_modules_map(m, &range, line.offset, file);
        if (rc == ORIEL_EINVAL && file)
            rc = unwind_modules_map(m, &range, 0, NULL);
        if (rc == ORIEL_EINVAL) /* a line that cannot be: the next may be better */
            rc = ORIEL_OK;
        unwind_file_unref(file);
    }
    unwind_file_unref(last.file);
    buf_done(&maps);
    return rc;
}

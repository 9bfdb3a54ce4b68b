/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * ELF headers, sections and the links to other files. Reads memory only; every
 * offset and length is checked, and what a section claims to unpack to is
 * bounded, because the bytes may have been made to hurt. One thread per file.
 */
#include "symbol/elf_file.h"

#include <assert.h>
#include <elf.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

enum {
    SECTIONS_MAX = 1 << 17,
    UNPACKED_MAX = 1 << 30,     /* of one section */
    MINIDEBUG_MAX = 64 << 20,   /* of the small ELF file in .gnu_debugdata */
    LZMA_MEMORY_MAX = 128 << 20 /* what the unpacker may use */
};

static int read_header(struct elf_file *f, Elf64_Ehdr *out, struct oriel_err *err)
{
    if (f->map.n < sizeof *out || memcmp(f->map.p, ELFMAG, SELFMAG) != 0)
        return err_set(err, ORIEL_EFORMAT, "is no ELF file");
    memcpy(out, f->map.p, sizeof *out);
    if (out->e_ident[EI_CLASS] != ELFCLASS64 || out->e_ident[EI_DATA] != ELFDATA2LSB)
        return err_set(err, ORIEL_EFORMAT, "is no 64-bit little-endian ELF file");
    f->machine = out->e_machine;
    f->type = out->e_type;
    return 0;
}

/* The headers of sections as an array that lies inside the file. */
static int section_headers(const struct elf_file *f, const Elf64_Ehdr *h, struct bytes *out,
                           uint32_t *out_names)
{
    Elf64_Shdr first;
    uint64_t count = h->e_shnum;
    *out = (struct bytes){NULL, 0};
    *out_names = h->e_shstrndx;
    if (h->e_shoff == 0)
        return 0;
    if (h->e_shentsize != sizeof first || !bytes_hold(f->map, h->e_shoff, sizeof first))
        return ORIEL_EDAMAGED;
    memcpy(&first, f->map.p + h->e_shoff, sizeof first);
    if (count == 0)
        count = first.sh_size; /* more than fit into e_shnum */
    if (h->e_shstrndx == SHN_XINDEX)
        *out_names = first.sh_link;
    if (count > SECTIONS_MAX || !bytes_hold(f->map, h->e_shoff, count * sizeof first))
        return ORIEL_EDAMAGED;
    *out = bytes_part(f->map, h->e_shoff, count * sizeof first);
    return 0;
}

static struct bytes raw_content(const struct elf_file *f, const struct elf_section *s)
{
    if (s->type == SHT_NOBITS || !bytes_hold(f->map, s->offset, s->size))
        return (struct bytes){NULL, 0};
    return bytes_part(f->map, s->offset, s->size);
}

static int read_sections(struct elf_file *f, struct bytes headers, uint32_t names_index)
{
    uint32_t count = (uint32_t)(headers.n / sizeof(Elf64_Shdr));
    f->sections = mem_calloc(count ? count : 1, sizeof *f->sections);
    if (!f->sections)
        return ORIEL_ENOMEM;
    f->section_count = count;
    for (uint32_t i = 0; i < count; i++) {
        Elf64_Shdr h;
        memcpy(&h, headers.p + i * sizeof h, sizeof h);
        f->sections[i] = (struct elf_section){.name = "",
                                              .type = h.sh_type,
                                              .link = h.sh_link,
                                              .flags = h.sh_flags,
                                              .addr = h.sh_addr,
                                              .offset = h.sh_offset,
                                              .size = h.sh_size,
                                              .entry_size = h.sh_entsize};
    }
    if (names_index >= count)
        return 0;
    struct bytes names = raw_content(f, &f->sections[names_index]);
    for (uint32_t i = 0; i < count; i++) {
        Elf64_Shdr h;
        memcpy(&h, headers.p + i * sizeof h, sizeof h);
        const char *name = bytes_str(names, h.sh_name);
        f->sections[i].name = name ? name : "";
    }
    return 0;
}

/* The build-id among the notes of one run of them. */
static struct bytes note_build_id(struct bytes notes)
{
    struct reader r = rd_at(notes, 0);
    while (rd_left(&r) >= sizeof(Elf64_Nhdr)) {
        uint64_t name_bytes = rd_u32(&r), id_bytes = rd_u32(&r);
        uint32_t type = rd_u32(&r);
        const uint8_t *name = rd_take(&r, (name_bytes + 3) & ~UINT64_C(3));
        const uint8_t *id = rd_take(&r, id_bytes);
        if (r.bad)
            break;
        if (type == NT_GNU_BUILD_ID && name_bytes == 4 && memcmp(name, "GNU", 4) == 0)
            return (struct bytes){id, (size_t)id_bytes};
        rd_skip(&r, -id_bytes & 3);
    }
    return (struct bytes){NULL, 0};
}

static struct bytes find_build_id(const struct elf_file *f, const Elf64_Ehdr *h)
{
    struct bytes id = {NULL, 0};
    for (uint32_t i = 0; i < f->section_count && !id.p; i++)
        if (f->sections[i].type == SHT_NOTE)
            id = note_build_id(raw_content(f, &f->sections[i]));
    for (uint32_t i = 0; i < h->e_phnum && !id.p; i++) {
        Elf64_Phdr segment;
        uint64_t at = h->e_phoff + (uint64_t)i * sizeof segment;
        if (!bytes_hold(f->map, at, sizeof segment))
            break;
        memcpy(&segment, f->map.p + at, sizeof segment);
        if (segment.p_type == PT_NOTE && bytes_hold(f->map, segment.p_offset, segment.p_filesz))
            id = note_build_id(bytes_part(f->map, segment.p_offset, segment.p_filesz));
    }
    return id;
}

int elf_file_open(struct elf_file *f, struct bytes map, struct oriel_err *err)
{
    Elf64_Ehdr header;
    struct bytes headers;
    uint32_t names;
    *f = (struct elf_file){.map = map};
    arena_init(&f->unpacked);
    int rc = read_header(f, &header, err);
    if (rc != 0)
        return rc;
    rc = section_headers(f, &header, &headers, &names);
    if (rc != 0)
        return err_set(err, rc, "is damaged: its section headers lie outside the file");
    rc = read_sections(f, headers, names);
    if (rc != 0)
        return err_set(err, rc, "does not fit into memory");
    f->build_id = find_build_id(f, &header);
    return 0;
}

void elf_file_close(struct elf_file *f)
{
    mem_free(f->sections);
    f->sections = NULL;
    f->section_count = 0;
    arena_done(&f->unpacked);
}

struct elf_section *elf_file_find(const struct elf_file *f, const char *name)
{
    for (uint32_t i = 0; i < f->section_count; i++)
        if (strcmp(f->sections[i].name, name) == 0)
            return &f->sections[i];
    return NULL;
}

static bool unpack_zlib(struct bytes packed, uint8_t *out, uint64_t size)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)packed.p,
                  .avail_in = (uInt)packed.n,
                  .next_out = out,
                  .avail_out = (uInt)size};
    if (inflateInit(&z) != Z_OK)
        return false;
    int rc = inflate(&z, Z_FINISH);
    bool good = rc == Z_STREAM_END && z.total_out == size;
    inflateEnd(&z);
    return good;
}

static bool unpack_zstd(struct bytes packed, uint8_t *out, uint64_t size)
{
    return ZSTD_decompress(out, size, packed.p, packed.n) == size;
}

/* zlib cannot do better than 1:1032; what claims more is a bomb. */
static bool size_is_plausible(uint64_t packed, uint64_t size, bool zlib)
{
    return size <= UNPACKED_MAX && packed <= UNPACKED_MAX && (!zlib || size / 1100 <= packed) &&
           size / 100000 <= packed;
}

static struct bytes unpack(struct elf_file *f, struct bytes packed, uint64_t size, bool zlib)
{
    struct bytes nothing = {NULL, 0};
    if (!size_is_plausible(packed.n, size, zlib))
        return nothing;
    uint8_t *out = arena_alloc(&f->unpacked, size ? size : 1, 16);
    if (!out)
        return nothing;
    bool good = zlib ? unpack_zlib(packed, out, size) : unpack_zstd(packed, out, size);
    return good ? (struct bytes){out, size} : nothing;
}

static struct bytes unpack_section(struct elf_file *f, const struct elf_section *s)
{
    enum { TYPE_ZLIB = 1, TYPE_ZSTD = 2 };
    struct bytes raw = raw_content(f, s), nothing = {NULL, 0};
    if (s->flags & SHF_COMPRESSED) {
        Elf64_Chdr h;
        if (raw.n < sizeof h)
            return nothing;
        memcpy(&h, raw.p, sizeof h);
        if (h.ch_type != TYPE_ZLIB && h.ch_type != TYPE_ZSTD)
            return nothing;
        return unpack(f, bytes_part(raw, sizeof h, raw.n), h.ch_size, h.ch_type == TYPE_ZLIB);
    }
    /* The older form: "ZLIB" and the size, most significant byte first. */
    if (raw.n < 12 || memcmp(raw.p, "ZLIB", 4) != 0)
        return nothing;
    uint64_t size = 0;
    for (int i = 4; i < 12; i++)
        size = size << 8 | raw.p[i];
    return unpack(f, bytes_part(raw, 12, raw.n), size, true);
}

struct bytes elf_file_content(struct elf_file *f, struct elf_section *s)
{
    if (!s)
        return (struct bytes){NULL, 0};
    bool packed = (s->flags & SHF_COMPRESSED) || strncmp(s->name, ".zdebug", 7) == 0;
    if (!packed)
        return raw_content(f, s);
    if (!s->tried) {
        s->tried = true;
        s->unpacked = unpack_section(f, s);
        f->damaged |= !s->unpacked.p;
    }
    return s->unpacked;
}

struct bytes elf_file_debug(struct elf_file *f, const char *name, const char *suffix)
{
    static const char *const prefixes[] = {".debug_", ".zdebug_"};
    for (size_t k = 0; k < 2; k++) {
        size_t n = strlen(prefixes[k]), name_n = strlen(name);
        for (uint32_t i = 0; i < f->section_count; i++) {
            const char *s = f->sections[i].name;
            if (strncmp(s, prefixes[k], n) == 0 && strncmp(s + n, name, name_n) == 0 &&
                strcmp(s + n + name_n, suffix) == 0)
                return elf_file_content(f, &f->sections[i]);
        }
    }
    return (struct bytes){NULL, 0};
}

bool elf_file_is_text(const struct elf_file *f, uint64_t addr)
{
    for (uint32_t i = 0; i < f->section_count; i++) {
        const struct elf_section *s = &f->sections[i];
        if ((s->flags & SHF_EXECINSTR) && addr >= s->addr && addr - s->addr < s->size)
            return true;
    }
    return false;
}

bool elf_file_debuglink(struct elf_file *f, const char **out_name, uint32_t *out_crc)
{
    struct bytes b = elf_file_content(f, elf_file_find(f, ".gnu_debuglink"));
    struct reader r = rd_at(b, 0);
    const char *name = r.bad ? "" : rd_str(&r);
    size_t at = ((size_t)(r.p - b.p) + 3) & ~(size_t)3;
    if (r.bad || !*name || !bytes_hold(b, at, 4))
        return false;
    *out_name = name;
    memcpy(out_crc, b.p + at, 4);
    return true;
}

bool elf_file_altlink(struct elf_file *f, const char **out_name, struct bytes *out_id)
{
    struct bytes b = elf_file_content(f, elf_file_find(f, ".gnu_debugaltlink"));
    struct reader r = rd_at(b, 0);
    const char *name = r.bad ? "" : rd_str(&r);
    if (r.bad || !*name || rd_left(&r) == 0)
        return false;
    *out_name = name;
    *out_id = (struct bytes){r.p, rd_left(&r)};
    return true;
}

struct bytes elf_file_minidebug(struct elf_file *f)
{
    struct bytes nothing = {NULL, 0};
    struct bytes b = elf_file_content(f, elf_file_find(f, ".gnu_debugdata"));
    if (!b.p || b.n > MINIDEBUG_MAX)
        return nothing;
    /* The size is not told in front: grow until it fits. */
    for (uint64_t size = b.n * 8 + 4096; size <= MINIDEBUG_MAX; size *= 4) {
        uint64_t memory = LZMA_MEMORY_MAX;
        size_t in = 0, out = 0;
        uint8_t *p = arena_alloc(&f->unpacked, size, 16);
        if (!p)
            return nothing;
        lzma_ret rc = lzma_stream_buffer_decode(&memory, 0, NULL, b.p, &in, b.n, p, &out, size);
        if (rc == LZMA_OK)
            return (struct bytes){p, out};
        if (rc != LZMA_BUF_ERROR)
            break;
    }
    f->damaged = true;
    return nothing;
}

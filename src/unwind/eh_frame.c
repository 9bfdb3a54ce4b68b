/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Finding the description of a function: CIE and FDE headers and the search
 * table of .eh_frame_hdr. Runs anywhere, signal handlers included, over bytes
 * that anybody may have written.
 */
#include "unwind/eh_frame.h"

#include <assert.h>

#include "unwind/bytes.h"

enum {
    PE_OMIT = 0xff,
    PE_FORMAT = 0x0f,
    PE_RELATIVE = 0x70,
    PE_ABS = 0x00,
    PE_PCREL = 0x10,
    PE_DATAREL = 0x30,
    PE_SDATA4 = 0x0b,
    HDR_TABLE = PE_DATAREL | PE_SDATA4, /* what every linker writes */
    HDR_FIXED = 4,                      /* version and three encodings */
    ROW_BYTES = 8
};

struct cie {
    const uint8_t *initial, *initial_end;
    uint64_t code_align;
    int64_t data_align;
    uint8_t ra_reg, pointer;
    bool signal, augmented;
};

/* A number in one of the formats of an encoded pointer. */
static uint64_t read_format(struct bytes *b, uint8_t encoding)
{
    switch (encoding & PE_FORMAT) {
    case 0x0: /* absptr */
    case 0x4:
    case 0xc:
        return bytes_u64(b);
    case 0x1:
        return bytes_uleb(b);
    case 0x2:
        return bytes_u16(b);
    case 0x3:
        return bytes_u32(b);
    case 0x9:
        return (uint64_t)bytes_sleb(b);
    case 0xa:
        return (uint64_t)(int64_t)(int16_t)bytes_u16(b);
    case 0xb:
        return (uint64_t)(int64_t)(int32_t)bytes_u32(b);
    default:
        b->bad = true;
        return 0;
    }
}

/* An encoded pointer at `va`. What is relative to something only the running
 * program knows (text, function, aligned, indirect) is refused. */
static uint64_t read_pointer(struct bytes *b, uint8_t encoding, uint64_t va, uint64_t data_va)
{
    uint64_t v = read_format(b, encoding);
    switch (encoding & ~PE_FORMAT) {
    case PE_ABS:
        return v;
    case PE_PCREL:
        return v + va;
    case PE_DATAREL:
        return v + data_va;
    default:
        b->bad = true;
        return 0;
    }
}

static uint64_t va_of(const struct eh_frame *eh, const uint8_t *at)
{
    return eh->frame_va + (uint64_t)(at - eh->frame);
}

/* The augmentation data, as the letters of the string say. */
static void read_augmentation(struct cie *cie, const uint8_t *letters, struct bytes *data)
{
    for (; *letters; letters++) {
        switch (*letters) {
        case 'L':
            bytes_u8(data);
            break;
        case 'P': { /* the personality: its place is not needed, its length is */
            uint8_t encoding = bytes_u8(data);
            if (encoding != PE_OMIT)
                read_format(data, encoding);
            break;
        }
        case 'R':
            cie->pointer = bytes_u8(data);
            break;
        case 'S':
            cie->signal = true;
            break;
        case 'B': /* aarch64: the other pointer authentication key */
        case 'G': /* aarch64: tagged stack */
            break;
        default: /* unknown: the rest of the data cannot be told apart */
            return;
        }
    }
}

/* The body of a CIE, b at its version. */
static bool read_cie(const struct eh_frame *eh, struct bytes b, struct cie *out)
{
    *out = (struct cie){.pointer = PE_ABS};
    uint8_t version = bytes_u8(&b);
    const uint8_t *letters = b.at;
    while (bytes_u8(&b))
        ;
    if (b.bad || (version != 1 && version != 3 && version != 4))
        return false;
    if (version == 4 && (bytes_u8(&b) != 8 || bytes_u8(&b) != 0))
        return false; /* address and segment size */
    out->code_align = bytes_uleb(&b);
    out->data_align = bytes_sleb(&b);
    uint64_t ra = version == 1 ? bytes_u8(&b) : bytes_uleb(&b);
    unsigned expected = eh->arch == UNWIND_AARCH64 ? UNWIND_ARM_LR : UNWIND_X86_PC;
    if (b.bad || ra != expected)
        return false;
    out->ra_reg = (uint8_t)ra;
    if (*letters == 'z') {
        uint64_t size = bytes_uleb(&b);
        struct bytes data = b;
        bytes_skip(&b, size);
        if (b.bad)
            return false;
        data.end = b.at;
        out->augmented = true;
        read_augmentation(out, letters + 1, &data);
        if (data.bad)
            return false;
    } else if (*letters) {
        return false;
    }
    out->initial = b.at;
    out->initial_end = b.end;
    return true;
}

/* The body of the entry at `at`: its length taken off. False at the terminator
 * and at damage. out->at is the CIE pointer then. */
static bool open_entry(const struct eh_frame *eh, size_t offset, struct bytes *out)
{
    if (offset > eh->frame_size)
        return false;
    struct bytes b = {eh->frame + offset, eh->frame + eh->frame_size, false};
    uint64_t length = bytes_u32(&b);
    if (length == 0xffffffff)
        length = bytes_u64(&b);
    /* An ID of four bytes even after a long length: so say the tools that write it. */
    if (b.bad || length < 4 || length > bytes_left(&b))
        return false;
    b.end = b.at + length;
    *out = b;
    return true;
}

enum entry { ENTRY_END, ENTRY_CIE, ENTRY_FDE, ENTRY_BAD };

/* What lies at *offset, which moves on to the next entry. */
static enum entry read_entry(const struct eh_frame *eh, size_t *offset, struct eh_fde *out)
{
    struct bytes b;
    size_t start = *offset;
    if (!open_entry(eh, start, &b))
        return ENTRY_END;
    *offset = (size_t)(b.end - eh->frame);
    size_t pointer_at = (size_t)(b.at - eh->frame);
    uint32_t back = bytes_u32(&b);
    if (back == 0)
        return ENTRY_CIE;
    struct bytes c;
    struct cie cie;
    if (back > pointer_at || !open_entry(eh, pointer_at - back, &c) || bytes_u32(&c) != 0 ||
        !read_cie(eh, c, &cie))
        return ENTRY_BAD;
    uint64_t begin = read_pointer(&b, cie.pointer, va_of(eh, b.at), eh->hdr_va);
    uint64_t size = read_format(&b, cie.pointer & PE_FORMAT);
    if (cie.augmented)
        bytes_skip(&b, bytes_uleb(&b));
    if (b.bad || begin + size < begin)
        return ENTRY_BAD;
    *out = (struct eh_fde){.begin = begin,
                           .end = begin + size,
                           .initial = cie.initial,
                           .initial_end = cie.initial_end,
                           .program = b.at,
                           .program_end = b.end,
                           .code_align = cie.code_align,
                           .data_align = cie.data_align,
                           .offset = start,
                           .ra_reg = cie.ra_reg,
                           .signal = cie.signal};
    return ENTRY_FDE;
}

bool eh_frame_init(struct eh_frame *out, uint32_t arch, const uint8_t *frame, size_t frame_size,
                   uint64_t frame_va)
{
    *out = (struct eh_frame){.arch = arch};
    if (!frame || frame_size < 4 || (arch != UNWIND_X86_64 && arch != UNWIND_AARCH64))
        return false;
    out->frame = frame;
    out->frame_size = frame_size;
    out->frame_va = frame_va;
    return true;
}

/* The cursor behind the pointer to .eh_frame, and that pointer. */
static bool open_hdr(struct bytes *b, uint64_t hdr_va, uint8_t encodings[3], uint64_t *out_va)
{
    if (bytes_u8(b) != 1)
        return false;
    for (int i = 0; i < 3; i++)
        encodings[i] = bytes_u8(b);
    if (b->bad || encodings[0] == PE_OMIT)
        return false;
    *out_va = read_pointer(b, encodings[0], hdr_va + HDR_FIXED, hdr_va);
    return !b->bad;
}

bool eh_frame_hdr_target(const uint8_t *hdr, size_t hdr_size, uint64_t hdr_va, uint64_t *out_va)
{
    struct bytes b = {hdr, hdr + hdr_size, false};
    uint8_t encodings[3];
    return open_hdr(&b, hdr_va, encodings, out_va);
}

void eh_frame_add_hdr(struct eh_frame *eh, const uint8_t *hdr, size_t hdr_size, uint64_t hdr_va)
{
    struct bytes b = {hdr, hdr + hdr_size, false};
    uint8_t encodings[3];
    uint64_t frame_va;
    eh->hdr_va = hdr_va;
    if (!open_hdr(&b, hdr_va, encodings, &frame_va) || frame_va != eh->frame_va ||
        encodings[1] == PE_OMIT || encodings[2] != HDR_TABLE)
        return;
    uint64_t count = read_pointer(&b, encodings[1], hdr_va + (uint64_t)(b.at - hdr), hdr_va);
    if (b.bad || count == 0 || count > bytes_left(&b) / ROW_BYTES)
        return;
    eh->table = b.at;
    eh->table_count = count;
}

static uint64_t table_va(const struct eh_frame *eh, size_t i, size_t column)
{
    int32_t v;
    assert(i < eh->table_count && column < 2);
    memcpy(&v, eh->table + i * ROW_BYTES + column * 4, 4);
    return eh->hdr_va + (uint64_t)(int64_t)v;
}

bool eh_frame_at(const struct eh_frame *eh, size_t i, struct eh_fde *out)
{
    uint64_t offset = table_va(eh, i, 1) - eh->frame_va;
    size_t at = (size_t)offset;
    return offset < eh->frame_size && read_entry(eh, &at, out) == ENTRY_FDE;
}

bool eh_frame_next(const struct eh_frame *eh, size_t *offset, struct eh_fde *out)
{
    for (;;) {
        switch (read_entry(eh, offset, out)) {
        case ENTRY_END:
            return false;
        case ENTRY_FDE:
            return true;
        case ENTRY_CIE:
        case ENTRY_BAD: /* a language's own CIE: its functions only */
            break;
        }
    }
}

static bool find_by_scan(const struct eh_frame *eh, uint64_t va, struct eh_fde *out)
{
    size_t offset = 0;
    while (eh_frame_next(eh, &offset, out)) {
        if (va - out->begin < out->end - out->begin)
            return true;
        if (eh->scan_max && offset > eh->scan_max)
            break;
    }
    return false;
}

bool eh_frame_find(const struct eh_frame *eh, uint64_t va, struct eh_fde *out)
{
    if (!eh->frame)
        return false;
    if (!eh->table)
        return find_by_scan(eh, va, out);
    size_t low = 0, n = eh->table_count;
    while (n > 1) { /* the last row that begins at or before va */
        size_t half = n / 2;
        low += table_va(eh, low + half, 0) <= va ? half : 0;
        n -= half;
    }
    return eh_frame_at(eh, low, out) && va - out->begin < out->end - out->begin;
}

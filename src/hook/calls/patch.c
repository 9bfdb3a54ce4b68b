/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Calls in the room that -fpatchable-function-entry left at the beginning of
 * functions. All is written once, while the process has one thread and that has
 * not come to the program yet: nobody can stand in the middle of what changes,
 * and nothing is ever written again. Functions are switched on and off by their words
 * (as all call sites are), which the few instructions that they call look at first.
 *
 * A function is left alone unless all of this is certain: it is one of the list, the
 * compiler's own section names its beginning, and what stands there is room as the
 * compilers make it: one instruction of five bytes and more, or six and more of one. The
 * first byte of the latter stays as it is: who sets a breakpoint there (a probe of the
 * kernel, which then goes on behind the instruction of the file) meets whole instructions.
 */
#include "hook/calls/calls.h"

#include <assert.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/os.h"

#if defined(__x86_64__)

enum {
    CALL_BYTES = 5,
    SINGLES = 6,     /* instructions of one byte: one that stays, and room for a call */
    ENTRY_BYTES = 4, /* endbr64 */
    BEFORE_MAX = 64, /* of room in front of a function, which is not used */
    STUB_BYTES = 32,
    STEPS = 4096, /* places that are tried for our memory */
    SEGMENTS_MAX = 8,
    SHADOW_STACK = 0x5005 /* arch_prctl: which protections of return addresses are on */
};
#define STEP_BYTES (UINT64_C(1) << 18)
#define REACH_BYTES                                                                                \
    (UINT64_C(1) << 30) /* of a call: twice that; programs are smaller than the rest */

/* Near the program: two addresses, the words, and on pages of their own the stubs. */
struct near {
    uint64_t on, off;
    oriel_word words[];
};
struct segment {
    uint64_t begin, end;
    int protection;
};
static struct {
    struct near *data;
    uint8_t *stubs;
    size_t data_bytes, stub_bytes;
    struct segment segments[SEGMENTS_MAX]; /* of the program */
    unsigned segment_count;
    bool few; /* functions of this program have less room than SINGLES */
} room;

/* ---- whether it may be ---- */

static bool is_alone(void)
{
    char text[1024];
    long n = os_read_file("/proc/self/stat", text, sizeof text);
    const char *at = n > 0 ? strrchr(text, ')') : NULL;
    /* The number of threads is the 18th field behind the name. */
    for (unsigned field = 0; at && field < 18; field++)
        at = strchr(at + 1, ' ');
    return at && at[1] == '1' && at[2] == ' ';
}

static bool returns_are_guarded(void)
{
    uint64_t features = 0;
    return syscall(SYS_arch_prctl, SHADOW_STACK, &features) == 0 && (features & 1);
}

static const char *objection(void)
{
    if (!calls_thunks_begin())
        return "this processor cannot save all its registers (xsavec)";
    if (returns_are_guarded())
        return "return addresses are guarded by a shadow stack";
    if (!is_alone())
        return "the program had more than one thread before it began";
    return NULL;
}

/* ---- memory near the program ---- */

/* Below it: above lies its heap, which grows. */
static void *map_near(uint64_t base, size_t bytes)
{
    const uint64_t page = 4096, lowest = 65536;
    for (uint64_t i = 1; i < STEPS; i++) {
        uint64_t below = (uint64_t)bytes + (base < REACH_BYTES ? i * page * 4 : i * STEP_BYTES);
        uint64_t at = (base - below) & ~(page - 1);
        if (below > base || at < lowest || base - at > REACH_BYTES)
            return NULL;
        void *p = mmap((void *)(uintptr_t)at, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if ((uintptr_t)p == at)
            return p;
        if (p != MAP_FAILED)
            (void)munmap(p, bytes); /* a kernel that does not know the flag */
    }
    return NULL;
}

static void put32(uint8_t *at, int64_t value)
{
    const int32_t v = (int32_t)value;
    assert(v == value);
    memcpy(at, &v, sizeof v);
}

/* cmpw $0, word; jne on; jmp *off; on: push $number; jmp *on */
static void write_stub(uint32_t i)
{
    static const uint8_t code[STUB_BYTES] = {
        0x66, 0x83, 0x3d, 0, 0, 0, 0,    0, /* 0: the half of the word that says it records */
        0x75, 0x07,                         /* 8 */
        0xff, 0x25, 0,    0, 0, 0, 0x90,    /* 10 */
        0x68, 0,    0,    0, 0,             /* 17 */
        0xff, 0x25, 0,    0, 0, 0, 0xcc, 0xcc, 0xcc, 0xcc /* 22 */
    };
    uint8_t *at = room.stubs + (size_t)i * STUB_BYTES;
    memcpy(at, code, sizeof code);
    put32(at + 3, (const uint8_t *)&room.data->words[i] + 2 - (at + 8));
    put32(at + 12, (const uint8_t *)&room.data->off - (at + 16));
    put32(at + 18, i);
    put32(at + 24, (const uint8_t *)&room.data->on - (at + 28));
}

oriel_word *calls_patch_room(uint32_t functions, uint64_t base, struct calls_patched *out)
{
    const size_t page = 4096;
    room.data_bytes = (sizeof *room.data + functions * sizeof(oriel_word) + page - 1) & ~(page - 1);
    room.stub_bytes = ((size_t)functions * STUB_BYTES + page - 1) & ~(page - 1);
    out->why = objection();
    if (out->why)
        return NULL;
    void *p = map_near(base, room.data_bytes + room.stub_bytes);
    if (!p) {
        out->why = "there is no free memory near the program";
        return NULL;
    }
    room.data = p;
    room.stubs = (uint8_t *)p + room.data_bytes;
    room.data->on = (uint64_t)(uintptr_t)calls_on_entry;
    room.data->off = (uint64_t)(uintptr_t)calls_off_entry;
    for (uint32_t i = 0; i < functions; i++)
        write_stub(i);
    if (mprotect(room.stubs, room.stub_bytes, PROT_READ | PROT_EXEC) != 0) {
        out->why = "the system does not let memory be made executable";
        (void)munmap(p, room.data_bytes + room.stub_bytes);
        return NULL;
    }
    return room.data->words;
}

/* ---- what stands in the program ---- */

static int note_segments(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    for (unsigned i = 0; i < info->dlpi_phnum && room.segment_count < SEGMENTS_MAX; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        if (h->p_type != PT_LOAD)
            continue;
        room.segments[room.segment_count++] =
            (struct segment){.begin = info->dlpi_addr + h->p_vaddr,
                             .end = info->dlpi_addr + h->p_vaddr + h->p_memsz,
                             .protection = (h->p_flags & PF_R ? PROT_READ : 0) |
                                           (h->p_flags & PF_W ? PROT_WRITE : 0) |
                                           (h->p_flags & PF_X ? PROT_EXEC : 0)};
    }
    return 1; /* the program comes first */
}

/* Bytes from an address to the end of the segment that it lies in; 0: none with these rights. */
static uint64_t bytes_at(uint64_t address, int protection)
{
    for (unsigned i = 0; i < room.segment_count; i++) {
        const struct segment *s = &room.segments[i];
        if (address >= s->begin && address < s->end && (s->protection & protection) == protection)
            return s->end - address;
    }
    return 0;
}

/* Bytes of the instruction there if it does nothing, as compilers write them; else 0. */
static uint32_t nop_bytes(const uint8_t *at, uint64_t most)
{
    uint32_t n = 0;
    while (n < most && n < 8 && (at[n] == 0x66 || at[n] == 0x2e))
        n++;
    if (n < most && at[n] == 0x90)
        return n + 1;
    if (n + 2 >= most || at[n] != 0x0f || at[n + 1] != 0x1f)
        return 0;
    const uint8_t form = at[n + 2];
    n += form == 0x00   ? 3
         : form == 0x40 ? 4
         : form == 0x44 ? 5
         : form == 0x80 ? 7
         : form == 0x84 ? 8
                        : 64;
    return n <= 15 && n <= most ? n : 0;
}

static bool is_landing(const uint8_t *at)
{
    static const uint8_t endbr64[ENTRY_BYTES] = {0xf3, 0x0f, 0x1e, 0xfa};
    return memcmp(at, endbr64, sizeof endbr64) == 0;
}

static uint32_t singles_at(const uint8_t *at, uint64_t most)
{
    uint32_t n = 0;
    while (n < most && n < SINGLES && at[n] == 0x90)
        n++;
    return n;
}

/* The room for a call in a function whose entry is named: where, and the bytes of the
 * instructions that it takes the place of. 0: it is not certain. */
static uint64_t place_at(uint64_t start, uint32_t *out_bytes)
{
    const uint8_t *at = (const uint8_t *)(uintptr_t)start;
    const uint64_t most = bytes_at(start, PROT_EXEC);
    const uint32_t first = nop_bytes(at, most);
    *out_bytes = first >= CALL_BYTES ? first : CALL_BYTES;
    if (first >= CALL_BYTES)
        return start;
    return singles_at(at, most) == SINGLES && !room.few ? start + 1 : 0;
}

/* The function of the list that an entry belongs to, and where its room begins. The entry is at
 * the beginning of the function, behind its landing instruction, or in front of it. */
static uint32_t function_of(uint64_t entry, uint64_t *out_start)
{
    uint32_t found = UINT32_MAX;
    const uint8_t *at = (const uint8_t *)(uintptr_t)entry;
    uint64_t most = bytes_at(entry, PROT_EXEC | PROT_READ);
    *out_start = entry;
    if (most && bytes_at(entry - ENTRY_BYTES, PROT_EXEC | PROT_READ) &&
        is_landing(at - ENTRY_BYTES))
        found = calls_find(at - ENTRY_BYTES);
    for (uint32_t n = 0, i = 0; found == UINT32_MAX && n + ENTRY_BYTES < most && n <= BEFORE_MAX;
         n += i) {
        found = calls_find(at + n);
        if (found != UINT32_MAX)
            *out_start = entry + n + (is_landing(at + n) ? ENTRY_BYTES : 0);
        i = nop_bytes(at + n, most - n);
        if (i == 0)
            break;
    }
    return found;
}

/* ---- writing ---- */

static bool protect(bool writable)
{
    const uint64_t page = 4096;
    bool good = true;
    for (unsigned i = 0; i < room.segment_count; i++) {
        const struct segment *s = &room.segments[i];
        uint64_t begin = s->begin & ~(page - 1);
        if (s->protection & PROT_EXEC)
            good &= mprotect((void *)(uintptr_t)begin, s->end - begin,
                             s->protection | (writable ? PROT_WRITE : 0)) == 0;
    }
    return good;
}

static void write_call(uint64_t place, uint32_t bytes, uint32_t function)
{
    uint8_t *at = (uint8_t *)(uintptr_t)place;
    at[0] = 0xe8;
    put32(at + 1, room.stubs + (size_t)function * STUB_BYTES - (at + CALL_BYTES));
    memset(at + CALL_BYTES, 0x90, bytes - CALL_BYTES);
}

/* Entries of -fpatchable-function-entry=5 and less are told by those whose room is too small. */
static void look_at_all(const uint64_t *entries, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t most = bytes_at(entries[i], PROT_EXEC | PROT_READ);
        uint32_t n = most ? singles_at((const uint8_t *)(uintptr_t)entries[i], most) : 0;
        room.few |= n > 0 && n < SINGLES;
    }
}

void calls_patch(const struct calls_head *list, uint64_t bias, struct calls_patched *out)
{
    const uint64_t *entries = (const uint64_t *)(uintptr_t)(bias + list->entries);
    assert(room.data && list->count > 0);
    (void)dl_iterate_phdr(note_segments, NULL);
    if (bytes_at(bias + list->entries, PROT_READ) < list->entry_count * sizeof *entries) {
        out->why = "the list of entries is not in memory";
        return;
    }
    if (!protect(true)) {
        out->why = "the system does not let the program's code be changed";
        (void)protect(false);
        return;
    }
    look_at_all(entries, list->entry_count);
    for (uint32_t i = 0; i < list->entry_count; i++) {
        uint64_t start, place;
        uint32_t bytes, function = function_of(entries[i], &start);
        if (function == UINT32_MAX)
            continue;
        place = place_at(start, &bytes);
        if (place)
            write_call(place, bytes, function);
        else
            out->why = "less room than a call needs: compile with -fpatchable-function-entry=8";
        out->functions += place != 0;
        out->refused += place == 0;
    }
    (void)protect(false);
    if (out->functions + out->refused == 0)
        out->why = "no entry belongs to these functions: they are inlined, or compiled without";
}

#else

const char calls_on_entry[1], calls_off_entry[1];

oriel_word *calls_patch_room(uint32_t functions, uint64_t base, struct calls_patched *out)
{
    (void)functions;
    (void)base;
    out->why = "entries are patched on x86-64 only";
    return NULL;
}

void calls_patch(const struct calls_head *list, uint64_t bias, struct calls_patched *out)
{
    (void)list;
    (void)bias;
    (void)out;
}

#endif

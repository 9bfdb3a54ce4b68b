/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The recorder's side: ELF headers, mappings that replace each other, and a
 * stopped process walked from outside.
 */
#include "unwind/modules.h"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "test.h"
#include "unwind/testing.h"
#include "unwind/table.h"

/* ---- files ---- */

static struct {
    Elf64_Ehdr head;
    Elf64_Phdr phdrs[4];
    Elf64_Shdr sections[3];
    char names[32];
    uint8_t hdr[256], frame[512];
} image;
static struct maker m;

static bool read_image(void *context, uint64_t offset, void *out, size_t n)
{
    size_t size = *(const size_t *)context;
    if (offset > size || n > size - offset)
        return false;
    memcpy(out, (const uint8_t *)&image + offset, n);
    return true;
}

/* Code at 0x30000, its unwinding bytes where the maker has them. */
static void make_image(uint16_t machine)
{
    uint32_t arch = machine == EM_AARCH64 ? UNWIND_AARCH64 : UNWIND_X86_64;
    m = (struct maker){.size = 0};
    if (arch == UNWIND_X86_64)
        maker_cie(&m, arch, "", MAKER_X86_START);
    else
        maker_cie(&m, arch, "", MAKER_ARM_START);
    maker_fde(&m, 0x30000, 0x1000, OPS(0x41, 0x0e, 32));
    maker_done(&m, arch);
    memset(&image, 0, sizeof image);
    memcpy(image.head.e_ident, ELFMAG, SELFMAG);
    image.head.e_ident[EI_CLASS] = ELFCLASS64;
    image.head.e_ident[EI_DATA] = ELFDATA2LSB;
    image.head.e_machine = machine;
    image.head.e_entry = 0x30010;
    image.head.e_phoff = (uint64_t)((uint8_t *)image.phdrs - (uint8_t *)&image);
    image.head.e_phentsize = sizeof(Elf64_Phdr);
    image.head.e_phnum = 3;
    uint64_t hdr_at = (uint64_t)(image.hdr - (uint8_t *)&image);
    uint64_t frame_at = (uint64_t)(image.frame - (uint8_t *)&image);
    memcpy(image.hdr, m.hdr, m.hdr_size);
    memcpy(image.frame, m.frame, m.size);
    /* One segment for both: the maker's addresses are far apart, so is the file's view. */
    image.phdrs[0] = (Elf64_Phdr){.p_type = PT_LOAD,
                                  .p_flags = PF_X | PF_R,
                                  .p_offset = 0x1000,
                                  .p_vaddr = 0x30000,
                                  .p_filesz = 0x1000,
                                  .p_memsz = 0x1000};
    image.phdrs[1] = (Elf64_Phdr){.p_type = PT_LOAD,
                                  .p_flags = PF_R,
                                  .p_offset = frame_at,
                                  .p_vaddr = MAKER_FRAME_VA,
                                  .p_filesz = m.size,
                                  .p_memsz = m.size};
    image.phdrs[2] = (Elf64_Phdr){.p_type = PT_LOAD,
                                  .p_flags = PF_R,
                                  .p_offset = hdr_at,
                                  .p_vaddr = MAKER_HDR_VA,
                                  .p_filesz = m.hdr_size,
                                  .p_memsz = m.hdr_size};
}

/* The header announced by its own program header. */
static void announce_hdr(void)
{
    image.phdrs[3] = image.phdrs[2];
    image.phdrs[3].p_type = PT_GNU_EH_FRAME;
    image.head.e_phnum = 4;
}

TEST(the_unwinding_bytes_are_found_by_their_header)
{
    size_t size = sizeof image;
    struct unwind_file *f;
    make_image(EM_X86_64);
    announce_hdr();
    REQUIRE(unwind_file_read(read_image, &size, &f) == ORIEL_OK);
    CHECK_EQ(unwind_file_elf(f)->frame_va, MAKER_FRAME_VA);
    CHECK_EQ(unwind_file_elf(f)->entry, 0x30010);
    CHECK(unwind_file_eh(f)->table != NULL);
    CHECK_EQ(unwind_row_kind(eh_frame_row(unwind_file_eh(f), 0x30800)), UNWIND_FROM_SP);
    CHECK(unwind_file_table(f) == NULL);
    CHECK_EQ(unwind_file_compile(f), ORIEL_OK);
    CHECK_EQ(unwind_file_compile(f), ORIEL_OK);
    CHECK_EQ(unwind_table_find(unwind_file_table(f), 0x30800),
             eh_frame_row(unwind_file_eh(f), 0x30800));
    unwind_file_unref(f);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(without_that_header_the_section_s_name_will_do)
{
    size_t size = sizeof image;
    struct unwind_file *f;
    make_image(EM_AARCH64);
    image.head.e_shoff = (uint64_t)((uint8_t *)image.sections - (uint8_t *)&image);
    image.head.e_shentsize = sizeof(Elf64_Shdr);
    image.head.e_shnum = 3;
    image.head.e_shstrndx = 1;
    memcpy(image.names, "\0.eh_frame\0", 11);
    image.sections[1].sh_offset = (uint64_t)((uint8_t *)image.names - (uint8_t *)&image);
    image.sections[1].sh_size = sizeof image.names;
    image.sections[2] = (Elf64_Shdr){
        .sh_name = 1, .sh_type = SHT_PROGBITS, .sh_addr = MAKER_FRAME_VA, .sh_size = m.size};
    REQUIRE(unwind_file_read(read_image, &size, &f) == ORIEL_OK);
    CHECK(unwind_file_eh(f)->table == NULL);
    CHECK_EQ(unwind_file_elf(f)->frame_size, m.size);
    CHECK_EQ(unwind_row_kind(eh_frame_row(unwind_file_eh(f), 0x30800)), UNWIND_FROM_SP);
    unwind_file_unref(f);
    image.sections[2].sh_type = SHT_NOBITS; /* a file of debug information only */
    REQUIRE(unwind_file_read(read_image, &size, &f) == ORIEL_OK);
    CHECK(unwind_file_eh(f)->frame == NULL);
    CHECK_EQ(unwind_file_compile(f), ORIEL_EFORMAT);
    unwind_file_unref(f);
}

TEST(an_image_cut_short_anywhere_is_refused_or_read_as_far_as_it_goes)
{
    make_image(EM_X86_64);
    announce_hdr();
    for (size_t size = 0; size < sizeof image; size++) {
        struct unwind_file *f = NULL;
        int rc = unwind_file_read(read_image, &size, &f);
        CHECK_EQ(rc == ORIEL_OK, f != NULL);
        unwind_file_unref(f);
    }
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(memory_that_runs_out_costs_the_file_only)
{
    size_t size = sizeof image;
    make_image(EM_X86_64);
    announce_hdr();
    for (uint64_t n = 1;; n++) {
        struct unwind_file *f = NULL;
        mem_fail_after(n);
        int rc = unwind_file_read(read_image, &size, &f);
        if (rc == ORIEL_OK)
            rc = unwind_file_compile(f);
        unwind_file_unref(f);
        CHECK_EQ(mem_live_blocks(), 0);
        if (rc == ORIEL_OK)
            break;
        CHECK_EQ(rc, ORIEL_ENOMEM);
        REQUIRE(n < 100);
    }
    mem_fail_after(0);
}

TEST(other_machines_and_other_files_are_refused)
{
    struct unwind_file *f;
    size_t size = sizeof image;
    make_image(EM_386);
    CHECK_EQ(unwind_file_read(read_image, &size, &f), ORIEL_EUNSUPPORTED);
    image.head.e_ident[0] = 0;
    CHECK_EQ(unwind_file_read(read_image, &size, &f), ORIEL_EFORMAT);
    CHECK_EQ(unwind_file_open("/nowhere/at/all", &f), ORIEL_ENOTFOUND);
    CHECK_EQ(unwind_file_open("/dev/null", &f), ORIEL_EFORMAT);
    CHECK_EQ(unwind_file_open("/", &f), ORIEL_EFORMAT);
}

/* ---- mappings ---- */

static void check_ranges(const struct unwind_modules *all, const uint64_t *expected, size_t n)
{
    CHECK_EQ(all->space.count, n);
    for (size_t i = 0; i < n && i < all->space.count; i++) {
        CHECK_EQ(all->space.modules[i].start, expected[3 * i]);
        CHECK_EQ(all->space.modules[i].end, expected[3 * i + 1]);
        CHECK_EQ(all->space.modules[i].id, expected[3 * i + 2]);
    }
}
#define RANGES(all, ...)                                                                           \
    check_ranges(all, (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / 24)

static int map(struct unwind_modules *all, uint64_t start, uint64_t end, uint32_t id)
{
    struct unwind_module range = {.start = start, .end = end, .id = id};
    return unwind_modules_map(all, &range, 0, NULL);
}

TEST(a_new_mapping_takes_the_place_of_what_lay_there)
{
    struct unwind_modules all;
    REQUIRE(unwind_modules_init(&all, UNWIND_X86_64) == ORIEL_OK);
    map(&all, 0x5000, 0x9000, 1);
    map(&all, 0x1000, 0x3000, 2);
    RANGES(&all, 0x1000, 0x3000, 2, 0x5000, 0x9000, 1);
    map(&all, 0x6000, 0x7000, 3); /* a hole */
    RANGES(&all, 0x1000, 0x3000, 2, 0x5000, 0x6000, 1, 0x6000, 0x7000, 3, 0x7000, 0x9000, 1);
    map(&all, 0x2000, 0x5800, 4); /* an end, a gap and a beginning */
    RANGES(&all, 0x1000, 0x2000, 2, 0x2000, 0x5800, 4, 0x5800, 0x6000, 1, 0x6000, 0x7000, 3, 0x7000,
           0x9000, 1);
    uint64_t generation = all.space.generation;
    map(&all, 0x1000, 0x9000, 5); /* everything */
    RANGES(&all, 0x1000, 0x9000, 5);
    CHECK(all.space.generation > generation);
    CHECK(unwind_space_find(&all.space, 0xfff) == NULL);
    CHECK(unwind_space_find(&all.space, 0x1000) != NULL);
    CHECK(unwind_space_find(&all.space, 0x8fff) != NULL);
    CHECK(unwind_space_find(&all.space, 0x9000) == NULL);
    CHECK_EQ(unwind_modules_unmap(&all, 0x2000, 0x3000), ORIEL_OK);
    RANGES(&all, 0x1000, 0x2000, 5, 0x3000, 0x9000, 5);
    CHECK_EQ(unwind_modules_unmap(&all, 0, UINT64_MAX), ORIEL_OK);
    CHECK_EQ(all.space.count, 0);
    CHECK_EQ(map(&all, 0x3000, 0x3000, 1), ORIEL_EINVAL);
    CHECK_EQ(unwind_modules_unmap(&all, 5, 4), ORIEL_EINVAL);
    unwind_modules_done(&all);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(a_file_is_mapped_with_its_bias)
{
    size_t size = sizeof image;
    struct unwind_modules all;
    struct unwind_file *f;
    make_image(EM_X86_64);
    announce_hdr();
    REQUIRE(unwind_file_read(read_image, &size, &f) == ORIEL_OK);
    REQUIRE(unwind_modules_init(&all, UNWIND_X86_64) == ORIEL_OK);
    struct unwind_module range = {.start = 0x7f0000001000, .end = 0x7f0000002000};
    REQUIRE(unwind_modules_map(&all, &range, 0x1000, f) == ORIEL_OK);
    CHECK_EQ(all.space.modules[0].bias, 0x7f0000001000 - 0x30000);
    CHECK_EQ(all.space.modules[0].entry, 0x7f0000001010);
    CHECK_EQ(unwind_modules_map(&all, &range, 0x2000, f), ORIEL_EINVAL); /* no code there */
    CHECK_EQ(unwind_modules_compile(&all, 0x7f0000001010), ORIEL_OK);
    CHECK(all.space.modules[0].table != NULL);
    CHECK_EQ(unwind_modules_compile(&all, 0x1010), ORIEL_ENOTFOUND);
    unwind_modules_done(&all);
    REQUIRE(unwind_modules_init(&all, UNWIND_AARCH64) == ORIEL_OK);
    CHECK_EQ(unwind_modules_map(&all, &range, 0x1000, f), ORIEL_EINVAL); /* another machine */
    unwind_modules_done(&all);
    unwind_file_unref(f);
    CHECK_EQ(mem_live_blocks(), 0);
}

/* ---- processes ---- */

TEST(the_mappings_of_a_process_are_read)
{
    struct unwind_modules all;
    REQUIRE(unwind_modules_init(&all, UNWIND_ARCH_HERE) == ORIEL_OK);
    REQUIRE(unwind_modules_read(&all, getpid()) == ORIEL_OK);
    CHECK(all.space.count >= 3);
    uintptr_t here[] = {(uintptr_t)&make_image, (uintptr_t)&getpid, (uintptr_t)&qsort};
    for (int i = 0; i < 3; i++) {
        const struct unwind_module *module = unwind_space_find(&all.space, here[i]);
        REQUIRE(module != NULL);
        CHECK(module->eh.table != NULL);
        CHECK(unwind_row_kind(eh_frame_row(&module->eh, here[i] - module->bias)) != UNWIND_NONE);
    }
    unwind_modules_done(&all);
    REQUIRE(unwind_modules_init(&all, UNWIND_ARCH_HERE) == ORIEL_OK);
    CHECK_EQ(unwind_modules_read(&all, 0x7ffffff0), ORIEL_ENOTFOUND);
    unwind_modules_done(&all);
    CHECK_EQ(mem_live_blocks(), 0);
}

static __attribute__((noinline)) int dive(int depth)
{
    if (depth == 0)
        return raise(SIGSTOP);
    int result = dive(depth - 1);
    __asm__ volatile("" : "+r"(result));
    return result + 1;
}

static bool read_registers(int pid, struct unwind_regs *out)
{
    struct user_regs_struct u;
    struct iovec io = {&u, sizeof u};
    if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &io) != 0)
        return false;
#if defined(__x86_64__)
    uint64_t all[] = {u.rax, u.rdx, u.rcx, u.rbx, u.rsi, u.rdi, u.rbp, u.rsp, u.r8,
                      u.r9,  u.r10, u.r11, u.r12, u.r13, u.r14, u.r15, u.rip};
#else
    uint64_t all[UNWIND_REGS];
    memcpy(all, &u, sizeof all);
#endif
    *out = (struct unwind_regs){.arch = UNWIND_ARCH_HERE};
    memcpy(out->r, all, sizeof all);
    out->known = (UINT64_C(1) << (sizeof all / 8)) - 1;
    return true;
}

TEST(a_stopped_process_is_walked_from_outside)
{
    struct unwind_modules all;
    struct unwind_regs regs;
    uint64_t pcs[128];
    int status, pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        _exit(dive(40) == 0);
    }
    REQUIRE(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
    if (!read_registers(pid, &regs))
        test_skip("ptrace is refused here");
    REQUIRE(unwind_modules_init(&all, UNWIND_ARCH_HERE) == ORIEL_OK);
    REQUIRE(unwind_modules_read(&all, pid) == ORIEL_OK);
    struct unwind_peek peek = {.pid = pid};
    struct unwind_memory memory = {.read = unwind_peek_read, .context = &peek};
    struct unwind_result r = unwind_walk(&all.space, &memory, &regs, pcs, 128);
    CHECK_STR(unwind_end_text(r.end), unwind_end_text(UNWIND_END_COMPLETE));
    CHECK(r.count > 45);
    unsigned in_dive = 0;
    for (uint32_t i = 1; i < r.count; i++)
        in_dive += pcs[i] == pcs[r.count / 2];
    CHECK(in_dive >= 38 && in_dive <= 41);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    CHECK(!unwind_peek_read(&(struct unwind_peek){.pid = pid}, regs.r[unwind_sp_reg(regs.arch)],
                            pcs, 8));
    unwind_modules_done(&all);
}

TEST(reading_stops_at_the_edge_of_memory)
{
    enum { PAGE = 4096 };
    uint8_t *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct unwind_peek peek = {.pid = getpid()};
    uint64_t word;
    REQUIRE(p != MAP_FAILED && munmap(p + 2 * PAGE, PAGE) == 0);
    for (size_t i = 0; i < 2 * PAGE; i++)
        p[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < 2 * PAGE + 16; i++) {
        bool there = unwind_peek_read(&peek, (uintptr_t)p + i, &word, 8);
        CHECK_EQ(there, i <= 2 * PAGE - 8);
        if (there)
            CHECK_MEM(&word, 8, p + i, 8);
    }
    CHECK(!unwind_peek_read(&peek, 0, &word, 8));
    CHECK(!unwind_peek_read(&peek, UINT64_MAX - 3, &word, 8));
}

TEST(a_deleted_file_is_opened_through_its_mapping)
{
    char path[4096], copy[4096 + 32];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    REQUIRE(n > 0);
    path[n] = 0;
    snprintf(copy, sizeof copy, "%s/copy", test_tmpdir());
    int from = open(path, O_RDONLY), to = open(copy, O_RDWR | O_CREAT, 0700);
    REQUIRE(from >= 0 && to >= 0);
    char block[65536];
    while ((n = read(from, block, sizeof block)) > 0)
        REQUIRE(write(to, block, (size_t)n) == n);
    struct unwind_file *f;
    REQUIRE(unwind_file_open(copy, &f) == ORIEL_OK);
    const struct unwind_elf *elf = unwind_file_elf(f);
    const struct unwind_segment *s = NULL;
    for (uint32_t i = 0; i < elf->segment_count; i++)
        if (elf->segments[i].executable)
            s = &elf->segments[i];
    REQUIRE(s != NULL);
    uint64_t offset = s->offset & ~UINT64_C(4095);
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, to, (off_t)offset);
    REQUIRE(p != MAP_FAILED && unlink(copy) == 0);
    struct unwind_modules all;
    REQUIRE(unwind_modules_init(&all, UNWIND_ARCH_HERE) == ORIEL_OK);
    REQUIRE(unwind_modules_read(&all, getpid()) == ORIEL_OK);
    const struct unwind_module *module = unwind_space_find(&all.space, (uintptr_t)p);
    REQUIRE(module != NULL);
    if (!module->eh.frame)
        test_skip("map_files may not be opened here");
    CHECK_EQ(module->bias, (uintptr_t)p - offset - (s->va - s->offset));
    unwind_modules_done(&all);
    unwind_file_unref(f);
}

TEST_MAIN()

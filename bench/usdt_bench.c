/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a hit of a USDT probe costs the program, in ns of its CPU time: with the
 * smallest program in the kernel that counts it, at our own site (an instruction
 * of five bytes, which newer kernels make a call of) beside the one byte of
 * <sys/sdt.h> and both while nobody looks. One JSON object per line, medians of
 * rounds that take turns. Needs root; says nothing without.
 */
#include "bench.h"

#include <link.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#else /* what it leaves */
#define DTRACE_PROBE(provider, name) __asm__ volatile("nop")
#endif

#include <oriel/oriel.h>

#include "base/os.h"
#include "source/kernel_program.h"

enum { HITS = 100000, ROUNDS = 7 };

extern const uint8_t usdt_bench_ours[], usdt_bench_classic[];

static oriel_word word __attribute__((section(".probes"), used));

/* The label is the probe's own address: main() looks at what stands there. */
static __attribute__((noinline)) void ours(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        __asm__ volatile(".globl usdt_bench_ours\nusdt_bench_ours:");
        ORIEL_PROBE("bench.ours", word, i);
    }
}

static __attribute__((noinline)) void classic(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        __asm__ volatile(".globl usdt_bench_classic\nusdt_bench_classic:");
        DTRACE_PROBE(bench, classic);
    }
}

static int first(struct dl_phdr_info *info, size_t size, void *out)
{
    (void)size;
    *(struct dl_phdr_info *)out = *info;
    return 1; /* the program */
}

static uint64_t file_offset(const void *address)
{
    struct dl_phdr_info me;
    (void)dl_iterate_phdr(first, &me);
    const uint64_t at = (uint64_t)(uintptr_t)address - me.dlpi_addr;
    for (unsigned i = 0; i < me.dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &me.dlpi_phdr[i];
        if (h->p_type == PT_LOAD && at >= h->p_vaddr && at < h->p_vaddr + h->p_filesz)
            return at - h->p_vaddr + h->p_offset;
    }
    return 0;
}

/* map[0] += 1 */
static int counting_program(int map)
{
    struct kernel_program p = {.n = 0};
    op_store_number(&p, BPF_DW, BPF_REG_10, -8, 0);
    op_map(&p, BPF_REG_1, map);
    op_place(&p, BPF_REG_2, -8);
    op_call(&p, BPF_FUNC_map_lookup_elem);
    int none = op_jump(&p, BPF_JEQ, BPF_REG_0, 0);
    op_load(&p, BPF_DW, BPF_REG_1, BPF_REG_0, 0);
    op_by(&p, BPF_ADD, BPF_REG_1, 1);
    op_store(&p, BPF_DW, BPF_REG_0, 0, BPF_REG_1);
    op_land(&p, none);
    op_set(&p, BPF_REG_0, 0); /* it is not kept anywhere */
    op(&p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    return kernel_program_load(&p, BPF_PROG_TYPE_KPROBE, "bench");
}

/* A file descriptor; negative: refused. */
static int probe(const uint8_t *site, int program)
{
    char text[32], path[4096];
    if (os_read_file("/sys/bus/event_source/devices/uprobe/type", text, sizeof text) <= 0 ||
        os_exe_path(path, sizeof path) != 0)
        return -1;
    struct perf_event_attr a = {.size = sizeof a,
                                .type = (uint32_t)strtoul(text, NULL, 10),
                                .config1 = (uintptr_t)path,
                                .config2 = file_offset(site)};
    int fd = (int)syscall(SYS_perf_event_open, &a, getpid(), -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd >= 0 && ioctl(fd, PERF_EVENT_IOC_SET_BPF, program) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static double measure(bench_fn *fn, const uint8_t *site, int program)
{
    int fd = program >= 0 ? probe(site, program) : -1;
    if (program >= 0 && fd < 0)
        return -1;
    fn(HITS / 10); /* the first hit makes the call of it, where the kernel does */
    double ns = bench_timed(fn, HITS) / HITS;
    if (fd >= 0)
        close(fd);
    return ns;
}

static void print(const char *name, double *ns)
{
    qsort(ns, ROUNDS, sizeof *ns, bench_compare);
    if (ns[0] >= 0)
        printf("{\"name\":\"%s\",\"ns\":%.2f}\n", name, ns[ROUNDS / 2]);
}

int main(void)
{
    static const uint8_t five[] = {0x0f, 0x1f, 0x44, 0x00, 0x00};
    const uint32_t zero = 0;
    uint64_t hits = 0;
    double on[2][ROUNDS], off[2][ROUNDS];
    bench_fn *const fns[2] = {ours, classic};
    const uint8_t *const sites[2] = {usdt_bench_ours, usdt_bench_classic};
    int map = kernel_map_make(BPF_MAP_TYPE_ARRAY, sizeof zero, sizeof hits, 1);
    int program = map >= 0 ? counting_program(map) : -1;
    if (memcmp(usdt_bench_ours, five, sizeof five) != 0 || usdt_bench_classic[0] != 0x90) {
        fprintf(stderr, "usdt_bench: the sites are not what they should be\n");
        return 1;
    }
    if (program < 0) {
        fprintf(stderr, "usdt_bench: programs in the kernel are refused\n");
        return 77;
    }
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < 2; i++) {
            off[i][round] = measure(fns[i], sites[i], -1);
            on[i][round] = measure(fns[i], sites[i], program);
        }
    (void)kernel_map_get(map, &zero, &hits);
    print("usdt_hit", on[0]);
    print("usdt_hit_classic", on[1]);
    print("usdt_idle", off[0]);
    print("usdt_idle_classic", off[1]);
    fprintf(stderr, "hits counted: %llu of %u\n", (unsigned long long)hits,
            2u * ROUNDS * (HITS + HITS / 10));
    return 0;
}

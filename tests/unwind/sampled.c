/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Runs a program under perf_event_open, 1,000 samples a second with registers
 * and 64 KiB of stack, and walks each dump at once. Says how many stacks were
 * complete; ends with 1 when of those whose dump held the whole stack less than
 * PERCENT were, or when a compiled table leads to other stacks than single rows.
 * 77 where perf_event_open is refused.
 *
 *   usage: unwind_sampled PERCENT PROGRAM [ARGUMENT]...
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "unwind/modules.h"

enum {
    SKIPPED = 77,
    RING_PAGES = 64, /* 128 pages are what an ordinary user gets */
    PAGE = 4096,
    STACK_BYTES = 65528 - 8 * 64,
    FRAMES = 512
};

#if defined(__aarch64__)
static const uint64_t reg_mask = (UINT64_C(1) << 33) - 1;
#else
static const uint64_t reg_mask = 0xff01ff; /* ax to ip, r8 to r15 */
#endif

static struct {
    unsigned long samples, complete, cut, frames, lost, different, ends[UNWIND_END_COUNT];
    double ns;
} tally;
static struct unwind_modules plain, compiled;
static int pid;

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int open_event(int child)
{
    struct perf_event_attr attr = {
        .size = sizeof attr,
        .type = PERF_TYPE_SOFTWARE,
        .config = PERF_COUNT_SW_CPU_CLOCK,
        .sample_freq = 997,
        .freq = 1,
        .sample_type = PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
        .sample_regs_user = reg_mask,
        .sample_stack_user = STACK_BYTES,
        .exclude_kernel = 1,
        .exclude_hv = 1,
        .disabled = 1,
        .enable_on_exec = 1,
        .mmap = 1,
        .mmap2 = 1,
        .wakeup_events = 1,
    };
    return (int)syscall(SYS_perf_event_open, &attr, child, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static void map(struct unwind_modules *m, const struct unwind_module *range, uint64_t offset,
                struct unwind_file *file)
{
    if (unwind_modules_map(m, range, offset, file) != ORIEL_OK)
        unwind_modules_map(m, range, 0, NULL);
}

/* pid, tid, addr, len, pgoff, 24 bytes of identity, prot, flags, name */
static void on_mmap(const uint8_t *body)
{
    uint64_t range[3];
    struct unwind_file *file = NULL;
    memcpy(range, body + 8, sizeof range);
    struct unwind_module module = {.start = range[0], .end = range[0] + range[1]};
    const char *name = (const char *)body + 64;
    if (name[0] == '/')
        unwind_file_open(name, &file);
    else if (strcmp(name, "[vdso]") == 0)
        unwind_file_vdso(&file);
    map(&plain, &module, range[2], file);
    map(&compiled, &module, range[2], file);
    unwind_file_unref(file);
}

static void compile_all(void)
{
    for (uint32_t i = 0; i < compiled.space.count; i++)
        if (!compiled.space.modules[i].table)
            unwind_modules_compile(&compiled, compiled.space.modules[i].start);
}

static void tell(const struct unwind_result *r, const uint64_t *pcs, uint64_t used)
{
    static int told;
    if (told++ >= 5)
        return;
    printf("  %s after %u frames with %llu bytes of stack, the last at", unwind_end_text(r->end),
           r->count, (unsigned long long)used);
    for (uint32_t i = r->count > 3 ? r->count - 3 : 0; i < r->count; i++) {
        const struct unwind_module *m = unwind_space_find(&plain.space, pcs[i]);
        printf(" %#llx", (unsigned long long)(m ? pcs[i] - m->bias : pcs[i]));
    }
    printf("\n");
}

/* abi, registers, size, bytes, how many of them are stack */
static void on_sample(const uint8_t *body)
{
    struct unwind_regs regs;
    uint64_t abi, values[64], size = 0, used = 0;
    size_t n = (size_t)__builtin_popcountll(reg_mask);
    memcpy(&abi, body, 8);
    if (abi != PERF_SAMPLE_REGS_ABI_64)
        return;
    memcpy(values, body + 8, n * 8);
    if (!unwind_regs_from_perf(&regs, UNWIND_ARCH_HERE, reg_mask, values, n))
        return;
    body += 8 + n * 8;
    memcpy(&size, body, 8);
    if (size)
        memcpy(&used, body + 8 + size, 8);
    /* The kernel copies what is in memory: a page never touched, in some large
     * frame, ends the dump. What lies beyond is of outer frames, and waits. */
    struct unwind_peek peek = {.pid = pid};
    struct unwind_memory memory = {body + 8, unwind_sp(&regs), used, unwind_peek_read, &peek};
    uint64_t pcs[FRAMES], again[FRAMES];
    if (used == STACK_BYTES)
        memory.read = NULL; /* longer than the dump: by design */
    double begin = now_ns();
    struct unwind_result r = unwind_walk(&plain.space, &memory, &regs, pcs, FRAMES);
    tally.ns += now_ns() - begin;
    compile_all();
    struct unwind_result c = unwind_walk(&compiled.space, &memory, &regs, again, FRAMES);
    tally.samples++;
    tally.frames += r.count;
    tally.ends[r.end]++;
    tally.complete += unwind_end_is_complete(r.end);
    tally.different += c.count != r.count || memcmp(pcs, again, r.count * sizeof *pcs) != 0;
    if (r.end == UNWIND_END_TRUNCATED && used == STACK_BYTES)
        tally.cut++;
    else if (!unwind_end_is_complete(r.end))
        tell(&r, pcs, used);
}

static void drain(struct perf_event_mmap_page *page)
{
    static uint8_t copy[1 << 16];
    const uint8_t *data = (const uint8_t *)page + PAGE;
    uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE), tail = page->data_tail;
    while (tail < head) {
        struct perf_event_header h;
        for (size_t i = 0; i < sizeof h; i++)
            ((uint8_t *)&h)[i] = data[(tail + i) % (RING_PAGES * PAGE)];
        for (size_t i = 0; i < h.size; i++)
            copy[i] = data[(tail + i) % (RING_PAGES * PAGE)];
        tail += h.size;
        __atomic_store_n(&page->data_tail, tail, __ATOMIC_RELEASE);
        if (h.type == PERF_RECORD_MMAP2)
            on_mmap(copy + sizeof h);
        else if (h.type == PERF_RECORD_SAMPLE)
            on_sample(copy + sizeof h);
        else if (h.type == PERF_RECORD_LOST)
            tally.lost += *(uint64_t *)(copy + sizeof h + 8);
    }
}

static int start(char **argv, int *out_go)
{
    int go[2];
    if (pipe(go) != 0)
        return -1;
    int child = fork();
    if (child == 0) {
        char c;
        close(go[1]);
        if (read(go[0], &c, 1) == 1)
            execvp(argv[0], argv);
        _exit(127);
    }
    close(go[0]);
    *out_go = go[1];
    return child;
}

static int report(double percent)
{
    double whole = (double)(tally.samples - tally.cut);
    printf("%lu samples, %.1f frames each, %.0f ns a frame; %lu complete, %lu longer than the "
           "dump, %lu lost, %lu different from tables\n",
           tally.samples, (double)tally.frames / (double)(tally.samples + 1),
           tally.ns / (double)(tally.frames + 1), tally.complete, tally.cut, tally.lost,
           tally.different);
    for (int i = 0; i < UNWIND_END_COUNT; i++)
        if (tally.ends[i])
            printf("  %lu: %s\n", tally.ends[i], unwind_end_text((enum unwind_end)i));
    if (tally.samples < 50) {
        printf("too few to say anything\n");
        return 1;
    }
    return (double)tally.complete < percent / 100 * whole || tally.different != 0;
}

int main(int argc, char **argv)
{
    int go = -1, status = 0;
    if (argc < 3)
        return 2;
    pid = start(argv + 2, &go);
    int fd = open_event(pid);
    if (fd < 0) {
        fprintf(stderr, "perf_event_open: %s\n", strerror(errno));
        close(go);
        waitpid(pid, &status, 0);
        return SKIPPED;
    }
    void *page = mmap(NULL, (RING_PAGES + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED || unwind_modules_init(&plain, UNWIND_ARCH_HERE) != ORIEL_OK ||
        unwind_modules_init(&compiled, UNWIND_ARCH_HERE) != ORIEL_OK || write(go, "g", 1) != 1)
        return 2;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    while (waitpid(pid, &status, WNOHANG) == 0) {
        poll(&wait, 1, 50);
        drain(page);
    }
    drain(page);
    int rc = report(strtod(argv[1], NULL));
    unwind_modules_done(&plain);
    unwind_modules_done(&compiled);
    return rc ? rc : status != 0;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hook/stacks.h"

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rec/rec.h"
#include "ring_reader.h"
#include "test.h"

struct recording {
    struct region *region;
    struct reader r;
};

static void start(struct recording *f)
{
    memset(f, 0, sizeof *f);
    f->region = reader_region(0, 16, WIRE_POLICY_DROP_NEWEST);
    REQUIRE(oriel_attach(region_path(f->region)) == 0);
    REQUIRE(hook_stacks_open(false) == 0);
    hook_stacks_tell();
    hook_stacks_thread();
    REQUIRE(reader_open(&f->r, region_path(f->region)) == 0);
}

static void finish(struct recording *f)
{
    reader_close(&f->r);
    region_free(f->region);
}

static const struct model_record *next_sample(struct recording *f)
{
    while (reader_poll(&f->r, 1000) >= SOURCE_IDLE)
        for (size_t i = 0; i < f->r.batch.record_count; i++)
            if (f->r.batch.records[i].type == ORIEL_REC_SAMPLE)
                return &f->r.batch.records[i];
    REQUIRE(!"a sample");
    return NULL;
}

/* Is the address that lies `up` calls above the innermost in this function of
 * this program? */
static bool is_in(struct recording *f, const struct model_record *r, uint32_t up,
                  void (*function)(void))
{
    const struct model_stacks *s = &f->r.catalog.stacks;
    const struct model_stack *node = model_stack(s, (uint32_t)r->raw[2]);
    char exe[512];
    Dl_info info;
    while (node && up--)
        node = model_stack(s, node->parent);
    if (!node || !dladdr((void *)(uintptr_t)function, &info))
        return false;
    const struct model_place *p = model_stack_place(s, node);
    const struct model_module *m = s->modules[p->module];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe);
    uint64_t at = (uintptr_t)function - (uintptr_t)info.dli_fbase;
    return n == (ssize_t)m->path.n && memcmp(exe, m->path.p, m->path.n) == 0 && p->address >= at &&
           p->address < at + 256;
}

static struct hook_stack stack;

__attribute__((noinline)) static void inner(void)
{
    hook_stacks_here(&stack, 0);
    __asm__ volatile("");
}

__attribute__((noinline)) static void outer(void)
{
    inner();
    __asm__ volatile("");
}

TEST(a_stack_of_this_program_comes_out_as_places_of_its_file)
{
    struct recording f;
    start(&f);
    outer();
    CHECK(unwind_end_is_complete(stack.result.end) && !hook_stacks_unknown(&stack));
    const struct hook_sample sample = {ORIEL_SAMPLE_ALLOC, 4096, 1, 5};
    REQUIRE(hook_stacks_sample(&sample, &stack));
    const struct model_record *r = next_sample(&f);
    CHECK(r->flags == ORIEL_SAMPLE_ALLOC && r->raw[3] == 4096 && r->raw[5] == 5);
    CHECK(is_in(&f, r, 0, inner) && is_in(&f, r, 1, outer));
    const struct model_stacks *s = &f.r.catalog.stacks;
    CHECK_EQ(model_stack(s, (uint32_t)r->raw[2])->depth, stack.result.count);
    finish(&f);
}

TEST(innermost_frames_can_be_left_out)
{
    struct recording f;
    start(&f);
    outer();
    uint32_t all = stack.result.count;
    hook_stacks_here(&stack, 1);
    CHECK(stack.result.count < all);
    hook_stacks_here(&stack, 1000);
    CHECK_EQ(stack.result.count, 0);
    const struct hook_sample sample = {ORIEL_SAMPLE_FREE, 1, 1, 0};
    REQUIRE(hook_stacks_sample(&sample, NULL));
    CHECK_EQ(next_sample(&f)->raw[2], 0);
    finish(&f);
}

static volatile bool hit;

static void on_signal(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    hook_stacks_context(&stack, context);
    const struct hook_sample sample = {ORIEL_SAMPLE_CPU, 1000, 1, 0};
    hit = hook_stacks_sample(&sample, &stack);
}

TEST(a_handler_sees_what_it_interrupted)
{
    struct recording f;
    start(&f);
    struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &act, NULL);
    raise(SIGUSR1);
    REQUIRE(hit);
    const struct model_record *r = next_sample(&f);
    CHECK(r->flags == ORIEL_SAMPLE_CPU && r->raw[2] != 0);
    const struct model_stacks *s = &f.r.catalog.stacks;
    CHECK(!model_stack_place(s, model_stack(s, (uint32_t)r->raw[2]))->caller);
    finish(&f);
}

TEST(a_library_opened_later_is_told_by_a_refresh)
{
    struct recording f;
    start(&f);
    void *library = dlopen("libm.so.6", RTLD_NOW);
    void *other = dlopen("libresolv.so.2", RTLD_NOW);
    if (!library || !other)
        test_skip("no library to open");
    CHECK(hook_stacks_refresh() && !hook_stacks_refresh());
    void *code = dlsym(other, "__b64_ntop");
    if (!code)
        code = dlsym(other, "ns_get32");
    REQUIRE(code);
    stack.result = (struct unwind_result){.count = 1};
    stack.pcs[0] = (uintptr_t)code;
    stack.caller = false;
    const struct hook_sample sample = {ORIEL_SAMPLE_CPU, 1000, 1, 0};
    REQUIRE(hook_stacks_sample(&sample, &stack));
    const struct model_record *r = next_sample(&f);
    const struct model_stacks *s = &f.r.catalog.stacks;
    const struct model_place *p = model_stack_place(s, model_stack(s, (uint32_t)r->raw[2]));
    char path[512] = "";
    memcpy(path, s->modules[p->module]->path.p, s->modules[p->module]->path.n);
    CHECK(strstr(path, "libresolv"));
    CHECK(s->modules[p->module]->build_id_bytes > 0);
    finish(&f);
}

TEST(a_fork_child_samples_as_itself)
{
    struct recording f;
    start(&f);
    pid_t pid = fork();
    if (pid == 0) {
        hook_stacks_forked(false);
        CHECK(!hook_stacks_refresh()); /* asks nobody */
        outer();
        const struct hook_sample sample = {ORIEL_SAMPLE_ALLOC, 1, 1, 0};
        _exit(hook_stacks_sample(&sample, &stack) ? 0 : 1);
    }
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    const struct model_record *r = next_sample(&f);
    CHECK(r->thread->tid == pid && is_in(&f, r, 0, inner) && is_in(&f, r, 1, outer));
    finish(&f);
}

TEST_MAIN()

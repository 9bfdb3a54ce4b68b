/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Walks over the stacks of C++ code, beside libgcc's unwinder: while exceptions
 * fly, in destructors and handlers, through the standard library, and after
 * every single instruction of all that, lazily bound calls included.
 */
#include <algorithm>
#include <csignal>
#include <functional>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <unwind.h>

extern "C" {
#include "base/err.h"
#include "unwind/current.h"
#include "unwind/trail.h"
}
#include "test.h"

namespace
{
constexpr int depth_max = 256;
unwind_self self;
thread_local unwind_stack stack;
thread_local unwind_trails trails;
unsigned long compared, different, incomplete, along;

struct trace {
    uint64_t pcs[depth_max];
    int count;
};

_Unwind_Reason_Code add_frame(_Unwind_Context *context, void *arg)
{
    trace *t = static_cast<trace *>(arg);
    if (_Unwind_GetIP(context) == 0)
        return _URC_END_OF_STACK;
    if (t->count < depth_max)
        t->pcs[t->count++] = _Unwind_GetIP(context);
    return _URC_NO_REASON;
}

void prepare()
{
    trace t;
    t.count = 0;
    _Unwind_Backtrace(add_frame, &t);
    REQUIRE(unwind_self_open(&self, true) == ORIEL_OK);
    REQUIRE(unwind_stack_here(&stack));
}

void compare(const uint64_t *ours, uint32_t count, const uint64_t *theirs, int their_count,
             unwind_end end)
{
    compared++;
    incomplete += !unwind_end_is_complete(end);
    if (count == static_cast<uint32_t>(their_count) && std::equal(ours, ours + count, theirs))
        return;
    if (different++ < 5) {
        uint32_t i = 0;
        while (i < count && i < static_cast<uint32_t>(their_count) && ours[i] == theirs[i])
            i++;
        test_fail(__FILE__, __LINE__,
                  "%u frames (%s), libgcc has %d; at %u: %#llx and %#llx, pc %#llx", count,
                  unwind_end_text(end), their_count, i, (unsigned long long)ours[i],
                  (unsigned long long)theirs[i], (unsigned long long)ours[0]);
    }
}

[[gnu::noinline]] void compare_here()
{
    trace t;
    uint64_t pcs[depth_max];
    t.count = 0;
    _Unwind_Backtrace(add_frame, &t);
    unwind_result r = unwind_here(&self, &stack, pcs, depth_max);
    compare(pcs + 1, r.count - 1, t.pcs + 1, t.count - 1, r.end);
#if defined(__x86_64__)
    const uint64_t *frame = static_cast<uint64_t *>(__builtin_frame_address(0));
    const unwind_caller caller = {frame[1], reinterpret_cast<uintptr_t>(frame) + 16, frame[0]};
    const unwind_trail *trail = unwind_trails_walk(&trails, &self, &stack, &caller);
    if (!trail)
        return;
    int n = 0;
    for (uint32_t i = trail->first; i < UNWIND_TRAIL_MAX; i++)
        pcs[n++] = trail->frames[i].pc;
    compare(pcs, static_cast<uint32_t>(n), t.pcs + 1, t.count - 1, UNWIND_END_COMPLETE);
    compared--; /* once for each comparison from here */
    along++;
#endif
}

struct tells_when_destroyed {
    ~tells_when_destroyed()
    {
        compare_here();
    }
};

[[gnu::noinline]] int throws(int depth)
{
    tells_when_destroyed t;
    std::string text(static_cast<size_t>(depth) + 20, 'x');
    if (depth == 0)
        throw std::runtime_error(text);
    try {
        return throws(depth - 1) + 1;
    } catch (const std::logic_error &) {
        return 0;
    } catch (const std::exception &) {
        compare_here();
        throw;
    }
}

int catches(int depth)
{
    try {
        return throws(depth);
    } catch (const std::runtime_error &e) {
        compare_here();
        return static_cast<int>(std::string(e.what()).size());
    }
}

int through_the_library()
{
    std::vector<int> numbers = {5, 3, 9, 1, 7, 2};
    std::map<std::string, std::function<int(int)>> calls;
    std::sort(numbers.begin(), numbers.end(), [](int a, int b) {
        compare_here();
        return a < b;
    });
    calls["throws"] = catches;
    std::for_each(numbers.begin(), numbers.end(), [&](int n) { calls["throws"](n % 3); });
    std::ostringstream out;
    out << numbers[0] << " " << 3.25 << std::hex << numbers[1];
    return static_cast<int>(out.str().size());
}
} // namespace

TEST(exceptions_destructors_and_handlers_are_left)
{
    prepare();
    CHECK_EQ(catches(30), 20);
    CHECK(compared > 60);
#if defined(__x86_64__)
    CHECK(along > 30);
#endif
    CHECK_EQ(incomplete, 0);
    CHECK_EQ(different, 0);
}

TEST(the_standard_library_is_left_through_its_callbacks)
{
    prepare();
    CHECK(through_the_library() > 5);
    std::thread([] {
        REQUIRE(unwind_stack_here(&stack));
        through_the_library();
    }).join();
    CHECK(compared > 40);
    CHECK_EQ(incomplete, 0);
    CHECK_EQ(different, 0);
}

#if defined(__x86_64__)
static bool in_handler;

static void on_step(int, siginfo_t *, void *context)
{
    static trace t;
    static uint64_t pcs[depth_max];
    in_handler = true;
    t.count = 0;
    _Unwind_Backtrace(add_frame, &t);
    unwind_result r = unwind_current(&self, &stack, context, pcs, depth_max);
    /* Less this handler and the frame of the signal. */
    compare(pcs, r.count, t.pcs + 2, t.count - 2, r.end);
    in_handler = false;
}

TEST_T(after_every_single_instruction_both_agree, 300)
{
    struct sigaction action = {};
    action.sa_sigaction = on_step;
    action.sa_flags = SA_SIGINFO;
    prepare();
    REQUIRE(sigaction(SIGTRAP, &action, nullptr) == 0);
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
    std::ostringstream out;
    out << 42 << " " << 2.5;
    int size = static_cast<int>(out.str().size());
    std::vector<int> numbers = {5, 3, 9, 1, 7, 2};
    std::stable_sort(numbers.begin(), numbers.end());
    __asm__ volatile("pushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
    printf("%lu instructions, %lu different, %lu incomplete\n", compared, different, incomplete);
    CHECK_EQ(size, 6);
    CHECK(compared > 3000);
    CHECK_EQ(incomplete, 0);
    CHECK_EQ(different, 0);
}
#endif

TEST_MAIN()

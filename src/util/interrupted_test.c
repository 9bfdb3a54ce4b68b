/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Whether a signal handler runs, asked wherever it may be asked. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "test.h"
#include "util/interrupted.h"

#define FRAMES "what a signal leaves on the stack is the emulator's"

static volatile int asked, answer;

static void ask(int unused)
{
    (void)unused;
    answer = interrupted_may_be();
    asked++;
}

static void handle(int flags)
{
    struct sigaction a = {.sa_handler = ask, .sa_flags = flags};
    sigemptyset(&a.sa_mask);
    REQUIRE(sigaction(SIGUSR1, &a, NULL) == 0);
}

/* A stack that is left as deep calls, and signals in them, have made it. */
__attribute__((noinline)) static void go_deep(int flags)
{
    volatile char room[3000];
    memset((void *)(uintptr_t)room, 1, sizeof room);
    handle(flags);
    raise(SIGUSR1);
}

/* Has all of that in a frame of its own, and writes nothing there. */
__attribute__((noinline)) static bool ask_over_it(void)
{
    volatile char room[20000];
    __asm__ volatile("" : : "r"(room) : "memory");
    bool may = interrupted_may_be();
    __asm__ volatile("" : : "r"(room) : "memory");
    return may;
}

TEST(outside_of_handlers_it_is_known)
{
    test_skip_emulated(FRAMES);
    CHECK(!interrupted_may_be());
    handle(0);
    CHECK(!interrupted_may_be());
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    CHECK(!interrupted_may_be());
}

TEST(inside_of_one_it_may_be)
{
    test_skip_emulated(FRAMES);
    handle(0);
    raise(SIGUSR1);
    CHECK_EQ(asked, 1);
    CHECK(answer);
    CHECK(!interrupted_may_be());
    handle((int)SA_NODEFER);
    raise(SIGUSR1);
    CHECK_EQ(asked, 2);
    CHECK(answer);
    handle((int)(SA_NODEFER | SA_RESETHAND));
    raise(SIGUSR1);
    CHECK_EQ(asked, 3);
    CHECK(answer);
}

TEST(on_a_stack_for_signals_it_may_be)
{
    static char room[64 << 10];
    stack_t s = {.ss_sp = room, .ss_size = sizeof room};
    REQUIRE(sigaltstack(&s, NULL) == 0);
    handle(SA_ONSTACK);
    raise(SIGUSR1);
    CHECK_EQ(asked, 1);
    CHECK(answer);
}

TEST(what_handlers_have_left_on_the_stack_is_none)
{
    test_skip_emulated(FRAMES);
    go_deep(0);
    CHECK_EQ(asked, 1);
#ifdef __SANITIZE_THREAD__ /* it calls handlers itself, with masks of its own: "maybe" will do */
    (void)ask_over_it();
#else
    CHECK(!ask_over_it());
#endif
}

static void *ask_in_thread(void *out)
{
    handle(0);
    *(bool *)out = interrupted_may_be();
    raise(SIGUSR1);
    pid_t pid = fork(); /* it goes on where this thread is */
    if (pid == 0) {
        bool right = !interrupted_may_be();
        raise(SIGUSR1);
        _exit(right && answer ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK_EQ(status, 0);
    return NULL;
}

TEST(threads_and_what_they_fork_know_it_too)
{
    test_skip_emulated(FRAMES);
    pthread_t t;
    bool may = true;
    REQUIRE(pthread_create(&t, NULL, ask_in_thread, &may) == 0);
    pthread_join(t, NULL);
    CHECK(!may);
    CHECK(answer);
    CHECK_EQ(asked, 1);
}

static ucontext_t here, there;
static bool other_answer;

static void ask_there(void)
{
    other_answer = interrupted_may_be();
}

TEST(on_a_stack_of_the_programs_own_making_it_may_be)
{
    static char room[256 << 10];
    REQUIRE(getcontext(&there) == 0);
    there.uc_stack = (stack_t){.ss_sp = room, .ss_size = sizeof room};
    there.uc_link = &here;
    makecontext(&there, ask_there, 0);
    REQUIRE(swapcontext(&here, &there) == 0);
    CHECK(other_answer);
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Timers of the sampler inside a program: who has one, and who has it no more.
 * What samples say is the business of scenario.refused.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "hook/cpu/cpu.h"
#include "test.h"

static void *thread(void *expected)
{
    uint32_t before = cpu_timers();
    cpu_thread_begin();
    CHECK_EQ(cpu_timers() - before, *(uint32_t *)expected);
    cpu_thread_begin(); /* once is enough */
    CHECK_EQ(cpu_timers() - before, *(uint32_t *)expected);
    cpu_thread_end();
    cpu_thread_end();
    CHECK_EQ(cpu_timers(), before);
    return NULL;
}

static void run_thread(uint32_t expected)
{
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, thread, &expected) == 0);
    pthread_join(t, NULL);
}

TEST(a_thread_has_a_timer_from_its_begin_to_its_end)
{
    REQUIRE(cpu_open(99) == 0);
    CHECK_EQ(cpu_timers(), 1);
    run_thread(1);
    CHECK_EQ(cpu_timers(), 1);
    cpu_thread_end();
    CHECK_EQ(cpu_timers(), 0);
}

TEST(whoever_gives_up_the_signal_leaves_no_timer)
{
    REQUIRE(cpu_open(99) == 0);
    cpu_yield();
    CHECK_EQ(cpu_timers(), 0);
    run_thread(0);
    cpu_thread_end();
}

TEST(a_signal_that_is_somebody_s_is_not_taken)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, now;
    REQUIRE(sigaction(cpu_signal(), &ignore, NULL) == 0);
    CHECK_EQ(cpu_open(99), ORIEL_EBUSY);
    CHECK_EQ(cpu_timers(), 0);
    REQUIRE(sigaction(cpu_signal(), NULL, &now) == 0);
    CHECK(now.sa_handler == SIG_IGN);
    run_thread(0);
}

TEST(a_fork_child_has_a_timer_of_its_own)
{
    int status = 1;
    REQUIRE(cpu_open(99) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        cpu_forked();
        _exit(cpu_timers() == 1 ? 0 : 1);
    }
    REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    cpu_yield();
}

TEST_MAIN()

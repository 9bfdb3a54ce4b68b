/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Forks where nobody wipes pages: the kernel here says yes to MADV_WIPEONFORK
 * and does nothing, as qemu's user mode does. What the child then finds of its
 * parent's must go all the same.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <oriel/oriel.h>

#include "recording.h"
#include "test.h"

static int advised;

/* Found before that of libc by all that is linked into this program. */
int madvise(void *at, size_t size, int advice)
{
    (void)at;
    (void)size;
    advised += advice == MADV_WIPEONFORK;
    return 0;
}

static void one_span(void)
{
    ORIEL_SPAN("span");
    __asm__ volatile("" ::: "memory");
}

static void *one_span_of_a_thread(void *unused)
{
    one_span();
    return unused;
}

TEST(a_child_records_as_itself_though_nothing_was_wiped)
{
    struct recording r = {0};
    pthread_t thread;
    recording_begin(&r, NULL);
    REQUIRE(advised >= 2);
    /* A block that nobody owns now: not the child's to take either. */
    REQUIRE(pthread_create(&thread, NULL, one_span_of_a_thread, NULL) == 0);
    pthread_join(thread, NULL);
    one_span();
    pid_t pid = fork();
    if (pid == 0) {
        one_span();
        pid_t grandchild = fork();
        if (grandchild == 0) {
            one_span_of_a_thread(NULL);
            test_leave(0);
        }
        waitpid(grandchild, NULL, 0);
        one_span();
        if (pthread_create(&thread, NULL, one_span_of_a_thread, NULL) == 0)
            pthread_join(thread, NULL);
        test_leave(0);
    }
    waitpid(pid, NULL, 0);
    one_span();
    recording_read(&r, true);
    CHECK_EQ(r.by_type[ORIEL_REC_BEGIN], 7);
    CHECK_EQ(r.by_type[ORIEL_REC_END], 7);
    CHECK_EQ(r.catalog.process_count, 3);
    CHECK_EQ(r.catalog.thread_count, 5);
    CHECK_EQ(r.damaged, 0);
    CHECK_EQ(recording_lost_total(&r), 0);
    recording_end(&r);
}

TEST_MAIN()

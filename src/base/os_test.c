/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of ids, liveness and small files, against the running kernel. */
#include "base/os.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

TEST(the_first_thread_has_the_id_of_its_process)
{
    CHECK_EQ(os_getpid(), getpid());
    CHECK_EQ(os_gettid(), getpid());
}

TEST(a_child_sees_its_own_id)
{
    int status;
    int32_t parent = os_getpid();
    pid_t pid = fork();
    if (pid == 0)
        _exit(os_getpid() == parent || os_getpid() != (int32_t)syscall(SYS_getpid));
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(the_executable_and_the_parent_are_known)
{
    char path[512], tiny[4];
    CHECK_EQ(os_getppid(), getppid());
    CHECK_EQ(os_exe_path(path, sizeof path), 0);
    CHECK(access(path, X_OK) == 0);
    CHECK_EQ(os_exe_path(tiny, sizeof tiny), 0); /* cut, and still with its NUL */
    CHECK(strlen(tiny) == 3 && strncmp(tiny, path, 3) == 0);
}

TEST(random_bytes_differ_and_any_count_works)
{
    unsigned char a[1000] = {0}, b[1000] = {0};
    CHECK_EQ(os_random(a, sizeof a), 0);
    CHECK_EQ(os_random(b, sizeof b), 0);
    CHECK(memcmp(a, b, sizeof a) != 0);
    unsigned ones = 0;
    for (size_t i = 0; i < sizeof a; i++)
        ones += (unsigned)__builtin_popcount(a[i]);
    CHECK(ones > 3600 && ones < 4400);
    CHECK_EQ(os_random(a, 0), 0);
}

struct peer {
    int32_t tid;
    uint64_t start;
    pthread_mutex_t may_end;
    char name[16];
};

static void *live_a_while(void *arg)
{
    struct peer *p = arg;
    prctl(PR_SET_NAME, "worker (9) x) R");
    __atomic_store_n(&p->start, os_start_time(os_getpid(), os_gettid()), __ATOMIC_RELAXED);
    os_thread_name(p->name, sizeof p->name);
    __atomic_store_n(&p->tid, os_gettid(), __ATOMIC_RELEASE);
    pthread_mutex_lock(&p->may_end);
    pthread_mutex_unlock(&p->may_end);
    return NULL;
}

TEST(a_thread_is_alive_until_it_is_joined)
{
    static struct peer p;
    pthread_t t;
    int32_t tid;
    pthread_mutex_init(&p.may_end, NULL);
    pthread_mutex_lock(&p.may_end);
    REQUIRE(pthread_create(&t, NULL, live_a_while, &p) == 0);
    while ((tid = __atomic_load_n(&p.tid, __ATOMIC_ACQUIRE)) == 0)
        sched_yield();
    CHECK(p.start != 0); /* although its name looks like the end of the name */
    CHECK_STR(p.name, "worker (9) x) R");
    CHECK(os_thread_alive(os_getpid(), tid, 0));
    CHECK(os_thread_alive(os_getpid(), tid, p.start));
    CHECK(!os_thread_alive(os_getpid(), tid, p.start + 1)); /* the id was given to another */
    pthread_mutex_unlock(&p.may_end);
    pthread_join(t, NULL);
    /* join returns when the kernel clears the tid, a moment before /proc does */
    while (os_thread_alive(os_getpid(), tid, p.start))
        sched_yield();
    CHECK_EQ(os_start_time(os_getpid(), tid), 0);
}

TEST(a_killed_process_is_dead_before_and_after_it_is_reaped)
{
    int status, ready[2];
    char c;
    REQUIRE(pipe(ready) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (write(ready[1], "x", 1) == 1)
            pause();
        _exit(0);
    }
    CHECK_EQ(read(ready[0], &c, 1), 1);
    uint64_t start = os_start_time(pid, 0);
    CHECK(start != 0);
    CHECK(os_thread_alive(pid, 0, start));
    CHECK(os_thread_alive(pid, pid, start));
    kill(pid, SIGKILL);
    siginfo_t info;
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT); /* a zombie now */
    CHECK(!os_thread_alive(pid, pid, start));
    CHECK(!os_thread_alive(pid, 0, 0));
    waitpid(pid, &status, 0);
    CHECK(!os_thread_alive(pid, pid, start));
    CHECK_EQ(os_start_time(pid, 0), 0);
}

TEST(nobody_has_a_negative_id)
{
    CHECK(!os_thread_alive(0, 0, 0));
    CHECK(!os_thread_alive(-1, -1, 0));
    CHECK(!os_thread_alive(INT32_MAX, INT32_MAX, 0));
}

TEST(a_name_is_cut_to_the_space_there_is)
{
    char name[4];
    prctl(PR_SET_NAME, "abcdefgh");
    CHECK_EQ(os_thread_name(name, sizeof name), 0);
    CHECK_STR(name, "abc");
    CHECK_EQ(os_thread_name(name, 1), 0);
    CHECK_STR(name, "");
}

TEST(small_files_are_read_whole_or_cut_and_end_with_a_nul)
{
    char path[256], text[64], tiny[4];
    snprintf(path, sizeof path, "%s/f", test_tmpdir());
    FILE *f = fopen(path, "w");
    REQUIRE(f);
    fputs("hello world", f);
    fclose(f);
    CHECK_EQ(os_read_file(path, text, sizeof text), 11);
    CHECK_STR(text, "hello world");
    CHECK_EQ(os_read_file(path, tiny, sizeof tiny), 3);
    CHECK_STR(tiny, "hel");
    CHECK_EQ(os_read_file("/proc/no-such", text, sizeof text), -ENOENT);
    CHECK_EQ(os_read_file("/", text, sizeof text), -EISDIR);
}

TEST(errno_stays_as_the_caller_left_it)
{
    char text[16];
    errno = 77;
    os_read_file("/proc/no-such", text, sizeof text);
    os_read_file("/", text, sizeof text);
    os_thread_alive(INT32_MAX, 1, 0);
    os_start_time(INT32_MAX, 1);
    os_random(text, sizeof text);
    os_boot_tag();
    CHECK_EQ(errno, 77);
}

TEST(the_boot_tag_is_the_same_all_through_a_boot)
{
    uint32_t tag = os_boot_tag();
    CHECK(tag != 0);
    CHECK_EQ(os_boot_tag(), tag);
}

TEST_MAIN()

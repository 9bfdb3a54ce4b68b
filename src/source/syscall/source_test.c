/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * System calls as this kernel counts them; skipped where that is not permitted.
 * What a recording makes of it is read by scenario.syscalls.
 */
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "source/syscall/syscall.h"
#include "test.h"

enum { MANY = 1234, BAD = 56 };

/* A child that waits for a byte, makes its calls, and says so. */
struct worker {
    pid_t pid;
    int go, done;
};

static struct worker worker_start(void)
{
    int go[2], done[2];
    char c = 0;
    REQUIRE(pipe(go) == 0 && pipe(done) == 0);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        close(go[1]);
        (void)!read(go[0], &c, 1);
        for (int i = 0; i < MANY; i++)
            (void)syscall(SYS_getppid);
        for (int i = 0; i < BAD; i++)
            (void)syscall(SYS_lseek, -1, 0, 0);
        (void)!write(done[1], &c, 1);
        (void)!read(go[0], &c, 1);
        _exit(0);
    }
    close(go[0]);
    close(done[1]);
    return (struct worker){pid, go[1], done[0]};
}

static void worker_end(const struct worker *w)
{
    close(w->go);
    waitpid(w->pid, NULL, 0);
    close(w->done);
}

/* What an event says: the number at `field`, of the call `name`. */
static uint64_t told(const struct model_batch *b, const char *name, uint32_t field)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < b->record_count; i++) {
        struct model_values values;
        struct model_value v;
        bool is = false;
        model_values_begin(&values, &b->records[i]);
        for (uint32_t at = 0; model_values_next(&values, &v); at++) {
            if (at == 0)
                is = v.type == ORIEL_TYPE_STR && v.v.str.n == strlen(name) &&
                     memcmp(v.v.str.p, name, v.v.str.n) == 0;
            if (is && at == field)
                sum += v.v.u64;
        }
    }
    return sum;
}

TEST(calls_have_the_names_of_the_headers)
{
    CHECK_STR(syscall_name(SYS_read), "read");
    CHECK_STR(syscall_name(SYS_openat), "openat");
    CHECK_STR(syscall_name(SYS_exit_group), "exit_group");
    CHECK(!syscall_name(100000));
    CHECK(!syscall_name(UINT32_MAX));
    CHECK_STR(syscall_error_name(9), "EBADF");
    CHECK_STR(syscall_error_name(512), "ERESTARTSYS");
    CHECK(!syscall_error_name(515));
    CHECK(!syscall_error_name(4000));
    CHECK(!syscall_error_name(0));
}

TEST(each_call_of_a_running_program_is_counted_once_and_told_once)
{
    struct syscall_ability can;
    struct worker w = worker_start();
    const struct syscall_options how = {.pid = w.pid, .running = true, .ability = &can};
    struct model_catalog catalog;
    struct model_batch batch;
    struct oriel_err err = {0};
    void *state = mem_calloc(1, source_syscall.state_size);
    char c = 1;
    memset(&can, 0, sizeof can);
    model_catalog_init(&catalog);
    model_batch_init(&batch, &catalog);
    REQUIRE(state);
    int rc = source_syscall.open_with(state, &how, &catalog, &err);
    if (rc < 0) {
        CHECK(err.text[0] && !can.works);
        worker_end(&w);
    } else {
        CHECK(can.works);
        REQUIRE(write(w.go, &c, 1) == 1 && read(w.done, &c, 1) == 1);
        source_syscall.over(state);
        CHECK(source_syscall.poll(state, &batch, 1000, &err) >= 0);
        CHECK_EQ(told(&batch, "getppid", 1), MANY);
        CHECK_EQ(told(&batch, "getppid", 2), 0);
        CHECK_EQ(told(&batch, "lseek", 1), BAD);
        CHECK_EQ(told(&batch, "lseek", 2), BAD);
        CHECK(can.told >= MANY + BAD && can.lost == 0 && can.unwatched == 0);
        CHECK_EQ(batch.watermark_ns, UINT64_MAX);
        model_batch_clear(&batch);
        CHECK_EQ(source_syscall.poll(state, &batch, 1000, &err), SOURCE_IDLE);
        CHECK_EQ(batch.record_count, 0); /* only once */
        source_syscall.close(state);
        worker_end(&w);
    }
    mem_free(state);
    model_batch_done(&batch);
    model_catalog_done(&catalog);
}

/* Each child leaves some entries; as many as there must be for a look to take them. */
static void children(int n)
{
    for (int i = 0; i < n; i++) {
        pid_t pid = fork();
        REQUIRE(pid >= 0);
        if (pid == 0) {
            (void)syscall(SYS_getppid);
            _exit(0);
        }
        REQUIRE(waitpid(pid, NULL, 0) == pid);
    }
}

TEST(looks_take_what_ended_threads_left_and_what_is_overwritten_of_it_is_counted)
{
    enum { CHILDREN = 1200, LOOKS = 12 };
    struct syscall_ability can = {.works = false};
    const struct syscall_options how = {.pid = getpid(), .running = true, .ability = &can};
    struct model_catalog catalog;
    struct model_batch batch;
    struct oriel_err err = {0};
    void *state = mem_calloc(1, source_syscall.state_size);
    uint64_t seen = 0, given_up = 0;
    REQUIRE(state);
    model_catalog_init(&catalog);
    model_batch_init(&batch, &catalog);
    if (source_syscall.open_with(state, &how, &catalog, &err) == 0) {
        source_syscall.look(state, &batch);
        CHECK_EQ(batch.record_count, 0);  /* there is room still */
        for (int i = 0; i < LOOKS; i++) { /* valgrind has calls of its own in each child */
            children(CHILDREN / LOOKS);
            source_syscall.look(state, &batch);
        }
        CHECK(batch.record_count > CHILDREN);
        const uint64_t before = can.told;
        seen = told(&batch, "getppid", 1);
        for (size_t i = 0; i < batch.record_count; i += 2)
            source_syscall.overwritten(state, &batch.records[i]);
        given_up = can.overwritten;
        CHECK(given_up > 0 && can.told == before - given_up);
        model_batch_clear(&batch);
        source_syscall.over(state);
        CHECK(source_syscall.poll(state, &batch, 1000, &err) >= 0);
        CHECK_EQ(seen + told(&batch, "getppid", 1), CHILDREN); /* once */
        CHECK_EQ(can.lost + can.unwatched, 0);
        source_syscall.close(state);
    }
    mem_free(state);
    model_batch_done(&batch);
    model_catalog_done(&catalog);
}

TEST(a_process_that_is_gone_is_an_error_with_a_line)
{
    struct syscall_watch w;
    struct oriel_err err = {0};
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    const struct syscall_options how = {.pid = pid, .running = true};
    CHECK(syscall_watch_open(&w, &how, &err) < 0);
    CHECK(err.text[0] != 0);
}

TEST(trying_it_says_why_it_does_not_work)
{
    struct syscall_ability can;
    syscall_try(&can);
    CHECK_EQ(can.works, can.missing[0] == 0);
}

TEST_MAIN()

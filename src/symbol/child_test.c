/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "symbol/table.h"
#include "test.h"

enum { PATIENT_MS = 600000 }; /* ends what hangs */
static const struct bytes no_id = {NULL, 0};
static const uint64_t address = 0x1000;

struct answer {
    int fd, calls;
    void (*act)(struct answer *a);
    const char *path; /* to open */
    int (*run)(const void *how, const struct job *job, struct buf *out, struct job_result *result);
};
static int answer_open(void *ctx, const struct job_question *q, uint32_t *out_file)
{
    struct answer *a = ctx;
    a->calls++;
    if (a->act)
        a->act(a);
    *out_file = 1;
    return a->path ? open(a->path, O_RDONLY | O_CLOEXEC) : -1;
}

static int run(int fd, struct answer *a, uint32_t timeout_ms, struct child_outcome *outcome,
               struct oriel_err *err)
{
    static const uint8_t id_bytes[] = {9, 9, 9, 9};
    struct child_options options = {.timeout_ms = timeout_ms,
                                    .memory_bytes = 1 << 30,
                                    .run = a ? a->run : NULL,
                                    .open = a ? answer_open : NULL,
                                    .ctx = a};
    struct bytes id = a ? (struct bytes){id_bytes, 4} : no_id;
    struct buf out;
    buf_init(&out);
    int rc = child_run(fd, id, (struct asked){&address, 1}, &options, &out, outcome, err);
    if (rc == 0 && outcome->code == 0) {
        struct table t;
        CHECK_EQ(table_open(&t, out.data, out.size), 0);
    }
    buf_done(&out);
    return rc;
}

TEST(a_readable_file_comes_back_as_a_table)
{
    struct child_outcome outcome;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK_EQ(run(fd, NULL, PATIENT_MS, &outcome, NULL), 0);
    CHECK_EQ(outcome.code, 0);
    CHECK(outcome.result.flags & TABLE_HAS_SYMBOLS);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left behind */
    close(fd);
}

static void wait_long(struct answer *a)
{
    uint64_t until = clock_mono_ns() + 300 * UINT64_C(1000000);
    while (clock_mono_ns() < until) {
    }
}

TEST(a_reader_that_takes_too_long_is_ended)
{
    struct answer a = {.act = wait_long};
    struct child_outcome outcome;
    struct oriel_err err;
    CHECK_EQ(run(-1, &a, 100, &outcome, &err), ORIEL_ELIMIT);
    CHECK(strstr(err.text, "within 100 ms") != NULL);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
}

static void shorten(struct answer *a)
{
    CHECK_EQ(ftruncate(a->fd, 0), 0);
}

/* In the child: the file is there before the question and gone after it. */
static int ask_and_read_on(const void *how, const struct job *job, struct buf *out,
                           struct job_result *result)
{
    const volatile uint8_t *mapped = job->file.p;
    struct job_question question = {.kind = JOB_FILE_LINK, .name = "gone"};
    struct job_answer answer;
    (void)how, (void)out, (void)result;
    if (mapped[0] != 0x7f || job->ask(job->ctx, &question, &answer))
        return ORIEL_EINVAL;
    return mapped[job->file.n - 1] ? 0 : ORIEL_EINVAL;
}

TEST(a_reader_that_crashes_costs_one_line)
{
    char path[5000];
    struct child_outcome outcome;
    struct oriel_err err = {0};
    snprintf(path, sizeof path, "%s/shrinks", test_tmpdir());
    int from = open("/proc/self/exe", O_RDONLY), fd = open(path, O_CREAT | O_RDWR, 0600);
    char block[65536];
    ssize_t n;
    while ((n = read(from, block, sizeof block)) > 0)
        REQUIRE(write(fd, block, (size_t)n) == n);
    struct answer a = {.fd = fd, .act = shorten, .run = ask_and_read_on};
    CHECK_EQ(run(fd, &a, PATIENT_MS, &outcome, &err), ORIEL_EDAMAGED);
    CHECK_EQ(a.calls, 1);
    CHECK(strstr(err.text, "crashed its reader") != NULL);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    close(from);
    close(fd);
}

TEST(descriptors_are_given_back)
{
    struct child_outcome outcome;
    int before = dup(0);
    close(before);
    for (int i = 0; i < 20; i++) {
        struct answer a = {.path = "/proc/self/exe"};
        run(-1, &a, PATIENT_MS, &outcome, NULL);
    }
    int after = dup(0);
    CHECK_EQ(after, before);
    close(after);
}

TEST_MAIN()

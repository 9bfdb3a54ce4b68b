/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Readers of coverage that misbehave, in the child that real ones run in; what
 * it tells, when it is true and when it is not.
 */
#include "cli/cov_confined.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "test.h"
#include "util/confined.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true /* whose memory has no limit */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

static struct coverage c;
static struct oriel_err err;
static struct foreign_limits limits;

static int read_by(cov_reader reader, const char *text)
{
    const struct cov_confined how = {.read = reader, .limits = &limits};
    err = (struct oriel_err){0};
    REQUIRE(coverage_init(&c) == 0);
    int rc = cov_confined_read(&c, &how, text, strlen(text), &err);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left behind */
    return rc;
}

/* The text costs itself, and one line. */
static void expect_end(cov_reader reader, int code, const char *line)
{
    CHECK_EQ(read_by(reader, "given"), code);
    if (!strstr(err.text, line))
        test_fail(__FILE__, __LINE__, "not \"%s\": %s", line, err.text);
    CHECK_EQ(c.files.count, 0);
    coverage_done(&c);
}

/* ---- what is told ---- */

static const char tracefile[] = "TN:oriel_reached\nSF:/a/../b.c\nFN:3,_Z1fv\n#FN:_Z1fv,f()\n"
                                "FNDA:2,_Z1fv\nDA:3,2\n#DA:3,00000000000000ff\nDA:4,0\n"
                                "BRDA:3,0,0,7\nBRDA:3,0,1,-\nend_of_record\n"
                                "SF:rel.c\nDA:1,18446744073709551615\nend_of_record\n";

TEST(what_the_child_read_is_what_reading_here_gives)
{
    struct coverage here;
    struct buf a, b;
    buf_init(&a);
    buf_init(&b);
    foreign_limits_for(0, &limits);
    CHECK_EQ(read_by(coverage_read_lcov, tracefile), 0);
    REQUIRE(coverage_init(&here) == 0);
    CHECK_EQ(coverage_read_lcov(&here, tracefile, sizeof tracefile - 1, NULL), 0);
    CHECK_EQ(c.items, here.items);
    CHECK(c.reached_only);
    coverage_finish(&c, NULL, NULL);
    coverage_finish(&here, NULL, NULL);
    coverage_put_lcov(&c, &a);
    coverage_put_lcov(&here, &b);
    CHECK_STR(buf_cstr(&a), buf_cstr(&b));
    CHECK(strstr(buf_cstr(&a), "#FN:_Z1fv,f()") && strstr(buf_cstr(&a), "SF:/b.c"));
    coverage_done(&here);
    coverage_done(&c);
    buf_done(&a);
    buf_done(&b);
}

TEST(a_text_that_its_reader_refuses_adds_nothing_and_says_why)
{
    foreign_limits_for(0, &limits);
    CHECK_EQ(read_by(coverage_read_lcov, "SF:/a.c\nDA:1,1\nDA:x\n"), ORIEL_EFORMAT);
    CHECK_STR(err.text, "line 3: DA wants a line and a count");
    CHECK_EQ(c.files.count, 0);
    coverage_done(&c);
}

TEST(a_file_without_a_full_path_is_found_above_its_notes)
{
    char dir[600], file[700];
    const struct cov_confined how = {.read = coverage_read_lcov, .dir = dir};
    static const char text[] = "SF:src/a.c\nDA:1,1\nend_of_record\nSF:no.c\nDA:1,1\n";
    snprintf(dir, sizeof dir, "%s/src", test_tmpdir());
    CHECK_EQ(mkdir(dir, 0700), 0);
    snprintf(file, sizeof file, "%s/a.c", dir);
    close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    snprintf(dir, sizeof dir, "%s/build/objects", test_tmpdir()); /* need not be there */
    REQUIRE(coverage_init(&c) == 0);
    CHECK_EQ(cov_confined_read(&c, &how, text, sizeof text - 1, &err), 0);
    REQUIRE(c.files.count == 2);
    struct model_str found = coverage_string(&c, c.files.items[0].name);
    CHECK(found.n == strlen(file) && memcmp(found.p, file, found.n) == 0);
    struct model_str other = coverage_string(&c, c.files.items[1].name);
    snprintf(file, sizeof file, "%s/no.c", dir);
    CHECK(other.n == strlen(file) && memcmp(other.p, file, other.n) == 0);
    coverage_done(&c);
}

/* ---- out of bounds ---- */

static int open_file(struct coverage *to, const char *p, size_t n, struct oriel_err *why)
{
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}
static int write_to_terminal(struct coverage *to, const char *p, size_t n, struct oriel_err *why)
{
    return write(2, "x", 1) < 0 ? ORIEL_EIO : 0;
}
static int run_program(struct coverage *to, const char *p, size_t n, struct oriel_err *why)
{
    return execl("/bin/true", "true", (char *)NULL);
}
static int crash(struct coverage *to, const char *p, size_t n, struct oriel_err *why)
{
    void *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(volatile char *)nowhere = 1;
    return 0;
}

TEST(a_reader_that_leaves_its_bounds_or_crashes_costs_its_text_and_one_line)
{
    foreign_limits_for(0, &limits);
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
        test_skip("no system call filters here");
    expect_end(open_file, ORIEL_EPERM, "leave its bounds");
    expect_end(write_to_terminal, ORIEL_EPERM, "leave its bounds");
    expect_end(run_program, ORIEL_EPERM, "leave its bounds");
    expect_end(crash, ORIEL_EDAMAGED, "crashed its reader (signal 11)");
}

static int spin(struct coverage *to, const char *p, size_t n, struct oriel_err *why)
{
    for (volatile unsigned i = 0; i < 1; i = 0) {
    }
    return 0;
}
static int wait_for_ever(struct coverage *to, const char *p, size_t n, struct oriel_err *why)
{
    char byte;
    int fd;
    return confined_hear(&byte, 1, &fd) ? 0 : ORIEL_EIO;
}

TEST(a_reader_that_takes_too_long_is_ended)
{
    foreign_limits_for(0, &limits);
    limits.cpu_ms = 0; /* and two seconds */
    expect_end(spin, ORIEL_ELIMIT, "processor time");
    limits.timeout_ms = 50;
    expect_end(wait_for_ever, ORIEL_ELIMIT, "could not be read within 50 ms");
}

static int eat_memory(struct coverage *to, const char *p, size_t n, struct oriel_err *why)
{
    for (int i = 0; i < 32; i++)
        if (!mem_alloc(16 << 20))
            return ORIEL_ENOMEM;
    return ORIEL_ESTATE;
}
static int tell_much(struct coverage *to, const char *p, size_t n, struct oriel_err *why)
{
    uint32_t file;
    int rc = coverage_add_file(to, "/a", 2, &file);
    for (uint32_t i = 1; i < 100000 && rc == 0; i++)
        rc = coverage_add_line(to, file, i, 1, 0);
    return rc;
}

TEST(a_reader_gets_so_much_memory_and_may_tell_so_much)
{
    test_skip_emulated("limit memory");
    foreign_limits_for(0, &limits);
    expect_end(eat_memory, ORIEL_ESTATE, "");
    limits.memory_bytes = 64 << 20;
    expect_end(eat_memory, SANITIZED ? ORIEL_ESTATE : ORIEL_ENOMEM, "");
    limits.told_bytes = 1 << 20;
    expect_end(tell_much, ORIEL_ENOMEM, "holds more than fits");
}

/* ---- lies ---- */

static struct {
    int32_t code;
    uint32_t unused;
    uint64_t bytes;
    char text[512];
    uint64_t numbers[8];
} lie;

static int tell_lie(struct coverage *to, const char *p, size_t n, struct oriel_err *why)
{
    size_t head = sizeof lie - sizeof lie.numbers;
    size_t body = lie.bytes < sizeof lie.numbers ? lie.bytes : sizeof lie.numbers;
    (void)confined_say(&lie, head + body);
    return wait_for_ever(to, p, n, why);
}

TEST(what_cannot_be_is_not_believed)
{
    static const uint64_t bodies[][8] = {
        {0, 1},                        /* a file is announced, none comes */
        {0, UINT64_MAX},               /* very many */
        {0, 0, 1},                     /* more than announced */
        {0, 1, UINT64_MAX, 1, 1},      /* a path longer than all */
        {0, 1, 0, UINT64_MAX, 1},      /* more lines than bytes */
        {0, 1, 0, 0, 0, UINT64_MAX, 1} /* functions */
    };
    static const unsigned sizes[] = {2, 2, 3, 5, 5, 7};
    foreign_limits_for(0, &limits);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        memset(&lie, 0, sizeof lie);
        memcpy(lie.numbers, bodies[i], sizeof lie.numbers);
        lie.bytes = sizes[i] * sizeof lie.numbers[0];
        CHECK_EQ(read_by(tell_lie, ""), ORIEL_EDAMAGED);
        CHECK(strstr(err.text, "talk nonsense") != NULL);
        coverage_done(&c);
    }
    lie.code = 12345;
    expect_end(tell_lie, ORIEL_EDAMAGED, "talk nonsense");
    lie.code = 0;
    lie.bytes = UINT64_MAX;
    expect_end(tell_lie, ORIEL_ENOMEM, "more than fits");
    memset(&lie, 0, sizeof lie);
    memcpy(lie.numbers, (uint64_t[8]){0, 1, 0, 1, UINT64_MAX, 1, 0, 0}, sizeof lie.numbers);
    lie.bytes = sizeof lie.numbers;
    CHECK(read_by(tell_lie, "") < 0); /* a line number that is damage */
    coverage_done(&c);
    memset(&lie, 'x', sizeof lie);
    lie.code = ORIEL_EFORMAT;
    lie.bytes = 0;
    CHECK_EQ(read_by(tell_lie, ""), ORIEL_EFORMAT);
    CHECK_EQ(strlen(err.text), sizeof err.text - 1);
    coverage_done(&c);
}

TEST_MAIN()

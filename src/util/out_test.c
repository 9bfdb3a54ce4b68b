/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of outs over memory and descriptors: full, closed, stalled, limited. */
#include "util/out.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "test.h"

static const char *in_tmpdir(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", test_tmpdir(), name);
    return path;
}

TEST(memory_takes_bytes_in_order_and_random_access)
{
    struct buf b;
    struct out *o;
    char text[8] = "";
    size_t got;
    buf_init(&b);
    REQUIRE(out_buf_open(&o, &b) == 0);
    CHECK_STR(o->path, "");
    CHECK_EQ(out_write(o, "hello ", 6), 0);
    CHECK_EQ(out_write(o, "world", 5), 0);
    CHECK_EQ(o->bytes, 11);
    CHECK(out_can_seek(o));
    CHECK_EQ(out_write_at(o, 0, "J", 1), 0);
    CHECK_EQ(out_write_at(o, 10, "xy", 2), ORIEL_EINVAL); /* never extends */
    CHECK_EQ(out_write_at(o, 12, "", 0), ORIEL_EINVAL);
    CHECK_EQ(out_read_at(o, 6, text, 7, &got), 0);
    CHECK_MEM(text, got, "world", 5);
    CHECK_EQ(out_read_at(o, 100, text, 7, &got), 0);
    CHECK_EQ(got, 0);
    CHECK_EQ(out_truncate(o, 12), ORIEL_EINVAL);
    CHECK_EQ(out_truncate(o, 5), 0);
    CHECK_EQ(out_write(o, "!", 1), 0);
    CHECK_EQ(out_sync(o), 0);
    CHECK_STR(buf_cstr(&b), "Jello!");
    out_close(o);
    out_close(NULL);
    buf_done(&b);
    CHECK_EQ(mem_live_blocks(), 0);
}

TEST(the_first_failure_stays)
{
    struct buf b, piece;
    struct out *o;
    buf_init(&b);
    buf_init(&piece);
    REQUIRE(out_buf_open(&o, &b) == 0);
    mem_fail_after(1);
    CHECK_EQ(out_write(o, "x", 1), ORIEL_ENOMEM);
    CHECK_EQ(out_write(o, "y", 1), ORIEL_ENOMEM);
    CHECK_EQ(out_sync(o), ORIEL_ENOMEM);
    CHECK_EQ(o->bytes, 0);
    CHECK_EQ(out_truncate(o, 0), 0); /* the way to try again */
    CHECK_EQ(out_write(o, "z", 1), 0);
    mem_fail_after(1);
    buf_puts(&piece, "lost");
    CHECK_EQ(out_write_buf(o, &piece), ORIEL_ENOMEM); /* a buffer that failed is a failure */
    CHECK_EQ(o->failed, ORIEL_ENOMEM);
    CHECK(!piece.failed);
    out_close(o);
    buf_done(&b);
    buf_done(&piece);
}

TEST(a_full_disk_is_told_and_remembered)
{
    struct out *o;
    struct oriel_err err;
    if (access("/dev/full", W_OK) != 0)
        test_skip("no /dev/full");
    REQUIRE(out_file_open(&o, "/dev/full", false, &err) == 0);
    CHECK(!out_can_seek(o));
    CHECK_EQ(out_write_at(o, 0, "x", 1), ORIEL_EUNSUPPORTED);
    CHECK_EQ(out_truncate(o, 0), ORIEL_EUNSUPPORTED);
    CHECK_EQ(out_write(o, "x", 1), ORIEL_ENOSPC);
    CHECK_EQ(out_write(o, "x", 1), ORIEL_ENOSPC);
    CHECK_EQ(out_sync(o), ORIEL_ENOSPC);
    CHECK_EQ(o->bytes, 0);
    out_close(o);
    int fd = open("/dev/full", O_WRONLY);
    REQUIRE(out_fd_open(&o, fd, "full") == 0);
    CHECK_EQ(out_write(o, "x", 1), ORIEL_ENOSPC);
    out_close(o);
    CHECK(fcntl(fd, F_GETFD) >= 0); /* not ours to close */
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

TEST(a_closed_pipe_raises_no_signal)
{
    int fds[2];
    struct out *o;
    sigset_t pending;
    REQUIRE(pipe(fds) == 0);
    close(fds[0]);
    REQUIRE(out_fd_open(&o, fds[1], "pipe") == 0);
    CHECK_EQ(out_write(o, "x", 1), ORIEL_EIO); /* SIGPIPE would have ended us */
    CHECK_EQ(out_write(o, "x", 1), ORIEL_EIO);
    sigpending(&pending);
    CHECK_EQ(sigismember(&pending, SIGPIPE), 0);
    signal(SIGPIPE, count_signal);
    raise(SIGPIPE);
    CHECK_EQ(signals, 1); /* the mask is as it was: others get theirs */
    out_close(o);
}

TEST(a_signal_that_was_pending_before_stays_pending)
{
    int fds[2];
    struct out *o;
    sigset_t set, pending;
    REQUIRE(pipe(fds) == 0);
    close(fds[0]);
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGPIPE);
    REQUIRE(out_fd_open(&o, fds[1], "pipe") == 0);
    CHECK_EQ(out_write(o, "x", 1), ORIEL_EIO);
    sigpending(&pending);
    CHECK_EQ(sigismember(&pending, SIGPIPE), 1);
    out_close(o);
}

TEST(a_closed_socket_raises_no_signal)
{
    int fds[2];
    struct out *o;
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    REQUIRE(out_fd_open(&o, fds[1], "socket") == 0);
    CHECK_EQ(out_write(o, "x", 1), 0);
    close(fds[0]);
    CHECK_EQ(out_write(o, "x", 1), ORIEL_EIO);
    out_close(o);
}

TEST(the_file_size_limit_raises_no_signal)
{
    struct rlimit limit = {1000, RLIM_INFINITY};
    struct out *o;
    static char bytes[4096];
    REQUIRE(out_file_open(&o, in_tmpdir("f"), false, NULL) == 0);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHECK_EQ(out_write(o, bytes, sizeof bytes), ORIEL_ENOSPC);
    CHECK_EQ(o->bytes, 1000); /* what got through is counted */
    CHECK_EQ(out_truncate(o, 100), 0);
    CHECK_EQ(out_write(o, bytes, 10), 0);
    CHECK_EQ(o->bytes, 110);
    limit.rlim_cur = RLIM_INFINITY; /* for what runs after the test */
    setrlimit(RLIMIT_FSIZE, &limit);
    out_close(o);
}

TEST(a_reader_that_sleeps_is_waited_for_only_so_long)
{
    int fds[2];
    struct out *o;
    static char bytes[1 << 20];
    REQUIRE(pipe(fds) == 0);
    REQUIRE(out_fd_open(&o, fds[1], "pipe") == 0);
    CHECK_EQ(o->patience_ms, 10000);
    o->patience_ms = 50;
    uint64_t start = clock_mono_ns();
    CHECK_EQ(out_write(o, bytes, sizeof bytes), ORIEL_EBUSY);
    uint64_t took_ms = (clock_mono_ns() - start) / 1000000;
    CHECK(took_ms >= 45);
    CHECK(o->bytes > 0 && o->bytes < sizeof bytes);
    CHECK(!(fcntl(fds[1], F_GETFL) & O_NONBLOCK)); /* nobody else's pipe was changed */
    o->patience_ms = -1;                           /* waiting once more would be for ever */
    CHECK_EQ(out_write(o, bytes, sizeof bytes), ORIEL_EBUSY);
    out_close(o);
}

static void *read_all(void *arg)
{
    char bytes[3000];
    size_t total = 0;
    ssize_t n;
    while ((n = read(*(int *)arg, bytes, sizeof bytes)) > 0)
        total += (size_t)n;
    return (void *)total;
}

static void check_stream(int read_fd, int write_fd)
{
    static char bytes[3 << 20];
    struct out *o;
    pthread_t t;
    void *total;
    REQUIRE(pthread_create(&t, NULL, read_all, &read_fd) == 0);
    REQUIRE(out_fd_open(&o, write_fd, "stream") == 0);
    o->patience_ms = -1;
    CHECK_EQ(out_write(o, bytes, sizeof bytes), 0);
    CHECK_EQ(o->bytes, sizeof bytes);
    out_close(o);
    close(write_fd);
    pthread_join(t, &total);
    CHECK_EQ((size_t)total, sizeof bytes);
}

TEST(short_writes_are_continued_on_pipes_and_sockets)
{
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    check_stream(fds[0], fds[1]);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    check_stream(fds[0], fds[1]);
}

TEST(standard_output_into_a_file_keeps_the_shared_offset)
{
    const char *path = in_tmpdir("f");
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    struct out *o;
    char text[16] = "";
    REQUIRE(fd >= 0 && write(fd, "one", 3) == 3);
    REQUIRE(out_fd_open(&o, fd, "-") == 0);
    CHECK_EQ(out_write(o, "two", 3), 0);
    REQUIRE(write(fd, "three", 5) == 5);
    out_close(o);
    CHECK_EQ(pread(fd, text, 15, 0), 11);
    CHECK_STR(text, "onetwothree");
}

TEST(opening_may_fail_for_lack_of_memory)
{
    struct buf b;
    struct out *o = NULL;
    int free_fd = open("/dev/null", O_RDONLY);
    close(free_fd);
    buf_init(&b);
    mem_fail_after(1);
    CHECK_EQ(out_buf_open(&o, &b), ORIEL_ENOMEM);
    mem_fail_after(1);
    CHECK_EQ(out_fd_open(&o, 1, "-"), ORIEL_ENOMEM);
    mem_fail_after(1);
    CHECK_EQ(out_file_open(&o, in_tmpdir("f"), false, NULL), ORIEL_ENOMEM);
    CHECK(o == NULL);
    for (uint64_t n = 1; n <= 2; n++) {
        mem_fail_after(n);
        CHECK_EQ(out_rotating_open(&o, in_tmpdir("r"), 100, 1, NULL), ORIEL_ENOMEM);
    }
    mem_fail_after(0);
    CHECK_EQ(mem_live_blocks(), 0);
    CHECK_EQ(open("/dev/null", O_RDONLY), free_fd); /* none was lost on the way */
}

TEST_MAIN()

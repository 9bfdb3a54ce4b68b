/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of region files: rights, seals, full disks, forks, planted links. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "test.h"

enum { SIZE = 1 << 20 };

static const char *in_tmpdir(const char *name)
{
    static char path[2][256];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", test_tmpdir(), name);
    return path[turn];
}

TEST(a_region_file_is_for_the_owner_only_and_fully_allocated)
{
    const char *path = in_tmpdir("r");
    struct stat st;
    void *p;
    int fd;
    umask(0);
    REQUIRE(os_create_file(path, SIZE, SIZE, &fd, &p) == 0);
    REQUIRE(fstat(fd, &st) == 0);
    CHECK_EQ(st.st_mode & 07777, 0600);
    CHECK_EQ(st.st_size, SIZE);
    CHECK(st.st_blocks * 512 >= SIZE);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    memset(p, 7, SIZE);
    os_unmap(p, SIZE);
    close(fd);
}

TEST(what_one_writes_another_mapping_reads)
{
    const char *path = in_tmpdir("r");
    void *a, *b;
    size_t size;
    int fd;
    REQUIRE(os_create_file(path, SIZE, 4096, &fd, &a) == 0);
    close(fd);
    REQUIRE(os_map_file(path, &size, &b) == 0);
    CHECK_EQ(size, SIZE);
    CHECK(a != b);
    strcpy((char *)a + 100, "shared");
    CHECK_STR((char *)b + 100, "shared");
    os_unmap(a, SIZE);
    os_unmap(b, size);
}

TEST(an_existing_file_or_link_is_never_taken_for_a_new_region)
{
    const char *path = in_tmpdir("r"), *link = in_tmpdir("l");
    void *p = NULL;
    int fd = -5;
    REQUIRE(symlink(path, link) == 0);
    CHECK_EQ(os_create_file(link, SIZE, SIZE, &fd, &p), -EEXIST);
    CHECK(access(path, F_OK) != 0); /* the link was not followed */
    REQUIRE(os_create_file(path, SIZE, SIZE, &fd, &p) == 0);
    os_unmap(p, SIZE);
    close(fd);
    fd = -5;
    p = NULL;
    CHECK_EQ(os_create_file(path, SIZE, SIZE, &fd, &p), -EEXIST);
    CHECK(fd == -5 && p == NULL);
    size_t size;
    CHECK_EQ(os_map_file(link, &size, &p), -ELOOP);
    CHECK_EQ(os_map_file(test_tmpdir(), &size, &p), -EISDIR);
    CHECK_EQ(os_map_file(in_tmpdir("none"), &size, &p), -ENOENT);
    REQUIRE(mkfifo(in_tmpdir("fifo"), 0600) == 0);
    CHECK_EQ(os_map_file(in_tmpdir("fifo"), &size, &p), -EINVAL); /* and does not wait */
    REQUIRE(close(open(in_tmpdir("empty"), O_CREAT | O_WRONLY, 0600)) == 0);
    CHECK_EQ(os_map_file(in_tmpdir("empty"), &size, &p), -EINVAL);
}

TEST(somebody_elses_region_is_refused)
{
    const char *path = in_tmpdir("r");
    void *p;
    size_t size;
    int fd;
    if (geteuid() != 0)
        test_skip("only root can give files away");
    REQUIRE(os_create_file(path, SIZE, 4096, &fd, &p) == 0);
    REQUIRE(chown(path, 12345, 12345) == 0);
    CHECK_EQ(os_map_file(path, &size, &p), -EPERM);
    close(fd);
}

TEST(a_full_disk_is_an_error_and_leaves_nothing_behind)
{
    const char *dir = in_tmpdir("small"), *path = in_tmpdir("small/r");
    void *p = NULL;
    int fd = -5;
    REQUIRE(mkdir(dir, 0700) == 0);
    if (mount("none", dir, "tmpfs", 0, "size=1m") != 0)
        test_skip("cannot mount a small tmpfs");
    int rc = os_create_file(path, 16u << 20, 16u << 20, &fd, &p);
    bool left = access(path, F_OK) == 0;
    int later = os_create_file(path, SIZE / 2, SIZE / 2, &fd, &p); /* fits: space was given back */
    umount2(dir, MNT_DETACH);
    CHECK_EQ(rc, -ENOSPC);
    CHECK(!left);
    CHECK_EQ(later, 0);
}

TEST(a_limit_of_file_sizes_is_an_error_and_no_signal)
{
    const char *path = in_tmpdir("r");
    void *p = NULL;
    int fd = -5;
    const struct rlimit little = {SIZE / 2, RLIM_INFINITY};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &little) == 0);
    CHECK_EQ(os_create_file(path, SIZE, SIZE, &fd, &p), -EFBIG);
    CHECK(access(path, F_OK) != 0);
    CHECK_EQ(os_create_memfd("m", SIZE, SIZE, &fd, &p), -EFBIG);
    CHECK_EQ(os_map_published("n", SIZE, &p), 0); /* anonymous, then */
    munmap(p, SIZE);
    CHECK_EQ(os_create_file(path, SIZE / 2, SIZE / 2, &fd, &p), 0);
}

TEST(a_file_with_holes_is_filled_as_far_as_there_is_room)
{
    char big[256];
    snprintf(big, sizeof big, "%s", in_tmpdir("small/b"));
    const char *dir = in_tmpdir("small"), *path = in_tmpdir("small/r");
    struct stat st = {0};
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CHECK(fd < 0); /* no folder yet */
    CHECK(os_fill_file(path) < 0);
    REQUIRE(mkdir(dir, 0700) == 0);
    if (mount("none", dir, "tmpfs", 0, "size=1m") != 0)
        test_skip("cannot mount a small tmpfs");
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int more = open(big, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool made = fd >= 0 && more >= 0 && ftruncate(fd, SIZE) == 0 && ftruncate(more, 8 << 20) == 0;
    int rc = os_fill_file(path), second = os_fill_file(path), full = os_fill_file(big);
    (void)fstat(fd, &st);
    close(fd);
    close(more);
    umount2(dir, MNT_DETACH);
    REQUIRE(made);
    CHECK_EQ(rc, 0);
    CHECK_EQ(second, 0);
    CHECK_EQ(full, -ENOSPC);
    CHECK(st.st_blocks * 512 >= SIZE);
}

TEST(seals_keep_a_memfd_from_being_resized_by_anyone)
{
    struct stat st;
    void *p, *q;
    int fd;
    size_t size;
    char path[64];
    REQUIRE(os_create_memfd("oriel-test", SIZE, SIZE, &fd, &p) == 0);
    CHECK_EQ(ftruncate(fd, 0), -1);
    CHECK_EQ(errno, EPERM);
    CHECK_EQ(ftruncate(fd, SIZE * 2), -1);
    CHECK_EQ(errno, EPERM);
    CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1); /* sealed against more seals */
    int seals = fcntl(fd, F_GET_SEALS);
    CHECK_EQ(seals & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
             F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    REQUIRE(fstat(fd, &st) == 0);
    CHECK_EQ(st.st_mode & 07777, 0600);
    CHECK(st.st_blocks * 512 >= SIZE);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    /* the way another process takes to it */
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), fd);
    REQUIRE(os_map_file(path, &size, &q) == 0);
    CHECK_EQ(size, SIZE);
    strcpy(p, "through proc");
    CHECK_STR((char *)q, "through proc");
    os_unmap(p, SIZE);
    os_unmap(q, size);
    close(fd);
}

TEST(only_the_allocated_part_takes_memory)
{
    struct stat st;
    void *p;
    int fd;
    REQUIRE(os_create_memfd("oriel-test", (size_t)64 << 20, SIZE, &fd, &p) == 0);
    REQUIRE(fstat(fd, &st) == 0);
    CHECK_EQ(st.st_size, 64 << 20);
    CHECK(st.st_blocks * 512 >= SIZE && st.st_blocks * 512 < 2 * SIZE + (1 << 22));
    os_unmap(p, (size_t)64 << 20);
    close(fd);
}

/* An emulator says yes to any advice and does nothing. */
static void skip_if_advice_is_ignored(void)
{
    void *p = NULL;
    if (os_map_private(4096, &p) == 0 && madvise(p, 4096, 0x7fff) == 0)
        test_skip("madvise does nothing here");
    os_unmap(p, 4096);
}

TEST(a_fork_wipes_the_wiped_pages_and_only_in_the_child)
{
    int status;
    void *p = NULL;
    skip_if_advice_is_ignored();
    int rc = os_map_wiped(8192, &p);
    if (rc == -EINVAL)
        test_skip("this kernel has no MADV_WIPEONFORK");
    REQUIRE(rc == 0);
    memset(p, 0x55, 8192);
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 8192; i++)
            if (((unsigned char *)p)[i] != 0)
                _exit(1);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_EQ(((unsigned char *)p)[8191], 0x55);
    os_unmap(p, 8192);
    os_unmap(NULL, 0);
}

TEST(private_pages_start_as_zeros_and_stay_private)
{
    int status;
    void *p;
    REQUIRE(os_map_private(8192, &p) == 0);
    for (int i = 0; i < 8192; i++)
        CHECK_EQ(((unsigned char *)p)[i], 0);
    strcpy(p, "ours");
    pid_t pid = fork();
    if (pid == 0) {
        int kept = strcmp(p, "ours");
        strcpy(p, "childs");
        _exit(kept != 0);
    }
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_STR((char *)p, "ours");
    os_unmap(p, 8192);
}

TEST(prefaulting_changes_no_byte)
{
    void *p;
    int fd;
    unsigned char resident[SIZE / 4096];
    skip_if_advice_is_ignored();
    REQUIRE(os_create_memfd("oriel-test", SIZE, SIZE, &fd, &p) == 0);
    strcpy((char *)p + 4096, "content");
    os_prefault(p, SIZE);
    CHECK_STR((char *)p + 4096, "content");
    REQUIRE(mincore(p, SIZE, resident) == 0);
    for (size_t i = 0; i < sizeof resident; i++)
        CHECK(resident[i] & 1);
    os_unmap(p, SIZE);
    close(fd);
}

static void check_private_dir(const char *path)
{
    struct stat st;
    REQUIRE(lstat(path, &st) == 0);
    CHECK(S_ISDIR(st.st_mode));
    CHECK_EQ(st.st_mode & 07777, 0700);
    CHECK_EQ(st.st_uid, geteuid());
}

TEST(the_runtime_directory_is_private_tmpfs_of_ours)
{
    char dir[256], tiny[8];
    umask(0);
    unsetenv("XDG_RUNTIME_DIR");
    int rc = os_runtime_dir(dir, sizeof dir);
    if (rc == -ENOENT)
        test_skip("no /dev/shm");
    REQUIRE(rc == 0);
    CHECK(strncmp(dir, "/dev/shm/oriel-", 15) == 0);
    check_private_dir(dir);
    CHECK_EQ(os_runtime_dir(tiny, sizeof tiny), -ENAMETOOLONG);
    setenv("XDG_RUNTIME_DIR", "relative", 1); /* not a path to trust */
    REQUIRE(os_runtime_dir(dir, sizeof dir) == 0);
    CHECK(strncmp(dir, "/dev/shm/oriel-", 15) == 0);
}

TEST(xdg_runtime_dir_is_used_if_it_is_private_and_a_tmpfs)
{
    const char *xdg = in_tmpdir("run");
    char dir[256], expected[300], link[300];
    REQUIRE(mkdir(xdg, 0700) == 0);
    if (mount("none", xdg, "tmpfs", 0, "size=1m,mode=0700") != 0)
        test_skip("cannot mount a tmpfs");
    setenv("XDG_RUNTIME_DIR", xdg, 1);
    snprintf(expected, sizeof expected, "%s/oriel", xdg);
    int rc = os_runtime_dir(dir, sizeof dir);
    struct stat st = {0};
    lstat(expected, &st);
    chmod(expected, 0777); /* loosened by somebody: tightened again */
    char again[256];
    int rc_again = os_runtime_dir(again, sizeof again);
    struct stat st_again = {0};
    lstat(expected, &st_again);
    rmdir(expected); /* a planted link is refused */
    snprintf(link, sizeof link, "%s/elsewhere", xdg);
    mkdir(link, 0700);
    int linked = symlink(link, expected), rc_link = os_runtime_dir(again, sizeof again);
    unlink(expected); /* somebody else's directory too */
    mkdir(expected, 0700);
    int given = chown(expected, 12345, 12345), rc_other = os_runtime_dir(again, sizeof again);
    chmod(xdg, 0777); /* open to all: not used */
    char fallback[256];
    int rc_open = os_runtime_dir(fallback, sizeof fallback);
    umount2(xdg, MNT_DETACH);
    REQUIRE(rc == 0);
    CHECK_STR(dir, expected);
    CHECK_EQ(st.st_mode & 07777, 0700);
    CHECK_EQ(rc_again, 0);
    CHECK_EQ(st_again.st_mode & 07777, 0700);
    CHECK_EQ(linked, 0);
    CHECK_EQ(rc_link, -EPERM);
    CHECK_EQ(given, 0);
    CHECK_EQ(rc_other, -EPERM);
    CHECK(rc_open != 0 || strncmp(fallback, "/dev/shm/", 9) == 0);
}

TEST(errno_stays_as_the_caller_left_it)
{
    void *p;
    size_t size;
    int fd;
    test_tmpdir();
    errno = 77;
    os_map_file(in_tmpdir("none"), &size, &p);
    os_map_file("/", &size, &p);
    os_create_file(in_tmpdir("none/file"), SIZE, SIZE, &fd, &p);
    if (os_create_memfd("oriel-test", SIZE, SIZE, &fd, &p) == 0) {
        os_prefault(p, SIZE);
        os_unmap(p, SIZE);
        close(fd);
    }
    CHECK_EQ(errno, 77);
}

TEST_MAIN()

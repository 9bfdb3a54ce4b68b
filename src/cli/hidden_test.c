/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli/hidden.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

enum { NOBODY = 65534 };

static const char *make(const char *name, uint32_t type, mode_t mode)
{
    static char path[512];
    struct {
        ElfW(Ehdr) head;
        ElfW(Phdr) segments[2];
    } file = {.head = {.e_phentsize = sizeof(ElfW(Phdr)), .e_phnum = 2}};
    file.head.e_phoff = sizeof file.head;
    memcpy(file.head.e_ident, ELFMAG, SELFMAG);
    file.segments[0].p_type = PT_LOAD;
    file.segments[1].p_type = type;
    snprintf(path, sizeof path, "%s/%s", test_tmpdir(), name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    REQUIRE(fd >= 0 && write(fd, &file, sizeof file) == (ssize_t)sizeof file);
    close(fd);
    REQUIRE(chmod(path, mode) == 0);
    return path;
}

TEST(a_program_without_a_loader_is_static)
{
    CHECK_EQ(hidden_how(make("static", PT_LOAD, 0755)), HIDDEN_STATIC);
    CHECK_EQ(hidden_how(make("dynamic", PT_INTERP, 0755)), HIDDEN_NOT);
}

TEST(what_is_no_program_hides_nothing)
{
    const char *path = make("cut", PT_LOAD, 0755);
    REQUIRE(truncate(path, 80) == 0);
    CHECK_EQ(hidden_how(path), HIDDEN_NOT);
    REQUIRE(truncate(path, 3) == 0);
    CHECK_EQ(hidden_how(path), HIDDEN_NOT);
    CHECK_EQ(hidden_how("/nowhere"), HIDDEN_NOT);
    CHECK_EQ(hidden_how("/dev/null"), HIDDEN_NOT);
}

/* As another user, in a child. */
static int as_nobody(const char *path)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
            test_leave(100);
        test_leave((int)hidden_how(path));
    }
    REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}

TEST(who_gets_rights_that_its_user_lacks_is_secure)
{
    struct statvfs fs;
    const char *path = make("setuid", PT_INTERP, 04755);
    if (geteuid() != 0 || statvfs(path, &fs) != 0 || (fs.f_flag & ST_NOSUID))
        test_skip("needs root, and a file system with set-uid programs");
    REQUIRE(chmod(test_tmpdir(), 0755) == 0);
    CHECK_EQ(hidden_how(path), HIDDEN_NOT); /* root's own */
    CHECK_EQ(as_nobody(path), HIDDEN_SECURE);
    CHECK_EQ(as_nobody(make("setgid", PT_INTERP, 02755)), HIDDEN_SECURE);
    CHECK_EQ(as_nobody(make("locking", PT_INTERP, 02745)), HIDDEN_NOT);
    CHECK_EQ(as_nobody(make("usual", PT_INTERP, 0755)), HIDDEN_NOT);
}

TEST_MAIN()

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Repositories laid out by hand, and by git itself where it is installed.
 */
#include "session/vcs.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "test.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

static char root[1024];

static void put(const char *name, const char *text)
{
    char path[2048];
    snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
        *p = 0;
        mkdir(path, 0700);
        *p = '/';
    }
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL);
    fputs(text, f);
    fclose(f);
}

static void begin(void)
{
    snprintf(root, sizeof root, "%s/repo", test_tmpdir());
    mkdir(root, 0700);
}

static int read_from(const char *dir, struct vcs *v)
{
    char path[2048];
    snprintf(path, sizeof path, "%s%s", root, dir);
    return vcs_read(path, v);
}

TEST(vcs_reads_a_loose_ref_from_a_directory_below)
{
    struct vcs v;
    begin();
    put(".git/HEAD", "ref: refs/heads/topic/one\n");
    put(".git/refs/heads/topic/one", COMMIT "\n");
    put("a/b/c", "");
    REQUIRE(read_from("/a/b", &v) == 0);
    CHECK_STR(v.commit, COMMIT);
    CHECK_STR(v.branch, "topic/one");
    CHECK_STR(v.root, root);
}

TEST(vcs_reads_a_packed_ref)
{
    struct vcs v;
    begin();
    put(".git/HEAD", "ref: refs/heads/main\n");
    put(".git/packed-refs",
        "# pack-refs with: peeled fully-peeled sorted\n"
        "ffffffffffffffffffffffffffffffffffffffff refs/heads/maintenance\n" COMMIT
        " refs/heads/main\n"
        "^1111111111111111111111111111111111111111\n");
    REQUIRE(read_from("", &v) == 0);
    CHECK_STR(v.commit, COMMIT);
}

TEST(vcs_reads_a_detached_head)
{
    struct vcs v;
    begin();
    put(".git/HEAD", COMMIT "\n");
    REQUIRE(read_from("", &v) == 0);
    CHECK_STR(v.commit, COMMIT);
    CHECK_STR(v.branch, "");
}

TEST(vcs_follows_the_file_of_a_linked_work_tree)
{
    struct vcs v;
    begin();
    put(".git/worktrees/w/HEAD", "ref: refs/heads/w\n");
    put(".git/worktrees/w/commondir", "../..\n");
    put(".git/refs/heads/w", COMMIT "\n");
    put("w/.git", "gitdir: ../.git/worktrees/w\n");
    REQUIRE(read_from("/w", &v) == 0);
    CHECK_STR(v.commit, COMMIT);
    CHECK_STR(v.branch, "w");
}

TEST(vcs_knows_a_repository_without_commits)
{
    struct vcs v;
    begin();
    put(".git/HEAD", "ref: refs/heads/main\n");
    REQUIRE(read_from("", &v) == 0);
    CHECK_STR(v.commit, "");
    CHECK_STR(v.branch, "main");
}

TEST(vcs_refuses_what_is_no_repository)
{
    struct vcs v = {.branch = "kept"};
    begin();
    CHECK_EQ(vcs_read("/proc", &v), ORIEL_ENOTFOUND);
    CHECK_EQ(vcs_read("relative", &v), ORIEL_ENOTFOUND);
    put(".git/HEAD", "not a head\n");
    CHECK_EQ(read_from("", &v), ORIEL_ENOTFOUND);
    put(".git/HEAD", "");
    CHECK_EQ(read_from("", &v), ORIEL_ENOTFOUND);
    CHECK_STR(v.branch, "kept");
}

static bool git(const char *arguments)
{
    char line[2048];
    snprintf(line, sizeof line,
             "cd '%s' && git -c user.name=a -c user.email=a@b %s >/dev/null 2>&1", root, arguments);
    int rc = system(line);
    return WIFEXITED(rc) && WEXITSTATUS(rc) == 0;
}

static enum vcs_dirty ask(uint64_t ns)
{
    struct vcs_query q;
    vcs_dirty_start(&q, root);
    return vcs_dirty_wait(&q, clock_mono_ns() + ns);
}

TEST(vcs_dirty_follows_tracked_files_only)
{
    struct vcs v;
    begin();
    if (!git("init"))
        test_skip("git is not installed");
    put("file", "one");
    CHECK(git("add file"));
    CHECK(git("commit -m first"));
    CHECK_EQ(ask(UINT64_C(20000000000)), VCS_CLEAN);
    put("other", "untracked");
    CHECK_EQ(ask(UINT64_C(20000000000)), VCS_CLEAN);
    put("file", "changed");
    CHECK_EQ(ask(UINT64_C(20000000000)), VCS_DIRTY);
    CHECK_EQ(read_from("", &v), 0);
    CHECK_EQ(strlen(v.commit), 40);
}

TEST(vcs_dirty_is_unknown_when_time_is_up_or_git_fails)
{
    begin();
    CHECK_EQ(ask(0), VCS_UNKNOWN);
    CHECK_EQ(ask(UINT64_C(20000000000)), VCS_UNKNOWN); /* no repository there */
    struct vcs_query none = {.fd = -1};
    CHECK_EQ(vcs_dirty_wait(&none, 0), VCS_UNKNOWN);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1); /* no process is left behind */
}

TEST_MAIN()

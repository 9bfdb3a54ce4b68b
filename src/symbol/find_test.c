/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/find.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static const uint8_t id_bytes[] = {0xab, 0xcd, 0xef};
static const struct bytes id = {id_bytes, 3};

static char root[2000];
static const char *in(const char *name)
{
    static char paths[8][4096];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, 4096, "%s/%s", root, name);
    return path;
}
static void make(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s", in(name));
    for (char *p = path + strlen(root) + 1; *p; p++)
        if (*p == '/') {
            *p = 0;
            mkdir(path, 0700);
            *p = '/';
        }
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    REQUIRE(fd >= 0 && write(fd, "x", 1) == 1);
    close(fd);
}

static struct finder finder;
static struct symbols_stats stats;
static struct symbols_options options;
static const char *dirs[3];
static void start(const char *module)
{
    snprintf(root, sizeof root, "%s", test_tmpdir());
    dirs[0] = strdup(in("dbg"));
    options = (struct symbols_options){.size = sizeof options, .debug_dirs = dirs};
    finder.options = &options;
    finder.stats = &stats;
    make(module);
    REQUIRE(finder_start(&finder, in(module)) == 0);
}

/* Path of what the question finds, "" if nothing. */
static const char *found(struct job_question q)
{
    uint32_t file = 0;
    int fd = finder_open(&finder, &q, &file);
    if (fd < 0)
        return "";
    close(fd);
    REQUIRE(file < finder.paths.count && file > 0);
    return finder.paths.items[file] + strlen(root) + 1;
}

TEST(debug_information_is_found_by_build_id)
{
    struct job_question q = {.kind = JOB_FILE_BUILD_ID, .build_id = id};
    start("bin/prog");
    CHECK_STR(found(q), "");
    CHECK(!finder_has_debug(&options, id));
    make("dbg/.build-id/ab/cdef.debug");
    CHECK_STR(found(q), "dbg/.build-id/ab/cdef.debug");
    CHECK(finder_has_debug(&options, id));
    q.nth = 1;
    CHECK_STR(found(q), "");
    finder_done(&finder);
}

TEST(a_debug_link_is_looked_for_in_all_its_places_in_turn)
{
    struct job_question q = {.kind = JOB_FILE_LINK, .name = "prog.debug"};
    char deep[4096];
    start("bin/prog");
    snprintf(deep, sizeof deep, "dbg%s/bin/prog.debug", root);
    make("bin/prog.debug");
    make("bin/.debug/prog.debug");
    make(deep);
    CHECK_STR(found(q), "bin/prog.debug");
    q.nth = 1;
    CHECK_STR(found(q), "bin/.debug/prog.debug");
    q.nth = 2;
    CHECK_STR(found(q), deep);
    q.nth = 3;
    CHECK_STR(found(q), "");
    finder_done(&finder);
}

TEST(a_debug_link_with_a_path_in_it_is_none)
{
    struct job_question q = {.kind = JOB_FILE_LINK, .name = "../secret"};
    start("bin/prog");
    make("secret");
    CHECK_STR(found(q), "");
    finder_done(&finder);
}

TEST(split_units_lie_where_they_were_compiled_or_beside_the_program)
{
    struct job_question q = {.kind = JOB_FILE_DWO, .name = "obj/a.dwo"};
    start("bin/prog");
    q.dir = in("src");
    make("bin/a.dwo");
    CHECK_STR(found(q), "bin/a.dwo");
    make("src/obj/a.dwo");
    CHECK_STR(found(q), "src/obj/a.dwo");
    q = (struct job_question){.kind = JOB_FILE_DWP};
    CHECK_STR(found(q), "");
    make("bin/prog.dwp");
    CHECK_STR(found(q), "bin/prog.dwp");
    finder_done(&finder);
}

TEST(the_shared_file_is_found_beside_or_by_its_build_id)
{
    struct job_question q = {.kind = JOB_FILE_ALT, .name = "../shared", .build_id = id};
    start("bin/prog");
    make("dbg/.build-id/ab/cdef.debug");
    CHECK_STR(found(q), "dbg/.build-id/ab/cdef.debug");
    make("shared");
    CHECK_STR(found(q), "bin/../shared");
    finder_done(&finder);
}

TEST(pipes_folders_and_devices_are_never_opened)
{
    start("bin/prog");
    REQUIRE(mkfifo(in("pipe"), 0600) == 0);
    CHECK_EQ(finder_open_file(in("pipe")), -1); /* and does not wait for a writer */
    CHECK_EQ(finder_open_file(in("bin")), -1);
    CHECK_EQ(finder_open_file("/dev/null"), -1);
    finder_done(&finder);
}

TEST_MAIN()

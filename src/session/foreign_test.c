/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Readers that misbehave in every way there is, in the child that real ones run
 * in; and files that others made, through a session.
 */
#include "session/foreign.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "session/foreign_child.h"
#include "session/session.h"
#include "test.h"
#include "util/gzip.h"

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

/* ---- readers ---- */

static void (*act)(const struct source_bytes *file); /* what the next reader does */

static int act_open(void *state, const struct source_bytes *file, struct model_catalog *catalog,
                    struct oriel_err *err)
{
    act(file);
    return err_set(err, ORIEL_ESTATE, "it was not stopped");
}
static const struct source acting = {.name = "acting", .state_size = 8, .open_bytes = act_open};

static struct foreign_limits limits_of_tests(void)
{
    struct foreign_limits l;
    foreign_limits_for(0, &l);
    return l;
}

/* The reader's file is "main;f 1\n". */
static int read_by(const struct source *reader, const struct foreign_limits *limits,
                   struct oriel_err *err)
{
    char path[512];
    struct source_damage damage;
    int capture = -1;
    snprintf(path, sizeof path, "%s/given", test_tmpdir());
    int fd = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0 && write(fd, "main;f 1\n", 9) == 9);
    int rc = foreign_read(fd, "given", reader, limits, &capture, &damage, err);
    CHECK_EQ(rc == 0, capture >= 0);
    if (capture >= 0)
        close(capture);
    close(fd);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left behind */
    return rc;
}

static void expect_end(void (*what)(const struct source_bytes *file),
                       const struct foreign_limits *limits, int code, const char *text)
{
    struct oriel_err err = {0};
    act = what;
    CHECK_EQ(read_by(&acting, limits, &err), code);
    if (!strstr(err.text, text) || strncmp(err.text, "given: ", 7) != 0)
        test_fail(__FILE__, __LINE__, "not \"%s\": %s", text, err.text);
}

/* ---- out of bounds ---- */

static void open_file(const struct source_bytes *file)
{
    open("/etc/passwd", O_RDONLY);
}
static void make_file(const struct source_bytes *file)
{
    open("/tmp/oriel-not-made", O_CREAT | O_WRONLY, 0600);
}
static void make_socket(const struct source_bytes *file)
{
    socket(AF_INET, SOCK_STREAM, 0);
}
static void run_program(const struct source_bytes *file)
{
    execl("/bin/true", "true", (char *)NULL);
}
static void fork_again(const struct source_bytes *file)
{
    if (fork() == 0)
        _exit(0);
}
static void send_signal(const struct source_bytes *file)
{
    kill(getppid(), SIGTERM);
}
static void make_code(const struct source_bytes *file)
{
    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void write_to_terminal(const struct source_bytes *file)
{
    if (write(2, "x", 1) < 0)
        return;
}
static void write_elsewhere(const struct source_bytes *file)
{
    sendto(1, "x", 1, 0, NULL, 0);
}

TEST(a_reader_that_leaves_its_bounds_costs_its_file_and_one_line)
{
    static void (*const acts[])(const struct source_bytes *) = {
        open_file,   make_file, make_socket,       run_program,    fork_again,
        send_signal, make_code, write_to_terminal, write_elsewhere};
    struct foreign_limits limits = limits_of_tests();
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
        test_skip("no system call filters here");
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        expect_end(acts[i], &limits, ORIEL_EPERM, "leave its bounds: not used; ");
    CHECK(access("/tmp/oriel-not-made", F_OK) != 0);
}

static void crash(const struct source_bytes *file)
{
    void *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(volatile char *)nowhere = 1;
}

TEST(a_reader_that_crashes_costs_its_file_and_one_line)
{
    struct foreign_limits limits = limits_of_tests();
    expect_end(crash, &limits, ORIEL_EDAMAGED, "crashed its reader (signal 11)");
}

static void write_to_the_file(const struct source_bytes *file)
{
    ((volatile char *)(uintptr_t)file->bytes)[0] = 1;
}

TEST(the_file_cannot_be_changed)
{
    struct foreign_limits limits = limits_of_tests();
    expect_end(write_to_the_file, &limits, ORIEL_EDAMAGED, "crashed its reader (signal 11)");
}

static void spin(const struct source_bytes *file)
{
    for (volatile unsigned i = 0;; i++) {
    }
}

static void wait_for_ever(const struct source_bytes *file)
{
    char byte;
    int fd;
    (void)confined_hear(&byte, 1, &fd);
}

TEST(a_reader_that_takes_too_long_is_ended)
{
    struct foreign_limits limits = limits_of_tests();
    limits.cpu_ms = 0; /* and two seconds */
    expect_end(spin, &limits, ORIEL_ELIMIT, "processor time");
    limits.timeout_ms = 50;
    expect_end(wait_for_ever, &limits, ORIEL_ELIMIT, "could not be read within 50 ms");
}

/* ---- memory ---- */

static int eat_memory(void *state, const struct source_bytes *file, struct model_catalog *catalog,
                      struct oriel_err *err)
{
    for (int i = 0; i < 32; i++)
        if (!mem_alloc(16 << 20))
            return ORIEL_ENOMEM;
    return ORIEL_ESTATE;
}

TEST(a_reader_gets_so_much_memory_and_no_more)
{
    static const struct source eater = {.name = "eater", .state_size = 8, .open_bytes = eat_memory};
    struct foreign_limits limits = limits_of_tests();
    struct oriel_err err = {0};
    test_skip_emulated("limit memory");
    CHECK_EQ(read_by(&eater, &limits, &err), ORIEL_ESTATE); /* there is room for that */
    limits.memory_bytes = 64 << 20;
    int rc = read_by(&eater, &limits, &err);
    if (rc == ORIEL_ESTATE && SANITIZED)
        test_skip("a sanitizer's memory has no limit");
    CHECK_EQ(rc, ORIEL_ENOMEM);
    CHECK_STR(err.text, "given: out of memory");
}

static void talk_without_end(const struct source_bytes *file)
{
    static const struct foreign_message m = {FOREIGN_PIECE, 4096};
    static const char piece[4096];
    while (confined_say(&m, sizeof m) && confined_say(piece, sizeof piece)) {
    }
}

TEST(a_reader_that_tells_too_much_is_ended)
{
    struct foreign_limits limits = limits_of_tests();
    limits.told_bytes = 1 << 20;
    expect_end(talk_without_end, &limits, ORIEL_ENOMEM, "more than fits");
}

/* ---- what it says ---- */

static struct foreign_message nonsense;
static void talk_nonsense(const struct source_bytes *file)
{
    (void)confined_say(&nonsense, sizeof nonsense);
    wait_for_ever(file);
}

TEST(a_reader_that_talks_nonsense_is_not_believed)
{
    static const struct foreign_message what[] = {
        {0, 0},
        {FOREIGN_END + 1, 1},
        {FOREIGN_PIECE, 0},
        {FOREIGN_PIECE, FOREIGN_PIECE_BYTES + 1},
        {FOREIGN_OBJECT, FOREIGN_PATH_MAX},
        {FOREIGN_OBJECT, 0},
        {FOREIGN_END, 7},
        {UINT32_MAX, UINT32_MAX},
    };
    struct foreign_limits limits = limits_of_tests();
    for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
        nonsense = what[i];
        expect_end(talk_nonsense, &limits, ORIEL_EDAMAGED, "talk nonsense");
    }
}

static struct foreign_end last_word;
static void end_so(const struct source_bytes *file)
{
    static const struct foreign_message m = {FOREIGN_END, sizeof last_word};
    (void)confined_say(&m, sizeof m);
    (void)confined_say(&last_word, sizeof last_word);
    wait_for_ever(file);
}

TEST(its_line_is_repeated_without_what_a_terminal_would_obey)
{
    struct foreign_limits limits = limits_of_tests();
    memset(&last_word, 'x', sizeof last_word);
    last_word.unknown = 0;
    last_word.code = 12345;
    memcpy(last_word.text, "given: \033[2Jgone\n", 16);
    expect_end(end_so, &limits, ORIEL_EDAMAGED, "given: ?[2Jgone?");
}

TEST(what_it_tells_of_damage_may_be_any_bytes)
{
    struct foreign_limits limits = limits_of_tests();
    struct oriel_err err = {0};
    memset(&last_word, 'x', sizeof last_word);
    last_word.code = 0;
    act = end_so;
    CHECK_EQ(read_by(&acting, &limits, &err), 0); /* and an empty capture, which is refused */
}

static void ask_for_objects(const struct source_bytes *file)
{
    static const char *const none[] = {"/etc/passwd", "/etc", "given", "/no/such", "/dev/zero", ""};
    const void *p = NULL;
    size_t n = 0;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (file->object(file->ctx, none[i], &p, &n))
            crash(file);
    if (!file->object(file->ctx, "/proc/self/exe", &p, &n) || n < 64 ||
        memcmp(p, "\177ELF", 4) != 0)
        crash(file);
    memset(&last_word, 0, sizeof last_word);
    last_word.code = ORIEL_ESTATE;
    memcpy(last_word.text, "given: all as it should be", 27);
    end_so(file);
}

TEST(only_object_files_are_opened_for_a_reader)
{
    struct foreign_limits limits = limits_of_tests();
    expect_end(ask_for_objects, &limits, ORIEL_ESTATE, "all as it should be");
}

TEST(descriptors_are_given_back)
{
    struct foreign_limits limits = limits_of_tests();
    struct oriel_err err;
    int before = dup(0);
    close(before);
    act = ask_for_objects;
    for (int i = 0; i < 10; i++) {
        (void)read_by(&acting, &limits, &err);
        (void)read_by(NULL, &limits, &err);
    }
    int after = dup(0);
    CHECK_EQ(after, before);
    close(after);
}

/* ---- whole files ---- */

static const char *write_file(const char *name, const void *bytes, size_t n)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", test_tmpdir(), name);
    FILE *f = fopen(path, "w");
    REQUIRE(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
    return path;
}

static int run_session(const char *path, struct session_counts *counts, struct oriel_err *err)
{
    struct session *s = NULL;
    int rc = session_new_source(&s, foreign_source(path), path, NULL, err);
    if (rc == 0)
        rc = session_run(s, err);
    if (rc >= 0)
        rc = session_finish(s, err);
    if (s)
        session_get_counts(s, counts);
    session_free(s);
    return rc;
}

TEST(a_name_says_nothing_and_damage_is_told_with_its_place)
{
    struct session_counts counts;
    struct oriel_err err = {0};
    struct buf text;
    buf_init(&text);
    for (int i = 0; i < 20000; i++)
        buf_printf(&text, "main;f%d %d\n", i % 7, i + 1);
    uint64_t at = text.size;
    buf_puts(&text, "not such a line\nmain;g 1\n");
    CHECK_EQ(run_session(write_file("c.oriel", text.data, text.size), &counts, &err), 0);
    CHECK_EQ(counts.by_type[ORIEL_REC_SAMPLE], 20001);
    CHECK_EQ(counts.damage.records, 1);
    CHECK_EQ(counts.damage.first_offset, at);
    buf_done(&text);
}

TEST(what_nobody_reads_is_refused_as_a_capture_would_be)
{
    struct session_counts counts;
    struct oriel_err err = {0};
    CHECK_STR(foreign_source("/no/such/file")->name, "file");
    CHECK_STR(foreign_source(test_tmpdir())->name, "file");
    CHECK_STR(foreign_source(write_file("empty", "", 0))->name, "file");
    CHECK_STR(foreign_source(write_file("capture", "ORIELCP\1", 8))->name, "file");
    CHECK_EQ(run_session(write_file("strange", "\1\2\3\4 what is it", 15), &counts, &err),
             ORIEL_EFORMAT);
    CHECK(strstr(err.text, "not an Oriel capture at byte 0") != NULL);
}

TEST(a_bomb_costs_no_more_than_it_may)
{
    struct foreign_limits limits = limits_of_tests();
    struct oriel_err err = {0};
    struct source_damage damage;
    struct buf zeros, bomb;
    int capture = -1;
    test_skip_emulated("limit memory");
    buf_init(&zeros);
    buf_init(&bomb);
    char *p = buf_reserve(&zeros, 128 << 20);
    REQUIRE(p);
    memset(p, 0, 128 << 20);
    REQUIRE(gzip_compress(p, 128 << 20, &bomb) == 0);
    int fd = open(write_file("bomb", bomb.data, bomb.size), O_RDONLY | O_CLOEXEC);
    buf_done(&zeros);
    buf_done(&bomb);
    limits.memory_bytes = 48 << 20;
    int rc = foreign_read(fd, "bomb", NULL, &limits, &capture, &damage, &err);
    CHECK(rc == ORIEL_ENOMEM || SANITIZED);
    CHECK(rc < 0 && strncmp(err.text, "bomb: ", 6) == 0);
    close(fd);
}

TEST_MAIN()

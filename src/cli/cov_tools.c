/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Runs helpers with both their streams read at once, and hands what they say to
 * the readers of the report room. One thread; waits for its children only.
 */
#include "cli/cov_tools.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/child.h"

#define OUTPUT_MAX (UINT64_C(2) << 30)
#define COMPLAINT_MAX 65536u
enum { GCOV_FILES = 32, LLVM_NEWEST = 22, LLVM_OLDEST = 11 };

int cov_paths_add(struct cov_paths *p, char *path)
{
    char **slot = VEC_PUSH(p);
    if (slot)
        *slot = path;
    return slot ? 0 : ORIEL_ENOMEM;
}

/* ---- helpers ---- */

struct helper {
    int out[2], complaints[2];
    pid_t pid;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int spawn(struct helper *h, char *const argv[], int input)
{
    posix_spawn_file_actions_t actions;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0)
        return rc;
    if (input >= 0)
        rc = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    else
        rc = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&actions, h->out[1], STDOUT_FILENO);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&actions, h->complaints[1], STDERR_FILENO);
    if (rc == 0)
        rc = posix_spawnp(&h->pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* False: the stream is over. Beyond `most` it is read and forgotten. */
static bool drain(int fd, struct buf *into, uint64_t most)
{
    char bytes[65536];
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n < 0)
        return errno == EINTR;
    if (n > 0 && into->size + (size_t)n <= most)
        buf_put(into, bytes, (size_t)n);
    else if (n > 0 && most > COMPLAINT_MAX)
        into->failed = true;
    return n > 0;
}

static void read_both(struct helper *h, struct buf *out, struct buf *complaints)
{
    while (h->out[0] >= 0 || h->complaints[0] >= 0) {
        struct pollfd fds[2] = {{.fd = h->out[0], .events = POLLIN},
                                {.fd = h->complaints[0], .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        if (fds[0].revents && !drain(h->out[0], out, OUTPUT_MAX))
            close_fd(&h->out[0]);
        if (fds[1].revents && !drain(h->complaints[0], complaints, COMPLAINT_MAX))
            close_fd(&h->complaints[0]);
    }
}

static size_t first_line(const struct buf *b)
{
    const char *end = b->size ? memchr(b->data, '\n', b->size) : NULL;
    return end ? (size_t)(end - b->data) : b->size;
}

static int judge(const char *name, int status, const struct buf *out, const struct buf *complaints,
                 struct oriel_err *err)
{
    size_t n = first_line(complaints);
    if (out->failed)
        return err_set(err, ORIEL_ELIMIT, "%s: says more than can be read", name);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (n)
        return err_set(err, ORIEL_EFORMAT, "%.*s", (int)(n > 400 ? 400 : n), complaints->data);
    return err_set(err, ORIEL_EFORMAT, "%s: failed", name);
}

/* Run it; what it prints goes into `out`. 0, ORIEL_ENOTFOUND, ORIEL_EFORMAT with its first
 * complaint, ... */
static int run_helper(char *const argv[], const struct buf *input, struct buf *out,
                      struct buf *complaints, struct oriel_err *err)
{
    struct helper h = {.out = {-1, -1}, .complaints = {-1, -1}};
    int status = 0, in = -1, rc = 0;
    assert(argv[0]);
    if (pipe2(h.out, O_CLOEXEC) != 0 || pipe2(h.complaints, O_CLOEXEC) != 0)
        rc = errno;
    if (rc == 0 && input) {
        in = memfd_create("oriel", MFD_CLOEXEC);
        if (in < 0 || write(in, input->data, input->size) != (ssize_t)input->size ||
            lseek(in, 0, SEEK_SET) != 0)
            rc = EIO;
    }
    if (rc == 0)
        rc = spawn(&h, argv, in);
    close_fd(&h.out[1]);
    close_fd(&h.complaints[1]);
    close_fd(&in);
    if (rc == 0) {
        read_both(&h, out, complaints);
        while (waitpid(h.pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    close_fd(&h.out[0]);
    close_fd(&h.complaints[0]);
    if (rc == ENOENT)
        return err_set(err, ORIEL_ENOTFOUND, "%s: no such program", argv[0]);
    return rc ? err_set_errno(err, rc, "%s: cannot be run", argv[0])
              : judge(argv[0], status, out, complaints, err);
}

/* ---- gcov ---- */

/* One document to a line, one for each file. */
static int read_documents(struct coverage *c, const struct buf *out, struct oriel_err *err)
{
    int rc = 0;
    for (size_t at = 0; at < out->size && rc == 0;) {
        const char *end = memchr(out->data + at, '\n', out->size - at);
        size_t n = end ? (size_t)(end - out->data) - at : out->size - at;
        if (n)
            rc = coverage_read_gcov(c, out->data + at, n, err);
        at += n + 1;
    }
    return rc;
}

/* A notes file without data is code that never ran: gcov says so each time. */
static bool is_usual(const char *line, size_t n)
{
    static const char usual[] = "cannot open data file, assuming not executed";
    return n >= sizeof usual - 1 &&
           memcmp(line + n - (sizeof usual - 1), usual, sizeof usual - 1) == 0;
}

static void note_complaint(const struct buf *complaints, char *out_note, size_t note_bytes)
{
    for (size_t at = 0; at < complaints->size && !out_note[0];) {
        const char *line = complaints->data + at;
        const char *end = memchr(line, '\n', complaints->size - at);
        size_t n = end ? (size_t)(end - line) : complaints->size - at;
        if (n && !is_usual(line, n))
            (void)snprintf(out_note, note_bytes, "%.*s", (int)(n > 300 ? 300 : n), line);
        at += n + 1;
    }
}

static int run_gcov(struct coverage *c, const char *gcov, char *const files[], size_t count,
                    char *out_note, size_t note_bytes, struct oriel_err *err)
{
    char *argv[GCOV_FILES + 8], *name = mem_strdup(gcov);
    char branches[] = "-b", json[] = "--json-format", standard[] = "--stdout", end[] = "--";
    size_t n = 0;
    struct buf out, complaints;
    if (!name)
        return err_set(err, ORIEL_ENOMEM, "out of memory");
    argv[n++] = name;
    argv[n++] = branches;
    argv[n++] = json;
    argv[n++] = standard;
    argv[n++] = end;
    for (size_t i = 0; i < count; i++)
        argv[n++] = files[i];
    argv[n] = NULL;
    buf_init(&out);
    buf_init(&complaints);
    int rc = run_helper(argv, NULL, &out, &complaints, err);
    if (rc == 0)
        rc = read_documents(c, &out, err);
    if (rc == 0)
        note_complaint(&complaints, out_note, note_bytes);
    buf_done(&complaints);
    buf_done(&out);
    mem_free(name);
    return rc;
}

int cov_gcov(struct coverage *c, const char *gcov, const struct cov_paths *files, char *out_note,
             size_t note_bytes, struct oriel_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < files->count && rc == 0; i += GCOV_FILES) {
        size_t n = files->count - i < GCOV_FILES ? files->count - i : GCOV_FILES;
        rc = run_gcov(c, gcov, files->items + i, n, out_note, note_bytes, err);
    }
    if (rc == ORIEL_ENOTFOUND)
        err_set(err, rc,
                "%s: no such program; it belongs to the compiler, and --gcov names another", gcov);
    return rc;
}

/* ---- LLVM ---- */

/* "llvm-cov", then "llvm-cov-22" and so on downwards: the next one that there is. */
static bool next_tool(const char *name, int *version, char *out, size_t n)
{
    char path[512];
    for (int v = *version; v >= LLVM_OLDEST; v--) {
        if (v > LLVM_NEWEST)
            (void)snprintf(out, n, "%s", name);
        else
            (void)snprintf(out, n, "%s-%d", name, v);
        if (child_find(out, path, sizeof path, NULL) == 0) {
            *version = v;
            return true;
        }
    }
    return false;
}

static int merge(const char *tool, const struct cov_paths *profiles, const char *merged,
                 struct oriel_err *err)
{
    struct cov_paths argv = {0};
    struct buf out, complaints;
    char *words[] = {mem_strdup(tool), mem_strdup("merge"), mem_strdup("-sparse"), mem_strdup("-o"),
                     mem_strdup(merged)};
    int rc = 0;
    buf_init(&out);
    buf_init(&complaints);
    for (size_t i = 0; i < sizeof words / sizeof *words && rc == 0; i++)
        rc = words[i] ? cov_paths_add(&argv, words[i]) : ORIEL_ENOMEM;
    for (size_t i = 0; i < profiles->count && rc == 0; i++)
        rc = cov_paths_add(&argv, profiles->items[i]);
    if (rc == 0)
        rc = cov_paths_add(&argv, NULL);
    if (rc < 0)
        err_set(err, rc, "out of memory");
    else
        rc = run_helper(argv.items, NULL, &out, &complaints, err);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        mem_free(words[i]);
    VEC_DONE(&argv);
    buf_done(&complaints);
    buf_done(&out);
    return rc;
}

/* What a person calls the functions: where binutils' c++filt is, else as they are. */
static void make_readable(struct coverage *c)
{
    char name[] = "c++filt";
    char *argv[] = {name, NULL};
    struct buf names, out, complaints;
    struct oriel_err err;
    buf_init(&names);
    buf_init(&out);
    buf_init(&complaints);
    VEC(uint32_t) asked = {0};
    for (size_t i = 0; i < c->files.count; i++)
        for (size_t k = 0; k < c->files.items[i].functions.count; k++) {
            uint32_t id = c->files.items[i].functions.items[k].name;
            struct model_str s = coverage_string(c, id);
            uint32_t *slot =
                s.n > 2 && s.p[0] == '_' && !memchr(s.p, '\n', s.n) ? VEC_PUSH(&asked) : NULL;
            if (!slot)
                continue;
            *slot = id;
            buf_put(&names, s.p, s.n);
            buf_putc(&names, '\n');
        }
    if (asked.count && !names.failed && run_helper(argv, &names, &out, &complaints, &err) == 0)
        for (size_t i = 0, at = 0; i < asked.count && at < out.size; i++) {
            const char *end = memchr(out.data + at, '\n', out.size - at);
            size_t n = end ? (size_t)(end - out.data) - at : out.size - at;
            struct model_str s = coverage_string(c, asked.items[i]);
            (void)coverage_add_readable(c, s.p, s.n, out.data + at, n);
            at += n + 1;
        }
    VEC_DONE(&asked);
    buf_done(&complaints);
    buf_done(&out);
    buf_done(&names);
}

/* As a tracefile: LLVM makes lines out of its regions itself. */
static int export_lcov(struct coverage *c, const char *tool, const struct cov_paths *objects,
                       const char *merged, struct oriel_err *err)
{
    struct cov_paths argv = {0};
    struct buf out, complaints, profile;
    char *words[] = {mem_strdup(tool), mem_strdup("export"), mem_strdup("-format=lcov"),
                     mem_strdup("-object"), NULL};
    int rc = 0;
    buf_init(&out);
    buf_init(&complaints);
    buf_init(&profile);
    buf_printf(&profile, "-instr-profile=%s", merged);
    buf_putc(&profile, 0);
    words[4] = profile.failed ? NULL : mem_strdup(profile.data);
    static const uint8_t order[] = {0, 1, 2, 4};
    for (size_t i = 0; i < sizeof order && rc == 0; i++)
        rc = words[order[i]] ? cov_paths_add(&argv, words[order[i]]) : ORIEL_ENOMEM;
    for (size_t i = 0; i < objects->count && rc == 0; i++) {
        if (i > 0)
            rc = words[3] ? cov_paths_add(&argv, words[3]) : ORIEL_ENOMEM;
        if (rc == 0)
            rc = cov_paths_add(&argv, objects->items[i]);
    }
    if (rc == 0)
        rc = cov_paths_add(&argv, NULL);
    if (rc < 0)
        err_set(err, rc, "out of memory");
    else
        rc = run_helper(argv.items, NULL, &out, &complaints, err);
    if (rc == 0)
        rc = coverage_read_lcov(c, out.data ? out.data : "", out.size, err);
    if (rc == 0)
        make_readable(c);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        mem_free(words[i]);
    VEC_DONE(&argv);
    buf_done(&profile);
    buf_done(&complaints);
    buf_done(&out);
    return rc;
}

int cov_llvm(struct coverage *c, const struct cov_paths *profiles, const struct cov_paths *objects,
             const char *merged, struct oriel_err *err)
{
    char tool[64], reader[64];
    int rc = ORIEL_ENOTFOUND, version = LLVM_NEWEST + 1;
    assert(profiles->count);
    if (objects->count == 0)
        return err_set(err, ORIEL_EINVAL,
                       "%s: says nothing without its program: name it with --object",
                       profiles->items[0]);
    /* Formats change with versions: the first that reads the profile is right. */
    for (; next_tool("llvm-profdata", &version, tool, sizeof tool); version--) {
        rc = merge(tool, profiles, merged, err);
        (void)snprintf(reader, sizeof reader, "llvm-cov%s", tool + strlen("llvm-profdata"));
        if (rc == 0)
            return export_lcov(c, reader, objects, merged, err);
    }
    return rc == ORIEL_ENOTFOUND
               ? err_set(err, rc,
                         "llvm-profdata: no such program; it belongs to clang (Debian: "
                         "llvm)")
               : rc;
}

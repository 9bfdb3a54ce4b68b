/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Runs helpers with both their streams read at once.
 */
#include "cli/cov_helper.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX (UINT64_C(2) << 30)
#define COMPLAINT_MAX 65536u

struct running {
    int out[2], complaints[2];
    pid_t pid;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int spawn(struct running *r, const struct cov_helper *h, int input)
{
    const char *const *words = h->words.items;
    posix_spawn_file_actions_t actions;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0)
        return rc;
    if (input >= 0)
        rc = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    else
        rc = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&actions, r->out[1], STDOUT_FILENO);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&actions, r->complaints[1], STDERR_FILENO);
    if (rc == 0 && h->dir)
        rc = posix_spawn_file_actions_addchdir_np(&actions, h->dir);
    if (rc == 0)
        rc = posix_spawnp(&r->pid, words[0], &actions, NULL, (char *const *)(uintptr_t)words,
                          environ);
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

static void read_both(struct running *r, struct buf *out, struct buf *complaints)
{
    while (r->out[0] >= 0 || r->complaints[0] >= 0) {
        struct pollfd fds[2] = {{.fd = r->out[0], .events = POLLIN},
                                {.fd = r->complaints[0], .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        if (fds[0].revents && !drain(r->out[0], out, OUTPUT_MAX))
            close_fd(&r->out[0]);
        if (fds[1].revents && !drain(r->complaints[0], complaints, COMPLAINT_MAX))
            close_fd(&r->complaints[0]);
    }
}

static size_t first_line(const struct buf *b)
{
    const char *end = b->size ? memchr(b->data, '\n', b->size) : NULL;
    return end ? (size_t)(end - b->data) : b->size;
}

static int judge(const struct cov_helper *h, int status, struct oriel_err *err)
{
    const char *name = h->words.items[0];
    size_t n = first_line(&h->complaints);
    if (h->out.failed)
        return err_set(err, ORIEL_ELIMIT, "%s: says more than can be read", name);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (n)
        return err_set(err, ORIEL_EFORMAT, "%.*s", (int)(n > 400 ? 400 : n), h->complaints.data);
    return err_set(err, ORIEL_EFORMAT, "%s: failed", name);
}

static int give_input(const struct buf *input, int *out_fd)
{
    *out_fd = memfd_create("oriel", MFD_CLOEXEC);
    if (*out_fd < 0 || write(*out_fd, input->data, input->size) != (ssize_t)input->size ||
        lseek(*out_fd, 0, SEEK_SET) != 0)
        return EIO;
    return 0;
}

int cov_helper_run(struct cov_helper *h, struct oriel_err *err)
{
    struct running r = {.out = {-1, -1}, .complaints = {-1, -1}};
    int status = 0, in = -1, rc = 0;
    cov_helper_word(h, NULL);
    if (h->failed)
        return err_set(err, ORIEL_ENOMEM, "out of memory");
    if (pipe2(r.out, O_CLOEXEC) != 0 || pipe2(r.complaints, O_CLOEXEC) != 0)
        rc = errno;
    if (rc == 0 && h->input)
        rc = give_input(h->input, &in);
    if (rc == 0)
        rc = spawn(&r, h, in);
    close_fd(&r.out[1]);
    close_fd(&r.complaints[1]);
    close_fd(&in);
    if (rc == 0) {
        read_both(&r, &h->out, &h->complaints);
        while (waitpid(r.pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    close_fd(&r.out[0]);
    close_fd(&r.complaints[0]);
    if (rc == ENOENT)
        return err_set(err, ORIEL_ENOTFOUND, "%s: no such program", h->words.items[0]);
    return rc ? err_set_errno(err, rc, "%s: cannot be run", h->words.items[0])
              : judge(h, status, err);
}

void cov_helper_word(struct cov_helper *h, const char *word)
{
    const char **slot = VEC_PUSH(&h->words);
    if (slot)
        *slot = word;
    h->failed |= !slot;
}

void cov_helper_init(struct cov_helper *h, const char *name)
{
    assert(name);
    *h = (struct cov_helper){.input = NULL};
    buf_init(&h->out);
    buf_init(&h->complaints);
    cov_helper_word(h, name);
}

void cov_helper_done(struct cov_helper *h)
{
    VEC_DONE(&h->words);
    buf_done(&h->complaints);
    buf_done(&h->out);
}

int cov_helper_read(const char *path, struct buf *out, struct oriel_err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        int why = errno;
        if (fd >= 0)
            close(fd);
        return err_set_errno(err, why, "%s", path);
    }
    int rc = 0;
    if (!S_ISREG(st.st_mode))
        rc = err_set(err, ORIEL_EFORMAT, "%s: not a file", path);
    else if ((uint64_t)st.st_size > COV_FILE_MAX)
        rc = err_set(err, ORIEL_ELIMIT, "%s: larger than any tracefile", path);
    while (rc == 0) {
        char *room = buf_reserve(out, 1 << 16);
        ssize_t n = room ? read(fd, room, 1 << 16) : -1;
        if (!room)
            rc = err_set(err, ORIEL_ENOMEM, "out of memory");
        else if (n < 0 && errno != EINTR)
            rc = err_set_errno(err, errno, "%s", path);
        else if (n == 0 || out->size > COV_FILE_MAX)
            break;
        out->size += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    return rc;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Both ends of the socket between parent and confined child.
 *
 *   child:  question -> wait -> answer with a descriptor        (any number)
 *           end: code, result, image -> exit
 *   parent: waits with one absolute deadline; kills what is left; checks all sizes
 *
 * The child is a fork that may have been made while other threads held locks:
 * it uses the heap, which fork leaves usable in glibc, and nothing else shared.
 */
#include "symbol/child.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "symbol/confine.h"
#include "symbol/table.h"

enum {
    TEXT_MAX = 4096,
    QUESTIONS_MAX = 1 << 16,
    IMAGE_MAX = 1 << 30,
    MESSAGE_QUESTION = 1,
    MESSAGE_END = 2
};

/* What the child sends in front of everything. */
struct message {
    uint32_t type;
    uint32_t kind, base, nth, name_bytes, dir_bytes, id_bytes; /* of a question */
    int32_t code;                                              /* of an end */
    uint32_t unconfined;
    uint64_t image_bytes;
    struct job_result result;
};
/* What it gets back, with the descriptor. */
struct reply {
    uint64_t bytes; /* 0: there is none */
    uint32_t file, unused;
};

/* ---- in the child ---- */

static bool send_all(int fd, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n > 0) {
        ssize_t done = sendto(fd, p, n, MSG_NOSIGNAL, NULL, 0);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

/* The reply and its descriptor, -1 when none came. */
static bool receive_reply(struct reply *out, int *out_fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {out, sizeof *out};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    ssize_t n;
    *out_fd = -1;
    do {
        n = recvmsg(0, &m, 0);
    } while (n < 0 && errno == EINTR);
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        memcpy(out_fd, CMSG_DATA(c), sizeof *out_fd);
    return n == (ssize_t)sizeof *out;
}

static bool ask_parent(void *ctx, const struct job_question *q, struct job_answer *out)
{
    struct message m = {.type = MESSAGE_QUESTION, .kind = q->kind, .base = q->base, .nth = q->nth};
    const char *name = q->name ? q->name : "", *dir = q->dir ? q->dir : "";
    struct reply reply;
    int fd;
    m.name_bytes = (uint32_t)strnlen(name, TEXT_MAX);
    m.dir_bytes = (uint32_t)strnlen(dir, TEXT_MAX);
    m.id_bytes = q->build_id.n <= TABLE_ID_MAX ? (uint32_t)q->build_id.n : 0;
    if (m.name_bytes == TEXT_MAX || m.dir_bytes == TEXT_MAX || !send_all(0, &m, sizeof m) ||
        !send_all(0, name, m.name_bytes) || !send_all(0, dir, m.dir_bytes) ||
        !send_all(0, q->build_id.p, m.id_bytes) || !receive_reply(&reply, &fd) || fd < 0)
        return false;
    void *p = mmap(NULL, reply.bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (p == MAP_FAILED)
        return false;
    *out = (struct job_answer){{p, reply.bytes}, reply.file};
    return true;
}

static void work(uint64_t file_bytes, struct bytes build_id, struct asked asked,
                 const struct child_options *options)
{
    struct job job = {.build_id = build_id, .asked = asked, .ask = ask_parent};
    struct message m = {.type = MESSAGE_END, .code = ORIEL_ENOMEM};
    struct buf image;
    if (file_bytes) {
        void *p = mmap(NULL, file_bytes, PROT_READ, MAP_PRIVATE, 1, 0);
        if (p != MAP_FAILED)
            job.file = (struct bytes){p, file_bytes};
        close(1);
    }
    m.unconfined = !confine_calls();
    buf_init(&image);
    m.code = options->run ? options->run(options->how, &job, &image, &m.result)
                          : job_run(&job, &image, &m.result);
    m.image_bytes = m.code == 0 ? image.size : 0;
    if (send_all(0, &m, sizeof m))
        send_all(0, image.data, m.image_bytes);
}

/* ---- in the parent ---- */

struct reading {
    int sock;
    pid_t pid;
    uint64_t deadline_ns;
    const struct child_options *options;
    struct buf *out;
    struct child_outcome *outcome;
};

/* 0, -ETIMEDOUT, or -EPIPE when the child is gone. */
static int receive(struct reading *r, void *bytes, size_t n)
{
    char *p = bytes;
    while (n > 0) {
        uint64_t now = clock_mono_ns();
        if (now >= r->deadline_ns)
            return -ETIMEDOUT;
        struct pollfd wait = {.fd = r->sock, .events = POLLIN};
        uint64_t left_ms = (r->deadline_ns - now) / 1000000 + 1;
        int ready = poll(&wait, 1, left_ms > 1000 ? 1000 : (int)left_ms);
        if (ready < 0 && errno != EINTR)
            return -EPIPE;
        if (ready <= 0)
            continue;
        ssize_t got = recv(r->sock, p, n, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (got <= 0)
            return -EPIPE;
        p += got;
        n -= (size_t)got;
    }
    return 0;
}

static bool send_reply(int sock, struct reply *reply, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {reply, sizeof *reply};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        memset(&control, 0, sizeof control);
        m.msg_control = control.bytes;
        m.msg_controllen = sizeof control.bytes;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    return sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof *reply;
}

static int answer_question(struct reading *r, const struct message *m)
{
    char name[TEXT_MAX + 1], dir[TEXT_MAX + 1];
    uint8_t id[TABLE_ID_MAX];
    struct reply reply = {0};
    struct stat st;
    if (m->kind > JOB_FILE_DWP || m->name_bytes >= TEXT_MAX || m->dir_bytes >= TEXT_MAX ||
        m->id_bytes > sizeof id)
        return -EPROTO;
    int rc = receive(r, name, m->name_bytes);
    if (rc == 0)
        rc = receive(r, dir, m->dir_bytes);
    if (rc == 0)
        rc = receive(r, id, m->id_bytes);
    if (rc != 0)
        return rc;
    name[m->name_bytes] = dir[m->dir_bytes] = 0;
    struct job_question q = {.kind = (enum job_file_kind)m->kind,
                             .base = m->base,
                             .nth = m->nth,
                             .name = name,
                             .dir = dir,
                             .build_id = {id, m->id_bytes}};
    int fd = r->options->open ? r->options->open(r->options->ctx, &q, &reply.file) : -1;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
        reply.bytes = (uint64_t)st.st_size;
    bool sent = send_reply(r->sock, &reply, reply.bytes ? fd : -1);
    if (fd >= 0)
        close(fd);
    return sent ? 0 : -EPIPE;
}

static int take_end(struct reading *r, const struct message *m)
{
    if (m->image_bytes > IMAGE_MAX || (m->code == 0) != (m->image_bytes > 0) || m->code > 0)
        return -EPROTO;
    r->outcome->code = m->code;
    r->outcome->unconfined = m->unconfined != 0;
    r->outcome->result = m->result;
    r->outcome->result.note[sizeof m->result.note - 1] = 0;
    char *p = m->image_bytes ? buf_reserve(r->out, m->image_bytes) : NULL;
    if (m->image_bytes && !p)
        return -ENOMEM;
    int rc = receive(r, p, m->image_bytes);
    if (rc == 0)
        r->out->size += m->image_bytes;
    return rc;
}

static int serve(struct reading *r)
{
    for (int i = 0; i < QUESTIONS_MAX; i++) {
        struct message m;
        int rc = receive(r, &m, sizeof m);
        if (rc != 0)
            return rc;
        if (m.type == MESSAGE_END)
            return take_end(r, &m);
        rc = m.type == MESSAGE_QUESTION ? answer_question(r, &m) : -EPROTO;
        if (rc != 0)
            return rc;
    }
    return -EPROTO;
}

/* End the child, whatever it does, and tell how it ended. */
static int reap(pid_t pid)
{
    int status = 0;
    pid_t rc;
    kill(pid, SIGKILL);
    do {
        rc = waitpid(pid, &status, 0);
    } while (rc < 0 && errno == EINTR);
    return rc == pid ? status : 0;
}

static int explain(int rc, int status, uint32_t timeout_ms, struct oriel_err *err)
{
    if (rc == -ETIMEDOUT)
        return err_set(err, ORIEL_ELIMIT, "could not be read within %u ms", timeout_ms);
    if (rc == -ENOMEM)
        return err_set(err, ORIEL_ENOMEM, "has more symbols than fit into memory");
    if (rc == -EPROTO)
        return err_set(err, ORIEL_EDAMAGED, "made its reader talk nonsense: not used");
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        return err_set(err, ORIEL_EPERM, "made its reader leave its bounds: not used");
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
        return err_set(err, ORIEL_ELIMIT, "could not be read within %u ms", timeout_ms);
    return err_set(err, ORIEL_EDAMAGED, "crashed its reader (signal %d): not used",
                   WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static void run_child(int sock, int fd, uint64_t file_bytes, struct bytes build_id,
                      struct asked asked, uint64_t memory, const struct child_options *options)
{
    if (confine_process(sock, fd, memory, options->timeout_ms))
        work(file_bytes, build_id, asked, options);
    _exit(0);
}

int child_run(int fd, struct bytes build_id, struct asked asked,
              const struct child_options *options, struct buf *out, struct child_outcome *outcome,
              struct oriel_err *err)
{
    struct stat st;
    int pair[2], status = 0;
    uint64_t in_use = confine_memory_in_use(), file_bytes = 0;
    assert(options->timeout_ms > 0);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        file_bytes = (uint64_t)st.st_size;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return err_set_errno(err, errno, "no socket for the reader of");
    uint64_t memory = in_use ? in_use + file_bytes + options->memory_bytes : 0;
    pid_t pid = fork();
    if (pid == 0)
        run_child(pair[1], fd, file_bytes, build_id, asked, memory, options);
    int errno_value = errno;
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return err_set_errno(err, errno_value, "no process for the reader of");
    }
    struct reading r = {.sock = pair[0],
                        .pid = pid,
                        .deadline_ns = clock_mono_ns() + (uint64_t)options->timeout_ms * 1000000,
                        .options = options,
                        .out = out,
                        .outcome = outcome};
    int rc = serve(&r);
    close(pair[0]);
    if (rc == -EPIPE) { /* it has gone by itself: let it, so that its signal is told */
        pid_t done = waitpid(pid, &status, WNOHANG);
        if (done == 0)
            status = reap(pid);
    } else {
        status = reap(pid);
    }
    return rc == 0 ? 0 : explain(rc, status, options->timeout_ms, err);
}

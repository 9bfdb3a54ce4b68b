/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Both ends of the socket between parent and confined child.
 *
 * The child is a fork that may have been made while other threads held locks:
 * it uses the heap, which fork leaves usable in glibc, and nothing else shared.
 */
#include "util/confined.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "util/confine.h"

union control {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

/* ---- in the child ---- */

bool confined_say(const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n > 0) {
        ssize_t done = sendto(0, p, n, MSG_NOSIGNAL, NULL, 0);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

bool confined_hear(void *bytes, size_t size, int *out_fd)
{
    union control control;
    struct iovec part = {bytes, size};
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
    return n >= 0 && (size_t)n == size;
}

static void run_child(int sock, const struct confined_options *o, uint64_t file_bytes,
                      uint64_t memory)
{
    struct confined_file file = {0};
    if (!confine_process(sock, o->file, memory, o->cpu_ms))
        _exit(0);
    if (file_bytes) {
        void *p = mmap(NULL, file_bytes, PROT_READ, MAP_PRIVATE, 1, 0);
        if (p != MAP_FAILED)
            file = (struct confined_file){.bytes = p, .size = file_bytes};
        close(1);
    }
    file.unconfined = !confine_calls();
    o->work(o->how, &file);
    _exit(0);
}

/* ---- in the parent ---- */

int confined_start(struct confined *c, const struct confined_options *o, struct oriel_err *err)
{
    struct stat st;
    int pair[2];
    uint64_t in_use = confine_memory_in_use(), file_bytes = 0;
    assert(o->timeout_ms > 0 && o->work);
    if (o->file >= 0 && fstat(o->file, &st) == 0 && S_ISREG(st.st_mode))
        file_bytes = (uint64_t)st.st_size;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return err_set_errno(err, errno, "no socket for its reader");
    uint64_t memory = in_use ? in_use + file_bytes + o->memory_bytes : 0;
    pid_t pid = fork();
    if (pid == 0)
        run_child(pair[1], o, file_bytes, memory);
    int errno_value = errno;
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return err_set_errno(err, errno_value, "no process for its reader");
    }
    *c = (struct confined){.sock = pair[0],
                           .pid = pid,
                           .deadline_ns = clock_mono_ns() + (uint64_t)o->timeout_ms * 1000000,
                           .timeout_ms = o->timeout_ms};
    return 0;
}

int confined_receive(struct confined *c, void *bytes, size_t n)
{
    char *p = bytes;
    while (n > 0) {
        uint64_t now = clock_mono_ns();
        if (now >= c->deadline_ns)
            return -ETIMEDOUT;
        struct pollfd wait = {.fd = c->sock, .events = POLLIN};
        uint64_t left_ms = (c->deadline_ns - now) / 1000000 + 1;
        int ready = poll(&wait, 1, left_ms > 1000 ? 1000 : (int)left_ms);
        if (ready < 0 && errno != EINTR)
            return -EPIPE;
        if (ready <= 0)
            continue;
        ssize_t got = recv(c->sock, p, n, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (got <= 0)
            return -EPIPE;
        p += got;
        n -= (size_t)got;
    }
    return 0;
}

bool confined_reply(struct confined *c, const void *bytes, size_t n, int fd)
{
    union control control;
    struct iovec part = {(void *)(uintptr_t)bytes, n};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        memset(&control, 0, sizeof control);
        m.msg_control = control.bytes;
        m.msg_controllen = sizeof control.bytes;
        struct cmsghdr *head = CMSG_FIRSTHDR(&m);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(head), &fd, sizeof fd);
    }
    return sendmsg(c->sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n;
}

/* End it and tell how it ended. A process whose socket closed because it is ending has
 * its status by then, which the signal does not change. */
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

static int explain(const struct confined *c, int rc, int status, struct oriel_err *err)
{
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (rc == -ETIMEDOUT)
        return err_set(err, ORIEL_ELIMIT, "could not be read within %u ms", c->timeout_ms);
    if (rc == -ENOMEM)
        return err_set(err, ORIEL_ENOMEM, "holds more than fits into memory");
    if (rc == -EPROTO)
        return err_set(err, ORIEL_EDAMAGED, "made its reader talk nonsense: not used");
    if (number == SIGSYS)
        return err_set(err, ORIEL_EPERM, "made its reader leave its bounds: not used");
    if (number == SIGXCPU)
        return err_set(err, ORIEL_ELIMIT,
                       "took its reader more processor time than it is given: "
                       "not used");
    return err_set(err, ORIEL_EDAMAGED, "crashed its reader (signal %d): not used", number);
}

int confined_end(struct confined *c, int rc, struct oriel_err *err)
{
    close(c->sock);
    c->sock = -1;
    int status = reap(c->pid);
    c->pid = 0;
    return rc == 0 ? 0 : explain(c, rc, status, err);
}

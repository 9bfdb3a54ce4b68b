/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A helper process inside somebody else's program, who must not notice. A child
 * that does exec sends SIGCHLD to its parent and is found by its wait(), whatever
 * it was cloned with; so a warden stands in between: cloned without a signal at its
 * end, found only by those who ask for such children by number, never doing exec.
 * It shares our memory while we are held (as vfork does), so that nothing of a
 * large program is copied, and no handler of fork runs. The helper is its child;
 * the warden reads what it says, keeps the deadline and waits for it.
 *
 * Descriptors are made in the warden: the program around us has none of them.
 * In the warden and the helper only system calls are made.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "secret/scrub.h"
#include "vault/provider.h"

enum {
    STACK_BYTES = 64 << 10,
    SAID_MAX = 400,
    ENVIRONMENT_MAX = 32,
    PATH_MAX_BYTES = 1024,
    ABOVE = 10, /* descriptors are moved here before they get their numbers */
    CLOSE_MAX = 65536
};

/* What the three processes share. Mapped shared, because a debugger that follows
 * memory makes a fork of what asks to share it. */
struct shared {
    int rc;         /* what became of it */
    int errno_then; /* with ORIEL_EIO */
    int exec_errno; /* 0: the helper ran */
    int status;     /* of the helper, by waitpid */
    size_t out_n, said_n;
    char said[SAID_MAX + 1]; /* on its standard error */
    char out[SECRET_MAX + 1];
};

struct job {
    struct shared *shared;
    char *stack; /* of the helper before its exec */
    const char *path;
    char *const *argv, *const *environment;
    int stdin_fd, third_fd;
    int out_end, said_end; /* of the helper */
    uint64_t deadline_ns;
    const _Atomic uint64_t *nearer_ns; /* in the program's memory, which we share */
};

/* Their frames are never left, so nothing would forget what was marked of them in
 * memory that is somebody else's later. */
#define NEVER_RETURNS __attribute__((no_sanitize_address))

/* ---- the helper ---- */

/* Asked of the kernel: the C library keeps two signals to itself, and neither resets nor
 * unblocks them. As the kernel has them, a usual disposition and an empty set are zeros. */
static void calm_signals(void)
{
    static const uint64_t usual[4], none;
    for (int i = 1; i < NSIG; i++)
        (void)syscall(SYS_rt_sigaction, i, usual, NULL, sizeof none);
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
}

static void close_from(int first)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, ~0u, 0u) == 0)
        return;
#endif
    for (int fd = first; fd < CLOSE_MAX; fd++)
        close(fd);
}

/* Descriptors 0 to 3, whatever numbers they have now. */
static bool place(const struct job *j)
{
    int from[4] = {j->stdin_fd, j->out_end, j->said_end, j->third_fd};
    if (from[0] < 0)
        from[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < 4; i++)
        if (from[i] >= 0)
            from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, ABOVE);
    for (int i = 0; i < 4; i++) {
        if (from[i] >= 0 && dup2(from[i], i) != i)
            return false;
        if (from[i] < 0 && i < 3)
            return false;
    }
    close_from(from[3] >= 0 ? 4 : 3);
    return true;
}

NEVER_RETURNS static int helper(void *arg)
{
    const struct job *j = arg;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setsid(); /* no terminal to ask for passwords; all that it starts ends with it */
    if (place(j)) {
        calm_signals();
        execve(j->path, j->argv, j->environment);
    }
    j->shared->exec_errno = errno ? errno : EBADF;
    _exit(127);
}

/* ---- the warden ---- */

/* What is left, for poll; 0: nothing. */
static int left_ms(const struct job *j)
{
    const uint64_t now = clock_mono_ns(), deadline_ns = vault_until(j->deadline_ns, j->nearer_ns);
    const uint64_t most = j->nearer_ns ? VAULT_LOOK_MS : 1000;
    if (now >= deadline_ns)
        return 0;
    uint64_t ms = (deadline_ns - now + 999999) / 1000000;
    return (int)(ms > most ? most : ms);
}

/* Reads once. False: there is no more, or too much. */
static bool take(int fd, char *to, size_t room, size_t *io_n, bool rest_is_dropped)
{
    char dropped[512];
    bool full = *io_n == room;
    ssize_t n = full ? read(fd, dropped, sizeof dropped) : read(fd, to + *io_n, room - *io_n);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    if (n > 0 && !full)
        *io_n += (size_t)n;
    return n > 0 && (!full || rest_is_dropped);
}

/* 0, ORIEL_ETIMEOUT or ORIEL_ELIMIT. What is told on standard error is kept as far as
 * there is room, and its end is not waited for. */
static int listen_to(const struct job *j, int out, int said)
{
    struct shared *s = j->shared;
    struct pollfd fds[2] = {{.fd = out, .events = POLLIN}, {.fd = said, .events = POLLIN}};
    while (fds[0].fd >= 0) {
        int ms = left_ms(j);
        if (ms == 0)
            return ORIEL_ETIMEOUT;
        if (poll(fds, 2, ms) <= 0)
            continue;
        if (fds[1].revents && !take(said, s->said, SAID_MAX, &s->said_n, true))
            fds[1].fd = -1;
        bool full = s->out_n == SECRET_MAX;
        if (fds[0].revents && !take(out, s->out, SECRET_MAX, &s->out_n, false)) {
            fds[0].fd = -1;
            if (full && s->out_n == SECRET_MAX && (fds[0].revents & POLLIN))
                return ORIEL_ELIMIT;
        }
    }
    return 0;
}

/* The helper is done by itself before the deadline, or is ended; what it left behind
 * is ended in any case. Its number stays its own until all are gone. */
static int see_off(const struct job *j, pid_t pid, int rc)
{
    struct shared *s = j->shared;
    siginfo_t info = {0};
    while (rc == 0 && info.si_pid != pid) {
        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno != EINTR)
            rc = ORIEL_EIO;
        else if (info.si_pid != pid && left_ms(j) == 0)
            rc = ORIEL_ETIMEOUT;
        else if (info.si_pid != pid)
            (void)poll(NULL, 0, 1);
    }
    (void)kill(-pid, SIGKILL);
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, &s->status, 0) < 0 && errno == EINTR) {
    }
    while (waitpid(-pid, NULL, 0) >= 0 || errno == EINTR) {
    }
    return rc;
}

NEVER_RETURNS static int warden(void *arg)
{
    struct job *j = arg;
    struct shared *s = j->shared;
    struct sigaction usual = {.sa_handler = SIG_DFL};
    int out[2], said[2];
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* what its helper leaves behind is not the program's */
    /* A program that ignores SIGCHLD would have the kernel reap our helper. */
    (void)sigaction(SIGCHLD, &usual, NULL);
    s->rc = ORIEL_EIO;
    if (pipe2(out, O_CLOEXEC) == 0 && pipe2(said, O_CLOEXEC) == 0) {
        j->out_end = out[1];
        j->said_end = said[1];
        pid_t pid = clone(helper, j->stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, j);
        int why = errno;
        close(out[1]);
        close(said[1]);
        if (pid > 0)
            s->rc = see_off(j, pid, listen_to(j, out[0], said[0]));
        /* What it said last may have come after its output ended. */
        (void)fcntl(said[0], F_SETFL, O_NONBLOCK);
        while (pid > 0 && s->said_n < SAID_MAX &&
               take(said[0], s->said, SAID_MAX, &s->said_n, false) && errno != EAGAIN) {
        }
        errno = why;
    }
    s->errno_then = errno;
    _exit(0);
}

/* ---- from here on: in the program ---- */

/* On return nothing of it runs any more. */
static int run_warden(struct job *j, char *stack)
{
    sigset_t all, before;
    int status, kept = errno;
    sigfillset(&all);
    /* The warden has copies of the program's handlers: none may run in it. */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = 0;
    pid_t pid = clone(warden, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK, j);
    int why = errno;
    if (pid > 0)
        while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR) {
        }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = kept;
    return pid > 0 ? 0 : why ? why : EAGAIN;
}

/* Variables that a helper may need; ours and the program's own stay here, and what
 * would load libraries into it too. */
static bool helper_needs(const char *variable)
{
    static const char *const names[] = {
        "PATH=",           "HOME=",     "USER=",       "LOGNAME=", "LANG=",         "LC_ALL=",
        "LC_CTYPE=",       "TZ=",       "TMPDIR=",     "XDG_",     "DBUS_SESSION_", "GNUPGHOME=",
        "PASSWORD_STORE_", "SSH_AUTH_", "SYSTEMROOT=", NULL};
    for (size_t i = 0; names[i]; i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static void clean_environment(const struct vault_ask *ask, char *out[ENVIRONMENT_MAX + 1])
{
    size_t n = 0;
    for (const char *const *e = ask->environment; e && *e && n < ENVIRONMENT_MAX; e++)
        if (helper_needs(*e))
            out[n++] = (char *)(uintptr_t)*e;
    out[n] = NULL;
}

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Folders of PATH that are no whole path depend on where the program stands. */
static bool find_program(const struct vault_ask *ask, const char *name, char out[PATH_MAX_BYTES])
{
    const char *path = vault_variable(ask, "PATH");
    if (strchr(name, '/')) {
        int n = snprintf(out, PATH_MAX_BYTES, "%s", name);
        return n > 0 && n < PATH_MAX_BYTES && is_program(out);
    }
    for (path = path ? path : "/usr/local/bin:/usr/bin:/bin"; *path;) {
        size_t folder = strcspn(path, ":");
        int n = snprintf(out, PATH_MAX_BYTES, "%.*s/%s", (int)folder, path, name);
        if (*path == '/' && n > 0 && n < PATH_MAX_BYTES && is_program(out))
            return true;
        path += folder + (path[folder] == ':');
    }
    return false;
}

/* The first line that the helper said, without what must not be told. */
static const char *first_line(struct shared *s)
{
    s->said[s->said_n] = 0;
    char *line = s->said + strspn(s->said, " \t\r\n");
    line[strcspn(line, "\r\n")] = 0;
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    scrub_line(line);
    return line;
}

static int tell(struct shared *s, const char *name, struct oriel_err *err)
{
    if (s->exec_errno)
        return err_set_errno(err, s->exec_errno, "%s", name);
    if (s->rc == ORIEL_ETIMEOUT)
        return err_set(err, s->rc, "%s: did not answer in time", name);
    if (s->rc == ORIEL_ELIMIT)
        return err_set(err, s->rc, "%s: said more than %zu bytes", name, SECRET_MAX);
    if (s->rc != 0)
        return err_set_errno(err, s->errno_then, "%s", name);
    if (WIFSIGNALED(s->status))
        return err_set(err, ORIEL_EIO, "%s: ended by signal %d", name, WTERMSIG(s->status));
    if (WEXITSTATUS(s->status) != 0) {
        const char *line = first_line(s);
        return err_set(err, ORIEL_EIO, "%s: failed with status %d%s%.200s", name,
                       WEXITSTATUS(s->status), line[0] ? ": " : "", line);
    }
    return 0;
}

static int run(struct job *j, struct shared *s, const char *name, struct secret *out,
               struct oriel_err *err)
{
    void *stacks = mmap(NULL, 2 * STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stacks == MAP_FAILED)
        return err_set(err, ORIEL_ENOMEM, "%s: %s", name, err_text(ORIEL_ENOMEM));
    j->shared = s;
    j->stack = (char *)stacks + STACK_BYTES;
    int why = run_warden(j, stacks);
    munmap(stacks, 2 * STACK_BYTES);
    if (why)
        return err_set_errno(err, why, "%s cannot be started", name);
    int rc = tell(s, name, err);
    if (rc == 0) {
        rc = secret_copy(out, s->out, s->out_n);
        if (rc != 0)
            (void)err_set(err, rc, "%s: %s", name, err_text(rc));
    }
    return rc;
}

int vault_run(const struct vault_run *r, struct secret *out, struct oriel_err *err)
{
    char path[PATH_MAX_BYTES], *environment[ENVIRONMENT_MAX + 1];
    assert(r->argv && r->argv[0]);
    const char *name = r->argv[0];
    if (!find_program(r->ask, name, path))
        return err_set(err, ORIEL_ENOTFOUND, "%s: there is no such program", name);
    clean_environment(r->ask, environment);
    struct shared *s =
        mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s == MAP_FAILED)
        return err_set(err, ORIEL_ENOMEM, "%s: %s", name, err_text(ORIEL_ENOMEM));
    (void)mlock(s, sizeof *s);
    (void)madvise(s, sizeof *s, MADV_DONTDUMP);
    struct job j = {.path = path,
                    .argv = (char *const *)(uintptr_t)r->argv,
                    .environment = environment,
                    .stdin_fd = r->stdin_fd,
                    .third_fd = r->third_fd,
                    .deadline_ns = r->ask->deadline_ns,
                    .nearer_ns = r->ask->nearer_ns};
    int rc = run(&j, s, name, out, err);
    explicit_bzero(s, sizeof *s);
    munmap(s, sizeof *s);
    return rc;
}

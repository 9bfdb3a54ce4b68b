/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The tracer: follows a program and what it starts from stop to stop. Whoever
 * runs into a breakpoint (cov_space.h) is put back, also when another thread
 * had it taken away meanwhile.
 */
#include "cli/cov_trace.h"

#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/map.h"
#include "base/vec.h"
#include "cli/cov_space.h"

#if defined(__x86_64__)
#define TRAP_CODE SI_KERNEL
#define PC(regs) (regs).rip
#elif defined(__aarch64__)
#define TRAP_CODE TRAP_BRKPT
#define PC(regs) (regs).pc
#endif

struct tracer {
    struct trace *t;
    pid_t main;
    int status;
    bool over, leaving;
    struct map spaces_of; /* thread to space */
    struct map early;     /* threads that stopped before their parent told of them */
    struct map restored;  /* processes without breakpoints, while leaving */
    VEC(struct space) spaces;
    bool no_memory;
};

/* ---- spaces ---- */

static uint64_t entry_of(pid_t tid)
{
    char path[64];
    uint64_t pair[2], entry = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/auxv", tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && read(fd, pair, sizeof pair) == (ssize_t)sizeof pair && pair[0] != AT_NULL)
        if (pair[0] == AT_ENTRY)
            entry = pair[1];
    if (fd >= 0)
        close(fd);
    return entry;
}

/* A new program in the process: it stands before its first instruction, alone. */
static void on_exec(struct tracer *w, pid_t tid)
{
    struct space *s = VEC_PUSH(&w->spaces);
    uint64_t *of = s ? map_put(&w->spaces_of, (uint64_t)tid, 0) : NULL;
    w->no_memory |= !of;
    if (!of)
        return;
    *of = w->spaces.count - 1;
    w->no_memory |= !space_place(s, w->t, tid);
    if (!w->t->libraries)
        return;
    s->entry = entry_of(tid);
    if (s->entry && (!space_get_word(tid, s->entry, &s->entry_word) || s->entry_word == TRAP_INSN ||
                     !space_put_word(tid, s->entry, TRAP_INSN)))
        s->entry = 0;
}

static struct space *space_of(struct tracer *w, pid_t tid)
{
    const uint64_t *of = map_get(&w->spaces_of, (uint64_t)tid);
    return of ? &w->spaces.items[*of] : NULL;
}

/* ---- stops ---- */

/* True: the stop was at a breakpoint of ours; the thread may go on as if it had
 * never been there. */
static bool on_trap(struct tracer *w, pid_t tid)
{
    struct user_regs_struct regs;
    struct iovec io = {&regs, sizeof regs};
    siginfo_t info;
    struct space *s = space_of(w, tid);
    if (!s || ptrace(PTRACE_GETSIGINFO, tid, 0, &info) != 0 || info.si_code != TRAP_CODE ||
        ptrace(PTRACE_GETREGSET, tid, (void *)(uintptr_t)NT_PRSTATUS, &io) != 0)
        return false;
    uint64_t pc = PC(regs) - TRAP_PASSED;
    struct trace_spot *spot = space_spot(s, w->t, pc);
    bool entry = s->entry && pc == s->entry;
    if (!spot && !entry)
        return false;
    if (!space_put_word(tid, pc, entry ? s->entry_word : spot->original))
        return false;
    PC(regs) = pc;
    if (ptrace(PTRACE_SETREGSET, tid, (void *)(uintptr_t)NT_PRSTATUS, &io) != 0)
        return false;
    if (entry)
        w->no_memory |=
            !space_place(s, w->t, tid); /* of a fork before this, the libraries are not seen */
    if (spot && !spot->hit) {
        spot->hit = true;
        w->t->hits++;
    }
    return true;
}

static void go_on(pid_t tid, int signal_number)
{
    /* It may have been killed meanwhile; waitpid will tell. */
    (void)ptrace(PTRACE_CONT, tid, 0, (long)signal_number);
}

static bool is_stop_signal(int number)
{
    return number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
}

/* ---- leaving ---- */

static pid_t process_of(pid_t tid)
{
    char path[64], line[256];
    int pid = tid;
    (void)snprintf(path, sizeof path, "/proc/%d/status", tid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "Tgid:", 5) == 0)
            pid = (int)strtol(line + 5, NULL, 10);
    if (f)
        fclose(f);
    return pid;
}

/* A thread that ran into a breakpoint, and was stopped for another reason first. */
static bool trap_is_pending(pid_t tid)
{
    char path[64], line[256];
    uint64_t pending = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/status", tid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "SigPnd:", 7) == 0)
            pending = strtoull(line + 7, NULL, 16);
    if (f)
        fclose(f);
    return pending & UINT64_C(1) << (SIGTRAP - 1);
}

/* The thread is stopped. It is let go, and finds no breakpoint any more. */
static void let_go(struct tracer *w, pid_t tid, int signal_number)
{
    struct space *s = space_of(w, tid);
    pid_t process = process_of(tid);
    if (s && !map_get(&w->restored, (uint64_t)process)) {
        space_clear(s, w->t, tid);
        (void)map_put(&w->restored, (uint64_t)process, 1);
        w->t->left++;
    }
    if (trap_is_pending(tid)) {
        go_on(tid, signal_number); /* comes back as a trap */
        return;
    }
    if (ptrace(PTRACE_DETACH, tid, 0, (long)signal_number) == 0)
        (void)map_remove(&w->spaces_of, (uint64_t)tid);
}

static void begin_leaving(struct tracer *w)
{
    size_t at = 0;
    uint64_t tid, space;
    w->leaving = true;
    while (map_next(&w->spaces_of, &at, &tid, &space))
        (void)ptrace(PTRACE_INTERRUPT, (pid_t)tid, 0, 0);
}

/* ---- the loop ---- */

static void on_child(struct tracer *w, pid_t parent)
{
    unsigned long child = 0;
    const uint64_t *of = map_get(&w->spaces_of, (uint64_t)parent);
    if (!of || ptrace(PTRACE_GETEVENTMSG, parent, 0, &child) != 0)
        return;
    uint64_t space = *of;
    uint64_t *slot = map_put(&w->spaces_of, child, space);
    w->no_memory |= !slot;
    if (slot)
        *slot = space;
    if (!map_remove(&w->early, child))
        return;
    if (w->leaving)
        let_go(w, (pid_t)child, 0);
    else
        go_on((pid_t)child, 0);
}

/* Whose parent died before it could tell is like what died. */
static void adopt_early(struct tracer *w, uint64_t space)
{
    size_t at = 0;
    uint64_t tid, unused;
    while (map_next(&w->early, &at, &tid, &unused)) {
        w->no_memory |= !map_put(&w->spaces_of, tid, space);
        if (w->leaving)
            let_go(w, (pid_t)tid, 0);
        else
            go_on((pid_t)tid, 0);
    }
    map_clear(&w->early);
}

static void on_end(struct tracer *w, pid_t tid, int status)
{
    const uint64_t *of = map_get(&w->spaces_of, (uint64_t)tid);
    if (of && w->early.count)
        adopt_early(w, *of);
    (void)map_remove(&w->spaces_of, (uint64_t)tid);
    (void)map_remove(&w->early, (uint64_t)tid);
    if (tid != w->main)
        return;
    w->status = status;
    w->over = true;
    begin_leaving(w);
}

static void on_event(struct tracer *w, pid_t tid, int event, int signal_number)
{
    if (event == PTRACE_EVENT_EXEC && w->leaving) {
        (void)ptrace(PTRACE_DETACH, tid, 0, 0);
        (void)map_remove(&w->spaces_of, (uint64_t)tid);
    } else if (event == PTRACE_EVENT_EXEC) {
        on_exec(w, tid);
        go_on(tid, 0);
    } else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK ||
               event == PTRACE_EVENT_CLONE) {
        on_child(w, tid);
        go_on(tid, 0);
    } else if (event == PTRACE_EVENT_STOP && !map_get(&w->spaces_of, (uint64_t)tid)) {
        w->no_memory |= !map_put(&w->early, (uint64_t)tid, 1);
    } else if (event == PTRACE_EVENT_STOP && w->leaving) {
        let_go(w, tid, 0);
    } else if (event == PTRACE_EVENT_STOP && is_stop_signal(signal_number)) {
        (void)ptrace(PTRACE_LISTEN, tid, 0, 0);
    } else {
        go_on(tid, 0);
    }
}

static void on_stop(struct tracer *w, pid_t tid, int status)
{
    int signal_number = WSTOPSIG(status), event = (int)((unsigned)status >> 16);
    if (event) {
        on_event(w, tid, event, signal_number);
        return;
    }
    bool ours = signal_number == SIGTRAP && on_trap(w, tid);
    if (w->leaving)
        let_go(w, tid, ours ? 0 : signal_number);
    else
        go_on(tid, ours ? 0 : signal_number);
}

static void follow(struct tracer *w)
{
    for (;;) {
        int status;
        if (w->leaving && w->spaces_of.count == 0 && w->early.count == 0)
            return;
        pid_t tid = waitpid(-1, &status, __WALL);
        if (tid < 0 && errno == EINTR)
            continue;
        if (tid < 0)
            return;
        if (WIFSTOPPED(status)) {
            on_stop(w, tid, status);
            continue;
        }
        on_end(w, tid, status);
    }
}

/* ---- starting ---- */

static volatile sig_atomic_t program_pid;

/* What the terminal sends (si_code > 0), the program has got already. */
static void pass_on(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_code <= 0 && program_pid > 0)
        kill(program_pid, signal_number);
}

static const int passed_on[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
enum { PASSED_ON = sizeof passed_on / sizeof *passed_on };

static void take_signals(struct sigaction old[PASSED_ON])
{
    struct sigaction sa = {.sa_flags = SA_SIGINFO | SA_RESTART};
    sa.sa_sigaction = pass_on;
    sigemptyset(&sa.sa_mask);
    for (int i = 0; i < PASSED_ON; i++)
        if (sigaction(passed_on[i], NULL, &old[i]) == 0 && old[i].sa_handler != SIG_IGN)
            sigaction(passed_on[i], &sa, NULL);
}

static void give_back_signals(const struct sigaction old[PASSED_ON])
{
    program_pid = 0;
    for (int i = 0; i < PASSED_ON; i++)
        sigaction(passed_on[i], &old[i], NULL);
}

/* In the child: nothing but system calls. Runs the program once told to. */
static void become(const char *path, char *const argv[], int start, int answer,
                   const sigset_t *mask)
{
    char byte;
    int why;
    if (read(start, &byte, 1) != 1)
        _exit(127);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execve(path, argv, environ);
    why = errno;
    ssize_t n = write(answer, &why, sizeof why);
    (void)n;
    _exit(127);
}

static int seize(pid_t pid, struct oriel_err *err)
{
    long how = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
               PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SEIZE, pid, 0, how) == 0)
        return 0;
    return err_set(err, ORIEL_EPERM,
                   "the program may not be traced here (%s): no breakpoints; build it with "
                   "--coverage instead",
                   errno == EPERM ? "ptrace is not permitted" : "ptrace refuses");
}

struct starting {
    int start[2], answer[2];
    sigset_t mask;
};

static void end_child(pid_t pid)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
}

/* Until the program's first image is there, or will never be. */
static int await_exec(struct tracer *w, const char *path, int answer, struct oriel_err *err)
{
    int status, why = 0;
    while (waitpid(w->main, &status, __WALL) < 0 && errno == EINTR)
        ;
    while (WIFSTOPPED(status) && status >> 16 != PTRACE_EVENT_EXEC) {
        go_on(w->main, status >> 16 ? 0 : WSTOPSIG(status));
        while (waitpid(w->main, &status, __WALL) < 0 && errno == EINTR)
            ;
    }
    if (WIFSTOPPED(status)) {
        on_exec(w, w->main);
        go_on(w->main, 0);
        return 0;
    }
    if (read(answer, &why, sizeof why) != (ssize_t)sizeof why)
        return err_set(err, ORIEL_EIO, "%s: ended before it began", path);
    return err_set_errno(err, why, "%s: cannot be started", path);
}

static int start(struct tracer *w, struct starting *p, const char *path, char *const argv[],
                 struct oriel_err *err)
{
    char byte = 0;
    w->main = fork();
    if (w->main == 0) {
        close(p->start[1]);
        become(path, argv, p->start[0], p->answer[1], &p->mask);
    }
    if (w->main < 0)
        return err_set_errno(err, errno, "%s: cannot be started", path);
    /* Ignored, it would take the exit status away; the program has it as it was. */
    const struct sigaction usual = {.sa_handler = SIG_DFL};
    sigaction(SIGCHLD, &usual, NULL);
    close(p->answer[1]);
    p->answer[1] = -1;
    int rc = seize(w->main, err);
    if (rc == 0 && write(p->start[1], &byte, 1) != 1)
        rc = err_set(err, ORIEL_EIO, "%s: ended before it began", path);
    if (rc < 0) {
        end_child(w->main);
        return rc;
    }
    program_pid = w->main;
    return await_exec(w, path, p->answer[0], err);
}

static void close_all(struct starting *p)
{
    for (int i = 0; i < 2; i++) {
        if (p->start[i] >= 0)
            close(p->start[i]);
        if (p->answer[i] >= 0)
            close(p->answer[i]);
    }
}

static void tracer_done(struct tracer *w)
{
    for (size_t i = 0; i < w->spaces.count; i++)
        space_done(&w->spaces.items[i]);
    VEC_DONE(&w->spaces);
    map_done(&w->spaces_of);
    map_done(&w->early);
    map_done(&w->restored);
}

int trace_run(struct trace *t, const char *path, char *const argv[], int *out_status,
              struct oriel_err *err)
{
    struct tracer w = {.t = t};
    struct starting p = {.start = {-1, -1}, .answer = {-1, -1}};
    struct sigaction old[PASSED_ON];
    sigset_t ours;
    assert(t && path && argv && argv[0]);
    sigemptyset(&ours);
    for (int i = 0; i < PASSED_ON; i++)
        sigaddset(&ours, passed_on[i]);
    if (pipe2(p.start, O_CLOEXEC) != 0 || pipe2(p.answer, O_CLOEXEC) != 0) {
        int why = errno;
        close_all(&p);
        return err_set_errno(err, why, "%s: cannot be started", path);
    }
    /* What is sent to us while there is no program yet waits until there is. */
    sigprocmask(SIG_BLOCK, &ours, &p.mask);
    take_signals(old);
    int rc = start(&w, &p, path, argv, err);
    sigprocmask(SIG_SETMASK, &p.mask, NULL);
    if (rc == 0)
        follow(&w);
    if (rc == 0 && !w.over)
        rc = err_set(err, ORIEL_EIO, "%s: its end was not seen", path);
    t->incomplete = w.no_memory;
    give_back_signals(old);
    close_all(&p);
    *out_status = w.status;
    tracer_done(&w);
    return rc;
}

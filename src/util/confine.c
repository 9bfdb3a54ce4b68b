/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The bounds of the child. Runs after fork, so it calls the kernel only. A
 * system call that is not on the list ends the process at once (SIGSYS).
 */
#include "util/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/os.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#else
#define THIS_ARCH 0
#endif

uint64_t confine_memory_in_use(void)
{
    char text[64];
    if (os_read_file("/proc/self/statm", text, sizeof text) <= 0)
        return 0;
    return strtoull(text, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool limit(int which, uint64_t value)
{
    struct rlimit now, wanted = {value, value};
    if (getrlimit((__rlimit_resource_t)which, &now) == 0 && now.rlim_max < value)
        wanted.rlim_cur = wanted.rlim_max = now.rlim_max; /* cannot be raised */
    return setrlimit((__rlimit_resource_t)which, &wanted) == 0;
}

/* First the signal that says why, a second later the one that cannot be ignored. */
static bool limit_cpu(uint64_t seconds)
{
    struct rlimit now, wanted = {seconds, seconds + 1};
    if (getrlimit(RLIMIT_CPU, &now) == 0 && now.rlim_max < wanted.rlim_max)
        return limit(RLIMIT_CPU, seconds);
    return setrlimit(RLIMIT_CPU, &wanted) == 0;
}

static void default_signals(void)
{
    sigset_t none;
    struct sigaction plain = {.sa_handler = SIG_DFL};
    for (int i = 1; i < NSIG; i++)
        sigaction(i, &plain, NULL); /* fails for two of them: those have none */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Close all descriptors from 2 on. */
static bool close_others(void)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 2u, ~0u, 0u) == 0)
        return true;
#endif
    long max = sysconf(_SC_OPEN_MAX);
    for (int fd = 2; fd < max && fd < 1 << 20; fd++)
        close(fd);
    return true;
}

bool confine_process(int sock, int file, uint64_t memory_bytes, uint32_t timeout_ms)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    default_signals();
    int high_sock = fcntl(sock, F_DUPFD, 10);
    int high_file = file >= 0 ? fcntl(file, F_DUPFD, 10) : -1;
    if (high_sock < 0 || (file >= 0 && high_file < 0) || dup2(high_sock, 0) != 0)
        return false;
    if (high_file < 0)
        close(1);
    else if (dup2(high_file, 1) != 1)
        return false;
    /* Descriptors come in one at a time and are closed once mapped. */
    bool good = close_others() && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_CORE, 0) &&
                limit(RLIMIT_NOFILE, 8) && limit_cpu(timeout_ms / 1000 + 2);
    if (good && !SANITIZED && memory_bytes)
        good = limit(RLIMIT_AS, memory_bytes);
    return good && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

#define LOAD(field)                                                                                \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field))
/* Low half of an argument (little endian). */
#define LOAD_ARG(n) LOAD(args[n])
#define DENY BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define PERMIT BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
/* If the call is `nr`, permit it. */
#define CALL(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), PERMIT
/* If it is `nr`: only on descriptor 0. */
#define CALL_ON_SOCKET(nr)                                                                         \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 4), LOAD_ARG(0),                                    \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), PERMIT, DENY
/* If it is `nr`: not with PROT_EXEC. */
#define CALL_NO_EXEC(nr)                                                                           \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 4), LOAD_ARG(2),                                    \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0), PERMIT, DENY

bool confine_calls(void)
{
    const struct sock_filter filter[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0),
        DENY,
        LOAD(nr),
        CALL_NO_EXEC(SYS_mmap),
        CALL_NO_EXEC(SYS_mprotect),
        CALL_ON_SOCKET(SYS_recvmsg),
        CALL_ON_SOCKET(SYS_sendto),
        CALL(SYS_munmap),
        CALL(SYS_mremap),
        CALL(SYS_madvise),
        CALL(SYS_brk),
        CALL(SYS_futex),
        CALL(SYS_close),
        CALL(SYS_getrandom), /* the first malloc of a process */
        CALL(SYS_sysinfo),   /* the first qsort: how much memory is there */
        CALL(SYS_rt_sigreturn),
        CALL(SYS_exit),
        CALL(SYS_exit_group),
#if SANITIZED
        CALL(SYS_gettid),
        CALL(SYS_getpid),
        CALL(SYS_sched_yield),
        CALL(SYS_sigaltstack),
        CALL(SYS_rt_sigprocmask),
        CALL(SYS_clock_gettime),
#endif
        DENY,
    };
    const struct sock_fprog program = {.len = sizeof filter / sizeof *filter,
                                       .filter = (struct sock_filter *)(uintptr_t)filter};
    return THIS_ARCH != 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

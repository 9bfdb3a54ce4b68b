/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * No allocation, no lock, no system call in an emit (B14), after the first of a
 * thread. From then on the kernel ends the process at any system call but
 * write and exit_group, and purity_shim.c, preloaded, counts allocations and
 * locks over a million events of 16 fields, spans, and records of every chunk
 * end among them. Exit 0 if there was none.
 *
 *   purity [syscall|malloc|lock]     to see that each of them is noticed
 */
#define ORIEL_TARGET "harness"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <oriel/oriel.h>

enum { EMITS = 1000000 };

/* In the shim; without it the test cannot be made. */
extern unsigned long purity_calls(void) __attribute__((weak));

static int forbid_system_calls(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog all = {sizeof rules / sizeof *rules, rules};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all, 0, 0);
}

static void emit(uint64_t i)
{
    ORIEL_SPAN("pure.span", "i", i);
    ORIEL_EVENT("pure.event", "a", i, "b", -(int64_t)i, "c", 1.5 * (double)i, "d", "some text", "e",
                i, "f", i + 1, "g", i + 2, "h", "more of it", "i", i, "j", i, "k", i, "l", i, "m",
                i, "n", i, "o", i, "p", (void *)&i);
}

/* What must be noticed, when asked for. */
static void stain(const char *which)
{
    static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
    static void *volatile kept __attribute__((unused));
    if (strcmp(which, "syscall") == 0)
        syscall(SYS_getppid);
    if (strcmp(which, "malloc") == 0)
        kept = malloc(10);
    if (strcmp(which, "lock") == 0)
        pthread_mutex_lock(&m);
}

int main(int argc, char **argv)
{
    static char line[64];
    if (!purity_calls || !oriel_enabled())
        return 77;
    emit(0);
    if (forbid_system_calls() != 0)
        return 77;
    unsigned long before = purity_calls();
    for (uint64_t i = 0; i < EMITS; i++)
        emit(i);
    if (argc > 1)
        stain(argv[1]);
    unsigned long calls = purity_calls() - before;
    int n = snprintf(line, sizeof line, "emits %d calls %lu\n", EMITS, calls);
    if (write(STDOUT_FILENO, line, (size_t)n) != n)
        _exit(3);
    _exit(calls ? 1 : 0);
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Ways out of a program on which no destructor runs: _exit, quick_exit, and exec. Sums
 * are told before; then the C library's own function does what was asked. A destructor does
 * the same where the program returns. Any thread, signal handlers (all of them but
 * execvp, execlp and quick_exit), and children of vfork, who have their parent's tables.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hook/calls/calls.h"

#define EXPORT __attribute__((visibility("default")))
#define LIST_MAX 4096 /* arguments of execl; more than that is refused like too many bytes are */

typedef int execve_fn(const char *, char *const[], char *const[]);
typedef int execv_fn(const char *, char *const[]);
typedef int fexecve_fn(int, char *const[], char *const[]);
typedef void quick_exit_fn(int);

static struct {
    execve_fn *execve, *execvpe;
    execv_fn *execv, *execvp;
    fexecve_fn *fexecve;
    quick_exit_fn *quick_exit;
} real;

/* While there is one thread: later the loader's lock may be taken. */
void calls_ending_open(void)
{
    *(void **)&real.execve = dlsym(RTLD_NEXT, "execve");
    *(void **)&real.execvpe = dlsym(RTLD_NEXT, "execvpe");
    *(void **)&real.execv = dlsym(RTLD_NEXT, "execv");
    *(void **)&real.execvp = dlsym(RTLD_NEXT, "execvp");
    *(void **)&real.fexecve = dlsym(RTLD_NEXT, "fexecve");
    *(void **)&real.quick_exit = dlsym(RTLD_NEXT, "quick_exit");
}

/* Before that there is nothing to tell either. */
static void begin(void)
{
    if (!real.execve)
        calls_ending_open();
    calls_tell_all();
}

__attribute__((destructor)) static void finish(void)
{
    calls_tell_all();
}

static __attribute__((noreturn)) void leave(int status)
{
    calls_tell_all();
    for (;;)
        (void)syscall(SYS_exit_group, status);
}

EXPORT void _exit(int status)
{
    leave(status);
}

EXPORT void _Exit(int status)
{
    leave(status);
}

/* Its handlers run first; they may call functions still: a C library ends by _exit inside. */
EXPORT void quick_exit(int status)
{
    begin();
    if (real.quick_exit)
        real.quick_exit(status);
    leave(status);
}

EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
    begin();
    return real.execve(path, argv, envp);
}

EXPORT int execv(const char *path, char *const argv[])
{
    begin();
    return real.execv(path, argv);
}

EXPORT int execvp(const char *file, char *const argv[])
{
    begin();
    return real.execvp(file, argv);
}

EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
    begin();
    return real.execvpe(file, argv, envp);
}

EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
    begin();
    return real.fexecve(fd, argv, envp);
}

/* Arguments with the NULL behind them; 0: too many. */
static size_t count(va_list ap)
{
    size_t n = 1;
    while (n <= LIST_MAX && va_arg(ap, char *))
        n++;
    return n <= LIST_MAX ? n + 1 : 0;
}

#define ARGUMENTS(first)                                                                           \
    va_list ap;                                                                                    \
    va_start(ap, first);                                                                           \
    const size_t n = count(ap);                                                                    \
    va_end(ap);                                                                                    \
    if (n == 0) {                                                                                  \
        errno = E2BIG;                                                                             \
        return -1;                                                                                 \
    }                                                                                              \
    char *argv[n];                                                                                 \
    argv[0] = (char *)(uintptr_t)(first);                                                          \
    va_start(ap, first);                                                                           \
    for (size_t i = 1; i < n; i++)                                                                 \
        argv[i] = va_arg(ap, char *)

EXPORT int execl(const char *path, const char *arg, ...)
{
    ARGUMENTS(arg);
    va_end(ap);
    return execv(path, argv);
}

EXPORT int execlp(const char *file, const char *arg, ...)
{
    ARGUMENTS(arg);
    va_end(ap);
    return execvp(file, argv);
}

EXPORT int execle(const char *path, const char *arg, ...)
{
    ARGUMENTS(arg);
    char *const *envp = va_arg(ap, char *const *);
    va_end(ap);
    return execve(path, argv, envp);
}

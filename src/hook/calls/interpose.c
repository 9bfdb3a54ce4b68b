/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What functions compiled with -finstrument-functions call at their beginning
 * and end. The C library has both as functions that do nothing; this library is
 * loaded in front of it by `oriel record --calls`. And ways out of a program on which no
 * destructor runs: sums are told before.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <oriel/runtime.h>

#include "base/os.h"
#include "hook/calls/calls.h"
#include "rec/rec.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT void __cyg_profile_func_enter(void *function, void *caller);
EXPORT void __cyg_profile_func_exit(void *function, void *caller);

void __cyg_profile_func_enter(void *function, void *caller)
{
    const struct calls_thread *t = calls_here.calls;
    const uintptr_t sp = (uintptr_t)__builtin_dwarf_cfa();
    if (t && t->sums)
        calls_count_here(function, (uintptr_t)caller, sp);
    else
        calls_enter_here(function, (uintptr_t)caller, sp);
}

void __cyg_profile_func_exit(void *function, void *caller)
{
    const struct calls_thread *t = calls_here.calls;
    const uintptr_t sp = (uintptr_t)__builtin_dwarf_cfa();
    if (t && t->sums)
        calls_uncount_here(function, (uintptr_t)caller, sp);
    else
        calls_leave_here(function, (uintptr_t)caller, sp);
}

/* ---- ways out: any thread, signal handlers, and children of vfork, who have their parent's
 * tables. The C library's own function does what was asked. ---- */

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
static void find_real(void)
{
    *(void **)&real.execve = dlsym(RTLD_NEXT, "execve");
    *(void **)&real.execvpe = dlsym(RTLD_NEXT, "execvpe");
    *(void **)&real.execv = dlsym(RTLD_NEXT, "execv");
    *(void **)&real.execvp = dlsym(RTLD_NEXT, "execvp");
    *(void **)&real.fexecve = dlsym(RTLD_NEXT, "fexecve");
    *(void **)&real.quick_exit = dlsym(RTLD_NEXT, "quick_exit");
}

/* Before that there is nothing to tell either. */
static void tell_before(void)
{
    if (!real.execve)
        find_real();
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
    tell_before();
    if (real.quick_exit)
        real.quick_exit(status);
    leave(status);
}

EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
    tell_before();
    return real.execve(path, argv, envp);
}

EXPORT int execv(const char *path, char *const argv[])
{
    tell_before();
    return real.execv(path, argv);
}

EXPORT int execvp(const char *file, char *const argv[])
{
    tell_before();
    return real.execvp(file, argv);
}

EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
    tell_before();
    return real.execvpe(file, argv, envp);
}

EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
    tell_before();
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

/* ---- the beginning ---- */

static void forked(void)
{
    calls_tell_forked(calls_here.calls);
    if (calls_here.calls)
        calls_forget(calls_here.calls);
}

struct program {
    uint64_t bias, base; /* base: where it begins in memory */
};

/* The program itself comes first. */
static int first(struct dl_phdr_info *info, size_t size, void *out)
{
    struct program *p = out;
    (void)size;
    p->bias = info->dlpi_addr;
    p->base = UINT64_MAX;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        uint64_t at = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        if (info->dlpi_phdr[i].p_type == PT_LOAD && at < p->base)
            p->base = at;
    }
    return 1;
}

/* Functions that are left out are told in the recording, with the reason. */
static void tell(const struct calls_patched *p)
{
    static oriel_word word;
    static const struct oriel_field fields[] = {{.name = "seen", .type = ORIEL_TYPE_U64},
                                                {.name = "left_out", .type = ORIEL_TYPE_U64},
                                                {.name = "why", .type = ORIEL_TYPE_STR}};
    const struct oriel_site site = {.abi_version = ORIEL_ABI_VERSION,
                                    .kind = ORIEL_SITE_EVENT,
                                    .level = ORIEL_LEVEL_WARN,
                                    .field_count = 3,
                                    .flags = ORIEL_SITE_NAMED,
                                    .name = "calls of some functions are not seen",
                                    .target = "oriel.calls",
                                    .file = "",
                                    .function = "",
                                    .fields = fields,
                                    .word = &word};
    const char *why = p->why ? p->why : "";
    const struct oriel_value values[] = {
        {.type = ORIEL_TYPE_U64, .v.u64 = p->functions},
        {.type = ORIEL_TYPE_U64, .v.u64 = p->refused},
        {.type = ORIEL_TYPE_STR, .size = (uint32_t)strlen(why), .v.bytes = why}};
    if (p->why && oriel_site_new(&site) == 0 && ORIEL_RECORDED(word))
        oriel_abi_event(word, 0, values, 3);
}

static void open_list(const void *image, size_t n)
{
    struct program p;
    struct calls_patched patched = {0};
    const struct calls_head *h = image;
    oriel_word *words = NULL;
    (void)dl_iterate_phdr(first, &p);
    bool entries = calls_check(image, n) && h->entry_count > 0;
    if (entries)
        words = calls_patch_room(h->count, p.base, &patched);
    if (calls_open(image, n, p.bias, words) < 0)
        return;
    if (calls_are_summed())
        (void)calls_tell_open(); /* where it has no event of its own, sums are told without */
    if (!entries)
        return;
    if (words)
        calls_patch(image, p.bias, &patched);
    tell(&patched);
}

/* Whichever constructor comes first, this one or that of the core, attaches. The list
 * is of the program that was started: one that it execs has none of these addresses, and is
 * told apart by its path. */
__attribute__((constructor)) static void begin(void)
{
    bool secure = getauxval(AT_SECURE) != 0;
    const char *ring = secure ? NULL : getenv("ORIEL_RING");
    const char *list = secure ? NULL : getenv("ORIEL_CALLS");
    const char *program = secure ? NULL : getenv("ORIEL_CALLS_PROGRAM");
    char exe[4096];
    void *image = NULL;
    size_t n = 0;
    int kept = errno;
    rec_current_looks_on();
    calls_here.inside = 1;
    if (ring && *ring && !rec_is_on())
        (void)oriel_attach(ring);
    bool same = program && os_exe_path(exe, sizeof exe) == 0 && strcmp(exe, program) == 0;
    if (same && list && *list && rec_is_on() && os_map_file(list, &n, &image) == 0) {
        calls_threads_open();
        find_real();
        open_list(image, n);
        pthread_atfork(NULL, NULL, forked);
    }
    calls_here.inside = 0;
    errno = kept;
}

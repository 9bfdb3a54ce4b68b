/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a crash handler needs of the operating system: a stack to run on, where
 * the interrupted code was, and the same signal once more. Everything here is
 * async-signal-safe and keeps errno; no libc state is touched.
 */
#include "base/os.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define GUARD_BYTES 4096u

/* A failed call's -errno, with the caller's errno put back. */
static int failed(int kept)
{
    int rc = -errno;
    errno = kept;
    return rc;
}

int os_signal_stack(size_t size, void **out)
{
    stack_t now, mine = {.ss_size = size};
    int kept = errno;
    assert(out && size % GUARD_BYTES == 0);
    if (sigaltstack(NULL, &now) != 0)
        return failed(kept);
    if (!(now.ss_flags & SS_DISABLE))
        return -EEXIST;
    char *p = mmap(NULL, GUARD_BYTES + size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return failed(kept);
    mine.ss_sp = p + GUARD_BYTES;
    if (mprotect(p, GUARD_BYTES, PROT_NONE) != 0 || sigaltstack(&mine, NULL) != 0) {
        int rc = failed(kept);
        munmap(p, GUARD_BYTES + size);
        errno = kept;
        return rc;
    }
    *out = mine.ss_sp;
    return 0;
}

int os_signal_stack_drop(void *stack, size_t size)
{
    stack_t now;
    const stack_t none = {.ss_flags = SS_DISABLE};
    int kept = errno;
    assert(stack);
    if (sigaltstack(NULL, &now) != 0)
        return failed(kept);
    if (now.ss_sp == stack && !(now.ss_flags & SS_DISABLE)) {
        if (sigaltstack(&none, NULL) != 0)
            return failed(kept); /* running on it */
    } else if (!(now.ss_flags & SS_DISABLE)) {
        return -EEXIST; /* who put another in its place may put ours back */
    }
    munmap((char *)stack - GUARD_BYTES, GUARD_BYTES + size);
    errno = kept;
    return 0;
}

size_t os_signal_stack_left(const void *context, const void *here)
{
    const ucontext_t *u = context;
    const char *low = u->uc_stack.ss_sp, *at = here;
    if ((u->uc_stack.ss_flags & SS_DISABLE) || at < low || at >= low + u->uc_stack.ss_size)
        return SIZE_MAX;
    return (size_t)(at - low);
}

uint64_t os_signal_ip(const void *context)
{
    const ucontext_t *u = context;
#if defined(__x86_64__)
    return (uint64_t)u->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return u->uc_mcontext.pc;
#else
    (void)u;
    return 0;
#endif
}

int os_signal_again(int number, void *siginfo)
{
    int kept = errno;
    int32_t pid = os_getpid(), tid = os_gettid();
    if (syscall(SYS_rt_tgsigqueueinfo, pid, tid, number, siginfo) != 0 &&
        syscall(SYS_tgkill, pid, tid, number) != 0)
        return failed(kept);
    errno = kept;
    return 0;
}

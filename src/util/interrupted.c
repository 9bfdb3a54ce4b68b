/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Does a signal handler run on this thread? The kernel leaves a frame on the stack of what it
 * interrupts. Where none lies between here and the stack's beginning, nothing was interrupted.
 * One that was left when no fewer signals could come than now is a handler's that ended long ago.
 * On a stack that is not the thread's own nothing is known, and the answer is "maybe".
 */
#include "util/interrupted.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/os.h"

enum { SIGNALS = 64, PIECE = 512, STACK_MAX = 1 << 20 };

#if defined(__GLIBC__)
extern void *__libc_stack_end; /* where the main thread of the program began */
#endif

/* By the kernel, since it need not be there. */
static bool read_at(uintptr_t at, void *out, size_t n)
{
    struct iovec mine = {out, n}, theirs = {(void *)at, n};
    return syscall(SYS_process_vm_readv, os_getpid(), &mine, 1, &theirs, 1, 0) == (long)n;
}

#if defined(__x86_64__)
/* As the kernel has it, which tells more than sigaction() does. */
struct kernel_action {
    uintptr_t handler, flags, restorer;
    uint64_t mask;
};

struct suspects {
    uintptr_t returns[SIGNALS]; /* where the handler of each signal returns to */
    uint64_t blocked;           /* now */
    bool nested;                /* some do not block themselves */
};

/* The first words of what it leaves: the address to return to, and a ucontext. */
enum { FRAME_LINK = 2, FRAME_SP = 21, FRAME_CS = 24, FRAME_MASK = 38, FRAME_WORDS = 39 };
#define USER_CS 0x33u

static bool find_suspects(struct suspects *out)
{
    memset(out, 0, sizeof *out);
    for (int n = 1; n <= SIGNALS; n++) {
        struct kernel_action a = {0};
        if (syscall(SYS_rt_sigaction, n, NULL, &a, sizeof a.mask) != 0)
            return false;
        out->returns[n - 1] = a.restorer;
        if (a.flags & SA_NODEFER)
            out->nested = true;
    }
    return syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &out->blocked, sizeof out->blocked) == 0;
}

static bool is_suspect(const void *suspects, uintptr_t at, uintptr_t word)
{
    const struct suspects *s = suspects;
    uintptr_t frame[FRAME_WORDS];
    int n = 0;
    while (n < SIGNALS && s->returns[n] != word)
        n++;
    if (word == 0 || n == SIGNALS)
        return false;
    if (!read_at(at, frame, sizeof frame))
        return false; /* the stack ends before it could */
    if (frame[FRAME_LINK] != 0 || frame[FRAME_SP] <= at || (uint16_t)frame[FRAME_CS] != USER_CS)
        return false;
    return s->nested || (s->blocked & ~(uint64_t)frame[FRAME_MASK]) != 0;
}
#else
/* Handlers return to the kernel's own page of code, which calls nobody. */
struct suspects {
    uintptr_t from, to;
};
enum { VDSO_BYTES = 4 << 12 };

static bool find_suspects(struct suspects *out)
{
    out->from = (uintptr_t)getauxval(AT_SYSINFO_EHDR);
    out->to = out->from + VDSO_BYTES;
    return out->from != 0;
}

static bool is_suspect(const void *suspects, uintptr_t at, uintptr_t word)
{
    const struct suspects *s = suspects;
    (void)at;
    return word >= s->from && word < s->to;
}
#endif

/* Where this thread's stack begins; 0 not known. The C library puts what belongs to a thread above
 * its stack, but for the main thread of the program, which a fork may have left behind. */
static uintptr_t stack_end(uintptr_t here)
{
    uintptr_t thread = (uintptr_t)pthread_self();
    if (here < thread && thread - here <= STACK_MAX)
        return thread;
#if defined(__GLIBC__)
    uintptr_t end = (uintptr_t)__libc_stack_end;
    if (here < end && end - here <= STACK_MAX)
        return end;
#endif
    return 0;
}

typedef bool test_fn(const void *how, uintptr_t at, uintptr_t word);

/* Is nothing of it there, between these addresses of the stack? */
static bool is_clean(uintptr_t from, uintptr_t to, test_fn *is_there, const void *how)
{
    uintptr_t words[PIECE];
    for (uintptr_t at = from & ~(sizeof *words - 1); at < to;) {
        size_t n = to - at < sizeof words ? to - at : sizeof words;
        if (!read_at(at, words, n))
            return false;
        for (size_t i = 0; i < n / sizeof *words; i++)
            if (is_there(how, at + i * sizeof *words, words[i]))
                return false;
        at += n;
    }
    return true;
}

/* Not inlined: what lies above its frame is the caller's. */
__attribute__((noinline)) bool interrupted_may_be(void)
{
    struct suspects s;
    stack_t stack;
    int kept = errno;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0), end = stack_end(here);
    bool normal = end != 0 && sigaltstack(NULL, &stack) == 0 && !(stack.ss_flags & SS_ONSTACK) &&
                  find_suspects(&s) && is_clean(here, end, is_suspect, &s);
    errno = kept;
    return !normal;
}

/* Does a call end there? Nothing else leaves an address to return to. */
static bool is_after_call(uintptr_t at)
{
#if defined(__x86_64__)
    enum { CALL = 0xe8, CALL_BY = 0xff, LONGEST = 7 };
    uint8_t code[LONGEST];
    if (!read_at(at - LONGEST, code, sizeof code))
        return true;
    if (code[LONGEST - 5] == CALL)
        return true;
    for (int n = 2; n <= LONGEST; n++) /* of such a length: its second byte says "call" */
        if (code[LONGEST - n] == CALL_BY && (code[LONGEST - n + 1] >> 3 & 7) == 2)
            return true;
    return false;
#else
    (void)at;
    return true;
#endif
}

static bool is_code(const void *range, uintptr_t at, uintptr_t word)
{
    const uintptr_t *r = range;
    (void)at;
    /* Nothing returns to where it begins. */
    return word > r[0] && word < r[1] && is_after_call(word);
}

__attribute__((noinline)) bool interrupted_is_in(uintptr_t from, uintptr_t to)
{
    int kept = errno;
    const uintptr_t range[2] = {from, to}, here = (uintptr_t)__builtin_frame_address(0);
    const uintptr_t end = stack_end(here);
    bool apart = end != 0 && is_clean(here, end, is_code, range);
    errno = kept;
    return !apart;
}

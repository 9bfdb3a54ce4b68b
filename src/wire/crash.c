/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Texts of the signals that end programs, and a careful copy of a note. Used
 * inside signal handlers: tables and loads only.
 */
#include "wire/crash.h"

#include <assert.h>
#include <signal.h>
#include <stddef.h>

const char *wire_crash_signal(int number)
{
    switch (number) {
    case SIGSEGV:
        return "SIGSEGV";
    case SIGBUS:
        return "SIGBUS";
    case SIGILL:
        return "SIGILL";
    case SIGFPE:
        return "SIGFPE";
    case SIGABRT:
        return "SIGABRT";
    case SIGTRAP:
        return "SIGTRAP";
    default:
        return "signal";
    }
}

static const struct {
    int number, code;
    const char *text;
} reasons[] = {
    {SIGSEGV, SEGV_MAPERR, "address not mapped"},
    {SIGSEGV, SEGV_ACCERR, "access not permitted"},
    {SIGSEGV, 3, "bounds check failed"},
    {SIGSEGV, 4, "protection key"},
    {SIGBUS, BUS_ADRALN, "address not aligned"},
    {SIGBUS, BUS_ADRERR, "no memory behind the address"},
    {SIGBUS, BUS_OBJERR, "hardware error"},
    {SIGBUS, 4, "memory error"},
    {SIGBUS, 5, "memory error found ahead"},
    {SIGILL, ILL_ILLOPC, "illegal instruction"},
    {SIGILL, ILL_ILLOPN, "illegal operand"},
    {SIGILL, ILL_ILLADR, "illegal addressing mode"},
    {SIGILL, ILL_ILLTRP, "illegal trap"},
    {SIGILL, ILL_PRVOPC, "privileged instruction"},
    {SIGFPE, FPE_INTDIV, "integer division by zero"},
    {SIGFPE, FPE_INTOVF, "integer overflow"},
    {SIGFPE, FPE_FLTDIV, "floating-point division by zero"},
    {SIGFPE, FPE_FLTOVF, "floating-point overflow"},
    {SIGFPE, FPE_FLTUND, "floating-point underflow"},
    {SIGFPE, FPE_FLTRES, "inexact floating-point result"},
    {SIGFPE, FPE_FLTINV, "invalid floating-point operation"},
    {SIGTRAP, TRAP_BRKPT, "breakpoint"},
    {SIGTRAP, TRAP_TRACE, "trace trap"},
};

const char *wire_crash_reason(int number, int code)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].number == number && reasons[i].code == code)
            return reasons[i].text;
    if (code == SI_KERNEL)
        return number == SIGTRAP ? "breakpoint" : "general protection fault";
    if (code == SI_TKILL)
        return number == SIGABRT ? "abort" : "raised by the program";
    if (code <= 0)
        return "sent by a process";
    return "fault";
}

bool wire_crash_has_address(int number, int code)
{
    return number != SIGABRT && code > 0 && code != SI_KERNEL;
}

bool wire_crash_read(const struct wire_crash *shared, struct wire_crash *out)
{
    assert(shared && out);
    /* Pairs with the handler's release store: the rest was written before. */
    if (__atomic_load_n(&shared->state, __ATOMIC_ACQUIRE) != WIRE_CRASH_WHOLE)
        return false;
    const uint32_t *from = (const uint32_t *)(const void *)shared;
    uint32_t *to = (uint32_t *)(void *)out;
    for (size_t i = 0; i < sizeof *out / sizeof *to; i++)
        to[i] = __atomic_load_n(&from[i], __ATOMIC_ACQUIRE); /* the looks below come later */
    return to[0] == WIRE_CRASH_WHOLE &&
           __atomic_load_n(&shared->state, __ATOMIC_RELAXED) == WIRE_CRASH_WHOLE &&
           __atomic_load_n(&shared->ticks, __ATOMIC_RELAXED) == out->ticks;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The instructions around thunk.c: they keep every register, ask a C function,
 * and where it answers 1 ask the slow one with the vector registers saved. Each
 * has its unwinding table, so that stacks are whole at every instruction.
 *
 * Numbers that C knows by name (thunk.c): 128 pages of 512 places of 8 bytes, of which
 * the first is no thunk; 0xe7 are the components saved; 20 is where a thread's clock
 * stands, 0x80000000 that it is marked. Any thread.
 */
#include "hook/calls/calls.h"

#if defined(__x86_64__)

/* clang-format off */
#define PUSH(r) "push %" r "; .cfi_adjust_cfa_offset 8\n"
#define POP(r) "pop %" r "; .cfi_adjust_cfa_offset -8\n"
/* Ten words; then the stack is aligned, and rbx is ours. */
#define KEEP                                                                                       \
    PUSH("rax") PUSH("rcx") PUSH("rdx") PUSH("rsi") PUSH("rdi")                                    \
    PUSH("r8") PUSH("r9") PUSH("r10") PUSH("r11") PUSH("rbp")                                      \
    ".cfi_rel_offset %rbp, 0\n"                                                                    \
    "mov %rsp, %rbp; .cfi_def_cfa_register %rbp\n"                                                 \
    "and $-16, %rsp\n"                                                                             \
    "push %rbx; push %rbx\n"
#define GIVE_BACK                                                                                  \
    "pop %rbx; pop %rbx\n"                                                                         \
    "mov %rbp, %rsp; .cfi_def_cfa_register %rsp\n"                                                 \
    "pop %rbp; .cfi_adjust_cfa_offset -8; .cfi_same_value %rbp\n"                                  \
    POP("r11") POP("r10") POP("r9") POP("r8")                                                      \
    POP("rdi") POP("rsi") POP("rdx") POP("rcx") POP("rax")
/* Both functions take the same arguments, from memory. */
#define ASK(quickly, slowly, arguments)                                                            \
    arguments                                                                                      \
    "call " quickly "\n"                                                                           \
    "test %eax, %eax; jz 1f\n"                                                                     \
    "mov calls_saved@gottpoff(%rip), %rbx; add %fs:0, %rbx\n"                                      \
    "mov $0xe7, %eax; xor %edx, %edx; xsavec (%rbx)\n"                                             \
    arguments                                                                                      \
    "call " slowly "\n"                                                                            \
    "mov $0xe7, %eax; xor %edx, %edx; xrstor (%rbx)\n"                                             \
    "call calls_done\n"                                                                            \
    "1:\n"
#define FUNCTION(name) ".type " name ", @function\n" name ":\n.cfi_startproc\n"
#define SHARED(name) ".hidden " name "; .globl " name "\n" FUNCTION(name)
#define END(name) ".cfi_endproc; .size " name ", . - " name "\n"

/* Stack: number of the function, where it goes on, its return address. */
__asm__(".pushsection .text; .balign 16\n"
        SHARED("calls_on_entry")
        ".cfi_def_cfa %rsp, 16\n"
        KEEP
        ASK("calls_entered", "calls_entered_slowly", "mov 80(%rbp), %rdi; lea 96(%rbp), %rsi\n")
        GIVE_BACK
        "lea 8(%rsp), %rsp; .cfi_adjust_cfa_offset -8\n"
        "ret\n"
        END("calls_on_entry")
        ".popsection\n");

/* Switched off: only whether there are new directives. Stack: where it goes on. */
__asm__(".pushsection .text; .balign 16\n"
        SHARED("calls_off_entry")
        PUSH("r11")
        "mov oriel_tls@gottpoff(%rip), %r11\n"
        "mov %fs:(%r11), %r11\n"
        "cmpl $0x80000000, 20(%r11)\n"
        POP("r11")
        "je 1f\n"
        "ret\n"
        "1: push $-1; .cfi_adjust_cfa_offset 8\n"
        "jmp calls_on_entry\n"
        END("calls_off_entry")
        ".popsection\n");

/* Stack: behind the thunk's call, where the return address was; it comes back there. */
__asm__(".pushsection .text; .balign 16\n"
        FUNCTION("calls_on_return")
        KEEP
        "mov 80(%rbp), %rax; sub $5, %rax\n"
        "mov %rax, %rcx; and $-4096, %rcx; add (%rcx), %rax\n"
        "mov (%rax), %rax; mov %rax, 80(%rbp)\n"
        ASK("calls_left", "calls_left_slowly", "lea 80(%rbp), %rdi\n")
        GIVE_BACK
        "ret\n"
        END("calls_on_return")
        ".popsection\n");

/* The caller's return address lies as far from a thunk as the page's first word says. The thunk
 * is the word below the stack pointer, also once it has made its call. Unwinders of exceptions
 * tell frames by their CFA: that of a thunk must be nobody else's, so it is not where
 * the stack pointer is. In words: rsp is breg7 0; the return address is at breg7 -8, deref,
 * const1s -8, and, dup, const2s -4096, and, deref, plus. */
__asm__(".pushsection .text; .balign 4096\n"
        SHARED("calls_thunks")
        ".cfi_def_cfa %rsp, 8\n"
        ".cfi_escape 0x16, 7, 2, 0x77, 0\n"
        ".cfi_escape 0x10, 16, 13, 0x77, 0x78, 0x06, 0x09, 0xf8, 0x1a, 0x12, 0x0b, 0x00, 0xf0\n"
        ".cfi_escape 0x1a, 0x06, 0x22\n"
        ".rept 128\n"
        ".quad calls_returns + (. - calls_thunks) - .\n"
        ".rept 511\n"
        "call calls_on_return; .byte 0x0f, 0x1f, 0x00\n"
        ".endr\n"
        ".endr\n"
        END("calls_thunks")
        ".popsection\n");
/* clang-format on */

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Every call site is also a USDT probe (SystemTap note, provider "oriel"), so
 * that perf, bpftrace, gdb and SystemTap see the same points while Oriel is
 * off. The semaphore is the low half of the site's enable word; the probe
 * itself is a 5-byte nop, which the kernel patches into a call instead of
 * trapping, and is reached only while a tool is attached.
 *
 * The name goes through an assembler macro, because an operand-carrying
 * template would interpret % { | } in it. perf accepts only C identifiers as
 * probe names; bpftrace and gdb take any.
 */
#ifndef ORIEL_PROBE_H
#define ORIEL_PROBE_H

#if defined(ORIEL_NO_USDT) || !defined(__ELF__) || !defined(__x86_64__)

#define ORIEL_PROBE(name, word, arg) ((void)0)

#else

/* arg: one 64-bit value, seen as arg0 (a span's or event's first field). */
#define ORIEL_PROBE(name, word, arg)                                                               \
    do {                                                                                           \
        __asm__ volatile(".macro oriel_probe_name\n\t.asciz " ORIEL_PROBE_TEXT(name) "\n\t.endm"); \
        __asm__ volatile("990:\t.byte 0x0f,0x1f,0x44,0x00,0x00\n"                                  \
                         "\t.pushsection .note.stapsdt,\"?\",\"note\"\n"                           \
                         "\t.balign 4\n"                                                           \
                         "\t.4byte 992f-991f, 994f-993f, 3\n"                                      \
                         "991:\t.asciz \"stapsdt\"\n"                                              \
                         "992:\t.balign 4\n"                                                       \
                         "993:\t.8byte 990b\n"                                                     \
                         "\t.8byte _.stapsdt.base\n"                                               \
                         "\t.8byte %c[semaphore]\n"                                                \
                         "\t.asciz \"oriel\"\n"                                                    \
                         "\toriel_probe_name\n"                                                    \
                         "\t.asciz \"8@%[value]\"\n"                                               \
                         "994:\t.balign 4\n"                                                       \
                         "\t.popsection\n"                                                         \
                         "\t.purgem oriel_probe_name\n"                                            \
                         "\t.ifndef _.stapsdt.base\n"                                              \
                         "\t.pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"   \
                         "\t.weak _.stapsdt.base\n"                                                \
                         "\t.hidden _.stapsdt.base\n"                                              \
                         "_.stapsdt.base:\t.space 1\n"                                             \
                         "\t.size _.stapsdt.base, 1\n"                                             \
                         "\t.popsection\n"                                                         \
                         "\t.endif\n" ::[semaphore] "i"(&(word)),                                  \
                         [value] "nor"((uint64_t)(arg)));                                          \
    } while (0)
#define ORIEL_PROBE_TEXT(name) ORIEL_PROBE_TEXT_(name)
#define ORIEL_PROBE_TEXT_(name) #name

#endif

#endif

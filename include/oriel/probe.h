/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Every call site is also a USDT probe (SystemTap note, provider "oriel"), so
 * that perf, bpftrace, gdb and SystemTap see the same points while Oriel is
 * off. The semaphore is the low half of the site's enable word; the probe
 * itself is a 5-byte nop, which the kernel patches into a call instead of
 * trapping, and is reached only while a tool is attached.
 *
 * The name is built by the assembler from the literal's characters, passed as
 * numbers: text in a template would be interpreted (% { | }), and perf accepts C
 * identifiers only, so every other character becomes an underscore
 * ("http.request" is the probe http_request). 48 characters are kept.
 */
#ifndef ORIEL_PROBE_H
#define ORIEL_PROBE_H

#if defined(ORIEL_NO_USDT) || !defined(__ELF__) || !defined(__x86_64__)

#define ORIEL_PROBE(name, word, arg) ((void)0)

#else

/* Four characters of a literal as one number; zero behind its end. */
#define ORIEL_PROBE_CHAR(name, i)                                                                  \
    ((uint32_t)(unsigned char)((i) < sizeof(name) ? (name)[(i) < sizeof(name) ? (i) : 0] : 0) &    \
     127u)
#define ORIEL_PROBE_WORD(name, i)                                                                  \
    (ORIEL_PROBE_CHAR(name, i) | ORIEL_PROBE_CHAR(name, (i) + 1) << 8 |                            \
     ORIEL_PROBE_CHAR(name, (i) + 2) << 16 | ORIEL_PROBE_CHAR(name, (i) + 3) << 24)

/* The note around the name: SystemTap's format, version 3. */
#define ORIEL_PROBE_HEAD                                                                           \
    "990:\t.byte 0x0f,0x1f,0x44,0x00,0x00\n"                                                       \
    "\t.pushsection .note.stapsdt,\"?\",\"note\"\n"                                                \
    "\t.balign 4\n"                                                                                \
    "\t.4byte 992f-991f, 994f-993f, 3\n"                                                           \
    "991:\t.asciz \"stapsdt\"\n"                                                                   \
    "992:\t.balign 4\n"                                                                            \
    "993:\t.8byte 990b\n"                                                                          \
    "\t.8byte _.stapsdt.base\n"                                                                    \
    "\t.8byte %c[semaphore]\n"                                                                     \
    "\t.asciz \"oriel\"\n"
#define ORIEL_PROBE_TAIL                                                                           \
    "\t.asciz \"8@%[value]\"\n"                                                                    \
    "994:\t.balign 4\n"                                                                            \
    "\t.popsection\n"                                                                              \
    "\t.ifndef _.stapsdt.base\n"                                                                   \
    "\t.pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"                      \
    "\t.weak _.stapsdt.base\n"                                                                     \
    "\t.hidden _.stapsdt.base\n"                                                                   \
    "_.stapsdt.base:\t.space 1\n"                                                                  \
    "\t.size _.stapsdt.base, 1\n"                                                                  \
    "\t.popsection\n"                                                                              \
    "\t.endif\n"

/* perf finds the semaphores' place in the file by the section .probes. C puts
 * them there; in C++ they lie in .data, in the same segment, and the section only
 * has to exist. */
#ifdef __cplusplus
#define ORIEL_PROBE_SECTION                                                                        \
    "\t.ifndef _.oriel.probes\n"                                                                   \
    "\t.pushsection .probes,\"awG\",\"progbits\",_.oriel.probes,comdat\n"                          \
    "\t.weak _.oriel.probes\n"                                                                     \
    "\t.hidden _.oriel.probes\n"                                                                   \
    "\t.balign 4\n"                                                                                \
    "_.oriel.probes:\t.space 4\n"                                                                  \
    "\t.size _.oriel.probes, 4\n"                                                                  \
    "\t.popsection\n"                                                                              \
    "\t.endif\n"
#else
#define ORIEL_PROBE_SECTION
#endif

/* arg: one 64-bit value, seen as the probe's first argument. */
#if defined(__OPTIMIZE__) || defined(__clang__)

/* clang-format off */
#define ORIEL_PROBE_NAME                                                                           \
    "\t.irp oriel_word,%c[n0],%c[n1],%c[n2],%c[n3],%c[n4],%c[n5],%c[n6],%c[n7],%c[n8],%c[n9],%c[n10],%c[n11]\n" \
    "\t.irp oriel_shift,0,8,16,24\n"                                                               \
    "\t.set oriel_char,(\\oriel_word>>\\oriel_shift)&127\n"                                        \
    "\t.ifne oriel_char\n"                                                                         \
    "\t.ifne ((oriel_char>=48)&(oriel_char<=57))|((oriel_char>=65)&(oriel_char<=90))|((oriel_char>=97)&(oriel_char<=122))\n" \
    "\t.byte oriel_char\n"                                                                         \
    "\t.else\n"                                                                                    \
    "\t.byte 95\n"                                                                                 \
    "\t.endif\n"                                                                                   \
    "\t.endif\n"                                                                                   \
    "\t.endr\n"                                                                                    \
    "\t.endr\n"                                                                                    \
    "\t.byte 0\n"
#define ORIEL_PROBE(name, word, arg)                                                               \
    __asm__ volatile(ORIEL_PROBE_HEAD ORIEL_PROBE_NAME ORIEL_PROBE_TAIL ORIEL_PROBE_SECTION        \
                     ::[semaphore] "i"(&(word)),                                                   \
                     [value] "nor"((uint64_t)(arg)),                                               \
                     [n0] "i"(ORIEL_PROBE_WORD(name, 0)),                                          \
                     [n1] "i"(ORIEL_PROBE_WORD(name, 4)),                                          \
                     [n2] "i"(ORIEL_PROBE_WORD(name, 8)),                                          \
                     [n3] "i"(ORIEL_PROBE_WORD(name, 12)),                                         \
                     [n4] "i"(ORIEL_PROBE_WORD(name, 16)),                                         \
                     [n5] "i"(ORIEL_PROBE_WORD(name, 20)),                                         \
                     [n6] "i"(ORIEL_PROBE_WORD(name, 24)),                                         \
                     [n7] "i"(ORIEL_PROBE_WORD(name, 28)),                                         \
                     [n8] "i"(ORIEL_PROBE_WORD(name, 32)),                                         \
                     [n9] "i"(ORIEL_PROBE_WORD(name, 36)),                                         \
                     [n10] "i"(ORIEL_PROBE_WORD(name, 40)),                                        \
                     [n11] "i"(ORIEL_PROBE_WORD(name, 44)))

#else

/* gcc without optimisation does not fold the characters: the name stands as it
 * is, through an assembler macro. */
#define ORIEL_PROBE(name, word, arg)                                                               \
    do {                                                                                           \
        __asm__ volatile(".macro oriel_probe_name\n\t.asciz " ORIEL_PROBE_TEXT(name) "\n\t.endm"); \
        __asm__ volatile(ORIEL_PROBE_HEAD "\toriel_probe_name\n" ORIEL_PROBE_TAIL                  \
                         "\t.purgem oriel_probe_name\n" ORIEL_PROBE_SECTION ::[semaphore] "i"(&(word)),                \
                         [value] "nor"((uint64_t)(arg)));                                          \
    } while (0)
/* clang-format on */
#define ORIEL_PROBE_TEXT(name) ORIEL_PROBE_TEXT_(name)
#define ORIEL_PROBE_TEXT_(name) #name

#endif

#endif

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Declaring a call site, and registering those of an object file.
 *
 * In C every site has an entry in the section oriel_sites, so that all sites of
 * a program can be listed without running it. C++ cannot name a section in
 * inline functions and templates; its sites register at the first hit. They are
 * probes all the same: see ORIEL_CELL.
 */
#ifndef ORIEL_SITE_H
#define ORIEL_SITE_H

#include "abi/runtime.h"
#include "args.h"
#include "emit.h"
#include "probe.h"
#include "values.h"

/* Component that the call sites of a file belong to; filters match it. */
#ifndef ORIEL_TARGET
#define ORIEL_TARGET ""
#endif

#ifdef __cplusplus
extern "C" {
#endif
__attribute__((weak,
               visibility("hidden"))) extern const struct oriel_site *const __start_oriel_sites[];
__attribute__((weak,
               visibility("hidden"))) extern const struct oriel_site *const __stop_oriel_sites[];

/* One of each per linked object: weak and hidden, merged by the linker. */
extern struct oriel_module oriel_module_self;
__attribute__((weak, visibility("hidden"))) struct oriel_module oriel_module_self = {
    ORIEL_ABI_VERSION, 0, __start_oriel_sites, __stop_oriel_sites, 0, 0};
void oriel_module_enter(void);
void oriel_module_leave(void);
__attribute__((weak, visibility("hidden"), constructor)) void oriel_module_enter(void)
{
    oriel_module_register(&oriel_module_self);
}
__attribute__((weak, visibility("hidden"), destructor)) void oriel_module_leave(void)
{
    oriel_module_unregister(&oriel_module_self);
}
#ifdef __cplusplus
}
#endif

#define ORIEL_NAME(prefix, id) ORIEL_CAT(prefix, id)

/* clang-format off */
/* Declares the site `id` and evaluates to nothing. ... = name, key, value, ... */
#define ORIEL_SITE_BODY(id, site_kind, site_level, site_flags, site_name, site_target,             \
                        site_format, n)                                                            \
    {ORIEL_ABI_VERSION,                                                                            \
     site_kind,                                                                                    \
     site_level,                                                                                   \
     __LINE__,                                                                                     \
     n,                                                                                            \
     site_flags,                                                                                   \
     site_name,                                                                                    \
     site_target,                                                                                  \
     __FILE__,                                                                                     \
     __func__,                                                                                     \
     site_format,                                                                                  \
     ORIEL_NAME(oriel_fields_, id),                                                                \
     &ORIEL_CELL(id)}
/* clang-format on */

#ifndef __cplusplus

#define ORIEL_CELL(id) ORIEL_NAME(oriel_word_, id)
#define ORIEL_SITE_OF(id, kind, level, flags, name, target, format, n, ...)                        \
    static oriel_word ORIEL_NAME(oriel_word_, id) __attribute__((section(".probes")));             \
    static const struct oriel_field ORIEL_NAME(oriel_fields_,                                      \
                                               id)[] = {ORIEL_FIELDS(n, __VA_ARGS__){0, 0, 0}};    \
    static const struct oriel_site ORIEL_NAME(oriel_site_, id) =                                   \
        ORIEL_SITE_BODY(id, kind, level, flags, name, target, format, n);                          \
    static const struct oriel_site *const ORIEL_NAME(oriel_entry_, id)                             \
        __attribute__((section("oriel_sites"), used)) = &ORIEL_NAME(oriel_site_, id)

#define ORIEL_WORD_KNOWN(id, word) (word)
/* Of a word that is not zero, without a tool: the id is there and needs no asking. */
#define ORIEL_WORD_RECORDS(word)                                                                   \
    do {                                                                                           \
        if (!ORIEL_RECORDED(word))                                                                 \
            __builtin_unreachable();                                                               \
    } while (0)

#else

/* The word of a site, named by a type of the function. A local variable would
 * not do: where the function is inline or a template its symbol is one that
 * another library may take over, so that position-independent code could not
 * name it in an assembler note, and gcc would keep the library loaded for ever. */
extern "C++" {
template <class Tag> struct __attribute__((visibility("hidden"))) oriel_cell {
    static oriel_word word;
};
template <class Tag> oriel_word oriel_cell<Tag>::word = ORIEL_SITE_UNSEEN << ORIEL_WORD_ID_SHIFT;
}

#define ORIEL_CELL(id) oriel_cell<ORIEL_NAME(oriel_tag_, id)>::word
#define ORIEL_SITE_OF(id, kind, level, flags, name, target, format, n, ...)                        \
    enum class ORIEL_NAME(oriel_tag_, id) {};                                                      \
    static const struct oriel_field ORIEL_NAME(oriel_fields_,                                      \
                                               id)[] = {ORIEL_FIELDS(n, __VA_ARGS__){0, 0, 0}};    \
    static struct oriel_site_node ORIEL_NAME(oriel_site_, id) = {                                  \
        ORIEL_SITE_BODY(id, kind, level, flags, name, target, format, n), 0, &oriel_module_self}

#define ORIEL_WORD_KNOWN(id, word)                                                                 \
    ((word) >> ORIEL_WORD_ID_SHIFT == ORIEL_SITE_UNSEEN                                            \
         ? oriel_site_seen(&ORIEL_NAME(oriel_site_, id))                                           \
         : (word))
#define ORIEL_WORD_RECORDS(word) ((void)(word)) /* a site first seen may turn out to be off */

#endif

#define ORIEL_SITE(id, kind, level, flags, name, format, n, ...)                                   \
    ORIEL_SITE_OF(id, kind, level, flags, name, ORIEL_TARGET, format, n, __VA_ARGS__)

/* The site's word: zero when there is nothing to do. */
#define ORIEL_WORD(id) __atomic_load_n(&ORIEL_CELL(id), __ATOMIC_RELAXED)
/* What a site does besides: for tools, and where the program has hooks `hooked`, in place of all
 * that stands behind it, in a loop that `break` leaves. */
#define ORIEL_SITE_PROBE(id, name, word, hooked)                                                   \
    if ((word)&0xffffu) {                                                                          \
        ORIEL_PROBE(name, ORIEL_CELL(id), (uintptr_t)&ORIEL_NAME(oriel_site_, id));                \
        if (ORIEL_WORD(id) & ORIEL_WORD_HOOKED) {                                                  \
            hooked;                                                                                \
            break;                                                                                 \
        }                                                                                          \
    } else                                                                                         \
        ORIEL_WORD_RECORDS(word)
#define ORIEL_SITE_AT(id) ((const struct oriel_site *)(const void *)&ORIEL_NAME(oriel_site_, id))

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Declaring a call site, and registering those of an object file.
 *
 * In C every site has an entry in the section oriel_sites, so that all sites of
 * a program can be listed without running it. C++ cannot name a section in
 * inline functions and templates; its sites register at the first hit.
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
#define ORIEL_SITE_NAMED 1u /* site.flags: the name is an event name, not a message */

/* clang-format off */
/* Declares the site `id` and evaluates to nothing. ... = name, key, value, ... */
#define ORIEL_SITE_BODY(id, site_kind, site_level, site_flags, site_name, site_format, n)          \
    {ORIEL_ABI_VERSION,                                                                            \
     site_kind,                                                                                    \
     site_level,                                                                                   \
     __LINE__,                                                                                     \
     n,                                                                                            \
     site_flags,                                                                                   \
     site_name,                                                                                    \
     ORIEL_TARGET,                                                                                 \
     __FILE__,                                                                                     \
     __func__,                                                                                     \
     site_format,                                                                                  \
     ORIEL_NAME(oriel_fields_, id),                                                                \
     &ORIEL_NAME(oriel_word_, id)}
/* clang-format on */

#ifndef __cplusplus

#define ORIEL_SITE(id, kind, level, flags, name, format, n, ...)                                   \
    static oriel_word ORIEL_NAME(oriel_word_, id) __attribute__((section(".probes")));             \
    static const struct oriel_field ORIEL_NAME(oriel_fields_,                                      \
                                               id)[] = {ORIEL_FIELDS(n, __VA_ARGS__){0, 0, 0}};    \
    static const struct oriel_site ORIEL_NAME(oriel_site_, id) =                                   \
        ORIEL_SITE_BODY(id, kind, level, flags, name, format, n);                                  \
    static const struct oriel_site *const ORIEL_NAME(oriel_entry_, id)                             \
        __attribute__((section("oriel_sites"), used)) = &ORIEL_NAME(oriel_site_, id)

/* The site's word: zero when there is nothing to do. */
#define ORIEL_WORD(id) __atomic_load_n(&ORIEL_NAME(oriel_word_, id), __ATOMIC_RELAXED)
#define ORIEL_WORD_KNOWN(id, word) (word)
#define ORIEL_SITE_PROBE(id, name, word, arg)                                                      \
    do {                                                                                           \
        if ((word)&0xffffu)                                                                        \
            ORIEL_PROBE(name, ORIEL_NAME(oriel_word_, id), arg);                                   \
    } while (0)

#else

#define ORIEL_SITE(id, kind, level, flags, name, format, n, ...)                                   \
    static oriel_word ORIEL_NAME(oriel_word_, id) = ORIEL_SITE_UNSEEN << ORIEL_WORD_ID_SHIFT;      \
    static const struct oriel_field ORIEL_NAME(oriel_fields_,                                      \
                                               id)[] = {ORIEL_FIELDS(n, __VA_ARGS__){0, 0, 0}};    \
    static struct oriel_site_node ORIEL_NAME(oriel_site_, id) = {                                  \
        ORIEL_SITE_BODY(id, kind, level, flags, name, format, n), 0, &oriel_module_self}

#define ORIEL_WORD(id) __atomic_load_n(&ORIEL_NAME(oriel_word_, id), __ATOMIC_RELAXED)
#define ORIEL_WORD_KNOWN(id, word)                                                                 \
    ((word) >> ORIEL_WORD_ID_SHIFT == ORIEL_SITE_UNSEEN                                            \
         ? oriel_site_seen(&ORIEL_NAME(oriel_site_, id))                                           \
         : (word))
/* No semaphore here (see the head of this file); bindings in C++ have the
 * recording only. */
#define ORIEL_SITE_PROBE(id, name, word, arg) ((void)0)

#endif

#endif

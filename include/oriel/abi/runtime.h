/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Exported functions and objects that inline code calls. Frozen.
 * Everything here may be called from any thread, from signal handlers, from
 * thread-local and atexit destructors, and in a fork or vfork child, unless
 * a function says otherwise. Nothing here blocks, prints or fails the caller.
 */
#ifndef ORIEL_ABI_RUNTIME_H
#define ORIEL_ABI_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "site.h"
#include "thread.h"

#define ORIEL_EXPORT __attribute__((visibility("default")))
#define ORIEL_COLD __attribute__((cold))

#ifdef __cplusplus
extern "C" {
#endif

/* This thread's block and gate; points at a block that refuses until the
 * thread's first record. */
extern ORIEL_EXPORT __thread struct oriel_tls oriel_tls __attribute__((tls_model("initial-exec")));

/* 1 while values marked ORIEL_MARK_ARG are recorded. */
extern ORIEL_EXPORT uint32_t oriel_include_args;

/* The slow path of starting a record of `bytes`: first record of a thread,
 * end of a chunk, a signal that interrupted an emit, a fork child. An odd number
 * is the size of an end plus one (ORIEL_EMIT_END). Returns the
 * gate to write through, closed, with room behind its thread's head; NULL:
 * counted as lost, write nothing. */
ORIEL_EXPORT struct oriel_gate *oriel_emit_slow(size_t bytes);

/* The thread's clock where inline code can't read it, or a mark stands in its place. */
ORIEL_EXPORT uint64_t oriel_abi_ticks_slow(void);

/* Everything with fields that arrive as an array: bindings, rare records. */
struct oriel_value {
    uint32_t type; /* enum oriel_type */
    uint32_t size; /* str, bytes */
    union {
        uint64_t u64; /* bool, i64, u64, ptr */
        double f64;
        const void *bytes;
    } v;
};

/* A span that is not bound to a scope. Copy it freely; 0 id = not recorded. */
struct oriel_span {
    uint64_t id; /* raw id */
    uint64_t trace_hi, trace_lo;
    uint32_t site;
    uint32_t flags;
};

/* What ENTER or ATTACH has to put back. */
struct oriel_guard {
    uint64_t id;
    uint64_t trace_hi, trace_lo;
    uint32_t stack_bytes, flags; /* the thread's, before */
};

/* In the place of a scope's stack bytes: the end asks the program's hooks, on the slow path only. A
 * thread that has such a scope open has a gate that is not ready for inline code. */
#define ORIEL_SCOPE_HOOKED 0x80000000u
#define ORIEL_SCOPE_GIVEN 0x40000000u   /* its ids were given: it was opened and entered */
#define ORIEL_SCOPE_DROPPED 0x20000000u /* a sampler refused it: a context is attached */
#define ORIEL_SCOPE_FLAGS 0x18000000u   /* W3C flags of before */
#define ORIEL_SCOPE_FLAGS_SHIFT 27
#define ORIEL_SCOPE_MARKS 0xf8000000u

/* struct oriel_span.flags: its end asks the hooks; a sampler refused it (id is 0, and the ids are
 * in the others). */
#define ORIEL_SPAN_HOOKED 0x10000u
#define ORIEL_SPAN_DROPPED 0x20000u

/* What a scoped span has to remember until its end. */
struct oriel_scope {
    uint64_t id;                    /* raw id; 0 = nothing to end */
    uint32_t stack_bytes, reserved; /* the thread's, before, and ORIEL_SCOPE_MARKS */
};

/*
 * One object file's call sites. `sites` come from the section of C objects;
 * C++ sites register themselves when first reached. Registering again is
 * free; unregistering forgets the addresses, recorded data stays readable.
 */
struct oriel_module;
struct oriel_site_node {
    struct oriel_site site;
    struct oriel_site_node *next; /* NULL until first hit; atomic, owned by the runtime */
    struct oriel_module *module;
};
struct oriel_module {
    uint32_t abi_version;
    uint32_t state; /* owned by the runtime */
    const struct oriel_site *const *begin, *const *end;
    struct oriel_site_node *late; /* C++ sites seen so far; atomic */
    struct oriel_module *next;
};
/* Not from signal handlers. */
ORIEL_EXPORT void oriel_module_register(struct oriel_module *module);
ORIEL_EXPORT void oriel_module_unregister(struct oriel_module *module);
/* First hit of a C++ site: gives its word a value; returns the word. */
ORIEL_EXPORT oriel_word oriel_site_seen(struct oriel_site_node *node);

/*
 * Sites made at run time, for bindings. `site` and all it points to are
 * copied; `site->word` must stay valid for the life of the process. 0 or
 * ORIEL_EINVAL, ORIEL_ELIMIT (65,534 sites). Not from signal handlers.
 */
ORIEL_EXPORT int oriel_site_new(const struct oriel_site *site);

/* Records with values as arrays; `values` must match the site's fields. */
ORIEL_EXPORT struct oriel_scope oriel_abi_begin(oriel_word word, const struct oriel_value *values,
                                                uint32_t count);
ORIEL_EXPORT void oriel_abi_end(struct oriel_scope *scope);
/* The end of a scope where inline code cannot write it. */
ORIEL_EXPORT void oriel_abi_end_slow(uint64_t id, uint32_t stack_bytes) ORIEL_COLD;
/* The same as begin, open and event at a site with ORIEL_WORD_HOOKED; `count` struct oriel_value
 * follow. enabled: false, and nothing else is to be asked or evaluated. */
ORIEL_EXPORT struct oriel_scope oriel_abi_begin_hooked(const struct oriel_site *site,
                                                       uint32_t count, ...) ORIEL_COLD;
ORIEL_EXPORT struct oriel_span oriel_abi_open_hooked(const struct oriel_site *site,
                                                     const struct oriel_span *parent,
                                                     uint32_t count, ...) ORIEL_COLD;
/* With links that are known at its beginning; here they are only told to the sampler. */
struct oriel_context;
ORIEL_EXPORT struct oriel_span oriel_abi_linked_hooked(const struct oriel_site *site,
                                                       const struct oriel_context *links,
                                                       size_t link_count,
                                                       const struct oriel_span *parent,
                                                       uint32_t count, ...) ORIEL_COLD;
ORIEL_EXPORT bool oriel_abi_enabled_hooked(const struct oriel_site *site) ORIEL_COLD;
ORIEL_EXPORT void oriel_abi_event_hooked(const struct oriel_site *site,
                                         const struct oriel_span *span, uint32_t count,
                                         ...) ORIEL_COLD;
/* The end of a scope found no room: keep the span stack right all the same. */
ORIEL_EXPORT void oriel_abi_end_lost(uint32_t stack_bytes);
ORIEL_EXPORT void oriel_abi_event(oriel_word word, uint64_t span, const struct oriel_value *values,
                                  uint32_t count);
ORIEL_EXPORT void oriel_abi_set(oriel_word word, uint64_t span, const struct oriel_value *values,
                                uint32_t count);
/* parent: NULL = the current span, ORIEL_ROOT = none. */
ORIEL_EXPORT struct oriel_span oriel_abi_open(oriel_word word, const struct oriel_span *parent,
                                              const struct oriel_value *values, uint32_t count);
ORIEL_EXPORT void oriel_abi_external(oriel_word word, uint64_t start_unix_ns, uint64_t end_unix_ns,
                                     const struct oriel_span *parent,
                                     const struct oriel_value *values, uint32_t count);
/* Version, schema URL and attributes of a target: its instrumentation scope. */
struct oriel_instrumentation {
    size_t size; /* sizeof(struct oriel_instrumentation) */
    const char *target;
    const char *version, *schema_url; /* NULL or "": not said */
    const struct oriel_field *fields; /* names and types of the attributes */
    const struct oriel_value *values; /* as many; their types match */
    uint32_t count, reserved;
};

/*
 * Say it; everything is copied and kept for the life of the process, so that later
 * recordings have it as well. 0, also when the same was said before; ORIEL_EINVAL (no
 * target, more than 128 attributes, unknown types, more than 64 KiB; or something else was
 * said of this target: the first word stands); ORIEL_ELIMIT (the 513th target, or no room
 * in the ring); ORIEL_ENOMEM. Any thread; not from signal handlers.
 */
ORIEL_EXPORT int oriel_instrumentation_tell(const struct oriel_instrumentation *what);

extern ORIEL_EXPORT const struct oriel_span oriel_root_span;
#define ORIEL_ROOT (&oriel_root_span)

#ifdef __cplusplus
}
#endif
#endif

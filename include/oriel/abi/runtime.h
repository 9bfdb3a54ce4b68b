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

/* What a scoped span has to remember until its end. */
struct oriel_scope {
    uint64_t id;                    /* raw id; 0 = nothing to end */
    uint32_t stack_bytes, reserved; /* the thread's, before */
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

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Entries of the meta log: writing them into shared memory and reading them
 * from a private copy. The writing half runs in the observed program, in signal
 * handlers too: libc's mem* and strlen only, no allocation, no I/O.
 *
 * How a writer adds an entry:
 *
 *   size_t n = wire_meta_site_bytes(site);            0: cannot be described
 *   uint64_t at = fetch_add(&region->meta_head, n);
 *   if (at + n > header.meta_bytes) -> the log is full, leave the site off
 *   void *dst = base + header.meta_off + at;
 *   wire_meta_begin(dst, n);
 *   wire_meta_site_write(dst, n, site, id, process);
 *   wire_meta_commit(dst);                            only now use the id
 */
#ifndef ORIEL_WIRE_META_H
#define ORIEL_WIRE_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <oriel/abi/site.h>

#include "wire/region.h"

/* Longer texts are cut; the cut entry is what everybody sees. */
#define WIRE_META_NAME_MAX 1024u /* site name, target, function */
#define WIRE_META_PATH_MAX 4096u /* file, module path */
#define WIRE_META_FORMAT_MAX 4096u
#define WIRE_META_KEY_MAX 256u /* field name, resource key */
#define WIRE_META_VALUE_MAX 4096u
#define WIRE_META_BUILD_ID_MAX 64u
/* No entry is larger, so this much is enough for a reader's private copy. */
#define WIRE_META_ENTRY_MAX (64u << 10)

/* ---- writing ---- */

/* Size of the entry, a multiple of 8; 0 if the site is of another ABI, of an
 * unknown kind, or has too many or unknown fields: such a site stays off. */
size_t wire_meta_site_bytes(const struct oriel_site *site);
/* Write all but the length. `bytes` is what wire_meta_site_bytes returned;
 * texts that grew since are cut to fit. Marks of field names become flags. */
void wire_meta_site_write(void *dst, size_t bytes, const struct oriel_site *site, uint32_t id,
                          uint32_t process);

/* Process-wide attribute; NULL texts count as empty. */
size_t wire_meta_resource_bytes(const char *key, const char *value);
void wire_meta_resource_write(void *dst, size_t bytes, const char *key, const char *value,
                              uint32_t process);

/* An object file in a process, since `ticks` of the process's clock. Of a path
 * that is NULL nothing is said. */
struct wire_module {
    uint64_t bias, start, end, ticks;
    const void *build_id;
    size_t build_id_bytes;
    const char *path;
};
size_t wire_meta_module_bytes(const struct wire_module *m);
void wire_meta_module_write(void *dst, size_t bytes, const struct wire_module *m, uint32_t process);

/* What else is said of a target. 0: no target, too many or unknown attributes, too long. */
struct oriel_instrumentation;
size_t wire_meta_scope_bytes(const struct oriel_instrumentation *scope);
void wire_meta_scope_write(void *dst, size_t bytes, const struct oriel_instrumentation *scope,
                           uint32_t process);

/* Right after the reservation: says how long the entry will be. */
static inline void wire_meta_begin(void *dst, size_t bytes)
{
    __atomic_store_n(&((struct wire_meta *)dst)->words, (uint32_t)(bytes / 8) | WIRE_META_PENDING,
                     __ATOMIC_RELEASE);
}
/* Publish: pairs with the reader's acquire load of the length. */
static inline void wire_meta_commit(void *dst)
{
    uint32_t *words = &((struct wire_meta *)dst)->words;
    __atomic_store_n(words, __atomic_load_n(words, __ATOMIC_RELAXED) & ~WIRE_META_PENDING,
                     __ATOMIC_RELEASE);
}

/* ---- reading ---- */

/* Bytes of the entry, without NUL. */
struct wire_text {
    const char *p;
    uint32_t n;
};
struct wire_meta_field_view {
    struct wire_text name;
    uint8_t type;  /* enum oriel_type */
    uint8_t flags; /* enum oriel_field_flag */
};
struct wire_meta_site_view {
    uint32_t id, line;
    uint8_t kind, level;
    uint16_t field_count, process, flags;
    uint64_t word_address;
    struct wire_text name, target, file, function, format;
    const struct wire_meta_field *field_at; /* the fields still to come */
    const char *name_at;
    uint32_t fields_left;
};
struct wire_meta_resource_view {
    uint16_t process;
    struct wire_text key, value;
};
struct wire_meta_module_view {
    uint16_t process;
    uint64_t bias, start, end, ticks; /* start < end */
    struct wire_text build_id, path;
};

struct wire_meta_attr_view {
    struct wire_text key, text; /* text: of str and bytes */
    uint64_t value;
    uint8_t type;  /* enum oriel_type */
    uint8_t flags; /* enum oriel_field_flag */
};
struct wire_meta_scope_view {
    uint16_t process, attr_count;
    struct wire_text target, version, schema_url;
    const struct wire_meta_attr *attr_at; /* the attributes still to come */
    const char *text_at;
    uint32_t attrs_left;
};

/* `entry` is a private copy of `bytes` bytes, its length word included. False:
 * the entry contradicts itself; nothing of `out` may be used. */
bool wire_meta_site_parse(const void *entry, size_t bytes, struct wire_meta_site_view *out);
/* The next field of a parsed site, in order; false after the last. */
bool wire_meta_site_next(struct wire_meta_site_view *site, struct wire_meta_field_view *out);
bool wire_meta_resource_parse(const void *entry, size_t bytes, struct wire_meta_resource_view *out);
bool wire_meta_module_parse(const void *entry, size_t bytes, struct wire_meta_module_view *out);
bool wire_meta_scope_parse(const void *entry, size_t bytes, struct wire_meta_scope_view *out);
/* The next attribute of a parsed scope, in order; false after the last. */
bool wire_meta_scope_next(struct wire_meta_scope_view *scope, struct wire_meta_attr_view *out);

#endif

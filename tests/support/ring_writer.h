/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A writer for tests of readers: follows the region's protocol in plain C,
 * without inline fast paths or thread-local data, so that a test can hold many
 * threads in one, stop anywhere, and count exactly what it wrote.
 */
#ifndef ORIEL_TEST_RING_WRITER_H
#define ORIEL_TEST_RING_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <oriel/abi/site.h>

#include "wire/meta.h"
#include "wire/region.h"

struct rw_process {
    char *base;
    size_t bytes;
    struct wire_region h;
    struct wire_region *shared;
    uint32_t slot, serial, sites_of;
    uint64_t salt;
    bool mapped;
};

struct rw_thread {
    struct rw_process *p;
    struct oriel_thread *t;
    uint32_t slot;
    uintptr_t limit;
    uint64_t emitted; /* committed records, SYNC not counted */
    uint64_t lost;
};

/* False: no slot, or not a region. */
bool rw_attach(struct rw_process *p, void *base, size_t bytes);
bool rw_attach_path(struct rw_process *p, const char *path);
void rw_detach(struct rw_process *p); /* unmaps; says nothing to anybody */
/* A fork child of an attached process. */
bool rw_attach_child(struct rw_process *p, const struct rw_process *parent);

/* primary 0: a thread of its own. */
bool rw_thread_start(struct rw_thread *th, struct rw_process *p, uint32_t primary);
void rw_thread_exit(struct rw_thread *th);

/* Describe a site; fields of the given types ("iu s": i64, u64, str ...). */
bool rw_site(struct rw_process *p, uint32_t id, uint8_t kind, const char *name, const char *types);
bool rw_resource(struct rw_process *p, const char *key, const char *value);
/* With a schema URL and an attribute. */
bool rw_scope(struct rw_process *p, const char *target, const char *version);
bool rw_module(struct rw_process *p, const struct wire_module *m);

/* Write a record: words[0] is the header, words[1] is set to the time unless
 * it is not zero. Raw id of the record, 0 if there was no room. */
uint64_t rw_emit(struct rw_thread *th, const uint64_t *words, uint32_t count);
uint64_t rw_begin(struct rw_thread *th, uint32_t site);
uint64_t rw_end(struct rw_thread *th, uint64_t id);
uint64_t rw_event(struct rw_thread *th, uint32_t site, uint64_t value);
/* Hand the current chunk over. */
void rw_close_chunk(struct rw_thread *th);
/* Take a new chunk now. */
bool rw_next_chunk(struct rw_thread *th);

#endif

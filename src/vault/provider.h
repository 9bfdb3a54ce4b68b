/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a provider of the vault is, and what they share: files that only we can
 * read, a value out of a document, a helper process that the program around us
 * does not see.
 */
#ifndef ORIEL_VAULT_PROVIDER_H
#define ORIEL_VAULT_PROVIDER_H

#include <stdatomic.h>

#include "util/json.h"
#include "vault/vault.h"

struct vault_ask {
    const char *key;
    const char *const *environment; /* NULL: none */
    uint64_t deadline_ns;
    const _Atomic uint64_t *nearer_ns; /* NULL, or a deadline that moves */
};
enum { VAULT_LOOK_MS = 20 }; /* how long to sleep at most where a deadline may move */

/* Until when, as it is now. */
static inline uint64_t vault_until(uint64_t deadline_ns, const _Atomic uint64_t *nearer_ns)
{
    /* Relaxed: nothing but the time itself is told. */
    uint64_t nearer =
        nearer_ns ? atomic_load_explicit(nearer_ns, memory_order_relaxed) : UINT64_MAX;
    return nearer < deadline_ns ? nearer : deadline_ns;
}

struct vault_provider {
    const char *name;                 /* as in provider = "NAME" */
    const char *help;                 /* one line */
    const struct option_def *options; /* names begin with that of the provider */
    size_t options_size;
    /* The value of the key, as it stands there. ORIEL_ENOTFOUND: it is not there; else as
     * vault_read, with a line. *out is set only with 0. */
    int (*read)(const void *options, const struct vault_ask *ask, struct secret *out,
                struct oriel_err *err);
    /* What is missing in the options: read says the same. NULL: nothing can be. */
    int (*check)(const void *options, struct oriel_err *err);
};
extern const struct vault_provider *const vault_registry[]; /* NULL-terminated */

/* Value of a variable; NULL: it is not there or empty. */
const char *vault_variable(const struct vault_ask *ask, const char *name);

/* A regular file of ours (or root's, with `lent`: then it may be readable by its group)
 * that others can neither read nor write, and no link: a descriptor. ORIEL_ENOTFOUND,
 * ORIEL_EPERM, ORIEL_EIO, with a line. */
int vault_open_private(const char *path, bool lent, int *out_fd, struct oriel_err *err);
/* All of it, at most SECRET_MAX bytes; line breaks at its end are left out if `trim`. */
int vault_read_private(const char *path, bool lent, bool trim, struct secret *out,
                       struct oriel_err *err);

/* The value of `key` in a JSON object (text or object, which stays JSON) or in lines
 * KEY=value. ORIEL_ENOTFOUND (no line: the caller knows where), ORIEL_EFORMAT. */
int vault_pick(const struct secret *document, const char *key, const char *where,
               struct secret *out, struct oriel_err *err);

/* A text, or an object as JSON; ORIEL_EFORMAT for anything else. */
int vault_json_text(const struct json_value *v, struct secret *out);
/* All texts of a value that was read, and of what is in it and behind it. */
void vault_json_wipe(const struct json_value *v);

struct vault_run {
    const char *const *argv; /* [0] is looked for in PATH; ends with NULL */
    const struct vault_ask *ask;
    int stdin_fd; /* -1: nothing to read */
    int third_fd; /* becomes descriptor 3; -1: none */
};
/* What a program prints, up to SECRET_MAX bytes. It gets a clean environment, no
 * terminal and none of our descriptors, and is ended with all that it started
 * when the deadline passes. It is no child that the program around us could
 * notice: no SIGCHLD, nothing for its wait(). ORIEL_EIO: it failed (the line has
 * the first line that it said itself); ORIEL_ENOTFOUND: no such program;
 * ORIEL_ETIMEOUT, ORIEL_ELIMIT, ORIEL_ENOMEM. */
int vault_run(const struct vault_run *r, struct secret *out, struct oriel_err *err);

#endif

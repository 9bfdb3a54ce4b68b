/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The artifact header: what a recording was made of, so that two of
 * them can be compared. Written as resource attributes of the catalog, named by
 * OpenTelemetry where it has a name. What is not known is left out.
 */
#ifndef ORIEL_SESSION_ARTIFACT_H
#define ORIEL_SESSION_ARTIFACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/catalog.h"
#include "session/vcs.h"

/* host.*, os.*, the kernel and the version of Oriel. */
int artifact_host(struct model_catalog *c);
/* process.*, service.name and the compiler of `exe` (its .comment section;
 * `exe` is absolute or NULL). argv ends with NULL. */
int artifact_command(struct model_catalog *c, const char *exe, char *const argv[]);
/* vcs.*: commit, branch and whether tracked files were changed. */
int artifact_vcs(struct model_catalog *c, const struct vcs *v, enum vcs_dirty dirty);
int artifact_set(struct model_catalog *c, const char *key, const char *value);

/* Value after "KEY<any of seps>" at the start of a line, without quotes; false: none. */
bool artifact_line_value(const char *text, const char *key, const char *seps, char *out, size_t n);
/* A machine of uname as host.arch has it. */
const char *artifact_arch(const char *machine);

/* First text of an ELF file's .comment section, "" when there is none. Reads a
 * foreign file: every offset is checked. 0, ORIEL_EIO or ORIEL_EFORMAT. */
int artifact_compiler(const char *exe, char *out, size_t n);

#endif

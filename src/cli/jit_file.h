/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where a program with a compiler inside says what it made while it ran. */
#ifndef ORIEL_CLI_JIT_FILE_H
#define ORIEL_CLI_JIT_FILE_H

#include "model/catalog.h"

/* The file for code of this module (MODEL_MODULE_JIT): the dump that its process
 * mapped, else its list in /tmp, as the process itself sees it while it lives. A
 * path to be freed with mem_free, perhaps of no file, and the time before which
 * nobody can have written it. NULL: out of memory. */
char *jit_file(const struct model_catalog *c, const struct model_module *m,
               uint64_t *out_not_before_ns);

#endif

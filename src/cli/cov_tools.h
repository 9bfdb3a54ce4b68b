/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The compilers' own readers of what they count, run as helpers: gcov and LLVM's
 * llvm-profdata and llvm-cov know every version of their formats. What they
 * print is bounded, and read in a confined child.
 */
#ifndef ORIEL_CLI_COV_TOOLS_H
#define ORIEL_CLI_COV_TOOLS_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "report/coverage.h"

/* Paths; the texts live elsewhere. */
struct cov_paths {
    char **items;
    size_t count, capacity;
};
static inline int cov_paths_add(struct cov_paths *p, char *path)
{
    char **slot = VEC_PUSH(p);
    if (slot)
        *slot = path;
    return slot ? 0 : ORIEL_ENOMEM;
}

/* What was not as it should be, without ending everything. */
struct cov_trouble {
    char note[400]; /* a line for people, "" nothing */
    size_t lost;    /* files that could not be read ... */
    char why[800];  /* ... and a line on the first of them */
};
/* A file costs itself. */
void cov_lose(struct cov_trouble *t, const char *file, const char *why);

/* Data (.gcda) or notes (.gcno) files, whose partners lie beside them; those of clang are read by
 * llvm-cov. 0, or ORIEL_ENOTFOUND: no such program. */
int cov_gcov(struct coverage *c, const char *gcov, const struct cov_paths *files,
             struct cov_trouble *trouble, struct oriel_err *err);
/* Profiles (.profraw, .profdata) of these executables and libraries. `merged` is a file to put
 * their sum into; it may be removed afterwards. 0, ORIEL_ENOTFOUND (no such tools),
 * ORIEL_EFORMAT, ORIEL_EIO, ORIEL_ENOMEM. */
int cov_llvm(struct coverage *c, const struct cov_paths *profiles, const struct cov_paths *objects,
             const char *merged, struct cov_trouble *trouble, struct oriel_err *err);
/* "llvm-cov", then "llvm-cov-22" and so on downwards from *version (COV_LLVM_FIRST): the next one
 * that there is. */
enum { COV_LLVM_FIRST = 23 };
bool cov_llvm_tool(const char *name, int *version, char *out, size_t n);
/* What a person calls the functions: where binutils' c++filt is, else as they are. */
void cov_make_readable(struct coverage *c);

#endif

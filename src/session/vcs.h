/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which commit of a git repository a directory belongs to, read from the files
 * directly, and whether its tracked files were changed, asked from `git` with
 * a bound on time. For the artifact header only; never in a stranger's process.
 */
#ifndef ORIEL_SESSION_VCS_H
#define ORIEL_SESSION_VCS_H

#include <stdbool.h>
#include <stdint.h>

#define VCS_PATH_BYTES 4096u

struct vcs {
    char root[VCS_PATH_BYTES]; /* of the work tree */
    char commit[72];           /* hex, "" before the first commit */
    char branch[256];          /* "" when the head is detached */
};

/* 0, or ORIEL_ENOTFOUND: `dir` (absolute) is in no repository we can read. */
int vcs_read(const char *dir, struct vcs *out);

enum vcs_dirty { VCS_UNKNOWN = -1, VCS_CLEAN = 0, VCS_DIRTY = 1 };
struct vcs_query {
    int pid; /* 0: not running */
    int fd;
};
/* Start `git status` for a work tree; does nothing when there is no git. */
void vcs_dirty_start(struct vcs_query *q, const char *root);
/* The answer, or VCS_UNKNOWN when none came by `deadline_ns` (monotonic). Ends
 * the process it started in every case. */
enum vcs_dirty vcs_dirty_wait(struct vcs_query *q, uint64_t deadline_ns);

#endif

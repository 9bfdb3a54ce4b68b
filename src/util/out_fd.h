/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Between the files of out: an out over a descriptor, and the write that never
 * raises a signal. Nobody else includes this.
 */
#ifndef ORIEL_UTIL_OUT_FD_H
#define ORIEL_UTIL_OUT_FD_H

#include <stdbool.h>
#include <sys/types.h>

#include "util/out.h"

struct out_fd {
    struct out base;
    int fd;
    dev_t dev; /* of a file that is ours: the program may have closed it, and have the number */
    ino_t ino;
    bool owned;   /* close it */
    bool regular; /* never blocks; signals only at the size limit */
    bool socket;
    bool positional; /* writes go to offset base.bytes, whatever the file offset */
};

/* Over `fd`; `owned`: closed with it, and also when this fails. */
int out_fd_make(struct out **out, int fd, bool owned, const char *name);
/* Over a file opened for reading and writing, starting at its end: with random
 * access if it is a regular one. Owned. */
int out_fd_make_file(struct out **out, int fd, const char *name);
/* Keeps which file `fd` is. */
void out_fd_know(struct out_fd *f);
bool out_fd_is_ours(const struct out_fd *f);
/* The ops' write of struct out_fd. */
int out_fd_write(struct out *o, const void *bytes, size_t n, size_t *out_written);
int out_fd_sync(struct out *o);

#endif

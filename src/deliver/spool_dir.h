/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The directory of one destination: who owns which file in it, who is alive,
 * and taking over what nobody owns any more. Internal to the room.
 *
 *   <created>-<pid>-<start>-<tag>.spool   records; the owner stands in the name
 *   <pid>-<start>-<tag>.lock              locked by the owner for as long as it lives
 *
 * The lock is one of the process (fcntl), not of an open file: children made by fork do
 * not have it, and the system drops it with the process. The name tells the process
 * itself which files are its own, which such a lock cannot.
 */
#ifndef ORIEL_DELIVER_SPOOL_DIR_H
#define ORIEL_DELIVER_SPOOL_DIR_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum { SPOOL_NAME_MAX = 96 };

struct spool_owner { /* all 0 but the tag: nobody */
    int32_t pid;
    uint64_t start; /* of the process, in ticks since boot */
    uint32_t tag;   /* random: two spools of one process are two owners */
};
struct spool_name {
    uint64_t created_ns;
    struct spool_owner owner;
};
void spool_name_text(const struct spool_name *name, char out[SPOOL_NAME_MAX]);
bool spool_name_parse(const char *text, struct spool_name *out);

struct spool_dir {
    char path[PATH_MAX];
    int fd;
    dev_t dev;
    ino_t ino;
    int lock_fd; /* -1: not locked */
    ino_t lock_ino;
    struct spool_owner me;
};
/* directory/<key>, made when it is not there. 0; ORIEL_EPERM, ORIEL_EIO, ... */
int spool_dir_open(struct spool_dir *d, const char *directory, const char *key,
                   struct oriel_err *err);
/* A descriptor of the directory, opened again where the host closed it; a code. */
int spool_dir_fd(struct spool_dir *d, struct oriel_err *err);
/* Say that files of `me` have somebody who lives. 0 also where the file system has no locks. */
int spool_dir_lock(struct spool_dir *d, struct oriel_err *err);

struct spool_others { /* what living others have here */
    uint64_t bytes;
    unsigned owners;
};
/* Takes over all files of the dead and tells `take` of each, under its new name; sums up the
 * living. 0 or a code; take returns false to have no more of them. */
int spool_dir_scan(struct spool_dir *d, struct spool_others *out,
                   bool (*take)(void *user, const struct spool_name *name, uint64_t size),
                   void *user, struct oriel_err *err);
/* The file belongs to nobody from now on. */
void spool_dir_orphan(struct spool_dir *d, const struct spool_name *name);
/* Unlocks, and removes the directory if it is empty. `mine` false: in a fork child, where only
 * descriptors go. */
void spool_dir_close(struct spool_dir *d, bool mine);

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What lies in a directory of spools, for people: read without locks and
 * without touching anything, so what is told may be over by then. Runs in
 * commands, never in an observed program.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "base/vec.h"
#include "deliver/spool.h"
#include "deliver/spool_dir.h"
#include "deliver/spool_file.h"

struct key {
    char text[40];
};

static DIR *open_below(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d && fd >= 0)
        close(fd);
    return d;
}

static void add_records(struct spool_listed *l, const struct spool_file *f)
{
    struct spool_record r;
    for (uint64_t at = f->done_at; spool_file_find(f, &at, &r, &l->damaged);) {
        l->messages++;
        l->items += r.items;
        if (l->oldest_ns == 0 || r.unix_ns < l->oldest_ns)
            l->oldest_ns = r.unix_ns;
        if (r.unix_ns > l->newest_ns)
            l->newest_ns = r.unix_ns;
        at += spool_record_size(r.length);
    }
}

static void add_file(struct spool_listed *l, int dir, const char *text)
{
    struct spool_name name;
    struct spool_file f;
    if (!spool_name_parse(text, &name))
        return;
    int rc = spool_file_open(&f, dir, text, NULL);
    if (rc == ORIEL_ENOTFOUND || rc == ORIEL_EPERM)
        return; /* sent meanwhile; not of a spool */
    l->files++;
    l->files_in_use += os_thread_alive(name.owner.pid, 0, name.owner.start);
    if (rc != 0) {
        l->damaged++;
        return;
    }
    l->bytes += f.size;
    if (!l->destination[0])
        memcpy(l->destination, f.mark.text, sizeof l->destination);
    add_records(l, &f);
    spool_file_close(&f);
}

static bool is_key(const char *name)
{
    return strlen(name) == 32 && strspn(name, "0123456789abcdef") == 32;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const struct key *)a)->text, ((const struct key *)b)->text);
}

static void list_one(int parent, const struct key *key, struct spool_listed *l)
{
    DIR *d = open_below(parent, key->text);
    *l = (struct spool_listed){.files = 0};
    memcpy(l->key, key->text, sizeof l->key);
    for (struct dirent *entry; d && (entry = readdir(d)) != NULL;)
        add_file(l, dirfd(d), entry->d_name);
    if (d)
        closedir(d);
}

int spool_list(const char *directory, void (*each)(void *user, const struct spool_listed *l),
               void *user, struct oriel_err *err)
{
    VEC(struct key) keys = {0};
    struct stat st;
    struct key *key;
    int rc = 0;
    DIR *d = open_below(AT_FDCWD, directory);
    if (!d)
        return errno == ELOOP || errno == ENOTDIR
                   ? err_set(err, ORIEL_EPERM, "%s: is a link or no directory", directory)
                   : err_set_errno(err, errno, "%s", directory);
    if (fstat(dirfd(d), &st) != 0 || st.st_uid != geteuid() || (st.st_mode & 022) != 0)
        rc = err_set(err, ORIEL_EPERM, "%s: not a directory of this user alone", directory);
    for (struct dirent *entry; rc == 0 && (entry = readdir(d)) != NULL;) {
        if (!is_key(entry->d_name))
            continue;
        key = VEC_PUSH(&keys);
        if (key)
            memcpy(key->text, entry->d_name, 33);
        else
            rc = err_set(err, ORIEL_ENOMEM, "%s", err_text(ORIEL_ENOMEM));
    }
    if (keys.count)
        qsort(keys.items, keys.count, sizeof keys.items[0], compare_keys);
    for (size_t i = 0; rc == 0 && i < keys.count; i++) {
        struct spool_listed l;
        list_one(dirfd(d), &keys.items[i], &l);
        if (l.files)
            each(user, &l);
    }
    closedir(d);
    VEC_DONE(&keys);
    return rc;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: files of a spool with any damage. The first byte says what the
 * rest is: 0 a whole file, else what was done to a file of real messages
 * (bytes overwritten, the end cut off). What comes back is a message that was
 * put, in order, none twice; the whole is read to its end.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "deliver/spool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGES = 12, BODY = 72 };
static char dir[64], below[128], file[256];

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void clean(void)
{
    rmdir(below);
    rmdir(dir);
}

static struct spool *open_spool(void)
{
    struct spool *s;
    struct spool_options o = {
        .size = sizeof o, .directory = dir, .destination = "fuzz", .keep_ns = UINT64_MAX};
    if (!dir[0]) {
        snprintf(dir, sizeof dir, "%s/oriel-spool-fuzz-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        require(mkdtemp(dir) != NULL);
        atexit(clean);
    }
    require(spool_open(&s, &o, NULL) == 0);
    return s;
}

static void fill(char body[BODY], unsigned id)
{
    memset(body, 'a' + (int)id, BODY);
}

/* A file of messages that nobody owns. */
static void leave_messages(void)
{
    struct spool *s = open_spool();
    char body[BODY];
    for (unsigned id = 0; id < MESSAGES; id++) {
        fill(body, id);
        struct out_message m = {OUT_LOGS, id + 1, id / 2, body, BODY - id};
        require(spool_put(s, &m, 1, NULL) == 0 || id > 0);
    }
    spool_close(s);
    DIR *d = opendir(dir);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (strlen(e->d_name) == 32)
            snprintf(below, sizeof below, "%s/%.32s", dir, e->d_name);
    closedir(d);
    d = opendir(below);
    require(d != NULL);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (strstr(e->d_name, ".spool"))
            snprintf(file, sizeof file, "%s/%.100s", below, e->d_name);
    closedir(d);
}

/* Three bytes each: two of place, one of value; the last two say where it ends. */
static void damage(int fd, const uint8_t *data, size_t size)
{
    for (; size >= 3; data += 3, size -= 3) {
        unsigned at = (unsigned)data[0] | (unsigned)data[1] << 8;
        if (at < 8192)
            require(pwrite(fd, data + 2, 1, at) == 1);
    }
    if (size == 2)
        require(ftruncate(fd, data[0] | data[1] << 8) == 0);
}

static void change(const uint8_t *data, size_t size)
{
    int fd = open(file, O_RDWR);
    require(fd >= 0);
    if (data[0]) {
        damage(fd, data + 1, size - 1);
    } else {
        require(ftruncate(fd, 0) == 0 && pwrite(fd, data + 1, size - 1, 0) == (ssize_t)(size - 1));
    }
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct out_message m;
    struct spool_counts c;
    struct buf b;
    bool own;
    int last = -1;
    if (size < 1 || size > 1 << 16)
        return 0;
    leave_messages();
    change(data, size);
    struct spool *s = open_spool();
    buf_init(&b);
    while (spool_next(s, &m, &b, &own, NULL) == 0) {
        char body[BODY];
        require(!own && m.n > 0 && m.n <= BODY);
        unsigned id = (unsigned)(BODY - m.n);
        fill(body, id);
        require((int)id > last && memcmp(body, m.bytes, m.n) == 0 && m.items == id + 1);
        last = (int)id;
        spool_done(s);
    }
    spool_counts(s, &c);
    require(c.adopted == c.adopted_done + c.adopted_dropped && c.messages == 0);
    buf_done(&b);
    spool_close(s);
    unlink(file); /* of a later version: left as it is, by its name of nobody */
    return 0;
}

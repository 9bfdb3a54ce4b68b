/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Records in a file. Written with single calls and cut back when they fail, so
 * that a full disk leaves nothing half-written; read with checks only, never
 * mapped: a file that somebody cuts short must not be a signal to the host.
 */
#include "deliver/spool_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "util/crc32c.h"
#include "util/kept.h"

static const char mark_magic[8] = {'O', 'R', 'I', 'E', 'L', 'S', 'P', 'L'};
enum { RECORD_MAGIC = 0x4c505352, MARK_AT = 0, MARK_AGAIN_AT = 2048, SLOT_AT = 1024 };
enum { SLOT_STEP = 2048, WINDOW = 4096 };

static uint64_t slot_at(uint64_t generation)
{
    return SLOT_AT + (generation & 1) * SLOT_STEP;
}

/* ---- checksums ---- */

static uint32_t mark_crc(const struct spool_mark *mark)
{
    struct spool_mark m = *mark;
    m.crc = 0;
    return crc32c(0, &m, sizeof m);
}

static uint32_t slot_crc(const struct spool_file *f, const struct spool_slot *slot)
{
    struct spool_slot s = *slot;
    s.crc = 0;
    return crc32c(crc32c(0, &f->mark.nonce, sizeof f->mark.nonce), &s, sizeof s);
}

static uint32_t head_crc(const struct spool_file *f, const struct spool_record *record)
{
    struct spool_record r = *record;
    r.head_crc = 0;
    return crc32c(crc32c(0, &f->mark.nonce, sizeof f->mark.nonce), &r, sizeof r);
}

/* ---- reading and writing whole pieces ---- */

/* Up to n bytes, fewer only at the end of the file; -1 where it cannot be read. */
static ssize_t read_some(int fd, void *out, size_t n, uint64_t at)
{
    size_t got = 0;
    while (got < n) {
        ssize_t rc = pread(fd, (char *)out + got, n - got, (off_t)(at + got));
        if (rc < 0 && errno == EINTR)
            continue;
        if (rc < 0)
            return -1;
        if (rc == 0)
            break;
        got += (size_t)rc;
    }
    return (ssize_t)got;
}

/* All n bytes; ORIEL_EIO, or ORIEL_EDAMAGED where the file ends before. */
static int read_at(int fd, void *out, size_t n, uint64_t at)
{
    ssize_t got = read_some(fd, out, n, at);
    return got < 0 ? ORIEL_EIO : (size_t)got < n ? ORIEL_EDAMAGED : 0;
}

/* 0 or an errno value; the parts are used up. */
static int write_parts(int fd, struct iovec *parts, int count, uint64_t at)
{
    while (count > 0) {
        if (parts->iov_len == 0) {
            parts++, count--;
            continue;
        }
        ssize_t rc = pwritev(fd, parts, count, (off_t)at);
        if (rc < 0 && errno == EINTR)
            continue;
        if (rc <= 0)
            return rc < 0 ? errno : ENOSPC;
        at += (uint64_t)rc;
        for (size_t n = (size_t)rc; n > 0;) {
            size_t part = n < parts->iov_len ? n : parts->iov_len;
            parts->iov_base = (char *)parts->iov_base + part;
            parts->iov_len -= part;
            n -= part;
            if (parts->iov_len == 0)
                parts++, count--;
        }
    }
    return 0;
}

static int write_at(int fd, const void *bytes, size_t n, uint64_t at)
{
    struct iovec part = {(void *)(uintptr_t)bytes, n};
    return write_parts(fd, &part, 1, at);
}

/* A write beyond RLIMIT_FSIZE would be a signal to the host. */
static bool may_grow_to(uint64_t size)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
           size <= limit.rlim_cur;
}

/* ---- files ---- */

bool spool_file_ours(const struct spool_file *f)
{
    struct stat st;
    return f->fd >= 0 && fstat(f->fd, &st) == 0 && st.st_dev == f->dev && st.st_ino == f->ino;
}

void spool_file_close(struct spool_file *f)
{
    kept_forget(f->fd, f->dev, f->ino);
    if (spool_file_ours(f))
        close(f->fd);
    f->fd = -1;
}

static int open_retry(int dir, const char *name, int flags)
{
    int fd;
    do
        fd = openat(dir, name, flags | O_RDWR | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK,
                    0600);
    while (fd < 0 && errno == EINTR);
    return fd;
}

int spool_file_create(struct spool_file *f, int dir, const char *name,
                      const struct spool_mark *mark, struct oriel_err *err)
{
    struct spool_file made = {.mark = *mark, .size = SPOOL_START, .done_at = SPOOL_START};
    struct stat st;
    char page[SPOOL_START] = {0};
    if (!may_grow_to(SPOOL_START))
        return err_set(err, ORIEL_ENOSPC, "%s: larger than the limit of file sizes", name);
    memcpy(made.mark.magic, mark_magic, sizeof mark_magic);
    made.mark.version = SPOOL_VERSION;
    made.mark.crc = mark_crc(&made.mark);
    made.fd = open_retry(dir, name, O_CREAT | O_EXCL);
    if (made.fd < 0)
        return err_set_errno(err, errno, "%s", name);
    memcpy(page + MARK_AT, &made.mark, sizeof made.mark);
    memcpy(page + MARK_AGAIN_AT, &made.mark, sizeof made.mark);
    int e = fstat(made.fd, &st) == 0 ? write_at(made.fd, page, sizeof page, 0) : errno;
    if (e != 0) {
        close(made.fd);
        unlinkat(dir, name, 0);
        return err_set_errno(err, e, "%s", name);
    }
    made.dev = st.st_dev;
    made.ino = st.st_ino;
    *f = made;
    kept_note(f->fd, f->dev, f->ino);
    return 0;
}

static bool mark_is_whole(const struct spool_mark *m)
{
    return memcmp(m->magic, mark_magic, sizeof mark_magic) == 0 && m->crc == mark_crc(m) &&
           m->text[SPOOL_TEXT_MAX - 1] == 0;
}

static int read_mark(struct spool_file *f)
{
    static const uint64_t places[2] = {MARK_AT, MARK_AGAIN_AT};
    for (int i = 0; i < 2; i++) {
        int rc = read_at(f->fd, &f->mark, sizeof f->mark, places[i]);
        if (rc == ORIEL_EIO)
            return rc;
        if (rc == 0 && mark_is_whole(&f->mark))
            return f->mark.version == SPOOL_VERSION ? 0 : ORIEL_EVERSION;
    }
    return ORIEL_EDAMAGED;
}

/* The younger whole slot; without any, nothing is done with. */
static void read_slots(struct spool_file *f)
{
    f->generation = 0;
    f->done_at = SPOOL_START;
    for (uint64_t i = 0; i < 2; i++) {
        struct spool_slot slot;
        if (read_at(f->fd, &slot, sizeof slot, slot_at(i)) != 0 || slot.crc != slot_crc(f, &slot) ||
            slot.generation <= f->generation || (slot.generation & 1) != i)
            continue;
        f->generation = slot.generation;
        f->done_at = slot.done_at;
    }
    if (f->done_at < SPOOL_START || f->done_at % 8 != 0)
        f->done_at = SPOOL_START;
}

static int check_stat(const struct stat *st, const char *name, struct oriel_err *err)
{
    if (!S_ISREG(st->st_mode) || st->st_uid != geteuid() || st->st_nlink != 1 ||
        (st->st_mode & 077) != 0)
        return err_set(err, ORIEL_EPERM, "%s: not a plain file of this user alone", name);
    return 0;
}

int spool_file_open(struct spool_file *f, int dir, const char *name, struct oriel_err *err)
{
    struct spool_file made = {.fd = open_retry(dir, name, 0)};
    struct stat st;
    if (made.fd < 0 && (errno == ELOOP || errno == ENXIO))
        return err_set(err, ORIEL_EPERM, "%s: not a plain file of this user alone", name);
    if (made.fd < 0)
        return err_set_errno(err, errno, "%s", name);
    int rc = fstat(made.fd, &st) == 0 ? check_stat(&st, name, err)
                                      : err_set_errno(err, errno, "%s", name);
    if (rc == 0) {
        made.dev = st.st_dev;
        made.ino = st.st_ino;
        made.size = (uint64_t)st.st_size;
        rc = read_mark(&made);
        if (rc != 0)
            err_set(err, rc, "%s: %s", name, err_text(rc));
    }
    if (rc != 0) {
        close(made.fd);
        return rc;
    }
    read_slots(&made);
    *f = made;
    kept_note(f->fd, f->dev, f->ino);
    return 0;
}

/* ---- records ---- */

int spool_file_append(struct spool_file *f, struct spool_record *r, const void *bytes,
                      uint32_t length, struct oriel_err *err)
{
    static const char zeros[8];
    uint64_t size = spool_record_size(length);
    assert(f->size % 8 == 0);
    if (!spool_file_ours(f))
        return err_set(err, ORIEL_ESTATE, "the file of the spool was closed by somebody else");
    if (!may_grow_to(f->size + size))
        return err_set(err, ORIEL_ENOSPC, "spool: larger than the limit of file sizes");
    r->magic = RECORD_MAGIC;
    r->length = length;
    r->body_crc = crc32c(0, bytes, length);
    assert(r->plain >= length);
    r->head_crc = head_crc(f, r);
    struct iovec parts[3] = {{r, sizeof *r},
                             {(void *)(uintptr_t)bytes, length},
                             {(void *)(uintptr_t)zeros, size - SPOOL_RECORD_BYTES - length}};
    int e = write_parts(f->fd, parts, 3, f->size);
    if (e == 0) {
        f->size += size;
        return 0;
    }
    int rc = err_set_errno(err, e, "spool");
    if (ftruncate(f->fd, (off_t)f->size) != 0)
        return ORIEL_ESTATE;
    return rc == ORIEL_ENOSPC ? rc : ORIEL_EIO;
}

enum head { HEAD_GOOD, HEAD_BAD, HEAD_END };

static bool head_is_whole(const struct spool_file *f, const struct spool_record *r)
{
    return r->magic == RECORD_MAGIC && r->head_crc == head_crc(f, r) && r->items <= UINT32_MAX &&
           r->seen <= r->items && r->plain >= r->length;
}

static enum head head_at(const struct spool_file *f, uint64_t at, struct spool_record *out)
{
    if (at > f->size || f->size - at < SPOOL_RECORD_BYTES)
        return HEAD_END;
    if (read_at(f->fd, out, sizeof *out, at) != 0 || !head_is_whole(f, out))
        return HEAD_BAD;
    /* A record that says more than there is was cut off with its process. */
    return spool_record_size(out->length) > f->size - at ? HEAD_END : HEAD_GOOD;
}

/* The next place that looks like a record, from `at` on; the end of the file. */
static uint64_t resynchronise(const struct spool_file *f, uint64_t at)
{
    uint64_t words[WINDOW / 8];
    struct spool_record r;
    for (at = (at + 7) & ~(uint64_t)7; at < f->size && f->size - at >= SPOOL_RECORD_BYTES;) {
        /* Somebody may have cut the file: less than its size says. */
        ssize_t n = read_some(f->fd, words, sizeof words, at) & ~(ssize_t)7;
        if (n <= 0)
            break;
        for (size_t i = 0; i < (size_t)n / 8; i++) {
            uint32_t magic;
            memcpy(&magic, &words[i], sizeof magic);
            if (magic == RECORD_MAGIC && head_at(f, at + 8 * i, &r) == HEAD_GOOD)
                return at + 8 * i;
        }
        at += (uint64_t)n;
    }
    return f->size;
}

bool spool_file_find(const struct spool_file *f, uint64_t *at, struct spool_record *out,
                     uint64_t *out_damaged)
{
    enum head head = head_at(f, *at, out);
    if (head == HEAD_BAD) {
        ++*out_damaged;
        *at = resynchronise(f, *at + 8);
        head = head_at(f, *at, out);
    }
    return head == HEAD_GOOD;
}

int spool_file_body(const struct spool_file *f, uint64_t at, const struct spool_record *r,
                    void *out)
{
    int rc = r->length ? read_at(f->fd, out, r->length, at + SPOOL_RECORD_BYTES) : 0;
    if (rc == 0 && crc32c(0, out, r->length) != r->body_crc)
        rc = ORIEL_EDAMAGED;
    return rc;
}

int spool_file_done(struct spool_file *f, uint64_t at)
{
    struct spool_slot slot = {.generation = f->generation + 1, .done_at = at};
    assert(at >= SPOOL_START && at % 8 == 0);
    f->done_at = at;
    if (!spool_file_ours(f))
        return ORIEL_EIO;
    slot.crc = slot_crc(f, &slot);
    if (write_at(f->fd, &slot, sizeof slot, slot_at(slot.generation)) != 0)
        return ORIEL_EIO;
    f->generation = slot.generation;
    return 0;
}

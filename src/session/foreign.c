/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The parent's half of reading foreign files: opens what the child asks for,
 * keeps what it tells, and believes none of it. The child's half is
 * foreign_child.c.
 */
#include "session/foreign.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "session/foreign_child.h"
#include "source/file_options.h"
#include "util/confined.h"

enum { OBJECTS_MAX = 1 << 16 };

void foreign_limits_for(uint64_t file_bytes, struct foreign_limits *out)
{
    const uint64_t mib = file_bytes >> 20, most = UINT64_C(4) << 30;
    uint64_t seconds = 20 + (mib < 100000 ? mib : 100000);
    uint64_t room = file_bytes < most ? file_bytes : most;
    out->cpu_ms = (uint32_t)(seconds * 1000);
    out->timeout_ms = out->cpu_ms * 6;
    out->memory_bytes = (UINT64_C(1) << 30) + room * 8;
    out->told_bytes = (UINT64_C(64) << 20) + room * 16;
    if (out->told_bytes > most)
        out->told_bytes = most;
}

/* ---- the conversation ---- */

struct hearing {
    struct confined child;
    int to; /* where the capture goes */
    uint64_t bytes, limit;
    struct foreign_end end;
};

static int write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return -ENOMEM;
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

static int take_piece(struct hearing *h, uint32_t bytes)
{
    char piece[FOREIGN_PIECE_BYTES];
    if (bytes == 0 || bytes > sizeof piece)
        return -EPROTO;
    int rc = confined_receive(&h->child, piece, bytes);
    if (rc != 0)
        return rc;
    h->bytes += bytes;
    return h->bytes > h->limit ? -ENOMEM : write_all(h->to, piece, bytes);
}

/* Regular files that begin as object files do: nothing else is handed to a child
 * that a hostile file may have taken over. */
static int open_object(const char *path, uint64_t *out_bytes)
{
    char magic[4];
    struct stat st;
    int fd = path[0] == '/' ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
        pread(fd, magic, sizeof magic, 0) != (ssize_t)sizeof magic ||
        memcmp(magic, "\177ELF", sizeof magic) != 0) {
        close(fd);
        return -1;
    }
    *out_bytes = (uint64_t)st.st_size;
    return fd;
}

static int answer_object(struct hearing *h, uint32_t bytes)
{
    char path[FOREIGN_PATH_MAX];
    uint64_t size = 0;
    if (bytes == 0 || bytes >= sizeof path)
        return -EPROTO;
    int rc = confined_receive(&h->child, path, bytes);
    if (rc != 0)
        return rc;
    path[bytes] = 0;
    int fd = open_object(path, &size);
    bool heard = confined_reply(&h->child, &size, sizeof size, fd);
    if (fd >= 0)
        close(fd);
    return heard ? 0 : -EPIPE;
}

static int hear(struct hearing *h)
{
    unsigned objects = 0;
    for (;;) {
        struct foreign_message m;
        int rc = confined_receive(&h->child, &m, sizeof m);
        if (rc == 0 && m.type == FOREIGN_END)
            return m.bytes == sizeof h->end ? confined_receive(&h->child, &h->end, m.bytes)
                                            : -EPROTO;
        if (rc == 0 && m.type == FOREIGN_OBJECT)
            rc = objects++ < OBJECTS_MAX ? answer_object(h, m.bytes) : -EPROTO;
        else if (rc == 0)
            rc = m.type == FOREIGN_PIECE ? take_piece(h, m.bytes) : -EPROTO;
        if (rc != 0)
            return rc;
    }
}

/* A byte of theirs is no bool before it was looked at. */
static void take_damage(struct foreign_end *end, struct source_damage *out)
{
    unsigned char truncated;
    memcpy(&truncated, &end->damage.truncated, sizeof truncated);
    memset(&end->damage.truncated, truncated != 0, sizeof truncated);
    *out = end->damage;
}

/* What the reader says of the file, as a line that can be shown to anybody. */
static int repeat(const char *path, struct foreign_end *end, struct oriel_err *err)
{
    char *text = end->text;
    text[sizeof end->text - 1] = 0;
    for (char *p = text; *p; p++)
        *p = (unsigned char)*p < ' ' || *p == 127 ? '?' : *p;
    if (end->code > 0 || end->code < -64)
        end->code = ORIEL_EDAMAGED;
    return text[0] ? err_set(err, end->code, "%s", text)
                   : err_set(err, end->code, "%s: %s", path, err_text(end->code));
}

static int explain(const char *path, const struct oriel_err *why, struct oriel_err *err)
{
    const char *remedy = why->code == ORIEL_ELIMIT || why->code == ORIEL_ENOMEM
                             ? "record less, or cut it down"
                             : "it is damaged or made to do harm, record again";
    return err_set(err, why->code, "%s: %s; %s", path, why->text, remedy);
}

int foreign_read(int fd, const char *path, const struct source *reader,
                 const struct foreign_limits *limits, int *out_fd, struct source_damage *damage,
                 struct oriel_err *err)
{
    struct stat st;
    struct oriel_err why = {0};
    struct foreign_order order = {.path = path, .reader = reader};
    assert(fd >= 0 && path && limits);
    if (fstat(fd, &st) == 0)
        order.written_unix_ns =
            (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
    const struct confined_options how = {.file = fd,
                                         .cpu_ms = limits->cpu_ms,
                                         .timeout_ms = limits->timeout_ms,
                                         .memory_bytes = limits->memory_bytes,
                                         .work = foreign_child,
                                         .how = &order};
    struct hearing h = {.limit = limits->told_bytes};
    h.to = memfd_create("oriel-import", MFD_CLOEXEC);
    if (h.to < 0)
        return err_set_errno(err, errno, "%s: no memory for what it holds", path);
    int rc = confined_start(&h.child, &how, &why);
    if (rc < 0)
        err_set(err, rc, "%s: %s", path, why.text);
    else if ((rc = confined_end(&h.child, hear(&h), &why)) < 0)
        explain(path, &why, err);
    else if (h.end.code != 0)
        rc = repeat(path, &h.end, err);
    if (rc < 0) {
        close(h.to);
        return h.end.unknown ? ORIEL_ENOTFOUND : rc;
    }
    take_damage(&h.end, damage);
    *out_fd = h.to;
    return 0;
}

/* ---- the source ---- */

struct foreign {
    struct source_damage damage; /* as the reader tells it */
    void *capture;               /* the state of source_file */
};

static void foreign_close(void *state)
{
    struct foreign *f = state;
    if (f->capture)
        source_file.close(f->capture);
    mem_free(f->capture);
    f->capture = NULL;
}

static int read_here(struct foreign *f, int fd, const char *path, struct model_catalog *catalog,
                     struct oriel_err *err)
{
    struct stat st;
    struct foreign_limits limits;
    struct file_options made = {.fd = -1, .path = path};
    if (fstat(fd, &st) != 0)
        return err_set_errno(err, errno, "%s: cannot be read", path);
    foreign_limits_for((uint64_t)st.st_size, &limits);
    int rc = foreign_read(fd, path, NULL, &limits, &made.fd, &f->damage, err);
    if (rc == ORIEL_ENOTFOUND) /* nobody's: it says what it expected */
        return source_file.open(f->capture, path, catalog, err);
    return rc < 0 ? rc : source_file.open_with(f->capture, &made, catalog, err);
}

static int foreign_open(void *state, const char *path, struct model_catalog *catalog,
                        struct oriel_err *err)
{
    struct foreign *f = state;
    memset(f, 0, sizeof *f);
    f->damage.first_offset = UINT64_MAX;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return err_set_errno(err, errno, "%s: cannot be opened", path);
    f->capture = mem_calloc(1, source_file.state_size);
    int rc = f->capture ? read_here(f, fd, path, catalog, err)
                        : err_set(err, ORIEL_ENOMEM, "%s: out of memory", path);
    close(fd);
    if (rc < 0) { /* the capture's source has closed itself */
        mem_free(f->capture);
        f->capture = NULL;
    }
    return rc;
}

static int foreign_poll(void *state, struct model_batch *batch, size_t max_records,
                        struct oriel_err *err)
{
    return source_file.poll(((struct foreign *)state)->capture, batch, max_records, err);
}

static void foreign_damage(const void *state, struct source_damage *out)
{
    const struct foreign *f = state;
    struct source_damage told;
    source_file.damage(f->capture, &told);
    /* Chunks are of the way from the child to here, and a whole number of them arrived. */
    *out = f->damage;
    out->records += told.records;
    out->bytes_skipped += told.bytes_skipped;
    out->truncated |= told.truncated;
    if (f->damage.first_offset == UINT64_MAX && told.first_offset != UINT64_MAX) {
        *out = told;
        out->records += f->damage.records;
    }
}

static const struct source foreign = {.name = "foreign",
                                      .state_size = sizeof(struct foreign),
                                      .open = foreign_open,
                                      .poll = foreign_poll,
                                      .damage = foreign_damage,
                                      .close = foreign_close};

const struct source *foreign_source(const char *path)
{
    uint8_t head[16];
    struct stat st;
    const struct source *found = &source_file;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        ssize_t n = pread(fd, head, sizeof head, 0);
        if (n > 0 && !source_file.recognizes(head, (size_t)n))
            found = &foreign;
    }
    if (fd >= 0)
        close(fd);
    return found;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Making region files and memfds, and looking at those that others left. Uses
 * the floor of base/os.h for everything that must be safe against links, full
 * file systems and foreign owners. One thread per region.
 */
#include "source/region_io.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/vec.h"
#include "source/ring/guard.h"
#include "source/ring/ring.h"
#include "wire/crash.h"

#define SUFFIX ".ring"
#define UNBORN ".unborn" /* after SUFFIX and the maker's start time: not whole yet */
enum { THREADS_DEFAULT = 1024, PATH_ROOM = 512, UNBORN_SECONDS = 10 };
#define RING_BYTES_MIN ((uint64_t)WIRE_CHUNKS_MIN * WIRE_CHUNK_BYTES)

struct region {
    int fd;
    struct wire_region *base;
    size_t bytes;
    uint8_t session_id[16];
    char path[PATH_ROOM];
    char unborn[PATH_ROOM + 32]; /* its name until the header is whole; "" none */
};

/* ---- making one ---- */

static bool fits(const char *text, size_t room)
{
    return !text || strlen(text) < room;
}

static void put_text(char *to, size_t room, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    assert(n < room);
    memcpy(to, text ? text : "", n);
    to[n] = 0;
}

/* Everything of the header but the magic, which goes in last. */
static int plan(struct wire_region *h, const struct region_options *o, struct oriel_err *err)
{
    uint64_t ring =
        o->ring_bytes ? o->ring_bytes : (uint64_t)WIRE_CHUNKS_DEFAULT * WIRE_CHUNK_BYTES;
    uint64_t chunks = ring / WIRE_CHUNK_BYTES + (ring % WIRE_CHUNK_BYTES != 0);
    if (chunks < WIRE_CHUNKS_MIN || chunks > WIRE_CHUNKS_MAX)
        return err_set(err, ORIEL_EINVAL, "ring size %llu KiB: allowed are %llu to %llu KiB",
                       (unsigned long long)(ring >> 10), (unsigned long long)(RING_BYTES_MIN >> 10),
                       (unsigned long long)((uint64_t)WIRE_CHUNKS_MAX * WIRE_CHUNK_BYTES >> 10));
    if (!wire_region_layout(h, (uint32_t)chunks, o->threads ? o->threads : THREADS_DEFAULT,
                            o->processes ? o->processes : WIRE_PROCESSES_MAX,
                            o->meta_bytes ? o->meta_bytes : WIRE_META_BYTES_DEFAULT))
        return err_set(err, ORIEL_EINVAL,
                       "ring for %u threads, %u processes, %llu bytes of call sites: allowed are "
                       "%u, %u and 4 KiB to 256 MiB",
                       o->threads, o->processes, (unsigned long long)o->meta_bytes,
                       WIRE_THREADS_MAX, WIRE_PROCESSES_MAX);
    if (!fits(o->directives, sizeof h->directives) ||
        !fits(o->capture_path, sizeof h->capture_path))
        return err_set(err, ORIEL_EINVAL, "filter directives or capture path too long (%zu, %zu)",
                       sizeof h->directives - 1, sizeof h->capture_path - 1);
    if (o->policy > WIRE_POLICY_OVERWRITE_OLDEST)
        return err_set(err, ORIEL_EINVAL, "unknown ring policy %u", o->policy);
    h->policy = o->policy;
    h->flags = (o->flags & ~(uint32_t)WIRE_REGION_LATE) |
               (o->late && !o->memfd ? (uint32_t)WIRE_REGION_LATE : 0);
    put_text(h->directives, sizeof h->directives, o->directives);
    put_text(h->capture_path, sizeof h->capture_path, o->capture_path);
    return 0;
}

static int identify(struct wire_region *h, struct oriel_err *err)
{
    struct clock_anchor a;
    int rc = os_random(h->session_id, sizeof h->session_id);
    if (rc != 0)
        return err_set_errno(err, -rc, "random bytes for the ring's session id");
    h->clock = h->flags & WIRE_REGION_FORCE_CLOCK ? ORIEL_CLOCK_MONOTONIC : clock_choose();
    clock_anchor_read((enum oriel_clock)h->clock, &a);
    h->created = (struct wire_anchor){a.ticks, a.mono_ns, a.unix_ns};
    h->creator_pid = (uint32_t)os_getpid();
    h->creator_start = os_start_time(os_getpid(), 0);
    h->boot_tag = os_boot_tag();
    return 0;
}

static const char *folder_of(const char *path, char *out, size_t room)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (n == 0 || n >= room)
        return slash ? "/" : ".";
    memcpy(out, path, n);
    out[n] = 0;
    return out;
}

/* time-pid-random.ring: sorts by age, and no two are alike. */
static int name_file(struct region *r, const struct region_options *o, const struct wire_region *h,
                     struct oriel_err *err)
{
    char dir[PATH_ROOM - 64], when[32];
    time_t seconds = (time_t)(h->created.unix_ns / 1000000000u);
    uint32_t random;
    struct tm t;
    if (!o->directory) {
        int rc = os_runtime_dir(dir, sizeof dir);
        if (rc != 0)
            return err_set_errno(err, -rc, "runtime directory for rings");
    } else if (strlen(o->directory) >= sizeof dir) {
        return err_set(err, ORIEL_EINVAL, "%s: path too long", o->directory);
    }
    memcpy(&random, h->session_id, sizeof random);
    if (!gmtime_r(&seconds, &t) || !strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &t))
        put_text(when, sizeof when, "0");
    snprintf(r->path, sizeof r->path, "%s/%s-%u-%08x" SUFFIX, o->directory ? o->directory : dir,
             when, h->creator_pid, random);
    snprintf(r->unborn, sizeof r->unborn, "%s.%llu" UNBORN, r->path,
             (unsigned long long)h->creator_start);
    return 0;
}

/* time-pid-random.ring.start.unborn, as name_file makes it. */
static bool maker_is_dead(const char *name)
{
    size_t n = strlen(name), tail = sizeof UNBORN - 1;
    const char *pid = strchr(name, '-'), *suffix = strstr(name, SUFFIX ".");
    if (n <= tail || strcmp(name + n - tail, UNBORN) != 0 || !pid || !suffix)
        return false;
    unsigned long maker = strtoul(pid + 1, NULL, 10);
    unsigned long long start = strtoull(suffix + sizeof SUFFIX, NULL, 10);
    return maker > 0 && maker <= INT32_MAX && !os_thread_alive((int32_t)maker, 0, start);
}

/* Rings whose makers died while they made them: nobody ever saw them. A moment
 * old they may belong to somebody whose pids are not ours to see. */
static void sweep(const char *path)
{
    char dir[PATH_ROOM], file[PATH_ROOM * 2];
    const char *where = folder_of(path, dir, sizeof dir);
    DIR *d = opendir(where);
    time_t now = time(NULL);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;
        if (!maker_is_dead(e->d_name))
            continue;
        snprintf(file, sizeof file, "%s/%s", where, e->d_name);
        if (lstat(file, &st) == 0 && S_ISREG(st.st_mode) && now - st.st_mtime >= UNBORN_SECONDS)
            unlink(file);
    }
    if (d)
        closedir(d);
}

/* Says what was wanted, what there is, and what would fit. */
static int explain_no_space(const struct region *r, const struct wire_region *h, bool memfd,
                            struct oriel_err *err)
{
    char dir[PATH_ROOM];
    struct statvfs fs;
    const char *where = memfd ? "memory" : folder_of(r->path, dir, sizeof dir);
    if (memfd || statvfs(where, &fs) != 0)
        return err_set(err, ORIEL_ENOSPC,
                       "no room for a ring of %llu KiB in %s: ask for a smaller one",
                       (unsigned long long)(h->size >> 10), where);
    uint64_t there = (uint64_t)fs.f_bavail * fs.f_frsize, tables = h->chunk_off;
    /* Half of what is free, so that the next program finds room too. */
    uint64_t fit = there > tables ? (there - tables) / 2 : 0;
    if (fit < RING_BYTES_MIN)
        return err_set(err, ORIEL_ENOSPC,
                       "no room for a ring of %llu KiB in %s: %llu KiB are free there; make room "
                       "or put the ring elsewhere",
                       (unsigned long long)(h->size >> 10), where,
                       (unsigned long long)(there >> 10));
    return err_set(err, ORIEL_ENOSPC,
                   "no room for a ring of %llu KiB in %s: %llu KiB are free there; ask for a ring "
                   "of %llu KiB or less",
                   (unsigned long long)(h->size >> 10), where, (unsigned long long)(there >> 10),
                   (unsigned long long)(fit >> 10));
}

/* Is there as much, so that who joins later may find it? */
static bool has_room(const char *path, uint64_t bytes)
{
    char dir[PATH_ROOM];
    struct statvfs fs;
    if (statvfs(folder_of(path, dir, sizeof dir), &fs) != 0)
        return true; /* what the system says when we try says it better */
    return fs.f_blocks == 0 || (uint64_t)fs.f_bavail * fs.f_frsize >= bytes;
}

static int make_file(struct region *r, const struct region_options *o, const struct wire_region *h,
                     struct oriel_err *err)
{
    void *base = NULL;
    int rc = o->memfd ? 0 : name_file(r, o, h, err);
    if (rc != 0)
        return rc;
    if (!o->memfd)
        sweep(r->path);
    size_t now = h->flags & WIRE_REGION_LATE ? (size_t)h->meta_off : (size_t)h->size;
    if (o->memfd)
        rc = os_create_memfd("oriel-ring", (size_t)h->size, now, &r->fd, &base);
    else
        rc = has_room(r->path, h->size)
                 ? os_create_file(r->unborn, (size_t)h->size, now, &r->fd, &base)
                 : -ENOSPC;
    if (rc == -EFBIG)
        return err_set(
            err, ORIEL_ENOSPC,
            "a ring of %llu KiB is beyond the limit of file sizes: raise ulimit -f, or ask "
            "for a smaller one",
            (unsigned long long)(h->size >> 10));
    if (rc == -ENOSPC || rc == -ENOMEM || rc == -EDQUOT)
        return explain_no_space(r, h, o->memfd, err);
    if (rc != 0)
        return err_set_errno(err, -rc, "%s", o->memfd ? "memory for a ring" : r->path);
    if (o->memfd)
        snprintf(r->path, sizeof r->path, "/proc/%d/fd/%d", (int)os_getpid(), r->fd);
    r->base = base;
    r->bytes = (size_t)h->size;
    guard_add(base, r->bytes);
    return 0;
}

/* Whole now: it gets its name. Never in the place of another file. */
static int be_born(struct region *r, struct oriel_err *err)
{
    if (!r->unborn[0])
        return 0;
    int rc = link(r->unborn, r->path) == 0 ? 0 : -errno;
    if (rc == -EPERM || rc == -EOPNOTSUPP) /* no hard links here */
        rc = rename(r->unborn, r->path) == 0 ? 0 : -errno;
    unlink(r->unborn);
    r->unborn[0] = 0;
    return rc == 0 ? 0 : err_set_errno(err, -rc, "%s", r->path);
}

int region_create(struct region **out, const struct region_options *options, struct oriel_err *err)
{
    static const struct region_options defaults = {.size = sizeof defaults};
    const struct region_options *o = options ? options : &defaults;
    struct wire_region h;
    if (o->size != sizeof *o)
        return err_set(err, ORIEL_EINVAL, "region options of another version");
    struct region *r = mem_calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ORIEL_ENOMEM, "out of memory");
    r->fd = -1;
    int rc = plan(&h, o, err);
    if (rc == 0)
        rc = identify(&h, err);
    if (rc == 0)
        rc = make_file(r, o, &h, err);
    if (rc != 0) {
        region_free(r);
        return rc;
    }
    memcpy(r->session_id, h.session_id, sizeof r->session_id);
    /* Whoever finds the magic finds a whole header. */
    uint64_t magic;
    memcpy(&magic, h.magic, sizeof magic);
    memset(h.magic, 0, sizeof h.magic);
    memcpy(r->base, &h, sizeof h);
    __atomic_store_n((uint64_t *)(void *)r->base->magic, magic, __ATOMIC_RELEASE);
    rc = be_born(r, err);
    if (rc != 0) {
        region_free(r);
        return rc;
    }
    *out = r;
    return 0;
}

const char *region_path(const struct region *r)
{
    return r->path;
}

/* Its descriptor may be one of the program's by now. */
void region_forget_file(struct region *r)
{
    r->fd = -1;
}

struct wire_region *region_memory(const struct region *r, size_t *out_bytes)
{
    if (out_bytes)
        *out_bytes = r->bytes;
    return r->base;
}

const uint8_t *region_session_id(const struct region *r)
{
    return r->session_id;
}

int region_watch_opening(const struct region *r)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd >= 0 && inotify_add_watch(fd, r->path, IN_OPEN) < 0) {
        close(fd);
        fd = -1;
    }
    return fd < 0 ? -1 : fd;
}

bool region_is_joined(const struct region *r)
{
    return __atomic_load_n(&r->base->process_serial, __ATOMIC_ACQUIRE) != 0;
}

bool region_is_refused(const struct region *r)
{
    return __atomic_load_n(&r->base->pages, __ATOMIC_ACQUIRE) == WIRE_PAGES_REFUSED;
}

void region_end(struct region *r)
{
    uint32_t open = WIRE_OPEN;
    __atomic_compare_exchange_n(&r->base->closed, &open, WIRE_CLOSED, false, __ATOMIC_RELEASE,
                                __ATOMIC_RELAXED);
}

/* Odd while the text is being replaced: a writer reads the generation, the
 * text and the generation again, and tries later unless both are even and
 * equal. */
int region_set_directives(struct region *r, const char *directives)
{
    struct wire_region *h = r->base;
    assert(directives);
    if (!fits(directives, sizeof h->directives))
        return ORIEL_EINVAL;
    __atomic_fetch_add(&h->filter_gen, 1, __ATOMIC_ACQ_REL);
    put_text(h->directives, sizeof h->directives, directives);
    __atomic_fetch_add(&h->filter_gen, 1, __ATOMIC_RELEASE);
    return 0;
}

uint32_t region_triggers(const struct region *r)
{
    return __atomic_load_n(&r->base->trigger, __ATOMIC_ACQUIRE);
}

void region_trigger(struct region *r)
{
    __atomic_fetch_add(&r->base->trigger, 1, __ATOMIC_RELEASE);
}

void region_tell_figures(struct region *r, const uint64_t *values, unsigned count, uint64_t mono_ns)
{
    struct wire_figures *f = &r->base->figures;
    assert(count <= WIRE_FIGURES);
    uint32_t seq = __atomic_load_n(&f->seq, __ATOMIC_RELAXED) | 1;
    __atomic_store_n(&f->seq, seq, __ATOMIC_RELAXED);
    /* Pair with the acquires of the reader: odd first. */
    for (unsigned i = 0; i < count; i++)
        __atomic_store_n(&f->values[i], values[i], __ATOMIC_RELEASE);
    __atomic_store_n(&f->mono_ns, mono_ns, __ATOMIC_RELEASE);
    __atomic_store_n(&f->count, count, __ATOMIC_RELEASE);
    __atomic_store_n(&f->seq, seq + 1, __ATOMIC_RELEASE); /* pairs with the reader's first load */
}

void region_tell_threshold(struct region *r, uint64_t threshold)
{
    __atomic_store_n(&r->base->threshold, threshold, __ATOMIC_RELAXED);
    __atomic_store_n(&r->base->rates, 1, __ATOMIC_RELEASE); /* pairs with told_flags in rec */
}

void region_free(struct region *r)
{
    if (!r)
        return;
    if (r->base) {
        guard_remove(r->base);
        os_unmap(r->base, r->bytes);
    }
    if (r->fd >= 0)
        close(r->fd);
    mem_free(r);
}

int region_unlink(const char *path, struct oriel_err *err)
{
    return unlink(path) == 0 ? 0 : err_set_errno(err, errno, "%s", path);
}

/* ---- looking at one ---- */

/* Committed bytes of a chunk that no capture holds. */
static uint64_t unread_of(const struct wire_region *h, void *base, uint32_t index)
{
    struct wire_chunk d;
    struct oriel_thread *t;
    memcpy(&d, wire_region_desc(h, base, index), sizeof d);
    uint64_t bytes = d.bytes;
    uint32_t state = wire_state(d.state);
    if (state == WIRE_CHUNK_ACTIVE && d.thread < h->thread_count) {
        t = wire_region_thread(h, base, d.thread);
        bytes = __atomic_load_n(&t->head, __ATOMIC_ACQUIRE) -
                (t->base + h->chunk_off + (uint64_t)index * h->chunk_bytes);
    } else if (state != WIRE_CHUNK_FULL && state != WIRE_CHUNK_WANTED) {
        return 0;
    }
    if (bytes > h->chunk_bytes)
        return 0;
    return bytes > d.consumed ? bytes - d.consumed : 0;
}

static void look_at_processes(const struct wire_region *h, void *base, struct region_info *out)
{
    for (uint32_t i = 0; i < h->process_count; i++) {
        struct wire_process p;
        memcpy(&p, wire_region_process(h, base, i), sizeof p);
        if (wire_state(p.state) < 2)
            continue;
        if (out->processes++ == 0)
            memcpy(out->exe, p.exe, strnlen(p.exe, sizeof out->exe - 1));
        out->processes_alive += out->same_boot && os_thread_alive(p.pid, 0, p.start_time);
    }
}

/* Where pids are few, as in a container, the next program has those of the one before. */
static bool reader_is_alive(const struct wire_region *h, int32_t reader)
{
    const bool known = reader == (int32_t)h->creator_pid;
    return reader > 0 && os_thread_alive(reader, 0, known ? h->creator_start : 0);
}

static void look(const struct wire_region *h, void *base, struct region_info *out)
{
    int32_t reader = (int32_t)h->reader_pid;
    struct wire_crash note;
    out->same_boot = ring_is_of_this_boot(h);
    memcpy(out->session_id, h->session_id, sizeof out->session_id);
    out->created_unix_ns = h->created.unix_ns;
    out->bytes = h->size;
    out->creator_pid = (int32_t)h->creator_pid;
    out->creator_alive = out->same_boot && os_thread_alive(out->creator_pid, 0, h->creator_start);
    out->reader_pid = out->same_boot && reader_is_alive(h, reader) ? reader : 0;
    out->exported = h->owner != 0;
    for (unsigned i = 0; i < WIRE_CRASHES; i++)
        out->crashes += wire_crash_read(&((struct wire_region *)base)->crashes[i], &note);
    memcpy(out->capture_path, h->capture_path,
           strnlen(h->capture_path, sizeof out->capture_path - 1));
    look_at_processes(h, base, out);
    for (uint32_t i = 0; i < h->chunk_count; i++)
        out->unread_bytes += unread_of(h, base, i);
}

bool region_is_orphan(const struct region_info *info)
{
    return !info->creator_alive && !info->reader_pid && info->processes_alive == 0;
}

int region_inspect(const char *path, struct region_info *out, struct oriel_err *err)
{
    struct wire_region h = {.magic = {0}};
    size_t bytes = 0;
    void *base = NULL;
    int rc = os_map_file(path, &bytes, &base);
    if (rc == -EINVAL)
        return err_set(err, ORIEL_EFORMAT, "%s: not an oriel ring", path);
    if (rc != 0)
        return err_set_errno(err, -rc, "%s", path);
    guard_add(base, bytes);
    if (bytes >= sizeof h)
        memcpy(&h, base, sizeof h);
    rc = wire_region_check(&h, bytes);
    if (rc == 0) {
        struct stat st;
        memset(out, 0, sizeof *out);
        out->memory_bytes = stat(path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
        snprintf(out->path, sizeof out->path, "%s", path);
        look(&h, base, out);
        rc = guard_is_cut(base) ? ORIEL_EFORMAT : 0;
    }
    guard_remove(base);
    os_unmap(base, bytes);
    return rc == 0 ? 0 : err_set(err, rc, "%s: not an oriel ring of this version", path);
}

uint64_t region_taken_bytes(const struct region *r)
{
    const struct wire_region *base = region_memory(r, NULL);
    const uint32_t all = base->chunk_count, left = RING_LOAD(&base->free_chunks);
    return (uint64_t)(left <= all ? all - left : all) * base->chunk_bytes;
}

bool region_is_spent(const struct region *r)
{
    const struct wire_region h = *r->base;
    struct region_info info = {.bytes = 0};
    look(&h, r->base, &info);
    return info.unread_bytes == 0 && info.crashes == 0 && region_is_alone(r);
}

static int by_age(const struct region_info *a, const struct region_info *b)
{
    return (a->created_unix_ns > b->created_unix_ns) - (a->created_unix_ns < b->created_unix_ns);
}

/* Insertion from the end: names sort by age, so most come in order. */
static void keep_sorted(struct region_info *all, size_t n)
{
    struct region_info last = all[n - 1];
    size_t at = n - 1;
    assert(n > 0);
    while (at > 0 && by_age(&all[at - 1], &last) > 0) {
        all[at] = all[at - 1];
        at--;
    }
    all[at] = last;
}

static bool is_ring_name(const char *name)
{
    size_t n = strlen(name), s = sizeof SUFFIX - 1;
    return n > s && strcmp(name + n - s, SUFFIX) == 0;
}

int region_list(const char *directory, struct region_info **out, size_t *out_count,
                struct oriel_err *err)
{
    char dir[PATH_ROOM], path[PATH_ROOM * 2];
    VEC(struct region_info) all = {0};
    int rc = directory ? 0 : os_runtime_dir(dir, sizeof dir);
    if (rc != 0)
        return err_set_errno(err, -rc, "runtime directory for rings");
    const char *where = directory ? directory : dir;
    DIR *d = opendir(where);
    if (!d)
        return err_set_errno(err, errno, "%s", where);
    for (struct dirent *e; (e = readdir(d)) && all.count < REGION_LIST_MAX && rc == 0;) {
        struct region_info info, *at;
        if (!is_ring_name(e->d_name))
            continue;
        snprintf(path, sizeof path, "%s/%s", where, e->d_name);
        if (strlen(path) >= sizeof info.path || region_inspect(path, &info, NULL) != 0)
            continue;
        at = VEC_PUSH(&all);
        if (!at) {
            rc = err_set(err, ORIEL_ENOMEM, "out of memory");
            break;
        }
        *at = info;
        keep_sorted(all.items, all.count);
    }
    closedir(d);
    if (rc != 0) {
        VEC_DONE(&all);
        return rc;
    }
    *out = all.items;
    *out_count = all.count;
    return 0;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Dynamic events of the kernel: one line each into uprobe_events. They are
 * global and outlive their maker, so each recorder has a group of its own name,
 * with its pid, when it started and in which PID namespace; what belongs to
 * nobody that lives is removed by the next who can tell.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/os.h"
#include "source/kernel_point.h"
#include "source/probe/probe.h"

enum { FORMAT_BYTES_MAX = 65536, LIST_BYTES_MAX = 1 << 24, PLACES_IN_ONE = 256 };

/* When a process started, in ticks since the machine did; 0: there is none. */
static uint64_t start_of(int32_t pid)
{
    return os_start_time(pid, pid);
}

/* The PID namespace of a process by its folder in /proc, "self" or a number; 0: not known. */
static uint64_t space_of(const char *process)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%.20s/ns/pid", process);
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* One line; the kernel takes or refuses it whole. */
static int tell(const struct tracefs *t, const char *line, size_t n)
{
    return write(t->fd, line, n) == (ssize_t)n ? 0 : -errno;
}

/* ---- what others left ---- */

/* Whose an event is. */
struct maker {
    int32_t pid;
    uint64_t start, space;
};

/* Whether /proc has the numbers that we have. */
static bool proc_is_ours(void)
{
    char self[16] = "";
    return readlink("/proc/self", self, sizeof self - 1) > 0 &&
           strtol(self, NULL, 10) == os_getpid();
}

static bool space_lives(uint64_t space)
{
    DIR *d = opendir("/proc");
    bool lives = !d;
    for (struct dirent *e; d && !lives && (e = readdir(d));)
        lives = e->d_name[0] > '0' && e->d_name[0] <= '9' && space_of(e->d_name) == space;
    if (d)
        closedir(d);
    return lives;
}

/* A number says something in its own namespace alone. Of another one only the first, which sees
 * all processes, knows that nobody is left in it. */
static bool is_dead(const struct maker *m, uint64_t space)
{
    if (m->space == space)
        return start_of(m->pid) != m->start;
    return kernel_point_numbers_are_ours() && !space_lives(m->space);
}

/* "p:oriel_12_345_678/e0 ..." of a recorder that is dead: remove it. We are in namespace `own`. */
static void sweep_line(const struct tracefs *t, uint64_t own, const char *line, size_t n)
{
    char command[160];
    if (n < 8 || line[1] != ':' || strncmp(line + 2, "oriel_", 6) != 0)
        return;
    char *end;
    struct maker m = {.pid = (int32_t)strtol(line + 8, &end, 10)};
    m.start = *end == '_' ? strtoull(end + 1, &end, 10) : 0;
    m.space = *end == '_' ? strtoull(end + 1, &end, 10) : 0;
    const char *space = memchr(line, ' ', n);
    if (*end != '/' || !space || m.pid <= 0 || !m.space || !is_dead(&m, own))
        return;
    int bytes = snprintf(command, sizeof command, "-:%.*s\n", (int)(space - line - 2), line + 2);
    if (bytes > 0 && (size_t)bytes < sizeof command)
        (void)tell(t, command, (size_t)bytes);
}

/* A file of all dynamic events. False: not to be read. */
static bool read_list(const struct tracefs *t, const char *name, struct buf *out)
{
    char path[128];
    buf_init(out);
    snprintf(path, sizeof path, "%s/%s", t->root, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : 1;
    while (n > 0 && out->size < LIST_BYTES_MAX) {
        char *room = buf_reserve(out, 65536);
        n = room ? read(fd, room, 65536) : -1;
        out->size += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0)
        close(fd);
    return n == 0;
}

static void sweep(const struct tracefs *t)
{
    struct buf list;
    const uint64_t own = space_of("self");
    if (!own || !proc_is_ours())
        return;
    (void)read_list(t, "uprobe_events", &list);
    const char *at = buf_cstr(&list);
    while (*at) {
        size_t n = strcspn(at, "\n");
        sweep_line(t, own, at, n);
        at += n + (at[n] == '\n');
    }
    buf_done(&list);
}

/* ---- ours ---- */

/* Where the kernel lists what it counted it leaves the group away: names are ours alone, too. */
static const char *own_part(const struct tracefs *t)
{
    assert(strncmp(t->group, "oriel_", 6) == 0);
    return t->group + 6;
}

int tracefs_open(struct tracefs *t, bool writes, struct oriel_err *err)
{
    static const char *const roots[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
    char path[128];
    int why = ENOENT;
    *t = (struct tracefs){.fd = -1};
    snprintf(t->group, sizeof t->group, "oriel_%d_%llu_%llu", os_getpid(),
             (unsigned long long)start_of(os_getpid()), (unsigned long long)space_of("self"));
    for (size_t i = 0; i < 2 && t->fd < 0; i++) {
        snprintf(t->root, sizeof t->root, "%s", roots[i]);
        snprintf(path, sizeof path, "%s/uprobe_events", roots[i]);
        t->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
        why = t->fd < 0 && errno != ENOENT ? errno : why;
    }
    if (t->fd < 0 && (writes || why == EACCES))
        return err_set(err, ORIEL_EPERM,
                       why == ENOENT
                           ? "this kernel has no tracefs with uprobe events mounted "
                             "(/sys/kernel/tracing)"
                           : "probes need root (to write /sys/kernel/tracing); without it "
                             "the program's own spans, --rate and functions compiled with "
                             "-fpatchable-function-entry work");
    if (t->fd >= 0)
        sweep(t);
    return 0;
}

void probe_sweep(void)
{
    struct tracefs t;
    if (tracefs_open(&t, false, NULL) == 0)
        tracefs_close(&t);
}

/* A path as the kernel takes it: words end at a space. */
static int path_of(const struct probe_place *place, char *out, size_t n, int *out_fd)
{
    *out_fd = -1;
    if (strcspn(place->path, " \t\n:\\") != strlen(place->path)) {
        *out_fd = open(place->path, O_RDONLY | O_CLOEXEC);
        if (*out_fd < 0)
            return -errno;
        snprintf(out, n, "/proc/%d/fd/%d", os_getpid(), *out_fd);
        return 0;
    }
    int bytes = snprintf(out, n, "%s", place->path);
    return bytes > 0 && (size_t)bytes < n ? 0 : -ENAMETOOLONG;
}

/* Names and types of what is fetched there: places that have all of it in common may
 * be one event. */
static uint64_t key_of(const struct probe_place *place)
{
    uint64_t key = map_hash_bytes(place->returns ? "r" : "p", 1, 0);
    for (const char *at = place->fetch; *at;) {
        size_t n = strcspn(at, " "), name = strcspn(at, "="), type = n;
        while (type > 0 && at[type - 1] != ':')
            type--;
        key = map_hash_bytes(at, name < n ? name : n, key);
        key = map_hash_bytes(at + type, n - type, key);
        at += n + (at[n] == ' ');
    }
    return key;
}

/* One place as event `number`. Negative numbers of the kernel. */
static int tell_place(const struct tracefs *t, const struct probe_place *place, uint32_t index,
                      uint32_t number)
{
    char line[8192], path[4096], semaphore[32] = "";
    int fd, rc = path_of(place, path, sizeof path, &fd);
    if (place->semaphore)
        snprintf(semaphore, sizeof semaphore, "(0x%llx)", (unsigned long long)place->semaphore);
    int n = snprintf(line, sizeof line, "%c:%s/e%u_%s %s:0x%llx%s " TRACEFS_INDEX "=\\%u:u32 %s\n",
                     place->returns ? 'r' : 'p', t->group, number, own_part(t), path,
                     (unsigned long long)place->offset, semaphore, index, place->fetch);
    if (rc == 0)
        rc = n > 0 && (size_t)n < sizeof line ? tell(t, line, (size_t)n) : -E2BIG;
    if (fd >= 0)
        close(fd);
    return rc;
}

/* The event that places like this one have; false: none yet, or it is full. */
static bool find_event(const struct tracefs *t, uint64_t key, uint32_t *out)
{
    const uint64_t *known = map_get(&t->like, key);
    if (!known || t->places.items[*known] >= PLACES_IN_ONE)
        return false;
    *out = (uint32_t)*known;
    return true;
}

static bool remember_event(struct tracefs *t, uint64_t key)
{
    uint64_t *event = map_put(&t->like, key, t->count);
    uint32_t *places = event ? VEC_PUSH(&t->places) : NULL;
    if (!places)
        return false;
    *event = t->count;
    *places = 1;
    return true;
}

/* Each event costs every thread something each time it gets a CPU, and descriptors; places
 * cost nothing but where they are. Kernels before 5.4 know events of one place only. */
int tracefs_add(struct tracefs *t, const struct probe_place *place, uint32_t index,
                uint32_t *out_event, struct oriel_err *err)
{
    const uint64_t key = key_of(place);
    assert(t->fd >= 0 && t->places.count == t->count);
    if (find_event(t, key, out_event) && tell_place(t, place, index, *out_event) == 0) {
        t->places.items[*out_event]++;
        return 0;
    }
    int rc = tell_place(t, place, index, t->count);
    if (rc < 0)
        return err_set(err, rc == -EACCES || rc == -EPERM ? ORIEL_EPERM : ORIEL_EUNSUPPORTED,
                       "%.200s: the kernel refuses a probe at 0x%llx (%s): error %d", place->path,
                       (unsigned long long)place->offset, place->fetch, -rc);
    bool remembered = remember_event(t, key);
    *out_event = t->count++;
    return remembered ? 0 : err_set(err, ORIEL_ENOMEM, "probes: out of memory");
}

int tracefs_format(const struct tracefs *t, uint32_t n, const char *tracepoint, struct format *out,
                   struct oriel_err *err)
{
    char path[320], name[192], text[FORMAT_BYTES_MAX];
    if (tracepoint)
        snprintf(name, sizeof name, "%s", tracepoint);
    else
        snprintf(name, sizeof name, "%s:e%u_%s", t->group, n, own_part(t));
    char *colon = strchr(name, ':');
    if (colon)
        *colon = '/';
    if (!colon || strstr(name, ".."))
        return err_set(err, ORIEL_EINVAL, "tracepoint \"%s\": not of the form GROUP:NAME", name);
    snprintf(path, sizeof path, "%s/events/%s/format", t->root, name);
    long bytes = os_read_file(path, text, sizeof text);
    if (bytes <= 0)
        return err_set(err, ORIEL_ENOTFOUND,
                       "tracepoint %s: this kernel has none of that name, or "
                       "it is not to be read (root sees it)",
                       tracepoint ? tracepoint : name);
    if (!format_parse(text, (size_t)bytes, out))
        return err_set(err, ORIEL_EFORMAT, "%s: not as expected", path);
    return 0;
}

/* "  /usr/bin/x e12_345_678    9": our event 12 was hit 9 times, at one of its places. */
static void count_line(const struct tracefs *t, const char *line, size_t n, uint64_t *hits)
{
    const char *end = line + n, *number = end, *name;
    while (number > line && number[-1] >= '0' && number[-1] <= '9')
        number--;
    for (name = number; name > line && name[-1] == ' ';)
        name--;
    const char *name_end = name;
    while (name > line && name[-1] != ' ')
        name--;
    if (number == end || *name != 'e')
        return;
    char *own;
    unsigned long event = strtoul(name + 1, &own, 10);
    size_t own_bytes = strlen(own_part(t));
    if (own > name + 1 && *own == '_' && (size_t)(name_end - own) == own_bytes + 1 &&
        memcmp(own + 1, own_part(t), own_bytes) == 0 && event < t->count)
        hits[event] += strtoull(number, NULL, 10);
}

bool tracefs_hits(const struct tracefs *t, uint64_t *hits)
{
    struct buf list;
    bool whole = read_list(t, "uprobe_profile", &list);
    memset(hits, 0, t->count * sizeof *hits);
    const char *at = buf_cstr(&list);
    while (*at) {
        size_t n = strcspn(at, "\n");
        count_line(t, at, n, hits);
        at += n + (at[n] == '\n');
    }
    whole &= !list.failed;
    buf_done(&list);
    return whole;
}

void tracefs_close(struct tracefs *t)
{
    char line[192];
    for (uint32_t i = 0; t->fd >= 0 && i < t->count; i++) {
        int n = snprintf(line, sizeof line, "-:%s/e%u_%s\n", t->group, i, own_part(t));
        (void)tell(t, line, (size_t)n);
    }
    if (t->fd >= 0)
        close(t->fd);
    map_done(&t->like);
    VEC_DONE(&t->places);
    t->fd = -1;
    t->count = 0;
}

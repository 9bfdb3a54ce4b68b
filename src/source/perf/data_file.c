/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The outside of perf.data: where things are. Every offset and length is
 * checked against what is there. One that is cut while it is read ends the
 * confined child that reads it. Runs on one thread.
 */
#include <assert.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/mem.h"
#include "source/perf/data.h"

/* What perf adds to the kernel's records, and the numbers of its features. */
enum {
    PERF_HEADER_ATTR = 64,
    PERF_HEADER_BUILD_ID = 67,
    PERF_AUXTRACE = 71,
    PERF_HEADER_FEATURE = 80,
    PERF_COMPRESSED = 81,
    PERF_COMPRESSED2 = 83,

    FEATURE_BUILD_ID = 2,
    FEATURE_HOSTNAME = 3,
    FEATURE_OSRELEASE = 4,
    FEATURE_ARCH = 6,
    FEATURE_EVENT_DESC = 12,
    FEATURE_CLOCK_DATA = 29,
    FEATURES = 256,

    HEADER_BYTES = 104, /* of the form with sections; a stream's is 16 */
    STREAM_HEADER_BYTES = 16,
    SECTION_BYTES = 16,
    IDS_BYTES_MAX = 1 << 20,
    FEATURE_BYTES_MAX = 16 << 20,
    UNPACK_STEP = 1 << 17,
    BUILD_ID_HEAD = 36, /* header, pid, 24 bytes */
    BUILD_ID_SIZED = 1 << 15
};

struct section {
    uint64_t at, bytes;
};

/* ---- bytes ---- */

/* n bytes at `at`; NULL: the file ends before. */
static const uint8_t *look(const struct data_file *f, uint64_t at, size_t n)
{
    return at > f->size || n > f->size - at ? NULL : f->bytes + at;
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static void note_damage(struct data_file *f, uint64_t at, uint64_t bytes)
{
    f->damaged++;
    f->bytes_skipped += bytes;
    if (f->first_damage > at)
        f->first_damage = at;
}

/* ---- events ---- */

static uint8_t kind_of(const struct perf_event_attr *a)
{
    bool software = a->type == PERF_TYPE_SOFTWARE;
    if (software && (a->config == PERF_COUNT_SW_CPU_CLOCK || a->config == PERF_COUNT_SW_TASK_CLOCK))
        return ORIEL_SAMPLE_CPU;
    if (software &&
        (a->config == PERF_COUNT_SW_PAGE_FAULTS || a->config == PERF_COUNT_SW_PAGE_FAULTS_MIN ||
         a->config == PERF_COUNT_SW_PAGE_FAULTS_MAJ))
        return ORIEL_SAMPLE_FAULT;
    if (a->type == PERF_TYPE_HARDWARE && a->config == PERF_COUNT_HW_CPU_CYCLES)
        return ORIEL_SAMPLE_CPU;
    return 0;
}

static int add_event(struct data_file *f, const uint8_t *attr, size_t bytes, const uint8_t *ids,
                     size_t id_bytes)
{
    struct perf_event_attr a = {0};
    if (f->events.count == DATA_ATTRS_MAX)
        return ORIEL_ELIMIT;
    memcpy(&a, attr, bytes < sizeof a ? bytes : sizeof a);
    struct data_event *e = VEC_PUSH(&f->events);
    if (!e)
        return ORIEL_ENOMEM;
    *e = (struct data_event){.sample_type = a.sample_type,
                             .read_format = a.read_format,
                             .branch_type = a.branch_sample_type,
                             .user_registers = a.sample_regs_user,
                             .period = a.freq || !a.sample_period ? 1 : a.sample_period,
                             .id_all = a.sample_id_all,
                             .kind = kind_of(&a)};
    /* Two events of one kind would count the same time twice. */
    for (size_t i = 0; i + 1 < f->events.count; i++)
        if (f->events.items[i].kind == e->kind)
            e->kind = 0;
    for (size_t i = 0; i + 8 <= id_bytes; i += 8)
        if (!map_put(&f->event_by_id, get64(ids + i), f->events.count - 1))
            return ORIEL_ENOMEM;
    return 0;
}

/* An event that measures something else counts as CPU time if there is no other. */
static void choose_events(struct data_file *f)
{
    for (size_t i = 0; i < f->events.count; i++)
        if (f->events.items[i].kind)
            return;
    if (f->events.count)
        f->events.items[0].kind = ORIEL_SAMPLE_CPU;
}

static int read_events(struct data_file *f, struct section attrs, uint64_t each)
{
    int rc = 0;
    if (each < SECTION_BYTES + 64 || each > 4096)
        return ORIEL_EDAMAGED;
    for (uint64_t i = 0; i < attrs.bytes / each && i < DATA_ATTRS_MAX && rc == 0; i++) {
        uint8_t attr[4096];
        const uint8_t *p = look(f, attrs.at + i * each, each);
        if (!p)
            return ORIEL_EDAMAGED;
        memcpy(attr, p, each);
        struct section ids = {get64(attr + each - 16), get64(attr + each - 8)};
        p = ids.bytes <= IDS_BYTES_MAX ? look(f, ids.at, ids.bytes) : NULL;
        rc = add_event(f, attr, each - SECTION_BYTES, p, p ? ids.bytes : 0);
    }
    return rc;
}

/* ---- features ---- */

static void take_text(char *out, size_t room, const uint8_t *p, size_t n)
{
    if (n < 4 || get32(p) > n - 4)
        return;
    size_t length = strnlen((const char *)p + 4, get32(p));
    length = length < room ? length : room - 1;
    memcpy(out, p + 4, length);
    out[length] = 0;
}

static int take_build_id(struct data_file *f, const uint8_t *p, size_t n)
{
    struct perf_event_header h;
    memcpy(&h, p, sizeof h);
    const char *path = (const char *)p + BUILD_ID_HEAD;
    size_t length = n > BUILD_ID_HEAD ? strnlen(path, n - BUILD_ID_HEAD) : 0;
    uint8_t bytes = h.misc & BUILD_ID_SIZED ? p[12 + 20] : 20;
    if (!length || length >= DATA_TEXT_MAX || bytes > 20)
        return 0;
    uint32_t id = intern_add(&f->paths, path, length);
    while (id != UINT32_MAX && f->build_ids.count <= id)
        if (!VEC_PUSH(&f->build_ids))
            return ORIEL_ENOMEM;
    if (id == UINT32_MAX)
        return ORIEL_ENOMEM;
    f->build_ids.items[id].bytes = bytes;
    memcpy(f->build_ids.items[id].id, p + 12, bytes);
    return 0;
}

static int take_build_ids(struct data_file *f, const uint8_t *p, size_t n)
{
    int rc = 0;
    while (n >= BUILD_ID_HEAD && rc == 0) {
        struct perf_event_header h;
        memcpy(&h, p, sizeof h);
        if (h.size < BUILD_ID_HEAD || h.size > n)
            break;
        rc = take_build_id(f, p, h.size);
        p += h.size;
        n -= h.size;
    }
    return rc;
}

/* What an event is called where its attributes do not tell what it counts: perf's own times off
 * the CPU, and what we wrote ourselves. */
static uint8_t kind_by_name(const char *name, size_t n)
{
    static const struct {
        const char *name;
        uint8_t kind;
    } names[] = {{"offcpu-time", ORIEL_SAMPLE_OFF_CPU},
                 {"oriel:alloc", ORIEL_SAMPLE_ALLOC},
                 {"oriel:lock", ORIEL_SAMPLE_LOCK},
                 {"oriel:preempted", ORIEL_SAMPLE_PREEMPTED},
                 {"oriel:condition", ORIEL_SAMPLE_CONDITION}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].name) == n && memcmp(names[i].name, name, n) == 0)
            return names[i].kind;
    return 0;
}

static void name_event(struct data_file *f, uint64_t id, uint8_t kind)
{
    const uint64_t *index = kind ? map_get(&f->event_by_id, id) : NULL;
    for (size_t i = 0; i < f->events.count; i++)
        if (f->events.items[i].kind == kind)
            return; /* there is one already */
    if (index && *index < f->events.count && !f->events.items[*index].kind)
        f->events.items[*index].kind = kind;
}

/* Count and size of attributes; then of each: attributes, count of ids, name, ids. */
static void take_names(struct data_file *f, const uint8_t *p, size_t n)
{
    if (n < 8 || get32(p + 4) > n)
        return;
    uint32_t count = get32(p);
    const size_t attr_bytes = get32(p + 4);
    p += 8;
    n -= 8;
    while (count-- > 0 && n >= attr_bytes && n - attr_bytes >= 8) {
        const uint64_t ids = get32(p + attr_bytes), text = get32(p + attr_bytes + 4);
        const char *name = (const char *)p + attr_bytes + 8;
        n -= attr_bytes + 8;
        if (text > n || ids > (n - text) / 8)
            return;
        if (ids)
            name_event(f, get64((const uint8_t *)name + text),
                       kind_by_name(name, strnlen(name, text)));
        p += attr_bytes + 8 + text + ids * 8;
        n -= text + ids * 8;
    }
}

static int take_feature(struct data_file *f, uint64_t number, const uint8_t *p, size_t n)
{
    switch (number) {
    case FEATURE_BUILD_ID:
        return take_build_ids(f, p, n);
    case FEATURE_HOSTNAME:
        take_text(f->host, sizeof f->host, p, n);
        return 0;
    case FEATURE_OSRELEASE:
        take_text(f->release, sizeof f->release, p, n);
        return 0;
    case FEATURE_ARCH:
        take_text(f->machine, sizeof f->machine, p, n);
        return 0;
    case FEATURE_EVENT_DESC:
        take_names(f, p, n);
        return 0;
    case FEATURE_CLOCK_DATA: /* version, clock, wall clock, that clock */
        if (n >= 24) {
            f->clock_unix_ns = get64(p + 8);
            f->clock_mono_ns = get64(p + 16);
        }
        return 0;
    default:
        return 0;
    }
}

/* A section for each bit that is set, one after the other behind the records. */
static int read_features(struct data_file *f, uint64_t table, const uint64_t bits[4])
{
    int rc = 0;
    for (unsigned i = 0; i < FEATURES && rc == 0; i++) {
        if (!(bits[i / 64] >> (i % 64) & 1))
            continue;
        const uint8_t *p = look(f, table, SECTION_BYTES);
        if (!p)
            return 0; /* not written: perf was killed */
        struct section s = {get64(p), get64(p + 8)};
        table += SECTION_BYTES;
        p = s.bytes <= FEATURE_BYTES_MAX ? look(f, s.at, s.bytes) : NULL;
        if (p)
            rc = take_feature(f, i, p, s.bytes);
    }
    return rc;
}

/* ---- records ---- */

static bool is_wanted(uint32_t type)
{
    switch (type) {
    case PERF_RECORD_MMAP:
    case PERF_RECORD_MMAP2:
    case PERF_RECORD_COMM:
    case PERF_RECORD_FORK:
    case PERF_RECORD_EXIT:
    case PERF_RECORD_SAMPLE:
    case PERF_RECORD_LOST:
    case PERF_RECORD_LOST_SAMPLES:
        return true;
    default:
        return false;
    }
}

/* All compressed records are one stream of zstd. */
static int unpack(struct data_file *f, const uint8_t *p, size_t n)
{
    ZSTD_inBuffer in = {p, n, 0};
    if (!f->zstd && !(f->zstd = ZSTD_createDStream()))
        return ORIEL_ENOMEM;
    for (;;) {
        if (f->unpacked.size > DATA_UNPACKED_MAX)
            return ORIEL_EDAMAGED;
        char *room = buf_reserve(&f->unpacked, UNPACK_STEP);
        if (!room)
            return ORIEL_ENOMEM;
        ZSTD_outBuffer out = {room, UNPACK_STEP, 0};
        size_t rc = ZSTD_decompressStream(f->zstd, &out, &in);
        f->unpacked.size += out.pos;
        if (ZSTD_isError(rc))
            return ORIEL_EDAMAGED;
        if (in.pos == n && out.pos < UNPACK_STEP)
            return 0;
    }
}

static int take_stream_event(struct data_file *f, const uint8_t *at, size_t bytes)
{
    struct perf_event_header h;
    uint32_t size = bytes >= sizeof h + 8 ? get32(at + sizeof h + 4) : 0;
    if (size < 64 || size > bytes - sizeof h)
        return 0;
    return add_event(f, at + sizeof h, size, at + sizeof h + size, bytes - sizeof h - size);
}

/* One record of the file or of what was compressed in it; `skip` gets what
 * stands behind it and is none. */
static int take_record(struct data_file *f, const uint8_t *at, size_t bytes, uint64_t where,
                       uint64_t *skip)
{
    struct perf_event_header h;
    memcpy(&h, at, sizeof h);
    if (is_wanted(h.type)) {
        const struct data_event *e = data_record_event(f, at, bytes);
        if (!e) {
            note_damage(f, where & ~DATA_UNPACKED, bytes);
            return 0;
        }
        struct data_entry *entry = VEC_PUSH(&f->entries);
        if (!entry)
            return ORIEL_ENOMEM;
        *entry = (struct data_entry){data_record_time(e, at, bytes), where};
        return 0;
    }
    if (where & DATA_UNPACKED)
        return 0;
    if (h.type == PERF_AUXTRACE && bytes >= 16)
        *skip = get64(at + 8);
    else if (h.type == PERF_HEADER_ATTR)
        return take_stream_event(f, at, bytes);
    else if (h.type == PERF_HEADER_BUILD_ID && bytes >= BUILD_ID_HEAD)
        return take_build_id(f, at, bytes);
    else if (h.type == PERF_HEADER_FEATURE && bytes >= 16)
        return take_feature(f, get64(at + 8), at + 16, bytes - 16);
    else if (h.type == PERF_COMPRESSED)
        return unpack(f, at + 8, bytes - 8);
    else if (h.type == PERF_COMPRESSED2 && bytes >= 16)
        return get64(at + 8) <= bytes - 16 ? unpack(f, at + 16, get64(at + 8)) : ORIEL_EDAMAGED;
    return 0;
}

/* Whole records of what was unpacked so far; returns where the rest begins. */
static int walk_unpacked(struct data_file *f, uint64_t *at)
{
    int rc = 0;
    while (rc == 0 && f->unpacked.size - *at >= sizeof(struct perf_event_header)) {
        const uint8_t *p = (const uint8_t *)f->unpacked.data + *at;
        struct perf_event_header h;
        uint64_t none = 0;
        memcpy(&h, p, sizeof h);
        if (h.size < sizeof h)
            return ORIEL_EDAMAGED;
        if (h.size > f->unpacked.size - *at)
            return 0;
        rc = take_record(f, p, h.size, *at | DATA_UNPACKED, &none);
        *at += h.size;
    }
    return rc;
}

/* Every record from `at` on. What cannot be one ends it. */
static int walk(struct data_file *f, uint64_t at, uint64_t end)
{
    uint64_t unpacked_at = 0;
    int rc = 0;
    while (rc == 0 && at < end && end - at >= sizeof(struct perf_event_header)) {
        struct perf_event_header h;
        const uint8_t *p = look(f, at, sizeof h);
        if (!p)
            break;
        memcpy(&h, p, sizeof h);
        p = h.size >= sizeof h && h.size <= end - at ? look(f, at, h.size) : NULL;
        if (!p)
            break;
        uint64_t skip = 0;
        rc = take_record(f, p, h.size, at, &skip);
        if (rc == 0)
            rc = walk_unpacked(f, &unpacked_at);
        at += h.size;
        at += skip < end - at ? skip : end - at;
        if (rc == ORIEL_EDAMAGED || rc == ORIEL_ELIMIT) {
            note_damage(f, at, 0);
            rc = 0;
        }
    }
    if (rc == 0 && at < end) {
        note_damage(f, at, end - at);
        f->truncated = true;
    }
    return rc;
}

static int by_time(const void *a, const void *b)
{
    const struct data_entry *x = a, *y = b;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* ---- the whole ---- */

static int read_sections(struct data_file *f)
{
    uint8_t head[HEADER_BYTES];
    const uint8_t *p = look(f, 0, sizeof head);
    if (!p)
        return ORIEL_EDAMAGED;
    memcpy(head, p, sizeof head);
    uint64_t attr_bytes = get64(head + 16), bits[4];
    struct section attrs = {get64(head + 24), get64(head + 32)},
                   data = {get64(head + 40), get64(head + 48)};
    memcpy(bits, head + 72, sizeof bits);
    int rc = read_events(f, attrs, attr_bytes);
    if (rc < 0)
        return rc;
    uint64_t left = data.at < f->size ? f->size - data.at : 0;
    bool finished = data.bytes != 0 && data.bytes <= left;
    if (finished)
        rc = read_features(f, data.at + data.bytes, bits);
    f->truncated |= !finished; /* perf was killed, or the file cut */
    choose_events(f);
    return rc < 0 ? rc : walk(f, data.at, finished ? data.at + data.bytes : f->size);
}

static int read_all(struct data_file *f)
{
    const uint8_t *p = look(f, 0, STREAM_HEADER_BYTES);
    int rc = ORIEL_EFORMAT;
    if (!p)
        return rc;
    if (memcmp(p, "2ELIFREP", 8) == 0)
        return ORIEL_EUNSUPPORTED;
    if (memcmp(p, DATA_MAGIC, 8) != 0)
        return rc;
    if (get64(p + 8) == STREAM_HEADER_BYTES) {
        rc = walk(f, STREAM_HEADER_BYTES, f->size);
        choose_events(f);
    } else {
        rc = read_sections(f);
    }
    if (rc == 0 && f->events.count == 0)
        rc = ORIEL_EDAMAGED;
    if (f->entries.count)
        qsort(f->entries.items, f->entries.count, sizeof *f->entries.items, by_time);
    return rc;
}

int data_file_open(struct data_file *f, const struct source_bytes *file, struct oriel_err *err)
{
    memset(f, 0, sizeof *f);
    f->bytes = file->bytes;
    f->size = file->size;
    f->written_unix_ns = file->written_unix_ns;
    f->first_damage = UINT64_MAX;
    buf_init(&f->unpacked);
    int rc = intern_init(&f->paths);
    if (rc == 0)
        rc = read_all(f);
#if defined(__x86_64__)
    f->other_machine = f->machine[0] && strcmp(f->machine, "x86_64") != 0;
#else
    f->other_machine = f->machine[0] && strcmp(f->machine, "aarch64") != 0;
#endif
    if (rc == 0)
        return 0;
    data_file_close(f);
    if (rc == ORIEL_EUNSUPPORTED)
        return err_set(err, rc, "%s: a perf.data of a machine of the other byte order", file->path);
    if (rc == ORIEL_EDAMAGED || rc == ORIEL_EFORMAT)
        return err_set(err, ORIEL_EDAMAGED,
                       "%s: a perf.data that is cut off or damaged before its first record",
                       file->path);
    return err_set(err, rc, "%s: %s", file->path, err_text(rc));
}

void data_file_close(struct data_file *f)
{
    ZSTD_freeDStream(f->zstd);
    f->zstd = NULL;
    VEC_DONE(&f->events);
    VEC_DONE(&f->entries);
    VEC_DONE(&f->build_ids);
    map_done(&f->event_by_id);
    intern_done(&f->paths);
    buf_done(&f->unpacked);
}

const uint8_t *data_file_record(struct data_file *f, const struct data_entry *e, size_t *out_bytes)
{
    struct perf_event_header h;
    const uint8_t *p;
    if (e->at & DATA_UNPACKED) {
        p = (const uint8_t *)f->unpacked.data + (e->at & ~DATA_UNPACKED);
        memcpy(&h, p, sizeof h);
        *out_bytes = h.size;
        return p;
    }
    p = look(f, e->at, sizeof h);
    if (!p)
        return NULL;
    memcpy(&h, p, sizeof h);
    *out_bytes = h.size;
    /* It may have been longer when it was found: the file is being rewritten. */
    return h.size >= sizeof h ? look(f, e->at, h.size) : NULL;
}

bool data_file_build_id(const struct data_file *f, const char *path, uint8_t id[20],
                        uint8_t *out_bytes)
{
    for (uint32_t i = 1; i < f->build_ids.count; i++) {
        struct intern_str known = intern_get(&f->paths, i);
        if (known.n != strlen(path) || memcmp(known.p, path, known.n) != 0)
            continue;
        memcpy(id, f->build_ids.items[i].id, 20);
        *out_bytes = f->build_ids.items[i].bytes;
        return *out_bytes > 0;
    }
    return false;
}

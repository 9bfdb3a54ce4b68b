/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The spool: a list of files, oldest first, of which the first is read and the
 * youngest of our own is written. Counts of our own items are kept in memory and
 * hold whatever becomes of the files. One thread at a time.
 */
#include "deliver/spool.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/vec.h"
#include "deliver/spool_dir.h"
#include "deliver/spool_file.h"
#include "util/zip.h"

#define DEFAULT_MAX_BYTES (UINT64_C(512) << 20)
#define DEFAULT_FILE_BYTES (UINT64_C(8) << 20)
#define DEFAULT_KEEP_NS (UINT64_C(48) * 3600 * 1000000000)
#define LOOK_AGAIN_NS (UINT64_C(10) * 1000000000)
enum { FILES_MAX = 4096, LEAST_FILE_BYTES = 2 * SPOOL_START };
enum { ZSTD_LEVEL = 1, LEAST_TO_PACK = 256, KEPT_BYTES = 1 << 20 };

struct tally {
    uint64_t messages, items[OUT_SIGNALS], seen[OUT_SIGNALS];
};
struct entry {
    struct spool_name name;
    uint64_t size;
    uint64_t at;       /* of the first record that is not done with */
    uint64_t read_to;  /* its size when no further record was found; 0: not so far */
    struct tally left; /* neither taken nor dropped */
    bool own;
    bool known;   /* `left` and `at` are right: our own, or read through once */
    bool foreign; /* of a later version: stays as it is */
};
struct outstanding {     /* what was taken */
    struct entry *entry; /* NULL: its file is gone since; then only counts are left */
    bool own, settled;
    unsigned ticket;
    uint64_t end;
    struct tally of;
};
struct spool {
    struct spool_options options;
    struct spool_mark mark;
    struct spool_dir dir;
    VEC(struct entry *) files; /* by creation */
    struct entry *written, *read;
    struct spool_file write_file, read_file;
    struct outstanding taken[SPOOL_AHEAD]; /* in order, all of the one file that is read */
    unsigned taken_count, tickets;
    struct zip *zip;
    struct buf packed; /* of the message being written or read */
    struct spool_others others;
    struct spool_counts counts;
    uint64_t sequence, last_created_ns, looked_ns;
};

static bool mine(const struct spool *s)
{
    return os_getpid() == s->dir.me.pid;
}

static uint64_t now_of(const struct spool *s)
{
    return s->options.unix_now ? s->options.unix_now(s->options.user) : clock_unix_ns();
}

/* ---- counts ---- */

static void tally_add(struct tally *t, const struct tally *by)
{
    t->messages += by->messages;
    for (int i = 0; i < OUT_SIGNALS; i++) {
        t->items[i] += by->items[i];
        t->seen[i] += by->seen[i];
    }
}

static void take_from(uint64_t *from, uint64_t n)
{
    *from -= n < *from ? n : *from;
}

/* Never below zero: what a damaged file says may not agree with itself. */
static void tally_take(struct tally *t, const struct tally *by)
{
    take_from(&t->messages, by->messages);
    for (int i = 0; i < OUT_SIGNALS; i++) {
        take_from(&t->items[i], by->items[i]);
        take_from(&t->seen[i], by->seen[i]);
    }
}

static struct tally tally_of(enum out_signal signal, uint64_t items, uint64_t seen)
{
    struct tally t = {.messages = 1};
    assert(signal < OUT_SIGNALS && seen <= items);
    t.items[signal] = items;
    t.seen[signal] = seen;
    return t;
}

static uint64_t all_items(const struct tally *t)
{
    uint64_t sum = 0;
    for (int i = 0; i < OUT_SIGNALS; i++)
        sum += t->items[i];
    return sum;
}

static void count_dropped(struct spool *s, bool own, const struct tally *t)
{
    for (int i = 0; own && i < OUT_SIGNALS; i++) {
        s->counts.own[i].dropped += t->items[i];
        s->counts.own[i].dropped_seen += t->seen[i];
        s->counts.own[i].held -= t->items[i];
    }
    if (!own)
        s->counts.adopted_dropped += all_items(t);
    s->counts.messages -= t->messages;
}

static void count_done(struct spool *s, bool own, const struct tally *t)
{
    for (int i = 0; own && i < OUT_SIGNALS; i++) {
        s->counts.own[i].done += t->items[i];
        s->counts.own[i].held -= t->items[i];
    }
    if (!own)
        s->counts.adopted_done += all_items(t);
    s->counts.messages -= t->messages;
}

static void count_put(struct spool *s, const struct tally *t)
{
    for (int i = 0; i < OUT_SIGNALS; i++) {
        s->counts.own[i].put += t->items[i];
        s->counts.own[i].held += t->items[i];
    }
    s->counts.messages += t->messages;
}

/* ---- the list of files ---- */

static struct entry *add_entry(struct spool *s, const struct spool_name *name, uint64_t size)
{
    struct entry *e = mem_calloc(1, sizeof *e);
    if (!e || s->files.count >= FILES_MAX || !VEC_PUSH(&s->files)) {
        mem_free(e);
        return NULL;
    }
    size_t i = s->files.count - 1;
    for (; i > 0 && s->files.items[i - 1]->name.created_ns > name->created_ns; i--)
        s->files.items[i] = s->files.items[i - 1];
    s->files.items[i] = e;
    *e = (struct entry){.name = *name, .size = size, .at = SPOOL_START};
    s->counts.bytes += size;
    return e;
}

static void forget_entry(struct spool *s, struct entry *e)
{
    size_t i = 0;
    while (i < s->files.count && s->files.items[i] != e)
        i++;
    assert(i < s->files.count);
    memmove(&s->files.items[i], &s->files.items[i + 1],
            (s->files.count - i - 1) * sizeof s->files.items[0]);
    s->files.count--;
    s->counts.bytes -= e->size;
    mem_free(e);
}

static void stop_writing(struct spool *s)
{
    if (s->written)
        spool_file_close(&s->write_file);
    s->written = NULL;
}

static void stop_reading(struct spool *s)
{
    if (s->read)
        spool_file_close(&s->read_file);
    s->read = NULL;
}

/* The file goes; what is left of it was dropped: that is not what is under way. */
static void remove_entry(struct spool *s, struct entry *e)
{
    char name[SPOOL_NAME_MAX];
    for (unsigned i = 0; i < s->taken_count; i++)
        if (s->taken[i].entry == e)
            s->taken[i].entry = NULL;
    count_dropped(s, e->own, &e->left);
    if (s->read == e)
        stop_reading(s);
    if (s->written == e)
        stop_writing(s);
    int dir = spool_dir_fd(&s->dir, NULL);
    spool_name_text(&e->name, name);
    if (dir >= 0)
        (void)unlinkat(dir, name, 0);
    forget_entry(s, e);
}

static bool take_adopted(void *user, const struct spool_name *name, uint64_t size)
{
    struct spool *s = user;
    if (add_entry(s, name, size))
        return true;
    spool_dir_orphan(&s->dir, name); /* for somebody with room for it */
    return false;
}

static int look_around(struct spool *s, struct oriel_err *err)
{
    s->looked_ns = now_of(s);
    return spool_dir_scan(&s->dir, &s->others, take_adopted, s, err);
}

/* ---- open ---- */

/* FNV-1a, twice with different starts: a name, nothing that guards anything. */
static uint64_t hash_text(const char *text, uint64_t start)
{
    uint64_t h = start;
    for (const char *p = text; *p; p++)
        h = (h ^ (uint8_t)*p) * UINT64_C(1099511628211);
    return h ^ h >> 29;
}

static bool key_is_one(const char *key)
{
    return strlen(key) == 32 && strspn(key, "0123456789abcdef") == 32;
}

static int take_options(struct spool *s, const struct spool_options *given, struct oriel_err *err)
{
    struct spool_options *o = &s->options;
    size_t n = given->size < sizeof *o ? given->size : sizeof *o;
    memcpy(o, given, n);
    if (!o->directory || (!o->destination && !o->key) || (o->key && !key_is_one(o->key)))
        return err_set(err, ORIEL_EINVAL, "a spool needs a directory and a destination");
    o->max_bytes = o->max_bytes ? o->max_bytes : DEFAULT_MAX_BYTES;
    o->file_bytes = o->file_bytes ? o->file_bytes : DEFAULT_FILE_BYTES;
    o->keep_ns = o->keep_ns ? o->keep_ns : DEFAULT_KEEP_NS;
    /* The oldest go by whole files: never more than an eighth at once. */
    if (o->file_bytes > o->max_bytes / 8)
        o->file_bytes = o->max_bytes / 8;
    if (o->file_bytes < LEAST_FILE_BYTES)
        o->file_bytes = LEAST_FILE_BYTES;
    return 0;
}

static void make_mark(struct spool *s, char key[40])
{
    struct spool_mark *m = &s->mark;
    const char *text = s->options.destination ? s->options.destination : "";
    m->destination[0] = hash_text(text, UINT64_C(14695981039346656037));
    m->destination[1] = hash_text(text, UINT64_C(0x9e3779b97f4a7c15));
    snprintf(m->text, sizeof m->text, "%s", s->options.label ? s->options.label : text);
    if (s->options.key)
        snprintf(key, 40, "%s", s->options.key);
    else
        snprintf(key, 40, "%016" PRIx64 "%016" PRIx64, m->destination[0], m->destination[1]);
}

int spool_open(struct spool **out, const struct spool_options *options, struct oriel_err *err)
{
    int kept = errno;
    char key[40];
    struct spool *s = mem_calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ORIEL_ENOMEM, "%s", err_text(ORIEL_ENOMEM));
    s->dir.fd = s->dir.lock_fd = s->write_file.fd = s->read_file.fd = -1;
    int rc = take_options(s, options, err);
    if (rc == 0) {
        make_mark(s, key);
        rc = spool_dir_open(&s->dir, s->options.directory, key, err);
    }
    if (rc == 0)
        rc = look_around(s, err);
    if (rc == 0) {
        /* Only for as long as this call: the caller owns them. */
        s->options.directory = s->options.destination = s->options.key = s->options.label = NULL;
        *out = s;
    } else {
        spool_close(s);
    }
    errno = kept;
    return rc;
}

/* ---- putting ---- */

/* What the others do not use, and at least an equal part. */
static uint64_t limit_of(const struct spool *s)
{
    uint64_t most = s->options.max_bytes, part = most / (s->others.owners + 1);
    uint64_t rest = s->others.bytes < most ? most - s->others.bytes : 0;
    return rest > part ? rest : part;
}

static void read_through(struct spool *s, struct entry *e, struct spool_file *f);
static int open_entry(struct spool *s, struct entry *e, struct spool_file *out,
                      struct oriel_err *err);

/* To count what goes with it, one that was never read is read now. */
static void drop_file(struct spool *s, struct entry *e)
{
    struct spool_file f;
    if (!e->known && open_entry(s, e, &f, NULL) == 0) {
        read_through(s, e, &f);
        spool_file_close(&f);
    }
    remove_entry(s, e);
}

static void make_room(struct spool *s, uint64_t need)
{
    uint64_t limit = limit_of(s);
    while (s->files.count > 0 && (s->counts.bytes > limit || limit - s->counts.bytes < need))
        drop_file(s, s->files.items[0]);
}

static int new_file(struct spool *s, uint64_t unix_ns, struct oriel_err *err)
{
    char text[SPOOL_NAME_MAX];
    struct spool_name name = {unix_ns, s->dir.me};
    int rc = look_around(s, err);
    if (rc == 0)
        rc = spool_dir_lock(&s->dir, err);
    int dir = rc == 0 ? spool_dir_fd(&s->dir, err) : rc;
    if (dir < 0)
        return dir;
    /* The order of names is that of messages, also when the clock was set back. */
    if (s->files.count > 0)
        s->last_created_ns = s->files.items[s->files.count - 1]->name.created_ns;
    if (name.created_ns <= s->last_created_ns)
        name.created_ns = s->last_created_ns + 1;
    struct spool_mark mark = s->mark;
    mark.created_ns = name.created_ns;
    if (os_random(&mark.nonce, sizeof mark.nonce) != 0)
        mark.nonce = name.created_ns ^ (uintptr_t)s;
    spool_name_text(&name, text);
    rc = spool_file_create(&s->write_file, dir, text, &mark, err);
    if (rc != 0)
        return rc;
    struct entry *e = add_entry(s, &name, SPOOL_START);
    if (!e) {
        spool_file_close(&s->write_file);
        (void)unlinkat(dir, text, 0);
        return err_set(err, ORIEL_ENOMEM, "%s", err_text(ORIEL_ENOMEM));
    }
    e->own = e->known = true;
    s->last_created_ns = name.created_ns;
    s->written = e;
    return 0;
}

/* A file to append `size` bytes to, and room for them. */
static int prepare(struct spool *s, uint64_t size, uint64_t unix_ns, struct oriel_err *err)
{
    if (s->written &&
        (s->written->size + size > s->options.file_bytes || !spool_file_ours(&s->write_file)))
        stop_writing(s);
    make_room(s, size + (s->written ? 0 : SPOOL_START));
    if (s->written) /* else it was the oldest itself, or there is none yet */
        return 0;
    int rc = new_file(s, unix_ns, err);
    if (rc == 0 && s->counts.bytes + size > limit_of(s)) {
        /* Somebody came, or files were adopted, since the limit was last looked at. */
        struct entry *e = s->written;
        while (s->files.items[0] != e && s->counts.bytes + size > limit_of(s))
            drop_file(s, s->files.items[0]);
    }
    return rc;
}

/* What to write of a message: zstd's bytes where they are fewer. An outage then takes a
 * fifth of the room, often less. */
static void pack(struct spool *s, const struct out_message *m, const void **out_bytes,
                 uint32_t *out_n)
{
    *out_bytes = m->bytes;
    *out_n = (uint32_t)m->n;
    buf_clear(&s->packed);
    if (m->n < LEAST_TO_PACK || (!s->zip && zip_new(&s->zip, ZSTD_LEVEL) != 0) ||
        zip_compress(s->zip, m->bytes, m->n, &s->packed) != 0 || s->packed.size >= m->n)
        return;
    *out_bytes = s->packed.data;
    *out_n = (uint32_t)s->packed.size;
}

static int append(struct spool *s, const struct out_message *m, uint64_t unix_ns, const void *bytes,
                  uint32_t n, struct oriel_err *err)
{
    struct spool_record r = {.sequence = ++s->sequence,
                             .unix_ns = unix_ns,
                             .items = m->items,
                             .seen = m->seen,
                             .signal = (uint32_t)m->signal,
                             .plain = (uint32_t)m->n};
    struct entry *e = s->written;
    int rc = spool_file_append(&s->write_file, &r, bytes, n, err);
    if (rc == ORIEL_ESTATE)
        stop_writing(s);
    if (rc != 0 && e->left.messages == 0)
        remove_entry(s, e); /* a new file that took nothing */
    if (rc != 0)
        return rc == ORIEL_ENOSPC ? rc : ORIEL_EIO;
    const struct tally t = tally_of(m->signal, m->items, m->seen);
    tally_add(&e->left, &t);
    e->size += spool_record_size(n);
    s->counts.bytes += spool_record_size(n);
    count_put(s, &t);
    return 0;
}

static int put(struct spool *s, const struct out_message *m, uint64_t unix_ns,
               struct oriel_err *err)
{
    const void *bytes;
    uint32_t n;
    if (m->n > UINT32_MAX / 2)
        return err_set(err, ORIEL_ELIMIT, "a message of %zu bytes is too large", m->n);
    pack(s, m, &bytes, &n);
    uint64_t size = spool_record_size(n);
    if (size + SPOOL_START > limit_of(s)) /* of no use to drop all the rest */
        return err_set(err, ORIEL_ELIMIT, "a message of %zu bytes is larger than the spool", m->n);
    int rc = prepare(s, size, unix_ns, err);
    if (rc == 0)
        rc = append(s, m, unix_ns, bytes, n, err);
    if (s->packed.capacity > KEPT_BYTES)
        buf_done(&s->packed);
    return rc;
}

int spool_put(struct spool *s, const struct out_message *m, uint64_t unix_ns, struct oriel_err *err)
{
    int kept = errno;
    if (!mine(s))
        return err_set(err, ORIEL_ESTATE, "the spool belongs to the parent process");
    if (m->signal >= OUT_SIGNALS || m->seen > m->items || m->items > UINT32_MAX)
        return err_set(err, ORIEL_EINVAL, "no message that a spool can hold");
    int rc = put(s, m, unix_ns, err);
    errno = kept;
    return rc;
}

/* ---- reading ---- */

/* A signal of a later version counts with those of the first: it is dropped anyway. */
static struct tally tally_of_record(const struct spool_record *r)
{
    enum out_signal signal = r->signal < OUT_SIGNALS ? (enum out_signal)r->signal : OUT_TRACES;
    return tally_of(signal, r->items, r->seen);
}

/* Of another process: how much there is. */
static void read_through(struct spool *s, struct entry *e, struct spool_file *f)
{
    struct spool_record r;
    uint64_t damaged = 0;
    e->at = f->done_at;
    for (uint64_t at = f->done_at; spool_file_find(f, &at, &r, &damaged);) {
        const struct tally t = tally_of_record(&r);
        tally_add(&e->left, &t);
        at += spool_record_size(r.length);
    }
    /* Damage is counted when it is met again, as the messages are fetched. */
    s->counts.messages += e->left.messages;
    s->counts.adopted += all_items(&e->left);
    e->known = true;
}

static int open_entry(struct spool *s, struct entry *e, struct spool_file *out,
                      struct oriel_err *err)
{
    char name[SPOOL_NAME_MAX];
    int dir = spool_dir_fd(&s->dir, err);
    if (dir < 0)
        return dir;
    spool_name_text(&e->name, name);
    return spool_file_open(out, dir, name, err);
}

/* Opens the file of `e` for reading. True; false: the list has changed, or *out_rc says why not. */
static bool begin_reading(struct spool *s, struct entry *e, int *out_rc, struct oriel_err *err)
{
    *out_rc = 0;
    if (s->read == e && spool_file_ours(&s->read_file)) {
        if (e->own)
            s->read_file.size = e->size;
        return true;
    }
    stop_reading(s);
    int rc = open_entry(s, e, &s->read_file, err);
    if (rc == ORIEL_EVERSION) {
        e->foreign = true;
        return false;
    }
    if (rc == ORIEL_EIO || rc == ORIEL_ENOMEM) {
        *out_rc = rc; /* perhaps it works later */
        return false;
    }
    if (rc != 0) { /* damaged, taken away, replaced by something else */
        /* One without a first page is that of a process killed as it began it. */
        s->counts.damaged += e->own || e->size >= SPOOL_START;
        remove_entry(s, e);
        return false;
    }
    s->read = e;
    if (e->own)
        s->read_file.size = e->size; /* what somebody added is not ours */
    if (!e->known)
        read_through(s, e, &s->read_file);
    return true;
}

static struct entry *first_readable(const struct spool *s)
{
    for (size_t i = 0; i < s->files.count; i++)
        if (!s->files.items[i]->foreign)
            return s->files.items[i];
    return NULL;
}

static bool is_taken_from(const struct spool *s, const struct entry *e)
{
    for (unsigned i = 0; i < s->taken_count; i++)
        if (s->taken[i].entry == e)
            return true;
    return false;
}

/* Everything before `end` has its fate. The file goes with its last message. */
static void pass_over(struct spool *s, struct entry *e, uint64_t end)
{
    e->at = end;
    if (e->left.messages == 0 && e->at >= e->size && !is_taken_from(s, e))
        remove_entry(s, e);
    else if (s->read == e)
        (void)spool_file_done(&s->read_file, end); /* refused, it comes again after a kill */
}

/* The oldest that have their fate go: what a kill leaves begins with the first that has none. */
static void pass_settled(struct spool *s)
{
    struct entry *e = NULL;
    uint64_t end = 0;
    unsigned n = 0;
    for (; n < s->taken_count && s->taken[n].settled; n++) {
        e = s->taken[n].entry;
        end = s->taken[n].end;
    }
    s->taken_count -= n;
    memmove(s->taken, s->taken + n, s->taken_count * sizeof s->taken[0]);
    if (e)
        pass_over(s, e, end);
}

static struct outstanding *add_taken(struct spool *s, struct entry *e, uint64_t end,
                                     const struct tally *t)
{
    assert(s->taken_count < SPOOL_AHEAD);
    struct outstanding *o = &s->taken[s->taken_count++];
    *o = (struct outstanding){
        .entry = e, .own = e->own, .end = end, .of = *t, .ticket = ++s->tickets};
    tally_take(&e->left, t);
    return o;
}

static void drop_message(struct spool *s, struct entry *e, uint64_t end, const struct tally *t)
{
    count_dropped(s, e->own, t);
    add_taken(s, e, end, t)->settled = true;
    pass_settled(s);
}

static bool too_old(const struct spool *s, const struct spool_record *r)
{
    uint64_t now = now_of(s);
    return r->unix_ns < now && now - r->unix_ns > s->options.keep_ns;
}

static int read_body(struct spool *s, const struct spool_record *r, uint64_t at, struct buf *to)
{
    buf_clear(to);
    char *p = r->length ? buf_reserve(to, r->length) : NULL;
    if (r->length && !p)
        return ORIEL_ENOMEM;
    int rc = spool_file_body(&s->read_file, at, r, p);
    if (rc == 0)
        to->size = r->length;
    return rc;
}

/* Into `bytes`. 0, ORIEL_EDAMAGED, ORIEL_ENOMEM, ORIEL_EIO. */
static int fetch(struct spool *s, const struct spool_record *r, uint64_t at, struct buf *bytes)
{
    if (r->plain == r->length)
        return read_body(s, r, at, bytes);
    int rc = s->zip ? 0 : zip_new(&s->zip, ZSTD_LEVEL);
    if (rc == 0)
        rc = read_body(s, r, at, &s->packed);
    buf_clear(bytes);
    if (rc == 0)
        rc = zip_decompress(s->zip, s->packed.data, s->packed.size, r->plain, bytes);
    if (rc == ORIEL_ELIMIT || (rc == 0 && bytes->size != r->plain))
        rc = ORIEL_EDAMAGED;
    if (s->packed.capacity > KEPT_BYTES)
        buf_done(&s->packed);
    return rc;
}

/* Where to read on: behind what was taken. */
static uint64_t cursor_of(const struct spool *s, const struct entry *e)
{
    const struct outstanding *last = s->taken_count ? &s->taken[s->taken_count - 1] : NULL;
    return last && last->entry == e ? last->end : e->at;
}

/* No further record: 0, the file went; ORIEL_EBUSY, it goes with those that were taken. */
static int at_end(struct spool *s, struct entry *e)
{
    if (is_taken_from(s, e)) {
        e->read_to = e->size;
        return ORIEL_EBUSY;
    }
    remove_entry(s, e); /* read to its end; what it still owes is lost */
    return 0;
}

/* One step: 1 found, 0 try again, or a code. */
static int next_of(struct spool *s, struct entry *e, struct out_message *out, struct buf *bytes,
                   struct oriel_err *err)
{
    struct spool_record r;
    uint64_t at = cursor_of(s, e);
    int rc;
    if (s->taken_count == SPOOL_AHEAD || (e->read_to == e->size && is_taken_from(s, e)))
        return ORIEL_EBUSY;
    if (!begin_reading(s, e, &rc, err))
        return rc;
    if (at < e->at) /* read through just now */
        at = e->at;
    if (!spool_file_find(&s->read_file, &at, &r, &s->counts.damaged))
        return at_end(s, e);
    uint64_t end = at + spool_record_size(r.length);
    const struct tally t = tally_of_record(&r);
    if (too_old(s, &r)) {
        drop_message(s, e, end, &t);
        return 0;
    }
    rc = r.signal < OUT_SIGNALS ? fetch(s, &r, at, bytes) : ORIEL_EDAMAGED;
    if (rc == ORIEL_EDAMAGED || rc == ORIEL_EIO) { /* a disk that cannot read it will not later */
        s->counts.damaged++;
        drop_message(s, e, end, &t);
        return 0;
    }
    if (rc != 0)
        return err_set(err, rc, "spool: %s", err_text(rc));
    add_taken(s, e, end, &t);
    *out = (struct out_message){.signal = (enum out_signal)r.signal,
                                .items = r.items,
                                .seen = r.seen,
                                .bytes = bytes->data,
                                .n = r.plain};
    return 1;
}

static int next(struct spool *s, struct out_message *out, struct buf *bytes, struct oriel_err *err)
{
    for (bool looked = false;;) {
        struct entry *e = first_readable(s);
        int rc = e ? next_of(s, e, out, bytes, err) : ORIEL_ENOTFOUND;
        if (rc == 1)
            return 0;
        if (rc != 0 && rc != ORIEL_ENOTFOUND)
            return rc;
        if (e)
            continue;
        uint64_t now = now_of(s);
        if (looked || (now >= s->looked_ns && now - s->looked_ns < LOOK_AGAIN_NS))
            return err_set(err, ORIEL_ENOTFOUND, "the spool is empty");
        looked = true;
        rc = look_around(s, err);
        if (rc != 0)
            return rc;
    }
}

int spool_take(struct spool *s, struct out_message *out, struct buf *bytes, bool *out_own,
               unsigned *out_ticket, struct oriel_err *err)
{
    int kept = errno;
    if (!mine(s))
        return err_set(err, ORIEL_ESTATE, "the spool belongs to the parent process");
    int rc = next(s, out, bytes, err);
    if (rc == 0) {
        const struct outstanding *o = &s->taken[s->taken_count - 1];
        *out_own = o->own;
        *out_ticket = o->ticket;
    }
    errno = kept;
    return rc;
}

void spool_settle(struct spool *s, unsigned ticket)
{
    int kept = errno;
    struct outstanding *o = s->taken, *end = o + s->taken_count;
    while (o < end && o->ticket != ticket)
        o++;
    if (!mine(s) || o == end || o->settled)
        return;
    o->settled = true;
    count_done(s, o->own, &o->of);
    pass_settled(s);
    errno = kept;
}

void spool_untake(struct spool *s)
{
    if (!mine(s) || !s->taken_count)
        return;
    struct outstanding *o = &s->taken[--s->taken_count];
    assert(!o->settled);
    if (o->entry)
        tally_add(&o->entry->left, &o->of);
    else
        count_dropped(s, o->own, &o->of); /* its file went, and nobody will say more of it */
}

int spool_next(struct spool *s, struct out_message *out, struct buf *bytes, bool *out_own,
               struct oriel_err *err)
{
    unsigned ticket;
    assert(!mine(s) || s->taken_count <= 1);
    spool_untake(s);
    return spool_take(s, out, bytes, out_own, &ticket, err);
}

void spool_done(struct spool *s)
{
    if (mine(s) && s->taken_count)
        spool_settle(s, s->taken[0].ticket);
}

void spool_counts(const struct spool *s, struct spool_counts *out)
{
    *out = s->counts;
    for (size_t i = 0; i < s->files.count; i++)
        out->messages += !s->files.items[i]->known && !s->files.items[i]->foreign;
    for (int i = 0; i < OUT_SIGNALS; i++)
        assert(out->own[i].put == out->own[i].done + out->own[i].held + out->own[i].dropped);
}

void spool_close(struct spool *s)
{
    int kept = errno;
    if (!s)
        return;
    stop_writing(s);
    stop_reading(s);
    bool is_mine = mine(s);
    for (size_t i = 0; i < s->files.count; i++) {
        if (is_mine)
            spool_dir_orphan(&s->dir, &s->files.items[i]->name);
        mem_free(s->files.items[i]);
    }
    VEC_DONE(&s->files);
    zip_free(s->zip);
    buf_done(&s->packed);
    spool_dir_close(&s->dir, is_mine);
    mem_free(s);
    errno = kept;
}

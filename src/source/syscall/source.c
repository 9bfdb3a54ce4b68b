/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the kernel's programs have counted becomes events of the thread that
 * made the calls, each with what came since the last: soon at first, then
 * further and further apart, when a thread has ended, and at the end. What a
 * recorder that is killed had not told yet is gone with it.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/own.h"
#include "source/kernel_program.h"
#include "source/syscall/syscall.h"

enum {
    SERIAL_FIRST = MODEL_SERIAL_SEEN + 0x11000000, /* between those of metrics and probe */
    SITE_ID = 65300,
    CROWDED = SYSCALL_SUMS / 4 /* entries since the last look after which one is due */
};
#define GAP_FIRST_NS UINT64_C(250000000)
#define GAP_MAX_NS UINT64_C(16000000000)

/* What was told of an entry already. */
struct known {
    struct syscall_key key;
    struct syscall_sums told;
};

struct caller { /* a thread */
    struct model_thread *thread;
    uint64_t position;
    uint32_t serial;
    uint64_t named_ns; /* when it had the name that we gave it */
    char name[17];     /* which that is, "" none */
    bool narrow;       /* a program of 32 bits: other numbers */
};

struct syscall_source {
    struct syscall_options options;
    struct syscall_watch watch;
    struct model_catalog *catalog;
    struct map known;   /* hash of the key -> struct known * */
    struct map callers; /* when and as what it was born -> struct caller * */
    uint64_t unix_offset, next_ns, gap_ns, made;
    uint32_t next_serial;
    bool begun, over, ended;
};

static int syscall_open(void *state, const void *options, struct model_catalog *catalog,
                        struct oriel_err *err)
{
    struct syscall_source *s = state;
    struct clock_anchor now;
    memset(s, 0, sizeof *s);
    s->options = *(const struct syscall_options *)options;
    assert(s->options.pid > 0);
    s->catalog = catalog;
    s->next_serial = SERIAL_FIRST;
    s->gap_ns = GAP_FIRST_NS;
    clock_anchor_read(ORIEL_CLOCK_MONOTONIC, &now);
    s->unix_offset = now.unix_ns - now.mono_ns;
    s->next_ns = now.mono_ns + s->gap_ns;
    int rc = syscall_watch_open(&s->watch, &s->options, err);
    if (s->options.ability)
        s->options.ability->works = rc == 0;
    return rc;
}

static void syscall_close(void *state)
{
    struct syscall_source *s = state;
    size_t at = 0;
    uint64_t key, value;
    while (map_next(&s->known, &at, &key, &value))
        mem_free((void *)(uintptr_t)value);
    at = 0;
    while (map_next(&s->callers, &at, &key, &value))
        mem_free((void *)(uintptr_t)value);
    map_done(&s->known);
    map_done(&s->callers);
    syscall_watch_close(&s->watch);
}

/* ---- who ---- */

static bool is_narrow(int32_t pid)
{
    char path[40], head[5] = "";
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, head, sizeof head) : -1;
    if (fd >= 0)
        close(fd);
    return n == sizeof head && memcmp(head, "\177ELF\1", sizeof head) == 0;
}

static struct model_process *process_of(struct syscall_source *s, int32_t pid, const char *comm)
{
    char path[64], cmdline[1024], exe[512];
    struct model_process *p = model_catalog_find_process(s->catalog, pid);
    if (p)
        return p;
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    ssize_t n = readlink(path, exe, sizeof exe);
    if (n <= 0) /* it is gone */
        n = snprintf(exe, sizeof exe, "%s", comm);
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    long k = os_read_file(path, cmdline, sizeof cmdline);
    p = model_catalog_add_process(
        s->catalog, pid, (struct model_str){exe, (uint32_t)n},
        (struct model_str){cmdline, k > 0 ? (uint32_t)k - (cmdline[k - 1] == 0) : 0});
    if (p) {
        p->start_ns = clock_unix_ns();
        p->clock.now = (struct clock_piece){0, s->unix_offset, UINT64_C(1) << 32};
        p->clock.before = p->clock.now;
    }
    return p;
}

static struct model_thread *thread_of(struct syscall_source *s, const struct model_process *p,
                                      int32_t tid)
{
    struct model_thread *t = model_catalog_find_thread(s->catalog, p->index, tid);
    if (t && model_catalog_alias_thread(s->catalog, s->next_serial, t->index) < 0)
        return NULL;
    if (!t) {
        t = model_catalog_add_thread(s->catalog, p->index, tid, s->next_serial);
        if (t)
            t->looked_at = true;
    }
    return t;
}

static struct caller *caller_of(struct syscall_source *s, const struct syscall_key *key,
                                const struct syscall_sums *sums)
{
    char comm[sizeof sums->comm + 1];
    const uint64_t who = map_hash_bytes(key, sizeof key->born_ns + sizeof key->tid, 0);
    uint64_t *at = map_put(&s->callers, who, 0);
    if (!at || *at)
        return at ? (struct caller *)(uintptr_t)*at : NULL;
    snprintf(comm, sizeof comm, "%.*s", (int)sizeof sums->comm, sums->comm);
    struct caller *c = mem_calloc(1, sizeof *c);
    const struct model_process *p = c ? process_of(s, (int32_t)sums->pid, comm) : NULL;
    if (p)
        c->thread = thread_of(s, p, (int32_t)key->tid);
    if (!p || !c->thread) {
        mem_free(c);
        (void)map_remove(&s->callers, who);
        return NULL;
    }
    c->serial = s->next_serial++;
    c->narrow = is_narrow((int32_t)sums->pid);
    *at = (uintptr_t)c;
    return c;
}

/* It may have named itself between two calls. A name that others know stays. */
static void name_thread(struct syscall_source *s, struct caller *c, const struct syscall_sums *sums)
{
    const struct model_str known = c->thread->name;
    const size_t n = strlen(c->name);
    if (sums->made_ns < c->named_ns || known.n != n || (n && memcmp(known.p, c->name, n) != 0))
        return;
    snprintf(c->name, sizeof c->name, "%.*s", (int)sizeof sums->comm, sums->comm);
    c->named_ns = sums->made_ns;
    (void)model_thread_set_name(s->catalog, c->thread,
                                (struct model_str){c->name, (uint32_t)strlen(c->name)});
}

/* ---- events ---- */

enum { FIELDS = 7, COUNT = 1, RECORD_WORDS = 1000 };
static const struct model_field_def fields[FIELDS] = {
    {.name = MODEL_STR("call"), .type = ORIEL_TYPE_STR},
    {.name = MODEL_STR("count"), .type = ORIEL_TYPE_U64},
    {.name = MODEL_STR("errors"), .type = ORIEL_TYPE_U64},
    {.name = MODEL_STR("total_ns"), .type = ORIEL_TYPE_U64},
    {.name = MODEL_STR("max_ns"), .type = ORIEL_TYPE_U64}, /* so far */
    {.name = MODEL_STR("failed"), .type = ORIEL_TYPE_STR}, /* "EAGAIN:3 ENOENT:1" */
    {.name = MODEL_STR("times"), .type = ORIEL_TYPE_STR},  /* see SYSCALL_TIMES; "17:3 18:1" */
};

static const struct model_site *site_of(struct syscall_source *s, uint32_t process)
{
    uint8_t types[FIELDS];
    for (unsigned i = 0; i < FIELDS; i++)
        types[i] = fields[i].type;
    const struct model_site like = {.id = SITE_ID,
                                    .process = process,
                                    .kind = ORIEL_SITE_EVENT,
                                    .level = ORIEL_LEVEL_INFO,
                                    .flags = ORIEL_SITE_NAMED | ORIEL_SITE_SYSTEM,
                                    .name = MODEL_STR("system calls"),
                                    .target = MODEL_STR("oriel.syscalls"),
                                    .fields = fields,
                                    .types = types,
                                    .field_count = FIELDS};
    return model_catalog_add_site(s->catalog, &like);
}

/* A string of a record, at `words`; how many words it takes. */
static uint32_t put_text(uint64_t *words, const struct buf *text)
{
    const uint64_t n = text->size;
    assert(n <= ORIEL_STRING_MAX_BYTES);
    words[0] = n | n << 32;
    if (n)
        memcpy(words + 1, text->data, n);
    return 1 + (uint32_t)((n + 7) / 8);
}

static bool put_record(struct syscall_source *s, struct model_batch *batch, struct caller *c,
                       const uint64_t *words, uint32_t count, uint64_t unix_ns)
{
    const struct model_site *site = site_of(s, c->thread->process);
    uint64_t *raw = arena_alloc(&batch->arena, (2 + count) * sizeof *raw, sizeof *raw);
    struct model_record *r = site && raw ? model_batch_add_record(batch) : NULL;
    if (!r)
        return false;
    raw[0] = ORIEL_RECORD_HEADER(2 + count, ORIEL_REC_EVENT, ORIEL_RECF_HAS_SPAN, site->id);
    raw[1] = model_catalog_ticks(s->catalog, c->thread, unix_ns, s->unix_offset);
    memcpy(raw + 2, words, count * sizeof *raw);
    *r = (struct model_record){.t_ns = unix_ns,
                               .position = c->position,
                               .raw = raw,
                               .site = site,
                               .thread = c->thread,
                               .words = (uint16_t)(2 + count),
                               .type = ORIEL_REC_EVENT,
                               .flags = ORIEL_RECF_HAS_SPAN,
                               .stream = c->serial};
    c->position += (2 + count) * sizeof *raw;
    return true;
}

static void name_call(const struct caller *c, uint32_t call, struct buf *out)
{
    const char *name = c->narrow ? NULL : syscall_name(call);
    if (name)
        buf_puts(out, name);
    else
        buf_printf(out, c->narrow ? "call %u of 32 bits" : "call %u", call);
}

/* "17:3 18:1": what came since. */
static void put_times(const struct syscall_sums *now, const struct syscall_sums *told,
                      struct buf *out)
{
    for (unsigned i = 0; i < SYSCALL_TIMES; i++)
        if (now->times[i] != told->times[i])
            buf_printf(out, "%s%u:%u", out->size ? " " : "", i, now->times[i] - told->times[i]);
}

static void put_failed(const struct syscall_sums *now, const struct syscall_sums *told,
                       struct buf *out)
{
    for (unsigned i = 0; i < SYSCALL_FAILED; i++) {
        const uint32_t n = now->failed[i].count - told->failed[i].count;
        const char *name = syscall_error_name(now->failed[i].error);
        if (n && name)
            buf_printf(out, "%s%s:%u", out->size ? " " : "", name, n);
        else if (n)
            buf_printf(out, "%serror-%u:%u", out->size ? " " : "", now->failed[i].error, n);
    }
}

/* ---- entries ---- */

static uint64_t hash_of(const struct syscall_key *key)
{
    return map_hash_bytes(key, sizeof *key, 0);
}

static struct known *known_of(struct syscall_source *s, const struct syscall_key *key)
{
    uint64_t *at = map_put(&s->known, hash_of(key), 0);
    struct known *k = at ? (struct known *)(uintptr_t)*at : NULL;
    if (k || !at)
        return k && memcmp(&k->key, key, sizeof *key) == 0 ? k : NULL;
    k = mem_calloc(1, sizeof *k);
    if (k)
        k->key = *key;
    *at = (uintptr_t)k;
    return k;
}

static uint32_t put_since(uint64_t *words, const struct caller *c, const struct known *k,
                          const struct syscall_sums *now)
{
    const struct syscall_sums *told = &k->told;
    struct buf name, failed, times;
    uint32_t n = 1; /* the first: no span */
    buf_init(&name);
    buf_init(&failed);
    buf_init(&times);
    name_call(c, k->key.call, &name);
    put_failed(now, told, &failed);
    put_times(now, told, &times);
    n += put_text(&words[n], &name);
    words[n++] = now->count - told->count;
    words[n++] = now->errors - told->errors;
    words[n++] = now->total_ns - told->total_ns;
    words[n++] = now->max_ns;
    n += put_text(&words[n], &failed);
    n += put_text(&words[n], &times);
    const bool whole = !name.failed && !failed.failed && !times.failed;
    buf_done(&name);
    buf_done(&failed);
    buf_done(&times);
    return whole ? n : 0;
}

/* Of Oriel itself, inside of the program: base/own.h. */
static bool is_own(const struct syscall_key *key, const struct syscall_sums *sums)
{
    char comm[sizeof sums->comm + 1];
    snprintf(comm, sizeof comm, "%.*s", (int)sizeof sums->comm, sums->comm);
    return (uint32_t)key->tid != (uint32_t)sums->pid && own_thread_name(comm);
}

/* What a thread did with one call since that was told. Without memory, the next time. */
static void tell(struct syscall_source *s, struct model_batch *batch, struct known *k,
                 const struct syscall_sums *now, uint64_t unix_ns)
{
    uint64_t words[RECORD_WORDS] = {0};
    const uint64_t calls = now->count - k->told.count;
    struct caller *c = calls && !is_own(&k->key, now) ? caller_of(s, &k->key, now) : NULL;
    const uint32_t n = c ? put_since(words, c, k, now) : 0;
    if (n == 0 || !put_record(s, batch, c, words, n, unix_ns))
        return;
    name_thread(s, c, now);
    if (s->options.ability)
        s->options.ability->told += calls;
    k->told = *now;
}

static bool has_ended(const struct syscall_source *s, const struct syscall_key *key)
{
    struct syscall_state state;
    return kernel_map_get(s->watch.threads, &key->tid, &state) != 0 ||
           state.born_ns != key->born_ns;
}

static void forget(struct syscall_source *s, const struct syscall_key *key)
{
    const uint64_t *at = map_get(&s->known, hash_of(key));
    (void)kernel_map_remove(s->watch.sums, key);
    if (!at)
        return;
    mem_free((void *)(uintptr_t)*at);
    (void)map_remove(&s->known, hash_of(key));
}

/* Every entry, or only what threads have left that ended. Those of a thread that had ended
 * before they were read are whole, and go. */
static void look(struct syscall_source *s, struct model_batch *batch, uint64_t unix_ns,
                 bool only_ended)
{
    struct syscall_key key = {0}, next; /* no entry: the first comes after it */
    struct syscall_sums now;
    int more = kernel_map_next(s->watch.sums, &key, &key);
    /* As many as there may be: keys that come and go meanwhile must not keep us here. */
    for (unsigned i = 0; more == 0 && i < 2 * SYSCALL_SUMS; i++, key = next) {
        const bool ended = has_ended(s, &key);
        const bool read = kernel_map_get(s->watch.sums, &key, &now) == 0;
        struct known *k = read ? known_of(s, &key) : NULL;
        more = kernel_map_next(s->watch.sums, &key, &next);
        if (k && (ended || !only_ended))
            tell(s, batch, k, &now, unix_ns);
        if (k && ended)
            forget(s, &key);
    }
}

/* ---- as a source ---- */

static uint64_t entries_made(struct syscall_source *s)
{
    const uint32_t only = 0;
    struct syscall_counts counts = {0};
    if (kernel_map_get(s->watch.counts, &only, &counts) != 0)
        return 0;
    if (s->options.ability) {
        s->options.ability->lost = counts.lost;
        s->options.ability->unwatched = counts.unwatched;
    }
    return counts.made;
}

/* The recorder is over with starting it: what else it starts is not the program. */
static void begin(struct syscall_source *s)
{
    const uint32_t pid = (uint32_t)s->options.pid;
    if (!s->options.running && !s->begun)
        (void)kernel_map_remove(s->watch.threads, &pid);
    s->begun = true;
}

/* The sums of threads that live go on where they are. Those of threads that have ended would
 * fill the table, and who comes later would find no room. */
static void syscall_look(void *state, struct model_batch *batch)
{
    struct syscall_source *s = state;
    begin(s);
    const uint64_t made = entries_made(s);
    if (made - s->made < CROWDED)
        return;
    look(s, batch, clock_mono_ns() + s->unix_offset, true);
    s->made = made;
}

static void syscall_overwritten(void *state, const struct model_record *r)
{
    struct syscall_ability *can = ((struct syscall_source *)state)->options.ability;
    struct model_values values;
    struct model_value v;
    uint64_t calls = 0;
    model_values_begin(&values, r);
    for (unsigned i = 0; i <= COUNT && model_values_next(&values, &v); i++)
        calls = i == COUNT ? v.v.u64 : 0;
    if (!can)
        return;
    assert(can->told >= calls);
    can->told -= calls;
    can->overwritten += calls;
}

static int syscall_poll(void *state, struct model_batch *batch, size_t max_records,
                        struct oriel_err *err)
{
    struct syscall_source *s = state;
    const uint64_t now = clock_mono_ns();
    (void)max_records;
    (void)err;
    begin(s);
    batch->watermark_ns = s->over ? UINT64_MAX : now + s->unix_offset;
    if (s->ended)
        return SOURCE_IDLE;
    const uint64_t made = entries_made(s);
    if (s->over || now >= s->next_ns || made - s->made >= CROWDED) {
        look(s, batch, now + s->unix_offset, false);
        s->made = made;
        s->next_ns = now + s->gap_ns;
        s->gap_ns = s->gap_ns * 2 < GAP_MAX_NS ? s->gap_ns * 2 : GAP_MAX_NS;
    }
    s->ended = s->over;
    return batch->record_count ? SOURCE_DATA : SOURCE_IDLE;
}

static void syscall_over(void *state)
{
    ((struct syscall_source *)state)->over = true;
}

static void syscall_damage(const void *state, struct source_damage *out)
{
    (void)state;
    *out = (struct source_damage){.first_offset = UINT64_MAX};
}

void syscall_try(struct syscall_ability *out)
{
    struct syscall_watch w;
    struct oriel_err err = {0};
    const struct syscall_options how = {.pid = (int32_t)getpid()};
    *out = (struct syscall_ability){.works = syscall_watch_open(&w, &how, &err) == 0};
    snprintf(out->missing, sizeof out->missing, "%.*s", (int)sizeof out->missing - 1, err.text);
    if (out->works)
        syscall_watch_close(&w);
}

const struct source source_syscall = {.name = "syscall",
                                      .state_size = sizeof(struct syscall_source),
                                      .open_with = syscall_open,
                                      .look = syscall_look,
                                      .overwritten = syscall_overwritten,
                                      .poll = syscall_poll,
                                      .over = syscall_over,
                                      .damage = syscall_damage,
                                      .close = syscall_close};

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Call sites: giving them ids, describing them in the meta log, switching
 * their enable words. A site with the same content gets the same id again, so
 * a plugin that is loaded a thousand times is described once.
 */
#include "rec/rec.h"

#include <string.h>

#include "base/err.h"
#include "base/map.h"
#include "base/os.h"
#include "rec/hooks.h"
#include "wire/meta.h"

enum { MODULE_NEW = 0, MODULE_KNOWN = 1, INDEX_SLOTS = 1 << 17 };

/* Content hash to id; open addressing, filled with compare-and-swap. An id of
 * zero behind a hash: its description is being written. REFUSED: there is none. */
enum { REFUSED = UINT16_MAX + 1, INDEX_LOOKS = 1000 };
struct index_slot {
    uint64_t hash;
    uint32_t id;
    uint32_t reserved;
};
static struct index_slot *site_index;
static uint32_t next_id = ORIEL_SITE_ID_FIRST;
static uint64_t refused; /* sites left off: no id, no room in the log, other ABI */

static pthread_mutex_t modules_lock = PTHREAD_MUTEX_INITIALIZER;
static struct oriel_module *modules;
/* Sites of bindings; copies live for ever. */
static struct oriel_module made_here = {ORIEL_ABI_VERSION, MODULE_NEW, NULL, NULL, NULL, NULL};

static uint64_t hash_site(const struct oriel_site *s)
{
    uint64_t h = (uint64_t)s->line << 32 | (uint64_t)s->kind << 8 | s->level;
    const char *const texts[] = {s->name, s->target, s->file, s->function, s->format};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        h = map_hash_bytes(texts[i] ? texts[i] : "", texts[i] ? strlen(texts[i]) : 0, h + i);
    for (uint32_t i = 0; i < s->field_count; i++)
        h = map_hash_bytes(s->fields[i].name, strlen(s->fields[i].name), h + s->fields[i].type);
    return h ? h : 1;
}

/* Room for an entry of n bytes in the meta log, begun; NULL: the log is full. */
static void *begin_entry(size_t n)
{
    struct rec_runtime *rt = &rec_runtime;
    uint64_t at = __atomic_load_n(&rt->shared->meta_head, __ATOMIC_RELAXED);
    do {
        if (at > rt->header.meta_bytes || n > rt->header.meta_bytes - at)
            return NULL;
    } while (!__atomic_compare_exchange_n(&rt->shared->meta_head, &at, at + n, false,
                                          __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    void *dst = (char *)rt->base + rt->header.meta_off + at;
    wire_meta_begin(dst, n);
    return dst;
}

/* Describe the site in the meta log; false when it is full. */
static bool describe(const struct oriel_site *site, uint32_t id)
{
    size_t n = wire_meta_site_bytes(site);
    void *dst = n ? begin_entry(n) : NULL;
    if (!dst)
        return false;
    wire_meta_site_write(dst, n, site, id, rec_process_serial());
    wire_meta_commit(dst);
    return true;
}

__attribute__((cold)) bool rec_module_tell(const struct wire_module *m)
{
    size_t n = wire_meta_module_bytes(m);
    void *dst = begin_entry(n);
    if (!dst)
        return false;
    wire_meta_module_write(dst, n, m, rec_process_serial());
    wire_meta_commit(dst);
    return true;
}

bool rec_meta_put(const void *entry, size_t bytes)
{
    struct wire_meta *dst = begin_entry(bytes);
    if (!dst)
        return false;
    /* The length says that it is pending until the commit. */
    memcpy((char *)dst + sizeof dst->words, (const char *)entry + sizeof dst->words,
           bytes - sizeof dst->words);
    dst->process = (uint16_t)rec_process_serial();
    wire_meta_commit(dst);
    return true;
}

uint32_t rec_sites_next(void)
{
    return __atomic_load_n(&next_id, __ATOMIC_RELAXED);
}

/* All copies of this library in a process count in one place, the process's
 * slot. A fork child needs a slot or at least a serial of its own first: its
 * next ids are not its parent's next ids. */
static uint32_t take_id(void)
{
    struct wire_process *p = rec_process_claim() ? rec_process_self() : NULL;
    uint32_t seen = __atomic_load_n(&next_id, __ATOMIC_RELAXED);
    if (!p)
        return __atomic_fetch_add(&next_id, 1, __ATOMIC_RELAXED);
    uint32_t id = __atomic_fetch_add(&p->next_site, 1, __ATOMIC_RELAXED);
    while (seen <= id && !__atomic_compare_exchange_n(&next_id, &seen, id + 1, false,
                                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    return id;
}

/* A new id, described; REFUSED: there is none left, or no room to say it. */
static uint32_t new_id(const struct oriel_site *site)
{
    uint32_t id = take_id();
    if (id <= ORIEL_SITE_ID_MAX && describe(site, id))
        return id;
    __atomic_fetch_add(&refused, 1, __ATOMIC_RELAXED);
    return REFUSED;
}

/* The id in a slot that somebody claimed for this content. Whoever is writing it
 * may be the thread that we interrupted, or one that a fork left behind: after
 * some looks the site is described once more, under an id of its own. */
static uint32_t id_in(struct index_slot *s, const struct oriel_site *site)
{
    for (int i = 0; i < INDEX_LOOKS; i++) {
        uint32_t id = __atomic_load_n(&s->id, __ATOMIC_ACQUIRE);
        if (id)
            return id;
        os_yield();
    }
    return new_id(site);
}

/* Id of the site, 0 if it must stay off. */
static uint32_t id_of(const struct oriel_site *site)
{
    uint64_t hash = hash_site(site);
    for (uint32_t i = (uint32_t)hash % INDEX_SLOTS, n = 0; n < INDEX_SLOTS; n++) {
        struct index_slot *s = &site_index[(i + n) % INDEX_SLOTS];
        uint64_t seen = 0;
        uint32_t id = 0;
        if (__atomic_compare_exchange_n(&s->hash, &seen, hash, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE)) {
            id = new_id(site);
            __atomic_store_n(&s->id, id, __ATOMIC_RELEASE);
        } else if (seen == hash) {
            id = id_in(s, site);
        }
        if (id)
            return id == REFUSED ? 0 : id;
    }
    return 0;
}

/* Counts what changes the value of words: starts, and new directives. */
static uint32_t words_epoch;

/* Hooks of the program that such a site asks. ORIEL_ENABLED is of kind SET, too. */
static oriel_word hooked_of(const struct oriel_site *site)
{
    const uint32_t kinds = __atomic_load_n(&rec_hooks_kinds, __ATOMIC_SEQ_CST);
    const uint32_t asked = site->kind == ORIEL_SITE_SPAN    ? REC_HOOKS_SPANS
                           : site->kind == ORIEL_SITE_EVENT ? REC_HOOKS_LOGS
                           : site->kind == ORIEL_SITE_SET   ? REC_HOOKS_LOGS
                                                            : 0u;
    return kinds & asked ? ORIEL_WORD_HOOKED : 0u;
}

static uint32_t value_of(const struct oriel_site *site)
{
    uint32_t id = 0;
    if (site->abi_version == ORIEL_ABI_VERSION && rec_enter()) {
        if (site_index && rec_filter_allows(site->target, site->name, site->level))
            id = id_of(site);
        rec_leave();
    }
    return id ? id << ORIEL_WORD_ID_SHIFT | hooked_of(site) : 0;
}

/* Returns the word. It goes from its old value to the new one in one step: a
 * thread that hits the site meanwhile must not find it off. Several may set it
 * at once; one that was overtaken by new directives sets it again. */
static oriel_word set_word(const struct oriel_site *site)
{
    oriel_word now = __atomic_load_n(site->word, __ATOMIC_RELAXED), next = now;
    uint32_t epoch;
    do {
        epoch = __atomic_load_n(&words_epoch, __ATOMIC_SEQ_CST);
        oriel_word value = value_of(site);
        do /* The lower half belongs to the tools that attach to the probe. */
            next = value | (now & ORIEL_WORD_TOOLS);
        while (!__atomic_compare_exchange_n(site->word, &now, next, false, __ATOMIC_SEQ_CST,
                                            __ATOMIC_RELAXED));
        now = next;
    } while (epoch != __atomic_load_n(&words_epoch, __ATOMIC_SEQ_CST));
    return next;
}

/* The end of a module's list: unlike NULL, it says that a node is in one. */
#define LATE_END ((struct oriel_site_node *)1)

static void set_module(struct oriel_module *m)
{
    for (const struct oriel_site *const *s = m->begin; s && s < m->end; s++)
        if (*s)
            set_word(*s);
    for (struct oriel_site_node *n = __atomic_load_n(&m->late, __ATOMIC_SEQ_CST);
         n && n != LATE_END; n = __atomic_load_n(&n->next, __ATOMIC_RELAXED))
        set_word(&n->site);
}

static void set_modules(void)
{
    __atomic_fetch_add(&words_epoch, 1, __ATOMIC_SEQ_CST);
    for (struct oriel_module *m = modules; m; m = m->next)
        set_module(m);
}

void rec_sites_enable(void)
{
    void *p = NULL;
    rec_scopes_tell(); /* first, so that readers know them when the sites come */
    pthread_mutex_lock(&modules_lock);
    if (!site_index && os_map_private(INDEX_SLOTS * sizeof(struct index_slot), &p) == 0)
        site_index = p;
    set_modules();
    pthread_mutex_unlock(&modules_lock);
}

__attribute__((cold)) void rec_sites_forget(void)
{
    pthread_mutex_lock(&modules_lock);
    if (site_index)
        memset(site_index, 0, INDEX_SLOTS * sizeof *site_index);
    __atomic_store_n(&next_id, ORIEL_SITE_ID_FIRST, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&modules_lock);
}

/* In a fork child whoever held the lock is gone. */
void rec_sites_forked(void)
{
    static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
    modules_lock = unlocked;
    rec_scopes_forked();
}

void oriel_module_register(struct oriel_module *module)
{
    if (module->abi_version != ORIEL_ABI_VERSION || module->state == MODULE_KNOWN)
        return;
    pthread_mutex_lock(&modules_lock);
    module->state = MODULE_KNOWN;
    module->next = modules;
    modules = module;
    if (rec_is_on())
        set_module(module);
    pthread_mutex_unlock(&modules_lock);
}

/* Spans of its sites that end later find nothing where it lay. */
static void forget_seen(const struct oriel_module *m)
{
    for (const struct oriel_site *const *s = m->begin; s && s < m->end; s++)
        if (*s)
            rec_hooks_site_gone(*s);
    for (const struct oriel_site_node *n = __atomic_load_n(&m->late, __ATOMIC_ACQUIRE);
         n && n != LATE_END; n = __atomic_load_n(&n->next, __ATOMIC_RELAXED))
        rec_hooks_site_gone(&n->site);
}

void oriel_module_unregister(struct oriel_module *module)
{
    pthread_mutex_lock(&modules_lock);
    for (struct oriel_module **at = &modules; *at; at = &(*at)->next)
        if (*at == module) {
            *at = module->next;
            module->state = MODULE_NEW;
            forget_seen(module);
            break;
        }
    pthread_mutex_unlock(&modules_lock);
}

/* Once, by whoever comes first. */
static void push_late(struct oriel_module *m, struct oriel_site_node *node)
{
    struct oriel_site_node *none = NULL;
    if (!__atomic_compare_exchange_n(&node->next, &none, LATE_END, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return;
    struct oriel_site_node *head = __atomic_load_n(&m->late, __ATOMIC_RELAXED);
    do
        __atomic_store_n(&node->next, head ? head : LATE_END, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&m->late, &head, node, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED));
}

/* Into its module's list first: then either new directives find it there, or
 * set_word finds that there are new ones. Threads that meet here all set the
 * same value, and none of them finds the site off meanwhile. */
oriel_word oriel_site_seen(struct oriel_site_node *node)
{
    oriel_word now = __atomic_load_n(node->site.word, __ATOMIC_RELAXED);
    if (ORIEL_RECORDED(now) != ORIEL_SITE_UNSEEN)
        return now;
    push_late(node->module, node);
    return set_word(&node->site);
}

void rec_sites_switch(void)
{
    oriel_module_register(&made_here); /* there may be sites to add in a signal handler */
    pthread_mutex_lock(&modules_lock);
    set_modules();
    pthread_mutex_unlock(&modules_lock);
}

/* The same, as it is: it lives as long as the process. Of the module of rec_sites_switch. */
oriel_word rec_sites_add(struct oriel_site_node *node)
{
    node->module = &made_here;
    push_late(&made_here, node);
    return set_word(&node->site);
}

int oriel_site_new(const struct oriel_site *site)
{
    if (!site || !site->word || site->abi_version != ORIEL_ABI_VERSION ||
        wire_meta_site_bytes(site) == 0)
        return ORIEL_EINVAL;
    struct oriel_site_node *node = rec_site_copy(site);
    if (!node)
        return ORIEL_ENOMEM;
    node->module = &made_here;
    oriel_module_register(&made_here);
    push_late(&made_here, node);
    set_word(&node->site);
    return __atomic_load_n(&next_id, __ATOMIC_RELAXED) > ORIEL_SITE_ID_MAX ? ORIEL_ELIMIT : 0;
}

__attribute__((cold)) bool rec_sites_filter(const char *directives)
{
    if (pthread_mutex_trylock(&modules_lock) != 0)
        return false;
    if (rec_filter_set(directives) == 0)
        set_modules();
    pthread_mutex_unlock(&modules_lock);
    return true;
}

int oriel_filter(const char *directives)
{
    int rc;
    pthread_mutex_lock(&modules_lock);
    rc = rec_filter_set(directives);
    if (rc == 0)
        set_modules();
    pthread_mutex_unlock(&modules_lock);
    return rc;
}

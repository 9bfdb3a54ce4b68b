/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Providers, tracers and loggers by handles (oriel/config.h), for names that are known
 * at run time only. Behind them is the one SDK of the process: a tracer is a target,
 * and each of its names becomes a call site when it is first said. No lock is taken
 * here: two threads that say a name for the first time may make a site each, which
 * look the same to readers. Nothing is ever given back. Any thread.
 */
#include <oriel/config.h>

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "rec/rec.h"

enum { NAMES_MAX = 4096, BUCKETS = 512, LEVELS = ORIEL_LEVEL_FATAL + 1 };
enum life { NEVER = 0, LIVE = 1, OVER = 2 };

/* Of a tracer and a name, or of a logger and a level. */
struct named {
    struct named *next;
    const void *owner;
    char *name;
    uint32_t level;
    oriel_word word;
};
struct oriel_tracer_provider {
    enum life life; /* atomic */
};
struct oriel_logger_provider {
    enum life life; /* atomic */
};
struct oriel_tracer {
    struct oriel_tracer *next;
    struct oriel_tracer_provider *provider;
    char *name;
};
struct oriel_logger {
    struct oriel_logger *next;
    struct oriel_logger_provider *provider;
    char *name;
};
static struct oriel_tracer_provider tracer_provider;
static struct oriel_logger_provider logger_provider;
static struct named *buckets[BUCKETS]; /* newest first; atomic */
static unsigned name_count;            /* atomic */
static struct oriel_tracer *tracers;   /* atomic */
static struct oriel_logger *loggers;   /* atomic */

static bool same(const char *a, const char *b)
{
    const size_t n = strlen(a);
    return n == strlen(b) && memcmp(a, b, n) == 0;
}

static bool is_live(const enum life *life)
{
    return __atomic_load_n(life, __ATOMIC_ACQUIRE) == LIVE; /* pairs with create and end_one */
}

/* ---- from a model to providers ---- */

int oriel_config_create(const struct oriel_config *config, struct oriel_sdk *out)
{
    const struct oriel_options options = {.size = sizeof options, .config = config};
    if (!config || !out || out->size < sizeof *out)
        return ORIEL_EINVAL;
    if (rec_is_on() && oriel_enabled())
        return ORIEL_EBUSY;
    int rc = oriel_start(&options);
    if (rc < 0)
        return rc;
    __atomic_store_n(&tracer_provider.life, LIVE, __ATOMIC_RELEASE);
    __atomic_store_n(&logger_provider.life, LIVE, __ATOMIC_RELEASE);
    out->tracer_provider = &tracer_provider;
    out->logger_provider = &logger_provider;
    out->propagators = oriel_propagators_get();
    return 0;
}

/* The last one that ends ends the export; what the other has to say goes on. */
static int end_one(enum life *mine, const enum life *other, unsigned timeout_ms)
{
    enum life was = LIVE;
    if (!__atomic_compare_exchange_n(mine, &was, OVER, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return ORIEL_ESTATE;
    return is_live(other) ? oriel_flush(timeout_ms) : oriel_stop(timeout_ms);
}

int oriel_tracer_provider_flush(struct oriel_tracer_provider *provider, unsigned timeout_ms)
{
    return provider && is_live(&provider->life) ? oriel_flush(timeout_ms) : ORIEL_ESTATE;
}

int oriel_tracer_provider_shutdown(struct oriel_tracer_provider *provider, unsigned timeout_ms)
{
    return provider ? end_one(&provider->life, &logger_provider.life, timeout_ms) : ORIEL_EINVAL;
}

int oriel_logger_provider_flush(struct oriel_logger_provider *provider, unsigned timeout_ms)
{
    return provider && is_live(&provider->life) ? oriel_flush(timeout_ms) : ORIEL_ESTATE;
}

int oriel_logger_provider_shutdown(struct oriel_logger_provider *provider, unsigned timeout_ms)
{
    return provider ? end_one(&provider->life, &tracer_provider.life, timeout_ms) : ORIEL_EINVAL;
}

/* ---- sites by name ---- */

static struct named **bucket_of(const void *owner, const char *name, uint32_t level)
{
    const uint64_t hash = map_hash_bytes(name, strlen(name), (uintptr_t)owner ^ level);
    return &buckets[hash % BUCKETS];
}

static struct named *find_named(struct named *const *bucket, const void *owner, const char *name,
                                uint32_t level)
{
    struct named *n = __atomic_load_n(bucket, __ATOMIC_ACQUIRE); /* pairs with the push in add */
    while (n && !(n->owner == owner && n->level == level && same(n->name, name)))
        n = n->next;
    return n;
}

/* NULL: no memory, or too many. */
static struct named *add(struct named **bucket, const void *owner, const char *name,
                         const struct oriel_site *like)
{
    if (__atomic_add_fetch(&name_count, 1, __ATOMIC_RELAXED) > NAMES_MAX) {
        __atomic_store_n(&name_count, NAMES_MAX, __ATOMIC_RELAXED); /* it shall not come round */
        return NULL;
    }
    struct named *made = mem_calloc(1, sizeof *made);
    char *text = mem_strdup(name);
    struct oriel_site site = *like;
    if (!made || !text) {
        mem_free(made);
        mem_free(text);
        return NULL;
    }
    *made = (struct named){.owner = owner, .name = text, .level = like->level};
    site.name = text;
    site.word = &made->word;
    if (oriel_site_new(&site) < 0)
        return NULL; /* the site may have kept its word: it stays, and counts */
    made->next = __atomic_load_n(bucket, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(bucket, &made->next, made, false, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
        ;
    return made;
}

static oriel_word word_of(const void *owner, const char *name, const struct oriel_site *like)
{
    struct named **bucket = bucket_of(owner, name, like->level);
    struct named *n = find_named(bucket, owner, name, like->level);
    if (!n)
        n = add(bucket, owner, name, like);
    return n ? __atomic_load_n(&n->word, __ATOMIC_RELAXED) : 0;
}

/* ---- tracers ---- */

struct oriel_tracer *oriel_tracer_get(struct oriel_tracer_provider *provider, const char *name)
{
    if (!provider || !name)
        return NULL;
    struct oriel_tracer *t = __atomic_load_n(&tracers, __ATOMIC_ACQUIRE); /* pairs with the push */
    while (t && !same(t->name, name))
        t = t->next;
    if (t)
        return t;
    char *text = mem_strdup(name);
    t = text ? mem_calloc(1, sizeof *t) : NULL;
    if (!t) {
        mem_free(text);
        return NULL;
    }
    *t = (struct oriel_tracer){__atomic_load_n(&tracers, __ATOMIC_RELAXED), provider, text};
    while (!__atomic_compare_exchange_n(&tracers, &t->next, t, false, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
        ;
    return t;
}

struct oriel_span oriel_tracer_open(struct oriel_tracer *tracer, const char *name,
                                    const struct oriel_span *parent)
{
    const struct oriel_span none = {0, 0, 0, 0, 0};
    if (!tracer || !name || !is_live(&tracer->provider->life))
        return none;
    const struct oriel_site like = {.abi_version = ORIEL_ABI_VERSION,
                                    .kind = ORIEL_SITE_SPAN,
                                    .level = ORIEL_LEVEL_INFO,
                                    .target = tracer->name,
                                    .file = "",
                                    .function = ""};
    const oriel_word word = word_of(tracer, name, &like);
    return ORIEL_RECORDED(word) ? oriel_abi_open(word, parent, NULL, 0) : none;
}

/* ---- loggers ---- */

struct oriel_logger *oriel_logger_get(struct oriel_logger_provider *provider, const char *name)
{
    if (!provider || !name)
        return NULL;
    struct oriel_logger *l = __atomic_load_n(&loggers, __ATOMIC_ACQUIRE); /* pairs with the push */
    while (l && !same(l->name, name))
        l = l->next;
    if (l)
        return l;
    char *text = mem_strdup(name);
    l = text ? mem_calloc(1, sizeof *l) : NULL;
    if (!l) {
        mem_free(text);
        return NULL;
    }
    *l = (struct oriel_logger){__atomic_load_n(&loggers, __ATOMIC_RELAXED), provider, text};
    while (!__atomic_compare_exchange_n(&loggers, &l->next, l, false, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
        ;
    return l;
}

/* The text is the one argument of its format. */
void oriel_logger_emit(struct oriel_logger *logger, unsigned level, const char *body)
{
    static const struct oriel_field fields[] = {{"", ORIEL_TYPE_STR, 0}};
    if (!logger || !body || level < ORIEL_LEVEL_TRACE || level >= LEVELS ||
        !is_live(&logger->provider->life))
        return;
    const struct oriel_site like = {.abi_version = ORIEL_ABI_VERSION,
                                    .kind = ORIEL_SITE_EVENT,
                                    .level = (uint8_t)level,
                                    .field_count = 1,
                                    .target = logger->name,
                                    .file = "",
                                    .function = "",
                                    .format = "%s",
                                    .fields = fields};
    const struct oriel_value value = {
        .type = ORIEL_TYPE_STR, .size = (uint32_t)strlen(body), .v.bytes = body};
    const oriel_word word = word_of(logger, "%s", &like);
    if (ORIEL_RECORDED(word))
        oriel_abi_event(word, 0, &value, 1);
}

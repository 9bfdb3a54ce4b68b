/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The list of providers, their options as one table, and the one way through
 * them: ask, parse, remember what is secret. One thread per call.
 */
#include "vault/vault.h"

#include <assert.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "vault/provider.h"

#define PROVIDER(name) extern const struct vault_provider vault_##name;
#include "vault/providers.def"
#undef PROVIDER

const struct vault_provider *const vault_registry[] = {
#define PROVIDER(name) &vault_##name,
#include "vault/providers.def"
#undef PROVIDER
    NULL,
};

static const char *const names[] = {
#define PROVIDER(name) #name,
#include "vault/providers.def"
#undef PROVIDER
    "none", NULL};

/* ---- options: `provider`, then those of each provider behind one another ---- */

struct head {
    int provider; /* index in names */
};
enum { TABLE_MAX = 48 };
static struct option_def table[TABLE_MAX + 1];
static size_t table_size;
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static size_t aligned(size_t n)
{
    const size_t a = _Alignof(max_align_t);
    return (n + a - 1) / a * a;
}

/* Where the options of a provider begin. */
static size_t options_at(const struct vault_provider *wanted)
{
    size_t at = aligned(sizeof(struct head));
    for (size_t i = 0; vault_registry[i] != wanted; i++)
        at += aligned(vault_registry[i]->options_size);
    return at;
}

static void make_table(void)
{
    size_t n = 0;
    table[n++] = (struct option_def){.name = "provider",
                                     .type = OPTION_ENUM,
                                     .offset = offsetof(struct head, provider),
                                     .fallback = "none",
                                     .choices = names,
                                     .variable = "ORIEL_VAULT",
                                     .help = "who knows the headers to send"};
    for (size_t i = 0; vault_registry[i]; i++) {
        const struct vault_provider *p = vault_registry[i];
        for (const struct option_def *d = p->options; d->name; d++) {
            assert(n < TABLE_MAX && strncmp(d->name, p->name, strlen(p->name)) == 0);
            table[n] = *d;
            table[n++].offset += options_at(p);
        }
    }
    table_size = options_at(NULL);
}

const struct option_def *vault_option_table(void)
{
    pthread_once(&table_once, make_table);
    return table;
}

size_t vault_options_size(void)
{
    pthread_once(&table_once, make_table);
    return table_size;
}

/* NULL: none. */
static const struct vault_provider *chosen(const void *options)
{
    int index = ((const struct head *)options)->provider;
    assert(index >= 0 && (size_t)index < sizeof names / sizeof *names - 1);
    return vault_registry[index];
}

const char *vault_provider_name(const void *options)
{
    const struct vault_provider *p = chosen(options);
    return p ? p->name : "";
}

/* ---- asking ---- */

const char *vault_variable(const struct vault_ask *ask, const char *name)
{
    size_t n = strlen(name);
    for (const char *const *e = ask->environment; e && *e; e++)
        if (strncmp(*e, name, n) == 0 && (*e)[n] == '=')
            return (*e)[n + 1] ? *e + n + 1 : NULL;
    return NULL;
}

/* Every text that leaves from now on is compared with these. */
static int remember(const struct vault_headers *h, struct oriel_err *err)
{
    for (size_t i = 0; i < h->count; i++) {
        int rc = secret_known_add(h->items[i].value, strlen(h->items[i].value));
        if (rc != 0)
            return err_set(err, rc, "vault: header %s cannot be kept secret: %s", h->items[i].name,
                           rc == ORIEL_ELIMIT ? "this process knows too many secrets"
                                              : err_text(rc));
    }
    return 0;
}

int vault_read(const struct vault_request *r, struct vault_headers *out, struct oriel_err *err)
{
    assert(r && out);
    if (r->size != sizeof *r || !r->options)
        return err_set(err, ORIEL_EINVAL, "vault: a request of another size");
    const struct vault_provider *p = chosen(r->options);
    const struct vault_ask ask = {.key = r->key && r->key[0] ? r->key : VAULT_KEY_DEFAULT,
                                  .environment = r->environment,
                                  .deadline_ns = r->deadline_ns,
                                  .nearer_ns = r->nearer_ns};
    struct vault_headers h;
    struct secret value;
    char where[128];
    if (!p)
        return err_set(err, ORIEL_EINVAL,
                       "no vault is configured for the key %.80s; say which: [telemetry.vault] "
                       "provider",
                       ask.key);
    snprintf(where, sizeof where, "vault (%s), key %.80s", p->name, ask.key);
    int rc = p->read((const char *)r->options + options_at(p), &ask, &value, err);
    if (rc != 0)
        return rc;
    rc = vault_parse_headers(value.p, value.n, where, &h, err);
    secret_close(&value);
    if (rc != 0)
        return rc;
    rc = remember(&h, err);
    if (rc != 0)
        vault_headers_done(&h);
    else
        *out = h;
    return rc;
}

int vault_check(const void *options, struct oriel_err *err)
{
    const struct vault_provider *p = chosen(options);
    return p && p->check ? p->check((const char *)options + options_at(p), err) : 0;
}

void vault_headers_done(struct vault_headers *h)
{
    secret_close(&h->memory);
    memset(h, 0, sizeof *h);
}

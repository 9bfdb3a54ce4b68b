/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The vault: where the headers that authorise an export come from. Its providers
 * stand in providers.def, one const table each; which one is asked, and how, is
 * said by the options below, [telemetry.vault] in a configuration. What comes out
 * is known as a secret from then on and scrubbed from every text
 * (secret/secret.h). Files, network and helper processes, all of it until one
 * deadline; prints nothing. One thread per call.
 */
#ifndef ORIEL_VAULT_VAULT_H
#define ORIEL_VAULT_VAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "secret/secret.h"
#include "util/option.h"

/* The key that is asked for where a vault is configured and no key. */
#define VAULT_KEY_DEFAULT "ZEPH_OTEL_HEADERS"
enum { VAULT_HEADERS_MAX = 32, VAULT_VALUE_MAX = 16 << 10 };

/* The options of all providers, and which one it is ("provider"). */
const struct option_def *vault_option_table(void);
size_t vault_options_size(void);
/* Its provider; "" when none is configured. */
const char *vault_provider_name(const void *options);

struct vault_header {
    const char *name, *value; /* a token in lower case; no control characters */
};
/* All of it, the list too, lies in memory of secrets. */
struct vault_headers {
    const struct vault_header *items;
    size_t count;
    struct secret memory;
};

struct vault_request {
    size_t size;                    /* sizeof of this struct */
    const void *options;            /* by vault_option_table */
    const char *key;                /* NULL, "": VAULT_KEY_DEFAULT */
    const char *const *environment; /* "NAME=value", ends with NULL; NULL: none */
    uint64_t deadline_ns;           /* CLOCK_MONOTONIC, for everything together */
    /* Another one that may be set, or come nearer, while the provider is asked: it is looked at
     * every few milliseconds. NULL: none. */
    const _Atomic uint64_t *nearer_ns;
};
/* 0 with at least one header. ORIEL_ENOTFOUND: the provider answered, and has no
 * such key. Anything else: ORIEL_EINVAL (configured wrongly), ORIEL_EPERM (a file that
 * others may read, a server that refuses us), ORIEL_EFORMAT (what is there are no
 * headers), ORIEL_ETIMEOUT, ORIEL_EIO, ORIEL_ELIMIT, ORIEL_ENOMEM. With a line, in
 * which no value stands. */
int vault_read(const struct vault_request *r, struct vault_headers *out, struct oriel_err *err);
/* Whether these options say all that their provider has to know, without asking it. 0, also where
 * none is configured; ORIEL_EINVAL with a line. */
int vault_check(const void *options, struct oriel_err *err);
void vault_headers_done(struct vault_headers *h); /* wipes; takes one that is zeroed */

/* ---- what it is made of ---- */

/* Headers out of a JSON object or a list k=v,k=v (values percent-encoded, as in
 * OTEL_EXPORTER_OTLP_HEADERS). As vault_read; `where` begins the line. */
int vault_parse_headers(const char *p, size_t n, const char *where, struct vault_headers *out,
                        struct oriel_err *err);

#endif

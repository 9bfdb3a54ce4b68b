/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From the configuration to the vault: which key, and what it means that there
 * is none.
 */
#include "session/headers.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "export/exporter.h"

bool session_wants_headers(const struct config *c)
{
    const void *o = config_section_options(c, "vault");
    assert(o);
    return vault_provider_name(o)[0] || config_telemetry(c)->otlp_headers_vault_key[0];
}

const char *session_headers_key(const struct config *c)
{
    const char *key = config_telemetry(c)->otlp_headers_vault_key;
    return key[0] ? key : VAULT_KEY_DEFAULT;
}

const char *session_headers_key_of(const struct config *c, const char *section)
{
    const struct exporter *e = export_find("otlp");
    const struct option_def *d = e ? option_find(e->options, "headers_vault_key", 17) : NULL;
    const char *own = config_section_options(c, section), *text = NULL;
    if (d && own)
        memcpy(&text, own + d->offset, sizeof text);
    return text ? text : "";
}

/* A key that is not there is no trouble where nobody requires it. */
static int go_without(const struct oriel_err *why, struct vault_headers *out, struct oriel_err *err)
{
    static atomic_bool said;
    *out = (struct vault_headers){0};
    if (!err)
        return 0;
    *err = (struct oriel_err){0};
    if (!atomic_exchange(&said, true))
        snprintf(err->text, sizeof err->text, "%.400s: sending without authorization", why->text);
    return 0;
}

int session_headers(const struct config *c, const struct headers_ask *ask,
                    struct vault_headers *out, struct oriel_err *err)
{
    if (session_wants_headers(c))
        return session_headers_of(c, session_headers_key(c), ask, out, err);
    *out = (struct vault_headers){0};
    return 0;
}

int session_headers_of(const struct config *c, const char *key, const struct headers_ask *ask,
                       struct vault_headers *out, struct oriel_err *err)
{
    struct oriel_err why = {0};
    assert(c && key[0] && ask && out);
    const struct vault_request r = {.size = sizeof r,
                                    .options = config_section_options(c, "vault"),
                                    .key = key,
                                    .environment = ask->environment,
                                    .deadline_ns = ask->deadline_ns,
                                    .nearer_ns = ask->nearer_ns};
    int rc = vault_read(&r, out, &why);
    if (rc == ORIEL_ENOTFOUND && !config_telemetry(c)->otlp_headers_required)
        return go_without(&why, out, err);
    if (rc != 0 && err)
        *err = why;
    return rc;
}

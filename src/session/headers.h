/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The headers that an OTLP export is sent with, as the configuration says:
 * out of the vault, by otlp_headers_vault_key. Asks files, network or a helper
 * process, until the deadline; one thread per call.
 */
#ifndef ORIEL_SESSION_HEADERS_H
#define ORIEL_SESSION_HEADERS_H

#include "config/config.h"
#include "vault/vault.h"

struct headers_ask {
    const char *const *environment; /* NULL: none */
    uint64_t deadline_ns;
    const _Atomic uint64_t *nearer_ns; /* as in struct vault_request */
};
/* Whether the vault has to be asked: a provider is configured, or a key named. */
bool session_wants_headers(const struct config *c);
/* The key that is asked for. */
const char *session_headers_key(const struct config *c);
/* The same of the receiver with this section (config_receiver); "": its section names none, and
 * nothing is asked for it. */
const char *session_headers_key_of(const struct config *c, const char *section);
/* 0, with headers (free them with vault_headers_done) or without any. `err` with code 0
 * and a line then says that the key is missing and was declared optional
 * (otlp_headers_required = false); once per process. A failure as vault_read: telemetry
 * does not start. */
int session_headers(const struct config *c, const struct headers_ask *ask,
                    struct vault_headers *out, struct oriel_err *err);
/* The same for a key, whether or not anything asks for the vault. */
int session_headers_of(const struct config *c, const char *key, const struct headers_ask *ask,
                       struct vault_headers *out, struct oriel_err *err);
/* Headers that environment or program say (otlp_headers and its like) become known
 * secrets: no text that leaves has them from now on. 0, ORIEL_ELIMIT, ORIEL_ENOMEM. */
int session_know_headers(const struct config *c, struct oriel_err *err);

#endif

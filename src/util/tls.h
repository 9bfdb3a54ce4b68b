/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * TLS by the machine's OpenSSL (3 or 1.1), which is loaded when the first
 * context is made and never before: nothing here is needed to link. A session
 * turns bytes into bytes and knows no socket, so it cannot block or raise a
 * signal. A context may be shared by threads, a session belongs to one.
 */
#ifndef ORIEL_UTIL_TLS_H
#define ORIEL_UTIL_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct tls_options {
    size_t size;
    const char *ca_file;   /* PEM; NULL: what the machine trusts */
    const char *cert_file; /* PEM with its chain, for mTLS or as server; NULL: none */
    const char *key_file;  /* PEM, without password; NULL: it is in cert_file */
    /* Where these were said, for lines: "--certificate"; NULL: nowhere to tell. */
    const char *ca_said, *cert_said, *key_said;
    bool insecure;    /* client: take any certificate. Said by the user, never guessed */
    bool server;      /* needs cert_file; ca_file: clients must have a certificate of it */
    const char *alpn; /* "h2", "http/1.1" or "h2,http/1.1"; NULL: none */
};
struct tls_context;
/* ORIEL_EUNSUPPORTED: no OpenSSL on this machine (the line says which package);
 * ORIEL_ENOTFOUND, ORIEL_EPERM, ORIEL_EFORMAT: a file, by name; ORIEL_ENOMEM. */
int tls_context_new(struct tls_context **out, const struct tls_options *options,
                    struct oriel_err *err);
void tls_context_free(struct tls_context *c); /* takes NULL; after its sessions */

struct tls;
/* As client `host` (a name or an address) is asked for and must be what the
 * certificate says; as server it is NULL. */
int tls_new(struct tls **out, struct tls_context *c, const char *host, struct oriel_err *err);
void tls_free(struct tls *t); /* takes NULL */

/* Bytes that came from the other side. ORIEL_ENOMEM. */
int tls_feed(struct tls *t, const void *bytes, size_t n);
/* Bytes that are to go there: up to n; how many. */
size_t tls_drain(struct tls *t, void *bytes, size_t n);
bool tls_has_output(struct tls *t);

/* Each of these may leave output; NET_AGAIN (1) means: drain, then feed, then again. */
/* 0: done and the certificate is good. ORIEL_EPERM: it is not (the line says why);
 * ORIEL_EFORMAT: no TLS, or none that both sides speak; ORIEL_ECLOSED. */
int tls_handshake(struct tls *t, struct oriel_err *err);
/* As net_read and net_write. *out_n 0: the other side said goodbye. */
int tls_read(struct tls *t, void *bytes, size_t n, size_t *out_n, struct oriel_err *err);
int tls_write(struct tls *t, const void *bytes, size_t n, size_t *out_n, struct oriel_err *err);
/* Says goodbye: drain once more. */
void tls_bye(struct tls *t);
/* What was agreed on: "h2", "http/1.1" or "". */
const char *tls_alpn(const struct tls *t);

#endif

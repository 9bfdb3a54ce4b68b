/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The functions of OpenSSL that tls.c calls, found at run time. Declared here as
 * its manual says, because the headers need not be on the machine that builds.
 */
#ifndef ORIEL_UTIL_TLS_LIBRARY_H
#define ORIEL_UTIL_TLS_LIBRARY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* name, result, parameters */
#define TLS_FUNCTIONS(X)                                                                           \
    X(OPENSSL_init_ssl, int, (uint64_t, const void *))                                             \
    X(TLS_client_method, const void *, (void))                                                     \
    X(TLS_server_method, const void *, (void))                                                     \
    X(SSL_CTX_new, void *, (const void *))                                                         \
    X(SSL_CTX_free, void, (void *))                                                                \
    X(SSL_CTX_ctrl, long, (void *, int, long, void *))                                             \
    X(SSL_CTX_set_verify, void, (void *, int, void *))                                             \
    X(SSL_CTX_set_default_verify_paths, int, (void *))                                             \
    X(SSL_CTX_load_verify_locations, int, (void *, const char *, const char *))                    \
    X(SSL_CTX_use_certificate_chain_file, int, (void *, const char *))                             \
    X(SSL_CTX_use_PrivateKey_file, int, (void *, const char *, int))                               \
    X(SSL_CTX_check_private_key, int, (const void *))                                              \
    X(SSL_CTX_set_default_passwd_cb, void, (void *, int (*)(char *, int, int, void *)))            \
    X(SSL_CTX_set_alpn_protos, int, (void *, const uint8_t *, unsigned))                           \
    X(SSL_CTX_set_alpn_select_cb, void,                                                            \
      (void *, int (*)(void *, const uint8_t **, uint8_t *, const uint8_t *, unsigned, void *),    \
       void *))                                                                                    \
    X(SSL_new, void *, (void *))                                                                   \
    X(SSL_free, void, (void *))                                                                    \
    X(SSL_ctrl, long, (void *, int, long, void *))                                                 \
    X(SSL_set_bio, void, (void *, void *, void *))                                                 \
    X(SSL_set_connect_state, void, (void *))                                                       \
    X(SSL_set_accept_state, void, (void *))                                                        \
    X(SSL_set1_host, int, (void *, const char *))                                                  \
    X(SSL_get0_param, void *, (void *))                                                            \
    X(SSL_do_handshake, int, (void *))                                                             \
    X(SSL_read, int, (void *, void *, int))                                                        \
    X(SSL_write, int, (void *, const void *, int))                                                 \
    X(SSL_shutdown, int, (void *))                                                                 \
    X(SSL_get_error, int, (const void *, int))                                                     \
    X(SSL_get_verify_result, long, (const void *))                                                 \
    X(SSL_get0_alpn_selected, void, (const void *, const uint8_t **, unsigned *))                  \
    X(BIO_new, void *, (const void *))                                                             \
    X(BIO_s_mem, const void *, (void))                                                             \
    X(BIO_read, int, (void *, void *, int))                                                        \
    X(BIO_write, int, (void *, const void *, int))                                                 \
    X(BIO_ctrl_pending, size_t, (void *))                                                          \
    X(BIO_ctrl, long, (void *, int, long, void *))                                                 \
    X(X509_VERIFY_PARAM_set1_ip_asc, int, (void *, const char *))                                  \
    X(X509_verify_cert_error_string, const char *, (long))                                         \
    X(ERR_get_error, unsigned long, (void))                                                        \
    X(ERR_clear_error, void, (void))                                                               \
    X(ERR_reason_error_string, const char *, (unsigned long))

#define TLS_FUNCTION_FIELD(name, result, parameters) result(*name) parameters;
struct tls_library {
    TLS_FUNCTIONS(TLS_FUNCTION_FIELD)
};
#undef TLS_FUNCTION_FIELD

/* Loaded once for the process and kept for good; any thread. ORIEL_EUNSUPPORTED
 * with a line that says what to install. */
int tls_library_get(const struct tls_library **out, struct oriel_err *err);

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * TLS sessions over two memory buffers: what came in, what is to go out. The
 * socket, its deadline and its signals stay with the caller. One thread each.
 */
#include "util/tls.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "util/net.h"
#include "util/tls_library.h"

/* Constants of OpenSSL's stable interface (ssl.h, tls1.h, bio.h). */
enum {
    CTRL_MODE = 33,
    CTRL_SET_HOSTNAME = 55,
    CTRL_SET_MIN_VERSION = 123,
    MODE_PARTIAL_WRITE = 1,
    MODE_MOVING_BUFFER = 2,
    VERSION_1_2 = 0x0303,
    FILE_PEM = 1,
    VERIFY_PEER = 1,
    VERIFY_REQUIRED = 2,
    ERROR_SSL = 1,
    ERROR_WANT_READ = 2,
    ERROR_WANT_WRITE = 3,
    ERROR_ZERO_RETURN = 6,
    ALPN_OK = 0,
    ALPN_FATAL = 2,
    BIO_SET_EOF_RETURN = 130,
};
enum { ALPN_MAX = 32, WRITE_MAX = 16 << 10, NAME_MAX_BYTES = 1400 };

struct tls_context {
    const struct tls_library *lib;
    void *ctx;
    bool server, insecure;
    uint8_t alpn[ALPN_MAX]; /* as on the wire: length, name, ... */
    unsigned alpn_n;
};
struct tls {
    struct tls_context *context;
    void *ssl, *in, *out; /* the BIOs are the session's */
    char host[NET_HOST_MAX + 2];
    char alpn[16];
};

/* Why the library says it failed; its queue is empty afterwards. */
static const char *reason(const struct tls_library *lib)
{
    unsigned long e = lib->ERR_get_error(), next;
    while ((next = lib->ERR_get_error()) != 0)
        e = next;
    const char *text = e ? lib->ERR_reason_error_string(e) : NULL;
    return text ? text : "no reason given";
}

static _Thread_local bool wants_password;

/* A key with a password must not make the library ask at the terminal. */
static int no_password(char *out, int n, int writing, void *user)
{
    wants_password = true;
    return -1;
}

/* A file of the options, and who named it. */
struct named {
    const char *path, *said;
};

/* "ca.pem (--certificate)" */
static const char *name_of(const struct named *f, char *out, size_t n)
{
    snprintf(out, n, f->said && f->said[0] ? "%.1000s (%s)" : "%.1000s", f->path, f->said);
    return out;
}

static int refuse(const struct named *f, const char *why, struct oriel_err *err)
{
    char name[NAME_MAX_BYTES];
    return err_set(err, ORIEL_EFORMAT, "%s: %s", name_of(f, name, sizeof name), why);
}

/* The library's own words for a file that cannot be read are "system lib". And what is no file
 * could keep it waiting for ever. */
static int check_file(const struct named *f, struct oriel_err *err)
{
    char name[NAME_MAX_BYTES];
    struct stat st;
    const int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int rc = 0;
    if (fd < 0 || fstat(fd, &st) != 0)
        rc = err_set_errno(err, errno, "%s: cannot be read", name_of(f, name, sizeof name));
    else if (!S_ISREG(st.st_mode))
        rc = refuse(f, S_ISDIR(st.st_mode) ? "is a directory" : "is no regular file", err);
    else if (st.st_size == 0)
        rc = refuse(f, "is empty", err);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* The server's choice: the first of ours that the client offers; if it offers
 * some and none fits, there is nothing to talk about (RFC 7301). */
static int choose_alpn(void *ssl, const uint8_t **out, uint8_t *out_n, const uint8_t *in,
                       unsigned in_n, void *user)
{
    const struct tls_context *c = user;
    for (unsigned i = 0; i < c->alpn_n; i += 1u + c->alpn[i])
        for (unsigned k = 0; k < in_n && k + in[k] < in_n; k += 1u + in[k])
            if (in[k] == c->alpn[i] && memcmp(in + k + 1, c->alpn + i + 1, in[k]) == 0) {
                *out = in + k + 1;
                *out_n = in[k];
                return ALPN_OK;
            }
    return ALPN_FATAL;
}

static int set_alpn(struct tls_context *c, const char *list, struct oriel_err *err)
{
    while (list && *list) {
        size_t n = strcspn(list, ",");
        if (n == 0 || c->alpn_n + 1 + n > ALPN_MAX)
            return err_set(err, ORIEL_EINVAL, "not a list of protocols: \"%s\"", list);
        c->alpn[c->alpn_n] = (uint8_t)n;
        memcpy(c->alpn + c->alpn_n + 1, list, n);
        c->alpn_n += 1 + (unsigned)n;
        list += n + (list[n] == ',');
    }
    if (c->alpn_n && c->server)
        c->lib->SSL_CTX_set_alpn_select_cb(c->ctx, choose_alpn, c);
    else if (c->alpn_n && c->lib->SSL_CTX_set_alpn_protos(c->ctx, c->alpn, c->alpn_n) != 0)
        return err_set(err, ORIEL_ENOMEM, "no memory for TLS");
    return 0;
}

static int load_trust(struct tls_context *c, const struct tls_options *o, struct oriel_err *err)
{
    const struct named ca = {o->ca_file, o->ca_said};
    int rc = o->ca_file ? check_file(&ca, err) : 0;
    if (rc < 0)
        return rc;
    if (o->ca_file && c->lib->SSL_CTX_load_verify_locations(c->ctx, o->ca_file, NULL) != 1)
        return refuse(&ca, "holds no certificates of authorities (PEM)", err);
    if (!o->ca_file && !o->server && !o->insecure &&
        c->lib->SSL_CTX_set_default_verify_paths(c->ctx) != 1)
        return err_set(err, ORIEL_EFORMAT, "the CA certificates of this machine cannot be used: %s",
                       reason(c->lib));
    int verify = o->server ? (o->ca_file ? VERIFY_PEER | VERIFY_REQUIRED : 0)
                           : (o->insecure ? 0 : VERIFY_PEER);
    c->lib->SSL_CTX_set_verify(c->ctx, verify, NULL);
    return 0;
}

static int load_key(struct tls_context *c, const struct tls_options *o, const struct named *key,
                    struct oriel_err *err)
{
    char name[NAME_MAX_BYTES];
    wants_password = false;
    const bool loaded = c->lib->SSL_CTX_use_PrivateKey_file(c->ctx, key->path, FILE_PEM) == 1;
    /* One that does not fit is found when it is loaded, or when it is checked. */
    if (loaded ? c->lib->SSL_CTX_check_private_key(c->ctx) != 1
               : strstr(reason(c->lib), "mismatch") != NULL)
        return err_set(err, ORIEL_EFORMAT, "%s: is not the key of the certificate in %.1000s",
                       name_of(key, name, sizeof name), o->cert_file);
    if (loaded)
        return 0;
    if (wants_password)
        return refuse(key, "is a private key with a password: give one without", err);
    return refuse(key,
                  o->key_file ? "holds no private key (PEM)"
                              : "holds no private key (PEM), and no file with the key is named",
                  err);
}

static int load_identity(struct tls_context *c, const struct tls_options *o, struct oriel_err *err)
{
    const struct named cert = {o->cert_file, o->cert_said};
    const struct named key = o->key_file ? (struct named){o->key_file, o->key_said} : cert;
    if (!o->cert_file && o->key_file)
        return refuse(&key, "a key without its certificate: name both files", err);
    if (!o->cert_file)
        return o->server ? err_set(err, ORIEL_EINVAL, "a server needs a certificate") : 0;
    c->lib->SSL_CTX_set_default_passwd_cb(c->ctx, no_password);
    int rc = check_file(&cert, err);
    if (rc == 0 && c->lib->SSL_CTX_use_certificate_chain_file(c->ctx, o->cert_file) != 1)
        rc = refuse(&cert, "holds no certificate (PEM)", err);
    if (rc == 0)
        rc = check_file(&key, err);
    return rc == 0 ? load_key(c, o, &key, err) : rc;
}

int tls_context_new(struct tls_context **out, const struct tls_options *o, struct oriel_err *err)
{
    const struct tls_library *lib;
    assert(o->size >= sizeof *o);
    int rc = tls_library_get(&lib, err);
    if (rc != 0)
        return rc;
    struct tls_context *c = mem_calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ORIEL_ENOMEM, "no memory for TLS");
    lib->ERR_clear_error();
    c->lib = lib;
    c->server = o->server;
    c->insecure = o->insecure;
    c->ctx = lib->SSL_CTX_new(o->server ? lib->TLS_server_method() : lib->TLS_client_method());
    if (!c->ctx) {
        mem_free(c);
        return err_set(err, ORIEL_ENOMEM, "no TLS context: %s", reason(lib));
    }
    lib->SSL_CTX_ctrl(c->ctx, CTRL_SET_MIN_VERSION, VERSION_1_2, NULL);
    lib->SSL_CTX_ctrl(c->ctx, CTRL_MODE, MODE_PARTIAL_WRITE | MODE_MOVING_BUFFER, NULL);
    rc = load_trust(c, o, err);
    if (rc == 0)
        rc = load_identity(c, o, err);
    if (rc == 0)
        rc = set_alpn(c, o->alpn, err);
    lib->ERR_clear_error();
    if (rc != 0)
        tls_context_free(c);
    else
        *out = c;
    return rc;
}

void tls_context_free(struct tls_context *c)
{
    if (!c)
        return;
    c->lib->SSL_CTX_free(c->ctx);
    mem_free(c);
}

/* Who the certificate must be of: a name (also asked for, so that a server with
 * many picks the right one) or an address (never asked for: RFC 6066). */
static int expect_host(struct tls *t, const char *host, struct oriel_err *err)
{
    const struct tls_library *lib = t->context->lib;
    struct net_addr numeric;
    size_t n = strlen(host);
    if (n && host[n - 1] == '.')
        n--;
    if (n == 0 || n > NET_HOST_MAX)
        return err_set(err, ORIEL_EINVAL, "no host name to ask a certificate for");
    if (host[0] == '[' && host[n - 1] == ']') {
        host++;
        n -= 2;
    }
    memcpy(t->host, host, n);
    t->host[n] = 0;
    bool ok;
    if (net_addr_parse(t->host, 0, &numeric) == 0) {
        char bare[NET_ADDR_TEXT];
        snprintf(bare, sizeof bare, "%.*s", (int)strcspn(t->host, "%"), t->host);
        ok = lib->X509_VERIFY_PARAM_set1_ip_asc(lib->SSL_get0_param(t->ssl), bare) == 1;
    } else {
        ok = lib->SSL_ctrl(t->ssl, CTRL_SET_HOSTNAME, 0, t->host) == 1 &&
             lib->SSL_set1_host(t->ssl, t->host) == 1;
    }
    return ok ? 0 : err_set(err, ORIEL_ENOMEM, "%s: cannot ask for its certificate", t->host);
}

int tls_new(struct tls **out, struct tls_context *c, const char *host, struct oriel_err *err)
{
    const struct tls_library *lib = c->lib;
    int rc = 0;
    assert(c->server == !host);
    struct tls *t = mem_calloc(1, sizeof *t);
    if (!t)
        return err_set(err, ORIEL_ENOMEM, "no memory for TLS");
    lib->ERR_clear_error();
    t->context = c;
    t->ssl = lib->SSL_new(c->ctx);
    t->in = t->ssl ? lib->BIO_new(lib->BIO_s_mem()) : NULL;
    t->out = t->in ? lib->BIO_new(lib->BIO_s_mem()) : NULL;
    if (!t->out) {
        if (t->in) /* not yet the session's */
            lib->SSL_set_bio(t->ssl, t->in, t->in);
        if (t->ssl)
            lib->SSL_free(t->ssl);
        mem_free(t);
        return err_set(err, ORIEL_ENOMEM, "no memory for TLS");
    }
    /* Empty is "later", never "the end". */
    lib->BIO_ctrl(t->in, BIO_SET_EOF_RETURN, -1, NULL);
    lib->SSL_set_bio(t->ssl, t->in, t->out);
    if (host) {
        lib->SSL_set_connect_state(t->ssl);
        rc = expect_host(t, host, err);
    } else {
        lib->SSL_set_accept_state(t->ssl);
        memcpy(t->host, "client", sizeof "client");
    }
    if (rc != 0)
        tls_free(t);
    else
        *out = t;
    return rc;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    t->context->lib->SSL_free(t->ssl);
    t->context->lib->ERR_clear_error();
    mem_free(t);
}

int tls_feed(struct tls *t, const void *bytes, size_t n)
{
    assert(n <= INT_MAX);
    return n == 0 || t->context->lib->BIO_write(t->in, bytes, (int)n) == (int)n ? 0 : ORIEL_ENOMEM;
}

size_t tls_drain(struct tls *t, void *bytes, size_t n)
{
    int got = t->context->lib->BIO_read(t->out, bytes, n > INT_MAX ? INT_MAX : (int)n);
    return got > 0 ? (size_t)got : 0;
}

bool tls_has_output(struct tls *t)
{
    return t->context->lib->BIO_ctrl_pending(t->out) > 0;
}

/* What a call's result means: NET_AGAIN, 0 for the end, or an error with its line. */
static int judge(struct tls *t, int result, const char *doing, struct oriel_err *err)
{
    const struct tls_library *lib = t->context->lib;
    int e = lib->SSL_get_error(t->ssl, result);
    if (e == ERROR_WANT_READ || e == ERROR_WANT_WRITE)
        return NET_AGAIN;
    if (e == ERROR_ZERO_RETURN)
        return 0;
    const char *why = reason(lib);
    return err_set(err, e == ERROR_SSL ? ORIEL_EFORMAT : ORIEL_ECLOSED,
                   "%s: TLS failed while %s: %s", t->host, doing, why);
}

int tls_handshake(struct tls *t, struct oriel_err *err)
{
    const struct tls_library *lib = t->context->lib;
    const uint8_t *name;
    unsigned n = 0;
    lib->ERR_clear_error();
    int result = lib->SSL_do_handshake(t->ssl);
    if (result == 1) {
        lib->SSL_get0_alpn_selected(t->ssl, &name, &n);
        if (n && n < sizeof t->alpn)
            memcpy(t->alpn, name, n);
        return 0;
    }
    long verified = t->context->insecure ? 0 : lib->SSL_get_verify_result(t->ssl);
    if (verified != 0 && lib->SSL_get_error(t->ssl, result) == ERROR_SSL) {
        lib->ERR_clear_error();
        return err_set(err, ORIEL_EPERM, "%s: its certificate is refused: %s", t->host,
                       lib->X509_verify_cert_error_string(verified));
    }
    int rc = judge(t, result, "shaking hands", err);
    return rc == 0 ? err_set(err, ORIEL_ECLOSED, "%s: ended the TLS handshake", t->host) : rc;
}

int tls_read(struct tls *t, void *bytes, size_t n, size_t *out_n, struct oriel_err *err)
{
    t->context->lib->ERR_clear_error();
    int got = t->context->lib->SSL_read(t->ssl, bytes, n > INT_MAX ? INT_MAX : (int)n);
    int rc = got > 0 ? 0 : judge(t, got, "reading", err);
    if (rc == 0)
        *out_n = got > 0 ? (size_t)got : 0;
    return rc;
}

int tls_write(struct tls *t, const void *bytes, size_t n, size_t *out_n, struct oriel_err *err)
{
    assert(n > 0);
    t->context->lib->ERR_clear_error();
    int put = t->context->lib->SSL_write(t->ssl, bytes, n > WRITE_MAX ? WRITE_MAX : (int)n);
    int rc = put > 0 ? 0 : judge(t, put, "writing", err);
    if (rc == 0 && put <= 0)
        rc = err_set(err, ORIEL_ECLOSED, "%s: ended the connection while we wrote", t->host);
    if (rc == 0)
        *out_n = (size_t)put;
    return rc;
}

void tls_bye(struct tls *t)
{
    t->context->lib->ERR_clear_error();
    t->context->lib->SSL_shutdown(t->ssl);
    t->context->lib->ERR_clear_error();
}

const char *tls_alpn(const struct tls *t)
{
    return t->alpn;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Provider: a KV store, version 2, of a HashiCorp-compatible server. One GET, no
 * redirects (the token would go with them), a bounded reply. The token comes from
 * a file of ours, a systemd credential or the environment, never from a
 * configuration; without TLS it goes nowhere but to this machine.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "util/http_client.h"
#include "util/json.h"
#include "vault/provider.h"

struct kv_options {
    const char *address, *mount, *path, *field, *name_space, *token_file, *credential_name;
    const char *ca_file, *cert_file, *key_file;
    uint64_t timeout_ns;
    bool insecure;
};
#define AT(member) .offset = offsetof(struct kv_options, member)
static const struct option_def options[] = {
    {.name = "kv_address",
     .type = OPTION_STRING,
     AT(address),
     .fallback = "https://127.0.0.1:8200",
     .arg = "URL",
     .variable = "VAULT_ADDR",
     .help = "the server; http:// only on this machine"},
    {.name = "kv_mount",
     .type = OPTION_STRING,
     AT(mount),
     .fallback = "secret",
     .arg = "PATH",
     .help = "where the KV store (version 2) is mounted"},
    {.name = "kv_path",
     .type = OPTION_STRING,
     AT(path),
     .fallback = "oriel",
     .arg = "PATH",
     .help = "the secret in it"},
    {.name = "kv_field",
     .type = OPTION_STRING,
     AT(field),
     .fallback = "",
     .arg = "NAME",
     .help = "its field that has the headers (default: named as the key)"},
    {.name = "kv_namespace",
     .type = OPTION_STRING,
     AT(name_space),
     .fallback = "",
     .arg = "NAME",
     .variable = "VAULT_NAMESPACE",
     .help = "namespace on the server"},
    {.name = "kv_token_file",
     .type = OPTION_STRING,
     AT(token_file),
     .fallback = "",
     .arg = "FILE",
     .help = "file with the token, ours and 0600 (default: the credential, else $VAULT_TOKEN)"},
    {.name = "kv_credential_name",
     .type = OPTION_STRING,
     AT(credential_name),
     .fallback = "",
     .arg = "NAME",
     .help = "systemd credential with the token"},
    {.name = "kv_ca_file",
     .type = OPTION_STRING,
     AT(ca_file),
     .fallback = "",
     .arg = "FILE",
     .variable = "VAULT_CACERT",
     .help = "PEM of who may have signed the server's certificate (default: the machine's list)"},
    {.name = "kv_cert_file",
     .type = OPTION_STRING,
     AT(cert_file),
     .fallback = "",
     .arg = "FILE",
     .variable = "VAULT_CLIENT_CERT",
     .help = "PEM of our own certificate, where the server wants one"},
    {.name = "kv_key_file",
     .type = OPTION_STRING,
     AT(key_file),
     .fallback = "",
     .arg = "FILE",
     .variable = "VAULT_CLIENT_KEY",
     .help = "PEM of its key"},
    {.name = "kv_insecure",
     .type = OPTION_BOOL,
     AT(insecure),
     .fallback = "false",
     .help = "take any certificate: whoever stands between can read the token"},
    {.name = "kv_timeout",
     .type = OPTION_DURATION,
     AT(timeout_ns),
     .fallback = "5s",
     .min = 1e6,
     .max = 6e10,
     .help = "longest time to wait for the server"},
    OPTION_END,
};
#undef AT

enum { TARGET_MAX = 2048, REPLY_MAX = 256 << 10 };

/* What one question needs; texts point into options and token. */
struct question {
    const struct kv_options *o;
    const struct vault_ask *ask;
    struct http_url url;
    char target[TARGET_MAX];
    struct secret token;
    uint64_t deadline_ns;
};

/* ---- who asks ---- */

static int token_from_file(const char *path, bool lent, struct secret *out, struct oriel_err *err)
{
    int rc = vault_read_private(path, lent, true, out, err);
    if (rc == ORIEL_ENOTFOUND)
        return err_set(err, ORIEL_EIO, "vault (kv): there is no token in %s", path);
    return rc;
}

static int find_token(const struct kv_options *o, const struct vault_ask *ask, struct secret *out,
                      struct oriel_err *err)
{
    const char *folder = vault_variable(ask, "CREDENTIALS_DIRECTORY");
    const char *value = vault_variable(ask, "VAULT_TOKEN");
    char path[1024];
    if (o->token_file[0])
        return token_from_file(o->token_file, false, out, err);
    if (o->credential_name[0]) {
        if (!folder || strchr(o->credential_name, '/'))
            return err_set(err, ORIEL_EINVAL, "vault (kv): there is no credential %.80s",
                           o->credential_name);
        snprintf(path, sizeof path, "%s/%s", folder, o->credential_name);
        return token_from_file(path, true, out, err);
    }
    if (!value)
        return err_set(err, ORIEL_EINVAL,
                       "vault (kv): no token; say kv_token_file or kv_credential_name, or set "
                       "$VAULT_TOKEN");
    return secret_copy(out, value, strlen(value));
}

static int take_token(struct question *q, struct oriel_err *err)
{
    int rc = find_token(q->o, q->ask, &q->token, err);
    if (rc != 0)
        return rc;
    if (q->token.n == 0 || !http_value_valid(q->token.p, q->token.n))
        return err_set(err, ORIEL_EFORMAT,
                       "vault (kv): the token is empty or has a control "
                       "character");
    rc = secret_known_add(q->token.p, q->token.n);
    return rc == 0 ? 0 : err_set(err, rc, "vault (kv): the token cannot be kept secret");
}

/* ---- what is asked ---- */

/* A path whose parts are names; slashes at its ends do not count. */
static bool put_path(char *to, size_t room, size_t *io_n, const char *path)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t n = strlen(path), part = 0;
    for (; n && *path == '/'; path++)
        n--;
    for (; n && path[n - 1] == '/';)
        n--;
    for (size_t i = 0; i <= n; i++) {
        bool ends = i == n || path[i] == '/';
        if (ends && (i == part || (i - part <= 2 && strspn(path + part, ".") >= i - part)))
            return false; /* nothing, "." or ".." */
        if (ends)
            part = i + 1;
        if (i == n)
            break;
        if (*io_n + 4 > room)
            return false;
        unsigned char c = (unsigned char)path[i];
        bool plain = isalnum(c) || strchr("-._~/", c);
        if (plain) {
            to[(*io_n)++] = (char)c;
            continue;
        }
        to[(*io_n)++] = '%';
        to[(*io_n)++] = hex[c >> 4];
        to[(*io_n)++] = hex[c & 15];
    }
    return true;
}

static bool put_text(char *to, size_t room, size_t *io_n, const char *text)
{
    size_t n = strlen(text);
    if (*io_n + n >= room)
        return false;
    memcpy(to + *io_n, text, n);
    *io_n += n;
    return true;
}

/* PREFIX/v1/MOUNT/data/PATH */
static bool make_target(struct question *q)
{
    size_t n = 0;
    const size_t room = sizeof q->target - 1;
    const char *prefix = q->url.path;
    if (strchr(prefix, '?'))
        return false;
    bool fits = (strcmp(prefix, "/") == 0 || put_text(q->target, room, &n, prefix));
    for (; n && q->target[n - 1] == '/';)
        n--;
    fits = fits && put_text(q->target, room, &n, "/v1/") &&
           put_path(q->target, room, &n, q->o->mount) && put_text(q->target, room, &n, "/data/") &&
           put_path(q->target, room, &n, q->o->path);
    q->target[n] = 0;
    return fits;
}

static bool stays_here(const struct http_url *u)
{
    struct net_addr a;
    if (u->scheme == HTTP_UNIX || strcmp(u->host, "localhost") == 0)
        return true;
    return net_addr_parse(u->host, u->port, &a) == 0 && net_addr_is_loopback(&a);
}

static int read_address(struct question *q, struct oriel_err *err)
{
    struct oriel_err why = {0};
    int rc = http_url_read(q->o->address, &q->url, &why);
    if (rc != 0)
        return err_set(err, rc, "vault (kv): kv_address: %s", why.text);
    if (q->url.scheme == HTTP_PLAIN && !stays_here(&q->url))
        return err_set(err, ORIEL_EINVAL,
                       "vault (kv): a token does not go to another machine without TLS; use "
                       "https:// in kv_address");
    if (q->url.scheme == HTTP_UNIX)
        return err_set(err, ORIEL_EUNSUPPORTED, "vault (kv): kv_address has to be http or https");
    if (!make_target(q))
        return err_set(err, ORIEL_EINVAL, "vault (kv): kv_mount or kv_path is no path");
    uint64_t until = clock_mono_ns() + q->o->timeout_ns;
    q->deadline_ns = until < q->ask->deadline_ns ? until : q->ask->deadline_ns;
    return 0;
}

/* ---- what comes back ---- */

static int not_found(const struct question *q, const char *field, struct oriel_err *err)
{
    return err_set(err, ORIEL_ENOTFOUND, "vault (kv): %.200s has no %.80s", q->target, field);
}

/* {"data": {"data": {FIELD: VALUE, ...}, ...}} */
static int read_reply(const struct question *q, const struct http_reply *r, struct secret *out,
                      struct oriel_err *err)
{
    const struct json_read_options how = {.size = sizeof how, .max_values = 65536, .max_depth = 16};
    const char *field = q->o->field[0] ? q->o->field : q->ask->key;
    struct json_value *root = NULL;
    struct arena arena;
    arena_init(&arena);
    int rc = json_read(&arena, r->body, r->body_n, &how, &root, NULL);
    const struct json_value *outer = rc == 0 ? json_get(root, "data") : NULL;
    const struct json_value *data = json_get(outer, "data"), *v = json_get(data, field);
    if (rc != 0 || !outer)
        rc = err_set(err, ORIEL_EFORMAT, "vault (kv): %s does not answer as a KV store",
                     q->o->address);
    else if (!data)
        rc = err_set(err, ORIEL_EFORMAT,
                     "vault (kv): kv_mount \"%.80s\" is no KV store of version 2", q->o->mount);
    else if (!v || v->type == JSON_NULL)
        rc = not_found(q, field, err);
    else if ((rc = vault_json_text(v, out)) == ORIEL_EFORMAT)
        rc = err_set(err, rc, "vault (kv): %.80s is neither text nor an object", field);
    vault_json_wipe(root);
    arena_done(&arena);
    return rc;
}

/* What the server says of errors may repeat what was sent: its own words are not told. */
static int judge(const struct question *q, const struct http_reply *r, struct secret *out,
                 struct oriel_err *err)
{
    int status = r->head.status;
    if (r->cut)
        return err_set(err, ORIEL_ELIMIT, "vault (kv): a reply of more than %d bytes", REPLY_MAX);
    if (status == 200)
        return read_reply(q, r, out, err);
    if (status == 404)
        return not_found(q, "value", err);
    if (status == 401 || status == 403)
        return err_set(err, ORIEL_EPERM, "vault (kv): the server refuses the token (status %d)",
                       status);
    if (status >= 300 && status < 400)
        return err_set(err, ORIEL_EPERM,
                       "vault (kv): the server sends us elsewhere (status %d); name that address "
                       "itself in kv_address",
                       status);
    if (status == 429 || status == 472 || status == 473 || status == 503)
        return err_set(err, ORIEL_EIO, "vault (kv): the server is sealed or not active (status %d)",
                       status);
    return err_set(err, ORIEL_EIO, "vault (kv): the server answers with status %d", status);
}

#define HEADER(n, v, len)                                                                          \
    (struct http_header)                                                                           \
    {                                                                                              \
        .name = (n), .name_n = sizeof(n) - 1, .value = (v), .value_n = (len)                       \
    }

/* As http_client_call, with a deadline that may come nearer. */
static int call(const struct question *q, struct http_client *c, const struct http_request *r,
                struct http_reply *out, struct oriel_err *err)
{
    int rc = http_client_start(c, r, clock_mono_ns(), err);
    while (rc == 0 || rc == NET_AGAIN) {
        struct net_wait w;
        uint64_t now = clock_mono_ns();
        rc = http_client_step(c, now, out, err);
        if (rc != NET_AGAIN)
            return rc;
        net_wait_init(&w);
        http_client_wait(c, &w);
        if (q->ask->nearer_ns)
            net_wait_until(&w, now + VAULT_LOOK_MS * UINT64_C(1000000));
        if (net_wait_sleep(&w, vault_until(q->deadline_ns, q->ask->nearer_ns)) != 0) {
            http_client_drop(c);
            return err_set(err, ORIEL_ETIMEOUT, "no reply in time");
        }
    }
    return rc;
}

static int exchange(struct question *q, struct tls_context *tls, struct secret *out,
                    struct oriel_err *err)
{
    struct buf authority;
    struct http_client *c = NULL;
    struct oriel_err why = {0};
    struct http_reply reply;
    struct http_header headers[3];
    size_t n = 0;
    headers[n++] = HEADER("X-Vault-Token", q->token.p, q->token.n);
    headers[n++] = HEADER("X-Vault-Request", "true", 4);
    if (q->o->name_space[0])
        headers[n++] = HEADER("X-Vault-Namespace", q->o->name_space, strlen(q->o->name_space));
    buf_init(&authority);
    http_url_authority(&q->url, &authority);
    const struct http_client_options how = {
        .size = sizeof how,
        .stream = {.size = sizeof how.stream, .host = q->url.host, .port = q->url.port, .tls = tls},
        .authority = buf_cstr(&authority),
        .body_max = REPLY_MAX};
    const struct http_request request = {.size = sizeof request,
                                         .method = "GET",
                                         .target = q->target,
                                         .headers = headers,
                                         .header_count = n};
    int rc = http_client_new(&c, &how, &why);
    if (rc == 0)
        rc = call(q, c, &request, &reply, &why);
    if (rc != 0)
        rc = err_set(err, rc == ORIEL_ENOTFOUND ? ORIEL_EIO : rc, "vault (kv): %s: %s",
                     q->o->address, why.text);
    else {
        rc = judge(q, &reply, out, err);
        explicit_bzero((char *)(uintptr_t)reply.body, reply.body_n);
    }
    http_client_free(c);
    buf_done(&authority);
    return rc;
}

static int with_tls(struct question *q, struct secret *out, struct oriel_err *err)
{
    struct tls_context *tls = NULL;
    struct oriel_err why = {0};
    const struct kv_options *o = q->o;
    const struct tls_options how = {.size = sizeof how,
                                    .ca_file = o->ca_file[0] ? o->ca_file : NULL,
                                    .cert_file = o->cert_file[0] ? o->cert_file : NULL,
                                    .key_file = o->key_file[0] ? o->key_file : NULL,
                                    .insecure = o->insecure,
                                    .alpn = "http/1.1"};
    if (q->url.scheme == HTTP_TLS) {
        int rc = tls_context_new(&tls, &how, &why);
        if (rc != 0)
            return err_set(err, rc == ORIEL_ENOTFOUND ? ORIEL_EIO : rc, "vault (kv): %s", why.text);
    }
    int rc = exchange(q, tls, out, err);
    tls_context_free(tls);
    return rc;
}

static int read_kv(const void *how, const struct vault_ask *ask, struct secret *out,
                   struct oriel_err *err)
{
    struct question q = {.o = how, .ask = ask};
    int rc = read_address(&q, err);
    if (rc == 0)
        rc = take_token(&q, err);
    if (rc == 0)
        rc = with_tls(&q, out, err);
    secret_close(&q.token);
    return rc;
}

const struct vault_provider vault_kv = {.name = "kv",
                                        .help = "a KV v2 store of a HashiCorp-compatible server",
                                        .options = options,
                                        .options_size = sizeof(struct kv_options),
                                        .read = read_kv};

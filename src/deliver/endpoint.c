/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Takes an endpoint apart. User and password are cut out before anybody else sees the
 * text, so that no line of an error can repeat them. Pure; any thread.
 */
#include "deliver/endpoint.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "util/json.h"
#include "util/net.h"

enum { TEXT_MAX = 4096, USER_MAX = 1024 };

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoded; the bytes, or -1 when it cannot be. */
static long decode(const char *p, size_t n, char *out, size_t max)
{
    size_t put = 0;
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        if (c == '%') {
            int high = i + 2 < n ? hex_value(p[i + 1]) : -1;
            int low = i + 2 < n ? hex_value(p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return -1;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (put == max)
            return -1;
        out[put++] = c;
    }
    return (long)put;
}

/* "Basic " and user:password in base64 (RFC 7617). */
static int make_authorization(struct endpoint *e, const char *p, size_t n, struct oriel_err *err)
{
    char plain[USER_MAX];
    struct buf b;
    long size = decode(p, n, plain, sizeof plain - 1);
    if (size < 0)
        return err_set(err, ORIEL_EINVAL, "an endpoint whose user or password cannot be read");
    if (!memchr(p, ':', n))
        plain[size++] = ':';
    buf_init(&b);
    json_put_base64(&b, plain, (size_t)size);
    explicit_bzero(plain, sizeof plain);
    if (!b.failed && b.size >= 2) {
        e->authorization = mem_alloc(b.size + 8);
        if (e->authorization)
            snprintf(e->authorization, b.size + 8, "Basic %.*s", (int)b.size - 2, b.data + 1);
        explicit_bzero(b.data, b.size);
    }
    buf_done(&b);
    return e->authorization ? 0 : err_set(err, ORIEL_ENOMEM, "no memory for an endpoint");
}

/* unix:/path|/base: what is behind the bar is the path of requests. */
static void split_unix(struct endpoint *e, char *text)
{
    char *bar = strchr(text, '|');
    if (bar) {
        snprintf(e->base, sizeof e->base, "%s%s", bar[1] == '/' ? "" : "/", bar + 1);
        *bar = 0;
    }
}

static void split_path(struct endpoint *e)
{
    char *mark = strchr(e->url.path, '?');
    if (mark) {
        memcpy(e->query, mark, strlen(mark) + 1);
        *mark = 0;
    }
    memcpy(e->base, e->url.path, strlen(e->url.path) + 1);
}

static int name_it(struct endpoint *e, struct oriel_err *err)
{
    struct buf b;
    buf_init(&b);
    http_url_authority(&e->url, &b);
    snprintf(e->authority, sizeof e->authority, "%s", buf_cstr(&b));
    buf_done(&b);
    if (e->url.scheme == HTTP_UNIX)
        snprintf(e->shown, sizeof e->shown, "unix:%.300s", e->url.path);
    else
        snprintf(e->shown, sizeof e->shown, "%s%s",
                 e->url.scheme == HTTP_TLS ? "https://" : "http://", e->authority);
    return e->authority[0] ? 0 : err_set(err, ORIEL_ENOMEM, "no memory for an endpoint");
}

/* The text without user and password, which become the header. */
static int cut_user(struct endpoint *e, char *text, struct oriel_err *err)
{
    char *host = strstr(text, "://");
    if (!host)
        return 0;
    host += 3;
    char *at = NULL, *end = host + strcspn(host, "/?#");
    for (char *p = host; p < end; p++)
        if (*p == '@')
            at = p;
    if (!at)
        return 0;
    int rc = make_authorization(e, host, (size_t)(at - host), err);
    memmove(host, at + 1, strlen(at + 1) + 1);
    return rc;
}

static void forget(struct endpoint *e)
{
    if (e->authorization)
        explicit_bzero(e->authorization, strlen(e->authorization));
    mem_free(e->authorization);
    e->authorization = NULL;
}

int endpoint_read(struct endpoint *out, const char *text, struct oriel_err *err)
{
    char copy[TEXT_MAX];
    size_t n = strlen(text);
    memset(out, 0, sizeof *out);
    out->base[0] = '/';
    if (n >= sizeof copy)
        return err_set(err, ORIEL_EINVAL, "an endpoint that is too long");
    memcpy(copy, text, n + 1);
    bool on_unix = strncasecmp(copy, "unix:", 5) == 0;
    int rc = 0;
    if (on_unix)
        split_unix(out, copy);
    else
        rc = cut_user(out, copy, err);
    if (rc == 0 && http_url_read(copy, &out->url, err) != 0)
        rc = ORIEL_EINVAL;
    if (rc == 0 && !on_unix)
        split_path(out);
    if (rc == 0)
        rc = name_it(out, err);
    explicit_bzero(copy, sizeof copy);
    if (rc != 0)
        forget(out);
    if (rc != 0 && err)
        err->code = rc;
    return rc;
}

int endpoint_target(const struct endpoint *e, const char *append, char out[ENDPOINT_PATH_MAX],
                    struct oriel_err *err)
{
    size_t n = strlen(e->base);
    assert(n > 0 && e->base[0] == '/');
    const char *slash = append && e->base[n - 1] != '/' ? "/" : "";
    int size = snprintf(out, ENDPOINT_PATH_MAX, "%s%s%s%s", e->base, slash, append ? append : "",
                        e->query);
    if (size < 0 || size >= ENDPOINT_PATH_MAX)
        return err_set(err, ORIEL_EINVAL, "%s: a path that is too long", e->shown);
    return 0;
}

bool endpoint_same_host(const struct endpoint *a, const struct endpoint *b)
{
    if (a->url.scheme != b->url.scheme || a->url.port != b->url.port)
        return false;
    if (a->url.scheme == HTTP_UNIX)
        return strcmp(a->url.path, b->url.path) == 0;
    return strcasecmp(a->url.host, b->url.host) == 0;
}

bool endpoint_is_here(const struct endpoint *e)
{
    struct net_addr a;
    const char *host = e->url.host;
    size_t n = strlen(host), local = strlen("localhost");
    if (e->url.scheme == HTTP_UNIX)
        return true;
    if (net_addr_parse(host, 0, &a) == 0)
        return net_addr_is_loopback(&a);
    /* As names are looked up here, localhost and what is below it never leave. */
    return n >= local && strcasecmp(host + n - local, "localhost") == 0 &&
           (n == local || host[n - local - 1] == '.');
}

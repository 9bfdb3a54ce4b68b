/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * URLs of OTLP receivers out of what people say (protocol/exporter.md, "Endpoint
 * URLs for OTLP/HTTP"). A URL is never changed beyond what its rules say. Pure.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/otlp.h"
#include "util/http.h"

static const char *const signal_paths[] = {"v1/traces", "v1/logs"};

static bool said(const char *text)
{
    return text && text[0];
}

static bool has_scheme(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0 ||
           strncasecmp(url, "unix:", 5) == 0;
}

static int write_url(char *out, size_t n, struct oriel_err *err, int written)
{
    return written >= 0 && (size_t)written < n
               ? 0
               : err_set(err, ORIEL_ELIMIT, "a URL that is too long");
}

/* Where the path begins, and where it ends before a query. */
static size_t path_of(const char *url, size_t *out_end)
{
    const char *p = strstr(url, "://");
    size_t start = p ? (size_t)(p - url) + 3 : 0;
    start += strcspn(url + start, "/?");
    *out_end = start + strcspn(url + start, "?");
    return start;
}

static int check_fragment(const char *url, struct oriel_err *err)
{
    return strchr(url, '#') ? err_set(err, ORIEL_EFORMAT,
                                      "a URL with a fragment (#), which nobody would be sent")
                            : 0;
}

/* ---- HTTP ---- */

static int http_url(enum config_signal signal, const char *base, const char *own, char *out,
                    size_t n, struct oriel_err *err)
{
    struct http_url parsed;
    const char *url = said(own) ? own : base;
    int rc = http_url_read(url, &parsed, err);
    if (rc < 0)
        return rc;
    if (parsed.scheme == HTTP_UNIX)
        return write_url(out, n, err, snprintf(out, n, "%s", url));
    rc = check_fragment(url, err);
    if (rc < 0)
        return rc;
    size_t end, start = path_of(url, &end);
    const char *add = "";
    if (!said(own))
        add = signal_paths[signal];
    bool slash = said(own) ? end == start : end == start || url[end - 1] != '/';
    return write_url(
        out, n, err,
        snprintf(out, n, "%.*s%s%s%s", (int)end, url, slash ? "/" : "", add, url + end));
}

/* ---- gRPC ---- */

/* dns:host, dns:///host, dns://authority/host: the host; what has no such name is it already. */
static const char *name_of(const char *target, struct oriel_err *err)
{
    if (strncasecmp(target, "dns:", 4) == 0) {
        target += 4;
        if (strncmp(target, "///", 3) == 0)
            return target + 3;
        if (strncmp(target, "//", 2) != 0)
            return target;
        const char *slash = strchr(target + 2, '/');
        if (!slash || slash != target + 2)
            err_set(err, ORIEL_EFORMAT, "a dns: target with a name server of its own");
        return NULL;
    }
    if (strstr(target, "://")) {
        err_set(err, ORIEL_EFORMAT, "a URL must begin with http://, https:// or unix:");
        return NULL;
    }
    return target;
}

static int grpc_url(const char *endpoint, bool insecure, char *out, size_t n, struct oriel_err *err)
{
    char full[1400];
    struct http_url parsed;
    if (!has_scheme(endpoint)) {
        const char *name = name_of(endpoint, err);
        if (!name)
            return ORIEL_EFORMAT;
        int rc =
            write_url(full, sizeof full, err,
                      snprintf(full, sizeof full, "%s://%s", insecure ? "http" : "https", name));
        if (rc < 0)
            return rc;
        endpoint = full;
    }
    int rc = http_url_read(endpoint, &parsed, err);
    if (rc < 0)
        return rc;
    if (parsed.scheme == HTTP_UNIX)
        return write_url(out, n, err, snprintf(out, n, "%s", endpoint));
    rc = check_fragment(endpoint, err);
    if (rc < 0)
        return rc;
    const char *p = strstr(endpoint, "://") + 3;
    return write_url(out, n, err,
                     snprintf(out, n, "%s://%.*s", parsed.scheme == HTTP_TLS ? "https" : "http",
                              (int)strcspn(p, "/?#"), p));
}

int config_otlp_url(enum config_protocol protocol, enum config_signal signal, const char *base,
                    const char *own, bool insecure, char *out, size_t n, struct oriel_err *err)
{
    if (protocol == CONFIG_GRPC)
        return grpc_url(said(own)    ? own
                        : said(base) ? base
                                     : CONFIG_OTLP_GRPC_DEFAULT,
                        insecure, out, n, err);
    return http_url(signal, said(base) ? base : CONFIG_OTLP_HTTP_DEFAULT, own, out, n, err);
}

enum config_protocol config_otlp_guess(const char *endpoint)
{
    struct http_url u;
    struct oriel_err unused;
    if (!said(endpoint) || http_url_read(endpoint, &u, &unused) < 0 || u.scheme == HTTP_UNIX)
        return CONFIG_GRPC;
    return u.port == 4318 || strcmp(u.path, "/") != 0 ? CONFIG_HTTP_PROTOBUF : CONFIG_GRPC;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What stands around a message: URLs and the dates of Retry-After. What is said
 * about a URL that is refused never repeats a password in it. Pure; any thread.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "util/http.h"
#include "util/net_dns.h"

static int read_port(const char *p, struct http_url *out, struct oriel_err *err)
{
    unsigned long v = 0;
    size_t n = strspn(p, "0123456789");
    for (size_t i = 0; i < n && v <= UINT16_MAX; i++)
        v = v * 10 + (unsigned long)(p[i] - '0');
    if (p[n] || v > UINT16_MAX || (n && v == 0))
        return err_set(err, ORIEL_EFORMAT, "a URL whose port is no number from 1 to 65535");
    if (n) {
        out->port = (uint16_t)v;
        out->port_said = true;
    }
    return 0;
}

static int read_authority(const char *p, size_t n, struct http_url *out, struct oriel_err *err)
{
    char copy[sizeof out->host + 8];
    struct net_addr numeric;
    if (memchr(p, '@', n))
        return err_set(err, ORIEL_EFORMAT,
                       "a URL with a user or password in it: say it as a header instead");
    if (n == 0 || n >= sizeof copy)
        return err_set(err, ORIEL_EFORMAT, "a URL without a host (or with one that is too long)");
    memcpy(copy, p, n);
    copy[n] = 0;
    char *host = copy, *end = copy + strcspn(copy, ":");
    if (copy[0] == '[') {
        host++;
        end = strchr(copy, ']');
        if (!end || (end[1] && end[1] != ':'))
            return err_set(err, ORIEL_EFORMAT, "a URL with an address that lacks its ]");
        *end++ = 0;
    }
    if (*end == ':') {
        int rc = read_port(end + 1, out, err);
        if (rc != 0)
            return rc;
    }
    *end = 0;
    if (!(copy[0] == '[' || dns_name_valid(host, strlen(host))) ||
        (copy[0] == '[' && net_addr_parse(host, 0, &numeric) != 0) ||
        strlen(host) >= sizeof out->host)
        return err_set(err, ORIEL_EFORMAT, "a URL whose host is neither a name nor an address");
    memcpy(out->host, host, strlen(host) + 1);
    return 0;
}

static int read_path(const char *p, struct http_url *out, struct oriel_err *err)
{
    size_t n = strcspn(p, "#"), slash = n == 0 || *p != '/';
    for (size_t i = 0; i < n; i++)
        if (p[i] <= ' ' || p[i] > '~')
            return err_set(err, ORIEL_EFORMAT, "a URL with characters that must be escaped");
    if (n + slash >= sizeof out->path)
        return err_set(err, ORIEL_EFORMAT, "a URL that is too long");
    out->path[0] = '/';
    memcpy(out->path + slash, p, n);
    out->path[n + slash] = 0;
    return 0;
}

static int read_unix(const char *p, struct http_url *out, struct oriel_err *err)
{
    struct net_addr a;
    if (strncmp(p, "//", 2) == 0)
        p += 2;
    if (*p == 0 || strlen(p) >= sizeof out->path || net_addr_unix(p, &a) != 0)
        return err_set(err, ORIEL_EFORMAT, "a unix: URL without a path of 1 to 107 bytes");
    out->scheme = HTTP_UNIX;
    out->port = 0;
    memcpy(out->path, p, strlen(p) + 1);
    return 0;
}

int http_url_read(const char *text, struct http_url *out, struct oriel_err *err)
{
    struct http_url u = {.scheme = HTTP_PLAIN, .port = 80};
    int rc;
    if (strncasecmp(text, "unix:", 5) == 0) {
        rc = read_unix(text + 5, &u, err);
    } else {
        if (strncasecmp(text, "https://", 8) == 0) {
            u.scheme = HTTP_TLS;
            u.port = 443;
        } else if (strncasecmp(text, "http://", 7) != 0) {
            return err_set(err, ORIEL_EFORMAT, "a URL must begin with http://, https:// or unix:");
        }
        const char *p = strchr(text, ':') + 3;
        size_t n = strcspn(p, "/?#");
        rc = read_authority(p, n, &u, err);
        if (rc == 0)
            rc = read_path(p + n, &u, err);
    }
    if (rc == 0)
        *out = u;
    return rc;
}

void http_url_authority(const struct http_url *u, struct buf *out)
{
    bool v6 = strchr(u->host, ':') != NULL;
    if (u->scheme == HTTP_UNIX) {
        buf_puts(out, "localhost");
        return;
    }
    buf_printf(out, "%s%.*s%s", v6 ? "[" : "", (int)strcspn(u->host, "%"), u->host, v6 ? "]" : "");
    if (u->port != (u->scheme == HTTP_TLS ? 443 : 80))
        buf_printf(out, ":%u", u->port);
}

/* Days since 1970 of a date (proleptic Gregorian). */
static int64_t days_of(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    unsigned yoe = (unsigned)(y - era * 400);
    unsigned doy = (153 * (m + (m > 2 ? -3u : 9u)) + 2) / 5 + d - 1;
    return era * 146097 + (int64_t)(yoe * 365 + yoe / 4 - yoe / 100 + doy) - 719468;
}

static bool date_seconds(const char *text, int64_t *out)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %e %H:%M:%S %Y"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm t = {0};
        const char *end = strptime(text, forms[i], &t);
        if (!end || *end || t.tm_year < 0)
            continue;
        *out = days_of(t.tm_year + 1900, (unsigned)t.tm_mon + 1, (unsigned)t.tm_mday) * 86400 +
               t.tm_hour * 3600 + t.tm_min * 60 + t.tm_sec;
        return true;
    }
    return false;
}

bool http_retry_after(const char *value, size_t n, uint64_t unix_now_s, uint64_t *out_seconds)
{
    char text[40];
    int64_t at;
    uint64_t v = 0;
    if (n == 0 || n >= sizeof text)
        return false;
    memcpy(text, value, n);
    text[n] = 0;
    if (strspn(text, "0123456789") == n) {
        for (size_t i = 0; i < n && v < UINT32_MAX; i++)
            v = v * 10 + (uint64_t)(text[i] - '0');
        *out_seconds = v < UINT32_MAX ? v : UINT32_MAX;
        return true;
    }
    if (!date_seconds(text, &at))
        return false;
    *out_seconds = at > (int64_t)unix_now_s ? (uint64_t)at - unix_now_s : 0;
    return true;
}

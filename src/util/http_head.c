/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Heads of HTTP/1.1 messages. Refused rather than repaired: lines without CR,
 * folded lines, space before a colon, control characters, two lengths, a length
 * beside a coding, two hosts. Pure; any thread.
 */
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "util/http.h"

struct line {
    const char *p;
    size_t n;
};

size_t http_head_size(const char *bytes, size_t n, size_t *io_seen)
{
    size_t i = *io_seen;
    assert(i <= n);
    while (i < n) {
        const char *lf = memchr(bytes + i, '\n', n - i);
        if (!lf)
            break;
        i = (size_t)(lf - bytes) + 1;
        if (i < 2 || lf[-1] != '\r') /* nothing that may follow makes it good */
            return i;
        if (i >= 4 && lf[-2] == '\n' && lf[-3] == '\r')
            return i;
    }
    *io_seen = n;
    return 0;
}

static bool token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool http_token_valid(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!token_char(s[i]))
            return false;
    return n > 0;
}

bool http_value_valid(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (((unsigned char)s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f)
            return false;
    return true;
}

static bool name_is(const struct http_header *h, const char *name)
{
    return h->name_n == strlen(name) && strncasecmp(h->name, name, h->name_n) == 0;
}

const struct http_header *http_find(const struct http_head *h, const char *name)
{
    for (size_t i = 0; i < h->count; i++)
        if (name_is(&h->headers[i], name))
            return &h->headers[i];
    return NULL;
}

bool http_list_has(const struct http_header *h, const char *token)
{
    size_t want = strlen(token);
    const char *p = h ? h->value : NULL, *end = h ? p + h->value_n : NULL;
    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p)), *stop = comma ? comma : end;
        while (p < stop && (*p == ' ' || *p == '\t'))
            p++;
        size_t n = (size_t)(stop - p);
        while (n && (p[n - 1] == ' ' || p[n - 1] == '\t'))
            n--;
        if (n == want && strncasecmp(p, token, n) == 0)
            return true;
        p = stop + 1;
    }
    return false;
}

/* The next line without its CRLF; false when there is a CR or LF of its own. */
static bool next_line(const char **p, const char *end, struct line *out)
{
    const char *q = *p;
    while (q < end && *q != '\r' && *q != '\n')
        q++;
    if (end - q < 2 || q[0] != '\r' || q[1] != '\n')
        return false;
    *out = (struct line){*p, (size_t)(q - *p)};
    *p = q + 2;
    return true;
}

static int read_header(struct line l, struct http_header *out, struct oriel_err *err)
{
    const char *colon = memchr(l.p, ':', l.n);
    if (l.p[0] == ' ' || l.p[0] == '\t')
        return err_set(err, ORIEL_EFORMAT, "a header that is folded over two lines");
    if (!colon || !http_token_valid(l.p, (size_t)(colon - l.p)))
        return err_set(err, ORIEL_EFORMAT, "a header line without a valid name");
    const char *v = colon + 1, *end = l.p + l.n;
    while (v < end && (*v == ' ' || *v == '\t'))
        v++;
    while (end > v && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (!http_value_valid(v, (size_t)(end - v)))
        return err_set(err, ORIEL_EFORMAT, "a control character in header \"%.*s\"",
                       (int)(colon - l.p < 60 ? colon - l.p : 60), l.p);
    *out = (struct http_header){l.p, v, (size_t)(colon - l.p), (size_t)(end - v)};
    return 0;
}

static int read_headers(const char *p, const char *end, struct http_head *out,
                        struct oriel_err *err)
{
    struct line l;
    while (next_line(&p, end, &l)) {
        if (l.n == 0)
            return p == end ? 0 : err_set(err, ORIEL_EFORMAT, "bytes behind the head");
        if (out->count == HTTP_HEADERS_MAX)
            return err_set(err, ORIEL_ELIMIT, "more than %d headers", HTTP_HEADERS_MAX);
        int rc = read_header(l, &out->headers[out->count], err);
        if (rc != 0)
            return rc;
        out->count++;
    }
    return err_set(err, ORIEL_EFORMAT, "a line that does not end with CR LF");
}

static int read_length(const struct http_header *h, uint64_t *out, struct oriel_err *err)
{
    uint64_t v = 0;
    bool digits = h->value_n > 0 && h->value_n <= 18;
    for (size_t i = 0; digits && i < h->value_n; i++) {
        digits = h->value[i] >= '0' && h->value[i] <= '9';
        v = v * 10 + (uint64_t)(h->value[i] - '0');
    }
    if (!digits)
        return err_set(err, ORIEL_EFORMAT, "a Content-Length that is no number");
    *out = v;
    return 0;
}

/* "gzip, chunked": its end can be found (501), that of all others cannot (400; RFC 9112, 6.3). */
static bool ends_chunked(const struct http_header *x)
{
    size_t at = x->value_n;
    while (at && x->value[at - 1] != ',')
        at--;
    const struct http_header last = {.value = x->value + at, .value_n = x->value_n - at};
    const struct http_header first = {.value = x->value, .value_n = at};
    return at > 1 && token_char(x->value[0]) && http_list_has(&last, "chunked") &&
           !http_list_has(&first, "chunked");
}

/* How the body's end is found: never from two statements. */
static int read_framing(struct http_head *h, struct oriel_err *err)
{
    unsigned lengths = 0, codings = 0;
    bool chunked = false, other = false;
    for (size_t i = 0; i < h->count; i++) {
        const struct http_header *x = &h->headers[i];
        if (name_is(x, "content-length")) {
            lengths++;
            int rc = read_length(x, &h->length, err);
            if (rc != 0)
                return rc;
        } else if (name_is(x, "transfer-encoding")) {
            codings++;
            chunked = x->value_n == 7 && strncasecmp(x->value, "chunked", 7) == 0;
            other = ends_chunked(x);
        }
    }
    if (lengths > 1 || codings > 1)
        return err_set(err, ORIEL_EFORMAT, "the size of the body is said twice");
    if (lengths && codings)
        return err_set(err, ORIEL_EFORMAT, "both Content-Length and Transfer-Encoding");
    if (codings && h->minor == 0)
        return err_set(err, ORIEL_EFORMAT, "Transfer-Encoding in HTTP/1.0");
    if (codings && !chunked)
        return err_set(err, other ? ORIEL_EUNSUPPORTED : ORIEL_EFORMAT,
                       "a transfer coding that is not chunked");
    h->framing = codings ? HTTP_CHUNKED : lengths ? HTTP_LENGTH : HTTP_NO_BODY;
    return 0;
}

static void read_connection(struct http_head *h)
{
    h->keep_alive = h->minor >= 1;
    for (size_t i = 0; i < h->count; i++)
        if (name_is(&h->headers[i], "connection") && http_list_has(&h->headers[i], "close"))
            h->keep_alive = false;
}

/* "HTTP/1.0" or "HTTP/1.1". */
static int read_version(const char *p, size_t n, unsigned *out_minor, struct oriel_err *err)
{
    if (n != 8 || memcmp(p, "HTTP/", 5) != 0 || p[5] < '0' || p[5] > '9' || p[6] != '.' ||
        p[7] < '0' || p[7] > '9')
        return err_set(err, ORIEL_EFORMAT, "not HTTP");
    if (p[5] != '1' || p[7] > '1')
        return err_set(err, ORIEL_EUNSUPPORTED, "HTTP/%c.%c is not spoken here", p[5], p[7]);
    *out_minor = (unsigned)(p[7] - '0');
    return 0;
}

static int start(const char **p, const char *end, struct line *out, struct http_head *h,
                 struct oriel_err *err)
{
    memset(h, 0, sizeof *h);
    return next_line(p, end, out)
               ? 0
               : err_set(err, ORIEL_EFORMAT, "a first line that does not end with CR LF");
}

static int read_status_line(struct line l, struct http_head *out, struct oriel_err *err)
{
    int rc = read_version(l.p, l.n < 8 ? l.n : 8, &out->minor, err);
    if (rc != 0)
        return rc;
    bool good = l.n >= 12 && l.p[8] == ' ' && (l.n == 12 || l.p[12] == ' ') && l.p[9] != '0';
    for (size_t i = 9; good && i < 12; i++) {
        good = l.p[i] >= '0' && l.p[i] <= '9';
        out->status = out->status * 10 + (l.p[i] - '0');
    }
    if (!good || !http_value_valid(l.p + 12, l.n - 12))
        return err_set(err, ORIEL_EFORMAT, "a status line without a status");
    return 0;
}

int http_response_read(const char *bytes, size_t n, struct http_head *out, struct oriel_err *err)
{
    const char *p = bytes, *end = bytes + n;
    struct line l;
    int rc = start(&p, end, &l, out, err);
    if (rc == 0)
        rc = read_status_line(l, out, err);
    if (rc == 0)
        rc = read_headers(p, end, out, err);
    if (rc == 0)
        rc = read_framing(out, err);
    if (rc != 0)
        return rc == ORIEL_EUNSUPPORTED ? ORIEL_EFORMAT : rc;
    read_connection(out);
    if (out->status < 200 || out->status == 204 || out->status == 304)
        out->framing = HTTP_NO_BODY;
    else if (out->framing == HTTP_NO_BODY)
        out->framing = HTTP_UNTIL_CLOSE;
    out->keep_alive = out->keep_alive && out->framing != HTTP_UNTIL_CLOSE;
    return 0;
}

/* What may stand in a host with its port; no comma, so never two of them. */
static bool host_valid(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!token_char(p[i]) && !(p[i] && strchr("[]:;=()", p[i])))
            return false;
    return true;
}

/* Visible ASCII only, and a path; before it the host may stand ("http://host/path"). */
static bool read_target(const char *p, size_t n, struct http_head *out)
{
    static const char scheme[] = "http://";
    const size_t skip = sizeof scheme - 1;
    for (size_t i = 0; i < n; i++)
        if (p[i] <= ' ' || p[i] > '~')
            return false;
    if (n > skip && strncasecmp(p, scheme, skip) == 0) {
        const char *path = memchr(p + skip, '/', n - skip);
        if (!path || path == p + skip)
            return false;
        out->authority = p + skip;
        out->authority_n = (size_t)(path - p) - skip;
        n -= (size_t)(path - p);
        p = path;
    }
    out->target = p;
    out->target_n = n;
    return n > 0 && p[0] == '/';
}

static int read_request_line(struct line l, struct http_head *out, struct oriel_err *err)
{
    const char *space = memchr(l.p, ' ', l.n), *end = l.p + l.n;
    if (!space || !http_token_valid(l.p, (size_t)(space - l.p)))
        return err_set(err, ORIEL_EFORMAT, "a request line without a method");
    const char *target = space + 1, *second = memchr(target, ' ', (size_t)(end - target));
    if (!second || !read_target(target, (size_t)(second - target), out))
        return err_set(err, ORIEL_EFORMAT, "a request line without a path");
    out->method = l.p;
    out->method_n = (size_t)(space - l.p);
    return read_version(second + 1, (size_t)(end - second - 1), &out->minor, err);
}

int http_request_read(const char *bytes, size_t n, struct http_head *out, struct oriel_err *err)
{
    const char *p = bytes, *end = bytes + n;
    struct line l;
    unsigned hosts = 0;
    int rc = start(&p, end, &l, out, err);
    if (rc == 0)
        rc = read_request_line(l, out, err);
    if (rc == 0)
        rc = read_headers(p, end, out, err);
    if (rc == 0)
        rc = read_framing(out, err);
    if (rc != 0)
        return rc;
    const struct http_header *host = http_find(out, "host");
    for (size_t i = 0; i < out->count; i++)
        hosts += name_is(&out->headers[i], "host");
    if (host && !host_valid(host->value, host->value_n))
        return err_set(err, ORIEL_EFORMAT, "a Host header that is no host");
    if (host && out->authority &&
        (host->value_n != out->authority_n ||
         strncasecmp(host->value, out->authority, out->authority_n) != 0))
        return err_set(err, ORIEL_EFORMAT, "a Host header that is not the host of the target");
    if (hosts > 1 || (hosts == 0 && out->minor >= 1))
        return err_set(err, ORIEL_EFORMAT, hosts ? "two Host headers" : "no Host header");
    read_connection(out);
    out->expects_continue =
        out->minor >= 1 && http_list_has(http_find(out, "expect"), "100-continue");
    return 0;
}

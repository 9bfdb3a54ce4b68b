/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * gRPC over HTTP/2 (PROTOCOL-HTTP2.md of gRPC), the client's half of a unary call
 * and what both halves share. What a server says is checked like all foreign
 * bytes. Pure; any thread.
 */
#include "util/grpc.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "util/pb.h"
#include "util/utf8.h"

enum { DETAILS_MAX = 4096 };
#define SECOND UINT64_C(1000000000)

const char *grpc_status_name(int status)
{
    static const char *const names[] = {"OK",
                                        "CANCELLED",
                                        "UNKNOWN",
                                        "INVALID_ARGUMENT",
                                        "DEADLINE_EXCEEDED",
                                        "NOT_FOUND",
                                        "ALREADY_EXISTS",
                                        "PERMISSION_DENIED",
                                        "RESOURCE_EXHAUSTED",
                                        "FAILED_PRECONDITION",
                                        "ABORTED",
                                        "OUT_OF_RANGE",
                                        "UNIMPLEMENTED",
                                        "INTERNAL",
                                        "UNAVAILABLE",
                                        "DATA_LOSS",
                                        "UNAUTHENTICATED"};
    _Static_assert(sizeof names / sizeof *names == GRPC_UNAUTHENTICATED + 1, "all of them");
    return status >= 0 && status <= GRPC_UNAUTHENTICATED ? names[status] : names[GRPC_UNKNOWN];
}

void grpc_prefix(uint8_t out[GRPC_PREFIX], size_t message_n, bool compressed)
{
    assert(message_n <= UINT32_MAX);
    out[0] = compressed;
    for (unsigned i = 0; i < 4; i++)
        out[1 + i] = (uint8_t)(message_n >> (24 - 8 * i));
}

int grpc_unframe(const void *body, size_t n, const uint8_t **out_message, size_t *out_n,
                 bool *out_compressed, struct oriel_err *err)
{
    const uint8_t *p = body;
    if (n < GRPC_PREFIX)
        return err_set(err, ORIEL_EFORMAT, "no gRPC message (%zu bytes)", n);
    size_t size = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
    if (p[0] > 1)
        return err_set(err, ORIEL_EFORMAT, "a gRPC message with unknown flags");
    if (size != n - GRPC_PREFIX)
        return err_set(err, ORIEL_EFORMAT, "a gRPC message of %zu bytes in a body of %zu", size,
                       n - GRPC_PREFIX);
    *out_message = p + GRPC_PREFIX;
    *out_n = size;
    *out_compressed = p[0] != 0;
    return 0;
}

void grpc_timeout(uint64_t ns, char out[16])
{
    static const struct {
        uint64_t ns;
        char unit;
    } units[] = {{1, 'n'}, {1000, 'u'}, {1000000, 'm'}, {SECOND, 'S'}, {60 * SECOND, 'M'}};
    unsigned i = 0;
    while (i + 1 < sizeof units / sizeof *units && ns / units[i].ns > 99999999)
        i++;
    uint64_t v = ns / units[i].ns;
    snprintf(out, 16, "%llu%c", (unsigned long long)(v > 99999999 ? 99999999 : v), units[i].unit);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void grpc_text_decode(const char *text, char out[GRPC_TEXT])
{
    size_t n = 0;
    for (; *text && n + 1 < GRPC_TEXT; text++) {
        char c = *text;
        if (c == '%' && hex_value(text[1]) >= 0 && hex_value(text[2]) >= 0) {
            c = (char)(hex_value(text[1]) << 4 | hex_value(text[2]));
            text += 2;
        }
        /* It goes into logs: a line break there would be a line of the server's. */
        out[n++] = (unsigned char)c < 0x20 || c == 0x7f ? ' ' : c;
    }
    out[n] = 0;
    if (n + 1 == GRPC_TEXT)
        out[utf8_cut_bytes(out, n, GRPC_TEXT - 4)] = 0;
}

void grpc_text_encode(const char *text, struct buf *out)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~' || *text == '%')
            buf_printf(out, "%%%02X", (unsigned char)*text);
        else
            buf_putc(out, *text);
    }
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* With or without its padding; the bytes, 0 when it is no base64 or too long. */
static size_t base64_decode(const char *text, uint8_t *out, size_t max)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t n = 0, chars = strcspn(text, "=");
    if (strspn(text + chars, "=") != strlen(text + chars))
        return 0;
    for (size_t i = 0; i < chars; i++) {
        int v = base64_value(text[i]);
        if (v < 0)
            return 0;
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        if (n == max)
            return 0;
        out[n++] = (uint8_t)(bits >> have);
    }
    return n;
}

/* google.protobuf.Duration {seconds = 1, nanos = 2}; nothing negative. */
static bool read_duration(struct pb_reader r, uint64_t *out_ns)
{
    struct pb_field f;
    uint64_t seconds = 0, nanos = 0;
    while (pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == PB_VARINT)
            seconds = f.value;
        else if (f.number == 2 && f.wire == PB_VARINT)
            nanos = f.value;
    }
    if (r.failed || seconds > UINT32_MAX || nanos >= SECOND)
        return false;
    *out_ns = seconds * SECOND + nanos;
    return true;
}

/* google.rpc.Status {details = 3: Any {type_url = 1, value = 2}}; of
 * google.rpc.RetryInfo {retry_delay = 1}. */
bool grpc_retry_info(const char *base64, uint64_t *out_delay_ns)
{
    static const char type[] = "/google.rpc.RetryInfo";
    uint8_t bytes[DETAILS_MAX];
    struct pb_reader r = pb_read(bytes, base64_decode(base64, bytes, sizeof bytes));
    struct pb_field detail, url, value, delay;
    while (pb_next(&r, &detail)) {
        if (detail.number != 3 || detail.wire != PB_BYTES)
            continue;
        struct pb_reader any = pb_read_nested(&detail);
        if (!pb_find(any, 1, &url) || url.wire != PB_BYTES || url.size < sizeof type - 1 ||
            memcmp(url.bytes + url.size - (sizeof type - 1), type, sizeof type - 1) != 0)
            continue;
        if (pb_find(any, 2, &value) && value.wire == PB_BYTES &&
            pb_find(pb_read_nested(&value), 1, &delay) && delay.wire == PB_BYTES)
            return read_duration(pb_read_nested(&delay), out_delay_ns);
    }
    return false;
}

static int status_of_http(int http)
{
    switch (http) {
    case 400:
        return GRPC_INTERNAL;
    case 401:
        return GRPC_UNAUTHENTICATED;
    case 403:
        return GRPC_PERMISSION_DENIED;
    case 404:
        return GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return GRPC_UNAVAILABLE;
    default:
        return GRPC_UNKNOWN;
    }
}

/* Of an exchange that has no reply to read. */
static bool read_loss(const struct h2_exchange *x, struct grpc_result *out)
{
    struct oriel_err err;
    int rc = h2_result(x, &err);
    if (rc == 0)
        return false;
    out->status = rc == ORIEL_ELIMIT ? GRPC_INTERNAL : GRPC_UNAVAILABLE;
    snprintf(out->text, sizeof out->text, "%.200s", err.text);
    return true;
}

static bool read_status(const char *text, int *out)
{
    size_t n = strlen(text);
    if (n == 0 || n > 2 || strspn(text, "0123456789") != n)
        return false;
    *out = n == 1 ? text[0] - '0' : (text[0] - '0') * 10 + (text[1] - '0');
    return true;
}

static void read_message(const struct h2_exchange *x, struct grpc_result *out)
{
    struct oriel_err err;
    size_t n;
    const char *body = h2_body(x, &n);
    if (grpc_unframe(body, n, &out->message, &out->message_n, &out->compressed, &err) != 0) {
        out->message = NULL;
        out->status = GRPC_INTERNAL;
        snprintf(out->text, sizeof out->text, "%.200s", err.text);
    }
}

void grpc_result_read(const struct h2_exchange *x, struct grpc_result *out)
{
    memset(out, 0, sizeof *out);
    if (read_loss(x, out))
        return;
    const char *status = h2_header(x, "grpc-status"), *text = h2_header(x, "grpc-message");
    const char *type = h2_header(x, "content-type");
    const char *details = h2_header(x, "grpc-status-details-bin");
    int http = h2_status(x);
    bool is_grpc = type && strncasecmp(type, "application/grpc", 16) == 0;
    if (http != 200 && !(status && is_grpc)) {
        out->status = status_of_http(http);
        snprintf(out->text, sizeof out->text, "HTTP status %d", http);
        return;
    }
    if (!is_grpc || !status || !read_status(status, &out->status)) {
        out->status = is_grpc ? GRPC_INTERNAL : GRPC_UNKNOWN;
        snprintf(out->text, sizeof out->text,
                 is_grpc ? "a reply without grpc-status" : "a reply that is not gRPC");
        return;
    }
    if (text)
        grpc_text_decode(text, out->text);
    if (details)
        out->has_delay = grpc_retry_info(details, &out->delay_ns);
    if (out->status == GRPC_OK)
        read_message(x, out);
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as a request, as a response, as a URL, with a body behind
 * the head. What is accepted obeys the rules that are promised; and a message
 * read in one piece and byte by byte is the same message.
 */
#include <stdlib.h>
#include <string.h>

#include "util/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_head(const struct http_head *h, const char *p, size_t n)
{
    require(h->count <= HTTP_HEADERS_MAX);
    for (size_t i = 0; i < h->count; i++) {
        const struct http_header *x = &h->headers[i];
        require(x->name >= p && x->value + x->value_n <= p + n);
        require(http_token_valid(x->name, x->name_n) && http_value_valid(x->value, x->value_n));
    }
    uint64_t seconds;
    const struct http_header *retry = http_find(h, "retry-after");
    if (retry)
        http_retry_after(retry->value, retry->value_n, 1700000000, &seconds);
}

/* The content of a body in pieces of `step`: its hash, or the first error. */
static uint64_t content(const struct http_head *h, bool request, const char *p, size_t n,
                        size_t step)
{
    struct http_body b;
    uint64_t hash = 7;
    http_body_init(&b, h, request);
    for (size_t at = 0; at < n && !b.done;) {
        size_t piece = n - at < step ? n - at : step, used, data_n;
        const char *data;
        if (http_body_step(&b, p + at, piece, &used, &data, &data_n, NULL) != 0)
            return 1;
        require(used <= piece && (used > 0 || b.done));
        require(data_n == 0 || (data >= p + at && data + data_n <= p + at + piece));
        for (size_t i = 0; i < data_n; i++)
            hash = hash * 31 + (uint8_t)data[i];
        at += used;
    }
    return hash + b.done;
}

static void read_message(const char *p, size_t n, bool request)
{
    struct http_head h;
    struct oriel_err err;
    size_t seen = 0, seen_slowly = 0, slowly = 0, head = http_head_size(p, n, &seen);
    for (size_t i = 0; i <= n && !slowly; i++)
        slowly = http_head_size(p, i, &seen_slowly);
    require(slowly == head);
    if (head == 0)
        head = n;
    int rc = request ? http_request_read(p, head, &h, &err) : http_response_read(p, head, &h, &err);
    if (rc != 0)
        return;
    check_head(&h, p, head);
    require(content(&h, request, p + head, n - head, SIZE_MAX / 2) ==
            content(&h, request, p + head, n - head, 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[300];
    struct http_url u;
    struct oriel_err err;
    read_message((const char *)data, size, true);
    read_message((const char *)data, size, false);
    size_t n = size < sizeof text - 1 ? size : sizeof text - 1;
    memcpy(text, data, n);
    text[n] = 0;
    if (http_url_read(text, &u, &err) == 0)
        require(u.scheme == HTTP_UNIX || (u.host[0] && u.path[0] == '/' && u.port));
    return 0;
}

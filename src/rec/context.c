/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Process context (OpenTelemetry OTEP 4719): a small mapping named OTEL_CTX in
 * which profilers outside find who this process is, and that its threads
 * publish their current span (OTEP 4947, otel_thread_ctx_v1). Made once when
 * recording starts; a fork child makes its own. Failure leaves it out.
 */
#include "rec/rec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/os.h"

enum { CONTEXT_BYTES = 4096, CONTEXT_VERSION = 2, VALUE_MAX = 127 };

struct context_header {
    uint64_t signature; /* the bytes "OTEL_CTX" */
    uint32_t version;
    uint32_t payload_size;
    uint64_t published_at_ns;
    const char *payload;
};

/* Protobuf: Resource.attributes += KeyValue{key, AnyValue{string_value}}. Texts
 * are cut to one-byte lengths; all nested lengths then are one byte too. */
static char *put_attribute(char *at, const char *end, const char *key, const char *value)
{
    size_t k = strlen(key), v = strnlen(value, VALUE_MAX - 8 - k);
    size_t any = 2 + v, pair = 2 + k + 2 + any;
    if (k + 8 > VALUE_MAX || (size_t)(end - at) < pair + 2)
        return at;
    const unsigned char head[] = {0x0a, (unsigned char)pair, 0x0a, (unsigned char)k};
    const unsigned char tail[] = {0x12, (unsigned char)any, 0x0a, (unsigned char)v};
    memcpy(at, head, 4);
    memcpy(at + 4, key, k);
    memcpy(at + 4 + k, tail, 4);
    memcpy(at + 8 + k, value, v);
    return at + 8 + k + v;
}

/* OTEL_SERVICE_NAME, else unknown_service:<executable>, as OpenTelemetry says. */
static void service_name(char *out, size_t n)
{
    char exe[256] = "";
    const char *given = getenv("OTEL_SERVICE_NAME");
    if (given && *given) {
        snprintf(out, n, "%s", given);
        return;
    }
    os_exe_path(exe, sizeof exe);
    const char *slash = strrchr(exe, '/');
    snprintf(out, n, "unknown_service:%.90s", slash ? slash + 1 : exe);
}

/* A random UUID, version 4. */
static void instance_id(char out[37])
{
    unsigned char b[16] = {0};
    os_random(b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
}

static size_t encode(char *out, size_t n)
{
    char name[VALUE_MAX + 1], id[37];
    char *at = out, *end = out + n;
    service_name(name, sizeof name);
    instance_id(id);
    at = put_attribute(at, end, "service.name", name);
    at = put_attribute(at, end, "service.instance.id", id);
    at = put_attribute(at, end, "telemetry.sdk.name", "oriel");
    at = put_attribute(at, end, "telemetry.sdk.language", "c");
    at = put_attribute(at, end, "telemetry.sdk.version", ORIEL_VERSION_TEXT);
    at = put_attribute(at, end, "threadlocal.schema_version", "tls_v1");
    return (size_t)(at - out);
}

void rec_context_publish(void)
{
    void *page = NULL;
    if (os_map_published("OTEL_CTX", CONTEXT_BYTES, &page) != 0)
        return;
    struct context_header *h = page;
    char *payload = (char *)page + sizeof *h;
    h->version = CONTEXT_VERSION;
    h->payload_size = (uint32_t)encode(payload, CONTEXT_BYTES - sizeof *h);
    h->payload = payload;
    h->published_at_ns = clock_unix_ns();
    /* Readers take the page as valid once the signature is there. */
    uint64_t signature;
    memcpy(&signature, "OTEL_CTX", sizeof signature);
    __atomic_store_n(&h->signature, signature, __ATOMIC_RELEASE);
    os_name_mapping("OTEL_CTX", page, CONTEXT_BYTES);
}

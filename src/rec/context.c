/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Process context (OpenTelemetry OTEP 4719): a small mapping named OTEL_CTX in
 * which profilers outside find who this process is, and that its threads
 * publish their current span (OTEP 4947, otel_thread_ctx_v1). Made when
 * recording starts; a fork child makes its own. Failure leaves it out.
 *
 * It says what is exported: where an export runs in this process, that tells its
 * resource, and fork children say the same but for who they are themselves.
 */
#include "rec/rec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/instance.h"
#include "base/os.h"

enum { CONTEXT_BYTES = 4096, CONTEXT_VERSION = 2, VALUE_MAX = 127 };

struct context_page {
    uint64_t signature; /* the bytes "OTEL_CTX" */
    uint32_t version;
    uint32_t payload_size;
    uint64_t published_at_ns; /* 0: it is being written */
    const char *payload;
};

/* A fork child goes on with its parent's. */
static struct {
    uint32_t changes; /* atomic; odd: is being written */
    int32_t pid;      /* whose it is */
    uint32_t common, own, adds;
    char bytes[INSTANCE_TOLD_MAX];
} told;

/* Protobuf: Resource.attributes += KeyValue{key, AnyValue}. All lengths are one byte. */
static char *put_pair(char *at, const char *end, const char *key, const char *any, size_t n)
{
    size_t k = strlen(key), pair = 4 + k + n;
    if (pair > VALUE_MAX || (size_t)(end - at) < pair + 2)
        return at;
    const unsigned char head[] = {0x0a, (unsigned char)pair, 0x0a, (unsigned char)k};
    memcpy(at, head, 4);
    memcpy(at + 4, key, k);
    at += 4 + k;
    *at++ = 0x12;
    *at++ = (char)n;
    memcpy(at, any, n);
    return at + n;
}

/* Cut to a length that fits. */
static char *put_value(char *at, const char *end, const char *key, const char *value)
{
    char any[VALUE_MAX] = {0x0a};
    size_t n = strnlen(value, VALUE_MAX - 8 - strlen(key));
    any[1] = (char)n;
    memcpy(any + 2, value, n);
    return put_pair(at, end, key, any, n + 2);
}

static char *put_pid(char *at, const char *end, const char *key, int32_t pid)
{
    char any[6] = {0x18};
    size_t n = 1;
    uint32_t v = (uint32_t)pid;
    for (; v >= 0x80 && n < sizeof any - 1; v >>= 7)
        any[n++] = (char)(v | 0x80);
    any[n++] = (char)v;
    return pid > 0 ? put_pair(at, end, key, any, n) : at;
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

/* Nobody exports in this process. */
static char *put_untold(char *at, const char *end)
{
    char name[VALUE_MAX + 1];
    service_name(name, sizeof name);
    at = put_value(at, end, "service.name", name);
    at = put_value(at, end, "telemetry.sdk.name", "oriel");
    at = put_value(at, end, "telemetry.sdk.language", "c");
    return put_value(at, end, "telemetry.sdk.version", ORIEL_VERSION_TEXT);
}

static size_t encode(const struct wire_process *p, bool is_told, char *out, size_t n)
{
    char *at = out, *end = out + n;
    char id[INSTANCE_TEXT];
    uint32_t own = 0, adds = INSTANCE_ADDS_ID | INSTANCE_ADDS_PIDS;
    if (is_told) {
        own = told.pid == p->pid ? told.own : 0;
        adds = told.adds;
        memcpy(at, told.bytes, told.common + own);
        at += told.common + own;
    } else {
        at = put_untold(at, end);
    }
    if (adds & INSTANCE_ADDS_ID && !own) {
        const uint64_t seed[2] = {p->trace_hi, p->trace_salt};
        instance_id(seed, 0, id);
        at = put_value(at, end, "service.instance.id", id);
    }
    if (adds & INSTANCE_ADDS_PIDS) {
        at = put_pid(at, end, "process.pid", p->pid);
        at = put_pid(at, end, "process.parent_pid", p->ppid);
    }
    at = put_value(at, end, "threadlocal.schema_version", "tls_v1");
    return (size_t)(at - out);
}

/* Readers take the page as valid once the signature is there, and look at the time before and
 * after they read. */
static void write_page(struct context_page *page, const struct wire_process *p)
{
    const uint32_t changes = __atomic_load_n(&told.changes, __ATOMIC_ACQUIRE);
    const bool is_told = !(changes & 1) && told.adds;
    char *payload = (char *)page + sizeof *page;
    (void)__atomic_exchange_n(&page->published_at_ns, 0, __ATOMIC_ACQ_REL); /* before the rest */
    page->version = CONTEXT_VERSION;
    page->payload_size = (uint32_t)encode(p, is_told, payload, CONTEXT_BYTES - sizeof *page);
    page->payload = payload;
    /* Adds nothing: so that what was read before stays before. */
    if (__atomic_fetch_add(&told.changes, 0, __ATOMIC_ACQ_REL) != changes)
        return; /* by who asks for the next turn */
    uint64_t signature;
    memcpy(&signature, "OTEL_CTX", sizeof signature);
    __atomic_store_n(&page->published_at_ns, clock_unix_ns(), __ATOMIC_RELEASE);
    __atomic_store_n(&page->signature, signature, __ATOMIC_RELEASE);
    os_name_mapping("OTEL_CTX", page, CONTEXT_BYTES);
}

/* One at a time, and nobody waits for one that it has interrupted. Between rec_enter and
 * rec_leave. */
static void publish(struct rec_own *own)
{
    const struct wire_process *p = rec_process_self();
    uint32_t turns = __atomic_fetch_add(&own->context_turns, 1, __ATOMIC_ACQ_REL);
    if (turns)
        return; /* whoever is at it does it once more */
    do {
        struct context_page *page = __atomic_load_n(&own->context, __ATOMIC_ACQUIRE);
        turns = __atomic_load_n(&own->context_turns, __ATOMIC_ACQUIRE);
        if (page && p)
            write_page(page, p);
    } while (!__atomic_compare_exchange_n(&own->context_turns, &turns, 0, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
}

void rec_context_publish(void)
{
    struct rec_own *own = rec_runtime.own;
    void *page = __atomic_load_n(&own->context, __ATOMIC_RELAXED); /* of a recording before */
    if (!page && os_map_published("OTEL_CTX", CONTEXT_BYTES, &page) != 0)
        return;
    __atomic_store_n(&own->context, page, __ATOMIC_RELEASE);
    publish(own);
}

void rec_context_told(const void *bytes, uint32_t common, uint32_t own, uint32_t adds)
{
    if (common > sizeof told.bytes || own > sizeof told.bytes - common)
        return;
    __atomic_fetch_add(&told.changes, 1, __ATOMIC_SEQ_CST);
    if (common + own)
        memcpy(told.bytes, bytes, common + own);
    told.pid = os_getpid();
    told.common = common;
    told.own = own;
    told.adds = adds;
    __atomic_fetch_add(&told.changes, 1, __ATOMIC_SEQ_CST);
    if (rec_enter()) {
        publish(rec_runtime.own);
        rec_leave();
    }
}

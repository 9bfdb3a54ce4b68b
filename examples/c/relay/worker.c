/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * worker: the other side of relay. What it does is part of the trace of whoever
 * started it, and what it is asked for of the trace of whoever asks.
 */
#include <stdio.h>
#include <string.h>

#define ORIEL_TARGET "worker"
#include <oriel/oriel.h>
#include <oriel/propagation.h>

enum { LINE = 16 * 1024, HEADERS = 32 };

extern char **environ;

/* The headers of a request, up to an empty line. */
static void read_headers(struct oriel_headers *h, FILE *from)
{
    while (h->count < HEADERS && h->text_capacity - h->text_bytes > 1) {
        char *line = h->text + h->text_bytes;
        if (!fgets(line, (int)(h->text_capacity - h->text_bytes), from) || *line == '\n')
            return;
        line[strcspn(line, "\n")] = 0;
        char *colon = strstr(line, ": ");
        if (!colon)
            continue;
        *colon = 0;
        h->headers[h->count++] = (struct oriel_header){line, colon + 2};
        h->text_bytes += (size_t)(colon + 2 - line) + strlen(colon + 2) + 1;
    }
}

static void serve(const char *path, FILE *from)
{
    static char text[LINE];
    struct oriel_header list[HEADERS];
    struct oriel_headers headers = {list, 0, HEADERS, text, 0, sizeof text};
    struct oriel_baggage baggage;
    struct oriel_baggage_member tenant = {"", "", "", 0, 0, 0};
    struct oriel_context caller;
    read_headers(&headers, from);
    oriel_extract(NULL, &oriel_header_getter, &headers, &caller, &baggage);
    oriel_baggage_get(&baggage, "tenant", &tenant);
    ORIEL_CONTEXT(&caller);
    ORIEL_SPAN("serve", "otel.kind", "server", "url.path", path, "tenant",
               oriel_text(tenant.value, tenant.value_bytes));
    ORIEL_INFO("served");
}

static void take(FILE *from)
{
    uint8_t packed[ORIEL_CONTEXT_PACKED];
    struct oriel_context sender = {{0}, {0}, 0, 0, 0, 0, NULL, {0}, NULL};
    char body[256] = "";
    if (fread(packed, 1, sizeof packed, from) == sizeof packed)
        oriel_context_unpack(packed, sizeof packed, &sender);
    if (!fgets(body, sizeof body, from))
        return;
    body[strcspn(body, "\n")] = 0;
    /* With its context as an argument; nothing becomes current. */
    struct oriel_span span =
        ORIEL_OPEN_IN("receive", &sender, "otel.kind", "consumer", "body", body);
    oriel_span_close(&span);
}

int main(void)
{
    char line[256];
    struct oriel_context starter;
    oriel_extract(NULL, &oriel_environment_getter, environ, &starter, NULL);
    ORIEL_CONTEXT(&starter);
    ORIEL_SPAN("worker");
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "GET ", 4) == 0)
            serve(line + 4, stdin);
        else if (strcmp(line, "MESSAGE") == 0)
            take(stdin);
    }
    return 0;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Requests one after the other, some of them from elsewhere: says for each span the
 * headers that a request sent in it would carry, "traceparent tracestate".
 * With a second argument so many for each line of input, answered with "step".
 */
#define ORIEL_TARGET "web"
#include <oriel/oriel.h>
#include <oriel/propagation.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define PARENT "4bf92f3577b34da6%08xa3ce929d-00f067aa0ba902b7"

static void say(const char *of)
{
    struct oriel_header headers[4];
    char text[1024];
    struct oriel_headers h = {headers, 0, 4, text, 0, sizeof text};
    if (oriel_inject(NULL, NULL, &oriel_header_setter, &h) != 0 || h.count == 0)
        exit(1);
    printf("%s %s %s\n", of, headers[0].value, h.count > 1 ? headers[1].value : "");
}

static void below(void)
{
    ORIEL_SPAN("below", "n", 1);
    say("below");
}

/* A span that another thread enters. */
static void *elsewhere(void *span)
{
    struct oriel_guard guard = oriel_span_enter(span);
    say("opened");
    below();
    oriel_span_exit(&guard);
    return NULL;
}

static void work(int i)
{
    say("request");
    below();
    struct oriel_span opened = ORIEL_OPEN("opened", ORIEL_CURRENT);
    pthread_t thread;
    if (i % 8 == 0 && pthread_create(&thread, NULL, elsewhere, &opened) == 0)
        pthread_join(thread, NULL);
    else
        elsewhere(&opened);
    oriel_span_close(&opened);
}

static void request(int i)
{
    ORIEL_SPAN("request", "route", i % 2 ? "/health" : "/cart", "otel.kind", "server");
    work(i);
}

#undef ORIEL_TARGET
#define ORIEL_TARGET "db"
static void query(int i)
{
    ORIEL_SPAN("query");
    work(i);
}

static void work_off(int count)
{
    static const char *const states[] = {NULL, "a=1", "ot=rv:f0000000000000", "ot=th:8,b=2"};
    for (int i = 0; i < count; i++) {
        char parent[64];
        snprintf(parent, sizeof parent, "00-" PARENT "-%02x", (unsigned)i * 2654435761u, i / 4 % 2);
        struct oriel_header in[] = {{"traceparent", parent}, {"tracestate", states[i / 8 % 4]}};
        struct oriel_headers h = {.headers = in, .count = i % 4 == 3 ? 2 : 0};
        struct oriel_context from;
        oriel_extract(NULL, &oriel_header_getter, &h, &from, NULL);
        ORIEL_CONTEXT(&from);
        if (i % 3 == 0)
            query(i);
        else
            request(i);
    }
}

int main(int argc, char **argv)
{
    const int count = argc > 1 ? atoi(argv[1]) : 1;
    char line[8];
    if (argc <= 2)
        work_off(count);
    while (argc > 2 && fgets(line, sizeof line, stdin)) {
        work_off(count);
        puts("step");
        fflush(stdout);
    }
    return 0;
}

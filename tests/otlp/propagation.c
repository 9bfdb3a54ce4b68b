/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Our propagators behind a pipe, for a comparison with those of others. A line of
 * tabs and fields is a case, a line answers it; fields are hexadecimal, so that any
 * bytes pass. One thread.
 *
 *   trace  TRACEPARENT TRACESTATE...   ids, flags, tracestate as read; both as written
 *   bag    BAGGAGE...                  name value properties, ...; | as written
 *   make   NAME VALUE ...              the header of these members
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <oriel/propagation.h>

enum { LINE = 128 * 1024, FIELDS = 512 };

static size_t unhex(char *text)
{
    size_t n = 0;
    unsigned v;
    for (; text[2 * n] && sscanf(text + 2 * n, "%2x", &v) == 1; n++)
        text[n] = (char)v;
    text[n] = 0;
    return n;
}

static void put(const char *p, size_t n)
{
    putchar('\t');
    for (size_t i = 0; i < n; i++)
        printf("%02x", (unsigned char)p[i]);
}

static unsigned extract(const char *list, struct oriel_header *h, size_t n, struct oriel_context *c,
                        struct oriel_baggage *b)
{
    struct oriel_headers headers = {.headers = h, .count = n};
    struct oriel_propagators p;
    oriel_propagators_parse(list, &p);
    return oriel_extract(&p, &oriel_header_getter, &headers, c, b);
}

static void trace(char **fields, size_t n)
{
    struct oriel_header h[FIELDS];
    struct oriel_context c;
    char text[56];
    for (size_t i = 0; i < n; i++)
        h[i] = (struct oriel_header){i ? "tracestate" : "traceparent", fields[i]};
    if (!extract("tracecontext", h, n, &c, NULL)) {
        puts("none");
        return;
    }
    fputs("span", stdout);
    put((char *)c.trace_id, 16);
    put((char *)c.span_id, 8);
    printf("\t%d", c.flags);
    put(text, oriel_traceparent_format(&c, text));
    put(c.state, c.state_bytes);
    putchar('\n');
}

static void put_header(const struct oriel_baggage *b)
{
    static char text[ORIEL_BAGGAGE_BYTES + 1];
    put(text, oriel_baggage_format(b, text, sizeof text));
    putchar('\n');
}

static void bag(char **fields, size_t n)
{
    static struct oriel_baggage b;
    struct oriel_header h[FIELDS];
    struct oriel_baggage_member m;
    struct oriel_context c;
    for (size_t i = 0; i < n; i++)
        h[i] = (struct oriel_header){"baggage", fields[i]};
    extract("baggage", h, n, &c, &b);
    printf("%u", b.count);
    for (size_t i = 0; oriel_baggage_at(&b, i, &m); i++) {
        put(m.name, m.name_bytes);
        put(m.value, m.value_bytes);
        put(m.properties, m.properties_bytes);
    }
    put_header(&b);
}

static void make(char **fields, size_t n)
{
    static struct oriel_baggage b;
    oriel_baggage_clear(&b);
    for (size_t i = 0; i + 1 < n; i += 2)
        if (oriel_baggage_set(&b, fields[i], fields[i + 1], NULL, &b) != 0)
            break;
    printf("%u", b.count);
    put_header(&b);
}

int main(void)
{
    static char line[LINE], *fields[FIELDS];
    while (fgets(line, sizeof line, stdin)) {
        size_t n = 0;
        line[strcspn(line, "\n")] = 0;
        char *verb = line, *at = strchr(line, '\t');
        while (at && n < FIELDS) {
            *at++ = 0;
            fields[n] = at;
            at = strchr(at, '\t');
            n++;
        }
        for (size_t i = 0; i < n; i++)
            unhex(fields[i]);
        if (strcmp(verb, "trace") == 0)
            trace(fields, n);
        else if (strcmp(verb, "bag") == 0)
            bag(fields, n);
        else
            make(fields, n);
    }
    return ferror(stdout) != 0;
}

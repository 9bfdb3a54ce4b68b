/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A service in the middle, for tests of propagation with SDKs of others: it reads
 * headers by one list of propagators and writes them by another.
 *
 * Input, one case after the other:  read LIST / write LIST / NAME: VALUE ... / empty line
 * Output:  got TRACE SPAN FLAGS / state TEXT / baggage NAME=VALUE ... / NAME: VALUE ... / empty
 * line
 *
 * One thread; text as it comes. Not for headers with line ends, which there are none of.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <oriel/oriel.h>
#include <oriel/propagation.h>

enum { HEADERS = 64, TEXT = 64 * 1024 };

struct incoming {
    struct oriel_propagators read, write;
    struct oriel_header headers[HEADERS];
    char text[TEXT];
    size_t count, used;
};

static void add(struct incoming *in, const char *name, const char *value)
{
    size_t n = strlen(name) + 1, v = strlen(value) + 1;
    assert(in->count < HEADERS && in->used + n + v <= TEXT);
    char *at = in->text + in->used;
    memcpy(at, name, n);
    memcpy(at + n, value, v);
    in->headers[in->count++] = (struct oriel_header){at, at + n};
    in->used += n + v;
}

/* False at the end of the input. */
static int next(struct incoming *in)
{
    static char line[TEXT / 2];
    memset(in, 0, sizeof *in);
    int some = 0;
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        char *value = strstr(line, ": ");
        if (!line[0])
            return 1;
        some = 1;
        if (strncmp(line, "read ", 5) == 0)
            oriel_propagators_parse(line + 5, &in->read);
        else if (strncmp(line, "write ", 6) == 0)
            oriel_propagators_parse(line + 6, &in->write);
        else if (value) {
            *value = 0;
            add(in, line, value + 2);
        }
    }
    return some;
}

static void print_hex(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        printf("%02x", bytes[i]);
}

static void tell(const struct oriel_context *c)
{
    printf("got ");
    print_hex(c->trace_id, sizeof c->trace_id);
    printf(" ");
    print_hex(c->span_id, sizeof c->span_id);
    printf(" %02x\nstate %s\n", c->flags, c->state);
    struct oriel_baggage_member m;
    for (size_t i = 0; c->baggage && oriel_baggage_at(c->baggage, i, &m); i++)
        printf("baggage %.*s=%.*s\n", (int)m.name_bytes, m.name, (int)m.value_bytes, m.value);
}

static void go_on(const struct incoming *in, const struct oriel_context *c)
{
    static char text[TEXT];
    struct oriel_header headers[HEADERS];
    struct oriel_headers out = {
        .headers = headers, .capacity = HEADERS, .text = text, .text_capacity = sizeof text};
    int rc = oriel_inject(&in->write, c, &oriel_header_setter, &out);
    assert(rc == 0);
    (void)rc;
    for (size_t i = 0; i < out.count; i++)
        printf("%s: %s\n", out.headers[i].name, out.headers[i].value);
    printf("\n");
}

int main(void)
{
    static struct incoming in;
    static struct oriel_baggage baggage;
    while (next(&in)) {
        struct oriel_headers carrier = {
            .headers = in.headers, .count = in.count, .capacity = in.count};
        struct oriel_context context;
        oriel_baggage_clear(&baggage);
        oriel_extract(&in.read, &oriel_header_getter, &carrier, &context, &baggage);
        tell(&context);
        go_on(&in, &context);
        fflush(stdout);
    }
    return 0;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What assemblers write for operands, and what the kernel's probes call the
 * same. Anything else (an index register, a symbol) is passed over by name.
 */
#include "source/probe_args.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct span {
    const char *p;
    size_t n;
};

#if defined(__x86_64__)
const char *const probe_stack_register = "%sp", *const probe_result_register = "%ax";
static const char *const arg_registers[] = {"%di", "%si", "%dx", "%cx", "%r8", "%r9"};

/* r8 .. r15, r8d, r8w, r8b. */
static bool numbered_register(const char *text, char out[8])
{
    char *end;
    unsigned long n = text[0] == 'r' ? strtoul(text + 1, &end, 10) : 0;
    if (n < 8 || n > 15 || (*end && (!strchr("dwb", *end) || end[1])))
        return false;
    snprintf(out, 8, "r%lu", n);
    return true;
}

/* The name without the size: rax, eax, ax, al are ax. "" when there is none. */
static void kernel_register(struct span name, char out[8])
{
    static const char *const bases[] = {"ax", "bx", "cx", "dx", "si", "di", "bp", "sp"};
    char text[8];
    out[0] = 0;
    if (name.n == 0 || name.n >= sizeof text)
        return;
    memcpy(text, name.p, name.n);
    text[name.n] = 0;
    if (numbered_register(text, out))
        return;
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
        const char *b = bases[i];
        bool whole = strcmp(text, b) == 0 ||
                     ((text[0] == 'r' || text[0] == 'e') && strcmp(text + 1, b) == 0);
        bool low = strlen(text) == 2 && text[0] == b[0] && text[1] == 'l' && b[1] == 'x';
        bool low_pointer = strlen(text) == 3 && strncmp(text, b, 2) == 0 && text[2] == 'l';
        if (whole || low || low_pointer)
            snprintf(out, 8, "%s", b);
    }
}

/* "-80(%rbx)", "(%rsp)", "%rdi", "$5" */
static void translate(struct span op, char out[PROBE_FETCH_BYTES])
{
    char reg[8];
    out[0] = 0;
    if (op.n > 1 && op.p[0] == '%') {
        kernel_register((struct span){op.p + 1, op.n - 1}, reg);
        if (reg[0])
            snprintf(out, PROBE_FETCH_BYTES, "%%%s", reg);
    } else if (op.n > 1 && op.p[0] == '$') {
        char *end;
        long long value = strtoll(op.p + 1, &end, 0);
        if (end == op.p + op.n)
            snprintf(out, PROBE_FETCH_BYTES, "\\%lld", value);
    } else {
        char *end;
        long long by = strtoll(op.p, &end, 0);
        const char *close = memchr(op.p, ')', op.n);
        if (end[0] != '(' || end[1] != '%' || !close || close != op.p + op.n - 1)
            return;
        kernel_register((struct span){end + 2, (size_t)(close - end - 2)}, reg);
        if (reg[0])
            snprintf(out, PROBE_FETCH_BYTES, "%+lld(%%%s)", by, reg);
    }
}
#elif defined(__aarch64__)
const char *const probe_stack_register = "%sp", *const probe_result_register = "%x0";
static const char *const arg_registers[] = {"%x0", "%x1", "%x2", "%x3", "%x4", "%x5", "%x6", "%x7"};

static bool kernel_register(const char *p, size_t n, char out[8])
{
    bool numbered =
        n >= 2 && n <= 3 && (p[0] == 'x' || p[0] == 'w') && isdigit((unsigned char)p[1]);
    if (n == 2 && memcmp(p, "sp", 2) == 0)
        snprintf(out, 8, "sp");
    else if (numbered)
        snprintf(out, 8, "x%.*s", (int)(n - 1), p + 1);
    return numbered || (n == 2 && memcmp(p, "sp", 2) == 0);
}

/* "x0", "[sp, 16]", "[x1]", "5" */
static void translate(struct span op, char out[PROBE_FETCH_BYTES])
{
    char reg[8], *end;
    out[0] = 0;
    if (kernel_register(op.p, op.n, reg)) {
        snprintf(out, PROBE_FETCH_BYTES, "%%%s", reg);
    } else if (op.n > 2 && op.p[0] == '[' && op.p[op.n - 1] == ']') {
        const char *comma = memchr(op.p, ',', op.n);
        size_t n = comma ? (size_t)(comma - op.p - 1) : op.n - 2;
        long long by = comma ? strtoll(comma + 1 + (comma[1] == ' '), &end, 0) : 0;
        if ((!comma || end == op.p + op.n - 1) && kernel_register(op.p + 1, n, reg))
            snprintf(out, PROBE_FETCH_BYTES, "%+lld(%%%s)", by, reg);
    } else {
        long long value = strtoll(op.p, &end, 0);
        if (op.n && end == op.p + op.n)
            snprintf(out, PROBE_FETCH_BYTES, "\\%lld", value);
    }
}
#else
#error "registers of this machine are not known"
#endif

const char *probe_arg_register(unsigned nth)
{
    return nth < sizeof arg_registers / sizeof *arg_registers ? arg_registers[nth] : NULL;
}

/* "-4@" or "8f@" at p: how long it is; 0 it is none. */
static size_t head_bytes(const char *p, struct probe_arg *out)
{
    const char *at = p;
    *out = (struct probe_arg){.is_signed = *at == '-'};
    at += *at == '-';
    if (*at != '1' && *at != '2' && *at != '4' && *at != '8')
        return 0;
    out->bytes = (uint8_t)(*at++ - '0');
    out->is_float = *at == 'f';
    at += *at == 'f';
    return *at == '@' ? (size_t)(at + 1 - p) : 0;
}

/* Where the next argument begins: behind a space, with a head. */
static const char *next_head(const char *p)
{
    struct probe_arg unused;
    for (; *p; p++)
        if (*p == ' ' && head_bytes(p + 1, &unused))
            return p;
    return p;
}

unsigned probe_args_parse(const char *spec, struct probe_arg out[PROBE_ARGS_MAX])
{
    unsigned n = 0;
    assert(spec && out);
    spec += strspn(spec, " ");
    while (*spec && n < PROBE_ARGS_MAX) {
        struct probe_arg *a = &out[n];
        size_t head = head_bytes(spec, a);
        const char *end = next_head(spec);
        if (head == 0) /* an operand without a size: as wide as a register */
            a->bytes = 8;
        struct span op = {spec + head, (size_t)(end - spec) - head};
        snprintf(a->where, sizeof a->where, "%.*s", op.n < 47 ? (int)op.n : 47, op.p);
        if (!a->is_float && op.n > 0 && op.n < PROBE_FETCH_BYTES / 2)
            translate(op, a->fetch);
        n++;
        spec = end + strspn(end, " ");
    }
    return n;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the kernel says of an event's bytes (events/GROUP/NAME/format), and
 * values out of such bytes. Every length is checked. Pure.
 */
#ifndef ORIEL_SOURCE_PROBE_FORMAT_H
#define ORIEL_SOURCE_PROBE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/str.h"

enum format_kind {
    FORMAT_INT = 1,
    FORMAT_BOOL = 2,
    FORMAT_POINTER = 3,
    FORMAT_CHARS = 4,    /* a text in an array */
    FORMAT_BYTES = 5,    /* any other array */
    FORMAT_DYNAMIC = 6,  /* offset and length of a text elsewhere */
    FORMAT_RELATIVE = 7, /* the same, offset from behind the field */
    FORMAT_BLOB = 8      /* as DYNAMIC, of something else than text */
};
enum { FORMAT_FIELDS_MAX = 64, FORMAT_NAME_BYTES = 48 };
struct format_field {
    char name[FORMAT_NAME_BYTES];
    uint32_t offset, size;
    uint8_t kind; /* enum format_kind */
    bool is_signed;
};
struct format {
    uint32_t id; /* for perf_event_open */
    uint32_t field_count;
    struct format_field fields[FORMAT_FIELDS_MAX]; /* without those that all events have */
};

/* False: no id, or nothing that makes sense. Fields beyond the limit are left out. */
bool format_parse(const char *text, size_t n, struct format *out);
const struct format_field *format_find(const struct format *f, const char *name);
/* A number; 0 when the bytes end before it. */
uint64_t format_number(const struct format_field *f, const uint8_t *raw, size_t n);
/* A text or bytes, in place; empty when it lies outside. */
struct model_str format_text(const struct format_field *f, const uint8_t *raw, size_t n);

/* The enum oriel_type that holds its values. */
uint8_t format_type(const struct format_field *f);

#endif

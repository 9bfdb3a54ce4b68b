/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Call sites: the static descriptor behind every annotation.
 *
 * Frozen: the layout is compiled into observed programs. It grows only by a
 * new ORIEL_ABI_VERSION, never by changing the meaning of a field.
 * C11 and C++17; needs nothing but the C standard headers.
 */
#ifndef ORIEL_ABI_SITE_H
#define ORIEL_ABI_SITE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of everything in include/oriel/abi. A component compiled against
 * another version is left disabled by the runtime, never misread. */
#define ORIEL_ABI_VERSION 1u

/* What a call site says. Stored in captures: numbers are never reused. */
enum oriel_site_kind {
    ORIEL_SITE_SPAN = 1,  /* a span; its fields are given at begin */
    ORIEL_SITE_EVENT = 2, /* an event or a structured log record */
    ORIEL_SITE_SET = 3,   /* fields added to a span later */
    ORIEL_SITE_PLOT = 4,  /* a named number over time */
    ORIEL_SITE_FRAME = 5, /* a frame mark */
    ORIEL_SITE_TASK = 6   /* task life: spawn, wake, resume, yield, ... */
};

/* Severity, from finest to gravest; the value orders and is stored. */
enum oriel_level {
    ORIEL_LEVEL_TRACE = 1,
    ORIEL_LEVEL_DEBUG = 2,
    ORIEL_LEVEL_INFO = 3,
    ORIEL_LEVEL_WARN = 4,
    ORIEL_LEVEL_ERROR = 5,
    ORIEL_LEVEL_FATAL = 6
};

/* Type of a field's value. Stored in captures: numbers are never reused. */
enum oriel_type {
    ORIEL_TYPE_BOOL = 1,
    ORIEL_TYPE_I64 = 2,
    ORIEL_TYPE_U64 = 3,
    ORIEL_TYPE_F64 = 4,
    ORIEL_TYPE_STR = 5,   /* UTF-8 by convention; any bytes are carried */
    ORIEL_TYPE_BYTES = 6, /* opaque bytes */
    ORIEL_TYPE_PTR = 7    /* an address */
};

/* A field name may begin with one of these bytes; the runtime strips it. */
#define ORIEL_MARK_SECRET "\1" /* the value never leaves the call site */
#define ORIEL_MARK_ARG "\2"    /* recorded only with include_args */

/* Flags that the marks become in the site table (wire, captures, model). */
enum oriel_field_flag {
    ORIEL_FIELD_SECRET = 1, /* value replaced where it was said */
    ORIEL_FIELD_ARG = 2,    /* a function argument */
    ORIEL_FIELD_HIDDEN = 4, /* not recorded: the value is empty */
    ORIEL_FIELD_NESTED = 8, /* a str that is the JSON of an array, an object or null */
    ORIEL_FIELD_META = 16   /* no attribute: what else a protocol said ("otel.kind") */
};

struct oriel_field {
    const char *name; /* literal; may begin with a mark */
    uint32_t type;    /* enum oriel_type */
    uint32_t reserved;
};

/*
 * The enable word of a site, 4 bytes, packed in an array of their own so that
 * a disabled site touches 1/16 of a cache line.
 *   bits 0..15   USDT semaphore: number of attached tools, and ORIEL_WORD_HOOKED
 *   bits 16..31  0 = not recorded, ORIEL_SITE_UNSEEN = not registered yet,
 *                anything else = the site id that goes into the record
 * The site is off when the whole word is zero: one load, one branch.
 */
typedef uint32_t oriel_word;
#define ORIEL_WORD_ID_SHIFT 16
#define ORIEL_RECORDED(word) ((word) >> ORIEL_WORD_ID_SHIFT) /* the id, 0 = not recorded */
/* The program has hooks that this site asks (processor.h). It stands where inline code looks for
 * tools already, and below the sign that the kernel minds. */
#define ORIEL_WORD_HOOKED 0x4000u
#define ORIEL_WORD_TOOLS 0xbfffu
#define ORIEL_SITE_UNSEEN 1u
#define ORIEL_SITE_ID_FIRST 2u
#define ORIEL_SITE_ID_MAX 65535u

#define ORIEL_SITE_NAMED 1u /* site.flags: the name is an event name, not a message */
/* site.flags: made by a recorder, of what the system says; not a word of the program's */
#define ORIEL_SITE_SYSTEM 2u
/* site.flags: of a library in front of the program, of what it saw there; the same */
#define ORIEL_SITE_SEEN 4u
/* site.flags: of another program, as its protocol told it (oriel collect) */
#define ORIEL_SITE_TOLD 8u

struct oriel_site {
    uint16_t abi_version; /* ORIEL_ABI_VERSION */
    uint8_t kind;         /* enum oriel_site_kind */
    uint8_t level;        /* enum oriel_level */
    uint32_t line;
    uint32_t field_count;
    uint32_t flags;     /* ORIEL_SITE_NAMED, ... */
    const char *name;   /* span, event or plot name; log message */
    const char *target; /* dotted component name, filters match it */
    const char *file;
    const char *function;
    const char *format; /* printf format of a formatted log, or NULL */
    const struct oriel_field *fields;
    oriel_word *word;
};

#ifdef __cplusplus
}
#endif
#endif

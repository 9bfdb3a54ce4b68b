/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The configuration of this build: which sections there are, one per outlet,
 * which keys cannot take effect yet, and where the file is looked for. One
 * thread per call.
 */
#ifndef ORIEL_SESSION_SETTINGS_H
#define ORIEL_SESSION_SETTINGS_H

#include "config/config.h"

struct settings_input {
    size_t size;                    /* sizeof of this struct */
    const char *file;               /* NULL: $ORIEL_CONFIG, else ./oriel.toml if it is there */
    bool careful;                   /* inside a program: only a file nobody else could write */
    bool in_part;                   /* for a command that needs a part: what has no effect beside
                                     * the rest is not judged */
    const char *const *environment; /* NULL: none */
    const struct yaml_value *model; /* of the program, in place of the declarative file; NULL */
    const char *registers;          /* exporters that a program would register; NULL */
    const char *preset;             /* NULL: file or environment may */
    const struct config_set *code;
    size_t code_count;
};

/* 0, also with wrong values (config_can_start). A file that was named and is not
 * there: ORIEL_ENOTFOUND; one that cannot be read: as config_read_file; with a line. */
int settings_load(struct config **out, const struct settings_input *input, struct oriel_err *err);
/* The sections of this build's outlets; how many. */
enum { SETTINGS_SECTIONS_MAX = 32 };
size_t settings_sections(struct config_section out[SETTINGS_SECTIONS_MAX]);
/* The path that settings_load would read, as a pointer that lives as long as
 * the input; NULL: none is named and ./oriel.toml is not there. */
const char *settings_file(const struct settings_input *input);
/* Of $OTEL_CONFIG_FILE, likewise; NULL: not set. */
const char *settings_declarative(const struct settings_input *input);

#endif

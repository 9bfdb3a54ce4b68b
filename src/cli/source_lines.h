/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Source files, line by line, for reports that show them. One file is held at a
 * time: reports ask in its order.
 */
#ifndef ORIEL_CLI_SOURCE_LINES_H
#define ORIEL_CLI_SOURCE_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/vec.h"
#include "model/str.h"

struct source_lines {
    struct buf path, text;
    VEC(uint32_t) starts; /* of the lines in text, and its end */
    uint64_t recorded_ns; /* unix; a file that was changed later is told of */
    bool newer;           /* one was */
};

void source_lines_init(struct source_lines *s, uint64_t recorded_ns);
void source_lines_done(struct source_lines *s);
/* A report_sources.line: a line without its end, valid until the next call. */
bool source_lines_get(void *user, struct model_str file, uint32_t line, struct model_str *out);

#endif

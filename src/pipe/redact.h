/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Stage 3: secrets leave no trace in an item. Inside the pipe only. A table of
 * rules says which values are secret; each such value becomes "[redacted]",
 * and so does every place in the item's other texts where it is repeated, and
 * what in any text looks like a secret or is a known one (secret/scrub.h).
 */
#ifndef ORIEL_PIPE_REDACT_H
#define ORIEL_PIPE_REDACT_H

#include <stdbool.h>
#include <stdint.h>

#include "model/batch.h"

#define REDACT_TEXT "[redacted]"
/* Shorter secrets are not looked for in other texts: they are everywhere. */
#define REDACT_SEARCH_MIN 4u

struct redact_rule {
    const char *name;
    bool (*matches)(const struct model_value *value);
};

/* Redact an item made by the pipe; new texts come from `arena`. Returns the
 * number of values redacted. Without memory a text that repeats a secret is
 * replaced as a whole. */
uint64_t redact_item(struct model_item *item, struct arena *arena);
/* A text that was made later, of values; in place. How long it is now. */
uint32_t redact_made(char *text, uint32_t n);
/* Redact records as they stand, for outlets that write them: a secret gets as many
 * other bytes. Returns the number of values it changed. */
uint64_t redact_records(const struct model_batch *b);

#endif

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: option values as users and config files write them. The first
 * byte chooses the option; a value that is taken lies within its bounds, and
 * its text is taken again and means the same.
 */
#include <stdlib.h>
#include <string.h>

#include "util/option.h"

struct all {
    bool flag;
    int64_t number;
    double share;
    const char *text;
    int choice;
    uint64_t bytes, wait_ns;
};

static const char *const choices[] = {"plain", "zstd", "none", NULL};
static const struct option_def defs[] = {
    {.name = "flag",
     .type = OPTION_BOOL,
     .offset = offsetof(struct all, flag),
     .fallback = "false"},
    {.name = "number",
     .type = OPTION_INT,
     .offset = offsetof(struct all, number),
     .fallback = "1",
     .min = -9,
     .max = 1e6},
    {.name = "share",
     .type = OPTION_FLOAT,
     .offset = offsetof(struct all, share),
     .fallback = "0.5",
     .max = 1},
    {.name = "text", .type = OPTION_STRING, .offset = offsetof(struct all, text), .fallback = "x"},
    {.name = "choice",
     .type = OPTION_ENUM,
     .offset = offsetof(struct all, choice),
     .fallback = "zstd",
     .choices = choices},
    {.name = "bytes",
     .type = OPTION_SIZE,
     .offset = offsetof(struct all, bytes),
     .fallback = "4KiB"},
    {.name = "wait",
     .type = OPTION_DURATION,
     .offset = offsetof(struct all, wait_ns),
     .fallback = "5s"},
    OPTION_END};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_bounds(const struct all *a)
{
    require(a->number >= -9 && a->number <= 1000000);
    require(a->share >= 0 && a->share <= 1);
    require(a->choice >= 0 && a->choice < 3 && a->text != NULL);
}

/* A double's and a long text's text may be shorter than the value: those are only read. */
static void check_again(const struct option_def *def, const struct all *a, struct all *b)
{
    char text[256];
    struct oriel_err err;
    option_text(def, a, text, sizeof text);
    require(memchr(text, 0, sizeof text) != NULL);
    if (def->type == OPTION_STRING && strlen(a->text) >= sizeof text)
        return;
    require(option_set(def, b, text, &err) == 0);
    check_bounds(b);
    require(a->flag == b->flag && a->number == b->number && a->choice == b->choice);
    require(a->bytes == b->bytes && a->wait_ns == b->wait_ns);
    require(strcmp(a->text, b->text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct all a, b;
    struct oriel_err err;
    if (size == 0)
        return 0;
    const struct option_def *def = &defs[data[0] % (sizeof defs / sizeof *defs - 1)];
    char *text = malloc(size);
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    option_find(defs, text, strlen(text));
    option_nearest(defs, text);
    if (option_defaults(defs, &a) == 0 && option_defaults(defs, &b) == 0) {
        if (option_set(def, &a, text, &err) == 0)
            check_again(def, &a, &b);
        check_bounds(&a);
        option_done(defs, &a);
        option_done(defs, &b);
    }
    free(text);
    return 0;
}

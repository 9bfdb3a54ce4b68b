/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as oriel.toml. Loading says what is wrong and never
 * more; what is shown reads back to the same; a file that is rewritten means
 * what it meant, and is not rewritten again.
 */
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static struct config *load(const char *text, size_t n)
{
    struct config *c;
    struct config_input in = {.size = sizeof in, .file_text = text, .file_bytes = n};
    require(config_load(&c, &in, NULL) == 0);
    return c;
}

static void same(const struct config *a, const struct config *b)
{
    char x[256], y[256];
    for (const struct option_def *d = config_telemetry_options; d->name; d++) {
        option_text(d, config_telemetry(a), x, sizeof x);
        option_text(d, config_telemetry(b), y, sizeof y);
        require(strcmp(x, y) == 0);
    }
}

/* Masked URLs are the only thing that does not come back. */
static void check_shown(const struct config *c)
{
    struct buf first, second;
    buf_init(&first);
    buf_init(&second);
    config_write(c, true, &first);
    struct config *again = load(buf_cstr(&first), first.size);
    require(config_can_start(again));
    if (!strstr(buf_cstr(&first), "***"))
        same(c, again);
    config_write_json(c, &second);
    require(!first.failed && !second.failed);
    config_free(again);
    buf_done(&first);
    buf_done(&second);
}

static void check_migrated(const struct config *before, const char *text, size_t n)
{
    struct buf out, twice;
    unsigned changes;
    buf_init(&out);
    buf_init(&twice);
    if (config_migrate("x", text, n, &out, &changes, NULL) == 0) {
        struct config *after = load(buf_cstr(&out), out.size);
        require(config_can_start(before) == config_can_start(after));
        if (config_can_start(before))
            same(before, after);
        config_free(after);
        require(config_migrate("x", buf_cstr(&out), out.size, &twice, &changes, NULL) == 0);
        require(changes == 0 && twice.size == out.size);
        require(out.size == 0 || memcmp(twice.data, out.data, out.size) == 0);
    }
    buf_done(&out);
    buf_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *c = load((const char *)data, size);
    check_shown(c);
    check_migrated(c, (const char *)data, size);
    config_free(c);
    return 0;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fuzz target: any bytes as $OTEL_CONFIG_FILE, through the YAML reader and the
 * rows. It says what is wrong and never more, never tells a header's value, and
 * what it takes has a target for each signal.
 */
#include <stdlib.h>
#include <string.h>

#include "config/otlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const environment[] = {"A=a=qcanaryq", "B=1", NULL};
    struct config *c;
    const struct config_message *m;
    struct buf shown;
    struct config_input in = {.size = sizeof in,
                              .declarative_name = "f",
                              .declarative_text = (const char *)data,
                              .declarative_bytes = size,
                              .environment = environment};
    require(config_load(&c, &in, NULL) == 0);
    for (int signal = 0; config_can_start(c) && signal < CONFIG_SIGNALS; signal++) {
        struct config_otlp_target t;
        require(config_otlp_target(c, (enum config_signal)signal, &t, NULL) == 0 && t.url[0]);
        require(config_pairs_read(t.headers, CONFIG_PAIRS_HEADERS, NULL, NULL, NULL) == 0);
    }
    buf_init(&shown);
    config_write(c, true, &shown);
    size_t n = config_messages(c, &m);
    if (config_telemetry(c)->otlp.headers[0] && n)
        require(!strstr(m[0].text, "qcanaryq"));
    buf_done(&shown);
    config_free(c);
    return 0;
}

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * For tests of this room only: environments as lists, and what came out of a
 * configuration.
 */
#ifndef ORIEL_CONFIG_TEST_CONFIG_H
#define ORIEL_CONFIG_TEST_CONFIG_H

#include "config/otlp.h"
#include "test.h"

#define ENVIRONMENT(...)                                                                           \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

/* As config_load, and the test ends where that fails. */
static inline struct config *load_input(const struct config_input *input)
{
    struct config *c = NULL;
    struct oriel_err err = {0};
    if (config_load(&c, input, &err) != 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    test_stop_if_failed();
    return c;
}

/* "" where there are not so many. */
static inline const char *message(const struct config *c, size_t i)
{
    const struct config_message *m;
    return i < config_messages(c, &m) ? m[i].text : "";
}

static inline struct config_otlp_target target(const struct config *c, enum config_signal signal)
{
    struct config_otlp_target t = {0};
    struct oriel_err err = {0};
    if (config_otlp_target(c, signal, &t, &err) != 0)
        test_fail(__FILE__, __LINE__, "%s", err.text);
    test_stop_if_failed();
    return t;
}

#endif

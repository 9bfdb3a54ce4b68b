/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Headers that are said in plain, by environment or program: known as secrets,
 * whether or not anything is sent with them.
 */
#include <string.h>

#include "config/otlp.h"
#include "session/headers.h"

static int know(void *user, const char *key, const char *value)
{
    (void)user;
    (void)key;
    return secret_known_add(value, strlen(value));
}

static int know_all(const char *headers, struct oriel_err *err)
{
    int rc = config_pairs_read(headers, CONFIG_PAIRS_HEADERS, know, NULL, NULL);
    if (rc == ORIEL_ELIMIT || rc == ORIEL_ENOMEM)
        return err_set(err, rc, "headers cannot be kept secret: %s", err_text(rc));
    return 0;
}

/* What is wrong with a target is told where it is used. */
int session_know_headers(const struct config *c, struct oriel_err *err)
{
    static const enum config_signal signals[] = {CONFIG_TRACES, CONFIG_LOGS};
    struct config_otlp_target t;
    const char *section;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof signals / sizeof *signals; i++)
        if (config_otlp_target(c, signals[i], &t, NULL) == 0)
            rc = know_all(t.headers, err);
    for (size_t i = 0; rc == 0 && (section = config_receiver(c, i)); i++)
        if (config_otlp_receiver(c, section, CONFIG_TRACES, &t, NULL) == 0)
            rc = know_all(t.headers, err);
    return rc;
}

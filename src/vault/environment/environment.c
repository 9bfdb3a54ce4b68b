/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Provider: a variable of the environment, named as the key. For containers; a
 * variable is seen by everything that the program starts, so it comes last.
 */
#include "vault/provider.h"

#include <string.h>

struct environment_options {
    const char *variable;
};
static const struct option_def options[] = {
    {.name = "environment_variable",
     .type = OPTION_STRING,
     .offset = offsetof(struct environment_options, variable),
     .fallback = "",
     .arg = "NAME",
     .help = "variable that has the headers (default: named as the key)"},
    OPTION_END,
};

static int read_environment(const void *how, const struct vault_ask *ask, struct secret *out,
                            struct oriel_err *err)
{
    const struct environment_options *o = how;
    const char *name = o->variable[0] ? o->variable : ask->key;
    const char *value = vault_variable(ask, name);
    if (!value)
        return err_set(err, ORIEL_ENOTFOUND, "vault (environment): $%.80s is not set", name);
    int rc = secret_copy(out, value, strlen(value));
    return rc == 0 ? 0 : err_set(err, rc, "vault (environment): $%.80s: %s", name, err_text(rc));
}

const struct vault_provider vault_environment = {.name = "environment",
                                                 .help = "a variable of the environment",
                                                 .options = options,
                                                 .options_size = sizeof(struct environment_options),
                                                 .read = read_environment};

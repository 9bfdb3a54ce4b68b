/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Provider: a credential that systemd gives to a service (LoadCredential=,
 * SetCredentialEncrypted=): a file below $CREDENTIALS_DIRECTORY, in memory that is
 * never swapped, readable by the service alone.
 */
#include "vault/provider.h"

#include <stdio.h>
#include <string.h>

struct credential_options {
    const char *name;
};
static const struct option_def options[] = {
    {.name = "credential_name",
     .type = OPTION_STRING,
     .offset = offsetof(struct credential_options, name),
     .fallback = "",
     .arg = "NAME",
     .help = "the credential (default: named as the key)"},
    OPTION_END,
};

static int read_credential(const void *how, const struct vault_ask *ask, struct secret *out,
                           struct oriel_err *err)
{
    const struct credential_options *o = how;
    const char *name = o->name[0] ? o->name : ask->key;
    const char *directory = vault_variable(ask, "CREDENTIALS_DIRECTORY");
    char path[1024];
    if (!directory || directory[0] != '/')
        return err_set(err, ORIEL_EIO,
                       "vault (credential): $CREDENTIALS_DIRECTORY is not set; systemd sets it for "
                       "a service with LoadCredential=");
    if (strchr(name, '/') || name[0] == '.')
        return err_set(err, ORIEL_EINVAL, "vault (credential): \"%.80s\" names no credential",
                       name);
    int n = snprintf(path, sizeof path, "%s/%s", directory, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(err, ORIEL_ELIMIT, "vault (credential): its path is too long");
    int rc = vault_read_private(path, true, true, out, err);
    return rc == ORIEL_ENOTFOUND
               ? err_set(err, rc, "vault (credential): there is no credential %.80s", name)
               : rc;
}

const struct vault_provider vault_credential = {.name = "credential",
                                                .help = "a credential of the systemd service",
                                                .options = options,
                                                .options_size = sizeof(struct credential_options),
                                                .read = read_credential};

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Provider: a file of ours that nobody else can read (0600): a JSON object, or
 * lines KEY=value.
 */
#include "vault/provider.h"

struct file_options {
    const char *path;
};
static const struct option_def options[] = {
    {.name = "file_path",
     .type = OPTION_STRING,
     .offset = offsetof(struct file_options, path),
     .fallback = "",
     .arg = "FILE",
     .variable = "ORIEL_VAULT_FILE",
     .help = "the file, which belongs to us and has mode 0600: a JSON object or lines KEY=value"},
    OPTION_END,
};

static int check_options(const void *how, struct oriel_err *err)
{
    const struct file_options *o = how;
    return o->path[0] ? 0 : err_set(err, ORIEL_EINVAL, "vault (file): which file? Say file_path");
}

static int read_file(const void *how, const struct vault_ask *ask, struct secret *out,
                     struct oriel_err *err)
{
    const struct file_options *o = how;
    struct secret document;
    int rc = check_options(how, err);
    if (rc == 0)
        rc = vault_read_private(o->path, false, false, &document, err);
    if (rc == ORIEL_ENOTFOUND) /* a vault that is not there is no missing key */
        rc = err_set(err, ORIEL_EIO, "vault (file): %s is not there", o->path);
    if (rc != 0)
        return rc;
    rc = vault_pick(&document, ask->key, o->path, out, err);
    secret_close(&document);
    return rc == ORIEL_ENOTFOUND
               ? err_set(err, rc, "vault (file): %s has no key %.80s", o->path, ask->key)
               : rc;
}

const struct vault_provider vault_file = {.name = "file",
                                          .help = "a file that only we can read",
                                          .options = options,
                                          .options_size = sizeof(struct file_options),
                                          .read = read_file,
                                          .check = check_options};

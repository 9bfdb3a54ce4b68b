/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Provider: a file encrypted by age, read by the age command with an identity
 * file of ours. Both are opened and judged here and given to it as descriptors,
 * so that what was judged is what is read. What comes out, a JSON object or lines
 * KEY=value, never touches a disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "vault/provider.h"

struct age_options {
    const char *path, *identity, *program;
};
static const struct option_def options[] = {
    {.name = "age_file",
     .type = OPTION_STRING,
     .offset = offsetof(struct age_options, path),
     .fallback = "",
     .arg = "FILE",
     .variable = "ORIEL_VAULT_AGE_FILE",
     .help = "file encrypted by age: in it a JSON object or lines KEY=value"},
    {.name = "age_identity",
     .type = OPTION_STRING,
     .offset = offsetof(struct age_options, identity),
     .fallback = "",
     .arg = "FILE",
     .variable = "ORIEL_VAULT_AGE_IDENTITY",
     .help = "identity file that opens it, which belongs to us and has mode 0600"},
    {.name = "age_program",
     .type = OPTION_STRING,
     .offset = offsetof(struct age_options, program),
     .fallback = "age",
     .arg = "PROGRAM",
     .help = "the age command"},
    OPTION_END,
};

static int decrypt(const struct age_options *o, int file, int identity, const struct vault_ask *ask,
                   struct secret *out, struct oriel_err *err)
{
    const char *const argv[] = {o->program, "--decrypt", "--identity", "/dev/fd/3", NULL};
    const struct vault_run how = {.argv = argv, .ask = ask, .stdin_fd = file, .third_fd = identity};
    struct oriel_err why = {0};
    int rc = vault_run(&how, out, &why);
    if (rc == ORIEL_ENOTFOUND)
        return err_set(err, ORIEL_EUNSUPPORTED,
                       "vault (age): there is no %s on this machine (Debian: age)", o->program);
    return rc == 0 ? 0 : err_set(err, rc, "vault (age): %s: %s", o->path, why.text);
}

static int open_both(const struct age_options *o, const struct vault_ask *ask, struct secret *out,
                     struct oriel_err *err)
{
    int identity, file = open(o->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return err_set_errno(err, errno, "vault (age): %s", o->path);
    int rc = vault_open_private(o->identity, false, &identity, err);
    if (rc == 0) {
        rc = decrypt(o, file, identity, ask, out, err);
        close(identity);
    }
    close(file);
    return rc;
}

static int check_options(const void *how, struct oriel_err *err)
{
    const struct age_options *o = how;
    return o->path[0] && o->identity[0]
               ? 0
               : err_set(err, ORIEL_EINVAL, "vault (age): say age_file and age_identity");
}

static int read_age(const void *how, const struct vault_ask *ask, struct secret *out,
                    struct oriel_err *err)
{
    const struct age_options *o = how;
    struct secret document;
    int rc = check_options(how, err);
    if (rc == 0)
        rc = open_both(o, ask, &document, err);
    if (rc == ORIEL_ENOTFOUND) { /* a vault that is not there is no missing key */
        if (err)
            err->code = ORIEL_EIO;
        rc = ORIEL_EIO;
    }
    if (rc != 0)
        return rc;
    rc = vault_pick(&document, ask->key, o->path, out, err);
    secret_close(&document);
    return rc == ORIEL_ENOTFOUND
               ? err_set(err, rc, "vault (age): %s has no key %.80s", o->path, ask->key)
               : rc;
}

const struct vault_provider vault_age = {.name = "age",
                                         .help = "a file encrypted by age",
                                         .options = options,
                                         .options_size = sizeof(struct age_options),
                                         .read = read_age,
                                         .check = check_options};

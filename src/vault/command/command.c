/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Provider: a program that prints the headers (pass, secret-tool, a script). No
 * shell reads its arguments; {key} in one of them stands for the key.
 */
#include "vault/provider.h"

#include <string.h>

#include "base/buf.h"

enum { ARGS_MAX = 32 };

struct command_options {
    const char *argv; /* comma separated */
};
static const struct option_def options[] = {
    {.name = "command_argv",
     .type = OPTION_STRING,
     .offset = offsetof(struct command_options, argv),
     .fallback = "",
     .arg = "ARG[,..]",
     .help = "program and arguments, run without a shell; {key} is the key; it prints the headers"},
    OPTION_END,
};

/* One argument, with the key in it, behind the others. */
static void put_argument(struct buf *texts, const char *p, size_t n, const char *key)
{
    static const char mark[] = "{key}";
    const char *end = p + n, *hit;
    while ((hit = memmem(p, (size_t)(end - p), mark, sizeof mark - 1))) {
        buf_put(texts, p, (size_t)(hit - p));
        buf_puts(texts, key);
        p = hit + sizeof mark - 1;
    }
    buf_put(texts, p, (size_t)(end - p));
    buf_putc(texts, 0);
}

static int run(const char *const *argv, const struct vault_ask *ask, struct secret *out,
               struct oriel_err *err)
{
    const struct vault_run how = {.argv = argv, .ask = ask, .stdin_fd = -1, .third_fd = -1};
    struct oriel_err why = {0};
    int rc = vault_run(&how, out, &why);
    if (rc == ORIEL_ENOTFOUND) /* no such program is not: no such key */
        rc = ORIEL_EIO;
    if (rc != 0)
        return err_set(err, rc, "vault (command): %s", why.text);
    while (out->n && (out->p[out->n - 1] == '\n' || out->p[out->n - 1] == '\r'))
        out->p[--out->n] = 0;
    if (out->n)
        return 0;
    secret_close(out);
    return err_set(err, ORIEL_ENOTFOUND, "vault (command): %s printed nothing for %.80s", argv[0],
                   ask->key);
}

static int check_options(const void *how, struct oriel_err *err)
{
    const struct command_options *o = how;
    return o->argv[0]
               ? 0
               : err_set(err, ORIEL_EINVAL, "vault (command): which program? Say command_argv");
}

static int read_command(const void *how, const struct vault_ask *ask, struct secret *out,
                        struct oriel_err *err)
{
    const struct command_options *o = how;
    const char *argv[ARGS_MAX + 1];
    size_t starts[ARGS_MAX], count = 0;
    struct buf texts;
    int wrong = check_options(how, err);
    if (wrong < 0)
        return wrong;
    buf_init(&texts);
    for (const char *p = o->argv; count < ARGS_MAX; p++) {
        size_t n = strcspn(p, ",");
        starts[count++] = texts.size;
        put_argument(&texts, p, n, ask->key);
        p += n;
        if (!*p)
            break;
    }
    for (size_t i = 0; i < count && !texts.failed; i++)
        argv[i] = texts.data + starts[i];
    argv[count] = NULL;
    int rc = texts.failed ? err_set(err, ORIEL_ENOMEM, "vault (command): no memory")
                          : run(argv, ask, out, err);
    buf_done(&texts);
    return rc;
}

const struct vault_provider vault_command = {.name = "command",
                                             .help = "a program that prints the headers",
                                             .options = options,
                                             .options_size = sizeof(struct command_options),
                                             .read = read_command,
                                             .check = check_options};

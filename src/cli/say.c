/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * How the command speaks: one line per thing on stderr, reports on stdout.
 */
#include "cli/cli.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "secret/scrub.h"

/* One write per line, so that lines of several writers do not mix. Texts may
 * quote a foreign file: control characters never reach the terminal. */
static void line(const char *format, va_list args)
{
    char text[1200] = "oriel: ";
    int n = vsnprintf(text + 7, sizeof text - 8, format, args);
    size_t size = 7 + (n < 0 ? 0 : (size_t)n > sizeof text - 9 ? sizeof text - 9 : (size_t)n);
    /* What is quoted may be an argument, or a URL with credentials. */
    size = scrub_in_place(text, size, SCRUB_TEXTS | SCRUB_FILES);
    assert(size + 1 <= sizeof text);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
    text[size] = '\n';
    ssize_t done = write(STDERR_FILENO, text, size + 1);
    (void)done; /* nobody is left to tell */
}

int cli_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    line(format, args);
    va_end(args);
    return CLI_FAILED;
}

int cli_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    line(format, args);
    va_end(args);
    return CLI_USAGE;
}

void cli_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    line(format, args);
    va_end(args);
}

void cli_pass_on(void *unused, const char *text)
{
    (void)unused;
    cli_note("%s", text);
}

const char *cli_time(char out[CLI_TIME_BYTES], int64_t unix_ns)
{
    time_t t = (time_t)(unix_ns / 1000000000);
    struct tm tm;
    if (!localtime_r(&t, &tm) || !strftime(out, CLI_TIME_BYTES, "%Y-%m-%d %H:%M:%S", &tm))
        memcpy(out, "?", 2);
    return out;
}

bool cli_reader_left(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO};
    return poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP));
}

int cli_end_unheard(void)
{
    raise(SIGPIPE);
    return CLI_FAILED; /* whoever started us has it ignored */
}

int cli_print(struct buf *b)
{
    if (b->failed)
        return cli_fail("out of memory");
    for (size_t at = 0; at < b->size;) {
        ssize_t n = write(STDOUT_FILENO, b->data + at, b->size - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            struct oriel_err err;
            err_set_errno(&err, errno, "standard output");
            return cli_fail("%s", err.text);
        }
        at += (size_t)n;
    }
    return CLI_OK;
}
